"""The command: what it prints where, and what it costs."""

import json
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from residua.arch import names, papers
from residua.runs.records import RunDirectory

Residua = Callable[..., Any]
Files = Callable[[Path], dict[str, bytes]]

NET = "cifar/resnet-8"
COMMAND = shutil.which("residua", path=Path(sys.executable).parent)


def test_list_prints_one_document(residua: Residua):
    """A row per named net, with the papers' figures as they are printed."""
    outcome = residua("list", "--json")
    rows = json.loads(outcome.out)
    assert (0, "") == (outcome.status, outcome.err)
    assert list(names.names()) == [row["name"] for row in rows]
    keys = ["name", "paper", "depth", "params", "macs", "facts"]
    assert [keys] * len(rows) == [list(row) for row in rows]
    fact_keys = ["dataset", "error", "error_std", "params_printed", "where", "recipe_note"]
    facts = [fact for row in rows for fact in row["facts"]]
    assert [fact_keys] * len(facts) == [list(fact) for fact in facts]
    (row,) = [row for row in rows if row["name"] == "cifar/pyramidnet-272-a200-bottleneck"]
    assert ("han2017", 272, 26_210_842) == (row["paper"], row["depth"], row["params"])
    assert ("3.31", "0.08", "26.0M") == next(
        (str(fact["error"]), str(fact["error_std"]), fact["params_printed"])
        for fact in row["facts"]
        if fact["dataset"] == "cifar10"
    )


def test_list_shows_one_family(residua: Residua):
    """``--family`` keeps that family's nets alone, for people and as JSON."""
    rows = json.loads(residua("list", "--family", "wrn", "--json").out)
    assert papers.listing("wrn") == rows
    assert list(names.names("wrn")) == [row["name"] for row in rows]
    shown = residua("list", "--family", "wrn").out
    assert "cifar/wrn-28-10" in shown
    assert "cifar/resnet" not in shown


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("cifar/pyramidnet-110-a48", 1_772_706),
        ("cifar/pyramidnet-272-a200-bottleneck", 26_210_842),
        ("cifar/pyramidnet-110-m8", 3_876_547),
        ("cifar/resnet-110", 1_727_962),
        ("cifar/resnet-1202", 19_421_274),
        ("cifar/preresnet-1001-bottleneck", 10_327_706),
        ("cifar/wrn-28-10", 36_479_194),
        ("cifar/densenet-40-12", 1_019_722),
        ("cifar/densenet-bc-190-40", 25_624_430),
    ],
)
def test_show_prints_one_document(residua: Residua, name: str, params: int):
    """The papers' nets have the papers' parameters, to the digit."""
    outcome = residua("show", name, "--json")
    found = json.loads(outcome.out)
    assert (0, "") == (outcome.status, outcome.err)
    keys = ["name", "depth", "params", "params_no_bn", "macs", "out_features", "units"]
    assert keys == list(found)
    assert (name, params) == (found["name"], found["params"])
    assert list(range(len(found["units"]))) == [unit["index"] for unit in found["units"]]


def test_show_counts_other_classes(residua: Residua):
    """``--num-classes`` widens the classifier by 65 parameters a class; the table says so too."""
    arguments = ("show", "cifar/resnet-20", "--num-classes", 100)
    assert 269_722 + 90 * 65 == json.loads(residua(*arguments, "--json").out)["params"]
    assert "275,572" in residua(*arguments).out


def test_train_prints_its_record(train: Residua, tmp_path: Path):
    """One document on standard output, equal to record.json; progress on standard error."""
    outcome = train("--out", tmp_path / "run", "--json")
    record = json.loads(outcome.out)
    assert 0 == outcome.status
    assert RunDirectory(tmp_path / "run").record() == record
    keys = {
        *("net", "data", "recipe", "seed", "params", "epochs", "steps", "test_error", "val_error"),
        *("test_error_tta", "best_val_error", "train_seconds", "images_per_second", "device"),
        "versions",
    }
    assert keys <= record.keys()
    assert (NET, 0, 1, 2) == (record["net"], record["seed"], record["epochs"], record["steps"])
    head, epoch = outcome.err.splitlines()
    assert f"{NET} on synthetic, seed 0; recipe han2017, fp32, epochs: 1" in head
    assert "(its own are 300 epochs)" in head
    assert epoch.startswith("epoch 1/1  lr 0.01  loss ")


def test_train_fills_its_directory(files: Files, finished: Path):
    """All files of the contract, whole, and no others."""
    expected = {
        *("run.json", "env.json", "metrics.jsonl", "checkpoint.pt", "model.safetensors"),
        *("model.json", "record.json", "curves.png", ".lock"),
    }
    assert expected == files(finished).keys()
    assert 1 == len(RunDirectory(finished).metrics())


def test_train_again_shows_the_record(train: Residua, files: Files, finished: Path):
    """A finished run is not trained again; with --resume it is not either."""
    before = files(finished)
    record = json.loads((finished / "record.json").read_bytes())
    for more in ((), ("--resume",)):
        outcome = train("--out", finished, "--json", *more)
        assert (0, record) == (outcome.status, json.loads(outcome.out))
        assert "finished: nothing to do" in outcome.err
    assert f"{record['test_error']:.2f} %" in train("--out", finished).out
    assert before == files(finished)


def test_options_reach_the_run(train: Residua, tmp_path: Path):
    """Seed, precision and settings are what run.json says."""
    options = ("--seed", 7, "--precision", "bf16", "--set", "recipe.optim.lr=0.02")
    assert 0 == train(*options, "--out", tmp_path / "run").status
    run = RunDirectory(tmp_path / "run").run()
    assert (NET, 7, "synthetic", 64) == (run.net, run.seed, run.data.name, run.data.train_limit)
    recipe = run.recipe
    assert ("han2017", "bf16", 0.02, 32) == (
        recipe.name,
        recipe.precision,
        recipe.optim.lr,
        recipe.batch_size,
    )
    assert (1, (0.5, 0.75)) == (recipe.budget.length, recipe.schedule.at)


def test_a_runs_own_directory(train: Residua, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Without --out a run has a directory of its own below runs/."""
    monkeypatch.chdir(tmp_path)
    assert 0 == train().status
    (directory,) = (tmp_path / "runs").iterdir()
    run = RunDirectory(directory).run()
    assert f"cifar-resnet-8--han2017--s0--{run.key}" == directory.name == run.slug


@pytest.mark.parametrize(("net", "recipe"), [(NET, "he2015"), ("cifar/pyramidnet-8-a6", "han2017")])
def test_a_net_trains_as_its_paper_does(residua: Residua, tmp_path: Path, net: str, recipe: str):
    """Without --recipe it is the paper's."""
    options = ("--data", "synthetic", "--epochs", "0.1", "--set", "recipe.batch_size=32")
    assert 0 == residua("train", net, *options, "--out", tmp_path / "run").status
    assert recipe == RunDirectory(tmp_path / "run").run().recipe.name


@pytest.mark.parametrize("split", ["test", "val"])
def test_evaluate_prints_one_document(residua: Residua, finished: Path, split: str):
    """The record's error, to the digit, from a run directory as from its weights file."""
    record = json.loads((finished / "record.json").read_bytes())
    outcomes = [
        residua("evaluate", path, "--data", "synthetic", "--split", split, "--json")
        for path in (finished, finished / "model.safetensors")
    ]
    assert outcomes[0] == outcomes[1]
    assert (0, "") == (outcomes[0].status, outcomes[0].err)
    found = json.loads(outcomes[0].out)
    assert {"error", "top5_error", "nll", "ece", "n", "split", "views"} == found.keys()
    assert "plain" == found["views"]
    assert (split, {"test": 160, "val": 64}[split]) == (found["split"], found["n"])
    assert record[f"{split}_error"] == found["error"]


def test_evaluate_averages_over_views(residua: Residua, finished: Path):
    """An image with its mirror image gives the record's second error; ten crops, a third."""
    record = json.loads((finished / "record.json").read_bytes())
    found = {
        views: json.loads(
            residua("evaluate", finished, "--data", "synthetic", "--views", views, "--json").out
        )
        for views in ("plain", "flip", "crops")
    }
    assert [*found] == [result["views"] for result in found.values()]
    assert record["test_error"] == found["plain"]["error"]
    assert record["test_error_tta"] == found["flip"]["error"]
    assert 3 == len({result["nll"] for result in found.values()})
    assert "flip" in residua("evaluate", finished, "--data", "synthetic", "--views", "flip").out


def test_evaluate_in_bf16_says_how_far_it_is_from_fp32(residua: Residua, finished: Path):
    """The difference of the two errors, in the document and in the table."""
    command = ("evaluate", finished, "--data", "synthetic")
    full = json.loads(residua(*command, "--json").out)
    half = json.loads(residua(*command, "--precision", "bf16", "--json").out)
    assert full["nll"] != half["nll"]
    assert full["nll"] == pytest.approx(half["nll"], rel=0.05)
    assert half["error"] - full["error"] == half["error_difference"]
    shown = residua(*command, "--precision", "bf16").out
    assert f"{half['error_difference']:+.2f} points" in shown


def test_evaluate_validates_on_the_runs_own_split(residua: Residua, train: Residua, tmp_path: Path):
    """Not on the usual one: a run that held back 32 images trained on some of the usual 64."""
    train("--set", "data.val_size=32", "--out", tmp_path / "run")
    options = ("--data", "synthetic", "--split", "val", "--json")
    assert 32 == json.loads(residua("evaluate", tmp_path / "run", *options).out)["n"]


def test_evaluate_finds_no_validation_images_where_all_were_trained_on(
    residua: Residua, train: Residua, tmp_path: Path
):
    """It says so instead of measuring on training images."""
    train("--set", "data.val_size=0", "--out", tmp_path / "run")
    outcome = residua("evaluate", tmp_path / "run", "--data", "synthetic", "--split", "val")
    assert 2 == outcome.status
    assert "was trained on all images" in outcome.err


def test_evaluate_shows_a_table(residua: Residua, finished: Path):
    """Net, data and figures, for people."""
    record = json.loads((finished / "record.json").read_bytes())
    shown = residua("evaluate", finished, "--data", "synthetic").out
    assert NET in shown
    assert "160 of synthetic, test" in shown
    assert f"{record['test_error']:.2f} %" in shown


def test_a_missing_plotter_is_no_failure(
    train: Residua, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Without matplotlib a run ends well, and a line says how to get its curves."""
    plotter = [name for name in sys.modules if name.partition(".")[0] == "matplotlib"]
    for name in {"matplotlib", "matplotlib.figure", *plotter}:
        monkeypatch.setitem(sys.modules, name, None)
    outcome = train("--out", tmp_path)
    assert 0 == outcome.status
    assert "curves.png was not drawn: pip install 'residua[plots]'" in outcome.err.splitlines()[-1]
    assert "learning curves" not in outcome.out
    assert (tmp_path / "record.json").exists()
    assert not (tmp_path / "curves.png").exists()


def test_a_quiet_run_shows_its_result_alone(train: Residua, tmp_path: Path):
    """The record on standard output, nothing on standard error, also when it is there already."""
    for _ in range(2):
        outcome = train("--quiet", "--out", tmp_path / "run", "--json")
        assert (0, "") == (outcome.status, outcome.err)
        assert RunDirectory(tmp_path / "run").record() == json.loads(outcome.out)


def test_a_quiet_run_warns(train: Residua, tmp_path: Path):
    """A damaged checkpoint that is passed over is told."""
    out = tmp_path / "run"
    train("--out", out, "--epochs", 2)
    (out / "record.json").unlink()
    whole = (out / "checkpoint.pt").read_bytes()
    (out / "checkpoint.pt").write_bytes(whole[:-100])
    outcome = train("--quiet", "--resume", "--out", out, "--epochs", 2)
    assert 0 == outcome.status
    (warning,) = outcome.err.splitlines()
    assert "checkpoint.pt is damaged" in warning


def test_event_files_lie_in_the_runs_directory(train: Residua, files: Files, tmp_path: Path):
    """With --tensorboard there are some, beside the metrics that are there always."""
    assert 0 == train("--tensorboard", "--out", tmp_path / "run").status
    names = files(tmp_path / "run").keys()
    (events,) = [name for name in names if name.startswith("tensorboard/")]
    assert events.startswith("tensorboard/events.out.tfevents.")
    assert "metrics.jsonl" in names


def test_event_files_need_a_package(
    train: Residua, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Without it --tensorboard is refused before anything is done; runs without it go on."""
    monkeypatch.delitem(sys.modules, "residua.training.event_files", raising=False)
    for name in [name for name in sys.modules if name.partition(".")[0] == "tensorboard"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    outcome = train("--tensorboard", "--out", tmp_path / "run")
    outcome.assert_refused("--tensorboard", "pip install 'residua[tensorboard]'", status=2)
    assert not (tmp_path / "run").exists()
    assert 0 == train("--out", tmp_path / "run").status


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty dark and twenty bright JPEGs of 24x20 pixels, in a folder each; twice."""
    image = pytest.importorskip("PIL.Image")
    root = tmp_path_factory.mktemp("pictures")
    for part in ("train", "val"):
        for name, value in (("bright", 180), ("dark", 40)):
            (root / part / name).mkdir(parents=True)
            for index in range(20):
                colour = (value + index, value, value - index)
                image.new("RGB", (24, 20), colour).save(root / part / name / f"{index}.jpg")
    return root


SMALL = ("--recipe", "he2016", "--epochs", "2", "--set", "recipe.batch_size=8", "--json")


def test_folders_train_in_the_size_asked_for(residua: Residua, pictures: Path, tmp_path: Path):
    """The run, its key and its weights know it; --resume and evaluate find the same images."""
    out, data = tmp_path / "run", f"folder:{pictures / 'train'}"
    where = ("--data", data, "--data-dir", tmp_path, "--out", out)
    trained = residua("train", NET, *where, *SMALL, "--set", "data.image_size=12")
    assert 0 == trained.status, trained.err
    assert "decoding 40 images" in trained.err
    run, record = RunDirectory(out).run(), json.loads(trained.out)
    description = json.loads((out / "model.json").read_bytes())
    assert (12, 12) == (run.data.image_size, description["image_size"])
    assert ["bright", "dark"] == description["classes"]

    for more in ((), ("--resume",)):
        other = residua("train", NET, *where, *SMALL, "--quiet", *more)
        other.assert_refused("data.image_size is 12 there and 32 here", status=2)
    options = ("--data", data, "--data-dir", tmp_path, "--json")
    found = json.loads(residua("evaluate", out, *options).out)
    assert (record["test_error"], 8) == (found["error"], found["n"])
    elsewhere = residua("evaluate", out, "--data", "synthetic")
    elsewhere.assert_refused("images of synthetic are 32x32", status=2)


def test_only_folders_have_another_size(train: Residua, tmp_path: Path):
    """CIFAR's kind of images are of one size."""
    message = "the images of synthetic are 32x32: another image size is for folder:PATH"
    outcome = train("--set", "data.image_size=64", "--out", tmp_path / "run")
    outcome.assert_refused(message, status=2)
    assert not (tmp_path / "run").exists()


def test_folders_too_large_for_memory_train(
    residua: Residua, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """``imagenet:PATH`` is decoded as it is needed; evaluate streams its ``val`` folder too."""
    monkeypatch.setattr("residua.data.imagenet._num_workers", lambda: 0)  # which start slowly
    out, data = tmp_path / "run", f"imagenet:{pictures}"
    settings = ("--set", "recipe.augment.pad=0", "--set", "data.val_size=8")
    small = ("--set", "data.image_size=16", *SMALL)
    trained = residua("train", NET, "--data", data, "--out", out, *settings, *small)
    assert 0 == trained.status, trained.err
    record = json.loads(trained.out)
    assert (8, 2, 16) == (record["steps"], record["epochs"], record["data"]["image_size"])
    assert record["val_error"] is not None
    assert not list(tmp_path.glob("folders"))

    evaluated = {
        split: json.loads(residua("evaluate", out, "--data", data, "--split", split, "--json").out)
        for split in ("test", "val")
    }
    assert (record["test_error"], 40) == (evaluated["test"]["error"], evaluated["test"]["n"])
    assert (record["val_error"], 8) == (evaluated["val"]["error"], evaluated["val"]["n"])


def test_imagenets_folders_are_checked_like_others(residua: Residua, pictures: Path):
    """Every file of ``train`` and ``val``; there is nothing to fetch."""
    checked = json.loads(residua("data", "check", f"imagenet:{pictures}", "--json").out)["files"]
    assert 80 == len(checked)
    assert {"train", "val"} == {file["name"].partition("/")[0] for file in checked}
    assert all(file["ok"] for file in checked)
    assert "nothing to fetch" in residua("data", "get", f"imagenet:{pictures}").err


@pytest.mark.parametrize("arguments", [("--help",), ("list",), ("list", "--json"), ("show", NET)])
def test_quick_answers_need_no_torch(arguments: tuple[str, ...]):
    """Help, list and show answer in under half a second and import nothing heavy."""
    assert COMMAND is not None
    # Processor time, the best of five: a busy machine is no failure of ours.
    used_s: list[float] = []
    while len(used_s) < 5 and min(used_s, default=1) >= 0.5:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([COMMAND, *arguments], capture_output=True, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        used_s.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert min(used_s) < 0.5

    program = (
        "import atexit, sys; from residua.cli import main\n"
        "heavy = {'torch', 'numpy', 'pydantic', 'matplotlib', 'safetensors'}\n"
        "atexit.register(lambda: print(sorted(heavy & sys.modules.keys()), file=sys.stderr))\n"
        "main()"
    )
    command = [sys.executable, "-c", program, *arguments]
    assert "[]\n" == subprocess.run(command, capture_output=True, text=True, check=True).stderr


def test_the_version(residua: Residua):
    """It is the package's."""
    assert "residua, version 0.1.0\n" == residua("--version").out
