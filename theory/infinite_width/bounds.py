"""Explicit finite-width bounds for lazy training of the network with frozen Gaussian readout.

The derivations, every inequality named, are in docs/statements/lazy.md.
"""

import math
from statistics import NormalDist
from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from theory._types import AnyArray, Real
from theory._validation import is_traced, takes_arrays, takes_numbers
from theory.infinite_width.kernels import Pairs, pairs
from theory.networks.embedding import biased_products, standard_deviation

# --- how far neurons move, and which can change their activation ----------------------------------


@takes_arrays
def reach(
    x: Float[AnyArray, "n d"],
    y: Float[AnyArray, " n"],
    z: Float[AnyArray, "q d"],
    weights: Float[AnyArray, " n"] | Real,
    floor: Real = 0.0,
) -> Float[Array, "2 q"]:
    """ρ_±(z): h_i(z) moves within a_i·[−ρ_−(z), ρ_+(z)] during training.

    ρ_± = (κ_± − floor·κ_∓)₊ with κ_±(z) = (1/n) Σ_k α_k (y_k(⟨x_k, z⟩ + 1))_±.

    Args:
      x, y: (n, d) training points and (n,) labels ±1.
      z: (q, d) query points.
      weights: α, (n,) or one number: T under the identity loss; T for any loss with 0 ≤ ℓ' ≤ 1;
        or the weights α_k = ∫ℓ' that training ended with.
      floor: γ under the identity loss, where the factors φ' of the path are at least γ; 0 under
        any other.

    Returns:
      (2, q) array, ρ_+ and ρ_−.
    """
    return reach_of(biased_products(x, z), y, weights, floor)


@takes_arrays
def reach_of(
    products: Float[AnyArray, "n q"],
    y: Float[AnyArray, " n"],
    weights: Float[AnyArray, " n"] | Real,
    floor: Real = 0.0,
) -> Float[Array, "2 q"]:
    """`reach` from the products ⟨x_k, z⟩ + 1, where these are known."""
    pull = (y * weights)[:, None] * products / len(y)
    up, down = (jnp.sum(jnp.maximum(side, 0), axis=0) for side in (pull, -pull))
    return jnp.stack([jnp.maximum(up - floor * down, 0), jnp.maximum(down - floor * up, 0)])


@takes_arrays
def crossing_ratio(
    reach: Float[AnyArray, "2 q"], z: Float[AnyArray, "q d"], m: int
) -> Float[Array, "2 q"]:
    """r_±(z) = ρ_±(z)/(σ(z)√m): reach of a pre-activation over its initial spread.

    With a_i = A/√m and h_i(z; 0) = σB the sign of h_i(z) can change only if |B| ≤ r_+|A| where AB
    < 0, and only if |B| ≤ r_−|A| where AB > 0.
    """
    return _ratio(reach, standard_deviation(z), m)


def _ratio(reach: AnyArray, sigma: Array, m: int) -> Array:
    return reach / (sigma[None, :] * m**0.5)


@takes_arrays
def crossing_probability(r: Float[AnyArray, "..."]) -> Float[Array, "..."]:
    """P(|B| ≤ r|A|) = (2/π) arctan r for independent standard normal A, B."""
    return 2 / jnp.pi * jnp.arctan(r)


@takes_arrays
def weighted_crossing(r: Float[AnyArray, "..."]) -> Float[Array, "..."]:
    """ψ(r) = E[A² 1(|B| ≤ r|A|)] = (2/π)(arctan r + r/(1 + r²)) for independent normal A, B."""
    return 2 / jnp.pi * (jnp.arctan(r) + r / (1 + r**2))


@takes_arrays
def fourth_crossing(r: Float[AnyArray, "..."]) -> Float[Array, "..."]:
    """ψ₄(r) = E[A⁴ 1(|B| ≤ r|A|)] = (2/π)(3 arctan r + 3r/(1 + r²) + 2r/(1 + r²)²)."""
    share = r / (1 + r**2)
    return 2 / jnp.pi * (3 * jnp.arctan(r) + 3 * share + 2 * share / (1 + r**2))


# --- deviations -----------------------------------------------------------------------------------


@takes_numbers
def normal_quantile(s: float) -> float:
    """t with P(|A| ≥ t) = e^{−s} for a standard normal A; at most √(2s)."""
    return -NormalDist().inv_cdf(math.exp(-s) / 2)


@takes_arrays
def weighted_deviation(
    root: Real | Float[AnyArray, "..."], total: Real | Float[AnyArray, "..."], s: float, m: int
) -> Array:
    """root·√(2s/m) + 2·total·s/m, exceeded with probability ≤ e^{−s} by a mean of m over its mean.

    The m independent terms are Σ_j w_j Y_j with E|Y_j|^q ≤ (q!/2) v_j 2^{q−2} for q ≥ 2, and
    root = Σ_j |w_j|√v_j, total = Σ_j |w_j|: Bernstein's inequality after Minkowski's and Jensen's.
    """
    return jnp.asarray(root * math.sqrt(2 * s / m) + 2 * total * s / m)


@takes_numbers
def chi_square_deviation(s: float, m: int) -> Array:
    """√(6s/m) + 2s/m: mean of m terms A_i²g_i, |g_i| ≤ 1, exceeds its mean by more w.p. ≤ e^{−s}.

    Bernstein's inequality with v = 3, c = 2, as E A^{2q} = (2q − 1)!! ≤ (q!/2)·3·2^{q−2}.
    """
    return weighted_deviation(math.sqrt(3), 1.0, s, m)


# --- the output -----------------------------------------------------------------------------------


class OutputBound(NamedTuple):
    """Bound on |f(z; T) − k_α(z)|, by parts, each (q,).

    initial: the initial output.  kernel: fluctuation of the kernel at initialization.
    lazy: neurons that change their activation.
    """

    initial: Float[Array, " q"]
    kernel: Float[Array, " q"]
    lazy: Float[Array, " q"]

    @property
    def trained(self) -> Float[Array, "..."]:
        """kernel + lazy: what the change f(z; T) − f(z; 0) may be off."""
        return self.kernel + self.lazy

    @property
    def total(self) -> Float[Array, "..."]:
        """B(z), the sum of the three parts."""
        return self.initial + self.trained


@takes_arrays
def initial_bound(z: Float[AnyArray, "q d"], m: int, slope: Real, s: float) -> Float[Array, " q"]:
    """|f(z; 0)| ≤ σ(z) t(s) √V except with probability 2e^{−s}.

    V = min(1 + 2√(s/m) + 2s/m, (1 + γ²)/2 + √(3(1 + γ⁴)s/m) + 2s/m) bounds (1/m) Σ φ(B_i)²
    (Laurent–Massart; Bernstein) and t(s) is the `normal_quantile`.
    """
    return _initial_bound(standard_deviation(z), m, slope, s)


def _initial_bound(sigma: Array, m: int, slope: Real, s: float) -> Array:
    laurent_massart = 1 + 2 * math.sqrt(s / m) + 2 * s / m
    bernstein = (1 + slope**2) / 2 + (3 * (1 + slope**4) * s / m) ** 0.5 + 2 * s / m
    smaller = jnp.minimum if is_traced(slope) else min
    size = normal_quantile(s) * smaller(laurent_massart, bernstein) ** 0.5
    return sigma * size


class _Geometry(NamedTuple):
    """inside: (n, n) ⟨x_j, x_k⟩ + 1.  to_z: how the training points lie to the queries."""

    inside: Array
    to_z: Pairs


def _geometry(x: AnyArray, z: AnyArray) -> _Geometry:
    return _Geometry(biased_products(x, x), pairs(x, z))


def _kernel_bound(to_z: Pairs, m: int, slope: Real, weights: AnyArray, s: float) -> Array:
    """(1/n) Σ α_k|c_k|(√(6Φ_{γ²}(x_k, z)s/m) + 2s/m): one entry's deviation, added up.

    It bounds each entry, E[φ'(h(x))²φ'(h(z))²] = Φ_{γ²}, and by `weighted_deviation` any sum with
    fixed weights α at once.
    """
    share = weights[:, None] * jnp.abs(to_z.products) / len(to_z.products)
    root = jnp.sum(share * jnp.sqrt(3 * to_z.derivative_kernel(slope**2)), axis=0)
    return weighted_deviation(root, jnp.sum(share, axis=0), s, m)


def _lazy_bound(
    geometry: _Geometry, y: AnyArray, m: int, slope: Real, time: Real, floor: Real, s: float
) -> Array:
    """Third part of B(z), exceeded with probability at most 2e^{−s}."""
    inside, to_z = geometry
    at_x, at_z = (reach_of(products, y, time, floor) for products in (inside, to_z.products))
    r_x, r_z = _ratio(at_x, to_z.sigma_x, m), _ratio(at_z, to_z.sigma_z, m)
    share = time * jnp.abs(to_z.products) / len(y)
    mean = jnp.sum(weighted_crossing(r_x), axis=0) / 4 @ share
    mean = mean + jnp.sum(at_z * crossing_probability(r_z), axis=0) / 4
    root = jnp.sqrt(jnp.sum(fourth_crossing(r_x), axis=0) / 4) @ share
    root = root + jnp.sum(at_z * jnp.sqrt(fourth_crossing(r_z) / 4), axis=0)
    total = jnp.sum(share, axis=0) + jnp.sum(at_z, axis=0)
    return (1 - slope) * (mean + weighted_deviation(root, total, s, m))


@takes_arrays
def output_bound(
    x: Float[AnyArray, "n d"],
    y: Float[AnyArray, " n"],
    z: Float[AnyArray, "q d"],
    m: int,
    slope: Real,
    time: Real,
    s: float,
) -> OutputBound:
    """B(z) with |f(z; T) − T(f̂(z) + β(z))| ≤ B(z) for one fixed z, under the identity loss.

    With D(V, W) = V√(2s/m) + 2Ws/m, c_k = ⟨x_k, z⟩ + 1, and ρ_±, r_± of `reach` (floor γ):

      initial = `initial_bound`,
      kernel  = D((T/n) Σ|c_k|√(3Φ_{γ²}(x_k, z)), Tκ(z)),
      lazy    = (1 − γ)[(T/n) Σ|c_k| ¼Σ_±ψ(r_±(x_k)) + ¼Σ_± ρ_±(z)(2/π)arctan r_±(z) + D(V, W)],
      V = (T/n) Σ|c_k|√(¼Σ_±ψ₄(r_±(x_k))) + ½Σ_± ρ_±(z)√ψ₄(r_±(z)),  W = Tκ(z) + Σ_± ρ_±(z),

    with probability at least 1 − 6e^{−s} over the initialization (2e^{−s} for each part), for z and
    the training set independent of it, for gradient flow and for gradient descent with or without
    momentum (T the training time).

    Args:
      x, y: (n, d) training points and (n,) labels ±1.
      z: (q, d) query points; the bound holds for each, not for all at once.
      m: width.
      slope: γ.
      time: T.
      s: the exponent of the failure probability, > 0.

    Returns:
      An `OutputBound`, non-negative and non-decreasing in T.

    Source:
      Ours; explicit constants for the orders of K24b.
    """
    return _output_bound(_geometry(x, z), y, m, slope, time, floor=slope, s=s, s_kernel=s)


def _output_bound(
    geometry: _Geometry, y: AnyArray, m: int, slope: Real, time: Real, *, floor: Real, s: float,
    s_kernel: float,
) -> OutputBound:  # fmt: skip
    weights = jnp.full(len(y), time, geometry.inside.dtype)
    return OutputBound(
        _initial_bound(geometry.to_z.sigma_z, m, slope, s),
        _kernel_bound(geometry.to_z, m, slope, weights, s_kernel),
        _lazy_bound(geometry, y, m, slope, time, floor, s),
    )


@takes_numbers
def output_exponent(delta: float, parts: int = 3) -> float:
    """s with 2·parts·e^{−s} = δ, for the failure probability δ of that many parts of B(z)."""
    return math.log(2 * parts / delta)


@takes_arrays
def uniform_bound(
    x: Float[AnyArray, "n d"],
    y: Float[AnyArray, " n"],
    z: Float[AnyArray, "q d"],
    m: int,
    slope: Real,
    time: Real,
    s: float,
    s_kernel: float,
) -> OutputBound:
    """Bound on |f(z; t) − k_{α(t)}(z)| for all t ≤ T, under any loss with 0 ≤ ℓ' ≤ 1.

    As `output_bound`, but the kernel part has the exponent s'', so that each of its entries keeps
    to its own deviation and all weights α ∈ [0, T]ⁿ are covered at once, and the reaches have the
    floor 0. Fails with probability at most 4e^{−s} a point (initial and lazy) and
    2e^{−s''} for each pair of points that enters the kernel.

    Args as in `output_bound`; s_kernel is s''.
    """
    return _output_bound(_geometry(x, z), y, m, slope, time, floor=0.0, s=s, s_kernel=s_kernel)


# --- bounds that look at the weights that training ended with -------------------------------------

GRID = 16  # values that a reach is rounded up to: T κ_± 2^{−j/2}, j < GRID


@takes_arrays
def round_up(value: Float[AnyArray, "..."], top: Float[AnyArray, "..."]) -> Float[Array, "..."]:
    """The smallest of top·2^{−j/2}, j = 0 … GRID − 1, that is at least value (value ≤ top)."""
    safe = jnp.maximum(value, jnp.finfo(value.dtype).tiny)
    steps = jnp.clip(jnp.floor(2 * jnp.log2(jnp.maximum(top, safe) / safe)), 0, GRID - 1)
    return jnp.maximum(top * 2 ** (-steps / 2), value)


@takes_arrays
def certified_bound(
    x: Float[AnyArray, "n d"],
    y: Float[AnyArray, " n"],
    z: Float[AnyArray, "q d"],
    m: int,
    slope: Real,
    time: Real,
    weights: Float[AnyArray, " n"],
    s_kernel: float,
    s_lazy: float,
) -> OutputBound:
    """Bound on |f(z; T) − f(z; 0) − k_α(z)| at the trained weights α, any loss with 0 ≤ ℓ' ≤ 1.

    kernel = (1/n) Σ α_k|c_k|(√(6Φ_{γ²}(x_k, z)s''/m) + 2s''/m),
    lazy = (1 − γ)[(1/n) Σ α_k|c_k| Σ_± g(¼ψ, r_±(x_k)) + Σ_± ρ_±(z) g(¼(2/π)arctan, r_±(z))],
    g(μ, r) = μ(r) + √(ψ₄(r)s'/(2m)) + 2s'/m,

    the reaches those of the weights α, rounded up by `round_up` from Tκ_± downwards: the weights
    depend on the initialization, and a union bound over `GRID` values of every reach makes up for
    it. Fails with probability at most `certified_failure(n, s'', s')`.

    Args as in `output_bound`; weights is α ∈ [0, T]ⁿ, s_kernel is s'' and s_lazy is s'.

    Returns:
      An `OutputBound` whose initial part is 0, as f(z; 0) is taken as it is.
    """

    inside, to_z = _geometry(x, z)

    def rounded(products: Array) -> Array:
        return round_up(reach_of(products, y, weights), reach_of(products, y, time))

    def quarter(mean: Array, r: Array) -> Array:
        return mean / 4 + weighted_deviation(jnp.sqrt(fourth_crossing(r) / 4), 1.0, s_lazy, m)

    share = weights[:, None] * jnp.abs(to_z.products) / len(x)
    at_z = rounded(to_z.products)
    r_x, r_z = _ratio(rounded(inside), to_z.sigma_x, m), _ratio(at_z, to_z.sigma_z, m)
    lazy = jnp.sum(quarter(weighted_crossing(r_x), r_x), axis=0) @ share
    lazy = lazy + jnp.sum(at_z * quarter(crossing_probability(r_z), r_z), axis=0)
    kernel = _kernel_bound(to_z, m, slope, weights, s_kernel)
    return OutputBound(jnp.zeros_like(kernel), kernel, (1 - slope) * lazy)


@takes_numbers
def certified_failure(n: int, s_kernel: float, s_lazy: float) -> float:
    """2n e^{−s''} + 4·GRID·(n + 1)e^{−s'}."""
    return 2 * n * math.exp(-s_kernel) + 4 * GRID * (n + 1) * math.exp(-s_lazy)


@takes_numbers
def certified_exponents(delta: float, n: int) -> tuple[float, float]:
    """(s'', s') that split δ evenly: 2n e^{−s''} = 4·GRID·(n + 1)e^{−s'} = δ/2."""
    return math.log(4 * n / delta), math.log(8 * GRID * (n + 1) / delta)


@takes_numbers
def uniform_exponents(delta: float, n: int) -> tuple[float, float]:
    """(s, s'') that split δ evenly, for `uniform_bound` at n training points and one query.

    4(n + 1)e^{−s} = δ/2, and n(n + 3)e^{−s''} = δ/2: the kernel has n(n + 1)/2 + n entries.
    """
    return math.log(8 * (n + 1) / delta), math.log(2 * n * (n + 3) / delta)
