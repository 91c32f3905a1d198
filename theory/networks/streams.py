"""Training in slices of work, for networks of any width: blocks of neurons, and a word in between.

What `theory.networks.blocks` sums in one program and `theory.networks.training` holds as a whole is
done here a slice at a time, so that a run of hours can be followed and interrupted. Under the
identity loss at a constant rate a slice is some blocks, trained to the end and forgotten. Otherwise
the blocks share the n outputs: a slice is one step of them all. A block that is visited forms its
pre-activations, gradient and new weights, and what it adds to the outputs of the next step, all of
it while it is in a core's cache; weights and momenta are all that is held, 2m(d + 1) numbers, and
no array has m·n.
"""

import functools
from collections.abc import Callable, Generator
from typing import Any, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from theory._types import PyTree
from theory.networks import blocks
from theory.networks.blocks import block_sums
from theory.networks.descent import Descent, current_rate, loss_weights, mean_loss
from theory.networks.network import ACTIVATIONS, Network, Params, apply, pre_activations
from theory.networks.rows import Place, first_place, initial_rows

Sums = TypeVar("Sums")  # a pytree of arrays
PER_SLICE = 16  # blocks of a slice where they are independent


class Held(NamedTuple):
    """A network on its way, in B blocks of S neurons.

    params: w (B, S, d), b and a (B, S); zeros beyond the width.  speed: momenta of w and b.
    f: (n,) outputs at the training points.  weights, time: α and T, see `Training`.
    memory: of the optimizer of these two.
    """

    params: Params
    speed: tuple[Array, Array]
    f: Float[Array, " n"]
    weights: Float[Array, " n"]
    time: Float[Array, ""]
    memory: PyTree


def slices_of(m: int, descent: Descent) -> int:
    """Slices in which a network of width m is trained and seen."""
    if apart(descent):
        return -(-count_blocks(m) // PER_SLICE)
    return int(descent.steps) + 2


def apart(descent: Descent) -> bool:
    """Whether neurons evolve independently of one another."""
    return descent.loss == "identity" and descent.schedule == "constant"


def count_blocks(m: int) -> int:
    """Blocks of a network of width m."""
    return -(-m // blocks.BLOCK)


def independent(
    network: Network,
    key: Array,
    m: int,
    x: Array,
    y: Array,
    descent: Descent,
    observe: Callable[..., Sums],
    *arguments: PyTree,
    space: str,
) -> Generator[None, None, Sums]:
    """`sum_over_blocks`, which has the arguments and the errors, a slice at a time.

    Yields:
      None after every slice, `slices_of` in all.

    Returns:
      The sum.
    """  # fmt: skip
    rest = (network, key, x, y, descent, arguments)
    total, count = None, count_blocks(m)
    for first in range(0, count, PER_SLICE):
        last = min(first + PER_SLICE, count)
        more = jnp.asarray(first), jnp.asarray(last)
        total = sum_slice(m, observe, space, total, *more, *rest)
        yield
    assert total is not None
    return total


@functools.partial(jax.jit, static_argnums=(0, 1, 2))
def sum_slice(
    m: int, observe: Callable[..., Sums], space: str, total: Sums | None, first: Array,
    last: Array, *rest: PyTree,
) -> Sums:  # fmt: skip
    """The sum over blocks first, …, last − 1, and what it was before."""
    block = block_sums(m, observe, space, *rest)
    if total is None:
        shapes = jax.eval_shape(block, first)
        total = jax.tree.map(lambda part: jnp.zeros(part.shape, part.dtype), shapes)
    return jax.lax.fori_loop(
        first, last, lambda i, sums: jax.tree.map(jnp.add, sums, block(i)), total
    )


def together(
    network: Network,
    key: Array,
    m: int,
    x: Array,
    y: Array,
    descent: Descent,
    observe: Callable[..., Sums],
    *arguments: PyTree,
) -> Generator[None, None, tuple[Sums, Array]]:
    """Σ over blocks of observe(None, trained, …) of neurons that see one another's outputs.

    The same network as `train` makes of `init(network, key, m, d)`, bit for bit at the start and
    to the rounding of sums in another order after it: f(x_k) adds up ⌈m/BLOCK⌉ partial sums.

    Args:
      network: with a Gaussian, frozen readout.
      key, m, x, y, descent: as for `init` and `train`.
      observe: (None, `Params` of a block after training, …) → a pytree of sums over its neurons.
      arguments: further arrays for `observe`.

    Yields:
      None after every slice, `slices_of` in all.

    Returns:
      The sum, and the weights α.

    Raises:
      ValueError: for another readout.
    """  # fmt: skip
    held = begin(network, key, m, x, y, descent)
    yield
    for _ in range(int(descent.steps)):
        held = step(held, network, x, y, descent)
        yield
    sums = seen(held.params, observe, arguments)
    yield
    return sums, held.weights


@functools.partial(jax.jit, static_argnums=2)
def begin(network: Network, key: Array, m: int, x: Array, y: Array, descent: Descent) -> Held:
    """The network before its first step."""
    if "a" in network.trained:
        raise ValueError(f"network must have a frozen readout, got {network}")
    (n, d), size, count = x.shape, blocks.BLOCK, count_blocks(m)

    def add(index: Array, state: tuple[Params, Array, Place]) -> tuple[Params, Array, Place]:
        params, f, place = state
        block = initial_rows(network, key, place, index * size, size, m, d)
        f = f + apply(network, block, x)
        return _put(params, index, block), f, place.after(size * (d + 2))

    zeros = Params(jnp.zeros((count, size, d)), *(jnp.zeros((count, size)) for _ in range(2)))
    params, f, _ = jax.lax.fori_loop(0, count, add, (zeros, jnp.zeros(n), first_place()))
    weights, time = jnp.zeros(n), jnp.zeros(())
    speed = jnp.zeros_like(params.w), jnp.zeros_like(params.b)
    memory = descent.transformation().init((weights, time))
    return Held(params, speed, f, weights, time, memory)


@functools.partial(jax.jit, donate_argnums=0)
def step(held: Held, network: Network, x: Array, y: Array, descent: Descent) -> Held:
    """One step of gradient descent, in the memory of what it was given."""
    s = -y * held.f
    slopes, rate = loss_weights(descent, s), current_rate(descent, held.memory)
    mine = held.weights, held.time
    updates, memory = descent.transformation().update(
        (-slopes, -jnp.ones_like(held.time)), held.memory, value=mean_loss(descent, s)
    )
    weights, time = jax.tree.map(jnp.add, mine, updates)
    derivative = ACTIVATIONS[network.activation].derivative
    pull = -y * slopes / len(y)

    def move(value: Array, speed: Array, gradient: Array) -> tuple[Array, Array]:
        speed = gradient + descent.momentum * speed
        update = gradient + descent.momentum * speed if descent.nesterov else speed
        return value - rate * update, speed

    def visit(index: Array, state: PyTree) -> PyTree:
        params, speed, f = state
        block, (speed_w, speed_b) = _at(params, index), _at(speed, index)
        at_h = derivative(pre_activations(block, x), network.slope)
        at_h = at_h * pull[:, None] * block.a[None, :]
        w, speed_w = move(block.w, speed_w, at_h.T @ x)
        b = block.b
        if "b" in network.trained:
            b, speed_b = move(b, speed_b, jnp.sum(at_h, axis=0))
        block = Params(w, b, block.a)
        f = f + apply(network, block, x)
        return _put(params, index, block), _put(speed, index, (speed_w, speed_b)), f

    start = held.params, held.speed, jnp.zeros_like(held.f)
    params, speed, f = jax.lax.fori_loop(0, len(held.params.a), visit, start)
    return Held(params, speed, f, weights, time, memory)


@functools.partial(jax.jit, static_argnums=1)
def seen(params: Params, observe: Callable[..., Sums], arguments: tuple[PyTree, ...]) -> Sums:
    """Σ over blocks of what is observed."""

    def block(index: Any) -> Sums:
        return observe(None, _at(params, index), *arguments)

    return jax.lax.fori_loop(
        1, len(params.a), lambda i, sums: jax.tree.map(jnp.add, sums, block(i)), block(0)
    )


def _at(tree: PyTree, index: Any) -> PyTree:
    return jax.tree.map(lambda part: jax.lax.dynamic_index_in_dim(part, index, 0, False), tree)


def _put(tree: PyTree, index: Array, block: PyTree) -> PyTree:
    return jax.tree.map(
        lambda part, one: jax.lax.dynamic_update_index_in_dim(part, one, index, 0), tree, block
    )
