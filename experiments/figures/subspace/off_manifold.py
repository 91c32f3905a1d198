"""The gradient off the subspace of the data: its law, and the steps along it that flip the sign."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from jaxtyping import Array
from scipy import stats

from experiments.figures.figure import Arrays, Cell, Figure, Results, Row
from theory import Parameters, fields, parameter
from theory.networks.network import leaky_relu
from theory.statements.subspace.setting import SubspaceSetting, sample, seen
from theory.verification.statistics import law_radius

LEVEL = 0.0455  # of the band: that of two standard errors
LEVELS = np.linspace(0.02, 0.98, 25)  # at whose quantiles the law is drawn
AT_ONCE = {"law": 500, "steps": 50}  # networks
SIZES = np.geomspace(0.3, 30, 600)  # of a step, in the size that first order asks for


class Settings(Parameters):
    """Widths and times of the law, dimensions of the steps."""

    widths: tuple[int, ...] = fields.axis((2, 16, 128), "widths m of the law")
    times: tuple[int, ...] = parameter((0, 20, 200), "gradient steps of the law", low=0)
    d: int = fields.dimension(32, "dimension of the law")
    dimensions: tuple[int, ...] = fields.axis((16, 32, 64, 128, 256, 512), "their dimensions")
    m: int = fields.width(64, "width of the steps")
    steps: int = fields.steps(20, "gradient steps before these")
    inside: int = parameter(6, "dimension ℓ of the subspace, below all others", low=1)
    n: int = fields.points(8)
    time: float = parameter(3.0, "ηK(m + d)/2 after these gradient steps", low=0, open_low=True)
    slope: float = fields.slope(0.0)
    law_draws: int = parameter(3000, "networks of each law", low=1)
    draws: int = parameter(300, "networks of each dimension of the steps", low=1)

    def __post_init__(self) -> None:
        super().__post_init__()
        least = min(self.d, *self.dimensions)
        if not self.inside < least:
            raise ValueError(f"inside must be below every dimension, {least}, got {self.inside}")


def cells(settings: Settings) -> list[Row]:
    """Every width at the longest time, every time at the middle width; then every dimension."""
    pairs = [(m, max(settings.times)) for m in settings.widths]
    middle = sorted(settings.widths)[len(settings.widths) // 2]
    pairs += [(middle, steps) for steps in settings.times if steps < max(settings.times)]
    laws = [{"of": "law", "m": m, "steps": steps, "d": settings.d} for m, steps in pairs]
    return laws + [
        {"of": "steps", "m": settings.m, "steps": settings.steps, "d": d}
        for d in settings.dimensions
    ]


def setting(settings: Settings, cell: Cell) -> SubspaceSetting:
    """The configuration of one cell, at a rate at which training does not diverge."""
    rate = 2 * settings.time / (settings.steps * (cell["m"] + cell["d"]))
    return SubspaceSetting(
        n=settings.n, d=cell["d"], inside=settings.inside, m=cell["m"], slope=settings.slope,
        rate=rate, steps=max(cell["steps"], 1), loss="logistic",
    )  # fmt: skip


def compute(settings: Settings, cell: Cell, key: jax.Array) -> Arrays:
    """relative: (draws,) d‖Π⊥∇f‖²/‖D a‖². Of the steps besides, relative to ‖x‖: predicted, first
    and actual: (draws,) the size by the law, by first order, and where the sign turns (NaN where
    it does not)."""
    config = setting(settings, cell)
    draws = settings.law_draws if cell["of"] == "law" else settings.draws
    keys = jax.random.split(key, draws)
    if cell["of"] == "law":
        return {"relative": np.asarray(_laws(config, cell["steps"] > 0, keys))}
    relative, predicted, first, actual = map(np.asarray, _steps(config, keys))
    return {"relative": relative, "predicted": predicted, "first": first, "actual": actual}


@functools.partial(jax.jit, static_argnums=(0, 1))
def _laws(config: SubspaceSetting, trained: bool, keys: Array) -> Array:
    # a tiny rate stands for no training at all
    own = config if trained else SubspaceSetting(**vars(config) | {"rate": 1e-30, "steps": 1})

    def one(key: Array) -> Array:
        at = seen(sample(key, own), own)
        return own.d * jnp.sum(at.g**2) / jnp.sum(at.v**2)

    return jax.lax.map(one, keys, batch_size=AT_ONCE["law"])


@functools.partial(jax.jit, static_argnums=0)
def _steps(config: SubspaceSetting, keys: Array) -> tuple[Array, ...]:
    def one(key: Array) -> tuple[Array, ...]:
        trained = sample(key, config)
        at, a = seen(trained, config), trained.params.a
        f = leaky_relu(at.h, config.slope) @ a
        length, active = jnp.linalg.norm(at.g), jnp.linalg.norm(at.v)
        first, radius = jnp.abs(f) / length, jnp.linalg.norm(trained.x)
        along = trained.params.w[:, config.inside :] @ at.g / length
        moved = at.h[None, :] - jnp.sign(f) * jnp.asarray(SIZES)[:, None] * (first * along)[None, :]
        turned = leaky_relu(moved, config.slope) @ a * jnp.sign(f) < 0
        actual = jnp.where(turned.any(), jnp.asarray(SIZES)[jnp.argmax(turned)] * first, jnp.nan)
        by_law = jnp.abs(f) / active * (config.d / (config.d - config.inside)) ** 0.5
        unit = config.d * jnp.sum(at.g**2) / active**2
        return unit, by_law / radius, first / radius, actual / radius

    return jax.lax.map(one, keys, batch_size=AT_ONCE["steps"])


def table(settings: Settings, results: Results) -> pd.DataFrame:
    """Of a law: share of networks up to a quantile of χ², with the band of the inequality. Of the
    steps: median, 10 % and 90 % over networks of their size relative to ‖x‖, and the share of
    networks whose sign turns."""
    rows = []
    for cell, arrays in results:
        if cell["of"] == "law":
            known = arrays["relative"][np.isfinite(arrays["relative"])]
            places = stats.chi2(cell["d"] - settings.inside).ppf(LEVELS)
            room = law_radius(len(known), LEVEL)
            rows += [
                {**cell, "draws": len(known), "quantile": q, "predicted": p,
                 "mean": float(np.mean(known <= q)), "room": room}
                for q, p in zip(places, LEVELS, strict=True)
            ]  # fmt: skip
            continue
        turned = np.isfinite(arrays["actual"])
        for name in ("first", "actual"):
            low, middle, high = np.nanquantile(arrays[name], [0.1, 0.5, 0.9])
            rows.append(
                {**cell, "draws": len(turned), "series": name, "mean": middle, "low": low,
                 "high": high, "predicted": float(np.median(arrays["predicted"])),
                 "turned": float(turned.mean())}
            )  # fmt: skip
    return pd.DataFrame(rows)


def cost(settings: Any, cell: Cell) -> float:
    """Multiplications of training."""
    draws = settings.law_draws if cell["of"] == "law" else settings.draws
    return float(draws * cell["m"] * cell["d"] * max(cell["steps"], 1))


def floats(settings: Any, cell: Cell) -> int:
    """Numbers held at once, at least: keys and results of all networks, and the weights and
    points of those that are trained at once."""
    draws = settings.law_draws if cell["of"] == "law" else settings.draws
    return 2 * draws + min(draws, AT_ONCE[cell["of"]]) * (cell["m"] + settings.n) * cell["d"]


FIGURE = Figure(
    name="subspace-off-manifold",
    source="ours, subspace.off-manifold-gradient; Melamed, Yehudai and Vardi 2023 for steps",
    shows="law of the gradient off the subspace of the data at several widths and times, and sizes "
    "of the steps along it that flip the sign",
    quick=Settings(),
    paper=Settings(
        dimensions=(16, 32, 64, 128, 256, 512, 1024, 2048), law_draws=100_000, draws=3000
    ),
    cells=cells,
    compute=compute,
    table=table,
    cost=cost,
    floats=floats,
    minutes={"quick": 0.5, "paper": None},
)
