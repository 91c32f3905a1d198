"""Numbers with error bounds, and what can be decided about them.

Real arrays are object arrays of balls (`flint.arb`, midpoint ± radius), and of `NAN` where a result
is no number for certain. An indeterminate ball (`UNKNOWN`) may be anything, NaN included. Truth has
three values: True, False, and None where a ball lies on both sides.
"""

from collections.abc import Callable
from typing import Any, TypeAlias

import flint
import numpy as np

# A ball (`flint.arb`, which has no types), or `NAN`.
Number: TypeAlias = Any
# What a variable of a program holds: an array of balls, integers or truth values, or random keys.
Value: TypeAlias = Any
# A `jax.extend.core.JaxprEqn`: shapes and types of its variables have no types there.
Equation: TypeAlias = Any

NAN = float("nan")
UNKNOWN = flint.arb.nan()
INFINITY = flint.arb("inf")


class Undecided(ValueError):
    """What a ball is too wide to tell, where both answers cannot be followed."""


def ball(value: Number) -> Number:
    """A number of Python as the ball of radius 0 that it is; NaN stays `NAN`."""
    if isinstance(value, int):
        return flint.arb(int(value))
    value = float(value)
    if np.isfinite(value):
        return flint.arb(value)
    return NAN if np.isnan(value) else INFINITY if value > 0 else -INFINITY


def balls(values: Number) -> np.ndarray:
    """An array of numbers as an object array of balls, each number the exact one that it is."""
    return objects(ball, np.asarray(values).astype(object))


def objects(function: Callable[..., Number], *values: np.ndarray) -> np.ndarray:
    """function(value, …) of every entry, as an object array of any dimension."""
    return as_objects(np.frompyfunc(function, len(values), 1)(*values))


def as_objects(value: Number) -> np.ndarray:
    """What NumPy gives for an object array, which for one without axes is the entry itself."""
    if isinstance(value, np.ndarray):
        return value
    found = np.empty((), object)
    found[()] = value
    return found


# --- what is certain of one number ----------------------------------------------------------------


def is_nan(x: Number) -> bool | None:
    """Whether x is NaN; None for a ball that may be."""
    if isinstance(x, float):
        return True
    return False if x.is_finite() or infinite_sign(x) else None


def infinite_sign(x: Number) -> int:
    """±1 if the ball x is ±∞ for certain, otherwise 0."""
    if isinstance(x, float) or x.is_finite():
        return 0
    return 1 if x > 0 else -1 if x < 0 else 0


def is_finite(x: Number) -> bool | None:
    """Whether x is a finite number; None for a ball that may be, or may not."""
    if isinstance(x, float):
        return False
    return True if x.is_finite() else False if infinite_sign(x) else None


def less(x: Number, y: Number) -> bool | None:
    """x < y."""
    if isinstance(x, float) or isinstance(y, float):
        return False
    if is_nan(x) is None or is_nan(y) is None:
        return None
    return True if x < y else False if x >= y else None


def less_equal(x: Number, y: Number) -> bool | None:
    """x ≤ y."""
    if isinstance(x, float) or isinstance(y, float):
        return False
    return negated(less(y, x))


def equal(x: Number, y: Number) -> bool | None:
    """x = y; certain only of balls of radius 0, or that do not meet."""
    if isinstance(x, float) or isinstance(y, float):
        return False
    if is_nan(x) is None or is_nan(y) is None:
        return None
    return True if x == y else False if x != y else None


# --- logic with three values ----------------------------------------------------------------------


def negated(a: bool | None) -> bool | None:
    """not a."""
    return None if a is None else not a


def both(a: bool | None, b: bool | None) -> bool | None:
    """a and b."""
    if a is False or b is False:
        return False
    return None if a is None or b is None else True


def either(a: bool | None, b: bool | None) -> bool | None:
    """a or b."""
    return negated(both(negated(a), negated(b)))


def differ(a: bool | None, b: bool | None) -> bool | None:
    """a xor b."""
    return None if a is None or b is None else a != b


def truths(values: np.ndarray) -> np.ndarray:
    """Truth values as a boolean array where all are decided, otherwise as objects."""
    if values.dtype == bool:
        return values
    if any(value is None for value in values.flat):
        return values
    return values.astype(bool)


def as_truths(values: np.ndarray) -> np.ndarray:
    """Booleans as an object array of True, False and None."""
    return values if values.dtype == object else objects(bool, values)


def decided(values: np.ndarray, what: str) -> np.ndarray:
    """Booleans or integers, all of them decided.

    Raises:
      Undecided: if one is not.
    """
    if values.dtype != object:
        return values
    if any(value is None for value in values.flat):
        raise Undecided(f"{what} is undecided")
    return values.astype(bool if all(isinstance(v, bool) for v in values.flat) else np.int64)


# --- hulls ----------------------------------------------------------------------------------------


def hull(x: Number, y: Number) -> Number:
    """The smallest ball that holds both; `UNKNOWN` where they are not both finite, or the same."""
    if isinstance(x, float) and isinstance(y, float):
        return NAN
    if isinstance(x, float) or isinstance(y, float):
        return UNKNOWN
    if x.is_finite() and y.is_finite():
        return x if x is y else x.union(y)
    return x if infinite_sign(x) and infinite_sign(x) == infinite_sign(y) else UNKNOWN


def between(low: Number, high: Number) -> Number:
    """The ball [low, high] of two finite balls, from the lower end of one to the upper of the
    other."""
    return low.lower().union(high.upper())


def up_to(high: Number) -> Number:
    """A ball of numbers ≥ 0 that holds 0 and those of the ball `high`.

    A radius has few digits and is rounded upwards. With that very radius as midpoint the lower end
    is 0 and not below it.
    """
    around = flint.arb(0, high.upper())
    return around + around.rad()


def same_or_none(x: Number, y: Number) -> Number:
    """The hull of two truth values or integers: either of them if they agree."""
    return x if x is not None and y is not None and x == y else None
