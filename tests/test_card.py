"""Model cards: what they say of net, data, errors and licence, and that the Hub can read it."""

from typing import Any

import pytest
import torch

from residua.arch import papers
from residua.card import card
from residua.nets.build import Meta, Net, create

RECORD = {
    "test_error": 8.71,
    "test_error_tta": 8.25,
    "epochs": 182,
    "steps": 64_000,
    "seed": 3,
    "train_seconds": 5400.4,
    "device": "some CPU",
    "recipe": {"name": "he2015"},
    "versions": {"torch": "2.13.0"},
}


def meta(net: str, *, data: str = "cifar10") -> Meta:
    """What weights of ten classes are."""
    return Meta(
        net=net,
        data=data,
        classes=tuple("abcdefghij"),
        mean=torch.zeros(3),
        std=None,
        image_size=32,
    )


@pytest.fixture(scope="module")
def net() -> Net:
    """A net that He et al. report."""
    return create("cifar/resnet-20")


def written(net: Net, *, data: str = "cifar10", record: dict[str, Any] | None = RECORD) -> str:
    """A net's card."""
    about = meta("cifar/resnet-20", data=data)
    return card(net, about, record=record, licence="cc-by-4.0", place="me/r20")


def test_a_card_has_the_record_beside_the_papers_figure(net: Net):
    """Our error, and what the paper prints about the net on these data, with its table."""
    text = written(net)
    (fact,) = [fact for fact in papers.facts("cifar/resnet-20") if fact.dataset == "cifar10"]
    assert "| these weights, on the test images | 8.71 |" in text
    assert "| the same, averaged with the mirrored images | 8.25 |" in text
    assert f"| printed: {fact.where} | {fact.error} |" in text
    assert fact.recipe_note in text
    assert "| recipe | `he2015` |\n| epochs | 182 |\n| steps | 64,000 |\n| seed | 3 |" in text


def test_a_card_says_what_the_net_is_and_how_to_use_it(net: Net):
    """Paper, parameters, size, licence, and the two lines that load it."""
    text = written(net)
    assert "# cifar/resnet-20 on cifar10\n" in text
    assert "[arXiv:1512.03385](https://arxiv.org/abs/1512.03385)" in text
    assert "269,722 parameters" in text
    assert "images of 32×32 pixels and 3 channels" in text
    assert 'net = hub.from_pretrained("me/r20")' in text
    assert "The weights: cc-by-4.0." in text


def test_the_hub_reads_the_front_matter(net: Net):
    """Its own package finds licence, library, data set and the error."""
    hub = pytest.importorskip("huggingface_hub", reason="huggingface_hub is not installed")
    data = hub.ModelCard(written(net)).data
    assert ("cc-by-4.0", "residua", ["cifar10"]) == (data.license, data.library_name, data.datasets)
    assert "image-classification" == data.pipeline_tag
    (result,) = data.eval_results
    assert ("cifar10", "error", 8.71) == (
        result.dataset_type,
        result.metric_type,
        result.metric_value,
    )


def test_nothing_is_made_up(net: Net):
    """Without a record no error is told, and without a printed figure none is compared with."""
    assert "these weights" not in written(net, record=None)
    assert "model-index" not in written(net, record=None)
    pets = written(net, data="folder")
    assert "printed" not in pets
    assert "datasets" not in pets
    assert "| these weights, on the test images | 8.71 |" in pets
    nothing = written(net, data="folder", record=None)
    assert "Nothing is printed about this net on this data, and no record came" in nothing
