"""Numbers written in one word: 64,256 or 2**8:2**20:x4.

They are exact fractions until they become a parameter's value, so that an end is included exactly
when it is hit: 0.1:10:x10 is 0.1, 1, 10.
"""

import math
import re
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any

MOST = 100_000  # values of a range
LARGEST = 2**63 - 1  # what an integer coordinate holds
FORMS = "LOW:HIGH:xFACTOR, LOW:HIGH:+STEP or VALUE,VALUE,…"
_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?"
_POWER = re.compile(rf"({_NUMBER})(?:\*\*([+-]?\d{{1,3}}))?")


def numbers(name: str, text: str, kind: type) -> tuple[Any, ...]:
    """The numbers of a text.

    Args:
      name: of what they are, for messages.
      text: LOW:HIGH:xFACTOR, LOW:HIGH:+STEP or VALUE,VALUE,…
      kind: int or float.

    Raises:
      ValueError: for anything else, or no integer where those are asked for.
    """
    return tuple(converted(name, value, kind) for value in fractions(name, text))


def fractions(name: str, text: str) -> list[Fraction]:
    """The same, exactly."""
    if ":" in text:
        return list(_range(name, text))
    return [_number(name, part) for part in text.split(",")]


def once(name: str, values: Sequence[Any]) -> tuple[Any, ...]:
    """The values; ValueError if one is there twice."""
    for value in values:
        if values.count(value) > 1:
            raise ValueError(f"{name} must name a value once, got {value} twice")
    return tuple(values)


def converted(name: str, number: Fraction, kind: type) -> int | float:
    """A number of this kind; ValueError for a fraction where an integer is asked for."""
    if kind is int and number.denominator != 1:
        raise ValueError(f"{name} must be an integer, got {float(number):g}")
    return kind(number)


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
    if steps > MOST:
        raise ValueError(f"{name} must have at most {MOST:,} values, got more in {text}")
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
