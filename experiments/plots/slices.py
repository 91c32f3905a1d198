"""A stored sweep as a picture needs it: a line or a plane of its cells, or a single one."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import pandas as pd

from experiments.files.strict_json import Json, Record
from experiments.plots.subjects import Drawn
from experiments.results.records import verdict_of
from experiments.results.store import Store
from experiments.settings import numbers
from experiments.settings.text import written
from theory._validation import check_choice, shown
from theory.verification.statistics import clopper_pearson

MOST_AXES = 2


class Axis(NamedTuple):
    """A parameter that is swept in the picture, with its values."""

    name: str
    values: tuple[Json, ...]
    unit: str
    says: str

    @property
    def numeric(self) -> bool:
        """Whether its values are numbers."""
        return all(isinstance(v, int | float) and not isinstance(v, bool) for v in self.values)

    @property
    def label(self) -> str:
        """Name, meaning and unit."""
        says = f": {self.says}" if self.says else ""
        return f"{self.name}{says}" + ("" if self.unit == "1" else f" ({self.unit})")


class Slice(NamedTuple):
    """The cells of a sweep at fixed values of some of its axes.

    store: of the sweep.  axes: those that are left, two at most.  fixed: name → value.
    """

    store: Store
    axes: tuple[Axis, ...]
    fixed: Mapping[str, Json]

    @property
    def title(self) -> str:
        """Statement, and the values that are fixed."""
        fixed = ", ".join(f"{name} = {written(value)}" for name, value in self.fixed.items())
        return f"{self.store.manifest['statement']}" + (f", {fixed}" if fixed else "")

    def cells(self) -> list[Record]:
        """Name → value of its cells, in the grid's order."""
        fixed = dict(self.fixed)
        return [c for c in self.store.cells() if {n: c[n] for n in fixed} == fixed]


def of(store: Store, settings: Mapping[str, str]) -> Slice:
    """The slice that a command asks for.

    Args:
      store: of a sweep.
      settings: NAME → VALUE in text of the axes that are fixed. Axes of one value are fixed
        without being named.

    Raises:
      ValueError: for the cells of a figure, an axis or value that the sweep does not have, or more
        axes left than a picture has.
    """
    if "grid" not in store.manifest:
        raise ValueError(f"{store.directory} holds the cells of a figure, no sweep")
    grid = store.manifest["grid"]
    for name in settings:
        check_choice("--set NAME", name, list(grid))
    fixed = {name: _value(name, text, grid[name]["values"]) for name, text in settings.items()}
    fixed |= {name: axis["values"][0] for name, axis in grid.items() if len(axis["values"]) == 1}
    left = {name: axis for name, axis in grid.items() if name not in fixed}
    if len(left) > MOST_AXES:
        name, axis = next(reversed(left.items()))
        raise ValueError(
            f"{store.directory} is swept over {', '.join(left)}, and a picture has {MOST_AXES} "
            f"axes: fix the others by --set, as --set {name}={written(axis['values'][0])}"
        )
    axes = tuple(Axis(n, tuple(a["values"]), a["unit"], a["says"]) for n, a in left.items())
    return Slice(store, axes, fixed)


def _value(name: str, text: str, values: Sequence[Json]) -> Json:
    """The value of an axis that a text stands for."""
    for value in values:
        if text == written(value) or text.lower() == str(value).lower():
            return value
    try:
        number = float(numbers.read(name, text, float))
    except ValueError:
        number = math.nan
    for value in values:
        if isinstance(value, int | float) and not isinstance(value, bool) and value == number:
            return value
    known = ", ".join(map(written, values[:20]))
    raise ValueError(f"--set {name} must be a value of the sweep, {known}; got {shown(text)}")


def drawn(piece: Slice, cell: Record) -> Drawn:
    """The draws of one cell; ValueError if it is not finished."""
    store = piece.store
    name = store.name(cell)
    if not store.is_finished(name):
        failure = store.failures().get(name)
        why = "is not finished" if failure is None else f"failed by {failure['error']}"
        raise ValueError(f"the cell {name} of {store.directory} {why}")
    stored = store.read(name)
    manifest = store.manifest
    at = ", ".join(f"{axis} = {written(value)}" for axis, value in cell.items())
    title = f"{manifest['statement']} ({at})"
    return Drawn(title, "", settings(manifest), verdict_of(stored.record), stored.arrays)


def settings(manifest: Mapping[str, Json]) -> str:
    """What all cells were drawn with, in words."""
    fixed = {n: v["name"] if isinstance(v, dict) else v for n, v in manifest["config"].items()}
    words = ", ".join(f"{name} = {_short(value)}" for name, value in fixed.items())
    precision = manifest.get("precision", "float64")
    return f"Seed {manifest['seed']}, {precision}" + (f"; {words}." if words else ".")


def _short(value: Json) -> str:
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


def table(piece: Slice) -> pd.DataFrame:
    """One row for each cell and series.

    The axes; status: "finished", "failed" or ""; verdict; series: "all hypotheses", a hypothesis,
    "conclusion", "failure rate" or a claim; value, low, high: share of draws or estimate with its
    limits; claimed, tolerance, side: what is claimed; error: why a cell failed.
    """
    store = piece.store
    finished, failed = store.finished(), store.failures()
    rows: list[Record] = []
    for cell in piece.cells():
        at = {axis.name: cell[axis.name] for axis in piece.axes}
        name = store.name(cell)
        if name in finished:
            record = store.read(name).record
            common = {**at, "status": "finished", "verdict": record["verdict"]["verdict"]}
            rows += [common | row for row in _series(record)]
        else:
            status = "failed" if name in failed else ""
            error = failed[name]["error"] if name in failed else ""
            rows.append({**at, "status": status, "verdict": "", "series": "", "error": error})
    names = ("value", "low", "high", "claimed", "tolerance", "side", "error")
    columns = [*(axis.name for axis in piece.axes), "status", "verdict", "series", *names]
    return pd.DataFrame(rows).reindex(columns=columns)


ALL, CONCLUSION, FAILURES = "all hypotheses", "conclusion", "failure rate"


def _series(record: Record) -> list[Record]:
    """What one finished cell shows."""
    verdict = verdict_of(record)
    rows = [
        {"series": name, **_share(entry.met, verdict.draws, verdict.level)}
        for name, entry in verdict.hypotheses.items()
    ]
    outcomes = verdict.outcomes
    if any(outcomes.values()):
        met = outcomes["confirmed"] + outcomes["miss"]
        held = outcomes["confirmed"] + outcomes["beyond"]
        rows.append({"series": ALL, **_share(met, verdict.draws, verdict.level)})
        rows.append({"series": CONCLUSION, **_share(held, verdict.draws, verdict.level)})
    if (rate := verdict.failure_rate) is not None:
        allowed = 0.0 if verdict.kind == "deterministic" else rate.allowed
        rows.append(
            {"series": FAILURES, "value": rate.observed, "low": rate.low, "high": rate.high,
             "claimed": allowed, "side": "at most"}
        )  # fmt: skip
    rows += [
        {"series": one.name, "value": one.observed, "low": one.low, "high": one.high,
         "claimed": one.claimed, "tolerance": one.tolerance, "side": one.side}
        for one in verdict.estimates
    ]  # fmt: skip
    return rows or [{"series": ""}]


def _share(count: int, draws: int, level: float) -> Record:
    low, high = clopper_pearson(count, draws, 1 - level)
    return {"value": count / draws, "low": low, "high": high}
