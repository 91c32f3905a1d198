"""`widetheory list` and `show`."""

import argparse
from typing import Any

from experiments.command.common import NAME, NAMES, add_json, add_verb, print_json
from experiments.report.statements import list_table, show, statement_json
from experiments.report.words import console
from experiments.settings.references import find, find_one


def add(commands: Any) -> None:
    """The verbs with their options."""
    sub = add_verb(commands, "list", _list, "List statements, without arguments every one.")
    sub.add_argument("names", nargs="*", metavar=NAMES, help="statements (all that are registered)")
    add_json(sub)
    sub = add_verb(commands, "show", _show, "Show one statement in full, with its parameters.")
    sub.add_argument("id", metavar=NAME, help="an identifier, or where the statement is")


def _list(arguments: argparse.Namespace) -> int:
    statements = [named.statement for named in find(arguments.names)]
    if arguments.json:
        print_json({"statements": [statement_json(s) for s in statements]})
    else:
        console().print(list_table(statements))
    return 0


def _show(arguments: argparse.Namespace) -> int:
    console().print(show(find_one(arguments.id).statement))
    return 0
