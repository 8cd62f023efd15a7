"""Evaluation: figures computed by hand, every image once, the net left as it was."""

import dataclasses
import math
from collections.abc import Sequence
from typing import Literal

import pytest
import torch
from torch import Tensor

from residua.arch.families import resnet
from residua.data.images import Images
from residua.data.normalise import Normalisation
from residua.errors import RunError
from residua.nets.build import Net, build
from residua.training import evaluate as evaluation
from residua.training.evaluate import (
    CROPS,
    FLIP,
    PLAIN,
    VIEWS,
    View,
    calibration_error,
    evaluate,
    predict,
)
from residua.training.ranks import Ranks

AS_THEY_ARE = Normalisation(torch.zeros(3), torch.ones(3))
MIXED = [0.5, 0.3, 0.1, 0.05, 0.03, 0.02]
SURE = [0.04, 0.05, 0.85, 0.03, 0.02, 0.01]


class Table(Net):
    """A net that looks its answer up: row i of a table for an image whose first pixel is i."""

    def __init__(self, rows: list[list[float]]) -> None:
        super().__init__(dataclasses.replace(resnet(8), num_classes=len(rows[0])))
        self.rows = torch.tensor(rows).log()
        self.batch_sizes: list[int] = []
        self.saw = self.batch_sizes.append  # of the same list in a copy, too

    def forward(
        self,
        x: Tensor,
        *,
        gates: Sequence[float] | None = None,
        order: Sequence[int] | None = None,
    ) -> Tensor:
        """Return the logits of the images' rows."""
        assert gates is order is None
        self.saw(len(x))
        return self.rows[(x[:, 0, 0, 0] * 255).round().long()]


def numbered(labels: list[int], *, mirrored: list[int] | None = None) -> Images:
    """Return images whose upper left pixels number them, and upper right ones too if asked."""
    pixels = torch.zeros(len(labels), 3, 4, 4, dtype=torch.uint8)
    pixels[:, :, 0, 0] = torch.arange(len(labels), dtype=torch.uint8)[:, None]
    if mirrored:
        pixels[:, :, 0, -1] = torch.tensor(mirrored, dtype=torch.uint8)[:, None]
    return Images(pixels, torch.tensor(labels))


def test_every_figure_by_hand():
    """Right at 0.5; wrong but among five; sixth; fifth; right at 0.85."""
    net, images = Table([MIXED, MIXED, MIXED, MIXED, SURE]), numbered([0, 1, 5, 4, 2])
    found = evaluate(net, images, AS_THEY_ARE)

    # Confidence 0.5 stands in bin 8 of 15 four times, right once; 0.85 in bin 13 once, right.
    expected = {
        "error": 60.0,
        "top5_error": 20.0,
        "nll": -math.log(0.5 * 0.3 * 0.02 * 0.03 * 0.85) / 5,
        "ece": 100 * (abs(1 - 4 * 0.5) + abs(1 - 0.85)) / 5,
        "n": 5,
    }
    assert expected == pytest.approx(dataclasses.asdict(found), rel=1e-5)


def test_every_image_counts_once(monkeypatch: pytest.MonkeyPatch):
    """Seven images in batches of three are seven answers in the images' order."""
    monkeypatch.setattr(evaluation, "BATCH_SIZE", 3)
    rows = [[0.1 * (i + 1), 1 - 0.1 * (i + 1)] for i in range(7)]
    net = Table(rows)

    probabilities = predict(net, numbered([0] * 7), AS_THEY_ARE)
    found = evaluate(net, numbered([0, 0, 0, 0, 0, 1, 1]), AS_THEY_ARE)

    assert [3, 3, 1] * 2 == net.batch_sizes
    torch.testing.assert_close(torch.tensor(rows).double(), probabilities)
    # Class 1 is the likelier one of images 0 to 3 (image 4 is a tie, which goes to class 0).
    assert 7 == found.n
    assert 100 * 6 / 7 == found.error


def test_views_are_averaged():
    """Each image's mirror image finds its own row; of several views the mean is predicted."""
    rows = [[0.6, 0.3, 0.1], [0.1, 0.4, 0.5]]
    images = numbered([0, 1], mirrored=[1, 1])
    plain, mirrored, both = (
        predict(Table(rows), images, AS_THEY_ARE, views=views)
        for views in (PLAIN, (View(mirrored=True),), FLIP)
    )
    torch.testing.assert_close(torch.tensor(rows).double(), plain)
    torch.testing.assert_close(torch.tensor([rows[1], rows[1]]).double(), mirrored)
    assert torch.equal((plain + mirrored) / 2, both)

    found = evaluate(Table(rows), images, AS_THEY_ARE, views=FLIP)
    nll = -(math.log((0.6 + 0.1) / 2) + math.log(0.4)) / 2
    assert nll == pytest.approx(found.nll)


def test_a_view_is_moved_over_the_reflected_border():
    """A step down of an image of 32 rows is two: its third row then stands first but for two."""
    x = torch.arange(32.0 * 16).view(1, 1, 32, 16).expand(2, 3, 32, 16)
    moved = View(down=1, right=-1).of(x)
    assert torch.equal(x[:, :, :30, 1:], moved[:, :, 2:, :-1])
    assert torch.equal(x[:, :, [2, 1], 1:], moved[:, :, :2, :-1])
    assert torch.equal(x[:, :, :30, -2], moved[:, :, 2:, -1])
    assert torch.equal(moved.flip(-1), View(down=1, right=-1, mirrored=True).of(x))
    assert View().of(x) is x


def test_ten_crops():
    """The middle and four corners, each with its mirror image, and none of them twice."""
    x = torch.rand(1, 3, 32, 32)
    crops = [view.of(x) for view in CROPS]
    assert {(1, 3, 32, 32)} == {tuple(crop.shape) for crop in crops}
    assert 10 == len({crop.numpy().tobytes() for crop in crops})
    assert torch.equal(x, crops[0])
    for plain, mirrored in zip(crops[:5], crops[5:], strict=True):
        assert torch.equal(plain.flip(-1), mirrored)
    assert {"plain": PLAIN, "flip": FLIP, "crops": CROPS} == VIEWS


@pytest.mark.parametrize(("size", "num_views"), [(8, 10), (1, 1)])
def test_crops_of_small_images_differ(size: int, num_views: int):
    """A sixteenth of a side is a pixel then, where there is another one."""
    x = torch.rand(1, 3, size, size, generator=torch.Generator().manual_seed(0))
    assert num_views == len({view.of(x).numpy().tobytes() for view in CROPS})


def test_predictions_that_are_no_numbers_are_told():
    """An error counted from them would say nothing."""
    with pytest.raises(RunError, match="outputs are not finite"):
        evaluate(Table([[0.0, 0.0]]), numbered([0]), AS_THEY_ARE)
    assert (1, 2) == (len(PLAIN), len(FLIP))


def test_ranks_share_the_batches_out(monkeypatch: pytest.MonkeyPatch):
    """Each predicts every second batch, and leaves zeros elsewhere; the sum is the whole."""
    monkeypatch.setattr(evaluation, "BATCH_SIZE", 2)
    rows = [[0.1 * (i + 1), 1 - 0.1 * (i + 1)] for i in range(7)]
    images = numbered([0] * 7)

    class Apart(Ranks):
        def added(self, tensor: Tensor) -> Tensor:
            return tensor

    nets = [Table(rows), Table(rows)]
    parts = [
        predict(net, images, AS_THEY_ARE, ranks=Apart(rank=rank, count=2))
        for rank, net in enumerate(nets)
    ]

    assert [[2, 2], [2, 1]] == [net.batch_sizes for net in nets]
    assert torch.equal(predict(Table(rows), images, AS_THEY_ARE), sum(parts))


def test_pixels_are_normalised_as_in_training():
    """(pixel / 255 - mean) / std reaches the net."""
    seen: list[Tensor] = []
    net = build(resnet(8))
    net.register_forward_pre_hook(lambda _net, inputs: seen.append(inputs[0]))
    images = Images(torch.full((1, 3, 8, 8), 51, dtype=torch.uint8), torch.tensor([0]))

    mean, std = torch.tensor([0.1, 0.2, 0.3]), torch.tensor([0.5, 1.0, 0.1])
    evaluate(net, images, Normalisation(mean, std))

    assert [0.2, 0.0, -1.0] == pytest.approx(seen[0][0, :, 3, 3].tolist(), abs=1e-6)


@pytest.mark.parametrize("training", [True, False])
def test_the_net_is_left_as_it_was(*, training: bool):
    """Running statistics are used and not moved; the mode comes back; nothing gets a gradient."""
    torch.manual_seed(0)
    net = build(resnet(8)).train(training)
    pixels = torch.randint(256, (6, 3, 8, 8), dtype=torch.uint8)
    images = Images(pixels, torch.arange(6))
    before = {name: value.clone() for name, value in net.state_dict().items()}

    together = predict(net, images, AS_THEY_ARE)
    each = [predict(net, images.take(torch.tensor([i])), AS_THEY_ARE) for i in range(6)]

    assert training == net.training
    assert all(training == module.training for module in net.modules())
    assert all(before[name].equal(value) for name, value in net.state_dict().items())
    torch.testing.assert_close(torch.cat(each), together)


def test_bf16_is_near_and_not_the_same():
    """Probabilities differ by no more than bf16's rounding makes of them; labels are counted."""
    torch.manual_seed(0)
    net = build(resnet(8))
    images = Images(torch.randint(256, (40, 3, 8, 8), dtype=torch.uint8), torch.arange(40) % 10)
    full = predict(net, images, AS_THEY_ARE)
    half = predict(net, images, AS_THEY_ARE, precision="bf16")
    assert 0 < (full - half).abs().max() < 0.02
    expected = evaluation.score(half, images.labels)
    assert expected == evaluate(net, images, AS_THEY_ARE, precision="bf16")


def test_large_maps_are_computed_in_pieces(monkeypatch: pytest.MonkeyPatch):
    """16 channels of 4x4 pixels are 1 KiB an image: 3 KiB take 7 images in three pieces."""
    monkeypatch.setattr(evaluation, "MOST_BYTES", 3 * 2**10)
    rows = [[0.1 * (i + 1), 1 - 0.1 * (i + 1)] for i in range(7)]
    net = Table(rows)
    found = predict(net, numbered([0] * 7), AS_THEY_ARE)
    assert [3, 3, 1] == net.batch_sizes
    torch.testing.assert_close(torch.tensor(rows).double(), found)


@pytest.mark.parametrize(("precision", "sizes"), [("fp32", [2, 2, 2, 1]), ("bf16", [4, 3])])
def test_not_too_many_images_are_computed_at_once(
    precision: Literal["fp32", "bf16"], sizes: list[int], monkeypatch: pytest.MonkeyPatch
):
    """Images of half the bytes go twice as many at a time through the caches."""
    monkeypatch.setattr(evaluation, "MOST_IMAGES", 2)
    net = Table([[0.4, 0.6]] * 7)
    predict(net, numbered([0] * 7), AS_THEY_ARE, precision=precision)
    assert sizes == net.batch_sizes


def test_a_certain_and_wrong_answer_has_a_finite_likelihood():
    """A probability of 0 counts as the smallest number there is."""
    found = evaluate(Table([[1.0, 0.0]]), numbered([1]), AS_THEY_ARE)
    assert -math.log(torch.finfo(torch.float64).tiny) == pytest.approx(found.nll)
    assert (100.0, 100.0) == (found.error, found.ece)


def test_few_classes_have_no_top5_error():
    """With five classes or fewer, the right one is always among the five likeliest."""
    found = evaluate(Table([[0.9, 0.06, 0.04]]), numbered([2]), AS_THEY_ARE)
    assert (100.0, 0.0) == (found.error, found.top5_error)


def test_calibration_compares_confidence_with_success():
    """Eight of ten right at a confidence of 0.8 is perfect; ten of ten is 20 points off."""
    probabilities = torch.tensor([[0.8, 0.2]], dtype=torch.float64).expand(10, 2)
    eight, ten = torch.tensor([0] * 8 + [1] * 2), torch.zeros(10).long()
    assert 0 == pytest.approx(calibration_error(probabilities, eight))
    assert 20 == pytest.approx(calibration_error(probabilities, ten))


def test_calibration_bins_do_not_balance_each_other():
    """Too sure in one bin and too unsure in another do not cancel; within a bin they do."""
    probabilities = torch.tensor([[0.9, 0.1], [0.55, 0.45]], dtype=torch.float64)
    labels = torch.tensor([1, 0])
    same = torch.tensor([[0.9, 0.1], [0.9, 0.1]], dtype=torch.float64)
    assert 100 * (0.9 + 0.45) / 2 == pytest.approx(calibration_error(probabilities, labels))
    assert 100 * (0.9 - 0.1) / 2 == pytest.approx(calibration_error(same, labels))
