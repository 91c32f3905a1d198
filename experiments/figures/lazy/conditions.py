"""The conditions under which g must predict like f, on a plane: margins, agreement, and both.

In a setting in which the explicit conditions hold, and in the published one.
"""

import functools
from typing import Any, NamedTuple

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
from theory.infinite_width import bounds, lazy, maps
from theory.infinite_width.lazy import published_thresholds
from theory.networks.descent import descent_for_time
from theory.networks.network import frozen_readout
from theory.parameters import Parameters, parameter

CONDITIONS = ("margin f", "margin g", "agreement", "all")


class Settings(Parameters):
    """Two settings under the identity loss, T_f = T_g: a wide one, and that of K24b."""

    data: Any = data_parameter("shifted-gaussian", "law of the points of the published setting")
    n: int = fields.points(1000, "training points, published", low=2)
    d: int = fields.dimension(100, "dimension, published", low=2)
    m: int = fields.width(100, "width, published")
    slope: float = fields.slope(0.0, "slope γ, published")
    T: float = parameter(991.0, "training time, published", low=0, open_low=True)
    epsilon: float = fields.perturbation_size(0.01, "size ε, published")
    wide_n: int = fields.points(40, "training points, wide", low=2)
    wide_d: int = fields.dimension(2, "dimension, wide", low=2)
    wide_m: int = fields.width(20000, "width, wide")
    wide_slope: float = fields.slope(0.8, "slope γ, wide")
    wide_T: float = parameter(3.0, "training time, wide", low=0, open_low=True)
    wide_epsilon: float = fields.perturbation_size(4.0, "size ε, wide")
    separation: float = parameter(3.0, "separation of the separated-gaussian, wide")
    scenario: str = fields.scenario("a")
    steps: int = fields.steps(1000, "gradient steps of each network")
    momentum: float = fields.momentum(0.9)
    delta: float = fields.failure_probability(
        0.05, "failure probability δ of a point, f and g together"
    )
    draws: int = parameter(20, "pairs of networks, the first of which is shown", low=2)
    grid: int = parameter(400, "points along each side of a map", low=2)
    extent: float = parameter(
        1.5, "half a side of a map", unit="root mean square norm of the points", low=0,
        open_low=True,
    )  # fmt: skip


class One(NamedTuple):
    """One of the two settings."""

    data: Any
    n: int
    d: int
    m: int
    slope: float
    T: float
    epsilon: float


def setting(settings: Settings, name: str) -> One:
    """The setting "wide" or "published"."""
    s = settings
    if name == "published":
        return One(s.data, s.n, s.d, s.m, s.slope, s.T, s.epsilon)
    law = "separated-gaussian"
    return One(law, s.wide_n, s.wide_d, s.wide_m, s.wide_slope, s.wide_T, s.wide_epsilon)


def cells(settings: Settings) -> list[Row]:
    """One for each setting."""
    return [{"setting": "wide"}, {"setting": "published"}]


def compute(settings: Settings, cell: Cell, key: jax.Array) -> Arrays:
    """Maps of the first draw, and shares of the map of all."""
    one = setting(settings, cell["setting"])
    key_data, key_networks = jax.random.split(key)
    x, y, _, _ = draw(key_data, one.data, one.n, one.d, queries=0, separation=settings.separation)
    view = pairs.view(x, y, settings.grid, settings.extent)
    descent = descent_for_time(one.T, settings.steps, settings.momentum)
    kept = jnp.asarray(float(settings.scenario == "b"), x.dtype)
    s = bounds.output_exponent(settings.delta / 2)
    thresholds = published_thresholds(one.n, one.d, one.T, one.T, one.epsilon, settings.scenario)
    of_f = _clean(x, y, view, one.T, thresholds[0], one.m, one.slope, s)
    draws = []
    for key_draw in jax.random.split(key_networks, settings.draws):
        of_g = _pair(
            key_draw, x, y, view, descent, one.epsilon, kept, thresholds[1], one.m, one.slope, s
        )
        draws.append({name: np.asarray(value) for name, value in (of_f | of_g).items()})
    shares = [_shares(found) for found in draws]
    stacked = {name: np.array([share[name] for share in shares]) for name in shares[0]}
    means = pairs.class_means(x, y, view.plane)
    return draws[0] | stacked | {"axis": np.asarray(view.axis), "means": means}


def _ratio(
    x: Array, y: Array, view: pairs.View, time: Real, m: int, slope: float, s: float
) -> tuple[Array, Array]:
    """T k(z) and T|k(z)|/B(z) on the plane, line by line."""
    signal = time * maps.signal_map(view.plane, view.axis, view.axis, x, y, slope)

    def line(alpha: Array) -> Array:
        z = view.plane.points(alpha[None], view.axis)[0]
        return bounds.output_bound(x, y, z, m, slope, time, s).total

    return signal, jnp.abs(signal) / jax.lax.map(line, view.axis)


@functools.partial(jax.jit, static_argnames=("m", "slope", "s"))
def _clean(
    x: Array, y: Array, view: pairs.View, time: Real, threshold: Real, m: int, slope: float,
    s: float,
) -> dict[str, Array]:  # fmt: skip
    signal, ratio = _ratio(x, y, view, time, m, slope, s)
    f_hat = maps.f_hat_map(view.plane, view.axis, view.axis, x, y, slope)
    return {"k_f": signal, "margin_f": ratio, "published_f": jnp.abs(f_hat) / threshold}


@functools.partial(jax.jit, static_argnames=("m", "slope", "s"))
def _pair(
    key: Array, x: Array, y: Array, view: pairs.View, descent: Any, epsilon: Real, kept: Array,
    threshold: Real, m: int, slope: float, s: float,
) -> dict[str, Array]:  # fmt: skip
    axes = (view.plane, view.axis, view.axis)
    network, descents = frozen_readout(slope), (descent, descent)
    pair = pairs.train_pair(key, network, m, x, y, descents, epsilon, kept)
    signal, ratio = _ratio(pair.seen, pair.target, view, descent.time, m, slope, s)
    g_hat = maps.g_hat_map(*axes, pair.seen, lazy.mean_gradients(x, y, slope), slope)
    f, g = (maps.output_map(*axes, params, slope) for params in (pair.f, pair.g))
    published = jnp.abs(g_hat) / threshold
    return {"k_g": signal, "margin_g": ratio, "published_g": published, "f": f, "g": g}


def _shares(found: Arrays) -> dict[str, float]:
    """Shares of the map on which conditions and conclusion hold, and the largest margins."""
    holds = conditions(found)
    same = (found["f"] >= 0) == (found["g"] >= 0)
    shares = {f"share {name}": float(np.mean(where)) for name, where in holds.items()}
    return shares | {
        "share signs": float(np.mean(same)),
        "share failed": float(np.mean(holds["all"] & ~same)),
        "largest f": float(np.max(found["margin_f"])),
        "largest g": float(np.max(found["margin_g"])),
    }


def conditions(found: Arrays) -> dict[str, np.ndarray]:
    """Where each condition holds, and where all do."""
    f, g = found["margin_f"] > 1, found["margin_g"] > 1
    agree = found["k_f"] * found["k_g"] > 0
    return dict(zip(CONDITIONS, (f, g, agree, f & g & agree), strict=True))


def table(settings: Settings, results: Results) -> pd.DataFrame:
    """Rows of kind share (means over draws), region, curve (first draw) and mean."""
    rows = []
    for cell, arrays in results:
        axis, fixed = arrays["axis"], dict(cell)
        for name in (*(f"share {c}" for c in CONDITIONS), "share signs", "share failed"):
            mean, error = mean_and_error(arrays[name])
            numbers = {"mean": float(mean), "standard_error": float(error)}
            quantity = {"kind": "share", "quantity": name.removeprefix("share ")}
            rows.append(fixed | quantity | numbers | {"draws": settings.draws})
        for name in ("largest f", "largest g"):
            most = {"mean": float(arrays[name].max()), "draws": settings.draws}
            rows.append(fixed | {"kind": "largest", "quantity": name} | most)
        same = (arrays["f"] >= 0) == (arrays["g"] >= 0)
        for name, where in (conditions(arrays) | {"signs": same}).items():
            for row in pairs.region_rows(axis, np.where(where, 1, -1)):
                rows.append(fixed | {"kind": "region", "quantity": name} | row)
        fields = {name: arrays[name] for name in ("k_f", "k_g")}
        fields |= {name: arrays[name] - 1 for name in ("published_f", "published_g")}
        for name, values in fields.items():
            for row in pairs.curve_rows(axis, values):
                rows.append(fixed | {"kind": "curve", "quantity": name} | row)
        for name, place in zip("+-", arrays["means"], strict=True):
            where = {"alpha": float(place[0]), "beta": float(place[1])}
            rows.append(fixed | {"kind": "mean", "quantity": name} | where)
    return pd.DataFrame(rows)


def cost(settings: Settings, cell: Cell) -> float:
    """Maps of all draws."""
    one = setting(settings, cell["setting"])
    return settings.draws * settings.grid**2 * (one.n * one.d + one.m)


def floats(settings: Settings, cell: Cell) -> int:
    """Numbers held at once, at least: points, weights, and the maps of all draws."""
    one = setting(settings, cell["setting"])
    return (one.n + one.m) * one.d + 5 * settings.draws * settings.grid**2


FIGURE = Figure(
    name="lazy-conditions",
    source="Kumano et al. 2024b, poster: conditions on a plane; explicit bounds ours",
    shows="where the margins of f and g and their agreement hold, and where sgn f = sgn g",
    quick=Settings(draws=4, grid=71),  # the networks are as published
    paper=Settings(),
    cells=cells,
    compute=compute,
    table=table,
    cost=cost,
    floats=floats,
    minutes={"quick": 0.4, "paper": None},
)
