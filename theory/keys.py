"""Random keys, all of one generator: the same seed gives the same numbers wherever it is used.

JAX lets its environment choose the generator (JAX_DEFAULT_PRNG_IMPL) and how it splits an array
among devices (JAX_THREEFRY_PARTITIONABLE). Each choice changes every number, so that results of two
of them cannot be compared, or put together in one sweep. Here the choice is fixed.
"""

import contextlib
import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import jax
import jax.numpy as jnp

from theory._types import Integer

GENERATOR = "threefry2x32"

P = ParamSpec("P")
T = TypeVar("T")


def make_key(seed: Integer) -> jax.Array:
    """The random key of a seed, `jax.random.key` with the generator that results are made with."""
    return jax.random.key(seed, impl=GENERATOR)


def check_key(key: object) -> None:
    """Refuses what is no single key of `GENERATOR`.

    Raises:
      ValueError: for seeds, arrays of plain numbers (`jax.random.PRNGKey`), several keys, and keys
        of another generator.
    """
    remedy = "use theory.keys.make_key(seed)"
    if not (isinstance(key, jax.Array) and jnp.issubdtype(key.dtype, jax.dtypes.prng_key)):
        dtype = getattr(key, "dtype", None)
        what = repr(key) if dtype is None else f"an array of {dtype}"
        raise ValueError(f"key must be a random key as of jax.random.key, got {what}; {remedy}")
    if key.shape != ():
        raise ValueError(f"key must be a single random key, got an array of shape {key.shape}")
    if (generator := str(jax.random.key_impl(key))) != GENERATOR:
        raise ValueError(f"key must be of the generator {GENERATOR}, got {generator}; {remedy}")


def with_generator(function: Callable[P, T]) -> Callable[P, T]:
    """The function of (_, key, …), which refuses other keys and draws the same numbers from each.

    Inside it JAX's partitionable form of the generator is on, whatever it is outside: the one whose
    numbers do not depend on how many devices share an array.
    """

    @functools.wraps(function)
    def fixed(*args: P.args, **kwargs: P.kwargs) -> T:
        check_key(kwargs["key"] if "key" in kwargs else args[1])
        on = jax.config.jax_threefry_partitionable  # pyright: ignore[reportAttributeAccessIssue]
        with contextlib.nullcontext() if on else jax.threefry_partitionable(True):
            return function(*args, **kwargs)

    return fixed
