"""Limits of one failure probability, and the tail of a count whose trials differ."""

from typing import Any, NamedTuple

import numpy as np
from scipy import special

from theory._validation import check_integer, check_real

BLOCK = 64  # trials multiplied out side by side before blocks are convolved
NEGLIGIBLE = 1e-30  # mass dropped at each end of a partial count; added to the tail at the end
EPS, SMALLEST = float(np.finfo(float).eps), float(np.finfo(float).smallest_subnormal)


class Interval(NamedTuple):
    """A confidence interval."""

    low: float
    high: float


EVERYTHING = Interval(-np.inf, np.inf)


def exponent(values: Any, axis: int | None = None) -> Any:
    """k with 2^{k−1} ≤ max |values| < 2^k, the axis kept; 0 where all are 0.

    Statistics are computed of values·2^{−k}, whose squares and sums neither overflow nor vanish.
    """
    return np.frexp(np.max(np.abs(values), axis=axis, keepdims=axis is not None, initial=0))[1]


def shifted(values: Any, power: Any) -> Any:
    """values·2^power, exact wherever that is a normal number; ±∞ beyond the largest."""
    with np.errstate(over="ignore"):
        return np.ldexp(values, power)


def mean_of(values: Any) -> float:
    """The mean of finite values, whose sum may be beyond the largest number."""
    power = exponent(values)
    return float(shifted(np.mean(shifted(values, -power)), power))


def check_confidence(confidence: float) -> float:
    """`confidence` as a float; ValueError unless it lies in (0, 1].

    1 is what 1 − level rounds to for a level below 10⁻¹⁶; such intervals know nothing.
    """
    return float(check_real("confidence", confidence, low=0.0, high=1.0, open_low=True))


def check_bounds(name: str, bounds: Any) -> tuple[float, float]:
    """(low, high) as floats; ValueError unless high − low is positive and finite."""
    if not (isinstance(bounds, tuple) and len(bounds) == 2):
        raise ValueError(f"{name} must be a pair (low, high), got {bounds!r}")
    low, high = (float(check_real(name, end)) for end in bounds)
    if not low < high:
        raise ValueError(f"{name} must be (low, high) with low < high, got {bounds!r}")
    if high - low == np.inf:
        raise ValueError(f"{name} must have a finite difference high − low, got {bounds!r}")
    return low, high


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
    tail = (1 - check_confidence(confidence)) / 2
    passed = trials - failures
    low = special.betaincinv(failures, passed + 1, tail) if failures else 0.0
    high = special.betainccinv(failures + 1, passed, tail) if passed else 1.0
    return Interval(float(low), float(high))


def poisson_binomial_tail(failures: int, probabilities: np.ndarray) -> float:
    """P(at least `failures` failures) in independent trials with their own failure probabilities.

    Equal probabilities have the closed form I_p(k, n − k + 1). Others are multiplied out by
    divide and conquer after an exponential tilt: with q_i ∝ p_i e^s such that Σ q_i = k,

      P(Y ≥ k) = e^{ψ(s) − sk} Σ_{j ≥ k} e^{−s(j − k)} P_q(Y = j),  ψ(s) = Σ log(1 + p_i(e^s − 1)),

    so that small tails are sums of numbers of ordinary size. All terms are positive: no digit
    cancels. Ends of partial counts with mass below 10⁻³⁰ are dropped and counted as failures.

    Args:
      failures: the count k, an integer.
      probabilities: (trials,) failure probability of each trial, in [0, 1].

    Returns:
      The tail probability, rounded upwards: not below the exact one, and above it by a factor of
      at most 1 + 16·eps·(trials + ψ(s) + sk), about 10⁻⁸ at 10⁶ trials (closed form: as accurate
      as scipy's incomplete beta function, about 10⁻¹³, not rounded upwards). 0 below 10⁻³⁰⁸.

    Raises:
      ValueError: for probabilities outside [0, 1] or NaN, or of another shape.
    """
    p = np.asarray(probabilities, float)
    failures = check_integer("failures", failures, low=-(2**62))
    if p.ndim != 1:
        raise ValueError(f"probabilities must have shape (trials,), got {p.shape}")
    if not ((p >= 0) & (p <= 1)).all():
        bad = p[~((p >= 0) & (p <= 1))]
        raise ValueError(f"probabilities must lie in [0, 1], got {bad[0]} in {len(bad)} trials")
    failures -= int(np.sum(p == 1))  # certain failures
    p = p[(p > 0) & (p < 1)]
    if failures <= 0:
        return 1.0
    if failures > len(p):
        return 0.0
    if p.max() - p.min() <= 4 * EPS * p.max():  # the larger one bounds the tail from above
        return float(special.bdtrc(failures - 1, len(p), p.max()))
    if failures == len(p):
        exponent = float(np.sum(np.log(p)))
        return min(1.0, float(np.exp(exponent)) * (1 + 8 * EPS * (len(p) - exponent)))
    return _differing_tail(failures, np.sort(p))


def _differing_tail(failures: int, p: np.ndarray) -> float:
    shift = _tilt(failures, p) if len(p) > BLOCK else 0.0
    tilted = special.expit(special.logit(p) + shift)
    # Few trials are multiplied out as they are, every term with all its digits.
    first, counts, dropped = _count_law(tilted, NEGLIGIBLE if len(p) > BLOCK else 0.0)
    above = np.arange(max(failures - first, 0), len(counts))
    terms = counts[above] * np.exp(-shift * (above + first - failures))
    moments = float(np.sum(np.log1p(p * np.expm1(shift))))  # ψ(s), 0 without a tilt
    slack = 1 + 8 * EPS * (len(p) + moments + shift * failures)
    scale = np.exp(moments - shift * failures)
    return float(min(1.0, scale * (terms.sum() + dropped) * slack))


def _tilt(failures: int, p: np.ndarray) -> float:
    """s ≥ 0 with Σ expit(logit p + s) ≈ failures; to a digit or two, any s is as true."""
    logits = special.logit(p)

    def excess(s: float) -> float:
        return float(special.expit(logits + s).sum()) - failures

    low, high = 0.0, 1.0
    if excess(low) >= 0:
        return 0.0
    while excess(high) < 0 and high < 600:  # e^s stays finite
        low, high = high, 2 * high
    for _ in range(12):
        middle = (low + high) / 2
        low, high = (middle, high) if excess(middle) < 0 else (low, middle)
    return min(high, 600.0)


def _count_law(p: np.ndarray, negligible: float) -> tuple[int, np.ndarray, float]:
    """(first, P(Y = first + j) for all j, mass dropped) of a sum of independent trials."""
    padded = np.concatenate([p, np.zeros(-len(p) % BLOCK)]).reshape(-1, BLOCK)
    counts = np.zeros((len(padded), BLOCK + 1))
    counts[:, 0] = 1.0
    for column in padded.T[:, :, None]:
        grown = counts * (1 - column)
        grown[:, 1:] += counts[:, :-1] * column
        counts = grown
    dropped = 0.0
    laws: list[tuple[int, np.ndarray]] = [(0, row) for row in counts]
    while True:
        for i, (start, row) in enumerate(laws):
            ahead, behind = np.cumsum(row), np.cumsum(row[::-1])
            low = int(np.searchsorted(ahead, negligible))
            high = int(np.searchsorted(behind, negligible))
            dropped += (ahead[low - 1] if low else 0.0) + (behind[high - 1] if high else 0.0)
            laws[i] = (start + low, row[low : len(row) - high])
        if len(laws) == 1:
            (first, law), *_ = laws
            return first, law, float(dropped)
        pairs = zip(laws[::2], laws[1::2], strict=False)
        merged = [(a + b, np.convolve(left, right)) for (a, left), (b, right) in pairs]
        laws = merged + laws[2 * len(merged) :]
