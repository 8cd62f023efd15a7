"""Findings as a file: what goes in comes out, and what is damaged is refused."""

import json
from pathlib import Path

import pytest

from residua.errors import RunError, UsageError
from residua.studies import findings
from residua.studies.findings import Claim, Figure, Findings, Paper, Table, Trained
from residua.studies.stats import Summary

FOUND = Findings(
    study="degradation",
    question="Does it?",
    source="he2015",
    rule="three seeds",
    budget="laptop",
    data="cifar10",
    claims=(
        Claim(
            statement="It does.",
            paper=Paper(value="6.43", where="he2015 Table 6"),
            ours={
                "plain-20": Summary(n=3, mean=8.5, sd=0.5, interval=(7.0, 10.0)),
                "resnet-20": Summary(n=1, mean=8.0, sd=None, interval=None),
            },
            verdict="undecided",
            reason="n = 1",
        ),
    ),
    tables=(Table(title="t", columns=("net", "n"), rows=(("a", 1), ("b", None), ("c", 2.5))),),
    figures=(Figure(name="f", kind="lines", title="title", data={"panels": [1, {"x": None}]}),),
    deviations=("one",),
    runs=(
        Trained(
            key="0123456789ab",
            net="cifar/plain-20",
            recipe="laptop",
            seed=0,
            test_error=8.5,
            train_seconds=1.5,
            device="CPU",
        ),
    ),
    missing=(),
    command="residua study run degradation",
    environment={"versions": {"torch": "2"}},
)


def test_what_is_written_is_read(tmp_path: Path):
    """Every type of value comes back as it was."""
    findings.write(tmp_path, FOUND)
    assert FOUND == findings.read(tmp_path)
    assert FOUND == findings.from_json(findings.to_json(FOUND))


def test_a_folder_of_something_else(tmp_path: Path):
    """It is named, with what is missing in it."""
    with pytest.raises(UsageError, match=r"is no study's folder: findings\.json"):
        findings.read(tmp_path)


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[:-20],
        lambda text: text.replace("undecided", "perhaps"),
        lambda text: text.replace('"study"', '"studies"'),
        lambda text: json.dumps([text]),
    ],
)
def test_a_damaged_file(tmp_path: Path, damage):
    """It is refused with its name, whatever is wrong with it."""
    findings.write(tmp_path, FOUND)
    file = tmp_path / findings.FILE
    file.write_text(damage(file.read_text()))
    with pytest.raises(RunError, match=r"findings\.json is damaged .*: run the study again$"):
        findings.read(tmp_path)
