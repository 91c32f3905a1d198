"""Training in pre-activation space, for networks whose readout is frozen.

The weights enter a trajectory only through the pre-activations at the training points, as

  w_i = w_i(0) + (a_i/n) Σ_k y_k C_ik x_k,
  h_i(z) = h_i(z; 0) + (a_i/n) Σ_k y_k C_ik (⟨x_k, z⟩ + 1)

(without the 1 where no biases are trained), with coefficients C_ik = Σ_j c_j ℓ'_k φ'(h_i(x_k)) over
the steps j and c_j the factor with which the gradient of step j enters the final weights. A step
costs one product with the (n, n) matrix of inner products, whatever the dimension is: 2n²m
operations against 4ndm on the weights.

Under the identity loss neurons evolve independently, and the velocity of one changes only when one
of its activations switches, which becomes rare. `coefficients_by_flips` updates what switched, at
O(nm) operations per step, and jumps over steps at which nothing does.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from theory._types import AnyArray
from theory._validation import takes_arrays
from theory.data.subspace import gram_rows
from theory.networks.descent import (
    Descent,
    loss_weights,
    mean_loss,
    repeated,
)
from theory.networks.embedding import biased_products
from theory.networks.network import ACTIVATIONS, Network, Params
from theory.networks.products import along


class Coefficients(NamedTuple):
    """What training in pre-activation space returns.

    c: (m, n) C, w_i(K) = w_i(0) + (a_i/n) Σ_k y_k C_ik x_k.
    weights: (n,) α_k, C_ik where φ' = 1 throughout; every α_k is T under the identity loss.
    time: T = Σ_j c_j.
    """

    c: Float[Array, "m n"]
    weights: Float[Array, " n"]
    time: Float[Array, ""]


@takes_arrays
def gaussian_pre_activations(
    key: Array, x: Float[AnyArray, "n d"], m: int, bias: bool = True
) -> Float[Array, "m n"]:
    """Initial pre-activations at the points, drawn jointly from their law instead of from weights.

    Neurons are independent and h_i(x) ~ N(0, xxᵀ/d + 1), without the 1 where there are no biases.

    Args:
      key: random key.
      x: (n, d) points; what matters of them is their inner products.
      m: number of neurons.
      bias: whether the network has biases.

    Returns:
      (m, n) pre-activations.
    """
    covariance = x @ x.T / x.shape[1] + float(bias)
    return jax.random.normal(key, (m, len(x))) @ gram_rows(covariance).T


@takes_arrays
def moved(
    network: Network, params: Params, trained: Coefficients, x: Float[AnyArray, "n d"],
    y: Float[AnyArray, " n"],
) -> Params:  # fmt: skip
    """The trained weights of the coefficients: w_i + (a_i/n) Σ_k y_k C_ik x_k, biases likewise.

    Args:
      network: which weights are trained.
      params: initial weights.
      trained: the coefficients.
      x, y: (n, d) training points, (n,) labels ±1.

    Returns:
      Trained `Params`.
    """
    pull = trained.c * y[None, :] * (params.a / len(x))[:, None]
    b = params.b + jnp.sum(pull, axis=1) if "b" in network.trained else params.b
    return Params(params.w + pull @ x, b, params.a)


@takes_arrays
@jax.jit
def coefficients(
    network: Network,
    h: Float[AnyArray, "m n"],
    a: Float[AnyArray, " m"],
    x: Float[AnyArray, "n d"],
    y: Float[AnyArray, " n"],
    descent: Descent,
    gram: Float[AnyArray, "n n"] | None = None,
) -> Coefficients:
    """Trains under any loss, one product with the matrix of inner products per step.

    Args:
      network: the parameterization; hidden weights are trained, the readout is not.
      h: (m, n) initial pre-activations at the training points.
      a: (m,) readout.
      x, y: (n, d) training points, (n,) labels ±1.
      descent: optimizer, loss, number of steps.
      gram: (n, n) ⟨x_j, x_k⟩ + 1, without the 1 where no biases are trained, if it is known.

    Returns:
      `Coefficients`.
    """
    n = len(x)
    value, derivative = ACTIVATIONS[network.activation]
    label, readout, bias = jnp.asarray(y), jnp.asarray(a), "b" in network.trained
    gram = biased_products(x, x, bias) if gram is None else jnp.asarray(gram)
    optimizer = descent.transformation()

    def step(state: Any) -> Any:
        trained, memory = state
        now = jnp.asarray(h) + (readout / n)[:, None] * along(trained.c * label[None, :], gram)
        s = -label * (readout @ value(now, network.slope))
        pull, one = loss_weights(descent, s), jnp.ones_like(trained.time)
        gradient = Coefficients(-pull[None, :] * derivative(now, network.slope), -pull, -one)
        updates, memory = optimizer.update(gradient, memory, value=mean_loss(descent, s))
        return jax.tree.map(jnp.add, trained, updates), memory

    start = Coefficients(jnp.zeros_like(h), jnp.zeros(n, h.dtype), jnp.zeros((), h.dtype))
    return repeated(step, (start, optimizer.init(start)), descent)[0]
