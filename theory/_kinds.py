"""What an argument that is no array may be: a number, a key, a value of our own, a function."""

import collections.abc
import dataclasses
import math
import numbers
import types
import typing

import jax
import jax.core
import jax.numpy as jnp
import numpy as np
from jaxtyping import AbstractArray

LONGEST = 80  # characters of a value in a message
WORD = 2**63  # beyond which no integer of JAX's is

# Name, value → the value, as it came or as a number of Python; ValueError where it is another kind.
Kind = collections.abc.Callable[[str, object], object]


def is_traced(*values: object) -> bool:
    """Whether entries of any of the values cannot be looked at here.

    They cannot in an abstract tracer, nor where a part lies on devices of other processes.
    """
    return any(
        isinstance(v, jax.core.Tracer) or (isinstance(v, jax.Array) and not v.is_fully_addressable)
        for v in values
    )


def shown(value: object) -> str:
    """A value as messages show it: its `repr`, shortened where that is long."""
    try:
        text = " ".join(repr(value).split())
    except ValueError:  # an integer with more digits than Python writes
        return f"an integer of {typing.cast(int, value).bit_length()} bits"
    if len(text) <= LONGEST:
        return text
    return f"{text[: LONGEST // 2]}…{text[-LONGEST // 4 :]} ({len(text)} characters)"


def is_number(value: object, *kinds: type) -> bool:
    """Whether it is one number of a kind of NumPy's, Python's or JAX's; a boolean is none."""
    if isinstance(value, np.ndarray | jax.Array):
        return value.ndim == 0 and any(jnp.issubdtype(value.dtype, kind) for kind in kinds)
    if isinstance(value, bool | np.bool_) or not isinstance(value, numbers.Number | np.generic):
        return False
    return any(isinstance(value, _OF_PYTHON[kind]) for kind in kinds)


_OF_PYTHON: dict[type, type] = {jnp.integer: numbers.Integral, jnp.floating: numbers.Real}


def real(name: str, value: object) -> object:
    """A number that is not NaN; integers that JAX has not become floats."""
    if not is_number(value, jnp.integer, jnp.floating):
        raise ValueError(f"{name} must be a real number, got {shown(value)}")
    if isinstance(value, numbers.Integral) and abs(int(value)) >= WORD:
        try:
            value = float(value)
        except OverflowError:
            raise ValueError(f"{name} must be a number below 1.8e308, got {shown(value)}") from None
    if isinstance(value, numbers.Real) and math.isnan(value):
        raise ValueError(f"{name} must be a real number, got {shown(value)}")
    return value


def integer(name: str, value: object) -> object:
    """An integer that JAX has."""
    if not is_number(value, jnp.integer):
        raise ValueError(f"{name} must be an integer, got {shown(value)}")
    if isinstance(value, numbers.Integral) and abs(int(value)) >= WORD:
        raise ValueError(f"{name} must be an integer below 2**63, got {shown(value)}")
    return value


def boolean(name: str, value: object) -> object:
    """True or False."""
    array = isinstance(value, np.ndarray | jax.Array) and value.shape == () and value.dtype == bool
    if not (array or isinstance(value, bool | np.bool_)):
        raise ValueError(f"{name} must be True or False, got {shown(value)}")
    return value


def text(name: str, value: object) -> object:
    """A string; which of several is for the function to say."""
    if not isinstance(value, str):
        raise ValueError(f"{name} must be a string, got {shown(value)}")
    return value


def random_key(name: str, value: object) -> object:
    """One random key, of the new style or of two 32-bit numbers."""
    new = isinstance(value, jax.Array) and jnp.issubdtype(value.dtype, jax.dtypes.prng_key)
    old = isinstance(value, np.ndarray | jax.Array) and value.dtype == np.uint32
    axes = typing.cast(jax.Array, value).ndim if new or old else -1
    if axes != (0 if new else 1):
        many = f"{shown(typing.cast(jax.Array, value).shape)} of them" if new else shown(value)
        raise ValueError(f"{name} must be one random key, as jax.random.key(0) is, got {many}")
    return value


def function(name: str, value: object) -> object:
    """What can be called."""
    if not callable(value):
        raise ValueError(f"{name} must be a function, got {shown(value)}")
    return value


def of_class(cls: type) -> Kind:
    """An instance of a class of ours, and numbers in its fields where it is a dataclass."""
    hints = typing.get_type_hints(cls) if dataclasses.is_dataclass(cls) else {}
    kinds = {field: of_number(hint) for field, hint in hints.items()}

    def instance(name: str, value: object) -> object:
        if not isinstance(value, cls):
            raise ValueError(f"{name} must be a {cls.__name__}, got {shown(value)}")
        for field, kind in kinds.items():
            if kind is not None:
                kind(f"{name}.{field}", getattr(value, field))
        return value

    return instance


def of_number(annotation: object) -> Kind | None:
    """The kind of number that an annotation allows; None where it allows something else too."""
    if typing.get_origin(annotation) not in (None, typing.Union, types.UnionType):
        return None
    members = set(typing.get_args(annotation) or (annotation,))
    of_jax = {m for m in members if isinstance(m, type) and issubclass(m, AbstractArray)}
    if any(member.dim_str for member in of_jax):
        return None
    plain = members - of_jax - {jax.Array, np.floating, np.integer, np.bool_, types.NoneType}
    kind = {frozenset({float}): real, frozenset({int}): integer, frozenset({bool}): boolean}.get(
        frozenset(plain)
    )
    return kind if kind is None or types.NoneType not in members else optional(kind)


def optional(kind: Kind) -> Kind:
    """The same, or None."""
    return lambda name, value: value if value is None else kind(name, value)


def of_annotation(name: str, annotation: object) -> Kind | None:
    """What an argument of this name and annotation may be; None where that is open."""
    members = typing.get_args(annotation)
    if types.NoneType in members and len(members) == 2:
        inner = of_annotation(name, next(m for m in members if m is not types.NoneType))
        return inner and optional(inner)
    if annotation is jax.Array:
        return random_key if name.split("_")[0] == "key" else None
    if annotation is str:
        return text
    if typing.get_origin(annotation) is collections.abc.Callable:
        return function
    if isinstance(annotation, type) and annotation.__module__.split(".")[0] == "theory":
        return of_class(annotation)
    return of_number(annotation)
