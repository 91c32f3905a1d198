"""Exact limits of failure rates, confidence intervals of means, and fitted rates."""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from scipy import special

from theory.evidence import rounding_error


class Interval(NamedTuple):
    """A confidence interval."""

    low: float
    high: float


def clopper_pearson(failures: int, trials: int, confidence: float = 0.99) -> Interval:
    """Exact two-sided confidence limits of a probability from independent trials.

    The lower limit p₋ solves P(Bin(trials, p₋) ≥ failures) = (1 − confidence)/2 and the upper
    limit p₊ solves P(Bin(trials, p₊) ≤ failures) = (1 − confidence)/2.

    Args:
      failures: number of failures, 0 ≤ failures ≤ trials.
      trials: number of trials; 0 gives [0, 1].
      confidence: probability, over the trials, that the interval covers the truth (at least).

    Returns:
      The `Interval`.

    Raises:
      ValueError: if the counts are impossible.

    Source:
      C. Clopper, E. Pearson, Biometrika 26 (1934).
    """
    if not 0 <= failures <= trials:
        raise ValueError(f"failures must be between 0 and trials = {trials}, got {failures}")
    tail = (1 - confidence) / 2
    passed = trials - failures
    low = special.betaincinv(failures, passed + 1, tail) if failures else 0.0
    high = special.betaincinv(failures + 1, passed, 1 - tail) if passed else 1.0
    return Interval(float(low), float(high))


def poisson_binomial_tail(failures: int, probabilities: np.ndarray) -> float:
    """P(at least `failures` failures) in independent trials with their own failure probabilities.

    Args:
      failures: the count k.
      probabilities: (trials,) failure probability of each trial, in [0, 1].

    Returns:
      The exact tail probability, summed term by term from whichever side loses no digits.
    """
    if failures <= 0:
        return 1.0
    if failures > len(probabilities):
        return 0.0
    counts = np.zeros(len(probabilities) + 1)
    counts[0] = 1.0
    for trial, p in enumerate(np.clip(probabilities, 0.0, 1.0), start=1):
        counts[1 : trial + 1] = counts[1 : trial + 1] * (1 - p) + counts[:trial] * p
        counts[0] *= 1 - p
    return float(min(1.0, counts[failures:].sum()))


def mean_interval(values: Float[np.ndarray, " draws"], confidence: float = 0.99) -> Interval:
    """Confidence interval of a mean by the central limit theorem, with Student's quantile.

    Widened by the rounding of the mean itself, so that a constant is not excluded by its own mean.

    Args:
      values: (draws,) independent observations, at least two.
      confidence: two-sided coverage, up to the theorem's O(skewness/√draws).
    """
    values = np.asarray(values, float)
    if len(values) < 2:
        return Interval(-np.inf, np.inf)
    half = special.stdtrit(len(values) - 1, (1 + confidence) / 2) * values.std(ddof=1)
    half = half / np.sqrt(len(values)) + float(rounding_error(len(values), np.abs(values).mean()))
    return Interval(float(values.mean() - half), float(values.mean() + half))


class FittedRate(NamedTuple):
    """A power law fitted to measurements: mean value ∝ scale^exponent."""

    exponent: float
    interval: Interval
    means: Float[np.ndarray, " scales"]


def fit_rate(
    scales: Float[np.ndarray, " scales"],
    values: Float[np.ndarray, "draws scales"],
    confidence: float = 0.99,
    resamples: int = 1000,
    signed: bool = False,
) -> FittedRate:
    """Least-squares slope of log mean(value) against log scale, with a bootstrap interval.

    The interval is slope ± t·s, s the standard deviation of the slope over draws resampled with
    replacement (times √(draws/(draws − 1)), which unbiases its square) and t Student's quantile
    with draws − 1 degrees of freedom: percentiles would need many more draws at the small levels
    a suite of statements calls for.

    Args:
      scales: (S,) at least five increasing positive scales (widths, dimensions…).
      values: (draws, S) positive measurements, draws independent of one another.
      confidence: two-sided coverage of the interval.
      resamples: number of bootstrap resamples; their seed is fixed, so the fit is a function.
      signed: whether single values may be zero or negative, as for a positive mean below the
        fluctuation of a draw. Unless the mean is then positive at every scale, in every resample
        too, nothing is known about the exponent: the interval is infinite.

    Returns:
      The `FittedRate`; an infinite interval from a single draw.

    Raises:
      ValueError: for fewer than five scales, or values not finite, or not positive if unsigned.
    """
    scales, values = np.asarray(scales, float), np.asarray(values, float)
    if len(scales) < 5:
        raise ValueError(f"scales must be at least five to fit a rate, got {len(scales)}")
    if not np.isfinite(values).all():
        raise ValueError("values must be positive and finite to fit a rate on a log-log line")
    if not (signed or (values > 0).all()):
        raise ValueError("values must be positive and finite to fit a rate on a log-log line")
    centred = np.log(scales) - np.log(scales).mean()
    weights = centred / (centred**2).sum()
    means = values.mean(axis=0)
    nothing = Interval(-np.inf, np.inf)
    if not (means > 0).all():
        return FittedRate(math.nan, nothing, means)
    exponent = float(np.log(means) @ weights)
    draws = len(values)
    if draws < 2:
        return FittedRate(exponent, nothing, means)
    rng = np.random.default_rng(0)
    picks = rng.multinomial(draws, np.full(draws, 1 / draws), size=resamples)
    resampled = picks @ values / draws
    if not (resampled > 0).all():
        return FittedRate(exponent, nothing, means)
    slopes = np.log(resampled) @ weights
    deviation = slopes.std(ddof=1) * np.sqrt(draws / (draws - 1))
    half = float(special.stdtrit(draws - 1, (1 + confidence) / 2) * deviation)
    return FittedRate(exponent, Interval(exponent - half, exponent + half), means)


class FittedDecay(NamedTuple):
    """An exponential decay fitted to failure counts: P(failure) = e^{−c − rate·scale}."""

    rate: float
    interval: Interval
    frequencies: Float[np.ndarray, " scales"]


def fit_decay(
    scales: Float[np.ndarray, " scales"],
    failures: Int[np.ndarray, " scales"],
    trials: int,
    confidence: float = 0.99,
) -> FittedDecay:
    """Decay rate of a failure probability by exact binomial likelihood, zero counts included.

    Maximizes Σ_s log Bin(failures_s; trials, e^{−c − rate·s}) over c and the rate; it is concave.
    The interval holds the rates whose profile likelihood is within χ²₁(confidence)/2 of the
    maximum: cells without failures pull their weight instead of having no logarithm.

    Args:
      scales: (S,) at least five increasing scales, in whose unit the rate is "per".
      failures: (S,) failures at each scale.
      trials: independent trials at each scale.
      confidence: two-sided coverage, by Wilks' theorem.

    Returns:
      The `FittedDecay`; an infinite interval if fewer than two scales have failures.

    Raises:
      ValueError: for fewer than five scales or impossible counts.
    """
    from scipy import optimize  # slow to import, as scipy.stats is

    scales, failures = np.asarray(scales, float), np.asarray(failures)
    if len(scales) < 5:
        raise ValueError(f"scales must be at least five to fit a rate, got {len(scales)}")
    if (failures < 0).any() or (failures > trials).any():
        raise ValueError(f"failures must be between 0 and trials = {trials}, got {failures}")
    frequencies = failures / trials
    if np.count_nonzero(failures) < 2:
        return FittedDecay(math.nan, Interval(-math.inf, math.inf), frequencies)

    def profile(rate: float) -> float:
        """max_c log likelihood: concave in c, whose derivative has one root."""
        shape = -rate * scales

        def slope(c: float) -> float:
            p = np.exp(np.minimum(shape - c, -1e-12))
            return float(np.sum((failures - trials * p) / (1 - p)))

        low = float(shape.max()) + 1e-9  # all probabilities below 1
        high = low + 1.0
        while slope(high) < 0:
            high += high - low
        c = low if slope(low) > 0 else _root(slope, low, high)
        log_p = np.minimum(shape - c, -1e-12)
        return float(np.sum(failures * log_p + (trials - failures) * np.log(-np.expm1(log_p))))

    span = float(scales[-1] - scales[0])
    start, limit = 0.0, 50.0 / span
    while True:
        best = optimize.minimize_scalar(
            lambda r: -profile(r), bounds=(start - limit, start + limit), method="bounded",
            options={"xatol": 1e-10 / span},
        )  # fmt: skip
        rate, top = float(best.x), -float(best.fun)
        if abs(rate - start) < 0.9 * limit:
            break
        limit *= 4
    drop = float(special.gammaincinv(0.5, confidence))  # half the quantile of χ² of one degree

    def end(direction: int) -> float:
        step = 0.1 / span
        while profile(rate + direction * step) > top - drop:
            step *= 2
        low, high = sorted((rate, rate + direction * step))
        return _root(lambda r: profile(r) - top + drop, low, high)

    return FittedDecay(rate, Interval(end(-1), end(+1)), frequencies)


def _root(function: Callable[[float], float], low: float, high: float) -> float:
    from scipy import optimize  # slow to import

    return float(optimize.root_scalar(function, bracket=(low, high), xtol=1e-12).root)
