"""Agreement of f and g, and the explicit margins behind it, against width (K24b)."""

import functools
import zlib
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from jaxtyping import Array

from experiments.figures.figure import Cell, Figure, Results, Row
from experiments.figures.lazy.learning import share_of
from experiments.figures.lazy.networks import (
    LONG,
    LearningRun,
    Problems,
    limit_networks,
    perturbed,
    problems,
)
from experiments.results.summaries import mean_and_error
from theory import fields
from theory._types import Real
from theory.infinite_width import bounds, gaussian, lazy
from theory.networks.blocks import sum_over_blocks
from theory.networks.descent import Descent, training_time
from theory.networks.network import Params, frozen_readout, input_gradients, outputs
from theory.parameters import Parameters, parameter
from theory.perturbations.attacks import unit_rows

SHARE = 0.95  # of the test points at which all hypotheses hold, where a marker is filled
CASES = {  # settings in which the explicit hypotheses hold for wide networks, and the published one
    "leaky": {"slope": 0.8, "T_f": 2.0, "T_g": 2.0, "separation": 3.0, "n": 40},
    "relu": {"slope": 0.0, "T_f": 3.0, "T_g": 3.0, "separation": 4.0, "n": 20},
    "published": {"slope": 0.0},
}
D, EPSILON, STEPS = 10, 4.0, 10  # of the first two cases


class Settings(Parameters):
    """Widths, and the published setting; those of the other two cases are in `CASES`."""

    ms: tuple[int, ...] = fields.axis(
        (10, 32, 100, 316, 1000, 3162, 10_000, 31_623, 100_000, 316_228, 1_000_000), "widths m"
    )
    draws: int = parameter(32, "independent draws", low=2)
    queries: int = fields.queries(200, "test points")
    delta: float = fields.failure_probability(
        0.05, "failure probability δ of both networks together"
    )
    d: int = fields.dimension(100, "dimension of the published setting")
    n: int = fields.points(1000, "its training points")
    epsilon: float = parameter(0.001, "its ε over √d", low=0)
    rate: float = parameter(0.1, "its learning rate", low=0, open_low=True)
    steps: int = fields.steps(1000, "its gradient steps")
    momentum: float = fields.momentum(0.9, "its momentum μ")


def cells(settings: Settings) -> list[Row]:
    """One for each case and width."""
    widths = settings.ms
    for m in widths:
        setting(settings, {"case": "leaky", "m": m})
    return [{"case": case, "m": m} for case in CASES for m in widths]


def setting(settings: Settings, cell: Cell) -> LearningRun:
    """What a cell trains: f at the first of its rates, g at the second."""
    m, values = cell["m"], CASES[cell["case"]]
    common = {"m": m, "width": m, "loss": "identity", "queries": settings.queries}
    if cell["case"] == "published":
        return LearningRun(
            law="shifted-gaussian", n=settings.n, d=settings.d, slope=values["slope"],
            epsilon=settings.epsilon * settings.d**0.5, rates_f=(settings.rate,),
            rates_g=(settings.rate,), steps=settings.steps, momentum=settings.momentum, **common,
        )  # fmt: skip
    unit = training_time(1.0, STEPS)
    return LearningRun(
        law="separated-gaussian", n=values["n"], d=D, slope=values["slope"], epsilon=EPSILON,
        rates_f=(values["T_f"] / unit,), rates_g=(values["T_g"] / unit,), steps=STEPS,
        momentum=0.0, separation=values["separation"], **common,
    )  # fmt: skip


def relative_cost(settings: Settings, cell: Cell) -> float:
    """Operations of a cell."""
    run = setting(settings, cell)
    return run.n * run.d * max(run.m, 1024) * run.steps


def floats(settings: Settings, cell: Cell) -> int:
    """Numbers held at once, at least: the points of all draws, and of one the weights that stand
    for infinite width, or the kernel. Networks are trained in blocks, whatever their width."""
    run = setting(settings, cell)
    points = settings.draws * (run.n + run.queries) * run.d
    return points + max(gaussian.WIDE * run.d, run.n**2)


def compute(settings: Settings, cell: Cell, key: jax.Array) -> dict[str, np.ndarray]:
    """Signs of trained pairs and of pairs of infinite width, and the margins of both networks.

    All widths of a case have the same data and the same pairs of infinite width.

    Returns:
      agreement (K,) and predicted_agreement (K,); of each test point margin_f, margin_g (K, q),
      T|k(z)|/B(z), and same (K, q), whether sgn k_f = sgn k_g: the hypotheses of
      lazy.prediction-matching are margins above 1 and equal signs.
    """
    run = setting(settings, cell)
    key = jax.random.fold_in(key, zlib.crc32(cell["case"].encode()))
    drawn = problems(jax.random.split(key, settings.draws), run)
    points, signs_f, signs_g = _train_pairs(
        drawn, run.m, _values(run), run.steps, "pre-activations" if run.steps < LONG else None
    )
    parts = [
        _margins(x, y, z, run, rate, settings.delta / 2)
        for x, y, z, rate in (
            (drawn.x, drawn.y, drawn.z, run.rates_f[0]),
            (points, drawn.target, drawn.z, run.rates_g[0]),
        )
    ]
    (margin_f, sign_f), (margin_g, sign_g) = parts
    f = limit_networks(drawn.key_f_limit, drawn.x, drawn.y, drawn.z, drawn.x, run, run.rates_f)
    assert f.gradients is not None
    predicted = perturbed(jnp.zeros_like(drawn.x), f.gradients[:, 0], drawn.target, run.epsilon)
    g = limit_networks(
        drawn.key_g_limit, predicted, drawn.target, drawn.z, drawn.x, run, run.rates_g
    )
    return {
        "agreement": np.mean(np.asarray(signs_f) == np.asarray(signs_g), axis=-1),
        "predicted_agreement": share_of(g.positive, np.asarray(f.outputs[:, 0]) >= 0)[0],
        "margin_f": margin_f, "margin_g": margin_g, "same": sign_f == sign_g,
    }  # fmt: skip


def _values(run: LearningRun) -> Row:
    return {
        "slope": run.slope, "rate_f": run.rates_f[0], "rate_g": run.rates_g[0],
        "momentum": run.momentum, "epsilon": run.epsilon,
    }  # fmt: skip


def _seen(_: Params, trained: Params, at: Array, z: Array, slope: Real) -> tuple[Array, Array]:
    return outputs(trained, z, slope), input_gradients(trained, at, slope)


@functools.partial(jax.jit, static_argnums=(3, 4))
def _train_pairs(
    drawn: Problems, m: Any, values: Any, steps: int, space: str | None
) -> tuple[Array, Array, Array]:
    """Perturbations of each draw, and the signs of f and g, by blocks of neurons."""
    slope = values["slope"]
    network = frozen_readout(slope)

    def one(draw: Problems) -> tuple[Array, Array, Array]:
        def fit(key: Array, x: Array, y: Array, rate: Real) -> tuple[Array, Array]:
            descent = Descent(rate, steps, "identity", values["momentum"])
            return sum_over_blocks(
                network, key, m, x, y, descent, _seen, x, draw.z, slope, space=space
            )

        f, gradients = fit(draw.key_f, draw.x, draw.y, values["rate_f"])
        points = values["epsilon"] * draw.target[:, None] * unit_rows(gradients)
        g, _ = fit(draw.key_g, points, draw.target, values["rate_g"])
        return points, f >= 0, g >= 0

    return jax.lax.map(one, drawn)


def _margins(
    x: Array, y: Array, z: Array, run: LearningRun, rate: float, delta: float
) -> tuple[np.ndarray, np.ndarray]:
    """T|k(z)|/B(z) of each draw and test point, and whether k(z) ≥ 0."""
    time = float(training_time(rate, run.steps, run.momentum))
    s = bounds.output_exponent(delta)

    def one(x: Array, y: Array, z: Array) -> tuple[Array, Array]:
        signal = lazy.signal(x, y, z, run.slope, time)
        bound = bounds.output_bound(x, y, z, run.m, run.slope, time, s)
        return jnp.abs(signal) / bound.total, signal >= 0

    # Not compiled as a whole: the width is a constant of it, and would be one program each.
    margin, positive = jax.vmap(one)(x, y, z)
    return np.asarray(margin), np.asarray(positive)


def table(settings: Settings, results: Results) -> pd.DataFrame:
    """One row for each case and width.

    share: of the test points at which all hypotheses hold.  certified: share − δ, which the mean
    agreement is at least (lazy.prediction-matching).  …_5, …_50, …_95: quantiles of the margins
    T|k|/B over test points and draws.  share_f, share_g, share_same: of each hypothesis alone.
    """
    rows = []
    for cell, arrays in results:
        mean, error = mean_and_error(arrays["agreement"])
        difference, difference_error = mean_and_error(
            arrays["agreement"] - arrays["predicted_agreement"]
        )
        above = {which: arrays[f"margin_{which}"] > 1 for which in "fg"}
        share = float(np.mean(above["f"] & above["g"] & arrays["same"]))
        row = {
            "case": cell["case"], "m": cell["m"], "mean": float(mean),
            "standard_error": float(error),
            "predicted": float(arrays["predicted_agreement"].mean()),
            "difference": float(difference), "difference_error": float(difference_error),
            "draws": len(arrays["agreement"]), "share": share, "held": share >= SHARE,
            "certified": share - settings.delta,
            "share_f": float(above["f"].mean()), "share_g": float(above["g"].mean()),
            "share_same": float(arrays["same"].mean()),
        }  # fmt: skip
        for which in "fg":
            for percent in (5, 50, 95):
                value = np.percentile(arrays[f"margin_{which}"], percent)
                row[f"margin_{which}_{percent}"] = float(value)
        rows.append(row)
    return pd.DataFrame(rows)


FIGURE = Figure(
    name="lazy-width",
    source="Kumano et al. 2024b, the width condition; explicit margins ours",
    shows="agreement of f and g, and the explicit margins that imply it, against width",
    quick=Settings(
        ms=(10, 100, 1000, 10_000, 100_000),
        draws=16,
        queries=100,
        d=32,
        n=64,
        epsilon=0.5,
        steps=10,
    ),
    paper=Settings(),
    cells=cells,
    compute=compute,
    table=table,
    cost=relative_cost,
    floats=floats,
    minutes={"quick": 0.6, "paper": None},
)
