"""Decision maps of f and g on the plane of the class means, with their predicted boundaries."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from jaxtyping import Array

from experiments.figures.figure import Arrays, Cell, Figure, Results, Row
from experiments.figures.lazy import pairs
from experiments.results.summaries import mean_and_error
from theory import fields
from theory._types import Real
from theory.data.sampling import data_parameter, draw
from theory.infinite_width import lazy, maps
from theory.networks.descent import descent_for_time
from theory.networks.network import frozen_readout
from theory.parameters import Parameters, parameter

SHOWN = 2  # draws of the initialization, to tell chance from theory
LAZY = 0.5  # T/√m up to which the predicted agreement is claimed


class Settings(Parameters):
    """Pairs of networks of K24b under the identity loss, T_f = T_g, on one draw of the data."""

    data: Any = data_parameter("shifted-gaussian")
    n: int = fields.points(1000, low=2)
    d: int = fields.dimension(100, low=2)
    slope: float = fields.slope(0.0)
    epsilon: float = fields.perturbation_size(0.01)
    widths: tuple[int, ...] = fields.axis((100,), "widths m; a column for each with each time")
    times: tuple[float, ...] = fields.axis(
        (10.0, 100.0, 991.0, 9910.0), "training times T", unit="learning rate × steps"
    )  # 991 and 9910 are 1000 steps at learning rates 0.1 and 1
    steps: int = fields.steps(1000, "gradient steps of each network")
    momentum: float = fields.momentum(0.9)
    draws: int = parameter(20, "pairs of networks, two of which are shown", low=2)
    grid: int = parameter(400, "points along each side of a map", low=2)
    extent: float = parameter(
        1.0, "half a side of a map", unit="root mean square norm of the points", low=0,
        open_low=True,
    )  # fmt: skip


def columns(settings: Settings) -> list[tuple[float, int]]:
    """(T, m) of each column."""
    times = settings.times
    return [(time, m) for m in settings.widths for time in times]


def cells(settings: Settings) -> list[Row]:
    """One for each panel: all draws of a scenario, a time and a width."""
    return [
        {"scenario": scenario, "T": time, "m": m}
        for scenario in ("a", "b")
        for time, m in columns(settings)
    ]


def compute(settings: Settings, cell: Cell, key: jax.Array) -> Arrays:
    """Maps of the draws that are shown, and the agreement of all."""
    key_data, key_networks = jax.random.split(key)
    x, y, _, _ = draw(key_data, settings.data, settings.n, settings.d, queries=0)
    view = pairs.view(x, y, settings.grid, settings.extent)
    descent = descent_for_time(cell["T"], settings.steps, settings.momentum)
    kept = jnp.asarray(float(cell["scenario"] == "b"), x.dtype)
    keys = jax.random.split(key_networks, settings.draws)  # the same f in both scenarios
    found = _maps(keys, x, y, view, descent, settings.epsilon, kept, cell["m"], settings.slope)
    means = pairs.class_means(x, y, view.plane)
    found = {name: np.asarray(value) for name, value in found.items()}
    return found | {"axis": np.asarray(view.axis), "means": means}


@functools.partial(jax.jit, static_argnames=("m", "slope"))
def _maps(
    keys: Array, x: Array, y: Array, view: pairs.View, descent: Any, epsilon: Real, kept: Array,
    m: int, slope: float,
) -> dict[str, Array]:  # fmt: skip
    network = frozen_readout(slope)
    axes = (view.plane, view.axis, view.axis)
    k_f = maps.signal_map(*axes, x, y, slope)
    q = lazy.mean_gradients(x, y, slope)
    alpha, beta = view.axis[:, None], view.axis[None, :]
    # u and v are orthonormal.
    spread = jnp.sqrt(((alpha**2 + beta**2) / x.shape[1] + 1) * (1 + slope**2) / 2)

    def positive(signal: Array) -> Array:
        """P(f(z; 0) + T k(z) ≥ 0) over initializations."""
        return jax.scipy.stats.norm.cdf(descent.time * signal / spread)

    def one(key: Array) -> dict[str, Array]:
        descents = (descent, descent)
        pair = pairs.train_pair(key, network, m, x, y, descents, epsilon, kept)
        f, g = (maps.output_map(*axes, params, slope) for params in (pair.f, pair.g))
        k_g = maps.signal_map(*axes, pair.seen, pair.target, slope)
        p_f, p_g = positive(k_f), positive(k_g)
        return {
            "f": f >= 0,
            "g": g >= 0,
            "k_g": k_g,
            "g_hat": maps.g_hat_map(*axes, pair.seen, q, slope),
            "agreement": jnp.mean((f >= 0) == (g >= 0), dtype=x.dtype),
            "predicted": jnp.mean(p_f * p_g + (1 - p_f) * (1 - p_g)),
        }

    found = jax.lax.map(one, keys)
    shown = {name: found.pop(name)[:SHOWN] for name in ("f", "g", "k_g", "g_hat")}
    return found | shown | {"k_f": k_f, "f_hat": maps.f_hat_map(*axes, x, y, slope)}


def table(settings: Settings, results: Results) -> pd.DataFrame:
    """Rows of kind agreement (one a panel), region (f, g), curve (k_f, k_g, f̂, ĝ) and mean."""
    rows = []
    for cell, arrays in results:
        mean, error = mean_and_error(arrays["agreement"])
        predicted, predicted_error = mean_and_error(arrays["predicted"])
        rows.append(
            dict(cell)
            | {
                "kind": "agreement",
                "mean": float(mean),
                "standard_error": float(error),
                "predicted": float(predicted),
                "predicted_error": float(predicted_error),
                "draws": settings.draws,
                "held": cell["T"] <= LAZY * cell["m"] ** 0.5,
            }
        )
        for name, place in zip("+-", arrays["means"], strict=True):
            where = {"alpha": float(place[0]), "beta": float(place[1])}
            rows.append(dict(cell) | {"kind": "mean", "quantity": name} | where)
        axis = arrays["axis"]
        for draw_number in range(SHOWN):
            fixed = dict(cell) | {"draw": draw_number}
            for name in ("f", "g"):
                signs = np.where(arrays[name][draw_number], 1, -1)
                for row in pairs.region_rows(axis, signs):
                    rows.append(fixed | {"kind": "region", "quantity": name} | row)
            fields = {"k_f": arrays["k_f"], "f_hat": arrays["f_hat"]}
            fields |= {name: arrays[name][draw_number] for name in ("k_g", "g_hat")}
            for name, values in fields.items():
                for row in pairs.curve_rows(axis, values):
                    rows.append(fixed | {"kind": "curve", "quantity": name} | row)
    return pd.DataFrame(rows)


def cost(settings: Settings, cell: Cell) -> float:
    """Training and maps of all draws."""
    trained = cell["m"] * settings.n * settings.d
    return settings.draws * (trained + settings.grid**2 * (2 * settings.n + cell["m"]))


def floats(settings: Settings, cell: Cell) -> int:
    """Numbers held at once, at least: points, weights, and two maps of numbers of each draw."""
    return (settings.n + cell["m"]) * settings.d + 2 * settings.draws * settings.grid**2


FIGURE = Figure(
    name="lazy-map",
    source="Kumano et al. 2024b, decision maps on the plane of the class means",
    shows="where f and g, trained on f's perturbations, have the same sign; f̂ = 0 and ĝ = 0",
    quick=Settings(
        n=200,
        d=20,
        epsilon=0.45,
        times=(2.0, 20.0),
        widths=(100, 3000),
        draws=12,
        grid=101,
        steps=100,
    ),
    paper=Settings(),
    cells=cells,
    compute=compute,
    table=table,
    cost=cost,
    floats=floats,
    minutes={"quick": 0.3, "paper": None},
)
