"""Gradient descent with weight decay on all weights of a two-layer network."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from theory._types import AnyArray, Real
from theory._validation import (
    check_labels,
    check_points,
    check_real,
    is_traced,
    shown,
    takes_arrays,
)
from theory.networks.descent import Descent, mean_loss, repeated
from theory.networks.network import Network, Params, apply


@takes_arrays
def descend_with_decay(
    network: Network,
    params: Params,
    x: Float[AnyArray, "n d"],
    y: Float[AnyArray, " n"],
    descent: Descent,
    decay: Real,
) -> Params:
    """θ ← (1 − ηλ)θ − η∇L(θ), L = (1/n) Σ_k ℓ(−y_k f(x_k)), for the trained weights θ.

    What the gradient does not reach, such as the part of the hidden weights orthogonal to all
    points, is multiplied by (1 − ηλ)^T and by nothing else.

    Args:
      network: the parameterization.
      params: initial weights.
      x: (n, d) training points.
      y: (n,) labels ±1.
      descent: η, T and ℓ, at a constant rate without momentum, not on log L.
      decay: λ ≥ 0.

    Returns:
      The weights after T steps.

    Raises:
      ValueError: for points or labels that are none, a negative λ, momentum, a schedule or log L.
    """
    check_points("x", x, d=params.w.shape[1])
    check_labels("y", y, len(x))
    if not is_traced(decay):
        check_real("decay", decay, low=0)
    moving = is_traced(descent.momentum) or descent.momentum != 0
    if moving or descent.schedule != "constant" or descent.log_loss:
        raise ValueError(
            f"descent must have a constant rate, no momentum and no log L, got {shown(descent)}"
        )
    x, y = jnp.asarray(x), jnp.asarray(y)
    rate = descent.learning_rate

    def loss(trained: dict[str, Array]) -> Float[Array, ""]:
        return mean_loss(descent, -y * apply(network, params._replace(**trained), x))

    def step(trained: dict[str, Array]) -> dict[str, Array]:
        gradient = jax.grad(loss)(trained)
        return jax.tree.map(lambda t, g: (1 - rate * decay) * t - rate * g, trained, gradient)

    trained = {name: getattr(params, name) for name in network.trained}
    return params._replace(**repeated(step, trained, descent))
