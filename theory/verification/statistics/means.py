"""Intervals of a mean: exact for 0/1 values, betting for bounded ones, Hall's for the rest."""

import math
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float
from scipy import special

from theory._wording import counted
from theory.verification.statistics.betting import betting_interval
from theory.verification.statistics.probabilities import (
    EPS,
    EVERYTHING,
    SMALLEST,
    Interval,
    check_bounds,
    check_confidence,
    clopper_pearson,
    exponent,
    mean_of,
    shifted,
)

# A skewness-corrected interval is believed from this many draws on, see `trusted_draws`.
DRAWS_AT_LEAST, DRAWS_PER_SKEWNESS = 28, 25
BINARY_SHARE = 0.75  # of the level, for Clopper–Pearson where bounds are (0, 1); rest: betting


class MeanEstimate(NamedTuple):
    """A mean with its interval and what the interval is worth.

    mean: of the draws that certainly count.
    interval: confidence interval, widened by numerical errors.
    method: "Clopper–Pearson", "betting" or "Hall".
    exact: whether the interval covers with its confidence at every number of draws.
    doubt: why the interval must not be believed, in words; "" if it may.
    needed: how many draws would remove the doubt, where that is known.
    """

    mean: float
    interval: Interval
    method: str
    exact: bool = False
    doubt: str = ""
    needed: int | None = None


def trusted_draws(skewness: float) -> int:
    """28 + 25·skewness² draws, from which on a skewness-corrected interval is believed.

    The form is Cochran's rule for the normal approximation; the numbers are from simulation, see
    `experiments.documentation.coverage`.

    Source:
      W. Cochran, Sampling Techniques (1977), §2.15 (there 25·skewness² without correction).
    """
    return math.ceil(DRAWS_AT_LEAST + DRAWS_PER_SKEWNESS * skewness**2)


def skewness(values: Float[np.ndarray, "*rest draws"]) -> Any:
    """Third central sample moment over the cube of the deviation; 0 where all are equal."""
    values = np.asarray(values, float)
    scale = np.max(np.abs(values), axis=-1, keepdims=True)
    centred = values / np.where(scale > 0, scale, 1)  # cubes of 1e-200 would vanish
    centred = centred - centred.mean(axis=-1, keepdims=True)
    second = np.mean(centred**2, axis=-1)
    third = np.mean(centred**3, axis=-1)
    return np.where(second > 0, third / np.where(second > 0, second, 1) ** 1.5, 0.0)


def same_up_to_rounding(values: np.ndarray, error: float = 0.0) -> bool:
    """Whether all values agree within a few roundings and twice their error."""
    return bool(np.ptp(values) <= 8 * EPS * np.max(np.abs(values)) + 2 * error)


def mean_rounding(values: Float[np.ndarray, "draws *rest"]) -> Any:
    """Bound on the rounding of a mean over the first axis: 2·eps·(draws + 8)·mean |value| at most.

    numpy adds in pairs, which is better; the eight cover rounding in the values' last place.
    """
    return 2 * EPS * (len(values) + 8) * np.mean(np.abs(values), axis=0)


def studentized_limits(confidence: float, draws: int, bend: Any, shift: Any) -> tuple[Any, Any]:
    """Limits of T = √N(estimate − truth)/s, whose law is corrected for skewness.

    The monotone transformation g(T) = T + a·T²/√N + a²T³/(3N) + b/√N removes the term of order
    1/√N from the law of T; g(T) is compared with Student's quantiles ±t. With y = ±t − b/√N and
    r³ = 1 + 3ay/√N its inverse is T = 3y/(r² + r + 1).

    Args:
      confidence: two-sided.
      draws: N ≥ 2.
      bend: a; skewness/3 for a mean.
      shift: b; skewness/6 for a mean.

    Source:
      P. Hall, "On the removal of skewness by transformation", J. R. Statist. Soc. B 54 (1992).
    """
    quantile = special.stdtrit(draws - 1, (1 + confidence) / 2)
    if not math.isfinite(quantile):  # a level below rounding
        return -np.inf, np.inf
    root = math.sqrt(draws)
    limits = []
    for z in (-quantile, quantile):
        y = z - np.asarray(shift) / root
        r = np.cbrt(1 + 3 * np.asarray(bend) * y / root)
        limits.append(3 * y / (r * r + r + 1))
    return limits[0], limits[1]


def hall_limits(values: Float[np.ndarray, "*rest draws"], confidence: float) -> tuple[Any, Any]:
    """Hall's skewness-corrected limits of the mean, over the last axis; no gate, no rounding."""
    values = np.asarray(values, float)
    power = exponent(values, axis=-1)
    unit, back = shifted(values, -power), power[..., 0]
    skew, draws = skewness(unit), unit.shape[-1]
    low, high = studentized_limits(confidence, draws, skew / 3, skew / 6)
    mean, error = unit.mean(axis=-1), unit.std(axis=-1, ddof=1) / math.sqrt(draws)
    return shifted(mean - high * error, back), shifted(mean - low * error, back)


def mean_interval(
    values: Float[np.ndarray, " draws"],
    confidence: float = 0.99,
    *,
    bounds: tuple[float, float] | None = None,
    error: float | Float[np.ndarray, " draws"] = 0.0,
    undecided: Bool[np.ndarray, " draws"] | None = None,
) -> MeanEstimate:
    """Confidence interval of the mean of independent draws.

    With declared bounds the interval is valid at every number of draws: betting, or, if the bounds
    are (0, 1) and all values are 0 or 1, Clopper–Pearson. That choice looks at the data, so the two
    share the level: Clopper–Pearson has ¾ of it. (Clopper–Pearson is sound there even if the law
    has values in between that did not occur: toss a coin with probability X for every value X;
    where all X are 0 or 1 the tosses are the values, and they have the same mean.)

    Without bounds it is Hall's, believed only from 28 + 25·skewness² draws on, and never if all
    draws are the same: no number of equal draws excludes a rare large value.

    Args:
      values: (draws,) finite observations.
      confidence: two-sided coverage.
      bounds: (low, high) between which every value certainly lies.
      error: bound on the numerical error of each value; the interval is widened by its mean.
      undecided: (draws,) whether a draw may or may not count; only with bounds.

    Returns:
      The `MeanEstimate`.

    Raises:
      ValueError: for values that are not finite or outside the bounds, or bounds that are none.
    """
    values = np.asarray(values, float)
    confidence = check_confidence(confidence)
    error = np.broadcast_to(np.asarray(error, float), values.shape)
    maybe = np.zeros(len(values), bool) if undecided is None else np.asarray(undecided, bool)
    if not np.isfinite(values).all():
        bad = int(np.sum(~np.isfinite(values)))
        raise ValueError(f"values must be finite, got {bad} NaN or infinite")
    if bounds is not None:
        return _bounded(values, confidence, bounds, error, maybe)
    mean = mean_of(values[~maybe]) if not maybe.all() else math.nan
    if maybe.any():
        doubt = f"the hypotheses are undecided in {counted(int(maybe.sum()), 'draw')}"
        return MeanEstimate(mean, EVERYTHING, "Hall", doubt=doubt)
    power = exponent(values)
    unit = _unbounded(shifted(values, -power), confidence, shifted(error, -power))
    low, high = (float(shifted(end, power)) for end in unit.interval)
    if power < -900:  # what scaling back rounds off below the smallest normal number
        low, high = low - SMALLEST, high + SMALLEST
    doubt = unit.doubt
    if doubt and len(values) > 1 and np.isin(values, (0, 1)).all():
        doubt += "; declare bounds=(0, 1) for an exact interval"
    return unit._replace(mean=mean, interval=Interval(low, high), doubt=doubt)


def _unbounded(values: np.ndarray, confidence: float, error: np.ndarray) -> MeanEstimate:
    """Hall's interval of values that are 0 or of order 1."""
    mean, draws = float(values.mean()), len(values)
    if draws < 2:
        return MeanEstimate(mean, EVERYTHING, "Hall", doubt="one draw has no spread")
    low, high = (float(limit) for limit in hall_limits(values, confidence))
    width = float(mean_rounding(values)) + float(error.mean())
    low, high = min(low, mean) - width, max(high, mean) + width
    estimate = MeanEstimate(mean, Interval(low, high), "Hall")
    if same_up_to_rounding(values, float(error.max())):
        doubt = f"the quantity is the same in all {draws} draws, which excludes no rare value"
        doubt += " (up to its numerical error)" if error.any() else ""
        return estimate._replace(doubt=doubt)
    skew = float(skewness(values))
    needed = trusted_draws(skew)
    if not draws >= needed:
        doubt = f"{draws} draws of skewness {skew:.2g} are too few to trust a mean"
        return estimate._replace(doubt=doubt, needed=needed)
    return estimate


def _bounded(
    values: np.ndarray,
    confidence: float,
    bounds: tuple[float, float],
    error: np.ndarray,
    maybe: np.ndarray,
) -> MeanEstimate:
    low, high = check_bounds("bounds", bounds)
    outside = (values < low - error) | (values > high + error)
    if outside.any():
        raise ValueError(
            f"values must lie in the declared bounds [{low:g}, {high:g}], "
            f"got {values[outside][0]:.6g} in {counted(int(outside.sum()), 'draw')}"
        )
    certain = values[~maybe]
    mean = mean_of(certain) if len(certain) else math.nan
    if (low, high) == (0, 1) and np.isin(values, (0, 1)).all() and not error.any():
        share = 1 - BINARY_SHARE * (1 - confidence)
        ones = int(certain.sum())
        more = int(values[maybe].sum())  # undecided draws that would count as ones
        lower = clopper_pearson(ones, len(values) - more, share).low
        upper = clopper_pearson(ones + more, len(certain) + more, share).high
        return MeanEstimate(mean, Interval(lower, upper), "Clopper–Pearson", exact=True)
    unit = (np.clip(values, low, high) - low) / (high - low)
    if (low, high) == (0, 1):
        confidence = 1 - (1 - BINARY_SHARE) * (1 - confidence)
    found = betting_interval(unit, confidence, maybe)
    width = mean_of(error) if np.isfinite(error).all() else math.inf
    width += 4 * EPS * max(abs(low), abs(high)) + SMALLEST
    lower, upper = (low + (high - low) * end for end in found)
    lower, upper = max(low, min(lower, mean) - width), min(high, max(upper, mean) + width)
    if math.isnan(mean):
        lower, upper = low, high
    return MeanEstimate(mean, Interval(lower, upper), "betting", exact=True)
