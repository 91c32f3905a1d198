"""Runs planned, executed: in this process, in worker processes or on several devices."""

import dataclasses
import functools
import time
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.sharding import Mesh

from experiments.engines.work import Engine, Work, in_order
from experiments.files.strict_json import Record
from experiments.machine import environment, kept_programs
from experiments.machine.workers import Lost
from experiments.results import draws as kept_draws
from experiments.results.code_version import code_version, modules_of
from experiments.results.store import check_same
from experiments.settings.references import can_be_found, held
from experiments.verify.planning import Run
from theory import Statement, Verdict
from theory.compilation import kept_by
from theory.keys import make_key
from theory.verification.verify import examine, examine_until


@dataclasses.dataclass(frozen=True)
class Result:
    """A run, its verdict, its seed, how many seconds it took, and the devices that shared it.

    `arrays`: name → array over draws, where they were asked for (`results.draws.arrays_of`).
    `kept`: what is said of the file that holds them (`results.draws.write`).
    `code`: SHA-256 of the code that determines its numbers, where that was looked at.
    """

    run: Run
    verdict: Verdict
    seed: int
    seconds: float
    devices: int = 1
    arrays: Mapping[str, np.ndarray] | None = None
    kept: Record | None = None
    code: str | None = None

    @property
    def documented_erratum(self) -> bool:
        """Whether the statement is refuted and known to be."""
        return self.verdict.verdict == "refuted" and self.run.statement.erratum is not None


class _Options(NamedTuple):
    """What all runs share: their seed, false-alarm rate, and whether their draws are kept."""

    seed: int
    level: float
    keep: bool = False


def execute(
    runs: Sequence[Run],
    *,
    seed: int,
    level: float,
    keep: bool = False,
    engine: Engine | None = None,
    mesh: Mesh | None = None,
) -> Iterator[Result | Lost]:
    """Runs all, yielding results in order; `level` is the false-alarm rate of each.

    A statement's draws depend on the seed and its identifier, not on what runs beside it. Most of
    the time goes into compiling on one core, so several processes share the runs; inside one
    process runs do not overlap: two computations at once have been seen to block each other for
    good on JAX's CPU thread pool.

    Args:
      runs: what to run.
      seed: random seed.
      level: false-alarm rate of each.
      keep: whether results hold what was measured in each draw, which may be much.
      engine: what runs them; None for this process. It alone has statements that are neither in
        the registry nor in a file or module that is known, and all of them where there is a mesh.
      mesh: devices that share the draws of each statement; None for one device.

    Yields:
      A `Result`, or `Lost` where the process was killed.
    """
    options = _Options(seed, level, keep)
    found = all(can_be_found(run.statement, run.reference) for run in runs)
    if engine is not None and engine.elsewhere and not found:
        raise ValueError("statements must be found by other processes, in tuples or by themselves")
    if engine is None or mesh is not None or not found:
        yield from (_execute(run, options, mesh) for run in runs)
        return
    code = _code(runs) if engine.elsewhere else None
    make = functools.partial(_maker, options, engine.sharing, code)
    work = Work.of(make, (run.reference for run in runs))
    calls = [(run.reference, run.statement.id, run.config, run.draws, run.until) for run in runs]
    for run, answer in zip(runs, in_order(engine.results(work, calls)), strict=True):
        yield answer if isinstance(answer, Lost) else Result(run, seed=seed, **answer)


def _code(runs: Sequence[Run]) -> dict[tuple[str, str], dict[str, str]]:
    """Reference and identifier → the version of the code that determines its numbers."""
    return {
        (run.reference, run.statement.id): code_version(modules_of(run.statement)) for run in runs
    }


def _maker(
    options: _Options, jobs: int, code: Mapping[tuple[str, str], Record] | None
) -> Callable[..., dict[str, Any]]:
    """What checks statements in a process of an engine: they hold functions, and are not sent."""

    def function(reference: str, id: str, config: Any, draws: int, until: bool) -> dict[str, Any]:
        statement = held(reference, id)
        if code is not None:
            check_same(code[reference, id], code_version(modules_of(statement)))
        result = _execute(Run(statement, config, draws, until=until), options, jobs=jobs)
        return {name: getattr(result, name) for name in ("verdict", "seconds", "arrays")}

    return function


def _execute(run: Run, options: _Options, mesh: Mesh | None = None, *, jobs: int = 1) -> Result:
    start = time.perf_counter()
    common = {
        "key": run_key(run.statement, options.seed),
        "draws": run.draws,
        "config": run.config,
        "level": options.level,
        "mesh": mesh,
        "precision": environment.precision(),
        "memory": environment.known_memory(jobs),
    }
    with kept_by(kept_programs.keeper(run.statement)):
        verdict, evidence = (examine_until if run.until else examine)(run.statement, **common)
    seconds = time.perf_counter() - start
    arrays = kept_draws.arrays_of(run.statement, run.config, evidence) if options.keep else None
    devices = 1 if mesh is None else mesh.size
    return Result(run, verdict, options.seed, seconds, devices, arrays)


# How the keys of draws come about, as Python: an expression for each step.
KEYS = {
    "statement": "jax.random.fold_in(theory.keys.make_key(seed), zlib.crc32(id.encode()))",
    "draw": "jax.random.fold_in(statement, i)",
}


def run_key(statement: Statement, seed: int) -> jax.Array:
    """The random key of a statement: its own for each seed, whatever its configuration."""
    return jax.random.fold_in(make_key(seed), zlib.crc32(statement.id.encode()))
