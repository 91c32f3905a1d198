"""lazy-to-rich: what the scale of a network decides, in three theories."""

import functools
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from jaxtyping import Array

from experiments.figures.figure import Arrays, Cell, Figure, Results, Row
from experiments.machine import environment
from experiments.results.summaries import mean_and_error
from theory import Parameters, fields, parameter
from theory.certificates import hypentropy
from theory.networks.diagonal import descend_diagonal
from theory.statements.meanfield.crossover import CrossoverSetting, distances, start
from theory.statements.meanfield.width import WidthSetting
from theory.statements.registry import REGISTRY
from theory.statements.rich.flow import FlowSetting, unit_points
from theory.verification.evaluation import evaluate

TIMES, STEPS = (1, 4), 16  # of the crossover: shown, and Runge–Kutta steps until the last
LAW = np.geomspace(3e-4, 10, 28)  # α at which the least potential is computed
CURVATURE = 4 / (3 * math.sqrt(3))  # max|tanh''|, the constant of meanfield.lazy-crossover


class Settings(Parameters):
    """Scales, numbers of neurons and dimensions, and numbers of draws."""

    scales: tuple[float, ...] = fields.axis(
        (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0), "α of tanh networks"
    )
    networks: int = parameter(100, "draws of tanh networks", low=2)
    weights: tuple[float, ...] = fields.axis(
        (0.01, 0.03, 0.1, 0.3, 1.0, 3.0), "α of diagonal networks"
    )
    rate: float = parameter(0.02, "η/α² of diagonal networks where α > 1", low=0, open_low=True)
    steps: int = fields.steps(8000, "steps of diagonal networks")
    problems: int = parameter(12, "draws of diagonal networks", low=2)
    dimensions: tuple[int, ...] = fields.axis((8, 32), "dimensions of the mean field", low=4)
    widths: int = fields.number_of_widths(6, "twice")
    flows: int = parameter(200, "draws of mean-field networks", low=2)


def cells(settings: Settings) -> list[Row]:
    """One of each of the first two, and every dimension."""
    return [
        {"of": "scale"},
        {"of": "path"},
        *({"of": "width", "d": d} for d in settings.dimensions),
    ]


def compute(settings: Settings, cell: Cell, key: Array) -> Arrays:
    """values: (draws, scales, curves) measured; predicted: (draws, LAW, curves) of the path."""
    if cell["of"] == "scale":
        return {"values": np.asarray(_crossover(settings, key))}
    if cell["of"] == "path":
        return _path(settings, key)
    statement = REGISTRY["meanfield.width"]
    config = WidthSetting(d=cell["d"], widths=settings.widths)
    key = jax.random.fold_in(key, cell["d"])
    memory = environment.known_memory()
    found = evaluate(statement, key, settings.flows, config, memory=memory).quantity
    return {"values": np.moveaxis(np.asarray(found, float), 1, 2)}


@functools.partial(jax.jit, static_argnums=0)
def _crossover(settings: Settings, key: Array) -> Array:
    config, alphas = CrossoverSetting(), jnp.asarray(settings.scales, float)
    places = np.array(TIMES) * (STEPS // TIMES[-1])

    def one(key: Array) -> Array:
        drawn = start(key, config)
        return jax.vmap(lambda a: distances(drawn, a, float(TIMES[-1]), STEPS)[0][places])(alphas)

    return jax.vmap(one)(jax.random.split(key, settings.networks))


def _path(settings: Settings, key: Array) -> dict[str, np.ndarray]:
    """‖β‖₂ and ‖β‖₁ over the least of all interpolations, of potentials and of descent."""
    config = FlowSetting()
    x, y = jax.vmap(lambda k: unit_points(k, config))(jax.random.split(key, settings.problems))
    alphas = jnp.asarray(settings.weights, x.dtype)
    rates = settings.rate / jnp.maximum(alphas, 1) ** 2
    trained = jax.jit(
        jax.vmap(
            lambda x, y: jax.vmap(lambda a, r: descend_diagonal(x, y, a, r, settings.steps).beta)(
                alphas, rates
            )
        )
    )(x, y)
    values, predicted = [], []
    for points, labels, betas in zip(*(np.asarray(a, float) for a in (x, y, trained)), strict=True):
        shortest = np.linalg.lstsq(points, labels, rcond=None)[0]
        least = np.array(
            [np.linalg.norm(shortest), np.abs(hypentropy.least_l1(points, labels)[0]).sum()]
        )
        limits = np.stack([_limit(points, labels, math.log(alpha)) for alpha in LAW])
        values.append(_norms(betas) / least)
        predicted.append(_norms(limits) / least)
    return {"values": np.stack(values), "predicted": np.stack(predicted)}


def _limit(x: np.ndarray, y: np.ndarray, log_alpha: float) -> np.ndarray:
    """(d,) 2α² sinh(Xᵀν) in float64, which α of this figure do not underflow."""
    return 2 * math.exp(2 * log_alpha) * np.sinh(hypentropy.dual_solution(x, y, log_alpha) @ x)


def _norms(betas: np.ndarray) -> np.ndarray:
    return np.stack([np.linalg.norm(betas, axis=1), np.abs(betas).sum(axis=1)], axis=1)


CURVES: dict[str, tuple[str, ...]] = {
    "scale": tuple(f"t = {t}" for t in TIMES),
    "path": ("ℓ₂", "ℓ₁"),
    "width": ("all times", "second half"),
}


def places(settings: Settings, of: str) -> np.ndarray:
    """(S,) α, α or N of the measured points."""
    if of == "width":
        return WidthSetting(widths=settings.widths).scales
    return np.array(settings.scales if of == "scale" else settings.weights)


def table(settings: Settings, results: Results) -> pd.DataFrame:
    """Means over draws with standard errors, and of what is predicted; of the scale a bound."""
    rows: list[Row] = []
    for cell, arrays in results:
        of, at = cell["of"], places(settings, cell["of"])
        for curve, name in enumerate(CURVES[of]):
            own = {"panel": of, "d": cell.get("d", 0), "curve": name}
            for i, x in enumerate(at):
                mean, error = mean_and_error(arrays["values"][:, i, curve])
                law = CURVATURE * TIMES[curve] ** 2 / x if of == "scale" else math.nan
                rows.append(
                    {**own, "x": x, "mean": mean, "standard_error": error, "predicted": law}
                )
            if of == "path":
                law = arrays["predicted"][:, :, curve].mean(axis=0)
                rows += [{**own, "x": x, "predicted": p} for x, p in zip(LAW, law, strict=True)]
    return pd.DataFrame(rows)


def cost(settings: Settings, cell: Cell) -> float:
    """Numbers that all steps together compute."""
    if cell["of"] == "scale":
        return float(settings.networks * len(settings.scales) * STEPS * 4 * 32 * 8 * 8)
    if cell["of"] == "path":
        return float(settings.problems * len(settings.weights) * settings.steps * 48)
    return float(settings.flows * settings.widths * places(settings, "width")[-1] ** 2 * 16 * 20)


def floats(settings: Settings, cell: Cell) -> int:
    """Numbers held at once, at least: what is trained at a time."""
    if cell["of"] == "scale":
        return settings.networks * len(settings.scales) * 32 * 8
    if cell["of"] == "path":
        return settings.problems * len(settings.weights) * 12 * 4
    return int(places(settings, "width")[-1]) ** 2 * min(50, settings.flows)


FIGURE: Any = Figure(
    name="lazy-to-rich",
    source="Chizat et al. 2019; Woodworth et al. 2020, Theorem 1; Mei et al. 2019, Theorems 1, 8",
    shows="distance from the linearization against the scale, norms of the interpolation that "
    "diagonal networks find against their initial weights, and risks against the mean field",
    quick=Settings(),
    paper=Settings(
        networks=2000, problems=200, steps=40_000, widths=9, flows=4000, dimensions=(8, 32, 128)
    ),
    cells=cells,
    compute=compute,
    table=table,
    cost=cost,
    floats=floats,
    minutes={"quick": 0.5, "paper": None},
)
