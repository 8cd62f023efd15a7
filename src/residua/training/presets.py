"""The named recipes: the papers' own, with where each value comes from."""

from __future__ import annotations

import difflib
from dataclasses import asdict, dataclass, replace
from typing import Any

from residua.arch.names import Entry
from residua.errors import UsageError
from residua.runs.config import by_path, differing
from residua.training import fast
from residua.training.recipes import (
    Augment,
    Budget,
    Recipe,
    Sgd,
    Steps,
    WarmUp,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unstated:
    """A value that the source does not give: what we chose, and why."""

    choice: str
    reason: str

    def __str__(self) -> str:
        """The choice and its reason, marked as ours."""
        return f"unstated; {self.choice}: {self.reason}"


NESTEROV = Sgd(nesterov=True)

HE2015 = Recipe(
    name="he2015",
    budget=Budget(length=64_000, unit="iterations"),
    schedule=Steps(at=(32_000, 48_000)),
    warm_up=WarmUp(lr=0.01, below_error=80, min_depth=110),
    normalise="per_pixel_mean",
)

HE2016 = replace(
    HE2015, name="he2016", warm_up=WarmUp(lr=0.01, iterations=400), normalise="mean_std"
)

HUANG2016 = Recipe(
    name="huang2016",
    budget=Budget(length=500),
    schedule=Steps(at=(250, 375)),
    optim=NESTEROV,
    normalise="per_pixel_mean_global_std",
)

HUANG2016_1202 = replace(
    HUANG2016,
    name="huang2016-1202",
    budget=Budget(length=300),
    schedule=Steps(at=(150, 225)),
    warm_up=WarmUp(lr=0.01, iterations=3_510),
)

HUANG2016_SVHN = replace(
    HUANG2016,
    name="huang2016-svhn",
    budget=Budget(length=50),
    schedule=Steps(at=(30, 35)),
    augment=Augment(pad=0, flip=False),
)

ZAGORUYKO2016 = Recipe(
    name="zagoruyko2016",
    budget=Budget(length=200),
    schedule=Steps(at=(60, 120, 160), factor=0.2),
    optim=replace(NESTEROV, weight_decay=5e-4),
    augment=Augment(padding="reflect"),
)

ZAGORUYKO2016_ZCA = replace(ZAGORUYKO2016, name="zagoruyko2016-zca", normalise="zca")

ZAGORUYKO2016_SVHN = replace(
    ZAGORUYKO2016,
    name="zagoruyko2016-svhn",
    budget=Budget(length=160),
    schedule=Steps(at=(80, 120)),
    optim=replace(NESTEROV, lr=0.01, weight_decay=5e-4),
    augment=Augment(pad=0, flip=False),
    normalise="divide",
)

HUANG2017 = Recipe(
    name="huang2017",
    budget=Budget(length=300),
    batch_size=64,
    schedule=Steps(at=(150, 225)),
    optim=NESTEROV,
)

HUANG2017_PLAIN = replace(HUANG2017, name="huang2017-plain", augment=Augment(pad=0, flip=False))

HUANG2017_SVHN = replace(
    HUANG2017_PLAIN,
    name="huang2017-svhn",
    budget=Budget(length=40),
    schedule=Steps(at=(20, 30)),
    normalise="divide",
)

HAN2017 = Recipe(
    name="han2017",
    budget=Budget(length=300),
    schedule=Steps(at=(150, 225)),
    optim=NESTEROV,
)

HAN2017_C100 = replace(HAN2017, name="han2017-c100", optim=replace(NESTEROV, lr=0.5))

HE2015_IMAGENET = Recipe(
    name="he2015-imagenet",
    budget=Budget(length=90),
    batch_size=256,
    schedule=Steps(at=(30, 60)),
    augment=Augment(pad=0),
)

Source = str | Unstated

OPTIONS = {"warm_up", "cutout", "mixup", "cutmix", "label_smoothing", "ema"}  # may be off

FP32 = Unstated(choice="fp32", reason="the usual precision of the time")
CROP_FLIP = "4 pixels of padding, random 32×32 crop, flip"
ZEROS = Unstated(choice="zeros after normalisation", reason="as in fb.resnet.torch")
WHOLE_BATCH = Unstated(
    choice="the whole batch", reason="nothing is said of BN over several devices"
)
ALL_DECAY = Unstated(choice="decayed", reason="as in fb.resnet.torch, which reproduces the paper")

_HE2015: dict[str, Source] = {
    "budget": "64k iterations: he2015 §4.2",
    "batch_size": "128, on two GPUs: he2015 §4.2",
    "optim": "lr 0.1, momentum 0.9, weight decay 1e-4: he2015 §4.2",
    "optim.nesterov": "plain momentum, as the authors' framework has it",
    "optim.decay_norms": ALL_DECAY,
    "schedule": "÷10 at 32k and 48k iterations: he2015 §4.2",
    "warm_up": "110 layers: lr 0.01 until the training error is below 80 %: he2015 §4.2",
    "warm_up.window": Unstated(choice="100 iterations", reason="a steady error, yet soon"),
    "augment": f"{CROP_FLIP}: he2015 §4.2",
    "augment.padding": ZEROS,
    "normalise": "per-pixel mean, no deviation: he2015 §4.2; pixels lie in 0…1",
    "precision": FP32,
    "bn_group": Unstated(choice="the whole batch", reason="there each GPU saw half of it"),
}

_HUANG2016: dict[str, Source] = {
    "budget": "500 epochs: huang2016",
    "batch_size": "128: huang2016",
    "optim": "lr 0.1, Nesterov 0.9 without dampening, weight decay 1e-4: huang2016",
    "optim.decay_norms": "all parameters: the authors' code",
    "schedule": "÷10 at 250 and 375: huang2016",
    "augment": "shifts of up to 4 pixels filled with zeros, flip: the authors' code",
    "normalise": "per-pixel mean, one deviation for all: the authors' code",
    "precision": FP32,
    "bn_group": WHOLE_BATCH,
}

_ZAGORUYKO2016: dict[str, Source] = {
    "budget": "200 epochs: zagoruyko2016",
    "batch_size": "128, the last, partial batch dropped: the authors' code",
    "optim": "lr 0.1, Nesterov 0.9 without dampening, weight decay 5e-4: zagoruyko2016",
    "optim.decay_norms": "all parameters: the authors' code",
    "schedule": "×0.2 at the start of epochs 60, 120, 160, counted from 1 there, from 0 here",
    "augment": f"{CROP_FLIP}, the border reflected: zagoruyko2016",
    "normalise": "mean and deviation of the channels: zagoruyko2016 Tables 5 and 6",
    "precision": FP32,
    "bn_group": WHOLE_BATCH,
}

_HUANG2017: dict[str, Source] = {
    "budget": "300 epochs: huang2017",
    "batch_size": "64: huang2017",
    "optim": "lr 0.1, Nesterov 0.9 without dampening, weight decay 1e-4: huang2017",
    "optim.decay_norms": "all parameters: the authors' code",
    "schedule": "÷10 at 50 % and 75 % of the epochs: huang2017",
    "augment": f"{CROP_FLIP}: huang2017",
    "augment.padding": ZEROS,
    "normalise": "mean and deviation of the channels: huang2017",
    "precision": FP32,
    "bn_group": WHOLE_BATCH,
}

_HAN2017: dict[str, Source] = {
    "budget": "300 epochs: the authors' code",
    "batch_size": "128: the authors' code",
    "optim": "Nesterov 0.9, weight decay 1e-4: the authors' code",
    "optim.lr": "0.1 on CIFAR-10: the authors' README; CIFAR-100 has han2017-c100",
    "optim.decay_norms": "all parameters: the authors' code",
    "schedule": "÷10 at 150 and 225: the authors' code",
    "augment": f"{CROP_FLIP}: the authors' code",
    "augment.padding": ZEROS,
    "normalise": "mean and deviation of the channels: the authors' code",
    "precision": FP32,
    "bn_group": WHOLE_BATCH,
}

# Where each value comes from; a longer path speaks for its part of a shorter one.
SOURCES: dict[str, dict[str, Source]] = {
    "he2015": _HE2015,
    "he2016": {
        **_HE2015,
        "warm_up": "lr 0.01 for the first 400 iterations of every CIFAR run: he2016",
        "augment": "shifts and flips alone: he2016",
        "normalise": "mean and deviation of the channels: the authors' code",
    },
    "huang2016": _HUANG2016,
    "huang2016-1202": {
        **_HUANG2016,
        "budget": "300 epochs: huang2016",
        "schedule": "÷10 at 150 and 225: huang2016",
        "warm_up": "lr 0.01 for 10 epochs, 351 iterations each: huang2016",
    },
    "huang2016-svhn": {
        **_HUANG2016,
        "budget": "50 epochs: huang2016",
        "schedule": "÷10 at 30 and 35: huang2016",
        "augment": Unstated(choice="none", reason="the usual protocol on SVHN"),
    },
    "zagoruyko2016": _ZAGORUYKO2016,
    "zagoruyko2016-zca": {
        **_ZAGORUYKO2016,
        "normalise": "ZCA whitening: zagoruyko2016 Tables 2 to 4; by pylearn2's script, as the "
        "authors' README says: each image to mean 0 and length 55, 0.1 added to all variances",
    },
    "zagoruyko2016-svhn": {
        **_ZAGORUYKO2016,
        "budget": "160 epochs: zagoruyko2016",
        "optim": "lr 0.01, Nesterov 0.9, weight decay 5e-4: zagoruyko2016",
        "schedule": "×0.1 at 80 and 120: zagoruyko2016",
        "augment": Unstated(choice="none", reason="the usual protocol on SVHN"),
        "normalise": Unstated(choice="pixels in 0…1", reason="the usual protocol on SVHN"),
    },
    "huang2017": _HUANG2017,
    "huang2017-plain": {
        **_HUANG2017,
        "augment": "none; the net has dropout of 0.2 (+dropout-0.2): huang2017",
    },
    "huang2017-svhn": {
        **_HUANG2017,
        "budget": "40 epochs: huang2017",
        "augment": "none; the net has dropout of 0.2 (+dropout-0.2): huang2017",
        "normalise": Unstated(choice="pixels in 0…1", reason="the usual protocol on SVHN"),
    },
    "han2017": _HAN2017,
    "han2017-c100": {**_HAN2017, "optim.lr": "0.5 on CIFAR-100: the authors' README"},
    "he2015-imagenet": {
        "budget": Unstated(
            choice="90 epochs", reason="the paper stops at 600k iterations; fb.resnet.torch at 90"
        ),
        "batch_size": "256: he2015 §3.4",
        "optim": "lr 0.1, momentum 0.9, weight decay 1e-4: he2015 §3.4",
        "optim.decay_norms": ALL_DECAY,
        "schedule": Unstated(
            choice="÷10 at 30 and 60",
            reason="the paper waits for plateaus; fb.resnet.torch's epochs",
        ),
        "augment": "no padding; a random part of each image, its sides 3:4 to 4:3, is scaled to "
        "224×224, and flipped: fb.resnet.torch; he2015 §3.4 scales the shorter side to 256 to 480",
        "normalise": Unstated(
            choice="mean and deviation of the channels", reason="as in fb.resnet.torch"
        ),
        "precision": FP32,
        "bn_group": WHOLE_BATCH,
    },
}


def _fast_sources(paper: Recipe) -> dict[str, Source]:
    """A paper's sources; for what the fast recipe changes, the reason."""
    reasons = fast.reasons(paper)
    changed = tuple(f"{path}." for path in reasons)
    kept = {
        path: source
        for path, source in SOURCES[paper.name].items()
        if not f"{path}.".startswith(changed)
    }
    return kept | reasons


SHORTENED = (HE2015, HE2016, HUANG2016, ZAGORUYKO2016, HUANG2017, HAN2017)
SOURCES |= {fast.PREFIX + paper.name: _fast_sources(paper) for paper in SHORTENED}

RECIPES: dict[str, Recipe] = {
    recipe.name: recipe
    for recipe in (
        HE2015,
        HE2016,
        HUANG2016,
        HUANG2016_1202,
        HUANG2016_SVHN,
        ZAGORUYKO2016,
        ZAGORUYKO2016_ZCA,
        ZAGORUYKO2016_SVHN,
        HUANG2017,
        HUANG2017_PLAIN,
        HUANG2017_SVHN,
        HAN2017,
        HAN2017_C100,
        HE2015_IMAGENET,
        *map(fast.fast, SHORTENED),
    )
}


def default(net: Entry) -> Recipe:
    """The recipe of a net's own paper."""
    if net.spec.stem.kind == "imagenet":
        return HE2015_IMAGENET
    return HAN2017 if net.paper == "post2018" else RECIPES[net.paper]


def fast_for(net: Entry) -> Recipe:
    """The fast recipe of a net's own paper.

    Raises:
        UsageError: The net is for ImageNet, where there is none.
    """
    paper = default(net)
    if paper not in SHORTENED:
        raise UsageError(f"{net.name} has no fast recipe: there is one for each family on CIFAR")
    return RECIPES[fast.PREFIX + paper.name]


def get(name: str) -> Recipe:
    """A recipe by name.

    Raises:
        UsageError: There is none of that name.
    """
    if name in RECIPES:
        return RECIPES[name]
    nearest = difflib.get_close_matches(name, RECIPES, n=1, cutoff=0)
    raise UsageError(
        f"no recipe is called {name!r}; did you mean {nearest[0]!r}? "
        f"There are {', '.join(sorted(RECIPES))}"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """One value of a recipe: its path, what it is, and where it comes from."""

    path: str
    value: Any
    source: str


def explained(recipe: Recipe) -> tuple[Explained, ...]:
    """Every value of a named recipe with its source.

    A source given for a longer path comes before one for a shorter path.
    """
    return tuple(
        Explained(path=path, value=value, source=reason(recipe, path))
        for path, value in leaves(recipe).items()
        if path not in {"name", "rescaled_from"} and not path.endswith("kind")
    )


def leaves(recipe: Recipe) -> dict[str, Any]:
    """Every value of a recipe by its dotted path."""
    return by_path(asdict(recipe))


def difference(one: Recipe, other: Recipe) -> list[tuple[str, Any, Any]]:
    """The paths at which two recipes differ, with both values; None where one has no such path."""
    return [row for row in differing(leaves(one), leaves(other)) if row[0] != "name"]


def reason(recipe: Recipe, path: str) -> str:
    """Where a named recipe has the value at a path from."""
    return str(_source(SOURCES[recipe.name], path, leaves(recipe).get(path)))


def _source(sources: dict[str, Source], path: str, value: object) -> Source:
    if path.rpartition(".")[2] in OPTIONS and not value and path not in sources:
        return "not used by the source"
    while path not in sources:
        path = path.rpartition(".")[0]
    return sources[path]
