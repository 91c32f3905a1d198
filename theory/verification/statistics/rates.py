"""Exponents of power laws, fitted to means over draws at several scales."""

import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from theory.verification.statistics.means import (
    mean_rounding,
    same_up_to_rounding,
    skewness,
    studentized_limits,
    trusted_draws,
)
from theory.verification.statistics.probabilities import (
    EPS,
    EVERYTHING,
    Interval,
    check_confidence,
    exponent,
    shifted,
)

SURELY_POSITIVE = 4.0  # standard errors between a mean and 0, for its logarithm to be nearly linear


class FittedRate(NamedTuple):
    """A power law fitted to measurements: mean value ∝ scale^exponent.

    exponent, interval: the slope and its confidence interval, widened by numerical errors.
    means: (S,) mean values.
    doubt: why the interval must not be believed, in words; "" if it may.
    needed: how many draws would remove the doubt, where that is known.
    """

    exponent: float
    interval: Interval
    means: Float[np.ndarray, " scales"]
    doubt: str = ""
    needed: int | None = None


def check_scales(scales: Float[np.ndarray, " scales"], *, positive: bool = True) -> np.ndarray:
    """`scales` as floats; ValueError unless at least five, finite, increasing by more than 10⁻⁶."""
    scales = np.asarray(scales, float)
    if scales.ndim != 1 or len(scales) < 5:
        number = len(scales) if scales.ndim == 1 else f"shape {scales.shape}"
        raise ValueError(f"scales must be at least five to fit a rate, got {number}")
    with np.errstate(over="ignore"):
        steps = np.diff(scales)
    good = np.isfinite(scales).all() and (steps > 1e-6 * np.abs(scales[1:])).all()
    if not (good and (not positive or scales[0] > 0)):
        kind = "positive, finite" if positive else "finite"
        shown = ", ".join(f"{s:g}" for s in scales[:8])
        raise ValueError(f"scales must be {kind} and strictly increasing, got {shown}")
    return scales


def fit_rate(
    scales: Float[np.ndarray, " scales"],
    values: Float[np.ndarray, "draws scales"],
    confidence: float = 0.99,
    *,
    signed: bool = False,
    error: float | Float[np.ndarray, "draws scales"] = 0.0,
) -> FittedRate:
    """Least-squares slope Σ_j w_j log v̄_j of log mean(value) against log scale, with an interval.

    The slope is a smooth function of the means v̄_j. Its error is s/√N with s² the variance of the
    influence values L_i = Σ_j w_j v_ij/v̄_j, and the law of (slope − exponent)·√N/s is corrected
    for its skewness and bias as in `means.studentized_limits`, with

      a = γ/3 − η/2,  b = γ/6 − η/2 + ½ Σ_j w_j V_j/s,  γ = skewness(L),  η = Σ_j w_j c_j²/s³,

    V_j and c_j the variance of v_j/v̄_j and its covariance with L (derived in
    docs/reading-verdicts.md). Student's quantiles need no resampling, however small the level is.
    The interval is believed only from 28 + 25·skewness² draws on, at every scale and for L.

    Args:
      scales: (S,) at least five increasing positive scales (widths, dimensions…).
      values: (draws, S) positive measurements, draws independent of one another.
      confidence: two-sided coverage of the interval.
      signed: whether single values may be zero or negative, as for a positive mean below the
        fluctuation of a draw. Unless every mean is then four standard errors above zero, nothing
        is known about the exponent: the interval is infinite.
      error: bound on the numerical error of each value.

    Returns:
      The `FittedRate`.

    Raises:
      ValueError: for scales that are too few or not increasing, values of another shape, not
        finite, or not positive if unsigned.

    Source:
      P. Hall, The Bootstrap and Edgeworth Expansion (1992), Theorem 2.2, for the moments of a
      smooth function of means.
    """
    scales, values = check_scales(scales), np.asarray(values, float)
    confidence = check_confidence(confidence)
    if values.ndim != 2 or values.shape[1] != len(scales):
        raise ValueError(
            f"values must have shape (draws, {len(scales)}), one column per scale, "
            f"got {values.shape}"
        )
    if not (np.isfinite(values).all() and (signed or (values > 0).all())):
        raise ValueError("values must be positive and finite to fit a rate on a log-log line")
    error = np.broadcast_to(np.asarray(error, float), values.shape)
    centred = np.log(scales) - np.log(scales).mean()
    weights = centred / (centred**2).sum()
    # Each scale in a unit of its own: a power law of 10^−200 has no variance in float64.
    power = exponent(values, axis=0)
    values, errors = shifted(values, -power), shifted(error, -power)
    units = power[0]
    means, draws = values.mean(axis=0), len(values)
    fitted = FittedRate(_slope(means, units, weights), EVERYTHING, shifted(means, units))
    if draws < 2:
        return fitted._replace(doubt="one draw has no spread")
    off = mean_rounding(values) + errors.mean(axis=0)
    noise = values.std(axis=0, ddof=1) / math.sqrt(draws)
    if not (means > off + (SURELY_POSITIVE * noise if signed else 0)).all():
        return fitted._replace(doubt="the mean is not surely positive at every scale")
    logs = abs(np.log(means)) + abs(units)
    width = float(np.abs(weights) @ (-np.log1p(-off / means) + 8 * EPS * (1 + logs)))
    low, high = _limits(values / means, weights, confidence)
    slope = fitted.exponent
    interval = Interval(slope + min(low, 0) - width, slope + max(high, 0) + width)
    doubt, needed = _doubt(values, weights, errors)
    return fitted._replace(interval=interval, doubt=doubt, needed=needed)


def _slope(means: np.ndarray, powers: np.ndarray, weights: np.ndarray) -> float:
    """Σ_j w_j log(means_j·2^powers_j); NaN where a mean has no logarithm."""
    if not (means > 0).all():
        return math.nan
    return float((np.log(means) + powers * math.log(2)) @ weights)


def bend_and_shift(ratios: np.ndarray, weights: np.ndarray) -> tuple[float, float]:
    """a and b of `fit_rate`, from values over their means, (draws, S).

    To order 1/√N the statistic T has mean −(a + b)/√N and skewness −6a/√N.
    """
    centred = ratios - ratios.mean(axis=0)
    influence = centred @ weights
    s = float(influence.std())
    gamma = float(skewness(influence))
    covariances, variances = influence @ centred / len(ratios), (centred**2).mean(axis=0)
    eta = float(weights @ covariances**2) / s**3
    bias = float(weights @ variances) / (2 * s)
    return gamma / 3 - eta / 2, gamma / 6 - eta / 2 + bias


def _limits(ratios: np.ndarray, weights: np.ndarray, confidence: float) -> tuple[float, float]:
    """Limits of exponent − slope."""
    deviation = float((ratios @ weights).std(ddof=1))
    # Noise that all scales share moves the line and not its slope; its rounding is no spread.
    if deviation <= 8 * EPS * float((np.abs(ratios) @ np.abs(weights)).max()):
        return 0.0, 0.0
    low, high = studentized_limits(confidence, len(ratios), *bend_and_shift(ratios, weights))
    error = deviation / math.sqrt(len(ratios))
    return float(-high * error), float(-low * error)


def _doubt(values: np.ndarray, weights: np.ndarray, error: np.ndarray) -> tuple[str, int | None]:
    draws = len(values)
    columns = zip(values.T, error.T, strict=True)
    if all(same_up_to_rounding(v, float(e.max())) for v, e in columns):
        return f"the quantity is the same in all {draws} draws, which excludes no rare value", None
    skews = [*skewness(values.T), skewness((values / values.mean(axis=0)) @ weights)]
    skew = float(max(skews, key=abs))
    needed = trusted_draws(skew)
    if not draws >= needed:
        return f"{draws} draws of skewness {skew:.2g} are too few to trust a rate", needed
    return "", None
