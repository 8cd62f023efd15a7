"""HTML of the page: what stands in it, that nothing in it is run, and colours of heat."""

import base64
import io
import re

import pytest
import torch
from PIL import Image

import residua
from residua.demo import markup
from residua.demo.answers import Answer
from residua.nets.build import Net
from residua.prediction import Guess, Prediction

NAMES = ("<b>cat</b>", "dog", "frog", "ship", "deer", "bird")


@pytest.fixture
def answer() -> Answer:
    """Six classes, of which two are likelier or less likely than in the whole net."""
    shares = (0.7, 0.2, 0.1, 0.0, 0.0, 0.0)
    classes = tuple(
        Guess(name=name, probability=share) for name, share in zip(NAMES, shares, strict=True)
    )
    heat = torch.zeros(4, 4)
    heat[0, 3] = 1
    return Answer(
        now=Prediction(image="x.png", classes=classes, notes=("it is 9×9 & odd",)),
        whole=dict(zip(NAMES, (0.4, 0.5, 0.1, 0.0, 0.0, 0.0), strict=True)),
        pixels=torch.full((1, 8, 8), 128, dtype=torch.uint8),
        heat=heat,
        looked_for=NAMES[0],
    )


def test_the_plan_is_a_switch_for_each_unit():
    """Higher where a unit is wider, in its stage, told in its title."""
    html = markup.plan(residua.create("cifar/pyramidnet-14-a24").plan, {})
    heights = [int(height) for height in re.findall(r"height:(\d+)px", html)]
    assert 6 == len(heights) == html.count('role="switch"')
    assert sorted(heights) == heights
    assert heights[0] < heights[-1]
    assert ["1", "2", "3"] == re.findall(r"<legend>stage (\d)</legend>", html)
    assert 'title="unit 2: 24 → 28 channels, shortcut pad, halves the size"' in html
    assert 'aria-checked="${!value.includes(5)}"' in html


def test_a_unit_that_stays_has_no_switch():
    """It is disabled, and its title says why."""
    html = markup.plan(residua.create("cifar/resnet-8").plan, {1: 'all "goes" through it'})
    assert 2 == html.count('role="switch"')
    (disabled,) = re.findall(r'<button[^>]*data-unit="1"[^>]*>', html)
    assert " disabled " in disabled
    assert 'title="all &quot;goes&quot; through it"' in disabled


def test_the_heading_says_what_the_net_is(net: Net):
    """Its name, where it came from, what it costs and what it was trained on."""
    html = markup.heading(net, "runs/<a>")
    for phrase in ("cifar/preresnet-14", "runs/&lt;a&gt;", "6 units", "parameters, trained on"):
        assert phrase in html


def test_five_classes_with_what_they_were(answer: Answer):
    """What the whole net says stands beside a class only where it differs."""
    html = markup.said(answer)
    rows = re.findall(r"<tr>.*?</tr>", html)
    texts = [" ".join(re.sub(r"<[^>]+>", " ", row).split()) for row in rows]
    assert [
        "&lt;b&gt;cat&lt;/b&gt; 70.0 % was 40.0 %",
        "dog 20.0 % was 50.0 %",
        "frog 10.0 %",
        "ship 0.0 %",
        "deer 0.0 %",
    ] == texts
    assert 'style="width:70.00%"' in rows[0]
    assert 'style="left:40.00%"' in rows[0]
    assert "left:" not in rows[2]
    assert "<li>it is 9×9 &amp; odd</li>" in html
    assert "<b>cat" not in html


def test_heat_is_bright_where_the_class_is_seen(answer: Answer):
    """At the upper right, as in the map; the other picture is what the net sees."""
    found = re.findall(r'src="data:image/png;base64,([^"]+)"', markup.said(answer))
    seen, overlaid = (Image.open(io.BytesIO(base64.b64decode(one))) for one in found)
    assert (256, 256) == seen.size == overlaid.size
    assert [(256 * 256, (128, 128, 128))] == seen.getcolors()
    hot, cold = overlaid.getpixel((250, 5)), overlaid.getpixel((5, 250))
    assert isinstance(hot, tuple)
    assert isinstance(cold, tuple)
    # 0.4·128 + 0.6·(252, 255, 164), and 0.4·128 + 0.6·(0, 0, 4).
    assert pytest.approx((202, 204, 149), abs=2) == hot
    assert pytest.approx((51, 51, 53), abs=2) == cold


def test_a_message_is_text():
    """A file's name cannot put anything else on the page."""
    assert "&lt;img src=x&gt;.png cannot" in markup.message("<img src=x>.png cannot be used")
