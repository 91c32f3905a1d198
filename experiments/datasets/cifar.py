"""CIFAR-10 batches: the binary version, and the pickled one read without running any of it."""

import io
import math
import pickle
from typing import Any

import numpy as np

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
    bytes as Python 2 wrote them, or text. A pickle can run any program when it is loaded, so that
    nothing but arrays of bytes is allowed in it besides Python's containers, numbers and strings,
    and not even NumPy's own code sees what it says about them.

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
        batch = _ArraysOnly(io.BytesIO(content), encoding="bytes").load()
    except Exception as error:  # a damaged pickle raises almost anything
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ValueError(f"{file}: is not a readable CIFAR-10 batch of Python: {reason}") from error
    entries = batch if isinstance(batch, dict) else {}
    data, labels = (entries.get(name.encode(), entries.get(name)) for name in ("data", "labels"))
    if not isinstance(data, _Array) or not isinstance(labels, list):
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


class _Array:
    """Stands for a NumPy array while a pickle is read, and only keeps what is said about it."""

    state: Any = None

    def __init__(self, *made_with: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def bytes(self, file: str) -> np.ndarray:
        """The array, if it is one of unsigned bytes; ValueError otherwise."""
        match self.state:
            case (_, tuple(shape), _Dtype(code="u1" | b"u1"), by_column, bytes() | bytearray()):
                raw = self.state[-1]
                sizes_known = all(type(size) is int and size >= 0 for size in shape)
                if sizes_known and math.prod(shape) == len(raw):
                    order = "F" if by_column else "C"
                    return np.frombuffer(raw, np.uint8).reshape(shape, order=order)
        raise ValueError(f"{file}: data must be an array of unsigned bytes")


class _FromBuffer(_Array):
    """The same, as protocol 5 writes it."""

    def __init__(self, raw: Any, dtype: Any, shape: Any, order: Any) -> None:
        self.state = (1, shape, dtype, order == "F", raw)


class _Dtype:
    """Stands for a NumPy dtype while a pickle is read, and only keeps its code."""

    def __init__(self, code: Any, *options: Any) -> None:
        self.code = code

    def __setstate__(self, state: Any) -> None:
        pass  # byte order and alignment, which bytes do not have


_ALLOWED = {
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _Dtype,
    ("numpy.core.multiarray", "_reconstruct"): _Array,
    ("numpy._core.multiarray", "_reconstruct"): _Array,  # since NumPy 2
    ("numpy.core.numeric", "_frombuffer"): _FromBuffer,
    ("numpy._core.numeric", "_frombuffer"): _FromBuffer,
}


class _ArraysOnly(pickle.Unpickler):
    """Reads pickles in which every object is an array, a dtype, or a built-in value."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which is not allowed")
        return _ALLOWED[module, name]
