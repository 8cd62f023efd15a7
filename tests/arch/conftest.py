"""Random legal names of every family, for laws that hold for all of them."""

import pytest
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

UNITS = st.integers(1, 6)
WIDENS = st.integers(1, 5)
GROWTHS = st.integers(1, 16)
ALPHAS = st.integers(0, 160).map(lambda quarters: f"{quarters / 4:g}")
FACTORS = st.integers(4, 24).map(lambda quarters: f"{quarters / 4:g}")
BOTTLENECK = st.sampled_from(["", "-bottleneck"])


def depths(per: int, plus: int) -> SearchStrategy[int]:
    """Legal depths of a rule per·n + plus."""
    return UNITS.map(lambda n: per * n + plus)


def join(pattern: str, *parts: SearchStrategy) -> SearchStrategy[str]:
    """Names of a pattern with its braces filled."""
    return st.tuples(*parts).map(lambda values: pattern.format(*values))


def either_depth(pattern: str, *more: SearchStrategy) -> SearchStrategy[str]:
    """Names with a basic depth, or with a bottleneck depth and its suffix."""
    basic = join(f"{pattern}", depths(6, 2), *more)
    return basic | join(f"{pattern}-bottleneck", depths(9, 2), *more)


GATES = st.sampled_from(["exclusive", "shortcut"])
RESNETS = st.sampled_from(
    ["bn-after-addition", "relu-before-addition", "relu-only", "dropped-0.5", "scale-0.5-0.25"]
)
CIFAR: dict[str, SearchStrategy[str]] = {
    "plain": join("cifar/plain-{}", depths(6, 2)),
    "resnet": either_depth("cifar/resnet-{}")
    | join("cifar/resnet-{}-{}", depths(6, 2), st.sampled_from("bc"))
    | join("cifar/resnet-{}+{}", depths(6, 2), RESNETS)
    | join("cifar/resnet-{}-bottleneck+{}", depths(9, 2), RESNETS)
    | join("cifar/resnet-{}+gate-{}-{}", depths(6, 2), GATES, st.integers(0, 9))
    | join("cifar/resnet-{}+one-layer", depths(6, 2)),
    "preresnet": either_depth("cifar/preresnet-{}")
    | join("cifar/preresnet-{}+shared-stages", depths(6, 2))
    | join("cifar/preresnet-{}-bottleneck+stride-3x3", depths(9, 2)),
    "sd-resnet": join("cifar/sd-resnet-{}", depths(6, 2))
    | join("cifar/sd-resnet-{}+uniform-{}", depths(6, 2), st.sampled_from(["0.25", "0.8", "1"])),
    "wrn": join(
        "cifar/wrn-{}-{}{}",
        depths(6, 4),
        WIDENS,
        st.sampled_from(["", "-dropout", "+b131", "+b31", "+b13", "+layers-1", "+dropout-0.5"]),
    ),
    "densenet": join(
        "cifar/densenet-{}-{}{}",
        depths(6, 4),
        GROWTHS,
        st.sampled_from(["", "+bottleneck", "+compressed", "+dropout-0.2"]),
    )
    | join("cifar/densenet-bc-{}-{}", depths(6, 4), GROWTHS),
    "pyramidnet": either_depth("cifar/pyramidnet-{}-a{}", ALPHAS)
    | either_depth("cifar/pyramidnet-{}-m{}", FACTORS)
    | join(
        "cifar/pyramidnet-{}-a{}+{}",
        depths(6, 2),
        st.integers(1, 40),
        st.sampled_from(["unit-a", "unit-b", "unit-c", "project", "project-halving"]),
    ),
}
IMAGENET = st.sampled_from(
    [
        "imagenet/plain-18",
        "imagenet/resnet-18-a",
        "imagenet/resnet-34-c",
        "imagenet/resnet-50+relu-only",
        "imagenet/preresnet-50-bottleneck",
        "imagenet/wrn-18-1.5",
        "imagenet/wrn-50-2",
        "imagenet/densenet-121",
        "imagenet/pyramidnet-50-a33.5+dropout-0.5",
    ]
)


@pytest.fixture(scope="session")
def cifar_names() -> SearchStrategy[str]:
    """Legal CIFAR names of every family."""
    return st.one_of(*CIFAR.values())


@pytest.fixture(scope="session")
def legal_names(cifar_names: SearchStrategy[str]) -> SearchStrategy[str]:
    """Legal names of every family, and some ImageNet nets."""
    return cifar_names | IMAGENET
