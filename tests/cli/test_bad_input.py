"""Bad input: every line of it has its message, its exit status and nothing half-written."""

import errno
import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from residua import weights
from residua.nets.build import Meta, create

Residua = Callable[..., Any]
Files = Callable[[Path], dict[str, bytes]]

NET = "cifar/resnet-8"


def test_bad_input_unknown_net(
    residua: Residua, train: Residua, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """The name, and the nearest names that there are."""
    monkeypatch.chdir(tmp_path)
    for outcome in (residua("show", "cifar/resnt-110"), train(net="cifar/resnt-110")):
        outcome.assert_refused("'cifar/resnt-110'", "nearest", "cifar/resnet-110", status=2)
    assert [] == list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "rule", "nearest"),
    [
        ("cifar/resnet-21", "depth = 6n + 2", "20 and 26"),
        ("cifar/preresnet-165-bottleneck", "depth = 9n + 2", "164 and 173"),
        ("cifar/wrn-29-10", "depth = 6n + 4", "28 and 34"),
        ("cifar/densenet-41-12", "depth = 3n + 4", "40 and 43"),
        ("cifar/pyramidnet-111-a48", "depth = 6n + 2", "110 and 116"),
    ],
)
def test_bad_input_forbidden_depth(
    residua: Residua, train: Residua, tmp_path: Path, name: str, rule: str, nearest: str
):
    """The family's rule, and the nearest depths that follow it."""
    for outcome in (residua("show", name), train("--out", tmp_path / "run", net=name)):
        outcome.assert_refused(rule, nearest, status=2)
    assert [] == list(tmp_path.iterdir())


def test_bad_input_missing_data(residua: Residua, files: Files, tmp_path: Path):
    """Where it was looked for, and how to get it."""
    options = ("--data", "cifar10", "--data-dir", tmp_path / "here", "--out", tmp_path / "run")
    outcome = residua("train", NET, *options)
    outcome.assert_refused(
        "CIFAR-10",
        str(tmp_path / "here"),
        "cifar-10-batches-py",
        "cifar-10-python.tar.gz",
        "--data-dir",
        "RESIDUA_DATA",
        status=1,
    )
    assert {} == files(tmp_path)


DAMAGES = {
    "data_batch_1": lambda content: content[:5000] + bytes([content[5000] ^ 1]) + content[5001:],
    "data_batch_2": lambda content: content[:-1000],
}


@pytest.mark.parametrize("name", DAMAGES)
def test_bad_input_corrupted_or_truncated_batch_file(
    residua: Residua, cifar10_dir: Path, tmp_path: Path, name: str
):
    """The file's name, the MD5 that it should have and the one that it has."""
    folder = tmp_path / "data" / "cifar-10-batches-py"
    folder.mkdir(parents=True)
    for file in (cifar10_dir / folder.name).iterdir():
        (folder / file.name).symlink_to(file)
    official = (folder / name).read_bytes()
    damaged = DAMAGES[name](official)
    (folder / name).unlink()
    (folder / name).write_bytes(damaged)

    options = ("--data", "cifar10", "--data-dir", tmp_path / "data", "--out", tmp_path / "run")
    outcome = residua("train", NET, *options)

    expected, found = (
        hashlib.md5(content, usedforsecurity=False).hexdigest() for content in (official, damaged)
    )
    outcome.assert_refused(str(folder / name), "corrupt or truncated", expected, found, status=1)
    assert not (tmp_path / "run").exists()


def test_bad_input_unknown_setting(train: Residua, files: Files, tmp_path: Path):
    """The path, and the nearest path that there is."""
    out = tmp_path / "run"
    outcome = train("--set", "recipe.optim.learn=1", "--out", out)
    outcome.assert_refused("'recipe.optim.learn'", "nearest", "recipe.optim.lr", status=2)
    assert {} == files(tmp_path)


def test_bad_input_directory_of_another_run(train: Residua, files: Files, finished: Path):
    """What differs, with both values; the other run stays as it is."""
    before = files(finished)
    for more in ((), ("--resume",)):
        outcome = train("--seed", 3, "--out", finished, *more)
        outcome.assert_refused(
            str(finished), "different run", "seed is 0 there and 3 here", status=2
        )
    assert before == files(finished)


def test_bad_input_unfinished_run(train: Residua, files: Files, finished: Path, tmp_path: Path):
    """A run that was stopped is gone on with when asked, not overwritten."""
    out = tmp_path / "run"
    shutil.copytree(finished, out)
    (out / "record.json").unlink()
    before = files(out)
    train("--out", out).assert_refused("add --resume", status=2)
    assert before == files(out)


def test_bad_input_no_write_permission(
    train: Residua, files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """The place and the system's reason, before a step is trained."""

    def forbidden(self: Path, *_arguments, **_options):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(self))

    with monkeypatch.context() as patched:  # as the system does for all but root
        patched.setattr(Path, "mkdir", forbidden)
        outcome = train("--out", tmp_path / "run")
    outcome.assert_refused(
        f"cannot write to {tmp_path / 'run'}: Permission denied", "--out", status=1
    )

    (tmp_path / "file").write_text("content")
    outcome = train("--out", tmp_path / "file" / "run")
    outcome.assert_refused(f"cannot write to {tmp_path / 'file' / 'run'}: ", status=1)
    assert {"file": b"content"} == files(tmp_path)


def test_bad_input_loss_not_finite(train: Residua, files: Files, tmp_path: Path):
    """Step, learning rate and what to try; no record, no weights, nothing half-written."""
    settings = ("--set", "recipe.optim.lr=1e30", "--set", "recipe.schedule.at=[]")
    outcome = train(*settings, "--out", tmp_path, "--json")
    assert (1, "") == (outcome.status, outcome.out)
    *progress, error = outcome.err.splitlines()
    assert error.startswith("residua: the loss is ")
    assert "at step 1 with learning rate 1e+30" in error
    assert "--set recipe.optim.lr" in error
    assert 1 == len(progress)
    assert {"run.json", "env.json", ".lock"} == files(tmp_path).keys()


def test_a_full_disk_is_told(
    train: Residua, files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """The system's reason; what was whole before stays whole, and no part of a file is left."""
    sync = os.fsync
    calls = []

    def full(descriptor: int):
        calls.append(descriptor)
        if len(calls) > 4:  # run.json and env.json, each with its directory
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    outcome = train("--out", tmp_path)
    assert (1, "") == (outcome.status, outcome.out)
    *_, error, what_to_do = outcome.err.splitlines()
    assert f"residua: {tmp_path / 'metrics.jsonl'}: No space left on device" == error
    assert "--resume" in what_to_do
    assert {"run.json", "env.json", ".lock"} == files(tmp_path).keys()


def test_stopping_is_no_failure_to_explain(
    train: Residua, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Control-C ends with 130 and says how to go on."""

    def stop(*_arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr("residua.training.train.fit", stop)
    outcome = train("--out", tmp_path)
    assert (130, "") == (outcome.status, outcome.out)
    assert "--resume" in outcome.err.splitlines()[-1]


@pytest.mark.parametrize(
    "options",
    [
        ("--seed", 2**80),
        ("--epochs", "nan"),
        ("--epochs", "0"),
        ("--epochs", "1e308"),
        ("--set", "recipe.budget.length=1e308"),
        ("--recipe", "he2051"),
        ("--data", "cifar11"),
        ("--data", "folder:~nobody-of-that-name/pets"),
        ("--set", "recipe.schedule.factor=NaN"),
        ("--set", 'recipe.warm_up={"lr": 0.01, "below_error": 80, "window": 0}'),
        ("--set", "recipe.augment.pad=32", "--set", "recipe.augment.padding=reflect"),
        ("--set", "recipe.batch_size=65"),
        ("--set", "recipe.batch_size=0"),
        ("--set", "recipe.bn_group=15"),
        ("--set", "data.train_limit=0"),
        ("--set", "data.val_size=640"),
        ("--set", "data.name=digits"),
        ("--set", "recipe.optim.lr"),
    ],
    ids=lambda options: " ".join(map(str, options)),
)
def test_values_that_cannot_be_are_refused(train: Residua, tmp_path: Path, options: tuple):
    """Wrong use is told in a line or two, whatever is wrong, and leaves nothing behind."""
    outcome = train(*options, "--out", tmp_path / "run")
    outcome.assert_refused(status=2)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ("train", NET),
        ("train", "--data", "synthetic"),
        ("show", NET, "--jsn"),
        ("shw",),
        ("export", "run", "--out", "net.onnx"),
    ],
    ids=" ".join,
)
def test_a_command_line_that_is_none_is_refused(residua: Residua, arguments: tuple[str, ...]):
    """A missing or unknown argument is told in a line or two, like all else."""
    outcome = residua(*arguments)
    assert (2, "") == (outcome.status, outcome.out)
    assert 1 <= len(outcome.err.splitlines()) <= 2, outcome.err


@pytest.mark.parametrize("group", [(), ("data",), ("study",), ("recipes",)], ids=str)
def test_a_command_without_its_verb_shows_the_verbs(residua: Residua, group: tuple[str, ...]):
    """As help, not as a fault; with the status of wrong use."""
    outcome = residua(*group)
    assert (2, "") == (outcome.status, outcome.out)
    assert outcome.err.startswith("Usage: ")
    assert "--help" in outcome.err


@pytest.mark.parametrize("verb", ["train", "evaluate"])
@pytest.mark.parametrize(
    ("error", "advice"),
    [
        (KeyboardInterrupt(), "--resume"),
        (OSError(errno.ENOSPC, "No space left on device"), "--resume"),
        (MemoryError(), "--set recipe.batch_size"),
    ],
    ids=["stopped", "full disk", "no memory"],
)
def test_advice_can_be_followed(
    residua: Residua, monkeypatch: pytest.MonkeyPatch, verb: str, error: BaseException, advice: str
):
    """Options are told of where the verb has them."""

    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("residua.data.sets.load", fail)
    monkeypatch.setattr("residua.weights.load", fail)
    outcome = residua(verb, NET, "--data", "synthetic")
    told = outcome._replace(err=outcome.err.lstrip())  # click ends the line of a Ctrl-C
    told.assert_refused(status=130 if isinstance(error, KeyboardInterrupt) else 1)
    assert (verb == "train") is (advice in outcome.err)


def test_an_unknown_family_is_refused(residua: Residua):
    """The families that there are."""
    residua("list", "--family", "vgg").assert_refused("'vgg'", "pyramidnet", "wrn", status=2)


def test_evaluating_nothing_is_refused(residua: Residua, tmp_path: Path):
    """The path is told."""
    outcome = residua("evaluate", tmp_path / "nowhere", "--data", "synthetic")
    outcome.assert_refused(str(tmp_path / "nowhere"), "no weights", status=2)


def test_evaluating_on_other_classes_is_refused(residua: Residua, tmp_path: Path):
    """A net for three classes says nothing of ten."""
    meta = Meta(
        net=NET,
        data="pets",
        classes=("cat", "dog", "eel"),
        mean=torch.zeros(3),
        std=None,
        image_size=32,
    )
    file = tmp_path / "pets.safetensors"
    weights.save_weights(file, create(NET, num_classes=3), meta)
    outcome = residua("evaluate", file, "--data", "synthetic")
    outcome.assert_refused(str(file), "3 classes", "synthetic has 10", status=2)
