"""What `theory` relies on in neural-tangents 0.6.5, on the JAX that is installed.

Each quantity is compared with one that neural-tangents had no part in: a closed form, a derivative
by hand, a matrix exponential or an ODE solution of SciPy, or a sum with an exact or bounded
distribution. Everything runs in float32 and float64, whatever the global setting is.
"""

import math
import os
import pathlib
import subprocess
import sys
import textwrap

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.integrate
import scipy.linalg
import scipy.special
import scipy.stats

from theory.infinite_width import _neural_tangents

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
DIMENSION = 3
SLOPES = (0.0, 0.01, 0.5, 0.99)

# Two tests are statistical. Their seeds are fixed, so this is the probability that a change of
# JAX's random bits alone makes one of them fail.
FALSE_ALARM = 1e-6


def _points(seed, n):
    """(n, DIMENSION) Gaussian points that float32 holds exactly: the same in both precisions."""
    points = np.random.default_rng(seed).normal(size=(n, DIMENSION))
    return points.astype(np.float32).astype(np.float64)


X = _points(0, 4)
Z = _points(1, 2)


@pytest.fixture(params=["float32", "float64"])
def dtype(request):
    """float32 with 64-bit JAX off, then float64 with it on."""
    with jax.enable_x64(request.param == "float64"):
        yield np.dtype(request.param)


def eager(function):
    return function


# Eager in one precision only: JAX then compiles every single operation by itself.
with_and_without_jit = pytest.mark.parametrize(
    ("dtype", "transform"),
    [("float32", jax.jit), ("float64", jax.jit), ("float64", eager)],
    ids=["float32-jit", "float64-jit", "float64-eager"],
    indirect=["dtype"],
)


@pytest.fixture
def nt():
    return _neural_tangents.load()


def assert_close(actual, expected, tolerance, name: object = ""):
    """Greatest error at most `tolerance` times the greatest entry of `expected`."""
    assert actual.shape == expected.shape, name
    error = np.max(np.abs(np.asarray(actual, np.float64) - expected))
    assert error <= tolerance * np.max(np.abs(expected)), name  # False for NaN as well


# ---------------------------------------------------------------------------------------------
# Kernels in closed form, in float64 NumPy
# ---------------------------------------------------------------------------------------------


def covariances(x, z, weight_variance=1.0, bias_variance=1.0):
    """Cov(u(x), u(z)), Var u(x) and Var u(z) for u(x) = w·x/√d + b, as (n, m), (n, 1), (1, m)."""
    d = x.shape[1]
    q_xz = weight_variance * x @ z.T / d + bias_variance
    q_xx = weight_variance * np.sum(x**2, 1)[:, None] / d + bias_variance
    q_zz = weight_variance * np.sum(z**2, 1)[None, :] / d + bias_variance
    return q_xz, q_xx, q_zz


def angle(q_xz, q_xx, q_zz):
    return np.arccos(np.clip(q_xz / np.sqrt(q_xx * q_zz), -1, 1))


def phi(slope, x, z):
    """Φ = γ + (1−γ)²(π−θ)/(2π), cos θ = (⟨x,z⟩/d + 1)/(σ(x)σ(z)), σ(z)² = ‖z‖²/d + 1."""
    return slope + (1 - slope) ** 2 * (np.pi - angle(*covariances(x, z))) / (2 * np.pi)


def leaky_relu_expectations(slope):
    """E[φ(u)φ(v)] and E[φ'(u)φ'(v)] for φ(u) = max(u, γu) (Cho and Saul 2009 for γ = 0)."""

    def expectations(q_xz, q_xx, q_zz):
        theta = angle(q_xz, q_xx, q_zz)
        derivative = slope + (1 - slope) ** 2 * (np.pi - theta) / (2 * np.pi)
        sine = np.sqrt(q_xx * q_zz) * np.sin(theta)
        return derivative * q_xz + (1 - slope) ** 2 / (2 * np.pi) * sine, derivative

    return expectations


def sign_expectations(q_xz, q_xx, q_zz):
    return 1 - 2 * angle(q_xz, q_xx, q_zz) / np.pi, np.zeros_like(q_xz)


def erf_expectations(q_xz, q_xx, q_zz):
    """Williams 1996."""
    product = (1 + 2 * q_xx) * (1 + 2 * q_zz)
    value = 2 / np.pi * np.arcsin(2 * q_xz / np.sqrt(product))
    return value, 4 / np.pi / np.sqrt(product - 4 * q_xz**2)


def kernel_tolerance(dtype, q_xz, q_xx, q_zz):
    """Rounding error of a kernel that is computed from an angle.

    neural-tangents has θ = atan2(√(q_xx q_zz − q_xz²), q_xz). The difference carries the rounding
    of about 2(d + 3) operations, relative to q_xx q_zz, and the root divides it by 2 sin θ:
    (d + 3)ε/sin θ. Doubled, for the roundings after that.
    """
    sine = np.min(np.sin(angle(q_xz, q_xx, q_zz)))
    return 2 * (DIMENSION + 3) * np.finfo(dtype).eps / sine


ACTIVATIONS = {
    "Relu": (
        lambda stax: stax.Relu(),
        lambda u: np.maximum(u, 0),
        leaky_relu_expectations(0.0),
    ),
    "ABRelu": (
        lambda stax: stax.ABRelu(0.25, 1.0),
        lambda u: np.where(u > 0, u, 0.25 * u),
        leaky_relu_expectations(0.25),
    ),
    "LeakyRelu": (
        lambda stax: stax.LeakyRelu(0.25),
        lambda u: np.where(u > 0, u, 0.25 * u),
        leaky_relu_expectations(0.25),
    ),
    "Sign": (lambda stax: stax.Sign(), np.sign, sign_expectations),
    "Erf": (lambda stax: stax.Erf(), scipy.special.erf, erf_expectations),
}


# ---------------------------------------------------------------------------------------------
# The facts about Φ
# ---------------------------------------------------------------------------------------------


def hidden_layer(stax, activation):
    dense = stax.Dense(1, W_std=1.0, b_std=1.0, parameterization="standard")
    return stax.serial(dense, activation)


@with_and_without_jit
def test_hidden_layer_ntk_is_phi_times_inner_product_plus_one(nt, dtype, transform):
    """Θ(x,z) = Φ(x,z)(⟨x,z⟩ + 1)."""
    kernel_fns = {slope: hidden_layer(nt.stax, nt.stax.ABRelu(slope, 1.0))[2] for slope in SLOPES}

    @transform
    def ntks(x, z):
        return {slope: kernel_fn(x, z, "ntk") for slope, kernel_fn in kernel_fns.items()}

    tolerance = kernel_tolerance(dtype, *covariances(X, Z))
    for slope, ntk in ntks(X.astype(dtype), Z.astype(dtype)).items():
        assert ntk.dtype == dtype
        assert_close(ntk, phi(slope, X, Z) * (X @ Z.T + 1), tolerance, slope)


@with_and_without_jit
def test_phi_is_affine_in_the_nngp_of_sign(nt, dtype, transform):
    """Φ = ((1+γ)/2)² + ((1−γ)/2)²·K with K the NNGP kernel of Dense, Sign."""
    dense = nt.stax.Dense(1, W_std=1.0, b_std=1.0)
    _, _, kernel_fn = nt.stax.serial(dense, nt.stax.Sign())
    nngp = transform(lambda x, z: kernel_fn(x, z, "nngp"))(X.astype(dtype), Z.astype(dtype))
    assert nngp.dtype == dtype
    nngp = np.asarray(nngp, np.float64)
    tolerance = kernel_tolerance(dtype, *covariances(X, Z))
    for slope in SLOPES:
        ours = ((1 + slope) / 2) ** 2 + ((1 - slope) / 2) ** 2 * nngp
        assert_close(ours, phi(slope, X, Z), tolerance, slope)


@pytest.mark.parametrize("slope", SLOPES)
def test_on_the_diagonal_phi_keeps_half_the_digits(nt, dtype, slope):
    """Φ(x,x) = γ + (1−γ)²/2, up to (1−γ)²θ/(2π) with θ = O(√ε) in place of 0.

    On the diagonal q_xx² − q_xz² is rounding only, at most 2(d + 3)ε q_xx², and the angle comes out
    as its root. A caller who needs the other half of the digits sets the diagonal.
    """
    _, _, kernel_fn = hidden_layer(nt.stax, nt.stax.ABRelu(slope, 1.0))
    ntk = np.diag(np.asarray(jax.jit(lambda x: kernel_fn(x, None, "ntk"))(X.astype(dtype))))
    ours = ntk / (np.sum(X**2, 1) + 1)
    theta = math.sqrt(2 * (DIMENSION + 3) * np.finfo(dtype).eps)
    allowed = (1 - slope) ** 2 * theta / (2 * np.pi) + 2 * (DIMENSION + 3) * np.finfo(dtype).eps
    assert np.max(np.abs(ours - (slope + (1 - slope) ** 2 / 2))) <= allowed


# ---------------------------------------------------------------------------------------------
# stax
# ---------------------------------------------------------------------------------------------

WIDTH = 8
W1_STD, B1_STD, W2_STD, B2_STD = 1.5, 0.5, 0.8, 0.3


def two_layers(stax, activation, parameterization):
    first = stax.Dense(WIDTH, W_std=W1_STD, b_std=B1_STD, parameterization=parameterization)
    second = stax.Dense(2, W_std=W2_STD, b_std=B2_STD, parameterization=parameterization)
    return stax.serial(first, activation, second)


@pytest.mark.parametrize("parameterization", ["ntk", "standard"])
def test_two_layer_kernels(nt, dtype, parameterization):
    """NNGP and NTK of Dense, φ, Dense, from E[φφ] and E[φ'φ'].

    With standard deviations W₁, b₁, W₂, b₂, width m, Σ = E[φφ], Σ' = E[φ'φ'], differentiating by
    hand:
    parameterization "ntk", scales in the network:             W₂²Σ + b₂² + W₂²Σ'(W₁²⟨x,z⟩/d + b₁²)
    parameterization "standard", scales in the initial weights: mΣ + 1 + W₂²Σ'(⟨x,z⟩ + 1)
    """
    kernel_fns = {
        name: two_layers(nt.stax, make(nt.stax), parameterization)[2]
        for name, (make, _, _) in ACTIVATIONS.items()
    }

    @jax.jit
    def kernels(x, z):
        return {name: kernel_fn(x, z, ("nngp", "ntk")) for name, kernel_fn in kernel_fns.items()}

    q = covariances(X, Z, W1_STD**2, B1_STD**2)
    tolerance = kernel_tolerance(dtype, *q)
    for name, kernel in kernels(X.astype(dtype), Z.astype(dtype)).items():
        value, derivative = ACTIVATIONS[name][2](*q)
        nngp = W2_STD**2 * value + B2_STD**2
        if parameterization == "ntk":
            ntk = nngp + W2_STD**2 * derivative * q[0]
        else:
            ntk = WIDTH * value + 1 + W2_STD**2 * derivative * (X @ Z.T + 1)
        assert kernel.nngp.dtype == kernel.ntk.dtype == dtype
        assert_close(kernel.nngp, nngp, tolerance, name)
        assert_close(kernel.ntk, ntk, tolerance, name)


@pytest.mark.parametrize("parameterization", ["ntk", "standard"])
def test_two_layer_networks(nt, dtype, parameterization):
    """`apply_fn` is W₂ φ(W₁ x + b₁) + b₂ with the scales where the parameterization says."""
    networks = {
        name: two_layers(nt.stax, make(nt.stax), parameterization)
        for name, (make, _, _) in ACTIVATIONS.items()
    }
    init_fn = networks["Relu"][0]  # the others have parameters of the same shapes
    shapes = jax.eval_shape(lambda key: init_fn(key, (-1, DIMENSION))[1], jax.random.key(0))
    rng = np.random.default_rng(6)
    params = jax.tree.map(lambda leaf: rng.normal(size=leaf.shape).astype(leaf.dtype), shapes)

    @jax.jit
    def outputs(params, x):
        return {name: apply_fn(params, x) for name, (_, apply_fn, _) in networks.items()}

    (w1, b1), _, (w2, b2) = jax.tree.map(lambda leaf: leaf.astype(np.float64), params)
    assert (w1.shape, b1.shape, w2.shape) == ((DIMENSION, WIDTH), (1, WIDTH), (WIDTH, 2))
    if parameterization == "ntk":
        w1, b1 = W1_STD / math.sqrt(DIMENSION) * w1, B1_STD * b1
        w2, b2 = W2_STD / math.sqrt(WIDTH) * w2, B2_STD * b2

    for name, fx in outputs(params, X.astype(dtype)).items():
        expected = ACTIVATIONS[name][1](X @ w1 + b1) @ w2 + b2
        assert fx.dtype == dtype
        # d + WIDTH + 5 roundings on the way to an entry, of terms not much larger than itself.
        tolerance = 2 * (DIMENSION + WIDTH + 5) * np.finfo(dtype).eps
        assert_close(fx, expected, tolerance, name)


def test_initial_weights_have_the_documented_scale(nt, dtype):
    """N(0, 1) for "ntk", N(0, W_std²/d) and N(0, b_std²) for "standard".

    Σ(w/σ)² is χ² with as many degrees of freedom as weights; false alarm: FALSE_ALARM, exactly.
    """
    layers = {
        name: nt.stax.Dense(2000, W_std=1.5, b_std=0.5, parameterization=name)
        for name in ("ntk", "standard")
    }

    @jax.jit
    def initial(key):
        return {name: init_fn(key, (-1, DIMENSION))[1] for name, (init_fn, *_) in layers.items()}

    params = initial(jax.random.key(1))
    w, b = params["standard"]
    samples = [*params["ntk"], w / (1.5 / math.sqrt(DIMENSION)), b / 0.5]
    assert [sample.size for sample in samples] == [2000 * DIMENSION, 2000] * 2
    for sample in samples:
        assert sample.dtype == dtype
        delta = FALSE_ALARM / (2 * len(samples))
        low, high = scipy.stats.chi2(sample.size).isf([1 - delta, delta])
        assert low <= np.sum(np.asarray(sample, np.float64) ** 2) <= high


# ---------------------------------------------------------------------------------------------
# batch and Monte Carlo
# ---------------------------------------------------------------------------------------------


@with_and_without_jit
def test_batch(nt, dtype, transform):
    """Computed in blocks of 2 by 2, the NTK of the hidden layer is still Φ(⟨x,z⟩ + 1)."""
    _, _, kernel_fn = hidden_layer(nt.stax, nt.stax.ABRelu(0.5, 1.0))
    # device_count=0: one block after the other. Otherwise it maps over all devices there are.
    batched = nt.batch(kernel_fn, batch_size=2, device_count=0)
    ntk = transform(lambda x, z: batched(x, z, "ntk"))(X.astype(dtype), Z.astype(dtype))
    assert ntk.dtype == dtype
    expected = phi(0.5, X, Z) * (X @ Z.T + 1)
    assert_close(ntk, expected, kernel_tolerance(dtype, *covariances(X, Z)))


def sampled_kernel(nt, layers, x, z, *, get, samples):
    init_fn, apply_fn, _ = layers
    kernel_fn = nt.monte_carlo_kernel_fn(
        init_fn,
        apply_fn,
        jax.random.key(2),
        n_samples=samples,
        device_count=0,
        vmap_axes=0,
        implementation=nt.NtkImplementation.JACOBIAN_CONTRACTION,
    )
    kernel = kernel_fn(x, z, get)
    assert kernel.dtype == x.dtype
    return np.asarray(kernel, np.float64)


def test_monte_carlo_ntk(nt, dtype):
    """The sampled hidden-layer NTK over ⟨x,z⟩ + 1 is a mean of φ'(u(x))φ'(u(z)), expected to be Φ.

    These products are independent over neurons and draws and lie in [γ², 1], so by Hoeffding the
    mean of N is within (1−γ²)√(log(2/δ)/(2N)) of Φ except with probability δ = FALSE_ALARM/entries.
    """
    slope, width, samples = 0.25, 64, 200
    dense = nt.stax.Dense(width, W_std=1.0, b_std=1.0, parameterization="standard")
    layers = nt.stax.serial(dense, nt.stax.ABRelu(slope, 1.0))
    x, z = X.astype(dtype), Z.astype(dtype)
    ntk = sampled_kernel(nt, layers, x, z, get="ntk", samples=samples)
    expected = phi(slope, X, Z)
    delta = FALSE_ALARM / expected.size
    radius = (1 - slope**2) * math.sqrt(math.log(2 / delta) / (2 * width * samples))
    assert radius < 0.03  # Φ lies in [0.25, 0.54]: this can fail
    assert np.max(np.abs(ntk / (X @ Z.T + 1) - expected)) <= radius


def test_monte_carlo_nngp(nt, dtype):
    """In a linear layer f(x) + f(z) ~ N(0, K(x,x) + K(z,z) + 2K(x,z)) for each output and draw.

    So that variance with the sampled kernel, relative to it, is χ² over its degrees of freedom, for
    all pairs. False alarm: FALSE_ALARM at most (union over pairs and sides; rounding is far below).
    """
    width, samples = 64, 100
    layers = nt.stax.serial(nt.stax.Dense(width, W_std=1.5, b_std=0.5))
    points = np.concatenate([X, Z])
    sampled = sampled_kernel(nt, layers, points.astype(dtype), None, get="nngp", samples=samples)
    exact = covariances(points, points, 1.5**2, 0.5**2)[0]

    def variance_of_sum(kernel):
        diagonal = np.diag(kernel)
        return diagonal[:, None] + diagonal[None, :] + 2 * kernel

    freedom = width * samples
    delta = FALSE_ALARM / (2 * exact.size)
    low, high = scipy.stats.chi2(freedom).isf([1 - delta, delta]) / freedom
    ratio = variance_of_sum(sampled) / variance_of_sum(exact)
    assert np.all((low <= ratio) & (ratio <= high))


# ---------------------------------------------------------------------------------------------
# A finite network and its linearization
# ---------------------------------------------------------------------------------------------


def network(params, x):
    """tanh(x W + b) A, with two outputs."""
    w, b, a = params
    return jnp.dot(jnp.tanh(jnp.dot(x, w) + b[None, :]), a)


def network_by_hand(params, x):
    """f (n, 2), and its Jacobian (n, 2, parameters) by hand, in float64."""
    w, b, a = params
    h = np.tanh(x @ w + b)
    to_b = (1 - h**2)[:, None, :] * a.T  # ∂f_c/∂b_j = (1 − h_j²) a_jc
    to_w = x[:, None, :, None] * to_b[:, :, None, :]  # ∂f_c/∂w_ij = x_i (1 − h_j²) a_jc
    to_a = h[:, None, :, None] * np.eye(2)[:, None, :]  # ∂f_c/∂a_jk = h_j [c = k]
    n = len(x)
    blocks = [to_w.reshape(n, 2, -1), to_b, to_a.reshape(n, 2, -1)]
    return h @ a, np.concatenate(blocks, 2)


def network_params(seed):
    rng = np.random.default_rng(seed)
    shapes = [(DIMENSION, 5), (5,), (5, 2)]
    return [rng.normal(size=shape).astype(np.float32).astype(np.float64) for shape in shapes]


def cast(params, dtype):
    return [p.astype(dtype) for p in params]


# An entry is a sum of at most 30 products (30 roundings) of four factors, two of which come from a
# tanh of a sum of four terms (10 each, for XLA's tanh is off by a few units in the last place).
NETWORK_ROUNDINGS = 50


@pytest.mark.parametrize("vmap_axes", [None, 0])
def test_empirical_ntk(nt, dtype, vmap_axes):
    """J(x)J(z)ᵀ, whole and as the average over outputs."""
    params = network_params(3)
    jacobian_x, jacobian_z = network_by_hand(params, X)[1], network_by_hand(params, Z)[1]
    whole = np.einsum("ncp,mdp->nmcd", jacobian_x, jacobian_z)
    for trace_axes, expected in (((), whole), ((-1,), np.einsum("nmcc->nm", whole) / 2)):
        ntk_fn = nt.empirical_ntk_fn(
            network,
            trace_axes=trace_axes,
            vmap_axes=vmap_axes,
            implementation=nt.NtkImplementation.JACOBIAN_CONTRACTION,
        )
        ntk = jax.jit(ntk_fn)(X.astype(dtype), Z.astype(dtype), cast(params, dtype))
        assert ntk.dtype == dtype
        assert_close(ntk, expected, NETWORK_ROUNDINGS * np.finfo(dtype).eps)


@with_and_without_jit
def test_linearize(nt, dtype, transform):
    """f(p₀) + J(p₀)(p − p₀), by hand and by `jax.jvp`."""
    origin, params = network_params(3), network_params(4)
    fx, jacobian = network_by_hand(origin, X)
    step = np.concatenate([(p - o).ravel() for p, o in zip(params, origin, strict=True)])
    expected = fx + jacobian @ step

    start, end, x = cast(origin, dtype), cast(params, dtype), X.astype(dtype)
    linear = transform(lambda p, x: nt.linearize(network, start)(p, x))(end, x)
    assert linear.dtype == dtype
    tolerance = NETWORK_ROUNDINGS * np.finfo(dtype).eps
    assert_close(linear, expected, tolerance)

    direction = [e - s for e, s in zip(end, start, strict=True)]
    value, slope = jax.jvp(lambda p: network(p, x), (start,), (direction,))
    assert_close(linear, np.asarray(value + slope, np.float64), tolerance)


# ---------------------------------------------------------------------------------------------
# predict
# ---------------------------------------------------------------------------------------------

RATE = 0.5
TIMES = np.array([0.0, 2.0, 20.0])


def regression():
    """Kernels, labels and initial outputs: n = 4, 2 test points, 2 outputs; condition number 8."""
    rng = np.random.default_rng(5)
    basis = np.linalg.qr(rng.normal(size=(4, 4)))[0]
    k_train_train = basis @ np.diag([0.5, 1.0, 2.0, 4.0]) @ basis.T
    k_test_train = rng.normal(size=(2, 4))
    y_train = np.sign(rng.normal(size=(4, 2)))
    fx_train_0, fx_test_0 = rng.normal(size=(4, 2)), rng.normal(size=(2, 2))
    return k_train_train, k_test_train, y_train, fx_train_0, fx_test_0


# Each of the three products of 4 by 4 matrices and the decomposition round about 5 times: 20, which
# solving with the kernel multiplies by its condition number 8.
PREDICT_ROUNDINGS = 160


@with_and_without_jit
def test_gradient_descent_mse(nt, dtype, transform):
    """Gradient flow of ‖f − y‖²/(2·n·outputs): f_t = y + exp(−ηtK/(n·outputs))(f_0 − y).

    The kernel is an argument of the jitted function: it is traced.
    """
    problem = regression()
    k, k_test, y, fx, fx_test = problem

    @transform
    def predict(k, k_test, y, fx, fx_test):
        predict_fn = nt.predict.gradient_descent_mse(k, y, learning_rate=RATE)
        at_times = predict_fn(jnp.asarray(TIMES, dtype), fx, fx_test, k_test)
        return at_times, predict_fn(None, fx, fx_test, k_test)

    (train, test), (train_inf, test_inf) = predict(*cast(problem, dtype))
    assert {a.dtype for a in (train, test, train_inf, test_inf)} == {dtype}

    tolerance = PREDICT_ROUNDINGS * np.finfo(dtype).eps
    for i, t in enumerate(TIMES):
        decay = scipy.linalg.expm(-RATE * t * k / y.size)
        assert_close(train[i], y + decay @ (fx - y), tolerance)
        change = k_test @ np.linalg.solve(k, (decay - np.eye(4)) @ (fx - y))
        assert_close(test[i], fx_test + change, tolerance)
    assert_close(train_inf, y, tolerance)
    assert_close(test_inf, fx_test + k_test @ np.linalg.solve(k, y - fx), tolerance)


def test_gradient_descent_mse_decomposes_a_constant_kernel_once(nt, dtype):
    """A predictor used inside jit first can be used outside after: no tracer is kept."""
    k, _, y, fx, _ = regression()
    predict_fn = nt.predict.gradient_descent_mse(jnp.asarray(k, dtype), jnp.asarray(y, dtype))
    inside = jax.jit(lambda fx: predict_fn(2.0, fx))(fx.astype(dtype))
    outside = predict_fn(2.0, fx.astype(dtype))
    expected = y + scipy.linalg.expm(-2.0 * k / y.size) @ (fx - y)
    for actual in (inside, outside):
        assert_close(actual, expected, PREDICT_ROUNDINGS * np.finfo(dtype).eps)


def logistic_loss(fx, y):
    return jnp.mean(jnp.logaddexp(0, -y * fx))


def logistic_flow(problem, momentum):
    """Outputs at TIMES by SciPy, as (times, n, 2) and (times, 2, 2).

    f' = −ηK∇L(f) without momentum; with momentum β, f'' = −(1−β)f' − ηK∇L(f) from rest, which is
    f_{t+1} = f_t + β(f_t − f_{t−1}) − ηK∇L(f_t) with differences read as derivatives.
    """
    k, k_test, y, fx, fx_test = problem
    k_all = np.concatenate([k, k_test])
    f_0 = np.concatenate([fx, fx_test]).ravel()

    def push(f):
        f_train = f.reshape(6, 2)[:4]
        return (RATE * k_all @ (y * scipy.special.expit(-y * f_train)) / y.size).ravel()

    def field(t, state):
        f, velocity = state[: f_0.size], state[f_0.size :]
        if momentum is None:
            return push(f)
        return np.concatenate([velocity, push(f) - (1 - momentum) * velocity])

    start = f_0 if momentum is None else np.concatenate([f_0, np.zeros_like(f_0)])
    span = (0.0, TIMES[-1])
    flow = scipy.integrate.solve_ivp(
        field, span, start, method="DOP853", t_eval=TIMES, rtol=1e-12, atol=1e-12
    )
    f = flow.y[: f_0.size].T.reshape(len(TIMES), 6, 2)
    return f[:, :4], f[:, 4:]


@pytest.mark.parametrize("momentum", [None, 0.9])
def test_gradient_descent(nt, dtype, momentum):
    """Gradient flow and its momentum version, of a loss given as a function, against SciPy."""
    problem = regression()

    @jax.jit
    def predict(k, k_test, y, fx, fx_test):
        predict_fn = nt.predict.gradient_descent(
            logistic_loss, k, y, learning_rate=RATE, momentum=momentum
        )
        return predict_fn(jnp.asarray(TIMES, dtype), fx, fx_test, k_test)

    train, test = predict(*cast(problem, dtype))
    assert train.dtype == test.dtype == dtype
    expected_train, expected_test = logistic_flow(problem, momentum)
    # odeint accepts a local error of 1.4e-8 a step, over some tens of steps; in float32 rounding
    # takes the place of that.
    tolerance = 100 * max(1.4e-8, float(np.finfo(dtype).eps))
    assert_close(train, expected_train, tolerance)
    assert_close(test, expected_test, tolerance)


# ---------------------------------------------------------------------------------------------
# The import
# ---------------------------------------------------------------------------------------------

# Runs before each script below. `jax_as_found` lists the modules of JAX in sys.modules, and for the
# public ones what each of their names refers to. Modules of JAX that neural-tangents imports in its
# own right are imported first, so that the lists can be equal.
PRELUDE = """
import sys
import types

import jax
import jax.core, jax.example_libraries.stax, jax.experimental.ode, jax.extend.core
import jax.extend.linear_util, jax.interpreters.ad, jax.interpreters.batching
import jax.interpreters.mlir, jax.interpreters.partial_eval
import jax.scipy, jax.scipy.special

from theory.infinite_width import _neural_tangents


def jax_as_found():
    modules = {name: None for name in sys.modules if name.startswith("jax")}
    public = {name for name in modules if name.split(".")[0] == "jax" and "._src" not in name}
    for name in public:
        module = sys.modules[name]
        modules[name] = {key: id(value) for key, value in vars(module).items()}, dir(module)
    return modules


assert jax_as_found()["jax.core"] and jax_as_found()["jax.interpreters.ad"]
# Importing the adapter does not import neural-tangents.
assert "neural_tangents" not in sys.modules
found = jax_as_found()
"""


def run_python(script, *path):
    """Run in a fresh interpreter, warnings being errors."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, (ROOT, *path)))}
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", PRELUDE + textwrap.dedent(script)],
        env=environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert "Warning" not in result.stderr


def test_load_leaves_jax_as_found_and_tensorflow_out(tmp_path):
    """Also from several threads at once, and where TensorFlow is installed."""
    for name in ("tensorflow", "tf2jax"):
        (tmp_path / f"{name}.py").write_text("")
    run_python(
        """
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(4) as pool:
            loaded = list(pool.map(lambda _: _neural_tangents.load(), range(4)))

        assert all(module is sys.modules["neural_tangents"] for module in loaded)
        assert loaded[0].__version__ == "0.6.5"
        assert jax_as_found() == found
        assert not {"tensorflow", "tf2jax", "jax.util"} & set(sys.modules)
        assert "neural_tangents.experimental" not in sys.modules
        assert not hasattr(loaded[0], "experimental")
        """,
        tmp_path,
    )


def test_failing_load_leaves_jax_as_found_and_says_why():
    """At the start and half way; the next attempt works when the reason is gone."""
    run_python(
        """
        hidden = set()

        class Hide:
            def find_spec(self, name, path=None, target=None):
                if name in hidden:
                    raise ModuleNotFoundError(f"No module named {name!r}", name=name)

        sys.meta_path.insert(0, Hide())
        for name in ("neural_tangents", "neural_tangents._src.monte_carlo"):
            hidden.add(name)
            try:
                _neural_tangents.load()
            except ImportError as error:
                assert "neural-tangents 0.6.5" in str(error)
                assert f"JAX {jax.__version__}" in str(error)
                assert repr(name) in str(error)
                assert isinstance(error.__cause__, ModuleNotFoundError)
            else:
                raise AssertionError("no ImportError")
            assert jax_as_found() == found
            hidden.clear()

        # What the adapter is for. If this succeeds one day, the adapter can go.
        try:
            import neural_tangents
        except ImportError:
            pass
        else:
            raise AssertionError("neural-tangents imports without help")

        assert _neural_tangents.load().stax
        assert jax_as_found() == found
        """
    )


def test_stand_ins_for_jax_util_insist_on_equal_lengths():
    assert _neural_tangents._safe_map(pow, [2, 3], (3, 2)) == [8, 9]
    assert _neural_tangents._safe_zip([1, 2], "ab") == [(1, "a"), (2, "b")]
    for call in (_neural_tangents._safe_zip, lambda *a: _neural_tangents._safe_map(pow, *a)):
        with pytest.raises(ValueError, match="shorter"):
            call([1, 2], [1])


@pytest.mark.slow
def test_load_takes_a_neural_tangents_that_is_there_already():
    """And leaves alone the names that its user put into JAX."""
    run_python(
        """
        for name in ("Jaxpr", "JaxprEqn", "Literal", "Primitive", "Var"):
            setattr(jax.core, name, getattr(jax.extend.core, name))
        jax.interpreters.ad.zeros_like_p = jax.extend.core.Primitive("zeros_like")
        util = sys.modules["jax.util"] = types.ModuleType("jax.util")
        util.safe_map = util.safe_zip = None
        name = "neural_tangents.experimental"
        experimental = sys.modules[name] = types.ModuleType(name)
        found = jax_as_found()

        import neural_tangents

        assert _neural_tangents.load() is neural_tangents
        assert neural_tangents.experimental is experimental
        assert jax_as_found() == found
        """
    )
