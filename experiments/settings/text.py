"""Parameters of statements and figures, read from text."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from experiments.machine import environment
from experiments.settings import number_lists, numbers
from theory import Dataset
from theory._validation import shown


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
    """A parameter's value from text; one of several values as VALUE,VALUE,… or LOW:HIGH:xFACTOR.

    Raises:
      ValueError: if the text is no value of its type, or an integer that arrays do not hold.
    """
    name, kind = field.name, field.metadata["type"]
    if not isinstance(value, str):
        return value
    if not field.metadata["many"]:
        return _one(name, kind, value)
    if kind in (int, float):
        return tuple(held(name, number) for number in number_lists.numbers(name, value, kind))
    return tuple(_one(name, kind, word.strip()) for word in value.split(","))


def written(value: Any) -> str:
    """A parameter's value as it is written on the command line."""
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _one(name: str, kind: type, text: str) -> Any:
    if kind is str:
        return text
    if kind is not bool:
        return held(name, numbers.read(name, text, kind))
    if text.lower() not in ("true", "false"):
        raise ValueError(f"{name} must be true or false, got {shown(text)}")
    return text.lower() == "true"


def held(name: str, value: Any) -> Any:
    """The value; ValueError for an integer that arrays do not hold."""
    if isinstance(value, int) and abs(value) > (most := environment.largest_integer()):
        precision = environment.precision()
        raise ValueError(f"{name} must be at most {most} in {precision}, got {shown(value)}")
    return value
