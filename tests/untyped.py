"""What libraries have and their types do not say: caches of compiled functions, p-values."""

import inspect
from typing import Any


def compilations(function: Any) -> int:
    """How many programs a function of `jax.jit` has been compiled to."""
    return function._cache_size()


def forget(function: Any) -> None:
    """Forgets the programs of a function of `jax.jit`, perhaps behind a door."""
    inspect.unwrap(function, stop=lambda inner: hasattr(inner, "clear_cache")).clear_cache()


def p_value(test: Any) -> float:
    """That of a test of SciPy."""
    return float(test.pvalue)
