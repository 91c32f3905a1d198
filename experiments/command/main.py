"""The command line as a whole, and how the command ends."""

import importlib.metadata
import sys
from collections.abc import Sequence

from experiments.command.verbs import VERBS, parser
from experiments.machine import faults, interrupts, streams


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
    except BaseException as error:
        # Of a signal, where nobody watches: in a process of somebody else's.
        if isinstance(error, KeyboardInterrupt) and not interrupts.watched():
            raise
        told = faults.explained(error)
        streams.say(told.words)
        return told.status
    return status


def _run(argv: Sequence[str] | None) -> int:
    words = sys.argv[1:] if argv is None else list(argv)
    asked = words[0] if words else ""
    top = parser(asked if asked in VERBS else "")
    try:
        arguments = top.parse_args(words)
    except SystemExit as stop:  # after -h, or bad usage, which it has told
        return int(stop.code or 0)
    if arguments.version:
        print(f"widetheory {importlib.metadata.version('widetheory')}")
        return 0
    if arguments.command is None:
        top.print_help()
        return 0
    arguments.argv = words
    return arguments.run(arguments)
