"""Peers: their state dicts, as their code makes and saves them, imported into our nets."""

import importlib
from pathlib import Path

import pytest
import torch

from residua.interop.importing import Source, import_weights

pytestmark = pytest.mark.peers


@pytest.mark.parametrize("project", ["torchvision", "auto"])
@pytest.mark.parametrize(
    ("theirs", "ours"),
    [("resnet50", "imagenet/resnet-50+stride-3x3"), ("densenet121", "imagenet/densenet-121")],
)
def test_torchvision(tmp_path: Path, theirs: str, ours: str, project: str):
    """Torchvision's own random initialisation gives torchvision's own logits in our net."""
    pytest.importorskip("torchvision", reason="torchvision is not installed (group peers)")
    torch.manual_seed(0)
    net = getattr(importlib.import_module("torchvision.models"), theirs)().eval()
    torch.save(net.state_dict(), tmp_path / "weights.pth")
    found = import_weights(tmp_path / "weights.pth", Source(net=ours, project=project))
    x = torch.randn(2, 3, 96, 96)
    with torch.no_grad():
        torch.testing.assert_close(net(x), found.net(x), rtol=1e-5, atol=1e-5)
    assert len(net.state_dict()) == found.tensors
