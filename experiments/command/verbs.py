"""The verbs: what each does, and the module that carries it out, imported when it is asked for."""

import argparse
import difflib
import importlib
import re
from collections.abc import Callable
from typing import Any, NamedTuple, NoReturn

from experiments.machine import streams

NAME = "ID|FILE.py[:NAME]"
NAMES = "ID|FAMILY|FILE.py[:NAME]"
Run = Callable[[argparse.Namespace], int]


class Verb(NamedTuple):
    """The module of `experiments.command` with the verb's options, and what it does."""

    module: str
    says: str


VERBS = {
    "list": Verb("list", "List statements, without arguments every one."),
    "show": Verb("list", "Show one statement in full, with its parameters."),
    "verify": Verb(
        "verify",
        "Check statements over independent draws. Without arguments: every statement on its own "
        "default data, and on the data sets that they name too.",
    ),
    "explain": Verb(
        "explain",
        "Why a verdict came out: the rule, the numbers it compared, what these draws could have "
        "seen, the worst draw, the hypothesis nearest to failing and the parameter that mends it.",
    ),
    "falsify": Verb(
        "falsify",
        "Search for a counterexample: instances and parameters, by gradients and evolution; what "
        "is found is confirmed, made smaller, proved where possible, and saved.",
    ),
    "frontier": Verb(
        "frontier",
        "Bisect, on fresh draws, where hypotheses begin to hold or the verdict changes. Several "
        "parameters make a map: the first is bisected at values of the others.",
    ),
    "check": Verb(
        "check",
        "Check certificates in exact arithmetic, without JAX and without the code that made them.",
    ),
    "replay": Verb(
        "check", "Draw a certificate's instance again, and compare it with its statement today."
    ),
    "sweep": Verb(
        "sweep",
        "Check a statement over a grid of its parameters. Each finished cell is stored for good, "
        "with its draws; an interrupted sweep is gone on with by --resume, also by several "
        "processes at once.",
    ),
    "figure": Verb(
        "figure",
        "Re-create the papers' experiments, predictions drawn over measurements: for each figure "
        "PNG, SVG and PDF, its caption, and the data behind it as CSV and JSON.",
    ),
    "plot": Verb(
        "plot",
        "Draw what statements show, a user's own included, or a stored sweep: margins, failure "
        "rates, claims and fits with their limits, phase maps, the worst draws; as PNG, SVG and "
        "PDF, with the data as CSV.",
    ),
    "report": Verb(
        "report",
        "Write stored results as one page: of HTML that needs nothing else, Markdown for a pull "
        "request, or LaTeX for an appendix. Nothing is computed.",
    ),
    "schema": Verb(
        "schema", "Print the JSON Schema of what a verb prints with --json, and stores."
    ),
    "completion": Verb(
        "completion", "Print what a shell needs to complete verbs, options and names."
    ),
    "bench": Verb(
        "bench",
        "Time the suite against a plain eager PyTorch implementation and against matrix products, "
        "as ratios within one run.",
    ),
    "predict": Verb(
        "learn",
        "Predict accuracy, agreement and cosine similarity of learning from perturbations in the "
        "infinite-width limit, without training.",
    ),
    "train": Verb(
        "learn",
        "Train pairs of networks on data and on perturbations, beside the predictions for the same "
        "data.",
    ),
}


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line on stderr and exit status 2."""

    def error(self, message: str) -> NoReturn:
        """Prints the message, what may have been meant, and where to read more, and exits."""
        words = f"{message}{_meant(message)}"
        self.exit(2, f"{self.prog}: {streams.in_one_line(words)} (see {self.prog} -h)\n")


def _meant(message: str) -> str:
    """The choice nearest to one that argparse refuses, in words; empty if none is near."""
    refused = re.search(r"invalid choice: '(.*)' \(choose from (.*)\)", message)
    if refused is None:
        return ""
    near = difflib.get_close_matches(refused[1], re.findall(r"[\w.-]+", refused[2]), n=1)
    return f"; did you mean {near[0]}?" if near else ""


def parser(asked: str | None = None) -> Parser:
    """The command line.

    Args:
      asked: the verb whose options are needed, "" for none: the modules of the others are not
        imported. None for the options of all.
    """
    top = Parser(
        prog="widetheory",
        description="Checks theorems about wide neural networks numerically: for each hypothesis "
        "and each conclusion, whether it holds, by how much, on how many draws, how surely.",
    )
    top.add_argument("--version", action="store_true", help="show the version and exit")
    commands = top.add_subparsers(dest="command", metavar="COMMAND")
    wanted = [verb.module for name, verb in VERBS.items() if asked in (None, name)]
    added = set()
    for name, verb in VERBS.items():
        if verb.module not in wanted:
            commands.add_parser(name, help=verb.says)
        elif verb.module not in added:
            added.add(verb.module)
            importlib.import_module(f"experiments.command.{verb.module}").add(commands)
    return top


def add_verb(commands: Any, name: str, run: Run) -> Parser:
    """The parser of a verb, which `run` carries out."""
    says = VERBS[name].says
    sub = commands.add_parser(name, help=says, description=says)
    sub.set_defaults(run=run)
    return sub


def add_json(sub: Parser) -> None:
    """--json."""
    sub.add_argument("--json", action="store_true", help="print JSON instead of a table")
