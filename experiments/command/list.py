"""`widetheory list` and `show`."""

import argparse
from typing import Any

from experiments.command.verbs import NAME, NAMES, add_json, add_verb
from experiments.report import catalogue
from experiments.report.console import console, print_json, tell
from experiments.report.listing import list_table


def add(commands: Any) -> None:
    """The verbs with their options."""
    sub = add_verb(commands, "list", _list)
    sub.add_argument("names", nargs="*", metavar=NAMES, help="statements (all that are registered)")
    add_json(sub)
    sub = add_verb(commands, "show", _show)
    sub.add_argument("id", metavar=NAME, help="an identifier, or where the statement is")


def _list(arguments: argparse.Namespace) -> int:
    entries = catalogue.registered(arguments.names)
    if entries is None:  # some are not of the registry
        from experiments.report.statements import statement_json
        from experiments.settings.references import find

        entries = [statement_json(named.statement) for named in find(arguments.names)]
    if arguments.json:
        print_json({"statements": entries})
    else:
        tell(list_table(entries, console().width))
    return 0


def _show(arguments: argparse.Namespace) -> int:
    from experiments.report.statements import show
    from experiments.settings.references import find_one

    tell(show(find_one(arguments.id).statement))
    return 0
