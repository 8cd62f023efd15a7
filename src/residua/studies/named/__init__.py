"""The studies by name: one small module each."""

import difflib

from residua.errors import UsageError
from residua.studies.experiments import Experiment
from residua.studies.named import (
    bottleneck,
    degradation,
    dense,
    dropout,
    frontier,
    lesion,
    paths,
    pyramid,
    shortcuts,
    signal,
    stochastic_depth,
    units,
    width_or_depth,
)

EXPERIMENTS: dict[str, Experiment] = {
    module.EXPERIMENT.name: module.EXPERIMENT
    for module in (
        degradation,
        shortcuts,
        units,
        signal,
        bottleneck,
        width_or_depth,
        dropout,
        stochastic_depth,
        dense,
        pyramid,
        lesion,
        paths,
        frontier,
    )
}


def get(name: str) -> Experiment:
    """A study by name.

    Raises:
        UsageError: There is none of that name.
    """
    if name not in EXPERIMENTS:
        nearest = difflib.get_close_matches(name, EXPERIMENTS, n=1, cutoff=0)
        raise UsageError(
            f"no study is called {name!r}; did you mean {nearest[0]!r}? "
            f"There are {', '.join(EXPERIMENTS)}"
        )
    return EXPERIMENTS[name]
