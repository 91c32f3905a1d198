"""What types do not say: caches of compiled functions, p-values, and what is there in a test."""

import inspect
from typing import Any, TypeVar

T = TypeVar("T")


def compilations(function: Any) -> int:
    """How many programs a function of `jax.jit` has been compiled to."""
    return function._cache_size()


def forget(function: Any) -> None:
    """Forgets the programs of a function of `jax.jit`, perhaps behind a door."""
    inspect.unwrap(function, stop=lambda inner: hasattr(inner, "clear_cache")).clear_cache()


def p_value(test: Any) -> float:
    """That of a test of SciPy."""
    return float(test.pvalue)


def known(value: T | None) -> T:
    """A value that may be missing elsewhere."""
    assert value is not None
    return value
