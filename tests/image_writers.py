"""Small files in the formats of the published image data sets, written from their descriptions."""

import gzip
import pathlib
import struct

import numpy as np


def idx(array: np.ndarray) -> bytes:
    """An IDX file of bytes: 00 00 08 D, D sizes as big-endian integers of four bytes, the bytes."""
    header = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
    return header + bytes(array.reshape(-1).tolist())


def cifar_rows(images: np.ndarray) -> np.ndarray:
    """Images (N, 32, 32, 3) as rows of 1024 red, 1024 green and 1024 blue bytes."""
    colours = [images[..., colour].reshape(len(images), 1024) for colour in range(3)]
    return np.concatenate(colours, axis=1)


def cifar_binary(images: np.ndarray, labels: np.ndarray) -> bytes:
    """A batch of the binary version: for each image its label and its pixels."""
    rows = cifar_rows(images)
    return b"".join(bytes([k]) + row.tobytes() for k, row in zip(labels, rows, strict=True))


def cifar_python_2(images: np.ndarray, labels: np.ndarray) -> bytes:
    """A batch of the Python version, opcode by opcode as Python 2 and the NumPy of 2009 wrote it:
    protocol 2, text as its bytes, and the names `numpy.core.multiarray`."""

    def text(value: bytes) -> bytes:
        return b"U" + struct.pack("<B", len(value)) + value

    def integer(value: int) -> bytes:
        return b"J" + struct.pack("<i", value)

    raw = cifar_rows(images).tobytes()
    array = (
        b"cnumpy.core.multiarray\n_reconstruct\n"
        + b"(cnumpy\nndarray\n" + integer(0) + b"\x85" + text(b"b") + b"tR"
        + b"(" + integer(1)
        + integer(len(images)) + integer(3072) + b"\x86"
        + b"cnumpy\ndtype\n(" + text(b"u1") + integer(0) + integer(1) + b"tR"
        + b"(" + integer(3) + text(b"|") + b"NNN" + integer(-1) + integer(-1) + integer(0) + b"tb"
        + b"\x89" + b"T" + struct.pack("<I", len(raw)) + raw + b"tb"
    )  # fmt: skip
    return (
        b"\x80\x02}("
        + text(b"batch_label") + text(b"testing batch 1 of 1")
        + text(b"labels") + b"](" + b"".join(integer(int(k)) for k in labels) + b"e"
        + text(b"data") + array
        + text(b"filenames") + b"](" + b"".join(text(b"x.png") for _ in labels) + b"e"
        + b"u."
    )  # fmt: skip


def write_idx(
    folder: pathlib.Path,
    images: np.ndarray,
    labels: np.ndarray,
    *,
    split: str = "train",
    gz: bool = False,
) -> None:
    """The two files of a split of MNIST or Fashion-MNIST."""
    prefix = {"train": "train", "test": "t10k"}[split]
    for name, array in (("images-idx3-ubyte", images), ("labels-idx1-ubyte", labels)):
        content = idx(array)
        path = folder / f"{prefix}-{name}{'.gz' if gz else ''}"
        path.write_bytes(gzip.compress(content, 1, mtime=0) if gz else content)


def write_cifar(
    folder: pathlib.Path, images: np.ndarray, labels: np.ndarray, *, form: str = "binary"
) -> None:
    """The five training batches and the test batch of CIFAR-10: the images in order, cut in six."""
    writer, suffix = {"binary": (cifar_binary, ".bin"), "python": (cifar_python_2, "")}[form]
    names = [f"data_batch_{k}" for k in range(1, 6)] + ["test_batch"]
    parts = zip(np.array_split(images, 6), np.array_split(labels, 6), strict=True)
    for name, (some, their_labels) in zip(names, parts, strict=True):
        (folder / f"{name}{suffix}").write_bytes(writer(some, their_labels))


def random_images(seed: int, n: int, *shape: int) -> tuple[np.ndarray, np.ndarray]:
    """n random images of a shape, and labels 0, 1, …, 9, 0, 1, …"""
    pixels = np.random.default_rng(seed).integers(0, 256, (n, *shape), dtype=np.uint8)
    return pixels, (np.arange(n) % 10).astype(np.uint8)
