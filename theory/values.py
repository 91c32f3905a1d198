"""Parameters of a configuration as arguments of compiled functions, instead of constants in them.

A compiled function that takes T as an argument serves every T; what does so with a constant is
compiled for each. Parameters on which Python's control flow or computations of the host depend have
to stay constants; which those are is found by trying.
"""

import copy
import dataclasses
from collections.abc import Callable, Collection, Mapping
from typing import Any

import jax
from jaxtyping import Array

from theory.keys import make_key


def split(config: Any, names: Collection[str]) -> tuple[Any, dict[str, Any]]:
    """The configuration without the values of some parameters, hashable, and those values."""
    values = {name: getattr(config, name) for name in names}
    return filled(config, dict.fromkeys(names)), values


def filled(config: Any, values: Mapping[str, Any]) -> Any:
    """The configuration with these values, which are not validated: they may be traced."""
    if not values:
        return config
    changed = copy.copy(config)
    for name, value in values.items():
        object.__setattr__(changed, name, value)
    return changed


def traceable(
    function: Callable[[Array, Any], Any], config: Any, names: Collection[str]
) -> tuple[str, ...]:
    """Which parameters a function of (key, config) lets be traced, all of them together.

    The function is traced, not compiled. In float32 there are none: Python's numbers are computed
    with in float64 before they meet an array, and error bounds of margins rely on it.

    Args:
      function: key, config → pytree of arrays.
      config: a `Parameters`; which parameters can be traced may depend on the others.
      names: parameters to try.

    Returns:
      Those of the names that are declared as values (floats, and integers with `traced`) and can
      be traced.
    """
    if not jax.config.jax_enable_x64:  # pyright: ignore[reportAttributeAccessIssue]
        return ()
    declared = {field.name for field in dataclasses.fields(config) if field.metadata.get("traced")}
    tried = [name for name in names if name in declared]
    if not tried or _can_be_traced(function, config, tried):
        return tuple(tried)
    alone = [name for name in tried if _can_be_traced(function, config, [name])]
    return tuple(alone) if alone and _can_be_traced(function, config, alone) else tuple(alone[:1])


def _can_be_traced(
    function: Callable[[Array, Any], Any], config: Any, names: Collection[str]
) -> bool:
    static, values = split(config, names)
    key = make_key(0)

    def with_values(key: Array, values: dict[str, Any]) -> Any:
        return function(key, filled(static, values))

    expected = jax.eval_shape(lambda key: function(key, config), key)
    try:
        found = jax.eval_shape(with_values, key, values)
    except TypeError:  # JAX's errors about traced values in Python, and Python's own
        return False
    try:
        return jax.tree.structure(found) == jax.tree.structure(expected)
    except ValueError:  # the result keeps a traced value beside its arrays, out of its trace
        return False
