"""The functions of numbers that programs of a certificate may call.

Real numbers are balls (`flint.arb`), whose results hold the true value of the function for every
number in them, and are NaN where nothing is known; integers are Python's, and truth values True,
False or None (undecided).
"""

import re
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

import flint

arb = flint.arb
UNKNOWN = arb.nan()
ZERO, ONE = arb(0), arb(1)


class Uncheckable(Exception):
    """An operation that is none of those above, or an answer that a ball leaves open."""


def float_of(text: str) -> float:
    """The float that hexadecimal digits are, as Python writes it; what would be rounded is refused.

    Raises:
      ValueError: for anything else, such as 0x1p-2000, digits too many, or no 0x before them.
    """
    found = _HEXADECIMAL.fullmatch(text)
    if text in ("inf", "-inf", "nan"):
        return float(text)
    if found is not None:
        digits, exponent = found[2] + (found[3] or ""), int(found[4])
        exact = Fraction(int(digits, 16)) * Fraction(2) ** (exponent - 4 * len(found[3] or ""))
        try:
            value = float(exact)
        except OverflowError:
            value = float("inf")
        if value == exact:
            return -value if found[1] else value
    raise ValueError(f"a number must be a float in hexadecimal, as 0x1.8p+3, got {text!r:.40}")


_HEXADECIMAL = re.compile(r"(-?)0x([01])(?:\.([0-9a-f]{1,13}))?p([+-]?[0-9]{1,4})")


def real(text: str) -> Any:
    """The ball of radius 0 of a float in hexadecimal."""
    value = float_of(text)
    if value != value:
        return UNKNOWN
    return arb(value) if abs(value) != float("inf") else arb("inf") * (1 if value > 0 else -1)


def _known(x: Any) -> bool:
    """Whether x is a number for certain: finite, or exactly ±∞."""
    return bool(x.is_finite() or x > 0 or x < 0)


def _finite(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function where all its arguments are finite, elsewhere unknown."""
    return lambda *args: function(*args) if all(x.is_finite() for x in args) else UNKNOWN


def _method(name: str) -> Callable[..., Any]:
    return _finite(lambda x: getattr(x, name)())


def from_zero(x: Any) -> Any:
    """The numbers ≥ 0 up to the largest |x|: a radius that is its own midpoint reaches 0."""
    around = arb(0, x.abs_upper())
    return around + around.rad()


def _abs(x: Any) -> Any:
    if x > 0 or x < 0:
        return abs(x)
    return from_zero(x) if x.is_finite() else UNKNOWN


def _power(x: Any, n: int) -> Any:
    if n < 0:
        return quotient(ONE, _power(x, -n))
    if n and n % 2 == 0 and not (x > 0 or x < 0):
        return from_zero(arb(x.abs_upper()) ** n)
    return x**n


def _real_power(x: Any, y: Any) -> Any:
    # Bounded first: as an integer of its own, 2^(2^50) would take all memory.
    if y.is_exact() and abs(y) < 2**20 and y.is_integer():
        return _power(x, int(y.unique_fmpz()))
    return x**y if x > 0 else UNKNOWN


def quotient(x: Any, y: Any) -> Any:
    """x/y, unknown where y may be 0."""
    return UNKNOWN if not (y > 0 or y < 0) else x / y


def _order(x: Any, y: Any) -> bool | None:
    """x < y."""
    if not (_known(x) and _known(y)):
        return None
    return True if x < y else False if x >= y else None


def _equal(x: Any, y: Any) -> bool | None:
    if not (_known(x) and _known(y)):
        return None
    return True if x == y else False if x != y else None


def _larger(x: Any, y: Any) -> Any:
    below = _order(x, y)
    if below is not None:
        return y if below else x
    return arb.max(x, y) if _known(x) and _known(y) else UNKNOWN


def negation(a: bool | None) -> bool | None:
    """not a."""
    return None if a is None else not a


def conjunction(a: bool | None, b: bool | None) -> bool | None:
    """a and b."""
    return False if a is False or b is False else None if a is None or b is None else True


def _choice(which: bool | None, no: Any, yes: Any) -> Any:
    if which is not None:
        return yes if which else no
    if type(no) is not type(arb()):
        if no is yes or no == yes:
            return no
        return None if isinstance(no, bool) else _open("which of two integers")
    return no.union(yes) if no.is_finite() and yes.is_finite() else UNKNOWN


def _open(what: str) -> Any:
    raise Uncheckable(f"{what} is undecided")


def _sign(x: Any) -> Any:
    if x > 0 or x < 0 or x == 0:
        return ONE if x > 0 else -ONE if x < 0 else ZERO
    return arb(0, 1)


def _exponent(x: Any) -> int:
    """e with ½ ≤ |x|·2^{−e} < 1, 0 for 0."""
    if x == 0:
        return 0
    if x.is_finite() and (x > 0 or x < 0):
        mantissa, power = x.mid().man_exp()
        guess = int(mantissa).bit_length() + int(power)
        for exponent in (guess - 1, guess, guess + 1):
            scaled = abs(x) * arb(2) ** -exponent
            if 2 * scaled >= 1 and scaled < 1:
                return exponent
    return _open("the exponent of a number")


def _integer(x: int) -> int:
    return x if abs(x) < 2**63 else _open("an integer beyond 64 bits")


def _lower_gamma(a: Any, x: Any) -> Any:
    return ZERO if a > 0 and x == 0 else x.gamma_lower(a, 1) if a > 0 and x > 0 else UNKNOWN


def _upper_gamma(a: Any, x: Any) -> Any:
    return ONE if a > 0 and x == 0 else x.gamma_upper(a, 1) if a > 0 and x > 0 else UNKNOWN


def _log(x: Any) -> Any:
    return x.log() if x > 0 else arb("-inf") if x == 0 else UNKNOWN


FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "add": lambda x, y: x + y,
    "sub": lambda x, y: x - y,
    "mul": lambda x, y: x * y,
    "div": _finite(quotient),
    "max": _larger,
    "min": lambda x, y: -_larger(-x, -y),
    "neg": lambda x: -x,
    "abs": _abs,
    "sign": _finite(_sign),
    "square": _finite(lambda x: _power(x, 2)),
    "pow": _finite(_real_power),
    "power": lambda x, n: _power(x, n) if x.is_finite() else UNKNOWN,
    "sqrt": _method("sqrt"),
    "rsqrt": _finite(lambda x: x.rsqrt() if x > 0 else UNKNOWN),
    "exp": _method("exp"),
    "expm1": _method("expm1"),
    "log": _finite(_log),
    "log1p": _method("log1p"),
    "logistic": _finite(lambda x: 1 / (1 + (-x).exp())),
    "atan2": _finite(lambda y, x: arb.atan2(y, x)),
    "igamma": _finite(_lower_gamma),
    "igammac": _finite(_upper_gamma),
    "erf_inv": _method("erfinv"),
    "lgamma": _finite(lambda x: x.lgamma() if x > 0 else UNKNOWN),
    **{name: _method(name) for name in ("sin", "cos", "tan", "tanh", "sinh", "cosh", "digamma")},
    **{name: _method(name) for name in ("asin", "acos", "atan", "asinh", "acosh", "atanh")},
    **{name: _method(name) for name in ("erf", "erfc", "floor", "ceil")},
    "lt": _order,
    "le": lambda x, y: negation(_order(y, x)),
    "gt": lambda x, y: _order(y, x),
    "ge": lambda x, y: negation(_order(x, y)),
    "eq": _equal,
    "ne": lambda x, y: negation(_equal(x, y)),
    "is_finite": lambda x: True if x.is_finite() else False if _known(x) else None,
    "is_nan": lambda x: False if _known(x) else None,
    "not": negation,
    "and": conjunction,
    "or": lambda a, b: negation(conjunction(negation(a), negation(b))),
    "differ": lambda a, b: None if a is None or b is None else a != b,
    "select": _choice,
    "exponent": _exponent,
    "mantissa": lambda x: x * arb(2) ** -_exponent(x),
    "real": lambda n: from_zero(ONE) if n is None else arb(int(n)),
    "integer": lambda a: _open("an integer") if a is None else int(a),
    "integer add": lambda x, y: _integer(x + y),
    "integer sub": lambda x, y: _integer(x - y),
    "integer mul": lambda x, y: _integer(x * y),
    "integer max": max,
    "integer min": min,
    "integer neg": lambda x: -x,
    "integer lt": lambda x, y: x < y,
    "integer le": lambda x, y: x <= y,
    "integer gt": lambda x, y: x > y,
    "integer ge": lambda x, y: x >= y,
    "integer eq": lambda x, y: x == y,
    "integer ne": lambda x, y: x != y,
}
