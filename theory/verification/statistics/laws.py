"""How far the draws of a quantity are from a law, and how far they may be by chance.

Distances are Kolmogorov's, sup_x |F_N(x) − F(x)|, of distribution functions; F may jump anywhere.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from theory._validation import check_integer, check_real

# What special functions promise of a distribution function in float64, with room.
CDF_ERROR = 1e-9
# How far, of |x|, a few roundings of its argument may move the jumps of a distribution function.
ARGUMENT_ERROR = 2.0**-50


class Distance(NamedTuple):
    """Between which limits sup_x |F_N(x) − F(x)| lies, whatever errors and unknown draws are."""

    low: float
    high: float


def law_radius(draws: int, level: float) -> float:
    """t with P(sup_x |F_N(x) − F(x)| > t) ≤ level for N draws of any law F.

      t = √(log(2/level)/(2N))

    The inequality of Dvoretzky, Kiefer and Wolfowitz with Massart's constant, P(D_N > t) ≤
    2e^{−2Nt²}, at every N, for continuous and discrete laws.

    Args:
      draws: N ≥ 1.
      level: in (0, 1].

    Raises:
      ValueError: for a number out of its range.

    Source: P. Massart, "The tight constant in the Dvoretzky–Kiefer–Wolfowitz inequality", Annals
      of Probability 18 (1990).
    """
    check_integer("draws", draws)
    check_real("level", level, low=0.0, high=1.0, open_low=True)
    return math.sqrt(math.log(2 / level) / (2 * draws))


def law_radius_at_any_time(draws: int, level: float) -> float:
    """t_N with P(sup_x |F_N(x) − F(x)| > t_N for any N ≥ 1) ≤ level.

    Every N has the share level/(N(N + 1)) of the level; the shares add up to all of it.

    Args and Raises: as in `law_radius`.
    """
    return law_radius(draws, level / (draws * (draws + 1)))


def law_distance(
    values: np.ndarray,
    errors: np.ndarray,
    cdf: Callable[[np.ndarray], np.ndarray],
    *,
    unknown: int = 0,
    cdf_error: float = CDF_ERROR,
) -> Distance:
    """Limits of the distance between the draws' distribution and a law.

    Draw i lies in [x_i − e_i, x_i + e_i], anywhere if x_i is NaN or e_i infinite. F_N is largest
    where all lie as low as they may and smallest where as high: between these two

      low = max(sup (F_N^− − F), sup (F − F_N^+)),  high = max(sup (F_N^+ − F), sup (F − F_N^−)).

    A step function is farthest above F where it has just jumped, and farthest below just before it
    jumps. Both limits are those of the law whose jumps are where F's are up to |x|/2⁵⁰, four units
    in the last place: F is looked at so far above x, and so far below it for "just before x". A
    function that rounds, ⌊10x⌋ say, jumps a little before or after the draws at 0.3.

    Args:
      values, errors: (draws,) the quantity, and bounds on its numerical error ≥ 0.
      cdf: F, of (K,) finite numbers in increasing order.
      unknown: more draws, of which it is not known whether they count at all.
      cdf_error: bound on the numerical error of F.

    Returns:
      The limits, in [0, 1].

    Raises:
      ValueError: without a draw, or if `cdf` is no distribution function.
    """
    check_integer("draws", len(values))
    lowest = np.sort(_ends(values, -errors, -np.inf))
    highest = np.sort(_ends(values, errors, np.inf))
    law = _Law(cdf)
    parts = {
        "above": (_above(law, highest, 0, unknown), _above(law, lowest, unknown, unknown)),
        "below": (_below(law, lowest, unknown, unknown), _below(law, highest, 0, unknown)),
    }
    low, high = (max(ends) for ends in zip(*parts.values(), strict=True))
    return Distance(max(0.0, low - cdf_error), min(1.0, high + cdf_error))


def _ends(values: np.ndarray, off: np.ndarray, anywhere: float) -> np.ndarray:
    with np.errstate(invalid="ignore"):
        ends = values + off
    return np.where(np.isnan(ends) | np.isnan(values) | np.isinf(off), anywhere, ends)


class _Law:
    """F on the extended line: 0 at −∞ and 1 at ∞, whatever the function says there."""

    def __init__(self, cdf: Callable[[np.ndarray], np.ndarray]):
        self.cdf = cdf

    def at(self, points: np.ndarray) -> np.ndarray:
        """F at increasing points, checked."""
        found = np.where(points == np.inf, 1.0, 0.0)
        inside = np.isfinite(points)
        if inside.any():
            found[inside] = _checked(self.cdf(points[inside]), points[inside])
        return found


def _checked(values: object, points: np.ndarray) -> np.ndarray:
    found = np.asarray(values)
    if found.dtype != np.float64:
        raise ValueError(
            f"cdf must return float64, got {found.dtype}; it is called with numpy arrays, outside "
            "of compiled code: use scipy.stats or numpy"
        )
    if found.shape != points.shape:
        raise ValueError(
            f"cdf must return one number for each of {len(points)} points, got shape {found.shape}"
        )
    if not ((found >= -CDF_ERROR) & (found <= 1 + CDF_ERROR)).all():
        bad = found[~((found >= -CDF_ERROR) & (found <= 1 + CDF_ERROR))][0]
        raise ValueError(f"cdf must return numbers in [0, 1], got {bad:g}")
    if (np.diff(found) < -CDF_ERROR).any():
        raise ValueError("cdf must not decrease from one point to a larger one")
    return found


def _above(law: _Law, jumps: np.ndarray, more: int, unknown: int) -> float:
    """sup (F_N − F) of the function that jumps there, `more` draws being at −∞ besides."""
    rank = np.searchsorted(jumps, jumps, side="right") + more
    total = len(jumps) + unknown
    return max(float(np.max(rank / total - law.at(_beside(jumps, 1)))), more / total)


def _below(law: _Law, jumps: np.ndarray, more: int, unknown: int) -> float:
    """sup (F − F_N), just before the jumps and beyond the last."""
    rank = np.searchsorted(jumps, jumps, side="left") + more
    total = len(jumps) + unknown
    before = law.at(_beside(jumps, -1))
    return max(float(np.max(before - rank / total)), 1 - (len(jumps) + more) / total)


def _beside(points: np.ndarray, side: int) -> np.ndarray:
    """Points moved up (side 1) or down (−1) by `ARGUMENT_ERROR`, down by one number at least."""
    finite = np.where(np.isfinite(points), points, 0.0)
    with np.errstate(over="ignore"):
        moved = finite + side * ARGUMENT_ERROR * np.abs(finite)
        least = finite if side > 0 else np.nextafter(finite, -np.inf)
    moved = np.maximum(moved, least) if side > 0 else np.minimum(moved, least)
    return np.where(np.isfinite(points), moved, points)
