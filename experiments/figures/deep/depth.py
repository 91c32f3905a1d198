"""depth: fluctuations of outputs and of the tangent kernel, and what the kernel forgets."""

import functools
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from jaxtyping import Array

from experiments.figures.figure import Arrays, Cell, Figure, Results, Row
from experiments.figures.frequencies import CONFIDENCE
from experiments.results.summaries import mean_and_error
from theory import Parameters, fields, parameter
from theory.data.sampling import draw
from theory.infinite_width._angles import angle
from theory.infinite_width.deep import mean_square_moment, ntk_at_depths, ntk_second_moment
from theory.networks.deep import DeepNetwork, init_deep, last_activations
from theory.networks.deep_tangents import deep_ntk
from theory.statements.deep.conditioning import ratio
from theory.verification.statistics import mean_interval

D = 4  # dimension of the point that networks are seen at: no law depends on it
AT_ONCE = 100  # networks
PAIRS = 64  # of points, whose kernel is followed


class Settings(Parameters):
    """Shapes of networks, and depths of the infinitely wide one."""

    widths: tuple[int, ...] = fields.axis((16, 32), "widths n")
    sixteenths: tuple[int, ...] = fields.axis((1, 2, 4, 8), "depth over width, in sixteenths")
    slope: float = fields.slope(0.0)
    draws: int = parameter(10_000, "networks of each shape", low=2)
    depths: tuple[int, ...] = fields.axis((16, 64, 256, 1024, 4096), "depths of the limit")
    d: int = fields.dimension(40, "dimension of the points of the limit", low=2)


def shapes(settings: Settings) -> list[tuple[int, int]]:
    """(n, L), of which L/n is what the settings say, as near as may be."""
    every = [(n, max(1, round(n * s / 16))) for n in settings.widths for s in settings.sixteenths]
    return list(dict.fromkeys(every))


def cells(settings: Settings) -> list[Row]:
    """Every shape, then the limit."""
    networks = [{"of": "networks", "n": n, "depth": depth} for n, depth in shapes(settings)]
    return [*networks, {"of": "limit", "n": 0, "depth": max(settings.depths)}]


def compute(settings: Settings, cell: Cell, key: jax.Array) -> Arrays:
    """Of networks, q and theta: (draws,) mean square of the last activations and Θ(x, x), over
    their means. Of the limit, share: (pairs, depths) Θ(x, x')/Θ(x, x)."""
    if cell["of"] == "limit":
        return {"share": np.asarray(_shares(settings, key))}
    key = jax.random.fold_in(jax.random.fold_in(key, cell["n"]), cell["depth"])
    network = DeepNetwork.critical((cell["n"],) * cell["depth"], settings.slope)
    q, theta = _networks(network, jax.random.split(key, settings.draws))
    return {"q": np.asarray(q), "theta": np.asarray(theta)}


@functools.partial(jax.jit, static_argnums=0)
def _networks(network: DeepNetwork, keys: Array) -> tuple[Array, Array]:
    x = jnp.ones((1, D))

    def one(key: Array) -> tuple[Array, Array]:
        layers = init_deep(network, key, D)
        q = jnp.mean(last_activations(network, layers, x) ** 2)
        return q, deep_ntk(network, layers, x)[0, 0] / (len(network.widths) + 1)

    return jax.lax.map(one, keys, batch_size=min(AT_ONCE, len(keys)))


def _shares(settings: Settings, key: Array) -> Array:
    x = draw(key, "sphere", 2 * PAIRS, settings.d, queries=0).x
    theta = jnp.diagonal(angle(x[:PAIRS], x[PAIRS:], bias=False))
    return ntk_at_depths(theta, tuple(sorted(settings.depths)), settings.slope).T


LAWS = {"q": mean_square_moment, "theta": ntk_second_moment}


def table(settings: Settings, results: Results) -> pd.DataFrame:
    """A row for each shape and each of q and theta, with the exact variance and Hall's interval of
    the measured one, and for each depth of the limit.

    held: whether the interval is believed, so not where draws are too few for their skewness.
    """
    rows: list[Row] = []
    for cell, arrays in results:
        rows += (
            _limit(settings, arrays) if cell["of"] == "limit" else _shape(settings, cell, arrays)
        )
    return pd.DataFrame(rows)


def _shape(settings: Settings, cell: Cell, arrays: Arrays) -> Iterator[Row]:
    for name, law in LAWS.items():
        squares = (np.asarray(arrays[name], float) - 1) ** 2
        found = mean_interval(squares, CONFIDENCE)
        yield {
            "of": name, "n": cell["n"], "depth": cell["depth"], "draws": len(squares),
            "mean": float(squares.mean()), "low": found.interval.low, "high": found.interval.high,
            "predicted": law((cell["n"],) * cell["depth"], settings.slope) - 1,
            "held": not found.doubt,
        }  # fmt: skip


def _limit(settings: Settings, arrays: Arrays) -> Iterator[Row]:
    depths = sorted(settings.depths)
    means, errors = mean_and_error(np.asarray(arrays["share"], float))
    for depth, mean, error in zip(depths, means, errors, strict=True):
        yield {
            "of": "limit", "n": 0, "depth": depth, "draws": PAIRS, "mean": mean,
            "low": mean - 2 * error, "high": mean + 2 * error,
            "predicted": float(ratio(depth)), "held": True,
        }  # fmt: skip


def cost(settings: Settings, cell: Cell) -> float:
    """Weights drawn, and what every layer costs to compile."""
    return float(settings.draws * cell["n"] ** 2 * cell["depth"] + 1e6 * cell["depth"])


def floats(settings: Any, cell: Cell) -> int:
    """Numbers held at once, at least: keys and results, and the weights of some networks."""
    if cell["of"] == "limit":
        return PAIRS * (2 * settings.d + len(settings.depths))
    return 4 * settings.draws + min(settings.draws, AT_ONCE) * cell["n"] ** 2 * cell["depth"]


FIGURE = Figure(
    name="depth",
    source="ours, on Hanin and Nica 2020 and Xiao et al. 2020",
    shows="variance of squared outputs and of the tangent kernel against depth over width, and the "
    "kernel of two points against depth",
    quick=Settings(),
    paper=Settings(widths=(16, 64, 256), draws=100_000),
    cells=cells,
    compute=compute,
    table=table,
    cost=cost,
    floats=floats,
    minutes={"quick": 0.5, "paper": None},
)
