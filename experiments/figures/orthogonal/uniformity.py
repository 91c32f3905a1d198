"""How uniform multipliers are: measured, and the bounds on it, against γ and p."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from jaxtyping import Array, Float

from experiments.figures.figure import Arrays, Cell, Figure, Results, Row
from theory import Parameters, fields, parameter
from theory._types import AnyArray
from theory.certificates.max_margin import kkt_certificate, solve
from theory.data.sampling import balanced_labels, near_orthogonal
from theory.statements.orthogonal.uniformity import published, sharp

AT_ONCE = 100  # sets of points


class Settings(Parameters):
    """Slopes at the threshold of near-orthogonality, and loads at one slope."""

    n: int = fields.points(8)
    d: int = fields.dimension(32)
    slopes: tuple[float, ...] = fields.axis((0.1, 0.2, 0.3, 0.5, 0.7, 0.9), "slopes γ", high=1.0)
    slope: float = fields.slope(0.5, "slope γ at which the load varies", open_low=True)
    loads: tuple[float, ...] = fields.axis(
        (0.03, 0.1, 0.3, 1.0, 2.0, 4.0, 8.0), "p_max over the largest that is near-orthogonal"
    )
    draws: int = parameter(300, "sets of points for each slope and load", low=1)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.n > self.d:
            raise ValueError(f"d must be at least n = {self.n}, got {self.d}")


def cells(settings: Settings) -> list[Row]:
    """Every slope at the threshold; every load at one slope."""
    at_threshold = [{"along": "slope", "slope": g, "load": 1.0} for g in settings.slopes]
    return at_threshold + [
        {"along": "load", "slope": settings.slope, "load": load} for load in settings.loads
    ]


def crowding(slope: Any, load: Any) -> Any:
    """h = n p_max/R_min² = 1/(pR²): γ³/3 at the threshold."""
    return load * slope**3 / 3


def bounds(slope: float, load: float) -> tuple[float, float]:
    """Ours and the published one; ∞ where nothing is promised."""
    one, h = jnp.ones(()), jnp.asarray(crowding(slope, load))
    return float(sharp(one, h, slope)), float(published(one, h, slope))


def compute(settings: Settings, cell: Cell, key: jax.Array) -> Arrays:
    """ratio: (draws,) max λ/min λ.  certified: (draws,) whether the closed form is a KKT point.
    built, built_certified: of points that are made to come near the bound."""
    # A little below the threshold, which rounding would decide.
    p_max = 0.999 * crowding(cell["slope"], cell["load"]) / settings.n
    keys = jax.random.split(key, settings.draws)
    built = opposed(settings.n, p_max)
    found = _ratios(settings.n, settings.d, keys, p_max, cell["slope"], built)
    names = ("ratio", "certified", "built", "built_certified")
    return dict(zip(names, map(np.asarray, found), strict=True))


@functools.partial(jax.jit, static_argnums=(0, 1))
def _ratios(
    n: int, d: int, keys: Array, p_max: Array, slope: Array, built: Array
) -> tuple[AnyArray, ...]:
    def of(x: Array, y: Array) -> tuple[Array, AnyArray]:
        solved = solve(x, y, slope)
        multipliers = solved.limit.multipliers
        return jnp.max(multipliers) / jnp.min(multipliers), kkt_certificate(solved).holds

    def random(key: Array) -> tuple[Array, AnyArray]:
        key_x, key_y = jax.random.split(key)
        return of(near_orthogonal(key_x, n, d, p_max), balanced_labels(key_y, n))

    return *jax.lax.map(random, keys, batch_size=AT_ONCE), *of(built, jnp.ones(n))


def opposed(n: int, p_max: float) -> Float[Array, "n n"]:
    """n unit points: the first has −p_max with all others, the last +p_max with all but the first.

    With one label, the first has the largest multiplier and the last the smallest.
    """
    gram = np.eye(n)
    gram[-1, :-1] = gram[:-1, -1] = p_max
    gram[0, 1:] = gram[1:, 0] = -p_max
    return jnp.asarray(np.linalg.cholesky(gram), float)


def table(settings: Settings, results: Results) -> pd.DataFrame:
    """Of every cell the median and largest ratio, that of the built points, and both bounds."""
    rows = []
    for cell, arrays in results:
        ours, printed = bounds(cell["slope"], cell["load"])
        ratio = arrays["ratio"]
        rows.append(
            {
                **cell,
                "p": 1 / crowding(cell["slope"], cell["load"]),
                "draws": len(ratio),
                "median": float(np.median(ratio)),
                "largest": float(ratio.max()),
                "built": float(arrays["built"]),
                "ours": ours,
                "published": printed,
                "certified": float(arrays["certified"].mean()),
                "built_certified": bool(arrays["built_certified"]),
                "held": cell["load"] <= 1,
            }
        )
    return pd.DataFrame(rows)


def floats(settings: Settings, cell: Cell) -> int:
    """The points drawn at once with their Gram matrices; keys and results of all draws."""
    at_once = min(settings.draws, AT_ONCE) * settings.n * (settings.n + settings.d)
    return at_once + 4 * settings.draws


FIGURE = Figure(
    name="orthogonal-uniformity",
    source="ours, orthogonal.uniformity; Frei et al. 2023b, Proposition 4",
    shows="largest over smallest multiplier against γ and p, with our bound and the published one",
    quick=Settings(),
    paper=Settings(n=32, d=256, draws=10_000),
    cells=cells,
    compute=compute,
    table=table,
    floats=floats,
    minutes={"quick": 0.3, "paper": None},
)
