"""Certificates in a bundle of `widetheory report`, read without unpacking it.

This needs the standard library alone. Nothing is written. Every file is compared with the checksums
that the bundle states, which guard against damage alone. Memory stays below `MOST_KEPT` and a few
MiB, whatever the bundle announces.
"""

import hashlib
import os
import stat
import zipfile
from collections.abc import Sequence
from typing import NamedTuple

from experiments.certificates.exact import Refused, require

CHECKSUMS = "checksums.sha256"
MARK = b'"widetheory certificate"'
BEGINS = (b"PK\x03\x04", b"PK\x05\x06")  # of ZIP archives, of empty ones
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
CHUNK = 2**20
LARGEST = 2**26  # bytes of a certificate
MOST_KEPT = 2**28  # bytes of certificates and of checksums
FREELY_UNPACKED, MOST_PACKED = 2**28, 200  # bytes, and times that results may be packed


class Bundle(NamedTuple):
    """What was found: how many files are as the checksums say, and certificates by their names."""

    files: int
    certificates: Sequence[tuple[str, bytes]]


def is_regular(path: str) -> bool:
    """Whether it is a file or a directory; opening a pipe would wait for ever."""
    mode = os.stat(path).st_mode
    return stat.S_ISREG(mode) or stat.S_ISDIR(mode)


def is_bundle(path: str) -> bool:
    """Whether a file begins as a ZIP archive does; False for what cannot be opened."""
    try:
        if not is_regular(path):
            return False
        with open(path, "rb") as file:
            return file.read(4) in BEGINS
    except (OSError, ValueError):
        return False


def read(path: str) -> Bundle:
    """All of a bundle.

    Raises:
      Refused: if a file is not what the checksums say, is missing, or is not among them.
      ValueError: in one line, for what is no bundle, or announces more than it can hold.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return _read(archive, os.stat(path).st_size)
    except Refused:
        raise
    except Exception as error:
        kind = "" if type(error) is ValueError else f"{type(error).__name__}: "
        raise ValueError(f"{path}: not a readable bundle ({kind}{printable(str(error))})") from None


def printable(text: str, longest: int = 200) -> str:
    """A text as one line: names may hold what moves a terminal's cursor."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)[:longest]


def _read(archive: zipfile.ZipFile, size: int) -> Bundle:
    entries = [entry for entry in archive.infolist() if not entry.is_dir()]
    _check_entries(entries, size)
    if CHECKSUMS not in (names := {entry.filename for entry in entries}):
        raise ValueError(f"it holds no {CHECKSUMS}, as `widetheory report --bundle` writes it")
    stated = _stated(archive)
    found, left = [], MOST_KEPT
    for entry in entries:
        if (name := entry.filename) == CHECKSUMS:
            continue
        require(name in stated, f"{CHECKSUMS} does not name {printable(name)}")
        digest, data = _hashed(archive, entry)
        require(digest == stated[name], f"{printable(name)} is not what {CHECKSUMS} says")
        if data is not None:
            left -= len(data)
            if left < 0:
                raise ValueError(f"it holds more than {MOST_KEPT:,} bytes of certificates")
            found.append((name, data))
    missing = sorted(stated.keys() - names)
    require(not missing, f"{printable(missing[0])} is missing" if missing else "")
    return Bundle(len(stated), found)


def _check_entries(entries: Sequence[zipfile.ZipInfo], size: int) -> None:
    """ValueError for what is not read, before anything is unpacked."""
    if len({entry.filename for entry in entries}) < len(entries):
        raise ValueError("a name stands twice")
    if any(entry.compress_type not in METHODS for entry in entries):
        raise ValueError("its files must be stored or deflated")
    packed = sum(entry.compress_size for entry in entries)
    unpacked = sum(entry.file_size for entry in entries)
    if packed > size:
        raise ValueError("it announces more bytes than it has")
    if unpacked > max(FREELY_UNPACKED, MOST_PACKED * packed):
        raise ValueError(f"it unpacks to {unpacked:,} bytes, far more than results would")


def _stated(archive: zipfile.ZipFile) -> dict[str, str]:
    """Name → SHA-256, of all files but the checksums."""
    entry = archive.getinfo(CHECKSUMS)
    if entry.file_size > MOST_KEPT:
        raise ValueError(f"{CHECKSUMS} must have at most {MOST_KEPT:,} bytes")
    lines = [line for line in archive.read(entry).decode().split("\n") if line]
    if all(line.endswith("\r") for line in lines):  # written again by an editor of Windows
        lines = [line[:-1] for line in lines]
    pairs = [line.partition("  ") for line in lines if line]
    stated = {name: digest for digest, _, name in pairs}
    if len(stated) < len(pairs) or CHECKSUMS in stated:
        raise ValueError(f"a name stands twice in {CHECKSUMS}, or its own")
    return stated


def _hashed(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> tuple[str, bytes | None]:
    """The digest of a file, and all of it where it is a certificate."""
    digest, kept = hashlib.sha256(), bytearray()
    keeps = entry.filename.lower().endswith(".json") and entry.file_size <= LARGEST
    with archive.open(entry) as member:
        while chunk := member.read(CHUNK):
            digest.update(chunk)
            if keeps:
                kept += chunk
    return digest.hexdigest(), bytes(kept) if keeps and MARK in kept else None
