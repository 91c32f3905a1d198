"""What a report says, as plain values: the same for HTML, Markdown and LaTeX."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from experiments.files.strict_json import Json, Record
from experiments.report.words import number_text
from experiments.results.draws import Draws


class Fact(NamedTuple):
    """One line: what it is, and its value."""

    name: str
    value: str


class Condition(NamedTuple):
    """A hypothesis, or something measured beside them, over the draws."""

    name: str
    role: str
    says: str
    met: int
    failed: int
    draws: int
    margin: str
    ratio: str
    stage: str


@dataclasses.dataclass(frozen=True)
class Entry:
    """A statement with its verdict.

    Attributes:
      anchor: unique in the report, what an address may hold.
      stored: the entry of verdicts.json.
      draws: what was measured in each draw, None where that was not kept.
      missing: why kept draws cannot be shown, "" where nothing is wrong.
      command: what makes the same draws again.
    """

    anchor: str
    stored: Record
    command: str
    draws: Draws | None = None
    missing: str = ""

    @property
    def name(self) -> str:
        """Identifier, data set and case."""
        parts = [self.stored["id"], *(f"on {d}" for d in [data_of(self.stored)] if d)]
        return " ".join(parts) + (f" ({self.stored['case']})" if self.stored["case"] else "")

    @property
    def verdict(self) -> str:
        """In one word; a known erratum that is refuted is "erratum"."""
        erratum = self.stored["documented_erratum"] is not None
        return (
            "erratum" if erratum and self.stored["verdict"] == "refuted" else self.stored["verdict"]
        )

    def conditions(self) -> list[Condition]:
        """Hypotheses, then what was measured beside them."""
        found = []
        for role, key in (("hypothesis", "hypotheses"), ("measured", "measured")):
            for name, one in self.stored[key].items():
                ratio = one["ratio"]
                found.append(
                    Condition(
                        name, role, one["says"], one["met"], one["failed"], self.stored["draws"],
                        with_unit(one["tightest_margin"], one["unit"]),
                        "" if ratio is None else number_text(ratio[1]),
                        one["stage"] or "everything",
                    )
                )  # fmt: skip
        return found

    def facts(self) -> list[Fact]:
        """Numbers that a reviewer asks for first."""
        stored = self.stored
        facts = [Fact("draws", f"{stored['draws']:,}")]
        if stored["distinct"] not in (None, stored["draws"]):
            facts.append(Fact("distinct instances", f"{stored['distinct']:,}"))
        rate = stored["failure_rate"]
        if rate is not None:
            allowed = "0" if stored["kind"] == "deterministic" else number_text(rate["allowed"])
            facts += [
                Fact("failures", f"{rate['failures']:,} of {rate['trials']:,} trials"),
                Fact("failure rate", limits_text(rate)),
                Fact("allowed", allowed),
            ]
        if stored["detectable"] is not None:
            what = "distance" if stored["kind"] == "law" else "failure rate"
            shown = f"a {what} of {number_text(stored['detectable'])}"
            facts.append(Fact("would have shown", shown))
        if stored["tightest_margin"] is not None:
            facts.append(
                Fact("smallest margin", with_unit(stored["tightest_margin"], stored["unit"]))
            )
        if stored["tightness"] is not None:
            facts.append(Fact("bound over observed (tightness)", number_text(stored["tightness"])))
        if stored["constant"] is not None:
            low, high = (number_text(stored["constant"][end]) for end in ("smallest", "largest"))
            facts.append(
                Fact("open constant", f"no draw contradicts C = {low}, tested up to {high}")
            )
        return facts

    def estimates(self) -> list[Sequence[str]]:
        """Claim, measured value, limits, verdict, method of each claim about a quantity."""
        sides = {"equal": "=", "at most": "≤", "at least": "≥"}
        rows = []
        for one in self.stored["estimates"]:
            within = f" ± {number_text(one['tolerance'])}" if one["tolerance"] else ""
            claim = f"{one['name']} {sides[one['side']]} {number_text(one['claimed'])}{within}"
            limits = f"[{number_text(one['low'])}, {number_text(one['high'])}]"
            rows.append(
                (claim, number_text(one["observed"]), limits, one["verdict"], one["method"])
            )
        return rows

    def remarks(self) -> list[Fact]:
        """Caveat, erratum, why a bound is loose, notes, and which errors are estimates."""
        stored = self.stored
        found = [Fact("caveat", stored["caveat"])] if stored["caveat"] else []
        if stored["documented_erratum"] is not None:
            found.append(Fact("known erratum", f"docs/errata.md#{stored['documented_erratum']}"))
        if stored["loose"]:
            found.append(Fact("why the bound is loose", stored["loose"]))
        found += [Fact("note", note) for note in stored["notes"]]
        if stored["estimated"]:
            found.append(Fact("numerical errors are estimated of", ", ".join(stored["estimated"])))
        if self.missing:
            found.append(Fact("draws cannot be shown", self.missing))
        return found

    def settings(self) -> list[tuple[str, str, str, str]]:
        """Name, value, unit and meaning of each parameter."""
        config = self.stored["config"]
        if not isinstance(config, Mapping):
            return [] if config is None else [("configuration", shown(config), "", "")]
        known = self.stored["parameters"]
        rows = []
        for name, value in config.items():
            about = known.get(name, {"unit": "", "says": ""})
            unit = "" if about["unit"] == "1" else about["unit"]
            rows.append((name, shown(value), unit, about["says"]))
        return rows


class Table(NamedTuple):
    """Cells of a sweep, or what else is a table: columns, rows, and how many rows are left out."""

    columns: tuple[str, ...]
    rows: list[tuple[str, ...]]
    left_out: int = 0


@dataclasses.dataclass(frozen=True)
class Section:
    """What one directory holds beside verdicts of statements: a sweep, a figure, or a search.

    Attributes:
      anchor, kind, title: "sweep", "figure" or "search".
      facts: about all of it.
      words: paragraphs.
      table: its cells or findings.
      picture: of a figure, as PNG.
      command: what makes it again.
      counts: verdict → how many, of those that a summary counts.
      place: the directory.
    """

    anchor: str
    kind: str
    title: str
    facts: list[Fact]
    command: str
    words: tuple[str, ...] = ()
    table: Table | None = None
    picture: bytes | None = None
    counts: Mapping[str, int] = dataclasses.field(default_factory=dict)
    place: str = ""


@dataclasses.dataclass(frozen=True)
class Run:
    """One run of `verify`: how it came about, its statements, and what did not run."""

    place: str
    command: str
    stored: Record
    entries: list[Entry]

    def facts(self) -> list[Fact]:
        """Seed, preset, level, keys, versions and devices."""
        asked, machine = self.stored["asked"], self.stored["environment"]
        facts = [
            Fact(name, shown(asked[name]))
            for name in ("preset", "seed", "level", "data", "precision")
            if asked.get(name) is not None
        ]
        if asked.get("settings"):
            facts.append(Fact("settings", ", ".join(asked["settings"])))
        facts += [Fact(f"key of each {name}", how) for name, how in self.stored["keys"].items()]
        return facts + environment_facts(machine)


@dataclasses.dataclass(frozen=True)
class Report:
    """All of it."""

    title: str
    runs: list[Run]
    sections: list[Section]

    @property
    def entries(self) -> list[Entry]:
        """Of all runs."""
        return [entry for run in self.runs for entry in run.entries]


def environment_facts(machine: Mapping[str, Json]) -> list[Fact]:
    """Versions and devices."""
    versions = machine.get("versions", {})
    devices = machine.get("devices", [])
    facts = [Fact("versions", ", ".join(f"{name} {v}" for name, v in versions.items()))]
    if devices:
        facts.append(
            Fact("devices", f"{len(devices)} × {devices[0]} ({machine.get('backend', '')})")
        )
    for name in ("platform", "precision", "generator", "matmul_precision"):
        if machine.get(name):
            facts.append(Fact(name.replace("_", " "), shown(machine[name])))
    return facts


def limits_text(one: Mapping[str, Json]) -> str:
    """The measured value with its confidence limits."""
    low, high = number_text(one["low"]), number_text(one["high"])
    return f"{number_text(one['observed'])} [{low}, {high}]"


def data_of(stored: Mapping[str, Json]) -> str:
    """The name of the data set that a statement ran on, empty for a law."""
    config = stored["config"]
    data = config.get("data") if isinstance(config, Mapping) else None
    return str(data.get("name", "")) if isinstance(data, Mapping) else ""


def with_unit(value: float | None, unit: str) -> str:
    """The number, with its unit where it has one."""
    return number_text(value) + ("" if unit == "1" or value is None else f" {unit}")


def shown(value: Json) -> str:
    """A value of a parameter in words."""
    if isinstance(value, Mapping) and "name" in value:
        sizes = [f"{value[name]} {name}" for name in ("rows", "columns") if name in value]
        return f"{value['name']}" + (f" ({', '.join(sizes)})" if sizes else "")
    if isinstance(value, list):
        return ", ".join(map(shown, value))
    if isinstance(value, float):
        return f"{value:.12g}"
    if value is None or isinstance(value, bool):
        return {None: "none", True: "yes", False: "no"}[value]
    return str(value)
