"""`widetheory check` and `replay`."""

import argparse
from collections.abc import Mapping
from typing import Any

from experiments.certificates import bundles, check, exact, replay
from experiments.command.verbs import NAME, add_verb
from experiments.files.strict_json import Record
from experiments.machine import streams
from experiments.settings.references import find_one

LONGEST = 2000  # characters of a line, which may show names of a stranger


def add(commands: Any) -> None:
    """The verbs with their options."""
    sub = add_verb(commands, "check", _check)
    sub.add_argument("files", nargs="+", metavar="FILE", help="certificates, or bundles of report")
    sub = add_verb(commands, "replay", _replay)
    sub.add_argument("file", metavar="FILE", help="a certificate, or a bundle of report")
    sub.add_argument(
        "statement", nargs="?", default="", metavar=NAME,
        help="which statement it is about (that of the registry which the file names)",
    )  # fmt: skip


def _check(arguments: argparse.Namespace) -> int:
    return check.main(arguments.files)


def _replay(arguments: argparse.Namespace) -> int:
    if bundles.is_bundle(arguments.file):
        return _replay_bundle(arguments.file, arguments.statement)
    found = replay.replay(check.read(arguments.file), arguments.statement)
    for line in found.lines:
        print(bundles.printable(line, LONGEST))
    return 0 if found.agrees else 1


def _replay_bundle(path: str, statement: str) -> int:
    """The same of every certificate in a bundle; where a statement is named, of those about it."""
    try:
        inside = bundles.read(path).certificates
    except exact.Refused as error:
        raise ValueError(f"{path}: {error}") from error
    places = {f"{path}: {bundles.printable(name)}": data for name, data in inside}
    if not places:
        raise ValueError(f"FILE must hold a certificate, got {path} without any")
    contents, statuses = {}, {0}
    for place, data in places.items():
        try:
            contents[place] = check.parse(data, place)
        except ValueError as error:  # the others are no worse for it
            streams.say(str(error))
            statuses.add(2)
    if statement:
        contents = _about(contents, find_one(statement).statement.id)
    for place, content in contents.items():
        try:
            found = replay.replay(content, statement)
        except ValueError as error:
            streams.say(f"{place}: {error}")
            statuses.add(2)
            continue
        for line in found.lines:
            print(f"{place}: {bundles.printable(line, LONGEST)}")
        statuses.add(0 if found.agrees else 1)
    return 1 if 1 in statuses else max(statuses)


def _about(contents: Mapping[str, Record], id: str) -> dict[str, Record]:
    """Certificates about a statement; ValueError if there are none."""
    named = {place: _named(content) for place, content in contents.items()}
    if id not in named.values():
        known = ", ".join(sorted(set(filter(None, named.values())))) or "none"
        raise ValueError(
            f"{NAME} must be a statement that the bundle has certificates of, {known}; got {id!r}"
        )
    return {place: content for place, content in contents.items() if named[place] == id}


def _named(content: Record) -> str:
    """Which statement a certificate is about, "" for none."""
    about = content.get("statement")
    return bundles.printable(str(about.get("id") or "")) if isinstance(about, dict) else ""
