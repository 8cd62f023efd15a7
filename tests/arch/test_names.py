"""Names: the public list, errors that help, and no heavy import behind them."""

import subprocess
import sys

import pytest

import residua
from residua import UsageError
from residua.arch import names

CONTRACT = (  # names that people's scripts may hold, one for each promised pattern
    "cifar/plain-20",
    "cifar/resnet-20",
    "cifar/resnet-20-b",
    "cifar/resnet-20-c",
    "cifar/resnet-164-bottleneck",
    "cifar/preresnet-110",
    "cifar/preresnet-164-bottleneck",
    "cifar/sd-resnet-110",
    "cifar/wrn-28-10",
    "cifar/wrn-28-10-dropout",
    "cifar/densenet-40-12",
    "cifar/densenet-bc-100-12",
    "cifar/pyramidnet-110-a48",
    "cifar/pyramidnet-110-m4.75",
    "cifar/pyramidnet-272-a200-bottleneck",
    "cifar/pyramidnet-104-a48-post",
    "imagenet/resnet-18",
    "imagenet/resnet-34",
    "imagenet/resnet-50",
    "imagenet/resnet-101",
    "imagenet/resnet-152",
    "imagenet/resnet-50-a",
    "imagenet/resnet-50-b",
    "imagenet/resnet-50-c",
    "imagenet/plain-18",
    "imagenet/plain-34",
    "imagenet/preresnet-200-bottleneck",
    "imagenet/wrn-18-1.5",
    "imagenet/wrn-50-2",
    "imagenet/densenet-121",
    "imagenet/densenet-161",
    "imagenet/densenet-169",
    "imagenet/densenet-201",
    "imagenet/densenet-264",
    "imagenet/pyramidnet-200-a300",
)


@pytest.mark.parametrize("name", CONTRACT)
def test_promised_names_work(name: str):
    """Each is read, and its entry knows its name, depth and classes."""
    entry = names.entry(name)
    assert name == entry.name
    assert str(entry.depth) in name
    assert (1000 if name.startswith("imagenet/") else 10) == residua.spec(name).num_classes


def test_the_list_has_no_name_twice():
    """Every listed name is one net, and the package offers the list."""
    assert len(set(names.NAMES)) == len(names.NAMES) > 140
    assert names.NAMES == residua.names()


def test_one_net_has_one_listed_name():
    """No two listed names of a family are one spec."""
    seen: dict[object, list[str]] = {}
    for name in names.names():
        entry = names.entry(name)
        seen.setdefault((entry.family, entry.spec), []).append(name)
    assert [] == [same for same in seen.values() if len(same) > 1]


@pytest.mark.parametrize(
    "family", ["plain", "resnet", "preresnet", "sd-resnet", "wrn", "densenet", "pyramidnet"]
)
def test_a_family_is_a_part_of_the_list(family: str):
    """In the same order, on CIFAR and ImageNet alike."""
    listed = names.names(family)
    assert [name for name in names.NAMES if names.entry(name).family == family] == list(listed)
    assert {"cifar", "imagenet"} == {name.partition("/")[0] for name in listed}


def test_an_unknown_family_is_refused_with_those_there_are():
    """The message lists the families."""
    with pytest.raises(UsageError, match="no family 'vgg'; there are plain, resnet, preresnet"):
        names.names("vgg")


@pytest.mark.parametrize(
    ("name", "nearest", "pattern"),
    [
        ("cifar/resnt-110", "cifar/resnet-110", "cifar/resnet-D[-b|-c]"),
        ("imagenet/resnet50", "imagenet/resnet-50", "imagenet/resnet-D[-a|-b|-c]"),
        ("resnet-50", "imagenet/resnet-50", "imagenet/resnet-D"),
        ("cifar/pyramidnet-110-48", "cifar/pyramidnet-110-a48", "cifar/pyramidnet-D-aALPHA"),
        ("cifar/wrn-28-10-Dropout", "cifar/wrn-28-10-dropout", "cifar/wrn-N-K[-dropout]"),
        ("vgg", "`residua list`", "cifar/resnet-D"),
        ("", "`residua list`", "cifar/resnet-D"),
    ],
)
def test_an_unknown_name_is_refused_with_the_nearest(name: str, nearest: str, pattern: str):
    """Two lines: the nearest names, and the patterns of that kind."""
    with pytest.raises(UsageError) as caught:
        names.entry(name)
    first, second = str(caught.value).splitlines()
    assert f"no net is called {name!r}" in first
    assert nearest in first
    assert pattern in second


@pytest.mark.parametrize(
    "name",
    [
        "cifar/resnet-020",
        "cifar/resnet-20 ",
        "cifar/resnet-٢٠",
        "cifar/pyramidnet-110-a48.0",
        "cifar/pyramidnet-110-a048",
        "imagenet/wrn-18-1.50",
        "cifar/resnet-1000000",
    ],
)
def test_a_net_has_one_spelling(name: str):
    """Leading and trailing zeros, blanks and foreign digits make no second name."""
    with pytest.raises(UsageError, match="no net is called"):
        names.entry(name)


def test_wrong_numbers_are_refused_with_the_familys_rule():
    """A name that a pattern reads gets the family's own message."""
    with pytest.raises(UsageError, match=r"no depth 21: the rule is depth = 6n \+ 2"):
        names.entry("cifar/resnet-21")
    with pytest.raises(UsageError, match="no depth 51 on ImageNet: the depths are 18, 34, 50"):
        names.entry("imagenet/resnet-51")


# No paper has these nets, but the grammar has their names.
FURTHER = (
    *("cifar/resnet-68", "cifar/wrn-10-1+dropout-0.25", "cifar/pyramidnet-110-m4.75+project"),
    *(
        "imagenet/densenet-121+cifar-stem",
        "imagenet/wrn-18-1.25",
        "imagenet/resnet-18-a+cifar-stem",
    ),
)


@pytest.mark.parametrize("name", [*names.NAMES, *FURTHER])
def test_a_name_is_an_identifier_both_ways(name: str):
    """What others call a net is a word of Python's, and leads back to the name."""
    word = names.identifier(name)
    assert word.isidentifier()
    assert name == names.from_identifier(word)
    assert names.spec(name) == names.spec(names.from_identifier(word))


def test_no_two_names_share_an_identifier():
    """As it must be if there is a way back; and these are promised."""
    assert len(names.NAMES) == len({names.identifier(name) for name in names.NAMES})
    assert "cifar_wrn_28_10" == names.identifier("cifar/wrn-28-10")
    assert "imagenet_wrn_18_1p5" == names.identifier("imagenet/wrn-18-1.5")
    assert "cifar_resnet_110__scale_0p5_1" == names.identifier("cifar/resnet-110+scale-0.5-1")


LIST = """
import sys, time
import residua
from residua.arch import papers
rows = papers.listing()
heavy = {"torch", "numpy", "pydantic", "matplotlib"} & set(sys.modules)
print(len(rows), sorted(heavy), time.process_time())
"""


def test_the_list_needs_no_heavy_import_and_little_time():
    """Listing every net loads the standard library only and takes far less than a second."""
    ran = subprocess.run([sys.executable, "-c", LIST], capture_output=True, text=True, check=True)
    num, heavy, seconds = ran.stdout.split(maxsplit=1)[0], *ran.stdout.rsplit(maxsplit=1)
    assert str(len(names.NAMES)) == num
    assert heavy.endswith("[]")
    assert float(seconds) < 1
