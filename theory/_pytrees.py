"""Dataclasses as pytrees: values that a compiled function takes as arguments, not as constants."""

import dataclasses
import numbers
from collections.abc import Callable, Hashable, Iterable
from typing import TypeAlias, TypeVar

import jax

from theory._types import PyTree

Instance = TypeVar("Instance")
Keyed: TypeAlias = tuple[Hashable, PyTree]
# Runtime type checkers look at sequences at random, which nothing may do while Hypothesis draws.
Static: TypeAlias = PyTree  # names of the leaves; (name, value) of all else


def traced_fields(instance: object, *names: str) -> tuple[str, ...]:
    """Those of the fields that hold no number of Python's but a traced value."""
    numbers_of_python = (numbers.Number, type(None))
    return tuple(n for n in names if not isinstance(getattr(instance, n), numbers_of_python))


REMEMBERED = "_leaves"  # attribute in which an instance made by JAX keeps what is a leaf of it


def register_dataclass(cls: type[Instance], leaves: Callable[[Instance], tuple[str, ...]]) -> None:
    """Makes the dataclass a pytree whose leaves are the fields named, everything else static.

    Nothing is validated when JAX puts one together again: what it holds then may be tracers,
    shapes or placeholders.

    Args:
      cls: a dataclass; static values must be hashable.
      leaves: instance → names of the fields that are leaves.
    """
    fields = tuple(field.name for field in dataclasses.fields(cls))  # pyright: ignore[reportArgumentType]

    def flatten_with_keys(instance: Instance) -> tuple[PyTree, Static]:
        names = vars(instance).get(REMEMBERED) or leaves(instance)
        static = tuple((name, getattr(instance, name)) for name in fields if name not in names)
        keyed = [(jax.tree_util.GetAttrKey(name), getattr(instance, name)) for name in names]
        return keyed, (names, static)

    def unflatten(aux: Static, values: Iterable[PyTree]) -> Instance:
        names, static = aux
        instance = object.__new__(cls)
        for name, value in (*zip(names, values, strict=True), *static):
            object.__setattr__(instance, name, value)
        # JAX also puts in what is no number, and the leaves must be the same ones again.
        object.__setattr__(instance, REMEMBERED, names)
        return instance

    jax.tree_util.register_pytree_with_keys(cls, flatten_with_keys, unflatten)
