"""Arrays and loops split over a `jax.sharding.Mesh`; what is computed does not depend on the mesh.

A mesh has three axes. "draws" splits independent repetitions and never communicates before the
results are collected. "neurons" splits a network of width m: f(x) = Σ_i a_i φ(h_i(x)) is a sum over
neurons, so a step of training adds up the n outputs over the devices (one all-reduce of n numbers),
and under the identity loss, whose derivative does not look at f, nothing at all. "data" splits the
n points: a step adds up the gradients (one all-reduce of as many numbers as there are weights on
the device), and the width is limited by one device again.

`theory.networks.training.train` needs no change for it: hand it weights from `sharded_init` and
points from `place`, and the compiler inserts these sums. Under several processes
(`jax.distributed.initialize`) every process calls the same functions with the same arguments.
"""

from collections.abc import Callable, Sequence
from typing import TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec
from jaxtyping import Array

from theory._types import AnyArray, PyTree
from theory._validation import check_choice, check_integer

T = TypeVar("T")  # arrays in any tree

AXES = ("draws", "neurons", "data")


def make_mesh(
    *,
    draws: int | None = None,
    neurons: int | None = 1,
    data: int | None = 1,
    devices: Sequence[object] | None = None,
) -> Mesh:
    """A mesh of draws × neurons × data devices.

    Args:
      draws, neurons, data: devices along each axis, ≥ 1; one of them may be None: what is left.
      devices: the devices, all of all processes if None.

    Returns:
      The mesh, with the axes `AXES`. The order of the devices follows their network.

    Raises:
      ValueError: if the sizes do not multiply to the number of devices, or two are None.
    """
    devices = jax.devices() if devices is None else list(devices)
    sizes = {"draws": draws, "neurons": neurons, "data": data}
    asked = ", ".join(f"{name}={size}" for name, size in sizes.items())
    inferred = [name for name, size in sizes.items() if size is None]
    if len(inferred) > 1:
        raise ValueError(f"draws, neurons, data must have at most one None among them, got {asked}")
    known = 1
    for name, size in sizes.items():
        known *= 1 if size is None else check_integer(name, size)
    for name in inferred:
        sizes[name] = len(devices) // known
    if not devices or len(devices) % known or (known != len(devices) and not inferred):
        raise ValueError(
            f"draws × neurons × data must be the number of devices, {len(devices)}, got {asked}"
        )
    shape = tuple(int(sizes[name] or 1) for name in AXES)
    return jax.make_mesh(shape, AXES, (AxisType.Auto,) * len(AXES), devices=devices)


def place(mesh: Mesh, tree: T, *axes: str) -> T:
    """The tree with the leading axes of every array split over axes of the mesh.

    `place(mesh, params, "neurons")`, `place(mesh, (x, y), "data")`, `place(mesh, keys, "draws")`;
    many networks: `place(mesh, params, "draws", "neurons")`. Without axes every device has all.

    Args:
      mesh: from `make_mesh`.
      tree: arrays of at least as many axes as are named.
      axes: names of axes of the mesh, for the leading axes of the arrays in order.

    Returns:
      The tree of sharded arrays.

    Raises:
      ValueError: for an unknown axis, or a length that its devices do not divide.
    """
    for axis in axes:
        check_choice("axes", axis, mesh.axis_names)
    for leaf in jax.tree.leaves(tree):
        shape = np.shape(leaf)
        wanted = [mesh.shape[axis] for axis in axes]
        if len(shape) < len(wanted) or any(n % k for n, k in zip(shape, wanted, strict=False)):
            raise ValueError(
                f"tree must hold arrays whose leading axes can be divided by the {wanted} devices "
                f"of {', '.join(axes)}, got shape {shape}"
            )
    return jax.device_put(tree, NamedSharding(mesh, PartitionSpec(*axes)))


def split_rows(mesh: Mesh | None, function: Callable[..., T]) -> Callable[..., T]:
    """A function of rows, each device of the mesh on its own rows.

    Args:
      mesh: its devices, along all axes together, take the rows in order; None changes nothing.
      function: arrays with as many rows (entries along the first axis) as the mesh has devices, or
        a multiple → arrays with rows. Must treat every row by itself.

    Returns:
      The function; its arrays have their rows split over the devices, and nothing communicates.
    """
    if mesh is None:
        return function
    rows = PartitionSpec(mesh.axis_names)
    # Loops inside start from constants, which the check for varying values does not let pass.
    return jax.shard_map(function, mesh=mesh, in_specs=rows, out_specs=rows, check_vma=False)


def gathered(tree: T) -> T:
    """The tree as numpy arrays, in full in every process whose devices hold a part of it.

    Args:
      tree: arrays on the devices of one mesh, split in any way.

    Returns:
      The tree of numpy arrays.
    """
    leaves = jax.tree.leaves(jax.block_until_ready(tree))
    if not all(leaf.is_fully_addressable for leaf in leaves):
        # Not within the program that computed the tree: XLA ends a process whose CPU devices meet
        # to communicate with a delay of more than a minute, and here they are all ready.
        everywhere = NamedSharding(leaves[0].sharding.mesh, PartitionSpec())
        tree = jax.jit(_unchanged, out_shardings=everywhere)(tree)
    return jax.device_get(tree)


def _unchanged(tree: T) -> T:
    return tree


def map_on_host(mesh: Mesh | None, function: Callable[[PyTree], T], tree: PyTree, count: int) -> T:
    """A function of the host, applied to one row after the other.

    Every process takes the rows that lie on its own devices.

    Args:
      mesh: over which the rows are split as by `split_rows`; None for arrays on one device.
      function: numpy arrays of one row in, a tree of numbers or numpy arrays of fixed shapes out.
      tree: arrays with rows.
      count: rows from this one on are padding, which need not be computed.

    Returns:
      The results, stacked, in rows split in the same way; numpy arrays without a mesh.
    """
    leaves, structure = jax.tree.flatten(tree)
    done: dict[object, T] = {}  # device → results of its rows
    for shards in zip(*(leaf.addressable_shards for leaf in leaves), strict=True):
        share = [jax.device_get(shard.data) for shard in shards]
        rows = len(share[0])
        needed = max(1, min(rows, count - (shards[0].index[0].start or 0)))
        results = [
            function(structure.unflatten([part[i] for part in share])) for i in range(needed)
        ]
        results += [results[-1]] * (rows - needed)
        done[shards[0].device] = jax.tree.map(lambda *parts: np.stack(parts), *results)
    if mesh is None:
        (alone,) = done.values()
        return alone
    sharding = NamedSharding(mesh, PartitionSpec(mesh.axis_names))

    def whole(*parts: AnyArray) -> Array:
        shape = (len(leaves[0]), *parts[0].shape[1:])
        held = [jax.device_put(part, device) for part, device in zip(parts, done, strict=True)]
        return jax.make_array_from_single_device_arrays(shape, sharding, held)

    return jax.tree.map(whole, *done.values())


def sum_over(mesh: Mesh | None, function: Callable[[Array], T], count: int) -> T:
    """Σ_{i<count} function(i), the indices shared among the devices.

    Every device adds up consecutive indices one after the other, then the partial sums are added
    (one all-reduce of what the function returns). The number of devices only changes the order of
    the additions, so the result to rounding, as long as `function` depends on nothing but i: give
    it randomness by fold_in(key, i). Call it under `jax.jit`.

    Args:
      mesh: all of its devices take part; None for a plain loop.
      function: index, an integer scalar → a pytree of arrays.
      count: number of indices, ≥ 0.

    Returns:
      The sum, in full on every device; zeros for count = 0.
    """
    check_integer("count", count, low=0)
    devices = 1 if mesh is None else mesh.size
    share = -(-count // devices)

    def partial(first: Array) -> T:
        low = jnp.minimum(first * share, count)
        zeros = jax.tree.map(
            lambda part: jnp.zeros(part.shape, part.dtype), jax.eval_shape(function, low)
        )
        return jax.lax.fori_loop(
            low,
            jnp.minimum(low + share, count),
            lambda i, total: jax.tree.map(jnp.add, total, function(i)),
            zeros,
        )

    if mesh is None:
        return partial(jnp.arange(1)[0])
    axes = mesh.axis_names
    return jax.shard_map(
        lambda position: jax.lax.psum(partial(position[0]), axes),
        mesh=mesh,
        in_specs=PartitionSpec(axes),
        out_specs=PartitionSpec(),
        check_vma=False,  # as in `split_rows`
    )(jnp.arange(devices))
