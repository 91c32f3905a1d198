"""`widetheory report`."""

import argparse
import pathlib
from collections.abc import Callable
from typing import Any

from experiments.command import common
from experiments.command.verbs import add_verb
from experiments.files import reading, writing

FORMATS = {"html": "html", "markdown": "md", "latex": "tex"}  # format → suffix


def add(commands: Any) -> None:
    """The verb with its options."""
    sub = add_verb(commands, "report", _report)
    sub.add_argument(
        "directories", nargs="+", metavar="DIR", help="results of verify, sweep, figure or falsify"
    )
    sub.add_argument("--format", choices=list(FORMATS), default="html", help="of the report (html)")
    sub.add_argument(
        "--out", metavar="FILE", help="where it is written (report.html in the first DIR)"
    )
    sub.add_argument("--title", default="Theorems, checked numerically", help="of the report")
    sub.add_argument(
        "--bundle",
        metavar="FILE.zip",
        help="in place of a report alone an archive: the report, the results and their checksums",
    )
    sub.add_argument("--force", action="store_true", help="replace the file, if there is one")


def _report(arguments: argparse.Namespace) -> int:
    from experiments.report.document import gathering

    if not arguments.title.strip():
        raise ValueError(f"--title must hold a word, got {arguments.title!r}")
    places = [pathlib.Path(name).resolve() for name in arguments.directories]
    if len(set(places)) < len(places):
        raise ValueError("DIR must be given once, got one of them twice")
    if arguments.bundle is not None:
        return _bundle(arguments)
    suffix = FORMATS[arguments.format]
    default = pathlib.Path(arguments.directories[0]) / f"report.{suffix}"
    path = default if arguments.out is None else pathlib.Path(arguments.out)
    _check_new("--out", path, arguments)
    found = gathering.gather(arguments.directories, arguments.title)
    text = _written(arguments.format)(found)
    out = common.Output(str(path.parent), path.name)
    if out.write(path.name, lambda place: writing.replace(place, lambda f: f.write(_bytes(text)))):
        print(path)
    return out.status(refuted=False)


def _bundle(arguments: argparse.Namespace) -> int:
    """The archive of --bundle."""
    from experiments.report.document import bundle, gathering

    path = pathlib.Path(arguments.bundle)
    for option in ("out", "format"):
        if getattr(arguments, option) not in (None, "html"):
            raise ValueError(f"--{option} must be left out with --bundle, whose report is HTML")
    names = [str(pathlib.Path(name)) for name in arguments.directories]
    _check_new("--bundle", path, arguments)
    found = gathering.gather(names, arguments.title)
    out = common.Output(str(path.parent), path.name)
    day = bundle.today()
    written = out.write(
        path.name,
        lambda place: writing.replace(place, lambda f: bundle.write(f, found, names, day)),
    )
    if written:
        print(path)
    return out.status(refuted=False)


def _check_new(option: str, path: pathlib.Path, arguments: argparse.Namespace) -> None:
    if path.is_dir():
        raise ValueError(f"{option} must be a file that can be written, got the directory {path}")
    if reading.exists(path) and not arguments.force:
        raise ValueError(f"{option} holds a report already, {path}; --force replaces it")


def _bytes(text: str) -> bytes:
    """Names of files may hold what is no text."""
    return text.encode(errors="backslashreplace")


def _written(format: str) -> Callable[[Any], str]:
    if format == "html":
        from experiments.report.document import page

        return page.html
    from experiments.report.document import texts

    return texts.markdown if format == "markdown" else texts.latex
