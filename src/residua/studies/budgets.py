"""How much a study may train: from seconds on synthetic images to the papers' own recipes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from residua.arch import count, names
from residua.arch.names import Entry
from residua.errors import UsageError
from residua.runs.config import DataChoice, Run
from residua.training import presets, recipes
from residua.training.recipes import Augment, Cosine, Recipe, Sgd
from residua.training.recipes import Budget as Length

Runs = dict[str, tuple[Run, ...]]  # a net's label, and its runs, one for each seed

CPU_MACS_PER_S = (
    3.2e10  # trained with, one thread, bf16: ResNet-20, 40.55 M, at 800 images a second
)
EVALUATION = 1 / 3  # of the time that training takes
TEST_VIEWS = 2 * 10_000  # CIFAR's test images, each once as it is and once mirrored

# What a paper did not train on; the others trained on all images, once their recipe was found.
HELD_BACK = {"huang2016": {"cifar10": 5_000, "cifar100": 5_000, "svhn": 6_000}}
OWN = {"cifar100": "-c100", "svhn": "-svhn"}  # ends of the names of recipes that are one set's own

LAPTOP_EPOCHS = 5
# One recipe for all families, so that studies share runs and nets differ in nothing else.
LAPTOP = Recipe(
    name="laptop",
    budget=Length(length=LAPTOP_EPOCHS),
    batch_size=32,  # four times the steps of 128 in the time: deep nets need them
    schedule=Cosine(rise=0.2),
    optim=Sgd(lr=0.05, nesterov=True, weight_decay=5e-4),
    augment=Augment(padding="reflect"),
    precision="bf16",
)
SMOKE = replace(
    LAPTOP,
    name="smoke",
    budget=Length(length=2),
    augment=Augment(),
    precision="fp32",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What the runs of a study have in common.

    Attributes:
        name: What it is asked for by.
        says: What it comes to, in words.
        data: The images.
        recipe: How a net is trained on a data set of that name.
        decides: Whether what comes of it may confirm or refute anything.
    """

    name: str
    says: str
    data: DataChoice
    recipe: Callable[[Entry, str], Recipe]
    decides: bool = True

    def run(self, net: str, seed: int) -> Run:
        """One run."""
        recipe = self.recipe(names.entry(net), self.data.name)
        return Run(net=net, data=self.data, recipe=recipe, seed=seed)

    def runs(self, nets: Iterable[str], seeds: Sequence[int]) -> Runs:
        """Runs of some nets of the grammar of CIFAR, each under its name without ``cifar/``."""
        return {net: tuple(self.run(f"cifar/{net}", seed) for seed in seeds) for net in nets}

    def longer(self, *, laptop_epochs: float) -> Budget:
        """At ``laptop``, all images for so many epochs; elsewhere no change."""
        if self.name != "laptop":
            return self
        recipe = recipes.rescaled(LAPTOP, laptop_epochs)
        return replace(
            self,
            says=f"all but {self.data.val_size:,} training images, {laptop_epochs:g} epochs",
            data=replace(self.data, train_limit=None),
            recipe=lambda *_: recipe,
        )

    def on(self, data: str, *, num_train: int, val_size: int) -> Budget:
        """The same on another data set, or on as many images as there are."""
        val_size = min(self.data.val_size, val_size)
        limit = self.data.train_limit
        if limit is not None and limit >= num_train - val_size:
            limit = None
        return replace(self, data=DataChoice(name=data, val_size=val_size, train_limit=limit))


def of_paper(net: Entry, data: str) -> Recipe:
    """The recipe of a net's paper: the one for this data set, where it has several."""
    own = presets.default(net)
    return presets.RECIPES.get(f"{own.name}{OWN.get(data, '')}", own)


BUDGETS: dict[str, Budget] = {
    budget.name: budget
    for budget in (
        Budget(
            name="smoke",
            says="64 synthetic images, 2 epochs: shows that all works, decides nothing",
            data=DataChoice(name="synthetic", val_size=32, train_limit=64),
            recipe=lambda *_: SMOKE,
            decides=False,
        ),
        Budget(
            name="laptop",
            says=f"9,000 training images, {LAPTOP_EPOCHS} epochs, small nets",
            data=DataChoice(name="cifar10", val_size=1_000, train_limit=9_000),
            recipe=lambda *_: LAPTOP,
        ),
        Budget(
            name="fast",
            says="the papers' nets, the fast recipes",
            data=DataChoice(name="cifar10", val_size=5_000),
            recipe=lambda net, _: presets.fast_for(net),
        ),
        Budget(
            name="paper",
            says="the papers' nets and recipes, on all but 5,000 training images",
            data=DataChoice(name="cifar10", val_size=5_000),
            recipe=of_paper,
        ),
    )
}


def get(name: str) -> Budget:
    """A budget by name.

    Raises:
        UsageError: There is none of that name.
    """
    if name not in BUDGETS:
        raise UsageError(f"no budget is called {name!r}; there are {', '.join(BUDGETS)}")
    return BUDGETS[name]


def seen(run: Run, *, num_train: int = 50_000) -> tuple[int, float]:
    """Training images that a run sees, repeats counted, and its epochs."""
    left = num_train - run.data.val_size
    steps_per_epoch = max(1, min(run.data.train_limit or left, left) // run.recipe.batch_size)
    steps = run.recipe.budget.steps(steps_per_epoch)
    return steps * run.recipe.batch_size, steps / steps_per_epoch


def passes(run: Run, *, num_train: int = 50_000) -> float:
    """The images that a run could train on in the time that it takes, validation and test too."""
    images, epochs = seen(run, num_train=num_train)
    return images + EVALUATION * (epochs * run.data.val_size + TEST_VIEWS)


def shorter(runs: Iterable[Run]) -> tuple[str, ...]:
    """What sets runs on CIFAR apart from those of the nets' papers: how much they see, if less."""
    on_cifar = [run for run in runs if run.data.name in {"cifar10", "cifar100"}]
    pairs = [(seen(run)[0], seen(_by_paper(run))[0]) for run in on_cifar]
    fewer = [(ours, theirs) for ours, theirs in pairs if ours < theirs]
    if not fewer:
        return ()
    ours, theirs = (_range(set(each)) for each in zip(*fewer, strict=True))
    who = "A run sees" if len(fewer) == len(pairs) else "Some runs see"
    told = f"{who} {ours} training images, by its paper's recipe {theirs}"
    return (f"{told}, repeats counted: what takes long to show may not show here.",)


def _by_paper(run: Run) -> Run:
    """The same net and seed as its paper trained it."""
    net, data = names.entry(run.net), run.data.name
    choice = DataChoice(name=data, val_size=HELD_BACK.get(net.paper, {}).get(data, 0))
    return replace(run, recipe=of_paper(net, data), data=choice)


def _range(values: set[int]) -> str:
    return " to ".join(f"{value:,}" for value in sorted({min(values), max(values)}))


def cpu_minutes(runs: Iterable[Run], *, num_train: int = 50_000) -> float:
    """About how long runs take on one thread of a CPU that computes in bf16."""
    multiplied = (
        passes(run, num_train=num_train) * count.totals(names.spec(run.net)).macs for run in runs
    )
    return sum(multiplied) / CPU_MACS_PER_S / 60
