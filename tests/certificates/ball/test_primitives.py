"""Every rule against another way to the same number: mpmath at 60 digits, rationals, or JAX."""

import fractions

import flint
import jax
import jax.numpy as jnp
import jax.scipy.special as special
import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from theory.certificates.ball import Ball, enclose
from theory.certificates.ball.enclosing import _bits
from theory.certificates.ball.functions import BINARY
from theory.certificates.ball.numbers import NAN, ball

mpmath.mp.dps = 60
WIDE = st.floats(-30, 30, allow_subnormal=False)
POSITIVE = st.floats(1e-8, 1e6)
UNIT = st.floats(-1, 1).filter(lambda x: abs(x) < 1)
OPEN = st.floats(1e-6, 1, exclude_max=True)
SHAPE = st.floats(0.25, 40)


def erfinv(x):
    return mpmath.erfinv(x)


def lower_gamma(a, x):
    return mpmath.gammainc(a, 0, x, regularized=True)


def upper_gamma(a, x):
    return mpmath.gammainc(a, x, mpmath.inf, regularized=True)


def trunc(x):
    return mpmath.floor(x) if x >= 0 else mpmath.ceil(x)


FUNCTIONS = {
    "add": (jnp.add, lambda x, y: x + y, (WIDE, WIDE)),
    "sub": (jnp.subtract, lambda x, y: x - y, (WIDE, WIDE)),
    "mul": (jnp.multiply, lambda x, y: x * y, (WIDE, WIDE)),
    "div": (jnp.divide, lambda x, y: x / y, (WIDE, POSITIVE)),
    "rem": (jax.lax.rem, lambda x, y: x - y * trunc(x / y), (WIDE, st.floats(0.5, 40))),
    "max": (jnp.maximum, max, (WIDE, WIDE)),
    "min": (jnp.minimum, min, (WIDE, WIDE)),
    "pow": (jnp.power, mpmath.power, (POSITIVE, st.floats(-5, 5))),
    "atan2": (jnp.arctan2, mpmath.atan2, (WIDE, POSITIVE)),
    "neg": (jnp.negative, lambda x: -x, (WIDE,)),
    "abs": (jnp.abs, abs, (WIDE,)),
    "sign": (jnp.sign, mpmath.sign, (WIDE,)),
    "floor": (jnp.floor, mpmath.floor, (WIDE,)),
    "ceil": (jnp.ceil, mpmath.ceil, (WIDE,)),
    "trunc": (jnp.trunc, trunc, (WIDE,)),
    "round": (jnp.round, mpmath.nint, (st.integers(-20, 20).map(lambda k: k / 4),)),
    "sqrt": (jnp.sqrt, mpmath.sqrt, (POSITIVE,)),
    "rsqrt": (jax.lax.rsqrt, lambda x: 1 / mpmath.sqrt(x), (POSITIVE,)),
    "cbrt": (
        jnp.cbrt,
        lambda x: mpmath.sign(x) * mpmath.power(abs(x), mpmath.mpf(1) / 3),
        (WIDE,),
    ),
    "square": (jnp.square, lambda x: x * x, (WIDE,)),
    "integer_pow": (lambda x: x**-3, lambda x: x**-3, (POSITIVE,)),
    "exp": (jnp.exp, mpmath.exp, (WIDE,)),
    "exp2": (jnp.exp2, lambda x: mpmath.power(2, x), (WIDE,)),
    "expm1": (jnp.expm1, mpmath.expm1, (WIDE,)),
    "log": (jnp.log, mpmath.log, (POSITIVE,)),
    "log1p": (jnp.log1p, mpmath.log1p, (POSITIVE,)),
    "logistic": (jax.nn.sigmoid, lambda x: 1 / (1 + mpmath.exp(-x)), (WIDE,)),
    "tanh": (jnp.tanh, mpmath.tanh, (WIDE,)),
    "sinh": (jnp.sinh, mpmath.sinh, (WIDE,)),
    "cosh": (jnp.cosh, mpmath.cosh, (WIDE,)),
    "asinh": (jnp.arcsinh, mpmath.asinh, (WIDE,)),
    "acosh": (jnp.arccosh, mpmath.acosh, (st.floats(1, 1e6),)),
    "atanh": (jnp.arctanh, mpmath.atanh, (UNIT,)),
    "sin": (jnp.sin, mpmath.sin, (WIDE,)),
    "cos": (jnp.cos, mpmath.cos, (WIDE,)),
    "tan": (jnp.tan, mpmath.tan, (UNIT,)),
    "asin": (jnp.arcsin, mpmath.asin, (UNIT,)),
    "acos": (jnp.arccos, mpmath.acos, (UNIT,)),
    "atan": (jnp.arctan, mpmath.atan, (WIDE,)),
    "erf": (special.erf, mpmath.erf, (WIDE,)),
    "erfc": (special.erfc, mpmath.erfc, (st.floats(-5, 10),)),
    "erf_inv": (special.erfinv, erfinv, (st.floats(-0.99, 0.99),)),
    "lgamma": (special.gammaln, mpmath.loggamma, (SHAPE,)),
    "digamma": (special.digamma, mpmath.digamma, (SHAPE,)),
    "bessel_i0e": (
        special.i0e,
        lambda x: mpmath.besseli(0, x) * mpmath.exp(-abs(x)),
        (st.floats(-20, 20),),
    ),
    "bessel_i1e": (
        special.i1e,
        lambda x: mpmath.besseli(1, x) * mpmath.exp(-abs(x)),
        (st.floats(-20, 20),),
    ),
    "igamma": (special.gammainc, lower_gamma, (SHAPE, SHAPE)),
    "igammac": (special.gammaincc, upper_gamma, (SHAPE, SHAPE)),
    "regularized_incomplete_beta": (
        special.betainc,
        lambda a, b, x: mpmath.betainc(a, b, 0, x, regularized=True),
        (st.floats(0.5, 20), st.floats(0.5, 20), OPEN),
    ),
    "clamp": (lambda x: jnp.clip(x, -1.0, 2.5), lambda x: min(max(x, -1), 2.5), (WIDE,)),
    "logsumexp": (
        lambda x, y: jax.nn.logsumexp(jnp.stack([x, y])),
        lambda x, y: mpmath.log(mpmath.exp(x) + mpmath.exp(y)),
        (WIDE, WIDE),
    ),
}


def holds(enclosed, reference):
    """Whether the ball meets what mpmath says, up to the 50 digits that those are sure of."""
    (x,) = enclosed.balls.reshape(-1)
    with _bits(300):
        around = flint.arb(mpmath.nstr(reference, 55))
        error = abs(around) * flint.arb("1e-50") + flint.arb("1e-300")
        return bool(x.overlaps(around + flint.arb(0, error.upper())))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_is_that_of_mpmath(name):
    function, reference, arguments = FUNCTIONS[name]

    @given(st.tuples(*arguments))
    def check(values):
        found = enclose(function, *map(jnp.float64, values))
        assert holds(found, reference(*map(mpmath.mpf, values)))
        (x,) = found.balls.reshape(-1)
        assert x.rad() <= abs(x.mid()) * flint.arb("1e-29") + flint.arb("1e-59"), "30 digits"

    check()


def test_a_ball_without_its_radius_holds_nothing():
    """The comparison can fail: √2 is not its midpoint at 30 digits."""
    found = enclose(jnp.sqrt, 2.0)
    assert holds(found, mpmath.sqrt(2))
    middle = Ball(np.array([found.balls[()].mid()], object))
    assert not holds(middle, mpmath.sqrt(2))
    assert not holds(found, mpmath.sqrt(2) * (1 + mpmath.mpf("1e-28")))


SPECIAL = [-np.inf, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0, np.inf, np.nan]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_at_infinity_and_outside_its_domain_a_function_is_that_of_float64(name):
    """Where the enclosure says anything, it says the same: the limits, and NaN as NaN."""
    function, _, arguments = FUNCTIONS[name]
    grid = np.stack(np.meshgrid(*[SPECIAL] * len(arguments), indexing="ij"), -1)
    columns = list(grid.reshape(-1, len(arguments)).T)
    if name == "logsumexp":
        pytest.skip("takes its two numbers along an axis")
    found = enclose(function, *columns, digits=15, most_bits=128)
    expected = np.asarray(function(*map(jnp.asarray, columns)), float)
    for x, value, *at in zip(found.balls, expected, *columns, strict=True):
        if isinstance(x, float):
            assert np.isnan(value), (at, value)
        elif x.is_finite():
            assert np.isfinite(value), (at, x, value)
            assert abs(float(x.mid()) - value) <= 1e-12 * (1 + abs(value)), (at, x, value)
        elif x > 0 or x < 0:
            assert value == (np.inf if x > 0 else -np.inf), (at, x, value)


@given(st.lists(st.floats(-4, 4), min_size=2, max_size=2), st.floats(0, 2), st.floats(0, 2))
def test_a_wide_ball_holds_what_its_points_give(middles, first, second):
    """Of every binary function: f(x, y) for x, y in two balls lies in the ball of f."""
    with _bits(64):
        x, y = (flint.arb(m, r) for m, r in zip(middles, (first, second), strict=True))
        for name in ("add", "sub", "mul", "div", "max", "min", "pow", "rem", "atan2"):
            whole = BINARY[name](x, y)
            if isinstance(whole, float) or not whole.is_finite():
                continue
            for a in (-1.0, -0.3, 0.0, 1.0):
                point = [
                    flint.arb(m) + flint.arb(a) * flint.arb(r)
                    for m, r in zip(middles, (first, second), strict=True)
                ]
                value = BINARY[name](*point)
                assert not isinstance(value, float), (name, x, y, a)
                assert whole.overlaps(value) or not value.is_finite(), (name, x, y, a)


MATRIX = np.array([[4.0, 1.0, -2.0], [1.0, 3.0, 0.5], [-2.0, 0.5, 5.0]])
POINTS = np.arange(12.0).reshape(4, 3) ** 1.5 - 7.3
MOVES = {
    "broadcast": lambda x: x[:, None] + x[None, :, :1],
    "reshape": lambda x: x.reshape(2, 6).T,
    "transpose": lambda x: x.T,
    "reverse": lambda x: x[::-1, ::2],
    "slice": lambda x: x[1:3, 0:2],
    "split": lambda x: jnp.split(x, [1, 3]),
    "concatenate": lambda x: jnp.concatenate([x, x[:1]]),
    "stack": lambda x: jnp.stack([x, 2 * x], axis=1),
    "tile": lambda x: jnp.tile(x, (2, 1)),
    "pad": lambda x: jnp.pad(x, 1, constant_values=3.0),
    "pad inside": lambda x: jax.lax.pad(x, jnp.float64(0), ((-1, 2, 1), (1, -1, 0))),
    "dynamic slice": lambda x: jax.lax.dynamic_slice(x, (3, 1), (2, 2)),
    "dynamic update": lambda x: jax.lax.dynamic_update_slice(x, -x[:2, :2], (1, 9)),
    "gather": lambda x: x[jnp.array([2, 0, 2]), jnp.array([1, 1, 0])],
    "gather rows": lambda x: x[jnp.array([[3, 0], [1, 1]])],
    "take outside": lambda x: jnp.take(x, jnp.array([1, 99]), axis=0),
    "scatter": lambda x: x.at[1, jnp.array([0, 2])].set(7.0),
    "scatter-add": lambda x: x.at[jnp.array([1, 1, 3])].add(x[:3]),
    "scatter-mul": lambda x: x.at[jnp.array([0, 0])].multiply(3.0),
    "scatter-max": lambda x: x.at[jnp.array([0, 0])].max(1.0),
    "diagonal": lambda x: jnp.diagonal(x @ x.T),
    "where": lambda x: jnp.where(x > 0, x, -x),
    "sum": lambda x: (x.sum(), x.sum(0), x.mean(1)),
    "prod": lambda x: x.prod(0),
    "max": lambda x: (x.max(), x.min(0), jnp.argmax(x, 1), jnp.argmin(x)),
    "all": lambda x: ((x > 0).all(0), (x > 0).any(), jnp.isfinite(x), ~(x > 1) ^ (x > 0)),
    "count": lambda x: ((x > 0).sum(), jnp.arange(5) * 3 - 1),
    "cumsum": lambda x: (jnp.cumsum(x, 0), jnp.cumprod(x, 1), jax.lax.cummax(x), x.cumsum()),
    "cumlogsumexp": lambda x: jax.lax.cumlogsumexp(x, reverse=True),
    "sort": lambda x: (jnp.sort(x, 0), jnp.argsort(-x, 1), jnp.median(x)),
    "sort two": lambda x: jax.lax.sort((-x, x), dimension=0, num_keys=1),
    "top k": lambda x: jax.lax.top_k(x, 2),
    "product": lambda x: (x @ x.T, jnp.einsum("ij,kj->ik", x, x), x.T @ jnp.ones(4)),
    "batched": lambda x: jnp.einsum("ij,ik->ijk", x, x) @ jnp.ones((4, 3, 2)),
    "integers": lambda x: jnp.arange(6).reshape(2, 3) @ jnp.arange(3),
    "frexp": lambda x: (*jnp.frexp(x), jnp.ldexp(x, 3), jnp.frexp(x / 3)[1]),
    "convert": lambda x: (x.astype(int), x.astype(bool), (x > 0).astype(float), x.astype("f4")),
    "finfo": lambda x: jnp.nextafter(x, jnp.inf),
    "cond": lambda x: jax.lax.cond(x[0, 0] > 0, lambda v: v + 1, lambda v: v - 1, x),
    "switch": lambda x: jax.lax.switch(2, [jnp.sin, jnp.cos, jnp.exp], x),
    "while": lambda x: jax.lax.while_loop(lambda v: v.max() > 1, lambda v: v / 3, x),
    "fori": lambda x: jax.lax.fori_loop(0, 4, lambda k, v: v * (1 + k), x),
    "scan": lambda x: jax.lax.scan(lambda c, r: (c + r, c * r), x[0], x),
    "map": lambda x: jax.lax.map(lambda r: r @ r, x),
    "vmap": lambda x: jax.vmap(lambda r: jnp.outer(r, r).sum())(x),
    "remat": lambda x: jax.checkpoint(jnp.sin)(x),
    "custom derivative": lambda x: (jax.nn.relu(x), jax.nn.logsumexp(x), jax.nn.softplus(x)),
    "gradient": jax.grad(lambda x: jnp.sum(jnp.tanh(x) ** 2)),
    "norm": lambda x: (jnp.linalg.norm(x), jnp.linalg.norm(x, axis=1)),
    "solve": lambda x: jnp.linalg.solve(MATRIX + x[:3] / 9, x.T),
    "solve triangular": lambda x: [
        jax.scipy.linalg.solve_triangular(MATRIX, x.T, lower=low, trans=trans, unit_diagonal=unit)
        for low in (True, False)
        for trans in (0, 1)
        for unit in (True, False)
    ],
    "solve from the right": lambda x: jax.lax.linalg.triangular_solve(MATRIX, x, lower=True),
    "cholesky": lambda x: jnp.linalg.cholesky(MATRIX + x.T @ x),
    "not definite": lambda x: jnp.linalg.cholesky(MATRIX - x.T @ x),
    "determinant": lambda x: (jnp.linalg.det(MATRIX), jnp.linalg.slogdet(x[:3])[1]),
    "inverse": lambda x: jnp.linalg.inv(MATRIX),
    "batch of solves": lambda x: jnp.linalg.solve(jnp.stack([MATRIX, 2 * MATRIX]), x.T[None]),
    "eigenvalues": lambda x: jnp.linalg.eigvalsh(MATRIX),
    "repeated eigenvalues": lambda x: jnp.linalg.eigvalsh(jnp.diag(jnp.array([2.0, 1.0, 2.0]))),
    "singular values": lambda x: jnp.linalg.svd(x, compute_uv=False),
    "random": lambda x: jax.random.normal(jax.random.key(3), (3,)),
    "random key": lambda x: jax.random.uniform(jax.random.split(jax.random.key(1))[0], (2,)),
}


@pytest.mark.parametrize("name", MOVES)
def test_what_moves_and_sums_is_that_of_float64(name):
    """Each ball holds the number of float64 up to a few hundred of its roundings."""
    function = MOVES[name]
    with jax.numpy_rank_promotion("allow"):
        found = jax.tree.leaves(enclose(function, POINTS, digits=20, most_bits=400))
        expected = jax.tree.leaves(jax.jit(function)(POINTS))
    assert len(found) == len(expected)
    for enclosed, value in zip(found, expected, strict=True):
        value = np.asarray(value)
        assert enclosed.shape == value.shape
        if not isinstance(enclosed, Ball):
            np.testing.assert_array_equal(enclosed, value)
            assert value.dtype.kind in "ib"
            continue
        single = value.dtype == np.float32
        atol = (1e-6 if single else 1e-13) * (1 + np.nanmax(np.abs(value), initial=0))
        np.testing.assert_allclose(enclosed.middle, value, rtol=0, atol=atol)
        known = np.isfinite(value)
        assert (enclosed.radius[known] <= 1e-18 * (1 + np.abs(value[known]))).all()


@given(st.lists(st.floats(-1e3, 1e3), min_size=6, max_size=6))
def test_sums_and_products_hold_the_rational_number(values):
    found = enclose(lambda v: (v.sum(), v @ v, jnp.prod(v)), np.array(values))
    exact = [fractions.Fraction(v) for v in values]
    product = fractions.Fraction(1)
    for v in exact:
        product *= v
    for enclosed, want in zip(found, (sum(exact), sum(v * v for v in exact), product), strict=True):
        with _bits(8000):  # its digits are finite
            rational = flint.arb(flint.fmpq(want.numerator, want.denominator))
            assert rational.is_exact()
            assert enclosed.balls[()].contains(rational)


def test_nan_and_infinity_are_explicit():
    found = enclose(lambda x: (x - x, x * 0, x + 1, jnp.where(x > 0, 1.0, 2.0)), np.inf)
    assert [np.isnan(f.middle) for f in found] == [True, True, False, False]
    assert found[2].middle == np.inf
    assert found[2].text() == "∞"
    assert enclose(jnp.sqrt, -1.0).text() == "NaN"
    assert enclose(lambda x: 1 / x, 0.0, most_bits=200).text() == "unknown"
    assert ball(np.float32(0.1)) == flint.arb(float(np.float32(0.1)))
    assert ball(np.nan) is NAN or np.isnan(ball(np.nan))
