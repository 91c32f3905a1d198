"""`widetheory completion`."""

import argparse
import importlib.util
from typing import Any

from experiments.command import verbs
from theory import REGISTRY

# What shtab writes, and PowerShell has nothing for.
SHELLS = ("bash", "zsh", "fish")


def add(commands: Any) -> None:
    """The verb with its options."""
    sub = verbs.add_verb(commands, "completion", _completion)
    sub.add_argument("shell", choices=SHELLS, help="whose words to print")


def _completion(arguments: argparse.Namespace) -> int:
    if importlib.util.find_spec("shtab") is None:
        raise ValueError(
            "completion must have the package shtab, which is not installed: "
            "install widetheory[completion]"
        )
    print(script(arguments.shell))
    return 0


def script(shell: str) -> str:
    """What a shell reads to complete verbs, options, identifiers, families and figures.

    Files complete where a verb takes them: shells try these for what they do not know.
    """
    import shtab

    from experiments.figures import registry

    parser = verbs.parser()
    families = dict.fromkeys(id.partition(".")[0] for id in REGISTRY)
    known = {
        "figure": [*registry.figures(), "all"],
        "schema": None,  # has choices of its own
    }
    statements = [*REGISTRY, *families]
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for verb, sub in action.choices.items():
                _complete(sub, known.get(verb, statements))
    return shtab.complete(parser, shell)


def _complete(sub: argparse.ArgumentParser, names: list[str] | None) -> None:
    """Has names complete the positional arguments that are named so, and directories --out."""
    import shtab

    for action in sub._actions:
        if not action.option_strings and action.dest in ("id", "names") and names:
            # A choice for shtab alone: the parser has gone, and files are allowed.
            action.choices = names
        elif "--out" in action.option_strings:
            action.complete = shtab.DIRECTORY  # pyright: ignore[reportAttributeAccessIssue]
