"""How a network leaves its linearization: with 1/α in its scale, with t² in time."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from theory import fields
from theory.data.sampling import data_parameter
from theory.margins import Margin, Measured, measured, rounding_error
from theory.networks.crossover import train_beside_linearization
from theory.parameters import Parameters, parameter
from theory.statements.meanfield.regime import SHORT_STEPS, at_most_one
from theory.statements.rich.flow import unit_points
from theory.verification.claims import Claim
from theory.verification.kinds import Rate
from theory.verification.statement import Hypothesis, OnData, Statement

SOURCE = "Mei et al. 2019, Theorem 8; Chizat et al. 2019"
SCALES = 5


class CrossoverSetting(Parameters):
    """Points with labels, and a network on them."""

    data: Any = data_parameter("sphere")
    n: int = fields.points(8)
    d: int = fields.dimension(8)
    m: int = fields.width(32)


class ScaleSetting(CrossoverSetting):
    """Scales that double, at one time."""

    T: float = fields.training_time(4.0, "time T")
    steps: int = fields.steps(8, "Runge–Kutta steps")
    alpha_min: float = parameter(8.0, "the smallest scale α", low=0, open_low=True)

    @property
    def scales(self) -> np.ndarray:
        """α."""
        return self.alpha_min * 2.0 ** np.arange(SCALES)


class TimeSetting(CrossoverSetting):
    """Times that double, at one scale."""

    T: float = fields.training_time(1.0, "the largest time")
    alpha: float = parameter(16.0, "scale α", low=0, open_low=True)

    @property
    def steps(self) -> int:
        """Of time T/16."""
        return 2 ** (SCALES - 1)

    @property
    def scales(self) -> np.ndarray:
        """t."""
        return self.T * 2.0 ** np.arange(1 - SCALES, 1)


class Start(NamedTuple):
    """x: (n, d) unit points.  y: (n,) ±1.  theta: (m, d) of N(0, 1).  signs: (m,) ±1."""

    x: Float[Array, "n d"]
    y: Float[Array, " n"]
    theta: Float[Array, "m d"]
    signs: Float[Array, " m"]


def start(key: Array, config: CrossoverSetting) -> Start:
    """Points, and independent initial weights."""
    key_data, key_theta, key_signs = jax.random.split(key, 3)
    x, y = unit_points(key_data, config)
    theta = jax.random.normal(key_theta, (config.m, x.shape[1]))
    return Start(x, y, theta, jax.random.rademacher(key_signs, (config.m,)).astype(x.dtype))


def distances(drawn: Start, alpha: Array, time: Any, steps: int) -> tuple[Array, Array]:
    """(K + 1,) root mean squares over points of f − f̄ at all times, and bounds on their error."""
    path = train_beside_linearization(
        drawn.theta, drawn.signs, drawn.x, drawn.y, alpha, time, steps
    )
    off = path.network - path.linear
    (m, d), n = drawn.theta.shape, len(drawn.x)
    # Features are rounded relative to 1 and then multiplied by α; every step sums four times.
    error = rounding_error((4 * steps + 1) * (m + n + d + 64), 1 + alpha + jnp.abs(off).max())
    size = jnp.sqrt(jnp.mean(off**2, axis=1))
    return size, jnp.broadcast_to(error, size.shape)


def _at_scales(key: Array, config: ScaleSetting) -> Measured:
    """(scales,) largest distance up to T."""
    drawn = start(key, config)

    def at(alpha: Array) -> tuple[Array, Array]:
        size, error = distances(drawn, alpha, config.T, config.steps)
        return jnp.max(size), jnp.max(error)

    return measured(*jax.vmap(at)(jnp.asarray(config.scales, drawn.x.dtype)))


def _at_times(key: Array, config: TimeSetting) -> Measured:
    """(scales,) distance at every time."""
    drawn = start(key, config)
    alpha = jnp.asarray(config.alpha, drawn.x.dtype)
    size, error = distances(drawn, alpha, config.T, config.steps)
    places = 2 ** np.arange(SCALES)
    return measured(size[places], error[places])


# --- the regime -----------------------------------------------------------------------------------


def _lazy(_: object, config: ScaleSetting) -> Margin:
    """No neuron moves further than T/α: beyond 1 distances end where they can grow no more."""
    return at_most_one(config.T / config.alpha_min)


def _first_order(_: object, config: TimeSetting) -> Margin:
    """The term t²/α is a mean over neurons of both signs, of the size 1/√m; that of the next order,
    in (t/α)², is not, and grows faster."""
    return at_most_one(config.m**0.5 * config.T / config.alpha)


NETWORK = (
    "f = α(h − h₀), h = (1/m)Σ ±tanh⟨θ_i, x⟩, and its linearization f̄ in the initial weights "
    "follow gradient flow on the squared loss, in times in which f̄ does not depend on α. "
)
STATEMENTS = (
    Statement[ScaleSetting, Measured](
        id="meanfield.lazy-crossover",
        title="a network of scale α is within O(1/α) of its linearization",
        says=NETWORK + "sup over t ≤ T of the root mean square of f − f̄ over the points falls like "
        "1/α or faster. Constants are not specified: the exponent alone is tested.",
        source=f"{SOURCE}, the rate in α",
        sample=_at_scales,
        hypotheses={"lazy": Hypothesis(_lazy, "T/α ≤ 1 at the smallest α"), **SHORT_STEPS},
        claim=Rate(
            quantity=lambda found, _: found,
            claims=lambda config: Claim(
                -1.0, 0.1, side="at most", name="exponent in α", tolerance=0.02
            ),
            scales=lambda config: config.scales,
        ),
        config=ScaleSetting(),
        draws={"quick": 400, "full": 4000},
        data=True,
        on_data={"digits": OnData()},
        batch=200,
    ),
    Statement[TimeSetting, Measured](
        id="meanfield.lazy-crossover-time",
        title="it leaves its linearization no faster than t²",
        says=NETWORK
        + "The root mean square of f − f̄ at time t grows like t² at most. Constants are "
        "not specified: the exponent alone is tested.",
        source=f"{SOURCE}, the rate in t",
        sample=_at_times,
        hypotheses={
            "first order": Hypothesis(_first_order, "√m T/α ≤ 1"),
            **SHORT_STEPS,
        },
        claim=Rate(
            quantity=lambda found, _: found,
            claims=lambda config: Claim(
                2.0, 0.1, side="at most", name="exponent in t", tolerance=0.02
            ),
            scales=lambda config: config.scales,
        ),
        config=TimeSetting(),
        draws={"quick": 2000, "full": 8000},
        data=True,
        on_data={"digits": OnData()},
        batch=200,
    ),
)
