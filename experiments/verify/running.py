"""Runs planned, executed: in this process, in worker processes or on several devices."""

import concurrent.futures
import dataclasses
import multiprocessing
import time
import zlib
from collections.abc import Iterator, Sequence
from typing import Any

import jax
from jax.sharding import Mesh

from experiments.machine import environment, interrupts
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
) -> Iterator[Result]:
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
    """
    jobs = min(jobs, len(runs)) if mesh is None else 1
    references = tuple({run.reference for run in runs if run.reference})
    if jobs == 1 or not all(_can_be_found(run) for run in runs):
        yield from (_execute(run, seed, level, mesh) for run in runs)
        return
    others = set(multiprocessing.active_children())
    pool = concurrent.futures.ProcessPoolExecutor(
        jobs,
        multiprocessing.get_context("spawn"),
        _begin_worker,
        (environment.precision(), references),
    )
    try:
        with interrupts.hidden_from_children():
            tasks = [
                pool.submit(
                    _execute_by_name,
                    r.reference,
                    r.statement.id,
                    r.config,
                    r.draws,
                    r.until,
                    seed,
                    level,
                    jobs,
                )
                for r in runs
            ]
        for run, task in zip(runs, tasks, strict=True):
            verdict, seconds = task.result()
            yield Result(run, verdict, seed, seconds)
        pool.shutdown()
    except BaseException:  # nobody waits for what the workers still compute
        interrupts.kill(set(multiprocessing.active_children()) - others)
        pool.shutdown(cancel_futures=True)
        raise


def _can_be_found(run: Run) -> bool:
    """Whether a worker finds the statement by its reference and identifier."""
    return bool(run.reference) or REGISTRY.get(run.statement.id) is run.statement


def _begin_worker(precision: str, references: Sequence[str]) -> None:
    interrupts.end_with_parent()
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
    known = statements_in(load(reference)) if reference else REGISTRY
    result = _execute(Run(known[id], config, draws, until=until), seed, level, jobs=jobs)
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
