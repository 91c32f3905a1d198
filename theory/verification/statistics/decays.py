"""Exponential decay of a failure probability with a scale, fitted to failures of whole draws."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Shaped
from scipy import special

from theory.verification.statistics.means import skewness, trusted_draws
from theory.verification.statistics.probabilities import (
    EVERYTHING,
    Interval,
    check_confidence,
    shifted,
)
from theory.verification.statistics.rates import check_scales

DOUBLINGS = 60  # of a step in search of a limit, before the limit is called infinite
LARGEST_LOG = -1e-12  # of a probability: below 1, so that log(1 − p) exists


class FittedDecay(NamedTuple):
    """An exponential decay fitted to failures: P(failure) = e^{−c − rate·scale}.

    rate, interval: the decay rate and its confidence interval.
    frequencies: (S,) share of failures at each scale.
    doubt: why the interval must not be believed, in words; "" if it may.
    needed: how many draws would remove the doubt, where that is known.
    """

    rate: float
    interval: Interval
    frequencies: Float[np.ndarray, " scales"]
    doubt: str = ""
    needed: int | None = None


class _Likelihood:
    """Σ_s [k_s log p_s + (N − k_s) log(1 − p_s)], p_s = e^{−c − rate·s}, and its maximum over c."""

    def __init__(self, scales: np.ndarray, counts: np.ndarray, trials: float) -> None:
        self.scales, self.counts, self.trials = scales, counts, trials

    def log_p(self, rate: float, c: float) -> np.ndarray:
        return np.minimum(-rate * self.scales - c, LARGEST_LOG)

    def best_constant(self, rate: float) -> float:
        """The maximizing c: the likelihood is concave in c, its slope has one root."""
        shape = -rate * self.scales

        def slope(c: float) -> float:
            p = np.exp(self.log_p(rate, c))
            return float(np.sum((self.counts - self.trials * p) / (1 - p)))

        low = float(shape.max()) + 1e-9  # all probabilities below 1
        step = 1.0
        while slope(low + step) < 0 and step < 1e6:
            step *= 2
        return low if slope(low) > 0 else _root(slope, low, low + step)

    def profile(self, rate: float) -> float:
        log_p = self.log_p(rate, self.best_constant(rate))
        passed = (self.trials - self.counts) * np.log(-np.expm1(log_p))
        return float(np.sum(self.counts * log_p + passed))

    def best_rate(self) -> float:
        """The maximizing rate; NaN where it runs away."""
        from scipy import optimize  # slow to import, as scipy.stats is

        span = float(self.scales[-1] - self.scales[0])
        limit = 50.0 / span
        for _ in range(8):
            best: Any = optimize.minimize_scalar(
                lambda r: -self.profile(r), bounds=(-limit, limit), method="bounded",
                options={"xatol": 1e-10 / span},
            )  # fmt: skip
            if abs(best.x) < 0.9 * limit:
                return float(best.x)
            limit *= 4
        return math.nan


def decay_rate(scales: Float[np.ndarray, " scales"], counts: Any, trials: float) -> float:
    """The decay rate that fits failure counts best, by binomial likelihood.

    Maximizes Σ_s log Bin(counts_s; trials, e^{−c − rate·s}) over c and the rate; it is concave.

    Args:
      scales: (S,) at least five increasing scales, in whose unit the rate is "per".
      counts: (S,) failures at each scale; expected ones need not be whole.
      trials: trials at each scale, positive.

    Returns:
      The rate; NaN if fewer than two scales have failures.

    Raises:
      ValueError: for fewer than five scales or impossible counts.
    """
    scales, counts = check_scales(scales, positive=False), np.asarray(counts, float)
    if counts.shape != scales.shape:
        raise ValueError(f"counts must have shape {scales.shape}, got {counts.shape}")
    if not (trials > 0 and ((counts >= 0) & (counts <= trials)).all()):
        raise ValueError(f"failures must be between 0 and trials = {trials:g}, got {counts}")
    if np.count_nonzero(counts) < 2:
        return math.nan
    scales, power = _in_a_near_unit(scales)
    return _per_unit(_Likelihood(scales, counts, trials).best_rate(), power)


def _in_a_near_unit(scales: np.ndarray) -> tuple[np.ndarray, int]:
    """scales/2^k of a span between 1 and 2, and k: no step or square depends on their unit."""
    _, power = math.frexp(float(scales[-1]) / 2 - float(scales[0]) / 2)
    return shifted(scales, -power), power


def _per_unit(rate: float, power: int) -> float:
    return float(shifted(rate, -power))


def fit_decay(
    scales: Float[np.ndarray, " scales"],
    failures: Shaped[np.ndarray, "draws scales"],
    confidence: float = 0.99,
) -> FittedDecay:
    """Decay rate of a failure probability, scales without failures included.

    The rate is that of `decay_rate`. Draws are independent of one another, scales within a draw
    need not be: the interval holds the rates whose profile log likelihood, as if all were
    independent, is within κ·χ²₁(confidence)/2 of its maximum, κ the variance of the rate by the
    sandwich formula over the one by the likelihood (at least 1: an estimate of it below 1 earns no
    credit). Scales without failures pull their weight instead of having no logarithm. With few
    failures the influence of a draw is skewed; the interval is believed only from
    28 + 25·skewness² draws on.

    Args:
      scales: (S,) at least five increasing scales, in whose unit the rate is "per".
      failures: (draws, S) 1 where the draw fails at the scale, else 0.
      confidence: two-sided coverage, for many draws.

    Returns:
      The `FittedDecay`; an infinite interval if fewer than two scales have failures.

    Raises:
      ValueError: for fewer than five scales, another shape, or values other than 0 and 1.

    Source:
      R. Chandler, S. Bate, "Inference for clustered data using the independence loglikelihood",
      Biometrika 94 (2007), vertical adjustment.
    """
    scales, x = check_scales(scales, positive=False), np.asarray(failures)
    confidence = check_confidence(confidence)
    if x.ndim != 2 or x.shape[1] != len(scales):
        raise ValueError(
            f"failures must have shape (draws, {len(scales)}), one column per scale, got {x.shape}"
        )
    if not np.isin(x, (0, 1)).all():
        raise ValueError(f"failures must be 0 or 1, got {x[~np.isin(x, (0, 1))][0]!s}")
    x = x.astype(float)
    draws, counts = len(x), x.sum(axis=0)
    frequencies = counts / max(draws, 1)
    if np.count_nonzero(counts) < 2:
        doubt = "fewer than two scales have failures"
        return FittedDecay(math.nan, EVERYTHING, frequencies, doubt)
    scales, power = _in_a_near_unit(scales)
    likelihood = _Likelihood(scales, counts, draws)
    rate = likelihood.best_rate()
    if not math.isfinite(rate):
        return FittedDecay(rate, EVERYTHING, frequencies, "the likelihood has no maximum")
    influence, inflation = _influence(likelihood, x, rate)
    drop = max(1.0, inflation) * float(special.gammaincinv(0.5, confidence))  # half of χ²₁
    ends = (_profile_end(likelihood, rate, drop, side) for side in (-1, 1))
    interval = Interval(*(_per_unit(end, power) for end in ends))
    rate = _per_unit(rate, power)
    skew = float(skewness(influence))
    needed = trusted_draws(skew)
    if draws >= needed:
        return FittedDecay(rate, interval, frequencies)
    doubt = f"{draws} draws of skewness {skew:.2g} are too few to trust a decay"
    return FittedDecay(rate, interval, frequencies, doubt, needed)


def _influence(likelihood: _Likelihood, x: np.ndarray, rate: float) -> tuple[np.ndarray, float]:
    """Each draw's influence on the rate, and sandwich variance over likelihood variance.

    The efficient score of the rate in a draw is Σ_s (s̄ − s)(x_s − p_s)/(1 − p_s), with s̄ the mean
    scale weighted by the information v_s = p_s/(1 − p_s); its variance under independence is
    Σ_s (s − s̄)² v_s.
    """
    p = np.exp(likelihood.log_p(rate, likelihood.best_constant(rate)))
    information = p / (1 - p)
    offsets = likelihood.scales - likelihood.scales @ information / information.sum()
    scores = ((x - p) / (1 - p)) @ -offsets
    return scores, float(scores.var()) / float(offsets**2 @ information)


def _profile_end(likelihood: _Likelihood, rate: float, drop: float, side: int) -> float:
    """Where the profile has fallen by `drop`; infinite if that is not found."""
    if not math.isfinite(drop):
        return side * math.inf
    target = likelihood.profile(rate) - drop
    step = 0.1 / float(likelihood.scales[-1] - likelihood.scales[0])
    for _ in range(DOUBLINGS):
        if not likelihood.profile(rate + side * step) > target:
            ends = sorted((rate, rate + side * step))
            return _root(lambda r: likelihood.profile(r) - target, *ends)
        step *= 2
        if step > 1e6:
            break
    return side * math.inf


def _root(function: Callable[[float], float], low: float, high: float) -> float:
    from scipy import optimize  # slow to import

    if not function(low) * function(high) <= 0:  # flat to rounding: nothing to bracket
        return low if abs(function(low)) < abs(function(high)) else high
    return float(optimize.root_scalar(function, bracket=(low, high), xtol=1e-12).root)
