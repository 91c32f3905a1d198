"""Estimated rounding errors against exact arithmetic, over computations that lose digits."""

from fractions import Fraction

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest

from theory.verification.rounding import estimated_rounding


def estimate(function, *arguments):
    """Value and estimated error of a function of arrays → one number, both under jit."""

    @jax.jit
    def both(*arguments):
        found = estimated_rounding(lambda *a: [function(*a)], *arguments)
        return function(*arguments), found.error[0], found.overflow

    return both(*arguments)


def summed(values):
    return jax.lax.fori_loop(0, 1000, lambda i, total: total + values, jnp.zeros(()))


# Computation of one number x, the same in exact arithmetic, and arguments at which digits are lost.
LOSING = {
    "x − log(1 + x)": (
        lambda x: x - jnp.log(1 + x),
        lambda x: x - mpmath.log1p(x),
        [1e-10, 3e-9, 7e-12, 1e-5],
    ),
    "(1 − cos x)/x²": (
        lambda x: (1 - jnp.cos(x)) / x**2,
        lambda x: (1 - mpmath.cos(x)) / x**2,
        [1e-8, 3e-7, 1e-4, 0.3],
    ),
    "a difference of squares": (
        lambda x: (x + 1) ** 2 - x**2 - 2 * x - 1,
        lambda x: mpmath.mpf(0),
        [1e7 / 3, 1.1, 12345.678],
    ),
    "a thousand times x, added up": (
        lambda x: summed(x) - 1000 * x,
        lambda x: mpmath.mpf(0),
        [0.1, 1 / 3, 0.7],
    ),
    "a while loop": (
        lambda x: jax.lax.while_loop(lambda s: s < 10.0, lambda s: s + x, x - x) - 10.0,
        None,
        [0.1],
    ),
    "a variance": (
        lambda x: jnp.mean((x + jnp.arange(8.0)) ** 2) - jnp.mean(x + jnp.arange(8.0)) ** 2,
        lambda x: mpmath.mpf(21) / 4,
        [1e5 / 3, 1e7 / 7, 1.0],
    ),
    "a branch": (
        lambda x: jax.lax.cond(x > 0, lambda: x * 3.0 - x - x - x, lambda: x),
        lambda x: mpmath.mpf(0),
        [0.1, 1 / 3],
    ),
}


@pytest.mark.parametrize("name", LOSING)
def test_the_true_error_is_within_the_estimate_and_not_far_below(name):
    """Also: where a million times more than the last digit was lost, the estimate says so."""
    function, exact, points = LOSING[name]
    for x in points:
        value, error, _ = estimate(function, jnp.asarray(x))
        if exact is None:
            truth = Fraction(0)
            step = Fraction(x)
            while truth < 10:
                truth += step
            truth = mpmath.mpf(truth.numerator) / truth.denominator - 10
        else:
            with mpmath.workdps(50):
                truth = exact(mpmath.mpf(x))
        with mpmath.workdps(50):
            assert abs(mpmath.mpf(float(value)) - truth) <= float(error)
        if exact is None:  # the loop may end a step later, and the estimate must know
            continue
        scale = max(abs(x), abs(float(value)), 1 / abs(x) if "cos" in name else 1.0)
        assert float(error) < 1e-8 * scale**2


def test_the_smallest_eigenvalue_of_a_singular_matrix_is_no_counterexample():
    """λ_min of xxᵀ is 0; what eigh returns is of either sign."""
    signs = []
    for seed in range(5):
        x = jax.random.normal(jax.random.key(seed), (6, 2))
        value, error, _ = estimate(lambda x: jnp.linalg.eigvalsh(x @ x.T)[0], x)
        signs.append(float(value) < 0)
        assert abs(value) <= error < 1e-12
    assert any(signs)  # trusted to one rounding, some would be counterexamples


@pytest.mark.parametrize(
    "function",
    [
        lambda v: jnp.sum(jnp.where(v > 0, 1.0, 0.0)) - 3.0,  # counts in floats
        lambda v: jnp.max(v) - jnp.max(v),
        lambda v: jnp.floor(v[0]) * 2.0 + 1.0,
        lambda v: jnp.asarray(jnp.sum(jnp.sign(v)), float),
    ],
)
def test_what_is_exact_has_no_error(function):
    _, error, overflow = estimate(function, jnp.array([0.3, -1.7, 2.2]))
    assert (float(error), bool(overflow)) == (0.0, False)


@pytest.mark.parametrize(
    ("function", "wraps"),
    [
        (lambda n: n * n, True),
        (lambda n: n * n // n, True),
        (lambda n: n + 1, False),
        (lambda n: jnp.sum(jnp.full(40_000, n), dtype=jnp.int32), True),
        (lambda n: jax.lax.fori_loop(0, 3, lambda i, k: k * n, n), True),
        (lambda n: n.astype(jnp.uint8) - jnp.uint8(255), True),  # 70000 is 112 as a byte
    ],
)
def test_integers_that_wrap_around_are_seen(function, wraps):
    _, _, overflow = estimate(lambda n: function(n).astype(float), jnp.int32(70_000))
    assert bool(overflow) == wraps


def thirds(x):
    """Two numbers that are equal, and differ by a rounding as computed for these x."""
    return x * 0.1 * 3.0, x * 0.3


TIES = [0.3, 0.7, 1.1, 2.3, 5.9]
JUMPS = {
    "==": lambda a, b: jnp.where(a == b, 1.0, -1.0),
    "!=": lambda a, b: jnp.where(a != b, 1.0, -1.0),
    "<=": lambda a, b: jnp.where(a <= b, 1.0, -1.0),
    ">": lambda a, b: jnp.where(a > b, 1.0, -1.0),
    "sign": lambda a, b: jnp.sign(a - b),
    "floor": lambda a, b: jnp.floor(7.0 + (a - b)),
    "ceil": lambda a, b: jnp.ceil(7.0 + 1e8 * (a - b)),
    "round": lambda a, b: jnp.round(7.5 + (a - b)),
    "as an integer": lambda a, b: (7.0 * a / b).astype(int).astype(float),
    "cond": lambda a, b: jax.lax.cond(a < b, lambda: 1.0, lambda: -1.0),
    "in a scan": lambda a, b: jax.lax.scan(
        lambda c, _: (c + jnp.where(a < b, 1.0, 0.0), None), 0.0, length=3
    )[0],
    "all of them": lambda a, b: jnp.where(jnp.all(a == b), 1.0, -1.0),
}


@pytest.mark.parametrize("name", JUMPS)
def test_a_jump_that_rounding_decides_is_no_certain_value(name):
    """Both answers of a tie are seen, always; 2 % of ties may be missed by an accident of noise."""
    for x in TIES:
        _, error, _ = estimate(lambda x: JUMPS[name](*thirds(x)), x)
        assert error >= 1


KINKS = {
    "leaky relu": (lambda a, b: jnp.where(a >= b, a - b, 0.2 * (a - b)), 0.0),
    "relu and abs": (lambda a, b: jnp.maximum(a - b, 0.0) + jnp.abs(a - b), 0.0),
    "times its sign": (lambda a, b: (a - b) * jnp.sign(a - b), 0.0),
    "either": (lambda a, b: jnp.where(a == b, b, a), 0.3),
}


@pytest.mark.parametrize("name", KINKS)
def test_a_kink_that_rounding_decides_matters_no_more_than_rounding(name):
    kink, times = KINKS[name]
    for x in TIES:
        value, error, _ = estimate(lambda x: kink(*thirds(x)), x)
        assert abs(value - times * x) <= error < 1e-12


def beside(jump, apart):
    return lambda x: jump(thirds(x)[0] * (1 + apart), thirds(x)[1])


@pytest.mark.parametrize("name", JUMPS)
def test_a_jump_next_to_no_tie_is_certain(name):
    for apart in (1e-9, -1e-9, 1e-11, -1e-11):
        value, error, _ = estimate(beside(JUMPS[name], apart), 0.7)
        assert error <= 1e-5  # a half of the digits may see a tie
        assert value == beside(JUMPS[name], apart)(jnp.asarray(0.7))


def test_samplers_are_disturbed_too():
    """From the key on, so that digits lost in the sampler are lost digits."""

    def smallest(key):
        x = jax.random.normal(key, (6, 2))
        return jnp.linalg.eigvalsh(x @ x.T)[0]

    value, error, overflow = estimate(smallest, jax.random.key(3))
    assert abs(value) <= error < 1e-12
    assert not overflow  # hashes wrap around on purpose


def test_a_linear_solve_and_calls_inside_calls():
    def residual(a):
        solution = jnp.linalg.solve(a, jnp.ones(4))
        return jnp.sum(jax.nn.relu(a @ solution)) - 4.0

    a = jnp.asarray(1 / (np.arange(4)[:, None] + np.arange(4) + 1.0))  # condition 1.5e4
    value, error, _ = estimate(residual, a)
    assert abs(value) <= error < 1e-8


def test_single_precision_has_its_own_digits():
    with jax.enable_x64(False):
        value, error, _ = estimate(lambda x: x - jnp.log(1 + x), jnp.float32(1e-5))
    assert abs(float(value) - 5e-11) <= float(error) < 1e-4
    assert float(error) > 1e-8
