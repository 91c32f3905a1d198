"""random-features-margin: the margin that ascent reaches with time, between its bound and γ₂."""

import functools
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from jaxtyping import Array

from experiments.figures.figure import Arrays, Cell, Figure, Results, Row
from experiments.results.summaries import mean_and_error
from theory import Parameters, fields, parameter
from theory.certificates.feature_margin import largest_entry, margin_bounds, nearest_weights
from theory.networks.readout import Ascent, normalized_ascent
from theory.statements.margin import random_features
from theory.statements.margin.random_features import FeatureSetting
from theory.verification.stages import Staged

ROUNDING = 1e-4  # of margins in float32


class Settings(Parameters):
    """Numbers of features and of steps."""

    widths: tuple[int, ...] = fields.axis((10, 50, 250), "features m")
    times: tuple[int, ...] = fields.axis((10, 30, 100, 300, 1000, 3000, 10_000), "steps t")
    n: int = fields.points(4)
    d: int = fields.dimension(5)
    draws: int = parameter(50, "draws of points and features", low=2)


def cells(settings: Settings) -> list[Row]:
    """Every number of features."""
    return [{"m": m} for m in settings.widths]


@functools.partial(jax.jit, static_argnums=(0, 1))
def _ascents(
    config: FeatureSetting, times: tuple[int, ...], keys: Array
) -> tuple[Array, list[Ascent]]:
    def one(key: Array) -> tuple[Array, list[Ascent]]:
        z = random_features.sample_features(key, Staged({}), config).z
        return z, [normalized_ascent(z, steps) for steps in times]

    return jax.vmap(one)(keys)


def compute(settings: Settings, cell: Cell, key: Array) -> Arrays:
    """low, high: (draws,) ends of γ₂.  best, printed, sharp: (draws, times) margins reached and
    guaranteed, NaN where γ₂ > 0 is not certain."""
    config = FeatureSetting(n=settings.n, d=settings.d, m=cell["m"])
    keys = jax.random.split(jax.random.fold_in(key, cell["m"]), settings.draws)
    z, paths = _ascents(config, settings.times, keys)
    weights = np.stack([nearest_weights(one) for one in np.asarray(z)]).astype(z.dtype)
    low, high = jax.vmap(margin_bounds)(z / math.sqrt(cell["m"]), weights)
    gamma, size = jnp.where(low > 0, low, jnp.nan), jax.vmap(largest_entry)(z)
    found = {"low": np.asarray(low), "high": np.asarray(high)}
    found["best"] = np.stack([path.best for path in paths], axis=1)
    for name, rule in (("printed", random_features.printed), ("sharp", random_features.sharp)):
        guaranteed = [
            rule(gamma, size, t, math.log(settings.n), path)
            for t, path in zip(settings.times, paths, strict=True)
        ]
        found[name] = np.stack(guaranteed, axis=1)
    return {name: value.astype(float) for name, value in found.items()}


def table(settings: Settings, results: Results) -> pd.DataFrame:
    """Means over the draws whose features are separable for certain."""
    rows = []
    for cell, arrays in results:
        sure = arrays["low"] > 0
        ends = {name: float(arrays[name][sure].mean()) for name in ("low", "high")}
        for i, t in enumerate(settings.times):
            best, printed = arrays["best"][sure, i], arrays["printed"][sure, i]
            mean, error = mean_and_error(best)
            rows.append(
                {**cell, "steps": t, "draws": int(sure.sum()), "mean": mean,
                 "standard_error": error, "below": int((best < printed - ROUNDING).sum()),
                 "printed": float(printed.mean()),
                 "sharp": float(arrays["sharp"][sure, i].mean()), **ends}
            )  # fmt: skip
    return pd.DataFrame(rows)


def cost(settings: Settings, cell: Cell) -> float:
    """Multiplications of all steps."""
    return float(2 * settings.draws * settings.n * cell["m"] * sum(settings.times))


def floats(settings: Settings, cell: Cell) -> int:
    """Numbers held at once, at least: the features and readouts of all draws."""
    return settings.draws * cell["m"] * (settings.n + settings.d + 1)


FIGURE: Any = Figure(
    name="random-features-margin",
    source="Chizat and Bach 2020, Proposition 7",
    shows="the margin that ascent on the readout of random features reaches against the steps, its "
    "bounds and the largest margin",
    quick=Settings(),
    paper=Settings(widths=(10, 50, 250, 1000), times=(10, 100, 1000, 10_000, 100_000), draws=500),
    cells=cells,
    compute=compute,
    table=table,
    cost=cost,
    floats=floats,
    minutes={"quick": 0.5, "paper": None},
)
