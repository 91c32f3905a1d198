"""`widetheory falsify`."""

import argparse
import functools
import pathlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

import jax

from experiments.certificates import making
from experiments.command import common
from experiments.command.verbs import NAMES, add_json, add_verb
from experiments.datasets import sources
from experiments.files import seals
from experiments.machine import environment, interrupts
from experiments.report.console import print_json, tell
from experiments.report.progress import saying
from experiments.report.search import falsification_json, falsification_text, falsify_json
from experiments.results import schemas
from experiments.settings import numbers
from experiments.settings.references import Named, find
from experiments.settings.text import configured, fields_by_name
from experiments.verify import running
from theory import Falsification, falsify
from theory._validation import check_integer, check_real

STORED = "falsified.json"
ASKED = ("seed", "over", "settings", "data", "budget", "evaluations", "level")


def add(commands: Any) -> None:
    """The verb with its options."""
    sub = add_verb(commands, "falsify", _falsify)
    sub.add_argument("names", nargs="+", metavar=NAMES, help="statements to attack")
    sub.add_argument(
        "--over", action="append", default=[], metavar="NAME=LOW:HIGH",
        help="a parameter that is varied, too; may be repeated",
    )  # fmt: skip
    sub.add_argument(
        "--budget", type=numbers.real, metavar="SECONDS",
        help="how long to search each statement (60, unless --evaluations limits it)",
    )  # fmt: skip
    sub.add_argument(
        "--evaluations", type=numbers.integer, metavar="N",
        help="how many candidates to evaluate; alone it makes the result depend on the seed only",
    )  # fmt: skip
    common.add_level(sub, "confirmations of one statement on fresh draws")
    sub.add_argument("--out", metavar="DIR", help="save counterexamples and DIR/falsified.json")
    sub.add_argument(
        "--resume", action="store_true", help="go on with the statements that DIR lacks"
    )
    common.add_settings(sub)
    common.add_seed(sub)
    add_json(sub)


def _falsify(arguments: argparse.Namespace) -> int:
    environment.configure("float64")
    common.check_seed(arguments)
    common.check_level(arguments)
    if arguments.budget is not None:
        check_real("--budget", arguments.budget, low=0, open_low=True)
    if arguments.evaluations is not None:
        check_integer("--evaluations", arguments.evaluations)
    named = find(arguments.names)
    over = _ranges(arguments, named)
    settings = common.settings_of(arguments.settings)
    for name in settings:
        known = {field for one in named for field in fields_by_name(one.statement.config)}
        common.check_one_of("--set", name, known - {"data"})
    source = None if arguments.data is None else sources.load(arguments.data)
    if arguments.resume and arguments.out is None:
        raise ValueError("--resume must have --out DIR, where the search was stored")
    out = common.Output(arguments.out, STORED)
    asked = {name: vars(arguments)[name] for name in ASKED}
    how = common.asked(arguments)
    entries = _begun(out.path, asked, resume=arguments.resume)
    safe = functools.partial(_safe, entries, len(named), out)
    with interrupts.telling(safe), saying() as say:
        for one in named:
            statement = one.statement
            if any(entry["id"] == statement.id for entry in entries):
                continue
            known = fields_by_name(statement.config)
            result = falsify(
                statement,
                key=jax.random.fold_in(running.run_key(statement, arguments.seed), 1),
                config=configured(statement.config, source, settings),
                over={name: ends for name, ends in over.items() if name in known},
                seconds=arguments.budget,
                evaluations=arguments.evaluations,
                level=arguments.level,
                say=say,
                memory=environment.known_memory(),
            )
            file = _saved(one, result, out)
            entries.append(falsification_json(result, file, arguments.seed, statement.erratum))
            out.write_json(STORED, falsify_json(entries, asked, how))
            if not arguments.json:
                tell(falsification_text(result, file))
    if arguments.json:
        print_json(falsify_json(entries, asked, how))
    return out.status(any(map(_unknown, entries)))


def _unknown(entry: Mapping[str, Any]) -> bool:
    """Whether a statement is refuted that is no documented erratum."""
    return entry["verdict"] == "refuted" and entry["documented_erratum"] is None


def _begun(
    out: pathlib.Path | None, asked: Mapping[str, Any], *, resume: bool
) -> list[dict[str, Any]]:
    """What a search with the same options has stored; ValueError for another one's."""
    if out is None or not (path := out / STORED).exists():
        return []
    if not resume:
        raise ValueError(f"--out holds a search already, {path}; --resume goes on with it")
    content = seals.load(path, schemas.SEARCHED, "falsify")
    for name, value in asked.items():
        if (stored := content["asked"].get(name)) != value:
            got = f"{stored!r} there, {value!r} here"
            raise ValueError(
                f"--resume must have the options of the search in {path}: {name} {got}"
            )
    return content["statements"]


def _ranges(
    arguments: argparse.Namespace, named: tuple[Named, ...]
) -> dict[str, tuple[float, float]]:
    ranges = {}
    for text in arguments.over:
        name, low, high = common.range_of("--over", text)
        if low is None or high is None:
            raise ValueError(f"--over must be NAME=LOW:HIGH, got {text!r}")
        common.check_one_of(
            "--over", name, {f for one in named for f in fields_by_name(one.statement.config)}
        )
        ranges[name] = (low, high)
    return ranges


def _saved(one: Named, result: Falsification, out: common.Output) -> str | None:
    """The file of the counterexample, None where there is none or nothing is saved."""
    example = result.counterexample
    if out.path is None or example is None:
        return None
    name = re.sub(r"[^A-Za-z0-9._-]", "_", result.id) + ".counterexample.json"
    content = making.counterexample(
        one.statement, example.instance, example.config, reference=one.reference
    )
    path = out.write(name, lambda path: making.write(content, path))
    return None if path is None else str(path)


def _safe(entries: Sequence[Mapping[str, Any]], total: int, out: common.Output) -> str:
    text = f"interrupted after {len(entries)} of {total}"
    if out.path is None:
        return f"{text}; --out would store them"
    return text if out.failed else f"{text}, stored in {out.path}: --resume"
