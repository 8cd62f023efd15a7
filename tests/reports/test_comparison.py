"""The page of several runs."""

from collections.abc import Callable

from residua.reports import comparison
from residua.reports.page import Grid, Text
from residua.reports.sources import Finished


def test_what_cannot_be_read_any_more_is_counted(told: Callable[..., Finished]):
    """Of nine nets 36 pairs and nine curves, which are more than there is room and colours for."""
    nets = [f"cifar/resnet-{6 * n + 2}" for n in range(1, 10)]
    groups = comparison.grouped([told(net) for net in nets])
    blocks = {part.title: part.blocks for part in comparison.page(groups, missing=()).sections}
    (pairs,) = blocks["Differences, seed by seed"]
    assert isinstance(pairs, Grid)
    assert 28 == len(pairs.rows)
    assert " 8 more pairs are left out" in pairs.note
    (curves,) = blocks["Learning"]
    assert isinstance(curves, Text)
    assert curves.text.startswith("Training error, augmented: 9 curves are left out. 6 curves can")


def test_the_mean_that_a_paper_prints_is_what_a_mean_stands_beside(
    told: Callable[..., Finished], monkeypatch
):
    """He et al. 2015 print the best of five ResNets-110, and their mean."""
    drawn = []
    monkeypatch.setattr(comparison.charts, "intervals", lambda rows, **_: drawn.extend(rows) or "")
    groups = comparison.grouped([told("cifar/resnet-110"), told("cifar/resnet-8")])
    page = comparison.page(groups, missing=())
    assert [6.61, None] == [printed for *_, printed in drawn]
    table = page.sections[0].blocks[0]
    assert isinstance(table, Grid)
    assert "6.43 (mean 6.61 ± 0.16), 6.61" == table.rows[0][5]
