"""`widetheory verify`."""

import argparse
import dataclasses
from collections.abc import Sequence
from typing import Any

from experiments.command import common
from experiments.command.verbs import NAMES, add_json, add_verb
from experiments.files.strict_json import Record
from experiments.machine import devices, environment, interrupts, streams
from experiments.machine.workers import Lost
from experiments.report import verdicts
from experiments.report.console import print_json, tell
from experiments.report.progress import with_bar
from experiments.results import draws
from experiments.results.code_version import code_version, modules_of
from experiments.settings import numbers
from experiments.verify import planning, running
from theory import REGISTRY
from theory._validation import check_integer, check_level
from theory._wording import counted

STORED = "verdicts.json"
DECIDES = "theory.verification.verify"  # the module from a statement to its verdict
ASKED = ("preset", "draws", "until", "level", "seed", "data", "settings", "precision")


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
    sub.add_argument(
        "--force", action="store_true", help="replace the verdicts that DIR holds, if any"
    )
    sub.add_argument(
        "--keep-draws", action="store_true",
        help="also write what was measured in each draw, DIR/draws/NN-ID.npz",
    )  # fmt: skip
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
    if not arguments.force:
        out.check_new("verdicts", STORED, draws.FOLDER)
    jobs = min(devices.jobs(arguments.jobs, mesh), len(planned))
    engine = common.engine(arguments, jobs)
    steps = running.execute(
        planned,
        seed=arguments.seed,
        level=check_level(arguments.level, parts=len(planned), name="--level"),
        keep=arguments.keep_draws,
        engine=engine,
        mesh=mesh if arguments.engine == "local" else None,
    )
    asked = common.asked(arguments) | {"asked": {name: vars(arguments)[name] for name in ASKED}}
    run = _Run(asked, out, dict(left_out))
    lost = _collect(run, steps, planned)
    results = run.results
    if out.path is not None and devices.leads():
        draws.remove_others(out.path, [one.kept["file"] for one in results if one.kept])
    if arguments.json:
        print_json(run.content())
    else:
        tell(verdicts.verify_table(results, why=arguments.why))
    wrong = [r for r in results if r.verdict.verdict == "refuted" and not r.documented_erratum]
    return out.status(bool(wrong)) or (2 if lost else 0)


def _check(arguments: argparse.Namespace) -> None:
    common.check_seed(arguments)
    common.check_draws(arguments)
    common.check_level(arguments)
    if arguments.keep_draws and arguments.out is None:
        raise ValueError("--keep-draws must have --out DIR, where the draws are written")
    if arguments.until is not None:
        check_integer("--until", arguments.until, high=common.MAX_DRAWS)


class _Run:
    """A run so far: its results, and the JSON of them.

    Attributes:
      results: in order.
      out: the directory of --out.
      left_out: identifier → why of what does not run.
    """

    def __init__(self, asked: Record, out: common.Output, left_out: dict[str, str]) -> None:
        self.results: list[running.Result] = []
        self.out, self.left_out = out, left_out
        self._asked = asked
        self._entries: list[Record] = []

    def add(self, result: running.Result, total: int) -> None:
        """One more of so many, its draws stored if they were kept."""
        number = len(self.results)
        result = _with_draws(result, number, total, self.out)
        code = code_version([DECIDES, *modules_of(result.run.statement)])["sha256"]
        result = dataclasses.replace(result, code=code)
        self.results.append(result)
        self._entries.append(verdicts.verdict_json(result))

    def content(self) -> Record:
        """The JSON."""
        return verdicts.verify_json(self._asked, self._entries, self.left_out)


def _collect(run: _Run, steps: Any, planned: Sequence[planning.Run]) -> dict[str, str]:
    """Collects the results, written after every statement: an interrupted run keeps what it has.

    Returns:
      Identifier → why of those whose process was killed.
    """
    lost: dict[str, str] = {}
    stored: list[str] = []
    out = run.out

    def safe() -> str:
        done = len(run.results)
        if out.path is None:
            return f"interrupted after {done} of {len(planned)}; --out would store them"
        share = f"{len(stored)} of {len(planned)} verdicts are stored in {out.path / STORED}"
        return f"interrupted; {share}" + (f": {', '.join(stored)}" if stored else "")

    names = [f"{one.statement.id} ({counted(one.draws, 'draw')})" for one in planned]
    with interrupts.telling(safe):
        for one, result in zip(planned, with_bar(steps, names), strict=True):
            if isinstance(result, Lost):
                lost[one.title] = run.left_out[one.title] = result.why
                streams.say(f"left out: {one.title}: {result.why}")
            else:
                run.add(result, len(planned))
            if out.path is None or not devices.leads():
                continue
            if out.write_json(STORED, run.content()):
                stored[:] = [one.run.title for one in run.results]
    return lost


def _with_draws(
    result: running.Result, number: int, total: int, out: common.Output
) -> running.Result:
    """The result with its draws in a file, if they were kept, and no more in memory."""
    arrays, kept = result.arrays, None
    if arrays is not None and devices.leads():
        name = draws.file_name(number, total, result.run.statement.id, result.run.case)
        kept = out.call(name, lambda path: draws.write(path, name, arrays))
    return dataclasses.replace(result, arrays=None, kept=kept)
