"""Benign overfitting: wrong labels are fitted, and new points are classified nearly as well.

Points are in coordinates of their span (`theory.data.spiked`), of which the first decides the
label.
"""

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from theory import fields
from theory._scaling import minimum
from theory._types import Real
from theory.certificates.max_margin import Solved, solve
from theory.data.spiked import spiked_gaussian
from theory.margins import Margin, Measured, exceeds, margin, measured, rounding_error
from theory.parameters import Parameters, parameter
from theory.statements.orthogonal import certificates, uniformity
from theory.statements.orthogonal.boundary import DOMAIN, Points, of_closed_form
from theory.statements.orthogonal.uniformity import Bound, Value
from theory.verification.claims import Claim
from theory.verification.kinds import Deterministic, Probabilistic, Rate
from theory.verification.stages import Staged
from theory.verification.statement import Hypothesis, Statement

SOURCE = "Frei et al. 2023b, Corollary 9"
OURS = "ours, sharper than Frei et al. 2023b, Theorem 6 and Corollary 9"


class NoisySetting(Parameters):
    """Points of N(0, diag(d^ρ, 1, …, 1)) with labels sgn x₁, of which a share is wrong."""

    n: int = fields.points(64)
    d: int = fields.dimension(10**11)
    rho: float = parameter(
        0.6,
        "ρ: the first coordinate has the variance d^ρ",
        low=0.5,
        high=1,
        open_low=True,
        open_high=True,
    )
    slope: float = fields.slope(0.5, open_low=True)
    noise: float = parameter(
        0.1, "η: probability of a wrong label", low=0, high=0.5, open_high=True
    )


class RateSetting(NoisySetting):
    """The same in several dimensions."""

    numbers: int = parameter(5, "how many dimensions, each ten times the one before", low=5, high=9)

    @property
    def dimensions(self) -> tuple[int, ...]:
        """d, 10d, 100d, …"""
        return tuple(self.d * 10**i for i in range(self.numbers))


class BeyondSetting(NoisySetting):
    """How much of its mean the weight of the labels is said to keep."""

    kept: float = parameter(
        0.25, "share of the mean that correct less wrong labels keep", low=0, high=1, open_low=True
    )


# --- what is claimed ------------------------------------------------------------------------------


def angle(opposite: Value, adjacent: Value) -> Value:
    """arctan(opposite/adjacent) in [0, π]; sides that are off by e turn it by ½π e/hypotenuse."""
    hypotenuse = jnp.hypot(opposite.value, adjacent.value)
    value = jnp.arctan2(opposite.value, adjacent.value)
    off = (opposite.error + adjacent.error) / jnp.where(hypotenuse > 0, hypotenuse, 1)
    return Value(value, jnp.where(hypotenuse > 0, math.pi / 2 * off, jnp.inf) + 8 * _eps(value))


def _eps(value: Array) -> Array:
    return rounding_error(1, jnp.abs(value))


def of_points(solved: Solved, scale: Any) -> Value:
    """θ/π, the share of points N(0, diag(s², 1, …)) where sgn⟨q, x⟩ ≠ sgn x₁, s the `scale`.

    cos θ is the correlation of ⟨q, x⟩ and x₁: tan θ = ‖q'‖/(s q₁), q' the other coordinates of q.
    """
    x, limit = solved.x, solved.limit
    first, rest = jnp.abs(x[:, 0]), jnp.linalg.norm(x[:, 1:], axis=1)
    # Of every λ_k, and of the products and sums that make q.
    off = limit.multiplier_error + rounding_error(sum(x.shape) + 8, jnp.abs(limit.multipliers))
    opposite = Value(jnp.linalg.norm(limit.normal[1:]), jnp.sum(off * rest))
    adjacent = Value(scale * limit.normal[0], scale * jnp.sum(off * first))
    found = angle(opposite, adjacent)
    return Value(found.value / math.pi, found.error / math.pi)


def weight(solved: Solved, bound: Bound) -> tuple[Value, Value]:
    """Σ|x_k1| over correct labels, and τ times that over wrong ones, τ the bound on max λ/min λ."""
    tau = _ratio(solved.x, solved.slope, bound)
    first = jnp.abs(solved.x[:, 0])
    correct = solved.y * solved.x[:, 0] > 0
    rounding = rounding_error(len(first) + 8, 1.0)
    right = jnp.sum(jnp.where(correct, first, 0))
    wrong = jnp.sum(jnp.where(correct, 0, first))
    return Value(right, rounding * right), Value(
        tau.value * wrong, (tau.error + rounding * tau.value) * wrong
    )


def _ratio(x: Array, slope: Real, bound: Bound) -> Value:
    """τ, with the errors of the points' geometry; an infinite error where it is infinite."""
    value, off = uniformity.enclosed(bound, x, float(slope))
    known = jnp.isfinite(value) & jnp.isfinite(off)
    return Value(jnp.where(known, value, 1), jnp.where(known, off + 16 * _eps(value), jnp.inf))


def spread(solved: Solved) -> Value:
    """τ√S, S = Σ_jk|⟨x'_j, x'_k⟩| of the other coordinates: ‖q'‖ ≤ τ√S min λ."""
    tau = _ratio(solved.x, solved.slope, uniformity.sharp)
    rest = solved.x[:, 1:]
    total = jnp.sqrt(jnp.sum(jnp.abs(rest @ rest.T)))
    lengths = jnp.sum(jnp.linalg.norm(rest, axis=1))
    # √(S + e) ≤ √S + e/√S, e of sums of d and n² terms below ‖x'_j‖‖x'_k‖.
    off = rounding_error(rest.shape[1] + 2 * len(rest) + 8, lengths**2)
    off = off / jnp.where(total > 0, total, 1)
    return Value(tau.value * total, tau.error * (total + off) + tau.value * off)


def fitted(solved: Solved) -> Margin:
    """y_k⟨q, x_k⟩ > 0 at every training point, wrong labels and all."""
    limit, y = solved.limit, solved.y
    signed = y * (solved.x @ limit.u_plus - solved.x @ limit.u_minus)
    return margin(signed, 2 * limit.response_error).all()


def _below(solved: Solved, config: NoisySetting, adjacent: Value) -> Margin:
    """Labels are fitted, and the excess error is below that of an angle with this side."""
    factor = (1 - 2 * config.noise) / math.pi
    most = angle(spread(solved), adjacent)
    excess = of_points(solved, _scale(config))
    error = factor * (most.error + math.pi * excess.error)
    found = exceeds(factor * most.value, factor * math.pi * excess.value, error)
    fits = fitted(solved)
    return dataclasses.replace(
        found,
        value=jnp.where(fits.fails, -1.0, found.value),
        error=jnp.where(fits.holds | fits.fails, found.error, jnp.inf),
    )


def _scale(config: NoisySetting) -> float:
    return float(config.d) ** (config.rho / 2)


def _times(scale: float, value: Value) -> Value:
    return Value(scale * value.value, scale * value.error + 4 * _eps(scale * value.value))


# --- instances ------------------------------------------------------------------------------------


def noisy_points(key: Array, n: int, d: Any, rho: Any, noise: Any) -> Points:
    """Points of N(0, diag(d^ρ, 1, …, 1)) in coordinates of their span, and labels.

    d, ρ and η, the probability of a wrong label, may be traced.
    """
    key_points, key_noise = jax.random.split(key)
    x = spiked_gaussian(key_points, n, d, jnp.asarray(d, float) ** rho)
    return Points(x, flipped(key_noise, jnp.where(x[:, 0] >= 0, 1.0, -1.0), noise))


def flipped(key: Array, y: Array, noise: Any) -> Array:
    """Labels of which each is turned over with this probability."""
    return jnp.where(jax.random.bernoulli(key, noise, y.shape), -y, y)


def _clean(key: Array, earlier: Staged, config: NoisySetting) -> Points:
    return noisy_points(key, config.n, config.d, config.rho, 0.0)


def _noisy(key: Array, earlier: Staged, config: NoisySetting) -> Points:
    return noisy_points(key, config.n, config.d, config.rho, config.noise)


def _labels(key: Array, earlier: Staged, config: NoisySetting) -> Array:
    return flipped(key, earlier.points.y, config.noise)


def _of_noisy(key: Array, earlier: Staged, config: NoisySetting) -> Solved:
    return solve(earlier.points.x, earlier.points.y, config.slope)


def _of_labels(key: Array, earlier: Staged, config: NoisySetting) -> Solved:
    return solve(earlier.points.x, earlier.labels, config.slope)


def _in_dimensions(key: Array, config: RateSetting) -> Solved:
    """The closed form in every dimension, of the same first coordinates up to scale and labels."""
    dimensions = jnp.array(config.dimensions, float)

    def one(d: Array) -> Solved:
        return solve(*noisy_points(key, config.n, d, config.rho, config.noise), config.slope)

    return jax.vmap(one)(dimensions)


# --- conditions -----------------------------------------------------------------------------------


def _outweigh(bound: Bound) -> Callable[[Solved], Margin]:
    def condition(solved: Solved) -> Margin:
        right, wrong = weight(solved, bound)
        return exceeds(right.value, wrong.value, right.error + wrong.error)

    return condition


def _near_at_all(instance: Solved, config: RateSetting) -> Margin:
    return jax.vmap(lambda solved: certificates.near_orthogonal(solved, config))(instance).all()


def _outweigh_at_all(instance: Solved, _: RateSetting) -> Margin:
    return jax.vmap(_outweigh(uniformity.published))(instance).all()


def _excess_error(instance: Solved, config: RateSetting) -> Measured:
    """(S,) test error less η; ½ where a label is not fitted, which fits no power law."""
    factor = 1 - 2 * config.noise
    scales = jnp.array([d ** (config.rho / 2) for d in map(float, config.dimensions)])

    def one(solved: Solved, scale: Array) -> tuple[Array, Array]:
        share, fits = of_points(solved, scale), fitted(solved)
        error = factor * share.error + rounding_error(8, share.value)
        value = jnp.where(fits.holds, factor * share.value, 0.5)
        return value, jnp.where(fits.holds | fits.fails, error, 0.5)

    return measured(*jax.vmap(one)(instance, scales))


def _explicit(instance: Staged, config: NoisySetting) -> Margin:
    solved: Solved = instance.closed_form
    right, wrong = weight(solved, uniformity.sharp)
    left = Value(right.value - wrong.value, right.error + wrong.error)
    return _below(solved, config, _times(_scale(config), left))


def _mean_weight(x: Array, config: NoisySetting) -> tuple[Array, Value, Value]:
    """|x_k1|, τ, and the mean of Σ_correct|x_k1| − τΣ_wrong|x_k1| over wrong labels."""
    first, noise = jnp.abs(x[:, 0]), config.noise
    tau = _ratio(x, config.slope, uniformity.sharp)
    total = jnp.sum(first)
    value = (1 - (1 + tau.value) * noise) * total
    off = noise * tau.error * total + rounding_error(len(first) + 8, (1 + tau.value) * total)
    return first, tau, Value(value, off)


def _in_probability(instance: Staged, config: BeyondSetting) -> Margin:
    _, _, mean = _mean_weight(instance.points.x, config)
    scale = config.kept * _scale(config)
    return _below(instance.closed_form, config, _times(scale, mean))


def failure_probability(instance: Staged, config: BeyondSetting) -> Array:
    """min_t e^{tκM} Π_k((1 − η)e^{−t|x_k1|} + ηe^{tτ|x_k1|}) over a grid, M the mean, κ `kept`."""
    first, tau, mean = _mean_weight(instance.points.x, config)
    exponents = jnp.asarray(GRID)[:, None] / jnp.mean(first)
    logs = jnp.logaddexp(
        math.log1p(-config.noise) - exponents * first[None, :],
        math.log(max(config.noise, 1e-300)) + exponents * (tau.value * first)[None, :],
    )
    total = jnp.sum(logs, axis=1) + exponents[:, 0] * (config.kept * mean.value)
    bounded = jnp.exp(jnp.minimum(minimum(total), 0.0))
    return jnp.where((mean.value > 0) & jnp.isfinite(tau.error), bounded, 1.0)


GRID = tuple(0.01 * 1.1**i for i in range(64))  # of t, times the mean of |x_k1|


def _near(points: Points, config: NoisySetting) -> Margin:
    unsolved = Solved(points.x, points.y, None, config.slope)
    return certificates.near_orthogonal(unsolved, config)


NEAR = "γ³R_min⁴/(3nR_max²) ≥ p_max"
OUTWEIGH = "Σ|x_k1| over correct labels exceeds τ times that over wrong ones"

STATEMENTS = (
    Statement(
        id="orthogonal.benign-overfitting",
        title="wrong labels are fitted and cost at most Õ(d^{(1−2ρ)/2}) on new points",
        says="x ~ N(0, diag(d^ρ, 1, …, 1)), ½ < ρ < 1, labels sgn x₁, wrong with probability "
        "η ≤ 49γ²/100: for d = Ω̃(n^{1/(1−ρ)}) the network fits every label, and its test error is "
        "between η and η + Õ(d^{(1−2ρ)/2}). Measured is the exponent at fixed n, one-sided; the "
        "test error of the limit is a Gaussian probability in closed form, and a draw with a label "
        "that is not fitted counts as ½. Computed in place of Ω̃ and of what holds with high "
        "probability: near-orthogonality in every dimension, and that correct labels outweigh "
        "wrong ones by the τ of Proposition 4. The error cannot be below η.",
        source=SOURCE,
        sample=_in_dimensions,
        hypotheses={
            "near-orthogonality": Hypothesis(_near_at_all, f"{NEAR}, in every dimension"),
            "correct labels outweigh": Hypothesis(
                _outweigh_at_all, f"{OUTWEIGH}, τ = (R²/γ²)(1 + 2/(γpR² − 2))"
            ),
        },
        claim=Rate(
            quantity=_excess_error,
            claims=lambda config: Claim(0.5 - config.rho, 0.005, "at most", "exponent in d"),
            scales=lambda config: config.dimensions,
        ),
        config=RateSetting(n=48),
        draws={"quick": 80, "full": 2000},
    ),
    Statement(
        id="orthogonal.benign-overfitting-explicit",
        title="what wrong labels cost on new points, from the points and labels alone",
        says="Near-orthogonality, and Σ|x_k1| over correct labels above τ times that over wrong "
        "ones, τ = R²/(1 − 2/(pR²)), imply that every label is fitted and that the test error is "
        "at most η + ((1−2η)/π) arctan(τ√S/(d^{ρ/2}C)), C the difference of these two and "
        "S = Σ_jk|⟨x'_j, x'_k⟩| without first coordinates. For all points and labels, at any η < ½ "
        "and any share of wrong labels.",
        source=OURS,
        stages={"points": _noisy, "closed_form": _of_noisy},
        domain=DOMAIN,
        hypotheses={
            "near-orthogonality": of_closed_form("near-orthogonality"),
            "correct labels outweigh": Hypothesis(
                lambda instance, _: _outweigh(uniformity.sharp)(instance.closed_form),
                f"{OUTWEIGH}, τ = R²/(1 − 2/(pR²))",
                "closed_form",
            ),
        },
        claim=Deterministic(conclusion=_explicit),
        config=NoisySetting(n=32, noise=0.4),
        draws={"quick": 100, "full": 5000},
        batch=64,
    ),
    Statement(
        id="orthogonal.benign-overfitting-beyond",
        title="overfitting is benign at noise rates far beyond 49γ²/100",
        says="For near-orthogonal points and M = (1 − (1+τ)η)Σ|x_k1|, τ = R²/(1 − 2/(pR²)), every "
        "label is fitted and the test error is at most η + ((1−2η)/π) arctan(τ√S/(d^{ρ/2}κM)), "
        "0 < κ < 1, but with probability δ = min_t e^{tκM}Π_k((1−η)e^{−t|x_k1|} + ηe^{tτ|x_k1|}) "
        "over wrong labels. δ falls exponentially in n wherever η < 1/(1+τ), which tends to ½, "
        "where the published η ≤ 49γ²/100 falls with γ².",
        source=OURS,
        stages={"points": _clean, "labels": _labels, "closed_form": _of_labels},
        hypotheses={
            "near-orthogonality": Hypothesis(
                lambda instance, config: _near(instance.points, config), NEAR, "points"
            )
        },
        claim=Probabilistic(conclusion=_in_probability, failure_probability=failure_probability),
        config=BeyondSetting(n=128, d=10**12, noise=0.3),
        draws={"quick": 40, "full": 1000},
    ),
)
