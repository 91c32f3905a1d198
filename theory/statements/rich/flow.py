"""Gradient flow of diagonal networks ends where the hypentropy potential is least."""

import math
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from theory import fields
from theory._scaling import whole_norm
from theory.certificates import hypentropy
from theory.data.sampling import data_parameter, draw, to_sphere
from theory.margins import Margin, at_least, exceeds, rounding_error
from theory.networks.diagonal import Descended, descend_diagonal
from theory.parameters import Parameters, parameter
from theory.verification.domains import Reals
from theory.verification.kinds import Deterministic
from theory.verification.stages import Staged
from theory.verification.statement import Hypothesis, OnData, Statement

SOURCE = "Woodworth et al. 2020, Theorem 1"


class FlowSetting(Parameters):
    """Fewer points than dimensions, the scale of the weights, and steps that stand for flow."""

    data: Any = data_parameter("sphere")
    n: int = fields.points(4)
    d: int = fields.dimension(12)
    alpha: float = parameter(0.5, "α, initial weights", low=0, open_low=True)
    learning_rate: float = parameter(0.01, "η, of ½‖Xβ − y‖²", low=0, open_low=True)
    steps: int = fields.steps(4000)
    residual: float = parameter(
        1e-6, "‖Xβ − y‖/‖y‖ at which the labels count as interpolated", low=0, open_low=True
    )


class Problem(NamedTuple):
    """x: (n, d) unit points.  y: (n,) labels ±1.  log_alpha: log α."""

    x: Float[Array, "n d"]
    y: Float[Array, " n"]
    log_alpha: Float[Array, ""]


def unit_points(key: Array, config: Any) -> tuple[Array, Array]:
    """Points of norm 1 with their labels."""
    sample = draw(key, config.data, config.n, config.d, queries=0)
    return to_sphere(sample.x) / math.sqrt(sample.x.shape[1]), sample.y


def _problem(key: Array, earlier: Staged, config: FlowSetting) -> Problem:
    x, y = unit_points(key, config)
    return Problem(x, y, jnp.asarray(jnp.log(config.alpha), x.dtype))


def _descended(key: Array, earlier: Staged, config: FlowSetting) -> Descended:
    p: Problem = earlier.data
    return descend_diagonal(p.x, p.y, jnp.exp(p.log_alpha), config.learning_rate, config.steps)


def _dual(drawn: Staged) -> np.ndarray:
    """(n,) ν of the minimizer, as a proposal: any ν bounds the minimum from below."""
    p = drawn.data
    return hypentropy.dual_solution(np.asarray(p.x), np.asarray(p.y), float(p.log_alpha))


def _interpolates(instance: Staged, config: FlowSetting) -> Margin:
    p: Problem = instance.data
    beta: Array = instance.training.beta
    left, size = whole_norm(p.x @ beta - p.y), whole_norm(p.y)
    lost = rounding_error(p.x.shape[1] + 8, jnp.abs(p.x) @ jnp.abs(beta) + jnp.abs(p.y))
    return at_least(config.residual * size, left, whole_norm(lost) + rounding_error(8, left))


def _small_steps(instance: Staged, config: FlowSetting) -> Margin:
    largest = instance.training.largest
    return exceeds(1.0, largest, rounding_error(8 * config.steps, largest))


class Gap(NamedTuple):
    """Q_α(β) less its minimum, what that may be at most, and the rounding of both together."""

    value: Float[Array, ""]
    bound: Float[Array, ""]
    error: Float[Array, ""]


def gap(instance: Staged, config: FlowSetting, log_alpha: Array) -> Gap:
    """Of the potential with this α, which need not be that of the network."""
    p: Problem = instance.data
    run: Descended = instance.training
    theta = hypentropy.dual_of(run.beta, log_alpha)

    def curved(defect: Array) -> Array:
        """α²Σe² cosh(|θ| + e), with α² in the exponents, as it may be below all floats."""
        size = jnp.abs(theta) + defect
        both = jnp.exp(2 * log_alpha + size) + jnp.exp(2 * log_alpha - size)
        return jnp.sum(defect**2 * both) / 2

    bound = curved(run.defect)
    more = curved(run.defect + rounding_error(8 * config.steps + 32, 1 + jnp.abs(theta))) - bound
    left = jnp.abs(run.nu) @ jnp.abs(p.x @ run.beta - p.y)
    least = hypentropy.dual_bound(p.x, p.y, instance.solution, log_alpha)
    value = hypentropy.potential(run.beta, log_alpha) - least
    found = hypentropy.at_dual(instance.solution @ p.x, log_alpha)
    # The dual is below the minimum by what ν leaves of the labels, to first order.
    short = 4 * jnp.abs(instance.solution) @ jnp.abs(p.x @ found - p.y)
    size = jnp.sum(jnp.abs(run.beta) * (2 + jnp.abs(theta)) + jnp.abs(found)) + bound
    size = size + jnp.abs(p.y) @ (jnp.abs(instance.solution) + jnp.abs(run.nu))
    roundings = 8 * sum(p.x.shape) + 64
    error = short + more + rounding_error(roundings, size * (1 + jnp.abs(log_alpha)))
    return Gap(value, bound + left, error)


def _minimizes(instance: Staged, config: FlowSetting) -> Margin:
    return at_least(*_sides(gap(instance, config, instance.data.log_alpha)))


def _sides(found: Gap) -> tuple[Array, Array, Array]:
    return found.bound, found.value, found.error


STATEMENTS = (
    Statement[FlowSetting, Staged](
        id="rich.hypentropy",
        title="a diagonal network ends where the hypentropy potential is least",
        says="Gradient flow on ½‖Xβ − y‖², β = w₊² − w₋², from w₊ = w₋ = α·1, ends, if it "
        "interpolates, at the minimum of Q_α(β) = α²Σq(β_i/α²) subject to Xβ = y, q(z) = 2 − √(4 + "
        "z²) + z·arcsinh(z/2). Checked by descent of small steps s = 2ηXᵀr, for which (ours) "
        "Q_α(β) ≤ min Q_α + α²Σ_i e_i² cosh(|arcsinh(β_i/(2α²))| + e_i) + Σ|ν_k||(Xβ − y)_k| with "
        "e = Σ[−log(1 − s²) + ⅔|s|³/(1 − s²)] and ν = −4ηΣr: of flow nothing is left but the "
        "residual. The minimum is bounded by its dual.",
        source=f"{SOURCE}; the bound for descent is ours",
        stages={"data": _problem, "training": _descended},
        solve=_dual,
        hypotheses={
            "interpolates": Hypothesis(_interpolates, "‖Xβ − y‖ ≤ residual·‖y‖", stage="training"),
            "small steps": Hypothesis(_small_steps, "|s_i| < 1 at every step", stage="training"),
        },
        claim=Deterministic(conclusion=_minimizes),
        config=FlowSetting(),
        domain={"x": Reals(), "y": Reals()},
        loose="what all steps leave out is added up without its signs",
        draws={"quick": 64, "full": 1000},
        data=True,
        on_data={"digits": OnData({"n": 8})},
        batch=64,
    ),
)
