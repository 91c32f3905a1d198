"""Margins: a condition as one number, positive where it holds, with its numerical error."""

import dataclasses
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.ad_checkpoint import checkpoint_name
from jax.typing import ArrayLike
from jaxtyping import Array, Bool

from theory._types import AnyArray
from theory._validation import is_traced

# Marks in a traced program, for `theory.certificates.ball`: what bounds roundings, of which real
# numbers have none, and what bounds an error, so that it is not negative.
ROUNDING, BOUND = "rounding of floats", "bound on an error"


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Margin:
    """By how much a condition holds: "value > 0", or "value ≥ 0" if it is not strict.

    The true margin lies in [value − error, value + error]. A strict condition holds for certain if
    that interval lies above 0 and fails if it does not reach above 0; so an exact 0 (error 0)
    fails it, and satisfies one that is not strict. ±∞ with a finite error is decided; NaN, in the
    value or in the error, and a negative error decide nothing.

    Attributes:
      value: the margin, any shape, in `unit`.
      error: bound on |value − true margin| from floating-point arithmetic, ≥ 0, same shape and
        unit.
      ratio: left side over right side where the condition is left > right (so the condition holds
        when ratio > 1), NaN where there is no such ratio. Same shape, pure number.
      unit: the unit of value and error.
      strict: whether the condition is "> 0" rather than "≥ 0".
      stated: whether the error is a bound that somebody stated; otherwise it is the default, which
        trusts single roundings, and `theory.verify` replaces it by an estimate.
    """

    value: Any
    error: Any
    ratio: Any
    unit: str = dataclasses.field(default="1", metadata={"static": True})
    strict: bool = dataclasses.field(default=True, metadata={"static": True})
    stated: bool = dataclasses.field(default=True, metadata={"static": True})

    @property
    def holds(self) -> Bool[AnyArray, "..."]:
        """Certainly true: value > error, or value ≥ error where the condition is not strict."""
        known = (self.error >= 0) & (self.error < np.inf)
        return known & (self.value > self.error if self.strict else self.value >= self.error)

    @property
    def fails(self) -> Bool[AnyArray, "..."]:
        """Certainly false: value ≤ −error, or value < −error where it is not strict."""
        known = (self.error >= 0) & (self.error < np.inf)
        return known & (self.value <= -self.error if self.strict else self.value < -self.error)

    @property
    def undecided(self) -> Bool[AnyArray, "..."]:
        """Neither, or NaN: the arithmetic cannot tell."""
        return ~(self.holds | self.fails)

    def all(self) -> "Margin":
        """The margin of "every entry holds": their minimum, as an interval.

        Entry i lies in [value_i − error_i, value_i + error_i], so the minimum lies in
        [min_i(value_i − error_i), min_i(value_i + error_i)]. The ratio is the smallest one. One
        NaN among values or errors makes it NaN, whatever the compiler's minimum does with NaN.

        Raises:
          ValueError: if there is no entry, or value, error and ratio differ in shape.
        """
        shapes = [jnp.shape(part) for part in (self.value, self.error, self.ratio)]
        if len(set(shapes)) > 1:
            raise ValueError(
                f"Margin must have value, error and ratio of one shape, got {shapes[0]}, "
                f"{shapes[1]} and {shapes[2]}"
            )
        if 0 in shapes[0]:
            raise ValueError(f"all() must have at least one entry, got shape {shapes[0]}")
        low = _smallest(self.value - self.error)
        high = _smallest(self.value + self.error)
        middle = jnp.where(low == high, low, (high + low) / 2)  # ∞ − ∞ is no number
        half = jnp.where(low == high, 0.0, (high - low) / 2)
        covers = (middle - half == low) & (middle + half == high)
        half = jax.lax.stop_gradient(half)  # `nextafter` has no derivative
        half = jnp.where(covers, half, jnp.nextafter(half, jnp.full_like(half, jnp.inf)))
        half = jnp.where(jnp.isnan(low) | jnp.isnan(high), jnp.nan, checkpoint_name(half, BOUND))
        return dataclasses.replace(self, value=middle, error=half, ratio=_smallest(self.ratio))


def _smallest(values: Array) -> Array:
    """The minimum, NaN if any entry is: XLA on CPU drops NaN from minima of many entries."""
    known = jnp.where(jnp.isnan(values), jnp.inf, values)
    return jnp.where(jnp.any(jnp.isnan(values)), jnp.nan, jnp.min(known))


class Measured(NamedTuple):
    """A quantity with a bound on its numerical error, of one shape; see `measured`."""

    value: AnyArray
    error: AnyArray


def measured(value: ArrayLike, error: ArrayLike) -> Measured:
    """A quantity whose numerical error is stated, for the quantity of a claim.

    Args:
      value: real array of any shape.
      error: bound on its numerical error, ≥ 0, broadcastable to value, in the same unit.

    Raises:
      ValueError: if the error is negative.
    """
    value = as_float(value)
    return Measured(value, _stated(error, value))


def as_float(value: ArrayLike) -> Array:
    """`value` as an array of its own floating dtype; integers become the default float."""
    value = jnp.asarray(value)
    return value if jnp.issubdtype(value.dtype, jnp.floating) else value.astype(float)


def margin(
    value: ArrayLike,
    error: ArrayLike | None = None,
    *,
    unit: str = "1",
    strict: bool = True,
    infinite: bool = False,
) -> Margin:
    """The margin of a condition "value > 0".

    Args:
      value: real array of any shape, in `unit`; integers are exact.
      error: bound on its numerical error, ≥ 0, broadcastable to value: for longer computations for
        example a `rounding_error`. None says nothing about it: `theory.verify` then estimates it
        (`theory.verification.rounding`), and outside of it a float is trusted to one rounding
        (eps·|value|).
      unit: the unit of both.
      strict: whether the condition is "value > 0"; if not, "value ≥ 0".
      infinite: whether ±∞ is meant, as for a bound that says nothing; otherwise it is taken for an
        overflow, which decides nothing.

    Returns:
      A `Margin` without a ratio.

    Raises:
      ValueError: for unsigned, bool or complex values, whose differences are not what they seem,
        or a negative error.
    """
    exact = not jnp.issubdtype(_checked("value", value).dtype, jnp.floating)
    value = as_float(value)
    bound = 0.0 if exact else _of_rounding(jnp.finfo(value.dtype).eps * jnp.abs(value))
    bound = _stated(bound if error is None else error, value)
    bound = _of_infinite(value, bound, infinite)
    return Margin(value, bound, jnp.full_like(value, jnp.nan), unit, strict, error is not None)


def exceeds(
    left: ArrayLike,
    right: ArrayLike,
    error: ArrayLike | None = None,
    *,
    unit: str = "1",
    strict: bool = True,
    infinite: bool = False,
) -> Margin:
    """The margin of a condition "left > right", which also records the ratio left/right.

    Args:
      left, right: real arrays that broadcast together, in `unit`; integers are exact.
      error: bound on the numerical error of left − right, ≥ 0. None says nothing about it:
        `theory.verify` then estimates it, and outside of it two floats are trusted to a few
        roundings (4·eps·(|left| + |right|)).
      unit: the unit of all three.
      strict: whether the condition is "left > right"; if not, "left ≥ right".
      infinite: whether ±∞ is meant on a side, as for a bound that says nothing; otherwise it is
        taken for an overflow, which decides nothing.

    Returns:
      A `Margin` with value left − right and ratio left/right (NaN where right ≤ 0).

    Raises:
      ValueError: as `margin` does.
    """
    sides = [_checked("left", left), _checked("right", right)]
    exact = not any(jnp.issubdtype(side.dtype, jnp.floating) for side in sides)
    difference = _difference(*sides)
    left, right = (jnp.broadcast_to(as_float(side), difference.shape) for side in sides)
    bound = 0.0
    if not exact:
        bound = _of_rounding(4 * jnp.finfo(left.dtype).eps * (jnp.abs(left) + jnp.abs(right)))
    bound = _stated(bound if error is None else error, difference)
    sides = jnp.where(jnp.isfinite(left) & jnp.isfinite(right), difference, jnp.inf)
    bound = _of_infinite(difference if infinite else sides, bound, infinite)
    positive = right > 0
    ratio = jnp.where(positive, left / jnp.where(positive, right, 1), jnp.nan)
    return Margin(difference, bound, ratio, unit, strict, error is not None)


def _of_rounding(bound: Array) -> Array:
    """The bound, marked as one on the rounding of floats."""
    return checkpoint_name(bound, ROUNDING)


def _of_infinite(value: Array, bound: Array, meant: bool) -> Array:
    """The error where the value is not finite: none if ±∞ is meant, else nothing is known."""
    if meant:
        return jnp.where(jnp.isinf(value), 0.0, bound)
    return jnp.where(jnp.isfinite(value), bound, jnp.inf)


def at_least(
    left: ArrayLike,
    right: ArrayLike,
    error: ArrayLike | None = None,
    *,
    unit: str = "1",
    infinite: bool = False,
) -> Margin:
    """The margin of a condition "left ≥ right"; as `exceeds`, but equality satisfies it."""
    return exceeds(left, right, error, unit=unit, strict=False, infinite=infinite)


def _difference(left: Array, right: Array) -> Array:
    """left − right as a float; of integers exactly, as long as it does not overflow."""
    try:
        jnp.broadcast_shapes(left.shape, right.shape)
    except ValueError:
        raise ValueError(
            f"right must broadcast with left of shape {left.shape}, got {right.shape}"
        ) from None
    left, right = jnp.broadcast_arrays(left, right)
    rounded = as_float(left) - as_float(right)
    if any(jnp.issubdtype(side.dtype, jnp.floating) for side in (left, right)):
        return rounded
    widest = jnp.promote_types(jnp.promote_types(left.dtype, right.dtype), jnp.int_)
    limit = float(jnp.iinfo(widest).max) / 2
    exact = (left.astype(widest) - right.astype(widest)).astype(rounded.dtype)
    return jnp.where(jnp.abs(rounded) < limit, exact, rounded)


def _checked(name: str, value: ArrayLike) -> Array:
    """`value` as an array; ValueError for types whose differences wrap around or have no sign."""
    try:
        value = jnp.asarray(value)
    except (TypeError, ValueError):
        raise ValueError(f"{name} must be an array of real numbers, got {value!r}") from None
    signed = jnp.issubdtype(value.dtype, jnp.signedinteger)
    if not (signed or jnp.issubdtype(value.dtype, jnp.floating)):
        raise ValueError(
            f"{name} must be of a floating or signed integer type, got {value.dtype}; convert with "
            ".astype(float) before any arithmetic"
        )
    return value


def _stated(error: ArrayLike, value: Array) -> Array:
    """The error as an array of the value's shape and type; ValueError where it is negative."""
    if not is_traced(error) and np.any(np.asarray(error) < 0):
        raise ValueError(f"error must be ≥ 0, got {np.min(error):g}")
    given = jnp.asarray(error, value.dtype)
    try:
        bound = jnp.broadcast_to(given, value.shape)
    except ValueError:
        raise ValueError(
            f"error must broadcast to the value's shape {value.shape}, got {given.shape}"
        ) from None
    bound = checkpoint_name(bound, BOUND)
    return jnp.where(bound < 0, jnp.nan, bound)  # inside jit: a negative error bounds nothing


def rounding_error(operations: int, magnitude: ArrayLike) -> Array:
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
    return _of_rounding((chain / (1 - chain) if chain < 1 else jnp.inf) * magnitude)
