"""He et al. 2015, Deep residual learning: the CIFAR nets of §4.2, from units of Fig. 2 and 5."""

from torch import Tensor
from torch.nn import functional as F

from .notation import Weights, classifier, conv, norm


def resnet(x: Tensor, w: Weights, *, depth: int, option: str) -> Tensor:
    """6n + 2 layers: a 3×3 convolution, 2n for each of 16, 32 and 64 filters, a classifier.

    ``option`` is the shortcut of §4.1: "A", "B", "C", or "none" for the plain net.
    """
    n = (depth - 2) // 6
    x = F.relu(norm(conv(x, w, "stem.conv1"), w, "stem.norm1"))
    block = 0
    for filters in (16, 32, 64):
        for i in range(n):
            stride = 2 if filters > 16 and i == 0 else 1
            x = building_block(x, w, f"units.{block}", filters, stride, option)
            block += 1
    return classifier(x, w)


def building_block(
    x: Tensor, w: Weights, block: str, filters: int, stride: int, option: str
) -> Tensor:
    """Two 3×3 convolutions beside a shortcut; ReLU after the addition (Fig. 2)."""
    y = conv(x, w, f"{block}.branch.conv1", stride)
    y = norm(y, w, f"{block}.branch.norm1")
    y = F.relu(y)
    y = conv(y, w, f"{block}.branch.conv2")
    y = norm(y, w, f"{block}.branch.norm2")
    assert filters == y.shape[1]
    if option == "none":
        return F.relu(y)
    increases = filters != x.shape[1]
    if option == "C" or (option == "B" and increases):
        x = projection(x, w, block, stride)
    elif increases:  # option A: identity, extra zero entries, a stride of 2
        x = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, 0, filters - x.shape[1]))
    return F.relu(y + x)


def projection(x: Tensor, w: Weights, block: str, stride: int) -> Tensor:
    """Match dimensions by a 1×1 convolution (eq. 2)."""
    return norm(conv(x, w, f"{block}.carry.conv1", stride), w, f"{block}.carry.norm1")


def bottleneck_resnet(x: Tensor, w: Weights, *, depth: int) -> Tensor:
    """9n + 2 layers: the units of Fig. 5, right, on CIFAR (he2016's baseline of 164 and 1001)."""
    n = (depth - 2) // 9
    x = F.relu(norm(conv(x, w, "stem.conv1"), w, "stem.norm1"))
    block = 0
    for filters in (16, 32, 64):
        for i in range(n):
            stride = 2 if filters > 16 and i == 0 else 1
            x = bottleneck(x, w, f"units.{block}", filters, stride)
            block += 1
    return classifier(x, w)


def bottleneck(x: Tensor, w: Weights, block: str, filters: int, stride: int) -> Tensor:
    """1×1 (which strides), 3×3 and 1×1 convolutions; projection where dimensions change (B)."""
    y = F.relu(norm(conv(x, w, f"{block}.branch.conv1", stride), w, f"{block}.branch.norm1"))
    y = F.relu(norm(conv(y, w, f"{block}.branch.conv2"), w, f"{block}.branch.norm2"))
    y = norm(conv(y, w, f"{block}.branch.conv3"), w, f"{block}.branch.norm3")
    assert 4 * filters == y.shape[1]
    if x.shape[1] != y.shape[1]:
        x = projection(x, w, block, stride)
    return F.relu(y + x)
