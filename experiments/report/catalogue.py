"""The registered statements as `list` shows them, kept from the last time that they were imported.

Importing them means importing JAX, which takes seconds.
"""

import contextlib
import hashlib
import importlib.metadata
import pathlib
from collections.abc import Sequence

from experiments.files import reading, seals, strict_json, writing
from experiments.files.strict_json import Record
from experiments.machine import cache_folder

GROUP = "widetheory.statements"  # entry points of other distributions
HOME = pathlib.Path(__file__).resolve().parent.parent.parent
PREFIX = "statements-"


def registered(names: Sequence[str] = ()) -> list[Record] | None:
    """Entries of the statements of these names, as in the JSON of `list`; without names of all.

    Args:
      names: identifiers and families.

    Returns:
      The entries in the registry's order; None if a name is neither.
    """
    entries = _entries()
    known = {entry["id"] for entry in entries}
    if not set(names) <= known | {id.partition(".")[0] for id in known}:
        return None
    return [
        entry
        for entry in entries
        if not names or entry["id"] in names or entry["id"].partition(".")[0] in names
    ]


def _entries() -> list[Record]:
    place = _place()
    if place is not None:
        with contextlib.suppress(OSError, ValueError):
            kept = reading.content(place, strict_json.LARGEST)
            return seals.unsealed(kept, place)["statements"]
    from experiments.report.statements import statement_json
    from theory import REGISTRY

    entries = [statement_json(statement) for statement in REGISTRY.values()]
    if place is not None:
        with contextlib.suppress(OSError):
            for old in place.parent.glob(f"{PREFIX}*.json"):
                old.unlink()
            writing.replace_json(place, seals.sealed({"statements": entries}))
    return entries


def _place() -> pathlib.Path | None:
    """Where the entries of exactly this code are kept; None where that is nowhere.

    Statements of other distributions depend on code that is not looked at here.
    """
    root = cache_folder.find()
    if root is None or importlib.metadata.entry_points(group=GROUP):
        return None
    digest = hashlib.sha256(importlib.metadata.version("widetheory").encode())
    for package in ("theory", "experiments"):
        for file in sorted((HOME / package).rglob("*.py")):
            digest.update(file.read_bytes())
    return root / f"{PREFIX}{digest.hexdigest()[:16]}.json"
