"""Grids of parameters, written in one word each: m=2**8:2**20:x4, d=64,256, loss=identity,logistic.

Numbers are exact fractions until they become a parameter's value, so that an end is included
exactly when it is hit: 0.1:10:x10 is 0.1, 1, 10.
"""

import dataclasses
import itertools
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any

from experiments.settings.text import fields_by_name, read
from theory._validation import check_integer, check_real

MAX_CELLS = 100_000
LARGEST = 2**63 - 1  # what an integer coordinate holds
FORMS = "LOW:HIGH:xFACTOR, LOW:HIGH:+STEP or VALUE,VALUE,…"
_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?"
_POWER = re.compile(rf"({_NUMBER})(?:\*\*([+-]?\d{{1,3}}))?")


@dataclasses.dataclass(frozen=True)
class Axis:
    """One axis of a grid: a parameter with its values, unit and meaning."""

    name: str
    values: tuple[Any, ...]
    unit: str
    says: str


def parse(texts: Sequence[str], config: Any) -> list[Axis]:
    """The axes of a grid.

    Args:
      texts: NAME=VALUES, one for each axis.
      config: the configuration whose parameters are varied.

    Returns:
      The axes, in the order given.

    Raises:
      ValueError: for anything but at least one value of each parameter named, each value and
        each parameter once, in the parameter's range, and at most `MAX_CELLS` cells in all.
    """
    fields = fields_by_name(config)
    axes: list[Axis] = []
    for text in texts:
        name, equals, values = text.partition("=")
        if not (name and equals and values):
            raise ValueError(f"--grid must be NAME=VALUES, got {text!r}")
        if name == "data":
            raise ValueError("data is chosen by --data NAME, not by --grid data=…")
        if name not in fields:
            known = ", ".join(sorted(fields.keys() - {"data"}))
            raise ValueError(f"--grid must name one of the parameters {known}; got {name!r}")
        if name in {axis.name for axis in axes}:
            raise ValueError(f"--grid must name a parameter once, got {name!r} twice")
        field = fields[name]
        rule = field.metadata
        axes.append(Axis(name, _values(field, values, config), rule["unit"], rule["doc"]))
        cells = math.prod(len(axis.values) for axis in axes)
        if cells > MAX_CELLS:
            raise ValueError(f"--grid must have at most {MAX_CELLS:,} cells, got {cells:,}")
    if not axes:
        raise ValueError("--grid must be given at least once, for example --grid m=64:1024:x2")
    return axes


def cells(axes: Sequence[Axis]) -> Iterator[dict[str, Any]]:
    """Name → value for every cell, the last axis running fastest."""
    for values in itertools.product(*(axis.values for axis in axes)):
        yield dict(zip((axis.name for axis in axes), values, strict=True))


def size(cell: Mapping[str, Any]) -> float:
    """Product of a cell's positive integers (widths, dimensions, …): its cost is related to it."""
    numbers = (v for v in cell.values() if isinstance(v, int) and v > 0 and not isinstance(v, bool))
    return math.prod((float(v) for v in numbers), start=1.0)


def numbers(name: str, text: str, kind: type) -> tuple[Any, ...]:
    """The numbers of an axis.

    Args:
      name: of the axis, for messages.
      text: LOW:HIGH:xFACTOR, LOW:HIGH:+STEP or VALUE,VALUE,…
      kind: int or float.

    Raises:
      ValueError: for anything else, no integer where those are asked for, or a number twice.
    """
    return _once(name, [_converted(name, value, kind) for value in _fractions(name, text)])


def _fractions(name: str, text: str) -> list[Fraction]:
    if ":" in text:
        return list(_range(name, text))
    return [_number(name, part) for part in text.split(",")]


def _values(field: Any, text: str, config: Any) -> tuple[Any, ...]:
    name = f"--grid {field.name}"
    numeric = field.metadata["type"] in (int, float)
    given = _fractions(name, text) if numeric else text.split(",")
    return _once(name, [_value(field, value, config) for value in given])


def _once(name: str, values: list[Any]) -> tuple[Any, ...]:
    for value in values:
        if values.count(value) > 1:
            raise ValueError(f"{name} must name a value once, got {value} twice")
    return tuple(values)


def _range(name: str, text: str) -> Iterator[Fraction]:
    """The exact values of LOW:HIGH:xFACTOR or LOW:HIGH:+STEP."""
    parts = text.split(":")
    if len(parts) != 3 or parts[2][:1] not in ("x", "+"):
        raise ValueError(f"{name} must be {FORMS}; got {text!r}")
    low, high = _number(name, parts[0]), _number(name, parts[1])
    factor, by = parts[2][0] == "x", _number(name, parts[2][1:])
    if factor and by <= 1:
        raise ValueError(f"{name} must have a factor > 1, got {parts[2]!r}")
    if not factor and by <= 0:
        raise ValueError(f"{name} must have a step > 0, got {parts[2]!r}")
    if factor and low <= 0:
        raise ValueError(f"{name} must start above 0 to be multiplied, got {parts[0]!r}")
    if low > high:
        raise ValueError(f"{name} must have LOW ≤ HIGH, got {text!r}")
    steps = (_log(high) - _log(low)) / math.log1p(float(by - 1)) if factor else (high - low) / by
    if steps > MAX_CELLS:
        raise ValueError(f"{name} must have at most {MAX_CELLS:,} values, got more in {text}")
    value = low
    while value <= high:
        yield value
        value = value * by if factor else value + by


def _log(value: Fraction) -> float:
    return math.log(value.numerator) - math.log(value.denominator)


def _number(name: str, text: str) -> Fraction:
    match = _POWER.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{name} must be numbers such as 64, 0.5 or 2**8, got {text!r}")
    base, exponent = Fraction(match[1]), int(match[2] or 1)
    if base == 0 and exponent < 0:
        raise ValueError(f"{name} must be finite numbers, got {text!r}")
    number = base**exponent
    if abs(number) > LARGEST:
        raise ValueError(f"{name} must be numbers up to 2**63 − 1, got {text!r}")
    return number


def _value(field: Any, given: Fraction | str, config: Any) -> Any:
    """A parameter's value; ValueError unless it is one, in its own range."""
    if isinstance(given, str):
        value = read(field, given)
    else:
        value = _converted(field.name, given, field.metadata["type"])
    return getattr(dataclasses.replace(config, **{field.name: value}), field.name)


def _converted(name: str, number: Fraction, kind: type) -> int | float:
    if kind is int and number.denominator != 1:
        raise ValueError(f"{name} must be an integer, got {float(number):g}")
    return kind(number)


def axis_values(
    name: str, text: str, kind: type = int, *, low: float | None = None, high: float | None = None
) -> tuple[Any, ...]:
    """The values of an axis among a figure's settings.

    Integers are ≥ 1 and other numbers > 0, unless limits are given: low ≤ value < high.

    Args:
      name: of the parameter, for messages.
      text: as in `--grid`: LOW:HIGH:xFACTOR, LOW:HIGH:+STEP or VALUE,VALUE,…
      kind: int or float.
      low, high: the range, where it is another.

    Returns:
      The values, in the order given.

    Raises:
      ValueError: for text that is none of these, or a value that is no such number or outside the
        range.
    """
    found = numbers(name, text, kind)
    for value in found:
        if kind is int:
            check_integer(name, value, low=1 if low is None else int(low))
        else:
            limits = {} if high is None else {"high": high, "open_high": True}
            check_real(name, value, low=low or 0, open_low=low is None, **limits)
    return found
