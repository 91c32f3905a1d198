"""The directory of a sweep: one immutable file per finished cell, and nothing that can be lost.

    sweep.json           the manifest: what is swept, with which settings and which code
    cells/NAME.npz       a finished cell: arrays over draws, and its record as JSON in `record`
    failed/NAME.json     a cell that failed, with its error; computed again by the next run
    claims/NAME.lock     locks: a cell is computed by one process at a time
    cells.csv, .parquet  one row per finished or failed cell, written at the end of every run (the
                         second where PyArrow is installed)
    cells.json           what their columns say

Files appear whole or not at all: they are written beside their place, flushed to the disk and
renamed. Each carries a digest of all that it holds, so that damage is noticed. Plain files of NumPy
and JSON, without pickles: `theory` is not needed to read them.
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
import platform
from collections.abc import Callable, Iterator, Mapping
from typing import BinaryIO, TypeAlias

import filelock
import numpy as np

from experiments.files import forms, reading, seals, writing
from experiments.files.reading import Malformed, Unreadable
from experiments.files.strict_json import LARGEST, Json, Record
from experiments.results import cell_files, contents
from experiments.results.cell_files import StoredCell

Cell: TypeAlias = Mapping[str, Json]  # name of a parameter → its value

MANIFEST = "sweep.json"
LONGEST_NAME = 200  # of a file, with room for its suffix
SHOWN_DIFFERENCES = 4


class StorageError(ValueError):
    """The directory cannot be written: no fault of the cell that was to be stored."""


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

    @functools.cached_property
    def _by_name(self) -> dict[str, Record]:
        return {self.name(cell): cell for cell in self.cells()}

    def finished(self) -> set[str]:
        """Names of the finished cells; ValueError for files that are none of this sweep's."""
        return self._names_in("cells", ".npz")

    def is_finished(self, name: str) -> bool:
        """Whether the cell has its file."""
        return reading.exists(self._cell(name))

    def read(self, name: str) -> StoredCell:
        """A finished cell.

        Raises:
          Unreadable: where the system does not give its file, or it has another format.
          ValueError: if its file is damaged, or of another sweep or cell.
        """
        path = self._cell(name)
        with _damage(path, "remove it to have the cell computed again with --resume"):
            stored = cell_files.read(path)
            self._check_mine(stored.record, name, path)
            forms.check(stored.record, contents.of_cells(self.manifest))
            if "grid" in self.manifest:
                contents.check_arrays(stored.record, stored.arrays)
        return stored

    def failures(self) -> dict[str, Record]:
        """Name → record of every cell that failed and has not been finished since."""
        named = ((name, self.failure(name)) for name in sorted(self._names_in("failed", ".json")))
        # None: another process has finished it just now
        return {name: record for name, record in named if record is not None}

    def failure(self, name: str) -> Record | None:
        """The record of a failed cell, None if it has not failed or has been finished since."""
        path = self._failed(name)
        if self.is_finished(name) or not reading.exists(path):
            return None
        with _damage(path, "remove it, the cell is computed again with --resume"):
            try:
                record = seals.unsealed(reading.content(path, LARGEST), path)
            except Unreadable:
                if self.is_finished(name):
                    return None
                raise
            self._check_mine(record, name, path)
            forms.check(record, contents.FAILURE)
        return record

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
        with self._writing():
            writing.replace(
                self._cell(name),
                lambda file: cell_files.write(file, arrays, self._mine(record)),
                alone=True,
            )
            self._failed(name).unlink(missing_ok=True)

    def write_failure(self, name: str, record: Record) -> None:
        """Records that a cell failed, until it is finished."""
        with self._writing():
            sealed = seals.sealed(self._mine(record))
            writing.replace_json(self._failed(name), sealed, alone=True)

    def write_table(self, file: str, write: Callable[[BinaryIO], object]) -> None:
        """Writes one of the tables made of all finished cells."""
        with self._writing(), _lock(self.directory / "claims" / f".{file}.lock"):
            writing.replace(self.directory / file, write, alone=True)

    def remove_table(self, file: str) -> None:
        """Removes such a table, which a run of fewer cells may have left."""
        with self._writing():
            (self.directory / file).unlink(missing_ok=True)

    def _mine(self, record: Record) -> Record:
        return {"sweep": self.fingerprint} | record

    def _check_mine(self, record: Record, name: str, path: pathlib.Path) -> None:
        """ValueError unless a record is of this sweep and cell."""
        if record.get("sweep") != self.fingerprint or record.get("cell") != self._by_name.get(name):
            raise ValueError(f"{path} belongs to another sweep or cell; move it elsewhere")

    def _names_in(self, part: str, suffix: str) -> set[str]:
        """Names of cells that have a file there; ValueError for a file of none."""
        found = reading.names(self.directory / part)
        expected = {f"{name}{suffix}" for name in self._by_name}
        if foreign := [file for file in found if file not in expected]:
            raise ValueError(
                f"{self.directory / part / foreign[0]} is no cell of this sweep; move it elsewhere"
            )
        return {file.removesuffix(suffix) for file in found}

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
    sealed = seals.sealed(dict(manifest))
    store = Store(path, _as_stored(manifest))
    _check_names(store)
    try:
        if path.exists() and _foreign(path):
            raise ValueError(f"--out must be an empty directory or that of a sweep, got {path}")
        for part in ("cells", "failed", "claims"):
            (path / part).mkdir(parents=True, exist_ok=True)
        with _lock(path / "claims" / ".sweep.lock"):
            if not (path / MANIFEST).exists():
                writing.replace_json(path / MANIFEST, sealed, alone=True)
                return store
    except OSError as error:
        raise StorageError(f"--out {path} cannot be written ({_why(error)})") from error
    if not resume:
        raise ValueError(f"{path} holds a sweep already; go on with it by --resume")
    found = open_store(path)
    if shown := _difference(found.manifest, store.manifest):
        raise ValueError(f"{path} holds another sweep, use another --out; {shown}")
    return found


def check_same(asked: Mapping[str, Json], here: Mapping[str, Json]) -> None:
    """ValueError unless a worker's manifest is the one of the command that asks it."""
    if shown := _difference(_as_stored(asked), _as_stored(here)):
        raise ValueError(
            f"the worker on {platform.node()} would compute something else: it must have the same "
            f"code, packages and data as the command; command → worker: {shown}"
        )


def open_store(directory: str | os.PathLike[str]) -> Store:
    """The store of an existing sweep.

    Raises:
      Unreadable: where the system does not give its manifest, or it has another format.
      ValueError: if there is none in the directory, or its manifest is damaged.
    """
    path = pathlib.Path(directory)
    place = path / MANIFEST
    if not reading.exists(place):
        raise ValueError(f"{path} holds no sweep: there is no {MANIFEST}")
    remedy = "remove it, and the same command with --resume writes it anew; the cells stay"
    with _damage(place, remedy):
        store = Store(path, seals.unsealed(reading.content(place, LARGEST), place))
        contents.check_manifest(store.manifest)
        try:
            _check_names(store)
        except ValueError as error:
            raise Malformed(str(error)) from error
    return store


def _check_names(store: Store) -> None:
    """ValueError unless each cell has a name of its own that a file may have."""
    names = [store.name(cell) for cell in store.cells()]
    for name in names:
        odd = not name or name[0] == "." or "\0" in name or os.sep in name
        if odd or len(name.encode()) > LONGEST_NAME:
            raise ValueError(f"--grid must have cells that name a file, got {name!r}")
    if len(set(names)) < len(names):
        raise ValueError("--grid must have cells of different names")


@contextlib.contextmanager
def _damage(path: pathlib.Path, remedy: str) -> Iterator[None]:
    """Says of what is malformed which file it is, and what to do."""
    try:
        yield
    except Malformed as error:
        raise ValueError(f"{path} is damaged: {error}; {remedy}") from error


def _foreign(path: pathlib.Path) -> bool:
    """Whether there is something in the directory, but no sweep (that perhaps begins just now).

    Its manifest may have been removed because it was damaged.
    """
    names = {p.name for p in path.iterdir() if p.name[0] != "."}
    own = {"cells", "failed", "claims", "cells.csv", "cells.parquet", "cells.json"}
    return not (path / MANIFEST).exists() and bool(names - own)


def _as_stored(manifest: Mapping[str, Json]) -> Record:
    """A manifest with the format in which it is written."""
    sealed = seals.sealed(dict(manifest))
    return {name: value for name, value in sealed.items() if name != "digest"}


def _difference(old: Mapping[str, Json], new: Mapping[str, Json]) -> str:
    """Where two manifests differ, in words; "" where nowhere."""
    differences = list(_differences(old, new))
    more = len(differences) - SHOWN_DIFFERENCES
    return "; ".join(differences[:SHOWN_DIFFERENCES]) + (f"; {more} more" if more > 0 else "")


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


def _lock(path: pathlib.Path) -> filelock.FileLock:
    # A lock that is a mere file would outlive a killed process: rather none than that.
    return filelock.FileLock(path, fallback_to_soft=False)


def _why(error: OSError) -> str:
    return "its file system has no locks" if error.errno == errno.ENOSYS else writing.why(error)
