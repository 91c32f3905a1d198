"""The command line as a whole, and how the command ends."""

import argparse
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from experiments.machine import interrupts


def parser() -> argparse.ArgumentParser:
    """The command line."""
    # Here, so that an interrupt while they are imported ends the command in one line, too.
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
    """Runs the command.

    Args:
      argv: arguments, those of the process if None.

    Returns:
      Exit status: 0 all fine, 1 something is refuted that is no documented erratum, 2 bad usage,
      bad input, not enough memory, or a compiler that computes wrong numbers; 130 or 143 after
      Ctrl-C or SIGTERM.
    """
    try:
        arguments = parser().parse_args(argv)
        return arguments.run(arguments)
    except ValueError as error:
        from experiments.command.common import in_one_line

        print(f"widetheory: {in_one_line(str(error))}", file=sys.stderr)
        return 2
    except KeyboardInterrupt as error:
        return interrupts.tell(error)
    except BrokenPipeError:  # the reader has gone, as in `widetheory list | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        if (words := _memory_error(error)) is None:
            raise
        print(f"widetheory: {words}", file=sys.stderr)
        return 2


def _memory_error(error: Exception) -> str | None:
    """What went wrong in words if it was memory that ran out: 1 would say that a theorem fails."""
    from concurrent.futures.process import BrokenProcessPool

    remedy = "take smaller sizes, fewer draws"
    if isinstance(error, BrokenProcessPool):
        return (
            f"a worker process ended abruptly, most likely for lack of memory; {remedy} or --jobs 1"
        )
    text = " ".join(str(error).split())
    exhausted = type(error).__name__ in ("JaxRuntimeError", "XlaRuntimeError") and (
        "RESOURCE_EXHAUSTED" in text or "out of memory" in text.lower()
    )
    if isinstance(error, MemoryError) or exhausted:
        return f"not enough memory; {remedy} or a larger machine ({text[:120] or 'MemoryError'})"
    return None


def entry() -> NoReturn:
    """The command as a process of its own."""
    interrupts.watch()
    status = main()
    if status in interrupts.STATUS.values():
        interrupts.end(status)
    sys.exit(status)
