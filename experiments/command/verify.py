"""`widetheory verify`."""

import argparse
from collections.abc import Mapping, Sequence
from typing import Any

from experiments.command import common
from experiments.command.verbs import NAMES, add_json, add_verb
from experiments.machine import devices, environment, interrupts, streams
from experiments.machine.workers import Lost
from experiments.report import verdicts
from experiments.report.console import console, print_json
from experiments.report.progress import with_bar
from experiments.settings import numbers
from experiments.verify import planning, running
from theory import REGISTRY
from theory._validation import check_integer, check_level

STORED = "verdicts.json"


def add(commands: Any) -> None:
    """The verb with its options."""
    families = ", ".join(dict.fromkeys(id.partition(".")[0] for id in REGISTRY))
    sub = add_verb(commands, "verify", _verify)
    sub.add_argument(
        "names",
        nargs="*",
        metavar=NAMES,
        help=f"statements, of the families {families} (all) or of a file or module of your own",
    )
    number = sub.add_mutually_exclusive_group()
    common.add_draws(number, "independent draws (by the preset)")
    number.add_argument(
        "--until", type=numbers.integer, metavar="K",
        help="draw until the statement is decided, K draws at most, at a level that holds whenever "
        "that is; for failure rates and bounded means",
    )  # fmt: skip
    common.add_settings(sub)
    sub.add_argument(
        "--preset", choices=planning.PRESETS, default="quick", help="number of draws (quick)"
    )
    common.add_level(sub, "statements")
    sub.add_argument("--out", metavar="DIR", help="also write DIR/verdicts.json")
    sub.add_argument("--why", action="store_true", help="say why of consistent verdicts, too")
    common.add_seed(sub)
    add_json(sub)
    common.add_precision(sub, ("float64", "float32"))
    common.add_devices(sub)
    says = "on a CPU its cores, at most 4; with several devices or another device 1"
    common.add_engine(sub, "statements", says)


def _verify(arguments: argparse.Namespace) -> int:
    environment.configure(arguments.precision)
    common.check_alone(arguments)
    mesh = devices.connect(arguments)
    _check(arguments)
    planned, left_out = planning.plan_runs(
        arguments.names,
        preset=arguments.preset,
        data_name=arguments.data,
        settings=common.settings_of(arguments.settings),
        draws=arguments.draws if arguments.until is None else arguments.until,
        until=arguments.until is not None,
    )
    for title, why in left_out.items():
        streams.say(f"left out, as it cannot run on {arguments.data}: {title}: {why}")
    out = common.Output(arguments.out, STORED)  # in every process: all stop if it cannot be
    jobs = min(devices.jobs(arguments.jobs, mesh), len(planned))
    engine = common.engine(arguments, jobs)
    steps = running.execute(
        planned,
        seed=arguments.seed,
        level=check_level(arguments.level, parts=len(planned), name="--level"),
        engine=engine,
        mesh=mesh if arguments.engine == "local" else None,
    )
    results, lost = _collected(steps, planned, left_out, out)
    left_out = left_out | lost
    if arguments.json:
        print_json(verdicts.verify_json(results, left_out))
    else:
        console().print(verdicts.verify_table(results, why=arguments.why))
    wrong = [r for r in results if r.verdict.verdict == "refuted" and not r.documented_erratum]
    return out.status(bool(wrong)) or (2 if lost else 0)


def _check(arguments: argparse.Namespace) -> None:
    common.check_seed(arguments)
    common.check_draws(arguments)
    common.check_level(arguments)
    if arguments.until is not None:
        check_integer("--until", arguments.until, high=common.MAX_DRAWS)


def _collected(
    steps: Any,
    planned: Sequence[planning.Run],
    left_out: Mapping[str, str],
    out: common.Output,
) -> tuple[list[running.Result], dict[str, str]]:
    """The results, written after every statement: an interrupted run keeps what it has.

    And identifier → why of those whose process was killed.
    """
    results: list[running.Result] = []
    lost: dict[str, str] = {}
    stored: list[str] = []

    def safe() -> str:
        if out.path is None:
            return f"interrupted after {len(results)} of {len(planned)}; --out would store them"
        share = f"{len(stored)} of {len(planned)} verdicts are stored in {out.path / STORED}"
        return f"interrupted; {share}" + (f": {', '.join(stored)}" if stored else "")

    names = [f"{run.statement.id} ({run.draws:,} draws)" for run in planned]
    with interrupts.telling(safe):
        for run, result in zip(planned, with_bar(steps, names), strict=True):
            if isinstance(result, Lost):
                lost[run.title] = result.why
                streams.say(f"left out: {run.title}: {result.why}")
            else:
                results.append(result)
            if out.path is None or not devices.leads():
                continue
            if out.write_json(STORED, verdicts.verify_json(results, {**left_out, **lost})):
                stored[:] = [one.run.title for one in results]
    return results, lost
