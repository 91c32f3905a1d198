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

from theory import networks
from theory._scaling import maximum, minimum
from theory.certificates import max_margin, projections
from theory.certificates.linear_solve import inner_products
from theory.data import sampling
from theory.infinite_width import bounds, crossings, discretization, kernels, lazy, maps
from theory.networks import embedding
from theory.perturbations import after_training, classifiers

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
            ("sigma", bias): embedding.standard_deviation(x, bias),
            ("nngp", bias): kernels.nngp(x, z, SLOPE, bias),
            ("hidden_ntk", bias): kernels.hidden_ntk(x, z, SLOPE, bias),
            ("erf derivative", bias): kernels.erf_derivative_kernel(x, z, bias),
            ("erf", bias): kernels.erf_nngp(x, z, bias),
        }
    y = jnp.array(Y)
    return found | {
        ("kappa", True): lazy.kappa(x, z),
        ("f_hat", True): lazy.f_hat(x, y, z, SLOPE),
        ("beta", True): lazy.beta(x, y, z, SLOPE),
        ("signal", True): lazy.signal(x, y, z, SLOPE),
        ("mean_gradients", True): lazy.mean_gradients(x, y, SLOPE),
        ("signal_gradients", True): lazy.signal_gradients(x, y, z, SLOPE),
        ("cosine_law", True): lazy.cosine_law(x, SLOPE),
        ("reach", True): bounds.reach(x, y, z, 2.0),
        ("initial_bound", True): bounds.initial_bound(z, 7, SLOPE, 3.0),
        ("to_sphere", True): sampling.to_sphere(x),
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
    """f̂ on a plane of points of that size is `lazy.f_hat` there, and non-finite beyond."""
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


# --- what is of a known degree in the points or the weights ---------------------------------------

TWO = [-960, -600, -300, 300, 600, 960]  # powers of two, 10^−289 to 10^289
LABELS = jnp.array([1.0, -1.0, -1.0, 1.0])
NETWORK = networks.init(networks.all_trained(), jax.random.key(4), 6, D)
MOVED = networks.init(networks.all_trained(), jax.random.key(5), 6, D)


def scaled_like(found, at_one, power, rtol=1e-12, **kwargs):
    """found = 2^power·at_one to rounding; ±∞ beyond the largest number, 0 below the smallest."""
    with np.errstate(over="ignore"):
        expected = np.ldexp(np.asarray(at_one), power)
    np.testing.assert_allclose(np.asarray(found), expected, rtol=rtol, **kwargs)


@pytest.mark.slow
@pytest.mark.parametrize("power", TWO)
def test_the_movement_of_training_at_any_size_of_the_points(power):
    """‖Δ‖² has degree −2 in the points where labels outweigh the outputs; η −2, E S* 0."""
    x = jnp.asarray(DIRECTIONS[:N])
    small, far = jnp.ldexp(x, -300), jnp.ldexp(x, power)
    if power < 0:
        at_small, found = (after_training.predicted_movement(p, Y, 50) for p in (small, far))
        for part in (0, 1):
            scaled_like(found[part], at_small[part], -2 * (power + 300))
    at_one = after_training.fastest_descent(x, 50, 7)
    descent = after_training.fastest_descent(far, 50, 7)
    scaled_like(descent.learning_rate, at_one.learning_rate, -2 * power)
    scaled_like(descent.momentum, at_one.momentum, 0)
    scaled_like(
        after_training.predicted_alignment(far, 50), after_training.predicted_alignment(x, 50), 0
    )


@pytest.mark.parametrize("of_w", [-500, -100, 0, 100, 500])
@pytest.mark.parametrize("of_a", [-500, -100, 0, 100, 500])
def test_alignment_terms_at_any_size_of_the_weights(of_a, of_w):
    """Of degree 2 in a and in w; the error is one at every size, and never 0."""
    x = jnp.asarray(DIRECTIONS[:N])

    def sized(params):
        return params._replace(w=jnp.ldexp(params.w, of_w), a=jnp.ldexp(params.a, of_a))

    at_one = after_training.alignment_terms(NETWORK, MOVED, x)
    found = after_training.alignment_terms(sized(NETWORK), sized(MOVED), x)
    for name in set(found._fields) - {"error"}:
        scaled_like(getattr(found, name), getattr(at_one, name), 2 * (of_a + of_w))
    with np.errstate(over="ignore"):
        least = np.ldexp(np.asarray(at_one.error), 2 * (of_a + of_w))
    assert (np.asarray(found.error) >= least * (1 - 1e-12)).all()
    assert (np.asarray(found.error) > 0).all()


@pytest.mark.parametrize("power", [-100, 100])
def test_finite_kernels_at_any_size_of_the_readout(power):
    """Σ_i a_i²…⟨x, z⟩ where a² = 2^±1200 is no number, but its product with ⟨x, z⟩ is one."""
    x = jnp.asarray(DIRECTIONS[:N])
    network = networks.Network(0.2, bias=False, readout="gaussian", trained=("w",))
    params = NETWORK._replace(a=jnp.ldexp(NETWORK.a, 6 * power))
    far = jnp.ldexp(x, -5 * power)
    at_one = kernels.finite_ntk(network, NETWORK, x, x)
    scaled_like(kernels.finite_ntk(network, params, far, far), at_one, 2 * power)
    at_one = kernels.finite_hidden_ntk(NETWORK, x, x, 0.2, bias=False)
    scaled_like(kernels.finite_hidden_ntk(params, far, far, 0.2, bias=False), at_one, 2 * power)


@pytest.mark.parametrize("power", TWO)
def test_projections_at_any_size_enclose_the_truth(power):
    """The error scales with the vector, whatever the points' size, and is never below the truth."""
    x, u = jnp.asarray(DIRECTIONS[:3]), jnp.asarray(DIRECTIONS[5])
    at_one = projections.project_out(u, x)
    long = np.asarray(x, LONG)
    coefficients = np.linalg.solve(np.asarray(x @ x.T), np.asarray(x @ u)).astype(LONG)
    for _ in range(3):  # refined in longdouble
        rest = np.asarray(u, LONG) - coefficients @ long
        step = np.linalg.solve(np.asarray(x @ x.T), (long @ rest).astype(float))
        coefficients = coefficients + step
    exact = np.asarray(u, LONG) - coefficients @ long
    for vector, points, by in ((u, jnp.ldexp(x, power), 0), (jnp.ldexp(u, power), x, power)):
        found = projections.project_out(vector, points)
        off = np.sqrt(np.sum((np.ldexp(np.asarray(found.value, LONG), -by) - exact) ** 2))
        error = np.ldexp(LONG(float(found.error)), -by)
        assert 0 < off <= error < 100 * float(at_one.error)


@pytest.mark.parametrize("power", TWO)
def test_linear_probes_at_any_size_of_the_points(power):
    """Points over their root mean square are the same points."""
    x = jnp.asarray(np.concatenate([DIRECTIONS, -DIRECTIONS]))
    labels = jnp.repeat(jnp.array([0, 1]), len(DIRECTIONS))
    at_one = classifiers.fit_probe(x, labels, classes=2)
    found = classifiers.fit_probe(jnp.ldexp(x, power), labels, classes=2)
    scaled_like(found.scale, at_one.scale, power)
    np.testing.assert_allclose(found.weights, at_one.weights, rtol=1e-9, atol=1e-12)


def test_the_distance_from_flow_at_any_unit_of_time():
    """ηΛ is a pure number: with K over 2^k and η times 2^k the bound has degree −½ − ½."""
    kernel = jnp.eye(3) + 0.2
    args = jnp.ones(2), jnp.ones(3), jnp.zeros(3)
    at_one = discretization.descent_from_flow_logistic(kernel, *args, 0.1, 5)
    for power in (-900, -600, 600, 900):
        small = jnp.ldexp(kernel, -power)
        found = discretization.descent_from_flow_logistic(small, *args, 0.1 * 2.0**power, 5)
        scaled_like(found, at_one, power // 2)


def test_shares_of_points_whose_products_are_no_numbers_are_none():
    x = jnp.asarray(DIRECTIONS[:N])
    far = x * 1e160
    for slope in (0.0, 0.2):
        found = crossings.changed_share(jax.random.key(0), far, LABELS, far[:2], 10.0, slope, 1.0)
        assert np.isnan(np.stack(found)).all()
    near = crossings.changed_share(jax.random.key(0), x * 1e100, LABELS, x[:2], 1e210, 0.2, 1.0)
    assert np.isfinite(np.stack(near)).all()


@pytest.mark.parametrize("power", [-300, -200, 200, 300])
def test_outputs_and_gradients_of_networks_at_any_size(power):
    """f has degree 1 in the points and in a, ∇f degree 0 and 1."""
    x = jnp.asarray(DIRECTIONS[:N])
    f, g = networks.outputs(NETWORK, x, 0.2), networks.input_gradients(NETWORK, x, 0.2)
    far = jnp.ldexp(x, power)
    scaled_like(networks.outputs(NETWORK, far, 0.2), f, power)
    scaled_like(networks.apply(networks.all_trained(0.2), NETWORK, far), f, power)
    scaled_like(networks.input_gradients(NETWORK, far, 0.2), g, 0)
    params = NETWORK._replace(a=jnp.ldexp(NETWORK.a, 2 * power))
    scaled_like(networks.outputs(params, jnp.ldexp(x, -power), 0.2), f, power)
    scaled_like(networks.input_gradients(params, x, 0.2), g, 2 * power)


def test_a_reduction_of_many_entries_does_not_forget_nan():
    """XLA's own on CPU does: of 4096 entries in a batch, and of 100 000 alone."""
    v = jnp.zeros(100_000).at[jnp.array([5, 50_000])].set(jnp.nan)
    batch = v[:10_000].reshape(1, -1).repeat(16, axis=0)
    for reduction in (maximum, minimum):
        assert np.isnan(jax.jit(reduction)(v))
        assert np.isnan(jax.jit(jax.vmap(reduction))(batch)).all()
    assert (maximum(jnp.arange(9.0)), minimum(jnp.arange(9.0))) == (8, 0)
