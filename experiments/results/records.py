"""What is stored of a verdict, as plain numbers, and the verdict again."""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from theory import Dataset
from theory.verification.verdict import (
    ConditionSummary,
    Constant,
    Estimate,
    FailureRate,
    Verdict,
)


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


ESTIMATE = {
    "claimed": "claimed",
    "tolerance": "tolerance",
    "observed": "estimate",
    "low": "estimate_low",
    "high": "estimate_high",
}


def verdict_of(record: Mapping[str, Any]) -> Verdict:
    """The verdict in a cell's record."""
    stored = dict(record["verdict"])
    for role in ("hypotheses", "measured"):
        stored[role] = {
            name: ConditionSummary(**entry | {"ratio": entry["ratio"] and tuple(entry["ratio"])})
            for name, entry in stored[role].items()
        }
    for name, kind in (("failure_rate", FailureRate), ("constant", Constant)):
        if stored[name] is not None:
            stored[name] = kind(**_numbers(stored[name]))
    stored["estimates"] = tuple(Estimate(**_numbers(entry)) for entry in stored["estimates"])
    for role in ("notes", "estimated"):
        stored[role] = tuple(stored[role])
    return Verdict(**stored)


def _numbers(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {name: float("nan") if value is None else value for name, value in entry.items()}
