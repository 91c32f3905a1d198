"""How well linear classifiers tell the classes of noises: a fitted one, and that of a theorem."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from experiments.images import noises
from experiments.images.networks import TwoLayerCNN
from theory._types import PyTree
from theory.perturbations.attacks import unit_rows
from theory.perturbations.classifiers import fit_probe, probe_classes


def probe_accuracies(
    x: Float[Array, "n h w c"],
    labels: Int[Array, " n"],
    z: Float[Array, "q h w c"],
    z_labels: Int[Array, " q"],
    *,
    classes: int,
    steps: int = 50,
    scaled: bool = False,
) -> np.ndarray:
    """Accuracies of a linear classifier fitted to (x, labels) on these and on (z, z_labels).

    Args:
      x: (n, H, W, C) images or noises to fit.
      labels: (n,) their classes.
      z: (q, H, W, C) others to classify.
      z_labels: (q,) their classes.
      classes: number of classes.
      steps: L-BFGS steps of the multinomial logistic regression (`classifiers.fit_probe`).
      scaled: scale each row to norm 1 before. Whether noises are separable by a linear classifier
        without intercept does not depend on it.

    Returns:
      (2,) accuracies on x and on z.
    """
    found = _probe_accuracies(x, labels, z, z_labels, classes, steps, scaled)
    return np.asarray(found, float)


@functools.partial(jax.jit, static_argnums=(4, 5, 6))
def _probe_accuracies(
    x: Array, labels: Array, z: Array, z_labels: Array, classes: int, steps: int, scaled: bool
) -> Array:
    fitted, seen = (v.reshape(len(v), -1) for v in (x, z))
    if scaled:
        fitted, seen = unit_rows(fitted), unit_rows(seen)
    probe = fit_probe(fitted, labels, classes=classes, steps=steps)
    return jnp.stack(
        [
            accuracy(probe_classes(probe, fitted), labels),
            accuracy(probe_classes(probe, seen), z_labels),
        ]
    )


def accuracy(found: Int[Array, " n"], labels: Int[Array, " n"]) -> Float[Array, ""]:
    """Share of the points found to be in their class."""
    return jnp.mean(jnp.where(found == labels, 1.0, 0.0))


def separator_classes(
    network: TwoLayerCNN, variables: PyTree, r: Float[Array, "n h w c"], *, targeted: bool = False
) -> Int[Array, " n"]:
    """Classes in which the separator of Z23's theorem puts noises; nothing is fitted.

    One step away from the class y makes r = Σ_c (p_c − 1{c = y}) ∇f_c(x). The separator −Wᵀa of
    theorem 3.1, a the readout of class c, is −∇ of the network without its ReLU, and as that is
    linear, its value at r is minus the output c of that network at r. Towards the class y + 1 the
    noise has the other sign and that class in place of y.

    Args:
      network: a two-layer network.
      variables: its weights; as they were drawn for theorem 3.6.
      r: (n, H, W, C) noises.
      targeted: whether they lead towards the next class.

    Returns:
      (n,) classes.
    """
    linear = network.clone(linear=True)
    values = noises.logits(linear, variables, r)
    if targeted:
        return (jnp.argmax(values, axis=1) - 1) % network.classes
    return jnp.argmax(-values, axis=1)
