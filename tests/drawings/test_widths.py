"""The widths of a net as bars."""

import re

import pytest

from residua.arch import names
from residua.drawings.widths import HEIGHT, widths


@pytest.mark.parametrize("name", ["cifar/resnet-20", "cifar/pyramidnet-110-a48"])
def test_a_bar_is_as_high_as_its_unit_is_wide(name):
    """One bar a unit, the last one full height, the first in proportion."""
    entry = names.entry(name)
    drawing = widths(entry)
    high = [float(found) for found in re.findall(r' height="([\d.]+)" fill', drawing.inline())]
    first, last = map(int, re.findall(r"(\d+) to (\d+) channels", drawing.title)[0])
    assert sum(entry.spec.depths) == len(high)
    assert HEIGHT == max(high) == high[-1]
    assert pytest.approx(first / last, abs=1e-3) == high[0] / high[-1]
