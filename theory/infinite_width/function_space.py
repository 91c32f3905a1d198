"""Training of wide networks in function space: gradient descent on outputs."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from theory._types import AnyArray, PyTree, Real
from theory._validation import takes_arrays
from theory.networks.descent import Descent, loss_weights, mean_loss, repeated


class FunctionSpacePath(NamedTuple):
    """Training of the infinitely wide network, seen at the training and query points.

    weights: (n,) α_k after the last step.  train: (steps, n) outputs after each step.
    test: (steps, q) outputs after each step.
    """

    weights: Float[Array, " n"]
    train: Float[Array, "steps n"]
    test: Float[Array, "steps q"]


@takes_arrays
def function_space_descent(
    k_train_train: Float[AnyArray, "n n"],
    k_test_train: Float[AnyArray, "q n"],
    y: Float[AnyArray, " n"],
    descent: Descent,
    fx_train_0: Float[AnyArray, " n"] | float = 0.0,
    fx_test_0: Float[AnyArray, " q"] | float = 0.0,
) -> FunctionSpacePath:
    """Gradient descent of the infinitely wide network, step for step like `training.train`.

    f_j = f_0 + (1/n) K (y∘α_j), α_{j+1} from ℓ'(−y∘f_j) by the same optimizer: with momentum or
    without, under any loss, exactly the linearized dynamics at the same learning rate.

    Args:
      k_train_train, k_test_train: (n, n), (q, n) NTK matrices.
      y: (n,) labels ±1.
      descent: optimizer, loss, steps.
      fx_train_0, fx_test_0: initial outputs, for example those of a finite network.

    Returns:
      A `FunctionSpacePath`.

    Source:
      L19 eq. 8–11 in discrete time.
    """
    step, start = _function_space(k_train_train, y, descent, fx_train_0)

    def seen(state: PyTree, _: None) -> tuple[PyTree, tuple[Array, Array]]:
        state = step(state)
        return state, (
            fx_train_0 + k_train_train @ (y * state[0]) / len(y),
            fx_test_0 + k_test_train @ (y * state[0]) / len(y),
        )

    (weights, *_), (train, test) = jax.lax.scan(seen, start, length=int(descent.steps))
    return FunctionSpacePath(weights, train, test)


@takes_arrays
def function_space_weights(
    k_train_train: Float[AnyArray, "n n"],
    y: Float[AnyArray, " n"],
    descent: Descent,
    fx_train_0: Float[AnyArray, " n"] | float = 0.0,
) -> tuple[Float[Array, " n"], Float[Array, ""]]:
    """α after the last step of `function_space_descent`, and T, without the path.

    Arguments as there; the number of steps may be traced.
    """
    step, start = _function_space(k_train_train, y, descent, fx_train_0)
    weights, time, _ = repeated(step, start, descent)
    return weights, time


def _function_space(
    kernel: AnyArray, y: AnyArray, descent: Descent, initial: Float[AnyArray, " n"] | float
) -> tuple[Callable[[PyTree], PyTree], PyTree]:
    """A step of the weights α, of T and the optimizer's memory, and their start."""
    optimizer = descent.transformation()

    def step(state: PyTree) -> PyTree:
        weights, time, memory = state
        s = -y * (initial + kernel @ (y * weights) / len(y))
        gradient = -loss_weights(descent, s), -jnp.ones_like(time)
        updates, memory = optimizer.update(gradient, memory, value=mean_loss(descent, s))
        return *jax.tree.map(jnp.add, (weights, time), updates), memory

    start = jnp.zeros(len(y), kernel.dtype), jnp.zeros((), kernel.dtype)
    return step, (*start, optimizer.init(start))


@takes_arrays
def gradient_flow_mse(
    k_train_train: Float[AnyArray, "n n"],
    k_test_train: Float[AnyArray, "q n"],
    y: Float[AnyArray, " n"],
    time: Real,
    fx_train_0: Float[AnyArray, " n"],
    fx_test_0: Float[AnyArray, " q"],
) -> Float[Array, " q"]:
    """f(z; t) = f(z; 0) + K_z K⁻¹(I − e^{−Kt/n})(y − f_0) under the squared loss ½(f − y)².

    Computed through the eigendecomposition of K, with (1 − e^{−λt/n})/λ → t/n at λ = 0.

    Arguments as in `function_space_descent`; time is t ≥ 0 in units of learning rate × steps.
    Returns (q,) outputs. Source: L19 eq. 10–11.
    """
    n = len(y)
    eigenvalues, basis = jnp.linalg.eigh(k_train_train)
    rate = jnp.where(eigenvalues > 0, eigenvalues, 1)
    gain = jnp.where(eigenvalues > 0, -jnp.expm1(-rate * time / n) / rate, time / n)
    return fx_test_0 + k_test_train @ (basis @ (gain * (basis.T @ (y - fx_train_0))))
