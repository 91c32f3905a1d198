"""Claims about a quantity as a whole, and how the draws judge them: means, rates, decays."""

import dataclasses
import math
from typing import Any, NamedTuple

import numpy as np

from theory._validation import check_choice
from theory.evidence import Outcome, premise
from theory.statistics import Interval, fit_decay, fit_rate, mean_interval
from theory.verdict import Estimate, Evidence, Verdict, why_vacuous, with_needed

SIDES = ("equal", "at most", "at least")


@dataclasses.dataclass(frozen=True)
class Claim:
    """What a statement says about a quantity as a whole.

    Attributes:
      value: the claimed mean (kinds "moment" and "empirical"), exponent of a power law ("rate") or
        decay rate per unit scale ("decay").
      resolution: half-width that the confidence interval must reach before anything is said;
        absolute for rates and for a mean claimed to be 0, relative to |value| for other means.
      side: "equal", "at most" or "at least": what the quantity is said to be.
      name: what the value is called, for reports.
      tolerance: how far the value may be off systematically, in its own unit: a power law that
        holds asymptotically bends at finite scales. 0 for what is exact.
      signed: of a rate, whether single draws may be zero or negative where their mean is positive.

    Raises:
      ValueError: for an unknown side.
    """

    value: float
    resolution: float
    side: str = "equal"
    name: str = "value"
    tolerance: float = 0.0
    signed: bool = False

    def __post_init__(self) -> None:
        check_choice("side", self.side, SIDES)

    def __str__(self) -> str:
        side = "" if self.side == "equal" else f"{self.side} "
        return f"{side}{self.value:.4g}" + (f" ± {self.tolerance:.3g}" if self.tolerance else "")


def judge_quantity(
    common: dict[str, Any],
    evidence: Evidence,
    claim: Claim | tuple[Claim, ...],
    scales: np.ndarray | None,
) -> Verdict:
    """Judges every claim about the mean, exponent or decay of the quantity.

    Draws in which a hypothesis certainly fails do not count. One refuted claim refutes the
    statement, and all must be consistent for it to be.
    """
    values = np.asarray(evidence.quantity, float)
    draws = len(values)
    _, fails = (np.broadcast_to(p, draws) for p in premise(evidence.hypotheses.values()))
    common |= {"draws": draws, "outcomes": {o.name.lower(): 0 for o in Outcome}}
    if fails.all():
        reason = why_vacuous(common["hypotheses"], np.zeros(draws), draws)
        return Verdict(**common, verdict="vacuous", reason=reason)
    values = values[~fails]
    if not np.isfinite(values).all():
        bad = int(np.sum(~np.isfinite(values)))
        raise ValueError(f"quantity of {common['id']} must be finite, got {bad} NaN or infinite")
    claims = claim if isinstance(claim, tuple) else (claim,)
    if not isinstance(claim, tuple):
        values = values[:, None]
    if values.shape[1] != len(claims):
        raise ValueError(
            f"quantity of {common['id']} must have one row per claim, {len(claims)}, "
            f"got {values.shape[1]}"
        )
    confidence = 1 - common["level"] / len(claims)
    judged = [
        _judge_claim(common["kind"], one, values[:, i], scales, confidence)
        for i, one in enumerate(claims)
    ]
    found = [j.estimate.verdict for j in judged]
    verdict = next((v for v in ("refuted", "inconclusive") if v in found), "consistent")
    chosen = [j for j in judged if j.estimate.verdict == verdict]
    needed = [j.needed for j in chosen if j.needed is not None]
    needed = math.ceil(max(needed) * draws / len(values)) if needed else None
    reason = "; ".join(j.reason for j in chosen)
    if verdict == "consistent" and len(judged) > 3:
        reason = f"all {len(judged)} claims are met"
    return Verdict(
        **common,
        verdict=verdict,
        reason=with_needed(reason, needed),
        estimates=tuple(j.estimate for j in judged),
        draws_needed=needed,
    )


class _Judged(NamedTuple):
    """One claim: its estimate, the reason of its verdict, and draws needed if known."""

    estimate: Estimate
    reason: str
    needed: int | None


def _judge_claim(
    kind: str, claim: Claim, values: np.ndarray, scales: np.ndarray | None, confidence: float
) -> _Judged:
    observed, interval, resolution = _estimated(kind, claim, values, scales, confidence)
    half = (interval.high - interval.low) / 2
    shown = f"{claim.name} {observed:.4g} in [{interval.low:.4g}, {interval.high:.4g}]"
    above = interval.low > claim.value + claim.tolerance
    below = interval.high < claim.value - claim.tolerance
    against = {"equal": above or below, "at most": above, "at least": below}[claim.side]
    # An experimental claim must show in the draws; against a theorem they must speak.
    unseen = (
        kind == "empirical"
        and {
            "equal": False,
            "at most": interval.high > claim.value + claim.tolerance,
            "at least": interval.low < claim.value - claim.tolerance,
        }[claim.side]
    )
    needed = None
    if half > resolution:  # first: the limit theorems behind the interval need the draws, too
        verdict = "inconclusive"
        reason = f"{shown} is wider than ±{resolution:.2g}, too wide to tell from {claim}"
        if math.isfinite(half):
            needed = math.ceil(len(values) * (half / resolution) ** 2)
    elif against:
        verdict, reason = "refuted", f"{shown} excludes the claimed {claim}"
    elif unseen:
        verdict, reason = "inconclusive", f"{shown} reaches across the claimed {claim}"
        distance = abs(observed - claim.value) + claim.tolerance
        if distance > 0:
            needed = math.ceil(len(values) * max(1.1, (half / distance) ** 2))
    else:
        inside = claim.side == "equal" or not (above or below)
        relation = "contains" if inside and not claim.tolerance else "meets"
        verdict, reason = "consistent", f"{shown} {relation} the claimed {claim}"
    estimate = Estimate(
        claim.name, claim.value, claim.side, claim.tolerance, observed, *interval, verdict
    )
    return _Judged(estimate, reason, needed)


def _estimated(
    kind: str, claim: Claim, values: np.ndarray, scales: np.ndarray | None, confidence: float
) -> tuple[float, Interval, float]:
    """Observed value, its interval, and the half-width that the interval must reach."""
    if kind == "decay":
        assert scales is not None
        decay = fit_decay(scales, values.sum(axis=0).astype(int), len(values), confidence)
        return decay.rate, decay.interval, claim.resolution
    if kind == "rate":
        assert scales is not None
        fit = fit_rate(scales, values, confidence, signed=claim.signed)
        return fit.exponent, fit.interval, claim.resolution
    resolution = claim.resolution * (abs(claim.value) or 1.0)
    return float(values.mean()), mean_interval(values, confidence), resolution
