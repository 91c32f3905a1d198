"""Hermite coefficients and kernels of unit points: closed forms, quadrature, neural-tangents."""

import math

import jax.numpy as jnp
import numpy as np
import pytest

from theory.infinite_width import _neural_tangents, hermite, kernels

SLOPES = (0.0, 0.3)
CASES = [("relu", slope) for slope in SLOPES] + [("sine", 0.0)]
ACTIVATION = {
    "relu": lambda slope: lambda h: np.maximum(h, slope * h),
    "sine": lambda slope: np.sin,
}
DEGREE = 12


def cosines_of(n, d, seed=0):
    x = np.random.default_rng(seed).normal(size=(n, d))
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    return x, np.clip(x @ x.T, -1, 1)


@pytest.mark.parametrize(("activation", "slope"), CASES)
def test_coefficients_by_quadrature(activation, slope):
    found = hermite.by_quadrature(ACTIVATION[activation](slope), DEGREE)
    claimed = [float(z) for z in hermite.coefficients(activation, DEGREE, slope)]
    np.testing.assert_allclose(claimed, found, atol=1e-13)
    assert abs(claimed[2] - found[2]) < 1e-13 < abs(claimed[2] - found[1])  # and in this order


@pytest.mark.parametrize(("activation", "slope"), CASES)
def test_moments_by_quadrature(activation, slope):
    function, m = ACTIVATION[activation](slope), hermite.moments(activation, slope)
    square = hermite.by_quadrature(lambda h: function(h) ** 2, 0)[0]  # h_0 = 1: an expectation
    fourth = hermite.by_quadrature(lambda h: function(h) ** 4, 0)[0]
    assert float(m.square) == pytest.approx(square, abs=1e-13)
    assert float(m.fourth) == pytest.approx(fourth, abs=1e-13)
    step = 1e-5
    slopes = hermite.by_quadrature(
        lambda h: ((function(h + step) - function(h - step)) / (2 * step)) ** 2, 0
    )
    assert float(m.derivative) == pytest.approx(slopes[0], abs=1e-6)


def test_of_the_relu_by_hand():
    """1/√(2π), ½, 1/(2√π), 0, −1/√(48π): h_4(x) = (x⁴ − 6x² + 3)/√24."""
    by_hand = [1 / math.sqrt(2 * math.pi), 0.5, 0.5 / math.sqrt(math.pi), 0.0]
    by_hand.append(-1 / math.sqrt(48 * math.pi))
    assert [float(z) for z in hermite.coefficients("relu", 4)] == pytest.approx(by_hand)


@pytest.mark.parametrize(("activation", "slope"), CASES)
def test_what_is_left_of_the_series(activation, slope):
    """σ²_{>ℓ} as a sum of many terms; the ReLU's falls like ℓ^{−3/2}, so it is bracketed."""
    many = [float(z) ** 2 for z in hermite.coefficients(activation, 120, slope)]
    for degree in (0, 2, 7):
        left, found = sum(many[degree + 1 :]), float(hermite.tail(activation, degree, slope))
        last = many[120] * 120  # Σ_{k>120, even} k^{−5/2}·const ≤ (2/3)/2·120·(the term at 120)
        assert left - 1e-14 <= found <= left + last + 1e-14


@pytest.mark.parametrize(("activation", "slope"), CASES)
def test_the_kernel_by_neural_tangents_and_by_the_series(activation, slope):
    x, gram = cosines_of(6, 4)
    found = np.asarray(hermite.dual_kernel(gram, activation, slope))
    if activation == "sine":
        stax = _neural_tangents.load().stax
        dense = stax.Dense(1, W_std=1.0, b_std=None, parameterization="standard")
        kernel_fn = stax.serial(dense, stax.Sin())[2]
    else:
        kernel_fn = kernels.stax_network(slope, bias=False)[2]
    theirs = np.asarray(kernel_fn(jnp.asarray(x * 2), None, "nngp"))  # of norm √d, d = 4
    np.testing.assert_allclose(found, theirs, atol=1e-12)
    zetas = [float(z) for z in hermite.coefficients(activation, 150, slope)]
    series = np.sum([z**2 * gram**k for k, z in enumerate(zetas)], axis=0)
    off = ~np.eye(6, dtype=bool)
    rest = float(hermite.tail(activation, 110, slope)) * np.abs(gram[off]).max() ** 111
    np.testing.assert_allclose(found[off], series[off], atol=rest + 1e-13)


def test_the_truncated_kernel_keeps_the_diagonal():
    _, gram = cosines_of(5, 3)
    np.fill_diagonal(gram, 1.0)
    found = np.asarray(hermite.truncated_kernel(gram, "relu", 2, 0.3))
    zetas = [float(z) for z in hermite.coefficients("relu", 2, 0.3)]
    by_hand = np.sum([z**2 * gram**k for k, z in enumerate(zetas)], axis=0)
    off = ~np.eye(5, dtype=bool)
    np.testing.assert_allclose(found[off], by_hand[off], atol=1e-15)
    np.testing.assert_allclose(np.diag(found), (1 + 0.09) / 2, atol=1e-15)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: hermite.moments("tanh"), "activation must be one of relu, sine; got 'tanh'"),
        (lambda: hermite.coefficients("relu", -1), "degree must be an integer ≥ 0, got -1"),
        (lambda: hermite.coefficients("relu", 2, 1.5), "slope"),
    ],
)
def test_wrong_arguments(call, message):
    with pytest.raises(ValueError, match=message):
        call()
