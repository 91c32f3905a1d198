"""Claims about a quantity as a whole, and how draws judge them: means, rates, decays; not laws."""

import dataclasses
import functools
import math
from collections.abc import Callable
from typing import ClassVar, NamedTuple

import numpy as np

from theory._types import AnyArray
from theory._validation import check_choice, check_real
from theory._wording import counted
from theory.verification.judging import Judged
from theory.verification.outcomes import Outcome, premise
from theory.verification.statistics import (
    FittedDecay,
    FittedRate,
    Interval,
    fit_decay,
    fit_rate,
    mean_interval,
    mean_sequence,
)
from theory.verification.statistics.probabilities import check_bounds, mean_of
from theory.verification.verdict import (
    Estimate,
    Evidence,
    Verdict,
    why_vacuous,
    with_needed,
)

SIDES = ("equal", "at most", "at least")


@dataclasses.dataclass(frozen=True)
class Claim:
    """What a statement says about a quantity as a whole.

    Attributes:
      value: the claimed mean (`Moment`, `Empirical`), exponent of a power law (`Rate`) or rate of
        decay per unit scale (`Decay`).
      resolution: half-width that the confidence interval must reach before anything is said;
        absolute for rates and for a mean claimed to be 0, relative to |value| for other means.
        Positive.
      side: "equal", "at most" or "at least": what the quantity is said to be.
      name: what the value is called, for reports.
      tolerance: how far the value may be off systematically, in its own unit: a power law that
        holds asymptotically bends at finite scales. 0 for what is exact.
      signed: of a rate, whether single draws may be zero or negative where their mean is positive.
      bounds: of a mean, (low, high) between which every draw certainly lies: its interval is then
        valid at every number of draws. (0, 1) for a probability, whose draws are 0 or 1.

    Raises:
      ValueError: for a number that is not finite or out of its range, an unknown side, bounds that
        are no increasing pair of finite difference, or a name that is no text.
    """

    about: ClassVar[str] = "number"

    value: float
    resolution: float
    side: str = "equal"
    name: str = "value"
    tolerance: float = 0.0
    signed: bool = False
    bounds: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.name, str):
            raise ValueError(f"name of a claim must be text, got {self.name!r}")
        of = f"of the claim {self.name!r}"
        check_real(f"value {of}", self.value)
        check_real(f"resolution {of}", self.resolution, low=0.0, open_low=True)
        check_real(f"tolerance {of}", self.tolerance, low=0.0)
        check_choice("side", self.side, SIDES)
        if not isinstance(self.signed, bool | np.bool_):
            raise ValueError(f"signed {of} must be True or False, got {self.signed!r}")
        if self.bounds is not None:
            check_bounds(f"bounds {of}", self.bounds)

    def __str__(self) -> str:
        side = "" if self.side == "equal" else f"{self.side} "
        return f"{side}{self.value:.4g}" + (f" ± {self.tolerance:.3g}" if self.tolerance else "")


class Found(NamedTuple):
    """A measured value with its interval, see `statistics.MeanEstimate`.

    half: half-width that is compared with the resolution, where the interval's own is cut off.
    detectable: distance of a law that these draws would have refuted, None of other claims.
    fixed: part of `half` that more draws do not narrow.
    """

    observed: float
    interval: Interval
    method: str
    exact: bool
    doubt: str
    needed: int | None
    resolution: float
    half: float | None = None
    detectable: float | None = None
    fixed: float = 0.0


class Values(NamedTuple):
    """What one claim is judged by: the draws that count.

    values, errors: (draws,) or (draws, scales) the quantity and its error.
    undecided: (draws,) whose hypotheses are undecided.
    """

    values: np.ndarray
    errors: np.ndarray
    undecided: np.ndarray


def judge_quantity(
    judged: Judged,
    claim: Claim | tuple[Claim, ...],
    estimate: Callable[[Claim, Values, float], Found],
    *,
    scales: np.ndarray | None = None,
    must_show: bool = False,
    form: type[Claim] = Claim,
) -> Verdict:
    """Judges every claim about the mean, exponent, decay or law of the quantity.

    Draws in which a hypothesis certainly fails do not count. Draws whose hypotheses are undecided
    count in the way that widens the interval most, where bounds are declared; otherwise nothing is
    said. One refuted claim refutes the statement, and all must be consistent for it to be.

    Args:
      judged: the draws, with a quantity of shape (draws,), with an axis of claims if they are a
        tuple and then one of scales if there are any, and its error.
      claim: one claim, or a tuple of claims that share the level.
      estimate: (claim, values, confidence) → what was `Found`.
      scales: (S,) where the quantity has an axis of them.
      must_show: whether the interval must lie on the claimed side for "consistent".
      form: of the claims: a `Claim` about a number, or a `Distribution`, which takes draws of which
        nothing is known (NaN) for such as may lie anywhere.

    Raises:
      ValueError: for a claim or quantity of another form, a quantity that is not finite, or one
        without bounds where the level must hold at any time.
    """
    common, evidence = judged.common, judged.evidence
    id = common["id"]
    claims = checked_claims(id, claim, form)
    values, errors = _rows(id, common["kind"], evidence, claim, scales)
    draws = len(values)
    verdict = functools.partial(
        Verdict, **common, draws=draws, outcomes={o.name.lower(): 0 for o in Outcome}
    )
    holds, fails = (np.broadcast_to(p, draws) for p in premise(evidence.hypotheses.values()))
    if fails.all():
        reason = why_vacuous(common["hypotheses"], np.zeros(draws), draws)
        return verdict(verdict="vacuous", reason=reason)
    if not holds.any():
        reason = "no draw certainly satisfies the hypotheses"
        return verdict(verdict="inconclusive", reason=reason)
    counted, undecided = ~fails, ~holds[~fails]
    values, errors = values[counted], errors[counted]
    if form.about == "number" and not np.isfinite(values).all():
        bad = int(np.sum(~np.isfinite(values)))
        raise ValueError(f"quantity of {id} must be finite, got {bad} NaN or infinite")
    confidence = 1 - common["level"] / len(claims)
    answers = []
    for i, one in enumerate(claims):
        try:
            found = estimate(one, Values(values[:, i], errors[:, i], undecided), confidence)
        except ValueError as error:
            raise ValueError(f"quantity of {id}, claim {one.name!r}: {error}") from None
        answers.append(_judge_claim(one, found, len(values), must_show))
    return _combined(verdict, answers, draws / len(values))


def checked_claims(id: str, claim: object, form: type[Claim] = Claim) -> tuple[Claim, ...]:
    """The claims as a tuple; ValueError unless it is one of the form or a tuple of some."""
    claims = claim if isinstance(claim, tuple) else (claim,)
    known = tuple(one for one in claims if isinstance(one, Claim) and one.about == form.about)
    if not claims or len(known) < len(claims):
        inside = ", ".join(type(one).__name__ for one in claim) if isinstance(claim, tuple) else ""
        got = f"tuple of {inside}" if inside else "()" if claim == () else type(claim).__name__
        expected = f"a {form.__name__} or a tuple of at least one"
        raise ValueError(f"claim of {id} must be {expected}, got {got}")
    return known


def _rows(
    id: str,
    kind: str,
    evidence: Evidence,
    claim: Claim | tuple[Claim, ...],
    scales: np.ndarray | None,
) -> tuple[np.ndarray, np.ndarray]:
    """The quantity and its error as (draws, claims) or (draws, claims, scales)."""
    if evidence.quantity is None:
        raise ValueError(f"quantity of {id} must be given for a statement of kind {kind!r}")
    values = np.asarray(evidence.quantity, float)
    several = isinstance(claim, tuple)
    scaled = scales is not None
    axes = ["draws", *(["claims"] if several else []), *(["scales"] if scaled else [])]
    if values.ndim != len(axes):
        expected = "a number per draw" if len(axes) == 1 else f"axes ({', '.join(axes)})"
        got = values.shape[1:]
        raise ValueError(f"quantity of {id} must have {expected}, got shape {got} in every draw")
    if several and values.shape[1] != len(claim):
        raise ValueError(
            f"quantity of {id} must have one row per claim, {len(claim)}, got {values.shape[1]}"
        )
    if scaled and values.shape[-1] != np.size(scales):
        raise ValueError(
            f"quantity of {id} must have one value per scale, {np.size(scales)}, "
            f"got {values.shape[-1]}"
        )
    errors = _errors(id, values, evidence.quantity_error)
    return (values, errors) if several else (values[:, None], errors[:, None])


def _errors(id: str, values: np.ndarray, error: AnyArray | float | None) -> np.ndarray:
    error = np.asarray(0.0 if error is None else error, float)
    try:
        error = np.broadcast_to(error, values.shape)
    except ValueError:
        raise ValueError(
            f"quantity_error of {id} must have the quantity's shape {values.shape}, "
            f"got {error.shape}"
        ) from None
    if (error < 0).any():
        raise ValueError(f"quantity_error of {id} must not be negative, got {error.min():g}")
    return np.where(np.isnan(error), np.inf, error)  # an unknown error is no small one


class _Answer(NamedTuple):
    """One claim: its estimate, why, draws needed if known, and the distance that would show."""

    estimate: Estimate
    reason: str
    needed: int | None
    detectable: float | None


def mean(claim: Claim, draws: Values, confidence: float) -> Found:
    """The mean, its interval, and the half-width that the interval must reach."""
    values, errors, undecided = draws
    found = mean_interval(
        values, confidence, bounds=claim.bounds, error=errors, undecided=undecided
    )
    return Found(*found, claim.resolution * (abs(claim.value) or 1.0))


def exponent(scales: np.ndarray) -> Callable[[Claim, Values, float], Found]:
    """The same for the exponent of a power law in the scales."""

    def estimate(claim: Claim, draws: Values, confidence: float) -> Found:
        fit = fit_rate(scales, draws.values, confidence, signed=claim.signed, error=draws.errors)
        return _fitted(claim, draws, fit.exponent, fit, "Hall")

    return estimate


def decay(scales: np.ndarray) -> Callable[[Claim, Values, float], Found]:
    """The same for the rate at which a probability decays in the scales."""

    def estimate(claim: Claim, draws: Values, confidence: float) -> Found:
        fit = fit_decay(scales, draws.values, confidence)
        return _fitted(claim, draws, fit.rate, fit, "profile likelihood with sandwich variance")

    return estimate


def _fitted(
    claim: Claim, draws: Values, observed: float, fit: FittedRate | FittedDecay, method: str
) -> Found:
    doubt, needed = fit.doubt, fit.needed
    if draws.undecided.any():
        doubt, needed = _undecided(draws), None
    return Found(observed, fit.interval, method, False, doubt, needed, claim.resolution)


def _undecided(draws: Values) -> str:
    return f"the hypotheses are undecided in {counted(int(draws.undecided.sum()), 'draw')}"


def mean_at_any_time(claim: Claim, draws: Values, confidence: float) -> Found:
    """The mean by a confidence sequence, which exists for bounded ones only."""
    if claim.bounds is None:
        return nothing_at_any_time(claim, draws, confidence)
    interval = mean_sequence(draws.values, claim.bounds, confidence).last
    error = float(draws.errors.mean())
    return Found(
        mean_of(draws.values),
        Interval(interval.low - error, interval.high + error),
        "betting, at any time",
        True,
        _undecided(draws) if draws.undecided.any() else "",
        None,
        claim.resolution * (abs(claim.value) or 1.0),
    )


def nothing_at_any_time(claim: Claim, draws: Values, confidence: float) -> Found:
    """Of what knows no confidence sequence: ValueError."""
    raise ValueError(
        "bounds must be declared to judge a mean at any time, and rates cannot be; use a fixed "
        "number of draws"
    )


def _judge_claim(claim: Claim, found: Found, draws: int, must_show: bool) -> _Answer:
    """The verdict on one claim; a comparison with NaN ends "inconclusive"."""
    low, high = found.interval
    half = high / 2 - low / 2 if found.half is None else found.half
    shown = f"{claim.name} {found.observed:.4g} in [{low:.4g}, {high:.4g}]"
    ends = claim.value - claim.tolerance, claim.value + claim.tolerance
    above, below = low > ends[1], high < ends[0]
    against = {"equal": above or below, "at most": above, "at least": below}[claim.side]
    # An experimental claim must show in the draws; against a theorem they must speak.
    seen = (
        not must_show
        or {
            "equal": True,
            "at most": high <= ends[1],
            "at least": low >= ends[0],
        }[claim.side]
    )
    needed = None
    if found.doubt:
        verdict, reason, needed = "inconclusive", f"{shown}: {found.doubt}", found.needed
    elif against and found.exact:  # whatever its width: the interval is valid at every number
        verdict, reason = "refuted", f"{shown} excludes the claimed {claim}"
    elif not half <= found.resolution:
        verdict = "inconclusive"
        reason = f"{shown} is wider than ±{found.resolution:.2g}, too wide to tell from {claim}"
        if found.fixed > 0.01 * found.resolution:
            reason += (
                f"; ±{found.fixed:.2g} of that come from draws that may lie anywhere (no numbers, "
                "hypotheses undecided) and from numerical errors, which more draws do not narrow"
            )
        needed = _times(draws, half - found.fixed, found.resolution - found.fixed)
    elif against:
        verdict, reason = "refuted", f"{shown} excludes the claimed {claim}"
    elif not seen:
        verdict, reason = "inconclusive", f"{shown} reaches across the claimed {claim}"
        distance = abs(found.observed - claim.value) + claim.tolerance
        more = _times(draws, half, distance)
        needed = None if more is None else max(math.ceil(1.1 * draws), more)
    else:
        inside = claim.side == "equal" or not (above or below)
        relation = "contains" if inside and not claim.tolerance else "meets"
        verdict = "consistent"
        reason = f"{shown}, no wider than ±{found.resolution:.2g}, {relation} the claimed {claim}"
        if found.detectable is not None:
            reason += f"; a distance of {found.detectable:.2g} would have shown"
    estimate = Estimate(
        claim.name, claim.value, claim.side, claim.tolerance, found.observed, low, high, verdict,
        found.resolution, found.method,
    )  # fmt: skip
    return _Answer(estimate, reason, needed, found.detectable)


def _times(draws: int, half: float, wanted: float) -> int | None:
    """Draws that narrow an interval to the wanted half-width; None if nobody can make so many."""
    ratio = half / wanted if wanted > 0 else math.inf
    more = draws * ratio * ratio  # ∞ where it overflows, unlike a power
    return math.ceil(more) if more < 1e15 else None


def _combined(
    verdict_of: Callable[..., Verdict], judged: list[_Answer], drawn_per_counted: float
) -> Verdict:
    verdicts = [j.estimate.verdict for j in judged]
    verdict = next((v for v in ("refuted", "inconclusive") if v in verdicts), "consistent")
    chosen = [j for j in judged if j.estimate.verdict == verdict]
    known = [j.needed for j in chosen if j.needed is not None]
    needed = math.ceil(max(known) * drawn_per_counted) if known else None
    reason = "; ".join(j.reason for j in chosen)
    if verdict == "consistent" and len(judged) > 3:
        widest = max((e.high - e.low) / 2 / e.resolution for e in (j.estimate for j in judged))
        reason = f"all {len(judged)} claims are met, by intervals of {widest:.0%} of the resolution"
        reason += " at most"
    seen = [j.detectable for j in judged if j.detectable is not None]
    return verdict_of(
        verdict=verdict,
        reason=with_needed(reason, needed),
        estimates=tuple(j.estimate for j in judged),
        draws_needed=needed,
        detectable=max(seen) if seen else None,
    )
