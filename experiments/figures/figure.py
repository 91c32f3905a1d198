"""What a figure is: settings, cells to compute, a table of what came out, and a picture of it."""

import dataclasses
import importlib
import importlib.util
import types
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import jax
import numpy as np

from experiments.settings import grid
from theory import Statement

if TYPE_CHECKING:
    import matplotlib.figure
    import pandas as pd

PRESETS = ("quick", "paper")
MOST_CELLS = 100_000  # that a setting may ask for: each is a file

Cell: TypeAlias = Mapping[str, Any]
Arrays: TypeAlias = Mapping[str, np.ndarray]
Results: TypeAlias = Sequence[tuple[Cell, Arrays]]
Row: TypeAlias = dict[str, Any]  # of a table: name of the column → value
Table: TypeAlias = Any  # a pandas DataFrame, whose columns pyright takes for arrays


def numbered(name: str, count: int) -> range:
    """0, 1, … of cells of which a setting says how many. ValueError for more than can be."""
    if count > MOST_CELLS:
        raise ValueError(f"{name} must be at most {MOST_CELLS:,}, as each is a file, got {count:,}")
    return range(count)


@dataclasses.dataclass(frozen=True)
class Figure:
    """A named figure.

    What is computed stands in the module of `compute`, the picture in a module beside it whose
    name ends in `_picture`, with `draw(settings, table)` and `caption(settings, table)`: stored
    cells are bound to the former and what it imports, so that pictures can change without
    computing again. Both may stand in one file, such as one of the user's.

    Attributes:
      name: what the command calls it.
      source: paper and experiment it re-creates, or "ours".
      shows: its content, in one line.
      quick: settings that take less than two minutes on two cores.
      paper: settings as published.
      cells: settings → the computations to store, each a flat name → plain value that tells it
        from the others and names its file.
      compute: (settings, cell, key) → name → array. The key is the same for all cells.
      table: (settings, results of all cells in their order) → the data behind the picture, one
        row for each of its points.
      minutes: preset → how long it takes, "quick" on two cores, "paper" on one GPU; None where
        that has not been measured.
      cost: (settings, cell) → what the cell's seconds are related to; the product of its integers
        by default.
      floats: (settings, cell) → numbers that computing the cell holds at once, at least: arrays
        that are drawn, or come of matrix products. By it cells that no memory holds are refused
        before anything is compiled; 0, nothing known, by default.
      statement: of which all is computed (`Figure.of`): stored cells are bound to its code too.
    """

    name: str
    source: str
    shows: str
    quick: Any
    paper: Any
    cells: Callable[[Any], Sequence[Cell]]
    compute: Callable[[Any, Cell, jax.Array], Arrays]
    table: Callable[[Any, Results], "pd.DataFrame"]
    minutes: Mapping[str, float | None]
    cost: Callable[[Any, Cell], float] = lambda settings, cell: grid.size(cell)
    floats: Callable[[Any, Cell], float] = lambda settings, cell: 0
    statement: Statement | None = None

    @classmethod
    def of(
        cls,
        statement: Statement,
        axis: str,
        values: tuple[Any, ...],
        *,
        name: str = "",
        draws: Mapping[str, int] | None = None,
        minutes: Mapping[str, float | None] | None = None,
    ) -> "Figure":
        """The common plot of a statement over one parameter.

        How often each hypothesis and the conclusion hold, with exact limits; or, for a claim about
        a quantity, what is measured beside what is claimed. All parameters of the statement are
        settings, and the swept one has several values: `--set m=16,64,256`.

        Args:
          statement: whose configuration is a `Parameters`.
          axis: name of the parameter that is swept.
          values: what it takes.
          name: of the figure, FAMILY-STATEMENT-AXIS by default.
          draws: preset → draws at each value; for "quick" and "paper" the statement's own of
            "quick" and "full" by default.
          minutes: as of every figure.

        Raises:
          ValueError: for a parameter that the statement does not have, or values out of its range.
        """
        from experiments.figures import swept

        settings = swept.settings_class(statement, axis, values)
        own = {"quick": statement.draws["quick"], "paper": statement.draws["full"]}
        draws = own | dict(draws or {})
        return cls(
            name=name or f"{statement.id.replace('.', '-')}-{axis}",
            source=statement.source or "ours",
            shows=f"{statement.title or statement.id}, against {axis}",
            quick=settings(draws=draws["quick"]),
            paper=settings(draws=draws["paper"]),
            cells=swept.cells,
            compute=swept.compute,
            table=swept.table,
            minutes=minutes or {},
            statement=statement,
        )

    def settings(self, preset: str) -> Any:
        """The settings of a preset."""
        return {"quick": self.quick, "paper": self.paper}[preset]

    def draw(self, settings: object, table: "pd.DataFrame") -> "matplotlib.figure.Figure":
        """The picture of a table."""
        return self._picture().draw(settings, table)

    def caption(self, settings: object, table: "pd.DataFrame") -> str:
        """What the picture shows: predicted, measured, on how many draws, with which bars."""
        return self._picture().caption(settings, table)

    def _picture(self) -> types.ModuleType:
        module = self.compute.__module__
        beside = f"{module}_picture"
        found = importlib.util.find_spec(beside) is not None
        return importlib.import_module(beside if found else module)
