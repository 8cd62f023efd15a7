"""Layouts: our tables name every tensor of other people's nets, and nothing else."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
import torch

from residua import UsageError
from residua.arch import names
from residua.arch.plan import plan
from residua.interop.layouts import LAYOUTS, PROJECTS, Layout, numbers
from residua.interop.matching import empty

# Digests of "key shape" lines, sorted, of the state dicts that the projects' own code builds.
KEYS = json.loads((Path(__file__).parent / "keys.json").read_text(encoding="utf-8"))
DENSE = "imagenet/densenet-121+cifar-stem"
PYRAMID = "cifar/pyramidnet-110-a48"


def layout_of(project: str, net: str) -> Layout:
    """Return the one layout of a project that holds a net."""
    (layout,) = [one for one in LAYOUTS if one.project == project and one.holds(net)]
    return layout


@pytest.mark.parametrize("row", KEYS, ids=lambda row: f"{row['project']} {row['net']}")
def test_names_and_shapes_are_those_of_the_projects_own_code(row: dict[str, Any]):
    """Every tensor of theirs has its name, its shape, and one tensor of ours."""
    layout = layout_of(row["project"], row["net"])
    rows = plan(names.spec(row["net"]))
    tensors = empty(names.spec(row["net"]))
    for name in ("classifier.weight", "classifier.bias"):  # of as many classes as theirs
        tensors[name] = torch.empty(row["classes"], *tensors[name].shape[1:], device="meta")
    lines = sorted(
        f"{layout.key(name, rows)} {tuple(tensor.shape)}\n" for name, tensor in tensors.items()
    )
    assert row["tensors"] == len(set(lines)) == len(lines)
    assert row["keys"] == hashlib.sha256("".join(lines).encode()).hexdigest()


@pytest.mark.parametrize(
    ("project", "net", "ours", "theirs"),
    [
        ("akamaster", "cifar/resnet-20", "units.4.branch.norm2", "layer2.1.bn2"),
        ("akamaster", "cifar/resnet-20-b", "units.6.carry.norm1", "layer3.0.shortcut.1"),
        ("bearpaw", "cifar/resnet-20-b", "units.6.carry.norm1", "layer3.0.downsample.1"),
        ("bearpaw", "cifar/wrn-16-2", "units.0.carry.conv1", "block1.layer.0.convShortcut"),
        ("bearpaw", "cifar/wrn-16-2", "units.0.shared.norm1", "block1.layer.0.bn1"),
        ("bearpaw", "cifar/wrn-16-2", "units.1.branch.norm1", "block1.layer.1.bn1"),
        ("bearpaw", "cifar/densenet-bc-22-4", "units.3.branch.conv1", "trans1.conv1"),
        ("kuangliu", DENSE, "units.6.branch.norm1", "trans1.bn"),
        ("kuangliu", DENSE, "units.7.branch.conv2", "dense2.0.conv2"),
        ("torchvision", "imagenet/densenet-121", "head.norm1", "features.norm5"),
        ("pytorchcv", PYRAMID, "units.0.branch.norm3", "features.stage1.unit1.bn"),
        ("pytorchcv", PYRAMID, "units.18.branch.conv1", "features.stage2.unit1.body.conv1.conv"),
        ("residua", "cifar/resnet-20", "units.4.branch.norm2", "units.4.branch.norm2"),
    ],
)
def test_some_tensors(project: str, net: str, ours: str, theirs: str):
    """Names as the projects' sources have them, spelled out."""
    key = layout_of(project, net).key(f"{ours}.weight", plan(names.spec(net)))
    assert f"{theirs}.weight" == key


def test_every_project_is_in_the_list_once():
    """The order is that of the layouts; torchvision comes before timm, which names like it."""
    expected = ("akamaster", "torchvision", "timm", "pytorchcv", "kuangliu", "bearpaw", "residua")
    assert expected == PROJECTS


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: f"{layout.project} {layout.unit}")
def test_every_table_is_checked_against_the_projects_code(layout: Layout):
    """Each layout but our own has a row of digests for one of its patterns, or more."""
    if layout.project == "residua":
        return
    assert any(row["project"] == layout.project and layout.holds(row["net"]) for row in KEYS)


@pytest.mark.parametrize(
    ("pattern", "name", "expected"),
    [
        ("cifar/resnet-D", "cifar/resnet-20", {"D": "20"}),
        ("cifar/resnet-D", "cifar/resnet-20-b", None),
        ("cifar/wrn-N-K", "cifar/wrn-28-10", {"N": "28", "K": "10"}),
        ("cifar/wrn-N-K", "cifar/wrn-28-10+b131", None),
        ("cifar/pyramidnet-D-aA", "cifar/pyramidnet-110-a4.75", {"D": "110", "A": "4.75"}),
        ("imagenet/wrn-50-2", "imagenet/wrn-50-2", {}),
    ],
)
def test_patterns_read_names_whole(pattern: str, name: str, expected: dict[str, str] | None):
    """Capitals are numbers; anything behind them makes another net."""
    assert expected == numbers(pattern, name)


def test_older_files_of_densenet():
    """Torchvision's published files have a dot that its code has lost since."""
    layout = layout_of("torchvision", "imagenet/densenet-121")
    old = {
        "features.denseblock1.denselayer2.norm.1.running_mean": torch.zeros(1),
        "features.transition1.norm.weight": torch.ones(1),
    }
    expected = [
        "features.denseblock1.denselayer2.norm1.running_mean",
        "features.transition1.norm.weight",
    ]
    assert expected == list(layout.present(old))


@pytest.mark.parametrize("pattern", sorted({p for layout in LAYOUTS for p in layout.nets}))
def test_patterns_are_of_nets_that_there_are(pattern: str):
    """Some numbers make each pattern a legal name."""
    found = []
    for values in ("20", "40 12", "16 2", "40 12 0.5", "110 48", "29", "50", "121", "101 360"):
        net = pattern
        for letter, value in zip([c for c in pattern if c.isupper()], values.split(), strict=False):
            net = net.replace(letter, value)
        try:
            names.spec(net)
        except UsageError:
            continue
        found.append(net)
    assert found
