"""Claims that a quantity has a given distribution, and how the draws judge them."""

import dataclasses
import math
from collections.abc import Callable
from typing import ClassVar

import numpy as np

from theory._validation import check_real
from theory.verification.claims import Claim, Found, Values
from theory.verification.signatures import check_function
from theory.verification.statistics import (
    Interval,
    law_distance,
    law_radius,
    law_radius_at_any_time,
)
from theory.verification.statistics.laws import CDF_ERROR
from theory.verification.statistics.power import POWER


@dataclasses.dataclass(frozen=True, kw_only=True)
class Distribution(Claim):
    """That a quantity has the distribution function F.

    As a number: the distance sup_x |P(quantity ≤ x) − F(x)| is at most the tolerance, 0 by default.

    Attributes:
      cdf: F, of (K,) float64 numbers in increasing order, as `scipy.stats` computes it. It may
        jump: F(x) counts the mass at x itself. It is looked at |x|/2⁵⁰ below and above each draw:
        where a law jumps, F must jump within that, as it does if a few roundings move its x; what
        is off by more (near 0 differences such as x − 1 are) the quantity states as its error.
      resolution: how far a law must be for certain to be told from F: half-width of the interval
        of the distance, in (0, 1). It takes log(2/level)/(2·resolution²) draws.
      name: what the distance is called, for reports.
      tolerance: distance up to which the law may be off.
      cdf_error: bound on the numerical error of `cdf`.

    Raises:
      ValueError: for what is no function, or a number out of its range.
    """

    about: ClassVar[str] = "law"

    cdf: Callable[[np.ndarray], np.ndarray]
    cdf_error: float = CDF_ERROR
    resolution: float = 0.05
    name: str = "distance from the law"
    tolerance: float = 0.0
    value: float = dataclasses.field(default=0.0, init=False)
    side: str = dataclasses.field(default="at most", init=False)
    signed: bool = dataclasses.field(default=False, init=False)
    bounds: tuple[float, float] | None = dataclasses.field(default=None, init=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        of = f"of the claim {self.name!r}"
        check_function(f"cdf {of}", self.cdf, "x")
        check_real(f"cdf_error {of}", self.cdf_error, low=0.0)
        for name in ("resolution", "tolerance"):
            check_real(f"{name} {of}", getattr(self, name), high=1.0, open_high=True)


def distance(claim: Claim, draws: Values, confidence: float) -> Found:
    """The distance from the law, by the inequality of Dvoretzky, Kiefer, Wolfowitz and Massart."""
    return _found(claim, draws, confidence, law_radius, "DKW")


def distance_at_any_time(claim: Claim, draws: Values, confidence: float) -> Found:
    """The same whenever one stops."""
    return _found(claim, draws, confidence, law_radius_at_any_time, "DKW, at any time")


def _found(
    claim: Claim,
    draws: Values,
    confidence: float,
    radius: Callable[[int, float], float],
    method: str,
) -> Found:
    assert isinstance(claim, Distribution)
    counted = ~draws.undecided
    number = int(counted.sum())
    found = law_distance(
        draws.values[counted],
        draws.errors[counted],
        claim.cdf,
        unknown=len(counted) - number,
        cdf_error=claim.cdf_error,
    )
    level = 1 - confidence
    room = radius(number, level) if level > 0 else math.inf
    spread = (found.high - found.low) / 2
    # At the point where F is farthest, the draws fall short by more than this in 5 % of all cases.
    short = math.sqrt(-math.log(1 - POWER) / (2 * number))
    return Found(
        found.low + spread,
        Interval(max(0.0, found.low - room), min(1.0, found.high + room)),
        method,
        True,
        "",
        None,
        claim.resolution,
        half=room + spread,
        detectable=min(1.0, claim.tolerance + room + 2 * spread + short),
        fixed=spread,
    )
