"""Primitives that put entries in order, or find the largest, where the order is decided."""

import functools
from collections.abc import Callable, Mapping

import numpy as np

from theory.certificates.ball import functions
from theory.certificates.ball.arrays import kind, operand_kind, result_dtype
from theory.certificates.ball.numbers import (
    NAN,
    Equation,
    Number,
    Undecided,
    Value,
    hull,
    is_nan,
    less,
)
from theory.certificates.ball.structure import Rule


def best(sign: int) -> Rule:
    """argmax (1) or argmin (−1) along one axis, the first of equal ones; NaN wins."""

    def rule(args: list[Value], eqn: Equation) -> Value:
        if operand_kind(eqn) != "real":
            return NotImplemented
        (axis,) = eqn.params["axes"]
        lines = np.moveaxis(args[0], axis, -1)
        result = np.empty(lines.shape[:-1], result_dtype(eqn))
        for place in np.ndindex(result.shape):
            result[place] = _first_best(list(lines[place]), sign)
        return result

    return rule


def _first_best(line: list[Number], sign: int) -> int:
    for k, x in enumerate(line):
        if isinstance(x, float):
            return k
    found = 0
    for k, x in enumerate(line[1:], 1):
        larger = less(line[found], x) if sign > 0 else less(x, line[found])
        if larger is None:
            raise Undecided("which entry is the largest (or smallest) is undecided")
        found = k if larger else found
    return found


def sort(args: list[Value], eqn: Equation) -> Value:
    """Sorted lines; one array alone also where the order is undecided.

    The k-th smallest number lies between the k-th smallest lower end and the k-th smallest upper
    end.
    """
    axis, keys = eqn.params["dimension"], eqn.params["num_keys"]
    kinds = [kind(v.aval) for v in eqn.invars]
    if not set(kinds) <= {"real", "integer", "truth"}:
        return NotImplemented
    if "real" not in kinds:
        return NotImplemented
    moved = [np.moveaxis(a, axis, -1) for a in args]
    results = [np.empty_like(m) for m in moved]
    for place in np.ndindex(moved[0].shape[:-1]):
        lines = [list(m[place]) for m in moved]
        if len(lines) == 1:
            results[0][place] = order_statistics(lines[0])
            continue
        order = _order(lines[:keys], kinds[:keys])
        for result, line in zip(results, lines, strict=True):
            for k, source in enumerate(order):
                result[(*place, k)] = line[source]
    return [np.moveaxis(r, -1, axis) for r in results]


def order_statistics(line: list[Number]) -> np.ndarray:
    """The numbers of a line in rising order, each within the hull of those that it may be."""
    numbers = [x for x in line if not isinstance(x, float)]
    for x in numbers:
        if is_nan(x) is None:
            raise Undecided("the place in order of what may be NaN is undecided")
    result = np.empty(len(line), object)
    result[:] = NAN
    low = sorted(numbers, key=functools.cmp_to_key(_by_end("lower")))
    high = sorted(numbers, key=functools.cmp_to_key(_by_end("upper")))
    for k, (below, above) in enumerate(zip(low, high, strict=True)):
        infinite = not (below.is_finite() and above.is_finite())
        result[k] = hull(below, above) if infinite else functions.between(below, above)
        if below is above:
            result[k] = below
    return result


def _by_end(end: str) -> Callable[[Number, Number], int]:
    def compare(x: Number, y: Number) -> int:
        a, b = (getattr(v, end)() if v.is_finite() else v for v in (x, y))
        return -1 if a < b else 1 if a > b else 0

    return compare


def _order(keys: list[list[Number]], kinds: list[str]) -> list[int]:
    """A stable order by the keys, all comparisons decided; NaN last."""

    def compare(i: int, j: int) -> int:
        for line, of in zip(keys, kinds, strict=True):
            x, y = line[i], line[j]
            if of != "real":
                if x is None or y is None:
                    raise Undecided("an order is undecided")
                if x != y:
                    return -1 if x < y else 1
                continue
            nan = isinstance(x, float), isinstance(y, float)
            if any(nan):
                if all(nan):
                    continue
                return 1 if nan[0] else -1
            before, after = less(x, y), less(y, x)
            if before or after:
                return -1 if before else 1
            if before is None or after is None:
                raise Undecided("an order is undecided")
        return 0

    return sorted(range(len(keys[0])), key=functools.cmp_to_key(compare))


def top_k(args: list[Value], eqn: Equation) -> Value:
    """The k largest entries along an axis, in falling order, and where they are."""
    if operand_kind(eqn) != "real":
        return NotImplemented
    k, axis = eqn.params["k"], eqn.params.get("axis", -1)
    moved = np.moveaxis(args[0], axis, -1)
    values = np.empty((*moved.shape[:-1], k), object)
    places = np.empty(values.shape, eqn.outvars[1].aval.dtype)
    for place in np.ndindex(moved.shape[:-1]):
        line = list(moved[place])
        falling = [-x if not isinstance(x, float) else x for x in line]
        order = _order([falling], ["real"])[:k]
        values[place] = [line[i] for i in order]
        places[place] = order
    return [np.moveaxis(values, -1, axis), np.moveaxis(places, -1, axis)]


ORDERS: Mapping[str, Rule] = {
    "argmax": best(1),
    "argmin": best(-1),
    "sort": sort,
    "top_k": top_k,
}
