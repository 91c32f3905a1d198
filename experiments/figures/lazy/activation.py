"""Changed fraction of activations against width: trained, its law, and the arctan bound.

Under the identity loss a neuron feels no other, and T and m enter its path only as T/√m, through
aT with a ~ N(0, 1/m). So K networks of width m trained for T are the Km neurons of one network
trained for T√K, and are computed as that, in blocks.
"""

import zlib
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from jaxtyping import Array

from experiments.figures.figure import Arrays, Cell, Figure, Results, Row
from theory import fields
from theory.data.sampling import Sample, data_parameter, draw
from theory.infinite_width.bounds import crossing_probability
from theory.infinite_width.crossings import changed_share
from theory.infinite_width.lazy import kappa
from theory.networks.blocks import sum_over_blocks
from theory.networks.descent import descent_for_time
from theory.networks.embedding import standard_deviation
from theory.networks.network import Params, frozen_readout, pre_activations
from theory.parameters import Parameters, parameter

CURVE = 25  # points of a predicted curve
SHOWN = 6  # series that can be told apart
NEAR = 0.1  # limits within this share of the law count as a certificate


class Settings(Parameters):
    """Networks of K24b of several widths, trained for several times, seen at query points."""

    data: Any = data_parameter("shifted-gaussian")
    n: int = fields.points(1000, low=2)
    d: int = fields.dimension(100)
    queries: int = fields.queries(32, "query points z, of the law of the data")
    widths: tuple[int, ...] = fields.axis((10, 100, 1000, 10_000, 100_000, 1_000_000), "widths m")
    times: tuple[float, ...] = fields.axis(
        (10.0, 100.0, 1000.0), "training times T", unit="learning rate × steps"
    )
    slopes: tuple[float, ...] = fields.axis(
        (0.0, 0.5), "slopes γ, the first of which the widths are shown for", low=0, high=1
    )
    steps: int = fields.steps(1000)
    momentum: float = fields.momentum(0.9)
    neurons: int = parameter(100_000, "neurons trained for each point, in networks", low=2)
    samples: int = parameter(4096, "neurons a query that the law is integrated over", low=2)


def cells(settings: Settings) -> list[Row]:
    """A curve of the law for each slope, and networks of each width, time and slope."""
    slopes = settings.slopes
    times = settings.times
    widths = settings.widths
    for name, values in (("slopes", slopes), ("times", times)):
        if len(values) > SHOWN:
            raise ValueError(f"{name} must be at most {SHOWN} values to be told apart")
    laws = [{"part": "law", "slope": slope, "T": 0.0, "m": 0} for slope in slopes]
    return laws + [
        {"part": "trained", "slope": slope, "T": time, "m": m}
        for slope in slopes
        for time in times
        for m in widths
    ]


def ratios(settings: Settings) -> np.ndarray:
    """T/√m at which the law is computed: all that the measured points cover, and a little more."""
    times = settings.times
    widths = settings.widths
    low, high = min(times) / max(widths) ** 0.5, max(times) / min(widths) ** 0.5
    return np.geomspace(low / 1.3, 1.3 * high, CURVE)


def networks(settings: Settings, m: int) -> int:
    """How many networks of width m are trained: at least the neurons asked for."""
    return max(1, settings.neurons // m)


def compute(settings: Settings, cell: Cell, key: jax.Array) -> Arrays:
    """Shares of neurons that changed, and what is predicted of them, averaged over queries."""
    key_data, key_law, key_networks = jax.random.split(key, 3)
    sample = draw(key_data, settings.data, settings.n, settings.d, queries=settings.queries)
    slope, m = cell["slope"], cell["m"]
    if cell["part"] == "law":
        laws = [_law(key_law, sample, slope, tau, settings) for tau in ratios(settings)]
        return {name: np.stack([law[name] for law in laws]) for name in laws[0]}
    count = networks(settings, m)
    # Independent networks for every cell, though T/√m may repeat.
    label = f"{m} {cell['T']!r} {slope!r}".encode()
    key = jax.random.fold_in(key_networks, zlib.crc32(label))
    descent = descent_for_time(cell["T"] * count**0.5, settings.steps, settings.momentum)
    total, squares = sum_over_blocks(
        frozen_readout(slope), key, count * m, sample.x, sample.y, descent, _changed, sample.z
    )
    mean, square = float(total) / (count * m), float(squares) / (count * m)
    error = np.sqrt((square - mean**2) / (count * m))
    law = _law(key_law, sample, slope, cell["T"] / m**0.5, settings)
    return {"mean": np.array(mean), "standard_error": np.array(error), **law}


def _changed(initial: Params, trained: Params, z: Array) -> tuple[Array, Array]:
    """Σ over neurons of the share of queries at which the sign changed, and of its square."""
    before, after = pre_activations(initial, z) >= 0, pre_activations(trained, z) >= 0
    share = jnp.mean(before != after, axis=0, dtype=z.dtype)
    return jnp.sum(share), jnp.sum(share**2)


def _law(key: Array, sample: Sample, slope: float, tau: float, settings: Settings) -> Arrays:
    """The law at T/√m = τ, averaged over queries."""
    x, y, z, _ = sample
    share = changed_share(key, x, y, z, 1, slope, tau, settings.samples)
    r = tau * kappa(x, z) / standard_deviation(z)
    values = {
        "ratio": r,
        "predicted": share.law,
        "law_error": jnp.linalg.norm(share.error) / len(z),  # of the mean over queries
        "lower": share.lower,
        "upper": share.upper,
        "bound": share.bound,
        "arctan": crossing_probability(r),
    }
    means = {name: np.asarray(jnp.mean(value)) for name, value in values.items()}
    return {"tau": np.array(tau), **means}


def table(settings: Settings, results: Results) -> pd.DataFrame:
    """One row a point: of the law's curve (part law), or of trained networks (part trained)."""
    rows = []
    for cell, arrays in results:
        fixed = {"part": cell["part"], "slope": cell["slope"]}
        if cell["part"] == "law":
            names = list(arrays)
            columns = zip(*(arrays[name] for name in names), strict=True)
            rows += [fixed | dict(zip(names, map(float, row), strict=True)) for row in columns]
            continue
        values = {name: float(value) for name, value in arrays.items()}
        apart = max(values["upper"] - values["predicted"], values["predicted"] - values["lower"])
        rows.append(
            fixed
            | {"T": cell["T"], "m": cell["m"], "draws": networks(settings, cell["m"])}
            | values
            | {"held": apart <= NEAR * values["predicted"]}
        )
    return pd.DataFrame(rows)


def cost(settings: Settings, cell: Cell) -> float:
    """Trained neurons, or neurons looked at for the law."""
    if cell["part"] == "law":
        return CURVE * settings.samples * settings.queries / 100
    return networks(settings, cell["m"]) * cell["m"]


def floats(settings: Settings, cell: Cell) -> int:
    """Numbers held at once, at least: points and their products, and for the law the neurons of a
    query with their pre-activations. Networks are trained in blocks, whatever their width."""
    n, d = settings.n, settings.d
    neurons = settings.samples * max(n, d)
    return (n + settings.queries) * (n + d) + neurons


FIGURE = Figure(
    name="lazy-activation",
    source="Kumano et al. 2024b, activations that change; the law is ours",
    shows="changed fraction of activations against width, its law and the arctan bound",
    quick=Settings(
        n=200,
        d=20,
        widths=(10, 100, 1000, 10_000),
        times=(0.3, 3.0, 30.0),
        steps=100,
        neurons=20_000,
        samples=2048,
    ),
    paper=Settings(),
    cells=cells,
    compute=compute,
    table=table,
    cost=cost,
    floats=floats,
    minutes={"quick": 0.5, "paper": None},
)
