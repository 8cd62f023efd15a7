"""Huang et al. 2017, Densely connected convolutional networks: §3 and the CIFAR nets of §4.2."""

import torch
from torch import Tensor
from torch.nn import functional as F

from .notation import Weights, classifier, conv, norm


def densenet(
    x: Tensor,
    w: Weights,
    *,
    growth: int,
    layers: int,
    stem: int = 16,
    bottleneck: bool = False,
    compression: float = 1.0,
    dropout: float = 0.0,
) -> Tensor:
    """Three dense blocks of as many ``layers`` each, between them two transitions.

    L = 3·layers + 4; with bottlenecks (B) 6·layers + 4.  Transitions keep all channels, or half
    of them when they compress (C).  The stem has 16 channels, or 2k in DenseNet-BC.
    """
    layer = bottleneck_layer if bottleneck else basic_layer
    x = conv(x, w, "stem.conv1")
    channels = stem
    row = 0
    for block in range(3):
        for _ in range(layers):
            assert channels == x.shape[1]
            x = torch.cat([x, layer(x, w, f"units.{row}.branch", dropout)], dim=1)
            channels += growth
            row += 1
        if block < 2:
            x = transition(x, w, f"units.{row}.branch", dropout)
            channels = int(compression * channels)
            row += 1
    x = F.relu(norm(x, w, "head.norm1"))
    return classifier(x, w)


def basic_layer(x: Tensor, w: Weights, layer: str, dropout: float) -> Tensor:
    """BN-ReLU-Conv(3×3) of k channels: the composite function H."""
    y = conv(F.relu(norm(x, w, f"{layer}.norm1")), w, f"{layer}.conv1")
    return F.dropout(y, dropout, training=w.training)


def bottleneck_layer(x: Tensor, w: Weights, layer: str, dropout: float) -> Tensor:
    """BN-ReLU-Conv(1×1) to 4k channels, BN-ReLU-Conv(3×3) to k; dropout after each convolution."""
    y = conv(F.relu(norm(x, w, f"{layer}.norm1")), w, f"{layer}.conv1")
    y = F.dropout(y, dropout, training=w.training)
    z = conv(F.relu(norm(y, w, f"{layer}.norm2")), w, f"{layer}.conv2")
    assert y.shape[1] == 4 * z.shape[1]
    return F.dropout(z, dropout, training=w.training)


def transition(x: Tensor, w: Weights, layer: str, dropout: float) -> Tensor:
    """BN-ReLU-Conv(1×1), then 2×2 average pooling; the ReLU is the authors' code's."""
    y = conv(F.relu(norm(x, w, f"{layer}.norm1")), w, f"{layer}.conv1")
    return F.avg_pool2d(F.dropout(y, dropout, training=w.training), 2)
