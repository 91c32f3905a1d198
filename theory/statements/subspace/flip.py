"""A small step off the subspace of the data flips the sign of a trained network."""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from theory import fields
from theory.margins import Margin, margin, rounding_error
from theory.networks.network import outputs
from theory.parameters import parameter
from theory.statements.subspace.setting import SubspaceSetting, Trained, sample, seen
from theory.verification.kinds import Probabilistic
from theory.verification.statement import Statement


class FlipSetting(SubspaceSetting):
    """And how large a step is taken."""

    n: int = fields.points(4)
    d: int = fields.dimension(700)
    m: int = fields.width(128)
    rate: float = parameter(0.003, "learning rate η", low=0, open_low=True)
    steps: int = fields.steps(3)
    factor: float = parameter(
        2.0, "size c of the step, in sizes that would do if f were linear", low=1, open_low=True
    )
    s: float = parameter(4.0, "exponent of the probability that the gradient is small", low=0)

    def __post_init__(self) -> None:
        super().__post_init__()
        most = (self.d - self.inside) / 4
        if not self.s < most:  # else no gradient is too small to be ruled out, and t is infinite
            raise ValueError(f"s must be below (d − inside)/4 = {most:g}, got {self.s:g}")


def freedom(config: FlipSetting) -> tuple[float, float]:
    """k ± …: limits of χ² with k = d − ℓ degrees, each missed with probability e^{−s}.

    Source: Laurent, Massart, Annals of Statistics 28 (2000), Lemma 1.
    """
    k = config.d - config.inside
    off = 2 * (k * config.s) ** 0.5
    return k - off, k + off + 2 * config.s


def step_size(f: Array, v: Float[Array, " m"], config: FlipSetting) -> Array:
    """t = c|f|√d/(‖D a‖√(k − 2√(ks))), of what training sees."""
    low, _ = freedom(config)
    return config.factor * jnp.abs(f) * (config.d / low) ** 0.5 / jnp.linalg.norm(v)


def flipped(trained: Trained, config: FlipSetting, share: float = 1.0) -> Margin:
    """−f(x + z)/f(x) > 0, z = −sign(f)·t·Π⊥∇f/‖Π⊥∇f‖ of a share of the size t."""
    at = seen(trained, config)
    w, a = trained.params.w, trained.params.a
    f = _output(trained, config)
    t = share * step_size(f, at.v, config)
    z = -jnp.sign(f) * t * at.g / jnp.linalg.norm(at.g)
    moved = outputs(trained.params, trained.x.at[config.inside :].add(z)[None, :], config.slope)[0]
    rows = jnp.linalg.norm(w, axis=1)
    largest = jnp.sum(jnp.abs(a) * rows) * (jnp.linalg.norm(trained.x) + t)
    error = rounding_error(2 * (config.m + config.d) + 32, largest / jnp.abs(f))
    return margin(-moved / f, error * (1 + jnp.abs(moved / f)))


def _output(trained: Trained, config: FlipSetting) -> Float[Array, ""]:
    return outputs(trained.params, trained.x[None, :], config.slope)[0]


def failure_probability(trained: Trained, config: FlipSetting) -> Array:
    """2e^{−s} + (1 − γ) Σ_{a_i f > 0} |a_i| E(μ_i + σ|ξ| − |h_i|)₊/((c − 1)|f|), see the docs."""
    at = seen(trained, config)
    a, f = trained.params.a, _output(trained, config)
    _, high = freedom(config)
    t = step_size(f, at.v, config)
    drift = t * jnp.abs(at.v) / jnp.linalg.norm(at.v) * (high / config.d) ** 0.5
    beyond = excess(jnp.abs(at.h) - drift, t / config.d**0.5)
    curved = (1 - config.slope) * jnp.sum(jnp.maximum(a * jnp.sign(f), 0) * beyond)
    return 2 * jnp.exp(-config.s) + curved / ((config.factor - 1) * jnp.abs(f))


def excess(room: Float[Array, " m"], sigma: Array) -> Float[Array, " m"]:
    """E(σ|ξ| − b)₊ for ξ ~ N(0, 1): 2(σφ(b/σ) − bΦ(−b/σ)), and σ√(2/π) − b where b < 0."""
    b = room / sigma
    density = jnp.exp(-(b**2) / 2) / (2 * jnp.pi) ** 0.5
    tail = jax.scipy.special.ndtr(-b)
    return sigma * jnp.where(b >= 0, 2 * (density - b * tail), (2 / jnp.pi) ** 0.5 - b)


STATEMENTS = (
    Statement[FlipSetting, Any](
        id="subspace.off-manifold-flip",
        title="a step off the subspace, twice what first order asks for, flips the sign",
        says="Data in a subspace of dimension ℓ, k = d − ℓ, trained without weight decay: at a "
        "point x of it the step z along −f Π⊥∇f of size t = c|f|√d/(‖D a‖√(k − 2√(ks))) turns the "
        "sign of f(x + z), except with probability 2e^{−s} + (1 − γ)Σ|a_i|E(μ_i + σ|ξ| − |h_i|)₊/"
        "((c − 1)|f|), the sum over a_i f > 0, σ = t/√d, "
        "μ_i = t|v_i|√(k + 2√(ks) + 2s)/(‖v‖√d), v = D a.",
        source="ours; for existence Melamed et al. 2023",
        sample=sample,
        claim=Probabilistic(conclusion=flipped, failure_probability=failure_probability),
        loose="the second order is bounded by absolute values and Markov's inequality",
        config=FlipSetting(),
        draws={"quick": 120, "full": 10_000},
        batch=50,
    ),
)
