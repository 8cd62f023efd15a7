"""Reading: state dicts come out of their wrapping, and no file runs anything or breaks us."""

import argparse
import io
import os
import pickle
import re
from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from residua.errors import RunError, UsageError
from residua.interop.reading import read

STATE = OrderedDict(
    {"conv1.weight": torch.arange(6.0).view(2, 3), "bn1.bias": torch.tensor([0.5, 1.5])}
)


class Payload:
    """What unpickling turns into a command that makes a file."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        """Ask for the command."""
        return (os.system, (f"touch '{self.mark}'",))


def saved(content: object, *, legacy: bool = False) -> bytes:
    """Return a file of torch.save, of today's format or the one before."""
    buffer = io.BytesIO()
    torch.save(content, buffer, _use_new_zipfile_serialization=not legacy)
    return buffer.getvalue()


def prefixed(prefix: str) -> dict[str, torch.Tensor]:
    """Return the state dict with longer keys."""
    return {f"{prefix}{key}": value for key, value in STATE.items()}


@pytest.mark.parametrize("legacy", [True, False], ids=["legacy", "zip"])
@pytest.mark.parametrize(
    "content",
    [
        STATE,
        prefixed("module."),
        prefixed("_orig_mod."),
        prefixed("module._orig_mod."),
        prefixed("_orig_mod.module."),
        {"state_dict": STATE, "best_prec1": 91.78, "epoch": 3},
        {"net": prefixed("module."), "acc": 95.5, "epoch": 199},
        {"model": STATE, "optimizer": {"state": {}, "param_groups": []}},
    ],
    ids=["plain", "module", "compiled", "both", "both again", "state_dict", "net", "model"],
)
def test_wrapping_is_taken_off(tmp_path: Path, content: object, *, legacy: bool):
    """What is put around a state dict is gone, the tensors are as they were."""
    file = tmp_path / "checkpoint.pth"
    file.write_bytes(saved(content, legacy=legacy))
    found = read(file)
    assert list(STATE) == list(found)
    assert all(STATE[key].equal(found[key]) for key in STATE)


def test_a_prefix_of_some_keys_stays(tmp_path: Path):
    """Only what every key begins with is wrapping."""
    file = tmp_path / "checkpoint.pth"
    torch.save({"module.a": torch.zeros(1), "b": torch.zeros(1)}, file)
    assert ["module.a", "b"] == list(read(file))


@pytest.mark.parametrize("name", ["weights.safetensors", "weights.bin"])
def test_safetensors_are_known_by_their_content(tmp_path: Path, name: str):
    """Whatever the file is called."""
    save_file(prefixed("module."), tmp_path / name)
    found = read(tmp_path / name)
    assert set(STATE) == set(found)
    assert all(STATE[key].equal(found[key]) for key in STATE)


@pytest.mark.parametrize("form", ["zip", "legacy", "pickle", "inside"])
def test_a_file_that_would_run_something_is_refused(tmp_path: Path, form: str):
    """The reason names what it asks for; the payload's file is not made."""
    mark, file = tmp_path / "mark", tmp_path / "hostile.pth"
    payload = Payload(mark)
    content = {
        "zip": lambda: saved({"state_dict": STATE, "args": payload}),
        "legacy": lambda: saved({"state_dict": STATE, "args": payload}, legacy=True),
        "pickle": lambda: pickle.dumps(payload, protocol=2),
        "inside": lambda: saved({**STATE, "fc.weight": payload}),
    }
    file.write_bytes(content[form]())
    with pytest.raises(RunError, match=r"was not read: .* it holds posix\.system, .* would run"):
        read(file)
    assert [file] == list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (argparse.Namespace(lr=0.1), "argparse.Namespace"),
        (torch.nn.Linear(2, 2), "torch.nn.modules.linear.Linear"),
    ],
    ids=["arguments", "module"],
)
def test_harmless_objects_are_refused_as_well(tmp_path: Path, content: object, told: str):
    """Whether they are harmless can be told only by making them."""
    file = tmp_path / "checkpoint.pth"
    file.write_bytes(saved({"state_dict": STATE, "more": content}))
    with pytest.raises(RunError, match=f"it holds {re.escape(told)}.*") as caught:
        read(file)
    assert "torch.save(net.state_dict(), file)" in str(caught.value)
    assert 2 == len(str(caught.value).splitlines())


BIG = {f"layer{index}.weight": torch.ones(500) for index in range(3)}
WHOLE = {"zip": saved(BIG), "legacy": saved(BIG, legacy=True)}


@pytest.mark.parametrize("kept", [0.0, 0.001, 0.01, 0.1, 0.5, 0.9, 0.999])
@pytest.mark.parametrize("form", WHOLE)
def test_a_truncated_file_is_told(tmp_path: Path, form: str, kept: float):
    """One line names the file, wherever it ends."""
    file = tmp_path / "cut.th"
    file.write_bytes(WHOLE[form][: int(kept * len(WHOLE[form]))])
    with pytest.raises(RunError, match=r"cut\.th is truncated, damaged or no weight file") as told:
        read(file)
    assert 1 == len(str(told.value).splitlines())
    assert len(str(told.value)) < 400


@pytest.mark.parametrize(
    "content", [b"<html>404</html>", b"\xff" * 100, b"\x00" * 8 + b"{}", b"PK\x03\x04"]
)
def test_another_file_is_told(tmp_path: Path, content: bytes):
    """A web page, noise, an empty header, the beginning of a zip."""
    file = tmp_path / "page.pth"
    file.write_bytes(content)
    with pytest.raises(RunError, match=r"page\.pth (is truncated|holds no state dict)"):
        read(file)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ([STATE], "holds no state dict but what is of type list"),
        ({}, "holds no state dict"),
        ({"epoch": 3, "acc": 0.5}, "'epoch' is no tensor but of type int"),
        ({**STATE, "more": "text"}, "'more' is no tensor but of type str"),
    ],
    ids=["list", "nothing", "numbers", "mixed"],
)
def test_what_is_no_state_dict_is_told(tmp_path: Path, content: object, told: str):
    """The reason says what was found instead."""
    file = tmp_path / "checkpoint.pth"
    file.write_bytes(saved(content))
    with pytest.raises(RunError, match=re.escape(told)):
        read(file)


def test_a_missing_file_is_told(tmp_path: Path):
    """It is wrong use, not damage."""
    with pytest.raises(UsageError, match=r"nothing\.th does not exist"):
        read(tmp_path / "nothing.th")
