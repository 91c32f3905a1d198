"""Which statements a command runs, on which data, with which parameters; and running them."""

import concurrent.futures
import dataclasses
import multiprocessing
import os
import time
import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import jax
from jax.sharding import Mesh

from experiments import data, environment, interrupts
from theory import REGISTRY, Dataset, Statement, Verdict, select, verify, verify_until
from theory._validation import check_integer
from theory.keys import make_key
from theory.memory import largest_batch

PRESETS = ("quick", "full")

# On real images, besides every statement on its own default data: settings in which δ < 1 and the
# hypotheses hold where they can. Near-orthogonality and the KKT certificate cannot, on 64 pixels.
ON_DIGITS: dict[str, dict[str, Any]] = {
    "separability.initialization": {"n": 48, "m": 16},
    "separability.initialization-margin": {"n": 16, "m": 20},
    "separability.adversarial-examples": {"n": 32, "m": 32},
    "separability.ntk": {"n": 16, "m": 1024, "steps": 200},
    "separability.generalization-beyond": {
        "data": data.ALL_DIGITS,
        "classes": 10,
        "n": 800,
        "queries": 800,
        "m": 128,
    },
    "orthogonal.decision-boundary": {},
    "orthogonal.decision-boundary-certified": {},
    "orthogonal.multiplier-range": {},
    "lazy.movement": {},
    "lazy.activation-stability": {},
    "lazy.dynamics": {},
    "lazy.dynamics-certified": {},
    "lazy.prediction-matching": {"T_f": 10.0, "T_g": 10.0, "epsilon": 4.0, "slope": 0.8},
    "ntk.kernel-convergence": {},
}
QUICK_ON_DIGITS = (
    "separability.initialization",
    "lazy.movement",
    "lazy.prediction-matching",
)


@dataclasses.dataclass(frozen=True)
class Run:
    """One statement with its configuration, number of draws, and the case it is, if any.

    `until`: draws go on until it is decided, `draws` of them at most (`theory.verify_until`).
    """

    statement: Statement
    config: Any
    draws: int
    case: str = ""
    until: bool = False

    @property
    def title(self) -> str:
        """Identifier, and the case it is."""
        return f"{self.statement.id} ({self.case})" if self.case else self.statement.id


class Plan(NamedTuple):
    """What to run, and identifier → why of statements that cannot run on the data asked for."""

    runs: list[Run]
    left_out: dict[str, str]


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


def plan(
    names: list[str],
    *,
    preset: str = "quick",
    data_name: str | None = None,
    settings: Mapping[str, str] | None = None,
    draws: int | None = None,
    until: bool = False,
) -> Plan:
    """The runs that a command asks for.

    Args:
      names: statement identifiers and families; none means all.
      preset: "quick" or "full", which fixes the number of draws unless it is given.
      data_name: data for all of them, in place of each statement's own; those of a family that
        cannot run on it are left out. With no names, data or settings given, all statements run
        on their own data and `ON_DIGITS` on the digits too (of them `QUICK_ON_DIGITS` for "quick").
      settings: NAME → VALUE in text; a statement takes those it has. Without any, statements run in
        their cases as well, if they are named or the preset is "full".
      draws: number of draws.
      until: whether draws go on until a statement is decided, that many at most.

    Returns:
      The `Plan`.

    Raises:
      ValueError: for unknown names or data, a parameter that none of the statements has or whose
        value is wrong, or data on which a statement asked for by its identifier, or all of those
        asked for, cannot run.
    """
    settings = dict(settings or {})
    if draws is not None:
        check_integer("draws", draws)
    statements = select(names)
    source = None if data_name is None else data.load(data_name)
    for name in settings:
        if name == "data":
            raise ValueError("data is chosen by --data NAME, not by --set data=…")
        if not any(name in _fields(s.config) for s in statements):
            known = sorted({f for s in statements for f in _fields(s.config)} - {"data"})
            raise ValueError(f"--set must name one of {', '.join(known)}; got {name!r}")

    def run(
        statement: Statement,
        source: str | Dataset | None,
        settings: Mapping[str, Any],
        case: str = "",
    ) -> Run:
        config = configured(statement.configured(case), source, settings)
        count = statement.draws[preset] if draws is None else draws
        return Run(statement, config, count, case, until)

    runs: list[Run] = []
    left_out: dict[str, str] = {}
    for statement in statements:
        cases = statement.cases if not settings and (names or preset == "full") else ()
        for case in ("", *cases):
            planned = run(statement, None, settings, case)
            if source is not None:
                title = planned.title
                try:
                    planned = run(statement, source, settings, case)
                    _check_fits(planned)
                except ValueError as error:
                    if title in names:
                        raise ValueError(f"{title} cannot run on {data_name}: {error}") from error
                    left_out[title] = str(error)
                    continue
            runs.append(planned)
    if not runs:
        id, why = next(iter(left_out.items()))
        raise ValueError(f"no statement asked for can run on {data_name}; {id}: {why}")
    if not names and source is None and not settings:
        for statement in statements:
            if statement.id in (ON_DIGITS if preset == "full" else QUICK_ON_DIGITS):
                changes = dict(ON_DIGITS[statement.id])
                source = data.load(changes.pop("data", data.DIGITS))
                runs.append(run(statement, source, changes))
    return Plan(runs, left_out)


def _check_fits(run: Run) -> None:
    """ValueError if the statement cannot sample from its data at the sizes it is configured for."""
    jax.eval_shape(lambda key: run.statement.sample(key, run.config), make_key(0))


def _fields(config: Any) -> dict[str, dataclasses.Field[Any]]:
    return {field.name: field for field in dataclasses.fields(config)}


def configured(config: Any, source: str | Dataset | None, settings: Mapping[str, Any]) -> Any:
    """A configuration with data and parameters replaced; text is read as the parameter's type.

    Raises:
      ValueError: if a value is wrong, or the configuration does not take such data.
    """
    fields = _fields(config)
    changes = {name: read(fields[name], v) for name, v in settings.items() if name in fields}
    if source is not None:
        given = isinstance(source, Dataset)
        if "data" not in fields or (given and Dataset not in fields["data"].metadata["accepts"]):
            raise ValueError("it draws points of its own")
        changes["data"] = source
        if isinstance(source, Dataset) and "d" in fields:
            changes.setdefault("d", source.x.shape[1])
    return dataclasses.replace(config, **changes)


def read(field: dataclasses.Field[Any], value: Any) -> Any:
    """A parameter's value from text.

    Raises:
      ValueError: if the text is no value of its type, or an integer that arrays do not hold.
    """
    kind = field.metadata["type"]
    if not isinstance(value, str) or kind is str:
        return value
    words = {int: "an integer", float: "a number", bool: "true or false"}
    try:
        if kind is bool:
            return {"true": True, "false": False}[value.lower()]
        number = kind(value)
    except (ValueError, KeyError):
        raise ValueError(f"{field.name} must be {words[kind]}, got {value!r}") from None
    if kind is int and abs(number) > (most := environment.largest_integer()):
        precision = environment.precision()
        raise ValueError(f"{field.name} must be at most {most} in {precision}, got {value}")
    return number


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
      jobs: processes, ≥ 1; 1 stays in this one, and so do statements outside the registry, and
        all where there is a mesh.
      mesh: devices that share the draws of each statement; None for one device.
    """
    jobs = min(jobs, len(runs)) if mesh is None else 1
    if jobs == 1 or any(REGISTRY.get(r.statement.id) is not r.statement for r in runs):
        yield from (_execute(run, seed, level, mesh) for run in runs)
        return
    others = set(multiprocessing.active_children())
    pool = concurrent.futures.ProcessPoolExecutor(
        jobs, multiprocessing.get_context("spawn"), _begin_worker, (environment.precision(),)
    )
    try:
        with interrupts.hidden_from_children():
            tasks = [
                pool.submit(
                    _execute_by_id, r.statement.id, r.config, r.draws, r.until, seed, level, jobs
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


def default_jobs() -> int:
    """Up to four processes on a CPU; an accelerator belongs to one."""
    return min(4, os.cpu_count() or 1) if jax.default_backend() == "cpu" else 1


def _begin_worker(precision: str) -> None:
    interrupts.end_with_parent()
    environment.configure(precision)


def _execute_by_id(
    id: str, config: Any, draws: int, until: bool, seed: int, level: float, jobs: int
) -> tuple[Verdict, float]:
    """What a worker process does: statements hold functions, which cannot be sent to it."""
    result = _execute(Run(REGISTRY[id], config, draws, until=until), seed, level, jobs=jobs)
    return result.verdict, result.seconds


def _execute(
    run: Run, seed: int, level: float, mesh: Mesh | None = None, *, jobs: int = 1
) -> Result:
    start = time.perf_counter()
    key = run_key(run.statement, seed)
    common = {
        "key": key,
        "draws": run.draws,
        "config": run.config,
        "level": level,
        "mesh": mesh,
        "precision": environment.precision(),
    }
    if run.until:
        verdict = verify_until(run.statement, **common)
    else:
        batch = _fitting_batch(run, key, jobs) if mesh is None else None
        verdict = verify(run.statement, batch=batch, **common)
    seconds = time.perf_counter() - start
    return Result(run, verdict, seed, seconds, 1 if mesh is None else mesh.size)


def _fitting_batch(run: Run, key: jax.Array, jobs: int) -> int | None:
    """The most draws at once that fit into this process's share of the memory, if that is known.

    Several devices go without: what one of them runs would have to be compiled for this alone.
    """
    try:
        limit = int(environment.usable_memory() / jobs)
    except ValueError:  # the system does not tell
        return None
    return largest_batch(
        run.statement,
        key,
        run.draws,
        run.config,
        limit=limit,
        precision=environment.precision(),
    ).batch


def run_key(statement: Statement, seed: int) -> jax.Array:
    """The random key of a statement: its own for each seed, whatever its configuration."""
    return jax.random.fold_in(make_key(seed), zlib.crc32(statement.id.encode()))
