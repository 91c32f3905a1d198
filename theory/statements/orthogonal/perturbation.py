"""The direction of adversarial perturbations of the trained network."""

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array

from theory import fields
from theory._scaling import minimum
from theory.certificates import max_margin
from theory.data.sampling import draw
from theory.margins import Margin, Measured, exceeds, measured, rounding_error
from theory.networks.descent import Descent
from theory.networks.network import fixed_signs, init, input_gradients, outputs
from theory.networks.training import train
from theory.parameters import Parameters, parameter
from theory.perturbations import alignment
from theory.perturbations.attacks import Ball, ball, projected_gradient, unit_rows
from theory.statements.orthogonal.setting import CAVEAT, TRAINED_MARGIN
from theory.verification.claims import Claim
from theory.verification.kinds import Moment
from theory.verification.statement import Hypothesis, Statement

NORMS = ("l0", "l2", "linf")


class PerturbationSetting(Parameters):
    """Orthogonal points of norm √d, half of either label, and attacks on the trained network."""

    n: int = fields.points(8, "training points, even", even=True)
    d: int = fields.dimension(512)
    slope: float = fields.slope(0.5, open_low=True)
    m: int = fields.width(10, "width, even", even=True)
    scale: float = fields.initial_scale(0.001)
    steps: int = fields.steps(200, "gradient steps on log L, exponential loss")
    learning_rate: float = fields.log_loss_rate(1.0)
    size: float = parameter(
        0.05, "ℓ₂ length of all perturbations", unit="‖x‖", low=0, open_low=True
    )
    attack_steps: int = fields.attack_steps(30)
    fraction: float = fields.sparse_share(0.1)


class Attacked(NamedTuple):
    """What the attacks found, with bounds on numerical errors.

    cosines: (3,) mean over samples for ℓ₀, ℓ₂, ℓ∞.  margin: smallest y_k f(x_k).
    """

    cosines: Measured
    margin: Measured


def _all_norms(n: int, d: int, fraction: float) -> Ball:
    """The three balls at once, each for its block of n rows, scaled to equal ℓ₂ lengths."""
    balls = [ball(norm, fraction) for norm in NORMS]
    lengths = (math.ceil(fraction * d * (1 - 1e-12)) ** -0.5, 1.0, d**-0.5)

    def blocks(r: Array) -> list[tuple[Ball, float, Array]]:
        return list(zip(balls, lengths, jnp.split(r, len(NORMS)), strict=True))

    return Ball(
        lambda g: jnp.concatenate([b.steepest(part) * size for b, size, part in blocks(g)]),
        lambda r, epsilon: jnp.concatenate(
            [b.project(part, epsilon * size) for b, size, part in blocks(r)]
        ),
    )


def _sample(key: Array, config: PerturbationSetting) -> Attacked:
    key_data, key_target, key_init = jax.random.split(key, 3)
    x, y, _, _ = draw(key_data, "orthogonal", config.n, config.d, queries=0)
    target = jax.random.rademacher(key_target, (config.n,), x.dtype)
    slope, radius = config.slope, config.d**0.5
    params = init(fixed_signs(slope, config.scale), key_init, config.m, config.d)
    descent = Descent(config.learning_rate / config.d, config.steps, "exponential", log_loss=True)
    params = train(fixed_signs(slope, config.scale), params, x, y, descent).params

    norms = _all_norms(config.n, config.d, config.fraction)
    targets = jnp.tile(target, len(NORMS))[:, None]
    found = projected_gradient(
        lambda z: targets * input_gradients(params, z, slope),
        jnp.tile(x, (len(NORMS), 1)),
        config.size * radius,
        norms,
        steps=config.attack_steps,
    )
    normal = max_margin.max_margin_limit(x, y, slope).normal
    inspired = targets * norms.steepest(jnp.tile(normal, (len(found), 1)))
    cosines = jnp.sum(unit_rows(found) * unit_rows(inspired), axis=1)
    cosines = jnp.mean(cosines.reshape(len(NORMS), -1), axis=1)
    # Every step of training or attack sums over neurons, samples and coordinates. An output has
    # terms below |a_i|Σ_j|w_ij||x_kj|, and unit vectors round relative to 1.
    chain = config.m + 2 * config.n + 2 * config.d + 32
    terms = jnp.max(jnp.abs(x) @ (jnp.abs(params.w).T @ jnp.abs(params.a)))
    return Attacked(
        measured(cosines, rounding_error((config.steps + config.attack_steps) * chain, 2.0)),
        measured(
            minimum(y * outputs(params, x, slope)), rounding_error(config.steps * chain, terms)
        ),
    )


def _claims(config: PerturbationSetting) -> tuple[Claim, ...]:
    """The closed forms; tolerances from the angle τ that is missing to infinite time.

    A neuron still carries its initial weight, of norm `scale`, and what it learned before it
    entered the cone, at most 1/γ as much, beside M‖u₊‖/√m at training margin M.
    """
    slope = config.slope
    cosine = alignment.gradient_cosine(slope)
    u_norm = 2 * (config.n / 2) ** 0.5 / ((1 + slope**2) * config.d) ** 0.5
    angle = (1 + 1 / slope) * config.scale * config.m**0.5 / (TRAINED_MARGIN * u_norm)
    count = math.ceil(config.fraction * config.d * (1 - 1e-12))

    def claim(name: str, law: Any, granularity: float = 0.0) -> Claim:
        apart = math.acos(cosine)
        values = [law(math.cos(apart + shift)) for shift in (-min(angle, apart / 2), 0, angle)]
        tolerance = max(abs(v - values[1]) for v in values) + granularity
        return Claim(values[1], 0.02, name=name, tolerance=tolerance)

    return (
        claim(
            "ℓ₀ cosine",
            lambda c: alignment.largest_sign_cosine(c, config.fraction),
            1 / count,
        ),
        claim("ℓ₂ cosine", lambda c: c),
        claim("ℓ∞ cosine", alignment.sign_cosine),
    )


def _trained(instance: Attacked, _: object) -> Margin:
    value, error = instance.margin
    return exceeds(value, TRAINED_MARGIN, error + rounding_error(4, value))


STATEMENTS = (
    Statement(
        id="orthogonal.perturbation-direction",
        title="attacks on the trained network point along the normal q of its boundary",
        says="On orthogonal data of equal norms, half of either label, the perturbations that "
        "projected gradient ascent finds on the trained network have known cosines to the "
        "geometry-inspired ones, ε y'_k v(q) with q = Σ_k λ_k y_k x_k: "
        "c = (1+γ)²/(√2 √((1+γ²)²+4γ²)) in ℓ₂ (0.994 at γ = ½), (2/π) arcsin c in ℓ∞, and in ℓ₀ "
        "the share of common largest coordinates of two Gaussian vectors of correlation c.",
        source="Kumano et al. 2024a, section 4 (reconstructed); the cosines are ours",
        caveat=CAVEAT,
        sample=_sample,
        measured={"trained": Hypothesis(_trained, f"y_k f(x_k) ≥ {TRAINED_MARGIN:g}")},
        claim=Moment(
            quantity=lambda instance, _: instance.cosines,
            claims=_claims,
        ),
        config=PerturbationSetting(),
        draws={"quick": 80, "full": 500},
    ),
)
