"""Points as a layer with biases sees them, and their inner products."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from theory._scaling import row_norms
from theory._types import AnyArray
from theory._validation import takes_arrays


@takes_arrays
def embed(
    x: Float[AnyArray, "n d"], bias: bool = True, d: int | None = None
) -> Float[Array, "n e"]:
    """e(x) = (x/√d, 1), or x/√d without biases."""
    scaled = x / (x.shape[1] if d is None else d) ** 0.5
    return jnp.concatenate([scaled, jnp.ones_like(x[:, :1])], axis=1) if bias else scaled


@takes_arrays
def standard_deviation(
    x: Float[AnyArray, "n d"], bias: bool = True, d: int | None = None
) -> Float[Array, " n"]:
    """σ(x) = ‖e(x)‖, the standard deviation of a pre-activation: √(‖x‖²/d + 1) with biases."""
    return row_norms(embed(x, bias, d))


@takes_arrays
def biased_products(
    x: Float[AnyArray, "n d"], z: Float[AnyArray, "q d"], bias: bool = True
) -> Float[Array, "n q"]:
    """⟨x, z⟩ + 1 with biases, ⟨x, z⟩ without: the NTK of the hidden layer before activation."""
    return jnp.matmul(x, z.T) + float(bias)
