"""Configurations: frozen dataclasses whose fields know their meaning, unit and range."""

import dataclasses
from typing import Any, dataclass_transform

from theory._pytrees import register_dataclass
from theory._validation import check_choice, check_integer, check_real, is_traced


def parameter(
    default: Any,
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
) -> Any:
    """A field of a `Parameters` class.

    Args:
      default: default value; its type (int, float, bool or str) is the field's type.
      doc: one line saying what the parameter is.
      unit: its unit, "1" for pure numbers.
      low, high: closed limits of the range, open where `open_low` / `open_high` is set.
      even: whether an integer must be even.
      choices: the strings allowed, for a string.
      accepts: further types whose instances are allowed as they are.
      traced: whether an integer, like all floats, is a value and no shape: where a configuration is
        an argument of a compiled function, one compilation serves every value of it.

    Returns:
      A dataclass field that carries all of this as metadata.
    """
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
        | {"even": even, "choices": choices, "accepts": accepts, "type": type(default)}
        | {"traced": traced or type(default) is float},
    )


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


def _checked(name: str, rule: Any, value: Any) -> Any:
    if isinstance(value, rule["accepts"]) or (rule["traced"] and is_traced(value)):
        return value
    low, high = rule["low"], rule["high"]
    if rule["type"] is bool:
        if not isinstance(value, bool):
            raise ValueError(f"{name} must be True or False, got {value!r}")
        return value
    if rule["type"] is int:
        limits = {
            "low": 0 if low is None else int(low),
            "high": None if high is None else int(high),
        }
        return check_integer(name, value, **limits, even=rule["even"])
    if rule["type"] is str:
        if not isinstance(value, str):
            raise ValueError(f"{name} must be a string, got {value!r}")
        return check_choice(name, value, rule["choices"]) if rule["choices"] else value
    interval = {"open_low": rule["open_low"], "open_high": rule["open_high"]}
    bounds = {k: rule[k] for k in ("low", "high") if rule[k] is not None}
    return float(check_real(name, value, **bounds, **interval))
