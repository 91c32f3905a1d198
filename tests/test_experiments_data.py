"""experiments/data.py: data by name, and files that are no data."""

import numpy as np
import pytest

from experiments import data
from theory.data import DISTRIBUTIONS


def test_every_law_is_described_and_loads_as_its_name():
    for name in DISTRIBUTIONS:
        assert data.load(name) == name
        assert data.describe()[name]


def test_digits_are_the_ones_and_twos_centred():
    digits = data.load("digits")
    assert digits.x.shape == (359, 64)
    assert (digits.y == 1).sum() == 182  # the bundled set has 182 ones and 177 twos
    assert (digits.y == -1).sum() == 177
    # Centred up to the rounding of a mean of 359 numbers of size 1.
    np.testing.assert_allclose(digits.x.mean(axis=0), 0, atol=359 * np.finfo(float).eps)
    assert digits.x.max() <= 1


def test_all_digits_have_ten_classes_and_say_even_or_odd():
    digits = data.load("all-digits")
    assert digits.x.shape == (1797, 64)
    np.testing.assert_array_equal(np.unique(digits.classes), np.arange(10))
    np.testing.assert_array_equal(digits.y, (-1.0) ** digits.classes)
    ones_and_twos = data.load("digits")
    chosen = (digits.classes == 1) | (digits.classes == 2)
    np.testing.assert_array_equal(digits.classes[chosen] == 1, ones_and_twos.y == 1)
    np.testing.assert_allclose(
        np.diff(digits.x[chosen], axis=0), np.diff(ones_and_twos.x, axis=0), atol=1e-14
    )


def test_npz_round_trip(tmp_path):
    x, y = np.arange(6.0).reshape(3, 2), np.array([1, -1, 1])
    np.savez(tmp_path / "mine.npz", x=x, y=y)
    loaded = data.load(f"npz:{tmp_path}/mine.npz")
    np.testing.assert_array_equal(loaded.x, x)
    np.testing.assert_array_equal(loaded.y, y)


GOOD_X, GOOD_Y = np.ones((3, 2)), np.array([1.0, -1.0, 1.0])
NOT_DATA = {
    "nan": (
        {"x": np.array([[np.nan, 1], [0, 1], [1, 1]]), "y": GOOD_Y},
        "x must be finite, got 1 NaN",
    ),
    "labels 0 1": ({"x": GOOD_X, "y": np.array([0, 1, 1])}, r"got values \{0, 1\}; use 2\*y − 1"),
    "one class": ({"x": GOOD_X, "y": np.ones(3)}, "y must contain both classes"),
    "wrong length": ({"x": GOOD_X, "y": np.ones(2)}, r"y must have shape \(3,\)"),
    "empty": ({"x": np.ones((0, 2)), "y": np.ones(0)}, r"got shape \(0, 2\)"),
    "vector": ({"x": np.ones(3), "y": GOOD_Y}, r"x must be a matrix .* got shape \(3,\)"),
    "text": ({"x": np.array([["a", "b"]] * 3), "y": GOOD_Y}, "x must hold real numbers"),
    "text labels": ({"x": GOOD_X, "y": np.array(["a", "b", "a"])}, "y must be −1 or \\+1"),
    "complex": ({"x": GOOD_X * 1j, "y": GOOD_Y}, "x must hold real numbers"),
    "no y": ({"x": GOOD_X}, "must contain arrays x and y, y missing"),
    "neither": ({"z": GOOD_X}, "x and y missing"),
    "objects": (
        {"x": np.array([[None, 1]] * 3, dtype=object), "y": GOOD_Y},
        "not a readable NumPy",
    ),
}


@pytest.mark.parametrize("name", list(NOT_DATA))
def test_arrays_that_are_no_data_set(tmp_path, name):
    arrays, message = NOT_DATA[name]
    np.savez(tmp_path / "bad.npz", **arrays)
    with pytest.raises(ValueError, match=message) as error:
        data.load(f"npz:{tmp_path}/bad.npz")
    assert "bad.npz" in str(error.value)


def test_files_that_are_no_archive(tmp_path):
    good = tmp_path / "good.npz"
    np.savez(good, x=GOOD_X, y=GOOD_Y)
    cases = {
        "text.npz": b"x,y\n1,2\n",
        "empty.npz": b"",
        "cut.npz": good.read_bytes()[:200],
        "flipped.npz": good.read_bytes().replace(b"NUMPY", b"NUMPX"),
    }
    for name, content in cases.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ValueError, match=f"{name}: not a readable NumPy archive"):
            data.load(f"npz:{tmp_path}/{name}")
    np.save(tmp_path / "single.npy", GOOD_X)
    with pytest.raises(ValueError, match="not a readable NumPy archive"):
        data.load(f"npz:{tmp_path}/single.npy")
    with pytest.raises(ValueError, match="there is no file of this name"):
        data.load(f"npz:{tmp_path}")


def test_unknown_name():
    with pytest.raises(ValueError, match=r"data must be one of .*digits.*got 'mnist'"):
        data.load("mnist")
