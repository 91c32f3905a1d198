"""Any statement over one swept parameter: what `Figure.of` computes, and the table of it."""

import dataclasses
import json
import zlib
from collections.abc import Iterator, Mapping
from typing import Any

import jax
import numpy as np
import pandas as pd

from experiments.figures.figure import Cell, Results, Row
from experiments.figures.frequencies import CONFIDENCE
from experiments.machine import environment
from theory import Parameters, Statement, parameter
from theory._validation import check_choice
from theory.margins import Margin
from theory.verification.evaluation import evaluate
from theory.verification.kinds import ByOutcome
from theory.verification.outcomes import premise
from theory.verification.statistics import clopper_pearson
from theory.verification.verdict import Evidence
from theory.verification.verify import assess

ALL = "all hypotheses"
GIVEN = "conclusion, where all hypotheses hold"
NO_MISS = "hypotheses fail or conclusion holds"
CONCLUSION = "conclusion"


def settings_class(statement: Statement, axis: str, values: tuple[Any, ...]) -> Any:
    """The parameters of a statement's configuration, with a tuple for the one that is swept.

    And `draws`, of each value. `statement` and `axis` are attributes of the class.

    Args:
      statement: whose configuration is a `Parameters`.
      axis: the parameter.
      values: what it takes by default.

    Raises:
      ValueError: for a statement or parameter with which that cannot be.
    """
    if not isinstance(statement.config, Parameters):
        raise ValueError(f"{statement.id} must have a config that is a Parameters, to be swept")
    own = parameters(statement.config)
    check_choice("axis", axis, sorted(own))
    if "draws" in own or own[axis].metadata["many"] or not isinstance(values, tuple):
        raise ValueError(
            f"{statement.id} must have no parameter `draws`, {axis} one value, and its values be "
            f"a tuple, got {values!r}"
        )
    rule: dict[str, Any] = {
        k: v for k, v in own[axis].metadata.items() if k not in ("type", "many", "traced")
    }
    body: dict[str, Any] = {
        name: dataclasses.field(default=getattr(statement.config, name), metadata=f.metadata)
        for name, f in own.items()
        if name != axis
    }
    body[axis] = parameter(values, **{**rule, "distinct": True})
    body["draws"] = parameter(100, "draws of each value", low=1)
    kinds = dict.fromkeys(body, Any)
    words = f"{statement.id} over {axis}."
    place = {"__module__": __name__, "__doc__": words, "statement": statement, "axis": axis}
    return type("Settings", (Parameters,), {**body, **place, "__annotations__": kinds})


def parameters(config: Any) -> Row:
    """Name → parameter of a configuration."""
    return {field.name: field for field in dataclasses.fields(config)}


def configuration(settings: Any, value: Any) -> Any:
    """The statement's configuration at a value of the axis."""
    names = parameters(settings.statement.config).keys() - {settings.axis}
    others = {name: getattr(settings, name) for name in names}
    return dataclasses.replace(settings.statement.config, **others, **{settings.axis: value})


def cells(settings: Any) -> list[Row]:
    """One for each value of the axis. ValueError for a value that does not fit the others."""
    found = [{"value": value} for value in getattr(settings, settings.axis)]
    for cell in found:
        configuration(settings, cell["value"])
    return found


def compute(settings: Any, cell: Cell, key: jax.Array) -> dict[str, np.ndarray]:
    """What the draws of one value show.

    Returns:
      Of a statement with a conclusion, holds: (hypotheses + 1, draws) where each of them certainly
      does, the conclusion last; premise and no_premise: (draws,) where all hypotheses hold, or one
      certainly fails; allowed: (draws,) δ. Of one about a quantity, estimates: (claims, 5) claimed
      value, tolerance, estimate, and the ends of its interval.
    """
    statement, config = settings.statement, configuration(settings, cell["value"])
    key = jax.random.fold_in(key, zlib.crc32(json.dumps(cell["value"]).encode()))
    memory = environment.known_memory()
    evidence = evaluate(statement, key, settings.draws, config, memory=memory)
    if isinstance(statement.claim, ByOutcome):
        return _conditions(evidence, settings.draws)
    level = 1 - CONFIDENCE
    verdict = assess(statement, evidence, config=config, level=level)
    numbers = [(e.claimed, e.tolerance, e.observed, e.low, e.high) for e in verdict.estimates]
    return {"estimates": np.array(numbers, float).reshape(-1, 5)}


def _conditions(evidence: Evidence, draws: int) -> dict[str, np.ndarray]:
    assert evidence.conclusion is not None
    every: list[Margin] = [*evidence.hypotheses.values(), evidence.conclusion]
    allowed = np.zeros(draws) if evidence.allowed is None else np.asarray(evidence.allowed, float)
    both = premise(evidence.hypotheses.values())
    return {
        "holds": np.stack([np.broadcast_to(np.asarray(one.holds), draws) for one in every]),
        "premise": np.broadcast_to(np.asarray(both.holds, bool), draws),
        "no_premise": np.broadcast_to(np.asarray(both.fails, bool), draws),
        "allowed": np.broadcast_to(allowed, draws),
    }


def table(settings: Any, results: Results) -> pd.DataFrame:
    """One row for each condition, or claim, and value of the axis.

    series, value, mean, low, high: the limits at `CONFIDENCE`. predicted, tolerance: what is
    claimed; NaN for a hypothesis. held: whether the hypotheses held in at least half of the draws,
    where they are what the prediction needs.
    """
    outcome = isinstance(settings.statement.claim, ByOutcome)
    rows = [
        {"value": cell["value"], **row}
        for cell, arrays in results
        for row in (_shares if outcome else _estimates)(settings, cell, arrays)
    ]
    return pd.DataFrame(rows)


def series(settings: Any) -> list[str]:
    """Names of what is drawn of a statement with a conclusion, in their order."""
    names = list(settings.statement.hypotheses)
    several = [ALL] if len(names) > 1 else []
    return [*names, *several, *([_promised(settings.statement)] if names else []), CONCLUSION]


def _promised(statement: Statement) -> str:
    """What holds with probability 1 − δ: the conclusion given the data, or that nothing is missed.

    As failures are counted for a verdict: see `Statement.first`.
    """
    about_data = all(
        condition.stage is not None and condition.stage == statement.first
        for condition in statement.hypotheses.values()
    )
    return GIVEN if about_data else NO_MISS


def _shares(settings: Any, cell: Cell, arrays: Mapping[str, np.ndarray]) -> Iterator[Row]:
    names = list(settings.statement.hypotheses)
    held, failed = (np.asarray(arrays[name], bool) for name in ("premise", "no_premise"))
    *hypotheses, conclusion = np.asarray(arrays["holds"], bool)
    promised = _promised(settings.statement) if names else CONCLUSION
    counted = held if promised == GIVEN else np.ones(len(held), bool)
    found = dict(zip(names, hypotheses, strict=True)) | {ALL: held, CONCLUSION: conclusion}
    found[promised] = (conclusion | failed if promised == NO_MISS else conclusion)[counted]
    allowed = np.clip(arrays["allowed"], 0, 1)[counted]
    for name in series(settings):
        if len(found[name]):
            predicted = 1 - allowed.mean() if name == promised else np.nan
            enough = name not in (promised, CONCLUSION) or bool(held.mean() >= 0.5)
            yield {"series": name, **_share(found[name]), "predicted": predicted, "held": enough}


def _share(holds: np.ndarray) -> Row:
    low, high = clopper_pearson(int(holds.sum()), len(holds), CONFIDENCE)
    return {"mean": holds.mean(), "low": low, "high": high, "draws": len(holds)}


def _estimates(settings: Any, cell: Cell, arrays: Mapping[str, np.ndarray]) -> Iterator[Row]:
    claims = settings.statement.claim.claims(configuration(settings, cell["value"]))
    claims = claims if isinstance(claims, tuple) else (claims,)
    for claim, numbers in zip(claims, arrays["estimates"], strict=False):
        claimed, tolerance, mean, low, high = map(float, numbers)
        yield {
            "series": claim.name,
            "mean": mean,
            "low": low,
            "high": high,
            "draws": settings.draws,
            "predicted": claimed,
            "tolerance": tolerance,
            "side": claim.side,
            "held": True,
        }
