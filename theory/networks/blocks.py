"""Networks of any width in constant memory: blocks of neurons, trained one after the other.

Under the identity loss neurons evolve independently, so outputs, gradients and kernels, which are
sums over neurons, are sums over blocks.
"""

import functools
from collections.abc import Callable
from typing import TypeVar

import jax
import jax.numpy as jnp
from jax.sharding import Mesh
from jaxtyping import Array, Float

from theory._types import AnyArray, Integer, PyTree
from theory._validation import (
    check_integer,
    check_labels,
    check_points,
    is_traced,
    takes_arrays,
    takes_numbers,
)
from theory.networks.descent import Descent
from theory.networks.network import Network, Params, init
from theory.networks.training import cheapest_space, train
from theory.parallel import sum_over

BLOCK = 1024  # neurons of a block, part of what a seed means

Sums = TypeVar("Sums")  # a pytree of arrays


@takes_numbers
def block_size(m: Integer) -> int:
    """Neurons of a block of a network of width m; `BLOCK` where m is traced."""
    return BLOCK if is_traced(m) else min(int(m), BLOCK)


@takes_arrays
def initial_block(network: Network, key: Array, index: Integer, m: Integer, d: int) -> Params:
    """Block `index` of the initial weights of a network of width m, from fold_in(key, index).

    Args:
      network: the parameterization.
      key: random key of the network.
      index: number of the block, 0 ≤ index < ⌈m/BLOCK⌉; may be traced.
      m: width of the whole network; may be traced where the readout is Gaussian, and below `BLOCK`
        means other neurons then.
      d: dimension.

    Returns:
      `Params` of min(m, BLOCK) neurons, the readout of variance 1/m. In the last block neurons
      beyond the width are zero: they add nothing to outputs, gradients and kernels.

    Raises:
      ValueError: if m or d is not positive, or a readout of two halves does not fill its blocks.
    """
    size = block_size(m)
    if not is_traced(m):
        check_integer("m", m, even=network.readout == "signs")
    if network.readout == "signs" and m % size:
        raise ValueError(f"m must be at most {BLOCK} or a multiple of it for signs, got {m}")
    block = init(network, jax.random.fold_in(key, index), size, d)
    used = index * size + jnp.arange(size) < m
    return Params(
        jnp.where(used[:, None], block.w, 0),
        jnp.where(used, block.b, 0),
        jnp.where(used, block.a * (size / m) ** 0.5, 0),
    )


@takes_arrays
def sum_over_blocks(
    network: Network,
    key: Array,
    m: Integer,
    x: Float[AnyArray, "n d"],
    y: Float[AnyArray, " n"],
    descent: Descent,
    observe: Callable[..., Sums],
    *arguments: PyTree,
    space: str | None = None,
    mesh: Mesh | None = None,
) -> Sums:
    """Σ over blocks of observe(initial, trained, …) for a network never held as a whole.

    Args:
      network: the parameterization; the readout is frozen.
      key: random key of the initial weights.
      m: width; if it is traced, one program serves all widths.
      x, y: (n, d) training points, (n,) labels ±1.
      descent: optimizer with the identity loss and a constant rate.
      observe: (`Params`, `Params`, …) of a block, before and after training → a pytree of sums over
        its neurons, as `outputs` and `input_gradients` return. Pass the same function object again
        to reuse the compiled code.
      arguments: further arrays for `observe`.
      space: in which blocks are trained, see `train`; the cheapest if None.
      mesh: devices that share the blocks; nothing communicates before the sums are added up.

    Returns:
      The sum; `initial_block` says which weights a seed means.

    Raises:
      ValueError: if data or sizes are malformed, loss or schedule is another, or the readout is
        trained.
    """
    if not is_traced(m):
        check_integer("m", m)
    check_points("x", x)
    check_labels("y", y, len(x))
    if descent.loss != "identity":
        raise ValueError(
            f"loss must be identity for blocks to be independent, got {descent.loss!r}"
        )
    if descent.schedule != "constant":
        raise ValueError(
            f"schedule must be constant for blocks to be independent, got {descent.schedule!r}"
        )
    if "a" in network.trained:
        raise ValueError(f"network must have a frozen readout, got {network}")
    if space is None:
        n, d = x.shape
        space = cheapest_space(network, descent, n, d, block_size(m))
    rest = (network, key, x, y, descent, arguments)
    if not is_traced(m):
        return _sum_over_blocks(m, mesh, observe, space, *rest)
    if mesh is not None:
        raise ValueError("m must not be traced where devices share the blocks")
    return _sum_over_traced(m, observe, space, *rest)


def block_sums(
    m: Integer,
    observe: Callable[..., Sums],
    space: str,
    network: Network,
    key: Array,
    x: Array,
    y: Array,
    descent: Descent,
    arguments: tuple[PyTree, ...],
) -> Callable[[Integer], Sums]:
    """Index of a block → its sums."""

    def block(index: Integer) -> Sums:
        initial = initial_block(network, key, index, m, x.shape[1])
        trained = train(network, initial, x, y, descent, space=space).params
        return observe(initial, trained, *arguments)

    return block


@functools.partial(jax.jit, static_argnums=(0, 1, 2, 3))
def _sum_over_blocks(
    m: int, mesh: Mesh | None, observe: Callable[..., Sums], space: str, *rest: PyTree
) -> Sums:
    block = block_sums(m, observe, space, *rest)
    return block(0) if m <= BLOCK else sum_over(mesh, block, -(-m // BLOCK))


@functools.partial(jax.jit, static_argnums=(1, 2))
def _sum_over_traced(m: Array, observe: Callable[..., Sums], space: str, *rest: PyTree) -> Sums:
    block = block_sums(m, observe, space, *rest)
    return jax.lax.fori_loop(
        1,
        -(-m // BLOCK),
        lambda index, total: jax.tree.map(jnp.add, total, block(index)),
        block(jnp.zeros_like(m)),
    )
