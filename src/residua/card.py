"""The page beside published weights: what the net is, what came of it, what its paper prints."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from residua.arch import count, names, papers
from residua.nets.build import Meta, Net

# What the Hub calls our data sets.
DATASETS = {"cifar10": "cifar10", "cifar100": "cifar100", "svhn": "svhn", "imagenet": "imagenet-1k"}


def card(net: Net, meta: Meta, *, record: dict[str, Any] | None, licence: str, place: str) -> str:
    """A model card in Markdown, its front matter in YAML as the Hub reads it.

    Args:
        net: The net.
        meta: What its weights were trained on.
        record: What came of its training, as ``record.json`` has it.
        licence: Of the weights, in the Hub's words: ``mit``, ``cc-by-4.0``.
        place: What ``from_pretrained`` is told.
    """
    text = (
        *_front_matter(meta, record, licence),
        f"# {meta.net} on {meta.data}",
        _introduction(net, meta),
        "## Error",
        *_errors(meta, record),
        "## Use",
        _use(place),
        "## Licence",
        f"The weights: {licence}. The code that reads them, residua: MIT.",
    )
    return "\n\n".join(text) + "\n"


def _front_matter(meta: Meta, record: dict[str, Any] | None, licence: str) -> Iterator[str]:
    dataset = DATASETS.get(meta.data, meta.data)
    fields: dict[str, Any] = {
        "library_name": "residua",
        "license": licence,
        "pipeline_tag": "image-classification",
        "tags": ["residua", "pytorch", names.entry(meta.net).family],
    }
    if meta.data in DATASETS:
        fields["datasets"] = [dataset]
    if record is not None:
        metric = {"type": "error", "name": "test error, %", "value": record["test_error"]}
        result = {
            "task": {"type": "image-classification"},
            "dataset": {"type": dataset, "name": meta.data},
            "metrics": [metric],
        }
        fields["model-index"] = [{"name": meta.net, "results": [result]}]
    # JSON is YAML too, and leaves no doubt about any text.
    lines = [f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in fields.items()]
    yield "\n".join(("---", *lines, "---"))


def _introduction(net: Net, meta: Meta) -> str:
    paper = papers.paper(names.entry(meta.net).paper)
    arxiv = f" ([arXiv:{paper.arxiv}](https://arxiv.org/abs/{paper.arxiv}))" if paper.arxiv else ""
    size, channels = meta.image_size, net.spec.in_channels
    return (
        f"The net `{meta.net}`, after {paper.authors} {paper.year}, *{paper.title}*{arxiv}, with "
        f"{count.params(net.spec):,} parameters. It tells {len(meta.classes)} classes apart, in "
        f"images of {size}×{size} pixels and {channels} channel{'s' * (channels > 1)}; how they "
        f"are normalised stands in `model.json`."
    )


def _errors(meta: Meta, record: dict[str, Any] | None) -> Iterator[str]:
    rows = ["| | error, % |", "|---|---:|"]
    if record is not None:
        rows += [
            f"| these weights, on the test images | {record['test_error']:.2f} |",
            f"| the same, averaged with the mirrored images | {record['test_error_tta']:.2f} |",
        ]
    printed = papers.errors(meta.net, meta.data)
    rows += [f"| printed: {fact.where} | {fact.printed_error} |" for fact in printed]
    if len(rows) > 2:
        yield "\n".join(rows)
    else:
        yield "Nothing is printed about this net on this data, and no record came with the weights."
    for fact in printed:
        yield f"The printed figure's training: {fact.recipe_note}."
    if record is not None:
        yield _training(record)


def _training(record: dict[str, Any]) -> str:
    rows = {
        "recipe": f"`{record['recipe']['name']}`",
        "epochs": f"{record['epochs']:,}",
        "steps": f"{record['steps']:,}",
        "seed": record["seed"],
        "training time, s": f"{record['train_seconds']:,.0f}",
        "device": record["device"],
        "versions": ", ".join(f"{name} {version}" for name, version in record["versions"].items()),
    }
    table = "\n".join(f"| {key} | {value} |" for key, value in rows.items())
    return (
        f"| training of these weights | |\n|---|---|\n{table}\n\n"
        f"The test images were seen once, at the end. `record.json` has the whole."
    )


def _use(place: str) -> str:
    return f"""```python
import residua
from residua import hub

net = hub.from_pretrained({json.dumps(place)})
residua.predict(net, "photo.jpg")
```"""
