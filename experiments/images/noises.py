"""Adversarial noises of image networks."""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Float, Int

from theory._types import PyTree
from theory.perturbations.classifiers import Attack, craft

BATCH = 2048  # images at a time, a bound of memory


def craft_images(
    network: nn.Module,
    variables: PyTree,
    x: Float[Array, "n h w c"],
    labels: Int[Array, " n"],
    attack: Attack,
) -> Float[Array, "n h w c"]:
    """`theory.perturbations.classifiers.craft` of images: BatchNorm uses its running means.

    Perturbed images x + r are not clipped to the range from black to white.
    """

    def values(points: Array) -> Array:
        return network.apply(variables, points.reshape(-1, *x.shape[1:]))  # pyright: ignore

    return craft(values, x.reshape(len(x), -1), labels, attack).reshape(x.shape)


def noises(
    network: nn.Module,
    variables: PyTree,
    x: Float[Array, "n h w c"],
    labels: Int[Array, " n"],
    attack: Attack,
) -> Float[Array, "n h w c"]:
    """Adversarial noises of any number of images, `BATCH` at a time.

    Args:
      network: a flax module; it is compiled once for all attacks.
      variables: its weights and running means.
      x: (n, H, W, C) images.
      labels: (n,) their classes 0 … C − 1.
      attack: the kind of noise.

    Returns:
      (n, H, W, C) noises.
    """
    numbers = jax.tree.map(jnp.asarray, attack)  # a step size of None stays
    return in_batches(lambda *each: _noises(network, variables, *each, numbers), x, labels)


@functools.partial(jax.jit, static_argnums=0)
def _noises(
    network: nn.Module, variables: PyTree, x: Array, labels: Array, attack: Attack
) -> Array:
    return craft_images(network, variables, x, labels, attack)


def logits(
    network: nn.Module, variables: PyTree, x: Float[Array, "n h w c"]
) -> Float[Array, "n k"]:
    """Logits of any number of images, `BATCH` at a time; BatchNorm uses its running means."""
    return in_batches(lambda each: _logits(network, variables, each), x)


@functools.partial(jax.jit, static_argnums=0)
def _logits(network: nn.Module, variables: PyTree, x: Array) -> Array:
    return network.apply(variables, x)  # pyright: ignore[reportReturnType]


def in_batches(function: Callable[..., Array], *arrays: Array) -> Array:
    """function(*arrays), row by row independent, on `BATCH` rows at a time."""
    parts = range(0, len(arrays[0]), BATCH)
    return jnp.concatenate([function(*(a[i : i + BATCH] for a in arrays)) for i in parts])
