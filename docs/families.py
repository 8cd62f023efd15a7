"""The picture at the top of the README: a unit of each paper, and widths in steps and as a ramp.

python -m docs.families

writes ``docs/static/families.svg``.
"""

from __future__ import annotations

from pathlib import Path

from residua.arch import names
from residua.drawings.sheet import captioned, sheet
from residua.drawings.svg import Drawing
from residua.drawings.unit import unit
from residua.drawings.widths import widths
from residua.runs.files import write_atomically

FILE = Path(__file__).with_name("static") / "families.svg"
UNITS = {
    ("cifar/plain-20", 3): "plain, 2015",
    ("cifar/resnet-20", 3): "residual, 2015",
    ("cifar/preresnet-110", 19): "pre-activated, 2016",
    ("cifar/wrn-28-10-dropout", 5): "wide, 2016",
    ("cifar/densenet-bc-100-12", 1): "dense, 2017",
    ("cifar/pyramidnet-110-a48", 1): "pyramidal, 2017",
}
WIDTHS = ("cifar/resnet-110", "cifar/pyramidnet-110-a48")


def families() -> Drawing:
    """Everything is drawn from the nets' plans."""
    units = [captioned(unit(names.entry(net), row), words) for (net, row), words in UNITS.items()]
    profiles = [widths(names.entry(net)) for net in WIDTHS]
    return sheet([units, profiles], title="Units of six families of nets, and the widths of two")


if __name__ == "__main__":
    write_atomically(FILE, families().file().encode())
