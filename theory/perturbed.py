"""Learning from geometry-inspired perturbations: the two effects on the boundary, and accuracy."""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from scipy import special

from theory._validation import check_integer, check_real, check_slope, takes_arrays
from theory.evidence import rounding_error
from theory.linear_solve import inner_products
from theory.max_margin import MaxMarginLimit


class Effects(NamedTuple):
    """f_adv_bdy(z) = mislabelled + perturbation, each (q,), with a bound on the error of each.

    mislabelled: Σ_k λ'_k y'_k⟨x_k, z⟩, the effect of samples that carry labels y'.
    perturbation: ε(Σ_k λ'_k)⟨v, z⟩, the effect of what was added to them.
    """

    mislabelled: Float[Array, " q"]
    perturbation: Float[Array, " q"]
    error: Float[Array, " q"]


@takes_arrays
@jax.default_matmul_precision("highest")
def effects(
    limit: MaxMarginLimit,
    x: Float[Array, "n d"],
    target: Float[Array, " n"],
    shift: Float[Array, " d"],
    z: Float[Array, "q d"],
) -> Effects:
    """The boundary Σ_k λ'_k y'_k⟨x_k + y'_k s, z⟩ of the perturbed set, in its two parts.

    Args:
      limit: the closed form on {(x_k + y'_k s, y'_k)}.
      x: (n, d) the samples before perturbation.
      target: (n,) labels y' = ±1.
      shift: (d,) s = εv, the perturbation towards label +1.
      z: (q, d) queries.

    Returns:
      The `Effects`.

    Source:
      K24a Theorem 4.1, with the closed form of λ' (ours).
    """
    weights, off = limit.multipliers, limit.multiplier_error
    own, moved = inner_products(x, z), inner_products(shift[None, :], z)
    size = jnp.abs(weights)
    total = jnp.sum(size)
    mislabelled = (weights * target) @ own.values
    perturbation = jnp.sum(weights) * moved.values[0]
    magnitude = size @ jnp.abs(own.values) + total * jnp.abs(moved.values[0])
    error = off * (jnp.sum(jnp.abs(own.values), axis=0) + len(x) * jnp.abs(moved.values[0]))
    error = error + (size + off) @ own.errors + (total + len(x) * off) * moved.errors[0]
    return Effects(mislabelled, perturbation, error + rounding_error(len(x) + 8, magnitude))


@takes_arrays
def effect_ratio(
    limit: MaxMarginLimit,
    x: Float[Array, "n d"],
    target: Float[Array, " n"],
    shift: Float[Array, " d"],
) -> Float[Array, ""]:
    """Root mean square of the perturbation effect over that of the mislabelled one, isotropic z.

    ε(Σ_k λ'_k)‖v‖/‖Σ_k λ'_k y'_k x_k‖, since E⟨w, z⟩² ∝ ‖w‖². Arguments as for `effects`.
    """
    mislabelled = (limit.multipliers * target) @ x
    return jnp.sum(limit.multipliers) * jnp.linalg.norm(shift) / jnp.linalg.norm(mislabelled)


def noise_accuracy(
    n: int,
    n_adv: int,
    d: int,
    epsilon: float,
    radius: float,
    slope: float | None = None,
    cosine: float = 1.0,
) -> float:
    """Accuracy on n clean samples of a network trained on n_adv perturbed noise samples.

    With a = ε√(d n_adv/n)/R, s = ε²n_adv/R² and c = cos(v, q) of the perturbations' direction v:
    Φ_N(ac/√(1 + s)) for equal multipliers, and with those of the closed form, κ = 2γ/(1 + γ²),
    Φ_N(ac (1 − (1 + κ²)(n + n_adv)/(4d))/√(1 + s(1 − c² + c²(1 − κ)²/2))), up to
    O(((n + n_adv)/d)²).

    Args:
      n: clean samples with random labels, as many of either.
      n_adv: noise samples of the same isotropic law, with random labels y'.
      d: dimension.
      epsilon: ℓ₂ length ε of the perturbations ε y'_k v, ‖v‖ = 1.
      radius: R, E‖x‖² = R².
      slope: γ in (0, 1), or None for equal multipliers.
      cosine: c in [−1, 1], 1 for geometry-inspired ones in ℓ₂; the rest of v is taken to know
        nothing of the samples. `alignment.normal_cosine` has that of the other norms.

    Returns:
      The expected share of clean samples classified like their label.

    Raises:
      ValueError: for arguments outside their range.

    Source:
      Ours; derived in docs/statements/orthogonal.md.
    """
    signal = _signal(n_adv, d, epsilon, radius)
    check_integer("n", n)
    check_real("cosine", cosine, low=-1, high=1)
    a = signal * cosine / math.sqrt(n)
    s = epsilon**2 * n_adv / radius**2
    if slope is None:
        return float(special.ndtr(a / math.sqrt(1 + s)))
    kappa = _kappa(slope)
    a *= 1 - (1 + kappa**2) * (n + n_adv) / (4 * d)
    spread = 1 - cosine**2 + cosine**2 * (1 - kappa) ** 2 / 2
    return float(special.ndtr(a / math.sqrt(1 + spread * s)))


def plane_agreement(n_adv: int, d: int, epsilon: float, radius: float, slope: float) -> float:
    """Share of the directions in a plane through q in which f_adv has the sign of f.

    On a plane that knows nothing of the noise samples, in coordinates along q and across it, the
    normal of f_adv's boundary is (b + G₁, G₂) with standard normal G and
    b = ε√(d n_adv)/R (1 − (1 + κ²)n_adv/(4d)), up to O((n_adv/d)²). In the direction at angle ω
    from q both signs agree if b cos ω + G has the sign of cos ω, so that the share is
    (2/π)∫₀^{π/2} Φ_N(b cos ω) dω: 1 − E|θ|/π with θ the angle between the boundaries. It is ½
    without perturbations.

    Args:
      n_adv, d, epsilon, radius: as in `noise_accuracy`; perturbations ε y'_k q/‖q‖.
      slope: γ in (0, 1).

    Returns:
      The expected share.

    Raises:
      ValueError: for arguments outside their range.

    Source:
      Ours; derived in docs/statements/orthogonal.md.
    """
    b = _signal(n_adv, d, epsilon, radius) * (1 - (1 + _kappa(slope) ** 2) * n_adv / (4 * d))
    # The midpoint rule: off by b/√(2π) h²/24 at step h, as only the slope at π/2 counts.
    omega = (np.arange(2000) + 0.5) * (math.pi / 4000)
    return float(np.mean(special.ndtr(b * np.cos(omega))))


def _signal(n_adv: int, d: int, epsilon: float, radius: float) -> float:
    """ε√(d n_adv)/R."""
    check_integer("n_adv", n_adv)
    check_integer("d", d)
    check_real("epsilon", epsilon, low=0, open_low=True)
    check_real("radius", radius, low=0, open_low=True)
    return epsilon * math.sqrt(d * n_adv) / radius


def _kappa(slope: float) -> float:
    """κ = 2γ/(1 + γ²)."""
    check_slope(slope, open_low=True)
    return 2 * slope / (1 + slope**2)
