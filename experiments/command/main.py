"""The command line as a whole, and how the command ends."""

import argparse
import sys
from collections.abc import Sequence

from experiments.machine import faults, streams


def parser() -> argparse.ArgumentParser:
    """The command line."""
    # Here, where an error while they are imported is told in one line, too.
    from experiments.command import (
        bench,
        check,
        common,
        explain,
        falsify,
        figure,
        frontier,
        learn,
        sweep,
        verify,
    )
    from experiments.command import list as listing

    top = common.Parser(
        prog="widetheory",
        description="Checks theorems about wide neural networks numerically: for each hypothesis "
        "and each conclusion, whether it holds, by how much, on how many draws, how surely.",
    )
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for verb in (listing, verify, explain, falsify, frontier, check, sweep, figure, bench, learn):
        verb.add(commands)
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; nothing that goes wrong is raised, but for an interrupt.

    Args:
      argv: arguments, those of the process if None.

    Returns:
      Exit status, which a process of its own ends with:
        0: all fine, or a reader that has gone, as in `widetheory list | head`.
        1: something is refuted that is no documented erratum, or a certificate does not hold;
          whatever else went wrong.
        2: bad usage or bad input, code of the user's that fails, a file that cannot be read or
          written, not enough memory, no device, a killed worker, a cell that failed, or a compiler
          that computes wrong numbers.
        70: an error of widetheory itself.
      With 2 and 70 one line on stderr says why. 130, 143 and 129 are those of a process that
      Ctrl-C, SIGTERM or SIGHUP has ended (`interrupts`).
    """
    try:
        status = _run(argv)
        sys.stdout.flush()
    except KeyboardInterrupt:  # where nobody watches: in a process of somebody else's
        raise
    except BaseException as error:
        told = faults.explained(error)
        streams.say(told.words)
        return told.status
    return status


def _run(argv: Sequence[str] | None) -> int:
    try:
        arguments = parser().parse_args(argv)
    except SystemExit as stop:  # after -h, or bad usage, which it has told
        return int(stop.code or 0)
    return arguments.run(arguments)
