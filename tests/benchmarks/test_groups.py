"""Groups: seeds together, everything else apart, and recipes in words."""

from dataclasses import replace

import pytest

from benchmarks.groups import NBSP, grouped, mean_sd
from residua.training import presets
from residua.training.recipes import Augment, Cosine, Knots, Muon, rescaled

PM = f"{NBSP}±{NBSP}"
HE2015 = presets.get("he2015")
ODD = replace(
    HE2015,
    batch_size=64,
    label_smoothing=0.1,
    ema=0.5,
    precision="bf16",
    augment=Augment(cutout=8),
)


def test_seeds_are_together(kept):
    """Mean, deviation and number are theirs; the flip view's beside."""
    errors = [8.0, 9.0, 10.0]
    made = [
        kept(HE2015, seed=seed, test_error=error, test_error_tta=error / 2, train_seconds=error)
        for seed, error in enumerate(errors)
    ]
    (group,) = grouped(made)
    assert f"9.00{PM}1.00" == mean_sd(group.error())
    assert f"4.50{PM}0.50" == mean_sd(group.error("test_error_tta"))
    assert (3, pytest.approx(9.0)) == (len(group.records), group.seconds[""])
    assert "8.00" == mean_sd(grouped(made[:1])[0].error())


def test_what_differs_is_apart(kept):
    """Net, data, recipe and device each make a group of their own."""
    others = (
        kept(HE2015, net="cifar/resnet-32"),
        kept(HE2015, val_size=0),
        kept(replace(HE2015, batch_size=64)),
        kept(HE2015, device="Another processor"),
        kept(HE2015, devices=2),
    )
    assert [1] * 6 == [len(group.records) for group in grouped([kept(HE2015), *others])]


def test_threads_share_a_group_and_keep_their_seconds(kept):
    """Errors are one sample; times are told by threads, and by the runs that shared the machine."""
    made = [
        kept(HE2015, seed=0, train_seconds=800.0),
        kept(HE2015, seed=1, train_seconds=1500.0, device="A processor, threads: 1", at_once=2),
        kept(HE2015, seed=2, train_seconds=1700.0, device="A processor, threads: 1", at_once=2),
    ]
    (group,) = grouped(made)
    assert "A processor" == group.device
    assert {"threads: 1, 2 at once": 1600.0, "threads: 2": 800.0} == group.seconds
    assert "A processor, threads: 2" == grouped(made[:1])[0].device


@pytest.mark.parametrize(
    ("recipe", "val_size", "expected"),
    [
        (HE2015, 5000, "he2015"),
        (HE2015, 0, "he2015, all images"),
        (rescaled(HE2015, 16), 5000, "he2015, cut from 64000 iterations"),
        (
            replace(rescaled(HE2015, 16), precision="bf16", label_smoothing=0.1),
            5000,
            (
                "he2015, cut from 64000 iterations, label_smoothing 0.1, not 0, "
                "precision bf16, not fp32"
            ),
        ),
        (replace(HE2015, warm_up=None, schedule=Cosine()), 5000, None),
        (replace(HE2015, optim=Muon()), 5000, "he2015, optim muon, not sgd"),
        (replace(HE2015, augment=Augment(flip=False)), 5000, "he2015, augment.flip no, not yes"),
        (ODD, 5000, "he2015, 5 settings changed"),
        (replace(HE2015, name="fast-of-mine"), 5000, "fast-of-mine"),
    ],
)
def test_a_recipe_in_words(kept, recipe, val_size, expected):
    """Whose it is, what it was cut from, and what else was changed, unless that is too much."""
    (group,) = grouped([kept(recipe, val_size=val_size)])
    if expected is None:
        assert "schedule cosine, not steps" in group.changes
        assert not [change for change in group.changes if change.startswith("schedule.")]
    else:
        assert expected == group.label
    assert group.fast == recipe.name.startswith("fast")


def test_fewer_images_are_told(kept):
    """A run on a part of the images is no run on all."""
    data = {"name": "cifar10", "val_size": 5000, "train_limit": 1000, "image_size": 32}
    (group,) = grouped([kept(HE2015, data=data)])
    assert "he2015, 1,000 images" == group.label


def test_a_schedule_survives_its_json(kept):
    """Lists of the file are tuples of the recipe, so that equal recipes are equal."""
    recipe = replace(HE2015, schedule=Knots(at=(0, 4.5, 16), values=(0.1, 1, 0)))
    (group,) = grouped([kept(recipe)])
    assert recipe == group.recipe
