"""Inner products of one-step noises with the readout direction that separates them."""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from theory._validation import takes_arrays
from theory.margins import rounding_error
from theory.networks.network import Params, all_trained, input_gradients, pre_activations

NETWORK = all_trained(slope=0.0)


class Alignment(NamedTuple):
    """S_k = ⟨Wᵀa, ∇f(x_k)⟩ = aᵀWWᵀD_k a of every point, and the sizes it belongs to.

    value, error: (n,) S_k and the bound on its rounding error.  m, d: width and dimension.
    """

    value: Float[Array, " n"]
    error: Float[Array, " n"]
    m: int
    d: int


def noise_alignment(params: Params, x: Float[Array, "n d"]) -> Alignment:
    """S_k for every point: −Wᵀa separates the noise r_k from the origin exactly when S_k > 0.

    ⟨−Wᵀa, y_k r_k⟩ = (1 − s(y_k f(x_k))) S_k with 0 < 1 − s: the sign is decided by S_k, which does
    not underflow. The error bound covers rounding of the sums and activations whose sign is in
    doubt, |h_i(x_k)| ≤ rounding.
    """
    return alignment_along(params, x, readout_direction(params))


class Direction(NamedTuple):
    """A direction u in input space, with a bound on the error of the vector in ℓ₂.

    value: (d,) u.  error: bound on its distance to the direction meant.
    """

    value: Float[Array, " d"]
    error: Float[Array, ""]


@takes_arrays
def readout_direction(params: Params) -> Direction:
    """Wᵀa, the negative of the paper's separator v."""
    magnitude = jnp.abs(params.a) @ jnp.abs(params.w)
    error = rounding_error(sum(params.w.shape) + 4, jnp.linalg.norm(magnitude))
    return Direction(params.a @ params.w, error)


@takes_arrays
def alignment_along(params: Params, x: Float[Array, "n d"], direction: Direction) -> Alignment:
    """⟨u, ∇f(x_k)⟩ of every point for a direction u, with its rounding error."""
    m, d = params.w.shape
    slope = NETWORK.slope
    gradients = input_gradients(params, x, slope)
    h = pre_activations(params, x)
    size_w, size_a = jnp.abs(params.w), jnp.abs(params.a)
    in_doubt = jnp.where(jnp.abs(h) <= rounding_error(d + 2, jnp.abs(x) @ size_w.T), 1.0, 0.0)
    rounding = rounding_error(m + d + 8, size_a @ (size_w @ jnp.abs(direction.value)))
    per_neuron = jnp.abs(params.a * (params.w @ direction.value))
    largest = jnp.linalg.norm(size_a @ size_w)  # of any gradient with these weights
    norms = jnp.linalg.norm(gradients, axis=1) + rounding_error(m + d + 8, largest)
    norms = norms + in_doubt @ (size_a * jnp.linalg.norm(size_w, axis=1))
    error = rounding + in_doubt @ per_neuron + direction.error * norms
    return Alignment(gradients @ direction.value, error, m, d)
