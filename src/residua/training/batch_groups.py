"""How a batch is shared out over ranks, and over the groups that BN averages over."""

from __future__ import annotations

from functools import partial

from torch import nn

from residua.errors import UsageError
from residua.nets.build import Net
from residua.nets.parts import GhostNorm, SharedDropout, SharedNorm, replace
from residua.training.ranks import Ranks
from residua.training.recipes import Recipe


def share_out(net: Net, recipe: Recipe, ranks: Ranks) -> None:
    """Make a net with a rank's part of each batch compute what it would with the whole.

    A BN layer averages over ``bn_group`` consecutive images of the whole batch, whether those lie
    on several ranks or are a part of one rank's; running statistics are the mean over all groups
    once :meth:`Ranks.average` has been called. Dropout masks are those of the whole batch.

    Raises:
        UsageError: The batch cannot be shared out equally, or not in groups of that size.
    """
    batch, count = recipe.batch_size, ranks.count
    if batch % count:
        raise UsageError(
            f"recipe.batch_size {batch} cannot be shared out over {count} devices: it must be a "
            f"multiple of {count}"
        )
    part = batch // count
    group = batch if recipe.bn_group is None else recipe.bn_group
    possible = [n for n in range(1, batch + 1) if part % n == 0 or (n % part, batch % n) == (0, 0)]
    if group not in possible:
        where = "one device" if count == 1 else f"{count} devices"
        raise UsageError(
            f"recipe.bn_group {group} cannot be had with a batch of {batch} on {where}: it is one "
            f"of {', '.join(map(str, possible))}"
        )
    if group > part:
        gather = partial(ranks.gathered, size=group // part)
        replace(net, nn.BatchNorm2d, lambda norm: SharedNorm(norm, gather=gather))
    elif group < part:
        replace(net, nn.BatchNorm2d, lambda norm: GhostNorm(norm, num_groups=part // group))
    if count > 1:
        replace(net, nn.Dropout, lambda drop: SharedDropout(drop.p, index=ranks.rank, count=count))
