"""What the verbs share: options, their values, and where results go."""

import argparse
import json
import math
import pathlib
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, NoReturn

from experiments.files.strict_json import Json
from experiments.machine import files, streams
from experiments.results.store import Store
from experiments.settings.text import fields_by_name
from theory import Statement
from theory._validation import check_choice, check_integer, check_real

MAX_SEED = 2**32 - 1  # what a key takes in either precision
MAX_DRAWS = 2**32  # as many keys are folded from one
NAME = "ID|FILE.py[:NAME]"
NAMES = "ID|FAMILY|FILE.py[:NAME]"
Verb = Callable[[argparse.Namespace], int]


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line on stderr and exit status 2."""

    def error(self, message: str) -> NoReturn:
        """Prints the message and where to read more, and exits."""
        self.exit(2, f"{self.prog}: {message} (see {self.prog} -h)\n")


def add_verb(commands: Any, name: str, run: Verb, says: str) -> Parser:
    """The parser of a verb, which `run` carries out."""
    sub = commands.add_parser(name, help=says, description=says)
    sub.set_defaults(run=run)
    return sub


def add_json(sub: Parser) -> None:
    """--json."""
    sub.add_argument("--json", action="store_true", help="print JSON instead of a table")


def add_seed(sub: Parser) -> None:
    """--seed."""
    sub.add_argument("--seed", type=int, default=0, metavar="S", help="random seed (0)")


def add_precision(
    sub: Parser, choices: Sequence[str], says: str = "(float64)", default: str = "float64"
) -> None:
    """--precision."""
    sub.add_argument("--precision", choices=choices, default=default, help=says)


def add_level(sub: Parser, of: str) -> None:
    """--level."""
    sub.add_argument(
        "--level", type=float, default=0.01, metavar="A",
        help=f"false-alarm rate of all {of} together (0.01)",
    )  # fmt: skip


def add_settings(
    sub: Parser, of: str = "a parameter of the statements", see: str = "show ID"
) -> None:
    """--set and --data."""
    sub.add_argument(
        "--set", dest="settings", action="append", default=[], metavar="NAME=VALUE",
        help=f"{of} that have it; may be repeated (see `{see}`)",
    )  # fmt: skip
    sub.add_argument(
        "--data", metavar="NAME", help="data: a law, digits, mnist:DIR, npz:FILE, … (see `show`)"
    )


def check_seed(arguments: argparse.Namespace) -> None:
    """ValueError unless --seed is in its range."""
    check_integer("--seed", arguments.seed, low=0, high=MAX_SEED)


def check_draws(arguments: argparse.Namespace) -> None:
    """ValueError unless --draws, if given, is in its range."""
    if arguments.draws is not None:
        check_integer("--draws", arguments.draws, high=MAX_DRAWS)


def check_level(arguments: argparse.Namespace) -> None:
    """ValueError unless --level is in (0, 1)."""
    check_real("--level", arguments.level, low=0, high=1, open_low=True, open_high=True)


def settings_of(texts: Sequence[str]) -> dict[str, str]:
    """NAME → VALUE of --set."""
    settings = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not (name and equals and value):
            raise ValueError(f"--set must be NAME=VALUE, got {text!r}")
        if name in settings:
            raise ValueError(f"--set must name a parameter once, got {name!r} twice")
        settings[name] = value
    return settings


def check_settings(statement: Statement, settings: Mapping[str, str]) -> None:
    """ValueError for a setting that is no parameter of a command's one statement."""
    for name in settings:
        if name == "data":
            raise ValueError("data is chosen by --data NAME, not by --set data=…")
        check_choice("--set", name, sorted(fields_by_name(statement.config).keys() - {"data"}))


def check_one_of(option: str, name: str, known: Collection[str]) -> None:
    """ValueError unless the name is one of those known."""
    check_choice(option, name, sorted(known))


def range_of(option: str, text: str) -> tuple[str, float | None, float | None]:
    """NAME, LOW and HIGH of NAME=LOW:HIGH; None for both where only NAME is given."""
    name, equals, ends = text.partition("=")
    if not equals:
        return name, None, None
    low, colon, high = ends.partition(":")
    try:
        numbers = float(low), float(high)
    except ValueError:
        numbers = math.nan, math.nan
    if not (name and colon and numbers[0] <= numbers[1] and all(map(math.isfinite, numbers))):
        raise ValueError(f"{option} must be NAME=LOW:HIGH with numbers LOW ≤ HIGH, got {text!r}")
    return name, *numbers


class Output:
    """The directory of --out, if one was asked for, and whether all could be written there.

    A file that cannot be written is no reason to lose what is printed.
    """

    def __init__(self, directory: str | None, *names: str):
        """Tries it; ValueError if none of the files could be written there."""
        self.path = None if directory is None else files.directory("--out", directory, *names)
        self.failed = False

    def write(self, name: str, write: Callable[[pathlib.Path], object]) -> pathlib.Path | None:
        """Has a file written, a failure told once; where it is, None if it is not there."""
        if self.path is None:
            return None
        path = self.path / name
        try:
            write(path)
        except OSError as error:
            if not self.failed:
                streams.say(f"{path} cannot be written: {files.why(error)}")
            self.failed = True
            return None
        return path

    def write_json(self, name: str, content: Json) -> pathlib.Path | None:
        """Writes JSON so."""
        return self.write(name, lambda path: files.replace_json(path, content))

    def status(self, refuted: bool) -> int:
        """The command's: 1 for what is refuted, whatever was written."""
        return 1 if refuted else 2 if self.failed else 0


def print_json(content: Json) -> None:
    """Prints JSON, in ASCII where stdout knows no more."""
    text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)
    print(text if streams.knows(text) else json.dumps(content, indent=2))


def safe_words(place: Store, of: str = "") -> str:
    """What an interrupt says of a store."""
    total = sum(1 for _ in place.cells())
    return (
        f"interrupted; the {len(place.finished())} finished cells of {total}{of} are safe in "
        f"{place.directory}: go on with --resume"
    )
