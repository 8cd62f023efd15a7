"""A bottleneck's weights against sums made by hand."""

import pytest

from residua.studies.measures import bottleneck


def test_the_posts_unit():
    """64 channels in: 64·64 + 9·64·64 + 64·256 weights are 22.2 % fewer than 2·9·64·64."""
    found = bottleneck.compare(64)
    assert (73_728, 57_344) == (found.basic, found.branch)
    assert pytest.approx(-22.22, abs=0.01) == found.branch_pct


def test_its_projection_takes_back_all_that_it_saves():
    """From 64 to 256 channels the shortcut has 64·256 weights: no parameter is saved at all."""
    found = bottleneck.compare(64)
    assert 16_384 == found.projection
    assert 0 == found.unit_pct


def test_the_drawn_unit():
    """256 channels in, as he2015 Fig. 5 draws it: nothing is projected, 5.6 % are saved."""
    found = bottleneck.compare(256)
    assert (69_632, 0) == (found.branch, found.projection)
    assert pytest.approx(-5.56, abs=0.01) == found.branch_pct == found.unit_pct


@pytest.mark.parametrize("width", [16, 64, 100])
def test_the_formula(width: int):
    """``c·w + 13·w²`` against ``18·w²``, and ``4·c·w`` more where the shortcut projects."""
    for found in bottleneck.comparisons(width=width):
        c = found.c_in
        assert 18 * width**2 == found.basic
        assert c * width + 13 * width**2 == found.branch
        assert (0 if c == 4 * width else 4 * c * width) == found.projection


def test_where_the_claim_holds():
    """Rounded to a percent: around 64 channels without the projection, around 13 with it."""
    compared = bottleneck.comparisons()
    assert tuple(range(1, 257)) == tuple(each.c_in for each in compared)
    # Of 18·64 weights an inner channel, 320 - c are saved: between 21.5 % and 22.5 %.
    assert tuple(range(61, 73)) == bottleneck.holds(compared, projected=False)
    assert (13, 14) == bottleneck.holds(compared, projected=True)
