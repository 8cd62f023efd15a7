"""Names of nets: any legal name is read, and those that papers report are listed."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass

from residua.arch import variations
from residua.arch.grammar import GRAMMAR
from residua.arch.spec import Spec
from residua.errors import UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A named net: what it is, where it comes from, and the depth in its name."""

    name: str
    family: str
    paper: str
    depth: int
    spec: Spec


_GATES = ("exclusive-0", "exclusive-6", "exclusive-7", "shortcut-0", "shortcut-6")
_ORDERS = ("bn-after-addition", "relu-before-addition", "relu-only")

CIFAR: tuple[str, ...] = (
    *(f"cifar/plain-{d}" for d in (20, 32, 44, 56, 110)),
    *(f"cifar/resnet-{d}" for d in (20, 32, 44, 56, 110, 1202)),
    "cifar/resnet-110-b",
    "cifar/resnet-110-c",
    *(f"cifar/resnet-110+scale-{scale}" for scale in ("0-1", "0.5-1", "0.5-0.5")),
    *(f"cifar/resnet-110+gate-{gate}" for gate in _GATES),
    "cifar/resnet-110+dropped-0.5",
    *(f"cifar/resnet-110+{order}" for order in _ORDERS),
    "cifar/resnet-110+one-layer",
    *(f"cifar/resnet-{d}-bottleneck" for d in (164, 1001)),
    *(f"cifar/resnet-164-bottleneck+{order}" for order in _ORDERS),
    "cifar/preresnet-110",
    "cifar/preresnet-110+one-layer",
    "cifar/preresnet-110+shared-stages",
    *(f"cifar/preresnet-{d}-bottleneck" for d in (164, 1001)),
    *(f"cifar/sd-resnet-{d}" for d in (110, 152, 1202)),
    *(f"cifar/sd-resnet-{d}+constant" for d in (110, 152, 1202)),
    "cifar/sd-resnet-110+linear-0.2",
    "cifar/sd-resnet-110+uniform-0.5",
    *(f"cifar/wrn-40-{k}" for k in (1, 2, 4, 8, 10)),
    *(f"cifar/wrn-28-{k}" for k in (2, 10, 12)),
    *(f"cifar/wrn-22-{k}" for k in (8, 10)),
    *(f"cifar/wrn-16-{k}" for k in (4, 8, 10)),
    "cifar/wrn-52-1",
    *(f"cifar/wrn-{nk}-dropout" for nk in ("16-4", "28-10", "40-10", "52-1")),
    *(f"cifar/wrn-{nk}+dropout-0.4" for nk in ("16-4", "16-8", "52-1")),
    *(f"cifar/wrn-40-2+b{kernels}" for kernels in (131, 31, 13, 311)),
    "cifar/wrn-22-2+b313",
    *(f"cifar/wrn-40-2+layers-{layers}" for layers in (1, 3, 4)),
    *(f"cifar/densenet-{lk}" for lk in ("40-12", "100-12", "100-24")),
    *(f"cifar/densenet-{lk}+dropout-0.2" for lk in ("40-12", "100-12", "100-24")),
    *(f"cifar/densenet-{lk}+stem-2k" for lk in ("40-12", "100-12", "100-24")),
    "cifar/densenet-40-12+compressed",
    "cifar/densenet-40-12+bottleneck",
    *(f"cifar/densenet-bc-{lk}" for lk in ("100-12", "250-24", "190-40")),
    *(f"cifar/densenet-bc-{lk}+dropout-0.2" for lk in ("100-12", "250-24")),
    *(f"cifar/densenet-bc-40-{k}" for k in (36, 48, 60)),
    *(f"cifar/pyramidnet-110-a{a}" for a in (48, 84, 270)),
    *(f"cifar/pyramidnet-110-m{a}" for a in ("4.75", "8", "27")),
    *(f"cifar/pyramidnet-110-a48+unit-{unit}" for unit in "abc"),
    "cifar/pyramidnet-110-a48+project",
    "cifar/pyramidnet-110-a48+project-halving",
    *(f"cifar/pyramidnet-164-a{a}-bottleneck" for a in (48, 84, 270)),
    "cifar/pyramidnet-200-a240-bottleneck",
    "cifar/pyramidnet-236-a220-bottleneck",
    "cifar/pyramidnet-272-a200-bottleneck",
    "cifar/pyramidnet-104-a48-post",
)

IMAGENET: tuple[str, ...] = (
    *(f"imagenet/plain-{d}" for d in (18, 34)),
    *(f"imagenet/resnet-{d}" for d in (18, 34, 50, 101, 152, 200)),
    *(f"imagenet/resnet-{option}" for option in ("18-a", "18-c", "34-a", "34-c")),
    "imagenet/resnet-50+stride-3x3",
    "imagenet/resnet-101+bn-after-addition",
    *(f"imagenet/preresnet-{d}-bottleneck" for d in (50, 101, 152, 200)),
    "imagenet/sd-resnet-152",
    *(f"imagenet/wrn-18-{k}" for k in ("1", "1.5", "2", "3")),
    *(f"imagenet/wrn-34-{k}" for k in ("1", "1.5", "2")),
    "imagenet/wrn-50-2",
    *(f"imagenet/densenet-{d}" for d in (121, 161, 169, 201, 264)),
    *(f"imagenet/pyramidnet-101-a{a}" for a in (250, 360)),
    "imagenet/pyramidnet-152-a200",
    "imagenet/pyramidnet-200-a300",
    "imagenet/pyramidnet-200-a450+dropout-0.5",
)

NAMES = CIFAR + IMAGENET


def names(family: str | None = None) -> tuple[str, ...]:
    """The nets that papers report; any other name that the grammar reads works as well.

    Raises:
        UsageError: No such family.
    """
    if family is None:
        return NAMES
    known = list(dict.fromkeys(pattern.family for pattern in GRAMMAR))
    if family not in known:
        raise UsageError(f"no family {family!r}; there are {', '.join(known)}")
    return tuple(name for name in NAMES if entry(name).family == family)


def entry(name: str) -> Entry:
    """Read a name, with its variations if any follow a plus sign.

    Raises:
        UsageError: No pattern reads it (the nearest names are given), or the depth, width, growth
            or alpha in it breaks the family's rule (the rule is given), or the net has no such
            variation (those that it has are given).
    """
    base, *suffixes = name.split("+")
    for pattern in GRAMMAR:
        if match := re.fullmatch(pattern.regex, base, flags=re.ASCII):
            return Entry(
                name=name,
                family=pattern.family,
                paper=variations.paper(base, suffixes[-1]) if suffixes else pattern.paper,
                depth=int(match["depth"]),
                spec=variations.varied(base, pattern.build(match), suffixes),
            )
    raise UsageError(_unknown(name))


def spec(name: str) -> Spec:
    """The spec of a named net.

    Raises:
        UsageError: As :func:`entry`.
    """
    return entry(name).spec


def identifier(name: str) -> str:
    """A name as Python and other libraries can say it: ``cifar/wrn-28-10`` is ``cifar_wrn_28_10``.

    A slash and a hyphen become ``_``, a plus sign ``__`` and a decimal point ``p``:
    ``imagenet/wrn-18-1.5`` is ``imagenet_wrn_18_1p5``, ``imagenet/resnet-18+cifar-stem`` is
    ``imagenet_resnet_18__cifar_stem``.
    """
    return name.translate(str.maketrans({"/": "_", "-": "_", "+": "__", ".": "p"}))


def from_identifier(word: str) -> str:
    """The name that :func:`identifier` has made a word of."""
    base = re.sub(r"(?<=\d)p(?=\d)", ".", word).replace("__", "+")
    return base.replace("_", "/", 1).replace("_", "-")


def _unknown(name: str) -> str:
    nearest = difflib.get_close_matches(name, NAMES, n=3, cutoff=0.5)
    hint = f"nearest: {', '.join(nearest)}" if nearest else "`residua list` shows the names"
    asked = (nearest or ["cifar/"])[0].partition("-")[0]
    patterns = [pattern.shown for pattern in GRAMMAR if pattern.shown.startswith(asked)]
    return f"no net is called {name!r}; {hint}\npatterns: {', '.join(patterns)}"
