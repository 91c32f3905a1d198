"""`measure` of wide networks a slice at a time, in the memory of their weights.

Which networks those are depends on the width alone, so that a command gives the same numbers
wherever it runs.
"""

from collections.abc import Generator, Iterator

import jax
import jax.numpy as jnp
from jaxtyping import Array

from theory._types import PyTree
from theory.compilation import Compiled
from theory.networks import streams
from theory.networks.blocks import BLOCK
from theory.perturbations import learning
from theory.perturbations.learning import (
    Begun,
    Gradients,
    PerturbationSetting,
    Quantities,
    observed,
    training_spaces,
)

WIDE = 64 * BLOCK  # widths above are trained in slices


def in_slices(setting: PerturbationSetting) -> bool:
    """Whether networks of the setting are trained in slices."""
    return setting.m > WIDE


def slices_of(setting: PerturbationSetting) -> int:
    """Slices of one measurement; 0 where it is made as a whole."""
    if not in_slices(setting):
        return 0
    return sum(streams.slices_of(setting.m, setting.descent(which)) for which in "fg")


def measure_in_slices(
    key: Array, setting: PerturbationSetting
) -> Generator[None, None, Quantities]:
    """`measure`, which has the arguments, with the same numbers to rounding.

    Yields:
      None after every slice, `slices_of` in all.

    Returns:
      The `Quantities`.
    """
    begun = _begin(key, setting)
    x, spaces = begun.x, training_spaces(setting)
    f, sums, alpha = yield from _fit(
        begun.key_f, x, begun.y, x, begun.seen, setting, "f", spaces[0]
    )
    crafted = _craft(begun, sums, setting)
    g, _, _ = yield from _fit(
        begun.key_g,
        crafted.points,
        begun.target,
        crafted.points[:0],
        crafted.seen,
        setting,
        "g",
        spaces[1],
    )
    return _compare(begun, crafted, f, alpha, g, setting)


_begin = jax.jit(learning.begin)
_craft = jax.jit(learning.craft)
_compare = jax.jit(learning.compare)


def _fit(
    key: Array, x: Array, y: Array, at: Array, z: Array, setting: PerturbationSetting, which: str,
    space: str,
) -> Generator[None, None, tuple[Array, Gradients, Array]]:  # fmt: skip
    """What is seen after training, and weights α."""
    descent, network = setting.descent(which), setting.network(x.shape[1])
    arguments = (network, key, setting.m, x, y, descent, observed, at, z, setting)
    if setting.independent:
        sums = yield from streams.independent(*arguments, space=space)
        return *sums, jnp.full(len(x), descent.time, x.dtype)
    sums, alpha = yield from streams.together(*arguments)
    return *sums, alpha


def programs(setting: PerturbationSetting) -> Iterator[tuple[Compiled, tuple[PyTree, ...]]]:
    """What takes most memory of what is compiled for g, the larger network, and its arguments.

    Args:
      setting: one of `in_slices`.

    Returns:
      Pairs of a compiled function and arguments, shapes in place of arrays.
    """
    key = jax.random.key(0)
    begun: Begun = jax.eval_shape(learning.begin, key, setting)
    n, columns = setting.n, setting.columns[1]
    x = jax.ShapeDtypeStruct((n, columns), begun.x.dtype)
    z = jax.ShapeDtypeStruct((len(begun.seen), columns), x.dtype)
    descent, network = setting.descent("g"), setting.network(columns)
    at = jax.ShapeDtypeStruct((n, setting.columns[0]), x.dtype)
    if setting.independent:
        of_f = setting.network(setting.columns[0]), setting.descent("f")
        rest = (of_f[0], key, at, begun.y, of_f[1], (at, begun.seen, setting))
        yield (
            streams.sum_slice,
            (setting.m, observed, training_spaces(setting)[0], None, _index(), _index(), *rest),
        )
        return
    asked = (network, key, setting.m, x, begun.target, descent)
    yield streams.begin, asked
    held = jax.eval_shape(
        lambda key, x, y: streams.begin(network, key, setting.m, x, y, descent),
        key, x, begun.target,
    )  # fmt: skip
    yield streams.step, (held, network, x, begun.target, descent)
    yield streams.seen, (held.params, observed, (x, z, setting))


def _index() -> jax.ShapeDtypeStruct:
    """The shape of the index of a block."""
    return jax.eval_shape(lambda: jnp.asarray(0))
