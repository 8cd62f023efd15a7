"""The grammar of names: which patterns there are, and the family's function behind each."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from residua.arch import families, imagenet
from residua.arch.spec import Spec
from residua.arch.variations import NUMBER, WHOLE


@dataclass(frozen=True, slots=True, kw_only=True)
class Pattern:
    """One row of the grammar.

    Attributes:
        shown: The pattern as people read it.
        family: What ``residua list --family`` asks for.
        paper: Whose nets these are.
        regex: The pattern as we read it.
        build: Maps the values in a name to a spec.
    """

    shown: str
    family: str
    paper: str
    regex: str
    build: Callable[[re.Match[str]], Spec]


_D = rf"(?P<depth>{WHOLE})"
_ALPHA = rf"(?P<alpha>{NUMBER})"
_OPTION = "(?:-(?P<option>a|b|c))?"
_BOTTLENECK = "(?P<bottleneck>-bottleneck)?"


def _int(match: re.Match[str], group: str = "depth") -> int:
    return int(match[group])


def _number(match: re.Match[str], group: str) -> float:
    value = float(match[group])
    return int(value) if value.is_integer() else value


def _option(match: re.Match[str], default: Literal["a", "b"]) -> Literal["a", "b", "c"]:
    options: dict[str | None, Literal["a", "b", "c"]] = {"a": "a", "b": "b", "c": "c"}
    return options.get(match["option"], default)


CIFAR: tuple[Pattern, ...] = (
    Pattern(
        shown="cifar/plain-D",
        family="plain",
        paper="he2015",
        regex=rf"cifar/plain-{_D}",
        build=lambda m: families.plain(_int(m)),
    ),
    Pattern(
        shown="cifar/resnet-D[-b|-c]",
        family="resnet",
        paper="he2015",
        regex=rf"cifar/resnet-{_D}(?:-(?P<option>b|c))?",
        build=lambda m: families.resnet(_int(m), shortcut=_option(m, "a")),
    ),
    Pattern(
        shown="cifar/resnet-D-bottleneck",
        family="resnet",
        paper="he2016",
        regex=rf"cifar/resnet-{_D}-bottleneck",
        build=lambda m: families.resnet(_int(m), bottleneck=True),
    ),
    Pattern(
        shown="cifar/preresnet-D[-bottleneck]",
        family="preresnet",
        paper="he2016",
        regex=rf"cifar/preresnet-{_D}{_BOTTLENECK}",
        build=lambda m: families.preact(_int(m), bottleneck=bool(m["bottleneck"])),
    ),
    Pattern(
        shown="cifar/sd-resnet-D",
        family="sd-resnet",
        paper="huang2016",
        regex=rf"cifar/sd-resnet-{_D}",
        build=lambda m: families.stochastic(_int(m)),
    ),
    Pattern(
        shown="cifar/wrn-N-K[-dropout]",
        family="wrn",
        paper="zagoruyko2016",
        regex=rf"cifar/wrn-{_D}-(?P<widen>{WHOLE})(?P<dropout>-dropout)?",
        build=lambda m: families.wide(
            _int(m), _int(m, "widen"), dropout=0.3 if m["dropout"] else 0.0
        ),
    ),
    Pattern(
        shown="cifar/densenet-[bc-]L-K",
        family="densenet",
        paper="huang2017",
        regex=rf"cifar/densenet-(?P<bc>bc-)?{_D}-(?P<growth>{WHOLE})",
        build=lambda m: families.densenet(_int(m), _int(m, "growth"), bc=bool(m["bc"])),
    ),
    Pattern(
        shown="cifar/pyramidnet-D-aALPHA|mALPHA[-bottleneck]",
        family="pyramidnet",
        paper="han2017",
        regex=rf"cifar/pyramidnet-{_D}-(?P<rule>a|m){_ALPHA}{_BOTTLENECK}",
        build=lambda m: families.pyramid(
            _int(m),
            _number(m, "alpha"),
            multiplicative=m["rule"] == "m",
            bottleneck=bool(m["bottleneck"]),
        ),
    ),
    Pattern(
        shown="cifar/pyramidnet-104-a48-post",
        family="pyramidnet",
        paper="post2018",
        regex="cifar/pyramidnet-(?P<depth>104)-a48-post",
        build=lambda _: families.pyramid_of_the_post(),
    ),
)

IMAGENET: tuple[Pattern, ...] = (
    Pattern(
        shown="imagenet/plain-D",
        family="plain",
        paper="he2015",
        regex=rf"imagenet/plain-{_D}",
        build=lambda m: imagenet.plain(_int(m)),
    ),
    Pattern(
        shown="imagenet/resnet-D[-a|-b|-c]",
        family="resnet",
        paper="he2015",
        regex=rf"imagenet/resnet-{_D}{_OPTION}",
        build=lambda m: imagenet.resnet(_int(m), shortcut=_option(m, "b")),
    ),
    Pattern(
        shown="imagenet/preresnet-D-bottleneck",
        family="preresnet",
        paper="he2016",
        regex=rf"imagenet/preresnet-{_D}-bottleneck",
        build=lambda m: imagenet.preact(_int(m)),
    ),
    Pattern(
        shown="imagenet/sd-resnet-D",
        family="sd-resnet",
        paper="huang2016",
        regex=rf"imagenet/sd-resnet-{_D}",
        build=lambda m: imagenet.stochastic(_int(m)),
    ),
    Pattern(
        shown="imagenet/wrn-D-K",
        family="wrn",
        paper="zagoruyko2016",
        regex=rf"imagenet/wrn-{_D}-(?P<widen>{NUMBER})",
        build=lambda m: imagenet.wide(_int(m), _number(m, "widen")),
    ),
    Pattern(
        shown="imagenet/densenet-L",
        family="densenet",
        paper="huang2017",
        regex=rf"imagenet/densenet-{_D}",
        build=lambda m: imagenet.densenet(_int(m)),
    ),
    Pattern(
        shown="imagenet/pyramidnet-D-aALPHA",
        family="pyramidnet",
        paper="han2017",
        regex=rf"imagenet/pyramidnet-{_D}-a{_ALPHA}",
        build=lambda m: imagenet.pyramid(_int(m), _number(m, "alpha")),
    ),
)

GRAMMAR = CIFAR + IMAGENET
