"""Gradient descent as an optimizer, a loss, a learning rate and a number of steps."""

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

from theory._kinds import boolean, integer
from theory._pytrees import register_dataclass, traced_fields
from theory._types import AnyArray, Integer, PyTree, Real
from theory._validation import (
    check_choice,
    check_integer,
    check_real,
    is_traced,
    takes_arrays,
    takes_numbers,
)

State = TypeVar("State")  # a pytree


class Loss(NamedTuple):
    """A loss ℓ(s) of s = −y f(x), with the logarithms that stay finite where ℓ underflows."""

    value: Callable[[Array], Array]
    derivative: Callable[[Array], Array]
    log_value: Callable[[Array], Array] | None = None
    log_derivative: Callable[[Array], Array] | None = None


def _log_softplus(s: Array) -> Array:
    """log log(1 + e^s); below −40, log(1 + e^s) = e^s(1 − e^s/2 + …) equals e^s to rounding."""
    safe = jnp.maximum(s, -40.0)
    return jnp.where(s < -40.0, s, jnp.log(jax.nn.softplus(safe)))


LOSSES: dict[str, Loss] = {
    "identity": Loss(lambda s: s, jnp.ones_like),
    "logistic": Loss(jax.nn.softplus, jax.nn.sigmoid, _log_softplus, jax.nn.log_sigmoid),
    "exponential": Loss(jnp.exp, jnp.exp, lambda s: s, lambda s: s),
    "squared": Loss(lambda s: (1 + s) ** 2 / 2, lambda s: 1 + s),  # ½(f − y)², as y = ±1
}


SCHEDULES = ("constant", "plateau")
FACTOR, PATIENCE, THRESHOLD, LEAST = 0.1, 10, 1e-4, 1e-8  # the frameworks' defaults


class PlateauState(NamedTuple):
    """What the schedule "plateau" remembers: least loss, steps without a better one, rate."""

    best: Array
    bad: Array
    rate: Array


@takes_numbers
def scaled_until_plateau(rate: Real) -> optax.GradientTransformationExtraArgs:
    """Updates times −η, η a tenth after more than ten steps without a lower loss.

    What the frameworks call ReduceLROnPlateau, with their defaults, stepped by the loss before each
    step: a loss is lower if L < best·(1 − 10⁻⁴); after 11 steps in a row without one, η ← η/10 for
    the steps that follow, unless that changes it by 10⁻⁸ or less, and counting begins anew.
    For a negative best that asks for less than best, so that a negative loss that keeps falling
    never reduces anything.

    Args:
      rate: η at the start.

    Returns:
      A transformation whose `update` takes the loss as `value`.
    """

    def init(params: PyTree) -> PlateauState:
        like = jax.tree.leaves(params)[0]
        return PlateauState(
            jnp.full((), jnp.inf, like.dtype), jnp.zeros((), int), jnp.asarray(rate, like.dtype)
        )

    def update(
        updates: PyTree,
        state: PlateauState,
        params: PyTree = None,
        *,
        value: Array,
        **_: object,
    ) -> tuple[PyTree, PlateauState]:
        del params
        lower = value < state.best * (1 - THRESHOLD)
        bad = jnp.where(lower, 0, state.bad + 1)
        over = bad > PATIENCE
        less = state.rate * FACTOR
        after = jnp.where(over & (state.rate - less > LEAST), less, state.rate)
        best = jnp.where(lower, value, state.best)
        scaled = jax.tree.map(lambda u: -state.rate * u, updates)
        return scaled, PlateauState(best, jnp.where(over, 0, bad), after)

    # Its type knows no argument that has to be given, as `value` has.
    return optax.GradientTransformationExtraArgs(init, update)  # pyright: ignore[reportArgumentType]


@dataclasses.dataclass(frozen=True)
class Descent:
    """Full-batch gradient descent on L = (1/n) Σ_k ℓ(−y_k f(x_k)).

    v ← μv + ∇L, weights ← weights − ηv (heavy ball, no dampening), or with Nesterov's momentum
    weights ← weights − η(∇L + μv).

    A pytree of η and μ, and of K where that is traced and no int: a compiled function that made the
    `Descent` of its arguments serves every value of them.

    Attributes:
      learning_rate: η > 0.
      steps: number of steps K ≥ 1.
      loss: "identity", "logistic", "exponential" or "squared".
      momentum: 0 ≤ μ < 1.
      nesterov: whether momentum is Nesterov's.
      log_loss: descend log L instead of L, the same path at steps ∝ 1/L, which goes to infinite
        time at a linear rate; "logistic" and "exponential" only.
      schedule: "constant", or "plateau": the learning rate is a tenth after eleven steps without a
        lower loss (`scaled_until_plateau`), so that T is known only after training.

    Raises:
      ValueError: for values outside these ranges.
    """

    learning_rate: Real
    steps: Integer
    loss: str = "identity"
    momentum: Real = 0.0
    nesterov: bool = False
    log_loss: bool = False
    schedule: str = "constant"

    def __post_init__(self) -> None:
        if not is_traced(self.steps):
            integer("steps", self.steps)
            check_integer("steps", self.steps)
        check_choice("loss", self.loss, LOSSES)
        if check_choice("schedule", self.schedule, SCHEDULES) == "plateau" and self.log_loss:
            raise ValueError("schedule must be constant with log_loss, got 'plateau'")
        check_real("learning_rate", self.learning_rate, low=0, open_low=True)
        check_real("momentum", self.momentum, low=0, high=1, open_high=True)
        boolean("nesterov", self.nesterov)
        boolean("log_loss", self.log_loss)
        if self.log_loss and LOSSES[self.loss].log_value is None:
            raise ValueError(
                f"loss must be logistic or exponential with log_loss, got {self.loss!r}"
            )

    @property
    def time(self) -> Real:
        """Training time T, the factor that K equal gradients ∇L are multiplied with in all.

        Raises:
          ValueError: with the schedule "plateau", whose T depends on the losses on the way;
            what trains returns it.
        """
        if self.schedule == "plateau":
            raise ValueError("schedule must be constant for T to be known beforehand, got plateau")
        return training_time(self.learning_rate, self.steps, self.momentum, self.nesterov)

    def transformation(self) -> optax.GradientTransformationExtraArgs:
        """The same rule as an optax transformation; `update` takes the loss as `value`."""
        if self.schedule == "constant":
            return optax.with_extra_args_support(
                optax.sgd(self.learning_rate, momentum=self.momentum, nesterov=self.nesterov)  # pyright: ignore[reportArgumentType]
            )
        return optax.chain(
            optax.trace(decay=self.momentum, nesterov=self.nesterov),
            scaled_until_plateau(self.learning_rate),
        )


register_dataclass(
    Descent, lambda descent: ("learning_rate", "momentum", *traced_fields(descent, "steps"))
)


@takes_numbers
def training_time(
    learning_rate: Real, steps: Real, momentum: Real = 0.0, nesterov: bool = False
) -> Real:
    """T = η Σ_{j=1}^{K} (1 − μ^j)/(1 − μ), or with Nesterov's momentum (1 − μ^{j+1}).

    Args:
      learning_rate: η.
      steps: K.
      momentum: 0 ≤ μ < 1.
      nesterov: whether momentum is Nesterov's.

    Returns:
      T, in units of learning rate × steps; ηK without momentum.
    """
    if nesterov:  # the same sum, without its first term
        return learning_rate * (_sum_of_sums(steps + 1, momentum) - 1)
    return learning_rate * _sum_of_sums(steps, momentum)


TERMS = 17  # of a series like Σ 2(−1)^r/(r + 2)!, after which nothing is left in float64


def _sum_of_sums(steps: Real, momentum: Real) -> Real:
    """Σ_{j=1}^{K} (1 − μ^j)/(1 − μ) = Σ_{r≥2} C(K + 1, r)(−δ)^{r−2}, δ = 1 − μ, to few roundings.

    That is ((K + 1)δ − 1 + μ^{K+1})/δ², which loses digits as Kδ → 0, where the series, a finite
    one, gains them. In Python's floats for Python's numbers, in their precision for arrays.
    """
    in_python = not any(isinstance(value, jax.Array) for value in (steps, momentum))
    select = (lambda chosen, a, b: a if chosen else b) if in_python else jnp.where
    k, rest = 1.0 * steps, 1 - momentum
    few = k * rest <= 1
    short = select(few, k, 1.0)
    series = 1.0
    for r in range(TERMS, 0, -1):
        series = 1 - series * ((short - r) * rest / (r + 2))
    closed = ((k + 1) * rest - 1 + momentum ** (k + 1)) / rest**2
    return select(few, short * (short + 1) / 2 * series, closed)


def repeated(step: Callable[[State], State], state: State, descent: Descent) -> State:
    """The state after `step` has been applied to it K times; K may be traced."""
    return jax.lax.fori_loop(0, descent.steps, lambda _, state: step(state), state)


@takes_numbers
def descent_for_time(time: Real, steps: int, momentum: Real = 0.0, **options: Any) -> Descent:
    """The `Descent` of `steps` steps whose learning rate makes the training time equal `time`."""
    unit = training_time(1.0, steps, momentum, options.get("nesterov", False))
    return Descent(learning_rate=time / unit, steps=steps, momentum=momentum, **options)


def current_rate(descent: Descent, memory: PyTree) -> Real:
    """η of the next step, from what `descent.transformation()` remembers."""
    return memory[1].rate if descent.schedule == "plateau" else descent.learning_rate


@takes_arrays
def loss_weights(descent: Descent, s: Float[AnyArray, " n"]) -> Float[Array, " n"]:
    """∂L/∂s_k·n for L (or log L): ℓ'(s_k), or ℓ'(s_k)/L computed in log space."""
    loss, s = LOSSES[descent.loss], jnp.asarray(s)
    if not descent.log_loss:
        return loss.derivative(s)
    assert loss.log_value is not None
    assert loss.log_derivative is not None
    log_mean = jax.nn.logsumexp(loss.log_value(s)) - jnp.log(float(len(s)))
    return jnp.exp(loss.log_derivative(s) - log_mean)


@takes_arrays
def mean_loss(descent: Descent, s: Float[Array, " n"]) -> Float[Array, ""]:
    """L = (1/n) Σ_k ℓ(s_k), which the schedule "plateau" follows."""
    return jnp.mean(LOSSES[descent.loss].value(s))
