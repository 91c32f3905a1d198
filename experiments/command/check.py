"""`widetheory check` and `replay`."""

import argparse
from typing import Any

from experiments.certificates import check, replay
from experiments.command.verbs import NAME, add_verb


def add(commands: Any) -> None:
    """The verbs with their options."""
    sub = add_verb(commands, "check", _check)
    sub.add_argument("files", nargs="+", metavar="FILE", help="certificates")
    sub = add_verb(commands, "replay", _replay)
    sub.add_argument("file", metavar="FILE", help="a certificate")
    sub.add_argument(
        "statement", nargs="?", default="", metavar=NAME,
        help="which statement it is about (that of the registry which the file names)",
    )  # fmt: skip


def _check(arguments: argparse.Namespace) -> int:
    return check.main(arguments.files)


def _replay(arguments: argparse.Namespace) -> int:
    found = replay.replay(check.read(arguments.file), arguments.statement)
    for line in found.lines:
        print(line)
    return 0 if found.agrees else 1
