"""Draws that are draws: fingerprints of instances, by which repeated ones are recognized."""

import hashlib
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, UInt32

_ODD = (0x9E3779B1, 0x85EBCA6B)  # multipliers of the two halves


def fingerprint(instance: Any) -> UInt32[Array, "2"]:
    """64 bits that agree for equal instances, and for others with probability about 2^{−64}.

    Args:
      instance: any pytree of arrays and random keys.

    Returns:
      Two words: sums over all 32-bit words of the instance, each mixed with its position.
    """
    total = jnp.zeros(2, jnp.uint32)
    for place, leaf in enumerate(jax.tree.leaves(instance)):
        words = _words(leaf)
        position = jnp.arange(words.size, dtype=jnp.uint32) + np.uint32((place * 40503) % 2**32)
        total = total + jnp.stack([_mixed(words, position, np.uint32(odd)) for odd in _ODD])
    return total


def fingerprint_on_host(instance: Any) -> UInt32[np.ndarray, "2"]:
    """The same for an instance of numpy arrays, with other words."""
    digest = hashlib.blake2b(digest_size=8)
    for leaf in jax.tree.leaves(instance):
        digest.update(np.asarray(leaf).tobytes())
    return np.frombuffer(digest.digest(), np.uint32)


def _mixed(words: Array, position: Array, odd: np.uint32) -> Array:
    hashed = (words ^ (position * odd)) * odd
    hashed = (hashed ^ (hashed >> np.uint32(15))) * np.uint32(0xC2B2AE35)
    return jnp.sum(hashed ^ (hashed >> np.uint32(13)), dtype=jnp.uint32)


def _words(leaf: Any) -> Array:
    """The bits of an array as 32-bit words."""
    leaf = jnp.asarray(leaf)
    if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        leaf = jax.random.key_data(leaf)
    if jnp.iscomplexobj(leaf):
        leaf = jnp.stack([leaf.real, leaf.imag])
    if leaf.dtype == jnp.bool_ or leaf.dtype.itemsize < 4:
        leaf = leaf.astype(jnp.float32 if jnp.issubdtype(leaf.dtype, jnp.floating) else jnp.int32)
    return jax.lax.bitcast_convert_type(leaf, jnp.uint32).reshape(-1)


def distinct(fingerprints: np.ndarray) -> np.ndarray:
    """Where each instance is seen for the first time.

    Args:
      fingerprints: (draws, 2) from `fingerprint`.

    Returns:
      (draws,) booleans.
    """
    words = np.asarray(fingerprints, np.uint64)
    _, first = np.unique(words[:, 0] << np.uint64(32) | words[:, 1], return_index=True)
    return np.isin(np.arange(len(words)), first)
