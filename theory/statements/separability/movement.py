"""Family A: how far training to zero squared loss moves the two layers (after Z23, Lemma 3.5).

The lemma itself is about the logistic loss: see `loss_level`.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from theory import fields
from theory._types import Real
from theory.data.sampling import data_parameter
from theory.infinite_width import kernels
from theory.margins import Margin, exceeds, measured, rounding_error
from theory.networks.network import init
from theory.parameters import parameter
from theory.perturbations import after_training
from theory.statements.separability.initialization import DRAWN
from theory.statements.separability.trained import (
    NETWORK,
    SOURCE,
    TrainedNetwork,
    TrainedSetting,
    fit,
    sample_points,
    trained,
)
from theory.verification.claims import Claim
from theory.verification.kinds import Moment, Probabilistic
from theory.verification.stages import Staged
from theory.verification.statement import Hypothesis, Statement


class MovementSetting(TrainedSetting):
    """Networks trained on 1 to n points to small squared loss."""

    data: Any = data_parameter("orthogonal")
    n: int = fields.points(8, "most points; each draw has 1 to n of them")
    d: int = fields.dimension(8)
    m: int = fields.width(384)
    loss_below: float = fields.loss_below(0.001)
    width_constant: float = parameter(10.0, "C of the hypothesis m > C·n·d", low=0, open_low=True)
    readout_constant: float = parameter(
        32.0, "K of the conclusion ‖a* − a‖² < K·n/m", low=0, open_low=True
    )


class Points(NamedTuple):
    """n of the (n_max, d) points, with labels; the others are at the origin.

    ratio: m/(nd).  predicted: means of ‖a* − a‖² and ‖W* − W‖²_F.
    """

    x: Float[Array, "n_max d"]
    y: Float[Array, " n_max"]
    n: Any
    ratio: Real
    predicted: after_training.Movement


class Moved(NamedTuple):
    """Distances that training moved the weights.

    readout: ‖a* − a‖.  hidden: ‖W* − W‖₂.  errors: bounds on their rounding errors.
    loss, loss_error: the training loss and its rounding.
    """

    readout: Float[Array, ""]
    hidden: Float[Array, ""]
    errors: after_training.Movement
    loss: Float[Array, ""]
    loss_error: Float[Array, ""]


def _rounding_of_movement(network: TrainedNetwork) -> after_training.Movement:
    """Bounds on the errors of ‖a* − a‖ and ‖W* − W‖, in ℓ₂ and Frobenius, hence in any, norm."""

    def bound(before: Array, after: Array) -> Array:
        size = jnp.sqrt(jnp.sum(before**2)) + jnp.sqrt(jnp.sum(after**2))
        return rounding_error(network.operations, size)

    initial, trained = network.initial, network.trained
    return after_training.Movement(bound(initial.a, trained.a), bound(initial.w, trained.w))


def _some_points(key: Array, earlier: Staged, config: MovementSetting) -> Points:
    key_size, key_points = jax.random.split(key)
    x, y = sample_points(key_points, config)
    n = jax.random.randint(key_size, (), 1, config.n + 1).astype(x.dtype)
    x = jnp.where((jnp.arange(1.0, len(y) + 1) <= n)[:, None], x, 0)  # those teach nothing
    return Points(
        x, y, n, config.m / (n * config.d), after_training.predicted_movement(x, y, config.m)
    )


def _moved(key: Array, earlier: Staged, config: MovementSetting) -> Moved:
    x, y, n, *_ = earlier.data
    initial = init(NETWORK, key, config.m, config.d)
    network = fit(initial, x, y, steps=config.steps)
    # Points at the origin have output 0 and loss ½, and the mean is over all.
    loss = (network.loss * len(y) - (len(y) - n) / 2) / n
    return Moved(
        readout=jnp.linalg.norm(network.trained.a - initial.a),
        hidden=jnp.linalg.norm(network.trained.w - initial.w, 2),
        errors=_rounding_of_movement(network),
        loss=jnp.maximum(loss, 0),
        loss_error=network.loss_error * len(y) / n,
    )


def _moved_little(instance: Staged, config: MovementSetting) -> Margin:
    limit = jnp.sqrt(config.readout_constant * instance.data.n / config.m)
    error = instance.training.errors.readout + rounding_error(4, limit)
    readout = exceeds(limit, instance.training.readout, error)
    hidden = _hidden_moved_little(instance, config)
    return jax.tree.map(lambda *parts: jnp.stack(parts), readout, hidden).all()


def _hidden_moved_little(instance: Staged, config: MovementSetting) -> Margin:
    moved: Moved = instance.training
    return exceeds(config.m**-0.5, moved.hidden, moved.errors.hidden)


def _by_markov(instance: Staged, config: MovementSetting) -> Any:
    points: Points = instance.data
    hidden = config.m * points.predicted.hidden
    readout = config.m / (config.readout_constant * points.n) * points.predicted.readout
    # Where the width alone, no matter of chance, is too small, nothing is claimed or can fail.
    return jnp.where(points.ratio > config.width_constant, hidden + readout, 0.0)


TRAINED = trained(lambda instance: instance.training)
WIDE = Hypothesis(
    lambda i, config: exceeds(i.data.ratio, config.width_constant, rounding_error(4, i.data.ratio)),
    "m > C·n·d, C = width_constant",
    stage="data",
)


def _largest_width_constant(instance: Staged, config: MovementSetting) -> Any:
    """m/(nd), or 0 where training did not end: such a draw contradicts no C."""
    return jnp.where(instance.training.loss < config.loss_below, instance.data.ratio, 0.0)


class SizeSetting(TrainedSetting):
    """The movement of networks trained on n points, over its prediction."""

    n: int = fields.points(4, "number of points")
    d: int = fields.dimension(8)
    m: int = fields.width(512)
    loss_below: float = fields.loss_below(1e-06)
    conditioning_constant: float = parameter(
        12.0, "C of the hypothesis m > C·n·cond(Σ)", low=0, open_low=True
    )


class Conditioned(NamedTuple):
    """Points, and how well conditioned their Σ is.

    condition: cond(Σ).  spread, spread_error: n·cond(Σ)/m and its rounding.
    """

    x: Float[Array, "n d"]
    y: Float[Array, " n"]
    condition: Float[Array, ""]
    spread: Float[Array, ""]
    spread_error: Float[Array, ""]


class Sizes(NamedTuple):
    """ratios: ‖a* − a‖² and ‖W* − W‖²_F over their predicted means.

    errors: bounds on their rounding errors.  loss, loss_error: the training loss and its rounding.
    """

    ratios: Float[Array, "2"]
    errors: Float[Array, "2"]
    loss: Float[Array, ""]
    loss_error: Float[Array, ""]


def _roundings(n: int) -> int:
    """A symmetric eigenvalue is off by some n roundings of the largest one, and so is an inverse,
    relative to it, by the condition number."""
    return DRAWN + 8 * n


def _conditioned(key: Array, earlier: Staged, config: SizeSetting) -> Conditioned:
    x, y = sample_points(key, config)
    eigenvalues = jnp.linalg.eigvalsh(kernels.nngp(x, x, NETWORK.slope, bias=False))
    # Rounding leaves of a singular Σ a smallest eigenvalue near 0, of either sign.
    smallest = jnp.maximum(eigenvalues[0], jnp.finfo(x.dtype).eps * eigenvalues[-1])
    condition = eigenvalues[-1] / smallest
    spread = len(y) * condition / config.m
    error = rounding_error(_roundings(len(y)), condition * spread)
    return Conditioned(x, y, condition, spread, error)


def _sizes(key: Array, earlier: Staged, config: SizeSetting) -> Sizes:
    x, y, condition, *_ = earlier.data
    initial = init(NETWORK, key, config.m, config.d)
    network = fit(initial, x, y, steps=config.steps)
    predicted = after_training.predicted_movement(x, y, config.m)
    ends = zip(network.trained[::2], initial[::2], strict=True)  # W and a
    hidden, readout = (jnp.sum((after - before) ** 2) for after, before in ends)
    ratios = jnp.stack([readout / predicted.readout, hidden / predicted.hidden])
    moved = _rounding_of_movement(network)
    error = jnp.stack(
        [
            (2 * jnp.sqrt(readout) + moved.readout) * moved.readout / predicted.readout,
            (2 * jnp.sqrt(hidden) + moved.hidden) * moved.hidden / predicted.hidden,
        ]
    )
    error = error + rounding_error(_roundings(len(y)), condition * ratios)
    return Sizes(ratios, error, network.loss, network.loss_error)


WELL_CONDITIONED = Hypothesis(
    lambda i, config: exceeds(1 / config.conditioning_constant, i.data.spread, i.data.spread_error),
    "m > C·n·cond(Σ), C = conditioning_constant",
    stage="data",
)


def _size_claims(config: SizeSetting) -> tuple[Claim, ...]:
    # Empirical: 1.6 to 1.8 n/m and 6.8 to 8 n/m had been measured when these were chosen.
    return tuple(
        Claim(
            1.0, 0.1, name=f"{name}, measured/predicted", tolerance=allowance * config.n / config.m
        )
        for name, allowance in (("‖Δa‖²", 3), ("‖ΔW‖²", 12))
    )


STATEMENTS = (
    Statement[MovementSetting, Staged](
        id="separability.ntk-movement",
        title="‖W* − W‖₂ < 1/√m and ‖a* − a‖ < √(K·n/m) when m > C·n·d",
        says="If m > C·n·d and training (squared loss, equal rates) reaches a loss below "
        "loss_below, then ‖W* − W‖₂ < 1/√m and ‖a* − a‖ < √(K·n/m), except with probability "
        "m·E‖ΔW‖²_F + (m/(K·n))·E‖Δa‖²: Markov's inequality in the kernel limit, the means being "
        "those of the infinitely wide network and not of width m: E‖Δa‖² = 3.93 n/m and "
        "E‖ΔW‖²_F = 5.8 nd/m² for n orthogonal points and m ≫ d.",
        source=f"ours, {SOURCE}, Lemma 3.5 for the squared loss, corrected",
        stages={"data": _some_points, "training": _moved},
        hypotheses={"width": WIDE, "trained": TRAINED},
        measured={"‖W* − W‖₂ < 1/√m": _hidden_moved_little},
        claim=Probabilistic(
            conclusion=_moved_little,
            failure_probability=_by_markov,
        ),
        constant=_largest_width_constant,
        config=MovementSetting(),
        draws={"quick": 320, "full": 3000},
        data=True,
        batch=8,
    ),
    Statement[SizeSetting, Staged](
        id="separability.ntk-movement-size",
        title="E‖a* − a‖² = 3.93 n/m and E‖W* − W‖²_F = 5.8 nd/m², from the NTK",
        says="The mean squared movement of either layer, trained at equal rates to zero squared "
        "loss, is tr[K⁻¹(mΣ)K⁻¹(yyᵀ + Σ)] for the readout and tr[K⁻¹ΘK⁻¹(yyᵀ + Σ)] for the hidden "
        "layer, K = mΣ + Θ the NTK and Σ the NNGP of the points, to leading order in 1/m: 3.93 n/m "
        "and 5.8 nd/m² for orthogonal points and m ≫ d. Measured: the movement over this, where "
        "training ended and m > C·n·cond(Σ), with empirical allowances for finite width of 3n/m "
        "for the readout and 12n/m for the hidden layer, chosen after measuring at these sizes.",
        source=f"ours, on {SOURCE}, Lemma 3.5",
        stages={"data": _conditioned, "training": _sizes},
        hypotheses={"trained": TRAINED, "conditioning": WELL_CONDITIONED},
        claim=Moment(
            quantity=lambda i, _: measured(i.training.ratios, i.training.errors),
            claims=_size_claims,
        ),
        config=SizeSetting(),
        draws={"quick": 900, "full": 4000},
        data=True,
        batch=16,
    ),
)
