"""What `falsify`, `explain` and `frontier` say, as text for people and as JSON for programs."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np
from rich.console import Group
from rich.text import Text

from experiments.files import seals
from experiments.machine import environment
from experiments.report.rows import Rows
from experiments.report.words import COLOURS, number_text
from experiments.results.records import plain
from theory import Explanation, Falsification, Frontier
from theory.falsification.proving import Counterexample
from theory.margins import Margin
from theory.verification.domains import leaf_names

SHOWN = 12  # numbers of an array


def falsification_json(
    found: Falsification, file: str | None, seed: int, erratum: str | None
) -> dict[str, Any]:
    """One entry of "statements" in the JSON of `falsify`."""
    example = found.counterexample
    return {
        "id": found.id,
        "verdict": found.verdict,
        "proved": found.proved,
        "documented_erratum": erratum,
        "reason": found.reason,
        "file": file,
        "config": plain(found.setting),
        "conditions": None if example is None else _conditions_json(example),
        "confirmed": None if found.confirmed is None else plain(found.confirmed),
        "evaluations": found.evaluations,
        "tested": found.tested,
        "nearest": plain(found.nearest),
        "seconds": round(found.seconds, 3),
        "seed": seed,
    }


def _conditions_json(example: Counterexample) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "margin": plain(value),
            "error": plain(error),
            "unit": unit,
            "enclosure": example.enclosures.get(name),
        }
        for name, value, error, unit in _conditions(example)
    ]


def _conditions(example: Counterexample) -> list[tuple[str, float, float, str]]:
    evidence = example.evidence
    assert evidence.conclusion is not None
    named: list[tuple[str, Margin]] = [*evidence.hypotheses.items()]
    named.append(("conclusion", evidence.conclusion))
    first = [(name, np.ravel(m.value)[0], np.ravel(m.error)[0], m.unit) for name, m in named]
    return [(name, float(value), float(error), unit) for name, value, error, unit in first]


def falsification_text(found: Falsification, file: str | None) -> Group:
    """What was found, with the instance if it is small enough to read."""
    head = Text(found.id, style="bold").append(": ")
    head.append(found.verdict, style=f"bold {COLOURS[found.verdict]}")
    head.append(", proved" if found.proved else "").append(f" ({found.reason})", style="not bold")
    parts: list[Any] = [head]
    if (example := found.counterexample) is not None:
        setting = _setting(example.config)
        parts += [*([Text(f"  {setting}")] if setting else []), *_instance(example.instance)]
        rows = [
            (name, *_margin(value, error, unit), example.enclosures.get(name, "–"))
            for name, value, error, unit in _conditions(example)
        ]
        columns = ("Condition", "Margin", "Error", "Enclosure of the true margin")
        parts.append(Rows(columns, rows, prose=(0,)))
    elif found.nearest is not None:
        near = number_text(found.nearest)
        parts.append(Text(f"  nearest: margin {near}, in medians of its size over drawn instances"))
    if found.confirmed is not None:
        parts.append(Text(f"  worst setting: {_setting(found.setting)}"))
    if file is not None:
        parts.append(Text(f"  saved in {file}: widetheory check {file}"))
    return Group(*parts)


def _margin(value: float, error: float, unit: str) -> tuple[str, str]:
    """A margin and its error, as two cells."""
    of = "" if unit == "1" else f" {unit}"
    return number_text(value) + of, number_text(error)


def _setting(config: Any) -> str:
    values = plain(config)
    if not isinstance(values, dict):
        return ""
    return ", ".join(f"{name} = {_short(value)}" for name, value in values.items())


def _short(value: Any) -> Any:
    return value["name"] if isinstance(value, dict) and "name" in value else value


def _instance(instance: Any) -> list[Text]:
    lines = []
    for name, leaf in zip(leaf_names(instance), jax.tree.leaves(instance), strict=True):
        array = np.asarray(leaf)
        title = f"  {name or 'instance'} {array.dtype}{list(array.shape)}"
        if array.size > SHOWN or not np.issubdtype(array.dtype, np.number):
            lines.append(Text(title))
            continue
        shown = np.array2string(
            array, precision=6, separator=", ", prefix="    ", max_line_width=72
        )
        lines.append(Text(f"{title}:\n    {shown}" if array.ndim > 1 else f"{title}: {shown}"))
    return lines


def falsify_json(
    entries: Sequence[Mapping[str, Any]], asked: Mapping[str, Any], how: Mapping[str, Any]
) -> dict[str, Any]:
    """The JSON of `falsify`, sealed by its digest: what was found, and with which options.

    Args:
      entries: of `falsification_json`.
      asked: what a search that goes on must ask for, too.
      how: schema and words of the command.
    """
    content = {
        **how,
        "statements": list(entries),
        "asked": dict(asked),
        "environment": environment.describe(),
    }
    return seals.sealed(content)


def explanation_json(explanation: Explanation) -> dict[str, Any]:
    """The JSON of `explain`."""
    content = plain(explanation)
    if explanation.worst is not None:
        content["worst"]["quantity"] = (
            None if explanation.worst.quantity is None
            else plain(np.asarray(explanation.worst.quantity).tolist())
        )  # fmt: skip
    return content


def explanation_text(explanation: Explanation) -> Group:
    """Why a verdict came out."""
    head = Text(explanation.id, style="bold").append(": ")
    head.append(explanation.verdict, style=f"bold {COLOURS[explanation.verdict]}")
    head.append(f"\n{explanation.reason}", style="not bold")
    parts: list[Any] = [head, Text(), Text("The rule", style="bold"), Text(explanation.rule)]
    if explanation.comparisons:
        rows = [(name, number_text(value), to) for name, value, to in explanation.comparisons]
        parts.append(Rows(("Looked at", "Value", "Against"), rows, prose=(0, 2)))
    parts += [
        Text("What these draws could have seen", style="bold"),
        Text(explanation.seen),
        Text(),
    ]
    if explanation.nearest:
        rows = [
            (o.name, f"{o.met:,}", f"{o.failed:,}", number_text(o.ratio), number_text(o.margin))
            for o in explanation.nearest
        ]
        columns = ("Hypothesis", "Holds", "Fails", "Left/right\n(median)", "Smallest\nmargin")
        title = "Hypotheses, the one nearest to failing first"
        parts.append(Rows(columns, rows, prose=(0,), title=title))
    parts += [Text(f"{remedy}.", style="bold") for remedy in explanation.remedies]
    if (worst := explanation.worst) is not None:
        rows = [(name, *_margin(*margin)) for name, margin in worst.margins.items()]
        if worst.quantity is not None:
            values = np.ravel(np.asarray(worst.quantity, float))
            more = ", …" if values.size > SHOWN else ""
            rows.append(("quantity", ", ".join(map(number_text, values[:SHOWN])) + more, ""))
        title = f"Worst draw: number {worst.draw}"
        parts.append(Rows(("Condition", "Margin", "Error"), rows, prose=(0, 1), title=title))
    return Group(*parts)


def frontier_json(found: Frontier) -> dict[str, Any]:
    """The JSON of `frontier`, one line of it."""
    return plain(dataclasses.asdict(found))


def frontier_text(found: Frontier) -> Group:
    """Where a goal begins to be reached, and what was looked at."""
    words = {True: "yes", False: "no", None: "undecided"}
    judged = found.goal == "consistent"
    rows = [
        (
            f"{probe.value:g}", words[probe.reached], f"{probe.met} of {probe.draws}",
            *([probe.verdict] if judged else []),
        )
        for probe in sorted(found.probes, key=lambda one: one.value)
    ]  # fmt: skip
    columns = (found.parameter, "Goal reached", "Hypotheses met", *(["Verdict"] if judged else []))
    return Group(Text(str(found), style="bold"), Rows(columns, rows, right=(0,)))
