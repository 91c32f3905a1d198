"""Tangent kernels and training of deep networks, against derivatives in every single weight."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from theory.networks.deep import DeepNetwork, Layer, apply_deep, init_deep
from theory.networks.deep_tangents import EQUAL, Rate, deep_ntk, first_neurons, train_deep
from theory.networks.descent import descent_for_time

D = 3
NETWORKS = {
    "plain": DeepNetwork((5, 4), slope=0.3, weight=1.3),
    "biases": DeepNetwork((4, 6), weight=1.2, bias=0.7),
    "standard": DeepNetwork((4,), slope=0.1, bias=0.4, parameterization="standard"),
    "residual": DeepNetwork((4, 4), slope=0.2, weight=1.1, bias=0.5, residual=True),
}


def points(n=4):
    return jnp.asarray(np.random.default_rng(1).normal(size=(n, D)))


def rates_of(layers):
    return [Rate(0.5 + k, 2.0 - k / 4) for k in range(len(layers))]


@pytest.mark.parametrize("name", NETWORKS)
def test_the_kernel_is_the_product_of_all_derivatives(name):
    """By automatic differentiation in each weight, every layer times its rate."""
    network, x = NETWORKS[name], points()
    layers = init_deep(network, jax.random.key(2), D)
    rates = rates_of(layers)
    jacobian = jax.jacobian(lambda at: apply_deep(network, at, x))(layers)
    expected = np.zeros((len(x), len(x)))
    for rate, part, (_, bias) in zip(rates, jacobian, network.scales(), strict=True):
        w, b = (np.asarray(p).reshape(len(x), -1) for p in part)
        expected += rate.w * w @ w.T + (rate.b if bias else 0) * b @ b.T
    np.testing.assert_allclose(
        deep_ntk(network, layers, x, rates), expected, rtol=1e-11, atol=1e-12
    )


@pytest.mark.parametrize("name", ["biases", "residual"])
def test_first_neurons_are_a_network_of_that_width(name):
    """Outputs, kernel and training of the NTK parameterization of width 3, cut out by hand."""
    wide = dataclasses.replace(NETWORKS[name], widths=(6, 6))
    narrow = dataclasses.replace(wide, widths=(3, 3))
    x, y = points(), jnp.array([1.0, -1.0, 1.0, -1.0])
    layers = init_deep(wide, jax.random.key(3), D)
    cut = [
        Layer(layer.w[:out, :into], layer.b[:out])
        for layer, (out, into) in zip(layers, narrow.shapes(D), strict=True)
    ]
    standard = dataclasses.replace(wide, parameterization="standard")
    part = first_neurons(wide, layers, jnp.asarray(3.0))
    found = deep_ntk(standard, part.layers, x, part.rates)
    np.testing.assert_allclose(found, deep_ntk(narrow, cut, x), rtol=1e-11, atol=1e-12)
    descent = descent_for_time(0.3, 3, loss="squared")
    paths = [
        train_deep(network, at, x, y, descent, lambda p, n=network: apply_deep(n, p, x), rates)
        for network, at, rates in ((standard, part.layers, part.rates), (narrow, cut, None))
    ]
    np.testing.assert_allclose(paths[0].trace, paths[1].trace, rtol=1e-11, atol=1e-12)
    assert np.abs(paths[1].trace[-1] - apply_deep(narrow, cut, x)).max() > 0.01
    left_out = [np.asarray(layer.w)[3:] for layer in paths[0].layers[:-1]]
    assert all((w == 0).all() for w in left_out)


@pytest.mark.parametrize("name", ["plain", "standard"])
def test_a_step_descends_along_the_gradient(name):
    """w − η r ∂L/∂w, L the mean of ½(f − y)²; biases that are not there stay."""
    network, x = NETWORKS[name], points()
    y = jnp.array([1.0, -1.0, -1.0, 1.0])
    layers = init_deep(network, jax.random.key(4), D)
    rates = rates_of(layers)
    gradient = jax.grad(lambda at: jnp.mean((apply_deep(network, at, x) - y) ** 2) / 2)(layers)
    descent = descent_for_time(0.2, 1, loss="squared")
    trained = train_deep(network, layers, x, y, descent, lambda at: at[0].w[0, 0], rates).layers
    for before, after, slope, rate, (_, bias) in zip(
        layers, trained, gradient, rates, network.scales(), strict=True
    ):
        np.testing.assert_allclose(
            after.w, before.w - 0.2 * rate.w * slope.w, rtol=1e-11, atol=1e-12
        )
        moved = 0.2 * rate.b * slope.b if bias else 0
        np.testing.assert_allclose(after.b, before.b - moved, rtol=1e-11, atol=1e-12)


def test_wrong_arguments_are_refused():
    network, x = NETWORKS["plain"], points()
    layers = init_deep(network, jax.random.key(0), D)
    with pytest.raises(ValueError, match="rates must be 3, one a layer, got 2"):
        deep_ntk(network, layers, x, [EQUAL] * 2)
    with pytest.raises(ValueError, match="network must have the parameterization ntk and equal"):
        first_neurons(network, layers, 2.0)
    with pytest.raises(ValueError, match="n must be"):
        first_neurons(dataclasses.replace(network, widths=(5, 5)), layers, 6)
    with pytest.raises(ValueError, match="layers must have the shapes"):
        deep_ntk(network, layers[:-1], x)
    descent = descent_for_time(1.0, 1, loss="squared")
    with pytest.raises(ValueError, match="y must"):
        train_deep(network, layers, x, jnp.arange(4.0), descent, lambda _: 0.0)
