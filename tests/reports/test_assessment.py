"""What is found out on the test images."""

import io
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from residua import weights
from residua.data import sets
from residua.data.images import Images
from residua.reports import assessment
from residua.reports.assessment import Assessment, assess, at_temperature, best_temperature
from residua.reports.pictures import png
from residua.training.evaluate import evaluate, predict


@pytest.fixture(scope="module")
def assessed(run_dir: Path) -> Assessment:
    """A run's net on the synthetic test images."""
    return assess(weights.load(run_dir), sets.load("synthetic"), val_size=32)


def test_confusions_are_counts_of_all_images(assessed: Assessment, run_dir: Path):
    """Their sum is all images, and what is off the diagonal is the error."""
    net, test = weights.load(run_dir), sets.load("synthetic").test
    assert net.meta is not None
    found = evaluate(net, test, weights.normalisation(net.meta))
    counts = torch.tensor(assessed.confusion)
    assert len(test) == int(counts.sum())
    assert test.labels.bincount(minlength=10).tolist() == counts.sum(1).tolist()
    wrong = 100 * (1 - counts.diag().sum().item() / len(test))
    assert found.error == pytest.approx(wrong)
    assert (found.error, found.ece) == (assessed.error, assessed.trained.ece)


def test_bins_make_up_the_calibration_error(assessed: Assessment):
    """Weighted by their images, the gaps of the bins are the expected calibration error."""
    bins = assessed.trained.bins
    n = sum(each.n for each in bins)
    gaps = sum(each.n / n * abs(each.right_pct - each.confidence_pct) for each in bins)
    assert assessed.trained.ece == pytest.approx(gaps)


def test_the_surest_mistakes_come_first(assessed: Assessment):
    """Each is wrong, and none that is left out was surer."""
    sure = [mistake.confidence_pct for mistake in assessed.mistakes]
    assert sorted(sure, reverse=True) == sure
    assert all(mistake.label != mistake.answer for mistake in assessed.mistakes)
    labels = sets.load("synthetic").test.labels
    classes = assessed.classes
    assert [classes[labels[m.index]] for m in assessed.mistakes] == [
        m.label for m in assessed.mistakes
    ]


def test_the_temperature_that_made_the_labels_is_found():
    """Labels drawn at temperature 1 from logits that were sharpened threefold ask for 3."""
    generator = torch.Generator().manual_seed(0)
    logits = 2 * torch.randn(20_000, 5, dtype=torch.float64, generator=generator)
    labels = logits.softmax(-1).multinomial(1, generator=generator)[:, 0]
    assert 3 == pytest.approx(best_temperature((3 * logits).softmax(-1), labels), rel=0.03)


def test_the_temperature_is_a_minimum():
    """A little more or less makes the labels less likely."""
    generator = torch.Generator().manual_seed(1)
    found = torch.randn(500, 4, dtype=torch.float64, generator=generator).softmax(-1)
    labels = found.multinomial(1, generator=generator)[:, 0]
    best = best_temperature(found, labels)

    def nll(temperature: float) -> float:
        chosen = at_temperature(found, temperature).gather(1, labels[:, None])
        return -chosen.log().mean().item()

    assert nll(best) <= min(nll(0.99 * best), nll(1.01 * best))


def test_the_temperature_is_of_the_validation_images(assessed: Assessment, run_dir: Path):
    """The test images have no say in it."""
    net, data = weights.load(run_dir), sets.load("synthetic")
    assert net.meta is not None
    val = sets.split(data, val_size=32).val
    found = predict(net, val, weights.normalisation(net.meta))
    assert best_temperature(found, val.labels) == assessed.temperature


def test_no_validation_no_temperature(run_dir: Path):
    """Nothing is fitted on the test images instead."""
    found = assess(weights.load(run_dir), sets.load("synthetic"), val_size=0)
    assert (None, None) == (found.temperature, found.scaled)


@pytest.mark.parametrize("channels", [1, 3])
def test_pictures_are_what_they_were(channels: int):
    """Another reader finds the same pixels."""
    image = pytest.importorskip("PIL.Image", reason="pip install 'residua[images]'")
    generator = torch.Generator().manual_seed(2)
    pixels = torch.randint(256, (channels, 5, 7), dtype=torch.uint8, generator=generator)
    with image.open(io.BytesIO(png(pixels))) as opened:
        opened.load()
        assert ((7, 5), {1: "L", 3: "RGB"}[channels]) == (opened.size, opened.mode)
        content = torch.frombuffer(bytearray(opened.tobytes()), dtype=torch.uint8)
    assert torch.equal(pixels, content.view(5, 7, channels).permute(2, 0, 1))


def test_a_perfect_net_has_no_mistakes():
    """Then there is nothing to show."""
    labels = torch.arange(4)
    pixels = torch.zeros(4, 3, 2, 2, dtype=torch.uint8)
    images = Images(pixels, labels)
    data = sets.DataSet("d", ("a", "b", "c", "d"), images, images, val_size=0)
    assert () == assessment._mistakes(torch.eye(4, dtype=torch.float64), data)


def test_images_that_are_not_in_memory_are_decoded(tmp_path: Path):
    """In the order that was asked for, at the net's size."""
    image = pytest.importorskip("PIL.Image", reason="pip install 'residua[images]'")
    for split in ("train", "val"):
        for name, grey in (("a", 40), ("b", 200)):
            (tmp_path / split / name).mkdir(parents=True)
            for index in range(2):
                picture = image.new("RGB", (80, 70), (grey + index,) * 3)
                picture.save(tmp_path / split / name / f"{index}.png")
    files = sets.load(f"imagenet:{tmp_path}", image_size=64).test
    pixels = assessment._pixels(replace(files, num_workers=0), torch.tensor([3, 0]))
    assert [(3, 64, 64)] * 2 == [tuple(each.shape) for each in pixels]
    assert [201, 40] == [each.unique().item() for each in pixels]
