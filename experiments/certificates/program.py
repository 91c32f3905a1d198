"""Programs of a certificate, evaluated in ball arithmetic: python-flint and the standard library.

A program is a list of steps, each a flat list of numbers: real ones are balls (`flint.arb`),
integers Python's, and truth values True, False or None (undecided). Its operations:

  input     the entries of an array of the instance
  constant  numbers that stand in the program
  take      entries of earlier steps, joined end to end, by their places
  map       a function of numbers, entry by entry (`FUNCTIONS`)
  fold      sum, prod, max, min, and, or of consecutive groups
  dot       B products of an M × K matrix with the transpose of an N × K one
  cholesky, triangular   of n × n matrices
  mark      what bounds roundings is 0 here; what bounds an error is not negative

The value of a program is that of the function of real numbers that it writes down. This is written
apart from `theory.certificates.ball`, so that a mistake in one is none in the other.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import flint

from experiments.certificates.functions import (
    FUNCTIONS,
    UNKNOWN,
    ZERO,
    Uncheckable,
    from_zero,
    quotient,
    real,
)

MOST_ENTRIES = 2 * 10**7  # of all steps together, some 2 GB
FOLDS = {"sum": "add", "prod": "mul", "max": "max", "min": "min", "and": "and", "or": "or"}


# --- steps ----------------------------------------------------------------------------------------


def _dot(a: list[Any], b: list[Any], sizes: Sequence[int]) -> list[Any]:
    batch, rows, columns, inner = sizes
    found: list[Any] = []
    for k in range(batch):
        left = flint.arb_mat(rows, inner, a[k * rows * inner : (k + 1) * rows * inner])
        right = flint.arb_mat(columns, inner, b[k * columns * inner : (k + 1) * columns * inner])
        found += (left * right.transpose()).entries()
    return found


def _cholesky(a: list[Any], n: int) -> list[Any]:
    lower = [ZERO] * (n * n)
    for j in range(n):
        for i in range(j, n):
            rest = a[i * n + j]
            for k in range(j):
                rest = rest - lower[i * n + k] * lower[j * n + k]
            if i == j and not rest > 0:
                return [UNKNOWN] * (n * n)
            lower[i * n + j] = rest.sqrt() if i == j else rest / lower[j * n + j]
    return lower


def _triangular(a: list[Any], b: list[Any], step: Mapping[str, Any]) -> list[Any]:
    """X with AX = B, A n × n triangular, B n × columns."""
    n, columns, lower, unit = step["n"], step["columns"], step["lower"], step["unit"]
    x = list(b)
    for i in range(n) if lower else reversed(range(n)):
        for c in range(columns):
            rest = x[i * columns + c]
            for k in range(i) if lower else range(i + 1, n):
                rest = rest - a[i * n + k] * x[k * columns + c]
            x[i * columns + c] = rest if unit else quotient(rest, a[i * n + i])
    return x


def _marked(x: Any, mark: str) -> Any:
    if mark == "rounding":
        return ZERO if x.is_finite() else x
    return x if not x.is_finite() or x >= 0 or x < 0 else from_zero(x)


def _constants(step: Mapping[str, Any]) -> list[Any]:
    if step["type"] == "real":
        return [real(text) for text in step["values"]]
    return [bool(v) if step["type"] == "truth" else int(v) for v in step["values"]]


def evaluate(
    steps: Sequence[Mapping[str, Any]], inputs: Mapping[str, list[Any]], *, rounding: bool = False
) -> list[Any]:
    """The flat values of all steps.

    Args:
      steps: the program, each step with "op" and what that needs; "of" are earlier steps.
      inputs: name → entries.
      rounding: whether what bounds roundings is what it says, and not 0.

    Raises:
      Uncheckable: for an operation that there is none of, more entries than `MOST_ENTRIES`, or an
        answer that stays open.
      LookupError, TypeError, ValueError: for a program that is none.
    """
    values: list[list[Any]] = []
    left = MOST_ENTRIES
    for step in steps:
        of = [values[k] for k in step.get("of", ())]
        left -= _announced(step, of)
        if left < 0:
            raise Uncheckable(f"steps of more than {MOST_ENTRIES} entries")
        marked = step["op"] == "mark" and rounding
        values.append(of[0] if marked else _value(step, of, inputs))
    return values


def _announced(step: Mapping[str, Any], of: list[list[Any]]) -> int:
    """How many numbers a step makes or looks through at most, before it does."""
    op = step["op"]
    if op == "dot":
        batch, rows, columns, inner = _whole(step["sizes"])
        return batch * max(1, rows * columns, rows * inner, columns * inner)
    if op in ("cholesky", "triangular"):
        n, columns = _whole((step["n"], step.get("columns", 0)))
        return n * max(n, columns)
    if op == "fold":
        return _whole((step["count"],))[0]
    return sum(map(len, of))  # also of what is only joined, to be taken from


def _whole(sizes: Sequence[int]) -> Sequence[int]:
    if not all(type(size) is int and size >= 0 for size in sizes):
        raise ValueError("sizes must be whole numbers")  # a list times a number is a long list
    return sizes


def _value(step: Mapping[str, Any], of: list[list[Any]], inputs: Mapping[str, list[Any]]) -> Any:
    op = step["op"]
    if op == "input":
        return inputs[step["name"]]
    if op == "constant":
        return _constants(step)
    if op == "take":
        joined = [entry for part in of for entry in part]
        if step["places"] and min(step["places"]) < 0:
            raise ValueError("places must not be negative")
        return [joined[place] for place in step["places"]]
    if op == "map":
        if step["function"] not in FUNCTIONS:
            raise Uncheckable(f"needs the primitive {step['function']!r}")
        return [FUNCTIONS[step["function"]](*entries) for entries in zip(*of, strict=True)]
    if op == "fold":
        return [_folded(step["function"], of[0], k, step["group"]) for k in range(step["count"])]
    if op == "dot":
        return _dot(of[0], of[1], step["sizes"])
    if op == "cholesky":
        return _cholesky(of[0], step["n"])
    if op == "triangular":
        return _triangular(of[0], of[1], step)
    if op == "mark":
        return [_marked(x, step["mark"]) for x in of[0]]
    raise Uncheckable(f"needs the primitive {op!r}")


def _folded(name: str, entries: list[Any], number: int, group: int) -> Any:
    first, *rest = entries[number * group : (number + 1) * group]
    function = FUNCTIONS[FOLDS[name]]
    for entry in rest:
        first = function(first, entry)
    return first
