"""The stable rank of the weights from the first step of gradient descent on."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from theory import fields
from theory._scaling import maximum, minimum
from theory.certificates.linear_solve import inner_products
from theory.data.sampling import draw
from theory.margins import Margin, Measured, at_least, exceeds, measured, rounding_error
from theory.networks.descent import LOSSES, Descent
from theory.networks.network import (
    Params,
    fixed_signs,
    init,
    leaky_relu_derivative,
    outputs,
    pre_activations,
)
from theory.networks.training import train
from theory.parameters import parameter
from theory.statements.orthogonal.boundary import DOMAIN, Points
from theory.statements.orthogonal.setting import DataSetting
from theory.verification.claims import Claim
from theory.verification.kinds import Deterministic, Rate
from theory.verification.stages import Staged
from theory.verification.statement import Hypothesis, Statement


class EarlySetting(DataSetting):
    """A network trained for a few steps, and what is asked of its points."""

    m: int = fields.width(32, "width, even", even=True)
    scale: float = fields.initial_scale(0.0001)
    loss: str = fields.loss("logistic", ("exponential", "logistic"))
    learning_rate: float = parameter(0.1, "learning rate", low=0, open_low=True)
    steps: int = fields.steps(20)


class ScaleSetting(EarlySetting):
    """One step from several scales of the initial weights."""

    scales: int = parameter(
        5, "how many scales of the initial weights, each twice the one before", low=5, high=10
    )

    @property
    def all_scales(self) -> tuple[float, ...]:
        """ω, 2ω, 4ω, …"""
        return tuple(self.scale * 2**i for i in range(self.scales))


class OneStep(NamedTuple):
    """excess: (S,) ‖W_1‖_F²/‖W_1‖² − 1 at every scale.

    share: ‖W_0‖_F/‖W_1 − W_0‖_F, the largest.
    """

    excess: Measured
    share: Float[Array, ""]


class Descended(NamedTuple):
    """A network in training, before the first step and after each of K.

    excess: (K + 1,) ‖W‖_F²/‖W‖² − 1.
    whole, largest: ‖W_0‖_F and ‖W_0‖.
    first: (n,) mean over neurons of what the first step adds to a weight along y_k x_k, C̄_k.
    """

    excess: Float[Array, " K"]
    whole: Float[Array, ""]
    largest: Float[Array, ""]
    first: Float[Array, " n"]


def _points(key: Array, earlier: Staged, config: EarlySetting) -> Points:
    x, y, _, _ = draw(key, config.data, config.n, config.d, queries=0, p_max=config.p_max)
    return Points(x, y)


def _training(key: Array, earlier: Staged, config: EarlySetting) -> Descended:
    x, y = earlier.points
    network = fixed_signs(config.slope, config.scale)
    start = init(network, key, config.m, x.shape[1])
    descent = Descent(config.learning_rate, config.steps, config.loss)
    trace = train(network, start, x, y, descent, observe=_weights).trace
    slopes = leaky_relu_derivative(pre_activations(start, x), config.slope)
    pull = LOSSES[config.loss].derivative(-y * outputs(start, x, config.slope))
    first = config.learning_rate * pull * jnp.mean(slopes, axis=1) / len(x)
    excess, largest = spectrum(jnp.concatenate([start.w[None], trace]))
    return Descended(excess, jnp.linalg.norm(start.w), largest[0], first)


def _weights(params: Params) -> Array:
    return params.w


# --- what is claimed ------------------------------------------------------------------------------


def spectrum(w: Float[Array, "... m d"]) -> tuple[Array, Array]:
    """‖W‖_F²/‖W‖² − 1 = Σ_{i≥2}σ_i²/σ_1² of every matrix, and its ‖W‖; NaN for an overflown one."""
    finite = jnp.isfinite(w).all(axis=(-2, -1), keepdims=True)
    values = jnp.linalg.svd(jnp.where(finite, w, 0), compute_uv=False)  # else LAPACK prints
    values = jnp.where(finite[..., 0], values, jnp.nan)
    return jnp.sum((values[..., 1:] / values[..., :1]) ** 2, axis=-1), values[..., 0]


def of_updates(load: Array, slope: float) -> Array:
    """κ(1 + h)/(1 − h), κ = (1 + γ)²/(4γ): above ‖W_t − W_0‖_F²/‖W_t − W_0‖² at every t; h < 1."""
    return (1 + slope) ** 2 / (4 * slope) * (1 + load) / (1 - load)


def of_weights(load: Array, slope: float, start: tuple[Array, Array], moved: Array) -> Array:
    """The same of W_t: ((√(κ(1+h)) Z + ‖W_0‖_F)/(√(1−h) Z − ‖W_0‖))², Z of the first step.

    start: ‖W_0‖_F and ‖W_0‖.  moved: Z = (Σ_k C̄_k²‖x_k‖²)^½, which only grows.  ∞ where the
    denominator is not positive.
    """
    whole, largest = start
    room = jnp.sqrt(1 - load) * moved - largest
    spread = (1 + slope) / (2 * slope**0.5) * jnp.sqrt(1 + load) * moved + whole
    return jnp.where(room > 0, (spread / jnp.where(room > 0, room, 1)) ** 2, jnp.inf)


def crowding(x: Float[Array, "n d"]) -> tuple[Array, Array]:
    """h = (n − 1)p_max/R_min², and a bound on its rounding error."""
    gram = inner_products(x, x)
    squared = jnp.diagonal(gram.values)
    apart = jnp.where(jnp.eye(len(x), dtype=bool), 0, jnp.abs(gram.values))
    least = minimum(squared)
    h = (len(x) - 1) * maximum(apart) / jnp.where(least > 0, least, 1)
    off = (len(x) - 1) * maximum(gram.errors) / jnp.where(least > 0, least, 1)
    off = off * (1 + h) + rounding_error(8, h)
    return jnp.where(least > 0, h, jnp.inf), jnp.where(least > 0, off, 0.0)


# --- conditions -----------------------------------------------------------------------------------


def _apart(instance: Staged, _: EarlySetting) -> Margin:
    h, off = crowding(instance.points.x)
    return exceeds(1.0, h, off, infinite=True)


def _bound(instance: Staged, config: EarlySetting) -> tuple[Array, Array]:
    """The bound on ‖W_t‖_F²/‖W_t‖² − 1 for t ≥ 1, and its rounding error."""
    run: Descended = instance.training
    x = instance.points.x
    h, off = crowding(x)
    squared = jnp.sum(x**2, axis=1)
    moved = jnp.sqrt(jnp.sum(run.first**2 * squared))
    # Of ℓ', too, whose relative error is the error of f_0(x_k), at most ‖W_0‖_F‖x_k‖ of roundings.
    size = 1 + run.whole * jnp.sqrt(maximum(squared))
    rounding = rounding_error(8 * (sum(x.shape) + config.m * x.shape[1]), size)

    def at(sign: int) -> Array:
        """With everything better or worse by its error."""
        worse = 1 + sign * rounding
        load = jnp.clip(h + sign * (off + rounding), 0.0, 1.0)
        start = run.whole * worse, run.largest * worse
        return of_weights(load, config.slope, start, moved * (2 - worse))

    value = at(0)
    known = jnp.isfinite(value) & jnp.isfinite(at(1))
    error = jnp.where(known, at(1) - at(-1), jnp.inf)
    return jnp.where(known, value - 1, 0), error


def _stays_low(instance: Staged, config: EarlySetting) -> Margin:
    """The largest stable rank after any step is below the bound, as excesses over 1."""
    bound, error = _bound(instance, config)
    found = maximum(instance.training.excess[1:])
    return exceeds(bound, found, error + _rounding(instance, config, found))


def _not_before(instance: Staged, config: EarlySetting) -> Margin:
    bound, error = _bound(instance, config)
    found = instance.training.excess[0]
    return exceeds(found, bound, error + _rounding(instance, config, found))


def _rounding(instance: Staged, config: EarlySetting, excess: Array) -> Array:
    """Of a stable rank: every step sums over neurons, samples and coordinates."""
    n, d = instance.points.x.shape
    return rounding_error(8 * (config.steps + 1) * (config.m + n + d + 8), 1 + excess)


# --- one step of a smooth network -----------------------------------------------------------------


SMALL = 0.2  # of W_0 against the step: the excess is up to its square, which bends the law


def _small_weights(instance: OneStep, _: ScaleSetting) -> Margin:
    return at_least(jnp.asarray(SMALL), instance.share, rounding_error(2**20, instance.share))


def _after_one_step(key: Array, config: ScaleSetting) -> OneStep:
    """For every scale of the same initial weights.

    φ(h) = γh + (1 − γ)(log(1 + e^h) − log 2), with slopes γ + (1 − γ)σ(h).
    """
    key_points, key_init = jax.random.split(key)
    x, y = _points(key_points, Staged({}), config)
    start = init(fixed_signs(config.slope, 1.0), key_init, config.m, x.shape[1])
    slope = config.slope

    def one(scale: Array) -> tuple[Array, Array]:
        w = scale * start.w
        h = w @ x.T
        f = start.a @ (slope * h + (1 - slope) * (jax.nn.softplus(h) - jnp.log(2.0)))
        pull = LOSSES[config.loss].derivative(-y * f) * y / len(x)
        slopes = slope + (1 - slope) * jax.nn.sigmoid(h)
        step = (start.a[:, None] * slopes * pull[None, :]) @ x
        step = config.learning_rate * step
        size = jnp.linalg.norm(step)
        share = jnp.linalg.norm(w) / jnp.where(size > 0, size, 1)
        return w + step, jnp.where(size > 0, share, jnp.inf)

    after, shares = jax.vmap(one)(jnp.array(config.all_scales))
    value, _ = spectrum(after)
    # Singular values are off by roundings of the largest: σ_i/σ_1 by so much, i ≥ 2.
    off = rounding_error(8 * (sum(start.w.shape) + len(x)), 1.0)
    count = min(start.w.shape)
    error = 2 * jnp.sqrt(count * value) * off + count * off**2
    return OneStep(measured(value, error), maximum(shares))


STATEMENTS = (
    Statement[EarlySetting, Staged](
        id="orthogonal.gradient-descent-rank",
        title="one step of gradient descent makes the stable rank small, and it stays so",
        says="If h = (n−1)p_max/R_min² < 1, then after every step t ≥ 1 of gradient descent from "
        "W_0, of any size and under any increasing loss, W_t − W_0 has a stable rank of at most "
        "((1+γ)²/(4γ))(1+h)/(1−h), whatever the width, and W_t one of at most ((√(κ(1+h)) Z + "
        "‖W_0‖_F)/(√(1−h) Z − ‖W_0‖))², κ = (1+γ)²/(4γ), Z = (Σ_k C̄_k²‖x_k‖²)^½, C̄_k = "
        "(η/n)ℓ'(−y_k f_0(x_k))·(mean of φ' over neurons) of the first step: close to the former "
        "where W_0 is small. Measured: that W_0 itself is above it.",
        source="Frei et al. 2023, abstract; the constant is ours",
        stages={"points": _points, "training": _training},
        domain=DOMAIN,
        hypotheses={"points apart": Hypothesis(_apart, "(n − 1)p_max < R_min²", "points")},
        measured={"not before the first step": _not_before},
        claim=Deterministic(conclusion=_stays_low),
        config=EarlySetting(load=0.99),
        draws={"quick": 48, "full": 2000},
        data=True,
    ),
    Statement(
        id="orthogonal.gradient-descent-rank-smooth",
        title="with a smooth activation the stable rank after one step is 1 up to ω²",
        says="φ(h) = γh + (1−γ)(log(1 + e^h) − log 2): after one step of gradient descent from "
        "weights of the size ω, the stable rank exceeds 1 by an order of ω². All slopes are "
        "φ'(0) + O(ω), so that the step is of rank one but for O(ω).",
        source="Frei et al. 2023, abstract; the exponent is ours",
        sample=_after_one_step,
        hypotheses={
            "small weights": Hypothesis(_small_weights, "‖W_0‖_F ≤ 0.2‖W_1 − W_0‖_F at every scale")
        },
        claim=Rate(
            quantity=lambda instance, _: instance.excess,
            # What bends the law is of the relative order of the excess itself, see the docs.
            claims=lambda config: Claim(2.0, 0.02, name="exponent in ω", tolerance=0.003),
            scales=lambda config: config.all_scales,
        ),
        config=ScaleSetting(load=0.99),
        draws={"quick": 64, "full": 1000},
    ),
)
