"""Directories of stored results, read into a report. No statement and no figure is imported."""

import dataclasses
import pathlib
import re
import shlex
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from experiments.files import reading, seals
from experiments.files.reading import Malformed
from experiments.files.strict_json import Json, Record
from experiments.report.document.contents import (
    Entry,
    Fact,
    Report,
    Run,
    Section,
    Table,
    data_of,
    environment_facts,
    limits_text,
    shown,
    with_unit,
)
from experiments.report.words import number_text
from experiments.results import schemas, tables
from experiments.results.contents import MADE
from experiments.results.draws import load_draws
from experiments.results.records import read_verdicts
from experiments.results.store import MANIFEST, Store, open_store

VERDICTS, SEARCH = "verdicts.json", "falsified.json"
MOST_ROWS = 200  # of a table of cells; of more only those that are not consistent
LARGEST_PICTURE = 2**21  # bytes


def gather(directories: Sequence[str], title: str) -> Report:
    """What some directories hold.

    Args:
      directories: with what `verify`, `sweep`, `figure` or `falsify` has stored.
      title: of the report.

    Raises:
      Unreadable: where the system does not give a file.
      ValueError: for a directory without any results, or whose files are damaged.
    """
    runs: list[Run] = []
    sections: list[Section] = []
    for name in directories:
        place, before, first = pathlib.Path(name), len(runs) + len(sections), len(sections)
        if reading.exists(place / VERDICTS):
            runs.append(_run(name, len(runs)))
        if reading.exists(place / MANIFEST):
            sections.append(_sweep(open_store(place), len(sections)))
        if reading.exists(place / SEARCH):
            sections.append(_search(place / SEARCH, len(sections)))
        sections += _figures(place, len(sections))
        sections[first:] = [dataclasses.replace(one, place=name) for one in sections[first:]]
        if len(runs) + len(sections) == before:
            what = (
                f"there are none in {name or '.'}" if place.is_dir() else f"{name} is no directory"
            )
            raise ValueError(f"DIR must hold results of verify, sweep, figure or falsify: {what}")
    return Report(title, runs, sections)


def anchor(*parts: object) -> str:
    """An identifier of HTML and of addresses: letters, digits and hyphens."""
    return re.sub(r"[^A-Za-z0-9]+", "-", " ".join(map(str, parts))).strip("-").lower()


# --- verify ---------------------------------------------------------------------------------------


def _run(name: str, number: int) -> Run:
    place = pathlib.Path(name)
    content = read_verdicts(place / VERDICTS)
    entries = [
        _entry(place, entry, content, anchor("s", number, k, entry["id"]))
        for k, entry in enumerate(content["statements"])
    ]
    return Run(name, command(content["argv"]), content, entries)


def _entry(place: pathlib.Path, entry: Record, content: Record, name: str) -> Entry:
    kept, draws, missing = entry["kept_draws"], None, ""
    if kept is not None:
        try:
            draws = load_draws(_below(place, kept["file"]), kept["sha256"])
        except ValueError as error:  # the verdict stands without them
            missing = str(error)
    return Entry(name, entry, _again(entry, content["asked"]), draws, missing)


def _below(place: pathlib.Path, name: str) -> pathlib.Path:
    """The file; ValueError for a name that leads out of the directory."""
    path = place / name
    if not path.resolve().is_relative_to(place.resolve()):
        raise ValueError(f"{name} must be below {place}")
    return path


def _again(entry: Record, asked: Mapping[str, Json]) -> str:
    """The command that makes the draws of one statement again, in its default setting."""
    words = ["verify", entry["reference"] or entry["id"], "--seed", str(entry["seed"])]
    words += [
        "--until" if entry["anytime"] else "--draws",
        str(asked.get("until") or entry["draws"]),
    ]
    data = asked.get("data") or data_of(entry)
    words += ["--data", str(data)] if data else []
    for setting in asked.get("settings") or ():
        words += ["--set", str(setting)]
    words += ["--precision", "float32"] if asked.get("precision") == "float32" else []
    return command(words)


def command(words: Sequence[str]) -> str:
    """A command line that a shell reads as these words."""
    return shlex.join(["widetheory", *words])


# --- sweep ----------------------------------------------------------------------------------------


def _sweep(store: Store, number: int) -> Section:
    manifest = store.manifest
    if "grid" not in manifest:
        raise ValueError(
            f"{store.directory} holds the cells of a figure; name the figure's directory"
        )
    found = [(cell, record["verdict"]) for cell, record in tables.rows(store)]
    failures = store.failures()
    total = sum(1 for _ in store.cells())
    counts = Counter(verdict["verdict"] for _, verdict in found)
    facts = [
        Fact("grid", "; ".join(_axis(name, axis) for name, axis in manifest["grid"].items())),
        Fact("cells", f"{len(found)} of {total} finished, {len(failures)} failed"),
        Fact("draws of each cell", f"{manifest['draws']:,}"),
        Fact("seed", str(manifest["seed"])),
        Fact("level of all cells together", number_text(manifest["level"])),
        Fact("other parameters", _settings(manifest["config"]) or "none"),
        Fact("code", f"SHA-256 {manifest['code'].get('sha256', 'not stated')}"),
        *_first_environment(store),
    ]
    errors = tuple(f"{name} failed: {one['error']}" for name, one in list(failures.items())[:5])
    erratum = manifest["erratum"]
    words = (*([f"A known erratum: docs/errata.md#{erratum}"] if erratum else []), *errors)
    title = f"{manifest['statement']} over {', '.join(manifest['grid'])}"
    return Section(
        anchor("sweep", number, manifest["statement"]), "sweep", title, facts,
        command(_sweep_words(store)), words, _cells(found, tuple(manifest["grid"])), counts=counts,
    )  # fmt: skip


def _axis(name: str, axis: Record) -> str:
    unit = "" if axis["unit"] == "1" else f" {axis['unit']}"
    values = ", ".join(map(shown, axis["values"]))
    return f"{name} ({axis['says']}{unit}) = {values}"


def _settings(config: Mapping[str, Json]) -> str:
    return ", ".join(f"{name} = {shown(value)}" for name, value in config.items())


def _first_environment(store: Store) -> Iterator[Fact]:
    for name in sorted(store.finished())[:1]:
        yield from environment_facts(store.read(name).record["environment"])


def _sweep_words(store: Store) -> list[str]:
    manifest = store.manifest
    words = ["sweep", manifest["statement"]]
    for name, axis in manifest["grid"].items():
        words += ["--grid", f"{name}={','.join(_plain(v) for v in axis['values'])}"]
    words += ["--draws", str(manifest["draws"]), "--seed", str(manifest["seed"])]
    words += ["--level", _plain(manifest["level"])]
    for name, value in manifest["config"].items():
        if name == "data":
            words += ["--data", _plain(value.get("name") if isinstance(value, dict) else value)]
        else:
            words += ["--set", f"{name}={_plain(value)}"]
    if manifest.get("precision") == "float32":
        words += ["--precision", "float32"]
    return [*words, "--out", str(store.directory)]


def _plain(value: Json) -> str:
    return ",".join(map(_plain, value)) if isinstance(value, list) else str(value)


def _cells(found: Sequence[tuple[Mapping[str, Json], Record]], axes: tuple[str, ...]) -> Table:
    chosen = [one for one in found if len(found) <= MOST_ROWS or one[1]["verdict"] != "consistent"]
    rows = [
        (*(shown(cell[axis]) for axis in axes), *_of_verdict(verdict))
        for cell, verdict in chosen[:MOST_ROWS]
    ]
    columns = (*axes, "verdict", "hypotheses met", "measured", "claimed", "smallest margin")
    return Table(columns, rows, len(found) - len(rows))


def _of_verdict(verdict: Record) -> tuple[str, str, str, str, str]:
    met = min((one["met"] for one in verdict["hypotheses"].values()), default=verdict["draws"])
    measured, claimed = "not tested", ""
    if verdict["estimates"]:
        one = verdict["estimates"][0]
        measured = limits_text(one)
        claimed = f"{one['name']} {one['side']} {number_text(one['claimed'])}"
    elif (rate := verdict["failure_rate"]) is not None:
        measured = limits_text(rate)
        claimed = (
            "never" if verdict["kind"] == "deterministic" else f"≤ {number_text(rate['allowed'])}"
        )
    margin = with_unit(verdict["tightest_margin"], verdict["unit"])
    return verdict["verdict"], f"{met:,} of {verdict['draws']:,}", measured, claimed, margin


# --- falsify --------------------------------------------------------------------------------------


def _search(path: pathlib.Path, number: int) -> Section:
    content = seals.load(path, schemas.SEARCHED, "falsify")
    rows, words = [], []
    for one in content["statements"]:
        found = "proved" if one["proved"] else "found, not proved" if one["conditions"] else "none"
        file = one["file"] or "–"
        rows.append(
            (
                one["id"],
                one["verdict"],
                found,
                f"{one['evaluations']:,}",
                f"{one['tested']:,}",
                file,
            )
        )
        words.append(f"{one['id']}: {one['reason']}.{_margins(one['conditions'])}")
    columns = (
        "statement",
        "verdict",
        "counterexample",
        "candidates",
        "with hypotheses",
        "certificate",
    )
    facts = [
        Fact(name, shown(content["asked"][name]))
        for name in ("seed", "over", "settings", "data", "budget", "evaluations", "level")
        if content["asked"].get(name) not in (None, [])
    ]
    facts += environment_facts(content["environment"])
    counts = Counter(one["verdict"] for one in content["statements"])
    return Section(
        anchor("search", number), "search", "Search for counterexamples", facts,
        command(content["argv"]), tuple(words), Table(columns, rows), counts=counts,
    )  # fmt: skip


def _margins(conditions: Sequence[Record] | None) -> str:
    """Margins of a counterexample in words."""
    if not conditions:
        return ""
    parts = [
        f"{one['name']} {with_unit(one['margin'], one['unit'])} ± {number_text(one['error'])}"
        + (f", enclosed in {one['enclosure']}" if one["enclosure"] else "")
        for one in conditions
    ]
    return f" Margins: {'; '.join(parts)}."


# --- figure ---------------------------------------------------------------------------------------


def _figures(place: pathlib.Path, number: int) -> Iterator[Section]:
    for name in reading.names(place):
        if name.endswith(".cells") and reading.exists(place / f"{name[:-6]}.json"):
            yield _figure(place, name[:-6], number)
            number += 1


def _figure(place: pathlib.Path, name: str, number: int) -> Section:
    path = place / f"{name}.json"
    content = seals.load(path, MADE, "figure")
    manifest = content["manifest"]
    facts = [
        Fact("source", content["source"]),
        Fact("preset", content["preset"]),
        Fact("seed", str(manifest["seed"])),
        Fact("cells", f"{len(manifest['cells']):,}, {content['seconds']:.0f} s of computing"),
        Fact("settings", _settings(manifest["settings"])),
        Fact("code", f"SHA-256 {manifest['code'].get('sha256', 'not stated')}"),
        *environment_facts(content["environments"][0] if content["environments"] else {}),
    ]
    words = ["figure", name, "--preset", content["preset"], "--seed", str(manifest["seed"])]
    for changed in content["changed"]:
        value = manifest["settings"].get(changed)
        known = value.get("name") if isinstance(value, dict) else value
        option = (
            ["--data", _plain(known)]
            if changed == "data"
            else ["--set", f"{changed}={_plain(known)}"]
        )
        words += option
    words += (
        ["--precision", str(manifest["precision"])]
        if manifest.get("precision") == "float64"
        else []
    )
    caption = tuple(part for part in content["caption"].split("\n\n") if part)
    picture, why = _picture(place / f"{name}.png")
    return Section(
        anchor("figure", number, name), "figure", content["figure"], facts,
        command([*words, "--out", str(place)]), (*caption, *why), picture=picture,
    )  # fmt: skip


def _picture(path: pathlib.Path) -> tuple[bytes | None, list[str]]:
    try:
        return reading.content(path, LARGEST_PICTURE), []
    except (Malformed, reading.Unreadable) as error:
        return None, [f"{path.name} is left out: {error}"]
