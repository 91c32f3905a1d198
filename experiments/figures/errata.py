"""errata: formulas as printed and as corrected, with measurements between them."""

import functools
import math
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from jaxtyping import Array, Float

from experiments.figures.figure import Cell, Figure, Results, Row
from experiments.figures.frequencies import counted
from experiments.results.summaries import mean_and_error
from theory import fields
from theory.data.sampling import to_sphere
from theory.networks.network import (
    all_trained,
    init,
    input_gradients,
    leaky_relu_derivative,
)
from theory.networks.network import pre_activations as pre_activations_of
from theory.parameters import Parameters, parameter
from theory.perturbations import initialization
from theory.perturbations.initialization import event_failures
from theory.statements.registry import REGISTRY
from theory.statements.separability.loss_level import LevelSetting
from theory.statements.separability.sparse import SparseSetting, support_size

NETWORK = all_trained(slope=0.0)
FLOATS = 2**22  # of the weights of the networks drawn at once
WIDTH_CONSTANT = 4.0  # C of m > C·n·d, the hypothesis of Lemma 3.5 in the suite


class Settings(Parameters):
    """Sizes of the networks, and numbers of draws, for every erratum."""

    variance_width: int = parameter(64, "width m of the variance", low=1)
    variance_dimensions: tuple[int, ...] = fields.axis(
        (4, 8, 16, 32, 64), "dimensions d of the variance"
    )
    tail_width: int = parameter(200, "width m of the tails", low=1, high=400)
    tail_dimensions: tuple[int, ...] = fields.axis(
        (2, 4, 8, 12, 16, 24), "dimensions d of the tails"
    )
    norm_widths: tuple[int, ...] = fields.axis((4, 16, 64, 256), "widths m of the active readout")
    norm_dimension: int = parameter(8, "its dimension d", low=1)
    draws: int = parameter(10_000, "networks of all these", low=2)
    sparse_widths: tuple[int, ...] = fields.axis(
        (256, 1024, 4096, 16_384), "widths m of the sparse suprema"
    )
    sparse_dimension: int = parameter(64, "their dimension d", low=1)
    sparse_draws: int = parameter(200, "networks of each width", low=2)
    points: int = parameter(8, "most points of a trained network, in as many dimensions", low=2)
    trained_width: int = parameter(768, "width m of trained networks", low=1)
    trained_draws: int = parameter(480, "networks trained, on 1 to `points` points", low=2)


def cells(settings: Settings) -> list[Row]:
    """One cell a size: of networks at initialization, of sparse suprema, and one of training."""
    dimensions = settings.variance_dimensions
    sizes = [("variance", settings.variance_width, d) for d in dimensions]
    dimensions = settings.tail_dimensions
    sizes += [("tails", settings.tail_width, d) for d in dimensions]
    widths = settings.norm_widths
    sizes += [("norm", m, settings.norm_dimension) for m in widths]
    found = [{"part": part, "m": m, "d": d, "draws": settings.draws} for part, m, d in sizes]
    for m in settings.sparse_widths:
        d, draws = settings.sparse_dimension, settings.sparse_draws
        found.append({"part": "sparse", "m": m, "d": d, "draws": draws})
    sizes = {"m": settings.trained_width, "d": settings.points}
    found.append({"part": "movement", **sizes, "draws": settings.trained_draws})
    return found


def cost(settings: Settings, cell: Cell) -> float:
    """Numbers drawn, and products taken."""
    each = cell["m"] * cell["d"] * {"sparse": 1.0, "movement": 80.0}.get(cell["part"], 4.0)
    return cell["draws"] * each + 3e7


def compute(settings: Settings, cell: Cell, key: Array) -> dict[str, np.ndarray]:
    """Measures one size, draw by draw.

    Returns:
      of networks at initialization: alignment S, active ‖D_x a‖² and gradient ‖WᵀD_x a‖², each
      (draws,).  of sparse suprema: squared, sup |aᵀWWᵀu|².  of trained networks:
       moved ‖a* − a‖², predicted, its mean in the kernel limit, n and loss.
    """
    part, m, d, draws = (cell[name] for name in ("part", "m", "d", "draws"))
    for value in (m, d):
        key = jax.random.fold_in(key, value)
    if part == "sparse":
        return {"squared": np.asarray(_suprema(key, SparseSetting(d=d, m=m), draws))}
    if part == "movement":
        config = LevelSetting(n=d, d=d, m=m)
        return {name: np.asarray(v) for name, v in _movements(key, config, draws).items()}
    same = [other for other in cells(settings) if other["part"] == part]
    shape = max(other["m"] for other in same), max(other["d"] for other in same)
    batches = math.ceil(draws / max(1, FLOATS // (shape[0] * (shape[1] + 2))))
    batch = math.ceil(draws / batches)
    found = np.asarray(_at_one_point(key, m, d, shape, batches, batch))
    found = found.reshape(-1, 3)[:draws]
    return dict(zip(("alignment", "active", "gradient"), found.T, strict=True))


@functools.partial(jax.jit, static_argnums=(3, 4, 5))
def _at_one_point(
    key: Array, m: Any, d: Any, shape: tuple[int, int], batches: int, batch: int
) -> Float[Array, "batches batch 3"]:
    """S, ‖D_x a‖² and ‖WᵀD_x a‖² of networks of width m on ℝ^d, filled with zeros to one shape."""
    widest, longest = shape

    def one(key: Array) -> Array:
        key_point, key_init = jax.random.split(key)
        params = init(NETWORK, key_init, widest, longest)
        here = (jnp.arange(longest) < d)[None, :]
        w = jnp.where(here, params.w, 0) * jnp.sqrt(longest / d)
        a = jnp.where(jnp.arange(widest) < m, params.a, 0) * jnp.sqrt(widest / m)
        params = params._replace(w=w, a=a)
        x = to_sphere(jnp.where(here, jax.random.normal(key_point, (1, longest)), 0))
        gradient = input_gradients(params, x, NETWORK.slope)[0]
        active = leaky_relu_derivative(pre_activations_of(params, x), NETWORK.slope)[0]
        alignment = (params.a @ params.w) @ gradient
        return jnp.stack([alignment, active @ params.a**2, gradient @ gradient])

    return jax.lax.map(jax.vmap(one), jax.random.split(key, (batches, batch)))


@functools.partial(jax.jit, static_argnums=(1, 2))
def _suprema(key: Array, config: SparseSetting, draws: int) -> Float[Array, " draws"]:
    """sup |aᵀWWᵀu|² over ‖u‖₀ ≤ m/ln²m, ‖u‖ = 1."""
    sample = REGISTRY["separability.sparse-supremum"].sample
    keys = jax.random.split(key, draws)
    return jax.lax.map(lambda key: sample(key, config).supremum ** 2, keys)


@functools.partial(jax.jit, static_argnums=(1, 2))
def _movements(key: Array, config: LevelSetting, draws: int) -> dict[str, Array]:
    """‖a* − a‖² of trained networks, one after the other: no decompositions in batches."""
    sample = REGISTRY["separability.ntk-movement-as-printed"].sample

    def one(key: Array) -> dict[str, Array]:
        found = sample(key, config)
        reached = found.training
        moved = {"moved": reached.readout**2, "predicted": reached.predicted}
        return moved | {"n": config.m / (found.data.ratio * config.d), "loss": reached.loss}

    return jax.lax.map(one, jax.random.split(key, draws))


def table(settings: Settings, results: Results) -> pd.DataFrame:
    """One row a measurement: between printed and corrected value or bound, with its interval."""
    rows: list[Row] = []
    for cell, arrays in results:
        size = {name: cell[name] for name in ("m", "d", "draws")}
        for row in _READERS[cell["part"]](cell, arrays):
            rows.append({**size, **row})
    return pd.DataFrame(rows)


def _variance(cell: Cell, arrays: Any) -> Iterator[Row]:
    """Sample variance of S; its error from the fourth moment."""
    s = arrays["alignment"].astype(float)
    mean, error = mean_and_error((s - s.mean()) ** 2 * len(s) / (len(s) - 1))
    m, d = cell["m"], cell["d"]
    printed, exact = (
        initialization.alignment_variance_as_printed(m, d),
        initialization.alignment_variance(m, d),
    )
    yield {"erratum": "variance", **_moment(mean, error, printed, exact)}


def _norm(cell: Cell, arrays: Any) -> Iterator[Row]:
    mean, error = mean_and_error(arrays["active"])
    yield {"erratum": "norm", **_moment(mean, error, 0.25, 0.5)}


def _moment(mean: Any, error: Any, printed: float, corrected: float) -> Row:
    """A mean with what it should be; z as printed and as corrected."""
    mean, error = float(mean), float(error)
    return {
        "mean": mean,
        "standard_error": error,
        "low": mean - 2 * error,
        "high": mean + 2 * error,
        "printed": printed,
        "predicted": corrected,
        "z_printed": (mean - printed) / error,
        "z": (mean - corrected) / error,
        "held": True,
    }


def _tails(cell: Cell, arrays: Any) -> Iterator[Row]:
    """Frequencies of the events that (27) and (29) bound, and their exact probabilities."""
    m, d, draws = cell["m"], cell["d"], cell["draws"]
    active, gradient = arrays["active"], arrays["gradient"]
    exact = event_failures(m, d)
    counts = {"27": gradient[active > 0] <= active[active > 0] / 2, "29": gradient <= 1 / 16}
    printed = {"27": math.exp(-m / 11), "29": math.exp(-m / 8) + 2 * math.exp(-m / 11)}
    extra = {"27": 0.0, "29": math.exp(-m / 8) + math.exp(-m / 11)}
    for name, law in zip(("27", "29"), exact[3:], strict=True):
        row = counted(int(counts[name].sum()), draws, float(law))
        bound = math.exp(-d / 11) + extra[name]
        yield {"erratum": name, **row, "printed": printed[name], "bound": bound, "held": True}


def _sparse(cell: Cell, arrays: Any) -> Iterator[Row]:
    """Mean of the squared supremum; printed is 2²."""
    mean, error = mean_and_error(arrays["squared"])
    m, d = cell["m"], cell["d"]
    share = initialization.largest_squares(m, support_size(m, SparseSetting().sparsity))
    yield {"erratum": "20", **_moment(mean, error, 4.0, (1 + (m + 1) / d) * share)}


def _movement(cell: Cell, arrays: Any) -> Iterator[Row]:
    """m‖a* − a‖² for each number n of points; printed is 1."""
    m, d = cell["m"], cell["d"]
    for n in range(1, d + 1):
        chosen = np.rint(arrays["n"]) == n
        if chosen.sum() < 2:
            continue
        mean, error = mean_and_error(m * arrays["moved"][chosen])
        predicted = m * float(arrays["predicted"][chosen].mean())
        trained = bool((arrays["loss"][chosen] < LevelSetting().loss_level).all())
        row = _moment(mean, error, 1.0, predicted) | {"n": n, "draws": int(chosen.sum())}
        yield {"erratum": "movement", **row, "held": trained and m > WIDTH_CONSTANT * n * d}


_READERS = {
    "variance": _variance, "norm": _norm, "tails": _tails, "sparse": _sparse,
    "movement": _movement,
}  # fmt: skip


def floats(settings: Settings, cell: Cell) -> int:
    """Numbers held at once, at least: keys and results of all networks, and the weights of one;
    of sparse suprema, drawn from their law, two numbers a neuron."""
    m, d = cell["m"], cell["d"]
    return 2 * cell["draws"] + (2 * m + d if cell["part"] == "sparse" else m * d)


FIGURE = Figure(
    name="errata",
    source="ours, on Zhang et al. 2023, eq. 9, 19, 20, 27, 29 and Lemma 3.5",
    shows="documented errata: the printed formula, the corrected one, and measurements",
    quick=Settings(),
    paper=Settings(
        variance_dimensions=(4, 8, 16, 32, 64, 128, 256),
        tail_dimensions=(2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30, 32),
        norm_widths=(4, 16, 64, 256, 1024, 4096),
        draws=200_000,
        sparse_widths=(256, 1024, 4096, 16_384, 65_536, 262_144, 1_048_576),
        sparse_draws=1000,
        points=16,
        trained_width=4096,
        trained_draws=8000,
    ),
    cells=cells,
    compute=compute,
    table=table,
    cost=cost,
    floats=floats,
    minutes={"quick": 0.7, "paper": None},
)
