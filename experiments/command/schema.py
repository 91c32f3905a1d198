"""`widetheory schema`."""

import argparse
from typing import Any

from experiments.command.verbs import add_verb
from experiments.report.console import print_json
from experiments.results import schemas


def add(commands: Any) -> None:
    """The verb with its options."""
    sub = add_verb(commands, "schema", _schema)
    sub.add_argument(
        "verb", choices=list(schemas.FORMS), metavar="VERB", help="; ".join(schemas.FORMS)
    )


def _schema(arguments: argparse.Namespace) -> int:
    print_json(schemas.schema(arguments.verb))
    return 0
