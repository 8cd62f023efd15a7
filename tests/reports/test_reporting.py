"""Pages of runs, of several runs and of studies, and what is refused."""

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from residua.data import sets
from residua.errors import RunError, UsageError
from residua.reports import sources
from residua.reports.reporting import Report, of_study, report
from residua.studies import findings
from residua.studies.figures import drawing
from residua.studies.findings import Claim, Figure, Findings, Paper, Table, Trained
from residua.studies.stats import paired, summarise

Make = Callable[..., Report]
CONSTANTS = {"levels": [95, 0.05, 3, 8, 32, 10], "per": 1}  # of the rules and the nets' names

STUDY = Findings(
    study="width",
    question="Is wider better?",
    source="zagoruyko2016 Table 4",
    rule="Three seeds, and the interval on one side.",
    budget="smoke",
    data="synthetic: 64 images",
    claims=(
        Claim(
            statement="WRN-10-2 has a lower error than WRN-10-1",
            paper=Paper(value="5.33", where="zagoruyko2016 Table 4"),
            ours={"wrn-10-2": summarise([8.5, 8.75, 9.25])},
            verdict="undecided",
            reason="mean difference −0.25 points, n = 3",
        ),
    ),
    tables=(Table(title="Errors", columns=("net", "error, %"), rows=(("wrn-10-2", 8.83),)),),
    figures=(
        Figure(
            name="errors",
            kind="bars",
            title="Wider nets are better",
            data={
                "x": "error, %",
                "paper": "paper",
                "bars": [{"label": "wrn-10-2", "value": 8.83}],
            },
        ),
    ),
    deviations=("short runs",),
    runs=(
        Trained(
            key="0123456789ab",
            net="cifar/wrn-10-2",
            recipe="smoke",
            seed=0,
            test_error=8.5,
            train_seconds=12.25,
            device="a CPU",
        ),
    ),
    missing=("cifar/wrn-10-1, seed 2: not trained yet",),
    command="residua study run width --seeds 3",
    environment={"device": "a CPU", "versions": {"torch": "2.13.0"}},
)


def pages(make: Make, store: Path, run_dir: Path) -> list[str]:
    """The three kinds of page."""
    made = (make(run_dir), make(store), of_study(STUDY, out=store / "study"))
    return [each.html.read_text() for each in made]


def test_pages_load_nothing(make: Make, store: Path, run_dir: Path, read: Callable[[str], Any]):
    """No script, no sheet, no picture from elsewhere: data and places in the page alone."""
    for html in pages(make, store, run_dir):
        found = read(html)
        assert all(re.match("data:image/png;base64,|#", each) for each in found.loads)
        assert not found.tags & {"script", "link", "iframe", "object", "embed", "base", "audio"}
        assert not re.search(r"url\((?!#)|@import", html)


def test_every_number_of_a_runs_page_is_its_records(
    make: Make, run_dir: Path, read: Callable[[str], Any], unfounded: Callable[..., list[str]]
):
    """Whatever stands in text and tables is a rounded value of what the page rests on."""
    made = make(run_dir)
    text = " ".join(read(made.html.read_text()).shown)
    env = json.loads((run_dir / "env.json").read_text())
    extra = [_derived(made.findings), env, CONSTANTS]
    assert [] == unfounded(text, [made.findings, *extra])
    record = made.findings["record"]
    for value in (record["test_error"], record["test_error_tta"], record["val_error"]):
        assert f"{value:.2f}" in text


def _derived(found: dict[str, Any]) -> list[float]:
    """What a page counts out of the confusions, and what the net's name alone determines."""
    from residua.arch import count, names

    confusion = found["assessment"]["confusion"]
    wrong = [sum(row) - row[index] for index, row in enumerate(confusion)]
    rates = [100 * bad / sum(row) for bad, row in zip(wrong, confusion, strict=True) if sum(row)]
    macs = count.macs(names.spec(found["record"]["net"]))
    return [*wrong, *rates, *map(sum, confusion), float(macs)]


def test_a_page_follows_its_record(make: Make, run_dir: Path, tmp_path: Path):
    """Another error in the record is another error on the page."""
    copy = shutil.copytree(run_dir, tmp_path / "copy")
    record = json.loads((copy / "record.json").read_text())
    before = f"{record['test_error_tta']:.2f} %"
    record["test_error_tta"] = 12.34
    (copy / "record.json").write_text(json.dumps(record))
    html = make(copy).html.read_text()
    assert "12.34 %" in html
    assert before not in html.replace(f"{record['test_error']:.2f} %", "")


def test_every_number_of_a_comparison_is_the_records(
    make: Make, store: Path, read: Callable[[str], Any], unfounded: Callable[..., list[str]]
):
    """Means, deviations, intervals and tests are those of the one place for statistics."""
    made = make(store)
    text = " ".join(read(made.html.read_text()).shown)
    speeds = [
        sum(record["images_per_second"] for record in group["records"]) / 3
        for group in made.findings["groups"].values()
    ]
    assert [] == unfounded(text, [made.findings, speeds, CONSTANTS])
    one, other = made.findings["groups"].values()
    errors = [{r["seed"]: r["test_error"] for r in group["records"]} for group in (one, other)]
    expected = paired(*errors)
    assert expected.p == made.findings["paired"][0]["p"]
    assert expected.difference.mean == made.findings["paired"][0]["difference"]["mean"]
    assert 3 == one["test_error"]["n"]


def test_a_study_without_claims_says_what_is_missing(tmp_path: Path):
    """Half done is said of figures alone, too."""
    page = of_study(replace(STUDY, claims=()), out=tmp_path).page
    assert "no claim is put to these nets. Half done: 1 run is missing." in page.lead


def test_a_study_half_done_says_what_is_missing(
    tmp_path: Path, read: Callable[[str], Any], unfounded: Callable[..., list[str]]
):
    """The verdict, the paper's figure beside ours, and the runs that it lacks."""
    findings.write(tmp_path, STUDY)
    made = report([tmp_path], data_dir=None, out=tmp_path / "page", say=lambda _: None)
    text = " ".join(read(made.html.read_text()).shown)
    for phrase in (
        "Half done",
        "seed 2: not trained yet",
        "undecided",
        "5.33",
        "8.83 ± 0.38 (n = 3)",
    ):
        assert phrase in text
    assert [] == unfounded(text, [findings.to_json(STUDY), CONSTANTS])


def test_a_claims_seeds_stand_beside_the_printed_error(tmp_path: Path):
    """If they are test errors of the study's runs; what is something else is not drawn so."""
    runs = tuple(
        replace(STUDY.runs[0], seed=seed, test_error=error)
        for seed, error in enumerate((8.5, 8.75, 9.25))
    )
    drawn = of_study(replace(STUDY, runs=runs), out=tmp_path / "a").html.read_text()
    assert "Every seed, beside what is printed" in drawn
    assert 1 == drawn.count("<polygon")
    other = of_study(STUDY, out=tmp_path / "b").html.read_text()
    assert "Every seed, beside what is printed" not in other


def test_a_studys_figures_take_the_pages_colours(tmp_path: Path):
    """White paper and black ink are the reader's own, in light and dark."""
    html = of_study(STUDY, out=tmp_path).html.read_text()
    drawn = html[html.index('class="drawn"') :]
    assert "var(--page)" in drawn
    assert "#ffffff" not in drawn
    assert "prefers-color-scheme: dark" in html


def test_without_matplotlib_figures_are_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The page says what to install; all else is there."""

    def absent(*_: object) -> None:
        raise ImportError

    monkeypatch.setitem(drawing.DRAWN, "bars", absent)
    html = of_study(STUDY, out=tmp_path).html.read_text()
    assert "Wider nets are better: drawn with pip install" in html
    assert "undecided" in html


def test_markdown_says_the_same_and_finds_its_figures(make: Make, run_dir: Path):
    """Every figure that it names lies beside it."""
    made = make(run_dir)
    markdown = made.html.with_suffix(".md").read_text()
    named = re.findall(r"\]\((figures/[^)]+)\)", markdown)
    assert len(named) >= 6
    assert all((made.html.parent / name).is_file() for name in named)
    assert f"{made.findings['record']['test_error']:.2f} %" in markdown


def test_a_figure_that_is_no_longer_drawn_goes(tmp_path: Path):
    """With the report that showed it; a file of somebody else's stays."""
    old = replace(STUDY.figures[0], name="old")
    of_study(replace(STUDY, figures=(*STUDY.figures, old)), out=tmp_path)
    (tmp_path / "figures" / "mine.svg").touch()
    of_study(STUDY, out=tmp_path)
    assert {"errors.svg", "mine.svg"} == {file.name for file in (tmp_path / "figures").iterdir()}


def test_names_of_others_are_text(tmp_path: Path):
    """What a folder or a study is called cannot become part of the page."""
    evil = replace(STUDY, question="<script>alert(1)</script>")
    html = of_study(evil, out=tmp_path).html.read_text()
    assert "<script>" not in html
    assert "&lt;script&gt;" in html


def test_without_the_data_the_rest_is_there(
    run_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """What is left out and how to get it stands on the page, and is said."""

    def missing(*_: object, **__: object) -> None:
        raise RunError("CIFAR-10 is not here: residua data get cifar10")

    monkeypatch.setattr(sets, "load", missing)
    said: list[str] = []
    made = report([run_dir], data_dir=None, out=tmp_path, say=said.append)
    expected = "surest mistakes are left out: CIFAR-10 is not here: residua data get cifar10"
    assert expected in made.html.read_text()
    assert expected in said[0]
    assert made.findings["assessment"] is None


def test_a_folder_of_nothing_is_refused(tmp_path: Path):
    """Neither a run nor a study."""
    with pytest.raises(UsageError, match="holds neither a run"):
        report([tmp_path], data_dir=None, out=tmp_path / "r", say=print)
    with pytest.raises(UsageError, match="does not exist"):
        report([tmp_path / "none"], data_dir=None, out=tmp_path / "r", say=print)


def test_a_run_without_a_record_is_refused(run_dir: Path, tmp_path: Path):
    """Alone it has nothing to report; among others it is listed as missing."""
    begun = shutil.copytree(run_dir, tmp_path / "begun")
    (begun / "record.json").unlink()
    with pytest.raises(UsageError, match="begun has not finished: go on"):
        report([begun], data_dir=None, out=tmp_path / "r", say=print)
    made = report([begun, run_dir], data_dir=None, out=tmp_path / "r", say=print)
    assert [f"{begun} has not finished"] == made.findings["missing"]
    assert f"{begun} has not finished" in made.html.read_text()


def test_runs_on_different_images_are_not_compared(run_dir: Path, tmp_path: Path):
    """Both are named."""
    other = shutil.copytree(run_dir, tmp_path / "other")
    content = json.loads((other / "run.json").read_text())
    content["data"]["name"] = "digits"
    (other / "run.json").write_text(json.dumps(content))
    with pytest.raises(UsageError, match=r"is on synthetic \(32 pixels\), .*other on digits"):
        report([run_dir, other], data_dir=None, out=tmp_path / "r", say=print)


def test_a_record_of_another_contract_is_refused(run_dir: Path, tmp_path: Path):
    """Its fields may mean something else."""
    other = shutil.copytree(run_dir, tmp_path / "other")
    content = json.loads((other / "record.json").read_text())
    (other / "record.json").write_text(json.dumps({**content, "contract": 2}))
    with pytest.raises(RunError, match="is of contract 2 and this residua reads 1"):
        report([run_dir, other], data_dir=None, out=tmp_path / "r", say=print)


def test_a_study_is_reported_alone(run_dir: Path, tmp_path: Path):
    """It has a page of its own."""
    findings.write(tmp_path, STUDY)
    with pytest.raises(UsageError, match="a page of its own"):
        report([tmp_path, run_dir], data_dir=None, out=tmp_path / "r", say=print)


def test_a_folder_of_runs_is_all_of_them(store: Path):
    """As --seeds leaves them."""
    assert 6 == len(sources.directories(store))
