"""Whether there is memory for cells of figures, before anything of them is compiled."""

from collections.abc import Iterable

from experiments.figures.figure import Cell, Figure
from experiments.machine import environment
from theory.compilation import check_fits

BYTES = {"float64": 8, "float32": 4}  # of a number


def check_cells(figure: Figure, settings: object, cells: Iterable[Cell], limit: int | None) -> None:
    """ValueError, with both numbers, for the first cell that needs more memory than there is.

    Args:
      figure: whose `floats` say how much each needs, at least.
      settings: of the figure.
      cells: some of its cells.
      limit: bytes that a cell may take; None where nothing tells, and then nothing is refused.
    """
    if limit is None:
        return
    number = BYTES[environment.precision()]
    for cell in cells:
        at = ", ".join(f"{name} = {value}" for name, value in cell.items())
        check_fits(f"{figure.name} at {at}", number * figure.floats(settings, cell), limit)
