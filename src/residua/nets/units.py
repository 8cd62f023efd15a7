"""The modules of one row of a plan: residual unit, dense layer, transition."""

from __future__ import annotations

import itertools
from collections import OrderedDict
from collections.abc import Callable, Iterable

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from residua.arch import layers
from residua.arch.layers import Layer
from residua.arch.plan import Unit
from residua.arch.spec import Gate, ResidualSpec, Scale, Spec
from residua.nets import dense, ops

Maps = Float[Tensor, "n c h w"]
Result = Float[Tensor, "n d i j"]  # other letters: a result may have another shape than its input


class ZeroPad(nn.Module):
    """Option A's shortcut: halve the size if asked, then append zero channels.

    A window of 1 takes every second pixel (fb.resnet.torch); a window of 2 averages (huang2016's
    and han2017's code).  Source: he2015 §3.3.
    """

    def __init__(self, *, added: int, stride: int, window: int) -> None:
        super().__init__()
        self.added = added
        self.stride = stride
        self.window = window

    def forward(self, x: Maps) -> Result:
        """Map [n, c, h, w] to [n, c + added, ⌈h/stride⌉, ⌈w/stride⌉]."""
        return ops.widened(self.sampled(x), x.shape[1] + self.added)

    def sampled(self, x: Maps) -> Result:
        """The channels that are not zero, [n, c, ⌈h/stride⌉, ⌈w/stride⌉]."""
        if self.window > 1:
            return functional.avg_pool2d(x, self.window, self.stride, ceil_mode=True)
        return x[:, :, :: self.stride, :: self.stride]

    def extra_repr(self) -> str:
        """Show what distinguishes one from another."""
        return f"added={self.added}, stride={self.stride}, window={self.window}"


class AveragePool(nn.Module):
    """The mean over windows side by side; a last pixel that fills none is dropped, an only one not.

    So that images of any size reach a dense net's classifier.
    """

    def __init__(self, window: int) -> None:
        super().__init__()
        self.window = window

    def forward(self, x: Maps) -> Result:
        """Map [n, c, h, w] to [n, c, max(1, ⌊h/window⌋), max(1, ⌊w/window⌋)]."""
        return functional.avg_pool2d(x, [min(self.window, side) for side in x.shape[2:]])

    def extra_repr(self) -> str:
        """Show what distinguishes one from another."""
        return f"window={self.window}"


def _conv(layer: Layer) -> nn.Module:
    return nn.Conv2d(
        layer.c_in,
        layer.c_out,
        layer.kernel,
        stride=layer.stride,
        padding=layer.kernel // 2,
        bias=layer.bias,
    )


MODULES: dict[layers.LayerKind, Callable[[Layer], nn.Module]] = {
    "conv": _conv,
    "norm": lambda layer: nn.BatchNorm2d(layer.c_out),
    "relu": lambda _: nn.ReLU(),
    "dropout": lambda layer: nn.Dropout(layer.rate),
    "pad": lambda layer: ZeroPad(
        added=layer.c_out - layer.c_in, stride=layer.stride, window=layer.kernel
    ),
    "average_pool": lambda layer: AveragePool(layer.kernel),
    "max_pool": lambda layer: nn.MaxPool2d(layer.kernel, layer.stride, padding=1),
    "linear": lambda layer: nn.Linear(layer.c_in, layer.c_out, bias=layer.bias),
}


class Chain(nn.Sequential):
    """Layers in order; a norm and a ReLU behind it are one operation where it pays."""

    def forward(self, x: Maps) -> Result:  # pyright: ignore[reportIncompatibleMethodOverride] - torch names it input
        """What the last layer makes of what the others made of [n, c, h, w]."""
        return run(tuple(self), x)


def run(modules: tuple[nn.Module, ...], x: Maps) -> Result:
    """Apply modules one after the other, see :class:`Chain`."""
    index = 0
    while index < len(modules):
        module = modules[index]
        if isinstance(module, nn.BatchNorm2d) and ops.fused(x, module):
            relu = _relu(modules[index + 1 :])
            x = ops.norm_add_relu(x, module, relu=relu)
            index += 1 + relu
        else:
            x = module(x)
            index += 1
    return x


def _relu(modules: tuple[nn.Module, ...]) -> bool:
    """Whether the first of some modules is a ReLU that nobody watches."""
    return bool(modules) and type(modules[0]) is nn.ReLU and not ops.watched(modules[0])


def chain(parts: tuple[Layer, ...]) -> Chain:
    """The modules of some layers, in order, under the layers' names."""
    return Chain(OrderedDict((layer.name, MODULES[layer.kind](layer)) for layer in parts))


class Add(nn.Module):
    """``carry + branch``.  Source: he2015 eq. 1."""

    def forward(self, carry: Maps, branch: Maps) -> Maps:
        """Add two maps of one shape."""
        return carry + branch


class ScaledAdd(nn.Module):
    """``a · carry + b · branch`` with constant a and b.  Source: he2016 §3.1."""

    def __init__(self, scale: Scale) -> None:
        super().__init__()
        self.scale = scale

    def forward(self, carry: Maps, branch: Maps) -> Maps:
        """Add two maps of one shape."""
        return self.scale.carry * carry + self.scale.branch * branch


class GatedAdd(nn.Module):
    """``(1 - g) · carry + branch``, or ``+ g · branch`` when exclusive.

    ``g = σ(conv1(carry))``, element by element.  Source: he2016 §3.1.
    """

    def __init__(self, gate: Gate, parts: tuple[Layer, ...]) -> None:
        super().__init__()
        self.gate: Chain = chain(parts)
        self.exclusive: bool = gate.exclusive
        self.bias: float = gate.bias

    def forward(self, carry: Maps, branch: Maps) -> Maps:
        """Add two maps of one shape."""
        gate = torch.sigmoid(self.gate(carry))
        return (1 - gate) * carry + (gate * branch if self.exclusive else branch)


class ResidualUnit(nn.Module):
    """One row of a plan: ``after(carry(s) + branch(s))`` with ``s = shared(x)``.

    ``shared`` is empty unless both paths read the pre-activated input; a plain unit has no carry.
    Source: he2016 eq. 1.
    """

    def __init__(self, spec: ResidualSpec, row: Unit) -> None:
        super().__init__()
        parts = layers.unit(spec, row)
        self.shared: Chain = chain(parts.shared)
        self.branch: Chain = chain(parts.branch)
        self.carry: Chain | None = None if row.shortcut == "none" else chain(parts.carry)
        self.join: nn.Module = _join(spec, parts.gate)
        self.after: Chain = chain(parts.after)

    def forward(self, x: Maps, gate: float | Tensor = 1.0) -> Result:
        """Map [n, c_in, h, w] to [n, c_out, ⌈h/stride⌉, ⌈w/stride⌉].

        Args:
            x: Input maps.
            gate: Factor of the branch, which is not computed if that is 0.0 and something carried.
        """
        shared = self.shared(x)
        if self.carry is None:
            return self.after(_gated(self.branch, shared, gate))
        if isinstance(gate, float) and gate == 1 and self._ends_in_sum():
            return self._sum(self.carry, shared)
        carried = self.carry(shared)
        if isinstance(gate, float) and gate == 0:
            return self.after(self.join(carried, torch.zeros_like(carried)))
        return self.after(self.join(carried, _gated(self.branch, shared, gate)))

    def _ends_in_sum(self) -> bool:
        """Whether the last norm, the sum and a ReLU behind it may be one operation."""
        last = self.branch[-1]
        return (
            isinstance(self.join, Add)
            and isinstance(last, nn.BatchNorm2d)
            and not ops.watched(self.branch, self.carry, self.join, self.after)
        )

    def _sum(self, carry: Chain, shared: Maps) -> Result:
        *layers, norm = self.branch
        assert isinstance(norm, nn.BatchNorm2d)
        y = run(tuple(layers), shared)
        match tuple(carry):
            case (ZeroPad() as pad,) if not ops.watched(pad):
                carried = pad.sampled(shared)  # zero channels need not be added
            case _:
                carried = carry(shared)
        after = tuple(self.after)
        relu = _relu(after)
        return run(after[relu:], ops.norm_add_relu(y, norm, addend=carried, relu=relu))


class DenseLayer(nn.Module):
    """``[x, branch(x)]``: append ``growth`` channels to all before.  Source: huang2017 eq. 2."""

    def __init__(self, spec: Spec, row: Unit) -> None:
        super().__init__()
        self.branch: Chain = chain(layers.unit(spec, row).branch)

    def forward(self, x: Maps, gate: float | Tensor = 1.0) -> Result:
        """Map [n, c, h, w] to [n, c + growth, h, w]; ``gate`` scales the appended channels."""
        return torch.cat((x, _gated(self.branch, x, gate)), dim=1)


class Transition(nn.Module):
    """BN, ReLU, 1×1 convolution, 2×2 average pooling between two dense blocks.

    The ReLU is the authors' code's; the paper's prose leaves it out.  Source: huang2017 §3.
    """

    def __init__(self, spec: Spec, row: Unit) -> None:
        super().__init__()
        self.branch: Chain = chain(layers.unit(spec, row).branch)

    def forward(self, x: Maps, gate: float | Tensor = 1.0) -> Result:
        """Map [n, c, h, w] to [n, c_out, h/2, w/2]; ``gate`` scales the output."""
        return _gated(self.branch, x, gate)


def run_units(units: Iterable[tuple[nn.Module, float | Tensor]], x: Maps) -> Result:
    """Execute units, each with its gate; consecutive dense layers in one tensor where it pays."""

    def whole(pair: tuple[nn.Module, float | Tensor]) -> bool:
        return isinstance(pair[0], DenseLayer) and isinstance(pair[1], float) and pair[1] == 1

    for is_dense, group in itertools.groupby(units, key=whole):
        pairs = tuple(group)
        layers = [module for module, _ in pairs if isinstance(module, DenseLayer)]
        branches = [layer.branch for layer in layers]
        if is_dense and not ops.watched(*layers) and dense.fused(branches, x):
            x = dense.block(branches, x)
        else:
            for module, gate in pairs:
                x = module(x, gate)
    return x


def unit(spec: Spec, row: Unit) -> ResidualUnit | DenseLayer | Transition:
    """The module of one row of a spec's plan."""
    if isinstance(spec, ResidualSpec):
        return ResidualUnit(spec, row)
    return Transition(spec, row) if row.shortcut == "transition" else DenseLayer(spec, row)


def _join(spec: ResidualSpec, gate: tuple[Layer, ...]) -> nn.Module:
    carry = spec.shortcut.carry
    if isinstance(carry, Scale):
        return ScaledAdd(carry)
    return GatedAdd(carry, gate) if isinstance(carry, Gate) else Add()


def _gated(branch: nn.Module, x: Maps, gate: float | Tensor) -> Result:
    y = branch(x)
    return y if isinstance(gate, float) and gate == 1 else gate * y
