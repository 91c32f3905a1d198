"""Statements in words: the list of them, and one in full."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from experiments.datasets import sources
from experiments.files.strict_json import Record
from experiments.report.rows import Rows
from experiments.results.records import plain
from experiments.settings.text import fields_by_name, written
from theory import Dataset, Statement
from theory.data.sampling import DISTRIBUTIONS


def statement_json(statement: Statement) -> Record:
    """One entry of the JSON of `list`."""
    return {
        "id": statement.id,
        "source": statement.source,
        "caveat": statement.caveat,
        "kind": statement.kind,
        "title": statement.title,
        "says": statement.says,
        "hypotheses": {
            name: {"says": condition.says, "stage": condition.stage}
            for name, condition in statement.hypotheses.items()
        },
        "documented_erratum": statement.erratum,
        "parameters": [parameter_json(f) for f in fields_by_name(statement.config).values()],
        "cases": {name: plain(dict(changes)) for name, changes in statement.cases.items()},
        "draws": dict(statement.draws),
    }


def parameter_json(field: dataclasses.Field[Any]) -> Record:
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


def _range(rule: Mapping[str, Any]) -> str:
    """The values allowed, as in [0, 1); empty where any are, or where they are listed."""
    low, high = rule["low"], rule["high"]
    if rule["type"] not in (int, float) or low is high is None:
        return ""
    left = "(−∞" if low is None else f"{'(' if rule['open_low'] else '['}{low:g}"
    right = "∞)" if high is None else f"{high:g}{')' if rule['open_high'] else ']'}"
    return f"{left}, {right}" + (" even" if rule["even"] else "")


def show(statement: Statement) -> Group:
    """The statement in full, for `show`."""
    conditions = [
        (name, role, condition.stage or "everything", condition.says)
        for role, group in (("hypothesis", statement.hypotheses), ("measured", statement.measured))
        for name, condition in group.items()
    ]
    parameters = [_parameter(field) for field in fields_by_name(statement.config).values()]
    draws = ", ".join(f"{count:,} ({preset})" for preset, count in statement.draws.items())
    parts: list[RenderableType] = [
        Text(statement.id, style="bold").append(f"  ({statement.kind})", style="not bold"),
        *(Text(f"{words}\n") for words in (statement.title, statement.says) if words),
        *([Text(f"Source: {statement.source}")] if statement.source else []),
        *([Text(f"Caveat: {statement.caveat}", style="yellow")] if statement.caveat else []),
        Text(f"Draws:  {draws}"),
    ]
    if statement.loose:
        parts.append(Text(f"Loose:  {statement.loose}"))
    if statement.cases:
        parts.append(Text(f"Cases:  {'; '.join(statement.cases)}"))
    if statement.erratum:
        parts.append(Text(f"Erratum: docs/errata.md#{statement.erratum}", style="yellow"))
    if conditions:
        parts.append(Rows(("Condition", "Role", "Looks at", "Says"), conditions, prose=(0, 3)))
    else:
        parts.append(Text("\nNo hypotheses beyond the parameters' ranges.\n"))
    columns = ("Parameter", "Default", "Range", "Unit", "Says")
    parts.append(
        Rows(columns, parameters, prose=(3, 4)) if parameters else Text("No parameters.\n")
    )
    if lines := data_lines(statement):
        parts += [Text("Data (--data NAME)", style="bold"), *lines]
    return Group(*parts)


def _parameter(field: dataclasses.Field[Any]) -> tuple[str, ...]:
    entry = parameter_json(field)
    says = entry["says"]
    if entry["choices"] and field.name != "data":
        says += f" ({', '.join(entry['choices'])})"
    return entry["name"], written(entry["default"]), entry["range"], entry["unit"], says


def data_lines(statement: Statement) -> list[Text]:
    """The kinds of data that --data puts in place of a statement's own, one a line; often none."""
    rules = [f.metadata for name, f in fields_by_name(statement.config).items() if name == "data"]
    return [
        Text(f"  {name:20s} {law}")
        for rule in rules
        for name, law in sources.describe().items()
        if (name in rule["choices"] if name in DISTRIBUTIONS else Dataset in rule["accepts"])
    ]
