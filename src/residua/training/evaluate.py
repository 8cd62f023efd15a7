"""Evaluation: every image counted once, with running statistics."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn import functional

from residua.arch import layers
from residua.data.images import Images
from residua.data.listing import Files
from residua.data.loaders import evaluation_batches
from residua.data.normalise import Normalisation
from residua.errors import RunError
from residua.nets.build import Net
from residua.nets.fold import fold
from residua.training.ranks import ALONE, Ranks

BATCH_SIZE = 250
# What a CPU handles at a time, so that a layer finds in the caches what the one before it wrote: of
# the largest maps, and of images in fp32, of which there are twice as many in bf16.
MOST_BYTES = 16 * 2**20
MOST_IMAGES = 64
NUM_BINS = 15  # of the calibration error: Guo et al. 2017, §3


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """One look at an image: moved, then perhaps mirrored.

    Attributes:
        down: How far it is moved, in sixteenths of its height, each at least one pixel.
        right: Likewise, of its width.
        mirrored: Whether left and right are exchanged.
    """

    down: int = 0
    right: int = 0
    mirrored: bool = False

    def of(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """This view of each image of a batch; at a border comes into sight its reflection."""
        h, w = x.shape[2:]
        down, right = self.down * _sixteenth(h), self.right * _sixteenth(w)
        if down or right:
            pad = max(abs(down), abs(right))
            padded = functional.pad(x, (pad,) * 4, mode="reflect")
            x = padded[:, :, pad - down :, pad - right :][:, :, :h, :w]
        return x.flip(-1) if self.mirrored else x


PLAIN = (View(),)
FLIP = (View(), View(mirrored=True))
# The middle and the four corners, and their mirror images.  Source: krizhevsky2012 §4.1.
CROPS = tuple(
    View(down=down, right=right, mirrored=mirrored)
    for mirrored in (False, True)
    for down, right in ((0, 0), (-1, -1), (-1, 1), (1, -1), (1, 1))
)
VIEWS: dict[str, tuple[View, ...]] = {"plain": PLAIN, "flip": FLIP, "crops": CROPS}


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """What a net does on a set of images.

    Attributes:
        error: Percent of images whose likeliest class is wrong.
        top5_error: Percent of images whose class is not among the five likeliest.
        nll: Mean negative log-likelihood of the right class, in nats.
        ece: Expected calibration error over 15 equal bins of confidence, in percent.
        n: Number of images.
    """

    error: float
    top5_error: float
    nll: float
    ece: float
    n: int


def evaluate(  # noqa: PLR0913 - predict's
    net: Net,
    images: Images | Files,
    normalisation: Normalisation,
    *,
    views: tuple[View, ...] = PLAIN,
    ranks: Ranks = ALONE,
    precision: Literal["fp32", "bf16"] = "fp32",
) -> Evaluation:
    """Error, likelihood and calibration of a net on some images, at least one.

    Arguments and what it raises are those of :func:`predict`; the net is left as it is.
    """
    found = predict(net, images, normalisation, views=views, ranks=ranks, precision=precision)
    return score(found, images.labels)


def score(probabilities: Float[Tensor, "n classes"], labels: Int64[Tensor, " n"]) -> Evaluation:
    """Error, likelihood and calibration of predictions, float64 on the CPU."""
    right = probabilities.gather(1, labels[:, None])
    top5 = probabilities.topk(min(5, probabilities.shape[1])).indices
    return Evaluation(
        error=_percent(probabilities.argmax(1) != labels),
        top5_error=_percent((top5 != labels[:, None]).all(1)),
        nll=-right.clamp_min(torch.finfo(torch.float64).tiny).log().mean().item(),
        ece=calibration_error(probabilities, labels),
        n=len(labels),
    )


def predict(  # noqa: PLR0913 - all but three have a default
    net: Net,
    images: Images | Files,
    normalisation: Normalisation,
    *,
    views: tuple[View, ...] = PLAIN,
    ranks: Ranks = ALONE,
    precision: Literal["fp32", "bf16"] = "fp32",
) -> Float[Tensor, "n classes"]:
    """Probability of each class for each image, the mean over some views of it; float64, CPU.

    Several ranks take the batches in turn and all know the whole afterwards: the same batches as
    on one, so the same numbers.

    Args:
        net: It is left as it is; a copy, see :func:`residua.nets.fold.fold`, predicts.
        images: What is predicted.
        normalisation: The net's.
        views: How each image is looked at.
        ranks: Who shares the work.
        precision: What convolutions compute in.

    Raises:
        UsageError: As :func:`residua.nets.fold.fold`.
        RunError: A probability is not finite, or a file cannot be decoded.
    """
    dtype = torch.bfloat16 if precision == "bf16" else net.classifier.weight.dtype
    folded = fold(net, dtype=dtype)
    found = torch.zeros(len(images), net.spec.num_classes, dtype=torch.float64)
    turn = slice(ranks.rank, None, ranks.count)
    with torch.inference_mode():
        batches = evaluation_batches(
            images,
            batch_size=BATCH_SIZE,
            normalisation=normalisation,
            device=net.classifier.weight.device,
            turn=turn,
        )
        starts = range(0, len(images), BATCH_SIZE)[turn]
        for start, (x, _) in zip(starts, batches, strict=True):
            pieces = x.split(_at_once(net, x, dtype))
            each = [torch.cat([folded(view.of(piece)) for piece in pieces]) for view in views]
            found[start:][: len(x)] = torch.stack(each).double().softmax(-1).mean(0).cpu()
    found = ranks.added(found)
    if not found.isfinite().all():
        raise RunError(
            "the net's outputs are not finite: its weights are too large or ruined; if --precision "
            "is bf16, try fp32"
        )
    return found


def calibration_error(
    probabilities: Float[Tensor, "n classes"], labels: Int64[Tensor, " n"]
) -> float:
    """Mean gap between confidence and rate of right answers over equal bins, in percent.

    Source: Guo et al. 2017, eq. 3.
    """
    confidence, predicted = probabilities.max(1)
    gaps = (predicted == labels).double() - confidence
    bins = bins_of(confidence)
    sums = torch.zeros(NUM_BINS, dtype=torch.float64).index_add_(0, bins, gaps)
    return 100 * sums.abs().sum().item() / len(labels)


def bins_of(confidence: Float[Tensor, " n"]) -> Int64[Tensor, " n"]:
    """The bin, from 0, that each confidence in 0…1 falls into; a bin's upper end is in it."""
    return (confidence * NUM_BINS).ceil().long().clamp(1, NUM_BINS) - 1


def _sixteenth(side: int) -> int:
    """Whole pixels, at least one; but a side of one pixel has no other to show."""
    return min(side - 1, max(1, side // 16))


def _at_once(net: Net, x: Float[Tensor, "n c h w"], dtype: torch.dtype) -> int:
    if x.device.type != "cpu":
        return len(x)
    sized = layers.walk(net.spec, image_size=max(x.shape[2:]))
    largest = max(layer.c_out * size**2 for layer, size in sized)
    most_images = MOST_IMAGES * 4 // dtype.itemsize
    return max(1, min(most_images, MOST_BYTES // (largest * dtype.itemsize)))


def _percent(wrong: Tensor) -> float:
    return 100 * int(wrong.sum()) / len(wrong)
