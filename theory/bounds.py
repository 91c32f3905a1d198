"""Explicit finite-width bounds for lazy training of the network with frozen Gaussian readout.

The derivations, every inequality named, are in docs/statements/lazy.md.
"""

import math
from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from theory.kernels import inner_products, standard_deviation
from theory.limits import kappa


def crossing_ratio(
    x: Float[Array, "n d"], z: Float[Array, "q d"], m: int, time: float | Array
) -> Float[Array, " q"]:
    """r(z) = Tκ(z)/(σ(z)√m): fastest movement of a pre-activation over its initial spread.

    Args:
      x: (n, d) training points.
      z: (q, d) query points.
      m: width.
      time: T.

    Returns:
      (q,) ratios. A neuron's sign at z can change before T only if |h_i(z; 0)| ≤ T|a_i|κ(z), an
      event of probability exactly `crossing_probability(r)`.
    """
    return time * kappa(x, z) / (standard_deviation(z) * m**0.5)


def crossing_probability(r: Float[Array, "..."]) -> Float[Array, "..."]:
    """P(|B| ≤ r|A|) = (2/π) arctan r for independent standard normal A, B."""
    return 2 / jnp.pi * jnp.arctan(r)


def weighted_crossing(r: Float[Array, "..."]) -> Float[Array, "..."]:
    """ψ(r) = E[A² 1(|B| ≤ r|A|)] = (2/π)(arctan r + r/(1 + r²)) for independent normal A, B."""
    return 2 / jnp.pi * (jnp.arctan(r) + r / (1 + r**2))


def chi_square_deviation(s: float | Array, m: int) -> Array:
    """√(6s/m) + 2s/m: mean of m terms A_i²g_i, |g_i| ≤ 1, exceeds its mean by more w.p. ≤ e^{−s}.

    Bernstein's inequality with v = 3, c = 2, as E A^{2q} = (2q − 1)!! ≤ (q!/2)·3·2^{q−2}.
    """
    return jnp.sqrt(6 * s / m) + 2 * s / m


class OutputBound(NamedTuple):
    """Bound on |f(z; T) − T(f̂(z) + β(z))|, by parts, each (q,).

    initial: the initial output.  kernel: fluctuation of the kernel at initialization.
    lazy: neurons that change their activation.
    """

    initial: Float[Array, " q"]
    kernel: Float[Array, " q"]
    lazy: Float[Array, " q"]

    @property
    def total(self) -> Float[Array, "..."]:
        """B(z), the sum of the three parts."""
        return self.initial + self.kernel + self.lazy


def output_bound(
    x: Float[Array, "n d"],
    z: Float[Array, "q d"],
    m: int,
    slope: float,
    time: float | Array,
    s: float,
    s_lazy: float,
) -> OutputBound:
    """B(z) with |f(z; T) − T(f̂(z) + β(z))| ≤ B(z) for one fixed z, under the identity loss.

    B(z) = σ√(2s(1 + 2√(s/m) + 2s/m)) + Tκ(√(6s/m) + 2s/m)
           + T(1 − γ)(1/n) Σ_k |⟨x_k, z⟩ + 1|(Ψ(x_k) + Ψ(z)),   Ψ(x) = ψ(r(x)) + √(6s'/m) + 2s'/m,

    with probability at least 1 − `output_bound_failure(n, s, s')` over the initialization, for z
    and the training set independent of it, for gradient flow and for gradient descent with or
    without momentum (T the training time).

    Args:
      x: (n, d) training points.
      z: (q, d) query points; the bound holds for each, not for all at once.
      m: width.
      slope: γ.
      time: T.
      s, s_lazy: s and s' > 0, the exponents of the failure probability.

    Returns:
      An `OutputBound`, non-negative and non-decreasing in T.

    Source:
      Ours; explicit constants for the orders of K24b.
    """

    def psi(points: Array) -> Array:
        return weighted_crossing(crossing_ratio(x, points, m, time)) + chi_square_deviation(
            s_lazy, m
        )

    sigma = standard_deviation(z)
    magnitude = jnp.abs(inner_products(x, z))
    initial = sigma * jnp.sqrt(2 * s * (1 + 2 * jnp.sqrt(s / m) + 2 * s / m))
    kernel = time * kappa(x, z) * chi_square_deviation(s, m)
    lazy = time * (1 - slope) * jnp.mean(magnitude * (psi(x)[:, None] + psi(z)[None, :]), axis=0)
    return OutputBound(initial, kernel, lazy)


def output_bound_failure(n: int, s: float, s_lazy: float) -> float:
    """4e^{−s} + (n + 1)e^{−s'}, the probability with which `output_bound` may be exceeded."""
    return 4 * math.exp(-s) + (n + 1) * math.exp(-s_lazy)


def exponents(delta: float, n: int) -> tuple[float, float]:
    """(s, s') that split a failure probability δ evenly: 4e^{−s} = (n + 1)e^{−s'} = δ/2."""
    return math.log(8 / delta), math.log(2 * (n + 1) / delta)
