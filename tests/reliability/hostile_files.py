"""Files of data that are there to harm, or that accidents made: small, each wrong in one way.

`FILES` is name → what writes it into a directory and returns the name of the data, as --data takes.
"""

import gzip
import io
import os
import pathlib
import struct
import zlib
from collections.abc import Callable, Iterator

import image_writers
import numpy as np
from numpy.lib import format as npy
from reliability.hostile_pickles import COLOUR, COLOUR_LABELS, pickles

GIB = 2**30
Writer = Callable[[pathlib.Path], str]


# --- archives of NumPy ----------------------------------------------------------------------------


def header(shape: object, descr: object = "<f8", by_column: object = False) -> bytes:
    """The beginning of a .npy file, whatever is written into it."""
    text = f"{{'descr': {descr!r}, 'fortran_order': {by_column!r}, 'shape': {shape!r}, }}"
    return raw_header(text)


def raw_header(text: str, version: int = 1) -> bytes:
    length = struct.pack("<H" if version == 1 else "<I", len(text) + 1)
    return b"\x93NUMPY" + bytes([version, 0]) + length + text.encode("latin-1") + b"\n"


def array(values: object) -> bytes:
    into = io.BytesIO()
    npy.write_array(into, np.asarray(values))
    return into.getvalue()


def entry(
    name: str, content: bytes, *, method: int = 0, flags: int = 0, size: int | None = None,
    packed: bytes | None = None, crc: int | None = None, offset: int | None = None,
    packed_size: int | None = None,
) -> dict:  # fmt: skip
    """An entry of an archive, with whatever is to be said of it."""
    packed = content if packed is None else packed
    return {
        "name": name.encode(), "packed": packed, "method": method, "flags": flags,
        "size": len(content) if size is None else size, "offset": offset,
        "crc": zlib.crc32(content) if crc is None else crc,
        "packed_size": len(packed) if packed_size is None else packed_size,
    }  # fmt: skip


def archive(*entries: dict, count: int | None = None) -> bytes:
    """A ZIP file, written from its description."""
    body, directory = b"", b""
    for e in entries:
        sizes = [min(e[key], 2**32 - 1) for key in ("packed_size", "size")]
        large = max(e["packed_size"], e["size"]) >= 2**32 - 1
        extra = struct.pack("<HHQQ", 1, 16, e["size"], e["packed_size"]) if large else b""
        sizes = [2**32 - 1] * 2 if large else sizes
        common = struct.pack(
            "<HHHHHIIIHH", 20, e["flags"], e["method"], 0, 33, e["crc"], *sizes, len(e["name"]),
            len(extra),
        )  # fmt: skip
        at = len(body) if e["offset"] is None else e["offset"]
        body += b"PK\3\4" + common + e["name"] + extra + e["packed"]
        directory += (
            b"PK\1\2" + struct.pack("<H", 20) + common + struct.pack("<HHHII", 0, 0, 0, 0, at)
            + e["name"] + extra
        )  # fmt: skip
    number = len(entries) if count is None else count
    return body + directory + b"PK\5\6" + struct.pack(
        "<HHHHIIH", 0, 0, number, number, len(directory), len(body), 0
    )  # fmt: skip


def deflated_zeros(start: bytes, size: int) -> bytes:
    """A stream of deflate: a beginning, and then zeros up to a size, of which no one is made."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    head = packer.compress(start) + packer.flush(zlib.Z_FULL_FLUSH)
    block = packer.compress(bytes(2**24)) + packer.flush(zlib.Z_FULL_FLUSH)
    return head + block * ((size - len(start)) // 2**24) + packer.flush()


X, Y = array(np.arange(6.0).reshape(3, 2)), array([1.0, -1.0, 1.0])


def pair(x: bytes = X, y: bytes = Y) -> bytes:
    return archive(entry("x.npy", x), entry("y.npy", y))


def _zeros(gib: int) -> bytes:
    shape = (gib * 2**24, 8)
    size = len(header(shape)) + gib * GIB
    packed = deflated_zeros(header(shape), size)
    y = archive_labels(shape[0])
    return archive(entry("x.npy", b"", method=8, packed=packed, size=size), y)


def archive_labels(count: int) -> dict:
    start = header((count,), "|i1")
    packed = deflated_zeros(start, count)
    return entry("y.npy", b"", method=8, packed=packed, size=len(start) + count)


def _npz() -> Iterator[tuple[str, bytes]]:
    good = pair()
    yield "12 GB of zeros", _zeros(12)
    yield "300 MB of zeros", archive(
        entry("x.npy", b"", method=8, size=300 * 2**20,
              packed=deflated_zeros(header((300, 2**17)), 300 * 2**20)),
        entry("y.npy", Y),
    )  # fmt: skip
    for name, flags in (("encrypted", 1), ("strongly encrypted", 0x41), ("a patch", 0x20)):
        yield name, archive(entry("x.npy", X, flags=flags), entry("y.npy", Y, flags=flags))
    for method in (1, 6, 9, 12, 14, 93, 95, 99):
        yield f"method {method}", archive(entry("x.npy", X, method=method), entry("y.npy", Y))
    shapes = {
        "10^30 points": (10**30, 2), "10^30 dimensions": (3, 10**30), "2^62": (2**62, 2),
        "overflow": (2**63, 2), "negative": (-3, -2), "one negative": (3, -2),
        "none and 10^30": (0, 10**30), "none": (0, 2), "no dimensions": (3, 0), "scalar": (),
        "a vector": (6,), "three": (3, 2, 1), "many": (1,) * 40, "true": (True, 6),
        "floats": (3.0, 2.0), "text": ("3", "2"), "a list": [3, 2], "a number": 6,
        "nested": ((3,), 2),
    }  # fmt: skip
    for name, shape in shapes.items():
        yield f"shape of {name}", pair(header(shape) + bytes(48))
    for name, descr in {
        "objects": "|O", "wide void": "|V2147483647", "void": "|V8", "text": "<U2", "bytes": "|S8",
        "days": "<M8[D]", "complex": "<c16", "nothing": "|V0", "no type": "nonsense", "a number": 8,
        "structured": [("a", "<f4"), ("b", "<f4")], "objects inside": [("a", "|O")],
        "a subarray": ("<f8", (10**9,)), "deep": [("a", [("b", [("c", "<f8")])])],
        "many fields": [(f"f{k}", "|u1") for k in range(500)], "none": None,
    }.items():  # fmt: skip
        yield f"x of {name}", pair(header((3, 2), descr) + bytes(48))
        yield f"y of {name}", pair(y=header((3,), descr) + bytes(24))
    texts = {
        "no dictionary": "[1, 2]", "more": "{'descr': '<f8', 'a': 1}", "empty": "",
        "a call": "__import__('os').abort()", "nested": "(" * 200 + ")" * 200,
        "nested deeply": "[" * 9000, "long": " " * 60000, "not closed": "{'descr': '<f8'",
        "of Python 2": "{'descr': '<f8', 'fortran_order': False, 'shape': (3L, 2L), }",
        "NUL": "{'descr': '\0'}",
        "5000 digits": f"{{'descr': '<f8', 'fortran_order': False, 'shape': ({'9' * 5000}, 2)}}",
    }  # fmt: skip
    for name, text in texts.items():
        yield f"a header of {name}", pair(raw_header(text) + bytes(48))
    yield "version 3", pair(raw_header("{}", 3) + bytes(48))
    yield "version 9", pair(b"\x93NUMPY\x09" + X[7:])
    yield "a header longer than the file", pair(X[:8] + b"\xff\xff" + X[10:])
    yield "fewer numbers", pair(X[:-8])
    yield "more numbers", pair(X + bytes(8))
    yield "a cut header", pair(X[:20])
    labels = {
        "0 and 1": [0, 1, 1], "one class": [1, 1, 1], "NaN": [1, -1, np.nan], "2": [1, -1, 2],
        "too few": [1, -1], "a matrix": [[1, -1, 1]], "infinite": [1, -1, np.inf], "none": [],
    }  # fmt: skip
    for name, values in labels.items():
        yield f"labels of {name}", pair(y=array(values))
    yield "NaN", pair(array([[np.nan, 1.0]] * 3))
    yield "infinite", pair(array([[np.inf, 1.0]] * 3))
    yield "x twice", archive(entry("x.npy", X), entry("x.npy", X), entry("y.npy", Y))
    yield "x and x.npy", archive(entry("x", X), entry("x.npy", X), entry("y.npy", Y))
    yield "no y", archive(entry("x.npy", X))
    yield "no entries", archive()
    yield "a wrong checksum", archive(entry("x.npy", X, crc=1), entry("y.npy", Y))
    yield "larger than it is", archive(entry("x.npy", X, size=2**40), entry("y.npy", Y))
    yield (
        "larger than the file",
        archive(entry("x.npy", X, size=2**40, packed_size=2**40), entry("y.npy", Y)),
    )
    yield "smaller than it is", archive(entry("x.npy", X, size=10), entry("y.npy", Y))
    yield "no deflate", archive(entry("x.npy", X, method=8), entry("y.npy", Y))
    yield "far away", archive(entry("x.npy", X, offset=2**31), entry("y.npy", Y))
    yield "another's place", archive(entry("x.npy", X), entry("y.npy", Y, offset=0))
    yield "fewer entries than said", archive(entry("x.npy", X), count=2**16 - 1)
    yield "a .npy", X
    yield "text", b"x,y\n1,2\n"
    yield "nothing", b""
    for tenth in range(1, 10):
        yield f"cut at {tenth}/10", good[: len(good) * tenth // 10]


def _npz_writer(content: bytes) -> Writer:
    def write(folder: pathlib.Path) -> str:
        (folder / "data.npz").write_bytes(content)
        return f"npz:{folder}/data.npz"

    return write


# --- IDX ------------------------------------------------------------------------------------------

IMAGES, LABELS = image_writers.random_images(0, 12, 4, 5)
IDX_IMAGES, IDX_LABELS = image_writers.idx(IMAGES), image_writers.idx(LABELS)


def gzip_members(start: bytes, size: int) -> bytes:
    """A gzip file of many members: a beginning, and zeros up to a size; 1 MB for a GB."""
    member = gzip.compress(bytes(2**24), 9)
    return gzip.compress(start) + member * (size // 2**24)


def _idx() -> Iterator[tuple[str, dict[str, bytes]]]:
    images, labels = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"

    def both(x: bytes = IDX_IMAGES, y: bytes = IDX_LABELS) -> dict[str, bytes]:
        return {images: x, labels: y}

    def packed(x: bytes, y: bytes = gzip.compress(IDX_LABELS)) -> dict[str, bytes]:
        return {f"{images}.gz": x, f"{labels}.gz": y}

    honest = struct.pack(">HBBIII", 0, 8, 3, 12, 2**14, 2**15)
    yield "6 GB of zeros, as promised", packed(gzip_members(honest, 6 * GIB))
    many = struct.pack(">HBBIII", 0, 8, 3, 6 * 2**20, 32, 32)
    yield (
        "6 GB and as many labels",
        packed(
            gzip_members(many, 6 * GIB),
            gzip_members(struct.pack(">HBBI", 0, 8, 1, 6 * 2**20), 6 * 2**20),
        ),
    )
    yield "6 GB that nothing promises", packed(gzip_members(IDX_IMAGES, 6 * GIB))
    yield "6 GB of zeros alone", packed(gzip_members(b"", 6 * GIB))
    yield "labels of 6 GB", packed(gzip.compress(IDX_IMAGES), gzip_members(IDX_LABELS, 6 * GIB))
    gz = gzip.compress(IDX_IMAGES)
    yield "gzip cut", packed(gz[:-9])
    yield "gzip cut in its header", packed(gz[:5])
    yield "gzip with another checksum", packed(gz[:-8] + bytes(8))
    yield "gzip of nothing", packed(gzip.compress(b""))
    yield "gzip damaged", packed(gz[:20] + bytes(20) + gz[40:])
    yield "gzip by another method", packed(gz[:2] + b"\x07" + gz[3:])
    yield "gzip followed by text", packed(gz + b"more")
    yield "no gzip", packed(IDX_IMAGES)
    yield "gzip without its name", both(gz)
    head = IDX_IMAGES[:4]
    sizes = {
        "2^96": (2**32 - 1,) * 3, "none of 2^64": (0, 2**32 - 1, 2**32 - 1), "none": (0, 4, 5),
        "one more": (13, 4, 5), "one less": (11, 4, 5), "no pixels": (12, 0, 5),
    }  # fmt: skip
    for name, shape in sizes.items():
        yield f"sizes of {name}", both(head + struct.pack(">III", *shape) + IDX_IMAGES[16:])
    yield "floats", both(b"\0\0\x0d\3" + IDX_IMAGES[4:])
    yield "four dimensions", both(b"\0\0\x08\4" + IDX_IMAGES[4:])
    yield "little-endian", both(b"\3\x08\0\0" + IDX_IMAGES[4:])
    yield "labels for images", both(IDX_LABELS)
    yield "images for labels", both(y=IDX_IMAGES)
    yield "a cut header", both(IDX_IMAGES[:9])
    yield "an empty file", both(b"")
    yield "a byte more", both(IDX_IMAGES + b"\0")
    yield "a byte less", both(IDX_IMAGES[:-1])
    yield "a label of 10", both(y=IDX_LABELS[:-1] + b"\x0a")
    yield "fewer labels", both(y=image_writers.idx(LABELS[:-1]))
    yield "images alone", {images: IDX_IMAGES}
    yield "no files", {}


def _folder_writer(kind: str, files: dict[str, bytes]) -> Writer:
    def write(folder: pathlib.Path) -> str:
        for name, content in files.items():
            (folder / name).write_bytes(content)
        return f"{kind}:{folder}"

    return write


# --- CIFAR-10, and what is no file ----------------------------------------------------------------


def _pickle_writer(content: bytes) -> Writer:
    def write(folder: pathlib.Path) -> str:
        for k in range(1, 6):
            (folder / f"data_batch_{k}").write_bytes(content)
        return f"cifar10:{folder}"

    return write


def _in_place_of(make: Callable[[pathlib.Path], object], kind: str, name: str) -> Writer:
    def write(folder: pathlib.Path) -> str:
        if kind == "cifar10":
            image_writers.write_cifar(folder, *image_writers.random_images(2, 12, 32, 32, 3))
        elif kind != "npz":
            image_writers.write_idx(folder, IMAGES, LABELS)
        (folder / name).unlink(missing_ok=True)
        make(folder / name)
        return f"npz:{folder / name}" if kind == "npz" else f"{kind}:{folder}"

    return write


def _places() -> Iterator[tuple[str, Writer]]:
    makers = {
        "a directory": pathlib.Path.mkdir,
        "a pipe": os.mkfifo,
        "a link to itself": lambda path: path.symlink_to(path.name),
        "a device": lambda path: path.symlink_to("/dev/zero"),
        "a terabyte of holes": lambda path: (path.touch(), os.truncate(path, 2**40)),
    }
    files = {
        "npz": "data.npz",
        "mnist": "train-images-idx3-ubyte",
        "fashion-mnist": "train-labels-idx1-ubyte.gz",
        "cifar10": "data_batch_3.bin",
    }
    for kind, file in files.items():
        for name, make in makers.items():
            yield f"{kind}: {name}", _in_place_of(make, kind, file)
    yield "npz: a name that is too long", lambda folder: f"npz:{folder}/{'x' * 5000}"
    yield "mnist: a folder that is too long", lambda folder: f"mnist:{folder}/{'x' * 5000}"


FILES: dict[str, Writer] = {
    **{f"npz: {name}": _npz_writer(content) for name, content in _npz()},
    **{f"idx: {name}": _folder_writer("mnist", files) for name, files in _idx()},
    **{f"pickle: {name}": _pickle_writer(content) for name, content in pickles()},
    **{
        f"binary: {name}": _folder_writer(
            "cifar10", {f"data_batch_{k}.bin": content for k in range(1, 6)}
        )
        for name, content in {
            "nothing": b"",
            "a byte": b"\1",
            "a byte more": image_writers.cifar_binary(COLOUR, COLOUR_LABELS) + b"\0",
            "a label of 200": b"\xc8" + bytes(3072),
        }.items()
    },
    **dict(_places()),
}
