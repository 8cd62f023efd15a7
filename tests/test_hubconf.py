"""torch.hub's door: what ``hubconf.py`` lists, builds and depends on."""

import inspect
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import residua
from residua.arch import names
from residua.arch.count import params

REPO = Path(__file__).parents[1]


@pytest.mark.parametrize("name", ["cifar/resnet-20", "cifar/resnet-110+scale-0.5-0.5"])
def test_torch_hub_builds_the_papers_nets(name: str):
    """An entry is called as the net is, with hyphens as Python can say them."""
    net = torch.hub.load(REPO, names.identifier(name), source="local", num_classes=7)
    assert params(net.spec) == sum(weight.numel() for weight in net.parameters())
    assert (names.spec(name).depths, 7) == (net.spec.depths, net.num_classes)


def test_torch_hub_builds_any_net():
    """``create`` takes any legal name, and tells what is wrong with others."""
    net = torch.hub.load(REPO, "create", "cifar/resnet-14", source="local", in_channels=1)
    assert (2, 10) == net(torch.randn(2, 1, 8, 8)).shape
    with pytest.raises(residua.UsageError, match=r"depth = 6n \+ 2"):
        torch.hub.load(REPO, "create", "cifar/resnet-21", source="local")


def test_the_list_is_that_of_the_papers():
    """What torch.hub.list shows are the nets and ``create``, each with a line of help."""
    path = list(sys.path)
    module = torch.hub._import_module("hubconf", REPO / "hubconf.py")
    assert path == sys.path
    listed = {
        name for name in dir(module) if callable(getattr(module, name)) and not name.startswith("_")
    }
    assert {"create", *map(names.identifier, names.NAMES)} == listed
    assert all(inspect.getdoc(getattr(module, name)) for name in listed)
    assert ["torch", "jaxtyping"] == module.dependencies


def test_dependencies_are_all_that_is_imported():
    """A machine with no more than torch and what is listed can build nets."""
    program = (
        "import sys, torch\n"
        "others = 'pydantic', 'safetensors', 'rich', 'click', 'lightning_fabric', 'filelock'\n"
        "sys.modules |= dict.fromkeys(others)\n"
        f"net = torch.hub.load({str(REPO)!r}, 'cifar_resnet_20', source='local')\n"
        "print(len(net.units))\n"
    )
    command = [sys.executable, "-c", program]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "9\n" == ran.stdout
