"""CIFAR-10 batches: the binary version, and the pickled one read without running any of it."""

import math

import numpy as np

from experiments.datasets import pickles
from experiments.files.reading import reason

CLASSES = 10
SHAPE = (3, 32, 32)  # channel, row, column: the order of the bytes in both versions
_PIXELS = math.prod(SHAPE)


def parse_binary(content: bytes, file: str) -> tuple[np.ndarray, np.ndarray]:
    """Images and labels of a batch of the binary version: records of a label and 3072 pixels.

    Args:
      content: all of the file.
      file: its name, for errors.

    Returns:
      Images (N, 32, 32, 3) uint8, and labels (N,) int64, N ≥ 0.

    Raises:
      ValueError: if it is no whole number of records, or a label is above 9.

    Source: A. Krizhevsky, Learning multiple layers of features from tiny images (2009).
    """
    record = 1 + _PIXELS
    if len(content) % record:
        raise ValueError(
            f"{file}: must be a whole number of records of {record:,} bytes, got "
            f"{len(content):,} bytes"
        )
    records = np.frombuffer(content, np.uint8).reshape(-1, record)
    labels = records[:, 0].astype(np.int64)
    if len(labels) and labels.max() >= CLASSES:
        raise ValueError(f"{file}: labels must be from 0 to {CLASSES - 1}, got {labels.max()}")
    return _images(records[:, 1:]), labels


def parse_pickle(content: bytes, file: str) -> tuple[np.ndarray, np.ndarray]:
    """Images and labels of a batch of the Python version: a pickled dictionary.

    It has `data`, an (N, 3072) array of bytes, and `labels`, a list of N integers; the keys are
    bytes as Python 2 wrote them, or text. A pickle can run any program when it is loaded by Python;
    this one is not (`pickles`).

    Args:
      content: all of the file.
      file: its name, for errors.

    Returns:
      Images (N, 32, 32, 3) uint8, and labels (N,) int64, N ≥ 0.

    Raises:
      ValueError: if it is no pickle, is cut off, asks for anything else, or is no such dictionary.

    Source: A. Krizhevsky, Learning multiple layers of features from tiny images (2009).
    """
    try:
        batch = pickles.load(content)
    except ValueError as error:
        raise ValueError(
            f"{file}: is not a readable CIFAR-10 batch of Python: {reason(error)}"
        ) from error
    entries = batch if isinstance(batch, dict) else {}
    data, labels = (entries.get(name.encode(), entries.get(name)) for name in ("data", "labels"))
    if not isinstance(data, pickles.Array) or not isinstance(labels, list):
        raise ValueError(
            f"{file}: must be a dictionary with an array called data and a list called labels"
        )
    pixels = data.bytes(file)
    if pixels.ndim != 2 or pixels.shape[1] != _PIXELS:
        raise ValueError(f"{file}: data must have shape (N, {_PIXELS}), got {pixels.shape}")
    if not all(type(label) is int and 0 <= label < CLASSES for label in labels):
        raise ValueError(f"{file}: labels must be integers from 0 to {CLASSES - 1}")
    if len(labels) != len(pixels):
        raise ValueError(f"{file}: has {len(pixels):,} images, but {len(labels):,} labels")
    return _images(pixels), np.array(labels, np.int64)


def _images(rows: np.ndarray) -> np.ndarray:
    """Rows of pixels, colour by colour, as images with the colour last."""
    return rows.reshape(-1, *SHAPE).transpose(0, 2, 3, 1)
