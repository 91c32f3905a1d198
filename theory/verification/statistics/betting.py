"""Betting against a mean of values in [0, 1]: capital that can hardly grow if the mean is true."""

import math
from collections.abc import Callable

import numpy as np
from jaxtyping import Bool, Float

from theory.verification.statistics.probabilities import Interval

TRUNCATION = 0.75  # largest share of the capital that one bet may lose


def bets(
    values: Float[np.ndarray, " draws"],
    confidence: float,
    counted: Bool[np.ndarray, " draws"],
    horizon: int | None,
) -> Float[np.ndarray, " draws"]:
    """Size of every bet, from the values before it: λ_t = √(2 log(2/α)/(h_t σ̂²_{t−1})).

    σ̂²_t = (¼ + Σ_{i ≤ t} (x_i − μ̂_i)²)/(t + 1) and μ̂_t = (½ + Σ_{i ≤ t} x_i)/(t + 1) are a
    regularized variance and mean of the counted values; h_t is the horizon, or t·log(1 + t)
    without one.

    Source:
      I. Waudby-Smith, A. Ramdas, "Estimating means of bounded random variables by betting",
      J. R. Statist. Soc. B 86 (2024), predictable plug-in bets.
    """
    number = np.cumsum(counted)
    mean = (0.5 + np.cumsum(np.where(counted, values, 0))) / (number + 1)
    squares = np.cumsum(np.where(counted, (values - mean) ** 2, 0))
    variance = (0.25 + squares) / (number + 1)
    before = np.concatenate([[0.25], variance[:-1]])
    times = np.arange(1, len(values) + 1)
    spread = times * np.log1p(times) if horizon is None else horizon
    return np.sqrt(2 * np.log(2 / (1 - confidence)) / (spread * before))


def log_capital(
    values: Float[np.ndarray, " draws"],
    mean: float,
    bet: Float[np.ndarray, " draws"],
    counted: Bool[np.ndarray, " draws"],
) -> Float[np.ndarray, " draws"]:
    """log of Π_t (1 + min(λ_t, c/mean)(x_t − mean)), the capital of bets that the mean is larger.

    If the mean is true every factor has mean 1 given the past, and is positive. A draw that is not
    `counted`, because it may or may not belong to the sample, has its factor only if that is
    below 1: a bound from below on the capital either way. Not increasing in `mean`, since each
    factor is not: 1 + λ(x − mean), or 1 + c(x/mean − 1).
    """
    capped = np.minimum(bet, TRUNCATION / mean) if mean > 0 else bet
    gains = np.log1p(capped * (values - mean))
    return np.cumsum(np.where(counted, gains, np.minimum(gains, 0)))


def last_rejected(rejected: Callable[[float], bool], low: float = 0.0, high: float = 1.0) -> float:
    """The largest mean found by bisection with all means below it rejected; `low` if none is."""
    if rejected(high):
        return high
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if rejected(middle) else (low, middle)
    return low


def betting_interval(
    values: Float[np.ndarray, " draws"],
    confidence: float,
    undecided: Bool[np.ndarray, " draws"] | None = None,
) -> Interval:
    """Confidence interval for the mean of independent values in [0, 1], valid at every number.

    A mean is rejected if half of the capital, put on its being too small, or the other half, put
    on its being too large, has grown by 1/α (hedged capital): by Markov's inequality a true mean
    is rejected with probability at most α. The number of draws is fixed before looking; see
    `mean_sequence` where it is not. The order of the draws matters, as in every betting interval.

    Args:
      values: (draws,) in [0, 1].
      confidence: 1 − α.
      undecided: (draws,) whether a draw may or may not belong to the sample.

    Source:
      as in `bets`, hedged capital confidence intervals.
    """
    values = np.asarray(values, float)
    counted = np.ones(len(values), bool) if undecided is None else ~np.asarray(undecided, bool)
    if len(values) == 0 or confidence >= 1:
        return Interval(0.0, 1.0)
    bet = bets(values, confidence, counted, len(values))
    threshold = math.log(2 / (1 - confidence))

    def rejects(x: np.ndarray) -> Callable[[float], bool]:
        return lambda mean: bool(log_capital(x, mean, bet, counted)[-1] >= threshold)

    low = last_rejected(rejects(values))
    high = 1 - last_rejected(rejects(1 - values))
    # Rounding of a sum of logarithms moves the limits by far less than this.
    return Interval(max(0.0, low - 1e-12), min(1.0, high + 1e-12))
