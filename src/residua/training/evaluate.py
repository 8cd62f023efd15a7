"""Evaluation: every image counted once, in fp32, with running statistics."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn import functional

from residua.data.images import Images
from residua.data.loaders import evaluation_batches
from residua.data.normalise import Normalisation
from residua.nets.build import Net
from residua.training.ranks import ALONE, Ranks

BATCH_SIZE = 250
NUM_BINS = 15  # of the calibration error: Guo et al. 2017, §3


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


def evaluate(
    net: Net, images: Images, normalisation: Normalisation, *, ranks: Ranks = ALONE
) -> Evaluation:
    """Error, likelihood and calibration of a net on some images, at least one.

    The net is used in evaluation mode and left in the mode that it was in.
    """
    return score(predict(net, images, normalisation, ranks=ranks), images.labels)


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


def predict(
    net: Net,
    images: Images,
    normalisation: Normalisation,
    *,
    mirrored: bool = False,
    ranks: Ranks = ALONE,
) -> Float[Tensor, "n classes"]:
    """Probability of each class for each image, or for its mirror image; float64 on the CPU.

    Several ranks take the batches in turn and all know the whole afterwards: the same batches as
    on one, so the same numbers.
    """
    was_training = net.training
    net.eval()
    probabilities = torch.zeros(len(images), net.spec.num_classes, dtype=torch.float64)
    with torch.inference_mode():
        batches = evaluation_batches(
            images,
            batch_size=BATCH_SIZE,
            mean=normalisation.mean,
            std=normalisation.std,
            device=net.classifier.weight.device,
        )
        for index, (x, _) in enumerate(batches):
            if index % ranks.count == ranks.rank:
                logits = net(x.flip(-1) if mirrored else x)
                found = functional.softmax(logits.double(), dim=1)
                probabilities[index * BATCH_SIZE :][: len(x)] = found.cpu()
    net.train(was_training)
    return ranks.added(probabilities)


def calibration_error(
    probabilities: Float[Tensor, "n classes"], labels: Int64[Tensor, " n"]
) -> float:
    """Mean gap between confidence and rate of right answers over equal bins, in percent.

    Source: Guo et al. 2017, eq. 3.
    """
    confidence, predicted = probabilities.max(1)
    gaps = (predicted == labels).double() - confidence
    bins = (confidence * NUM_BINS).ceil().long().clamp(1, NUM_BINS) - 1
    sums = torch.zeros(NUM_BINS, dtype=torch.float64).index_add_(0, bins, gaps)
    return 100 * sums.abs().sum().item() / len(labels)


def _percent(wrong: Tensor) -> float:
    return 100 * int(wrong.sum()) / len(wrong)
