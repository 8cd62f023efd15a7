"""The public surface: names, and what importing it costs."""

import subprocess
import sys

import pytest
import torch

import residua
from residua import hub
from residua.nets.build import Net


def test_all_is_in_order_and_there():
    """Every public name exists, once, alphabetically; the contract's are among them."""
    assert sorted(set(residua.__all__)) == residua.__all__
    assert all(getattr(residua, name) is not None for name in residua.__all__)
    contract = {"RunError", "UsageError", "create", "load", "names", "predict", "spec"}
    assert {"__version__", *contract} <= set(residua.__all__)


def test_the_public_names_are_these():
    """What is promised stays: a name is added here on purpose, and removed after a warning."""
    expected = ["RunError", "UsageError", "__version__", "create", "load", "names", "predict"]
    assert [*expected, "spec"] == residua.__all__
    features = {"forward_features", "forward_head", "get_classifier", "reset_classifier"}
    assert features | {"num_classes"} <= vars(Net).keys()
    assert {"save_pretrained", "from_pretrained", "push_to_hub"} <= vars(hub).keys()


def test_importing_leaves_torch_alone():
    """Names and specs need no torch; the first ``create`` imports it."""
    program = (
        "import sys, residua\n"
        "residua.spec(residua.names()[0])\n"
        "heavy = {'torch', 'numpy', 'pydantic', 'rich', 'click', 'timm', 'huggingface_hub'}\n"
        "assert not heavy & sys.modules.keys(), heavy & sys.modules.keys()\n"
        "net = residua.create('cifar/resnet-8', num_classes=7)\n"
        "assert 'torch' in sys.modules\n"
        "print(net.classifier.out_features)\n"
    )
    command = [sys.executable, "-c", program]
    assert "7\n" == subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_create_and_names_are_those_of_the_rooms():
    """The short names are the rooms' own functions."""
    from residua.arch import names
    from residua.nets import build
    from residua.prediction import predict
    from residua.weights import load

    assert (build.create, load, predict) == (residua.create, residua.load, residua.predict)
    assert (names.names, names.spec) == (residua.names, residua.spec)
    assert isinstance(residua.create("cifar/densenet-7-4"), torch.nn.Module)


def test_every_name_is_there_without_optional_packages():
    """Who does without images and exports can still import all names."""
    program = (
        "import sys\n"
        "sys.modules |= dict.fromkeys(('PIL', 'onnx', 'onnxruntime', 'onnxscript'))\n"
        "from residua import *\n"
        "import residua.export\n"
        "print(predict.__module__)\n"
    )
    command = [sys.executable, "-c", program]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "residua.prediction\n" == ran.stdout


def test_any_other_name_is_an_attribute_error():
    """A slip of the pen is told as Python tells it."""
    with pytest.raises(AttributeError, match="module 'residua' has no attribute 'creat'"):
        _ = residua.creat  # type: ignore[attr-defined]


def test_errors_are_of_the_usual_kinds():
    """Callers may catch wrong use as ValueError and failed runs as RuntimeError."""
    assert issubclass(residua.UsageError, ValueError)
    assert issubclass(residua.RunError, RuntimeError)
