"""Parameters of statements and figures, read from text."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from experiments.machine import environment
from theory import Dataset


def fields_by_name(config: Any) -> dict[str, dataclasses.Field[Any]]:
    """Name → parameter of a configuration; none of one that is no `theory.Parameters`."""
    if not dataclasses.is_dataclass(config):
        return {}
    return {field.name: field for field in dataclasses.fields(config) if "doc" in field.metadata}


def configured(config: Any, source: str | Dataset | None, settings: Mapping[str, Any]) -> Any:
    """A configuration with data and parameters replaced; text is read as the parameter's type.

    Raises:
      ValueError: if a value is wrong, or the configuration does not take such data.
    """
    fields = fields_by_name(config)
    changes = {name: read(fields[name], v) for name, v in settings.items() if name in fields}
    if source is not None:
        given = isinstance(source, Dataset)
        if "data" not in fields or (given and Dataset not in fields["data"].metadata["accepts"]):
            raise ValueError("it draws points of its own")
        changes["data"] = source
        if isinstance(source, Dataset) and "d" in fields:
            changes.setdefault("d", source.x.shape[1])
    return dataclasses.replace(config, **changes) if changes else config


def read(field: dataclasses.Field[Any], value: Any) -> Any:
    """A parameter's value from text.

    Raises:
      ValueError: if the text is no value of its type, or an integer that arrays do not hold.
    """
    kind = field.metadata["type"]
    if not isinstance(value, str) or kind is str:
        return value
    words = {int: "an integer", float: "a number", bool: "true or false"}
    try:
        if kind is bool:
            return {"true": True, "false": False}[value.lower()]
        number = kind(value)
    except (ValueError, KeyError):
        raise ValueError(f"{field.name} must be {words[kind]}, got {value!r}") from None
    if kind is int and abs(number) > (most := environment.largest_integer()):
        precision = environment.precision()
        raise ValueError(f"{field.name} must be at most {most} in {precision}, got {value}")
    return number
