"""Deep networks as pure functions, against neural-tangents' stax with the same weights."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from theory.infinite_width._neural_tangents import load
from theory.networks.deep import DeepNetwork, Layer, apply_deep, init_deep, last_activations

D = 3
NETWORKS = {
    "plain": DeepNetwork((5, 4), slope=0.3, weight=1.3),
    "biases": DeepNetwork((5, 4, 6), weight=1.2, bias=0.7),
    "standard": DeepNetwork((4,), slope=0.1, bias=0.4, parameterization="standard"),
    "residual": DeepNetwork((4, 4), slope=0.2, weight=1.1, bias=0.5, residual=True),
    "both": DeepNetwork((4, 4), weight=1.1, parameterization="standard", residual=True),
}


def of_stax(network):
    """The same architecture in stax: (init_fn, apply_fn, kernel_fn)."""
    stax = load().stax
    relu = stax.ABRelu(network.slope, 1.0)

    def dense(out, scale):
        return stax.Dense(
            out, W_std=scale[0], b_std=scale[1] or None, parameterization=network.parameterization
        )

    sizes = [out for out, _ in network.shapes(D)]
    layers = [dense(out, scale) for out, scale in zip(sizes, network.scales(), strict=True)]
    if not network.residual:
        inner = [part for layer in layers[:-1] for part in (layer, relu)]
        return stax.serial(*inner, layers[-1])
    blocks = [
        stax.serial(
            stax.FanOut(2),
            stax.parallel(stax.Identity(), stax.serial(layers[k], relu, layers[k + 1])),
            stax.FanInSum(),
        )
        for k in range(1, len(layers) - 1, 2)
    ]
    return stax.serial(layers[0], *blocks, layers[-1])


def with_weights(params, layers):
    """The weights of stax, replaced by ours in their order."""
    rest = list(layers)

    def fill(part):
        if isinstance(part, tuple) and len(part) == 2 and hasattr(part[0], "shape"):
            layer = rest.pop(0)
            return layer.w.T, None if part[1] is None else layer.b[None, :].reshape(part[1].shape)
        return type(part)(fill(one) for one in part) if isinstance(part, list | tuple) else part

    found = fill(params)
    assert not rest
    return found


@pytest.mark.parametrize("name", NETWORKS)
def test_outputs_are_those_of_stax(name):
    network = NETWORKS[name]
    x = jnp.asarray(np.random.default_rng(1).normal(size=(6, D)))
    layers = init_deep(network, jax.random.key(2), D)
    init_fn, apply_fn, _ = of_stax(network)
    _, params = init_fn(jax.random.key(0), (1, D))
    expected = apply_fn(with_weights(params, layers), x)[:, 0]
    np.testing.assert_allclose(apply_deep(network, layers, x), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.filterwarnings("ignore:`FanIn` layers assume independent inputs")
@pytest.mark.parametrize("name", ["biases", "standard", "residual"])
def test_outputs_have_the_covariance_of_the_kernel(name):
    """The mean of f(x)f(z) over networks is the kernel's at every width: 4 standard errors of 4000
    networks, a false alarm of 2·10⁻⁴ for each of three entries."""
    network = NETWORKS[name]
    x = jnp.asarray(np.random.default_rng(3).normal(size=(2, D)))
    kernel = np.asarray(of_stax(network)[2](x, x, "nngp"))
    keys = jax.random.split(jax.random.key(4), 4000)
    f = np.asarray(
        jax.jit(jax.vmap(lambda k: apply_deep(network, init_deep(network, k, D), x)))(keys)
    )
    products = f[:, :, None] * f[:, None, :]
    error = products.std(axis=0) / len(f) ** 0.5
    assert (np.abs(products.mean(axis=0) - kernel) < 4 * error).all()


def test_parameterizations_have_one_law():
    """The same numbers give the same outputs: factors stand in f or in the weights."""
    ntk = NETWORKS["biases"]
    standard = DeepNetwork(ntk.widths, weight=1.2, bias=0.7, parameterization="standard")
    x = jnp.ones((2, D))
    values = [
        apply_deep(network, init_deep(network, jax.random.key(1), D), x)
        for network in (ntk, standard)
    ]
    np.testing.assert_allclose(values[0], values[1], rtol=1e-5)


def test_one_hidden_layer_by_hand():
    network = DeepNetwork((2,), slope=0.5, weight=2.0, bias=1.0)
    layers = [
        Layer(jnp.array([[1.0, 0.0], [0.0, -2.0]]), jnp.array([0.5, 0.0])),
        Layer(jnp.array([[3.0, 4.0]]), jnp.zeros(1)),
    ]
    x = jnp.array([[1.0, 1.0]])
    h = np.array([2 / 2**0.5 + 0.5, -4 / 2**0.5])
    last = np.where(h >= 0, h, h / 2)
    np.testing.assert_allclose(last_activations(network, layers, x)[0], last, rtol=1e-6)
    np.testing.assert_allclose(apply_deep(network, layers, x), [last @ [3, 4] / 2**0.5], rtol=1e-6)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"widths": ()}, "widths must be at least one"),
        ({"widths": (3, 0)}, r"widths\[1\] must be an integer ≥ 1"),
        ({"widths": (3, 4), "residual": True}, "widths must be equal with residual branches"),
        ({"widths": (3,), "weight": 0.0}, "weight must be"),
        ({"widths": (3,), "parameterization": "mup"}, "parameterization"),
    ],
)
def test_wrong_networks_are_refused(wrong, says):
    with pytest.raises(ValueError, match=says):
        DeepNetwork(**wrong)


def test_layers_of_another_network_are_refused():
    network = DeepNetwork((3, 2))
    layers = init_deep(network, jax.random.key(0), 4)
    for wrong, x in ((layers[:-1], jnp.ones((1, 4))), (layers, jnp.ones((1, 5)))):
        with pytest.raises(ValueError, match="layers must have the shapes"):
            apply_deep(network, wrong, x)
    with pytest.raises(ValueError, match="d must be an integer ≥ 1, got 0"):
        init_deep(network, jax.random.key(0), 0)
