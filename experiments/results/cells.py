"""Computing the cells of a store, here or elsewhere, each stored for good when it is done."""

import datetime
import time
import traceback
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

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


class Attempt(NamedTuple):
    """A cell that was computed somewhere, not yet stored.

    arrays: name → array, None if it failed.
    record: what is kept of it, why it failed included.
    """

    arrays: Mapping[str, np.ndarray] | None
    record: Record


def attempt(compute: Callable[[Cell], Computed], cell: Cell) -> Attempt:
    """Computes a cell; whatever that raises is this cell's alone."""
    start = time.perf_counter()
    try:
        arrays, record = compute(cell)
    except Exception as error:
        text = f"{type(error).__name__}: {' '.join(str(error).split())}"
        seconds = time.perf_counter() - start
        failure = _failure(cell, text, seconds) | {"traceback": traceback.format_exc()}
        return Attempt(None, failure | {"environment": environment.describe()})
    common = {"cell": cell, "seconds": time.perf_counter() - start, "time": _now()}
    return Attempt(arrays, common | dict(record) | {"environment": environment.describe()})


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

    def each(run: _Run, pending: Sequence[str], claimed: list[str]) -> Iterator[Step]:
        for name in pending:
            with store.claim(name) as mine:
                if not mine:
                    claimed.append(name)
                elif not run.settled(name):
                    yield run.step(name)
                    run.keep(name, attempt(compute, run.cells[name]))

    return _until_all_are_done(_Run(store, sizes), each)


def collect_missing(
    store: Store,
    results: Callable[[Sequence[tuple[Cell]]], Iterator[tuple[int, Any]]],
    sizes: Mapping[str, float],
) -> Iterator[Step]:
    """The same, where an engine computes cells and this process stores what comes of them.

    Cells are claimed when they are stored: what another process computes meanwhile is left to it.

    Args:
      store, sizes: as for `compute_missing`.
      results: cells, each in a tuple → numbers of them and their `Attempt`s as they come, or
        `workers.Lost`, which is recorded as that cell's failure (`engines.work.Engine.results`).

    Yields, Raises: as `compute_missing`, and what `results` raises.
    """

    def each(run: _Run, pending: Sequence[str], claimed: list[str]) -> Iterator[Step]:
        yield run.step(f"{len(pending)} handed out")
        for number, answer in results([(run.cells[name],) for name in pending]):
            name = pending[number]
            with store.claim(name) as mine:
                if not mine:
                    claimed.append(name)
                elif not run.settled(name):
                    run.keep(name, _attempted(run.cells[name], answer))
            yield run.step(f"{name} done")

    return _until_all_are_done(_Run(store, sizes), each)


class _Run:
    """The cells of a store while they are computed: which are done, since when, and which failed.

    Attributes:
      cells: name → cell.
      seconds: name → seconds, of those that are finished.
      failed: names of those that failed in this run.
    """

    def __init__(self, store: Store, sizes: Mapping[str, float]) -> None:
        self.cells = {store.name(cell): cell for cell in store.cells()}
        self.seconds = {n: store.read(n).record["seconds"] for n in sorted(store.finished())}
        self.failed: set[str] = set()
        self._store, self._sizes = store, sizes
        self._earlier = store.failures()
        self._before, self._start = set(self.seconds), time.perf_counter()
        self._computed = 0

    def pending(self) -> list[str]:
        """Names of the cells to compute, in order."""
        return [name for name in self._sizes if name not in self.seconds]

    def settled(self, name: str) -> bool:
        """Whether another process has finished a claimed cell meanwhile, or failed at it."""
        if self._store.is_finished(name):
            self.seconds[name] = self._store.read(name).record["seconds"]
        elif self._store.failure(name) != self._earlier.get(name):
            self.failed.add(name)
        return name in self.seconds or name in self.failed

    def keep(self, name: str, attempt: Attempt) -> None:
        """Stores what came of a claimed cell."""
        if attempt.arrays is None:
            self._store.write_failure(name, attempt.record)
            self.failed.add(name)
        else:
            self._store.write_cell(name, attempt.arrays, attempt.record)
            self.seconds[name] = attempt.record["seconds"]
        self._computed += 1

    def step(self, doing: str) -> Step:
        """Where it stands."""
        remaining = self.cells.keys() - self.seconds.keys() - self.failed
        elapsed = time.perf_counter() - self._start
        lately = self.seconds.keys() - self._before
        left = time_left(self._sizes, self.seconds, remaining, lately, elapsed)
        return Step(len(self.seconds), len(self.failed), self._computed, doing, left)


def _until_all_are_done(
    run: _Run, each: Callable[[_Run, Sequence[str], list[str]], Iterator[Step]]
) -> Iterator[Step]:
    """Rounds over what is pending, of which each leaves what others have claimed."""
    pending = run.pending()
    while pending:
        claimed: list[str] = []
        yield from each(run, pending, claimed)
        yield run.step(f"waiting for {len(claimed)} of other processes" if claimed else "done")
        if len(claimed) == len(pending):
            time.sleep(POLL)
        pending = claimed


def _attempted(cell: Cell, answer: Any) -> Attempt:
    """An engine's answer, where the process that computed it was killed too."""
    if isinstance(answer, Attempt):
        return answer
    failure = _failure(cell, f"Lost: {answer.why}", 0.0)
    return Attempt(None, failure | {"traceback": "", "environment": environment.describe()})


def _failure(cell: Cell, error: str, seconds: float) -> Record:
    return {"cell": cell, "error": error, "seconds": seconds, "time": _now()}


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
