"""The Hub's door: what is saved comes back, what was tampered with is refused, offline too."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
import torch

import residua
from residua import hub, weights
from residua.errors import RunError, UsageError
from residua.nets.build import Meta, Net, create


def trained(data: str = "cifar10", *, whitening: bool = False) -> Net:
    """A small net that says what it was trained on."""
    torch.manual_seed(0)
    net = create("cifar/resnet-8", num_classes=3).eval()
    net.meta = Meta(
        net="cifar/resnet-8",
        data=data,
        classes=("cat", "dog", "été"),
        mean=torch.rand(3, 8, 8) if whitening else torch.rand(3),
        std=None if whitening else torch.rand(3),
        whitening=torch.rand(192, 192) if whitening else None,
        image_size=8,
    )
    return net


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder as on the Hub."""
    hub.save_pretrained(trained(), tmp_path / "r8")
    return tmp_path / "r8"


def images() -> torch.Tensor:
    """Two small images."""
    return torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("whitening", [False, True])
def test_what_is_saved_comes_back(tmp_path: Path, *, whitening: bool):
    """Net, classes and normalisation, to the bit; in evaluation mode."""
    net = trained(whitening=whitening)
    hub.save_pretrained(net, tmp_path)
    loaded = hub.from_pretrained(tmp_path)
    assert net(images()).equal(loaded(images()))
    assert net.spec == loaded.spec
    assert not loaded.training
    assert net.meta is not None
    assert loaded.meta is not None
    assert (net.meta.classes, net.meta.data) == (loaded.meta.classes, loaded.meta.data)
    assert net.meta.mean.equal(loaded.meta.mean)
    files = {"config.json", "README.md", "model.safetensors", "model.json"}
    files |= {"model.whitening.safetensors"} if whitening else set()
    assert files == {file.name for file in tmp_path.iterdir()}


def test_a_run_brings_its_record(tmp_path: Path):
    """The card has its error, and ``record.json`` goes along; no path of the user's does."""
    run = tmp_path / "run"
    run.mkdir()
    net = trained("folder:secret/photos")
    assert net.meta is not None
    weights.save_weights(run / "model.safetensors", net, net.meta)
    record = {
        "key": "0" * 12,
        "net": "cifar/resnet-8",
        "data": {"name": "folder:secret/photos"},
        "recipe": {"name": "he2015"},
        "seed": 3,
        "params": 75_000,
        "epochs": 4,
        "steps": 400,
        "test_error": 12.34,
        "test_error_tta": 11.5,
        "val_error": None,
        "best_val_error": None,
        "train_loss": 0.5,
        "train_error": 9.0,
        "train_seconds": 60.0,
        "images_per_second": 100.0,
        "device": "some CPU",
        "versions": {"torch": "2.13.0"},
    }
    (run / "record.json").write_text(json.dumps(record))
    hub.save_pretrained(run, tmp_path / "out", licence="cc0-1.0")
    card = (tmp_path / "out" / "README.md").read_text()
    assert "| these weights, on the test images | 12.34 |" in card
    assert 'license: "cc0-1.0"' in card
    published = json.loads((tmp_path / "out" / "record.json").read_text())
    assert (12.34, {"name": "folder"}) == (published["test_error"], published["data"])
    assert not any(b"secret" in file.read_bytes() for file in (tmp_path / "out").iterdir())
    assert "cat" == hub.from_pretrained(tmp_path / "out").meta.classes[0]  # type: ignore[union-attr]


def test_a_new_net_replaces_an_older_one(folder: Path):
    """Nothing of the older one stays; the checksums are those of the new one."""
    hub.save_pretrained(trained(whitening=True), folder)
    assert (folder / "model.whitening.safetensors").exists()
    hub.save_pretrained(trained(), folder)
    assert not (folder / "model.whitening.safetensors").exists()
    assert hub.from_pretrained(folder)(images()).equal(trained()(images()))


def test_other_peoples_files_are_not_replaced(tmp_path: Path):
    """A README that is not ours stays what it is."""
    (tmp_path / "README.md").write_text("mine")
    with pytest.raises(UsageError, match=r"README\.md is not of hub\.save_pretrained"):
        hub.save_pretrained(trained(), tmp_path)
    assert ["README.md"] == [file.name for file in tmp_path.iterdir()]
    assert "mine" == (tmp_path / "README.md").read_text()


def test_a_net_without_classes_is_not_published():
    """Weights that nobody trained, or whose classes were exchanged, are a wrong use."""
    other, none = trained(), trained()
    other.reset_classifier(5)
    none.reset_classifier(0)
    for source in (create("cifar/resnet-8"), other, none):
        with pytest.raises(UsageError, match=r"no trained weights, or lost .* reset_classifier"):
            hub.save_pretrained(source, "nowhere")
    assert not Path("nowhere").exists()


def flip(file: Path) -> None:
    """Change one bit in the middle."""
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def with_checksums(folder: Path) -> None:
    """Make the checksums those of the files, as somebody would who hides what was done."""
    config = json.loads((folder / "config.json").read_text())
    for name in config["files"]:
        config["files"][name] = hashlib.sha256((folder / name).read_bytes()).hexdigest()
    (folder / "config.json").write_text(json.dumps(config))


def weights_changed(folder: Path) -> None:
    """A bit of a weight is another."""
    flip(folder / "model.safetensors")


def other_classes(folder: Path) -> None:
    """The classes are exchanged."""
    file = folder / "model.json"
    file.write_text(file.read_text().replace("cat", "cow"))


def other_shape(folder: Path) -> None:
    """The weights are another net's, with checksums to match."""
    other, meta = create("cifar/resnet-8", num_classes=4), trained().meta
    assert meta is not None
    weights.save_weights(folder / "x.safetensors", other, meta)
    shutil.move(folder / "x.safetensors", folder / "model.safetensors")
    with_checksums(folder)


def other_json(folder: Path) -> None:
    """The description is no JSON, with checksums to match."""
    (folder / "model.json").write_text('{"net": ')
    with_checksums(folder)


def no_config(folder: Path) -> None:
    """There are no checksums."""
    (folder / "config.json").unlink()


def cut_config(folder: Path) -> None:
    """The checksums are cut off."""
    (folder / "config.json").write_bytes((folder / "config.json").read_bytes()[:40])


def outside(folder: Path) -> None:
    """The checksums are of a file elsewhere."""
    config = json.loads((folder / "config.json").read_text())
    config["files"]["../secret"] = "0" * 64
    (folder / "config.json").write_text(json.dumps(config))


def missing(folder: Path) -> None:
    """The weights are not there."""
    (folder / "model.safetensors").unlink()


@pytest.mark.fault("a hub folder with a tampered file")
@pytest.mark.parametrize(
    ("tamper", "message"),
    [
        (weights_changed, r"model\.safetensors is damaged or was tampered with: its SHA-256"),
        (other_classes, r"model\.json is damaged or was tampered with: its SHA-256"),
        (other_shape, r"model\.safetensors is damaged or of another net than its \.json says"),
        (other_json, r"model\.json is damaged"),
        (no_config, r"holds no config\.json: it is not of hub\.save_pretrained"),
        (cut_config, r"config\.json is damaged"),
        (outside, r"config\.json lists other files than hub\.save_pretrained writes"),
        (missing, r"model\.safetensors cannot be read \(No such file or directory\)"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_tampered_folder_is_refused(
    folder: Path,
    tamper: Callable[[Path], None],
    message: str,
    record_property: Callable[[str, object], None],
):
    """One line says which file it is."""
    tamper(folder)
    with pytest.raises(RunError, match=message) as caught:
        hub.from_pretrained(folder)
    assert "\n" not in str(caught.value)
    record_property("message", str(caught.value))


@pytest.mark.fault("no write permission for a hub folder")
def test_a_place_that_cannot_be_written_to_is_told(
    tmp_path: Path, record_property: Callable[[str, object], None]
):
    """A file where the folder should be, or no permission: one line."""
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match=r"cannot write to .*file/r8: Not a directory") as caught:
        hub.save_pretrained(trained(), tmp_path / "file" / "r8")
    record_property("message", str(caught.value))


def offline(program: str, home: Path) -> str:
    """What a program prints that has no way out; errors of ours as their last line."""
    env = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(home)}
    pytest.importorskip("huggingface_hub", reason="huggingface_hub is not installed")
    command = [sys.executable, "-c", program]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, env=env)
    return (ran.stdout or ran.stderr).strip().splitlines()[-1]


def test_offline_a_repository_comes_from_the_cache(folder: Path, tmp_path: Path):
    """What was fetched once is used; what was not is told in one line."""
    commit = "0123456789" * 4
    cached = tmp_path / "home" / "hub" / "models--me--r8"
    (cached / "refs").mkdir(parents=True)
    (cached / "refs" / "main").write_text(commit)
    shutil.copytree(folder, cached / "snapshots" / commit)
    program = "from residua import hub\nprint(hub.from_pretrained('me/r8').meta.classes)"
    assert "('cat', 'dog', 'été')" == offline(program, tmp_path / "home")
    told = offline(program.replace("r8", "other"), tmp_path / "home")
    assert told.startswith(
        "residua.errors.RunError: the Hugging Face Hub and me/other: Cannot find"
    )


def test_what_is_no_repository_is_a_wrong_use():
    """A folder that is not there is not looked for on the Hub."""
    pytest.importorskip("huggingface_hub", reason="huggingface_hub is not installed")
    with pytest.raises(UsageError, match=r"'\./no/such/folder' is neither a folder nor the name"):
        hub.from_pretrained("./no/such/folder")


class Api:
    """The Hub, as far as pushing goes: it keeps what it is handed."""

    pushed: dict[str, bytes]

    def create_repo(self, repo_id: str, *, private: bool, exist_ok: bool) -> str:
        """Make a repository."""
        assert exist_ok
        return f"https://hub/{repo_id}{'?private' * private}"

    def upload_folder(self, *, repo_id: str, folder_path: str, **_: object) -> None:
        """Keep a folder."""
        assert "me/r8" == repo_id
        Api.pushed = {file.name: file.read_bytes() for file in Path(folder_path).iterdir()}


def test_pushed_is_what_is_pulled(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """The repository holds the folder of ``save_pretrained``; its card says where it lies."""

    def snapshot_download(repo_id: str, **_: object) -> str:
        assert "me/r8" == repo_id
        for name, content in Api.pushed.items():
            (tmp_path / name).write_bytes(content)
        return str(tmp_path)

    package = ModuleType("huggingface_hub")
    vars(package).update(HfApi=Api, snapshot_download=snapshot_download)
    monkeypatch.setitem(sys.modules, "huggingface_hub", package)
    assert "https://hub/me/r8?private" == hub.push_to_hub(trained(), "me/r8", private=True)
    assert b'hub.from_pretrained("me/r8")' in Api.pushed["README.md"]
    assert hub.from_pretrained("me/r8")(images()).equal(trained()(images()))


def test_without_the_package_it_is_asked_for(monkeypatch: pytest.MonkeyPatch, folder: Path):
    """Folders need none; the Hub does, and the line says how to get it."""
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)  # type: ignore[arg-type]
    assert hub.from_pretrained(folder).meta is not None
    with pytest.raises(UsageError, match=r"pip install 'residua\[hub\]'"):
        hub.from_pretrained("me/r8")
    with pytest.raises(UsageError, match=r"pip install 'residua\[hub\]'"):
        hub.push_to_hub(trained(), "me/r8")


def test_the_version_goes_along(folder: Path):
    """Whoever finds an old folder sees what wrote it."""
    config = json.loads((folder / "config.json").read_text())
    assert ("residua", residua.__version__) == (config["library_name"], config["library_version"])
