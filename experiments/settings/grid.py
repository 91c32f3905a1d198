"""Grids of parameters in one word each: m=2**8:2**20:x4, d=64,256, loss=identity,logistic."""

import dataclasses
import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any

from experiments.settings.number_lists import fractions, once
from experiments.settings.numbers import converted
from experiments.settings.text import fields_by_name, held, read
from theory._validation import meant, shown

MAX_CELLS = 100_000


@dataclasses.dataclass(frozen=True)
class Axis:
    """One axis of a grid: a parameter with its values, unit and meaning."""

    name: str
    values: tuple[Any, ...]
    unit: str
    says: str


def parse(texts: Sequence[str], config: Any) -> list[Axis]:
    """The axes of a grid.

    Args:
      texts: NAME=VALUES, one for each axis.
      config: the configuration whose parameters are varied.

    Returns:
      The axes, in the order given.

    Raises:
      ValueError: for anything but at least one value of each parameter named, each value and
        each parameter once, in the parameter's range, and at most `MAX_CELLS` cells in all.
    """
    fields = fields_by_name(config)
    axes: list[Axis] = []
    for text in texts:
        name, equals, values = text.partition("=")
        if not (name and equals and values):
            raise ValueError(f"--grid must be NAME=VALUES, got {shown(text)}")
        if name == "data":
            raise ValueError("data is chosen by --data NAME, not by --grid data=…")
        if name not in fields:
            known = ", ".join(sorted(fields.keys() - {"data"}))
            got = f"{shown(name)}{meant(name, fields.keys() - {'data'})}"
            raise ValueError(f"--grid must name one of the parameters {known}; got {got}")
        if name in {axis.name for axis in axes}:
            raise ValueError(f"--grid must name a parameter once, got {name!r} twice")
        field = fields[name]
        rule = field.metadata
        if rule["many"]:
            raise ValueError(
                f"--grid must name parameters of one value, got {name!r}, which has several"
            )
        axes.append(Axis(name, _values(field, values, config), rule["unit"], rule["doc"]))
        cells = math.prod(len(axis.values) for axis in axes)
        if cells > MAX_CELLS:
            raise ValueError(f"--grid must have at most {MAX_CELLS:,} cells, got {cells:,}")
    if not axes:
        raise ValueError("--grid must be given at least once, for example --grid m=64:1024:x2")
    return axes


def cells(axes: Sequence[Axis]) -> Iterator[dict[str, Any]]:
    """Name → value for every cell, the last axis running fastest."""
    for values in itertools.product(*(axis.values for axis in axes)):
        yield dict(zip((axis.name for axis in axes), values, strict=True))


def size(cell: Mapping[str, Any]) -> float:
    """Product of a cell's positive integers (widths, dimensions, …): its cost is related to it."""
    numbers = (v for v in cell.values() if isinstance(v, int) and v > 0 and not isinstance(v, bool))
    return math.prod((float(v) for v in numbers), start=1.0)


def _values(field: Any, text: str, config: Any) -> tuple[Any, ...]:
    name = f"--grid {field.name}"
    numeric = field.metadata["type"] in (int, float)
    given = fractions(name, text) if numeric else text.split(",")
    return once(name, tuple(_value(field, value, config) for value in given))


def _value(field: Any, given: Fraction | str, config: Any) -> Any:
    """A parameter's value; ValueError unless it is one, in its own range."""
    if isinstance(given, str):
        value = read(field, given)
    else:
        value = held(field.name, converted(field.name, given, field.metadata["type"]))
    return getattr(dataclasses.replace(config, **{field.name: value}), field.name)
