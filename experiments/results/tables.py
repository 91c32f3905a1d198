"""A sweep's cells as a table with one row per finished or failed cell, in files that others read.

Without pandas: every process of a sweep would spend a second on importing it.
"""

import csv
import importlib.util
import io
import json
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO

from experiments.files.strict_json import Json, Record
from experiments.results import columns as described
from experiments.results.columns import NUMBER, TEXT, TRUTH, WHOLE, Column
from experiments.results.store import Store

CSV, PARQUET, ABOUT = "cells.csv", "cells.parquet", "cells.json"


def rows(store: Store) -> Iterator[tuple[Record, Record]]:
    """Cell and record of every finished cell, in the grid's order."""
    finished = store.finished()
    for cell in store.cells():
        if (name := store.name(cell)) in finished:
            yield cell, store.read(name).record


def columns(store: Store) -> dict[str, list[Json]]:
    """Everything that is known of each finished or failed cell: name → one value for each.

    None where a cell has no such thing; `results.columns` says what there is.
    """
    table, _, _ = _read(store)
    return table


def _read(store: Store) -> tuple[dict[str, list[Json]], dict[str, Record], dict[str, str]]:
    """The table; name of a parameter → unit and meaning; name of a condition → its unit."""
    manifest, finished, failures = store.manifest, store.finished(), store.failures()
    parameters: dict[str, Record] = {}
    units: dict[str, str] = {}
    found: list[Record] = []
    common = {name: manifest.get(name) for name in ("statement", "kind", "seed", "precision")}
    for cell in store.cells():
        name = store.name(cell)
        values = {**cell, **manifest["config"]}
        if name in finished:
            record = store.read(name).record
            parameters |= record.get("parameters", {})
            for role in ("hypotheses", "measured"):
                units |= {n: entry["unit"] for n, entry in record["verdict"][role].items()}
            found.append(described.row(record, values) | common)
        elif name in failures:
            found.append(described.failed_row(failures[name], values) | common)
    for name, axis in manifest["grid"].items():
        parameters[name] = {"unit": axis["unit"], "says": axis["says"]}
    names = dict.fromkeys(name for row in found for name in row)
    return {name: [row.get(name) for row in found] for name in names}, parameters, units


def write(store: Store) -> bool:
    """Writes the table of all finished and failed cells; StorageError if it cannot.

    cells.csv and cells.parquet hold it, cells.json says of each column its meaning, unit and type,
    and what the sweep was: that of Parquet holds the same.

    Returns:
      Whether there is a cells.parquet: without PyArrow, the extra parquet, none is left either that
      would be older than the others.
    """
    cells, parameters, units = _read(store)
    kinds = described.described(cells, parameters, units)
    about = {name: column._asdict() for name, column in kinds.items()}
    text = json.dumps({"columns": about, "sweep": dict(store.manifest)}, ensure_ascii=False)

    def as_csv(file: BinaryIO) -> None:
        text = io.StringIO(newline="")
        table = csv.writer(text, lineterminator="\n")
        table.writerow(cells)
        table.writerows(zip(*cells.values(), strict=True))
        file.write(text.getvalue().encode())

    store.write_table(CSV, as_csv)
    store.write_table(ABOUT, lambda file: file.write(f"{text}\n".encode()))
    if importlib.util.find_spec("pyarrow") is None:
        store.remove_table(PARQUET)
        return False
    store.write_table(PARQUET, lambda file: _write_parquet(file, cells, kinds, text))
    return True


def _write_parquet(
    file: BinaryIO, cells: Mapping[str, list[Json]], kinds: Mapping[str, Column], about: str
) -> None:
    """The table with types that are declared: pyarrow would call a column without values null."""
    import pyarrow
    from pyarrow import parquet

    types: dict[str, Any] = {
        TEXT: pyarrow.string(),
        WHOLE: pyarrow.int64(),
        NUMBER: pyarrow.float64(),
        TRUTH: pyarrow.bool_(),
    }
    fields = [
        pyarrow.field(name, types[kinds[name].kind], metadata=_metadata(kinds[name]))
        for name in cells
    ]
    schema = pyarrow.schema(fields, metadata={"widetheory": about})
    text = [name for name in cells if kinds[name].kind == TEXT]
    words = {name: [v if v is None else str(v) for v in cells[name]] for name in text}
    parquet.write_table(pyarrow.table({**cells, **words}, schema=schema), file)


def _metadata(column: Column) -> dict[str, str]:
    return {"says": column.says, "unit": column.unit}
