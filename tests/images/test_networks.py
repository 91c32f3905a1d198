"""Image networks: shapes, known sizes, and the two-layer one against the network of the theory."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.images.networks import VGG11, ConvNet, ResNet18, TwoLayerCNN, WideResNet28
from experiments.images.training import Recipe, initial
from theory.perturbations import classifiers


@pytest.mark.parametrize("shape", [(8, 8, 1), (28, 28, 1), (32, 32, 3)])
@pytest.mark.parametrize(
    "network", [TwoLayerCNN(4), ConvNet(4), ResNet18(4), VGG11(4), WideResNet28(4)]
)
def test_every_network_takes_every_image(network, shape):
    def outputs():
        x = jnp.zeros((3, *shape), jnp.float32)
        return network.apply(network.init(jax.random.key(0), x), x)

    assert jax.eval_shape(outputs).shape == (3, 10)


# Of their CIFAR forms, as PyTorch implementations count them (WRN28-10).
KNOWN_PARAMETERS = (
    (ResNet18(), 11_173_962),
    (VGG11(), 9_231_114),
    (WideResNet28(160), 36_479_194),
)


def parameters(network):
    variables = jax.eval_shape(
        lambda: network.init(jax.random.key(0), jnp.zeros((1, 32, 32, 3), jnp.float32))
    )
    return sum(leaf.size for leaf in jax.tree.leaves(variables["params"]))


@pytest.mark.parametrize(("network", "known"), KNOWN_PARAMETERS)
def test_networks_have_the_parameters_that_are_known_of_them(network, known):
    assert parameters(network) == known


def test_wrn28_4_has_the_parameters_of_its_layers():
    """Stem; per group a first block (conv, conv, shortcut) and three of two convs; BatchNorms."""
    widths = (16, 64, 128, 256)
    convs = 9 * 3 * 16
    norms = 2 * 256
    for before, width in itertools.pairwise(widths):
        convs += 9 * before * width + 9 * width**2 + before * width + 3 * 2 * 9 * width**2
        norms += 2 * before + 2 * width + 3 * 2 * 2 * width
    assert parameters(WideResNet28()) == convs + norms + 256 * 10 + 10


def spatial_shapes(network, side):
    """Sides of what the convolutions of a network give, in the order in which they are called."""

    def shapes():
        x = jnp.zeros((1, side, side, 3), jnp.float32)
        _, found = network.apply(
            network.init(jax.random.key(0), x), x, capture_intermediates=True,
            mutable=["intermediates"],
        )  # fmt: skip
        return found["intermediates"]

    found = jax.eval_shape(shapes)
    return {name: layer["__call__"][0].shape[1] for name, layer in found.items() if "Conv" in name}


@pytest.mark.parametrize(
    ("side", "sides"),
    [(32, [32, 16, 8, 8, 4, 4, 2, 2]), (8, [8, 4, 2, 2, 1, 1, 1, 1])],
)
def test_vgg11_halves_images_after_every_stage_while_it_can(side, sides):
    assert list(spatial_shapes(VGG11(2), side).values()) == sides


@pytest.mark.parametrize("network", [ResNet18(2), VGG11(2), WideResNet28(2)])
def test_training_changes_the_running_means_of_batch_norm_alone_where_asked(network):
    def both():
        x = jnp.zeros((2, 8, 8, 1), jnp.float32)
        variables = network.init(jax.random.key(0), x)
        return variables["batch_stats"], network.apply(
            variables, x, train=True, mutable=["batch_stats"]
        )[1]

    before, after = jax.eval_shape(both)
    assert jax.tree.structure({"batch_stats": before}) == jax.tree.structure(after)


def as_dense(variables):
    """On images of one pixel only the middle of a filter sees anything."""
    weights = variables["params"]
    return classifiers.Classifier(
        weights["hidden"]["kernel"][1, 1].T, weights["readout"]["kernel"].T
    )


def test_on_single_pixels_it_is_the_two_layer_classifier_of_the_theory():
    network = TwoLayerCNN(7, classes=3, pool=1)
    x = jax.random.normal(jax.random.key(1), (5, 1, 1, 6))
    variables = initial(network, jax.random.key(0), x.shape[1:], Recipe()).variables
    dense = as_dense(variables)
    expected = classifiers.logits(dense, x[:, 0, 0])
    np.testing.assert_allclose(np.asarray(network.apply(variables, x)), expected, atol=1e-12)
    linear = x[:, 0, 0] @ dense.w.T @ dense.a.T
    found = network.clone(linear=True).apply(variables, x)
    np.testing.assert_allclose(np.asarray(found), linear, atol=1e-12)


def test_pooling_averages():
    network = TwoLayerCNN(3, classes=2, pool=2)
    x = jax.random.normal(jax.random.key(1), (2, 4, 4, 1))
    variables = initial(network, jax.random.key(0), x.shape[1:], Recipe()).variables
    hidden = jax.nn.relu(
        jax.lax.conv_general_dilated(
            x, variables["params"]["hidden"]["kernel"], (1, 1), "SAME",
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
        )
    )  # fmt: skip
    pooled = hidden.reshape(2, 2, 2, 2, 2, 3).mean(axis=(2, 4)).reshape(2, -1)
    expected = pooled @ variables["params"]["readout"]["kernel"]
    np.testing.assert_allclose(np.asarray(network.apply(variables, x)), expected, atol=1e-12)
