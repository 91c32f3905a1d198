"""Two-layer softmax classifiers, their adversarial noises, and linear probes.

Z23 with several classes: logits Aσ(Wx) with the ReLU, W_ij ~ N(0, 1/d), A_ci ~ N(0, 1/m), all
weights trained at the same rate. The rows of A are independent networks a of the binary case.
"""

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int

from theory._scaling import maximum, power_of_two
from theory._types import AnyArray, Integer, PyTree, Real
from theory._validation import check_integer, check_points, is_traced, takes_arrays
from theory.perturbations.attacks import Ball, ball, projected_gradient


class Classifier(NamedTuple):
    """Weights of a two-layer classifier of width m on ℝ^d with C classes.

    w: (m, d) hidden weights.  a: (C, m) readout.
    """

    w: Float[Array, "m d"]
    a: Float[Array, "C m"]


@takes_arrays
def init_classifier(key: Array, m: int, d: int, classes: int) -> Classifier:
    """Draws W_ij ~ N(0, 1/d) and A_ci ~ N(0, 1/m).

    Raises:
      ValueError: if m, d or classes is not a positive integer.
    """
    check_integer("m", m)
    check_integer("d", d)
    check_integer("classes", classes)
    normal = jax.random.normal(key, (m, d + classes))  # one call: each costs a second to compile
    return Classifier(normal[:, :d] / d**0.5, normal[:, d:].T / m**0.5)


@takes_arrays
def logits(classifier: Classifier, x: Float[AnyArray, "n d"]) -> Float[Array, "n C"]:
    """Aσ(Wx) for every point."""
    return jax.nn.relu(x @ classifier.w.T) @ classifier.a.T


@takes_arrays
def cross_entropy(
    values: Float[AnyArray, "n C"], labels: Int[AnyArray, " n"]
) -> Float[Array, " n"]:
    """−log softmax(values)_label = log(1 + Σ_{c ≠ label} exp(values_c − values_label)).

    In this form the gradient keeps its relative precision however sure the network is: 1 − softmax
    is never taken as a difference.
    """
    own = jnp.take_along_axis(values, labels[:, None], axis=1)[:, 0]
    is_label = jnp.arange(values.shape[1], dtype=labels.dtype)[None, :] == labels[:, None]
    others = jax.nn.logsumexp(jnp.where(is_label, -jnp.inf, values), axis=1)
    return jax.nn.softplus(others - own)


class Attack(NamedTuple):
    """How noises are made; every field may be traced, so that one program makes all kinds.

    steps: gradient steps; 0 for the plain gradient of one step, neither scaled nor projected.
    epsilon: size, in units of x.
    sup_norm: 1 for a ball in ℓ∞, 0 for ℓ₂.
    targeted: 1 to move towards the class after the label (mod C), 0 to move away from the label.
    temperature: τ, softmax(logits/τ).
    step_size: of projected steps, in units of x; None for a fifth of epsilon.
    """

    steps: Integer
    epsilon: Real
    sup_norm: Integer
    targeted: Integer
    temperature: Real
    step_size: Real | None = None


@takes_arrays
def noises(
    classifier: Classifier, x: Float[AnyArray, "n d"], labels: Int[AnyArray, " n"], attack: Attack
) -> Float[Array, "n d"]:
    """Adversarial noises r_k of every point, as `craft` makes them.

    Args:
      classifier: the network.
      x: (n, d) points.
      labels: (n,) classes 0 … C − 1.
      attack: the kind of noise.

    Returns:
      (n, d) noises.

    Raises:
      ValueError: if x is malformed.
    """
    check_points("x", x, d=classifier.w.shape[1])
    return craft(functools.partial(logits, classifier), x, labels, attack)


@takes_arrays
def craft(
    values: Callable[[Float[Array, "n d"]], Float[Array, "n C"]],
    x: Float[AnyArray, "n d"],
    labels: Int[AnyArray, " n"],
    attack: Attack,
) -> Float[Array, "n d"]:
    """Adversarial noises r_k of every point, which `attack` describes.

    Away from the label they follow the gradient of the cross-entropy, towards the target its
    negative at the target.

    Args:
      values: the network, (n, d) points → (n, C) logits, one row a point.
      x: (n, d) points.
      labels: (n,) classes 0 … C − 1.
      attack: the kind of noise.

    Returns:
      (n, d) noises.

    Raises:
      ValueError: if x is malformed.

    Source:
      Z23 section 3 (one step), sections 4.2 and 4.3 (the others).
    """
    check_points("x", x)
    sign = jnp.where(attack.targeted > 0, -1.0, 1.0)

    def gradient(z: AnyArray) -> Array:
        def loss(points: Array) -> Array:
            found = values(points)
            target = (labels + attack.targeted) % found.shape[1]
            return jnp.sum(cross_entropy(found / attack.temperature, target))

        return sign * jax.grad(loss)(z)

    small, large = ball("l2"), ball("linf")
    either = Ball(
        lambda g: jnp.where(attack.sup_norm > 0, large.steepest(g), small.steepest(g)),
        lambda r, size: jnp.where(
            attack.sup_norm > 0, large.project(r, size), small.project(r, size)
        ),
    )
    steps = jnp.asarray(attack.steps)  # 0 is no number of projected steps
    projected = projected_gradient(
        gradient, x, attack.epsilon, either, steps=steps, step_size=attack.step_size
    )
    return jnp.where(attack.steps == 0, gradient(x), projected)


@takes_arrays
def train_classifier(
    classifier: Classifier,
    x: Float[AnyArray, "n d"],
    labels: Int[AnyArray, " n"],
    *,
    learning_rate: Real,
    steps: int,
    momentum: float = 0.9,
    epsilon: Real = 0.0,
) -> Classifier:
    """Full-batch gradient descent with momentum on the mean cross-entropy, all weights trained.

    With ε > 0 adversarially: every step is taken at x + r, r the step of size ε along the
    normalized (ℓ₂) gradient of the loss at x.

    Args:
      classifier: initial weights.
      x: (n, d) points.
      labels: (n,) classes 0 … C − 1.
      learning_rate: η, the same for both layers; may be traced.
      steps: number of steps.
      momentum: 0 ≤ μ < 1 (heavy ball).
      epsilon: ε ≥ 0; may be traced.

    Returns:
      The trained `Classifier`.

    Raises:
      ValueError: if x or steps is malformed.
    """
    check_points("x", x, d=classifier.w.shape[1])
    check_integer("steps", steps)
    optimizer = optax.sgd(learning_rate, momentum)  # pyright: ignore[reportArgumentType]

    def loss(weights: Classifier, points: Array) -> Array:
        return jnp.mean(cross_entropy(logits(weights, points), labels))

    plain = not is_traced(epsilon) and epsilon == 0  # half of the work

    def shown(weights: Classifier) -> Array:
        if plain:
            return jnp.asarray(x)
        return jnp.asarray(x) + epsilon * ball("l2").steepest(jax.grad(loss, argnums=1)(weights, x))

    def step(state: PyTree, _: None) -> tuple[PyTree, None]:
        weights, memory = state
        gradient = jax.grad(loss)(weights, shown(weights))
        updates, memory = optimizer.update(gradient, memory)
        return (optax.apply_updates(weights, updates), memory), None

    (weights, _), _ = jax.lax.scan(step, (classifier, optimizer.init(classifier)), length=steps)
    return weights


PENALTY = 1e-4  # keeps the weights of a probe of separable points finite


class LinearProbe(NamedTuple):
    """A linear classifier: the class of z is argmax_c of (z/scale, 1) · weights_c.

    weights: (d + 1, C), the last row the intercepts.  scale: number that points are divided by.
    """

    weights: Float[Array, "d+1 C"]
    scale: Float[Array, ""]


@takes_arrays
def probe_accuracy(
    x: Float[AnyArray, "n d"],
    labels: Int[AnyArray, " n"],
    z: Float[AnyArray, "q d"],
    z_labels: Int[AnyArray, " q"],
    *,
    classes: int,
    steps: int = 50,
) -> Float[Array, ""]:
    """Accuracy on (z, z_labels) of the linear classifier that `fit_probe` fits to (x, labels).

    Args:
      x: (n, d) points to fit.
      labels: (n,) classes 0 … C − 1.
      z: (q, d) points to classify.
      z_labels: (q,) their classes.
      classes: C.
      steps: L-BFGS steps.

    Returns:
      A number in [0, 1].

    Raises:
      ValueError: if x, z, classes or steps is malformed.

    Source:
      Z23 section 4.1.
    """
    check_points("x", x)
    check_points("z", z, d=x.shape[1])
    found = probe_classes(fit_probe(x, labels, classes=classes, steps=steps), z)
    return jnp.mean(jnp.where(found == z_labels, 1.0, 0.0))


@takes_arrays
def probe_classes(probe: LinearProbe, z: Float[AnyArray, "q d"]) -> Int[Array, " q"]:
    """The class in which a linear classifier puts every point."""
    return jnp.argmax(_with_intercept(z / probe.scale) @ probe.weights, axis=1)


def _with_intercept(points: Float[AnyArray, "n d"]) -> Float[Array, "n d+1"]:
    return jnp.concatenate([points, jnp.ones_like(points[:, :1])], axis=1)


@takes_arrays
def fit_probe(
    x: Float[AnyArray, "n d"], labels: Int[AnyArray, " n"], *, classes: int, steps: int = 50
) -> LinearProbe:
    """Multinomial logistic regression with intercept, ℓ₂ penalty 10⁻⁴, by `steps` L-BFGS steps.

    All points are first divided by the root mean square entry of x.

    Args:
      x: (n, d) points to fit.
      labels: (n,) classes 0 … C − 1.
      classes: C.
      steps: L-BFGS steps.

    Returns:
      The `LinearProbe`.

    Raises:
      ValueError: if x, classes or steps is malformed.

    Source:
      Z23 section 4.1.
    """
    check_points("x", x)
    check_integer("classes", classes)
    check_integer("steps", steps)
    power = power_of_two(maximum(jnp.abs(x)))  # squares would overflow or underflow
    root_mean_square = jnp.sqrt(jnp.mean((x / power) ** 2))
    scale = jnp.where(root_mean_square > 0, root_mean_square, 1) * power
    inputs = _with_intercept(x / scale)

    def loss(weights: Array) -> Array:
        fit = jnp.mean(cross_entropy(inputs @ weights, labels))
        return fit + PENALTY / 2 * jnp.sum(weights**2)

    solver = optax.lbfgs()
    value_and_gradient = optax.value_and_grad_from_state(loss)

    def step(state: PyTree, _: None) -> tuple[PyTree, None]:
        weights, memory = state
        value, gradient = value_and_gradient(weights, state=memory)
        updates, memory = solver.update(
            gradient, memory, weights, value=value, grad=gradient, value_fn=loss
        )
        return (optax.apply_updates(weights, updates), memory), None

    start = jnp.zeros((inputs.shape[1], classes), x.dtype)
    # optax adds integers of different widths and arrays of different ranks in its L-BFGS.
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        (weights, _), _ = jax.lax.scan(step, (start, solver.init(start)), length=steps)
    return LinearProbe(weights, scale)
