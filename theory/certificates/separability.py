"""Linear separability of labelled points, decided with a certificate either way.

By Gordan's theorem (1873) exactly one of two things exists for points x_k with labels y_k = ±1:

- a separator v with y_k⟨v, x_k⟩ > 0 for all k, or
- multipliers λ ≥ 0, Σ_k λ_k = 1, with Σ_k λ_k y_k x_k = 0.

`separate` finds one of them by linear programming, but believes neither the solver nor itself: the
answer is whatever `check_separator` (in float64, with a rounding bound) or `check_inseparability`
(in rational arithmetic, without any rounding) can prove about it, and otherwise "undecided". The
points are taken as exact numbers. Everything runs on the host, in numpy.

There is no intercept. A hyperplane that misses the origin, ⟨v, x⟩ + b, is one through the origin
for the points (x_k, 1): that is what `affine=True` means throughout.
"""

import math
import numbers
from collections.abc import Sequence
from fractions import Fraction
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Float64, Int
from numpy.typing import ArrayLike

from theory._kinds import boolean
from theory._validation import check_integer, check_labels, check_points

Status = Literal["separable", "inseparable", "undecided"]

# HiGHS stops at 1e-7 by default, which hides smaller margins; this is the least it accepts.
LP_OPTIONS = {"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10}


class Separation(NamedTuple):
    """Whether labelled points are linearly separable, and the proof.

    Margins are cosines: that of v is min_k y_k⟨v, x_k⟩/(‖v‖‖x_k‖), in [−1, 1] and 0 for v = 0. The
    largest one over all v lies in [margin, residual], rounding included, so that the points are
    separable if margin > 0 and inseparable if residual = 0.

    Attributes:
      status: "separable", "inseparable" or "undecided".
      separator: (d,) float64 v, largest entry below 1 in absolute value; with affine=True (d + 1,),
        the intercept last. None unless the status is "separable".
      margin: certified lower bound on the margin of `separator`; 0 if there is none.
      multipliers: (n,) float64 λ ≥ 0 with Σ_k λ_k = 1 up to rounding, for every status.
      exact_multipliers: n rational λ_k with λ ≥ 0, Σ_k λ_k = 1 and Σ_k λ_k y_k x_k = 0 exactly;
        empty unless the status is "inseparable".
      residual: certified upper bound on every margin, ‖Σ_k λ_k y_k x_k‖ / Σ_k λ_k‖x_k‖ rounded up;
        0 if the multipliers are exact.
      reason: why the status is "undecided", otherwise empty.
    """

    status: Status
    separator: Float64[np.ndarray, " d"] | None
    margin: float
    multipliers: Float64[np.ndarray, " n"]
    exact_multipliers: tuple[Fraction, ...]
    residual: float
    reason: str


def separate(
    x: ArrayLike, y: ArrayLike, *, affine: bool = False, max_exact_bits: int = 10**8
) -> Separation:
    """Decides whether some v has y_k⟨v, x_k⟩ > 0 for all k.

    The linear program max_{v, t} t subject to y_k⟨v, x_k⟩ ≥ t and |v_i| ≤ 1, on points scaled by
    powers of two, proposes a separator and, through its dual, multipliers on at most d + 1 points.
    Those are made exact by solving Σ_k λ_k y_k x_k = 0 on that support over the integers.

    Args:
      x: (n, d) points, n, d ≥ 1; finite numbers that float64 represents exactly.
      y: (n,) labels −1 or +1.
      affine: whether v may have an intercept, as if a 1 were appended to every point.
      max_exact_bits: largest integer matrix, in bits, that exact elimination may need, at about
        10⁷ bits per second; beyond it inseparable points stay undecided. A support of s ≤ d + 1
        points, whose entries need b bits on a common scale, takes d s² (b + ½log₂d). The default
        allows d ≤ 110 for arbitrary floats (b ≈ 70), and d ≈ 250 for labels or small integers.

    Returns:
      A `Separation`. It is undecided only if no margin exceeds about 1e-8 and either max_exact_bits
      is too small or the points are nearly, but not exactly, degenerate (for example of low rank up
      to rounding): `reason` says which.

    Raises:
      ValueError: if x is no finite matrix, y is not one label ±1 per row, or max_exact_bits < 0.

    Example:
      >>> separate([[1.0, 0.0], [0.0, 1.0]], [1, -1]).status
      'separable'
      >>> separate([[1.0], [3.0]], [1, -1]).exact_multipliers
      (Fraction(3, 4), Fraction(1, 4))

    Source:
      P. Gordan, "Ueber die Auflösung linearer Gleichungen mit reellen Coefficienten", Mathematische
      Annalen 6 (1873). The question is that of Zhang, Yu, Lu, He, "Adversarial Noises Are Linearly
      Separable for (Nearly) Random Neural Networks", AISTATS 2023.
    """
    max_exact_bits = check_integer("max_exact_bits", max_exact_bits, low=0)
    signed = _signed_points(x, y, affine)
    points, exponents = _scale_rows(signed)
    zero = np.flatnonzero(~points.any(axis=1))
    if zero.size:  # 1·0 = 0: a zero point is inseparable by itself
        v, weights = np.zeros(points.shape[1]), np.zeros(len(points))
        weights[zero[0]] = 1.0
    else:
        v, weights = _largest_margin(points)
    multipliers, residual = _unscale(weights, exponents), _residual(points, weights)

    margin = check_separator(x, y, v, affine=affine)
    if margin > 0:
        return Separation("separable", v, margin, multipliers, (), residual, "")
    exact, reason = _exact_multipliers(signed, weights, max_exact_bits)
    if exact and check_inseparability(x, y, exact, affine=affine):
        multipliers = np.array([float(e) for e in exact])
        return Separation("inseparable", None, 0.0, multipliers, exact, 0.0, "")
    reason = f"no margin is certain, but all are ≤ {residual:.2g}; {reason}"
    return Separation("undecided", None, 0.0, multipliers, (), residual, reason)


def check_separator(x: ArrayLike, y: ArrayLike, v: ArrayLike, *, affine: bool = False) -> float:
    """Lower bound on the margin of v, proven in float64: v separates if it is positive.

    An inner product of d terms, in any order of summation, fused or not, is off by at most
    γ_d Σ_i|v_i||x_i|, γ_k = ku/(1 − ku), u = 2⁻⁵³. Using γ_{2d+16} instead also covers the rounding
    of Σ_i|v_i||x_i| itself, of the two norms (at most d + 2 together) and of the quotient. Points
    and v are first scaled by powers of two to a largest entry in [½, 1). Only tiny entries can
    underflow then, each product by less than 4·2⁻¹⁰²², even if subnormals are flushed to zero.

    Args:
      x: (n, d) points.
      y: (n,) labels −1 or +1.
      v: (d,) separator to be checked, of any norm; (d + 1,) with affine=True, the intercept last.
      affine: as in `separate`.

    Returns:
      A lower bound on min_k y_k⟨v, x_k⟩/(‖v‖‖x_k‖), with 0/0 = 0.

    Raises:
      ValueError: if x, y or v has a wrong shape or inadmissible entries.

    Source:
      Higham, "Accuracy and Stability of Numerical Algorithms", 2nd ed., §3.1.
    """
    points, _ = _scale_rows(_signed_points(x, y, affine))
    d = points.shape[1]
    if np.shape(v) != (d,):
        raise ValueError(f"v must have shape ({d},), one entry per dimension, got {np.shape(v)}")
    (v,), _ = _scale_rows(_as_points("v", np.asarray(v)[None]))

    product = points @ v
    error = _gamma(2 * d + 16) * (np.abs(points) @ np.abs(v)) + 4 * d * np.finfo(float).tiny
    # A scaled vector has norm ≥ ½ unless it is zero, and then the product is zero as well.
    norm = np.maximum(np.linalg.norm(points, axis=1), 0.5) * max(np.linalg.norm(v), 0.5)
    return float(((product - error) / norm).min())


def check_inseparability(
    x: ArrayLike, y: ArrayLike, multipliers: Sequence[object], *, affine: bool = False
) -> bool:
    """Whether λ ≥ 0, Σ_k λ_k = 1 and Σ_k λ_k y_k x_k = 0, in exact rational arithmetic.

    If so, Σ_k λ_k y_k⟨v, x_k⟩ = 0 for every v, and no v makes all the y_k⟨v, x_k⟩ positive.

    Args:
      x: (n, d) points, each entry being the binary fraction that it is stored as.
      y: (n,) labels −1 or +1.
      multipliers: n integers or `fractions.Fraction`s λ_k; not floats, whose sum is rarely exact.
      affine: as in `separate`; then Σ_k λ_k y_k = 0 is required, too.

    Returns:
      True exactly if the multipliers prove that no separator exists.

    Raises:
      ValueError: if x or y is inadmissible, or multipliers are not n integers or fractions.
    """
    signed = _signed_points(x, y, affine)
    n, exact = len(signed), []
    if len(multipliers) != n:
        raise ValueError(f"multipliers must be {n}, one per point, got {len(multipliers)}")
    for m in multipliers:
        if not isinstance(m, numbers.Rational):
            raise ValueError(f"multipliers must be integers or Fractions, got {m!r}")
        exact.append(Fraction(int(m.numerator), int(m.denominator)))
    if min(exact) < 0 or sum(exact) != 1:
        return False
    common = math.lcm(*(e.denominator for e in exact))
    support = [k for k, e in enumerate(exact) if e]
    weights = [exact[k].numerator * (common // exact[k].denominator) for k in support]
    return not any(
        sum(w * Fraction(entry) for w, entry in zip(weights, coordinate, strict=True))
        for coordinate in signed[support].T.tolist()
    )


def _signed_points(x: ArrayLike, y: ArrayLike, affine: bool) -> Float64[np.ndarray, "n d"]:
    """y_k x_k, or y_k (x_k, 1)."""
    points = _as_points("x", x)
    if boolean("affine", affine):
        points = np.hstack([points, np.ones((len(points), 1))])
    return points * _as_labels(y, len(points))[:, None]


def _as_points(name: str, x: ArrayLike) -> Float64[np.ndarray, "n d"]:
    check_points(name, x)
    given = np.asarray(x)
    points = given.astype(np.float64)
    too_long = given.dtype.kind in "iu" and np.abs(points).max() >= 2**53
    if too_long or (points != given).any():
        raise ValueError(f"{name} must be exact in float64, got {given.dtype} beyond 53 bits")
    return points


def _as_labels(y: ArrayLike, n: int) -> Float64[np.ndarray, " n"]:
    check_labels("y", y, n)
    return np.asarray(y).astype(np.float64)


def _gamma(k: int) -> float:
    """Higham's γ_k = ku/(1 − ku) for k roundings, u = 2⁻⁵³."""
    return k * 2.0**-53 / (1 - k * 2.0**-53)


def _scale_rows(
    points: Float64[np.ndarray, "n d"],
) -> tuple[Float64[np.ndarray, "n d"], Int[np.ndarray, " n"]]:
    """Points times 2^−e_k, largest entries in [½, 1), and e_k; exact but for underflow."""
    _, exponents = np.frexp(np.abs(points).max(axis=1))
    return np.ldexp(points, -exponents[:, None]), exponents


def _unscale(
    weights: Float64[np.ndarray, " n"], exponents: Int[np.ndarray, " n"]
) -> Float64[np.ndarray, " n"]:
    """Multipliers of the given points, of sum 1, from those of the points times 2^−e_k."""
    multipliers = np.ldexp(weights, exponents[weights > 0].min() - exponents)
    return multipliers / multipliers.sum()


def _largest_margin(
    points: Float64[np.ndarray, "n d"],
) -> tuple[Float64[np.ndarray, " d"], Float64[np.ndarray, " n"]]:
    """Solution v of max t, ⟨v, x_k⟩ ≥ t, |v_i| ≤ 1, and its multipliers; neither is certain.

    HiGHS treats entries below 1e-9 as zero, so coordinates are first balanced by powers of two. The
    simplex method ends in a vertex, where at most d + 1 multipliers are positive: the smallest
    support for exact elimination.
    """
    from scipy.optimize import linprog  # slow to import

    n, d = points.shape
    balanced, exponents = _scale_rows(points.T)
    solution = linprog(
        np.append(np.zeros(d), -1.0),
        A_ub=np.hstack([-balanced.T, np.ones((n, 1))]),
        b_ub=np.zeros(n),
        bounds=[(-1, 1)] * d + [(None, None)],
        method="highs-ds",
        options=LP_OPTIONS,
    )
    if solution.status != 0:  # a solution exists, but the solver may fail to find it
        return np.zeros(d), np.full(n, 1 / n)
    v = np.ldexp(solution.x[:d], exponents.min() - exponents)
    (v,), _ = _scale_rows(v[None])
    return v, np.maximum(-solution.ineqlin.marginals, 0.0)


def _residual(points: Float64[np.ndarray, "n d"], weights: Float64[np.ndarray, " n"]) -> float:
    """Upper bound ‖Σ_k λ_k x_k‖ / Σ_k λ_k‖x_k‖ on every margin, rounding included.

    For every v of margin μ, μ‖v‖ Σ_k λ_k‖x_k‖ ≤ Σ_k λ_k⟨v, x_k⟩ ≤ ‖v‖ ‖Σ_k λ_k x_k‖. Each entry of
    the last sum is off by at most γ_n Σ_k λ_k|x_ki|, hence its norm by γ_n Σ_k λ_k‖x_k‖.
    """
    scale = weights @ np.linalg.norm(points, axis=1)
    if scale == 0:
        return 0.0
    ratio = np.linalg.norm(weights @ points) / scale
    return float(min(ratio + _gamma(2 * sum(points.shape) + 16), 1.0))


def _exact_multipliers(
    signed: Float64[np.ndarray, "n d"], weights: Float64[np.ndarray, " n"], max_exact_bits: int
) -> tuple[tuple[Fraction, ...], str]:
    """Rational multipliers of y_k x_k, from the float ones of its scaled rows; or none, and why.

    The scaled rows, times a common power of two, are integers of b bits. Minors of s of them have
    at most s(b + ½log₂d) bits (Hadamard).
    """
    (n, d), (_, exponents) = signed.shape, _scale_rows(signed)
    support = np.flatnonzero(weights).tolist()
    s, scales = len(support), {k: Fraction(2) ** int(exponents[k]) for k in support}
    rows = [[Fraction(entry) / scales[k] for entry in signed[k].tolist()] for k in support]
    common = max(entry.denominator for row in rows for entry in row)
    bits = d * s**2 * (math.log2(common) + math.log2(d) / 2)
    if bits > max_exact_bits:
        return (), f"{s} points need {bits:.1e} bits > max_exact_bits = {max_exact_bits:.1e}"
    integers = [[int(entry * common) for entry in row] for row in rows]
    solution = _null_vector(integers, [max(1, int(weights[k] * 2.0**60)) for k in support])
    if min(solution) < 0 or not any(solution):
        return (), f"the {s} points of the dual program have no exact λ ≥ 0"
    multipliers = {k: z / scales[k] for k, z in zip(support, solution, strict=True)}
    total = sum(multipliers.values())
    return tuple(multipliers.get(k, Fraction(0)) / total for k in range(n)), ""


def _null_vector(rows: list[list[int]], weights: list[int]) -> list[int]:
    """Integers z with Σ_k z_k rows_k = 0, proportional to the weights where z_k can be chosen.

    Fraction-free elimination (Bareiss 1968): every intermediate number is a minor of the matrix,
    so that all divisions are exact. The z_k of pivots follow from the other ones, by Cramer's rule
    in integers once these are multiples of the last minor. Independent rows give z = 0.
    """
    s = len(rows)
    equations = [list(column) for column in zip(*rows, strict=True)]
    pivots: list[int] = []
    minor = 1
    for j in range(s):
        r = len(pivots)
        i = next((i for i in range(r, len(equations)) if equations[i][j]), None)
        if i is None:
            continue
        equations[r], equations[i] = equations[i], equations[r]
        top, pivot = equations[r], equations[r][j]
        for i in range(r + 1, len(equations)):
            row, factor = equations[i], equations[i][j]
            equations[i] = [0] * (j + 1) + [
                (pivot * row[t] - factor * top[t]) // minor for t in range(j + 1, s)
            ]
        pivots.append(j)
        minor = pivot
    z = [0 if j in pivots else abs(minor) * weights[j] for j in range(s)]
    for r, j in reversed(list(enumerate(pivots))):
        z[j] = -sum(equations[r][t] * z[t] for t in range(j + 1, s)) // equations[r][j]
    return z
