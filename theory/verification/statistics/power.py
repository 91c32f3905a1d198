"""How many draws it takes to find a failure rate out, and which rate some draws find out."""

import bisect

from scipy import special

POWER = 0.95  # probability with which a "consistent" test would have found a false statement


def draws_for_power(
    allowed: float, hit_rate: float, tail: float, power: float = POWER
) -> int | None:
    """Fewest draws that would refute a clearly false statement with probability ≥ power.

    Clearly false: the failure rate lies halfway between the allowed δ and the largest possible one
    (the rate at which the hypotheses hold). Refuted: P(Bin(N, δ) ≥ failures) ≤ tail, failures ≥ 2.

    Args:
      allowed: δ, in [0, 1).
      hit_rate: rate at which the hypotheses hold, 1 where only such draws are counted.
      tail: level of the one-sided test.
      power: probability with which the false statement must be found.

    Returns:
      The number of draws, or None if the hypotheses hold too rarely for δ ever to be exceeded or
      more than 10⁷ draws would be needed.
    """
    if hit_rate <= allowed:
        return None
    alternative = (allowed + hit_rate) / 2

    def enough(n: int) -> bool:
        failures = _refuting(n, allowed, tail)
        return bool(special.bdtrc(failures - 1, n, alternative) >= power)

    high = 1
    while not enough(high):
        high *= 2
        if high > 10**7:
            return None
    low = high // 2
    while high - low > 1:  # the power is a saw-tooth in N; its first crossing is close enough
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def _refuting(trials: int, allowed: float, tail: float) -> int:
    """Fewest failures that refute: P(Bin(trials, allowed) ≥ failures) ≤ tail, at least 2."""
    most = bisect.bisect_left(
        range(trials + 1), True, key=lambda k: bool(special.bdtrc(k, trials, allowed) <= tail)
    )
    return max(2, most + 1)


def detectable_rate(trials: int, allowed: float, tail: float, power: float = POWER) -> float | None:
    """The smallest failure rate that the trials would have refuted with probability ≥ power.

    Args:
      trials: number of draws that count, ≥ 1.
      allowed: δ, their mean where they differ.
      tail: level of the one-sided test.
      power: probability of finding it.

    Returns:
      The p with P(Bin(trials, p) ≥ k) = power, k the fewest failures that refute; None if even
      failing in every draw would not.
    """
    failures = _refuting(trials, allowed, tail)
    if failures > trials:
        return None
    # P(Bin(n, p) ≥ k) = I_p(k, n − k + 1)
    return float(special.betaincinv(failures, trials - failures + 1, power))
