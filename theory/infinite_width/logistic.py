"""The logistic loss: how far errors of the outputs during training move where it ends."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from theory._scaling import maximum, row_norms
from theory._types import AnyArray, Real
from theory._validation import takes_arrays


@takes_arrays
def logistic_response(
    k_train_train: Float[AnyArray, "n n"],
    k_test_diagonal: Float[AnyArray, " q"],
    at_train: Float[AnyArray, " n"],
    time: Real,
    learning_rate: Real,
) -> Float[Array, " q"]:
    """How far outputs off by at most B(x_k) all along training can move k_α(z), logistic loss.

    |k_α(z) − k_ᾱ(z)| ≤ √((1/n) Σ B(x_k)²) √(TΘ(z, z)/(8 − ηλ)), with ᾱ the weights of the
    infinitely wide network (`function_space.function_space_descent` from initial outputs 0).

    Args:
      k_train_train: (n, n) NTK matrix Θ; λ = max_k (1/n) Σ_j |Θ_jk| bounds its top eigenvalue/n.
      k_test_diagonal: (q,) Θ(z, z).
      at_train: (n,) B(x_k) ≥ |f(x_k; t) − k_{α(t)}(x_k)| for all t ≤ T.
      time: T.
      learning_rate: η of gradient descent without momentum, ηλ < 8; 0 for gradient flow.

    Returns:
      (q,) bound, infinite where ηλ ≥ 8.
    """
    spare = logistic_spare(k_train_train, learning_rate)
    root_mean_square = row_norms(at_train[None, :])[0] / len(at_train) ** 0.5
    response = jnp.sqrt(time * k_test_diagonal / jnp.where(spare > 0, spare, 1))
    return jnp.where(spare > 0, root_mean_square * response, jnp.inf)


@takes_arrays
def logistic_spare(k_train_train: Float[AnyArray, "n n"], learning_rate: Real) -> Array:
    """8 − ηλ, λ = max_k (1/n) Σ_j |Θ_jk|: positive where steps are short enough for the bound."""
    return 8 - learning_rate * maximum(jnp.mean(jnp.abs(k_train_train), axis=0))
