"""Gradient descent with weight decay on all weights of a two-layer network."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from theory._types import AnyArray, Integer, Real
from theory._validation import check_choice, check_labels, check_points, takes_arrays
from theory.networks.descent import LOSSES
from theory.networks.network import Network, Params, apply


@takes_arrays
def descend_with_decay(
    network: Network,
    params: Params,
    x: Float[AnyArray, "n d"],
    y: Float[AnyArray, " n"],
    rate: Real,
    decay: Real,
    steps: Integer,
    loss: str = "logistic",
) -> Params:
    """θ ← (1 − ηλ)θ − η∇L(θ), L = (1/n) Σ_k ℓ(−y_k f(x_k)), for the trained weights θ.

    What the gradient does not reach, such as the part of the hidden weights orthogonal to all
    points, is multiplied by (1 − ηλ)^T and by nothing else.

    Args:
      network: the parameterization.
      params: initial weights.
      x, y: (n, d), (n,) points and labels ±1.
      rate, decay, steps: η, λ and T.
      loss: ℓ, one of `theory.networks.descent.LOSSES`.

    Returns:
      The weights after T steps.

    Raises:
      ValueError: for points or labels that are none, or an unknown loss.
    """
    check_points("x", x, d=params.w.shape[1])
    check_labels("y", y, len(x))
    x, y = jnp.asarray(x), jnp.asarray(y)
    value = LOSSES[check_choice("loss", loss, LOSSES)].value

    def mean_loss(trained: dict[str, Array]) -> Float[Array, ""]:
        return jnp.mean(value(-y * apply(network, params._replace(**trained), x)))

    def step(_: Array, trained: dict[str, Array]) -> dict[str, Array]:
        gradient = jax.grad(mean_loss)(trained)
        return jax.tree.map(lambda t, g: (1 - rate * decay) * t - rate * g, trained, gradient)

    trained = {name: getattr(params, name) for name in network.trained}
    return params._replace(**jax.lax.fori_loop(0, steps, step, trained))
