"""A finished cell as a file: arrays, and a record that knows each of them by its digest."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from experiments.files import archives, forms, seals
from experiments.files.reading import Malformed, Path
from experiments.files.strict_json import LARGEST, Record

RECORD = "record"  # the entry that holds it, as JSON
KNOWN = {"arrays": {str: {"dtype": str, "shape": [int], "sha256": str}}}


class StoredCell(NamedTuple):
    """A finished cell: its record (plain JSON), and name → array over its draws."""

    record: Record
    arrays: dict[str, np.ndarray]


def write(file: BinaryIO, arrays: Mapping[str, np.ndarray], record: Record) -> None:
    """Writes a cell. ValueError for an array of objects, or a record with NaN or infinity."""
    known = {name: _known(np.asarray(array)) for name, array in arrays.items()}
    text = json.dumps(seals.sealed(record | {"arrays": known}), ensure_ascii=False)
    contents: dict[str, Any] = {RECORD: np.array(text.encode()), **arrays}
    np.savez(file, allow_pickle=False, **contents)


def read(path: Path) -> StoredCell:
    """The cell in a file, complete and as it was written.

    Raises:
      Unreadable: in the system's own words, or for another format.
      Malformed: for anything else than what was written, to the last bit of any array.
    """
    with archives.opened(path, packed=False) as archive:
        if RECORD not in archive.entries:
            raise Malformed("it has no record")
        if archive.entries[RECORD].file_size > LARGEST:
            raise Malformed(f"its record has more than {LARGEST:,} bytes")
        record = seals.unsealed(archive.read(RECORD).tobytes(), path)
        forms.check(record, KNOWN)
        known = record.pop("arrays")
        if archive.entries.keys() != {RECORD, *known}:
            raise Malformed("its arrays are not those that its record names")
        arrays = {name: _as_known(name, archive.read(name), known[name]) for name in known}
    return StoredCell(record, arrays)


def _as_known(name: str, array: np.ndarray, known: Record) -> np.ndarray:
    """The array; Malformed unless it is the one that the record knows."""
    if _known(array) != known:
        raise Malformed(f"the array {name!r} is not the one that was written")
    return array


def _known(array: np.ndarray) -> Record:
    """Type, shape, and the digest of the entries, row by row."""
    return {
        "dtype": np.dtype(array.dtype.str).str,  # as a file gives it back: without metadata
        "shape": list(array.shape),
        "sha256": hashlib.sha256(array.tobytes()).hexdigest(),
    }
