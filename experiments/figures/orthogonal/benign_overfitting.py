"""What wrong labels cost on new points, against the dimension and the share of wrong labels."""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from jaxtyping import Array

from experiments.figures.figure import Arrays, Cell, Figure, Results, Row
from theory import Parameters, fields, parameter
from theory._types import AnyArray
from theory.certificates.max_margin import near_orthogonality, solve
from theory.statements.orthogonal import benign
from theory.statements.orthogonal.uniformity import published, sharp

AT_ONCE = 100  # sets of points


class Settings(Parameters):
    """Points N(0, diag(d^ρ, 1, …, 1)) in several dimensions, with some shares of wrong labels."""

    n: int = fields.points(64)
    rho: float = parameter(0.6, "ρ: the first coordinate has the variance d^ρ", low=0.5, high=1)
    slope: float = fields.slope(0.5, open_low=True)
    powers: tuple[int, ...] = parameter(
        (8, 9, 10, 11, 12, 13), "d = 10 to these powers", low=3, high=15, distinct=True
    )
    shares: tuple[float, ...] = parameter(
        (0.1, 0.3), "shares η of wrong labels against d", low=0, high=0.5, open_high=True,
        distinct=True,
    )  # fmt: skip
    noises: tuple[float, ...] = parameter(
        (0.0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.49),
        "shares η of wrong labels at the dimension of them", low=0, high=0.5, open_high=True,
        distinct=True,
    )  # fmt: skip
    power: int = parameter(11, "their dimension is 10 to this power", low=3, high=15)
    draws: int = parameter(400, "sets of points for each", low=1)


def cells(settings: Settings) -> list[Row]:
    """Every dimension for each share; every share at one dimension."""
    against_d = [
        {"along": "d", "power": p, "noise": eta} for eta in settings.shares for p in settings.powers
    ]
    return against_d + [
        {"along": "noise", "power": settings.power, "noise": eta} for eta in settings.noises
    ]


def compute(settings: Settings, cell: Cell, key: jax.Array) -> Arrays:
    """(draws,) each: excess test error, our bound on it (∞ where there is none), whether all labels
    are fitted, the points near-orthogonal, and correct labels outweigh by our τ and the published.
    """
    keys = jax.random.split(key, settings.draws)
    found = _drawn(
        settings.n, settings.slope, keys, 10.0 ** cell["power"], settings.rho, cell["noise"]
    )
    return {name: np.asarray(values) for name, values in found.items()}


@functools.partial(jax.jit, static_argnums=(0, 1))
def _drawn(
    n: int, slope: float, keys: Array, d: Array, rho: Array, noise: Array
) -> dict[str, Array]:
    scale, factor = d ** (rho / 2), 1 - 2 * noise

    def one(key: Array) -> dict[str, AnyArray]:
        solved = solve(*benign.noisy_points(key, n, d, rho, noise), slope)
        threshold, p_max = near_orthogonality(solved.x, slope)
        right, wrong = benign.weight(solved, sharp)
        _, more = benign.weight(solved, published)
        room = right.value - wrong.value
        most = jnp.arctan2(benign.spread(solved).value, scale * room) / math.pi
        return {
            "excess": factor * benign.of_points(solved, scale).value,
            "bound": jnp.where((room > 0) & jnp.isfinite(wrong.error), factor * most, jnp.inf),
            "fitted": benign.fitted(solved).holds,
            "near": threshold > p_max,
            "ours": (room > 0) & jnp.isfinite(wrong.error),
            "published": (right.value > more.value) & jnp.isfinite(more.error),
        }

    drawn: dict[str, Array] = jax.lax.map(one, keys, batch_size=AT_ONCE)
    return drawn


def leading(settings: Settings, d: np.ndarray) -> np.ndarray:
    """d^{½−ρ}/√(2πn), whatever η: of equal multipliers and many points."""
    return d ** (0.5 - settings.rho) / (2 * math.pi * settings.n) ** 0.5


def table(settings: Settings, results: Results) -> pd.DataFrame:
    """Of every cell, over draws: quantiles of the excess and of our bound, and shares."""
    rows = []
    for cell, arrays in results:
        low, middle, high = np.quantile(arrays["excess"], [0.1, 0.5, 0.9])
        both = arrays["near"] & arrays["ours"]
        rows.append(
            {
                **cell,
                "d": 10.0 ** cell["power"],
                "draws": len(arrays["excess"]),
                "low": low,
                "median": middle,
                "high": high,
                "bound": float(np.quantile(arrays["bound"], 0.5, method="higher")),
                "leading": float(leading(settings, np.array(10.0 ** cell["power"]))),
                **{k: float(arrays[k].mean()) for k in ("fitted", "near", "ours", "published")},
                "held": float(both.mean()),
                "above": int((both & (arrays["excess"] > arrays["bound"])).sum()),
            }
        )
    return pd.DataFrame(rows)


def floats(settings: Settings, cell: Cell) -> int:
    """The points drawn at once, and results."""
    return min(settings.draws, AT_ONCE) * 3 * settings.n**2 + 8 * settings.draws


FIGURE = Figure(
    name="benign-overfitting",
    source="Frei et al. 2023b, Corollary 9; the bound and the rates beyond ours",
    shows="excess test error of networks that fit wrong labels against the dimension and the share "
    "of wrong labels, with our bound, and where the theorems speak",
    quick=Settings(),
    paper=Settings(n=256, powers=(9, 10, 11, 12, 13, 14), power=13, draws=10_000),
    cells=cells,
    compute=compute,
    table=table,
    floats=floats,
    minutes={"quick": 0.5, "paper": None},
)
