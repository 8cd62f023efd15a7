"""Variations: what each changes in a spec, what it leaves alone, and which cannot meet."""

import dataclasses
import re

import pytest

from residua import UsageError
from residua.arch import families, names, variations
from residua.arch.plan import plan
from residua.arch.spec import (
    BARE_PROJECTION,
    BN_AFTER_ADDITION,
    LAST_BN,
    NO_FIRST_RELU,
    OPTION_B,
    PREACTIVATION,
    RELU_BEFORE_ADDITION,
    RELU_ONLY_PREACTIVATION,
    WIDE_DROPOUT,
    Dropped,
    Gate,
    Scale,
    Shortcut,
    Stem,
    Survival,
)

ONLY: dict[str, dict[str, object]] = {
    "cifar/resnet-20+scale-0.5-1": {"shortcut": Shortcut(carry=Scale(carry=0.5, branch=1.0))},
    "cifar/resnet-20+gate-exclusive-6": {
        "shortcut": Shortcut(carry=Gate(exclusive=True, bias=-6.0))
    },
    "cifar/resnet-20-b+gate-shortcut-0": {
        "shortcut": dataclasses.replace(OPTION_B, carry=Gate(exclusive=False, bias=0.0))
    },
    "cifar/resnet-20+dropped-0.5": {"shortcut": Shortcut(carry=Dropped())},
    "cifar/resnet-20+bn-after-addition": {"joints": BN_AFTER_ADDITION},
    "cifar/resnet-20+relu-before-addition": {"joints": RELU_BEFORE_ADDITION},
    "cifar/resnet-20+relu-only": {
        "joints": RELU_ONLY_PREACTIVATION,
        "share": "first",
        "stem": Stem(ops=("bn",)),
        "head": ("relu",),
    },
    "cifar/resnet-20-bottleneck+relu-only": {
        "joints": RELU_ONLY_PREACTIVATION,
        "share": "change",
        "stem": Stem(ops=("bn",)),
        "head": ("relu",),
    },
    "imagenet/resnet-50+relu-only": {
        "joints": RELU_ONLY_PREACTIVATION,
        "share": "change",
        "stem": Stem(kind="imagenet", width=64, preactivates=True),
        "head": ("relu",),
    },
    "imagenet/resnet-50+stride-3x3": {"stride_at": 1},
    "imagenet/resnet-18+cifar-stem": {
        "stem": Stem(width=64),
        "image_size": 32,
        "num_classes": 10,
    },
    "imagenet/densenet-121+cifar-stem": {
        "stem": Stem(width=64, ops=()),
        "image_size": 32,
        "num_classes": 10,
    },
    "cifar/preresnet-20-bottleneck+stride-3x3": {"stride_at": 1},
    "cifar/resnet-20+one-layer": {"kernels": (3,), "depths": (6, 6, 6)},
    "cifar/preresnet-20+shared-stages": {"share": "stage"},
    "cifar/sd-resnet-20+constant": {"survival": None},
    "cifar/sd-resnet-20+linear-0.2": {"survival": Survival(final=0.2)},
    "cifar/sd-resnet-20+uniform-0.5": {"survival": Survival(final=0.5, rule="uniform")},
    "cifar/wrn-40-2+b131": {"kernels": (1, 3, 1)},
    "cifar/wrn-40-2+b31": {"kernels": (3, 1)},
    "cifar/wrn-40-2+layers-3": {"kernels": (3, 3, 3), "depths": (4, 4, 4)},
    "cifar/wrn-40-2+layers-1": {"kernels": (3,), "depths": (12, 12, 12)},
    "cifar/wrn-40-2+dropout-0.4": {"joints": WIDE_DROPOUT, "dropout": 0.4},
    "cifar/densenet-40-12+dropout-0.2": {"dropout": 0.2},
    "cifar/densenet-40-12+bottleneck": {"bottleneck": True, "depths": (6, 6, 6)},
    "cifar/densenet-40-12+compressed": {"compression": 0.5},
    "cifar/densenet-40-12+stem-2k": {"stem": Stem(width=24, ops=())},
    "cifar/pyramidnet-20-a24+unit-a": {"joints": PREACTIVATION},
    "cifar/pyramidnet-20-a24+unit-b": {"joints": NO_FIRST_RELU},
    "cifar/pyramidnet-20-a24+unit-c": {"joints": LAST_BN},
    "cifar/pyramidnet-20-a24+project": {"shortcut": BARE_PROJECTION},
    "cifar/pyramidnet-20-a24+project-halving": {"shortcut": Shortcut(match="project_halving")},
    "imagenet/pyramidnet-200-a450+dropout-0.5": {"feature_dropout": 0.5},
}


@pytest.mark.parametrize("name", ONLY)
def test_a_variation_changes_this_and_nothing_else(name: str):
    """The varied spec is the base with exactly these fields replaced."""
    base = names.spec(name.partition("+")[0])
    assert dataclasses.replace(base, **ONLY[name]) == names.spec(name)


def test_every_variation_is_tested():
    """Each row of the table reads a suffix above."""
    suffixes = [name.partition("+") for name in ONLY]
    unread = [
        variation.shown
        for variation in variations.VARIATIONS
        if not any(
            base.startswith(variation.of) and re.fullmatch(variation.regex, suffix)
            for base, _, suffix in suffixes
        )
    ]
    assert [] == unread


@pytest.mark.parametrize("variation", variations.VARIATIONS, ids=lambda row: row.shown)
def test_every_variation_says_what_it_is(variation: variations.Variation):
    """Its function has a docstring: the papers' pages are made of them."""
    assert variation.change.__doc__


def test_a_gate_that_starts_open_has_no_negative_zero():
    """Bias 0 is 0, not -0, whose JSON would differ."""
    shortcut = names.spec("cifar/resnet-20+gate-shortcut-0").shortcut  # type: ignore[union-attr]
    assert "bias=0.0" in repr(shortcut)


@pytest.mark.parametrize("option", "bc")
def test_relu_only_takes_the_papers_shortcut(option: str):
    """Where a basic unit's projection would read, the paper does not say."""
    with pytest.raises(UsageError, match="basic units with option A"):
        names.spec(f"cifar/resnet-20-{option}+relu-only")


def test_variations_add_up():
    """Two that change different parts both hold."""
    spec = names.spec("cifar/wrn-40-2+b131+dropout-0.3")
    assert dataclasses.replace(families.wide(40, 2, dropout=0.3), kernels=(1, 3, 1)) == spec


def test_bottleneck_compression_and_stem_make_bc():
    """DenseNet-B has the channels of BC's layers; only BC is asked for by its own name."""
    with pytest.raises(UsageError, match="together a net is cifar/densenet-bc-L-K"):
        names.spec("cifar/densenet-40-12+bottleneck+compressed")
    rows = plan(names.spec("cifar/densenet-40-12+bottleneck"))
    assert (16, 48, 28) == (rows[0].c_in, rows[0].c_mid, rows[0].c_out)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("cifar/resnet-20+nothing", "has no variation \\+nothing; there are: \\+scale-SHORTCUT"),
        ("cifar/resnet-20+", "has no variation \\+; there are: "),
        ("cifar/resnet-20++relu-only", "has no variation \\+; there are: "),
        ("cifar/plain-20+one-layer", "has no variation \\+one-layer; there are: none"),
        ("cifar/resnet-20+constant", "cifar/resnet-20 has no variation \\+constant"),
        ("cifar/wrn-40-2+b33", "cifar/wrn-40-2 is that net already: leave \\+b33 out"),
        ("cifar/wrn-40-2+layers-2", "is that net already: leave \\+layers-2 out"),
        ("cifar/pyramidnet-20-a24+unit-d", "is that net already: leave \\+unit-d out"),
        ("cifar/wrn-40-2+layers-5", "12 convolutions of a stage; possible: 1, 2, 3, 4, 6, 12"),
        ("cifar/wrn-40-2+layers-0", "\\+layers-0 does not divide"),
        ("cifar/wrn-40-2+b131+layers-3", "\\+b131 and \\+layers-3 both change the net's kernels"),
        ("cifar/resnet-20+relu-only+bn-after-addition", "one order of BN and ReLU"),
        ("cifar/resnet-20+dropped-0.5+scale-1-0", "no identity shortcut to vary"),
        ("cifar/resnet-20-c+dropped-0.5", "to vary: every unit's is project"),
        ("cifar/preresnet-20-bottleneck+shared-stages", "bottlenecks share their pre-activation"),
        ("cifar/resnet-20+gate-exclusive-٦", "has no variation"),
        ("cifar/resnet-20-bottleneck+one-layer", "two 3×3 convolutions"),
        ("cifar/resnet-20+stride-3x3", "is about bottlenecks"),
        ("cifar/wrn-40-2-dropout+dropout-0.4", "has dropout already"),
        ("cifar/wrn-40-2+dropout-0", "above 0 and below 1, not 0"),
        ("cifar/wrn-40-2+dropout-1", "above 0 and below 1, not 1"),
        ("cifar/wrn-40-2+layers-1+dropout-0.3", "dropout stands between convolutions"),
        ("cifar/sd-resnet-20+linear-0", "above 0 and at most 1, not 0"),
        ("cifar/sd-resnet-20+uniform-1.5", "above 0 and at most 1, not 1.5"),
        ("cifar/densenet-13-12+bottleneck", "the depth must be 6n \\+ 4"),
        ("cifar/densenet-bc-40-12+compressed", "together a net is cifar/densenet-bc-L-K"),
        ("cifar/densenet-bc-40-12+stem-2k", "is that net already: leave \\+stem-2k out"),
        ("cifar/resnet-20+gate-exclusive-06", "has no variation"),
    ],
)
def test_what_makes_no_sense_is_refused(name: str, message: str):
    """The message names the suffix, the rule or what is possible."""
    with pytest.raises(UsageError, match=message):
        names.entry(name)


def test_the_paper_of_a_varied_net_is_who_varied_it():
    """He 2016 took he2015's net apart, so its variations are he2016's."""
    assert "he2015" == names.entry("cifar/resnet-110").paper
    assert "he2016" == names.entry("cifar/resnet-110+relu-only").paper
