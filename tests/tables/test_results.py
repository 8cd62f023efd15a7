"""What came of files, as tables: names are no markup."""

from collections.abc import Callable
from pathlib import Path

from residua.data.fetch import Checked
from residua.tables.results import print_checked, print_import


def test_files_are_shown_with_their_state(printed: Callable[..., list[str]]):
    """Right, damaged or missing, whatever a file is called."""
    files = [
        Checked("[b]/1.png", "0123", ok=True),
        Checked("[/b].png", "4567", ok=False),
        Checked("c.png", None, ok=False),
    ]
    _, *lines = printed(print_checked, files)
    expected = [["[b]/1.png", "0123", "right"], ["[/b].png", "4567", "damaged"]]
    assert [*expected, ["c.png", "-", "missing"]] == [line.split() for line in lines]


def test_imported_weights_are_shown_with_their_place(printed: Callable[..., list[str]]):
    """Path and data set as they were given."""
    found = {"net": "cifar/resnet-20", "project": "akamaster", "tensors": 3, "classes": 10}
    found |= {"data": "folder:[b]", "out": Path("[red]") / "net.safetensors"}
    lines = printed(print_import, found, mean=[0.5] * 3, std=[0.25] * 3)
    assert lines[-2].endswith("10, of folder:[b]")
    assert lines[-1].endswith("[red]/net.safetensors")
