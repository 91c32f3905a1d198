"""Training by flips where the learning rate follows the loss of all neurons.

Under a schedule such as "plateau" neurons are not independent: the rate of a step depends on the
outputs of all of them. Velocities change as in `theory.networks.flips` all the same, only where
activations switch, so a step costs O(nm) operations and O(n) for each switch; but all neurons take
it together, and no steps are taken at once.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from theory._types import AnyArray, PyTree
from theory._validation import takes_arrays
from theory.networks.descent import Descent, mean_loss, repeated
from theory.networks.network import Network, leaky_relu, leaky_relu_derivative
from theory.networks.preactivations import Coefficients
from theory.networks.products import Products, products_of

FLIP_COST = 250  # floating-point operations of a matrix product, per point, that cost as much
ROW_COST = 3  # entries of a row of products of which one switch costs as much as its own row


class _Moved(NamedTuple):
    """What the optimizer moves. h: (m, n) pre-activations.  trained: the `Coefficients`."""

    h: Array
    trained: Coefficients


@takes_arrays
@jax.jit
@jax.custom_batching.sequential_vmap
def coefficients_in_step(
    network: Network,
    h: Float[AnyArray, "m n"],
    a: Float[AnyArray, " m"],
    x: Float[AnyArray, "n d"],
    y: Float[AnyArray, " n"],
    descent: Descent,
    gram: Float[AnyArray, "n n"] | None = None,
) -> Coefficients:
    """`coefficients` for the leaky ReLU under the identity loss and any schedule.

    The gradient of h_i is −v_i, v_i = (a_i/n) Σ_k y_k φ'(h_i(x_k)) (⟨x_k, ·⟩ + 1), and that of C is
    −φ': one optimizer moves both, and v_i is changed by what switches.

    Meant for CPUs, as `coefficients_by_flips`. Arguments and result as in `coefficients`.
    """
    h, y = jnp.asarray(h), jnp.asarray(y)
    n = h.shape[1]
    products, pull = products_of(network, x, gram), jnp.asarray(a) / n
    optimizer = descent.transformation()

    def velocity(positive: Array) -> Array:
        push = jnp.where(positive, 1.0, network.slope) * y[None, :]
        return products.pushed(push) * pull[:, None]

    def step(state: Any) -> Any:
        moved, speed, memory = state
        one, derivative = jnp.ones_like(moved.trained.time), _derivative(network, moved.h)
        slopes = Coefficients(-derivative, jnp.full(n, -one), -one)
        s = jnp.multiply(-y, a @ leaky_relu(moved.h, network.slope))
        updates, memory = optimizer.update(
            _Moved(-speed, slopes), memory, value=mean_loss(descent, s)
        )
        after: _Moved = jax.tree.map(jnp.add, moved, updates)
        change = _derivative(network, after.h) - derivative
        speed = _faster(products, speed, change, y, pull, lambda: velocity(after.h >= 0))
        return after, speed, memory

    zero = jnp.zeros((), h.dtype)
    start = _Moved(h, Coefficients(jnp.zeros_like(h), jnp.zeros(n, h.dtype), zero))
    state = start, velocity(h >= 0), optimizer.init(start)
    return repeated(step, state, descent)[0].trained


def _derivative(network: Network, h: Array) -> Array:
    return leaky_relu_derivative(h, network.slope)


def _faster(
    products: Products,
    speed: Array,
    change: Array,
    y: Array,
    pull: Array,
    anew: Callable[[], Array],
) -> Array:
    """(m, n) velocities after φ' has changed: those of all neurons anew, or what switched."""
    m, n = speed.shape
    # Sums of floats: XLA vectorizes them on CPUs, and they are exact up to 2^24.
    switches = jnp.sum(jnp.where(change != 0, 1.0, 0.0), axis=1)
    entries = products.entries
    few = 2 * entries * m / FLIP_COST
    by_row = max(1, entries // ROW_COST)
    rows = jnp.arange(m)

    def next_row(state: PyTree) -> PyTree:
        speed, left = state
        i = jnp.min(jnp.where(left > 0, rows, m - 1))
        push = jax.lax.dynamic_slice(change, (i, 0), (1, n))[0] * y * pull[i]
        more = jax.lax.cond(
            left[i] <= by_row,
            lambda: products.one_by_one(push, left[i]),
            lambda: products.pushed(push),
        )
        row = jax.lax.dynamic_slice(speed, (i, 0), (1, n)) + more[None, :]
        speed = jax.lax.dynamic_update_slice(speed, row, (i, 0))
        return speed, jnp.where(rows == i, 0, left)

    return jax.lax.cond(
        jnp.sum(jnp.minimum(switches, by_row)) > few,
        anew,
        lambda: jax.lax.while_loop(
            lambda state: jnp.max(state[-1]) > 0, next_row, (speed, switches)
        )[0],
    )
