"""Draws that are draws: fingerprints of instances, by which repeated ones are recognized."""

import hashlib
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, UInt32

from theory._types import AnyArray, PyTree

Words: TypeAlias = Any  # jnp.uint32 or jnp.uint64: JAX has no name for the type of these


def fingerprint(instance: PyTree) -> UInt32[Array, "2"]:
    """64 bits that agree for equal instances, and hardly ever for others.

    Σ_i (w_i ⊕ ⌊w_i/2^{b/2}⌋)·(ci + c')³ over the b-bit words w_i of each array, modulo 2^b: few
    operations, as every array of an instance takes part and compiling them takes time.

    Args:
      instance: any pytree of arrays and random keys.

    Returns:
      The two halves of the sum (of 32 bits, and 0, without 64-bit integers).
    """
    wide = jnp.zeros(()).dtype == jnp.float64  # whether JAX has 64 bits here
    kind: Words = jnp.uint64 if wide else jnp.uint32
    total = jnp.zeros((), kind)
    for leaf in jax.tree.leaves(instance):
        total = total * kind(0x85EBCA6B) + _hash(_words(leaf, kind), kind)
    high = (total >> kind(32)).astype(jnp.uint32) if wide else jnp.zeros((), jnp.uint32)
    return jnp.stack([high, total.astype(jnp.uint32)])


def _hash(words: Array, kind: Words) -> Array:
    words = words.reshape(-1)
    bits = 8 * words.dtype.itemsize
    mixed = words ^ (words >> kind(bits // 2))  # signs and exponents are at the top
    place = jax.lax.iota(words.dtype, words.size)
    factor = (place * kind(0x9E3779B1) + kind(0x7FEB352D)) ** 3  # no sum of two is that of others
    return jnp.sum(mixed * factor, dtype=kind)


def _words(leaf: ArrayLike, kind: Words) -> Array:
    """The bits of an array, each entry one word, or several along a last axis."""
    leaf = jnp.asarray(leaf)
    if _is_key(leaf):
        leaf = jax.random.key_data(leaf)
    if jnp.iscomplexobj(leaf):
        leaf = jnp.stack([leaf.real, leaf.imag])
    if jnp.issubdtype(leaf.dtype, jnp.floating):
        if leaf.dtype.itemsize < 4:
            leaf = leaf.astype(jnp.float32)
        leaf = jax.lax.bitcast_convert_type(leaf, jnp.dtype(f"uint{8 * leaf.dtype.itemsize}"))
    return leaf.astype(kind)


def beside_keys(instance: PyTree) -> list[AnyArray] | None:
    """The leaves of an instance that are no random keys; None if none is one."""
    leaves = jax.tree.leaves(instance)
    others = [leaf for leaf in leaves if not _is_key(leaf)]
    return others if len(others) < len(leaves) else None


def _is_key(leaf: ArrayLike) -> bool:
    return jnp.issubdtype(jnp.result_type(leaf), jax.dtypes.prng_key)


def fingerprint_on_host(instance: PyTree) -> UInt32[np.ndarray, "2"]:
    """The same for an instance of numpy arrays, with other words."""
    digest = hashlib.blake2b(digest_size=8)
    for leaf in jax.tree.leaves(instance):
        words = jax.random.key_data(leaf) if _is_key(leaf) else leaf
        digest.update(np.asarray(words).tobytes())
    return np.frombuffer(digest.digest(), np.uint32)


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
