"""Accuracy of networks trained on data and on perturbations, against each parameter of K24b."""

import jax
import numpy as np
import pandas as pd

from experiments.figures.figure import Cell, Figure, Results, Row
from experiments.figures.lazy.axes import (
    LOSSES,
    PUBLISHED,
    TIMES,
    VARIED,
    Base,
    cells_of,
    draws_of,
    own_key,
    places,
    setting,
)
from experiments.figures.lazy.learning import cost, floats, learn, points
from theory import fields

AXES = (*VARIED, *TIMES)


class Settings(Base):
    """The base setting, and the values that its parameters take one after another."""

    losses: tuple[str, ...] = fields.axis(
        ("identity", "logistic"), "training losses", choices=LOSSES
    )
    epsilons: tuple[float, ...] = fields.axis(
        (0.0001, 0.0003, 0.001, 0.003, 0.01, 0.1), "axis ε/√d", low=0
    )
    ms: tuple[int, ...] = fields.axis((10, 30, 100, 300, 1000), "axis m")
    slopes: tuple[float, ...] = fields.axis((0.0, 0.1, 0.3, 0.5, 0.8), "axis γ", low=0, high=1)
    ns: tuple[int, ...] = fields.axis((100, 300, 1000, 3000, 10_000), "axis n")
    gaussian_ns: tuple[int, ...] = fields.axis(
        (1000, 3000, 10_000, 20_000), "axis n of the unshifted Gaussian"
    )
    T_gs: tuple[float, ...] = fields.axis(
        (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0), "axis T_g", unit="rate × steps"
    )


def cells(settings: Settings) -> list[Row]:
    """For each law and loss the base setting, and one cell for each other value of each axis."""
    return cells_of(settings, AXES, settings.losses)


def compute(settings: Settings, cell: Cell, key: jax.Array) -> dict[str, np.ndarray]:
    """`learn` on draws of its own."""
    return learn(own_key(key, cell), setting(settings, cell), draws_of(settings, cell))


def relative_cost(settings: Settings, cell: Cell) -> float:
    """Operations of a cell."""
    return draws_of(settings, cell) * cost(setting(settings, cell))


def numbers(settings: Settings, cell: Cell) -> int:
    """See `learning.floats`."""
    return floats(setting(settings, cell), draws_of(settings, cell))


def table(settings: Settings, results: Results) -> pd.DataFrame:
    """One row for each measured point, with the columns of `points`."""
    return pd.DataFrame(
        [
            place | point
            for cell, arrays in results
            for point in points(arrays, best=settings.best)
            for place in places(settings, cell, AXES)
        ]
    )


FIGURE = Figure(
    name="lazy-accuracy",
    source="Kumano et al. 2024b, accuracy of learning from perturbations",
    shows="accuracy of f, of g trained on f's perturbations, and their agreement, against d, ε, m, "
    "γ, n, T_f, T_g",
    quick=Settings(
        d=32, n=32, gaussian_d=32, gaussian_n=32, m=2048, epsilon=0.5, rates=(0.01, 0.1),
        steps=6, queries=64, draws=12, gaussian_draws=12, ds=(16, 64), gaussian_ds=(16, 64),
        epsilons=(0.02, 0.1), ms=(32, 256), slopes=(0.3, 0.8), ns=(16, 64), gaussian_ns=(16, 64),
        T_fs=(0.1, 1.0, 8.0), T_gs=(0.5, 4.0, 32.0),
    ),
    paper=Settings(**PUBLISHED),
    cells=cells,
    compute=compute,
    table=table,
    cost=relative_cost,
    floats=numbers,
    minutes={"quick": 0.7, "paper": None},
)  # fmt: skip
