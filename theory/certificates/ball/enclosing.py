"""Values of functions, and verdicts about conditions, that are certain."""

import contextlib
import dataclasses
from collections.abc import Callable, Iterator
from typing import Literal, NamedTuple

import flint
import jax
import numpy as np
from jax.extend.core import ClosedJaxpr

from theory._types import PyTree
from theory.certificates.ball.interpreter import evaluate, exact
from theory.certificates.ball.numbers import (
    Number,
    Undecided,
    Value,
    ball,
    infinite_sign,
    less,
)
from theory.margins import Margin

MOST_BITS = 848
_GUARD = 24  # bits beyond those asked for, so that mostly one evaluation is enough
Verdict = Literal["holds", "fails", "undecided"]


@dataclasses.dataclass(frozen=True)
class Ball:
    """Real numbers, each within its radius of its midpoint.

    Attributes:
      balls: object array, any shape, of `flint.arb`; a float NaN where the result is no number for
        certain, and an `arb` that is NaN where nothing is known of it.
    """

    balls: np.ndarray

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the array."""
        return self.balls.shape

    @property
    def middle(self) -> np.ndarray:
        """The midpoints, rounded to float64; NaN where nothing is known."""
        return self._floats(lambda x: float(x.mid()))

    @property
    def low(self) -> np.ndarray:
        """float64 numbers that are not above the lower ends; −∞ where nothing is known."""
        return self._floats(lambda x: _downwards(x.lower()), -np.inf)

    @property
    def high(self) -> np.ndarray:
        """float64 numbers that are not below the upper ends; ∞ where nothing is known."""
        return self._floats(lambda x: -_downwards(-x.upper()), np.inf)

    @property
    def radius(self) -> np.ndarray:
        """The radii, rounded upwards; ∞ where nothing is known."""
        return self._floats(lambda x: -_downwards(-x.rad()), np.inf)

    def _floats(self, of: Callable[[Number], float], unknown: float = np.nan) -> np.ndarray:
        def one(x: Number) -> float:
            if isinstance(x, float):
                return np.nan
            if x.is_finite():
                return of(x)
            return infinite_sign(x) * np.inf if infinite_sign(x) else unknown

        found = np.frompyfunc(one, 1, 1)(self.balls)
        return np.asarray(np.asarray(found, float) + 0.0)  # no −0

    def contains(self, values: PyTree) -> np.ndarray:
        """Whether each ball holds a number: exact floats; NaN is in what is NaN or unknown."""

        def one(x: Number, value: Number) -> bool:
            if isinstance(x, float) or isinstance(value, float):
                return isinstance(value, float) and (isinstance(x, float) or x.is_nan())
            return bool(x.contains(value)) or x.is_nan()

        numbers = np.frompyfunc(ball, 1, 1)(np.asarray(values, float).astype(object))
        return np.asarray(np.frompyfunc(one, 2, 1)(self.balls, numbers), bool)

    @property
    def positive(self) -> np.ndarray:
        """Whether each number is above 0 for certain."""
        return self._is(lambda x: less(flint.arb(0), x))

    @property
    def negative(self) -> np.ndarray:
        """Whether each number is below 0 for certain."""
        return self._is(lambda x: less(x, flint.arb(0)))

    def _is(self, of: Callable[[Number], bool | None]) -> np.ndarray:
        return np.asarray(np.frompyfunc(lambda x: of(x) is True, 1, 1)(self.balls), bool)

    def text(self, digits: int = 30) -> str:
        """A single number with as many digits as are certain.

        Raises:
          ValueError: for an array of more than one.
        """
        if self.balls.size != 1:
            raise ValueError(f"text() must be of a single number, got shape {self.shape}")
        (x,) = self.balls.reshape(-1)
        if isinstance(x, float):
            return "NaN"
        if infinite_sign(x):
            return "∞" if infinite_sign(x) > 0 else "−∞"
        with _bits(max(64, int(digits * 3.4) + 16)):
            return "unknown" if x.is_nan() else x.str(digits)


def _downwards(x: Number) -> float:
    """A float64 that is not above the exact ball x."""
    number = float(x)
    while (np.isinf(number) and number > 0) or flint.arb(number) > x:
        number = float(np.nextafter(number, -np.inf))
    return number


@contextlib.contextmanager
def _bits(bits: int) -> Iterator[None]:
    """flint's working precision, and the one of before afterwards."""
    before = flint.ctx.prec
    flint.ctx.prec = bits
    try:
        yield
    finally:
        flint.ctx.prec = before


def _traced(
    function: Callable[..., PyTree], arguments: PyTree
) -> tuple[PyTree, PyTree, list[PyTree]]:
    """(jaxpr, structure of the result, flat exact arguments)."""
    with jax.enable_x64(True):
        closed, shape = jax.make_jaxpr(function, return_shape=True)(*arguments)
        return closed, jax.tree.structure(shape), [exact(a) for a in jax.tree.leaves(arguments)]


def enclose(
    function: Callable[..., PyTree], *arguments: PyTree, digits: int = 30, most_bits: int = 8192
) -> PyTree:
    """Encloses the values of a JAX function of real numbers.

    The function is traced, and every primitive evaluated in ball arithmetic: what comes back holds
    the value of the *real-number* function that the program writes down, at the arguments as the
    exact rational numbers that floats are. It says nothing of float64's roundings: conversions
    between floats change nothing, `nextafter` is the number itself, and constants are the floats
    that they are (0.1 is not 1/10). There are no signed zeros, so that x/0 is unknown. Random bits
    are exact; a number drawn from them is that of the real functions.

    Where a comparison is undecided, a choice by it is the hull of both cases; a while loop, an
    order or an index by it is tried again with more bits, and is an error in the end.

    Args:
      function: any function that JAX can trace, of arrays to a pytree of arrays.
      *arguments: its arguments, pytrees; floats, integers, booleans and random keys, all exact.
      digits: decimal digits that every number shall have, relative to its size; bits are doubled
        until they do. A number that may be 0 shall be known to 2·digits places.
      most_bits: where doubling ends; the balls are then as wide as they are.

    Returns:
      The pytree, with a `Ball` for every array of floats, and NumPy arrays for integers and
      booleans (object arrays with None where one is undecided).

    Raises:
      MissingPrimitive: for a primitive that no rule is written for; it says where that stands.
      Undecided: where also most_bits bits leave open what the program does.
    """
    closed, structure, flat = _traced(function, arguments)
    bits = int(digits * 3.33) + _GUARD
    while True:
        last = 2 * bits > most_bits
        try:
            found = _evaluated(closed, flat, bits, rounding=True)
            if last or all(_accurate(value, digits) for value in found):
                return jax.tree.unflatten(structure, [_as_ball(value) for value in found])
        except Undecided:
            if last:
                raise
        bits *= 2


def _evaluated(closed: ClosedJaxpr, flat: list[Value], bits: int, *, rounding: bool) -> list[Value]:
    with _bits(bits), jax.enable_x64(True), np.errstate(all="ignore"):
        return evaluate(closed, flat, rounding=rounding)


def _as_ball(value: Value) -> PyTree:
    real = isinstance(value, np.ndarray) and value.dtype == object
    numbers = real and all(isinstance(x, flint.arb | float) for x in value.flat)
    return Ball(value) if numbers else value


def _accurate(value: Value, digits: int) -> bool:
    """Whether all balls of an array have that many digits."""
    if not (isinstance(value, np.ndarray) and value.dtype == object):
        return True
    return all(_has_digits(x, digits) for x in value.flat)


def _has_digits(x: Number, digits: int) -> bool:
    if x is None:
        return False
    if not isinstance(x, flint.arb) or infinite_sign(x):
        return True
    if not x.is_finite():
        return False
    width = 2 * x.rad() * flint.arb(10) ** digits
    return bool(width <= x.abs_lower() or width * flint.arb(10) ** digits <= 2)


class Enclosed(NamedTuple):
    """What is certain of a condition on one instance.

    Attributes:
      verdict: "holds" or "fails", which is then proved, or "undecided".
      value: the margin, as a `Ball`; with `slack` it holds the true one.
      slack: what of the margin's error is no rounding, as a `Ball`: errors that the instance
        carries, and ∞ where the condition says that it knows nothing.
      bits: of the arithmetic that decided, or of the last that was tried.
      reason: why it is undecided, otherwise empty.
      beyond_rounding: whether it is decided, too, with the bounds on roundings that the condition
        states: what to ask where entries of the instance are results of float64, and those bounds
        are about how they came to be.
    """

    verdict: Verdict
    value: Ball
    slack: Ball
    bits: int
    reason: str = ""
    beyond_rounding: bool = False

    @property
    def proved(self) -> bool:
        """Whether it is decided."""
        return self.verdict != "undecided"


def decide(
    condition: Callable[[PyTree, PyTree], Margin],
    instance: PyTree,
    config: object = None,
    *,
    bits: int = 53,
    most_bits: int = MOST_BITS,
) -> Enclosed:
    """Decides a condition on one instance for certain, if bits enough can.

    The margin is enclosed as by `enclose`, with bounds on rounding errors equal to 0
    (`margins.rounding_error`, and what `exceeds` and `margin` assume where no error is stated): of
    real numbers there are none. What else stands in the margin's error remains, and widens it:
    errors that the instance carries as numbers of its own, and ∞ for "not known".

    The instance is taken as the exact numbers that it holds. Where these are what a statement is
    about (points, weights), this is a proof. Where they are results of float64 (the output of a
    network that was trained), it is one about these numbers, and no more.

    Args:
      condition: (instance, config) → `Margin`, the `check` of a hypothesis, or a conclusion.
      instance: what it is given, with the stages that it sees.
      config: the configuration.
      bits: to begin with; doubled until the condition is decided.
      most_bits: where doubling ends.

    Returns:
      The `Enclosed`. A condition with an array as margin holds if every entry does, and fails if
      one does.

    Raises:
      MissingPrimitive: for a primitive that no rule is written for; it says where that stands.
      ValueError: if the condition returns no `Margin`, or the bits are none.
    """
    if not 2 <= bits <= most_bits:
        raise ValueError(f"bits must be between 2 and most_bits = {most_bits}, got {bits}")
    strict = True

    def parts(given: PyTree) -> tuple[PyTree, PyTree]:
        nonlocal strict
        found = condition(given, config)
        if not isinstance(found, Margin):
            raise ValueError(f"condition must return a Margin, got {type(found).__name__}")
        strict = found.strict
        return found.value, found.error

    closed, _, flat = _traced(parts, (instance,))
    reason, unknown = "", Ball(np.array([flint.arb.nan()], object))
    value = slack = unknown
    while True:
        try:
            value, slack = map(Ball, _evaluated(closed, flat, bits, rounding=False))
            with _bits(bits):
                verdict = _verdict(value.balls, slack.balls, strict)
            reason = f"0 is within {value.radius.max():.2g} of the margin, or its error unknown"
            if verdict != "undecided":
                whole = _with_rounding(closed, flat, bits, strict)
                return Enclosed(verdict, value, slack, bits, "", whole == verdict)
        except Undecided as error:
            reason = str(error)
        if 2 * bits > most_bits:
            return Enclosed("undecided", value, slack, bits, f"{reason}, at {bits} bits")
        bits *= 2


def _with_rounding(closed: ClosedJaxpr, flat: list[Value], bits: int, strict: bool) -> Verdict:
    """The verdict with the whole error of the margin."""
    try:
        value, error = _evaluated(closed, flat, bits, rounding=True)
    except Undecided:
        return "undecided"
    with _bits(bits):
        return _verdict(value, error, strict)


def _verdict(values: np.ndarray, slacks: np.ndarray, strict: bool) -> Verdict:
    found = [_sign(v, s, strict) for v, s in zip(values.flat, slacks.flat, strict=True)]
    if any(one is False for one in found):
        return "fails"
    return "holds" if found and all(one is True for one in found) else "undecided"


def _sign(value: Value, slack: Value, strict: bool) -> bool | None:
    """Whether value ± slack is > 0 (≥ 0 if not strict); None if that is open."""
    if isinstance(value, float) or isinstance(slack, float) or not slack.is_finite():
        return None
    if not (value.is_finite() or infinite_sign(value)) or slack.upper() < 0:
        return None
    size = slack.upper()
    low, high, zero = value - size, value + size, flint.arb(0)
    if strict:
        return True if low > zero else False if high <= zero else None
    return True if low >= zero else False if high < zero else None
