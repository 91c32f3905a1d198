"""Stochastic gradient descent of image networks, with augmentation, and adversarially."""

import dataclasses
import functools
import math
from collections.abc import Iterator
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import linen as nn
from jaxtyping import Array, Float, Int

from experiments.images.augmentation import augment
from experiments.images.noises import craft_images
from theory import fields
from theory._types import PyTree, Real
from theory.parameters import Parameters, parameter
from theory.perturbations.classifiers import Attack, cross_entropy


class Recipe(Parameters):
    """How a network is trained: SGD with momentum on the mean cross-entropy."""

    learning_rate: float = parameter(0.01, "learning rate at the start", low=0, open_low=True)
    schedule: str = parameter(
        "constant", "learning rate in time: constant, or a half cosine to 0",
        choices=("constant", "cosine"),
    )  # fmt: skip
    momentum: float = fields.momentum(0.9, "momentum (heavy ball)")
    weight_decay: float = parameter(5e-4, "ℓ₂ penalty λ/2·‖weights‖²", low=0)
    batch: int = parameter(128, "images a step", low=1)
    crop: int = parameter(0, "padding of random crops, 0 for none", unit="pixels", low=0)
    flip: bool = parameter(False, "random mirror images")
    adversarial: float = parameter(
        0.0, "size in ℓ∞ of the noises that are trained on, 0 for none", low=0
    )
    adversarial_steps: int = parameter(7, "projected gradient steps that make them", low=1)
    adversarial_step: float = parameter(2 / 255, "size of these steps", low=0, open_low=True)


class State(NamedTuple):
    """A network in training: what flax calls its variables, and what the optimizer remembers.

    weights: its parameters.  statistics: running means of BatchNorm, {} if there are none.
    memory: state of the optimizer.
    """

    weights: PyTree
    statistics: PyTree
    memory: PyTree

    @property
    def variables(self) -> dict[str, PyTree]:
        """What `network.apply` takes."""
        return {"params": self.weights, **self.statistics}


def initial(network: nn.Module, key: Array, shape: tuple[int, ...], recipe: Recipe) -> State:
    """A network as it is drawn, for images of shape (H, W, C), in JAX's default precision."""
    variables = dict(_drawn(network, key, shape))
    weights = variables.pop("params")
    return State(weights, variables, _optimizer(recipe, 0.0).init(weights))


@functools.cache
def count_weights(network: nn.Module, shape: tuple[int, ...]) -> int:
    """Weights of a network for images of shape (H, W, C); none of them is drawn."""
    leaves = jax.tree.leaves(_shapes(network, shape)["params"])
    return sum(math.prod(leaf.shape) for leaf in leaves)


def _shapes(network: nn.Module, shape: tuple[int, ...]) -> PyTree:
    """What network.init returns, shapes in place of arrays."""
    start = jax.ShapeDtypeStruct((1, *shape), jnp.float32)  # flax draws in this precision
    return jax.eval_shape(network.init, jax.random.key(0), start)


def _drawn(network: nn.Module, key: Array, shape: tuple[int, ...]) -> PyTree:
    """What network.init draws, in law: kernels N(0, GAIN/fan-in), all else as flax has it.

    Drawn in one go: flax's own drawing, kernel by kernel, takes XLA 10 s to compile for ResNet-18.
    """
    leaves, tree = jax.tree_util.tree_flatten_with_path(_shapes(network, shape))
    total = sum(leaf.size for _, leaf in leaves)
    normal = np.asarray(jax.random.normal(key, (total,), jnp.float32))
    parts = np.split(normal, np.cumsum([leaf.size for _, leaf in leaves])[:-1])

    def value(name: str, leaf: Array, part: np.ndarray) -> Array:
        if name != "kernel":  # scale and running variance of BatchNorm are 1, biases and means 0
            return jnp.full(leaf.shape, 1.0 if name in ("scale", "var") else 0.0, float)
        scale = (network.GAIN / math.prod(leaf.shape[:-1])) ** 0.5  # pyright: ignore
        return jnp.asarray(scale * part.reshape(leaf.shape), float)

    values = [
        value(path[-1].key, leaf, part) for (path, leaf), part in zip(leaves, parts, strict=True)
    ]
    return jax.tree_util.tree_unflatten(tree, values)


def _optimizer(recipe: Recipe, learning_rate: Real) -> optax.GradientTransformation:
    decay = optax.add_decayed_weights(recipe.weight_decay)
    return optax.chain(decay, optax.sgd(learning_rate, recipe.momentum))  # pyright: ignore[reportArgumentType]


def rates(recipe: Recipe, steps: int) -> np.ndarray:
    """(steps,) learning rate of every step."""
    if recipe.schedule == "constant":
        return np.full(steps, recipe.learning_rate)
    return recipe.learning_rate * (1 + np.cos(np.pi * np.arange(steps) / steps)) / 2


def train(
    network: nn.Module,
    recipe: Recipe,
    key: Array,
    x: Float[Array, "n h w c"],
    labels: Int[Array, " n"],
    epochs: int,
) -> Iterator[State]:
    """Draws a network and trains it, giving its state before the first and after every epoch.

    An epoch visits the images once, in a new random order, in batches of `recipe.batch` (or n, if
    there are fewer images); images that fill no batch are left to the next epoch's order.

    Args:
      network: a flax module; the same module and shapes are compiled once.
      recipe: how to train; another learning rate compiles nothing anew.
      key: random key of the initial weights, the orders and the augmentation.
      x: (n, H, W, C) images.
      labels: (n,) their classes.
      epochs: how often.

    Yields:
      The `State`, epochs + 1 times.
    """
    key_initial, key_epochs = jax.random.split(key)
    batch = min(recipe.batch, len(x))
    steps = len(x) // batch
    schedule = rates(recipe, max(epochs, 1) * steps)
    static = dataclasses.replace(recipe, learning_rate=1.0, batch=batch)
    state = initial(network, key_initial, x.shape[1:], recipe)
    yield state
    for epoch in range(epochs):
        key = jax.random.fold_in(key_epochs, epoch)
        # A Python loop: in XLA's own loops CPUs take five times longer for these gradients.
        for index in range(steps):
            rate = schedule[epoch * steps + index]
            state = _step(network, static, state, key, index, rate, x, labels)
        yield state


@functools.partial(jax.jit, static_argnums=(0, 1))
def _step(
    network: nn.Module,
    recipe: Recipe,
    state: State,
    key: Array,
    index: Array,
    rate: Array,
    x: Array,
    labels: Array,
) -> State:
    """Step number `index` of the epoch whose key is given."""
    key_order, key_step = jax.random.split(key)
    order = jax.random.permutation(key_order, len(x))
    chosen = jax.lax.dynamic_slice(order, (index * recipe.batch,), (recipe.batch,))
    shown, classes = x[chosen], labels[chosen]
    key_step = jax.random.fold_in(key_step, index)
    shown = augment(key_step, shown, crop=recipe.crop, flip=recipe.flip)
    if recipe.adversarial > 0:
        attack = Attack(
            recipe.adversarial_steps, recipe.adversarial, 1, 0, 1.0, recipe.adversarial_step
        )
        shown = shown + craft_images(network, state.variables, shown, classes, attack)

    def loss(weights: PyTree) -> tuple[Array, PyTree]:
        variables = State(weights, state.statistics, None).variables
        values, changed = network.apply(variables, shown, train=True, mutable=["batch_stats"])
        return jnp.mean(cross_entropy(values, classes)), changed

    gradient, changed = jax.grad(loss, has_aux=True)(state.weights)
    rate = rate.astype(x.dtype)
    updates, memory = _optimizer(recipe, rate).update(gradient, state.memory, state.weights)
    return State(optax.apply_updates(state.weights, updates), changed, memory)
