"""Training: a step by hand, the law of the initial weights, epochs, adversarial training."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from untyped import compilations

from experiments.images import noises, training
from experiments.images.networks import ResNet18, TwoLayerCNN
from experiments.images.training import Recipe
from theory.perturbations.classifiers import Attack

N, SIDE = 12, 4
NETWORK = TwoLayerCNN(3, classes=3)
X = jax.random.normal(jax.random.key(0), (N, SIDE, SIDE, 1))
LABELS = jax.random.randint(jax.random.key(1), (N,), 0, 3)
RECIPE = Recipe(learning_rate=0.1, weight_decay=0.05)


def states(recipe, epochs, x=X, labels=LABELS):
    return list(training.train(NETWORK, recipe, jax.random.key(2), x, labels, epochs))


def gradient(weights, x, labels):
    def loss(w):
        values: Any = NETWORK.apply({"params": w}, x)
        return optax.softmax_cross_entropy_with_integer_labels(values, labels).mean()

    return jax.grad(loss)(weights)


def close(found, expected, tolerance=1e-10):
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(a, b, atol=tolerance)


@pytest.mark.parametrize("schedule", ["constant", "cosine"])
def test_steps_are_those_of_momentum_with_weight_decay(schedule):
    """One batch is all images, so that their order does not matter."""
    recipe = dataclasses.replace(RECIPE, schedule=schedule)
    start, *rest = states(recipe, 3)
    weights = start.weights
    velocity = jax.tree.map(jnp.zeros_like, weights)
    for step, state in enumerate(rest):
        rate = 0.1 if schedule == "constant" else 0.05 * (1 + np.cos(np.pi * step / 3))
        slope = gradient(weights, X, LABELS)
        velocity = jax.tree.map(lambda v, g, w: 0.9 * v + g + 0.05 * w, velocity, slope, weights)
        weights = jax.tree.map(lambda w, v, rate=rate: w - rate * v, weights, velocity)
        close(state.weights, weights)


def test_an_epoch_visits_every_image_once():
    """Without momentum, at a tiny rate, the steps add up to the gradient of all images."""
    recipe = Recipe(learning_rate=1e-6, momentum=0.0, weight_decay=0.0, batch=4)
    start, end = states(recipe, 1)
    moved = jax.tree.map(lambda a, b: (a - b) / 3e-6, start.weights, end.weights)
    close(moved, gradient(start.weights, X, LABELS), 1e-4)


def test_a_key_decides_all_and_rates_share_the_initial_weights():
    first, again = states(RECIPE, 1), states(RECIPE, 1)
    close(first[1].weights, again[1].weights, 0)
    other = states(dataclasses.replace(RECIPE, learning_rate=0.2), 1)
    close(first[0].weights, other[0].weights, 0)
    assert not jnp.allclose(
        first[1].weights["readout"]["kernel"], other[1].weights["readout"]["kernel"]
    )


def test_adversarial_training_steps_at_the_noises():
    recipe = Recipe(
        learning_rate=0.1, momentum=0.0, weight_decay=0.0,
        adversarial=0.1, adversarial_steps=3, adversarial_step=0.03,
    )  # fmt: skip
    start, end = states(recipe, 1)
    r = noises.noises(NETWORK, start.variables, X, LABELS, Attack(3, 0.1, 1, 0, 1.0, 0.03))
    assert jnp.abs(r).max() == pytest.approx(3 * 0.03)
    slope = gradient(start.weights, X + r, LABELS)
    close(end.weights, jax.tree.map(lambda w, g: w - 0.1 * g, start.weights, slope))


def test_weights_are_drawn_as_flax_draws_them():
    """Means and variances of 9,216 or more numbers: 5 standard errors, false alarm < 10⁻⁵."""
    network, shape = TwoLayerCNN(1024), (8, 8, 1)
    drawn = training.initial(network, jax.random.key(0), shape, RECIPE).weights
    flax = network.init(jax.random.key(0), jnp.zeros((1, *shape), jnp.float32))["params"]
    assert jax.tree.structure(drawn) == jax.tree.structure(flax)
    for ours, theirs in zip(jax.tree.leaves(drawn), jax.tree.leaves(flax), strict=True):
        assert ours.shape == theirs.shape
        fan_in = np.prod(ours.shape[:-1])
        for kernel in (ours, theirs):
            z = np.asarray(kernel, float).ravel() * fan_in**0.5
            assert abs(z.mean()) < 5 / z.size**0.5
            assert abs(z.var() - 1) < 5 * (2 / z.size) ** 0.5


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"learning_rate": 0.0}, "learning_rate"), ({"schedule": "linear"}, "schedule must be one")],
)
def test_recipes_are_checked(changes, message):
    with pytest.raises(ValueError, match=message):
        Recipe(**changes)


@pytest.mark.slow
def test_resnet18_learns_in_a_few_steps():
    network = ResNet18(4)
    labels = jnp.arange(64) % 2
    bright = jnp.where(labels == 1, 1.0, -1.0)[:, None, None, None]
    x = bright + jax.random.normal(jax.random.key(0), (64, 8, 8, 1))
    recipe = Recipe(learning_rate=0.05, batch=32)
    first, *_, last = training.train(network, recipe, jax.random.key(1), x, labels, 30)
    scale = jax.tree.leaves(first.weights["BatchNorm_0"]["scale"])[0]
    assert (scale == 1).all()
    assert compilations(training._step) >= 1
    values = noises.logits(network, last.variables, x)
    assert (values.argmax(axis=1) == labels).mean() > 0.8
    moved = jax.tree.map(
        lambda a, b: float(jnp.abs(a - b).max()), first.statistics, last.statistics
    )
    assert min(jax.tree.leaves(moved)) > 0
