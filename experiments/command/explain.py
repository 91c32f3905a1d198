"""`widetheory explain`."""

import argparse
import pathlib
from typing import Any

from experiments.command import common
from experiments.command.verbs import NAME, add_json, add_verb
from experiments.datasets import sources
from experiments.machine import environment
from experiments.report.console import print_json, tell
from experiments.report.search import explanation_json, explanation_text
from experiments.results.records import load_verdicts
from experiments.settings.references import find_one
from experiments.settings.text import configured
from experiments.verify import running
from theory import Explanation
from theory.verification.explaining import explain, explained


def add(commands: Any) -> None:
    """The verb with its options."""
    sub = add_verb(commands, "explain", _explain)
    sub.add_argument("id", metavar=NAME, help="an identifier, or where the statement is")
    sub.add_argument(
        "--out", metavar="DIR",
        help="explain the verdict stored in DIR/verdicts.json, without drawing anything",
    )  # fmt: skip
    common.add_draws(sub, "independent draws (as verify)")
    common.add_level(sub, "claims")
    common.add_settings(sub)
    common.add_seed(sub)
    add_json(sub)


def _explain(arguments: argparse.Namespace) -> int:
    environment.configure("float64")
    common.check_seed(arguments)
    common.check_draws(arguments)
    common.check_level(arguments)
    found = _stored(arguments) if arguments.out is not None else [_drawn(arguments)]
    if arguments.json:
        print_json({"explanations": [explanation_json(one) for one in found]})
    else:
        for one in found:
            tell(explanation_text(one))
    return 0


def _stored(arguments: argparse.Namespace) -> list[Explanation]:
    path = pathlib.Path(arguments.out) / "verdicts.json"
    try:
        verdicts = [v for v in load_verdicts(path) if v.id == arguments.id]
    except ValueError as error:
        raise ValueError(f"--out must hold the verdicts of `widetheory verify`: {error}") from error
    if not verdicts:
        raise ValueError(f"ID must be a statement in {path}, got {arguments.id!r}")
    return [explained(verdict) for verdict in verdicts]


def _drawn(arguments: argparse.Namespace) -> Explanation:
    statement = find_one(arguments.id).statement
    source = None if arguments.data is None else sources.load(arguments.data)
    settings = common.settings_of(arguments.settings)
    common.check_settings(statement, settings)
    return explain(
        statement,
        key=running.run_key(statement, arguments.seed),
        draws=arguments.draws,
        config=configured(statement.config, source, settings),
        level=arguments.level,
        memory=environment.known_memory(),
    )
