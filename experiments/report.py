"""Verdicts as tables for people and as JSON for programs."""

import dataclasses
import math
import textwrap
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from rich import box
from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from experiments import data, environment
from experiments.runs import Result
from theory import Dataset, Statement
from theory.data import DISTRIBUTIONS
from theory.verdict import ConditionSummary, Estimate, Verdict

COLOURS = {"consistent": "green", "refuted": "red", "vacuous": "yellow", "inconclusive": "magenta"}
LOOSE = 20  # bound over observed quantile, from which on a bound must say why
SHOWN_CLAIMS = 4  # of more claims only the nearest to its limits is shown in the table
CLAIM_WIDTH = 34
SIDES = {"equal": "=", "at most": "≤", "at least": "≥"}
MEANINGS = {
    "consistent": "the draws test the statement and give no evidence against it",
    "refuted": "a counterexample, more failures than allowed, or a value off its claim",
    "vacuous": "no draw in which the statement says anything: nothing was tested",
    "inconclusive": "too few or undecided draws, or a law too skewed for them",
}


def plain(value: Any) -> Any:
    """A value as JSON knows it: no NaN or infinity, data sets by name."""
    if isinstance(value, Dataset):
        return {"name": value.name, "rows": value.x.shape[0], "columns": value.x.shape[1]}
    if dataclasses.is_dataclass(value):
        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return plain(value._asdict())  # pyright: ignore[reportAttributeAccessIssue]
    if isinstance(value, dict):
        return {name: plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def verdict_json(result: Result) -> dict[str, Any]:
    """One entry of "statements" in the JSON of `verify`."""
    statement, verdict = result.run.statement, result.verdict
    body = plain(verdict)
    first = {name: body.pop(name) for name in ("id", "kind")}
    return {
        "id": first["id"],
        "source": statement.source,
        "caveat": statement.caveat,
        "kind": first["kind"],
        "case": result.run.case,
        "title": statement.title,
        **body,
        "documented_erratum": statement.erratum,
        "config": plain(result.run.config),
        "seed": result.seed,
        "seconds": round(result.seconds, 3),
        "devices": result.devices,
    }


def verify_json(results: Sequence[Result], left_out: Mapping[str, str]) -> dict[str, Any]:
    """The JSON of `verify`: what ran, and identifier → why of what could not run on the data."""
    return {
        "statements": [verdict_json(result) for result in results],
        "left_out": dict(left_out),
        "environment": environment.describe(),
    }


def number_text(value: float | None) -> str:
    """Three digits, with a real minus sign; a dash for what is not known."""
    if value is None or not math.isfinite(value):
        return "–"
    return f"{value:.3g}".replace("e-0", "e-").replace("e+0", "e+").replace("-", "−")


def _tested(result: Result) -> str:
    config = plain(result.run.config) or {}
    source = config.get("data")
    name = source["name"] if isinstance(source, dict) else source
    sizes = [f"{symbol}={config[symbol]}" for symbol in ("n", "d", "m") if symbol in config]
    if "m_min" in config:
        top = config["m_min"] * 2 ** (config["widths"] - 1)
        sizes.append(f"m={config['m_min']}…{top}")
    lines = [result.run.case, name or "", " ".join(sizes), f"{result.verdict.draws:,} draws"]
    return "\n".join(line for line in lines if line)


def _hypotheses(verdict: Verdict) -> str:
    if not verdict.hypotheses:
        return "δ < 1 in no draw" if verdict.verdict == "vacuous" else "none needed"
    lines = []
    for name, summary in verdict.hypotheses.items():
        share = f"{summary.met}/{verdict.draws}"
        missed = summary.ratio is not None and summary.ratio[1] < 1
        lines.append(f"{name} {share}" + (f", misses by {_miss(summary)}×" if missed else ""))
    return "\n".join(lines)


def _miss(summary: ConditionSummary) -> str:
    assert summary.ratio is not None
    return number_text(1 / summary.ratio[1]) if summary.ratio[1] > 0 else "∞"


def _conclusion(verdict: Verdict) -> str:
    if verdict.estimates:
        return "\n".join(line for claim, _ in claim_texts(verdict) for line in claim)
    held = verdict.outcomes["confirmed"] + verdict.outcomes["beyond"]
    text = f"{held:,}/{verdict.draws:,}"
    if verdict.outcomes["beyond"]:
        text += f"\n{verdict.outcomes['beyond']:,} beyond"
    if verdict.outcomes["undecided"]:
        text += f"\n{verdict.outcomes['undecided']:,} undecided"
    return f"{text}\nmargin {number_text(verdict.tightest_margin)}"


def claim_texts(verdict: Verdict) -> list[tuple[list[str], list[str]]]:
    """Lines of every claim shown and of its measured value beside it, equally many.

    Of many claims only the one nearest to its limits, among those that decided the verdict.
    """
    shown = list(verdict.estimates)
    head: list[tuple[list[str], list[str]]] = []
    if len(shown) > SHOWN_CLAIMS:
        decisive = [e for e in shown if e.verdict == verdict.verdict]
        head = [([f"{len(decisive)} of {len(shown)} claims, nearest:"], [""])]
        shown = [max(decisive, key=_nearness)]
    for estimate in shown:
        within = f" ± {number_text(estimate.tolerance)}" if estimate.tolerance else ""
        text = f"{estimate.name} {SIDES[estimate.side]} {number_text(estimate.claimed)}{within}"
        lines = textwrap.wrap(text, CLAIM_WIDTH)
        low, high = number_text(estimate.low), number_text(estimate.high)
        values = [f"{number_text(estimate.observed)} [{low}, {high}]"]
        head.append((lines, values + [""] * (len(lines) - 1)))
    return head


def _nearness(estimate: Estimate) -> float:
    """Distance of the observed from the claimed value over what the interval and tolerance allow,
    positive on the wrong side of a one-sided claim."""
    side = {"equal": 0, "at most": 1, "at least": -1}[estimate.side]
    off = estimate.observed - estimate.claimed
    room = (estimate.high - estimate.low) / 2 + estimate.tolerance
    return (side * off if side else abs(off)) / (room or 1.0)


def _measured(verdict: Verdict) -> str:
    if verdict.estimates:
        return "\n".join(line for _, values in claim_texts(verdict) for line in values)
    rate = verdict.failure_rate
    if rate is None:
        return "not tested"
    limits = f"[{number_text(rate.low)}, {number_text(rate.high)}]"
    allowed = "never" if verdict.kind == "deterministic" else f"≤ {number_text(rate.allowed)}"
    lines = [f"{number_text(rate.observed)} {limits}", f"allowed: {allowed}"]
    if verdict.detectable is not None:
        lines.append(f"detects ≥ {number_text(verdict.detectable)}")
    if verdict.tightness is not None:
        lines.append(f"bound/observed: {number_text(verdict.tightness)}")
    if verdict.constant is not None:
        lines.append(f"smallest C: {number_text(verdict.constant.smallest)}")
    return "\n".join(lines)


def verify_table(results: Sequence[Result]) -> Group:
    """The table of `verify`, the reasons behind every verdict that is not plain, and a summary."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 1, 0))
    table.add_column("Statement\nsource", overflow="fold")
    table.add_column("Verdict", no_wrap=True)
    table.add_column("Tested on", overflow="fold")
    table.add_column("Hypotheses met", max_width=26, overflow="fold")
    table.add_column("Conclusion held,\ntightest margin; claim", overflow="fold")
    table.add_column("Failure rate or value\n[confidence limits]", overflow="fold")
    for result in results:
        verdict, statement = result.verdict, result.run.statement
        label = Text(verdict.verdict, style=f"bold {COLOURS[verdict.verdict]}")
        if result.documented_erratum:
            label.append("\nknown erratum", style="dim")
        table.add_row(
            Text(statement.id, style="bold").append(f"\n{statement.source}", style="not bold dim"),
            label,
            _tested(result),
            _hypotheses(verdict),
            _conclusion(verdict),
            _measured(verdict),
        )
    parts: list[Any] = [table]
    parts += _notes(results)
    counts = Counter(result.verdict.verdict for result in results)
    for verdict, meaning in MEANINGS.items():
        if counts[verdict]:
            line = Text(f"{counts[verdict]:3d} ").append(verdict, style=COLOURS[verdict])
            parts.append(line.append(f": {meaning}", style="dim"))
    if results:
        level = results[0].verdict.level
        parts.append(
            Text(
                f"Confidence limits at {100 * (1 - level):.4g} % each, {level:.2g} the false-alarm "
                f"rate of each statement{_when(results)}; detects: the failure rate that these "
                f"draws show with 95 % probability. Seed {results[0].seed}.",
                style="dim",
            )
        )
    parts.append(Text(environment.line(), style="dim"))
    return Group(*parts)


def _when(results: Sequence[Result]) -> str:
    """Which kind of level holds."""
    if any(result.verdict.anytime for result in results):
        return " whenever the draws end"
    return " at a number of draws fixed beforehand"


def _notes(results: Sequence[Result]) -> list[Text]:
    """Why a verdict is not "consistent" or a bound loose, open constants, caveats about sources."""
    why, loose, constants, remarks = [], [], [], []
    caveats: dict[str, dict[str, None]] = {}  # caveat → identifiers, each once and in order
    for result in results:
        verdict, statement = result.verdict, result.run.statement
        remarks += [_about(result).append(note) for note in verdict.notes]
        if verdict.estimated:
            names = ", ".join(verdict.estimated)
            remarks.append(_about(result).append(f"numerical errors are estimated of: {names}"))
        if verdict.verdict != "consistent":
            note = _about(result).append(verdict.verdict, style=COLOURS[verdict.verdict])
            note.append(f": {verdict.reason}")
            if result.documented_erratum:
                note.append(f" (docs/errata.md#{statement.erratum})")
            if statement.caveat:
                note.append(f" ({statement.caveat})")
            why.append(note)
        if statement.caveat:
            caveats.setdefault(statement.caveat, {})[statement.id] = None
        if verdict.tightness is not None and verdict.tightness > LOOSE:
            reason = statement.loose or "no reason is stated"
            loose.append(_about(result).append(f"{number_text(verdict.tightness)}×: {reason}"))
        if verdict.constant is not None:
            smallest, largest = (number_text(c) for c in verdict.constant)
            note = f"no draw contradicts C = {smallest}, tested up to {largest}"
            constants.append(_about(result).append(note))
    notes = []
    for title, lines in (
        ("Why", why),
        (f"Bounds more than {LOOSE} times the observed quantile", loose),
        ("Open constants", constants),
        ("Notes", remarks),
        ("Sources", [Text(f"  {', '.join(ids)}: {caveat}") for caveat, ids in caveats.items()]),
    ):
        if lines:
            notes += [Text(title, style="bold"), *lines, Text()]
    return notes


def _about(result: Result) -> Text:
    """Identifier of the statement, and where it ran if not on its defaults."""
    data_set = getattr(result.run.config, "data", "")
    where = f" on {data_set}" if isinstance(data_set, Dataset) else ""
    where += f" ({result.run.case})" if result.run.case else ""
    return Text(f"  {result.verdict.id}{where}: ")


def list_table(statements: Sequence[Statement]) -> Table:
    """The table of `list`."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("Statement", no_wrap=True)
    table.add_column("Kind", no_wrap=True)
    table.add_column("Says")
    table.add_column("Source")
    for statement in statements:
        table.add_row(
            Text(statement.id, style="bold"), statement.kind, statement.title, statement.source
        )
    return table


def statement_json(statement: Statement) -> dict[str, Any]:
    """One entry of the JSON of `list`."""
    return {
        "id": statement.id,
        "source": statement.source,
        "caveat": statement.caveat,
        "kind": statement.kind,
        "title": statement.title,
        "says": statement.says,
        "hypotheses": {
            n: {"says": h.says, "tier": h.tier} for n, h in statement.hypotheses.items()
        },
        "documented_erratum": statement.erratum,
        "parameters": [parameter_json(f) for f in dataclasses.fields(statement.config)],
        "cases": {name: plain(dict(changes)) for name, changes in statement.cases.items()},
        "draws": dict(statement.draws),
    }


def parameter_json(field: dataclasses.Field[Any]) -> dict[str, Any]:
    """Name, default, unit and meaning of a parameter."""
    metadata = field.metadata
    return {
        "name": field.name,
        "default": field.default,
        "range": _range(metadata),
        "unit": metadata["unit"],
        "says": metadata["doc"],
        "choices": metadata["choices"],
    }


def _range(rule: Any) -> str:
    """The values allowed, as in [0, 1); empty where any are, or where they are listed."""
    low, high = rule["low"], rule["high"]
    if rule["type"] not in (int, float) or low is high is None:
        return ""
    left = "(−∞" if low is None else f"{'(' if rule['open_low'] else '['}{low:g}"
    right = "∞)" if high is None else f"{high:g}{')' if rule['open_high'] else ']'}"
    return f"{left}, {right}" + (" even" if rule["even"] else "")


def show(statement: Statement) -> Group:
    """The statement in full, for `show`."""
    conditions = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in ("Condition", "Role", "Tier", "Says"):
        conditions.add_column(column)
    for role, group in (("hypothesis", statement.hypotheses), ("measured", statement.measured)):
        for name, condition in group.items():
            conditions.add_row(name, role, condition.tier, condition.says)
    parameters = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in ("Parameter", "Default", "Range", "Unit", "Says"):
        parameters.add_column(column)
    for field in dataclasses.fields(statement.config):
        entry = parameter_json(field)
        says = entry["says"]
        if entry["choices"] and field.name != "data":
            says += f" ({', '.join(entry['choices'])})"
        parameters.add_row(
            entry["name"], str(entry["default"]), entry["range"], entry["unit"], says
        )
    draws = ", ".join(f"{count:,} ({preset})" for preset, count in statement.draws.items())
    parts: list[Any] = [
        Text(statement.id, style="bold").append(f"  ({statement.kind})", style="not bold"),
        Text(f"{statement.title}\n"),
        Text(statement.says + "\n"),
        Text(f"Source: {statement.source}"),
        *([Text(f"Caveat: {statement.caveat}", style="yellow")] if statement.caveat else []),
        Text(f"Draws:  {draws}"),
    ]
    if statement.loose:
        parts.append(Text(f"Loose:  {statement.loose}"))
    if statement.cases:
        parts.append(Text(f"Cases:  {'; '.join(statement.cases)}"))
    if statement.erratum:
        parts.append(Text(f"Erratum: docs/errata.md#{statement.erratum}", style="yellow"))
    if conditions.row_count:
        parts.append(conditions)
    else:
        parts.append(Text("\nNo hypotheses beyond the parameters' ranges.\n"))
    parts.append(parameters)
    if lines := data_lines(statement):
        parts += [Text("Data (--data NAME)", style="bold"), *lines]
    return Group(*parts)


def data_lines(statement: Statement) -> list[Text]:
    """The kinds of data that --data puts in place of a statement's own, one a line; often none."""
    rules = [f.metadata for f in dataclasses.fields(statement.config) if f.name == "data"]
    return [
        Text(f"  {name:20s} {law}")
        for rule in rules
        for name, law in data.describe().items()
        if (name in rule["choices"] if name in DISTRIBUTIONS else Dataset in rule["accepts"])
    ]


def console(**options: Any) -> Console:
    """Standard output; wide enough for the tables where it is no terminal."""
    probe = Console(**options)
    return probe if probe.is_terminal else Console(width=150, highlight=False, **options)
