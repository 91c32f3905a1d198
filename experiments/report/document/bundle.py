"""Stored results as one archive for others: an RO-Crate in a ZIP file.

    ro-crate-metadata.json   what each file is, and which command made it, as RO-Crate 1.1
    report.html              the report
    results/K-NAME/…         the directories, as they are, without locks and what is in making
    commands.txt             the commands that make it again
    checksums.sha256         of all other files, for `sha256sum -c`

Of the same directories, on the same day, it is the same to the last byte.
"""

import contextlib
import datetime
import hashlib
import json
import os
import pathlib
import stat
import urllib.parse
import zipfile
from collections.abc import Iterator, Sequence
from typing import BinaryIO, NamedTuple

from experiments.files import reading
from experiments.files.strict_json import Record
from experiments.report.document import page
from experiments.report.document.contents import Report
from experiments.report.document.gathering import anchor

METADATA, CHECKSUMS = "ro-crate-metadata.json", "checksums.sha256"
CONFORMS = "https://w3id.org/ro/crate/1.1"
CHUNK = 2**20
FORMATS = {
    ".json": "application/json", ".npz": "application/zip", ".csv": "text/csv",
    ".md": "text/markdown",
    ".png": "image/png", ".svg": "image/svg+xml", ".pdf": "application/pdf", ".html": "text/html",
    ".txt": "text/plain", ".py": "text/x-python", ".parquet": "application/vnd.apache.parquet",
}  # fmt: skip
LOCKS = "claims"  # a folder of stores that holds no results
SAYS = {
    "verdicts.json": "verdicts of statements, with all that is needed to repeat them",
    "falsified.json": "what a search for counterexamples found",
    "sweep.json": "what a sweep or figure was computed of: parameters, grid, seed, code",
    "cells.csv": "the finished cells of a sweep, one in a row",
    "report.html": "the report on these results",
    "commands.txt": "the commands that make these results again",
}


class Member(NamedTuple):
    """A file of the archive: its name there, its size, and its SHA-256."""

    name: str
    size: int
    sha256: str


def write(file: BinaryIO, report: Report, directories: Sequence[str], day: datetime.date) -> None:
    """Writes the archive.

    Args:
      file: open for writing.
      report: on the directories.
      directories: those that `gathering.gather` has read.
      day: of publication, which an RO-Crate must state.

    Raises:
      Unreadable: for a file that the system does not give.
    """
    places = {name: f"results/{k}-{_folder(name)}" for k, name in enumerate(directories)}
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        members = [
            _add_text(archive, "report.html", page.html(report)),
            _add_text(archive, "commands.txt", "".join(f"{one}\n" for one in _commands(report))),
        ]
        for name, place in places.items():
            for path in _files(pathlib.Path(name)):
                inside = path.relative_to(name).as_posix()
                members.append(_add_file(archive, f"{place}/{inside}", path))
        metadata = _metadata(report, members, places, day)
        members.append(_add_text(archive, METADATA, json.dumps(metadata, indent=2) + "\n"))
        sums = "".join(f"{one.sha256}  {one.name}\n" for one in members)
        _add_text(archive, CHECKSUMS, sums)


def _folder(name: str) -> str:
    return anchor(pathlib.Path(name).resolve().name) or "results"


def _commands(report: Report) -> list[str]:
    return [run.command for run in report.runs] + [one.command for one in report.sections]


def _files(place: pathlib.Path) -> Iterator[pathlib.Path]:
    """Plain files below a directory, in order: no links, no locks, nothing hidden, no archives."""
    for name in reading.names(place):
        path = place / name
        with contextlib.suppress(FileNotFoundError):  # a cell that has been finished meanwhile
            kind = path.lstat().st_mode
            if stat.S_ISDIR(kind) and name != LOCKS:
                yield from _files(path)
            elif stat.S_ISREG(kind) and not name.endswith(".zip"):
                yield path


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name)  # of 1980: the same bytes whenever it is written
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = 0o644 << 16
    return entry


def _add_text(archive: zipfile.ZipFile, name: str, text: str) -> Member:
    data = text.encode(errors="backslashreplace")
    archive.writestr(_entry(name), data)
    return Member(name, len(data), hashlib.sha256(data).hexdigest())


def _add_file(archive: zipfile.ZipFile, name: str, path: pathlib.Path) -> Member:
    digest, size = hashlib.sha256(), 0
    with reading.opened(path) as source, archive.open(_entry(name), "w", force_zip64=True) as into:
        while chunk := source.read(CHUNK):
            digest.update(chunk)
            size += len(chunk)
            into.write(chunk)
    return Member(name, size, digest.hexdigest())


# --- metadata -------------------------------------------------------------------------------------


def _metadata(
    report: Report, members: Sequence[Member], places: dict[str, str], day: datetime.date
) -> Record:
    """What RO-Crate 1.1 asks for: the crate, its files, the software, and what was done."""
    software = _software(report)
    actions = _actions(report, members, places, [one["@id"] for one in software])
    root = {
        "@id": "./",
        "@type": "Dataset",
        "name": report.title,
        "description": page.summary(report),
        "datePublished": day.isoformat(),
        "license": "not stated by who made this crate",
        "hasPart": [{"@id": _address(one.name)} for one in members] + [{"@id": CHECKSUMS}],
        "mentions": [{"@id": one["@id"]} for one in actions],
    }
    descriptor = {
        "@id": METADATA,
        "@type": "CreativeWork",
        "conformsTo": {"@id": CONFORMS},
        "about": {"@id": "./"},
    }
    sums = {
        "@id": CHECKSUMS, "@type": "File", "name": CHECKSUMS, "encodingFormat": "text/plain",
        "description": "SHA-256 of all other files, for sha256sum -c",
    }  # fmt: skip
    graph = [descriptor, root, *map(_file, members), sums, *software, *actions]
    return {"@context": f"{CONFORMS}/context", "@graph": graph}


def _address(name: str) -> str:
    """A file's name as an identifier, which may hold no spaces and the like."""
    return urllib.parse.quote(name, safe="/=,+@~$!*'();:")


def _file(member: Member) -> Record:
    base = member.name.rsplit("/", 1)[-1]
    kind = FORMATS.get(pathlib.PurePosixPath(base).suffix, "application/octet-stream")
    found = {
        "@id": _address(member.name), "@type": "File", "name": base, "encodingFormat": kind,
        "contentSize": str(member.size), "sha256": member.sha256,
    }  # fmt: skip
    if base.endswith(".counterexample.json"):
        return found | {"description": "a counterexample: widetheory check, widetheory replay"}
    return found | ({"description": SAYS[base]} if base in SAYS else {})


def _software(report: Report) -> list[Record]:
    """The packages whose versions the runs state."""
    found = {}
    for run in report.runs:
        for name, version in run.stored["environment"]["versions"].items():
            id = f"#{anchor(name, version)}"
            found[id] = {
                "@id": id, "@type": "SoftwareApplication", "name": name, "softwareVersion": version,
            }  # fmt: skip
    return list(found.values())


def _actions(
    report: Report, members: Sequence[Member], places: dict[str, str], software: Sequence[str]
) -> list[Record]:
    """What was done, with which command, and what came of it."""
    done = [(run.place, run.command) for run in report.runs]
    done += [(section.place, section.command) for section in report.sections]
    return [
        {
            "@id": f"#action-{number}",
            "@type": "CreateAction",
            "name": command.split()[1] if len(command.split()) > 1 else command,
            "description": command,
            "instrument": [{"@id": id} for id in software],
            "result": [
                {"@id": _address(one.name)}
                for one in members
                if one.name.startswith(f"{places[place]}/")
            ],
        }
        for number, (place, command) in enumerate(done)
    ]


def today() -> datetime.date:
    """The day, or that of SOURCE_DATE_EPOCH, as of anything that is to be built again."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH", "")
    now = datetime.datetime.now(datetime.UTC)
    return (
        datetime.datetime.fromtimestamp(int(epoch), datetime.UTC) if epoch.isdigit() else now
    ).date()
