"""A reader's walk: every command of a page, one after the other, on toys instead of CIFAR-10."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from ..cli.conftest import run  # noqa: TID252 - tests are no package
from .conftest import DOCS, PAGES, REPO, Reader, blocks, name_of

TOY = ("--epochs", "1", "--set", "data.train_limit=128")
OWN_IMAGES = ("--epochs", "1", "--set", "recipe.batch_size=16")
# What needs the internet, a cluster or another project's file, or waits for a visitor.
ELSEWHERE = {"demo", "import", "data", "--engine"}
WALKED = [
    path
    for path in PAGES
    if path.parent in {REPO, DOCS, DOCS / "tutorials"}
    and re.search(r"^```sh\nresidua", path.read_text("utf-8"), flags=re.MULTILINE)
]


def small(words: list[str]) -> list[str]:
    """A command on synthetic images, for an epoch of them, or at the budget smoke."""
    toy = ["synthetic" if word == "cifar10" else word for word in words]
    if "--budget" in toy:
        toy[toy.index("--budget") + 1] = "smoke"
    if toy[1] == "train":
        toy += OWN_IMAGES if re.search(r" (folder|imagenet):", " ".join(toy)) else TOY
    return toy


def prepare(text: str) -> None:
    """What a page takes for granted: trained nets, and folders of the reader's own images."""
    made = re.findall(r"--out (\S+)", text)
    for name in set(re.findall(r"runs/[\w-]+", text)) - set(made):
        how = ("--data", "synthetic", "--quiet", *TOY, "--out", name)
        assert 0 == run("train", "cifar/preresnet-8", *how).status
    if "photos/cat.jpg" in text:
        Path("photos").mkdir()
        Image.new("RGB", (48, 32)).save("photos/cat.jpg")
    for folder in re.findall(r"--data (?:folder|imagenet):(\w+)", text):
        for part in ("train", "val") if f"imagenet:{folder}" in text else ("",):
            for kind in ("cat", "dog"):
                Path(folder, part, kind).mkdir(parents=True, exist_ok=True)
                for index in range(24):
                    image = Image.effect_noise((80, 64), 10 + 40 * (kind == "cat"))
                    image.convert("RGB").save(Path(folder, part, kind, f"{index}.png"))


@pytest.mark.slow
@pytest.mark.parametrize("path", WALKED, ids=name_of)
def test_every_command_of_a_page_works(path: Path, reader: Callable[[str], Reader]):
    """In their order, each with exit status 0; those marked as failing fail."""
    prepare(path.read_text(encoding="utf-8"))
    one = reader(name_of(path))
    for block in blocks(path):
        if block.language in {"pycon", "python"} or block.mark:
            one.follow(block)
        elif block.language == "sh":
            for words in block.commands:
                if words[0] == "residua" and not ELSEWHERE & set(words):
                    outcome = run(*small(words)[1:])
                    assert 0 == outcome.status, (words, outcome.err)
