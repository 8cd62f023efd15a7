"""Zagoruyko and Komodakis 2016, Wide residual networks: Table 1 and Fig. 1(c, d), written out."""

from torch import Tensor
from torch.nn import functional as F

from .notation import Weights, classifier, conv, norm


def wide_resnet(
    x: Tensor,
    w: Weights,
    *,
    widen: int,
    blocks: int,
    kernels: tuple[int, ...] = (3, 3),
    dropout: float = 0.0,
) -> Tensor:
    """Three groups of N ``blocks`` B(``kernels``), 16k, 32k and 64k wide; B(3,3): 6N + 4 layers."""
    x = conv(x, w, "stem.conv1")
    block = 0
    for group, width in enumerate((16 * widen, 32 * widen, 64 * widen)):
        for i in range(blocks):
            stride = 2 if group > 0 and i == 0 else 1
            x = wide_block(x, w, f"units.{block}", width, kernels, stride, dropout)
            block += 1
    x = F.relu(norm(x, w, "head.norm1"))
    return classifier(x, w)


def wide_block(
    x: Tensor,
    w: Weights,
    block: str,
    width: int,
    kernels: tuple[int, ...],
    stride: int,
    dropout: float,
) -> Tensor:
    """BN-ReLU-conv, then BN-ReLU-(dropout-)conv for each further convolution; the first strides.

    Where the width changes, a bare 1×1 convolution carries, and it reads what the first BN-ReLU
    gives (the authors' code); group 1 of a net with k = 1 changes nothing.
    """
    if x.shape[1] != width:
        y = F.relu(norm(x, w, f"{block}.shared.norm1"))
        carried = conv(y, w, f"{block}.carry.conv1", stride)
    else:
        y = F.relu(norm(x, w, f"{block}.branch.norm1"))
        carried = x
    y = conv(y, w, f"{block}.branch.conv1", stride)
    for number in range(2, len(kernels) + 1):
        y = F.relu(norm(y, w, f"{block}.branch.norm{number}"))
        if dropout:
            y = F.dropout(y, dropout, training=w.training)
        y = conv(y, w, f"{block}.branch.conv{number}")
    for number, kernel in enumerate(kernels, start=1):
        assert (width, kernel) == w[f"{block}.branch.conv{number}.weight"].shape[::3]
    return y + carried
