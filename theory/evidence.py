"""Evidence: margins with their numerical error, and what one draw says about a statement."""

import dataclasses
import enum
from collections.abc import Iterable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Int

AnyArray = Array | np.ndarray  # inside jit, and outside it


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Margin:
    """By how much a condition holds: positive exactly when it does.

    Attributes:
      value: the margin, any shape, in `unit`.
      error: bound on |value − true margin| from floating-point arithmetic, same shape and unit.
      ratio: left side over right side where the condition is left > right (so the condition holds
        when ratio > 1), NaN where there is no such ratio. Same shape, pure number.
      unit: the unit of value and error.
    """

    value: Any
    error: Any
    ratio: Any
    unit: str = dataclasses.field(default="1", metadata={"static": True})

    @property
    def holds(self) -> Bool[AnyArray, "..."]:
        """value > error: certainly true."""
        return self.value > self.error

    @property
    def fails(self) -> Bool[AnyArray, "..."]:
        """value < −error: certainly false."""
        return self.value < -self.error

    @property
    def undecided(self) -> Bool[AnyArray, "..."]:
        """|value| ≤ error, or NaN: the arithmetic cannot tell."""
        return ~(self.holds | self.fails)

    def all(self) -> "Margin":
        """The margin of "every entry holds": their minimum, as an interval.

        Entry i lies in [value_i − error_i, value_i + error_i], so the minimum lies in
        [min_i(value_i − error_i), min_i(value_i + error_i)]. The ratio is the smallest one.
        """
        low = jnp.min(self.value - self.error)
        high = jnp.min(self.value + self.error)
        return Margin((high + low) / 2, (high - low) / 2, jnp.min(self.ratio), self.unit)


def as_float(value: Any) -> Array:
    """`value` as an array of its own floating dtype; integers become the default float."""
    value = jnp.asarray(value)
    return value if jnp.issubdtype(value.dtype, jnp.floating) else value.astype(float)


def margin(value: Any, error: Any = None, *, unit: str = "1") -> Margin:
    """The margin of a condition "value > 0".

    Args:
      value: real array of any shape, in `unit`.
      error: bound on its numerical error, broadcastable to value. The default trusts a float to
        one rounding (eps·|value|) and an integer completely: state it for longer computations,
        for example with `rounding_error`.
      unit: the unit of both.

    Returns:
      A `Margin` without a ratio.
    """
    exact = not jnp.issubdtype(jnp.asarray(value).dtype, jnp.floating)
    value = as_float(value)
    if error is None:
        error = 0.0 if exact else jnp.finfo(value.dtype).eps * jnp.abs(value)
    error = jnp.broadcast_to(jnp.asarray(error, value.dtype), value.shape)
    return Margin(value, error, jnp.full_like(value, jnp.nan), unit)


def exceeds(left: Any, right: Any, error: Any = None, *, unit: str = "1") -> Margin:
    """The margin of a condition "left > right", which also records the ratio left/right.

    Args:
      left, right: real arrays that broadcast together, in `unit`.
      error: bound on the numerical error of left − right; default 4·eps·(|left| + |right|).
      unit: the unit of all three.

    Returns:
      A `Margin` with value left − right and ratio left/right (NaN where right ≤ 0).
    """
    left, right = jnp.broadcast_arrays(as_float(left), as_float(right))
    if error is None:
        error = 4 * jnp.finfo(left.dtype).eps * (jnp.abs(left) + jnp.abs(right))
    positive = right > 0
    ratio = jnp.where(positive, left / jnp.where(positive, right, 1), jnp.nan)
    error = jnp.broadcast_to(jnp.asarray(error, left.dtype), left.shape)
    return Margin(left - right, error, ratio, unit)


def rounding_error(operations: int, magnitude: Any) -> Any:
    """Bound on the rounding error of a sum of products: γ_k·magnitude, γ_k = k·u/(1 − k·u).

    Args:
      operations: k, the longest chain of roundings any term passes through.
      magnitude: the same sum with every term replaced by its absolute value, any shape.

    Returns:
      The bound, of magnitude's shape and dtype; u = eps is twice the unit roundoff, to be safe.

    Source:
      N. Higham, Accuracy and Stability of Numerical Algorithms (2002), Lemma 3.1, eq. 3.5.
    """
    magnitude = as_float(magnitude)
    chain = operations * float(jnp.finfo(magnitude.dtype).eps)
    return (chain / (1 - chain) if chain < 1 else jnp.inf) * magnitude


class Outcome(enum.IntEnum):
    """What one draw says about "hypotheses ⇒ conclusion"."""

    CONFIRMED = 0  # all hypotheses hold, the conclusion holds
    MISS = 1  # all hypotheses hold, the conclusion fails
    BEYOND = 2  # some hypothesis fails, the conclusion holds all the same
    VACUOUS = 3  # some hypothesis fails, the conclusion fails
    UNDECIDED = 4  # inside numerical error


class Premise(NamedTuple):
    """Whether all hypotheses hold, elementwise: certainly, certainly not, or neither."""

    holds: Bool[AnyArray, "..."]
    fails: Bool[AnyArray, "..."]


def premise(hypotheses: Iterable[Margin]) -> Premise:
    """Combines hypotheses: all must hold; one that certainly fails decides. None: always holds."""
    holds, fails = jnp.asarray(True), jnp.asarray(False)
    for hypothesis in hypotheses:
        holds, fails = holds & hypothesis.holds, fails | hypothesis.fails
    return Premise(holds, fails)


def outcome(hypotheses: Iterable[Margin], conclusion: Margin) -> Int[AnyArray, "..."]:
    """The `Outcome` of one draw (elementwise over arrays of draws), as an integer array."""
    holds, fails = premise(hypotheses)
    return jnp.select(
        [
            holds & conclusion.holds,
            holds & conclusion.fails,
            fails & conclusion.holds,
            fails & conclusion.fails,
        ],
        [Outcome.CONFIRMED, Outcome.MISS, Outcome.BEYOND, Outcome.VACUOUS],
        Outcome.UNDECIDED,
    )
