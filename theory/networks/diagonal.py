"""Diagonal networks f(x) = ⟨w₊² − w₋², x⟩ from w₊ = w₋ = α·1, and what their descent leaves out."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from theory._scaling import maximum
from theory._types import AnyArray, Real
from theory._validation import check_integer, takes_arrays


class Descended(NamedTuple):
    """Weights after some steps, and what they have to do with gradient flow.

    beta: (d,) w₊² − w₋².  nu: (n,) −4ηΣ_k r_k, r = Xβ − y, so that flow would have
    arcsinh(β_i/(2α²)) = (Xᵀν)_i.  defect: (d,) bound on |arcsinh(β_i/(2α²)) − (Xᵀν)_i|, in real
    numbers.  largest: max_k,i |s_i|, s = 2ηXᵀr the relative step of a weight; below 1, or the
    defect says nothing.
    """

    beta: Float[Array, " d"]
    nu: Float[Array, " n"]
    defect: Float[Array, " d"]
    largest: Float[Array, ""]


@takes_arrays
def descend_diagonal(
    x: Float[AnyArray, "n d"],
    y: Float[AnyArray, " n"],
    alpha: Real | Array,
    learning_rate: Real | Array,
    steps: int,
) -> Descended:
    """Gradient descent on ½‖Xβ − y‖²: w₊ ← w₊(1 − s), w₋ ← w₋(1 + s), s = 2ηXᵀ(Xβ − y).

    With A = Σ artanh s and P = Π(1 − s²) over all steps, β = −2α²P sinh 2A exactly, so that
    |arcsinh(β/(2α²)) + 2Σs| ≤ Σ[−log(1 − s²) + ⅔|s|³/(1 − s²)]: what flow, of which s → 0, has not.

    Args:
      x: (n, d) X.
      y: (n,) labels.
      alpha: α > 0.
      learning_rate: η > 0.
      steps: ≥ 1.

    Returns:
      The `Descended`.

    Raises:
      ValueError: for a number of steps below 1.
    """
    check_integer("steps", steps)
    start = jnp.full_like(x[0], alpha)

    def step(_: Array, state: tuple[Array, ...]) -> tuple[Array, ...]:
        plus, minus, residuals, defect, largest = state
        residual = x @ (plus**2 - minus**2) - y
        s = 2 * learning_rate * (residual @ x)
        size = jnp.abs(s)
        inside = jnp.where(size < 1, size, 0)
        more = -jnp.log1p(-(inside**2)) + 2 / 3 * inside**3 / (1 - inside**2)
        return (
            plus * (1 - s),
            minus * (1 + s),
            residuals + residual,
            defect + more,
            jnp.maximum(largest, maximum(size)),
        )

    zero = jnp.zeros_like(start)
    state = (start, start, jnp.zeros_like(y), zero, zero[0])
    plus, minus, residuals, defect, largest = jax.lax.fori_loop(0, steps, step, state)
    return Descended(plus**2 - minus**2, -4 * learning_rate * residuals, defect, largest)
