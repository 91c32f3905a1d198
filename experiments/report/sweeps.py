"""A sweep's table for people, and its JSON for programs."""

from collections import Counter
from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from experiments.files.strict_json import Record
from experiments.machine import environment
from experiments.report.rows import Rows
from experiments.report.words import COLOURS, MEANINGS, claim_lines, claim_texts, number_text
from experiments.results import tables
from experiments.results.records import verdict_of
from experiments.results.store import Cell, Store
from theory._wording import counted
from theory.verification.verdict import (
    Verdict,
)

SHOWN_CELLS = 100  # of more cells only those that are not consistent are shown in the table
SHOWN_FAILURES = 5


def table(store: Store) -> Group:
    """One row per cell, then what failed and what every verdict means."""
    manifest = store.manifest
    found = [(cell, verdict_of(record), record) for cell, record in tables.rows(store)]
    failures = store.failures()
    total = sum(1 for _ in store.cells())
    shown = [one for one in found if total <= SHOWN_CELLS or one[1].verdict != "consistent"]
    parts: list[RenderableType] = [
        Text(manifest["statement"], style="bold").append(
            f"  {counted(manifest['draws'], 'draw')} per cell, seed {manifest['seed']}",
            style="not bold",
        )
    ]
    if shown:
        parts.append(_rows(tuple(manifest["grid"]), shown))
    if total > SHOWN_CELLS:
        parts.append(Text("Cells that are consistent are left out: cells.csv has all.\n"))
    for name in list(failures)[:SHOWN_FAILURES]:
        failed = Text(f"{name} ", style="bold").append("failed", style="red")
        parts.append(failed.append(f": {failures[name]['error']}", style="not bold"))
    if len(failures) > SHOWN_FAILURES:
        parts.append(Text(f"… and {len(failures) - SHOWN_FAILURES} more, in failed/"))
    counts = Counter(verdict.verdict for _, verdict, _ in found)
    for name, meaning in MEANINGS.items():
        if counts[name]:
            line = Text(f"{counts[name]:3d} ").append(name, style=COLOURS[name])
            parts.append(line.append(f": {meaning}", style="dim"))
    if failures:
        line = Text(f"{len(failures):3d} ").append("failed", style="red")
        parts.append(line.append(": not computed, tried again with --resume", style="dim"))
    if manifest["erratum"] and counts["refuted"]:
        parts.append(Text(f"A known erratum: docs/errata.md#{manifest['erratum']}", style="yellow"))
    level = manifest["level"] / total
    parts.append(
        Text(
            f"Confidence limits at {100 * (1 - level):.4g} % each, {level:.2g} the false-alarm "
            "rate of each cell. Cells share their random numbers.",
            style="dim",
        )
    )
    parts.append(Text(environment.line(), style="dim"))
    return Group(*parts)


def _rows(axes: tuple[str, ...], shown: Sequence[tuple[Cell, Verdict, Record]]) -> Rows:
    """A row, or a few lines, for each cell."""
    margins = any(verdict.tightest_margin is not None for _, verdict, _ in shown)
    rows, lines = [], []
    for cell, verdict, record in shown:
        label = Text(verdict.verdict, style=f"bold {COLOURS[verdict.verdict]}")
        values, claims = _measured(verdict)
        margin = [number_text(verdict.tightest_margin)] if margins else []
        seconds = f"{record['seconds']:.1f}"
        rows.append((*map(str, cell.values()), label, values, claims, *margin, seconds))
        heading = ", ".join(f"{name} = {value}" for name, value in cell.items())
        pairs = [("verdict", label), *_measured_lines(verdict)]
        pairs += [("margin", margin[0])] if margins else []
        lines.append((heading, [*pairs, ("seconds", seconds)]))
    columns = [*axes, "Verdict", "Failure rate or value\n[confidence limits]", "Claim"]
    columns += [*(["Margin"] if margins else []), "Seconds"]
    right = (*range(len(axes)), *range(len(axes) + 3, len(columns)))
    return Rows(columns, rows, right=right, lines=lines)


def _measured_lines(verdict: Verdict) -> list[tuple[str, str | Text]]:
    """The same as `_measured`, each value after its claim."""
    if verdict.estimates:
        return [("claim", claim_lines(verdict))]
    values, claims = _measured(verdict)
    return [("failures", values), ("allowed", claims)]


def _measured(verdict: Verdict) -> tuple[str, str]:
    """Measured values with their limits, and what is claimed of them, line by line."""
    if verdict.estimates:
        pairs = claim_texts(verdict)
        claims, values = (["\n".join(part) for part in side] for side in zip(*pairs, strict=True))
        return "\n".join(values), "\n".join(claims)
    rate = verdict.failure_rate
    if rate is None:
        return "not tested", ""
    allowed = "never" if verdict.kind == "deterministic" else f"≤ {number_text(rate.allowed)}"
    observed, low, high = (number_text(v) for v in (rate.observed, rate.low, rate.high))
    return f"{observed} [{low}, {high}]", allowed


def as_json(store: Store) -> Record:
    """The JSON of `sweep`: the manifest, finished and failed cells, and those that remain."""
    finished = [
        {"cell": cell}
        | {name: record[name] for name in ("verdict", "seconds", "batch", "memory", "config")}
        for cell, record in tables.rows(store)
    ]
    failures = store.failures()
    failed = [{"cell": f["cell"], "error": f["error"]} for f in failures.values()]
    total = sum(1 for _ in store.cells())
    return {
        "sweep": dict(store.manifest),
        "cells": finished,
        "failed": failed,
        "unfinished": total - len(finished) - len(failed),
        "environment": environment.describe(),
    }
