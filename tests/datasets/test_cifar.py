"""experiments/cifar.py: both versions of a batch, and pickles that are none."""

import os
import pickle
import re

import image_writers
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.datasets import cifar

IMAGES, LABELS = image_writers.random_images(0, 3, 32, 32, 3)
ROWS = image_writers.cifar_rows(IMAGES)


def batch(protocol: int = 4, **changes) -> bytes:
    """A batch as Python 3 writes it."""
    content = {"data": ROWS, "labels": LABELS.tolist()} | changes
    return pickle.dumps(content, protocol)


WRITERS = {
    "binary": (cifar.parse_binary, image_writers.cifar_binary),
    "Python 2": (cifar.parse_pickle, image_writers.cifar_python_2),
}


@pytest.mark.parametrize("name", list(WRITERS))
@given(
    seed=st.integers(0, 2**32 - 1), labels=st.lists(st.integers(0, 9), min_size=0, max_size=4)
)  # fmt: skip
def test_round_trip(name, seed, labels):
    images, _ = image_writers.random_images(seed, len(labels), 32, 32, 3)
    parse, write = WRITERS[name]
    found, found_labels = parse(write(images, np.array(labels, np.uint8)), "f")
    assert (found.dtype, found_labels.dtype) == (np.uint8, np.int64)
    np.testing.assert_array_equal(found, images)
    np.testing.assert_array_equal(found_labels, labels)


def test_the_batch_of_python_2_is_what_numpy_reads_too():
    """The opcodes written by the tests are a pickle, of what they should be."""
    content = image_writers.cifar_python_2(IMAGES, LABELS).replace(b"numpy.core.", b"numpy._core.")
    read = pickle.loads(content, encoding="bytes")
    np.testing.assert_array_equal(read[b"data"], ROWS)
    assert read[b"labels"] == LABELS.tolist()


@pytest.mark.parametrize("protocol", [3, 4, 5])
@pytest.mark.parametrize("order", ["C", "F"])
def test_batches_of_python_3(protocol, order):
    found, labels = cifar.parse_pickle(batch(protocol, data=np.asarray(ROWS, order=order)), "f")
    np.testing.assert_array_equal(found, IMAGES)
    np.testing.assert_array_equal(labels, LABELS)


@pytest.mark.parametrize("cut", [1, 2, 100, 3000, -1, -2, -200])
def test_no_part_of_a_pickle_is_a_batch(cut):
    for content in (batch(), image_writers.cifar_python_2(IMAGES, LABELS)):
        with pytest.raises(ValueError, match=r"^f: is not a readable CIFAR-10 batch of Python: "):
            cifar.parse_pickle(content[:cut], "f")


class Runs:
    """An object whose pickle calls a function when it is loaded."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("place", ["data", "labels", "more", "alone"])
def test_nothing_in_a_pickle_is_run(tmp_path, place):
    target = tmp_path / "made"
    evil = Runs(os.mkdir, str(target))
    content = pickle.dumps(evil, 4) if place == "alone" else batch(**{place: evil})  # pyright: ignore[reportArgumentType]
    asks = f"{os.mkdir.__module__}.mkdir"
    with pytest.raises(ValueError, match=re.escape(f"it asks for {asks}, which is not allowed")):
        cifar.parse_pickle(content, "f")
    assert not target.exists()
    pickle.loads(content)  # it would have run
    assert target.exists()


@pytest.mark.parametrize(
    "name",
    ["builtins.eval", "builtins.getattr", "numpy.load", "numpy.core.multiarray.scalar",
     "numpy._core.multiarray._reconstruct.__globals__", "numpy.testing._private.utils.runstring"],
)  # fmt: skip
def test_other_names_are_not_looked_up(name):
    module, _, attribute = name.rpartition(".")
    if "_reconstruct." in name:
        module, attribute = "numpy._core.multiarray", "_reconstruct.__globals__"
    content = (
        b"\x80\x04\x8c" + bytes([len(module)]) + module.encode()
        + b"\x8c" + bytes([len(attribute)]) + attribute.encode() + b"\x93."
    )  # fmt: skip
    with pytest.raises(ValueError, match="which is not allowed"):
        cifar.parse_pickle(content, "f")


NO_BATCH = "must be a dictionary with an array called data and a list called labels"
BAD = {
    "no dictionary": (pickle.dumps([1, 2]), NO_BATCH),
    "no data": (pickle.dumps({"labels": [1]}), NO_BATCH),
    "no labels": (pickle.dumps({"data": ROWS}, 4), NO_BATCH),
    "data a list": (batch(data=[1]), NO_BATCH),
    "floats": (batch(data=ROWS.astype(float)), "data must be an array of unsigned bytes"),
    "signed": (batch(data=ROWS.astype(np.int8)), "data must be an array of unsigned bytes"),
    "objects": (batch(data=ROWS.astype(object)), "data must be an array of unsigned bytes"),
    "images": (batch(data=IMAGES), r"data must have shape \(N, 3072\), got \(3, 32, 32, 3\)"),
    "too few labels": (batch(labels=[1, 2]), "has 3 images, but 2 labels"),
    "label 10": (batch(labels=[1, 2, 10]), "labels must be integers from 0 to 9"),
    "label -1": (batch(labels=[1, 2, -1]), "labels must be integers from 0 to 9"),
    "label True": (batch(labels=[1, 2, True]), "labels must be integers from 0 to 9"),
    "label text": (batch(labels=[1, 2, "3"]), "labels must be integers from 0 to 9"),
    "empty": (
        b"",
        "is not a readable CIFAR-10 batch of Python: pickle exhausted before",
    ),
    "the binary version": (
        image_writers.cifar_binary(IMAGES, LABELS),
        "is not a readable CIFAR-10 batch of Python",
    ),
    "lengths that differ": (
        image_writers.cifar_python_2(IMAGES, LABELS).replace(b"\0\x0c\0\0\x86", b"\1\x0c\0\0\x86"),
        "data must be an array of unsigned bytes",
    ),
}


@pytest.mark.parametrize("name", list(BAD))
def test_pickles_that_are_no_batch(name):
    content, message = BAD[name]
    with pytest.raises(ValueError, match=f"^f: .*{message}") as error:
        cifar.parse_pickle(content, "f")
    assert "\n" not in str(error.value)


def test_bad_binary_batches():
    content = image_writers.cifar_binary(IMAGES, LABELS)
    with pytest.raises(ValueError, match=r"^f: must be a whole number of records of 3,073 bytes, "):
        cifar.parse_binary(content[:-1], "f")
    with pytest.raises(ValueError, match=r"^f: labels must be from 0 to 9, got 200"):
        cifar.parse_binary(b"\xc8" + content[1:], "f")
