"""Huang et al. 2016, Deep networks with stochastic depth: a ResNet whose blocks sometimes sleep."""

from collections.abc import Sequence

from torch import Tensor
from torch.nn import functional as F

from .notation import Weights, classifier, conv, norm


def stochastic_resnet(
    x: Tensor, w: Weights, *, depth: int, awake: Sequence[int] | None = None
) -> Tensor:
    """L = (depth - 2)/2 blocks; ``awake`` holds the Bernoulli draws b_l of a training step.

    At test time every block is awake and its function counts with p_l = 1 - l/L·(1 - p_L),
    p_L = 0.5 (eq. 4 and 5).
    """
    num_blocks = (depth - 2) // 2
    h = F.relu(norm(conv(x, w, "stem.conv1"), w, "stem.norm1"))
    for block in range(1, num_blocks + 1):
        survival = 1 - block / num_blocks * (1 - 0.5)
        first_of_stage = block in {num_blocks // 3 + 1, 2 * num_blocks // 3 + 1}
        carried = shrink(h) if first_of_stage else h
        stride = 2 if first_of_stage else 1
        if awake is None:
            h = F.relu(survival * function(h, w, f"units.{block - 1}", stride) + carried)
        elif awake[block - 1]:
            h = F.relu(function(h, w, f"units.{block - 1}", stride) + carried)
        else:
            h = F.relu(carried)
    return classifier(h, w)


def function(h: Tensor, w: Weights, block: str, stride: int) -> Tensor:
    """f_l of eq. 1: Conv-BN-ReLU-Conv-BN."""
    y = F.relu(norm(conv(h, w, f"{block}.branch.conv1", stride), w, f"{block}.branch.norm1"))
    return norm(conv(y, w, f"{block}.branch.conv2"), w, f"{block}.branch.norm2")


def shrink(h: Tensor) -> Tensor:
    """Average 2×2 pixels, then append as many zero channels as there are (the authors' code)."""
    pooled = F.avg_pool2d(h, 2)
    return F.pad(pooled, (0, 0, 0, 0, 0, h.shape[1]))
