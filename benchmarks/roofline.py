"""What a net's arithmetic needs at least, and the share of a machine's rates that is reached."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from residua.arch import count
from residua.arch.layers import walk
from residua.arch.spec import Spec


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """Floating-point operations, and bytes to and from memory."""

    flops: float
    bytes: float

    def least_s(self, rates: Mapping[str, float], precision: str) -> float:
        """Seconds at the machine's rates: the longer of computing and moving alone."""
        computing_s = self.flops / best_gflops(rates, precision) / 1e9
        return max(computing_s, self.bytes / rates["copy_gb_per_s"] / 1e9)

    def share_pct(self, seconds: float, rates: Mapping[str, float], precision: str) -> float:
        """Share of the machine's rate of computing that was reached."""
        return 100 * self.flops / seconds / 1e9 / best_gflops(rates, precision)


def best_gflops(rates: Mapping[str, float], precision: str) -> float:
    """The machine's rate of computing: of matrix products or of convolutions."""
    return max(rates[f"{kind}_{precision}_gflops"] for kind in ("matmul", "conv"))


def training_step(spec: Spec, *, images: int) -> Work:
    """Forward, backward and update of a batch in bf16, weights in fp32.

    The backward pass computes twice what the forward pass does. Bytes are what would be left if
    everything between convolutions were fused and no cache held a layer: each convolution reads
    its input and writes its output, then reads its input and its output's gradient and writes its
    input's gradient; the update reads weight, gradient and velocity and writes two of them.
    """
    inputs, outputs = _values(spec)
    return Work(
        flops=3 * 2 * count.macs(spec) * images,
        bytes=2 * (3 * inputs + 2 * outputs) * images + 5 * 4 * count.params(spec),
    )


def forward(spec: Spec, *, images: int, value_bytes: int) -> Work:
    """A forward pass: each convolution reads its input and writes its output, once."""
    inputs, outputs = _values(spec)
    return Work(
        flops=2 * count.macs(spec) * images,
        bytes=value_bytes * ((inputs + outputs) * images + count.params(spec)),
    )


def _values(spec: Spec) -> tuple[int, int]:
    """Numbers that the convolutions and the classifier take in and give out for one image."""
    inputs = outputs = 0
    for layer, side in walk(spec):
        if layer.kind in {"conv", "linear"}:
            inputs += layer.c_in * (layer.stride * side) ** 2
            outputs += layer.c_out * side**2
    return inputs, outputs
