"""Primitives that compute with arrays: arithmetic, comparisons, choices, reductions, orders."""

import functools
from collections.abc import Callable, Mapping

import jax.numpy as jnp
import numpy as np

from theory.certificates.ball import functions
from theory.certificates.ball.numbers import (
    NAN,
    Equation,
    Number,
    Undecided,
    Value,
    as_objects,
    as_truths,
    balls,
    both,
    decided,
    differ,
    either,
    equal,
    hull,
    is_finite,
    is_nan,
    negated,
    objects,
    same_or_none,
    truths,
    up_to,
)
from theory.certificates.ball.structure import Rule, scattered_places


def kind(aval: Value) -> str:
    """What an array holds: "real", "integer", "truth", or "key" for random keys."""
    for name, dtype in (("real", jnp.floating), ("integer", jnp.integer), ("truth", jnp.bool_)):
        if jnp.issubdtype(aval.dtype, dtype):
            return name
    return "complex" if jnp.issubdtype(aval.dtype, jnp.complexfloating) else "key"


def operand_kind(eqn: Equation) -> str:
    """The kind of the first operand."""
    return kind(eqn.invars[0].aval)


def result_dtype(eqn: Equation) -> Value:
    """The type of the first result."""
    return eqn.outvars[0].aval.dtype


# --- entry by entry -------------------------------------------------------------------------------

_FAST: Mapping[str, Number] = {
    "add": np.add,
    "add_any": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
}
_INTEGERS: Mapping[str, Number] = {
    **_FAST,
    "max": np.maximum,
    "min": np.minimum,
    "neg": np.negative,
    "abs": np.abs,
    "sign": np.sign,
    "clamp": lambda low, x, high: np.minimum(np.maximum(x, low), high),
}
_OF_INTEGERS: Mapping[str, Number] = {
    "eq": np.equal,
    "ne": np.not_equal,
    "lt": np.less,
    "le": np.less_equal,
    "gt": np.greater,
    "ge": np.greater_equal,
}
_LOGIC: Mapping[str, Callable[..., Number]] = {
    "and": both,
    "or": either,
    "xor": differ,
    "not": negated,
    "eq": lambda a, b: negated(differ(a, b)),
    "ne": differ,
}


def _is_number(x: Number) -> bool | None:
    return negated(is_nan(x))


# Of a number and itself, which for two balls could be different numbers. NaN is compared so.
_WITH_ITSELF: Mapping[str, Callable[[Number], Number]] = {
    "sub": lambda x: functions.arb(0) if is_finite(x) else x - x,
    "mul": lambda x: functions.integer_power(x, 2),
    "eq": _is_number,
    "le": _is_number,
    "ge": _is_number,
    "ne": is_nan,
    "lt": lambda x: False,
    "gt": lambda x: False,
}


def elementwise(name: str, function: Callable[..., Number]) -> Rule:
    """The rule of a function of numbers: of balls the function, of integers NumPy's."""

    def rule(args: list[Value], eqn: Equation) -> Value:
        if operand_kind(eqn) == "real":
            if len(args) == 2 and args[0] is args[1] and name in _WITH_ITSELF:
                return objects(_WITH_ITSELF[name], args[0])
            if name in _FAST:
                return as_objects(_FAST[name](*args))
            return objects(function, *args)
        if name not in _INTEGERS:
            return NotImplemented
        args = [decided(a, "an integer") for a in args]
        with np.errstate(over="ignore"):
            return np.asarray(_INTEGERS[name](*args)).astype(result_dtype(eqn), copy=False)

    return rule


def comparison(name: str, function: Callable[..., Number]) -> Rule:
    """The rule of a comparison, whose answer may be undecided."""

    def rule(args: list[Value], eqn: Equation) -> Value:
        found = operand_kind(eqn)
        if found == "real":
            if args[0] is args[1]:
                return truths(objects(_WITH_ITSELF[name], args[0]))
            return truths(objects(function, *args))
        if found == "integer":
            return np.asarray(_OF_INTEGERS[name](*(decided(a, "an integer") for a in args)))
        if found == "truth" and name in _LOGIC:
            return truths(objects(_LOGIC[name], *map(as_truths, args)))
        return NotImplemented

    return rule


def logic(name: str) -> Rule:
    """The rule of a connective; of integers, bit by bit, it is JAX's own."""

    def rule(args: list[Value], eqn: Equation) -> Value:
        if operand_kind(eqn) != "truth":
            return NotImplemented
        return truths(objects(_LOGIC[name], *map(as_truths, args)))

    return rule


def integer_power(args: list[Value], eqn: Equation) -> Value:
    """x^y of a whole number y that is no array."""
    if operand_kind(eqn) != "real":
        return NotImplemented
    return objects(lambda x: functions.integer_power(x, eqn.params["y"]), args[0])


def power(args: list[Value], eqn: Equation) -> Value:
    """x^y; of an integer y exactly that."""
    if operand_kind(eqn) != "real":
        return NotImplemented
    x, y = args
    if kind(eqn.invars[1].aval) == "integer":
        y = decided(y, "an exponent").astype(object)
        return objects(lambda base, e: functions.integer_power(base, int(e)), x, y)
    return objects(functions.power, x, y)


def rounded(args: list[Value], eqn: Equation) -> Value:
    """The nearest whole number, halves as the primitive says."""
    away = int(eqn.params["rounding_method"]) == 0
    function = functions.round_away if away else functions.round_even
    ends = (-functions.INFINITY, functions.INFINITY)
    return objects(functions.total(function, ends), args[0])


def finite(args: list[Value], eqn: Equation) -> Value:
    """Whether every entry is a finite number."""
    return truths(objects(is_finite, args[0]))


# --- kinds and choices ----------------------------------------------------------------------------


def converted(args: list[Value], eqn: Equation) -> Value:
    """x in another type: as real numbers the same, as integers without what is behind the point."""
    x, source, target = args[0], operand_kind(eqn), kind(eqn.outvars[0].aval)
    dtype = result_dtype(eqn)
    if source == target == "real":
        return x
    if target == "real":
        if source == "truth" and x.dtype == object:
            return objects(
                lambda a: up_to(functions.arb(1)) if a is None else functions.arb(int(a)), x
            )
        return balls(decided(x, "an integer"))
    if target == "truth":
        if source == "real":
            return truths(objects(lambda a: negated(equal(a, functions.arb(0))), x))
        return x if source == "truth" else decided(x, "an integer") != 0
    if source == "real":
        return objects(_whole, x).astype(dtype)
    if source == "truth" and x.dtype == object:
        return objects(lambda a: None if a is None else int(a), x)
    return decided(x, "an integer").astype(dtype)


def _whole(x: Number) -> int:
    if isinstance(x, float) or not x.is_finite():
        raise Undecided("an integer made of a number that may not be finite")
    whole = functions.trunc(x).unique_fmpz()
    if whole is None or abs(int(whole)) >= 2**63:
        raise Undecided("an integer made of a real number is undecided, or too large")
    return int(whole)


def hulls(x: Number, y: Number, of: str) -> Number:
    """What holds both arrays, entry by entry; of truths and integers None where they differ."""
    if of == "real":
        return objects(hull, x, y)
    if of == "key":
        raise Undecided("which of two random keys is undecided")
    found = objects(same_or_none, x.astype(object), y.astype(object))
    return truths(found) if of == "truth" else found


def select_n(args: list[Value], eqn: Equation) -> Value:
    """Entry by entry one of the cases; the hull of all where the choice is undecided."""
    of = kind(eqn.outvars[0].aval)
    if of == "key":
        return NotImplemented
    which, *cases = (np.broadcast_to(a, eqn.outvars[0].aval.shape) for a in args)
    open_ = np.array([w is None for w in which.flat]).reshape(which.shape)
    if not (which.dtype == object and open_.any()):
        return _chosen(decided(which, "a choice"), cases)
    known = np.where(open_, 0, np.where(open_, False, which)).astype(np.int64)
    result = _chosen(known, cases).astype(object)
    everything = functools.reduce(lambda a, b: hulls(a, b, of), cases)
    result[open_] = everything[open_]
    return truths(result) if of == "truth" else result


def _chosen(which: np.ndarray, cases: list[np.ndarray]) -> np.ndarray:
    if len(cases) == 2:
        return as_objects(np.where(which.astype(bool), cases[1], cases[0]))
    result = cases[0].copy()
    for number, case in enumerate(cases):
        result = np.where(which == number, case, result)
    return as_objects(result)


# --- along axes -----------------------------------------------------------------------------------


def folded(
    combine: Callable[[Number, Number], Number], of: str, start: Number, integers: Number
) -> Rule:
    """A reduction over axes.

    Args:
      combine: two entries → one.
      of: the kind of operand that it is for.
      start: what the reduction of no entries is.
      integers: the same reduction of NumPy for integers, None if JAX is asked.
    """

    def rule(args: list[Value], eqn: Equation) -> Value:
        x, axes = args[0], tuple(eqn.params["axes"])
        found = operand_kind(eqn)
        if found == "integer" and integers is not None:
            x = decided(x, "an integer")
            return np.asarray(integers(x, axis=axes)).astype(result_dtype(eqn), copy=False)
        if found != of:
            return NotImplemented
        rest = tuple(a for a in range(x.ndim) if a not in axes)
        shape = tuple(x.shape[a] for a in rest)
        lines = as_truths(x) if of == "truth" else x
        lines = lines.transpose(*rest, *axes).reshape(*shape, -1)
        result = np.empty(shape, object)
        for place in np.ndindex(shape):
            entries = lines[place]
            result[place] = functools.reduce(combine, entries) if len(entries) else start
        return truths(result) if of == "truth" else result

    return rule


def _added(args: list[Value], eqn: Equation) -> Value:
    x, axes = args[0], tuple(eqn.params["axes"])
    if operand_kind(eqn) == "integer":
        return np.asarray(decided(x, "an integer").sum(axis=axes, dtype=result_dtype(eqn)))
    total = np.add.reduce(x, axis=axes, initial=functions.arb(0))
    return as_objects(total)


def cumulative(combine: Callable[[Number, Number], Number]) -> Rule:
    """Partial results along an axis, from either end."""

    def rule(args: list[Value], eqn: Equation) -> Value:
        if operand_kind(eqn) != "real":
            return NotImplemented
        axis, reverse = eqn.params["axis"], eqn.params["reverse"]
        lines = np.moveaxis(args[0], axis, 0).copy()
        order = range(len(lines))[::-1] if reverse else range(len(lines))
        previous = None
        for k in order:
            if previous is not None:
                lines[k] = objects(combine, as_objects(lines[previous]), as_objects(lines[k]))[()]
            previous = k
        return np.moveaxis(lines, 0, axis)

    return rule


def _log_add(x: Number, y: Number) -> Number:
    """log(e^x + e^y)."""
    if isinstance(x, float) or isinstance(y, float):
        return NAN
    larger, smaller = functions.maximum(x, y), functions.minimum(x, y)
    if not (larger.is_finite() and smaller.is_finite()):
        return larger
    return larger + (smaller - larger).exp().log1p()


# --- scattering -----------------------------------------------------------------------------------


def scatter(combine: Callable[[Number, Number], Number] | None) -> Rule:
    """x with updates combined into it at exact indices; None puts them in place of it."""

    def rule(args: list[Value], eqn: Equation) -> Value:
        if operand_kind(eqn) != "real":
            return NotImplemented
        x, indices, updates = args
        places = scattered_places(x, decided(indices, "an index"), updates, eqn).reshape(-1)
        kept = places[places >= 0]
        if combine is None and len(set(kept.tolist())) < len(kept):
            raise Undecided("which of several updates of one entry is the last is not defined")
        result = x.reshape(-1).copy()
        for place, update in zip(places, updates.reshape(-1), strict=True):
            if place >= 0:
                result[place] = update if combine is None else combine(result[place], update)
        return result.reshape(x.shape)

    return rule


def _plus(x: Number, y: Number) -> Number:
    return x + y


def _times(x: Number, y: Number) -> Number:
    return x * y


_ONE, _ZERO = functions.arb(1), functions.arb(0)
ARRAYS: Mapping[str, Rule] = {
    **{name: elementwise(name, f) for name, f in functions.UNARY.items()},
    **{name: elementwise(name, f) for name, f in functions.BINARY.items()},
    **{name: elementwise(name, f) for name, f in functions.TERNARY.items()},
    **{name: comparison(name, f) for name, f in functions.COMPARISONS.items()},
    **{name: logic(name) for name in ("and", "or", "xor", "not")},
    "integer_pow": integer_power,
    "pow": power,
    "round": rounded,
    "is_finite": finite,
    "convert_element_type": converted,
    "select_n": select_n,
    "reduce_sum": _added,
    "reduce_prod": folded(_times, "real", _ONE, np.prod),
    "reduce_max": folded(functions.maximum, "real", -functions.INFINITY, np.max),
    "reduce_min": folded(functions.minimum, "real", functions.INFINITY, np.min),
    "reduce_and": folded(both, "truth", True, None),
    "reduce_or": folded(either, "truth", False, None),
    "cumsum": cumulative(_plus),
    "cumprod": cumulative(_times),
    "cummax": cumulative(functions.maximum),
    "cummin": cumulative(functions.minimum),
    "cumlogsumexp": cumulative(_log_add),
    "scatter": scatter(None),
    "scatter-add": scatter(_plus),
    "scatter_add": scatter(_plus),
    "scatter-mul": scatter(_times),
    "scatter_mul": scatter(_times),
    "scatter-max": scatter(functions.maximum),
    "scatter_max": scatter(functions.maximum),
    "scatter-min": scatter(functions.minimum),
    "scatter_min": scatter(functions.minimum),
}
