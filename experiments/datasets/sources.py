"""Data by name: synthetic laws, scikit-learn's bundled digits, and files of the user's."""

import hashlib
import math
from typing import NamedTuple

import numpy as np

from experiments.datasets import image_files, sizes
from experiments.datasets.image_files import IMAGE_SETS, Images
from experiments.files import archives
from experiments.files.archives import Header
from experiments.files.reading import Malformed
from theory._validation import check_labels, meant
from theory.data.sampling import DISTRIBUTIONS, Dataset

DIGITS = "digits"
ALL_DIGITS = "all-digits"


def describe() -> dict[str, str]:
    """Name of every kind of data → one line about it."""
    synthetic = {name: law for name, (_, law) in DISTRIBUTIONS.items()}
    return synthetic | {
        DIGITS: "scikit-learn's 8×8 digits, 1 (+1) against 2 (−1), in [0, 1], mean subtracted",
        ALL_DIGITS: "all of its digits, even (+1) against odd (−1), in [0, 1], mean subtracted",
        "mnist:DIR": "MNIST, even (+1) against odd (−1), in [0, 1], mean subtracted",
        "mnist:DIR#1,2": "its digits 1 (+1) against 2 (−1); test images by #test or #test,1,2",
        "fashion-mnist:DIR": "the same of Fashion-MNIST, classes by number or name",
        "cifar10:DIR": "the same of CIFAR-10, binary or Python version: cifar10:DIR#cat,dog",
        "npz:FILE": "arrays x (n, d) and y (±1) of a NumPy archive, as they are",
    }


def load(name: str) -> str | Dataset:
    """The data of a name, as `theory.data.sampling.draw` takes it.

    Args:
      name: a synthetic law, "digits", "all-digits", "npz:FILE", or a name in `IMAGE_SETS` with a
        folder, as in "mnist:DIR", "mnist:DIR#1,2" or "cifar10:DIR#test,cat,dog" (`load_folder`).

    Returns:
      The law's name, or a `Dataset`.

    Raises:
      ValueError: for an unknown name, a missing or corrupt file, or arrays that are no data set.
    """
    if name in DISTRIBUTIONS:
        return name
    if name == DIGITS:
        return load_digits()
    if name == ALL_DIGITS:
        return load_all_digits()
    if name.startswith("npz:"):
        return load_npz(name.removeprefix("npz:"))
    kind, colon, _ = name.partition(":")
    if colon and kind in IMAGE_SETS:
        return load_folder(name)
    near = meant(name, list(describe()))
    raise ValueError(f"--data must be one of {', '.join(describe())}; got {name!r}{near}")


def load_digits() -> Dataset:
    """The digits 1 (+1) and 2 (−1): 359 images of 8×8 pixels in [0, 1], mean subtracted."""
    images, digits = _bundled_digits()
    chosen = (digits == 1) | (digits == 2)
    x = images[chosen]
    return Dataset(DIGITS, x - x.mean(axis=0), np.where(digits[chosen] == 1, 1.0, -1.0))


def load_all_digits() -> Dataset:
    """All 1797 digits of 8×8 pixels in [0, 1], mean subtracted: even (+1) and odd (−1), classes
    0 to 9."""
    images, digits = _bundled_digits()
    y = np.where(digits % 2 == 0, 1.0, -1.0)
    return Dataset(ALL_DIGITS, images - images.mean(axis=0), y, digits)


def _bundled_digits() -> tuple[np.ndarray, np.ndarray]:
    from sklearn.datasets import load_digits as bundled  # slow to import

    images, digits = bundled(return_X_y=True)
    return np.asarray(images) / 16, np.asarray(digits)


def load_folder(name: str) -> Dataset:
    """MNIST, Fashion-MNIST or CIFAR-10 from a folder, pixels in [0, 1], mean subtracted.

    x_k = p_k/255 − (1/N) Σ_j p_j/255, over the N images chosen. The training images are taken
    unless the name says otherwise, and all classes: even (+1) against odd (−1), with `classes`
    0 to 9. Two classes A, B make A +1 and B −1, without `classes`.

    Args:
      name: "KIND:DIR", or "KIND:DIR#" and then, separated by commas, "train" or "test", and two
        classes by number or name. What follows the last "#" is never a part of the folder's name.

    Returns:
      A `Dataset` of the name, with a remark in brackets if the files hold another number of images
      than the published ones, or another size.

    Raises:
      ValueError: for another choice, a class of which there is no image, or files that cannot be
        read (see `image_files.read`).
    """
    choice = _choice(name)
    try:
        images = image_files.read(choice.kind, choice.folder, choice.split)
        full_name = f"{name} ({images.variant})" if images.variant else name
        if choice.pair is None:
            y = np.where(images.labels % 2 == 0, 1.0, -1.0)
            return Dataset(full_name, _centred(images.images, images.white), y, images.labels)
        positive, negative = choice.pair
        chosen = (images.labels == positive) | (images.labels == negative)
        if not chosen.any():
            raise ValueError("has no images of these classes")
        y = np.where(images.labels[chosen] == positive, 1.0, -1.0)
        return Dataset(full_name, _centred(images.images[chosen], images.white), y)
    except ValueError as error:
        raise ValueError(f"data {name}: {error}") from error


def load_images(name: str) -> tuple[Images, Images]:
    """Training and test images with their classes, for networks that are given images.

    Args:
      name: "all-digits", whose last 360 images are the test images; or
        "KIND:DIR" with a name in `IMAGE_SETS`.

    Returns:
      Training and test `Images`; those of the digits have `white` 16.

    Raises:
      ValueError: for another name, or files that cannot be read (see `image_files.read`).
    """
    if name == ALL_DIGITS:
        pixels, digits = _bundled_digits()
        images = np.round(16 * pixels).astype(np.uint8).reshape(-1, 8, 8, 1)
        digits = digits.astype(np.int64)
        return Images(images[:-360], digits[:-360], 16), Images(images[-360:], digits[-360:], 16)
    kind, _, folder = name.partition(":")
    if kind not in IMAGE_SETS or not folder:
        known = ", ".join([ALL_DIGITS, *(f"{kind}:DIR" for kind in IMAGE_SETS)])
        raise ValueError(f"--data must be one of {known}; got {name!r}")
    try:
        train, test = (image_files.read(kind, folder, split) for split in image_files.SPLITS)
    except ValueError as error:
        raise ValueError(f"images {name}: {error}") from error
    return train, test


def digest(source: Dataset | tuple[Images, Images]) -> str:
    """SHA-256 of all that data hold, in hexadecimal."""
    if isinstance(source, Dataset):
        arrays = (source.x, source.y, source.classes)
    else:
        arrays = [array for part in source for array in (part.images, part.labels)]
    found = hashlib.sha256()
    for array in arrays:
        found.update(b"none" if array is None else np.ascontiguousarray(array).tobytes())
    return found.hexdigest()


class _Choice(NamedTuple):
    kind: str
    folder: str
    split: str
    pair: tuple[int, int] | None


def _choice(name: str) -> _Choice:
    """What "KIND:DIR#SPLIT,A,B" asks for."""
    kind, _, rest = name.partition(":")
    folder, mark, words = rest.rpartition("#") if "#" in rest else (rest, "", "")
    if not folder:
        raise ValueError(f"data {kind}: must be followed by a folder, as {kind}:DIR; got {name!r}")
    classes = IMAGE_SETS[kind].classes
    numbers = {word: number for number, word in enumerate(classes)}
    numbers |= {str(number): number for number in range(len(classes))}
    asked = [word.strip().lower() for word in words.split(",")] if mark else []
    splits = [word for word in asked if word in image_files.SPLITS]
    pair = [numbers.get(word) for word in asked if word not in image_files.SPLITS]
    match splits or ["train"], pair:
        case [split], []:
            return _Choice(kind, folder, split, None)
        case [split], [int(positive), int(negative)] if positive != negative:
            return _Choice(kind, folder, split, (positive, negative))
    listed = ", ".join(
        word if word == str(number) else f"{number} {word}" for number, word in enumerate(classes)
    )
    raise ValueError(
        f"data {name}: after # must come train or test, two different classes of {listed}, or "
        f"both, separated by commas; got {words!r}"
    )


def _centred(images: np.ndarray, white: int) -> np.ndarray:
    """Images as rows of numbers in [0, 1] less their mean."""
    x = images.reshape(len(images), -1) / white
    x -= x.mean(axis=0)
    return x


def load_npz(file: str) -> Dataset:
    """The arrays `x` (n, d) and `y` (±1) of a NumPy archive, unchanged.

    Headers are looked at before labels, and both before the points are read.

    Raises:
      ValueError: if the file cannot be read, is no NumPy archive, lacks x or y, or they are no data
        set (see `theory.data.sampling.Dataset`), or too large.
    """
    name = f"npz:{file}"
    try:
        with archives.opened(file, packed=True) as archive:
            if missing := [array for array in ("x", "y") if array not in archive.entries]:
                raise Malformed(f"must contain arrays x and y, {' and '.join(missing)} missing")
            _check_headers(archive.header("x"), archive.header("y"))
            y = archive.read("y")
            check_labels("y", y, len(y), both=True)
            return Dataset(name, archive.read("x"), y)
    except ValueError as error:
        raise ValueError(f"data {name}: {error}") from error


def _check_headers(x: Header, y: Header) -> None:
    """ValueError unless x and y can be points and labels, in type and shape and size."""
    for name, header in (("x", x), ("y", y)):
        if header.dtype.kind not in "biuf":
            raise ValueError(f"{name} must hold real numbers, got dtype {header.dtype}")
    if len(x.shape) != 2 or 0 in x.shape:
        raise ValueError(f"x must be a matrix (points, dimensions) ≥ 1 × 1, got shape {x.shape}")
    if y.shape != x.shape[:1]:
        raise ValueError(f"y must have shape {x.shape[:1]}, one label per point, got {y.shape}")
    sizes.check_fits(math.prod(x.shape))
