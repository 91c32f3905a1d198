"""The directory of a sweep: one immutable file per finished cell, and nothing that can be lost.

    sweep.json           the manifest: what is swept, with which settings and which code
    cells/NAME.npz       a finished cell: arrays over draws, and its record as JSON in `record`
    failed/NAME.json     a cell that failed, with its error; computed again by the next run
    claims/NAME.lock     locks: a cell is computed by one process at a time
    cells.csv, .parquet  one row per finished cell, written at the end of every run

Files appear whole or not at all: they are written beside their place, flushed to the disk and
renamed. Plain files of NumPy and JSON, without pickles: `theory` is not needed to read them.
"""

import contextlib
import dataclasses
import errno
import functools
import hashlib
import itertools
import json
import os
import pathlib
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any, BinaryIO, NamedTuple, TypeAlias

import filelock
import numpy as np

from experiments.machine import files

# What JSON holds, as `json` reads it: objects, lists, text, numbers, None.
Json: TypeAlias = Any
Record: TypeAlias = dict[str, Json]  # one object
Cell: TypeAlias = Mapping[str, Json]  # name of a parameter → its value

FORMAT = 1
MANIFEST = "sweep.json"
LONGEST_NAME = 200  # of a file, with room for its suffix
SHOWN_DIFFERENCES = 4


class StorageError(ValueError):
    """The directory cannot be written: no fault of the cell that was to be stored."""


class StoredCell(NamedTuple):
    """A finished cell: its record (plain JSON), and name → array over its draws."""

    record: Record
    arrays: dict[str, np.ndarray]


@dataclasses.dataclass(frozen=True)
class Store:
    """A sweep's directory, open for reading and, cell by cell, for writing.

    Attributes:
      directory: where it is.
      manifest: the content of its sweep.json. "grid" is name → {"values", "unit", "says"}; where
        the cells are no grid, "cells" lists them instead, each a name → value.
    """

    directory: pathlib.Path
    manifest: Mapping[str, Json]

    @functools.cached_property
    def fingerprint(self) -> str:
        """Identifies the sweep in its cells' files."""
        text = json.dumps(self.manifest, sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()

    def cells(self) -> Iterator[Record]:
        """Name → value of every cell; of a grid, the last axis running fastest."""
        if "cells" in self.manifest:
            yield from self.manifest["cells"]
            return
        grid = self.manifest["grid"]
        for values in itertools.product(*(axis["values"] for axis in grid.values())):
            yield dict(zip(grid, values, strict=True))

    def name(self, cell: Cell) -> str:
        """The name of a cell's files."""
        return ",".join(f"{axis}={cell[axis]}" for axis in self.manifest.get("grid", cell))

    def finished(self) -> set[str]:
        """Names of the finished cells; ValueError for files that are none of this sweep's."""
        expected = {f"{self.name(cell)}.npz" for cell in self.cells()}
        found = {p.name for p in (self.directory / "cells").glob("*") if p.name[0] != "."}
        for foreign in sorted(found - expected):
            raise ValueError(
                f"{self.directory / 'cells' / foreign} is no cell of this sweep; move it elsewhere"
            )
        return {file.removesuffix(".npz") for file in found}

    def is_finished(self, name: str) -> bool:
        """Whether the cell has its file."""
        return self._cell(name).exists()

    def read(self, name: str) -> StoredCell:
        """A finished cell. ValueError if its file is damaged, or of another sweep or cell."""
        path = self._cell(name)
        try:
            # NumPy leaves a file that it cannot read open if it opened it.
            with path.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
                arrays = {array: archive[array] for array in archive.files}
            record = json.loads(arrays.pop("record").item())
            mine = record["sweep"] == self.fingerprint and self.name(record["cell"]) == name
        except (
            OSError, EOFError, ValueError, TypeError, KeyError, zipfile.BadZipFile, zlib.error
        ) as error:  # fmt: skip
            raise ValueError(
                f"{path} is damaged; remove it to have the cell computed again with --resume"
            ) from error
        if not mine:
            raise ValueError(f"{path} belongs to another sweep or cell; move it elsewhere")
        return StoredCell(record, arrays)

    def failures(self) -> dict[str, Record]:
        """Name → record of every cell that failed and has not been finished since."""
        found = {}
        for path in sorted((self.directory / "failed").glob("[!.]*.json")):
            with contextlib.suppress(FileNotFoundError):  # finished by another process just now
                if not self.is_finished(path.stem):
                    found[path.stem] = _read_json(path)
        return found

    def failure(self, name: str) -> Record | None:
        """The record of a failed cell, None if it has not failed."""
        path = self._failed(name)
        return _read_json(path) if path.exists() else None

    @contextlib.contextmanager
    def claim(self, name: str) -> Iterator[bool]:
        """Whether this process has the cell for itself, until the context ends.

        The lock is the operating system's: it ends with the process, however that ends.
        """
        lock = _lock(self.directory / "claims" / f"{name}.lock")
        try:
            with self._writing():
                lock.acquire(blocking=False)
        except filelock.Timeout:
            yield False
            return
        try:
            yield True
        finally:
            lock.release()

    def write_cell(self, name: str, arrays: Mapping[str, np.ndarray], record: Record) -> None:
        """Stores a cell that this process has claimed; StorageError if it cannot be written."""
        record = {"format": FORMAT, "sweep": self.fingerprint} | record
        text = np.array(json.dumps(record, ensure_ascii=False, allow_nan=False).encode())
        contents: dict[str, Any] = {"record": text, **arrays}
        with self._writing():
            files.replace(self._cell(name), lambda file: np.savez(file, **contents), alone=True)
            self._failed(name).unlink(missing_ok=True)

    def write_failure(self, name: str, record: Record) -> None:
        """Records that a cell failed, until it is finished."""
        with self._writing():
            files.replace_json(self._failed(name), record, alone=True)

    def write_table(self, file: str, write: Callable[[BinaryIO], object]) -> None:
        """Writes one of the tables made of all finished cells."""
        with self._writing(), _lock(self.directory / "claims" / f".{file}.lock"):
            files.replace(self.directory / file, write, alone=True)

    def _cell(self, name: str) -> pathlib.Path:
        return self.directory / "cells" / f"{name}.npz"

    def _failed(self, name: str) -> pathlib.Path:
        return self.directory / "failed" / f"{name}.json"

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except filelock.Timeout:
            raise
        except OSError as error:
            count = len(list((self.directory / "cells").glob("[!.]*.npz")))
            raise StorageError(
                f"{self.directory} cannot be written ({_why(error)}); the finished cells, {count}, "
                "are safe: mend that and go on with --resume"
            ) from error


def begin(
    directory: str | os.PathLike[str], manifest: Mapping[str, Json], *, resume: bool
) -> Store:
    """The store of a sweep that is begun, or gone on with.

    Args:
      directory: of the sweep; made if need be.
      manifest: what is swept, as plain JSON.
      resume: whether a sweep that is there already may be gone on with.

    Returns:
      The `Store`.

    Raises:
      ValueError: if there is a sweep and `resume` is not set, or its manifest differs (the message
        says where), or the directory has other content, or cannot be written.
    """
    path = pathlib.Path(directory)
    manifest = json.loads(json.dumps({"format": FORMAT} | dict(manifest), allow_nan=False))
    store = Store(path, manifest)
    for cell in store.cells():
        if len(store.name(cell).encode()) > LONGEST_NAME or os.sep in store.name(cell):
            raise ValueError(f"--grid must have cells that name a file, got {store.name(cell)!r}")
    try:
        if path.exists() and _foreign(path):
            raise ValueError(f"--out must be an empty directory or that of a sweep, got {path}")
        for part in ("cells", "failed", "claims"):
            (path / part).mkdir(parents=True, exist_ok=True)
        with _lock(path / "claims" / ".sweep.lock"):
            if not (path / MANIFEST).exists():
                files.replace_json(path / MANIFEST, manifest, alone=True)
                return store
    except OSError as error:
        raise StorageError(f"--out {path} cannot be written ({_why(error)})") from error
    if not resume:
        raise ValueError(f"{path} holds a sweep already; go on with it by --resume")
    found = _open(path)
    differences = list(_differences(found.manifest, manifest))
    if differences:
        more = len(differences) - SHOWN_DIFFERENCES
        shown = "; ".join(differences[:SHOWN_DIFFERENCES]) + (f"; {more} more" if more > 0 else "")
        raise ValueError(f"{path} holds another sweep, use another --out; {shown}")
    return found


def _open(path: pathlib.Path) -> Store:
    """The store in a directory; ValueError if there is none."""
    if not (path / MANIFEST).is_file():
        raise ValueError(f"{path} holds no sweep: there is no {MANIFEST}")
    manifest = _read_json(path / MANIFEST)
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise ValueError(f"{path / MANIFEST} has another format than {FORMAT}, which this reads")
    return Store(path, manifest)


def open_store(directory: str | os.PathLike[str]) -> Store:
    """The store of an existing sweep. ValueError if there is none in the directory."""
    return _open(pathlib.Path(directory))


def _foreign(path: pathlib.Path) -> bool:
    """Whether there is something in the directory, but no sweep (that perhaps begins just now)."""
    names = {p.name for p in path.iterdir() if p.name[0] != "."}
    return not (path / MANIFEST).exists() and bool(names - {"cells", "failed", "claims"})


def _differences(old: Json, new: Json, where: str = "") -> Iterator[str]:
    """Where two manifests differ, as "key: old → new"."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in dict.fromkeys((*old, *new)):
            inside = f"{where}.{key}" if where else key
            yield from _differences(old.get(key, "none"), new.get(key, "none"), inside)
    elif old != new:
        yield f"{where}: {_short(old)} → {_short(new)}"


def _short(value: Json) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:28]}…{text[-28:]}"


def _read_json(path: pathlib.Path) -> Json:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is damaged: it is no JSON") from error


def _lock(path: pathlib.Path) -> filelock.FileLock:
    # A lock that is a mere file would outlive a killed process: rather none than that.
    return filelock.FileLock(path, fallback_to_soft=False)


def _why(error: OSError) -> str:
    return "its file system has no locks" if error.errno == errno.ENOSYS else files.why(error)
