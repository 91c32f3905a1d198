"""Anytime-valid judgement: evidence and intervals that hold whenever one stops looking.

A nonnegative process that starts at 1 and does not grow on average exceeds 1/α at any time with
probability at most α (J. Ville, Étude critique de la notion de collectif, 1939). A run may
therefore be extended, or stopped because of what it shows, and the level still holds. What an
interval of fixed length loses by such looking is described in S. Howard, A. Ramdas, J. McAuliffe,
J. Sekhon, "Time-uniform, nonparametric, nonasymptotic confidence sequences", Annals of Statistics
49 (2021).
"""

import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Shaped
from scipy import special

from theory.verification.statistics.betting import bets, last_rejected, log_capital
from theory.verification.statistics.probabilities import (
    SMALLEST,
    Interval,
    check_bounds,
    check_confidence,
)

# Odds of failing, over the allowed odds, that the evidence is mixed over: 1 + 2^j.
ODDS = 1.0 + 2.0 ** np.arange(-8, 41)
GRID = 256  # means at which the times of their rejection are found


class Sequence(NamedTuple):
    """A confidence sequence: with probability ≥ confidence the truth is in all intervals at once.

    low, high: (draws,) limits after each draw, which only tighten.
    """

    low: Float[np.ndarray, " draws"]
    high: Float[np.ndarray, " draws"]

    @property
    def last(self) -> Interval:
        """The interval after all draws; [0, 1] or the bounds must be assumed before the first."""
        return Interval(float(self.low[-1]), float(self.high[-1]))


def failure_e_value(
    failures: Shaped[np.ndarray, " draws"], allowed: float | Float[np.ndarray, " draws"]
) -> Float[np.ndarray, " draws"]:
    """Evidence, after each draw, against "draw i fails with probability at most δ_i".

      E_t = mean over θ of Π_{i ≤ t} θ^{x_i}/(1 + (θ − 1)δ_i)

    Each factor has mean (1 + (θ − 1)p_i)/(1 + (θ − 1)δ_i) ≤ 1 if p_i ≤ δ_i, given the draws
    before, so P(E_t ≥ 1/α at any t) ≤ α: refuted at level α as soon as E_t ≥ 1/α. The factor is
    the likelihood ratio of a draw whose odds of failing are θ times δ_i/(1 − δ_i); θ − 1 runs
    through the powers of two from 2^−8 to 2^40. A draw with δ_i = 1 is no evidence.

    Args:
      failures: (draws,) 1 or True where a draw failed, else 0, in the order of the draws.
      allowed: δ_i in [0, 1], one or one per draw; each may depend on anything before the outcome.

    Returns:
      (draws,) e-values, the last after all draws; ∞ where float64 ends.

    Raises:
      ValueError: for outcomes other than 0 and 1, or δ outside [0, 1] or NaN.
    """
    x = _outcomes(failures)
    delta = np.asarray(allowed, float)
    if delta.shape not in ((), x.shape):
        raise ValueError(f"allowed must have shape () or {x.shape}, got {delta.shape}")
    if not ((delta >= 0) & (delta <= 1)).all():
        raise ValueError("allowed must lie in [0, 1], got NaN or values outside")
    delta = np.broadcast_to(delta, x.shape)
    says_something = delta < 1
    count = np.cumsum(np.where(says_something, x, 0))
    total = np.full(len(x), -np.inf)
    for odds in ODDS:
        price = np.cumsum(np.where(says_something, np.log1p((odds - 1) * delta), 0))
        total = np.logaddexp(total, count * math.log(odds) - price)
    with np.errstate(over="ignore"):
        return np.exp(total - math.log(len(ODDS)))


def rate_sequence(failures: Shaped[np.ndarray, " draws"], confidence: float = 0.99) -> Sequence:
    """Confidence sequence for one unknown failure probability p.

    After k failures in t draws the limits are the p at which the mixture likelihood ratio
    B(k + ½, t − k + ½)/B(½, ½)/(p^k (1 − p)^{t−k}), a martingale of mean 1 if p is true, reaches
    1/α; the running intersection is taken.

    Args:
      failures: (draws,) 1 or True where a draw failed, else 0, in the order of the draws.
      confidence: 1 − α, of all intervals at once.

    Raises:
      ValueError: for outcomes other than 0 and 1.

    Source:
      H. Robbins, "Statistical methods related to the law of the iterated logarithm", Annals of
      Mathematical Statistics 41 (1970), mixtures; here of Bernoulli laws over a Beta(½, ½).
    """
    x = _outcomes(failures)
    t = np.arange(1, len(x) + 1)
    k = np.cumsum(x)
    confidence = check_confidence(confidence)
    if confidence == 1:
        return Sequence(np.zeros(len(x)), np.ones(len(x)))
    lower = _mixture_limit(k, t, 1 - confidence)
    upper = 1 - _mixture_limit(t - k, t, 1 - confidence)
    return Sequence(np.maximum.accumulate(lower), np.minimum.accumulate(upper))


def _mixture_limit(k: np.ndarray, t: np.ndarray, alpha: float) -> np.ndarray:
    """Largest p < k/t found by bisection whose likelihood ratio is at least 1/α, or 0."""
    least = special.betaln(k + 0.5, t - k + 0.5) - special.betaln(0.5, 0.5) + math.log(alpha)
    low, high = np.zeros(len(k)), k / t
    for _ in range(60):
        middle = (low + high) / 2
        rejected = special.xlogy(k, middle) + special.xlog1py(t - k, -middle) <= least
        low, high = np.where(rejected, middle, low), np.where(rejected, high, middle)
    return low * (1 - 1e-12)


def mean_sequence(
    values: Float[np.ndarray, " draws"],
    bounds: tuple[float, float],
    confidence: float = 0.99,
) -> Sequence:
    """Confidence sequence for the mean of bounded draws, by betting against every other mean.

    A mean is rejected for good once half of a capital that starts at 1, put on its being too small
    or on its being too large, has grown to 1/α: see `betting.log_capital`. Limits after the last
    draw are exact to 10⁻¹²; before it they are rounded outwards to 256 equal parts of the range.

    Args:
      values: (draws,) in the bounds, in the order of the draws.
      bounds: (low, high) between which every value certainly lies.
      confidence: 1 − α, of all intervals at once.

    Raises:
      ValueError: for values outside the bounds or NaN, or bounds that are none.

    Source:
      I. Waudby-Smith, A. Ramdas, "Estimating means of bounded random variables by betting",
      J. R. Statist. Soc. B 86 (2024), hedged capital confidence sequence.
    """
    values = np.asarray(values, float)
    low, high = check_bounds("bounds", bounds)
    if not ((values >= low) & (values <= high)).all():
        raise ValueError(f"values must lie in the declared bounds [{low:g}, {high:g}]")
    confidence = check_confidence(confidence)
    unit = (values - low) / (high - low)
    if confidence == 1:
        return Sequence(np.full(len(values), low), np.full(len(values), high))
    lower, upper = _rejections(unit, confidence), _rejections(1 - unit, confidence)
    slack = 1e-12 * max(abs(low), abs(high), high - low) + SMALLEST
    return Sequence(low + (high - low) * lower - slack, high - (high - low) * upper + slack)


def _rejections(unit: np.ndarray, confidence: float) -> np.ndarray:
    """After each draw the largest mean below which all have been rejected as too small."""
    counted = np.ones(len(unit), bool)
    bet = bets(unit, confidence, counted, None)
    threshold = math.log(2 / (1 - confidence))
    limit = np.zeros(len(unit))
    mean = 0.0
    for j in range(1, GRID + 1):  # a larger mean is rejected later, if at all
        rejected = log_capital(unit, j / GRID, bet, counted) >= threshold
        if not rejected.any():
            break
        mean = j / GRID
        limit[int(np.argmax(rejected)) :] = mean
    if len(unit) and mean < 1:
        limit[-1] = last_rejected(
            lambda m: bool((log_capital(unit, m, bet, counted) >= threshold).any()),
            mean,
            mean + 1 / GRID,
        )
    return limit


def _outcomes(failures: np.ndarray) -> np.ndarray:
    x = np.asarray(failures)
    if x.ndim != 1 or not np.isin(x, (0, 1)).all():
        raise ValueError(f"failures must be 0 or 1 in shape (draws,), got shape {x.shape}")
    return x.astype(int)
