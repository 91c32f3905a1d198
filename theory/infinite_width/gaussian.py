"""One network of K24b as its width grows: drawn at random, trained without training.

At infinite width the initial outputs are Gaussian and so are the initial input gradients, and the
two are correlated: ∇f(x; 0) knows f(z; 0). A network of width `WIDE` stands for both at once.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from theory._types import AnyArray, Real
from theory._validation import takes_arrays
from theory.infinite_width import function_space, lazy
from theory.infinite_width.kernels import derivative_kernel
from theory.networks.descent import Descent
from theory.networks.embedding import biased_products, standard_deviation
from theory.networks.network import Params, outputs

WIDE = 2048  # width of the network whose initial outputs and gradients stand for Gaussian ones


class Limit(NamedTuple):
    """A network of infinite width after training: f(z; T) = f(z; 0) + k_α(z).

    initial: (q,) f(z; 0).  signal: (q,) k_α(z).  at_train: (n,) k_α(x_k).  weights: (n,) α.
    time: T.
    learned: (n, d) v_k = (1/n) Σ_j y_jα_jΦ(x_j, x_k)x_j, what training adds to ∇f(x_k; 0).
    """

    initial: Float[Array, " q"]
    signal: Float[Array, " q"]
    at_train: Float[Array, " n"]
    weights: Float[Array, " n"]
    time: Float[Array, ""]
    learned: Float[Array, "n d"]

    @property
    def outputs(self) -> Float[Array, " q"]:
        """f(z; T)."""
        return self.initial + self.signal


@takes_arrays
def limit(
    wide: Params,
    x: Float[AnyArray, "n d"],
    y: Float[AnyArray, " n"],
    z: Float[AnyArray, "q d"],
    slope: Real,
    descent: Descent,
    d: int | None = None,
) -> Limit:
    """The infinitely wide network whose initial outputs are those of a wide one.

    Under the identity loss at a constant rate α = T. Otherwise the weights, and T
    where the rate follows a schedule, depend on the initial outputs at the training points: α
    follows gradient descent in function space from there.

    Args:
      wide: initial weights of a wide network.
      x, y: (n, d) training points and (n,) labels ±1.
      z: (q, d) query points.
      slope: γ.
      descent: optimizer, loss and steps.
      d: dimension, where it is not the number of columns (`theory.data.subspace`).

    Returns:
      A `Limit`.

    Source:
      K24b (identity loss); L19 eq. 8–11 in discrete time (others).
    """
    n = len(x)
    at = jnp.concatenate([x, z])
    phi = derivative_kernel(x, at, slope, d=d)
    theta = phi * biased_products(x, at)
    if descent.loss == "identity" and descent.schedule == "constant":
        time = jnp.asarray(descent.time, x.dtype)
        weights = jnp.full(n, time)
    else:
        initial = outputs(wide, x, slope)
        weights, time = function_space.function_space_weights(theta[:, :n], y, descent, initial)
    pull = y * weights / n
    learned = phi[:, :n].T @ (pull[:, None] * x)
    at_train, signal = (jnp.matmul(pull, part) for part in (theta[:, :n], theta[:, n:]))
    return Limit(outputs(wide, z, slope), signal, at_train, weights, time, learned)


@takes_arrays
def probability_of_plus(
    signal: Float[AnyArray, " q"], z: Float[AnyArray, "q d"], slope: Real, d: int | None = None
) -> Float[Array, " q"]:
    """P(f(z; 0) + k(z) > 0), f(z; 0) ~ N(0, σ(z)²(1 + γ²)/2), for k fixed: the identity loss.

    Args:
      signal: (q,) k(z).
      z: (q, d) query points.
      slope: γ.
      d: dimension, where it is not the number of columns.

    Returns:
      (q,) probabilities over initializations.
    """
    spread = standard_deviation(z, d=d) * lazy.initial_gradient_variance(slope) ** 0.5
    return jax.scipy.stats.norm.cdf(signal / spread)
