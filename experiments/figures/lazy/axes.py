"""The base setting of K24b's figures, its axes and cells."""

import json
import zlib
from collections.abc import Sequence
from typing import Any

import jax

from experiments.figures.figure import Cell, Row
from experiments.figures.lazy.networks import LAWS, LONG, LearningRun
from theory import fields
from theory.networks.descent import SCHEDULES, training_time
from theory.parameters import Parameters, parameter

LOSSES = ("identity", "logistic")
VARIED = ("d", "epsilon", "m", "slope", "n")
TIMES = ("T_f", "T_g")  # axes on which the base setting is no point


PUBLISHED: dict[str, Any] = {
    "best": "metric",
    "schedule": "plateau",
    "measure_on": "training",
    "cosine": "absolute",
}


class Base(Parameters):
    """The setting around which parameters are varied.

    Sizes are the paper's; `PUBLISHED` is what it measures.
    """

    d: int = fields.dimension(100)
    n: int = fields.points(1000)
    gaussian_d: int = fields.dimension(10000, "dimension of the unshifted Gaussian")
    gaussian_n: int = fields.points(10000, "training points of the unshifted Gaussian")
    m: int = fields.width(100, "width of both networks")
    slope: float = fields.slope(0.0)
    epsilon: float = parameter(0.001, "size ε of a perturbation over √d", low=0)
    rates: tuple[float, ...] = fields.axis((0.1, 1.0), "learning rates, of which the best is shown")
    best: str = parameter(
        "network", "network: each network has the rate of its better accuracy, metric: each "
        "quantity the best pair of rates", choices=("network", "metric"),
    )  # fmt: skip
    schedule: str = parameter("constant", "learning rates over the steps", choices=SCHEDULES)
    measure_on: str = parameter(
        "fresh", "accuracies on fresh test points or on f's training points",
        choices=("fresh", "training"),
    )  # fmt: skip
    cosine: str = parameter("signed", "mean of cos or of |cos|", choices=("signed", "absolute"))
    steps: int = fields.steps(1000, "gradient steps of each network")
    momentum: float = fields.momentum(0.9)
    queries: int = fields.queries(1000, "test points")
    draws: int = parameter(32, "independent draws of everything", low=2)
    gaussian_draws: int = parameter(
        1, "draws of the unshifted Gaussian, of which one takes minutes", low=1
    )
    laws: tuple[str, ...] = fields.axis(
        ("shifted-gaussian", "gaussian"), "laws of the points", choices=LAWS
    )
    ds: tuple[int, ...] = fields.axis((10, 30, 100, 300, 1000), "axis d")
    gaussian_ds: tuple[int, ...] = fields.axis(
        (1000, 3000, 10_000, 30_000), "axis d of the unshifted Gaussian"
    )
    T_fs: tuple[float, ...] = fields.axis(
        (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0), "axis T_f", unit="rate × steps"
    )


def base_value(settings: Base, law: str, axis: str) -> Any:
    """The parameter's value in the base setting."""
    own = law == "gaussian" and axis in ("d", "n")
    return getattr(settings, f"gaussian_{axis}" if own else axis)


def swept_values(settings: Base, law: str, axis: str) -> tuple[Any, ...]:
    """The values of an axis, the base setting's among them."""
    own = law == "gaussian" and axis in ("d", "n")
    name = f"gaussian_{axis}s" if own else f"{axis}s"
    values: tuple[Any, ...] = getattr(settings, name)
    if axis in TIMES:
        return values
    return tuple(sorted({*values, base_value(settings, law, axis)}))


def cells_of(settings: Base, axes: Sequence[str], losses: Sequence[str]) -> list[Row]:
    """For each law and loss the base setting, and one cell for each other value of each axis."""
    found = []
    for law in settings.laws:
        for loss in losses:
            found.append({"law": law, "loss": loss, "axis": "base", "at": 0.0})
            for axis in axes:
                values = swept_values(settings, law, axis)
                for value in values:
                    if axis in TIMES or value != base_value(settings, law, axis):
                        found.append({"law": law, "loss": loss, "axis": axis, "at": value})
    for cell in found:
        setting(settings, cell)
    return found


def setting(settings: Base, cell: Cell) -> LearningRun:
    """What a cell computes."""
    law, axis, at = cell["law"], cell["axis"], cell["at"]
    values = {name: base_value(settings, law, name) for name in VARIED}
    if axis in values:
        values[axis] = at
    Base(**values)  # fails for values out of range
    rates = settings.rates
    unit = training_time(1.0, settings.steps, settings.momentum)
    # As many equal rates, so that one program serves all.
    fixed = (at / unit,) * len(rates)
    width = values["m"]
    if settings.steps < LONG:  # compiling costs more than computing: one width for all
        width = max((*getattr(settings, "ms", ()), width))
    own, fresh = law == "gaussian", settings.measure_on == "fresh"
    return LearningRun(
        law=law, n=values["n"], d=values["d"], m=values["m"], width=width, slope=values["slope"],
        loss=cell["loss"], epsilon=values["epsilon"] * values["d"] ** 0.5,
        rates_f=fixed if axis == "T_f" else rates, rates_g=fixed if axis == "T_g" else rates,
        steps=settings.steps, momentum=settings.momentum,
        queries=min(settings.queries, values["n"]) if own and fresh else settings.queries,
        schedule=settings.schedule, measure_on=settings.measure_on, cosine=settings.cosine,
        best=settings.best,
    )  # fmt: skip


def draws_of(settings: Base, cell: Cell) -> int:
    """Draws of a cell."""
    return settings.gaussian_draws if cell["law"] == "gaussian" else settings.draws


def own_key(key: jax.Array, cell: Cell) -> jax.Array:
    """The key of a cell: draws are independent from cell to cell."""
    return jax.random.fold_in(key, zlib.crc32(json.dumps(dict(cell)).encode()))


def places(settings: Base, cell: Cell, axes: Sequence[str]) -> list[Row]:
    """Where the cell is drawn: law, loss, axis and value; the base setting on several axes."""
    where = {"law": cell["law"], "loss": cell["loss"]}
    if cell["axis"] != "base":
        return [where | {"axis": cell["axis"], "value": cell["at"]}]
    return [
        where | {"axis": axis, "value": base_value(settings, cell["law"], axis)}
        for axis in axes
        if axis not in TIMES
    ]
