"""A sweep's finished cells as one labelled data set."""

import json
import os
from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from experiments.files.strict_json import Record
from experiments.results.cell_files import StoredCell
from experiments.results.contents import OUTCOMES
from experiments.results.records import ESTIMATE
from experiments.results.store import Store, open_store

PARTS = ("value", "error", "ratio")  # of a margin
PER_SCALE = ("rate", "decay")  # kinds whose quantity has the scales as its last axis


def build(store: Store, *, draws: bool = True) -> xr.Dataset:
    """The data set of `dataset.open_sweep`."""
    if "grid" not in store.manifest:
        raise ValueError(f"{store.directory} holds the cells of a figure, no sweep")
    grid = store.manifest["grid"]
    parts = _Parts(tuple(len(axis["values"]) for axis in grid.values()))
    finished, failed = store.finished(), store.failures()
    conditions: dict[str, list[str]] = {"hypothesis": [], "measured": []}
    claims: set[tuple[str, ...]] = set()
    units: dict[str, str] = {}
    for place, cell in enumerate(store.cells()):
        name = store.name(cell)
        status = "finished" if name in finished else "failed" if name in failed else ""
        parts.add(place, "status", status)
        if status == "failed":
            parts.add(place, "error", failed[name]["error"])
        if status != "finished":
            continue
        stored = store.read(name)
        verdict = stored.record["verdict"]
        _summary(parts, place, stored.record)
        for role, key in (("hypothesis", "hypotheses"), ("measured", "measured")):
            conditions[role] = list(verdict[key])
            units |= {condition: entry["unit"] for condition, entry in verdict[key].items()}
            for condition, entry in verdict[key].items():
                at = {role: conditions[role].index(condition)}
                parts.add(place, f"{role}_met", entry["met"], at=at)
        units["conclusion"] = verdict["unit"]
        claims.add(tuple(estimate["name"] for estimate in verdict["estimates"]))
        if draws:
            _draws(parts, place, stored, conditions)
    data = parts.dataset(tuple(grid))
    for name, axis in grid.items():
        attributes = {"units": axis["unit"], "long_name": axis["says"]}
        data = data.assign_coords({name: (name, axis["values"], attributes)})
    for role, names in conditions.items():
        if role in data.dims:
            data = data.assign_coords(
                {role: names, f"{role}_unit": (role, [units[n] for n in names])}
            )
    if "outcome" in data.dims:
        data = data.assign_coords(outcome=list(OUTCOMES))
    if "claim" in data.dims and len(claims) == 1:  # names may depend on the cell
        data = data.assign_coords(claim=list(claims.pop()))
    for part in ("value", "error"):
        if f"conclusion_{part}" in data:
            data[f"conclusion_{part}"].attrs["units"] = units["conclusion"]
    if "memory" in data:
        data["seconds"].attrs["units"], data["memory"].attrs["units"] = "s", "B"
    manifest = json.dumps(store.manifest, ensure_ascii=False)
    return data.assign_attrs(statement=store.manifest["statement"], manifest=manifest)


def _summary(parts: "_Parts", place: int, record: Record) -> None:
    """The numbers and words that a cell has once."""
    verdict = record["verdict"]
    for name in ("seconds", "batch", "memory"):
        parts.add(place, name, record[name])
    for name in ("verdict", "reason", "tightest_margin", "tightness"):
        parts.add(place, name, verdict[name])
    for number, outcome in enumerate(OUTCOMES):
        parts.add(place, "outcomes", verdict["outcomes"][outcome], at={"outcome": number})
    for name, value in (verdict["failure_rate"] or {}).items():
        parts.add(place, "failure_rate" if name == "observed" else f"failure_rate_{name}", value)
    for name, value in (verdict["constant"] or {}).items():
        parts.add(place, f"constant_{name}", value)
    for number, estimate in enumerate(verdict["estimates"]):
        parts.add(place, "claim_name", estimate["name"], at={"claim": number})
        for key, name in ESTIMATE.items():
            parts.add(place, name, estimate[key], at={"claim": number})


def _draws(parts: "_Parts", place: int, stored: StoredCell, conditions: Any) -> None:
    """The arrays over draws."""
    for key, array in stored.arrays.items():
        role, _, rest = key.partition(".")
        name, _, part = rest.rpartition(".")
        if role in conditions:
            at = {role: conditions[role].index(name)}
            parts.add(place, f"{role}_{part}", array, ("draw",), at=at)
        elif role == "conclusion":
            parts.add(place, f"conclusion_{part}", array, ("draw",))
        elif role == "scales":
            parts.add(place, "scales", array, ("scale_index",))
        elif role in ("quantity", "cdf"):
            last = ("scale_index",) if stored.record["verdict"]["kind"] in PER_SCALE else ()
            claim = ("claim",) if array.ndim > 1 + len(last) else ()
            parts.add(place, role, array, ("draw", *claim, *last))
        else:
            parts.add(place, key, array, ("draw",))


class _Parts:
    """Values of variables at places of the grid, gathered until their sizes are known."""

    def __init__(self, shape: tuple[int, ...]):
        self.shape = shape
        self.found: dict[str, tuple[tuple[str, ...], list[Any]]] = {}
        self.sizes: dict[str, int] = {}

    def add(
        self,
        place: int,
        name: str,
        value: Any,
        dims: tuple[str, ...] = (),
        at: Mapping[str, int] | None = None,
    ) -> None:
        """Adds an array with these dimensions, or what is at one index of further ones."""
        at = at or {}
        sizes = {dim: index + 1 for dim, index in at.items()}
        sizes |= dict(zip(dims, np.shape(value), strict=True))
        for dim, size in sizes.items():
            self.sizes[dim] = max(size, self.sizes.get(dim, 0))
        _, values = self.found.setdefault(name, ((*at, *dims), []))
        values.append((place, tuple(at.values()), value))

    def dataset(self, axes: tuple[str, ...]) -> xr.Dataset:
        """All variables, NaN or "" where nothing was added."""
        variables = {}
        for name, (dims, values) in self.found.items():
            words = any(isinstance(value, str) for _, _, value in values)
            shape = tuple(self.sizes[dim] for dim in dims)
            full = np.full(
                (*self.shape, *shape), "" if words else np.nan, object if words else float
            )
            for place, at, value in values:
                where = (*np.unravel_index(place, self.shape), *at)
                where += tuple(slice(size) for size in np.shape(value))
                full[where] = value
            variables[name] = ((*axes, *dims), full)
        return xr.Dataset(variables)


def open_sweep(directory: str | os.PathLike[str], *, draws: bool = True) -> xr.Dataset:
    """All results of a sweep as one labelled data set.

    Its dimensions are the axes of the grid, with unit and meaning in the attributes of their
    coordinates; `draw`, `hypothesis`, `measured`, `outcome`, `claim` and `scale_index` where a
    variable has them. What is not finished is NaN, or "" in variables of words; `status` is
    "finished", "failed" or "".

    Args:
      directory: of the sweep.
      draws: whether to read what was measured in each draw too, which may be much.

    Returns:
      An `xarray.Dataset`, whose attributes hold the manifest.

    Raises:
      ValueError: if there is no sweep, or one of its files is damaged.
    """
    return build(open_store(directory), draws=draws)
