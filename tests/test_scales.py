"""Points of any size: the result is right, or no number, and never a wrong one.

The reference is the plain formula in NumPy's longdouble, whose exponents reach 10^±4932: nothing
overflows or underflows there. A result may be non-finite only where the terms that it is made of
are not numbers of float64, and 0 where they are below its smallest.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from theory import bounds, data, kernels, limits, maps, max_margin
from theory._scaling import maximum, minimum
from theory.linear_solve import inner_products

pytestmark = pytest.mark.skipif(
    np.finfo(np.longdouble).maxexp <= 1024, reason="longdouble is float64 on this machine"
)

N, Q, D, SLOPE = 4, 3, 5, 0.2
LONG, DOUBLE = np.longdouble, np.finfo(np.float64)
EPS = float(DOUBLE.eps)
Y = np.array([1.0, -1.0, -1.0, 1.0])
PI = LONG("3.14159265358979323846264338327950288")


def norm(v):
    return np.sqrt(np.sum(v * v, axis=-1))


def embedded(x, bias):
    e = x / np.sqrt(LONG(D))
    return np.hstack([e, np.ones((len(x), 1), LONG)]) if bias else e


def exact_angle(x, z, bias):
    u, v = (embedded(p, bias) / norm(embedded(p, bias))[:, None] for p in (x, z))
    chords = [norm(u[:, None] - s * v[None]) for s in (1, -1)]
    return 2 * np.arctan2(chords[0], chords[1])


def exact_phi(x, z, bias=True):
    return SLOPE + (1 - LONG(SLOPE)) ** 2 * (PI - exact_angle(x, z, bias)) / (2 * PI)


def sigma(x, bias=True):
    return norm(embedded(x, bias))


def sizes(x, z, bias=True):
    return np.abs(x) @ np.abs(z).T + bias


def exact_gradients(x, z):
    """∇_z of (1/n) Σ_k y_k Φ(x_k, z)(⟨x_k, z⟩ + 1), by hand."""
    theta, y = exact_angle(x, z, True)[..., None], Y[:, None, None]
    s_x, s_z = sigma(x)[:, None, None], sigma(z)[None, :, None]
    cosine_gradient = x[:, None] / (s_x * s_z) - np.cos(theta) * z[None] / s_z**2
    slope = (1 - LONG(SLOPE)) ** 2 / (2 * PI * D)
    kernel = slope * cosine_gradient / np.sin(theta) * (x @ z.T + 1)[..., None]
    return np.mean(y * (exact_phi(x, z)[..., None] * x[:, None] + kernel), axis=0)


def exact_erf(x, z, bias):
    a, b = sigma(x, bias)[:, None] ** 2, sigma(z, bias)[None] ** 2
    sine = np.sin(exact_angle(x, z, bias))
    return np.sqrt(1 + 2 * (a + b) + 4 * a * b * sine**2), np.sqrt((1 + 2 * a) * (1 + 2 * b))


def of_kernels(x, z):
    """name → (found, exact, size of the terms), compiled as one."""
    found = {}
    for bias in (True, False):
        found |= {
            ("angle", bias): kernels.angle(x, z, bias),
            ("phi", bias): kernels.derivative_kernel(x, z, SLOPE, bias),
            ("sigma", bias): kernels.standard_deviation(x, bias),
            ("nngp", bias): kernels.nngp(x, z, SLOPE, bias),
            ("hidden_ntk", bias): kernels.hidden_ntk(x, z, SLOPE, bias),
            ("erf derivative", bias): kernels.erf_derivative_kernel(x, z, bias),
            ("erf", bias): kernels.erf_nngp(x, z, bias),
        }
    y = jnp.array(Y)
    return found | {
        ("kappa", True): limits.kappa(x, z),
        ("f_hat", True): limits.f_hat(x, y, z, SLOPE),
        ("beta", True): limits.beta(x, y, z, SLOPE),
        ("signal", True): limits.signal(x, y, z, SLOPE),
        ("mean_gradients", True): limits.mean_gradients(x, y, SLOPE),
        ("signal_gradients", True): limits.signal_gradients(x, y, z, SLOPE),
        ("cosine_law", True): limits.cosine_law(x, SLOPE),
        ("reach", True): bounds.reach(x, y, z, 2.0),
        ("initial_bound", True): bounds.initial_bound(z, 7, SLOPE, 3.0),
        ("to_sphere", True): data.to_sphere(x),
        ("inner_products", True): inner_products(x, z).values,
    }


def reference(x, z):
    found = {}
    for bias in (True, False):
        theta, ones = exact_angle(x, z, bias), np.ones((N, Q), LONG)
        arc = (np.sin(theta) + (PI - theta) * np.cos(theta)) / (2 * PI)
        both = sigma(x, bias)[:, None] * sigma(z, bias)[None]
        phi, (root, lengths) = exact_phi(x, z, bias), exact_erf(x, z, bias)
        sine = root / lengths
        rho = 2 * both * np.cos(theta) / lengths
        found |= {
            ("angle", bias): (theta, ones),
            ("phi", bias): (phi, ones),
            ("sigma", bias): (sigma(x, bias), sigma(x, bias)),
            ("nngp", bias): (
                both * (SLOPE * np.cos(theta) + (1 - LONG(SLOPE)) ** 2 * arc),
                both,
            ),
            ("hidden_ntk", bias): (phi * (x @ z.T + bias), sizes(x, z, bias)),
            # Relative to itself over the sine, by which the error of the angle is magnified.
            ("erf derivative", bias): (4 / PI / root, 4 / PI / root / sine),
            ("erf", bias): (2 / PI * np.arctan2(rho, sine), ones),
        }
    y = Y[:, None]
    size, phi, inner = sizes(x, z), exact_phi(x, z), x @ z.T + 1
    pull = 2 * y * inner / N
    deviation = 6.0 / 7
    variance = min(
        1 + 2 * np.sqrt(3 / 7) + deviation,
        (1 + SLOPE**2) / 2 + np.sqrt(3 * (1 + SLOPE**4) * 3 / 7) + deviation,
    )
    length = norm(x)
    gradient_size = np.mean(norm(x)[:, None] * (1 + sizes(x, z) / (sigma(x)[:, None] * sigma(z)) / (
        np.sin(exact_angle(x, z, True)) ** 2)), axis=0)  # fmt: skip
    across = np.mean(sizes(x, z) / sigma(z) / np.sin(exact_angle(x, z, True)) ** 2, axis=0)
    return found | {
        ("kappa", True): (np.mean(np.abs(inner), axis=0), np.mean(size, axis=0)),
        ("f_hat", True): (np.mean(y * phi * (inner - 1), axis=0), np.mean(size, axis=0)),
        ("beta", True): (np.mean(y * phi, axis=0), np.ones(Q, LONG)),
        ("signal", True): (np.mean(y * phi * inner, axis=0), np.mean(size, axis=0)),
        ("mean_gradients", True): (
            exact_phi(x, x).T @ (y * x) / N,
            np.broadcast_to(np.mean(np.abs(x), axis=0), (N, D)),
        ),
        ("signal_gradients", True): (
            exact_gradients(x, z),
            np.broadcast_to((gradient_size + across)[:, None], (Q, D)),
        ),
        ("cosine_law", True): (
            length / np.sqrt(length**2 + (1 + LONG(SLOPE) ** 2) / 2),
            length / np.sqrt(length**2 + (1 + LONG(SLOPE) ** 2) / 2),
        ),
        ("reach", True): (
            np.stack([np.sum(np.maximum(s * pull, 0), axis=0) for s in (1, -1)]),
            np.broadcast_to(2 * np.mean(size, axis=0), (2, Q)),
        ),
        ("initial_bound", True): (
            sigma(z) * bounds.normal_quantile(3.0) * np.sqrt(variance),
            sigma(z) * 10,
        ),
        ("to_sphere", True): (x / length[:, None] * np.sqrt(LONG(D)), np.ones((N, D), LONG)),
        ("inner_products", True): (x @ z.T, sizes(x, z, False)),
    }


COMPILED = jax.jit(of_kernels)
POWERS = st.integers(-300, 300)
DIRECTIONS = np.random.default_rng(1).normal(size=(N + Q, D))


def check(found, exact, size):
    """Right to 200ε of the size, or below the smallest number; non-finite only beyond the largest.

    Results are made of at most a few dozen roundings of terms that add up to `size`, D = 5, N = 4.
    """
    found, size = np.asarray(found), np.asarray(size, LONG)
    exact = np.asarray(exact, LONG)
    finite = np.isfinite(found)
    error = np.abs(np.where(finite, found, 0) - np.where(finite, exact, 0))
    assert (error <= 200 * EPS * size + 100 * LONG(DOUBLE.tiny))[finite].all()
    assert (size > LONG(DOUBLE.max) / 1e6)[~finite].all()


@settings(max_examples=60)
@given(POWERS, POWERS, st.lists(POWERS, min_size=N, max_size=N))
def test_kernels_and_limits_at_any_size(of_x, of_z, each):
    """All points alike, or each of its own size."""
    for powers in (np.full(N, of_x), np.array(each)):
        x = DIRECTIONS[:N] * 10.0 ** powers[:, None]
        z = DIRECTIONS[N:] * 10.0**of_z
        found = COMPILED(jnp.array(x), jnp.array(z))
        exact = reference(x.astype(LONG), z.astype(LONG))
        assert found.keys() == exact.keys()
        for name, (value, size) in exact.items():
            check(found[name], value, size)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("power", [-30, -19, 0, 19, 20, 30, 37])
def test_angles_in_float32_at_any_size(power, bias):
    x = (DIRECTIONS * 10.0**power).astype(np.float32)
    found = kernels.angle(x, x, bias)
    error = np.abs(np.asarray(found, LONG) - exact_angle(x.astype(LONG), x.astype(LONG), bias))
    assert error.max() <= 3 * (D + 12) * np.finfo(np.float32).eps


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_near_orthogonality_does_not_depend_on_the_size_of_the_points(dtype):
    """Powers of two are exact: to the last bit; norms from 10^−30 to 10^30, 10^±280 in float64."""
    x = (np.eye(3, 4) + 0.01 * DIRECTIONS[:3, :4]).astype(dtype)
    at_one = max_margin.near_orthogonality(x, 0.5)
    squared = np.sum(x.astype(float) ** 2, axis=1)
    gram = np.abs(x.astype(float) @ x.astype(float).T) - np.diag(squared)
    expected = (0.125 * squared.min() ** 2 / (9 * squared.max() ** 2), gram.max() / squared.max())
    np.testing.assert_allclose(at_one, expected, rtol=0, atol=10 * np.finfo(dtype).eps)
    for power in (-100, -40, 40, 100) if dtype is np.float32 else (-930, -300, 300, 930):
        scaled = max_margin.near_orthogonality(np.ldexp(x, power), 0.5)
        np.testing.assert_array_equal(scaled, at_one)


@settings(max_examples=40)
@given(POWERS, st.lists(st.integers(-160, 160), min_size=3, max_size=3))
def test_multipliers_are_enclosed_at_any_size(power, each):
    """|λ_k − exact| ≤ the error claimed, which may be infinite; never certain and wrong."""
    base = np.eye(3, 4) + 0.1 * DIRECTIONS[:3, :4]
    for powers in (np.full(3, power), np.array(each)):
        x = base * 10.0 ** powers[:, None]
        limit = max_margin.max_margin_limit(jnp.array(x), jnp.array(Y[:3]), 0.5)
        error = float(limit.multiplier_error)
        if np.isinf(error):
            assert not (np.abs(powers) < 40).all() or np.ptp(powers) > 3  # no excuse for these
            continue
        # The multipliers of points s_k b_k: H = S H_b S, so λ = S⁻¹ H_b⁻¹ S⁻¹ (2·1).
        factor = np.where(Y[:3, None] == Y[None, :3], 1.25, -1.0)
        scale = LONG(10) ** powers
        exact = np.linalg.solve(factor * (base @ base.T), np.eye(3)).astype(LONG)
        exact = (exact / scale[:, None]) @ (2 / scale)
        found = np.asarray(limit.multipliers, LONG)
        # The reference itself is good to 1e-12 of its terms, and powers of ten are rounded.
        terms = (np.abs(np.linalg.inv(factor * (base @ base.T))) / scale[:, None]) @ (2 / scale)
        assert (np.abs(found - exact) <= error + 1e-11 * terms).all()


@pytest.mark.parametrize("power", [-300, -160, 0, 150, 300])
def test_maps_at_any_size(power):
    """f̂ on a plane of points of that size is `limits.f_hat` there, and non-finite beyond."""
    x = DIRECTIONS[:N] * 10.0**power
    plane = maps.class_means_plane(x, Y)
    alpha = np.array([-0.5, 1.0])
    found = np.asarray(maps.f_hat_map(plane, alpha, alpha, x, Y, SLOPE)).ravel()
    z = np.asarray(plane.points(jnp.array(alpha), jnp.array(alpha))).reshape(4, D).astype(LONG)
    long = x.astype(LONG)
    exact = np.mean(Y[:, None] * exact_phi(long, z) * (long @ z.T), axis=0)
    # The coordinates in the plane's span are good to a few ε times its condition number, about 10.
    check(found, exact, 20 * np.mean(sizes(long, z, False), axis=0))
    axes = maps.class_means_axes(x, Y)
    np.testing.assert_allclose(norm(np.stack([axes.u, axes.v])), 1, rtol=1e-14)


def test_a_reduction_of_many_entries_does_not_forget_nan():
    """XLA's own on CPU does: of 4096 entries in a batch, and of 100 000 alone."""
    v = jnp.zeros(100_000).at[jnp.array([5, 50_000])].set(jnp.nan)
    batch = v[:10_000].reshape(1, -1).repeat(16, axis=0)
    for reduction in (maximum, minimum):
        assert np.isnan(jax.jit(reduction)(v))
        assert np.isnan(jax.jit(jax.vmap(reduction))(batch)).all()
    assert (maximum(jnp.arange(9.0)), minimum(jnp.arange(9.0))) == (8, 0)
