"""Drawings: where a value lies, what an axis shows, and what is text."""

import xml.etree.ElementTree as ET

import pytest

from residua.reports import charts
from residua.reports.charts import Line, Range
from residua.studies.stats import summarise


def parsed(svg: str) -> ET.Element:
    """A drawing's elements."""
    return ET.fromstring(svg)  # noqa: S314 - our own


@pytest.mark.parametrize(
    ("axis", "expected"),
    [
        (Range(0, 100, 0, 1), [0, 20, 40, 60, 80, 100]),
        (Range(6.2, 7.1, 0, 1), [6.2, 6.4, 6.6, 6.8, 7.0]),
        (Range(1, 3, 0, 1, whole=True), [1, 2, 3]),
        (Range(0.0008, 0.12, 0, 1, log=True), [0.001, 0.01, 0.1]),
    ],
)
def test_ticks_are_round_values_within(axis: Range, expected: list[float]):
    """Steps of 1, 2 or 5; whole ones where things are counted; powers of ten."""
    assert expected == pytest.approx(axis.ticks())


def test_values_lie_in_proportion():
    """Halfway in value, or in digits, is halfway along."""
    assert 150 == Range(0, 10, 100, 200).at(5)
    assert 150 == pytest.approx(Range(0.01, 1, 100, 200, log=True).at(0.1))


def test_curves_end_where_their_values_do():
    """The last point stands at the right, on its height."""
    drawn = parsed(charts.lines([Line("e", [1, 5], [80, 20])], x="epoch", y="%"))
    points = drawn.find("polyline").get("points").split()
    (x0, y0), (x1, y1) = (map(float, point.split(",")) for point in points)
    assert (charts.LEFT, charts.WIDTH - charts.RIGHT) == (x0, x1)
    floor = charts.HEIGHT - charts.BOTTOM
    assert 4 == pytest.approx((floor - y0) / (floor - y1), rel=0.01)


def test_confusions_show_their_counts():
    """Few classes have numbers in their cells; a name is text."""
    svg = charts.heat([[3, 1], [0, 4]], ["<b>", "c"])
    drawn = parsed(svg)
    texts = [text.text for text in drawn.iter("text")]
    assert ["3", "1", "0", "4"] == texts[:4]
    assert "<b>" in texts
    assert 3 == len(list(drawn.iter("rect")))


def test_intervals_show_each_seed_and_the_printed_value():
    """A dot a seed, a line for the interval, a diamond for the paper's."""
    values = [8.6, 8.8, 8.9]
    svg = charts.intervals([("net", values, summarise(values), 8.75)], x="error, %")
    drawn = parsed(svg)
    assert 3 == sum(dot.get("class") == "a faint" for dot in drawn.iter("circle"))
    span = next(line for line in drawn.iter("line") if line.get("class") == "span a")
    diamond = drawn.find("polygon").get("points").split(",")[0]
    assert float(span.get("x1")) < float(diamond) < float(span.get("x2"))


def test_one_epoch_is_a_point():
    """A run of one epoch has an axis all the same."""
    drawn = parsed(charts.lines([Line("e", [1], [0])], x="epoch", y="%"))
    assert 1 == len(list(drawn.iter("circle")))


def test_long_names_stand_below_within_the_drawing():
    """They would run out of it on the right."""
    lines = [Line(f"{index}: {'a long name ' * 4}", [1, 2], [3, 4]) for index in range(3)]
    drawn = parsed(charts.lines(lines, x="epoch", y="%"))
    names = [text for text in drawn.iter("text") if text.get("class") == "name"]
    assert ["14.0"] * 3 == [f"{float(text.get('x')) - 9:.1f}" for text in names]
    height = float(drawn.get("viewBox").split()[-1])
    assert charts.HEIGHT < min(float(text.get("y")) for text in names)
    assert max(float(text.get("y")) for text in names) < height


def test_many_classes_have_no_names():
    """A hundred of them could not be read."""
    many = [[int(row == column) for column in range(30)] for row in range(30)]
    drawn = parsed(charts.heat(many, [f"class {index}" for index in range(30)]))
    assert [] == list(drawn.iter("text"))
    assert 30 == len(list(drawn.iter("rect")))
