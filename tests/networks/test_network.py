"""Two-layer networks: laws of the initial weights, derivatives, and what is refused."""

import inspect
import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st
from untyped import p_value

from theory import networks
from theory.infinite_width import kernels
from theory.networks.network import (
    Network,
    Params,
    all_trained,
    fixed_signs,
    frozen_readout,
    init,
)

EPS = float(np.finfo(np.float64).eps)
D, WIDTH = 3, 4096

# Of each statistical test. Seeds are fixed: it can only fail when the random bits change.
FALSE_ALARM = 1e-6


def plain(function):
    """Without the type checks of conftest.py, which come before the function's own."""
    return inspect.unwrap(function)


# --- initial weights ------------------------------------------------------------------------------

# Standard deviations that the papers state, None where the weights are not Gaussian.
LAWS = {
    "Z23": (all_trained(0.3), {"w": 1 / math.sqrt(D), "b": None, "a": 1 / math.sqrt(WIDTH)}),
    "K24a": (fixed_signs(0.3, scale=0.02), {"w": 0.02 / math.sqrt(D), "b": None, "a": None}),
    "K24b": (frozen_readout(0.3), {"w": 1 / math.sqrt(D), "b": 1.0, "a": 1 / math.sqrt(WIDTH)}),
}


@pytest.mark.parametrize("paper", LAWS)
def test_initial_law(paper, key):
    """Kolmogorov–Smirnov for the shape, χ² for the variance, Student's t for the correlations.

    All exact for independent normals; the tests of one network share FALSE_ALARM.
    """
    network, deviations = LAWS[paper]
    params = init(network, key, WIDTH, D)
    assert {name: getattr(params, name).shape for name in "wba"} == {
        "w": (WIDTH, D),
        "b": (WIDTH,),
        "a": (WIDTH,),
    }
    columns = {name: np.asarray(getattr(params, name)).reshape(WIDTH, -1) for name in "wba"}
    normal = np.hstack([columns[name] / s for name, s in deviations.items() if s]).T
    pairs = list(itertools.combinations(normal, 2))
    level = FALSE_ALARM / (2 * len(normal) + len(pairs))
    for column in normal:
        assert scipy.stats.kstest(column, "norm").pvalue > level
        tail = scipy.stats.chi2.cdf(np.sum(column**2), WIDTH)
        assert level / 2 < tail < 1 - level / 2
    for one, other in pairs:
        assert p_value(scipy.stats.pearsonr(one, other)) > level
    if network.readout == "signs":
        np.testing.assert_array_equal(params.a[: WIDTH // 2], 1 / math.sqrt(WIDTH))
        np.testing.assert_array_equal(params.a[WIDTH // 2 :], -1 / math.sqrt(WIDTH))
    if not network.bias:
        np.testing.assert_array_equal(params.b, 0.0)


def test_the_key_decides():
    network = frozen_readout()
    one, again, other = (init(network, jax.random.key(seed), 4, D) for seed in (1, 1, 2))
    assert all((p == q).all() for p, q in zip(one, again, strict=True))
    assert all((p != q).all() for p, q in zip(one, other, strict=True))


def test_trained_weights_are_the_papers():
    assert all_trained().trained == ("w", "a")
    assert fixed_signs(0.5).trained == ("w",)
    assert frozen_readout().trained == ("w", "b")


@pytest.mark.parametrize("width", [1, 16])
def test_initial_outputs_have_mean_zero_and_the_nngp_covariance_at_every_width(width):
    """Means and second moments of f(x; 0) over 40 000 networks, by the central limit theorem.

    14 comparisons at 6 standard errors each: 14·2e-9, and with Edgeworth's correction for the
    skewness of f(x)² (12 at width 1) still less than 1e-7 for a false alarm.
    """
    slope, draws = 0.3, 40_000
    x = jnp.array(np.random.default_rng(0).normal(size=(4, D)))

    @jax.jit
    def initial_outputs(keys):
        def one(key):
            return networks.outputs(init(frozen_readout(slope), key, width, D), x, slope)

        return jax.vmap(one)(keys)

    f = np.asarray(initial_outputs(jax.random.split(jax.random.key(3), draws)))
    nngp = np.asarray(kernels.nngp(x, x, slope))
    rows, columns = np.triu_indices(4)
    samples = np.hstack([f, f[:, rows] * f[:, columns]])
    expected = np.concatenate([np.zeros(4), nngp[rows, columns]])
    error = np.std(samples, axis=0) / math.sqrt(draws)
    assert (np.abs(np.mean(samples, axis=0) - expected) <= 6 * error).all()


# --- functions ------------------------------------------------------------------------------------


@given(st.floats(-1e6, 1e6), st.sampled_from([0.0, 0.01, 0.5, 0.99]))
def test_activation(h, slope):
    value = networks.leaky_relu(jnp.array(h), slope)
    assert value == max(h, slope * h)
    assert networks.leaky_relu_derivative(jnp.array(h), slope) == (1.0 if h >= 0 else slope)


@pytest.mark.parametrize("zero", [0.0, -0.0])
def test_derivative_at_the_kink_is_one(zero):
    assert networks.leaky_relu_derivative(jnp.array(zero), 0.25) == 1.0
    assert networks.leaky_relu(jnp.array(zero), 0.25) == 0.0


def test_outputs_neuron_by_neuron():
    rng = np.random.default_rng(1)
    w, b, a, x = (rng.normal(size=shape) for shape in [(5, D), 5, 5, (4, D)])
    params = Params(jnp.array(w), jnp.array(b), jnp.array(a))
    h = np.array([[sum(w[i] * p) + b[i] for i in range(5)] for p in x])
    f = [sum(a[i] * max(row[i], 0.25 * row[i]) for i in range(5)) for row in h]
    # Sums of D + 1 and 5 products, of order 10.
    np.testing.assert_allclose(networks.pre_activations(params, jnp.array(x)), h, atol=50 * EPS)
    np.testing.assert_allclose(networks.outputs(params, jnp.array(x), 0.25), f, atol=100 * EPS)


@pytest.mark.parametrize("paper", LAWS)
def test_input_gradients_are_those_of_jax(paper, key):
    network, m = LAWS[paper][0], 16
    params = init(network, key, m, D)
    x = jnp.array(np.random.default_rng(2).normal(size=(7, D)))

    @jax.jit
    def gradients(x):
        def f(point):
            return networks.outputs(params, point[None, :], network.slope)[0]

        return jax.vmap(jax.grad(f))(x)

    # A sum of m products of three.
    allowed = (m + 3) * EPS * np.abs(params.a) @ np.abs(params.w)
    error = np.abs(networks.input_gradients(params, x, network.slope) - gradients(x))
    assert (error <= allowed).all()


def test_input_gradient_on_a_kink_takes_the_right_derivative():
    params = Params(jnp.array([[1.0, 2.0]]), jnp.array([-3.0]), jnp.array([2.0]))
    on_the_kink = jnp.array([[1.0, 1.0]])
    np.testing.assert_array_equal(networks.input_gradients(params, on_the_kink, 0.25), [[2.0, 4.0]])


# --- split_widths ---------------------------------------------------------------------------------


@pytest.mark.parametrize("widths", [[6], [1, 2, 3]])
def test_split_widths(widths):
    """The parts hold every neuron once, in order, with readouts of variance 1/width."""
    m = sum(widths)
    rng = np.random.default_rng(m)
    w, b, a = rng.normal(size=(m, D)), rng.normal(size=m), rng.normal(size=m) / math.sqrt(m)
    parts = networks.split_widths(Params(jnp.array(w), jnp.array(b), jnp.array(a)), widths)
    assert [len(part.a) for part in parts] == widths
    np.testing.assert_array_equal(np.concatenate([part.w for part in parts]), w)
    np.testing.assert_array_equal(np.concatenate([part.b for part in parts]), b)
    # a√m ~ N(0, 1) is the standardized readout; three roundings.
    standardized = np.concatenate([np.asarray(part.a) * math.sqrt(len(part.a)) for part in parts])
    np.testing.assert_allclose(standardized, a * math.sqrt(m), rtol=4 * EPS)


# --- bad input ------------------------------------------------------------------------------------

BAD_SLOPE = r"slope must be a finite number in {}0, 1\), got"
BAD_NETWORKS = [
    (lambda: frozen_readout(-0.1), BAD_SLOPE.format(r"\[")),
    (lambda: frozen_readout(1.0), BAD_SLOPE.format(r"\[")),
    (lambda: all_trained(math.nan), BAD_SLOPE.format(r"\[")),
    (lambda: all_trained(math.inf), BAD_SLOPE.format(r"\[")),
    (lambda: fixed_signs(0.0), BAD_SLOPE.format(r"\(")),
    (lambda: fixed_signs(1.5), BAD_SLOPE.format(r"\(")),
    (
        lambda: Network(0.5, True, "ones", ("w",)),
        "readout must be one of gaussian, signs",
    ),
]


@pytest.mark.parametrize(("make", "message"), BAD_NETWORKS)
def test_bad_networks(make, message):
    with pytest.raises(ValueError, match=message):
        make()


BAD_SIZES = [
    (frozen_readout(), 0, D, "m must be an integer ≥ 1, got 0"),
    (frozen_readout(), -4, D, "m must be an integer ≥ 1, got -4"),
    (frozen_readout(), 4.0, D, "m must be an integer ≥ 1, got 4.0"),
    (frozen_readout(), 4, 0, "d must be an integer ≥ 1, got 0"),
    (frozen_readout(), 4, 2.5, "d must be an integer ≥ 1, got 2.5"),
    (fixed_signs(0.5), 5, D, "m must be an even integer ≥ 2, got 5"),
    (fixed_signs(0.5), 0, D, "m must be an even integer ≥ 2, got 0"),
]


@pytest.mark.parametrize(("network", "m", "d", "message"), BAD_SIZES)
def test_bad_sizes(network, m, d, message, key):
    with pytest.raises(ValueError, match=message):
        plain(init)(network, key, m, d)


@pytest.mark.parametrize("widths", [[], [3], [4, 1], [2, 1], [0, 4], [-1, 5]])
def test_bad_widths(widths, key):
    params = init(frozen_readout(), key, 4, D)
    with pytest.raises(ValueError, match="widths must be positive and add up to the width 4, got"):
        networks.split_widths(params, widths)


# --- narrowed -------------------------------------------------------------------------------------


@pytest.mark.parametrize("m", [1, 5, 12])
def test_narrowed_is_the_network_of_its_first_neurons(m):
    params = init(frozen_readout(0.2), jax.random.key(3), 12, D)
    x = jax.random.normal(jax.random.key(4), (6, D))
    narrow = jax.jit(networks.narrowed)(params, m)
    first = networks.split_widths(params, [m, 12 - m])[0] if m < 12 else params
    assert [part.shape for part in narrow] == [part.shape for part in params]
    for function in (networks.outputs, networks.input_gradients):
        assert np.allclose(function(narrow, x, 0.2), function(first, x, 0.2), rtol=1e-12)


@pytest.mark.parametrize("m", [0, 13])
def test_narrowed_to_no_such_width(m):
    params = init(frozen_readout(0.2), jax.random.key(3), 12, D)
    with pytest.raises(ValueError, match="m must be an integer"):
        networks.narrowed(params, m)
