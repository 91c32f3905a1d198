"""ntk-rates: how fast networks approach their infinite-width limit, in five quantities."""

import dataclasses
import functools
import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from jaxtyping import Array, Float

from experiments.figures.figure import Cell, Figure, Results, Row, numbered
from experiments.figures.frequencies import CONFIDENCE
from experiments.machine import environment
from experiments.results.summaries import mean_and_error
from experiments.settings import text
from theory import fields
from theory.data.sampling import data_parameter, draw
from theory.infinite_width import corrections, kernels
from theory.parameters import Parameters, parameter
from theory.statements.ntk import widths
from theory.statements.registry import REGISTRY
from theory.verification.claims import Claim
from theory.verification.evaluation import evaluate
from theory.verification.kinds import Rate
from theory.verification.statement import Statement
from theory.verification.statistics import fit_rate

NEURONS = 256  # drawn for the predicted mean correction of every set of points


class Settings(Parameters):
    """Widths, and numbers of draws of points and networks."""

    data: Any = data_parameter("gaussian")
    m_min: int = fields.width(64, "smallest width of kernel and training")
    widths: int = fields.number_of_widths(5, "twice")
    draws: int = parameter(300, "draws of the kernel, its training and its linearization", low=2)
    mean_m_min: int = parameter(1024, "smallest width of the mean correction", low=1)
    mean_widths: int = fields.number_of_widths(5, "four times")
    mean_draws: int = parameter(600, "draws of the mean correction", low=2)
    chunk: int = parameter(600, "most draws computed and stored at a time", low=2)


def _spread(key: Array, config: widths.WidthSetting) -> Float[Array, "parts scales"]:
    """‖Θ_m − Θ‖²_F/‖Θ‖²_F of the two networks with frozen readout, and then its mean.

    The mean C/m, with C from the law of one neuron, is exact at every width and set of points.
    """
    key_data, key_init = jax.random.split(key)
    x = draw(key_data, config.data, config.n, config.d, queries=0).x
    params = widths.initial_networks(key_init, config, x.shape[1])
    scales = widths.readout_scales(config)
    measured, predicted = [], []
    for network in _frozen(config.slope).values():
        limit = kernels.network_ntk(network, x, x)
        size = jnp.sum(limit**2)
        finite = jax.vmap(lambda p, network=network: kernels.finite_ntk(network, p, x, x))(params)
        measured.append(jnp.sum((finite - limit[None]) ** 2, axis=(1, 2)) / size)
        predicted.append(jnp.sum(corrections.kernel_variance(x, network.slope)) / size * scales)
    return jnp.stack(measured + predicted)


def _frozen(slope: float) -> Row:
    return {name: net for name, net in widths.names(slope).items() if "a" not in net.trained}


SPREAD = Statement(
    id="figure.kernel-spread",
    sample=_spread,
    claim=Rate(
        quantity=lambda parts, _: parts,
        claims=lambda config: tuple(Claim(-1.0, 0.2, name=name) for name in _frozen(config.slope)),
        scales=lambda config: config.scales,
    ),
    config=widths.WidthSetting(),
)


class Panel(NamedTuple):
    """One quantity: the statement that measures it, and what it is called."""

    statement: Statement
    says: str


PANELS = {
    "spread": Panel(SPREAD, "kernel, ‖·‖_F²"),
    "kernel": Panel(REGISTRY["ntk.kernel-convergence"], "kernel"),
    "dynamics": Panel(REGISTRY["ntk.training-dynamics"], "training"),
    "linearization": Panel(REGISTRY["ntk.linearization"], "linearization"),
    "movement": Panel(REGISTRY["ntk.parameter-movement"], "movement"),
    "mean": Panel(REGISTRY["ntk.mean-correction"], "mean"),
    "smooth": Panel(REGISTRY["ntk.mean-correction-smooth"], "mean"),
}
MEANS = ("mean", "smooth")


def configuration(settings: Settings, panel: str) -> Any:
    """The statement's own configuration at the widths and on the data of the figure."""
    if panel in MEANS:
        changes = {"m_min": settings.mean_m_min, "widths": settings.mean_widths}
    else:
        changes = {"m_min": settings.m_min, "widths": settings.widths}
    base = dataclasses.replace(PANELS[panel].statement.config, **changes)
    return text.configured(base, settings.data, {})


def cells(settings: Settings) -> list[Row]:
    """Chunks of draws of every quantity; the predicted means are cells of their own."""
    found = []
    for panel in (*PANELS, *(f"{name} predicted" for name in MEANS)):
        total = settings.mean_draws if panel.split()[0] in MEANS else settings.draws
        for chunk in numbered("draws/chunk", math.ceil(total / settings.chunk)):
            size = min(settings.chunk, total - chunk * settings.chunk)
            found.append({"quantity": panel, "chunk": chunk, "draws": size})
    return found


def cost(settings: Settings, cell: Cell) -> float:
    """Neurons trained."""
    panel = cell["quantity"].split()[0]
    config = configuration(settings, panel)
    neurons = config.neurons * config.widths if panel in MEANS else config.scales[-1]
    return float(cell["draws"] * neurons) + 1e6


def compute(settings: Settings, cell: Cell, key: Array) -> dict[str, np.ndarray]:
    """Measures one quantity at all widths.

    Returns:
      values: (draws, curves, widths) measured; for predictions (draws, curves) coefficients C.
    """
    panel, _, predicted = cell["quantity"].partition(" ")
    for value in (list(PANELS).index(panel), cell["chunk"]):
        key = jax.random.fold_in(key, value)
    config = configuration(settings, panel)
    if predicted:
        return {"values": np.asarray(_coefficients(key, panel, config, cell["draws"]))}
    memory = environment.known_memory()
    statement = PANELS[panel].statement
    found = evaluate(statement, key, cell["draws"], config, memory=memory).quantity
    found = np.asarray(found, float)
    return {"values": found[:, None, :] if found.ndim == 2 else found}


@functools.partial(jax.jit, static_argnums=(1, 2, 3))
def _coefficients(key: Array, panel: str, config: Any, draws: int) -> Float[Array, "draws curves"]:
    """C of the mean correction, for the network with a frozen readout.

    On the points of the measured draws, whose keys these are: differences are the sharper for it.
    """

    def one(index: Array) -> Array:
        key_data, key_init = jax.random.split(jax.random.fold_in(key, index))
        key_neurons = jax.random.fold_in(key_init, 1)
        x, y, _, _ = draw(key_data, config.data, config.n, config.d, queries=0)
        if panel == "smooth":
            C = corrections.smooth_correction(key_neurons, x, y, config.T, config.steps, NEURONS)
        else:
            C = corrections.kink_correction(key_neurons, x, y, config.slope, config.T, NEURONS)
        return C[None]  # of the first of the statement's networks

    return jax.lax.map(one, jnp.arange(draws), batch_size=min(64, draws))


def table(settings: Settings, results: Results) -> pd.DataFrame:
    """Means over draws at every width, with the law where one is known, and fitted exponents."""
    found: dict[str, list[np.ndarray]] = {}
    for cell, arrays in results:
        found.setdefault(cell["quantity"], []).append(arrays["values"])
    values = {name: np.concatenate(parts) for name, parts in found.items()}
    rows = []
    for panel in PANELS:
        config = configuration(settings, panel)
        rate = PANELS[panel].statement.claim
        assert isinstance(rate, Rate)
        claims = rate.claims(config)
        laws = _laws(panel, values, config)
        for index, claim in enumerate(claims if isinstance(claims, tuple) else (claims,)):
            measured = values[panel][:, index, :]
            law = laws[index] if index < len(laws) else None
            rows += _curve(panel, claim, config.scales, measured, law)
    return pd.DataFrame(rows)


def _laws(panel: str, values: dict[str, np.ndarray], config: Any) -> list[np.ndarray]:
    """(draws, widths) predicted means on the points of each draw, of a panel's first curves."""
    if panel == "spread":
        curves = len(_frozen(config.slope))
        return [values[panel][:, curves + i] for i in range(curves)]
    if panel in MEANS:
        scales = np.asarray(config.scales, float) ** (-1.0 if panel == "smooth" else -0.5)
        coefficients = values[f"{panel} predicted"]
        return [coefficient[:, None] * scales[None, :] for coefficient in coefficients.T]
    return []


def _curve(
    panel: str, claim: Claim, scales: Any, values: np.ndarray, law: np.ndarray | None
) -> Iterator[Row]:
    """Rows of one network: its points, then its exponent.

    predicted: the law where there is one; z: mean difference from it over the standard error of
    that, draw by draw on the same points. reference: a line of the claimed exponent, at the height
    of the means; through the first of them where the exponent is a bound.
    """
    scales = np.asarray(scales, float)
    curve = claim.name.removeprefix("exponent (").removesuffix(")")
    fit = fit_rate(scales, values, CONFIDENCE, signed=True)
    mean, error = mean_and_error(values)
    same = {"quantity": panel, "curve": curve, "draws": len(values)}
    logs, heights = np.log(scales), np.log(np.maximum(mean, np.finfo(float).tiny))
    start = (logs[0], heights[0]) if claim.side == "at most" else (logs.mean(), heights.mean())
    reference = np.exp(start[1] + claim.value * (logs - start[0]))
    for j, m in enumerate(scales):
        row = {**same, "m": m, "mean": mean[j], "standard_error": error[j], "held": True}
        row["reference"] = reference[j]
        if law is not None:
            difference, spread = mean_and_error(values[:, j] - law[:, j])
            row |= {"predicted": law[:, j].mean(), "z": float(difference / spread)}
        yield row
    yield {
        **same,
        "exponent": fit.exponent,
        "low": fit.interval.low,
        "high": fit.interval.high,
        "claimed": claim.value,
        "side": claim.side,
        "tolerance": claim.tolerance,
        "held": _agrees(claim, fit.interval.low, fit.interval.high),
    }


def _agrees(claim: Claim, low: float, high: float) -> bool:
    """Whether the interval of the exponent meets the claimed range, its tolerance included.

    One that has an end at infinity, for want of draws, shows nothing.
    """
    if not (math.isfinite(low) and math.isfinite(high)):
        return False
    above = low <= claim.value + claim.tolerance
    return above and (claim.side == "at most" or high >= claim.value - claim.tolerance)


def floats(settings: Settings, cell: Cell) -> int:
    """Numbers held at once, at least: keys and results of predictions, and the networks of one draw
    at all widths. Of the mean correction a width is only a scale; `evaluate` knows of the rest."""
    panel, _, predicted = cell["quantity"].partition(" ")
    if predicted:
        return 2 * cell["draws"]
    config = configuration(settings, panel)
    return 0 if panel in MEANS else sum(map(int, config.scales)) * config.d


FIGURE = Figure(
    name="ntk-rates",
    source="ours, on Jacot et al. 2018, Theorem 1, and Lee et al. 2019, Theorem 2.1",
    shows="kernel, training, linearization, movement and mean of finite networks against width",
    quick=Settings(),
    paper=Settings(widths=9, draws=2000, mean_draws=10_000, chunk=500),
    cells=cells,
    compute=compute,
    table=table,
    cost=cost,
    floats=floats,
    minutes={"quick": 0.4, "paper": None},
)
