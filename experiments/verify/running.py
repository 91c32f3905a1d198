"""Runs planned, executed: in this process, in worker processes or on several devices."""

import dataclasses
import functools
import time
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import jax
from jax.sharding import Mesh

from experiments.engines.work import Engine, Work, in_order
from experiments.files.strict_json import Record
from experiments.machine import environment, kept_programs
from experiments.machine.workers import Lost
from experiments.results.code_version import code_version, modules_of
from experiments.results.store import check_same
from experiments.settings.references import can_be_found, held
from experiments.verify.planning import Run
from theory import Statement, Verdict, verify, verify_until
from theory.compilation import kept_by
from theory.keys import make_key


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
    runs: Sequence[Run],
    *,
    seed: int,
    level: float,
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
      engine: what runs them; None for this process. It alone has statements that are neither in
        the registry nor in a file or module that is known, and all of them where there is a mesh.
      mesh: devices that share the draws of each statement; None for one device.

    Yields:
      A `Result`, or `Lost` where the process was killed.
    """
    found = all(can_be_found(run.statement, run.reference) for run in runs)
    if engine is not None and engine.elsewhere and not found:
        raise ValueError("statements must be found by other processes, in tuples or by themselves")
    if engine is None or mesh is not None or not found:
        yield from (_execute(run, seed, level, mesh) for run in runs)
        return
    code = _code(runs) if engine.elsewhere else None
    make = functools.partial(_maker, seed, level, engine.sharing, code)
    work = Work.of(make, (run.reference for run in runs))
    calls = [(run.reference, run.statement.id, run.config, run.draws, run.until) for run in runs]
    for run, answer in zip(runs, in_order(engine.results(work, calls)), strict=True):
        yield answer if isinstance(answer, Lost) else Result(run, answer[0], seed, answer[1])


def _code(runs: Sequence[Run]) -> dict[tuple[str, str], dict[str, str]]:
    """Reference and identifier → the version of the code that determines its numbers."""
    return {
        (run.reference, run.statement.id): code_version(modules_of(run.statement)) for run in runs
    }


def _maker(
    seed: int, level: float, jobs: int, code: Mapping[tuple[str, str], Record] | None
) -> Callable[..., tuple[Verdict, float]]:
    """What checks statements in a process of an engine: they hold functions, and are not sent."""

    def function(
        reference: str, id: str, config: Any, draws: int, until: bool
    ) -> tuple[Verdict, float]:
        statement = held(reference, id)
        if code is not None:
            check_same(code[reference, id], code_version(modules_of(statement)))
        result = _execute(Run(statement, config, draws, until=until), seed, level, jobs=jobs)
        return result.verdict, result.seconds

    return function


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
    with kept_by(kept_programs.keeper(run.statement)):
        verdict = (verify_until if run.until else verify)(run.statement, **common)
    seconds = time.perf_counter() - start
    return Result(run, verdict, seed, seconds, 1 if mesh is None else mesh.size)


def run_key(statement: Statement, seed: int) -> jax.Array:
    """The random key of a statement: its own for each seed, whatever its configuration."""
    return jax.random.fold_in(make_key(seed), zlib.crc32(statement.id.encode()))
