"""Some rows of initial weights, bit for bit those that drawing all of them would give.

The generator computes each number from its place, so a network that is too wide for the memory that
drawing it takes is drawn block by block, and a seed means the same neurons whatever their number at
a time.
"""

from typing import NamedTuple

import jax
import jax.extend
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from theory._types import Integer
from theory.networks.network import Network, Params, from_normal

WORD = 2**32


class Place(NamedTuple):
    """Place of a number among those that a key gives, high and low 32 bits."""

    high: Array
    low: Array

    def after(self, count: int) -> "Place":
        """The place so many numbers later, fewer than 2³²; for a count of ≥ 2³² ValueError."""
        if count >= WORD:
            raise ValueError(f"count must be below 2**32, got {count}")
        return _plus(self, jnp.full((), count, jnp.uint32))


def first_place() -> Place:
    """That of the first number."""
    return Place(jnp.zeros((), jnp.uint32), jnp.zeros((), jnp.uint32))


def _plus(place: Place, steps: Array) -> Place:
    low = place.low + steps  # modulo 2³²
    return Place(place.high + (low < steps).astype(jnp.uint32), low)


def normal_from(key: Array, place: Place, count: int) -> Float[Array, " count"]:
    """`count` of the numbers that `jax.random.normal` draws from a key, from a place on.

    Of the partitionable Threefry generator that the suite uses (`theory.keys`): bits are the words
    of the place, enciphered; a uniform number in (−1, 1) is made of them, and the inverse of erf.
    """
    at = _plus(place, jax.lax.iota(jnp.uint32, count))
    words = jax.extend.random.threefry_2x32(
        jax.random.key_data(key), jnp.concatenate([at.high, at.low])
    )
    high, low = words[:count], words[count:]
    dtype = jnp.zeros(()).dtype
    if dtype == jnp.float64:
        bits = (high.astype(jnp.uint64) << 32) | low.astype(jnp.uint64)
    else:
        bits = high ^ low
    kept, info = jnp.finfo(dtype).nmant, jnp.finfo(dtype)
    one = np.array(1.0, dtype).view(bits.dtype)
    in_unit = jax.lax.bitcast_convert_type((bits >> (info.bits - kept)) | one, dtype) - 1
    least = np.nextafter(np.array(-1.0, dtype), np.array(0.0, dtype))
    span = np.array(1.0, dtype) - least
    uniform = jnp.maximum(least, in_unit * span + least)
    return jnp.multiply(np.array(np.sqrt(2), dtype), jax.lax.erf_inv(uniform))


def initial_rows(
    network: Network, key: Array, place: Place, first: Integer, count: int, m: int, d: int
) -> Params:
    """Neurons first, …, first + count − 1 of `init(network, key, m, d)`; zeros beyond the width.

    Args:
      network: with a Gaussian readout.
      key: random key.
      place: that of the first of their numbers, d + 2 for each neuron before.
      first: index of the first neuron; may be traced.
      count, m, d: number of neurons, width, dimension.

    Returns:
      `Params` of `count` neurons.

    Raises:
      ValueError: for another readout.
    """
    if network.readout != "gaussian":
        raise ValueError(f"readout must be gaussian to be drawn in rows, got {network.readout!r}")
    normal = normal_from(key, place, count * (d + 2)).reshape(count, d + 2)
    used = first + jnp.arange(count) < m
    return from_normal(network, jnp.where(used[:, None], normal, 0), m)
