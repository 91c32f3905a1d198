"""A statement over a grid of its parameters: planned, run cell by cell, each stored for good."""

import dataclasses
import functools
import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh

from experiments.datasets import sources
from experiments.engines.work import Engine, Work
from experiments.files.strict_json import Json, Record
from experiments.machine import environment
from experiments.results import code_version
from experiments.results.cells import (
    Attempt,
    Computed,
    Step,
    attempt,
    collect_missing,
    compute_missing,
)
from experiments.results.names import margins_by_name
from experiments.results.records import plain
from experiments.results.store import Cell, Store, check_same
from experiments.settings import grid
from experiments.settings.references import can_be_found, find_one, held
from experiments.settings.text import configured, fields_by_name
from experiments.verify import running
from theory import Dataset, Statement
from theory._validation import check_choice, check_integer, check_level
from theory.verification import canary
from theory.verification.evaluation import evaluate, traceable_parameters
from theory.verification.kinds import Law, Scaled
from theory.verification.memory import largest_batch
from theory.verification.verdict import Evidence
from theory.verification.verify import assess

# What is compiled for a cell takes about 12 MiB that JAX keeps for as long as it lives; compiling
# anew what different cells share takes half a second.
CLEAR_EVERY = 16


@dataclasses.dataclass(frozen=True)
class Sweep:
    """What to sweep: a statement from a base configuration along axes, with draws per cell.

    `level` is the false-alarm rate of all cells together, `source` the data in place of the
    statement's own, `reference` the file or module that holds the statement, "" for the registry's.
    """

    statement: Statement
    config: Any
    axes: tuple[grid.Axis, ...]
    draws: int
    seed: int
    level: float
    source: str | Dataset | None = None
    reference: str = ""

    def __reduce__(self) -> tuple[Any, ...]:
        """For other processes, which find the statement by its name."""
        fields = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return _found_again, (fields.pop("statement").id, fields)

    @property
    def cell_level(self) -> float:
        """False-alarm rate of each cell."""
        return self.level / math.prod(len(axis.values) for axis in self.axes)

    def manifest(self) -> Record:
        """All that the results depend on, as plain JSON."""
        swept = {axis.name for axis in self.axes}
        config = {k: v for k, v in plain(self.config).items() if k not in swept}
        if isinstance(self.source, Dataset):
            config["data"]["sha256"] = sources.digest(self.source)
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
            "precision": environment.precision(),
            "generator": environment.generator(),
            "level": self.level,
            "code": code_version.code_version([__name__, *code_version.modules_of(self.statement)]),
        }


def plan_sweep(
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
      id: identifier of a statement, or where it is (`settings.references`).
      grids: NAME=VALUES, one for each axis, see `experiments.settings.grid`.
      draws: draws of each cell, the statement's own for "quick" if None.
      seed: random seed.
      level: false-alarm rate of all cells together.
      data_name: data in place of the statement's own.
      settings: NAME → VALUE in text, for parameters that are not swept.

    Raises:
      ValueError: for anything unknown, a value outside its parameter's range, or a parameter that
        is both set and swept.
    """
    statement, reference = find_one(id)
    settings = dict(settings or {})
    known = fields_by_name(statement.config).keys() - {"data"}
    for name in settings:
        if name == "data":
            raise ValueError("data is chosen by --data NAME, not by --set data=…")
        check_choice("--set NAME", name, known)
    source = None if data_name is None else sources.load(data_name)
    try:
        config = configured(statement.config, source, settings)
    except ValueError as error:
        where = f"{id} cannot run on {data_name}: " if source is not None else ""
        raise ValueError(f"{where}{error}") from error
    axes = tuple(grid.parse(grids, config))
    for axis in axes:
        if axis.name in settings:
            raise ValueError(f"{axis.name} must be swept or set, got both --grid and --set")
    draws = check_integer("draws", statement.draws["quick"] if draws is None else draws)
    check_level(level, parts=math.prod(len(axis.values) for axis in axes))
    return Sweep(statement, config, axes, draws, seed, level, source, reference)


def _found_again(id: str, fields: dict[str, Any]) -> Sweep:
    return Sweep(held(fields["reference"], id), **fields)


class Programs:
    """What cells are compiled to: one program for all that differ in traced parameters only."""

    def __init__(self, sweep: Sweep) -> None:
        self._sweep = sweep
        rules = {name: f.metadata for name, f in fields_by_name(sweep.config).items()}
        self._values = [a.name for a in sweep.axes if rules[a.name].get("traced")]
        self._traced: dict[Any, tuple[str, ...]] = {}
        self._compiled: set[Any] = set()

    def shape(self, cell: Cell, values: Collection[str] | None = None) -> Any:
        """What of a cell is no value, hashable; equal for cells that may share a program."""
        values = self._values if values is None else values
        return tuple((name, value) for name, value in cell.items() if name not in values)

    def traced(self, cell: Cell, config: Any) -> tuple[str, ...]:
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
    sweep: Sweep,
    store: Store,
    *,
    memory: float | None = None,
    mesh: Mesh | None = None,
    engine: Engine | None = None,
) -> Iterator[Step]:
    """Computes the cells that are not finished, as `cells.compute_missing` does.

    Cells of the same shapes come one after the other: they share what is compiled.

    Args:
      sweep: what to sweep.
      store: its directory.
      memory: bytes that a cell may take; if None, `environment.SHARE_OF_MEMORY` of what is
        available when the cell begins.
      mesh: devices that share the draws of each cell; None for one device.
      engine: what computes the cells, each on one device; None for this process.

    Yields, Raises: as `cells.compute_missing` and `cells.collect_missing`.
    """
    programs = Programs(sweep)
    cells = {store.name(cell): cell for cell in store.cells()}
    shapes = dict.fromkeys(programs.shape(cell) for cell in cells.values())
    place = {shape: i for i, shape in enumerate(shapes)}
    order = sorted(cells, key=lambda name: place[programs.shape(cells[name])])
    sizes = {name: grid.size(cells[name]) for name in order}
    if engine is None:
        return compute_missing(
            store, lambda cell: _compute(sweep, programs, cell, memory, mesh), sizes
        )
    if memory is None and engine.sharing > 1:
        memory = environment.usable_memory() / engine.sharing
    if not can_be_found(sweep.statement, sweep.reference):
        raise ValueError(f"{sweep.statement.id} cannot be found by other processes")
    make = functools.partial(_maker, sweep, store.manifest, memory)
    results = functools.partial(engine.results, Work.of(make, [sweep.reference]))
    return collect_missing(store, results, sizes)


def _maker(
    sweep: Sweep, manifest: Mapping[str, Json], memory: float | None
) -> Callable[[Cell], Attempt]:
    """What computes cells in a process of an engine, if it would store the same manifest."""
    canary.check(environment.precision())
    check_same(manifest, sweep.manifest())
    programs = Programs(sweep)
    return lambda cell: attempt(lambda c: _compute(sweep, programs, c, memory, None), cell)


def _compute(
    sweep: Sweep,
    programs: Programs,
    cell: Cell,
    memory: float | None,
    mesh: Mesh | None,
) -> Computed:
    config = dataclasses.replace(sweep.config, **cell)
    key = running.run_key(sweep.statement, sweep.seed)
    limit = environment.usable_memory() if memory is None else memory
    share = sweep.draws
    if mesh is not None:  # the account of one device stands for all; CPU devices share memory
        share = -(-share // mesh.size)
        limit = limit / mesh.size if jax.default_backend() == "cpu" else limit
    traced = programs.traced(cell, config)
    precision = environment.precision()
    fit = largest_batch(
        sweep.statement,
        key,
        share,
        config,
        limit=int(limit),
        traced=traced,
        precision=precision,
    )
    evidence = evaluate(
        sweep.statement,
        key,
        sweep.draws,
        config,
        batch=fit.batch,
        mesh=mesh,
        traced=traced,
        precision=precision,
    )
    verdict = assess(sweep.statement, evidence, config=config, level=sweep.cell_level)
    record = {
        "config": plain(config),
        "parameters": {
            name: {"unit": field.metadata["unit"], "says": field.metadata["doc"]}
            for name, field in fields_by_name(config).items()
        },
        "verdict": plain(verdict),
        "traced": list(traced),
        "batch": fit.batch,
        "memory": fit.memory,
        "devices": 1 if mesh is None else mesh.size,
    }
    return Computed(_arrays(sweep.statement, config, evidence), record)


def _arrays(statement: Statement, config: Any, evidence: Evidence) -> dict[str, np.ndarray]:
    """Name → array over draws, as the store keeps them."""
    draws = len(jax.tree.leaves(evidence)[0])
    arrays = {}
    for name, margin in margins_by_name(evidence).items():
        for part in ("value", "error", "ratio"):
            arrays[f"{name}.{part}"] = np.broadcast_to(getattr(margin, part), draws)
    for name in ("allowed", "quantity", "constant"):
        if (values := getattr(evidence, name)) is not None:
            arrays[name] = np.asarray(values)
    if isinstance(statement.claim, Scaled):
        arrays["scales"] = np.asarray(statement.claim.scales(config), float)
    if isinstance(statement.claim, Law):
        arrays["cdf"] = statement.claim.at(arrays["quantity"], config)
    return arrays
