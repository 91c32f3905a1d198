"""What is stored of a verdict, as plain numbers, and the verdict again."""

import dataclasses
import json
import math
import os
import pathlib

import numpy as np

from experiments.results.store import Json, Record
from theory import Dataset
from theory.verification.verdict import (
    ConditionSummary,
    Constant,
    Estimate,
    FailureRate,
    Verdict,
)


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


def load_verdicts(path: str | os.PathLike[str]) -> list[Verdict]:
    """The verdicts in a file that `widetheory verify --out DIR` wrote, DIR/verdicts.json.

    Raises:
      ValueError: for a file that cannot be read, is no JSON, or holds no verdicts.
    """
    try:
        content = json.loads(pathlib.Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise ValueError(f"{path} must be JSON of `widetheory verify`: {error}") from error
    names = {field.name for field in dataclasses.fields(Verdict)}
    try:
        entries = [{n: v for n, v in one.items() if n in names} for one in content["statements"]]
        return [verdict_of({"verdict": entry}) for entry in entries]
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path} must hold verdicts, and it does not: {error!r}") from error


def _numbers(entry: Record) -> Record:
    return {name: float("nan") if value is None else value for name, value in entry.items()}
