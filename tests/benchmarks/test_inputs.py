"""Inputs: the loader's images are of the same kind as ours, and the table of given times."""

import json

import torch

from benchmarks import inputs
from benchmarks.report import Options
from benchmarks.timing import Budget

ONCE = Options(short=True, budget=Budget(seconds=0, at_least=1, warm_up=0))


def test_the_loaders_images_are_crops_of_the_padded_image():
    """Every item is one of the 81 windows of the padded image, normalised, mirrored or not."""
    images = inputs.noise(1)
    (label,) = images.labels.tolist()
    padded = torch.nn.functional.pad(images.pixels[0].float() / 255, (4,) * 4)
    windows = padded.unfold(1, 32, 1).unfold(2, 32, 1).permute(1, 2, 0, 3, 4).flatten(0, 1)
    windows = inputs.normalise(torch.cat([windows, windows.flip(-1)]))
    drawn = set()
    for _ in range(20):
        x, found = inputs.PerImage(images, length=1)[0]
        assert label == found
        (match,) = (windows - x).abs().amax((1, 2, 3)).lt(1e-6).nonzero()
        drawn.add(match.item())
    assert len(drawn) > 5


def test_both_sides_normalise_alike():
    """Without crop and flip, ours are the loader's tensors."""
    images = inputs.noise(4)
    batches = inputs.our_batches(images, batch_size=4)
    batches.pad, batches.flip = 0, False
    x, _ = batches.batch(0)
    theirs = inputs.normalise(images.pixels / 255)
    found = sorted(x.flatten(1).sum(1).tolist())
    torch.testing.assert_close(
        torch.tensor(sorted(theirs.flatten(1).sum(1).tolist())), torch.tensor(found)
    )


def test_every_call_makes_the_next_batch():
    """So no batch is made twice, as in training."""
    batches = inputs.our_batches(inputs.noise(8), batch_size=4)
    following = inputs.following(batches)
    expected = [batches.batch(step)[0].sum() for step in range(3)]
    assert expected == [following()[0].sum() for _ in range(3)]


def test_row_of_few_images():
    """Four contenders with times; images that fill no batch are in neither count."""
    row = inputs.row(ONCE, length=20, set_size=24, batch_size=8, workers=0)
    assert row == json.loads(json.dumps(row))
    assert ["DataLoader", "ours", "step", "batch"] == list(row["times"])
    assert (16, 8 * 3072 * 5) == (row["images"], row["bytes"])


def test_table_of_given_times(facts, times):
    """21 times as fast reaches the aim; a batch of 4 % of a step does not."""
    row = {
        "net": "cifar/resnet-20",
        "images": 1_280,
        "batch_size": 128,
        "bytes": 2e6,
        "times": {
            name: times(seconds)
            for name, seconds in (
                ("DataLoader", 0.42),
                ("ours", 0.02),
                ("step", 0.1),
                ("batch", 4e-3),
            )
        },
    }
    (sheet,) = inputs.sheets({"machine": facts, "rows": [row]})
    _, line = sheet.lines()
    assert ["batches of 128", "3,048", "64,000", "21 (≥ 20)", "4 % (≤ 3)", "NO"] == line
    assert "at least 2.00 MB, 0.20 ms at the rate of a copy; ours takes 4.00 ms, 5 %" in sheet.note
