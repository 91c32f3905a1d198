"""Exact laws at initialization of the all-trained ReLU network (Z23), at any width and dimension.

S = aᵀWWᵀDa with W_ij ~ N(0, 1/d), a_i ~ N(0, 1/m) and D the diagonal of activations. Flipping
(w_i, a_i) by the sign of ⟨w_i, x⟩ leaves a_i a_j⟨w_i, w_j⟩ unchanged and makes D independent fair
coins, so S = Q(ρX + √(ρ(1 − ρ)X/d) Z) with independent Q = ‖a‖² ~ χ²_m/m, X ~ χ²_d/d, Z ~ N(0, 1)
and ρ = ‖Da‖²/‖a‖²: ρ | N ~ Beta(N/2, (m − N)/2), N ~ Bin(m, ½). In the same way the gradient
∇f(x) = WᵀDa has ‖∇f(x)‖² = ‖Da‖²X with independent ‖Da‖² | N ~ χ²_N/m and X.
"""

import functools
import math

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike
from scipy import special

from theory._validation import as_host_reals, check_integer, check_real, takes_numbers
from theory.perturbations import initialization

MEAN = 0.5  # E S at every m and d (Z23 eq. 8)


@takes_numbers
def alignment_variance(m: int, d: int) -> float:
    """Var S = 5/(4m) + 3/(4d) + 9/(4md) (ours; Z23 eq. 9 prints 5/(4m) + 1/d + 2/(md))."""
    m, d = check_integer("m", m), check_integer("d", d)
    return 5 / (4 * m) + 3 / (4 * d) + 9 / (4 * m * d)


@takes_numbers
def alignment_variance_as_printed(m: int, d: int) -> float:
    """5/(4m) + 1/d + 2/(md), Z23 eq. 9 as printed."""
    m, d = check_integer("m", m), check_integer("d", d)
    return 5 / (4 * m) + 1 / d + 2 / (m * d)


@functools.lru_cache(maxsize=256)
def alignment_failure(m: int, d: int, threshold: float = 0.0) -> float:
    """P(S ≤ c), the probability that v = −Wᵀa separates one noise with margin c or less.

    At c = 0 it is E_ρ I_{(1−√ρ)/2}(d/2, d/2), I the regularized incomplete beta function; at
    c > 0, E Φ_N((c/Q − ρX)/√(ρ(1 − ρ)X/d)). Integrated by the trapezoidal rule in variables in
    which the integrand is analytic and decays doubly exponentially: it converges geometrically.

    Args:
      m: width, ≥ 1.
      d: dimension, ≥ 1.
      threshold: c ≥ 0.

    Returns:
      The probability, up to rounding of some 3·10^{−15} m relative to it (logarithms of size m are
      subtracted); at c > 0 an upper bound, by at most 2^{−m} (the event N = m).

    Raises:
      ValueError: for arguments outside their range.

    Source:
      Ours, exact form of Z23 Theorem 3.1.
    """
    m, d = check_integer("m", m), check_integer("d", d)
    check_real("threshold", threshold, low=0.0)
    none_active = 2.0**-m  # N = 0: S = 0
    if threshold == 0:
        rho, _, weight = _activity_law(m, 4001)
        failure = special.betainc(d / 2, d / 2, (1 - np.sqrt(rho)) / 2)
        return float(min(1.0, none_active + weight @ failure))
    rho, rest, weight_rho = _activity_law(m, 801)
    q, weight_q = _chi_square_law(m)
    chi, weight_chi = _chi_square_law(d)
    spread = np.sqrt(rho * rest)[:, None] * np.sqrt(chi / d)
    total = 0.0
    for scale, weight in zip(q, weight_q, strict=True):
        mean = threshold / scale - rho[:, None] * chi
        total += weight * (weight_rho @ special.ndtr(mean / spread) @ weight_chi)
    all_active = 2.0**-m  # N = m has no density; counted as a failure
    return float(min(1.0, none_active + all_active + total))


@takes_numbers
def alignment_decay(ratio: float) -> float:
    """Rate J(κ) = −lim (1/m) log P(S ≤ 0) along the ray d = κm.

    J(κ) = inf_ρ [log 2 − (3/2) log(ρ^{1/3} + (1 − ρ)^{1/3}) − (κ/2) log(1 − ρ)]
         = log 2 − (3/2) log(1 + r) + ((1 + κ)/2) log(1 + r³),   r = 2/(1 + √(1 + 4κ)),

    attained at ρ = r³/(1 + r³). J(κ) → log 2 for κ → ∞ and J(κ)/κ → ½ log 2 for κ → 0, which are
    the rates per unit of width and of dimension where the other one is much larger.

    Args:
      ratio: κ = d/m > 0.

    Returns:
      J(κ), per unit of width.

    Raises:
      ValueError: unless κ is positive and finite.

    Source:
      Ours; Z23 Theorem 3.1 has e^{−c₁d} + e^{−c₂m} with unspecified constants.
    """
    check_real("ratio", ratio, low=0.0, open_low=True)
    r = 2 / (1 + math.sqrt(1 + 4 * ratio))
    return math.log(2) - 1.5 * math.log1p(r) + (1 + ratio) / 2 * math.log1p(r**3)


@takes_numbers
def active_readout_cdf(m: int, threshold: ArrayLike) -> np.ndarray:
    """P(‖Da‖² ≤ t) = Σ_N Bin(N; m, ½) P(χ²_N ≤ mt), the readout of the active neurons.

    Args:
      m: width, ≥ 1.
      threshold: t ≥ 0, any shape.

    Returns:
      The probability, of the threshold's shape; for N = 0 the norm is 0. Terms are positive: it
      keeps its relative accuracy in the lower tail.

    Raises:
      ValueError: if m is no positive integer.

    Source:
      Z23, the events E₁ and E₂ of the proof of Theorem 3.1, without bounds.
    """
    m = check_integer("m", m)
    t = as_host_reals("threshold", threshold)
    n = np.arange(1, m + 1)
    given = special.gammainc(n / 2, m * t[..., None] / 2)
    return np.asarray(2.0**-m + given @ np.exp(_log_binomial(m, n)))


@functools.lru_cache(maxsize=256)
def gradient_norm_cdf(m: int, d: int, threshold: float) -> float:
    """P(‖∇f(x)‖² ≤ t) = E P(‖Da‖² ≤ t/X), X ~ χ²_d/d, at ‖x‖ = √d.

    Args:
      m: width, ≥ 1.
      d: dimension, ≥ 1.
      threshold: t ≥ 0.

    Returns:
      The probability, by the trapezoidal rule, which converges geometrically here, with the
      relative accuracy of `active_readout_cdf`.

    Raises:
      ValueError: for arguments outside their range.

    Source:
      Ours, exact form of Z23 eq. 29.
    """
    m, d = check_integer("m", m), check_integer("d", d)
    check_real("threshold", threshold, low=0.0)
    sharpness = math.ceil(math.sqrt(1 + m / d))  # of the step in X, against the width of its law
    chi, weight = _chi_square_law(d, 180 * sharpness + 1)
    return float(min(1.0, active_readout_cdf(m, threshold / chi) @ weight))


@takes_numbers
def largest_squares(m: int, s: int) -> float:
    """Expected share of the s largest squares of m independent normal numbers in their sum.

    (1/m) E Σ_{i≤s} g²_(i), g ~ N(0, I_m), g²_(1) ≥ g²_(2) ≥ …
      = ∫ t² · 2φ(t) · P(Bin(m − 1, p(t)) ≤ s − 1) dt over t > 0,   p(t) = P(|g_1| > t):

    g_1² counts where fewer than s of the others are larger. For s/m → q it tends to
    2(tφ(t) + P(g_1 > t)) with p(t) = q, which is 2q log(1/q)(1 + o(1)) for q → 0.

    Args:
      m: how many numbers, ≥ 1.
      s: how many of them count, 1 ≤ s ≤ m.

    Returns:
      The share, in (0, 1], by the trapezoidal rule in t.

    Raises:
      ValueError: unless 1 ≤ s ≤ m are integers.

    Source:
      Ours, for Z23 Lemma 3.7: ‖a_I‖² summed over the s largest |a_i| has this mean, and the
      supremum of |aᵀWWᵀu| over ‖u‖₀ ≤ s, ‖u‖ = 1, squared, (1 + (m + 1)/d) times it.
    """
    check_integer("m", m)
    check_integer("s", s, high=m)
    # The step of the binomial probability is about 1/(t√s) wide in t, and t < 6 there.
    nodes = 2001 + 1000 * math.isqrt(s)
    t = np.linspace(0.0, 14.0, nodes)
    density = 2 * t**2 * np.exp(-(t**2) / 2) / math.sqrt(2 * math.pi)
    among = special.bdtr(s - 1, m - 1, 2 * special.ndtr(-t)) if m > 1 else 1.0
    return float(np.sum(density * among) * (t[1] - t[0]))


@takes_numbers
def large_step_failure(d: int) -> float:
    """P(y⟨v, x + ηr⟩ ≤ 0) for v = −Wᵀa and the large step η = d^{1/4}, in a wide network.

    As m → ∞, (u, f) = (aᵀWx, f(x)) tends to a normal law with variances 1 and ½ and covariance ½,
    and S to its mean ½ as d → ∞, so that y⟨v, x + ηr⟩ = −yu + (η/2)s(−yf), s the sigmoid. With
    f = (u + g)/2 and independent standard normal u and g, failure is u ≥ u*(g), the one root of
    u = (η/2)s(−(u + g)/2): the probability is E_g Φ_N(−u*(g)).

    Args:
      d: dimension, ≥ 1.

    Returns:
      The limit; finite m and d move S and f by O(1/√m + 1/√d).

    Raises:
      ValueError: if d is no positive integer.

    Source:
      Ours, on Z23 Remark 1.
    """
    d = check_integer("d", d)
    reach = d**0.25 / 2
    g, weight = special.roots_hermitenorm(80)
    low, high = np.zeros_like(g), np.full_like(g, reach)
    for _ in range(80):  # bisection
        middle = (low + high) / 2
        below = middle < reach * special.expit(-(middle + g) / 2)
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return float(special.ndtr(-low) @ weight / weight.sum())


def _log_binomial(m: int, n: np.ndarray | np.integer) -> np.ndarray | np.floating:
    """log P(Bin(m, ½) = n)."""
    return -special.betaln(n + 1, m - n + 1) - np.log(m + 1) - m * np.log(2)


def _activity_law(m: int, nodes: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """ρ, 1 − ρ and weights of nodes for 0 < N < m: trapezoid in v, ρ = sigmoid(sinh v).

    In wide networks ρ is within some 0.9/√m of ½, so v within 3.5/√m of 0: from m = 10⁴ on the
    nodes reach to |v| = 200/√m, beyond which the law has less than e^{−800}. The sum over N then
    takes every k-th N, k = ⌊√m/16⌋, k times: its terms are analytic in N and fall like a normal
    density of standard deviation σ = √m/2 ≥ 8k, so that by Poisson's formula the error relative to
    the sum is 2 exp(−2π²σ²/k²) < e^{−1262}.
    """
    wide = m >= 10**4
    v = np.linspace(-1.0, 1.0, nodes) * (200 / math.sqrt(m) if wide else 6.0)
    t = np.sinh(v)
    log_rho, log_rest = special.log_expit(t), special.log_expit(-t)
    reach = int(20 * np.sqrt(m)) + 1  # P(|N − m/2| > reach) < 2e^{−800}
    stride = math.isqrt(m) // 16 if wide else 1
    n = np.arange(max(1, m // 2 - reach), min(m - 1, m // 2 + reach) + 1, stride)
    log_density = np.full(nodes, -np.inf)
    for active in n:
        half, rest = active / 2, (m - active) / 2
        term = (
            _log_binomial(m, active) + half * log_rho + rest * log_rest - special.betaln(half, rest)
        )
        log_density = np.logaddexp(log_density, term)
    weights = stride * np.exp(log_density) * np.cosh(v) * (v[1] - v[0])
    return np.exp(log_rho), np.exp(log_rest), weights


def _chi_square_law(k: int, nodes: int = 121) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights for χ²_k/k: trapezoid in v, log(χ²_k/k) = √(2/k) sinh v."""
    v = np.linspace(-5.0, 5.0, nodes)
    t = np.sqrt(2 / k) * np.sinh(v)
    log_density = k / 2 * (np.log(k / 2) + t - np.exp(t)) - special.gammaln(k / 2)
    weights = np.exp(log_density) * np.sqrt(2 / k) * np.cosh(v) * (v[1] - v[0])
    return np.exp(t), weights


@takes_numbers
def event_failures(m: int, d: int) -> Float[np.ndarray, " events"]:
    """Exact probabilities that the first five `EVENTS` fail, in their order."""
    return np.array(
        [
            special.bdtr(m // 4, m, 0.5),
            initialization.active_readout_cdf(m, 1 / 8),
            special.gammaincc(m / 2, m),
            special.gammainc(d / 2, d / 4),
            initialization.gradient_norm_cdf(m, d, 1 / 16),
        ]
    )
