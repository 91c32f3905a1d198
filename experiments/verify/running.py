"""Runs planned, executed: in this process, in worker processes or on several devices."""

import dataclasses
import functools
import time
import zlib
from collections.abc import Iterator, Sequence
from typing import Any

import jax
from jax.sharding import Mesh

from experiments.files import writing
from experiments.machine import environment, streams
from experiments.machine.workers import Lost, Pool
from experiments.settings.references import load
from experiments.verify.planning import Run
from theory import REGISTRY, Statement, Verdict, verify, verify_until
from theory.keys import make_key
from theory.statements.registry import statements_in


@dataclasses.dataclass(frozen=True)
class Result:
    """A run, its verdict, its seed, how many seconds it took, and the devices that shared it."""

    run: Run
    verdict: Verdict
    seed: int
    seconds: float
    devices: int = 1

    @property
    def documented_erratum(self) -> bool:
        """Whether the statement is refuted and known to be."""
        return self.verdict.verdict == "refuted" and self.run.statement.erratum is not None


def execute(
    runs: Sequence[Run], *, seed: int, level: float, jobs: int = 1, mesh: Mesh | None = None
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
      jobs: processes, ≥ 1; 1 stays in this one, and so do statements that are neither in the
        registry nor in a file or module that is known, and all where there is a mesh.
      mesh: devices that share the draws of each statement; None for one device.

    Yields:
      A `Result`, or `Lost` where the process was killed.
    """
    jobs = min(jobs, len(runs)) if mesh is None else 1
    pool = _workers(runs, jobs) if jobs > 1 and all(map(_can_be_found, runs)) else None
    if pool is None:
        yield from (_execute(run, seed, level, mesh) for run in runs)
        return
    calls = [
        (run.reference, run.statement.id, run.config, run.draws, run.until, seed, level, jobs)
        for run in runs
    ]
    with pool:
        for run, answer in zip(runs, pool.results(calls), strict=True):
            yield answer if isinstance(answer, Lost) else Result(run, answer[0], seed, answer[1])


def _workers(runs: Sequence[Run], jobs: int) -> Pool | None:
    """Processes that have read what the runs refer to; None where the system lets none start."""
    references = tuple({run.reference for run in runs if run.reference})
    begin = functools.partial(_begin_worker, environment.precision(), references)
    try:
        return Pool(jobs, begin, _execute_by_name)
    except OSError as error:
        streams.say(f"one process does all: others cannot be started ({writing.why(error)})")
        return None


def _can_be_found(run: Run) -> bool:
    """Whether a worker finds the statement by its reference and identifier."""
    return bool(run.reference) or REGISTRY.get(run.statement.id) is run.statement


def _begin_worker(precision: str, references: Sequence[str]) -> None:
    environment.configure(precision)
    for reference in references:
        load(reference)


def _execute_by_name(
    reference: str,
    id: str,
    config: Any,
    draws: int,
    until: bool,
    seed: int,
    level: float,
    jobs: int,
) -> tuple[Verdict, float]:
    """What a worker process does: statements hold functions, which cannot be sent to it."""
    from experiments.machine import compiled_programs

    known = statements_in(load(reference)) if reference else REGISTRY
    result = _execute(Run(known[id], config, draws, until=until), seed, level, jobs=jobs)
    compiled_programs.hand_on()  # now, as the process is killed when nothing is left to do
    return result.verdict, result.seconds


def _execute(
    run: Run, seed: int, level: float, mesh: Mesh | None = None, *, jobs: int = 1
) -> Result:
    start = time.perf_counter()
    common = {
        "key": run_key(run.statement, seed),
        "draws": run.draws,
        "config": run.config,
        "level": level,
        "mesh": mesh,
        "precision": environment.precision(),
        "memory": environment.known_memory(jobs),
    }
    verdict = (verify_until if run.until else verify)(run.statement, **common)
    seconds = time.perf_counter() - start
    return Result(run, verdict, seed, seconds, 1 if mesh is None else mesh.size)


def run_key(statement: Statement, seed: int) -> jax.Array:
    """The random key of a statement: its own for each seed, whatever its configuration."""
    return jax.random.fold_in(make_key(seed), zlib.crc32(statement.id.encode()))
