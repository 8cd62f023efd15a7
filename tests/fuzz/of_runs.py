"""The files of runs: checkpoints, weights, and the JSON beside them."""

import contextlib
import io
import json
import random
import zipfile
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import torch
from changes import WEIRD, Format, change_value, mutated, mutated_json

from residua import weights
from residua.data import sets
from residua.runs.config import DataChoice, Run, override
from residua.runs.records import Metrics, RunDirectory, open_directory
from residua.tables.runs import print_record
from residua.training import presets, recipes, train
from residua.training.loop import Fit
from residua.training.progress import Watcher
from residua.training.runtime import Runtime

NET = "cifar/densenet-7-4"  # small, so that tensors are not all of its files


class Reached(Exception):  # noqa: N818 - no error
    """Training would go on now."""


def formats(directory: Path) -> list[Format]:
    """Return all formats; their files are those of a run that is made in the directory."""
    run, data = a_run(), sets.load("synthetic")
    state = train.prepare(run, data, Runtime(device=torch.device("cpu")))
    place = open_directory(directory / "run", run, resume=True, env={})
    train.train(state, data, place, Watcher())

    def description() -> object:
        return weights.load(place.path)

    def record() -> object:
        with contextlib.redirect_stdout(io.StringIO()):
            return print_record(place.record() or {}, place)

    def opened() -> object:
        return open_directory(place.path, run, resume=True, env={})

    found = [
        of_file("run", place.path / "run.json", opened, mutated_json),
        of_file("record", place.path / "record.json", record, mutated_json),
        of_file("metrics", place.path / "metrics.jsonl", place.metrics, mutated_json),
        of_file("description", place.path / "model.json", description, mutated_json),
        of_file("weights", place.weights, description, mutated),
    ]
    return [*found, checkpoint(state, data, place)]


def a_run() -> Run:
    """Return the description of a run of two short epochs."""
    choice = DataChoice(name="synthetic", val_size=64)
    run = Run(net=NET, data=choice, recipe=recipes.rescaled(presets.HAN2017, 2), seed=0)
    return override(run, ("recipe.batch_size=16", "data.train_limit=32"))


def of_file(name: str, file: Path, read: Callable[[], object], mutate: Callable) -> Format:
    """Return the format of one file; what reads it finds it where it belongs."""
    sound = file.read_bytes()
    if file.suffix == ".json":
        sound = json.dumps(json.loads(sound)).encode()  # one line

    def put_and_read(raw: bytes) -> object:
        file.write_bytes(raw)
        return read()

    return Format(name, [sound], put_and_read, mutate)


def checkpoint(state: Fit, data: sets.DataSet, place: RunDirectory) -> Format:
    """Return the format of checkpoints, from which a run goes on or not."""
    sound = place.checkpoint.read_bytes()
    content = torch.load(io.BytesIO(sound), weights_only=True)
    for file in place.path.glob("checkpoint.*"):
        file.unlink()  # or the one before would be taken

    def read(raw: bytes) -> object:
        state.load_state_dict(content)
        place.checkpoint.write_bytes(raw)
        with mock.patch.object(train, "fit", side_effect=Reached), contextlib.suppress(Reached):
            train.train(state, data, place, Watcher())
        return [Metrics(**epoch) for epoch in state.epochs]

    return Format("checkpoint", [sound], read, mutated_checkpoint)


def mutated_checkpoint(seeds: list[bytes], generator: random.Random) -> bytes:
    """Return an archive with damaged bytes, a damaged member, or other values."""
    match generator.randrange(3):
        case 0:
            return mutated(seeds, generator)
        case 1:
            return with_damaged_member(seeds[0], generator)
        case _:
            content = torch.load(io.BytesIO(seeds[0]), weights_only=True)
            for _ in range(generator.randint(1, 3)):
                change_value(content, (*WEIRD, torch.zeros(3)), generator)
            stream = io.BytesIO()
            torch.save(content, stream)
            return stream.getvalue()


def with_damaged_member(archive: bytes, generator: random.Random) -> bytes:
    """Return an archive whose checksums are right, with one damaged member, mostly the pickle."""
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(archive)) as old, zipfile.ZipFile(stream, "w") as new:
        names = old.namelist()
        pickled = next(name for name in names if name.endswith("data.pkl"))
        chosen = pickled if generator.random() < 0.7 else generator.choice(names)
        for name in names:
            member = old.read(name)
            new.writestr(name, mutated([member], generator) if name == chosen else member)
    return stream.getvalue()
