"""Accuracy of networks trained on data and on perturbations, against each parameter of K24b."""

import json
import zlib
from typing import Any

import jax
import numpy as np
import pandas as pd

from experiments.figures.figure import Cell, Figure, Results, mean_and_error, numbers
from experiments.figures.lazy_learning import LAWS, LAZY, LONG, SCENARIOS, Run, cost, learn
from theory._validation import check_choice
from theory.descent import training_time
from theory.parameters import Parameters, parameter

LOSSES = ("identity", "logistic")
AXES = ("d", "epsilon", "m", "slope", "n", "T_f", "T_g")
QUANTITIES = ("standard", "perturbation", "agreement")


class Settings(Parameters):
    """The base setting, and the values that its parameters take one after another."""

    d: int = parameter(100, "dimension", low=1)
    n: int = parameter(1000, "training points", low=1)
    gaussian_d: int = parameter(10_000, "dimension of the unshifted Gaussian", low=1)
    gaussian_n: int = parameter(10_000, "training points of the unshifted Gaussian", low=1)
    m: int = parameter(100, "width of both networks", low=1)
    slope: float = parameter(0.0, "slope γ", low=0, high=1, open_high=True)
    epsilon: float = parameter(0.001, "size ε of a perturbation over √d", low=0, open_low=True)
    rates: str = parameter("0.1,1", "learning rates, of which each network keeps the better")
    steps: int = parameter(1000, "gradient steps of each network", low=1)
    momentum: float = parameter(0.9, "momentum μ", low=0, high=1, open_high=True)
    queries: int = parameter(1000, "test points", low=1)
    draws: int = parameter(32, "independent draws of everything", low=2)
    laws: str = parameter("shifted-gaussian,gaussian", "laws of the points")
    losses: str = parameter("identity,logistic", "training losses")
    ds: str = parameter("10,30,100,300,1000", "axis d")
    gaussian_ds: str = parameter("1000,3000,10000,30000", "axis d of the unshifted Gaussian")
    epsilons: str = parameter("0.0001,0.0003,0.001,0.003,0.01,0.1", "axis ε/√d")
    ms: str = parameter("10,30,100,300,1000", "axis m")
    slopes: str = parameter("0,0.1,0.3,0.5,0.8", "axis γ")
    ns: str = parameter("100,300,1000,3000,10000", "axis n")
    gaussian_ns: str = parameter("1000,3000,10000,20000", "axis n of the unshifted Gaussian")
    T_fs: str = parameter("0.1,0.3,1,3,10,30,100,300,1000", "axis T_f", unit="rate × steps")
    T_gs: str = parameter("0.1,0.3,1,3,10,30,100,300,1000", "axis T_g", unit="rate × steps")


def words(name: str, text: str, known: tuple[str, ...]) -> list[str]:
    """The words of a list with commas, each one of those known."""
    return [check_choice(name, word, known) for word in text.split(",")]


def base_value(settings: Settings, law: str, axis: str) -> Any:
    """The parameter's value in the base setting."""
    own = law == "gaussian" and axis in ("d", "n")
    return getattr(settings, f"gaussian_{axis}" if own else axis)


def axis_values(settings: Settings, law: str, axis: str) -> tuple[Any, ...]:
    """The values of an axis, the base setting's among them."""
    own = law == "gaussian" and axis in ("d", "n")
    name = f"gaussian_{axis}s" if own else f"{axis}s"
    kind = int if axis in ("d", "m", "n") else float
    values = numbers(name, getattr(settings, name), kind)
    if axis in ("T_f", "T_g"):
        return values
    return tuple(sorted({*values, base_value(settings, law, axis)}))


def cells(settings: Settings) -> list[dict[str, Any]]:
    """For each law and loss the base setting, and one cell for each other value of each axis."""
    found = []
    for law in words("laws", settings.laws, LAWS):
        for loss in words("losses", settings.losses, LOSSES):
            found.append({"law": law, "loss": loss, "axis": "base", "at": 0.0})
            for axis in AXES:
                values = axis_values(settings, law, axis)
                for value in values:
                    if axis in ("T_f", "T_g") or value != base_value(settings, law, axis):
                        found.append({"law": law, "loss": loss, "axis": axis, "at": value})
    for cell in found:
        setting(settings, cell)  # fails for values out of range
    return found


def setting(settings: Settings, cell: Cell) -> Run:
    """What a cell computes."""
    law, axis, at = cell["law"], cell["axis"], cell["at"]
    values = {name: base_value(settings, law, name) for name in AXES[:5]}
    if axis in values:
        values[axis] = at
    Settings(m=values["m"], d=values["d"], n=values["n"], slope=values["slope"])
    rates = numbers("rates", settings.rates, float)
    unit = training_time(1.0, settings.steps, settings.momentum)
    # As many equal rates, so that one program serves all.
    fixed = (at / unit,) * len(rates)
    width = values["m"]
    if settings.steps < LONG:  # compiling costs more than computing: one width for all
        width = max(axis_values(settings, law, "m"))
    own = law == "gaussian"
    return Run(
        law=law, n=values["n"], d=values["d"], m=values["m"], width=width, slope=values["slope"],
        loss=cell["loss"], epsilon=values["epsilon"] * values["d"] ** 0.5,
        rates_f=fixed if axis == "T_f" else rates, rates_g=fixed if axis == "T_g" else rates,
        steps=settings.steps, momentum=settings.momentum,
        queries=min(settings.queries, values["n"]) if own else settings.queries,
    )  # fmt: skip


def compute(settings: Settings, cell: Cell, key: jax.Array) -> dict[str, np.ndarray]:
    """`learn` on draws of its own."""
    key = jax.random.fold_in(key, zlib.crc32(json.dumps(dict(cell)).encode()))
    return learn(key, setting(settings, cell), settings.draws)


def relative_cost(settings: Settings, cell: Cell) -> float:
    """Operations of a cell."""
    return settings.draws * cost(setting(settings, cell))


def table(settings: Settings, results: Results) -> pd.DataFrame:
    """One row for each measured point; the base setting is a point of five axes.

    Of mean and predicted, each a mean over draws, the difference is taken draw by draw, and
    difference_error is its standard error; switching is the mean bound on the share of neurons that
    change their activation, of f alone for "standard", the larger of both networks' otherwise;
    optimism bounds what choosing the better rate adds to a mean.
    """
    rows = []
    for cell, arrays in results:
        places = [(cell["axis"], cell["at"])]
        if cell["axis"] == "base":
            places = [(axis, base_value(settings, cell["law"], axis)) for axis in AXES[:5]]
        for quantity in QUANTITIES:
            for number, scenario in enumerate(SCENARIOS):
                if quantity == "standard" and number > 0:
                    continue
                pick = (lambda a: a) if quantity == "standard" else (lambda a, k=number: a[k])
                measured, predicted = pick(arrays[quantity]), pick(arrays[f"predicted_{quantity}"])
                switching = arrays["switching_f"].mean()
                if quantity != "standard":
                    switching = max(switching, pick(arrays["switching_g"]).mean())
                mean, error = mean_and_error(measured)
                difference, difference_error = mean_and_error(measured - predicted)
                optimism = 0.0
                if quantity != "agreement":
                    by_rate = pick(arrays[f"{quantity}_by_rate"])
                    optimism = max(np.std(by_rate[0] - rate, ddof=1) / 2 for rate in by_rate)
                for axis, value in places:
                    rows.append(
                        {
                            "law": cell["law"], "loss": cell["loss"], "axis": axis, "value": value,
                            "quantity": quantity,
                            "scenario": "" if quantity == "standard" else scenario,
                            "mean": mean, "standard_error": error, "predicted": predicted.mean(),
                            "difference": difference, "difference_error": difference_error,
                            "draws": len(measured), "switching": switching,
                            "held": bool(switching <= LAZY), "optimism": optimism,
                        }
                    )  # fmt: skip
    return pd.DataFrame(rows)


FIGURE = Figure(
    name="lazy-accuracy",
    source="Kumano et al. 2024b, accuracy of learning from perturbations",
    shows="accuracy of f, of g trained on f's perturbations, and their agreement, against d, ε, m, "
    "γ, n, T_f, T_g",
    quick=Settings(
        d=32, n=32, gaussian_d=32, gaussian_n=32, m=2048, epsilon=0.5, rates="0.005,0.05",
        steps=10, queries=64, draws=16, ds="16,64", gaussian_ds="16,64", epsilons="0.02,0.1,2",
        ms="32,256", slopes="0.3,0.8", ns="16,64", gaussian_ns="16,64", T_fs="0.1,1,4,16",
        T_gs="0.5,2,8,32",
    ),
    paper=Settings(),
    cells=cells,
    compute=compute,
    table=table,
    cost=relative_cost,
    minutes={"quick": 1.2, "paper": None},
    modules=("experiments.figures.lazy_learning",),
)  # fmt: skip
