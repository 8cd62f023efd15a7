"""Closed-form counts, read from the layers without building a net."""

from __future__ import annotations

from dataclasses import dataclass

from residua.arch.layers import stretches
from residua.arch.plan import plan
from residua.arch.spec import Spec


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """What a net costs.

    Attributes:
        params: Trainable parameters: convolutions, gamma and beta of BN, classifier with bias.
        params_no_bn: Those without BN's, as some of the papers count.
        macs: Multiply-adds of convolutions and classifier for one image.
    """

    params: int
    params_no_bn: int
    macs: int


def totals(spec: Spec, *, image_size: int | None = None) -> Totals:
    """Parameters and multiply-adds in one pass over the layers.

    Args:
        spec: The net.
        image_size: Side of the image in pixels; by default the one that the paper trains with.
    """
    params = norms = macs = 0
    for part, times in stretches(spec, image_size=image_size):
        for layer, side in part:
            weights = times * layer.params
            params += weights
            norms += weights * (layer.kind == "norm")
            macs += times * layer.macs(side)
    return Totals(params=params, params_no_bn=params - norms, macs=macs)


def params(spec: Spec) -> int:
    """Trainable parameters: convolutions, gamma and beta of BN, classifier with bias."""
    return totals(spec).params


def params_no_bn(spec: Spec) -> int:
    """Trainable parameters without BN's, as some of the papers count."""
    return totals(spec).params_no_bn


def macs(spec: Spec, *, image_size: int | None = None) -> int:
    """Multiply-adds of convolutions and classifier for one image.

    Args:
        spec: The net.
        image_size: Side of the image in pixels; by default the one that the paper trains with.
    """
    return totals(spec, image_size=image_size).macs


def out_features(spec: Spec) -> int:
    """Channels that reach the classifier."""
    return plan(spec)[-1].c_out
