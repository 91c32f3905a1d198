"""A statement over a grid of its parameters: planned, run cell by cell, each stored for good."""

import dataclasses
import datetime
import hashlib
import importlib.metadata
import pathlib
import time
import traceback
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.sharding import Mesh

import theory
from experiments import data, environment, grid, runs
from experiments.report import plain
from experiments.store import Store
from theory import REGISTRY, Dataset, Statement, select
from theory._validation import check_choice, check_integer, check_real
from theory.verdict import Evidence
from theory.verification import assess, evaluate, largest_batch, traceable_parameters

SHARE_OF_MEMORY = 0.8
# What is compiled for a cell takes about 12 MiB that JAX keeps for as long as it lives; compiling
# anew what different cells share takes half a second.
CLEAR_EVERY = 16
POLL = 0.5  # seconds between looks at cells that other processes compute
# What, besides `theory`, determines the numbers.
MODULES = ("data", "environment", "grid", "runs", "store", "sweep")
PACKAGES = ("jax", "jaxlib", "numpy", "scipy", "neural-tangents")


@dataclasses.dataclass(frozen=True)
class Sweep:
    """What to sweep: a statement from a base configuration along axes, with draws per cell.

    `level` is the false-alarm rate of all cells together, `source` the data in place of the
    statement's own.
    """

    statement: Statement
    config: Any
    axes: tuple[grid.Axis, ...]
    draws: int
    seed: int
    level: float
    source: str | Dataset | None = None

    @property
    def cell_level(self) -> float:
        """False-alarm rate of each cell."""
        return self.level / int(np.prod([len(axis.values) for axis in self.axes]))

    def manifest(self) -> dict[str, Any]:
        """All that the results depend on, as plain JSON."""
        swept = {axis.name for axis in self.axes}
        config = {k: v for k, v in plain(self.config).items() if k not in swept}
        if isinstance(self.source, Dataset):
            config["data"]["sha256"] = _digest_of(self.source)
        return {
            "statement": self.statement.id,
            "kind": self.statement.kind,
            "erratum": self.statement.erratum,
            "config": config,
            "grid": {
                axis.name: {"values": list(axis.values), "unit": axis.unit, "says": axis.says}
                for axis in self.axes
            },
            "draws": self.draws,
            "seed": self.seed,
            "precision": "float64" if jax.config.jax_enable_x64 else "float32",  # pyright: ignore
            "level": self.level,
            "code": code_version(),
        }


def plan(
    id: str,
    grids: Sequence[str],
    *,
    draws: int | None = None,
    seed: int = 0,
    level: float = 0.01,
    data_name: str | None = None,
    settings: Mapping[str, str] | None = None,
) -> Sweep:
    """The sweep that a command asks for.

    Args:
      id: identifier of a statement.
      grids: NAME=VALUES, one for each axis, see `experiments.grid`.
      draws: draws of each cell, the statement's own for "quick" if None.
      seed: random seed.
      level: false-alarm rate of all cells together.
      data_name: data in place of the statement's own.
      settings: NAME → VALUE in text, for parameters that are not swept.

    Raises:
      ValueError: for anything unknown, a value outside its parameter's range, or a parameter that
        is both set and swept.
    """
    if id not in REGISTRY:
        select([id])  # an unknown name is answered with the closest ones
        raise ValueError(f"ID must be one statement, got the family {id!r}")
    statement = REGISTRY[id]
    settings = dict(settings or {})
    known = {field.name for field in dataclasses.fields(statement.config)} - {"data"}
    for name in settings:
        if name == "data":
            raise ValueError("data is chosen by --data NAME, not by --set data=…")
        check_choice("parameter", name, known)
    source = None if data_name is None else data.load(data_name)
    try:
        config = runs.configured(statement.config, source, settings)
    except ValueError as error:
        where = f"{id} cannot run on {data_name}: " if source is not None else ""
        raise ValueError(f"{where}{error}") from error
    axes = tuple(grid.parse(grids, config))
    for axis in axes:
        if axis.name in settings:
            raise ValueError(f"{axis.name} must be swept or set, got both --grid and --set")
    draws = check_integer("draws", statement.draws["quick"] if draws is None else draws)
    check_real("level", level, low=0, high=1, open_low=True, open_high=True)
    return Sweep(statement, config, axes, draws, seed, level, source)


def code_version() -> dict[str, str]:
    """Versions of what determines the numbers: our own code, by its content, and packages."""
    folder = pathlib.Path(__file__).parent
    files = {f"experiments/{name}.py": folder / f"{name}.py" for name in MODULES}
    (root,) = theory.__path__
    for path in pathlib.Path(root).rglob("*.py"):
        files[f"theory/{path.relative_to(root).as_posix()}"] = path
    digest = hashlib.sha256()
    for name, path in sorted(files.items()):
        digest.update(name.encode() + b"\0" + path.read_bytes() + b"\0")
    versions = {package: importlib.metadata.version(package) for package in PACKAGES}
    return {"sha256": digest.hexdigest()} | versions


def _digest_of(source: Dataset) -> str:
    digest = hashlib.sha256()
    for array in (source.x, source.y, source.classes):
        digest.update(b"none" if array is None else np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


class Step(NamedTuple):
    """Where a run stands: cells done and failed, what it does now, and the seconds left if known.

    `computed` counts the cells that this process computed.
    """

    done: int
    failed: int
    computed: int
    doing: str
    left: float | None


class Programs:
    """What cells are compiled to: one program for all that differ in traced parameters only."""

    def __init__(self, sweep: Sweep) -> None:
        self._sweep = sweep
        rules = {field.name: field.metadata for field in dataclasses.fields(sweep.config)}
        self._values = [a.name for a in sweep.axes if rules[a.name].get("traced")]
        self._traced: dict[Any, tuple[str, ...]] = {}
        self._compiled: set[Any] = set()

    def shape(self, cell: Mapping[str, Any], values: Collection[str] | None = None) -> Any:
        """What of a cell is no value, hashable; equal for cells that may share a program."""
        values = self._values if values is None else values
        return tuple((name, value) for name, value in cell.items() if name not in values)

    def traced(self, cell: Mapping[str, Any], config: Any) -> tuple[str, ...]:
        """The swept parameters that are arguments of a cell's program, not constants in it.

        To be called for each cell: forgets programs when there are many.
        """
        shape = self.shape(cell)
        if shape not in self._traced:
            self._traced[shape] = traceable_parameters(self._sweep.statement, config, self._values)
        program = self.shape(cell, self._traced[shape])
        if program not in self._compiled and len(self._compiled) == CLEAR_EVERY:
            jax.clear_caches()
            self._compiled.clear()
        self._compiled.add(program)
        return self._traced[shape]


def run(
    sweep: Sweep, store: Store, *, memory: float | None = None, mesh: Mesh | None = None
) -> Iterator[Step]:
    """Computes the cells that are not finished, one file each; failed ones are tried again.

    Cells of the same shapes come one after the other: they share what is compiled.

    Several processes may do this at once, each with cells of its own. At the end each waits for
    the cells that others have claimed, and takes over those of a process that has died.

    Args:
      sweep: what to sweep.
      store: its directory.
      memory: bytes that a cell may take; if None, `SHARE_OF_MEMORY` of what is available when the
        cell begins.
      mesh: devices that share the draws of each cell; None for one device.

    Yields:
      A `Step` at each beginning and end of a cell.

    Raises:
      StorageError: if a result cannot be written.
      ValueError: if a finished cell's file is damaged.
    """
    cells = {store.name(cell): cell for cell in store.cells()}
    sizes = {name: grid.size(cell) for name, cell in cells.items()}
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

    programs = Programs(sweep)
    shapes = list(dict.fromkeys(programs.shape(cell) for cell in cells.values()))
    pending = sorted(
        (name for name in cells if name not in seconds),
        key=lambda name: shapes.index(programs.shape(cells[name])),
    )
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
                    took = _compute(sweep, programs, store, name, cells[name], memory, mesh)
                    if took is None:
                        failed.add(name)
                    else:
                        seconds[name] = took
        yield step(f"waiting for {len(claimed)} of other processes" if claimed else "done")
        if len(claimed) == len(pending):
            time.sleep(POLL)
        pending = claimed


def _compute(
    sweep: Sweep,
    programs: Programs,
    store: Store,
    name: str,
    cell: Mapping[str, Any],
    memory: float | None,
    mesh: Mesh | None,
) -> float | None:
    """Computes and stores a cell; its seconds, None if it failed."""
    start = time.perf_counter()
    try:
        config = dataclasses.replace(sweep.config, **cell)
        key = runs.run_key(sweep.statement, sweep.seed)
        limit = SHARE_OF_MEMORY * environment.available_memory() if memory is None else memory
        share = sweep.draws
        if mesh is not None:  # the account of one device stands for all; CPU devices share memory
            share = -(-share // mesh.size)
            limit = limit / mesh.size if jax.default_backend() == "cpu" else limit
        traced = programs.traced(cell, config)
        fit = largest_batch(sweep.statement, key, share, config, limit=int(limit), traced=traced)
        evidence = evaluate(
            sweep.statement, key, sweep.draws, config, batch=fit.batch, mesh=mesh, traced=traced
        )
        verdict = assess(sweep.statement, evidence, config=config, level=sweep.cell_level)
        arrays = _arrays(sweep.statement, config, evidence)
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
    record = {
        "cell": cell,
        "config": plain(config),
        "verdict": plain(verdict),
        "seconds": seconds,
        "traced": list(traced),
        "batch": fit.batch,
        "memory": fit.memory,
        "devices": 1 if mesh is None else mesh.size,
        "time": _now(),
        "environment": environment.describe(),
    }
    store.write_cell(name, arrays, record)
    return seconds


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat()


def _arrays(statement: Statement, config: Any, evidence: Evidence) -> dict[str, np.ndarray]:
    """Name → array over draws, as the store keeps them."""
    draws = len(jax.tree.leaves(evidence)[0])
    arrays = {}
    margins = {f"hypothesis.{name}": margin for name, margin in evidence.hypotheses.items()}
    margins |= {f"measured.{name}": margin for name, margin in evidence.measured.items()}
    if evidence.conclusion is not None:
        margins["conclusion"] = evidence.conclusion
    for name, margin in margins.items():
        for part in ("value", "error", "ratio"):
            arrays[f"{name}.{part}"] = np.broadcast_to(getattr(margin, part), draws)
    for name in ("allowed", "quantity", "constant"):
        if (values := getattr(evidence, name)) is not None:
            arrays[name] = np.asarray(values)
    if statement.scales is not None:
        arrays["scales"] = np.asarray(statement.scales(config), float)
    return arrays


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
    """The c₀, c₁ ≥ 0 for which c₀ + c₁x is closest to y ≥ 0, in least squares."""
    slope = np.cov(x, y, bias=True)[0, 1] / x.var() if x.var() > 0 else 0.0
    free = float(y.mean() - slope * x.mean()), float(slope)
    if min(free) >= 0:
        return free
    edges = (float(y.mean()), 0.0), (0.0, float(x @ y / (x @ x)))  # one of the two is 0
    return min(edges, key=lambda line: float(((y - line[0] - line[1] * x) ** 2).sum()))
