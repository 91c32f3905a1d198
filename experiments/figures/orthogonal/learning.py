"""Learning from perturbed noise to infinite time: what the figures of K24a compute in common."""

import functools
import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from theory import fields
from theory._types import Integer, Real
from theory.certificates import cone, max_margin
from theory.certificates.max_margin import Solved, kkt_certificate
from theory.data.sampling import draw
from theory.networks import preactivations
from theory.networks.descent import Descent
from theory.networks.network import Network, Params, fixed_signs, init, input_gradients, outputs
from theory.parameters import Parameters, parameter
from theory.perturbations.attacks import growing_support, projected_gradient

PUBLISHED_D = 10_000  # the dimension at which ε of ℓ₂ is given; it is scaled with √d
MEAN_SQUARES = {"uniform": 1 / 3, "gaussian": 1.0}  # of a coordinate, law by law
BOXES = {"uniform": (-1.0, 1.0)}  # in which attacks keep points; a Gaussian law has none
MOMENTUM = 0.9  # of training on the loss itself


class NetworkSettings(Parameters):
    """Networks trained to log time ∝ steps, and attacks on them."""

    m: int = fields.width(20, "width, even", even=True)
    slope: float = fields.slope(0.5, open_low=True)
    scale: float = fields.initial_scale(0.001)
    steps: int = fields.steps(300, "gradient steps on log L, exponential loss")
    learning_rate: float = fields.log_loss_rate(0.5, unit="n/largest eigenvalue of XXᵀ")
    attack_steps: int = fields.attack_steps(10)
    draws: int = parameter(10, "draws of data and networks", low=1)


class Samples(NamedTuple):
    """Clean samples, and noise samples of the same law.

    x: (n, d).  y: (n,) ±1, balanced.  noise: (n_adv, d).  target: (n_adv,) random labels y' = ±1.
    """

    x: Float[Array, "n d"]
    y: Float[Array, " n"]
    noise: Float[Array, "n_adv d"]
    target: Float[Array, " n_adv"]


@functools.partial(jax.jit, static_argnames=("law", "n", "n_adv", "d"))
def samples(key: Array, law: str, n: int, n_adv: int, d: int) -> Samples:
    """Samples of an isotropic law that know nothing of their labels."""
    key_data, key_target = jax.random.split(key)
    x, y, noise, _ = draw(key_data, law, n, d, queries=n_adv)
    return Samples(x, y, noise, jax.random.rademacher(key_target, (n_adv,), x.dtype))


class Fitted(NamedTuple):
    """A trained network and the closed form of its limit.

    params: the trained network.
    multipliers: (n,) λ of the closed form, certified or not.
    normal: (d,) q = Σ_k λ_k y_k x_k.
    margin: smallest y_k f(x_k).
    certified: the closed form is a KKT point, by its errors; and gradient flow from the trained
      weights stays in the cone, up to rounding. Then the closed form is where it ends.
    """

    params: Params
    multipliers: Float[Array, " n"]
    normal: Float[Array, " d"]
    margin: Float[Array, ""]
    certified: Bool[Array, ""]


def fit(
    key: Array,
    x: Float[Array, "n d"],
    y: Float[Array, " n"],
    settings: NetworkSettings,
    active: Bool[Array, " n"] | None = None,
    on_log: bool = True,
) -> Fitted:
    """Trains a network and solves for its limit, in which all or the `active` samples take part.

    Training and certificates need inner products only. They are computed in coordinates of the
    span of points and initial weights, so that they compile once for all dimensions. Draws are not
    batched: XLA on CPUs can wait for ever on batched decompositions. Not `on_log`, L itself is
    descended, at the learning rate as it is and with momentum 0.9.
    """
    network = fixed_signs(settings.slope, settings.scale)
    start, x_span, w_span = _start(network, settings.m, key, x)
    momentum = 0.0 if on_log else MOMENTUM
    descent = Descent(
        settings.learning_rate, settings.steps, "exponential", momentum, log_loss=on_log
    )
    trained = _train(network, descent, start.a, x_span, w_span, y)
    active = jnp.ones(len(x), bool) if active is None else active
    limit, kkt = _limit(network, x_span, y, active)
    stays = _stays(network, start.a, trained, limit, x_span, w_span, y)
    params, normal, margin = _lift(network, start, trained, limit.multipliers, x, y)
    return Fitted(params, limit.multipliers, normal, margin, kkt & stays)


def floats(points: int, fitted: int, m: int, d: int) -> int:
    """Numbers held at once, at least, by what `fit` does with so many of the points: these and the
    weights on ℝ^d, and the inner products of those fitted, of which their limit is solved for."""
    return (points + m) * d + fitted**2


@functools.partial(jax.jit, static_argnums=(0, 1))
@jax.default_matmul_precision("highest")
def _start(network: Network, m: int, key: Array, x: Array) -> Any:
    n, d = x.shape
    params = init(network, key, m, d)
    # Isotropic points in so many dimensions are well conditioned, as Cholesky's method needs.
    if d < 2 * (n + m):
        return params, x, params.w
    # Weights as long as points, so that the rounding of the basis is small beside both.
    enlarged = jnp.linalg.norm(x) / jnp.linalg.norm(params.w)
    both = jnp.concatenate([x, enlarged * params.w])
    rows = jnp.linalg.cholesky(both @ both.T)
    return params, rows[:n], rows[n:] / enlarged


@functools.partial(jax.jit, static_argnums=0)
@jax.default_matmul_precision("highest")
def _train(network: Network, descent: Descent, a: Array, x: Array, w: Array, y: Array) -> Any:
    if not descent.log_loss:
        return preactivations.coefficients(network, w @ x.T, a, x, y, descent)
    # Σ_k p_k V_kV_kᵀ bounds the curvature of log L, and ⟨V_j, V_k⟩ = H_jk/2 has no eigenvalue
    # above that of XXᵀ; p_k ≈ 1/n while margins are alike.
    rate = descent.learning_rate * len(x) / _largest_eigenvalue(x, y)
    own = Descent(rate, descent.steps, descent.loss, log_loss=True)
    return preactivations.coefficients(network, w @ x.T, a, x, y, own)


def _largest_eigenvalue(x: Array, y: Array) -> Array:
    """Of XXᵀ, by 30 power iterations, from what common parts and parts along labels excite."""

    def iterate(_: Array, v: Array) -> Array:
        v = x @ (v @ x)
        return v / jnp.linalg.norm(v)

    v = jax.lax.fori_loop(0, 30, iterate, 1 + y / 2)
    return jnp.linalg.norm(v @ x) ** 2


@functools.partial(jax.jit, static_argnums=0)
def _limit(network: Network, x: Array, y: Array, active: Array) -> Any:
    limit = max_margin.max_margin_limit(x, y, network.slope, active)
    return limit, kkt_certificate(Solved(x, y, limit, network.slope)).holds


@functools.partial(jax.jit, static_argnums=0)
def _stays(
    network: Network, a: Array, trained: Any, limit: Any, x: Array, w: Array, y: Array
) -> Array:
    params = preactivations.moved(network, Params(w, jnp.zeros_like(a), a), trained, x, y)
    return cone.stays_in_cone(params, limit, x, y, network.slope).value > 0


@functools.partial(jax.jit, static_argnums=0)
@jax.default_matmul_precision("highest")
def _lift(
    network: Network, start: Params, trained: Any, multipliers: Array, x: Array, y: Array
) -> Any:
    params = preactivations.moved(network, start, trained, x, y)
    margin = jnp.min(y * outputs(params, x, network.slope))
    return params, (multipliers * y) @ x, margin


@functools.partial(jax.jit, static_argnames=("norm", "slope", "fraction", "published", "box"))
@jax.default_matmul_precision("highest")
def attack(
    params: Params,
    points: Float[Array, "n d"],
    target: Float[Array, " n"],
    epsilon: Real,
    *,
    norm: str,
    slope: float,
    steps: Integer,
    fraction: float,
    published: bool = False,
    box: tuple[float, float] | None = None,
) -> Float[Array, "n d"]:
    """Perturbations towards the labels y' by projected gradient ascent in steps of ε/5.

    Published: in ℓ∞ along g/max|g|; in ℓ₀ a coordinate more each of ⌈fraction·d⌉ steps of size ε.
    """

    def gradient(z: Array) -> Array:
        return target[:, None] * input_gradients(params, z, slope)

    if published and norm == "l0":
        count = support(fraction, points.shape[1])
        return growing_support(gradient, points, steps=count, step_size=epsilon, box=box)
    own = "linf-max" if published and norm == "linf" else norm
    return projected_gradient(
        gradient, points, epsilon, own, steps=steps, fraction=fraction, box=box
    )


def support(fraction: float, d: int) -> int:
    """⌈fraction·d⌉, d at most."""
    return min(d, math.ceil(fraction * d * (1 - 1e-12)))
