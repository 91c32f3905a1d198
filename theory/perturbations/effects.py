"""Learning from geometry-inspired perturbations: the two effects on the boundary, and accuracy."""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from scipy import special

from theory._types import AnyArray, PositiveFloat
from theory._validation import check_integer, check_real, takes_arrays, takes_numbers
from theory.certificates.linear_solve import inner_products
from theory.certificates.max_margin import MaxMarginLimit
from theory.margins import rounding_error


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
    x: Float[AnyArray, "n d"],
    target: Float[AnyArray, " n"],
    shift: Float[AnyArray, " d"],
    z: Float[AnyArray, "q d"],
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
    x: Float[AnyArray, "n d"],
    target: Float[AnyArray, " n"],
    shift: Float[AnyArray, " d"],
) -> Float[Array, ""]:
    """Root mean square of the perturbation effect over that of the mislabelled one, isotropic z.

    ε(Σ_k λ'_k)‖v‖/‖Σ_k λ'_k y'_k x_k‖, since E⟨w, z⟩² ∝ ‖w‖². Arguments as for `effects`.
    """
    mislabelled = (limit.multipliers * target) @ x
    return jnp.sum(limit.multipliers) * jnp.linalg.norm(shift) / jnp.linalg.norm(mislabelled)


REACH = 0.5  # load up to which the laws below are used: sizes of what they leave out are in docs


@takes_numbers
def noise_accuracy(
    n: int,
    n_adv: int,
    d: int,
    epsilon: float,
    radius: float,
    slope: PositiveFloat,
    cosine: float = 1.0,
    adapted: tuple[float, float] = (1.0, 1.0),
) -> float:
    """Accuracy on n clean samples of a network trained on n_adv perturbed noise samples.

    With a = ε√(d n_adv/n)/R, s = ε²n_adv/R², κ = 2γ/(1 + γ²), c = cos(v, q) of the perturbations'
    direction v, and μ_f, μ_g in [0, 1] how far the multipliers of the attacked network and of the
    one that learns from it have come from equal ones to those of the closed form,

      Φ_N(ac (1 − (1 + κ²)(μ_f²n + μ_g²n_adv)/(4d))
          / √((1 + s(1 − c² + c²w))(1 + (μ_g(1 + κ)/2)² s n_adv/d))),
      w = ((1 − μ_f)² + (1 − κμ_f)²)/2,

    up to the square of the load (μ_f n + μ_g n_adv)/d. μ = 1 is the closed form of the limit t → ∞,
    the default; μ = 0 has equal multipliers and is `noise_accuracy_early`; in between
    `adaptation` has μ at a finite time. Every sample is taken to be in the cone of the closed form,
    which `cone_share` says.

    Args:
      n: clean samples with random labels, as many of either.
      n_adv: noise samples of the same isotropic law, with random labels y'.
      d: dimension.
      epsilon: ℓ₂ length ε of the perturbations ε y'_k v, ‖v‖ = 1.
      radius: R, E‖x‖² = R².
      slope: γ in (0, 1).
      cosine: c in [−1, 1], 1 for geometry-inspired ones in ℓ₂; the rest of v is taken to know
        nothing of the samples. `alignment.normal_cosine` has that of the other norms.
      adapted: μ_f and μ_g.

    Returns:
      The expected share of clean samples classified like their label; NaN where the load exceeds
      `REACH` = ½, beyond which what the formula leaves out is no longer small.

    Raises:
      ValueError: for arguments outside their range.

    Source:
      Ours; derived in docs/statements/orthogonal.md.
    """
    signal = _signal(n_adv, d, epsilon, radius) * cosine / math.sqrt(check_integer("n", n))
    check_real("cosine", cosine, low=-1, high=1)
    kappa = _kappa(slope)
    for name, mu in zip(("adapted[0]", "adapted[1]"), adapted, strict=True):
        check_real(name, mu, low=0, high=1)
    of_f, of_g = adapted
    if (of_f * n + of_g * n_adv) / d > REACH:
        return math.nan
    s = epsilon**2 * n_adv / radius**2
    kept = 1 - (1 + kappa**2) * (of_f**2 * n + of_g**2 * n_adv) / (4 * d)
    others = ((1 - of_f) ** 2 + (1 - kappa * of_f) ** 2) / 2
    spread = 1 + s * (1 - cosine**2 + cosine**2 * others)
    across = 1 + (of_g * (1 + kappa) / 2) ** 2 * s * n_adv / d
    return float(special.ndtr(signal * kept / math.sqrt(spread * across)))


@takes_numbers
def noise_accuracy_early(
    n: int, n_adv: int, d: int, epsilon: float, radius: float, cosine: float = 1.0
) -> float:
    """The same accuracy at equal multipliers: Φ_N(ac/√(1 + s)), for n, n_adv and d of any ratio.

    Multipliers are equal as long as losses are, that is while μ of `adaptation` is small beside 1,
    and every neuron is active on the samples of its own sign. The Gram matrices of n ~ d or
    n_adv ~ d samples are far from the identity (their spectra are of Marchenko and Pastur's law),
    but equal multipliers see them through sums of all entries of a row alone, which are Gaussian.

    Args, Returns and Raises: as for `noise_accuracy`; what is left out is of order 1/n + 1/√d.

    Source:
      Ours; derived in docs/statements/orthogonal.md.
    """
    signal = _signal(n_adv, d, epsilon, radius) / math.sqrt(check_integer("n", n))
    check_real("cosine", cosine, low=-1, high=1)
    s = epsilon**2 * n_adv / radius**2
    return float(special.ndtr(signal * cosine / math.sqrt(1 + s)))


@takes_numbers
def adaptation(margin: float) -> float:
    """μ(m) = 1 − (1 − e^{−m})/m: how far multipliers have adapted at own margin m.

    λ_k ≈ λ̄(1 − μξ_k) with ξ_k what the other samples add to the margin of sample k, relative to
    its own: 0 for equal multipliers, m/2 at the beginning, ½ at m = 1.59, 1 in the limit.

    Args:
      margin: m ≥ 0, as of `own_margin`; math.inf for the limit.

    Raises:
      ValueError: if it is negative or no number.

    Source:
      Ours; derived in docs/statements/orthogonal.md.
    """
    if margin == math.inf:
        return 1.0
    check_real("margin", margin, low=0)
    return 1 + math.expm1(-margin) / margin if margin > 1e-4 else margin / 2 - margin**2 / 6


@takes_numbers
def own_margin(
    time: float, n: int, radius: float, slope: PositiveFloat, strength: float = 0.0
) -> float:
    """m = log(1 + ρBT/n)/B with ρ = (1 + γ²)R²/2, B = 1 + s(1 + κ)/2.

    What a sample contributes to its own margin at time T under the exponential loss
    (1/n)Σ_k exp(−y_k f(x_k)), from small weights on. The margin itself is Bm: the other samples'
    perturbations add s(1 + κ)/2, and keep losses equal for longer.

    Args:
      time: T ≥ 0, learning rate × steps (and `descent.training_time` with momentum).
      n: training samples.
      radius: R.
      slope: γ in (0, 1).
      strength: s = ε²n_adv/R² of perturbed samples, 0 of clean ones.

    Raises:
      ValueError: for arguments outside their range.

    Source:
      Ours; derived in docs/statements/orthogonal.md.
    """
    check_real("time", time, low=0)
    check_integer("n", n)
    check_real("radius", radius, low=0, open_low=True)
    check_real("strength", strength, low=0)
    all_of_them = 1 + strength * (1 + _kappa(slope)) / 2
    own = (1 + slope**2) * radius**2 / 2
    return math.log1p(own * all_of_them * time / n) / all_of_them


@takes_numbers
def cone_share(n: int, d: int, slope: PositiveFloat) -> float:
    """Φ_N((γ − (γ + κ)n/(2d))/((1 − κγ)√(n/(2d)))): samples with the sign pattern of the limit.

    Of n isotropic samples with random labels in dimension d, the share on which a neuron of the
    other sign is inactive in the closed form. All must be for it to be the limit of training.

    Args:
      n: training samples.
      d: dimension.
      slope: γ in (0, 1).

    Returns:
      The expected share, to first order in n/d; of shares near 1 the rest is right in order only.

    Raises:
      ValueError: for arguments outside their range.

    Source:
      Ours; derived in docs/statements/orthogonal.md.
    """
    half = check_integer("n", n) / check_integer("d", d) / 2
    kappa = _kappa(slope)
    inside = (slope - (slope + kappa) * half) / ((1 - kappa * slope) * math.sqrt(half))
    return float(special.ndtr(inside))


@takes_numbers
def plane_agreement(
    n_adv: int, d: int, epsilon: float, radius: float, slope: PositiveFloat
) -> float:
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
      The expected share; NaN where n_adv/d exceeds `REACH`.

    Raises:
      ValueError: for arguments outside their range.

    Source:
      Ours; derived in docs/statements/orthogonal.md.
    """
    if check_integer("n_adv", n_adv) / check_integer("d", d) > REACH:
        return math.nan
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
    return 2 * slope / (1 + slope**2)
