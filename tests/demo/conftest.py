"""A net whose predictions hang on every unit, and its weights as a file."""

from pathlib import Path

import pytest
import torch

from residua import weights
from residua.data import sets
from residua.data.images import Images
from residua.nets.build import Meta, Net, create


@pytest.fixture(scope="session")
def images() -> Images:
    """Forty images in colour."""
    return sets.load("synthetic").test.take(torch.arange(40))  # type: ignore[return-value] - it is in memory


@pytest.fixture(scope="session")
def net(images: Images) -> Net:
    """A net of two units a stage whose norms have seen the images."""
    torch.manual_seed(0)
    net = create("cifar/preresnet-14").train()
    net.meta = Meta(
        net="cifar/preresnet-14",
        data="synthetic",
        classes=tuple(f"class <{index}>" for index in range(10)),
        mean=torch.tensor([0.1, 0.2, 0.3]),
        std=None,
        image_size=32,
    )
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = 1
    with torch.no_grad():
        net(images.pixels / 255 - net.meta.mean.view(3, 1, 1))
    return net.eval()


@pytest.fixture(scope="session")
def weights_file(net: Net, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The net's weights, with their description."""
    assert net.meta is not None
    path = tmp_path_factory.mktemp("weights") / "net.safetensors"
    weights.save_weights(path, net, net.meta)
    return path
