"""A spec made into a module: one unit per row of the plan, initialised as the papers say."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from residua.arch import layers, names
from residua.arch.plan import Unit, plan
from residua.arch.spec import Spec
from residua.errors import UsageError
from residua.nets.units import Chain, GatedAdd, chain, run_units, unit


@dataclass(frozen=True, slots=True, kw_only=True)
class Meta:
    """What weights were trained on, and how their input was normalised.

    Attributes:
        net: The net's name.
        data: The data set's name.
        classes: Class names, in the order of the logits.
        mean: Subtracted from pixels in 0…1, [c], or [c, h, w] for a mean per pixel; where there
            is whitening, from images without their own contrast.
        std: Divided by, [c]; None where the recipe does not.
        whitening: Multiplied by, [c·h·w, c·h·w]; None where the recipe does not.
        image_size: Side of the training images, in pixels.
    """

    net: str
    data: str
    classes: tuple[str, ...]
    mean: Tensor
    std: Tensor | None
    image_size: int
    whitening: Tensor | None = None


class Net(nn.Module):
    """``classifier(dropout(mean(head(units(stem(x))))))``, with a module per row of ``plan``.

    Methods for features have the names that timm's nets have.

    Attributes:
        spec: What the net is.
        plan: Its rows; ``units[i]`` is row i.
        meta: What its weights were trained on, once some were loaded.
    """

    def __init__(self, spec: Spec) -> None:
        super().__init__()
        self.spec = spec
        self.plan: tuple[Unit, ...] = plan(spec)
        self.meta: Meta | None = None
        self.stem: Chain = chain(layers.stem(spec))
        self.units: nn.ModuleList = nn.ModuleList(unit(spec, row) for row in self.plan)
        self.head: Chain = chain(layers.head(spec))
        last = layers.classifier(spec)
        self.dropout: nn.Module = nn.Dropout(last.rate) if last.rate else nn.Identity()
        self.num_features: int = last.c_in
        self.classifier: nn.Linear = _classifier(last)  # type: ignore[assignment] - see there
        initialise(self)

    def forward(
        self,
        x: Float[Tensor, "n c h w"],
        *,
        gates: Sequence[float] | None = None,
        order: Sequence[int] | None = None,
    ) -> Float[Tensor, "n classes"]:
        """Logits of a batch of normalised images.

        Args:
            x: Images, [n, in_channels, h, w].
            gates: A factor for each unit's branch.  By default all are 1, but for stochastic depth:
                drawn anew in training, the survival probability in evaluation (huang2016 eq. 5).
            order: The units to execute; by default all, in the order of the plan.

        Raises:
            UsageError: There is not a gate for each unit, or no unit of an index.
        """
        return self.forward_head(self.forward_features(x, gates=gates, order=order))

    def forward_features(
        self,
        x: Float[Tensor, "n c h w"],
        *,
        gates: Sequence[float] | None = None,
        order: Sequence[int] | None = None,
    ) -> Float[Tensor, "n d i j"]:
        """Maps [n, num_features, i, j] before pooling; arguments are those of :meth:`forward`."""
        if gates is None:
            gates = draw_gates(self.plan) if self.training else expected_gates(self.plan)
        if len(gates) != len(self.units):
            raise UsageError(f"{len(self.units)} units need a gate each, not {len(gates)} in all")
        indices = range(len(self.units)) if order is None else order
        if indices and not 0 <= min(indices) <= max(indices) < len(self.units):
            raise UsageError(f"units are 0 to {len(self.units) - 1}; the order is {list(indices)}")
        x = run_units(((self.units[index], gates[index]) for index in indices), self.stem(x))
        return self.head(x)

    def forward_head(
        self, x: Float[Tensor, "n c h w"], *, pre_logits: bool = False
    ) -> Float[Tensor, "n d"]:
        """Logits of what ``forward_features`` gave, or what the classifier would make them of."""
        x = self.dropout(x.mean((2, 3)))
        return x if pre_logits else self.classifier(x)

    def classify(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n classes"]:
        """Logits from the last unit's maps."""
        return self.forward_head(self.head(x))

    @property
    def num_classes(self) -> int:
        """How many logits there are; of none, the net ends in its pooled features."""
        return self.spec.num_classes

    def get_classifier(self) -> nn.Linear | nn.Identity:
        """The last layer; with 0 classes, one that does nothing."""
        return self.classifier

    def reset_classifier(self, num_classes: int) -> None:
        """Put a fresh last layer in place; with 0 classes, none.

        The classes' names are forgotten, how images are normalised is not.

        Raises:
            UsageError: The number is negative.
        """
        self.spec = _of_classes(self.spec, num_classes)
        last = layers.classifier(self.spec)
        self.classifier = _classifier(last).to(next(self.parameters()))  # type: ignore[assignment]
        if self.meta is not None:
            self.meta = dataclasses.replace(self.meta, classes=())


def expected_gates(rows: tuple[Unit, ...]) -> tuple[float, ...]:
    """Each unit's survival probability: the gates of evaluation.  Source: huang2016 eq. 5."""
    return tuple(row.survival for row in rows)


def draw_gates(
    rows: tuple[Unit, ...], generator: torch.Generator | None = None
) -> tuple[float, ...]:
    """One Bernoulli draw per unit, for a whole mini-batch.  Source: huang2016 §3."""
    if all(row.survival == 1 for row in rows):
        return (1.0,) * len(rows)
    survival = torch.tensor([row.survival for row in rows], dtype=torch.float64)
    draws = torch.rand(len(rows), dtype=torch.float64, generator=generator)
    return tuple((draws < survival).double().tolist())


def initialise(net: Net) -> None:
    """Draw the weights: convolutions from N(0, 2/(k²·fan)), BN at 1 and 0, biases at 0.

    The classifier's weights have torch's uniform ±1/√c_in, which is what the papers' Torch code
    has.  Source: he2015 §3.4 and the families' code; which fan is a field of the spec.  The code of
    zagoruyko2016 draws BN's weights from U(0, 1), its framework's default then; ours start at 1.
    """
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            channels = module.in_channels if net.spec.init == "fan_in" else module.out_channels
            fan = channels * math.prod(module.kernel_size)
            nn.init.normal_(module.weight, std=math.sqrt(2 / fan))
    for module in net.modules():
        if isinstance(module, GatedAdd):
            nn.init.constant_(module.gate.conv1.bias, module.bias)  # type: ignore[arg-type] - a parameter by construction


def build(spec: Spec) -> Net:
    """A net with fresh weights, drawn from torch's global generator."""
    return Net(spec)


def create(name: str, *, num_classes: int | None = None, in_channels: int = 3) -> Net:
    """A net by name, with fresh weights.

    Args:
        name: As in ``residua list``, or any depth, width, growth or alpha that the rules allow.
        num_classes: Outputs of the classifier; by default the data set's of the paper.  With 0 the
            net ends in its pooled features.
        in_channels: Channels of the input.

    Returns:
        A module that maps [n, in_channels, h, w] to logits [n, num_classes].

    Raises:
        UsageError: Unknown name, or a rule of its family or a number is broken.
    """
    spec = names.spec(name)
    if in_channels < 1:
        raise UsageError(f"in_channels must be at least 1, not {in_channels}")
    if num_classes is not None:
        spec = _of_classes(spec, num_classes)
    return build(dataclasses.replace(spec, in_channels=in_channels))


def _of_classes(spec: Spec, num_classes: int) -> Spec:
    if num_classes < 0:
        raise UsageError(f"num_classes must be 0, for features alone, or more; not {num_classes}")
    return dataclasses.replace(spec, num_classes=num_classes)


def _classifier(last: layers.Layer) -> nn.Linear | nn.Identity:
    if not last.c_out:
        return nn.Identity()  # nobody asks for its weights: it tells no classes apart
    linear = nn.Linear(last.c_in, last.c_out)
    nn.init.zeros_(linear.bias)
    return linear
