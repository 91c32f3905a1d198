"""Elementary and special functions of one ball or two, with their values at the ends.

Each gives a ball that holds f(x) for every x in its argument; where f is not defined for certain it
gives `NAN`, and where it may not be `UNKNOWN`.
"""

from collections.abc import Callable, Mapping

import flint

from theory.certificates.ball.numbers import (
    INFINITY,
    NAN,
    UNKNOWN,
    Number,
    between,
    equal,
    hull,
    infinite_sign,
    is_nan,
    less,
    less_equal,
    up_to,
)

arb = flint.arb
Function = Callable[..., Number]
Ends = tuple[Number, Number]  # what becomes of −∞ and ∞


def total(function: Function, ends: Ends, outside: Function | None = None) -> Function:
    """A function of a finite ball made one of everything.

    Args:
      function: finite ball → ball.
      ends: its limits at −∞ and at ∞.
      outside: ball → whether it lies where the function has no value, for certain.
    """

    def of(x: Number) -> Number:
        if isinstance(x, float):
            return NAN
        if x.is_finite():
            return NAN if outside is not None and outside(x) else function(x)
        sign = infinite_sign(x)
        return UNKNOWN if not sign else ends[sign > 0]

    return of


def negative(x: Number) -> bool:
    """x < 0 for certain."""
    return bool(x < 0)


# --- the signs and the whole numbers --------------------------------------------------------------


def absolute(x: Number) -> Number:
    """|x|, which of a ball around 0 does not reach below it."""
    return abs(x) if x > 0 or x < 0 else up_to(x.abs_upper())


def sign(x: Number) -> Number:
    """sgn x; of a ball around 0 the hull of those that are possible."""
    if x > 0 or x < 0:
        return arb(1) if x > 0 else arb(-1)
    if x == 0:
        return arb(0)
    return up_to(arb(1)) if x >= 0 else -up_to(arb(1)) if x <= 0 else arb(0, 1)


def trunc(x: Number) -> Number:
    """x without what is behind the point."""
    if x >= 0:
        return x.floor()
    return x.ceil() if x <= 0 else between(x.ceil(), x.floor())


def round_even(x: Number) -> Number:
    """The nearest whole number, of two the even one."""

    def of(end: Number) -> Number:
        low = end.floor()
        twice = end * 2 - low * 2  # of an exact number exact, if the precision holds it
        if twice < 1 or twice > 1:
            return low + (1 if twice > 1 else 0)
        whole = low.unique_fmpz() if twice == 1 else None
        return low.union(low + 1) if whole is None else low + int(whole) % 2

    return hull(of(x.lower()), of(x.upper()))


def round_away(x: Number) -> Number:
    """The nearest whole number, of two the one further from 0."""
    half = arb(0.5)
    if x >= 0:
        return (x + half).floor()
    return (x - half).ceil() if x <= 0 else between((x - half).ceil(), (x + half).floor())


# --- powers and roots -----------------------------------------------------------------------------


def sqrt(x: Number) -> Number:
    """√x; of a ball that reaches below 0, unknown."""
    return x.sqrt()


def rsqrt(x: Number) -> Number:
    """1/√x."""
    return x.rsqrt() if x > 0 else UNKNOWN


def cbrt(x: Number) -> Number:
    """The real cube root, of either sign."""

    def of(end: Number) -> Number:
        return end.root(3) if end >= 0 else -((-end).root(3))

    return of(x) if x > 0 or x < 0 else hull(of(x.lower()), of(x.upper()))


def integer_power(x: Number, y: int) -> Number:
    """x^y of a whole number y."""
    if isinstance(x, float):
        return arb(1) if y == 0 else NAN
    if y == 0:
        return arb(1)
    if y < 0:
        return divide(arb(1), integer_power(x, -y))
    if x.is_finite():
        around_zero = y % 2 == 0 and not (x > 0 or x < 0)
        return up_to(x.abs_upper() ** y) if around_zero else x**y
    s = infinite_sign(x)
    return UNKNOWN if not s else -INFINITY if s < 0 and y % 2 else INFINITY


def power(x: Number, y: Number) -> Number:
    """x^y of floats, as C and IEEE 754 define it where it has a value."""
    if equal(y, arb(0)) or equal(x, arb(1)):
        return arb(1)
    if isinstance(x, float) or isinstance(y, float):
        return NAN
    if not (x.is_finite() and y.is_finite()):
        return _infinite_power(x, y)
    whole = y.is_exact() and y.is_integer()
    if whole and abs(y) < 2**20:  # as an integer of its own, 2^(2^50) would take all memory
        return integer_power(x, int(y.unique_fmpz()))
    if x > 0:
        return x**y
    if x < 0:
        return NAN if y.is_exact() and not whole else UNKNOWN
    if x >= 0 and y > 0:  # from 0 on, x^y grows with x
        return between(arb(0), x.upper() ** y)
    return UNKNOWN


def _infinite_power(x: Number, y: Number) -> Number:
    toward, base = infinite_sign(y), infinite_sign(x)
    if toward and is_nan(x) is False:
        size = INFINITY if base else abs(x)
        if size > 1 or size < 1:
            return INFINITY if (size > 1) == (toward > 0) else arb(0)
    if base > 0 and (y > 0 or y < 0):
        return INFINITY if y > 0 else arb(0)
    return UNKNOWN


def divide(x: Number, y: Number) -> Number:
    """x/y; 0/0 is no number, and x/0 unknown, as the sign of that 0 is."""
    if isinstance(x, float) or isinstance(y, float):
        return NAN
    if y == 0:
        return NAN if x == 0 else UNKNOWN
    if infinite_sign(x) and infinite_sign(y):
        return NAN
    if infinite_sign(y):
        return arb(0) if x.is_finite() else UNKNOWN
    if infinite_sign(x) and (y > 0 or y < 0):
        return x if y > 0 else -x
    return x / y


def remainder(x: Number, y: Number) -> Number:
    """x − y·trunc(x/y), the remainder of C."""
    if isinstance(x, float) or isinstance(y, float):
        return NAN
    if infinite_sign(x) or y == 0:
        return NAN
    if infinite_sign(y):
        return x if x.is_finite() else UNKNOWN
    return x - y * trunc(x / y)


def atan2(y: Number, x: Number) -> Number:
    """The angle of (x, y) in (−π, π]."""
    if isinstance(x, float) or isinstance(y, float):
        return NAN
    if not (x.is_finite() and y.is_finite()):
        return UNKNOWN
    return arb.atan2(y, x)


def maximum(x: Number, y: Number) -> Number:
    """The larger one, NaN if either is."""
    if isinstance(x, float) or isinstance(y, float):
        return NAN
    if is_nan(x) is None or is_nan(y) is None:
        return UNKNOWN
    if (order := less_equal(x, y)) is not None:
        return y if order else x
    return arb.max(x, y)


def minimum(x: Number, y: Number) -> Number:
    """The smaller one, NaN if either is."""
    if isinstance(x, float) or isinstance(y, float):
        return NAN
    return -maximum(-x, -y)


def clamp(low: Number, x: Number, high: Number) -> Number:
    """x between low and high."""
    return minimum(maximum(x, low), high)


# --- functions of distributions -------------------------------------------------------------------


def logistic(x: Number) -> Number:
    """1/(1 + e^{−x})."""
    return 1 / (1 + (-x).exp())


def log_gamma(x: Number) -> Number:
    """log |Γ(x)|."""
    if x > 0:
        return x.lgamma()
    return INFINITY if x.is_exact() and x.is_integer() else -abs(x.rgamma()).log()


def erf_inverse(x: Number) -> Number:
    """The x' with erf x' = x; ±∞ at ±1."""
    if x == 1 or x == -1:
        return INFINITY * (1 if x == 1 else -1)
    return NAN if x > 1 or x < -1 else x.erfinv()


def lower_gamma(a: Number, x: Number) -> Number:
    """P(a, x), the regularized lower incomplete gamma function."""
    return _of_law(a, x, lambda: x.gamma_lower(a, 1), arb(0))


def upper_gamma(a: Number, x: Number) -> Number:
    """Q(a, x) = 1 − P(a, x)."""
    return _of_law(a, x, lambda: x.gamma_upper(a, 1), arb(1))


def _of_law(a: Number, x: Number, value: Callable[[], Number], at_zero: Number) -> Number:
    if isinstance(x, float) or isinstance(a, float) or x < 0 or a < 0:
        return NAN
    if not (a.is_finite() and a > 0) or is_nan(x) is None:
        return UNKNOWN
    if infinite_sign(x):
        return 1 - at_zero
    return at_zero if x == 0 else value()


def incomplete_beta(a: Number, b: Number, x: Number) -> Number:
    """I_x(a, b), the regularized incomplete beta function."""
    if any(isinstance(v, float) for v in (a, b, x)) or x < 0 or x > 1 or a < 0 or b < 0:
        return NAN
    if not (a.is_finite() and b.is_finite() and x.is_finite() and a > 0 and b > 0):
        return UNKNOWN
    if x == 0 or x == 1:
        return arb(1) if x == 1 else arb(0)
    return _by_smaller_tail(a, b, x)


def _by_smaller_tail(a: Number, b: Number, x: Number) -> Number:
    if x * (a + b) > a:
        return 1 - (1 - x).beta_lower(b, a, 1)
    return x.beta_lower(a, b, 1)


def _scaled_bessel(order: int) -> Function:
    def of(x: Number) -> Number:
        return x.bessel_i(order) * (-abs(x)).exp()

    return of


def _domain(low: int | None, high: int | None) -> Function:
    """Whether a ball lies outside of [low, high] for certain."""

    def outside(x: Number) -> bool:
        return bool((low is not None and x < low) or (high is not None and x > high))

    return outside


def _named(name: str) -> Function:
    return lambda x: getattr(x, name)()


def _logarithm(shift: int) -> Function:
    """log(x + shift), −∞ at the end of its domain."""

    def of(x: Number) -> Number:
        if x == -shift:
            return -INFINITY
        return x.log1p() if shift else x.log()

    return of


_WAVE = (NAN, NAN)


def _quarter(x: Number) -> Number:
    """arctan x, with its limits at ±∞."""
    if isinstance(x, float):
        return NAN
    if x.is_finite():
        return x.atan()
    return UNKNOWN if not (s := infinite_sign(x)) else arb.pi() * s / 2


UNARY: Mapping[str, Function] = {
    "neg": lambda x: -x,
    "abs": total(absolute, (INFINITY, INFINITY)),
    "sign": total(sign, (arb(-1), arb(1))),
    "floor": total(_named("floor"), (-INFINITY, INFINITY)),
    "ceil": total(_named("ceil"), (-INFINITY, INFINITY)),
    "sqrt": total(sqrt, (NAN, INFINITY), negative),
    "rsqrt": total(rsqrt, (NAN, arb(0)), negative),
    "cbrt": total(cbrt, (-INFINITY, INFINITY)),
    "square": lambda x: integer_power(x, 2),
    "exp": total(_named("exp"), (arb(0), INFINITY)),
    "exp2": total(lambda x: arb(2) ** x, (arb(0), INFINITY)),
    "expm1": total(_named("expm1"), (arb(-1), INFINITY)),
    "log": total(_logarithm(0), (NAN, INFINITY), negative),
    "log1p": total(_logarithm(1), (NAN, INFINITY), _domain(-1, None)),
    "logistic": total(logistic, (arb(0), arb(1))),
    "tanh": total(_named("tanh"), (arb(-1), arb(1))),
    "sinh": total(_named("sinh"), (-INFINITY, INFINITY)),
    "cosh": total(_named("cosh"), (INFINITY, INFINITY)),
    "asinh": total(_named("asinh"), (-INFINITY, INFINITY)),
    "acosh": total(_named("acosh"), (NAN, INFINITY), _domain(1, None)),
    "atanh": total(_named("atanh"), _WAVE, _domain(-1, 1)),
    "sin": total(_named("sin"), _WAVE),
    "cos": total(_named("cos"), _WAVE),
    "tan": total(_named("tan"), _WAVE),
    "asin": total(_named("asin"), _WAVE, _domain(-1, 1)),
    "acos": total(_named("acos"), _WAVE, _domain(-1, 1)),
    "atan": _quarter,
    "erf": total(_named("erf"), (arb(-1), arb(1))),
    "erfc": total(_named("erfc"), (arb(2), arb(0))),
    "erf_inv": total(erf_inverse, _WAVE),
    "lgamma": total(log_gamma, (INFINITY, INFINITY)),
    "digamma": total(_named("digamma"), (NAN, INFINITY)),
    "bessel_i0e": total(_scaled_bessel(0), (arb(0), arb(0))),
    "bessel_i1e": total(_scaled_bessel(1), (arb(0), arb(0))),
}


BINARY: Mapping[str, Function] = {
    "add": lambda x, y: x + y,
    "add_any": lambda x, y: x + y,
    "sub": lambda x, y: x - y,
    "mul": lambda x, y: x * y,
    "div": divide,
    "rem": remainder,
    "max": maximum,
    "min": minimum,
    "pow": power,
    "atan2": atan2,
    "igamma": lower_gamma,
    "igammac": upper_gamma,
    # The next number of a float's grid: of real numbers there is none, and what remains is x.
    "nextafter": lambda x, _: x,
}

TERNARY: Mapping[str, Function] = {"clamp": clamp, "regularized_incomplete_beta": incomplete_beta}

COMPARISONS: Mapping[str, Function] = {
    "eq": equal,
    "ne": lambda x, y: (lambda same: None if same is None else not same)(equal(x, y)),
    "lt": less,
    "le": less_equal,
    "gt": lambda x, y: less(y, x),
    "ge": lambda x, y: less_equal(y, x),
}
