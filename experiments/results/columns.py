"""The columns of a sweep's table: what each says, in which unit, of which type.

A reader with pandas alone needs nothing else: statement, seed, level, parameters that were swept or
fixed, versions, verdict, counts, limits, hypotheses with their ratios, and why a cell failed. Types
do not depend on what a sweep happens to hold, so that tables of several can be put together.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from experiments.files.strict_json import Json, Record
from experiments.results.contents import OUTCOMES
from experiments.results.records import ESTIMATE

RATIOS = ("smallest", "median", "largest")  # of a condition over the draws
TEXT, WHOLE, NUMBER, TRUTH = "text", "integer", "number", "truth"


class Column(NamedTuple):
    """What a column says.  kind: "text", "integer", "number" or "truth"."""

    says: str
    kind: str = NUMBER
    unit: str = "1"


_RATE = "of the failures among the draws that count"
KNOWN = {
    "status": Column("finished or failed", TEXT),
    "error": Column("why the cell failed", TEXT),
    "statement": Column("identifier", TEXT),
    "kind": Column("form of the claim", TEXT),
    "seed": Column("random seed", WHOLE),
    "level": Column("false-alarm rate of the cell"),
    "precision": Column("of the arithmetic", TEXT),
    "verdict": Column("consistent, refuted, vacuous or inconclusive", TEXT),
    "reason": Column("why the verdict came out", TEXT),
    "draws": Column("independent draws", WHOLE),
    **{name: Column(f"draws with the outcome {name}", WHOLE) for name in OUTCOMES},
    "failure_rate_observed": Column(f"rate {_RATE}"),
    "failure_rate_low": Column(f"lower limit {_RATE}"),
    "failure_rate_high": Column(f"upper limit {_RATE}"),
    "failure_rate_allowed": Column("failure rate that the statement allows, mean δ"),
    "tightest_margin": Column("smallest margin of the conclusion, in the unit of column unit"),
    "unit": Column("of the conclusion's margin", TEXT),
    "tightness": Column("bound over observed value, 1 is tight"),
    "constant_smallest": Column("smallest constant that no draw contradicts"),
    "constant_largest": Column("largest constant that was tested"),
    "seconds": Column("time the cell took", NUMBER, "s"),
    "batch": Column("draws evaluated at once", WHOLE),
    "memory_bytes": Column("memory the cell took, by the compiler's account", NUMBER, "B"),
}
_CLAIM = {
    "claim": Column("name of claim {}", TEXT),
    "side": Column("of claim {}: equal, at most or at least", TEXT),
    "claimed": Column("value of claim {}"),
    "tolerance": Column("of claim {}"),
    "estimate": Column("measured value of claim {}"),
    "estimate_low": Column("lower limit of the value of claim {}"),
    "estimate_high": Column("upper limit of the value of claim {}"),
}


def known(name: str) -> Column | None:
    """A column that every sweep may have, None for one of its own parameters and conditions."""
    stem, _, number = name.rpartition("_")
    if stem in _CLAIM and number.isdigit():
        column = _CLAIM[stem]
        return column._replace(says=column.says.format(number))
    return KNOWN.get(name)


def row(record: Record, parameters: Record) -> Record:
    """What the table says of a finished cell, name of a column → value."""
    verdict = record["verdict"]
    found: Record = {"status": "finished", "error": None, "verdict": verdict["verdict"]}
    found |= {name: verdict[name] for name in ("draws", "level")} | verdict["outcomes"]
    rate = verdict["failure_rate"] or {}
    found |= {f"failure_rate_{k}": rate.get(k) for k in ("observed", "low", "high", "allowed")}
    for number, estimate in enumerate(verdict["estimates"], start=1):
        found |= {f"claim_{number}": estimate["name"], f"side_{number}": estimate["side"]}
        found |= {f"{name}_{number}": estimate[key] for key, name in ESTIMATE.items()}
    found |= {name: verdict[name] for name in ("tightest_margin", "unit", "tightness")}
    constant = verdict["constant"] or {}
    found |= {f"constant_{end}": constant.get(end) for end in ("smallest", "largest")}
    for role in ("hypotheses", "measured"):
        for name, entry in verdict[role].items():
            ratios = entry["ratio"] or [None] * len(RATIOS)
            found |= {f"met {name}": entry["met"], f"margin {name}": entry["tightest_margin"]}
            found |= {f"ratio {end} {name}": r for end, r in zip(RATIOS, ratios, strict=True)}
    versions = record["environment"].get("versions", {})
    return (
        _parameters(parameters)
        | found
        | {"reason": verdict["reason"], "seconds": record["seconds"], "batch": record["batch"]}
        | {"memory_bytes": record["memory"]}
        | {f"version {package}": version for package, version in versions.items()}
    )


def failed_row(record: Record, parameters: Record) -> Record:
    """The same of a cell that failed."""
    return _parameters(parameters) | {"status": "failed", "error": record["error"]}


def _parameters(parameters: Record) -> Record:
    """Name of a column → value; a parameter that is named like another column has a longer name."""
    return {
        f"parameter {name}" if known(name) else name: _flat(value)
        for name, value in parameters.items()
    }


def _flat(value: Json) -> Json:
    if isinstance(value, dict):  # a data set
        return value.get("name")
    return ",".join(map(str, value)) if isinstance(value, list) else value


def described(
    table: Mapping[str, Sequence[Json]], parameters: Mapping[str, Record], units: Mapping[str, str]
) -> dict[str, Column]:
    """What every column of a table says.

    Args:
      table: name of a column → values.
      parameters: name of a parameter → its "unit" and "says".
      units: name of a condition → unit of its margin.
    """
    return {name: _described(name, values, parameters, units) for name, values in table.items()}


def _described(
    name: str, values: Sequence[Json], parameters: Mapping[str, Record], units: Mapping[str, str]
) -> Column:
    if (column := known(name)) is not None:
        return column
    if (parameter := parameters.get(name.removeprefix("parameter "))) is not None:
        return Column(parameter["says"], _kind(values), parameter["unit"])
    first, _, rest = name.partition(" ")
    if first == "met" and rest in units:
        return Column(f"draws in which it certainly holds: {rest}", WHOLE)
    if first == "margin" and rest in units:
        return Column(f"smallest margin over the draws of: {rest}", NUMBER, units[rest])
    if first == "ratio":
        end, _, condition = rest.partition(" ")
        return Column(f"{end} left side over right side over the draws of: {condition}")
    if first == "version":
        return Column(f"version of {rest}", TEXT)
    return Column("parameter", _kind(values))


def _kind(values: Sequence[Json]) -> str:
    """The type of a parameter, which no cell lacks."""
    found = {type(value) for value in values if value is not None}
    if found == {bool}:
        return TRUTH
    if found == {int}:
        return WHOLE
    return NUMBER if found and found <= {int, float} else TEXT
