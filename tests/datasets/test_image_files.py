"""experiments/image_files.py: small copies of the data sets in every form, and bad folders."""

import gzip
import hashlib
import re

import image_writers
import numpy as np
import pytest

from experiments.datasets import image_files
from experiments.datasets.image_files import IMAGE_SETS

IMAGES, LABELS = image_writers.random_images(0, 12, 4, 5)
COLOUR, COLOUR_LABELS = image_writers.random_images(1, 12, 32, 32, 3)


@pytest.mark.parametrize("kind", ["mnist", "fashion-mnist"])
@pytest.mark.parametrize("gz", [False, True])
def test_idx_files(tmp_path, kind, gz):
    image_writers.write_idx(tmp_path, IMAGES, LABELS, gz=gz)
    image_writers.write_idx(tmp_path, IMAGES[:2], LABELS[:2], split="test", gz=gz)
    found = image_files.read(kind, tmp_path)
    assert found.images.shape == (12, 4, 5, 1)
    assert (found.images.dtype, found.labels.dtype, found.white) == (np.uint8, np.int64, 255)
    np.testing.assert_array_equal(found.images[..., 0], IMAGES)
    np.testing.assert_array_equal(found.labels, LABELS)
    assert found.variant == "12 of 60,000 images, 4×5 pixels of 28×28"
    test = image_files.read(kind, tmp_path, "test")
    np.testing.assert_array_equal(test.images[..., 0], IMAGES[:2])
    assert test.variant == "2 of 10,000 images, 4×5 pixels of 28×28"


def test_names_with_a_point(tmp_path):
    image_writers.write_idx(tmp_path, IMAGES, LABELS)
    for path in list(tmp_path.iterdir()):
        path.rename(tmp_path / path.name.replace("-idx", ".idx"))
    np.testing.assert_array_equal(image_files.read("mnist", tmp_path).images[..., 0], IMAGES)


@pytest.mark.parametrize("form", ["binary", "python"])
def test_cifar_batches_in_order(tmp_path, form):
    image_writers.write_cifar(tmp_path, COLOUR, COLOUR_LABELS, form=form)
    train, test = (image_files.read("cifar10", tmp_path, split) for split in ("train", "test"))
    np.testing.assert_array_equal(train.images, COLOUR[:10])
    np.testing.assert_array_equal(train.labels, COLOUR_LABELS[:10])
    np.testing.assert_array_equal(test.images, COLOUR[10:])
    np.testing.assert_array_equal(test.labels, COLOUR_LABELS[10:])
    assert (train.variant, test.variant) == ("10 of 50,000 images", "2 of 10,000 images")


def test_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    image_writers.write_idx(tmp_path, IMAGES, LABELS)
    assert len(image_files.read("mnist", "~").labels) == 12
    with pytest.raises(ValueError, match=r"^~nobody-of-this-name: "):
        image_files.read("mnist", "~nobody-of-this-name")


def spoil(path, change):
    path.write_bytes(change(path.read_bytes()))


BAD = {
    "cut off": (
        lambda d: spoil(d / "train-images-idx3-ubyte", lambda b: b[:-1]),
        "train-images-idx3-ubyte: its header promises 12 × 4 × 5 bytes, but 239 follow it",
    ),
    "labels for images": (
        lambda d: (
            (d / "train-labels-idx1-ubyte").replace(d / "train-images-idx3-ubyte")
            and image_writers.write_idx(d, LABELS, LABELS)
        ),
        "must begin with the magic number 0x00000803",
    ),
    "fewer labels": (
        lambda d: image_writers.write_idx(d, IMAGES, LABELS[:-2]),
        "train-images-idx3-ubyte: has 12 images, but train-labels-idx1-ubyte 10 labels",
    ),
    "label 10": (
        lambda d: image_writers.write_idx(d, IMAGES, LABELS + np.uint8(1)),
        "train-labels-idx1-ubyte: labels must be from 0 to 9, got 10",
    ),
    "not packed": (
        lambda d: (d / "train-images-idx3-ubyte").rename(d / "train-images-idx3-ubyte.gz"),
        "train-images-idx3-ubyte.gz: is named .gz, but is not packed by gzip",
    ),
    "packed file damaged": (
        lambda d: (d / "train-images-idx3-ubyte.gz").write_bytes(
            gzip.compress(image_writers.idx(IMAGES))[:-5]
        ),
        "train-images-idx3-ubyte.gz: is cut off or damaged",
    ),
    "no images": (
        lambda d: image_writers.write_idx(d, IMAGES[:0], LABELS[:0]),
        "train-images-idx3-ubyte: holds no images",
    ),
    "no pixels": (
        lambda d: image_writers.write_idx(d, IMAGES[:, :0], LABELS),
        "train-images-idx3-ubyte: holds no images",
    ),
    "one file": (
        lambda d: (d / "train-labels-idx1-ubyte").unlink(),
        "lacks train-labels-idx1-ubyte.gz or train-labels-idx1-ubyte or "
        "train-labels.idx1-ubyte, of MNIST from http://yann.lecun.com/exdb/mnist/",
    ),
    "a folder in its place": (
        lambda d: (
            (d / "train-labels-idx1-ubyte").unlink(),
            (d / "train-labels-idx1-ubyte").mkdir(),
        ),
        "train-labels-idx1-ubyte cannot be read: Is a directory",
    ),
}


@pytest.mark.parametrize("name", list(BAD))
def test_bad_folders(tmp_path, name):
    image_writers.write_idx(tmp_path, IMAGES, LABELS)
    image_files.read("mnist", tmp_path)
    make, message = BAD[name]
    make(tmp_path)
    with pytest.raises(ValueError, match=re.escape(message)) as error:
        image_files.read("mnist", tmp_path)
    assert str(error.value).startswith(str(tmp_path))
    assert "\n" not in str(error.value)


def test_missing_files_are_named_with_where_to_get_them(tmp_path):
    image_writers.write_cifar(tmp_path, COLOUR, COLOUR_LABELS)
    for k in (2, 4):
        (tmp_path / f"data_batch_{k}.bin").unlink()
    with pytest.raises(
        ValueError,
        match=r"lacks data_batch_2 or data_batch_2.bin, data_batch_4 or data_batch_4.bin, "
        r"of CIFAR-10 from https://www.cs.toronto.edu/~kriz/cifar.html$",
    ):
        image_files.read("cifar10", tmp_path)
    image_files.read("cifar10", tmp_path, "test")  # its file is there
    with pytest.raises(ValueError, match=r"none is no folder; it should hold test_batch or "):
        image_files.read("cifar10", tmp_path / "none", "test")


def test_other_arguments(tmp_path):
    with pytest.raises(ValueError, match=r"kind must be one of cifar10, .*; got 'svhn'"):
        image_files.read("svhn", tmp_path)
    with pytest.raises(ValueError, match=r"split must be one of test, train; got 'all'"):
        image_files.read("mnist", tmp_path, "all")


def published_test_split(kind: str) -> tuple[np.ndarray, np.ndarray]:
    """Black images, as many as published, with as many of each class."""
    counts = IMAGE_SETS[kind].counts["test"]
    return np.zeros((10_000, 28, 28), np.uint8), np.repeat(np.arange(10, dtype=np.uint8), counts)


def test_as_many_as_published_are_the_published_classes(tmp_path):
    image_writers.write_idx(tmp_path, *published_test_split("mnist"), split="test")
    assert image_files.read("mnist", tmp_path, "test").variant == ""
    with pytest.raises(
        ValueError,
        match=r"t10k-labels-idx1-ubyte: has as many images as Fashion-MNIST, but not as many of "
        r"each class: \(980, 1135, .*\), not \(1000, 1000, .*npz:FILE$",
    ):
        image_files.read("fashion-mnist", tmp_path, "test")


def test_as_many_as_published_have_the_published_checksum(tmp_path, monkeypatch):
    images, labels = published_test_split("mnist")
    image_writers.write_idx(tmp_path, images, labels, split="test", gz=True)
    digests = {
        path.name: ("sha256", hashlib.sha256(path.read_bytes()).hexdigest())
        for path in tmp_path.iterdir()
    }
    known = IMAGE_SETS["mnist"].checksums["t10k-images-idx3-ubyte.gz"][1]
    found = digests["t10k-images-idx3-ubyte.gz"][1]
    message = (
        f"t10k-images-idx3-ubyte.gz: is not the published file of MNIST: its sha256 is {found}, "
        f"not {known}; get it again from http://yann.lecun.com"
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        image_files.read("mnist", tmp_path, "test")
    for name, digest in digests.items():
        monkeypatch.setitem(IMAGE_SETS["mnist"].checksums, name, digest)
    assert image_files.read("mnist", tmp_path, "test").variant == ""
    # Images of another size are another data set, which says so, and need not have the checksum.
    monkeypatch.undo()
    image_writers.write_idx(tmp_path, images[:, ::14, ::14], labels, split="test", gz=True)
    variant = image_files.read("mnist", tmp_path, "test").variant
    assert variant == "2×2 pixels of 28×28"


@pytest.mark.parametrize("kind", list(IMAGE_SETS))
def test_what_is_known_of_the_data_sets_is_consistent(kind):
    known = IMAGE_SETS[kind]
    assert len(known.classes) == len(set(known.classes)) == 10
    assert sum(known.counts["test"]) == 10_000
    assert sum(known.counts["train"]) == (50_000 if kind == "cifar10" else 60_000)
    names = {name for files in known.files.values() for names in files for name in names}
    digits = {"sha256": 64, "md5": 32}
    for name, (algorithm, digest) in known.checksums.items():
        assert name in names
        assert re.fullmatch(f"[0-9a-f]{{{digits[algorithm]}}}", digest)
    assert len(set(known.checksums.values())) == len(known.checksums)
