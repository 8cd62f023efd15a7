"""The grammar: each pattern reads its names as the family's function builds them."""

import re

import pytest

from residua.arch import families, imagenet, names
from residua.arch.grammar import GRAMMAR, Pattern
from residua.arch.spec import Spec

READ: dict[str, Spec] = {
    "cifar/plain-20": families.plain(20),
    "cifar/resnet-20": families.resnet(20),
    "cifar/resnet-20-b": families.resnet(20, shortcut="b"),
    "cifar/resnet-20-c": families.resnet(20, shortcut="c"),
    "cifar/resnet-164-bottleneck": families.resnet(164, bottleneck=True),
    "cifar/preresnet-20": families.preact(20),
    "cifar/preresnet-164-bottleneck": families.preact(164, bottleneck=True),
    "cifar/sd-resnet-20": families.stochastic(20),
    "cifar/wrn-28-10": families.wide(28, 10),
    "cifar/wrn-28-10-dropout": families.wide(28, 10, dropout=0.3),
    "cifar/densenet-40-12": families.densenet(40, 12),
    "cifar/densenet-bc-100-12": families.densenet(100, 12, bc=True),
    "cifar/pyramidnet-110-a48": families.pyramid(110, 48),
    "cifar/pyramidnet-110-a48.5": families.pyramid(110, 48.5),
    "cifar/pyramidnet-110-m4.75": families.pyramid(110, 4.75, multiplicative=True),
    "cifar/pyramidnet-164-a48-bottleneck": families.pyramid(164, 48, bottleneck=True),
    "cifar/pyramidnet-164-m3-bottleneck": families.pyramid(
        164, 3, multiplicative=True, bottleneck=True
    ),
    "cifar/pyramidnet-104-a48-post": families.pyramid_of_the_post(),
    "imagenet/plain-18": imagenet.plain(18),
    "imagenet/resnet-18": imagenet.resnet(18),
    "imagenet/resnet-18-a": imagenet.resnet(18, shortcut="a"),
    "imagenet/resnet-18-b": imagenet.resnet(18),
    "imagenet/resnet-18-c": imagenet.resnet(18, shortcut="c"),
    "imagenet/preresnet-200-bottleneck": imagenet.preact(200),
    "imagenet/sd-resnet-152": imagenet.stochastic(152),
    "imagenet/wrn-18-1.5": imagenet.wide(18, 1.5),
    "imagenet/wrn-50-2": imagenet.wide(50, 2),
    "imagenet/densenet-121": imagenet.densenet(121),
    "imagenet/pyramidnet-200-a300": imagenet.pyramid(200, 300),
}


@pytest.mark.parametrize("name", READ)
def test_a_name_is_read_as_its_familys_function(name: str):
    """The values in the name are the function's arguments."""
    assert READ[name] == names.spec(name)


@pytest.mark.parametrize("pattern", GRAMMAR, ids=lambda pattern: pattern.shown)
def test_every_pattern_is_tested_and_shown_as_it_reads(pattern: Pattern):
    """Some name above is read by it, and begins as people are shown."""
    read = [name for name in READ if re.fullmatch(pattern.regex, name)]
    assert read
    fixed = re.match(r"[a-z/-]+", pattern.shown)
    assert fixed
    assert all(name.startswith(fixed[0]) for name in read)


@pytest.mark.parametrize("name", names.names())
def test_one_pattern_reads_a_name(name: str):
    """No name has two readings."""
    base = name.partition("+")[0]
    assert 1 == sum(bool(re.fullmatch(pattern.regex, base)) for pattern in GRAMMAR)
