"""experiments/data.py: data by name, and files that are no data."""

import image_writers
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.datasets import sources
from theory.data.sampling import DISTRIBUTIONS, Dataset


def dataset(name: str) -> Dataset:
    """What is no law."""
    loaded = sources.load(name)
    assert isinstance(loaded, Dataset)
    return loaded


def test_every_law_is_described_and_loads_as_its_name():
    for name in DISTRIBUTIONS:
        assert sources.load(name) == name
        assert sources.describe()[name]


def test_digits_are_the_ones_and_twos_centred():
    digits = dataset("digits")
    assert digits.x.shape == (359, 64)
    assert (digits.y == 1).sum() == 182  # the bundled set has 182 ones and 177 twos
    assert (digits.y == -1).sum() == 177
    # Centred up to the rounding of a mean of 359 numbers of size 1.
    np.testing.assert_allclose(digits.x.mean(axis=0), 0, atol=359 * np.finfo(float).eps)
    assert digits.x.max() <= 1


def test_all_digits_have_ten_classes_and_say_even_or_odd():
    digits = dataset("all-digits")
    assert digits.x.shape == (1797, 64)
    assert digits.classes is not None
    np.testing.assert_array_equal(np.unique(digits.classes), np.arange(10))
    np.testing.assert_array_equal(digits.y, (-1.0) ** digits.classes)
    ones_and_twos = dataset("digits")
    chosen = (digits.classes == 1) | (digits.classes == 2)
    np.testing.assert_array_equal(digits.classes[chosen] == 1, ones_and_twos.y == 1)
    np.testing.assert_allclose(
        np.diff(digits.x[chosen], axis=0), np.diff(ones_and_twos.x, axis=0), atol=1e-14
    )


def test_npz_round_trip(tmp_path):
    x, y = np.arange(6.0).reshape(3, 2), np.array([1, -1, 1])
    np.savez(tmp_path / "mine.npz", x=x, y=y)
    loaded = dataset(f"npz:{tmp_path}/mine.npz")
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
    "text labels": ({"x": GOOD_X, "y": np.array(["a", "b", "a"])}, "y must hold real numbers"),
    "complex labels": ({"x": GOOD_X, "y": GOOD_Y * (1 + 0j)}, "y must hold real numbers"),
    "structured labels": (
        {"x": GOOD_X, "y": np.zeros(3, [("a", float), ("b", int)])},
        "y must hold real numbers",
    ),
    "days": ({"x": GOOD_X.astype("M8[D]"), "y": GOOD_Y}, "x must hold real numbers"),
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
        sources.load(f"npz:{tmp_path}/bad.npz")
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
            sources.load(f"npz:{tmp_path}/{name}")
    np.save(tmp_path / "single.npy", GOOD_X)
    with pytest.raises(ValueError, match="not a readable NumPy archive"):
        sources.load(f"npz:{tmp_path}/single.npy")
    with pytest.raises(ValueError, match="cannot be read: Is a directory"):
        sources.load(f"npz:{tmp_path}")


def test_unknown_name():
    with pytest.raises(ValueError, match=r"data must be one of .*digits.*got 'mnist'"):
        sources.load("mnist")


@pytest.fixture
def mnist(tmp_path):
    """A folder with 30 training and 12 test images of 3×2 pixels."""
    for seed, n, split in ((0, 30, "train"), (1, 12, "test")):
        images, labels = image_writers.random_images(seed, n, 3, 2)
        image_writers.write_idx(tmp_path, images, labels, split=split, gz=split == "test")
    return tmp_path


def test_a_folder_of_images_is_even_against_odd_and_centred(mnist):
    images, labels = image_writers.random_images(0, 30, 3, 2)
    loaded = dataset(f"mnist:{mnist}")
    np.testing.assert_array_equal(loaded.classes, labels)
    np.testing.assert_array_equal(loaded.y, np.tile([1.0, -1.0], 15))
    pixels = images.reshape(30, 6) / 255
    np.testing.assert_allclose(loaded.x, pixels - pixels.mean(axis=0), atol=1e-15)
    assert loaded.name == f"mnist:{mnist} (30 of 60,000 images, 3×2 pixels of 28×28)"


@pytest.mark.parametrize(
    ("words", "seed", "n", "pair"),
    [
        ("1,2", 0, 30, (1, 2)),
        ("train, 7,0", 0, 30, (7, 0)),
        ("test,2,1", 1, 12, (2, 1)),
        ("2,1,TEST", 1, 12, (2, 1)),
    ],
)
def test_two_classes_and_the_test_images(mnist, words, seed, n, pair):
    images, labels = image_writers.random_images(seed, n, 3, 2)
    loaded = dataset(f"mnist:{mnist}#{words}")
    chosen = np.isin(labels, pair)
    np.testing.assert_array_equal(loaded.y, np.where(labels[chosen] == pair[0], 1, -1))
    pixels = images[chosen].reshape(-1, 6) / 255
    np.testing.assert_allclose(loaded.x, pixels - pixels.mean(axis=0), atol=1e-15)
    assert loaded.classes is None
    assert loaded.name.startswith(f"mnist:{mnist}#{words} (")


def test_all_test_images(mnist):
    assert dataset(f"mnist:{mnist}#test").x.shape == (12, 6)


@given(st.permutations(range(10)), st.booleans())
def test_classes_by_name_and_by_number_are_the_same(order, upper):
    names = sources.IMAGE_SETS["cifar10"].classes
    a, b, *_ = order
    words = f"{names[a]},{names[b]}"
    named = sources._choice(f"cifar10:x#{words.upper() if upper else words}")
    assert named == sources._choice(f"cifar10:x#{a},{b}") == ("cifar10", "x", "train", (a, b))


def test_a_folder_may_have_any_name(tmp_path):
    folder = tmp_path / "a#b:c, d"
    folder.mkdir()
    image_writers.write_idx(folder, *image_writers.random_images(0, 10, 3, 2))
    assert len(dataset(f"fashion-mnist:{folder}#train").x) == 10
    assert len(dataset(f"fashion-mnist:{folder}#shirt,ankle boot").x) == 2


BAD_CHOICES = {
    "mnist:": "data mnist: must be followed by a folder, as mnist:DIR; got 'mnist:'",
    "mnist:#1,2": "must be followed by a folder",
    "mnist:x#": "after # must come train or test, two different classes of 0, 1, 2, 3, .*got ''",
    "mnist:x#1": "two different classes .*got '1'",
    "mnist:x#1,1": "two different classes .*got '1,1'",
    "mnist:x#1,10": "two different classes .*got '1,10'",
    "mnist:x#1,2,3": "two different classes .*got '1,2,3'",
    "mnist:x#train,test": "train or test, .*got 'train,test'",
    "cifar10:x#cat,mouse": "classes of 0 airplane, 1 automobile, .*got 'cat,mouse'",
    "mnist:x": "data mnist:x: x is no folder; it should hold train-images-idx3-ubyte.gz or .*MNIST",
}


@pytest.mark.parametrize("name", list(BAD_CHOICES))
def test_bad_choices(name):
    with pytest.raises(ValueError, match=BAD_CHOICES[name]):
        sources.load(name)


def test_classes_that_are_not_there(mnist):
    image_writers.write_idx(mnist, *(a[:5] for a in image_writers.random_images(0, 30, 3, 2)))
    name = f"mnist:{mnist}#4,5"
    with pytest.raises(ValueError, match=r"#4,5: y must contain both classes .* got only \+1"):
        sources.load(name)
    with pytest.raises(ValueError, match=r"#7,8: has no images of these classes"):
        sources.load(f"mnist:{mnist}#7,8")


def test_images_in_their_own_shape(mnist):
    train, test = sources.load_images(f"mnist:{mnist}")
    for found, seed, n in ((train, 0, 30), (test, 1, 12)):
        images, labels = image_writers.random_images(seed, n, 3, 2)
        np.testing.assert_array_equal(found.images[..., 0], images)
        np.testing.assert_array_equal(found.labels, labels)
    for name in ("digits", "mnist", "npz:x", "mnist:"):
        with pytest.raises(ValueError, match=rf"--data must be one of .*; got '{name}'"):
            sources.load_images(name)
    with pytest.raises(ValueError, match=r"^images cifar10:.* lacks data_batch_1 or "):
        sources.load_images(f"cifar10:{mnist}")


def test_digits_as_images_are_the_digits():
    train, test = sources.load_images("all-digits")
    digits = dataset("all-digits")
    assert (train.images.shape, test.images.shape) == ((1437, 8, 8, 1), (360, 8, 8, 1))
    assert train.images.dtype == np.uint8
    pixels = np.concatenate([train.images, test.images]).reshape(-1, 64) / train.white
    assert pixels.max() == 1
    np.testing.assert_allclose(pixels - pixels.mean(axis=0), digits.x, atol=1e-13)
    np.testing.assert_array_equal(np.concatenate([train.labels, test.labels]), digits.classes)
