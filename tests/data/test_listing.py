"""Lists of image files; how folders are read into them is tested with the folders."""

from dataclasses import replace
from pathlib import Path

import torch

from residua.data.listing import Files, Listing, fingerprint

FILES = Files(
    Listing(Path("there"), ("cat", "dog"), ("cat/1", "cat/2", "dog/1", "dog/2"), (0, 0, 1, 1)),
    image_size=16,
    num_workers=3,
)


def test_files_have_labels_like_images():
    """One class index each."""
    assert 4 == len(FILES)
    assert [0, 0, 1, 1] == FILES.labels.tolist()


def test_files_are_taken_with_their_labels():
    """In the order of the indices; size and workers stay."""
    taken = FILES.take(torch.tensor([3, 0]))
    assert ("dog/2", "cat/1") == taken.listing.names
    assert [1, 0] == taken.labels.tolist()
    assert (16, 3, Path("there")) == (taken.image_size, taken.num_workers, taken.listing.root)


def test_a_fingerprint_is_of_the_names_and_their_parts():
    """Wherever the folder lies; one name more, another or elsewhere makes another."""
    cat, dog = (part.listing for part in FILES.parts([2, 2]))
    found = fingerprint(cat, dog)
    assert found == fingerprint(replace(cat, root=Path("elsewhere")), dog)
    more = replace(dog, names=(*dog.names, "dog/3"))
    renamed = replace(dog, names=("dog/1", "dog/3"))
    others = [fingerprint(cat, more), fingerprint(cat, renamed), fingerprint(dog, cat)]
    assert 5 == len({found, fingerprint(FILES.listing), *others})


def test_files_are_cut_into_parts():
    """Every file is in one part, in order; a part may be empty."""
    parts = FILES.parts([3, 0, 1])
    assert [3, 0, 1] == [len(part) for part in parts]
    assert FILES.listing.names == sum((part.listing.names for part in parts), ())
    assert [] == parts[1].labels.tolist()
