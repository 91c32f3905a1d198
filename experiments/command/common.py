"""What the verbs share: options, their values, and where results go."""

import argparse
import math
import pathlib
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, TypeVar

from experiments.command.verbs import Parser
from experiments.engines import choosing
from experiments.engines.work import Engine
from experiments.files import reading, writing
from experiments.files.strict_json import Json, Record
from experiments.machine import streams
from experiments.results.store import Store
from experiments.settings import numbers
from experiments.settings.text import fields_by_name
from theory import Statement
from theory._validation import check_choice, check_integer, shown
from theory._validation import check_level as checked_level
from theory._wording import counted

T = TypeVar("T")

MAX_SEED = 2**32 - 1  # what a key takes in either precision
MAX_DRAWS = 2**32  # as many keys are folded from one
SCHEMA = 1  # version of what JSON looks like, see docs/reference/json.md


def asked(arguments: argparse.Namespace) -> Record:
    """How the JSON of a verb begins: its schema, and the words after `widetheory`."""
    return {"schema": f"widetheory/{arguments.command}/{SCHEMA}", "argv": list(arguments.argv)}


def add_seed(sub: Parser) -> None:
    """--seed."""
    sub.add_argument("--seed", type=numbers.integer, default=0, metavar="S", help="random seed (0)")


def add_draws(sub: Any, says: str, default: int | None = None) -> None:
    """--draws, of a parser or of a group in it."""
    sub.add_argument("--draws", type=numbers.integer, default=default, metavar="K", help=says)


def add_precision(
    sub: Parser, choices: Sequence[str], says: str = "(float64)", default: str = "float64"
) -> None:
    """--precision."""
    sub.add_argument("--precision", choices=choices, default=default, help=says)


def add_level(sub: Parser, of: str) -> None:
    """--level."""
    sub.add_argument(
        "--level", type=numbers.real, default=0.01, metavar="A",
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


def add_devices(sub: Parser, *, processes: bool = True) -> None:
    """The option of `devices.local` and, for several processes, those of `devices.connect`."""
    group = sub.add_argument_group(
        "devices", "Draws are shared among devices; the numbers do not depend on how many."
    )
    group.add_argument("--devices", type=numbers.integer, metavar="N", help="of this process (all)")
    if not processes:
        return
    group.add_argument(
        "--distributed", action="store_true",
        help="one of several processes started by Slurm, Open MPI, Kubernetes or on a TPU pod",
    )  # fmt: skip
    group.add_argument(
        "--coordinator", metavar="HOST:PORT",
        help="elsewhere: where process 0 runs, and a free port of it",
    )  # fmt: skip
    group.add_argument("--processes", type=numbers.integer, metavar="P", help="how many there are")
    group.add_argument(
        "--process", type=numbers.integer, metavar="I", help="which of them this is, from 0"
    )
    group.add_argument(
        "--connect-timeout", type=numbers.real, default=300, metavar="SECONDS",
        help="how long to wait for the others (300)",
    )  # fmt: skip


def add_engine(sub: Parser, what: str, jobs: str) -> None:
    """The options of `engine`.

    Args:
      sub: the parser.
      what: is shared among processes, in the plural.
      jobs: what their number is without --jobs.
    """
    group = sub.add_argument_group(
        "engine", f"Processes that share the {what}; the numbers do not depend on how many."
    )
    group.add_argument(
        "--jobs", type=numbers.integer, metavar="J", help=f"processes of this machine ({jobs})"
    )
    group.add_argument(
        "--engine", choices=choosing.ENGINES, default="local",
        help="dask: the workers of a Dask scheduler, on any machines (local)",
    )  # fmt: skip
    group.add_argument(
        "--scheduler", metavar="ADDRESS|FILE", help="of Dask: HOST:PORT, or the file it has written"
    )


def check_alone(arguments: argparse.Namespace) -> None:
    """ValueError for options of several devices or processes that an engine does not share."""
    given = vars(arguments)
    options = {f"--{name}": given.get(name) for name in ("devices", "distributed", "coordinator")}
    wrong = [option for option, value in options.items() if value not in (None, False)]
    if arguments.engine != "local" and wrong:
        raise ValueError(f"{wrong[0]} must be left out with --engine {arguments.engine}")


def engine(
    arguments: argparse.Namespace, jobs: int | None = None, memory: float | None = None
) -> Engine | None:
    """What runs the tasks, None for this process; see `choosing.chosen`.

    Args:
      arguments: with the options of `add_engine`.
      jobs: processes of this machine that are to be taken with "local"; None for this one.
      memory: bytes that a task takes, if given.
    """
    asked = jobs if arguments.engine == "local" else arguments.jobs
    return choosing.chosen(arguments.engine, arguments.scheduler, asked, memory)


def check_seed(arguments: argparse.Namespace) -> None:
    """ValueError unless --seed is in its range."""
    check_integer("--seed", arguments.seed, low=0, high=MAX_SEED)


def check_draws(arguments: argparse.Namespace) -> None:
    """ValueError unless --draws, if given, is in its range."""
    if arguments.draws is not None:
        check_integer("--draws", arguments.draws, high=MAX_DRAWS)


def check_level(arguments: argparse.Namespace) -> None:
    """ValueError unless --level may be that of one test; its parts are checked where they are."""
    checked_level(arguments.level, name="--level")


def settings_of(texts: Sequence[str]) -> dict[str, str]:
    """NAME → VALUE of --set."""
    settings = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not (name and equals and value):
            raise ValueError(f"--set must be NAME=VALUE, got {shown(text)}")
        if name in settings:
            raise ValueError(f"--set must name a parameter once, got {shown(name)} twice")
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
        found = float(numbers.read(option, low, float)), float(numbers.read(option, high, float))
    except ValueError:
        found = math.nan, math.nan
    if not (name and colon and found[0] <= found[1]):
        raise ValueError(
            f"{option} must be NAME=LOW:HIGH with numbers LOW ≤ HIGH, got {shown(text)}"
        )
    return name, *found


class Output:
    """The directory of --out, if one was asked for, and whether all could be written there.

    A file that cannot be written is no reason to lose what is printed.
    """

    def __init__(self, directory: str | None, *names: str):
        """Tries it; ValueError if none of the files could be written there."""
        self.path = None if directory is None else writing.directory("--out", directory, *names)
        self.failed = False

    def check_new(self, what: str, *names: str) -> None:
        """ValueError where there are such files, or folders that are not empty, already."""
        for path in [self.path / name for name in names] if self.path is not None else []:
            if reading.exists(path) and not (path.is_dir() and not reading.names(path)):
                raise ValueError(f"--out holds {what} already, {path}; --force replaces them")

    def write(self, name: str, write: Callable[[pathlib.Path], object]) -> pathlib.Path | None:
        """Has a file written, a failure told once; where it is, None if it is not there."""

        def written(directory: pathlib.Path) -> pathlib.Path:
            write(directory / name)
            return directory / name

        return self.call(name, written)

    def call(self, name: str, write: Callable[[pathlib.Path], T]) -> T | None:
        """Has a file of this name written into the directory; what that returns, None if it fails.

        A failure is told once.
        """
        if self.path is None:
            return None
        try:
            return write(self.path)
        except OSError as error:
            if not self.failed:
                streams.say(f"{self.path / name} cannot be written: {writing.why(error)}")
            self.failed = True
            return None

    def write_json(self, name: str, content: Json) -> pathlib.Path | None:
        """Writes JSON so."""
        return self.write(name, lambda path: writing.replace_json(path, content))

    def status(self, refuted: bool) -> int:
        """The command's: 1 for what is refuted, whatever was written."""
        return 1 if refuted else 2 if self.failed else 0


def safe_words(place: Store, of: str = "") -> str:
    """What an interrupt says of a store."""
    total = sum(1 for _ in place.cells())
    done = len(place.finished())
    return (
        f"interrupted; the {counted(done, 'finished cell')} of {total}{of} "
        f"{'is' if done == 1 else 'are'} safe in {place.directory}: go on with --resume"
    )
