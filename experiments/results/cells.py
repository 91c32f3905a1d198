"""Computing the cells of a store, one by one, each stored for good when it is done."""

import datetime
import time
import traceback
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import NamedTuple

import numpy as np

from experiments.files.strict_json import Record
from experiments.machine import environment
from experiments.results.store import Cell, Store

POLL = 0.5  # seconds between looks at cells that other processes compute


class Computed(NamedTuple):
    """What comes of a cell: name → array, and what else is to be kept of it, as plain JSON."""

    arrays: Mapping[str, np.ndarray]
    record: Record


class Step(NamedTuple):
    """Where a run stands: cells done and failed, what it does now, and the seconds left if known.

    `computed` counts the cells that this process computed.
    """

    done: int
    failed: int
    computed: int
    doing: str
    left: float | None


def compute_missing(
    store: Store,
    compute: Callable[[Cell], Computed],
    sizes: Mapping[str, float],
) -> Iterator[Step]:
    """Computes the cells that are not finished, one file each; failed ones are tried again.

    Several processes may do this at once, each with cells of its own. At the end each waits for
    the cells that others have claimed, and takes over those of a process that has died.

    Args:
      store: the directory with its cells.
      compute: what a cell is computed by; whatever it raises is recorded as that cell's failure.
      sizes: name of every cell, in the order to compute them → what its cost is related to.

    Yields:
      A `Step` at each beginning and end of a cell.

    Raises:
      StorageError: if a result cannot be written.
      ValueError: if a finished cell's file is damaged.
    """
    cells = {store.name(cell): cell for cell in store.cells()}
    earlier = store.failures()
    seconds = {name: store.read(name).record["seconds"] for name in sorted(store.finished())}
    before, start = set(seconds), time.perf_counter()
    failed: set[str] = set()
    computed = 0

    def step(doing: str) -> Step:
        remaining = cells.keys() - seconds.keys() - failed
        elapsed = time.perf_counter() - start
        left = time_left(sizes, seconds, remaining, seconds.keys() - before, elapsed)
        return Step(len(seconds), len(failed), computed, doing, left)

    pending = [name for name in sizes if name not in seconds]
    while pending:
        claimed = []
        for name in pending:
            with store.claim(name) as mine:
                if not mine:
                    claimed.append(name)
                elif store.is_finished(name):  # by another process
                    seconds[name] = store.read(name).record["seconds"]
                elif store.failure(name) != earlier.get(name):
                    failed.add(name)
                else:
                    yield step(name)
                    computed += 1
                    took = _compute(store, name, cells[name], compute)
                    if took is None:
                        failed.add(name)
                    else:
                        seconds[name] = took
        yield step(f"waiting for {len(claimed)} of other processes" if claimed else "done")
        if len(claimed) == len(pending):
            time.sleep(POLL)
        pending = claimed


def _compute(
    store: Store,
    name: str,
    cell: Cell,
    compute: Callable[[Cell], Computed],
) -> float | None:
    """Computes and stores a cell; its seconds, None if it failed."""
    start = time.perf_counter()
    try:
        arrays, record = compute(cell)
    except Exception as error:  # of whatever kind: it is this cell's alone
        store.write_failure(
            name,
            {
                "cell": cell,
                "error": f"{type(error).__name__}: {' '.join(str(error).split())}",
                "seconds": time.perf_counter() - start,
                "time": _now(),
                "traceback": traceback.format_exc(),
                "environment": environment.describe(),
            },
        )
        return None
    seconds = time.perf_counter() - start
    common = {"cell": cell, "seconds": seconds, "time": _now()}
    store.write_cell(name, arrays, common | dict(record) | {"environment": environment.describe()})
    return seconds


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat()


def time_left(
    sizes: Mapping[str, float],
    seconds: Mapping[str, float],
    remaining: Collection[str],
    lately: Collection[str],
    elapsed: float,
) -> float | None:
    """Seconds until the remaining cells are done, None while nothing is known.

    Cells differ by orders of magnitude, so their cost is fitted: seconds ≈ c₀ + c₁·size with
    c ≥ 0, by least squares. The rate at which that cost has been worked off lately counts every
    process that takes part.

    Args:
      sizes: name → product of its integers, of every cell.
      seconds: name → seconds, of finished cells.
      remaining: names of the cells that remain.
      lately: names of those finished since the run began, by any process.
      elapsed: seconds since then.
    """
    if not seconds:
        return None
    unit = max(sizes.values())
    scaled = {name: size / unit for name, size in sizes.items()}
    x, y = np.array([scaled[name] for name in seconds]), np.array(list(seconds.values()))
    fixed, growing = _increasing_line(x, y)

    def cost(names: Collection[str]) -> float:
        return sum(fixed + growing * scaled[name] for name in names)

    worked = cost(lately)
    return cost(remaining) * (elapsed / worked if worked > 0 else 1.0)


def _increasing_line(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """The c₀, c₁ ≥ 0 for which c₀ + c₁x is closest to y ≥ 0, in least squares.

    scipy.optimize.nnls would take each process half a second to import.
    """
    slope = np.cov(x, y, bias=True)[0, 1] / x.var() if x.var() > 0 else 0.0
    free = float(y.mean() - slope * x.mean()), float(slope)
    if min(free) >= 0:
        return free
    edges = (float(y.mean()), 0.0), (0.0, float(x @ y / (x @ x)))  # one of the two is 0
    return min(edges, key=lambda line: float(((y - line[0] - line[1] * x) ** 2).sum()))
