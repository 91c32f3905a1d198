"""A sweep's finished cells as a table with one row per cell, in files that others read.

Without pandas: every process of a sweep would spend a second on importing it.
"""

import csv
import importlib.util
import io
from collections.abc import Iterator
from typing import BinaryIO

from experiments.files.strict_json import Json, Record
from experiments.results.records import ESTIMATE
from experiments.results.store import Store

PARQUET = "cells.parquet"


def rows(store: Store) -> Iterator[tuple[Record, Record]]:
    """Cell and record of every finished cell, in the grid's order."""
    finished = store.finished()
    for cell in store.cells():
        if (name := store.name(cell)) in finished:
            yield cell, store.read(name).record


def columns(store: Store) -> dict[str, list[Json]]:
    """Values, verdict, counts, rates, estimates, margins, costs: name → one of each finished cell.

    None where a cell has no such thing.
    """
    found = [cell | _row(record) for cell, record in rows(store)]
    names = dict.fromkeys(name for row in found for name in row)
    return {name: [row.get(name) for row in found] for name in names}


def write(store: Store) -> bool:
    """Writes cells.csv and cells.parquet from all finished cells; StorageError if it cannot.

    Returns:
      Whether there is a cells.parquet: without PyArrow, the extra parquet, none is left either that
      would be older than the other.
    """
    cells = columns(store)

    def as_csv(file: BinaryIO) -> None:
        text = io.StringIO(newline="")
        table = csv.writer(text, lineterminator="\n")
        table.writerow(cells)
        table.writerows(zip(*cells.values(), strict=True))
        file.write(text.getvalue().encode())

    def as_parquet(file: BinaryIO) -> None:
        import pyarrow
        from pyarrow import parquet

        parquet.write_table(pyarrow.table(cells), file)

    store.write_table("cells.csv", as_csv)
    if importlib.util.find_spec("pyarrow") is None:
        store.remove_table(PARQUET)
        return False
    store.write_table(PARQUET, as_parquet)
    return True


def _row(record: Record) -> Record:
    verdict = record["verdict"]
    row: Record = {"verdict": verdict["verdict"], "draws": verdict["draws"]}
    row |= verdict["outcomes"]
    rate = verdict["failure_rate"] or {}
    row |= {f"failure_rate_{k}": rate.get(k) for k in ("observed", "low", "high", "allowed")}
    for number, estimate in enumerate(verdict["estimates"], start=1):
        row |= {f"claim_{number}": estimate["name"], f"side_{number}": estimate["side"]}
        row |= {f"{name}_{number}": estimate[key] for key, name in ESTIMATE.items()}
    row |= {name: verdict[name] for name in ("tightest_margin", "unit", "tightness")}
    constant = verdict["constant"] or {}
    row |= {f"constant_{end}": constant.get(end) for end in ("smallest", "largest")}
    for role in ("hypotheses", "measured"):
        row |= {f"met {name}": entry["met"] for name, entry in verdict[role].items()}
    return row | {
        "reason": verdict["reason"],
        "seconds": record["seconds"],
        "batch": record["batch"],
        "memory_bytes": record["memory"],
    }
