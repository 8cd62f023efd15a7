"""The layers of every part of a net, in order of execution: what building and counting read."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from residua.arch.plan import Unit, matching, plan
from residua.arch.spec import Absent, DenseSpec, Dropped, Gate, Op, ResidualSpec, Spec
from residua.errors import UsageError

LayerKind = Literal["conv", "norm", "relu", "dropout", "pad", "average_pool", "max_pool", "linear"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """One layer: ``name`` is its key among its siblings, the rest its shape.

    Attributes:
        kernel: Side of the kernel or pooling window, in pixels (0 where there is none).
        rate: Dropout probability; of a linear layer, that of its input.
    """

    name: str
    kind: LayerKind
    c_in: int
    c_out: int
    kernel: int = 0
    stride: int = 1
    bias: bool = False
    rate: float = 0.0

    @property
    def params(self) -> int:
        """Trainable numbers: weights, gamma and beta, biases."""
        if self.kind == "norm":
            return 2 * self.c_out
        if self.kind in {"conv", "linear"}:
            return self.kernel**2 * self.c_in * self.c_out + self.bias * self.c_out
        return 0

    def macs(self, size_out: int) -> int:
        """Multiply-adds of a convolution or linear layer for an output of ``size_out²`` pixels."""
        if self.kind in {"conv", "linear"}:
            return self.kernel**2 * self.c_in * self.c_out * size_out**2
        return 0


Sized = tuple[Layer, int]  # with the side of its output, in pixels


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitLayers:
    """The layers of one unit: ``after(carry(s) + branch(s))`` with ``s = shared(x)``.

    ``gate`` holds the convolution of a gated shortcut; it reads the carried signal.
    """

    shared: tuple[Layer, ...] = ()
    branch: tuple[Layer, ...] = ()
    carry: tuple[Layer, ...] = ()
    gate: tuple[Layer, ...] = ()
    after: tuple[Layer, ...] = ()


OPS: dict[Op, LayerKind] = {"bn": "norm", "relu": "relu", "drop": "dropout"}


class _Namer:
    """Names layers by kind and order: conv1, norm1, relu1, conv2 and so on."""

    def __init__(self, dropout: float = 0.0) -> None:
        self._counts: dict[LayerKind, int] = {}
        self._dropout = dropout

    def conv(self, c_in: int, c_out: int, kernel: int, stride: int = 1) -> Layer:
        return Layer(
            name=self._name("conv"),
            kind="conv",
            c_in=c_in,
            c_out=c_out,
            kernel=kernel,
            stride=stride,
        )

    def ops(self, ops: tuple[Op, ...], channels: int) -> tuple[Layer, ...]:
        return tuple([self._op(op, channels) for op in ops])

    def _op(self, op: Op, channels: int) -> Layer:
        kind = OPS[op]
        rate = self._dropout if op == "drop" else 0.0
        return Layer(name=self._name(kind), kind=kind, c_in=channels, c_out=channels, rate=rate)

    def _name(self, kind: LayerKind) -> str:
        number = self._counts.get(kind, 0) + 1
        self._counts[kind] = number
        return f"{kind}{number}"


def stem(spec: Spec) -> tuple[Layer, ...]:
    """Layers before the first unit."""
    namer = _Namer()
    imagenet = spec.stem.kind == "imagenet"
    width = spec.stem.width
    kernel, stride = (7, 2) if imagenet else (3, 1)
    conv = namer.conv(spec.in_channels, width, kernel, stride)
    pool = Layer(name="pool", kind="max_pool", c_in=width, c_out=width, kernel=3, stride=2)
    return (conv, *namer.ops(spec.stem.ops, width), *((pool,) if imagenet else ()))


def unit(spec: Spec, row: Unit) -> UnitLayers:
    """Layers of one unit."""
    if isinstance(spec, DenseSpec):
        return UnitLayers(branch=_dense(spec, row))
    return _residual(spec, row)


def head(spec: Spec) -> tuple[Layer, ...]:
    """Layers after the last unit, before global average pooling."""
    ops = spec.head if isinstance(spec, ResidualSpec) else ("bn", "relu")
    return _Namer().ops(ops, plan(spec)[-1].c_out)


def classifier(spec: Spec) -> Layer:
    """The linear layer after global average pooling."""
    return Layer(
        name="classifier",
        kind="linear",
        c_in=plan(spec)[-1].c_out,
        c_out=spec.num_classes,
        kernel=1,
        bias=True,
        rate=spec.feature_dropout if isinstance(spec, ResidualSpec) else 0.0,
    )


def _residual(spec: ResidualSpec, row: Unit) -> UnitLayers:
    namer = _Namer(spec.dropout)
    preactivated = row.index == 0 and spec.stem.preactivates
    first = () if preactivated else namer.ops(spec.joints.first, row.c_in)
    branch: list[Layer] = []
    last = len(spec.kernels) - 1
    c_in = row.c_in
    for place, kernel in enumerate(spec.kernels):
        c_out = row.c_out if place == last else row.c_mid
        stride = row.stride if place == spec.stride_at else 1
        branch.append(namer.conv(c_in, c_out, kernel, stride))
        branch += namer.ops(spec.joints.last if place == last else spec.joints.between, c_out)
        c_in = c_out
    shared = row.shares_first
    return UnitLayers(
        shared=first if shared else (),
        branch=(*(() if shared else first), *branch),
        carry=_carry(spec, row),
        gate=_gate(spec, row),
        after=_Namer().ops(spec.joints.after, row.c_out),
    )


def _carry(spec: ResidualSpec, row: Unit) -> tuple[Layer, ...]:
    shortcut = spec.shortcut
    if isinstance(shortcut.carry, Absent):
        return ()
    namer = _Namer()
    match: tuple[Layer, ...] = ()
    how = matching(shortcut, grows=row.c_in != row.c_out, halves=row.stride > 1)
    if how == "project":
        conv = namer.conv(row.c_in, row.c_out, 1, row.stride)
        match = (conv, *namer.ops(("bn",) if shortcut.norm else (), row.c_out))
    elif how == "pad":
        kernel = 2 if shortcut.subsample == "average" and row.stride > 1 else 1
        match = (
            Layer(
                name="pad",
                kind="pad",
                c_in=row.c_in,
                c_out=row.c_out,
                kernel=kernel,
                stride=row.stride,
            ),
        )
    if isinstance(shortcut.carry, Dropped):
        match += _Namer(shortcut.carry.rate).ops(("drop",), row.c_out)
    return match


def _gate(spec: ResidualSpec, row: Unit) -> tuple[Layer, ...]:
    if not isinstance(spec.shortcut.carry, Gate):
        return ()
    return (Layer(name="conv1", kind="conv", c_in=row.c_out, c_out=row.c_out, kernel=1, bias=True),)


def _dense(spec: DenseSpec, row: Unit) -> tuple[Layer, ...]:
    namer = _Namer(spec.dropout)
    drop: tuple[Op, ...] = ("drop",) if spec.dropout else ()
    pre = namer.ops(("bn", "relu"), row.c_in)
    if row.shortcut == "transition":
        pool = Layer(
            name="pool", kind="average_pool", c_in=row.c_out, c_out=row.c_out, kernel=2, stride=2
        )
        return (*pre, namer.conv(row.c_in, row.c_out, 1), *namer.ops(drop, row.c_out), pool)
    reduce: tuple[Layer, ...] = ()
    if spec.bottleneck:
        reduce = (
            namer.conv(row.c_in, row.c_mid, 1),
            *namer.ops(drop, row.c_mid),
            *namer.ops(("bn", "relu"), row.c_mid),
        )
    c_in = row.c_mid if spec.bottleneck else row.c_in
    conv = namer.conv(c_in, spec.growth, 3)
    return (*pre, *reduce, conv, *namer.ops(drop, spec.growth))


def walk(spec: Spec, *, image_size: int | None = None) -> Iterator[Sized]:
    """Every layer of a net with the side of its output, in pixels; the classifier's is 1."""
    for part, times in stretches(spec, image_size=image_size):
        for _ in range(times):
            yield from part


def stretches(
    spec: Spec, *, image_size: int | None = None
) -> Iterator[tuple[tuple[Sized, ...], int]]:
    """The layers of :func:`walk`, those of equal consecutive units once, with their number."""
    size = spec.image_size if image_size is None else image_size
    if size < 1:
        raise UsageError(f"image_size must be at least 1 pixel, not {size}")
    part, size = _sized(stem(spec), size)
    yield part, 1
    for _, run in itertools.groupby(plan(spec), key=_shape):
        rows = tuple(run)
        part, size = _unit(unit(spec, rows[0]), size)
        yield part, len(rows)
    part, _ = _sized(head(spec), size)
    yield (*part, (classifier(spec), 1)), 1


def _shape(row: Unit) -> tuple[object, ...]:
    """All that a unit's layers and their sizes depend on; the first may lack its pre-activation."""
    shape = (row.c_in, row.c_mid, row.c_out, row.stride, row.shares_first)
    return (row.index == 0, row.stage, *shape)


def _unit(parts: UnitLayers, size: int) -> tuple[tuple[Sized, ...], int]:
    carry, _ = _sized(parts.carry, size)
    shared, size = _sized(parts.shared, size)
    branch, size = _sized(parts.branch, size)
    joined, size = _sized((*parts.gate, *parts.after), size)
    return (*shared, *carry, *branch, *joined), size


def _sized(parts: tuple[Layer, ...], size: int) -> tuple[tuple[Sized, ...], int]:
    sized: list[Sized] = []
    for layer in parts:
        size = _side(size, layer)
        sized.append((layer, size))
    return tuple(sized), size


def _side(side: int, layer: Layer) -> int:
    """Side of a layer's output: a dense net's average pooling alone drops an odd last pixel."""
    return max(1, side // 2) if layer.kind == "average_pool" else -(-side // layer.stride)
