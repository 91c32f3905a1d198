"""How far neurons move, and how many change their activation."""

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from theory import fields
from theory._types import Real
from theory.data.sampling import Points, data_parameter, draw
from theory.infinite_width import bounds, lazy
from theory.margins import Margin, Measured, exceeds, measured, rounding_error
from theory.networks.descent import descent_for_time
from theory.networks.embedding import standard_deviation
from theory.networks.network import frozen_readout, init, pre_activations
from theory.networks.training import train
from theory.parameters import Parameters, parameter
from theory.statements.lazy.rounding import (
    largest_movement,
    pre_activation_rounding,
)
from theory.verification.claims import Claim
from theory.verification.domains import Reals, Signs
from theory.verification.kinds import Deterministic, Probabilistic, Rate
from theory.verification.stages import Staged
from theory.verification.statement import OnData, Statement

SOURCE = "Kumano et al. 2024b (reconstructed)"
CAVEAT = (
    "reconstructed: the theorems of Kumano et al. 2024b could not be read, only summaries and the "
    "published code, so that the form tested may not be the printed one"
)
RATE_TOLERANCE = 0.02  # relative corrections of order r ≤ 0.104 at the smallest width


class MovementSetting(Parameters):
    """A network of K24b trained for time T, seen at query points."""

    data: Any = data_parameter("separated-gaussian", "law of x and z")
    n: int = fields.points(20)
    d: int = fields.dimension(10)
    m: int = fields.width(400)
    slope: float = fields.slope(0.2)
    T: float = fields.training_time(1.0)
    steps: int = fields.steps(20)
    momentum: float = fields.momentum(0.9)
    loss: str = fields.loss("logistic", ("identity", "logistic"))
    separation: float = fields.separation(4.0)


class Movement(NamedTuple):
    """Pre-activations at the queries along training.

    change: (q, m) |h_i(z; T) − h_i(z; 0)|.  change_error: its rounding error.
    limit: (q, m) T|a_i|κ(z).
    changed: (q,) share of neurons whose sign at z changed at any step.
    in_doubt: (q,) share of neurons whose pre-activation came within rounding of 0.
    crossing: (q,) ½ Σ_± (2/π) arctan r_±(z), the bound on the expected share.
    crossing_error: (q,) bound on its rounding error.
    """

    change: Float[Array, "q m"]
    change_error: Float[Array, "q m"]
    limit: Float[Array, "q m"]
    changed: Float[Array, " q"]
    in_doubt: Float[Array, " q"]
    crossing: Float[Array, " q"]
    crossing_error: Float[Array, " q"]


def _points(key: Array, config: MovementSetting, queries: int) -> Points:
    return draw(
        key, config.data, config.n, config.d, queries=queries, separation=config.separation
    ).points


def _movement(key: Array, points: Points, config: MovementSetting) -> Movement:
    x, y, z = points
    network = frozen_readout(config.slope)
    start = init(network, key, config.m, x.shape[1])
    descent = descent_for_time(config.T, config.steps, config.momentum, loss=config.loss)
    result = train(network, start, x, y, descent, lambda params: pre_activations(params, z))
    before, path = pre_activations(start, z), result.trace
    error = pre_activation_rounding(start, x, z, config.T, 1) + pre_activation_rounding(
        result.params, x, z, config.T, config.steps
    )
    limit = largest_movement(start, x, z, config.T)
    sign_changed = jnp.any((path >= 0) != (before >= 0)[None], axis=0)
    smallest = jnp.minimum(jnp.abs(before), jnp.min(jnp.abs(path), axis=0))
    floor = config.slope if config.loss == "identity" else 0.0
    ratio = bounds.crossing_ratio(bounds.reach(x, y, z, config.T, floor), z, config.m)
    return Movement(
        jnp.abs(path[-1] - before),
        error,
        limit,
        jnp.mean(sign_changed, axis=1, dtype=before.dtype),
        jnp.mean(smallest <= error, axis=1, dtype=before.dtype),
        jnp.mean(bounds.crossing_probability(ratio), axis=0),
        _crossing_rounding(x, z, config.m, config.T),
    )


def _crossing_rounding(
    x: Float[Array, "n d"], z: Float[Array, "q d"], m: int, time: Real
) -> Float[Array, " q"]:
    """Bound on the rounding error of ½ Σ_± (2/π) arctan r_±(z), up to a few roundings of itself.

    With u half of eps and P the mean of |x_k|·|z| + 1, to first order in u:
    y_kT(⟨x_k, z⟩ + 1)/n is off by (d + 4)u of its share of TP, and the sums of its positive and
    its negative parts by (n + d + 4)u·TP together, as |max(p, 0) − max(q, 0)| over both signs
    adds up to |p − q|. ρ_± subtracts at most one from the other and rounds twice more:
    Σ_±|Δρ_±| ≤ 2(n + d + 6)u·TP. σ√m and the division are off by (d + 12)u, of
    Σ_± ρ_± ≤ Tκ ≤ TP: Σ_±|Δr_±| ≤ (2n + 3d + 24)u·TP/(σ√m), and ½·(2/π)·d arctan r ≤ dr/π.
    What is returned is (n + d + 16)·eps·TP/(σ√m), more than twice that.
    """
    n, d = x.shape
    size = time * lazy.product_sizes(x, z) / (standard_deviation(z) * m**0.5)
    return rounding_error(n + d + 16, size)


def _movement_conclusion(instance: Staged, _: object) -> Margin:
    movement: Movement = instance.training
    relative = movement.change / movement.limit
    return exceeds(1.0, relative, movement.change_error / movement.limit).all()


class StabilitySetting(MovementSetting):
    """A network of K24b trained for time T, seen at one query point."""

    m: int = fields.width(1000)
    T: float = fields.training_time(4.0)
    loss: str = fields.loss("identity", ("identity", "logistic"))
    delta: float = fields.failure_probability(0.05)


class Stability(NamedTuple):
    """Share of neurons that changed sign, the bound on it, the error of both together."""

    changed: Float[Array, ""]
    bound: Float[Array, ""]
    error: Float[Array, ""]


def _stability(key: Array, config: StabilitySetting) -> Stability:
    key_data, key_init = jax.random.split(key)
    movement = _movement(key_init, _points(key_data, config, queries=1), config)
    fluctuation = math.sqrt(math.log(1 / config.delta) / (2 * config.m))
    changed, in_doubt = movement.changed[0], movement.in_doubt[0]
    bound = movement.crossing[0] + fluctuation
    # Arctangents, means of counts, sums and the difference: eight roundings of them together.
    error = movement.crossing_error[0] + in_doubt + rounding_error(8, bound + changed + in_doubt)
    return Stability(changed, bound, error)


class ActivationSetting(Parameters):
    """Neurons of networks of several widths, trained under the identity loss for the same time."""

    data: Any = data_parameter("separated-gaussian", "law of x and z")
    n: int = fields.points(20)
    d: int = fields.dimension(10)
    slope: float = fields.slope(0.2)
    T: float = fields.training_time(0.5)
    steps: int = fields.steps(5)
    neurons: int = parameter(800, "neurons looked at in each network", low=1)
    queries: int = fields.queries(32)
    m_first: int = fields.width(4000, "smallest width")
    sizes: int = fields.number_of_widths(5, "four times")
    separation: float = fields.separation(4.0)

    @property
    def scales(self) -> np.ndarray:
        """The widths."""
        return self.m_first * 4.0 ** np.arange(self.sizes)


def _changed_shares(key: Array, config: ActivationSetting) -> Measured:
    """(scales,) share of (neuron, query) pairs whose sign differs after training, at every width.

    Under the identity loss no neuron feels another, so some of the m neurons stand for all; only
    their readout a_i ~ N(0, 1/m) knows the width.
    """
    key_data, key_init = jax.random.split(key)
    x, y, z, _ = draw(
        key_data,
        config.data,
        config.n,
        config.d,
        queries=config.queries,
        separation=config.separation,
    )
    network = frozen_readout(config.slope)
    start = init(network, key_init, config.neurons, x.shape[1])
    descent = descent_for_time(config.T, config.steps)

    def share(width: Array) -> tuple[Array, Array]:
        params = start._replace(a=start.a * jnp.sqrt(config.neurons / width))
        after = train(network, params, x, y, descent).params
        late, early = pre_activations(after, z), pre_activations(start, z)
        changed = jnp.mean((late >= 0) != (early >= 0), dtype=x.dtype)
        error = pre_activation_rounding(after, x, z, config.T, config.steps)
        doubt = jnp.minimum(jnp.abs(late), jnp.abs(early)) <= error
        return changed, jnp.mean(doubt, dtype=x.dtype) + rounding_error(16, changed)

    return measured(*jax.lax.map(share, jnp.asarray(config.scales, x.dtype)))


STATEMENTS = (
    Statement(
        id="lazy.movement",
        title="no pre-activation moves further than T|a_i|κ(z)",
        says="|h_i(z; T) − h_i(z; 0)| ≤ T|a_i|κ(z) for every neuron i and point z, with "
        "κ(z) = (1/n) Σ_k |⟨x_k, z⟩ + 1|, for any loss with 0 ≤ ℓ' ≤ 1. Equality is attained on "
        "parallel data and is undecided. Margin: 1 − the largest ratio over neurons and 8 queries.",
        source=SOURCE,
        caveat=CAVEAT,
        stages={
            "points": lambda key, earlier, config: _points(key, config, queries=8),
            "training": lambda key, earlier, config: _movement(key, earlier.points, config),
        },
        domain={"x": Reals(), "y": Signs(), "z": Reals()},
        claim=Deterministic(conclusion=_movement_conclusion),
        config=MovementSetting(),
        draws={"quick": 100, "full": 2000},
        data=True,
        on_data={"digits": OnData(quick=True)},
    ),
    Statement(
        id="lazy.activation-stability",
        title="few neurons change their activation at z",
        says="The share of neurons whose sign at z changes before T is at most "
        "½ Σ_± (2/π) arctan r_± + √(ln(1/δ)/(2m)) with probability ≥ 1 − δ, r_± = ρ_±/(σ(z)√m) "
        "from how far neurons reach up and down, ρ_+ + ρ_− ≤ Tκ(z), for z independent of the "
        "initialization.",
        source=f"ours, explicit form of {SOURCE}",
        caveat=CAVEAT,
        sample=_stability,
        claim=Probabilistic(
            conclusion=lambda i, _: exceeds(i.bound, i.changed, i.error),
            failure_probability=lambda _, config: config.delta,
        ),
        config=StabilitySetting(),
        draws={"quick": 100, "full": 2000},
        data=True,
        on_data={"digits": OnData()},
    ),
    Statement(
        id="lazy.activation-rate",
        title="the share of neurons that change their activation falls like m^(−1/2)",
        says="E(share of neurons with sgn h_i(z; T) ≠ sgn h_i(z; 0)) = Θ(m^{−1/2}) at fixed T, "
        'identity loss: the rate behind "most neurons keep their activation if '
        'm ≥ Õ(d²(T_f + T_g)²)". Two-sided, as derived.',
        source=SOURCE,
        caveat=CAVEAT,
        sample=_changed_shares,
        claim=Rate(
            quantity=lambda shares, _: shares,
            claims=lambda config: Claim(-0.5, 0.1, name="exponent", tolerance=RATE_TOLERANCE),
            scales=lambda config: config.scales,
        ),
        config=ActivationSetting(),
        draws={"quick": 100, "full": 2000},
        data=True,
    ),
)
