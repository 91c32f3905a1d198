"""Data by name: synthetic laws, scikit-learn's bundled digits, and a user's own NPZ file."""

import pathlib
import zipfile

import numpy as np

from theory.data import DISTRIBUTIONS, Dataset

DIGITS = "digits"
ALL_DIGITS = "all-digits"


def describe() -> dict[str, str]:
    """Name of every kind of data → one line about it."""
    synthetic = {name: law for name, (_, law) in DISTRIBUTIONS.items()}
    return synthetic | {
        DIGITS: "scikit-learn's 8×8 digits, 1 (+1) against 2 (−1), in [0, 1], mean subtracted",
        ALL_DIGITS: "all of its digits, even (+1) against odd (−1), in [0, 1], mean subtracted",
        "npz:FILE": "arrays x (n, d) and y (±1) of a NumPy archive, as they are",
    }


def load(name: str) -> str | Dataset:
    """The data of a name, as `theory.data.draw` takes it.

    Args:
      name: a synthetic law, "digits", "all-digits", or "npz:FILE".

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
    raise ValueError(f"data must be one of {', '.join(describe())}; got {name!r}")


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


def load_npz(file: str) -> Dataset:
    """The arrays `x` (n, d) and `y` (±1) of a NumPy archive, unchanged.

    Raises:
      ValueError: if the file is missing, is no NumPy archive, lacks x or y, or they are no data
        set (see `theory.data.Dataset`).
    """
    path = pathlib.Path(file)
    name = f"npz:{file}"
    if not path.is_file():
        raise ValueError(f"data {name}: there is no file of this name")
    try:
        # NumPy leaves a file that it cannot read open if it opened it.
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
            missing = [array for array in ("x", "y") if array not in archive.files]
            arrays = {array: archive[array] for array in ("x", "y") if array not in missing}
    except (OSError, EOFError, ValueError, TypeError, zipfile.BadZipFile) as error:
        raise ValueError(f"data {name}: not a readable NumPy archive (.npz)") from error
    if missing:
        raise ValueError(
            f"data {name}: must contain arrays x and y, {' and '.join(missing)} missing"
        )
    try:
        return Dataset(name, arrays["x"], arrays["y"])
    except ValueError as error:
        raise ValueError(f"data {name}: {error}") from error
