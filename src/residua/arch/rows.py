"""The rows of the papers' tables by name: ``he2015/table6/resnet-20/cifar10``.

A row's name is its source, the place there, the net without its prefix, and the data set; a second
row of the same name ends in ``/2``.
"""

from __future__ import annotations

import difflib
import functools
import re

from residua.arch import names, papers
from residua.arch.papers import Fact
from residua.errors import UsageError

# What a row's note says of its training.
NO_AUGMENTATION, ZCA, SMALL_BATCH = "no augmentation", "ZCA whitening", "batch of 64"


@functools.cache
def rows() -> dict[str, Fact]:
    """Every printed error by its row's name, in the order of ``facts.json``."""
    found: dict[str, Fact] = {}
    for fact in papers.tables().facts:
        if fact.error is None:
            continue
        name = f"{source(fact)}/{_place(fact)}/{fact.net.partition('/')[2]}/{fact.dataset}"
        times = sum(re.sub(r"/\d+$", "", other) == name for other in found)
        found[f"{name}/{times + 1}" if times else name] = fact
    return found


def row(name: str) -> Fact:
    """What the row of this name prints.

    Raises:
        UsageError: There is none; the nearest are named.
    """
    if name in rows():
        return rows()[name]
    nearest = difflib.get_close_matches(name, rows(), n=3, cutoff=0)
    raise UsageError(f"no printed row is called {name!r}\nnearest: {', '.join(nearest)}")


def source(fact: Fact) -> str:
    """The key of the paper that a row stands in, or of the net's paper for other places."""
    key = re.match(r"[a-z]+\d{4}\b", fact.where)
    return key[0] if key else names.entry(fact.net).paper


def _place(fact: Fact) -> str:
    """``he2016 Tables 3-4`` is tables3-4, a README that of the repository it lies in."""
    repository = re.search(r"[\w-]+/([\w-]+)", fact.where.partition(";")[0])
    if repository:
        return repository[1].lower()
    place = fact.where.partition(";")[0].removeprefix(source(fact)).lower()
    words = re.findall(r"[a-z0-9-]+", place)
    return re.sub(r"(?<=[a-z])-(?=\d)", "", "-".join(words))
