"""What the committed findings came to, as Markdown that cog puts into the pages."""

from __future__ import annotations

from pathlib import Path

from docs.tables import WORDS, table
from residua.reports.studies import page
from residua.studies import findings
from residua.studies.named import EXPERIMENTS

STUDIES = Path(__file__).with_name("studies")
NOT_YET = "Not run yet, but for a smoke test on synthetic images."


def studies() -> str:
    """A section a study: its question, whose claim it is, what was found; below, what decides."""
    sections = [
        "\n\n".join(
            (f"## {one.name}", f"**{one.question}**", f"After {one.source}.", lead(one.name))
        ).rstrip()
        for one in EXPERIMENTS.values()
    ]
    rules: dict[str, list[str]] = {}
    for one in EXPERIMENTS.values():
        rules.setdefault(one.rule, []).append(f"`{one.name}`")
    decides = [f"**{', '.join(of)}.** {rule}" for rule, of in rules.items()]
    return "\n\n".join((*sections, "## What decides", *decides))


def lead(study: str) -> str:
    """How many claims of a study were confirmed, refuted and left undecided; "" if none was run."""
    if not ran(study):
        return ""
    found = findings.read(STUDIES / study)
    return (
        f"At `{found.budget}`: {page(found, {}).lead} "
        f"[Numbers and figures](../studies/{study}/report.md)."
    )


def of(paper: str) -> str:
    """The studies of a paper's claims, each with its question and with what came of it."""
    return "\n\n".join(
        "\n\n".join(
            (
                f"**{one.question}** (`residua study run {one.name}`)",
                *((lead(one.name), verdicts(one.name)) if ran(one.name) else (NOT_YET,)),
            )
        )
        for one in EXPERIMENTS.values()
        if paper in one.source
    )


def ran(study: str) -> bool:
    """Whether findings of a study are committed."""
    return (STUDIES / study).is_dir()


def verdicts(study: str) -> str:
    """Each claim of a study, and what came of it."""
    claims = findings.read(STUDIES / study).claims
    lines = [(claim.statement, f"**{claim.verdict}**", claim.reason) for claim in claims]
    return table(("claim", "here", "by"), (WORDS,) * 3, lines)


def figure(study: str, name: str, *, up: str = "../") -> str:
    """A figure of a study below what it says; ``up`` leads from the page's folder to this one."""
    (title,) = (each.title for each in findings.read(STUDIES / study).figures if each.name == name)
    return f"**{title}**\n\n![{title}]({up}studies/{study}/figures/{name}.svg)"
