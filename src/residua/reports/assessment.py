"""A trained net on its test images: confusions, calibration, and the mistakes it was surest of."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from residua.data import sets
from residua.data.images import DataSet, Images
from residua.data.listing import Files
from residua.nets.build import Net
from residua.reports.pictures import png
from residua.training.evaluate import Evaluation, bins_of, predict, score
from residua.weights import normalisation

MISTAKES = 12
HOTTEST = 20.0  # a temperature beyond which nothing is left of a prediction


@dataclass(frozen=True, slots=True, kw_only=True)
class Bin:
    """Images of about one confidence: how many, the mean confidence and rate of right answers."""

    n: int
    confidence_pct: float
    right_pct: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """How far confidence can be trusted."""

    ece: float
    nll: float
    bins: tuple[Bin, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mistake:
    """An image that was taken for something else, with how much confidence."""

    index: int
    label: str
    answer: str
    confidence_pct: float
    png: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessment:
    """What a net does on the test images.

    Attributes:
        classes: Their names.
        error: Percent of images got wrong.
        top5_error: Percent whose class is not among the five likeliest.
        confusion: Images by class (row) and answer (column).
        trained: Calibration as trained.
        temperature: What divides the logits so that the validation images are likeliest; None
            where the run held none back.
        scaled: Calibration with that.
        mistakes: The wrong answers given with the greatest confidence.
    """

    classes: tuple[str, ...]
    error: float
    top5_error: float
    confusion: tuple[tuple[int, ...], ...]
    trained: Calibration
    temperature: float | None
    scaled: Calibration | None
    mistakes: tuple[Mistake, ...]


def assess(net: Net, data: DataSet, *, val_size: int) -> Assessment:
    """Predict the test images once, and the run's own validation images for the temperature.

    Args:
        net: A trained net with its ``meta``.
        data: What it was trained on.
        val_size: How many training images its run held back.
    """
    assert net.meta is not None, "weights.load attaches it"
    constants = normalisation(net.meta)
    found, labels = predict(net, data.test, constants), data.test.labels
    temperature = scaled = None
    if val_size:
        val = sets.split(data, val_size=val_size).val
        temperature = best_temperature(predict(net, val, constants), val.labels)
        scaled = _calibration(at_temperature(found, temperature), labels)
    whole = score(found, labels)
    return Assessment(
        classes=data.classes,
        error=whole.error,
        top5_error=whole.top5_error,
        confusion=_confusion(found.argmax(1), labels, num_classes=len(data.classes)),
        trained=_calibration(found, labels),
        temperature=temperature,
        scaled=scaled,
        mistakes=_mistakes(found, data),
    )


def at_temperature(
    probabilities: Float[Tensor, "n classes"], temperature: float
) -> Float[Tensor, "n classes"]:
    """The probabilities that come of logits divided by a temperature."""
    return (probabilities.clamp_min(torch.finfo(torch.float64).tiny).log() / temperature).softmax(
        -1
    )


def best_temperature(
    probabilities: Float[Tensor, "n classes"], labels: Int64[Tensor, " n"]
) -> float:
    """The temperature at which some images' own classes are likeliest, to a part in a million.

    The likelihood has one peak over the inverse temperature, which golden sections close in on.

    Source: Guo et al. 2017, §4.2.
    """

    def nll(power: float) -> float:
        return score(at_temperature(probabilities, math.exp(power)), labels).nll

    ratio = (math.sqrt(5) - 1) / 2
    low, high = -math.log(HOTTEST), math.log(HOTTEST)
    left, right = high - ratio * (high - low), low + ratio * (high - low)
    below, above = nll(left), nll(right)
    while high - low > 1e-6:
        if below < above:
            high, right, above = right, left, below
            left = high - ratio * (high - low)
            below = nll(left)
        else:
            low, left, below = left, right, above
            right = low + ratio * (high - low)
            above = nll(right)
    return math.exp((low + high) / 2)


def _calibration(found: Float[Tensor, "n classes"], labels: Int64[Tensor, " n"]) -> Calibration:
    whole: Evaluation = score(found, labels)
    confidence, answers = found.max(1)
    places = bins_of(confidence)
    bins: list[Bin] = []
    for place in places.unique().tolist():
        inside = places == place
        right = (answers == labels)[inside].double()
        percents = 100 * confidence[inside].mean().item(), 100 * right.mean().item()
        bins.append(Bin(n=len(right), confidence_pct=percents[0], right_pct=percents[1]))
    return Calibration(ece=whole.ece, nll=whole.nll, bins=tuple(bins))


def _confusion(
    answers: Int64[Tensor, " n"], labels: Int64[Tensor, " n"], *, num_classes: int
) -> tuple[tuple[int, ...], ...]:
    counts = torch.bincount(labels * num_classes + answers, minlength=num_classes**2)
    return tuple(tuple(row) for row in counts.view(num_classes, -1).tolist())


def _mistakes(found: Float[Tensor, "n classes"], data: DataSet) -> tuple[Mistake, ...]:
    confidence, answers = found.max(1)
    surest = torch.where(answers != data.test.labels, confidence, -1.0).sort(descending=True)
    chosen = surest.indices[: min(MISTAKES, int((surest.values >= 0).sum()))]
    return tuple(
        Mistake(
            index=index,
            label=data.classes[data.test.labels[index]],
            answer=data.classes[answers[index]],
            confidence_pct=100 * confidence[index].item(),
            png=png(pixels),
        )
        for index, pixels in zip(chosen.tolist(), _pixels(data.test, chosen), strict=True)
    )


def _pixels(images: Images | Files, chosen: Int64[Tensor, " m"]) -> list[Tensor]:
    """Some images' pixels; such as are not in memory are decoded."""
    if isinstance(images, Images):
        return list(images.take(chosen).pixels)
    batches = sets.import_room("imagenet").middles(
        images.take(chosen), batch_size=MISTAKES, turn=slice(None)
    )
    return [image for pixels, _ in batches for image in pixels]
