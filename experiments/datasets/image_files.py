"""Image data sets from a folder of the user's: MNIST, Fashion-MNIST and CIFAR-10 as published.

Nothing is downloaded. The numbers of images, of pixels and of each class are those published with
the data. The SHA-256 of the packed files of MNIST and Fashion-MNIST are those with which
TensorFlow Datasets 4.9.10 checks its downloads; for the batches of CIFAR-10's Python version only
MD5 is published, by torchvision 0.29.2. For unpacked IDX files and CIFAR-10's binary batches we
know of none.
"""

import dataclasses
import hashlib
import math
import os
import pathlib
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from experiments.datasets import cifar, idx, sizes
from experiments.datasets.cifar import CLASSES
from experiments.files import reading
from theory._validation import check_choice

SPLITS = ("train", "test")
_DIGITS = tuple("0123456789")


class Images(NamedTuple):
    """Images with their classes.

    images: (N, H, W, C) uint8.  labels: (N,) int64 classes 0 to 9.  white: the largest value
    that a pixel can have: images / white lies in [0, 1].  variant: how they differ from the
    published ones in number and size, empty if they do not.
    """

    images: np.ndarray
    labels: np.ndarray
    white: int = 255
    variant: str = ""


@dataclasses.dataclass(frozen=True)
class ImageSet:
    """A published data set.

    Attributes:
      title: its name.
      home: where to get it.
      classes: names of the classes 0 to 9.
      shape: (H, W, C) of an image.
      counts: split → number of images of each class.
      files: split → its files, each by the names that it may have, in the order of preference.
      checksums: name of a file → (algorithm, digest in hexadecimal).
    """

    title: str
    home: str
    classes: tuple[str, ...]
    shape: tuple[int, int, int]
    counts: Mapping[str, tuple[int, ...]]
    files: Mapping[str, tuple[tuple[str, ...], ...]]
    checksums: Mapping[str, tuple[str, str]]


def _idx_files(split: str) -> tuple[tuple[str, ...], ...]:
    # Some programs unpack train-images-idx3-ubyte.gz to train-images.idx3-ubyte.
    return tuple(
        (f"{split}-{kind}-{form}.gz", f"{split}-{kind}-{form}", f"{split}-{kind}.{form}")
        for kind, form in (("images", "idx3-ubyte"), ("labels", "idx1-ubyte"))
    )


_IDX_FILES = {"train": _idx_files("train"), "test": _idx_files("t10k")}

IMAGE_SETS = {
    "mnist": ImageSet(
        title="MNIST",
        home="http://yann.lecun.com/exdb/mnist/ (or https://storage.googleapis.com/cvdf-datasets/"
        "mnist/, a copy)",
        classes=_DIGITS,
        shape=(28, 28, 1),
        counts={
            "train": (5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949),
            "test": (980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009),
        },
        files=_IDX_FILES,
        checksums={
            name: ("sha256", digest)
            for name, digest in {
                "train-images-idx3-ubyte.gz": (
                    "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"
                ),
                "train-labels-idx1-ubyte.gz": (
                    "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"
                ),
                "t10k-images-idx3-ubyte.gz": (
                    "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"
                ),
                "t10k-labels-idx1-ubyte.gz": (
                    "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"
                ),
            }.items()
        },
    ),
    "fashion-mnist": ImageSet(
        title="Fashion-MNIST",
        home="https://github.com/zalandoresearch/fashion-mnist",
        classes=(
            "t-shirt/top", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker",
            "bag", "ankle boot",
        ),
        shape=(28, 28, 1),
        counts={"train": (6000,) * 10, "test": (1000,) * 10},
        files=_IDX_FILES,
        checksums={
            name: ("sha256", digest)
            for name, digest in {
                "train-images-idx3-ubyte.gz": (
                    "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84"
                ),
                "train-labels-idx1-ubyte.gz": (
                    "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845"
                ),
                "t10k-images-idx3-ubyte.gz": (
                    "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073"
                ),
                "t10k-labels-idx1-ubyte.gz": (
                    "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5"
                ),
            }.items()
        },
    ),
    "cifar10": ImageSet(
        title="CIFAR-10",
        home="https://www.cs.toronto.edu/~kriz/cifar.html",
        classes=(
            "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship",
            "truck",
        ),
        shape=(32, 32, 3),
        counts={"train": (5000,) * 10, "test": (1000,) * 10},
        files={
            "train": tuple((f"data_batch_{k}", f"data_batch_{k}.bin") for k in range(1, 6)),
            "test": (("test_batch", "test_batch.bin"),),
        },
        checksums={
            name: ("md5", digest)
            for name, digest in {
                "data_batch_1": "c99cafc152244af753f735de768cd75f",
                "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
                "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
                "data_batch_4": "634d18415352ddfa80567beed471001a",
                "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
                "test_batch": "40351d587109b95175f43aff81a1287e",
            }.items()
        },
    ),
}  # fmt: skip


def read(kind: str, folder: str | os.PathLike[str], split: str = "train") -> Images:
    """The images and labels of a split, in their own shape.

    A file must be what its format says. Fewer images than published, or of another size, are read
    and told in `variant`: a part of a data set is of use, but must not pass for the whole. As many
    images as published must be the published ones: as many of each class, and the same bytes where
    a checksum is known.

    Args:
      kind: a name in `IMAGE_SETS`.
      folder: where the files lie; "~" is the home folder.
      split: "train" or "test". Only its files are looked for.

    Returns:
      `Images`.

    Raises:
      ValueError: if the folder or a file is missing, naming all that are missing and where to get
        them; or for a file that is damaged, of another format, or not the published one.
    """
    known = IMAGE_SETS[check_choice("kind", kind, IMAGE_SETS)]
    check_choice("split", split, SPLITS)
    paths = _find(known, folder, split)
    contents = _contents(paths)
    images, labels = (_read_cifar if kind == "cifar10" else _read_idx)(paths, contents)
    if len(images) == 0 or 0 in images.shape:
        raise ValueError(f"{paths[0]}: holds no images")
    variant = _variant(images, known, split)
    if not variant:
        _check_published(paths, contents, labels, known, split)
    return Images(images, labels, variant=variant)


def _find(known: ImageSet, folder: str | os.PathLike[str], split: str) -> tuple[pathlib.Path, ...]:
    """The files of a split, each by the first of its names that is there."""
    try:
        root = pathlib.Path(folder).expanduser()
    except RuntimeError as error:
        raise ValueError(f"{folder}: {error}") from error
    there = [
        [root / name for name in names if reading.exists(root / name)]
        for names in known.files[split]
    ]
    missing = [
        " or ".join(names)
        for names, found in zip(known.files[split], there, strict=True)
        if not found
    ]
    if missing:
        state = "lacks" if root.is_dir() else "is no folder; it should hold"
        raise ValueError(f"{root} {state} {', '.join(missing)}, of {known.title} from {known.home}")
    return tuple(found[0] for found in there)


def _contents(paths: tuple[pathlib.Path, ...]) -> list[bytes]:
    total = sum(reading.size(path) for path in paths)
    try:
        sizes.check_fits(total)  # a byte of a file is a number, or several where it is packed
        return [reading.content(path, total) for path in paths]
    except reading.Malformed as error:  # a file that grows
        raise ValueError(f"{paths[0].parent}: {error}") from error


def _read_idx(
    paths: tuple[pathlib.Path, ...], contents: list[bytes]
) -> tuple[np.ndarray, np.ndarray]:
    """Images and labels; both headers are looked at before the images are unpacked."""
    dimensions = (3, 1)
    promised = [
        idx.promised(_unpacked(path, content, idx.header_size(count)), str(path), count)
        for path, content, count in zip(paths, contents, dimensions, strict=True)
    ]
    (n, *_), (labelled,) = promised
    if n != labelled:
        raise ValueError(f"{paths[0]}: has {n:,} images, but {paths[1].name} {labelled:,} labels")
    for path, content, shape in zip(paths, contents, promised, strict=True):
        _check_size(path, math.prod(shape), len(content))
    images, labels = (
        idx.parse(
            _unpacked(path, content, idx.header_size(count) + math.prod(shape)), str(path), count
        )
        for path, content, shape, count in zip(paths, contents, promised, dimensions, strict=True)
    )
    if len(labels) and labels.max() >= CLASSES:
        raise ValueError(f"{paths[1]}: labels must be from 0 to {CLASSES - 1}, got {labels.max()}")
    return images[..., None], labels.astype(np.int64)


def _unpacked(path: pathlib.Path, content: bytes, most: int) -> bytes:
    """The content of a file, if it is packed no more of it than `idx.unpack` gives."""
    return idx.unpack(content, str(path), most) if path.suffix == ".gz" else content


def _check_size(path: pathlib.Path, entries: int, packed: int) -> None:
    """ValueError for a file whose header promises more than can be, or than there is memory for."""
    try:
        if path.suffix == ".gz":
            reading.check_packing(entries, packed)
        sizes.check_fits(entries)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def _read_cifar(
    paths: tuple[pathlib.Path, ...], contents: list[bytes]
) -> tuple[np.ndarray, np.ndarray]:
    batches = [
        (cifar.parse_binary if path.suffix == ".bin" else cifar.parse_pickle)(content, str(path))
        for path, content in zip(paths, contents, strict=True)
    ]
    images, labels = (np.concatenate(parts) for parts in zip(*batches, strict=True))
    return images, labels


def _variant(images: np.ndarray, known: ImageSet, split: str) -> str:
    """How the images differ from the published ones in number and size, in words."""
    published, shape = sum(known.counts[split]), images.shape[1:]
    parts = []
    if len(images) != published:
        parts.append(f"{len(images):,} of {published:,} images")
    if shape != known.shape:
        parts.append(f"{shape[0]}×{shape[1]} pixels of {known.shape[0]}×{known.shape[1]}")
    return ", ".join(parts)


def _check_published(
    paths: tuple[pathlib.Path, ...],
    contents: list[bytes],
    labels: np.ndarray,
    known: ImageSet,
    split: str,
) -> None:
    """ValueError unless files of the published sizes are the published ones, as far as known."""
    counts = tuple(np.bincount(labels, minlength=CLASSES).tolist())
    if counts != known.counts[split]:
        raise ValueError(
            f"{paths[-1]}: has as many images as {known.title}, but not as many of each class: "
            f"{counts}, not {known.counts[split]}; data of your own can be given as npz:FILE"
        )
    for path, content in zip(paths, contents, strict=True):
        if path.name in known.checksums:
            algorithm, published = known.checksums[path.name]
            found = hashlib.new(algorithm, content, usedforsecurity=False).hexdigest()
            if found != published:
                raise ValueError(
                    f"{path}: is not the published file of {known.title}: its {algorithm} is "
                    f"{found}, not {published}; get it again from {known.home}"
                )
