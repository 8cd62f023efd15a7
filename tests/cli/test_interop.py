"""``residua import``: a foreign checkpoint becomes weights that the other verbs take."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from residua import weights
from residua.nets.build import create

Residua = Callable[..., Any]
NET = "cifar/resnet-8"
OURS = ("--mean", "0.5", "0.4", "0.3", "--std", "0.2", "0.2", "0.25")


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """A state dict of a net of ours, as a training script saves it."""
    torch.manual_seed(0)
    state = {f"module.{key}": value for key, value in create(NET).state_dict().items()}
    torch.save({"state_dict": state, "epoch": 3}, tmp_path / "checkpoint.pth")
    return tmp_path / "checkpoint.pth"


def test_import_prints_one_document(residua: Residua, checkpoint: Path):
    """Net, number of tensors and what was left unmatched, which is nothing."""
    out = checkpoint.with_name("r8.safetensors")
    outcome = residua("import", checkpoint, "--net", NET, "--out", out, *OURS, "--json")
    assert (0, "") == (outcome.status, outcome.err)
    tensors = len(create(NET).state_dict())
    assert {"net": NET, "tensors": tensors, "unmatched": []} == json.loads(outcome.out)


def test_what_is_imported_can_be_evaluated(residua: Residua, checkpoint: Path):
    """The file and its description lie side by side, and hold the weights and the normalisation."""
    out = checkpoint.with_name("r8.safetensors")
    assert 0 == residua("import", checkpoint, "--net", NET, "--out", out, *OURS).status
    files = {"checkpoint.pth", "r8.safetensors", "r8.json"}
    assert files == {path.name for path in checkpoint.parent.iterdir()}

    state = torch.load(checkpoint, weights_only=True)["state_dict"]
    assert all(state[f"module.{key}"].equal(value) for key, value in load_file(out).items())
    meta = weights.load(out).meta
    assert meta is not None
    assert meta.std is not None
    values = [*meta.mean.tolist(), *meta.std.tolist()]
    assert [0.5, 0.4, 0.3, 0.2, 0.2, 0.25] == pytest.approx(values)
    outcome = residua("evaluate", out, "--data", "synthetic", "--json")
    assert (0, 160) == (outcome.status, json.loads(outcome.out)["n"])


def test_import_tells_what_it_did(residua: Residua, checkpoint: Path):
    """Whose layout, how many tensors, which normalisation and classes: for people."""
    out = checkpoint.with_name("r8.safetensors")
    shown = residua("import", checkpoint, "--net", NET, "--out", out, *OURS).out
    assert "residua" in shown
    assert f"{len(create(NET).state_dict())}, each used once" in shown
    assert "(pixels in 0…1 - (0.5, 0.4, 0.3)) / (0.2, 0.2, 0.25)" in shown
    assert "10, of cifar10" in shown


class Payload:
    """What unpickling turns into a command that makes a file."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        """Ask for the command."""
        return (os.system, (f"touch '{self.mark}'",))


def test_bad_input_hostile_pickle(residua: Residua, tmp_path: Path):
    """It is refused with the reason, nothing is run and nothing is written."""
    file = tmp_path / "hostile.pth"
    torch.save({"state_dict": {"a": torch.zeros(1)}, "b": Payload(tmp_path / "mark")}, file)
    outcome = residua("import", file, "--net", NET, "--out", tmp_path / "r8.safetensors")
    outcome.assert_refused(str(file), "was not read", "posix.system", status=1)
    assert [file] == list(tmp_path.iterdir())


def test_bad_input_truncated_checkpoint(residua: Residua, checkpoint: Path):
    """One line, and nothing is written."""
    checkpoint.write_bytes(checkpoint.read_bytes()[:5000])
    out = checkpoint.with_name("r8.safetensors")
    outcome = residua("import", checkpoint, "--net", NET, "--out", out, *OURS)
    outcome.assert_refused(f"{checkpoint} is truncated", status=1)
    assert 1 == len(outcome.err.splitlines())
    assert [checkpoint] == list(checkpoint.parent.iterdir())


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--net", "cifar/resnet-14", *OURS), ("does not hold", "missing (units.3.")),
        (("--net", NET, "--layout", "caffe"), ("no layout is called 'caffe'", "akamaster")),
        (("--net", "cifar/resnt-8"), ("no net is called 'cifar/resnt-8'",)),
        (("--net", NET), ("give --mean and --std",)),
        (("--net", NET, "--mean", "0.5"), ("--mean",)),
        ((), ("--net",)),
    ],
    ids=["another net", "layout", "no net", "no mean", "one number", "no name"],
)
def test_bad_input_wrong_import(
    residua: Residua, checkpoint: Path, options: tuple[str, ...], told: tuple[str, ...]
):
    """Wrong use is told in one or two lines, and nothing is written."""
    out = checkpoint.with_name("r8.safetensors")
    residua("import", checkpoint, "--out", out, *options).assert_refused(*told, status=2)
    assert [checkpoint] == list(checkpoint.parent.iterdir())


def test_bad_input_where_to(residua: Residua, checkpoint: Path):
    """Weights end in .safetensors; a directory that is missing is named."""
    outcome = residua("import", checkpoint, "--net", NET, "--out", checkpoint.with_name("r8.json"))
    outcome.assert_refused("must end in .safetensors", status=2)
    out = checkpoint.parent / "nowhere" / "r8.safetensors"
    outcome = residua("import", checkpoint, "--net", NET, "--out", out, *OURS)
    outcome.assert_refused(str(out.parent), "No such file or directory", status=1)
