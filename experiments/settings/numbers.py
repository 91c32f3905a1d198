"""One number on the command line, read in one strict way: 64, 0.5, 1e-3 or 2**20, exactly."""

import argparse
import math
import re
from fractions import Fraction

from theory._validation import shown

SMALLEST, LARGEST = 2.3e-308, 1.7e308  # sizes of what a float holds in full precision
LONGEST = 100  # characters; no number that means something has more
_DECIMAL = r"(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?"  # no other alphabet's digits
_POWER = re.compile(rf"([+-]?)({_DECIMAL})(?:\*\*([+-]?[0-9]{{1,3}}))?")
_FORMS = {int: "an integer such as 64 or 2**20", float: "a number such as 64, 0.5 or 2**20"}


def read(name: str, text: str, kind: type) -> int | float:
    """The number of a text.

    Args:
      name: of what it is, for messages.
      text: [±]DIGITS[.DIGITS][eEXPONENT][**EXPONENT], without blanks.
      kind: int or float.

    Raises:
      ValueError: for anything else, what is no integer where one is asked for, and numbers that no
        float holds.
    """
    return converted(name, fraction(name, text, _FORMS[kind]), kind)


def fraction(name: str, text: str, expected: str = _FORMS[float]) -> Fraction:
    """The same, exactly; `expected` says in a message what it must be."""
    match = _POWER.fullmatch(text) if len(text) <= LONGEST else None
    if match is None:
        raise ValueError(f"{name} must be {expected}, got {shown(text)}")
    sign, base, exponent = match[1], Fraction(match[2]), int(match[3] or 1)
    if base == 0 and exponent < 0:
        raise ValueError(f"{name} must be a finite number, got {shown(text)}")
    size = exponent * logarithm(base) if base else 0.0
    if not math.log(SMALLEST) <= size <= math.log(LARGEST):
        limits = f"0 or of a size between {SMALLEST:g} and {LARGEST:g}"
        raise ValueError(f"{name} must be {limits}, got {shown(text)}")
    return -(base**exponent) if sign == "-" else base**exponent


def logarithm(value: Fraction) -> float:
    """log of a positive fraction, which may be beyond all floats."""
    if 2 * abs(value - 1) < 1:
        return math.log1p(float(value - 1))
    return math.log(value.numerator) - math.log(value.denominator)


def converted(name: str, number: Fraction, kind: type) -> int | float:
    """A number of this kind; ValueError for a fraction where an integer is asked for."""
    if kind is int and number.denominator != 1:
        raise ValueError(f"{name} must be an integer, got {float(number):g}")
    return kind(number)


def integer(text: str) -> int:
    """An option's value, for argparse, which names the option."""
    return int(_of_option(text, int))


def real(text: str) -> float:
    """An option's value, for argparse, which names the option."""
    return float(_of_option(text, float))


def _of_option(text: str, kind: type) -> int | float:
    try:
        return read("it", text, kind)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error).removeprefix("it ")) from None
