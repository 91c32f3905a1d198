"""A figure that takes no time: the mean of K uniform numbers, predicted to be 1/2.

Each cell takes SLOW_CELLS seconds, if that is set.
"""

import dataclasses
import os
import time
from typing import Any

import jax
import numpy as np
import pandas as pd

from experiments.figures import registry
from experiments.figures.figure import Figure
from experiments.results.summaries import mean_and_error
from theory import fields
from theory.data.sampling import data_parameter
from theory.parameters import Parameters, parameter


class Settings(Parameters):
    """What is drawn how often."""

    counts: tuple[int, ...] = fields.axis((2, 4, 8), "numbers of draws K")
    high: float = parameter(1.0, "upper end", low=0, open_low=True)
    fail: int = parameter(0, "the count whose cell fails")


class DataSettings(Settings):
    """The same, of data."""

    data: Any = data_parameter("gaussian")


def cells(settings):
    return [{"K": count} for count in settings.counts]


def compute(settings, cell, key):
    if cell["K"] == settings.fail:
        raise MemoryError("too many")
    time.sleep(float(os.environ.get("SLOW_CELLS", "0")))
    draws = jax.random.uniform(jax.random.fold_in(key, cell["K"]), (cell["K"],))
    return {"draws": settings.high * np.asarray(draws)}


def table(settings, results):
    rows = []
    for cell, arrays in results:
        mean, error = mean_and_error(arrays["draws"])
        rows.append({"K": cell["K"], "mean": mean, "standard_error": error, "predicted": 0.5})
    return pd.DataFrame(rows)


FIGURE = Figure(
    name="toy-mean",
    source="ours",
    shows="means",
    quick=Settings(),
    paper=Settings(counts=(2, 4, 8, 16)),
    cells=cells,
    compute=compute,
    table=table,
    minutes={"quick": 0.1, "paper": None},
)


DATA_FIGURE = dataclasses.replace(
    FIGURE, name="toy-data", quick=DataSettings(), paper=DataSettings()
)


def install() -> None:
    """Makes these the only figures."""
    registry.figures = lambda: {figure.name: figure for figure in (FIGURE, DATA_FIGURE)}
