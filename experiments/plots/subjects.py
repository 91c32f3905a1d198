"""The draws of one statement as a picture needs them: conditions, outcomes, a verdict."""

import functools
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd

from experiments.files.strict_json import Record
from experiments.settings.text import written
from theory.margins import Margin
from theory.verification.outcomes import Outcome, outcome, premise
from theory.verification.verdict import Verdict

ROLES = {"hypothesis": "hypotheses", "measured": "measured"}  # in arrays → in a verdict


class Condition(NamedTuple):
    """A condition over the draws.  role: "hypothesis", "measured" or "conclusion"."""

    role: str
    name: str
    margin: Margin

    @property
    def counts(self) -> tuple[int, int, int]:
        """Draws in which it certainly holds, certainly fails, and neither."""
        holds, fails = int(np.sum(self.margin.holds)), int(np.sum(self.margin.fails))
        return holds, fails, np.size(self.margin.value) - holds - fails


class Drawn(NamedTuple):
    """A statement and its draws.

    Attributes:
      title: identifier, and the case or cell it is.
      says: the statement in one line, "" if unknown.
      settings: what it was drawn with, in words.
      verdict: on it.
      arrays: name → array over draws, as a sweep's cell stores them.
    """

    title: str
    says: str
    settings: str
    verdict: Verdict
    arrays: Mapping[str, np.ndarray]

    @property
    def draws(self) -> int:
        """How many there are."""
        return self.verdict.draws

    def conditions(self, role: str) -> list[Condition]:
        """Those of one role, in their order."""
        if role == "conclusion":
            verdict = self.verdict
            held = verdict.outcomes["confirmed"] + verdict.outcomes["beyond"]
            known = not verdict.outcomes["undecided"]
            margin = _margin(self.arrays, "conclusion", verdict.unit, held if known else None)
            return [Condition(role, "conclusion", margin)] if margin is not None else []
        found = []
        for name, entry in getattr(self.verdict, ROLES[role]).items():
            margin = _margin(self.arrays, f"{role}.{name}", entry.unit, entry.met)
            found += [] if margin is None else [Condition(role, name, margin)]
        return found

    def outcomes(self) -> np.ndarray | None:
        """(draws,) the `Outcome` of each draw; None of a statement about a quantity.

        As the verdict counts them: where δ ≥ 1 the statement says nothing.
        """
        conclusion = self.conditions("conclusion")
        if not conclusion:
            return None
        margin = conclusion[0].margin
        found = np.array(outcome([h.margin for h in self.conditions("hypothesis")], margin))
        allowed = self.arrays.get("allowed")
        if allowed is not None:
            empty = ~(np.asarray(allowed, float) < 1) & (found != Outcome.UNDECIDED)
            said = np.where(margin.holds, Outcome.BEYOND, Outcome.VACUOUS)
            found[empty] = said[empty]
        return found

    def counted(self) -> np.ndarray:
        """(draws,) whether a draw counts for a quantity: no hypothesis certainly fails."""
        margins = [one.margin for one in self.conditions("hypothesis")]
        return ~np.broadcast_to(np.asarray(premise(margins).fails), self.draws)

    def quantities(self) -> np.ndarray:
        """(draws, claims) or (draws, claims, scales) of a statement about a quantity."""
        values = np.asarray(self.arrays["quantity"], float)
        axes = 3 if "scales" in self.arrays else 2
        return values if values.ndim == axes else values[:, None]

    def cdfs(self) -> np.ndarray:
        """(draws, claims) the claimed distribution functions of a quantity."""
        values = np.asarray(self.arrays["cdf"], float)
        return values if values.ndim == 2 else values[:, None]

    def table(self) -> pd.DataFrame:
        """One row for each draw: outcome, margins with their errors, ratios, quantities."""
        columns: dict[str, np.ndarray] = {"draw": np.arange(self.draws)}
        if (outcomes := self.outcomes()) is not None:
            columns["outcome"] = np.array([Outcome(int(one)).name.lower() for one in outcomes])
        for name, array in self.arrays.items():
            if name == "scales" or np.shape(array)[:1] != (self.draws,):
                continue
            rows = np.reshape(array, (self.draws, -1))
            several = rows.shape[1] > 1
            for number in range(rows.shape[1]):
                columns[f"{name}[{number}]" if several else name] = rows[:, number]
        return pd.DataFrame(columns)


def settings_words(config: Record, seed: int, precision: str) -> str:
    """What statements were drawn with, in a sentence; the configuration as plain JSON."""
    values = {n: v["name"] if isinstance(v, dict) else v for n, v in config.items()}
    words = ", ".join(
        f"{name} = {written(tuple(value) if isinstance(value, list) else value)}"
        for name, value in values.items()
    )
    return f"Seed {seed}, {precision}" + (f"; {words}." if words else ".")


def _margin(
    arrays: Mapping[str, np.ndarray], name: str, unit: str, met: int | None
) -> Margin | None:
    """A stored condition; None if there is none.

    That it is strict is not stored: it is not where it held in more draws than if it were.
    """
    if f"{name}.value" not in arrays:
        return None
    value, error, ratio = (np.asarray(arrays[f"{name}.{p}"]) for p in ("value", "error", "ratio"))
    make = functools.partial(Margin, value, error, ratio, unit)
    strict = make(strict=True)
    is_strict = met is None or int(np.sum(strict.holds)) >= met
    return strict if is_strict else make(strict=False)
