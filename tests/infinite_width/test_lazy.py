"""Infinite-width predictions: against sums term by term, wide networks, and neural-tangents."""

import itertools
import math

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
import scipy.linalg
from hypothesis import given
from hypothesis import strategies as st

from theory.infinite_width import _neural_tangents, bounds, function_space, kernels, lazy
from theory.networks.descent import Descent, descent_for_time
from theory.networks.network import Params, frozen_readout, init, input_gradients, outputs
from theory.networks.training import train
from theory.statements.lazy.rounding import limit_rounding, pre_activation_rounding

EPS = float(np.finfo(np.float64).eps)
SLOPES = (0.0, 0.01, 0.5, 0.99)
N, Q, D = 6, 4, 3

RNG = np.random.default_rng(0)
X, Z = RNG.normal(size=(N, D)), RNG.normal(size=(Q, D))
Y = np.array([1.0, -1.0, 1.0, 1.0, -1.0, -1.0])
ALPHA = RNG.uniform(0.5, 2.0, N)

x, y, z, alpha = (jnp.array(v) for v in (X, Y, Z, ALPHA))


# --- sums term by term ----------------------------------------------------------------------------


def phi(p, q, slope):
    """Φ by arccos: different points are generic here, so nothing cancels."""
    cosine = (p @ q / D + 1) / math.sqrt((p @ p / D + 1) * (q @ q / D + 1))
    angle = 0.0 if np.array_equal(p, q) else math.acos(cosine)
    return slope + (1 - slope) ** 2 * (math.pi - angle) / (2 * math.pi)


def sums(slope):
    """Each quantity of `limits` from its definition, one term after the other."""
    pairs = list(zip(X, Y, ALPHA, strict=True))
    return {
        "kappa": [sum(abs(p @ q + 1) for p in X) / N for q in Z],
        "f_hat": [sum(b * phi(p, q, slope) * (p @ q) for p, b, _ in pairs) / N for q in Z],
        "beta": [sum(b * phi(p, q, slope) for p, b, _ in pairs) / N for q in Z],
        "signal": [sum(b * t * phi(p, q, slope) * (p @ q + 1) for p, b, t in pairs) / N for q in Z],
        "mean_gradients": [sum(b * t * phi(p, q, slope) * p for p, b, t in pairs) / N for q in X],
        "unit_mean_gradients": [sum(b * phi(p, q, slope) * p for p, b, t in pairs) / N for q in X],
    }


@jax.jit
def all_limits(x, y, z, alpha):
    return {
        slope: {
            "kappa": lazy.kappa(x, z),
            "f_hat": lazy.f_hat(x, y, z, slope),
            "beta": lazy.beta(x, y, z, slope),
            "signal": lazy.signal(x, y, z, slope, alpha),
            "mean_gradients": lazy.mean_gradients(x, y, slope, alpha),
            "unit_mean_gradients": lazy.mean_gradients(x, y, slope),
            "unit_signal": lazy.signal(x, y, z, slope),
        }
        for slope in SLOPES
    }


def test_limits_term_by_term():
    """To 1000 roundings: terms are of order 10, and arccos at sin θ ≥ 0.1 loses a digit."""
    for slope, values in all_limits(x, y, z, alpha).items():
        for name, expected in sums(slope).items():
            np.testing.assert_allclose(values[name], expected, rtol=0, atol=1000 * EPS)
        np.testing.assert_allclose(
            values["unit_signal"], values["f_hat"] + values["beta"], rtol=0, atol=1000 * EPS
        )


# --- wide networks --------------------------------------------------------------------------------

TIME, SLOPE = 1.0, 0.3
WIDE_X = jnp.array(np.random.default_rng(1).normal(size=(16, D)) + 2.0)
WIDE_Y = jnp.where(jnp.arange(16) % 8 == 0, -1.0, 1.0)
QUERIES = jnp.array(np.random.default_rng(2).normal(size=(8, D)) + 2.0)


def deviations(width, keys):
    """f(z; T) − f(z; 0) − T k(z) of one network a key, at eight points, and T k(z)."""
    network, descent = frozen_readout(SLOPE), descent_for_time(TIME, 5, 0.5)

    @jax.jit
    def compute(keys):
        def change(key):
            start = init(network, key, width, D)
            end = train(network, start, WIDE_X, WIDE_Y, descent).params
            return outputs(end, QUERIES, SLOPE) - outputs(start, QUERIES, SLOPE)

        limit = TIME * lazy.signal(WIDE_X, WIDE_Y, QUERIES, SLOPE)
        return jax.lax.map(change, keys) - limit[None, :], limit

    return [np.asarray(part) for part in compute(keys)]


@pytest.mark.slow
def test_a_network_of_width_65536_is_at_the_limit(key):
    """Within the bound, which is narrow enough there to keep any other limit out."""
    deviation, limit = deviations(2**16, key[None])
    # Eight points at 4e^{−s} each: a false alarm for one key in 10⁶.
    s = bounds.output_exponent(1e-6 / 8, parts=2)
    bound = bounds.output_bound(WIDE_X, WIDE_Y, QUERIES, 2**16, SLOPE, TIME, s).trained
    assert (np.abs(deviation[0]) <= bound).all()
    assert np.max(bound / np.abs(limit)) < 0.25


def test_the_distance_to_the_limit_falls_like_one_over_the_root_of_the_width(key):
    """Root mean square over 64 networks: from width 2^8 to 2^12 a quarter, so 1/8 < ratio < 1/2.

    Were the deviations normal, and each network's eight no better than one, then F(64, 64) would
    be outside (¼, 4) with probability 1e-7; they are sums over ≥ 256 neurons.
    """
    keys = jax.random.split(key, 64)
    wide, narrow = (np.linalg.norm(deviations(width, keys)[0]) for width in (2**12, 2**8))
    assert 1 / 8 < wide / narrow < 1 / 2


# --- gradients at initialization, and the cosine law ----------------------------------------------


def test_initial_gradients_have_the_stated_covariance():
    """((1 + γ²)/2) I/d at small m and d too, with biases, at any point.

    Means of 12 products over 100 000 networks at 6 standard errors, 2e-9 each by the central limit
    theorem: in all less than 1e-6, whatever the tails of the products make of it.
    """
    draws, slope, point = 100_000, 0.4, jnp.array([[1.0, -2.0]])

    @jax.jit
    def gradients(keys):
        return jax.vmap(
            lambda key: input_gradients(init(frozen_readout(slope), key, 2, 2), point, slope)[0]
        )(keys)

    g = np.asarray(gradients(jax.random.split(jax.random.key(4), draws)))
    products = g[:, :, None] * g[:, None, :]
    expected = lazy.initial_gradient_variance(slope) * np.eye(2) / 2
    error = products.std(axis=0) / math.sqrt(draws)
    assert (np.abs(products.mean(axis=0) - expected) <= 6 * error).all()
    assert lazy.initial_gradient_variance(slope) == (1 + slope**2) / 2


@given(st.floats(0.01, 10), st.sampled_from(SLOPES))
def test_cosine_law_is_the_angle_to_an_orthogonal_noise(norm, slope):
    """v + ξ with ξ ⊥ v of squared norm (1 + γ²)/2 is at the cosine ‖v‖/‖v + ξ‖ to v."""
    learned, noise = np.array([norm, 0.0]), np.array([0.0, math.sqrt((1 + slope**2) / 2)])
    cosine = learned @ (learned + noise) / np.linalg.norm(learned) / np.linalg.norm(learned + noise)
    actual = lazy.cosine_law(jnp.array(learned)[None, :], slope)
    np.testing.assert_allclose(actual, [cosine], rtol=10 * EPS)


def test_cosine_law_in_trained_networks(key):
    """Mean over 64 initializations and all samples, d = 200.

    The spread over initializations is (1 − c²)^{3/2}/√d, so five standard errors are a false alarm
    of 6e-7. The law is a first order: its errors are of order 1/d (the noise's length and its part
    along v) and T/√m (neurons that switch, and the kernel's fluctuation).
    """
    n, d, m, inits, slope, time = 40, 200, 2000, 64, 0.2, 0.3
    rng = np.random.default_rng(5)
    labels = np.where(np.arange(n) % 2 == 0, 1.0, -1.0)
    points = jnp.array(rng.normal(size=(n, d)) + 0.3 * labels[:, None])
    labels, network = jnp.array(labels), frozen_readout(slope)
    learned = time * lazy.mean_gradients(points, labels, slope)

    @jax.jit
    def cosines(keys):
        def one(key):
            start = init(network, key, m, d)
            end = train(network, start, points, labels, descent_for_time(time, 3)).params
            g = input_gradients(end, points, slope)
            norms = jnp.linalg.norm(g, axis=1) * jnp.linalg.norm(learned, axis=1)
            return jnp.sum(g * learned, axis=1) / norms

        return jax.lax.map(one, keys)

    measured = np.mean(cosines(jax.random.split(key, inits)))
    predicted = np.asarray(lazy.cosine_law(learned, slope))
    assert 0.5 < predicted.min() < predicted.max() < 0.9  # where the law says something
    spread = (1 - predicted.min() ** 2) ** 1.5 / math.sqrt(d)
    tolerance = 5 * spread / math.sqrt(inits) + 2 / d + time / math.sqrt(m)
    assert tolerance < 0.04  # with ‖ξ‖² = 1 + γ² instead of half of it the cosine is 0.1 lower
    assert abs(measured - predicted.mean()) <= tolerance


@pytest.mark.parametrize("slope", SLOPES)
def test_signal_gradients_are_those_of_the_signal(slope):
    """Away from the training points, where k is smooth, by automatic differentiation."""
    by_jax = jax.vmap(jax.grad(lambda p: lazy.signal(x, y, p[None, :], slope)[0]))(z)
    actual = lazy.signal_gradients(x, y, z, slope)
    np.testing.assert_allclose(actual, by_jax, rtol=1e-10, atol=1e-12)


def test_signal_gradients_at_a_training_point_are_central_differences():
    """The peak of Φ(x_k, ·) at x_k is symmetric, so central differences do not see it."""
    step = 1e-5
    for j in range(D):
        shift = jnp.zeros(D).at[j].set(step)
        ends = [lazy.signal(x, y, x[:1] + side * shift[None, :], 0.2)[0] for side in (1, -1)]
        expected = (ends[0] - ends[1]) / (2 * step)
        actual = lazy.signal_gradients(x, y, x[:1], 0.2)[0, j]
        # The two sides of the peak differ by σ's slope: first order in the step.
        assert float(actual) == pytest.approx(float(expected), abs=1e-4)


def test_cosine_law_tolerance_falls_with_the_width_to_what_no_width_mends():
    tolerances = [
        lazy.cosine_law_tolerance(x, y, m, 0.3, 1.0) for m in (100, 10_000, 10**6, 10**14)
    ]
    assert all((wide < narrow).all() for narrow, wide in itertools.pairwise(tolerances))
    # T√(3E‖G‖²/m) sin/√(‖v‖² + …): ten times smaller at a hundred times the width.
    narrow, wide = (tolerances[i] - tolerances[3] for i in (0, 1))
    np.testing.assert_allclose(narrow, 10 * wide, rtol=1e-5)


# --- training in function space -------------------------------------------------------------------


@pytest.fixture(scope="module")
def ntks():
    """The infinite-width kernels, train-train and test-train."""
    ntk = jax.jit(kernels.hidden_ntk, static_argnums=2)
    return ntk(x, x, SLOPE), ntk(z, x, SLOPE)


M = 12


@pytest.fixture(scope="module")
def linearized():
    """A network's initial outputs and Jacobian over (w, b), at the training and query points."""
    params = init(frozen_readout(SLOPE), jax.random.key(6), M, D)

    def f(hidden, points):
        w, b = hidden
        return outputs(Params(w, b, params.a), points, SLOPE)

    @jax.jit
    def rows(hidden, points):
        parts = jax.tree.leaves(jax.jacrev(f)(hidden, points))
        return f(hidden, points), jnp.concatenate([p.reshape(len(points), -1) for p in parts], 1)

    train_0, train_jacobian = rows(params[:2], x)
    test_0, test_jacobian = rows(params[:2], z)
    return params, f, *map(np.asarray, (train_0, train_jacobian, test_0, test_jacobian))


DERIVATIVES = {
    "identity": np.ones_like,
    "logistic": lambda s: 1 / (1 + np.exp(-s)),
    "squared": lambda s: 1 + s,
}


@pytest.mark.parametrize("nesterov", [False, True])
@pytest.mark.parametrize("loss", DERIVATIVES)
def test_function_space_descent_trains_the_linearized_network(loss, nesterov, linearized):
    """The same path as f_0 + J(θ − θ_0) under descent in θ, a NumPy loop over the parameters."""
    params, f, train_0, train_jacobian, test_0, test_jacobian = linearized
    steps, rate, momentum = 20, 0.3, 0.7
    change = np.zeros(train_jacobian.shape[1])
    velocity, train_path, test_path = np.zeros_like(change), [], []
    for _ in range(steps):
        s = -Y * (train_0 + train_jacobian @ change)
        gradient = train_jacobian.T @ (-Y * DERIVATIVES[loss](s)) / N
        velocity = momentum * velocity + gradient
        change = change - rate * (gradient + momentum * velocity if nesterov else velocity)
        train_path.append(train_0 + train_jacobian @ change)
        test_path.append(test_0 + test_jacobian @ change)

    path = function_space.function_space_descent(
        kernels.finite_hidden_ntk(params, x, x, SLOPE),
        kernels.finite_hidden_ntk(params, z, x, SLOPE),
        y,
        Descent(rate, steps, loss, momentum, nesterov),
        jnp.array(train_0),
        jnp.array(test_0),
    )
    # Each step rounds outputs of order 1 some M(D + 1) times, and errors contract under descent.
    tolerance = steps * M * (D + 1) * EPS * max(1.0, np.abs(test_path).max())
    np.testing.assert_allclose(path.train, train_path, rtol=0, atol=tolerance)
    np.testing.assert_allclose(path.test, test_path, rtol=0, atol=tolerance)

    # The weights rebuild the parameters, and neural-tangents' linearized network agrees there.
    rebuilt = train_jacobian.T @ (Y * np.asarray(path.weights)) / N
    np.testing.assert_allclose(rebuilt, change, rtol=0, atol=tolerance)
    hidden = (
        params.w + change[: M * D].reshape(M, D),
        params.b + change[M * D :],
    )
    linear = _neural_tangents.load().linearize(f, params[:2])(hidden, z)
    np.testing.assert_allclose(linear, test_path[-1], rtol=0, atol=tolerance)


def test_function_space_descent_from_zero_under_the_identity_loss(ntks):
    """From zero outputs by default; α = T."""
    descent = Descent(0.1, 7, momentum=0.5)
    kernel, test_kernel = ntks
    path = function_space.function_space_descent(kernel, test_kernel, y, descent)
    signal = descent.time * np.asarray(test_kernel @ y) / N
    np.testing.assert_allclose(path.weights, descent.time, rtol=30 * EPS)
    np.testing.assert_allclose(path.test[-1], signal, rtol=0, atol=1000 * EPS)
    assert path.train.shape == (7, N)
    assert path.test.shape == (7, Q)


# --- gradient flow under the squared loss ---------------------------------------------------------

F_TRAIN, F_TEST = RNG.normal(size=N), RNG.normal(size=Q)
TIMES = (0.0, 0.5, 10.0, 1e4)


def flow(kernel, test_kernel, time):
    return np.asarray(
        function_space.gradient_flow_mse(
            kernel, test_kernel, y, time, jnp.array(F_TRAIN), jnp.array(F_TEST)
        )
    )


def test_gradient_flow_is_that_of_neural_tangents(ntks):
    """To 1e-9: neural-tangents solves with K, of condition number 100 or so."""
    kernel, test_kernel = ntks
    predict = _neural_tangents.load().predict.gradient_descent_mse(kernel, y[:, None])
    initial = jnp.array(F_TRAIN)[:, None], jnp.array(F_TEST)[:, None]
    for time in TIMES:
        _, theirs = predict(time, *initial, test_kernel)
        np.testing.assert_allclose(flow(kernel, test_kernel, time), theirs[:, 0], rtol=0, atol=1e-9)


def test_gradient_flow_is_a_matrix_exponential(ntks):
    """df/dt = −(1/n) K (f − y), as one linear system for training and test outputs together."""
    kernel, test_kernel = (np.asarray(k) for k in ntks)
    generator = np.zeros((N + Q, N + Q))
    generator[:N, :N], generator[N:, :N] = -kernel / N, -test_kernel / N
    for time in TIMES[:3]:
        moved = scipy.linalg.expm(generator * time) @ np.concatenate([F_TRAIN - Y, F_TEST])
        # expm of a norm of 50 squares six times, each of which may double the rounding.
        np.testing.assert_allclose(
            flow(kernel, test_kernel, time), moved[N:], rtol=0, atol=1e4 * EPS
        )


def test_gradient_flow_when_the_kernel_is_singular():
    """Directions of eigenvalue 0 do not move, and pull the test points at a constant rate."""
    time, ones, across = 3.0, jnp.ones((N, N)), jnp.ones((Q, N))
    # K = 1: only the mean of y − f_0 moves, at the rate λ/n = 1.
    expected = F_TEST + (1 - math.exp(-time)) * np.mean(Y - F_TRAIN)
    np.testing.assert_allclose(flow(ones, across, time), expected, rtol=0, atol=100 * EPS)
    # K = 0: df(z)/dt = (1/n) Σ_k (y_k − f_0(x_k)) for ever.
    expected = F_TEST + time * np.mean(Y - F_TRAIN)
    np.testing.assert_allclose(flow(0 * ones, across, time), expected, rtol=0, atol=100 * EPS)


def test_gradient_flow_is_the_limit_of_descent(ntks):
    """The error is of first order in the step: halving it halves the error, up to its square."""
    (kernel, test_kernel), time, errors = ntks, 5.0, []
    for steps in (500, 1000, 2000):
        path = function_space.function_space_descent(
            kernel,
            test_kernel,
            y,
            descent_for_time(time, steps, loss="squared"),
            jnp.array(F_TRAIN),
            jnp.array(F_TEST),
        )
        errors.append(np.asarray(path.test[-1]) - flow(kernel, test_kernel, time))
    ratios = np.linalg.norm(errors[:-1], axis=1) / np.linalg.norm(errors[1:], axis=1)
    # Relative corrections of the order λη, with η = 5/500 at most.
    top = np.linalg.eigvalsh(ntks[0]).max() / N * time / 500
    np.testing.assert_allclose(ratios, 2.0, rtol=2 * top)
    assert top < 0.1


@pytest.mark.parametrize("slope", SLOPES)
@pytest.mark.parametrize("m", [1, 3])
def test_initial_excess_kurtosis_by_quadrature(slope, m):
    """E f⁴ = (3/m²)(m E φ⁴ + m(m − 1)(E φ²)²), both moments by the trapezoidal rule."""
    h = np.linspace(0, 12, 100_001)
    density = 2 * np.exp(-(h**2) / 2) / math.sqrt(2 * math.pi)
    second, fourth = (np.trapezoid((h**p + (slope * h) ** p) / 2 * density, h) for p in (2, 4))
    expected = 3 / m**2 * (m * fourth + m * (m - 1) * second**2) / second**2 - 3
    assert lazy.initial_excess_kurtosis(m, slope) == pytest.approx(expected, rel=1e-7)


def test_initial_excess_kurtosis_of_the_relu():
    assert lazy.initial_excess_kurtosis(5, 0.0) == pytest.approx(3.0)


# --- rounding, where ⟨x, z⟩ is nearly −1 ----------------------------------------------------------


def nearly_opposite(seed, n, d, dtype):
    """n points with ⟨x_k, z⟩ + 1 = 0 up to the rounding of their coordinates, and z."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=d)
    x = rng.normal(size=(n, d)) * 10.0 ** rng.uniform(0, 2)
    x = x - ((x @ z + 1) / (z @ z))[:, None] * z
    return x.astype(dtype), np.sign(rng.normal(size=n)).astype(dtype), z.astype(dtype)[None]


def exact_signal_at(x, y, z):
    """k(z) and κ(z) in 60 digits."""
    n, d = x.shape
    of_z = [mpmath.mpf(float(v)) for v in z[0]]
    signal = size = mpmath.mpf(0)
    for row, label in zip(x, y, strict=True):
        of_x = [mpmath.mpf(float(v)) for v in row]
        inner = mpmath.fsum(a * b for a, b in zip(of_x, of_z, strict=True))
        q_x, q_z = (mpmath.fsum(a * a for a in p) / d + 1 for p in (of_x, of_z))
        across = mpmath.sqrt(max(q_x * q_z - (inner / d + 1) ** 2, 0))
        theta = mpmath.atan2(across, inner / d + 1)
        slope = mpmath.mpf(SLOPE)
        phi = slope + (1 - slope) ** 2 * (mpmath.pi - theta) / (2 * mpmath.pi)
        signal += int(label) * phi * (inner + 1)
        size += abs(inner + 1)
    return signal / n, size / n


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rounding_of_the_limit_is_bounded_where_inner_products_cancel(dtype):
    """⟨x, z⟩ ≈ −1: errors keep to their bounds, signs are never wrong for certain.

    Relative to κ(z), which is what is left after cancellation, the bounds would be too small in
    every case: that is checked, too.
    """
    by_kappa, signs = 0, 0
    for seed in range(40):
        n, d = 1 + seed % 5, 1 + seed
        x, y, z = nearly_opposite(seed, n, d, dtype)
        with mpmath.workdps(60):
            signal, kappa = exact_signal_at(x, y, z)
            found = float(lazy.signal(x, y, z, SLOPE)[0])
            size = float(lazy.kappa(x, z)[0])
            error = float(abs(mpmath.mpf(found) - signal))
            kappa_error = float(abs(mpmath.mpf(size) - kappa))
        bound = float(limit_rounding(jnp.array(x), jnp.array(z), 1.0)[0])
        assert error <= bound
        assert kappa_error <= bound
        by_kappa += error > (n + d + 8) * np.finfo(dtype).eps * size
        signs += abs(found) > bound and np.sign(found) != np.sign(float(signal))
    assert signs == 0
    assert by_kappa > 20


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rounding_of_pre_activations_is_bounded_where_gradients_cancel(dtype):
    """One step of descent moves h_i(z) by T a_i (1/n) Σ_k y_kφ'_k(⟨x_k, z⟩ + 1), in 60 digits."""
    beyond = 0
    for seed in range(20):
        d, m = (3, 9, 15, 22)[seed % 4], 4  # each is compiled anew
        x, y, z = nearly_opposite(seed, 3, d, dtype)
        start = init(frozen_readout(SLOPE), jax.random.key(seed), m, d)
        start = jax.tree.map(lambda part: part.astype(dtype), start)
        after = train(frozen_readout(SLOPE), start, x, y, Descent(1.0, 1)).params
        moved = np.asarray(after.w, np.longdouble) - np.asarray(start.w, np.longdouble)
        shift = np.asarray(after.b, np.longdouble) - np.asarray(start.b, np.longdouble)
        h = moved @ z[0].astype(np.longdouble) + shift  # of the rounded weights, without rounding
        at_x = np.asarray(start.w, np.longdouble) @ x.T.astype(np.longdouble)
        active = np.where(at_x + np.asarray(start.b, np.longdouble)[:, None] >= 0, 1, SLOPE)
        inner = x.astype(np.longdouble) @ z[0].astype(np.longdouble) + 1
        exact = np.asarray(start.a, np.longdouble) * (active @ (y * inner)) / 3
        error = np.abs(h - exact)
        bound = pre_activation_rounding(start, jnp.array(x), jnp.array(z), 1.0, 1)[0]
        assert (error <= np.asarray(bound)).all()
        left = np.abs(np.asarray(start.a)) * float(lazy.kappa(x, z)[0])
        beyond += (error > 100 * np.finfo(dtype).eps * left).any()
    assert beyond > 10  # so κ(z) is no measure of it
