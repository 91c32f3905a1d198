"""Numbers written in one word: 64,256 or 2**8:2**20:x4.

They are exact fractions until they become a parameter's value, so that an end is included exactly
when it is hit: 0.1:10:x10 is 0.1, 1, 10.
"""

import functools
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from experiments.settings import numbers as single
from theory._validation import first_repeated, shown

MOST = 100_000  # values of a range
FORMS = "LOW:HIGH:xFACTOR, LOW:HIGH:+STEP or VALUE,VALUE,…"
# Bits of a product beyond which it is rounded to half of them. Ends have less than a third of that,
# so that one that is hit is hit exactly; no float notices.
EXACT = 4608


def numbers(name: str, text: str, kind: type) -> tuple[Any, ...]:
    """The numbers of a text.

    Args:
      name: of what they are, for messages.
      text: LOW:HIGH:xFACTOR, LOW:HIGH:+STEP or VALUE,VALUE,…
      kind: int or float.

    Raises:
      ValueError: for anything else, or no integer where those are asked for.
    """
    return tuple(single.converted(name, value, kind) for value in fractions(name, text))


def fractions(name: str, text: str) -> Iterator[Fraction]:
    """The same, exactly."""
    if ":" in text:
        return _range(name, text)
    return (_number(name, part.strip()) for part in text.split(","))


def once(name: str, values: tuple[Any, ...]) -> tuple[Any, ...]:
    """The values; ValueError if one is there twice."""
    if (twice := first_repeated(values)) is not None:
        raise ValueError(f"{name} must name a value once, got {twice} twice")
    return values


def _range(name: str, text: str) -> Iterator[Fraction]:
    """The exact values of LOW:HIGH:xFACTOR or LOW:HIGH:+STEP."""
    parts = text.split(":")
    if len(parts) != 3 or parts[2][:1] not in ("x", "+"):
        raise ValueError(f"{name} must be {FORMS}; got {shown(text)}")
    low, high = _number(name, parts[0]), _number(name, parts[1])
    factor, by = parts[2][0] == "x", _number(name, parts[2][1:])
    if factor and by <= 1:
        raise ValueError(f"{name} must have a factor > 1, got {parts[2]!r}")
    if not factor and by <= 0:
        raise ValueError(f"{name} must have a step > 0, got {parts[2]!r}")
    if factor and low <= 0:
        raise ValueError(f"{name} must start above 0 to be multiplied, got {parts[0]!r}")
    if low > high:
        raise ValueError(f"{name} must have LOW ≤ HIGH, got {shown(text)}")
    steps = single.logarithm(high / low) / single.logarithm(by) if factor else (high - low) / by
    if steps > MOST:
        raise ValueError(f"{name} must have at most {MOST:,} values, got more in {shown(text)}")
    value = low
    while value <= high:
        yield value
        value = _rounded(value * by) if factor else value + by


def _rounded(value: Fraction) -> Fraction:
    """A positive fraction, exactly or where that takes more than `EXACT` bits in half as many."""
    above, below = value.numerator, value.denominator
    if max(above.bit_length(), below.bit_length()) <= EXACT:
        return value
    shift = EXACT // 2 + below.bit_length() - above.bit_length()
    return Fraction((above << max(shift, 0)) // (below << max(-shift, 0))) / Fraction(2) ** shift


_number = functools.partial(single.fraction, expected="numbers such as 64, 0.5 or 2**8")
