"""Configurations: frozen dataclasses whose fields know their meaning, unit and range."""

import copy
import dataclasses
from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeVar, cast, dataclass_transform

import jax
from jaxtyping import Array

from theory._pytrees import register_dataclass
from theory._types import PyTree
from theory._validation import (
    LARGEST,
    check_choice,
    check_integer,
    check_real,
    first_repeated,
    is_traced,
    shown,
)
from theory.keys import make_key

Config = TypeVar("Config")


def parameter(
    default: object,
    doc: str,
    *,
    unit: str = "1",
    low: float | None = None,
    high: float | None = None,
    open_low: bool = False,
    open_high: bool = False,
    even: bool = False,
    choices: tuple[str, ...] | None = None,
    accepts: tuple[type, ...] = (),
    traced: bool = False,
    distinct: bool = False,
) -> Any:
    """A field of a `Parameters` class.

    Args:
      default: default value; its type (int, float, bool or str) is the field's type. A tuple of
        values of one of these types, at least one, is a field of such tuples, and the rules below
        are those of every entry.
      doc: one line saying what the parameter is.
      unit: its unit, "1" for pure numbers.
      low, high: closed limits of the range, open where `open_low` / `open_high` is set.
      even: whether an integer must be even.
      choices: the strings allowed, for a string.
      accepts: further types whose instances are allowed as they are.
      traced: whether an integer, like all floats, is a value and no shape: where a configuration is
        an argument of a compiled function, one compilation serves every value of it.
      distinct: whether a tuple names every value once.

    Returns:
      A dataclass field that carries all of this as metadata.

    Raises:
      ValueError: for a tuple without entries, or of several types.
    """
    kind = _entry_type(default) if isinstance(default, tuple) else type(default)
    metadata = {
        "doc": doc,
        "unit": unit,
        "low": low,
        "high": high,
        "open_low": open_low,
        "open_high": open_high,
    }
    return dataclasses.field(
        default=default,
        metadata=metadata
        | {"even": even, "choices": choices, "accepts": accepts, "type": kind}
        | {"many": isinstance(default, tuple), "distinct": distinct}
        | {"traced": traced or type(default) is float},
    )


def _entry_type(default: tuple[Any, ...]) -> type:
    kinds = {type(entry) for entry in default}
    if len(kinds) != 1:
        raise ValueError(f"default must be a tuple of values of one type, got {default!r}")
    return kinds.pop()


@dataclass_transform(frozen_default=True, kw_only_default=True)
class Parameters:
    """Base of all configurations: subclasses become frozen, hashable and validated when made.

    As arguments of compiled functions they are pytrees of their values, floats and integers with
    `traced`; all else is static. As static arguments they are compiled once for each value.

    Raises:
      ValueError: on construction, if a value has the wrong type or is outside its range. The
        message names the parameter, what was expected and what came.
    """

    def __init_subclass__(cls) -> None:
        dataclasses.dataclass(frozen=True, kw_only=True)(cls)
        values = tuple(
            field.name
            for field in dataclasses.fields(cls)  # pyright: ignore[reportArgumentType]
            if field.metadata.get("traced")
        )
        register_dataclass(cls, lambda _: values)

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):  # pyright: ignore[reportArgumentType]
            rule = field.metadata
            if rule:
                object.__setattr__(
                    self, field.name, _checked(field.name, rule, getattr(self, field.name))
                )


def _checked(name: str, rule: Mapping[str, Any], value: object) -> object:
    if isinstance(value, rule["accepts"]) or (rule["traced"] and is_traced(value)):
        return value
    return _checked_tuple(name, rule, value) if rule["many"] else _checked_one(name, rule, value)


WORDS = {int: "integers", float: "numbers", str: "strings", bool: "truth values"}


def _checked_tuple(name: str, rule: Any, value: Any) -> tuple[Any, ...]:
    if not isinstance(value, tuple | list) or not value:
        words = WORDS[rule["type"]]
        raise ValueError(f"{name} must be a tuple of {words}, one at least, got {shown(value)}")
    entries = [_checked_one(f"{name}[{i}]", rule, entry) for i, entry in enumerate(value)]
    if rule["distinct"] and (twice := first_repeated(entries)) is not None:
        raise ValueError(f"{name} must name a value once, got {twice!r} twice")
    return tuple(entries)


def _checked_one(name: str, rule: Any, value: Any) -> Any:
    low, high = rule["low"], rule["high"]
    if rule["type"] is bool:
        if not isinstance(value, bool):
            raise ValueError(f"{name} must be True or False, got {shown(value)}")
        return value
    if rule["type"] is int:
        limits = {
            "low": 0 if low is None else int(low),
            "high": None if high is None else int(high),
        }
        return check_integer(name, value, **limits, even=rule["even"])
    if rule["type"] is str:
        if not isinstance(value, str):
            raise ValueError(f"{name} must be a string, got {shown(value)}")
        return check_choice(name, value, rule["choices"]) if rule["choices"] else value
    interval = {"open_low": rule["open_low"], "open_high": rule["open_high"]}
    bounds = {k: rule[k] for k in ("low", "high") if rule[k] is not None}
    return float(cast(float, check_real(name, value, **bounds, **interval)))


def is_number(config: Any, name: str) -> bool:
    """Whether a parameter of a configuration is one number, an integer or a float."""
    value = getattr(config, name)
    return isinstance(value, int | float) and not isinstance(value, bool)


def number_names(config: Any) -> list[str]:
    """The parameters of a configuration that are one number each; none of what has no fields."""
    if not dataclasses.is_dataclass(config):
        return []
    return [field.name for field in dataclasses.fields(config) if is_number(config, field.name)]


def largest_integer(config: Any, name: str) -> int:
    """Up to where an integer parameter is varied: what an array may have along one axis.

    Where the configuration itself is beyond that, and so means no size of an array, it is 2⁵³, up
    to which float64 has every integer.

    Args:
      config: a configuration.
      name: one of its integer parameters.
    """
    return 2**53 if getattr(config, name) > LARGEST else LARGEST


# Parameters of a configuration as arguments of compiled functions, instead of constants in them. A
# compiled function that takes T as an argument serves every T; what does so with a constant is
# compiled for each. Parameters on which Python's control flow or computations of the host depend
# have to stay constants; which those are is found by trying.


def split(config: Config, names: Collection[str]) -> tuple[Config, dict[str, PyTree]]:
    """The configuration without the values of some parameters, hashable, and those values."""
    values = {name: getattr(config, name) for name in names}
    return filled(config, dict.fromkeys(names)), values


def filled(config: Config, values: Mapping[str, object]) -> Config:
    """The configuration with these values, which are not validated: they may be traced."""
    if not values:
        return config
    changed = copy.copy(config)
    for name, value in values.items():
        object.__setattr__(changed, name, value)
    return changed


def traceable(
    function: Callable[[Array, Config], PyTree], config: Config, names: Collection[str]
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
    fields = dataclasses.fields(config)  # pyright: ignore[reportArgumentType]
    declared = {field.name for field in fields if field.metadata.get("traced")}
    tried = [name for name in names if name in declared]
    if not tried or _can_be_traced(function, config, tried):
        return tuple(tried)
    alone = [name for name in tried if _can_be_traced(function, config, [name])]
    return tuple(alone) if alone and _can_be_traced(function, config, alone) else tuple(alone[:1])


def _can_be_traced(
    function: Callable[[Array, Config], PyTree], config: Config, names: Collection[str]
) -> bool:
    static, values = split(config, names)
    key = make_key(0)

    def with_values(key: Array, values: dict[str, PyTree]) -> PyTree:
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
