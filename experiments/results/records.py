"""What is stored of a verdict, as plain numbers, and the verdict again."""

import dataclasses
import math
import os
from collections.abc import Callable
from typing import TypeVar

import numpy as np

from experiments.files import seals
from experiments.files.strict_json import Json, Record
from experiments.results import contents
from theory import Dataset
from theory.verification.verdict import (
    ConditionSummary,
    Constant,
    Estimate,
    FailureRate,
    Verdict,
)

T = TypeVar("T")


def plain(value: object) -> Json:
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


def verdict_of(record: Record) -> Verdict:
    """The verdict in a cell's record, or in an entry of verdicts.json; more names are left out."""
    stored = dict(record["verdict"])
    for role in ("hypotheses", "measured"):
        stored[role] = {
            name: _made(
                ConditionSummary, entry | {"ratio": entry["ratio"] and tuple(entry["ratio"])}
            )
            for name, entry in stored[role].items()
        }
    for name, kind in (("failure_rate", FailureRate), ("constant", Constant)):
        if stored[name] is not None:
            stored[name] = _made(kind, _numbers(stored[name]))
    stored["estimates"] = tuple(_made(Estimate, _numbers(one)) for one in stored["estimates"])
    for role in ("notes", "estimated"):
        stored[role] = tuple(stored[role])
    known = {field.name for field in dataclasses.fields(Verdict)}
    return Verdict(**{name: value for name, value in stored.items() if name in known})


def load_verdicts(path: str | os.PathLike[str]) -> list[Verdict]:
    """The verdicts in a file that `widetheory verify --out DIR` wrote, DIR/verdicts.json.

    Raises:
      Unreadable: for a file that the system does not give.
      ValueError: for one that is too large, is no JSON, holds no verdicts, or others than were
        written.
    """
    return [verdict_of({"verdict": entry}) for entry in read_verdicts(path)["statements"]]


def read_verdicts(path: str | os.PathLike[str]) -> Record:
    """All that such a file says, as plain JSON; raises as `load_verdicts`."""
    return seals.load(path, contents.VERIFIED, "verify")


def _condition(entry: Record) -> ConditionSummary:
    ratio = entry["ratio"] and tuple(entry["ratio"])
    return _made(ConditionSummary, entry | {"ratio": ratio})


def _made(kind: Callable[..., T], entry: Record) -> T:
    names = kind._fields  # pyright: ignore[reportFunctionMemberAccess]
    return kind(**{name: value for name, value in entry.items() if name in names})


def _numbers(entry: Record) -> Record:
    return {name: float("nan") if value is None else value for name, value in entry.items()}
