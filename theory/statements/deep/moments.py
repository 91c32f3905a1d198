"""Moments of deep networks at initialization, exact at every width."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from theory import fields
from theory.infinite_width.deep import mean_square_moment
from theory.margins import Measured, measured, rounding_error
from theory.networks.deep import DeepNetwork, apply_deep, init_deep, last_activations
from theory.parameters import Parameters, parameter
from theory.verification.claims import Claim
from theory.verification.kinds import Moment
from theory.verification.statement import Statement


class MomentSetting(Parameters):
    """Many networks of one shape, seen at one point."""

    d: int = fields.dimension(4)
    n: int = fields.width(24, "width n of all layers")
    depth: int = parameter(3, "hidden layers L", low=1)
    slope: float = fields.slope(0.0)
    networks: int = parameter(64, "networks per draw", low=1)
    readouts: int = parameter(16, "readouts of each", low=1)


class Powers(NamedTuple):
    """Of every network.  q: mean square of the last activations over its mean.  f4: mean of f⁴ over
    the readouts, over that of a Gaussian."""

    q: Float[Array, " networks"]
    f4: Float[Array, " networks"]


def _powers(key: Array, config: MomentSetting) -> Powers:
    network = DeepNetwork.critical((config.n,) * config.depth, config.slope)
    x = jnp.ones((1, config.d))

    def one(key: Array) -> tuple[Array, Array]:
        key_hidden, key_out = jax.random.split(key)
        layers = init_deep(network, key_hidden, config.d)
        last = last_activations(network, layers, x)[0]
        a = jax.random.normal(key_out, (config.readouts, config.n))
        return jnp.mean(last**2), jnp.mean((a @ last) ** 4) / (3 * config.n**2)

    return Powers(*jax.vmap(one)(jax.random.split(key, config.networks)))


def _moments(powers: Powers, config: MomentSetting) -> Measured:
    """E q_L²/Π(1 + b/n_ℓ) and E f⁴/(3Π(1 + b/n_ℓ)), which are 1."""
    exact = mean_square_moment((config.n,) * config.depth, config.slope)
    found = jnp.stack([jnp.mean(powers.q**2), jnp.mean(powers.f4)]) / exact
    roundings = 4 * config.depth * (config.n + 8) + config.networks + config.readouts
    return measured(found, rounding_error(roundings, found * config.n**2))


class GradientSetting(Parameters):
    """Networks off the critical variance, plain and with residual branches."""

    d: int = fields.dimension(6)
    n: int = fields.width(8, "width n of all layers")
    depth: int = parameter(2, "hidden layers or residual branches L", low=1)
    slope: float = fields.slope(0.2, "slope v of the activation for h < 0; u = 1 above")
    weight: float = parameter(1.1, "σ_w", low=0, open_low=True)
    bias: float = parameter(0.5, "σ_b", low=0)
    networks: int = parameter(32, "networks of each kind per draw", low=1)


class Gradients(NamedTuple):
    """(networks,) |∇f|² of plain networks and of those with residual branches."""

    plain: Float[Array, " networks"]
    residual: Float[Array, " networks"]


def _gradients(key: Array, config: GradientSetting) -> Gradients:
    x = jnp.ones((1, config.d))

    def squares(residual: bool, key: Array) -> Array:
        network = DeepNetwork(
            (config.n,) * config.depth, config.slope, config.weight, config.bias, "ntk", residual
        )

        def one(key: Array) -> Array:
            layers = init_deep(network, key, config.d)
            return jnp.sum(jax.grad(lambda z: apply_deep(network, layers, z)[0])(x) ** 2)

        return jax.vmap(one)(jax.random.split(key, config.networks))

    keys = jax.random.split(key)
    return Gradients(squares(False, keys[0]), squares(True, keys[1]))


def growth(config: GradientSetting) -> tuple[float, float]:
    """ω^L of plain networks, ω = ασ_w², and with residual branches, ω = 1 + ασ_w²."""
    alpha = (1 + config.slope**2) / 2 * config.weight**2
    return alpha**config.depth, (1 + alpha) ** config.depth


def _variances(gradients: Gradients, config: GradientSetting) -> Measured:
    """|∇f|²/ω^L of either kind."""
    means = jnp.stack([jnp.mean(gradients.plain), jnp.mean(gradients.residual)])
    found = means / jnp.asarray(growth(config))
    roundings = 8 * config.depth * (config.n + 8) + config.d + config.networks
    return measured(found, rounding_error(roundings, found * config.n**2))


STATEMENTS = (
    Statement[MomentSetting, Powers](
        id="deep.moments",
        title="fourth moments of deep networks: a factor 1 + b/n for every layer",
        says="Bias-free leaky ReLU networks of widths n_1, …, n_L with weights N(0, 2/((1 + γ²)"
        "n_{ℓ−1})): the mean square q_L of the last activations over its mean has E q_L² = Π_ℓ(1 + "
        "b/n_ℓ), b = 6(1 + γ⁴)/(1 + γ²)² − 1, and the output the excess kurtosis 3(E q_L² − 1).",
        source="ours, on Hanin and Nica 2020",
        sample=_powers,
        claim=Moment(
            _moments,
            lambda config: (
                Claim(1.0, 0.15, name="E q_L² / Π(1 + b/n)"),
                Claim(1.0, 0.15, name="E f⁴ / 3Π(1 + b/n)"),
            ),
        ),
        config=MomentSetting(),
        draws={"quick": 250, "full": 20_000},
        batch=100,
    ),
    Statement[GradientSetting, Gradients](
        id="deep.mean-gradient",
        title="entries of the gradient have the variance ω^L/d, with residual branches, too",
        says="f(x) = J(x)x + a(x): entries of J = ∇f have the mean square ω^L/d at every width, "
        "ω = ασ_w² or, with residual branches that end in a linear layer, 1 + ασ_w²; α = "
        "(u² + v²)/2 for the slopes u and v of the activation.",
        source="Kumano et al. 2023, Theorem 4.1, the variance; at finite width ours",
        sample=_gradients,
        claim=Moment(
            _variances,
            lambda config: (
                Claim(1.0, 0.1, name="|∇f|² / ω^L"),
                Claim(1.0, 0.1, name="|∇f|² / ω^L, residual"),
            ),
        ),
        config=GradientSetting(),
        draws={"quick": 300, "full": 20_000},
        batch=100,
    ),
)
