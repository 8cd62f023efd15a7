"""What the long-hand nets are written in: a convolution, a normalisation, a classifier.

Weights stand under the keys of residua's weight files (units counted from 0), so these files
also say what each tensor of such a file is for.  Nothing here imports residua.
"""

from dataclasses import dataclass, field

from torch import Tensor
from torch.nn import functional as F


@dataclass
class Weights:
    """Named tensors of one net, the mode it runs in, and which of them were read."""

    tensors: dict[str, Tensor]
    training: bool
    read: set[str] = field(default_factory=set)

    def __getitem__(self, key: str) -> Tensor:
        self.read.add(key)
        return self.tensors[key]


def conv(x: Tensor, w: Weights, key: str, stride: int = 1) -> Tensor:
    """Convolve with k×k weights, padded so that only the stride changes the size."""
    weight = w[f"{key}.weight"]
    return F.conv2d(x, weight, stride=stride, padding=weight.shape[2] // 2)


def norm(x: Tensor, w: Weights, key: str) -> Tensor:
    """Normalise by the batch in training, by the running statistics in evaluation."""
    return F.batch_norm(
        x,
        w[f"{key}.running_mean"],
        w[f"{key}.running_var"],
        w[f"{key}.weight"],
        w[f"{key}.bias"],
        training=w.training,
    )


def classifier(x: Tensor, w: Weights) -> Tensor:
    """Average over the pixels, then one linear layer."""
    return F.linear(x.mean((2, 3)), w["classifier.weight"], w["classifier.bias"])
