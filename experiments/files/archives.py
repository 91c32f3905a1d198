"""NumPy archives (.npz): headers first, then arrays of exactly the bytes that those announce."""

import contextlib
import math
import os
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from typing import IO, NamedTuple

import numpy as np
from numpy.lib import format as npy

from experiments.files import reading
from experiments.files.reading import Malformed, Path

CHUNK = 2**24  # bytes read at once
METHODS = {zipfile.ZIP_STORED: "stored", zipfile.ZIP_DEFLATED: "deflated"}
MOST_EXPANDED = 1032  # times, by deflate
ENCRYPTED = 0x1  # flag


class Header(NamedTuple):
    """What an array's header announces."""

    shape: tuple[int, ...]
    dtype: np.dtype
    by_column: bool


class Archive(NamedTuple):
    """An open archive: its entries by name, `.npy` left out.

    `bytes` is the size of the whole file.
    """

    file: zipfile.ZipFile
    entries: Mapping[str, zipfile.ZipInfo]
    bytes: int

    def header(self, name: str) -> Header:
        """The header of an array, of which nothing else is read."""
        with _readable(), self.file.open(self.entries[name]) as member:
            return _header(member, self.entries[name].file_size)

    def read(self, name: str) -> np.ndarray:
        """An array, its entry read to the end, where its checksum is compared."""
        entry = self.entries[name]
        with _readable(), self.file.open(entry) as member:
            header = _header(member, entry.file_size)
            raw = bytearray(header.dtype.itemsize * math.prod(header.shape))
            _fill(member, memoryview(raw))
            order = "F" if header.by_column else "C"
            return np.ndarray(header.shape, header.dtype, raw, order=order)


@contextlib.contextmanager
def opened(path: Path, *, packed: bool) -> Iterator[Archive]:
    """An archive, open for reading.

    Args:
      path: the file.
      packed: whether its entries may be deflated, as `np.savez_compressed` does, or stored alone.

    Raises:
      Unreadable: in the system's own words.
      Malformed: for what is no archive of arrays of plain types, is encrypted, packed in another
        way, or announces more than it can hold.
    """
    with reading.opened(path) as stream:
        size = os.fstat(stream.fileno()).st_size
        with _readable():
            file = zipfile.ZipFile(stream)
            methods = set(METHODS) if packed else {zipfile.ZIP_STORED}
            for entry in file.infolist():
                _check_entry(entry, methods, size)
            entries = {entry.filename.removesuffix(".npy"): entry for entry in file.infolist()}
            if len(entries) < len(file.infolist()):
                raise ValueError("a name stands twice")
        with file:
            yield Archive(file, entries, size)


@contextlib.contextmanager
def _readable() -> Iterator[None]:
    try:
        yield
    except (Malformed, OSError, MemoryError):
        raise
    except Exception as error:
        raise Malformed(f"not a readable NumPy archive (.npz): {reading.reason(error)}") from error


def _check_entry(entry: zipfile.ZipInfo, methods: set[int], size: int) -> None:
    """ValueError for what this does not read; before anything of it is read."""
    if entry.flag_bits & ENCRYPTED:
        raise ValueError("it is encrypted")
    if entry.compress_type not in methods:
        allowed = " or ".join(METHODS[method] for method in sorted(methods))
        raise ValueError(f"its entries must be {allowed}, one is packed in another way")
    stored = entry.compress_type == zipfile.ZIP_STORED
    most = entry.compress_size * (1 if stored else MOST_EXPANDED)
    if entry.compress_size > size or entry.file_size > most:
        raise ValueError("an entry announces more bytes than it can hold")
    reading.check_packing(entry.file_size, entry.compress_size)


def _header(member: IO[bytes], size: int) -> Header:
    """The header at the beginning of an entry; ValueError unless as many bytes follow it."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # NumPy repairs headers of Python 2, and says so
        version = npy.read_magic(member)
        read = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}.get(version)
        if read is None:
            raise ValueError(f"an array has version {version}, 1.0 or 2.0 is read")
        shape, by_column, dtype = read(member)
        header = Header(shape, dtype, by_column)
    if header.dtype.hasobject:
        raise ValueError("an array holds objects of Python, which only running it would read")
    promised = header.dtype.itemsize * math.prod(header.shape)
    if any(length < 0 for length in header.shape) or promised != size - member.tell():
        raise ValueError(
            f"an array's header promises {promised:.3g} bytes, {size - member.tell():,} follow it"
        )
    return header


def _fill(member: IO[bytes], into: memoryview) -> None:
    """Reads exactly as much, and the end after it."""
    done = 0
    while done < len(into):
        chunk = member.read(min(CHUNK, len(into) - done))
        if not chunk:
            raise EOFError(f"it ends after {done:,} of {len(into):,} bytes of an array")
        into[done : done + len(chunk)] = chunk
        done += len(chunk)
    if member.read(1):
        raise ValueError("more follows an array than its header promises")
