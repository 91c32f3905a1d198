"""Perturbations against their training-sample sums, and accuracies, over d and T_f (K24b)."""

import jax
import numpy as np
import pandas as pd

from experiments.figures.figure import Cell, Figure, Results, Row
from experiments.figures.lazy.axes import (
    PUBLISHED,
    Base,
    cells_of,
    draws_of,
    own_key,
    places,
    setting,
)
from experiments.figures.lazy.learning import cost, floats, learn, points

AXES = ("d", "T_f")
SCENARIO = ("a",)


class Settings(Base):
    """The base setting, and the values of d and T_f; identity loss, perturbations alone."""


def cells(settings: Settings) -> list[Row]:
    """For each law the base setting, and one cell for each other value of each axis."""
    return cells_of(settings, AXES, ("identity",))


def compute(settings: Settings, cell: Cell, key: jax.Array) -> dict[str, np.ndarray]:
    """`learn` with cosines on draws of its own."""
    run = setting(settings, cell)
    return learn(own_key(key, cell), run, draws_of(settings, cell), SCENARIO, cosine=True)


def relative_cost(settings: Settings, cell: Cell) -> float:
    """Operations of a cell."""
    return draws_of(settings, cell) * cost(setting(settings, cell))


def numbers(settings: Settings, cell: Cell) -> int:
    """See `learning.floats`."""
    return floats(setting(settings, cell), draws_of(settings, cell))


def table(settings: Settings, results: Results) -> pd.DataFrame:
    """One row for each measured point, with the columns of `points`.

    Rows of the quantity "cosine" have the law's mean as predicted, and its tolerance.
    """
    return pd.DataFrame(
        [
            place | point
            for cell, arrays in results
            for point in points(arrays, SCENARIO, settings.best)
            for place in places(settings, cell, AXES)
        ]
    )


FIGURE = Figure(
    name="lazy-cosine",
    source="Kumano et al. 2024b, cosine similarity of perturbations with training-sample sums",
    shows="cosine of perturbations with their training-sample sums, and accuracies, against d, T_f",
    quick=Settings(
        d=32, n=64, gaussian_d=32, gaussian_n=64, m=2048, epsilon=0.5, rates=(0.01, 0.1), steps=6,
        queries=64, draws=16, gaussian_draws=16, ds=(4, 8, 16, 64, 128),
        gaussian_ds=(4, 8, 16, 64, 128),
        T_fs=(0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0),
    ),
    paper=Settings(**PUBLISHED),
    cells=cells,
    compute=compute,
    table=table,
    cost=relative_cost,
    floats=numbers,
    minutes={"quick": 0.5, "paper": None},
)  # fmt: skip
