"""Nets written for other programs: they compute the same there, or are not written."""

import hashlib
import json
import sys
from pathlib import Path

import onnxruntime
import pytest
import torch
from torch.nn import BatchNorm2d

from residua import export, weights
from residua.data import sets
from residua.data.loaders import evaluation_batches
from residua.data.normalise import Normalisation
from residua.errors import RunError, UsageError
from residua.nets.build import Meta, Net, create
from residua.nets.fold import fold

QUICK = "cifar/pyramidnet-8-a6"
NAMES = [
    "cifar/plain-8",
    "cifar/resnet-8-b",
    "cifar/resnet-11-bottleneck",
    "cifar/preresnet-8",
    "cifar/sd-resnet-8",
    "cifar/wrn-10-2-dropout",
    "cifar/densenet-bc-10-4",
]


def trained(name: str = "cifar/resnet-8", *, whitened: bool = False) -> Net:
    """Return a net for three classes whose norms hold anything, with all that travels with it."""
    torch.manual_seed(0)
    net = create(name, num_classes=3)
    for module in net.modules():
        if isinstance(module, BatchNorm2d):
            assert module.running_mean is not None
            assert module.running_var is not None
            for values in (module.running_var, module.weight.data):
                values.uniform_(0.5, 1.5)
            for values in (module.running_mean, module.bias.data):
                values.normal_(std=0.2)
    net.meta = Meta(
        net=name,
        data="pets",
        classes=("cat", "dog", "été"),
        mean=torch.rand(3, 8, 8) if whitened else torch.tensor([0.4, 0.5, 0.6]),
        std=None if whitened else torch.tensor([0.1, 0.2, 0.3]),
        whitening=torch.rand(192, 192) if whitened else None,
        image_size=8,
    )
    return net.eval()


def run_onnx(file: Path, x: torch.Tensor) -> torch.Tensor:
    """Return what ONNX's own runtime makes of images."""
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    return torch.from_numpy(session.run(["logits"], {"images": x.numpy()})[0])


def files(directory: Path) -> set[str]:
    """Return the names of all that there is."""
    return {path.name for path in directory.iterdir()}


@pytest.mark.parametrize("folded", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_onnx_computes_the_same_for_any_number_of_images(tmp_path: Path, *, folded: bool):
    """ONNX's own runtime agrees, its metadata say all, and nothing of this machine is in it."""
    net, file = trained(), tmp_path / "net.onnx"
    found = export.export(net, file, kind="onnx", folded=folded)

    assert ("onnx", file, 32) == (found.format, found.file, found.n)
    assert found.max_abs_diff < 1e-5
    assert {"net.onnx"} == files(tmp_path)
    for n in (1, 5):
        x = torch.randn(n, 3, 8, 8)
        torch.testing.assert_close(run_onnx(file, x), net(x).detach(), atol=1e-4, rtol=0)
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    (given,) = session.get_inputs()
    assert ("images", ["n", 3, 8, 8]) == (given.name, given.shape)
    metadata = session.get_modelmeta().custom_metadata_map
    said = {key: json.loads(value) for key, value in metadata.items()}
    assert ["cat", "dog", "été"] == said["classes"]
    assert ("cifar/resnet-8", 8) == (said["net"], said["image_size"])
    assert pytest.approx([0.1, 0.2, 0.3]) == said["std"]
    assert "x = (pixels / 255 - mean) / std" in said["preprocessing"]
    assert str(Path(export.__file__).parent).encode() not in file.read_bytes()


@pytest.mark.parametrize("folded", [False, True])
def test_pt2_computes_the_same_for_any_number_of_images(tmp_path: Path, *, folded: bool):
    """``torch.export.load`` reads it, and what it is travels in it."""
    net, file = trained(), tmp_path / "net.pt2"
    found = export.export(net, file, kind="pt2", folded=folded)

    assert found.max_abs_diff < 1e-5
    assert {"net.pt2"} == files(tmp_path)
    extra = {"residua.json": ""}
    program = torch.export.load(file, extra_files=extra)
    for n in (1, 5):
        x = torch.randn(n, 3, 8, 8)
        torch.testing.assert_close(program.module()(x), net(x), atol=1e-4, rtol=0)
    norms = [node for node in program.graph.nodes if "batch_norm" in str(node.target)]
    assert folded == (not norms)
    assert ["cat", "dog", "été"] == json.loads(extra["residua.json"])["classes"]
    assert str(Path(export.__file__).parent).encode() not in file.read_bytes()


def test_safetensors_are_weights_that_load_reads(tmp_path: Path):
    """Tensors and description are those of the net; there is no difference at all."""
    net, file = trained(), tmp_path / "net.safetensors"
    assert 0 == export.export(net, file, kind="safetensors").max_abs_diff
    assert {"net.safetensors", "net.json"} == files(tmp_path)
    loaded = weights.load(file)
    assert net.spec == loaded.spec
    assert all(net.state_dict()[key].equal(value) for key, value in loaded.state_dict().items())


@pytest.mark.parametrize("folded", [False, True])
@pytest.mark.parametrize(
    "name", [QUICK, *(pytest.param(name, marks=pytest.mark.slow) for name in NAMES)]
)
def test_what_is_exported_is_torch_s_operations_alone(name: str, *, folded: bool):
    """No kernel of ours or of one processor is in the graph, which the other side would lack."""
    net = trained(name)
    assert net.meta is not None
    with torch.no_grad():  # where kernels would be used
        program = export._program(export._plain(fold(net)) if folded else net, net.meta)
    calls = [node.target for node in program.graph.nodes if node.op == "call_function"]
    assert calls
    assert {"aten"} == {call.namespace for call in calls}
    x = torch.randn(3, 3, 8, 8)
    torch.testing.assert_close(program.module()(x), net(x), atol=1e-4, rtol=0)


@pytest.mark.slow
@pytest.mark.parametrize("folded", [False, True])
@pytest.mark.parametrize("name", [QUICK, *NAMES])
def test_every_family_goes_to_onnx(tmp_path: Path, name: str, *, folded: bool):
    """Shortcuts, gates and dense blocks are known there too."""
    found = export.export(trained(name), tmp_path / "net.onnx", kind="onnx", folded=folded)
    assert found.max_abs_diff < 1e-4


def test_what_whitens_the_images_goes_beside(tmp_path: Path):
    """It is too large for metadata, which say how to use it."""
    net = trained(whitened=True)
    assert net.meta is not None
    said = export._description(net, net.meta, tmp_path / "net.pt2")
    assert "the tensor in the .whitening.safetensors beside" in said["preprocessing"]
    export.export(net, tmp_path / "net.safetensors", kind="safetensors")
    assert {f"net.{end}" for end in ("safetensors", "json", "whitening.safetensors")} == files(
        tmp_path
    )
    content = (tmp_path / "net.whitening.safetensors").read_bytes()
    assert hashlib.sha256(content).hexdigest() == said["whitening"]


def test_images_that_are_given_serve_as_check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The first of them, normalised as the net's own were, the first one alone."""
    net = trained()
    assert net.meta is not None
    net.meta = Meta(
        net="n", data="d", classes=("a",) * 3, mean=torch.ones(3), std=None, image_size=32
    )
    seen: list[torch.Tensor] = []

    def writer(_net: Net, _meta: Meta, file: Path) -> export.Written:
        file.touch()
        return lambda x: seen.append(x) or net(x).detach()  # type: ignore[func-returns-value] - it is None

    monkeypatch.setitem(export.WRITERS, "pt2", writer)
    monkeypatch.setattr(export, "NUM_IMAGES", 100)
    images = sets.load("synthetic").test
    found = export.export(net, tmp_path / "net.pt2", kind="pt2", images=images)
    assert 100 == found.n
    assert [1, 99] == [len(x) for x in seen]
    ((expected, _),) = evaluation_batches(
        images.take(torch.arange(100)),
        batch_size=100,
        normalisation=Normalisation(torch.ones(3), None),
        device="cpu",
    )
    assert expected.equal(torch.cat(seen))


@pytest.mark.parametrize("wrong", [1e-3, float("nan")])
@pytest.mark.parametrize("before", [b"before", None])
def test_a_file_that_computes_something_else_is_not_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrong: float, before: bytes | None
):
    """What was under its name before stays, and nothing else is there."""
    net, file = trained(), tmp_path / "net.safetensors"
    if before is not None:
        file.write_bytes(before)
    real = export.WRITERS["safetensors"]

    def writer(net: Net, meta: Meta, file: Path) -> export.Written:
        written = real(net, meta, file)
        return lambda x: written(x) + wrong * net(x).detach().abs().max().clamp_min(1)

    monkeypatch.setitem(export.WRITERS, "safetensors", writer)
    with pytest.raises(RunError, match=r"computes something else: .* nothing was written"):
        export.export(net, file, kind="safetensors")
    assert ({"net.safetensors"} if before else set()) == files(tmp_path)
    assert before is None or before == file.read_bytes()


def test_a_place_that_cannot_be_written_to_is_told(tmp_path: Path):
    """With the system's reason; nothing is left there."""
    (tmp_path / "file").touch()
    (tmp_path / "taken.safetensors").mkdir()
    for out in ("file/net", "missing/net", "taken"):
        file = tmp_path / f"{out}.safetensors"
        with pytest.raises(RunError, match=rf"cannot write to {file}: \w+.*; give --out"):
            export.export(trained(), file, kind="safetensors")
    assert {"file", "taken.safetensors"} == files(tmp_path)


def test_what_does_not_go_together_is_wrong_use(tmp_path: Path):
    """Format and name, folding and our own weights, nets without weights or of other channels."""
    net = trained()
    with pytest.raises(UsageError, match=r"net\.pt must end in \.pt2"):
        export.export(net, tmp_path / "net.pt", kind="pt2")
    with pytest.raises(UsageError, match="keep BN"):
        export.export(net, tmp_path / "a.safetensors", kind="safetensors", folded=True)
    with pytest.raises(UsageError, match="no trained weights"):
        export.export(create("cifar/resnet-8"), tmp_path / "net.pt2", kind="pt2")
    with pytest.raises(UsageError, match=r"training mode: call net\.eval\(\) first"):
        export.export(trained().train(), tmp_path / "net.pt2", kind="pt2")
    grey = create("cifar/resnet-8", in_channels=1).eval()
    grey.meta = net.meta
    images = sets.load("synthetic").test
    with pytest.raises(UsageError, match="takes 1 channels, data sets have 3"):
        export.export(grey, tmp_path / "net.pt2", kind="pt2", images=images)
    assert set() == files(tmp_path)


@pytest.mark.parametrize("package", ["onnxruntime", "onnxscript"])
def test_without_the_packages_their_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str
):
    """Only the format onnx needs them."""
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(UsageError, match=r"pip install 'residua\[export\]'"):
        export.export(trained(), tmp_path / "net.onnx", kind="onnx")
    assert set() == files(tmp_path)
