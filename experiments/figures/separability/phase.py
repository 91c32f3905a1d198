"""separability-phase: how often −Wᵀa separates n one-step noises, over n, dimension and width."""

import functools
import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from jaxtyping import Array, Int

from experiments.figures.figure import Cell, Figure, Row, numbered
from experiments.figures.frequencies import CONFIDENCE, counted
from theory import fields
from theory.data.sampling import to_sphere
from theory.networks.network import all_trained, init
from theory.parameters import Parameters, parameter
from theory.perturbations import initialization
from theory.perturbations.noise_alignment import noise_alignment
from theory.verification.statistics import decay_rate, fit_decay

NETWORK = all_trained(slope=0.0)
FLOATS = 2**22  # of the weights of the networks drawn at once


class Settings(Parameters):
    """Sizes of the networks of Theorem 3.1, and numbers of draws."""

    widths: tuple[int, ...] = fields.axis((2, 4, 8, 16, 32, 64), "widths m of the maps")
    dimensions: tuple[int, ...] = fields.axis((2, 4, 8, 16, 32, 64), "dimensions d of the maps")
    samples: tuple[int, ...] = fields.axis((1, 2, 4, 8, 16, 32, 64), "numbers n of noises")
    draws: int = parameter(2000, "networks at every width and dimension of the maps", low=2)
    wide: int = parameter(128, "width m at which the dimension grows alone", low=1)
    growing_dimensions: tuple[int, ...] = fields.axis(
        (4, 6, 8, 10, 12, 14), "dimensions d at that width"
    )
    long: int = parameter(128, "dimension d at which the width grows alone", low=1)
    growing_widths: tuple[int, ...] = fields.axis((1, 2, 3, 4, 5, 6), "widths m at that dimension")
    ratios: tuple[float, ...] = fields.axis(
        (0.25, 1.0, 4.0), "ratios κ of the rays d = κm; κ or 1/κ an integer"
    )
    ray_sizes: int = parameter(6, "sizes on every ray", low=5)
    rate_draws: int = parameter(20_000, "networks at every size of the rates", low=2)


class Line(NamedTuple):
    """Sizes along which −log P(S ≤ 0) grows linearly.

    name: of the line.  scales: (S,) what it grows with.  m, d: (S,) widths and dimensions.
    rate: the asymptotic growth per unit of scale.
    """

    name: str
    scales: Sequence[int]
    m: Sequence[int]
    d: Sequence[int]
    rate: float


def lines(settings: Settings) -> list[Line]:
    """The lines on which rates are fitted: growing dimension, growing width, and rays d = κm."""
    dimensions = settings.growing_dimensions
    widths = settings.growing_widths
    found = [
        Line("dimension", dimensions, [settings.wide] * len(dimensions), dimensions, LOG2 / 2),
        Line("width", widths, widths, [settings.long] * len(widths), LOG2),
    ]
    for ratio in settings.ratios:
        widths = _on_ray(ratio, settings.ray_sizes)
        d = [round(ratio * m) for m in widths]
        found.append(
            Line(f"ray {ratio:g}", widths, widths, d, initialization.alignment_decay(ratio))
        )
    return found


LOG2 = math.log(2)


def _on_ray(ratio: float, count: int) -> list[int]:
    """Widths at which d = κm is an integer and failures are rare but can be counted."""
    unit = max(1, round(1 / ratio))
    if not math.isclose(max(ratio, 1 / ratio), round(max(ratio, 1 / ratio))):
        raise ValueError(f"ratios must be integers or one over integers, got {ratio:g}")
    first, last = (
        exponent / initialization.alignment_decay(ratio) / unit for exponent in (1.2, 4.8)
    )
    step = max(1, round((last - first) / (count - 1)))
    return [unit * (max(1, round(first)) + step * i) for i in numbered("ray_sizes", count)]


def cells(settings: Settings) -> list[Row]:
    """One cell a size (m, d): for the maps with all noises, for the rates with one a network."""
    most = max(settings.samples)
    found = [
        {"m": m, "d": d, "n": most, "draws": settings.draws}
        for m in settings.widths
        for d in settings.dimensions
    ]
    for line in lines(settings):
        for m, d in zip(line.m, line.d, strict=True):
            found.append({"m": m, "d": d, "n": 1, "draws": settings.rate_draws})
    return [dict(cell) for cell in dict.fromkeys(tuple(cell.items()) for cell in found)]


def cost(settings: Settings, cell: Cell) -> float:
    """Numbers drawn, and products taken with them."""
    m, d = _padded(cell["m"]), _padded(cell["d"])
    return cell["draws"] * m * d * (1 + cell["n"] / 16) + 2e8


def _padded(size: int) -> int:
    """The size up to which zeros fill a network: few sizes are compiled."""
    if size <= 16:
        return 16
    return max(64, 1 << (size - 1).bit_length())


def compute(settings: Settings, cell: Cell, key: Array) -> dict[str, np.ndarray]:
    """Draws networks, and counts for which of n points −Wᵀa fails, S_k ≤ 0.

    Returns:
      first: (draws,) the first point at which it fails, n if there is none, so that the first k
      noises are all separated where first ≥ k.  failing: (draws,) number of all that fail.
    """
    m, d, n, draws = cell["m"], cell["d"], cell["n"], cell["draws"]
    for value in (m, d, n):
        key = jax.random.fold_in(key, value)
    widest, longest = _padded(m), _padded(d)
    most = max(1, FLOATS // ((widest + n) * (longest + 2) + n * widest))
    batches = math.ceil(draws / most)
    batch = math.ceil(draws / batches)
    found = _failing(key, m, d, (widest, longest, n), batches, batch)
    first, failing = (np.asarray(part).reshape(-1)[:draws] for part in found)
    return {"first": first, "failing": failing}


@functools.partial(jax.jit, static_argnums=(3, 4, 5))
def _failing(
    key: Array, m: Any, d: Any, shape: tuple[int, int, int], batches: int, batch: int
) -> tuple[Int[Array, "batches batch"], Int[Array, "batches batch"]]:
    """Of networks of width m on ℝ^d, corners of larger ones: S does not depend on their scale."""
    widest, longest, n = shape

    def one(key: Array) -> tuple[Array, Array]:
        key_points, key_init = jax.random.split(key)
        params = init(NETWORK, key_init, widest, longest)
        coordinates = jnp.arange(longest) < d
        x = jax.random.normal(key_points, (n, longest))
        x = to_sphere(jnp.where(coordinates[None, :], x, 0))
        w = jnp.where(coordinates[None, :], params.w, 0)
        a = jnp.where(jnp.arange(widest) < m, params.a, 0)
        fails = noise_alignment(params._replace(w=w, a=a), x).value <= 0
        first = jnp.where(jnp.any(fails), jnp.argmax(fails), n)
        return first, jnp.sum(fails)

    return jax.lax.map(jax.vmap(one), jax.random.split(key, (batches, batch)))


def table(settings: Settings, results: Any) -> pd.DataFrame:
    """Measured frequencies against the law, fitted rates, and the law along the lines."""
    found = {(c["m"], c["d"], c["n"]): arrays for c, arrays in results}
    rows = [*_separated(settings, found), *_failures(settings, found), *_fits(settings, found)]
    return pd.DataFrame([*rows, *_law(settings), *_guarantee(settings)])


def _separated(settings: Settings, found: Any) -> Iterator[Row]:
    """How often all of n noises are separated. Exact at n = 1, at least (1 − P)^n beyond.

    Points that are independent of one another fail, given the network, independently with some
    probability p of mean P: E(1 − p)^n ≥ (1 − P)^n ≥ 1 − nP by Jensen and Bernoulli.
    """
    samples = settings.samples
    for m in settings.widths:
        for d in settings.dimensions:
            first = found[m, d, max(samples)]["first"]
            failure = initialization.alignment_failure(m, d)
            for n in samples:
                count = int(np.sum(first >= n))
                row = counted(count, len(first), (1 - failure) ** n)
                bound = max(0.0, 1 - n * failure)
                z = row["z"] if n == 1 else min(0.0, row["z"])
                row |= {"bound": bound, "held": bound > 0, "z": z}
                yield {"part": "separated", "m": m, "d": d, "n": n, **row}


def _failures(settings: Settings, found: Any) -> Iterator[Row]:
    """How often one noise is not separated, along the lines: exactly P(S ≤ 0)."""
    for line in lines(settings):
        for scale, m, d in zip(line.scales, line.m, line.d, strict=True):
            failing = found[m, d, 1]["failing"]
            row = counted(int(failing.sum()), len(failing), initialization.alignment_failure(m, d))
            size = {"m": m, "d": d, "n": 1, "scale": scale}
            yield {"part": "failure", "line": line.name, **size, **row, "held": True}


def _fits(settings: Settings, found: Any) -> Iterator[Row]:
    """The rate of −log P(S ≤ 0) on every line, beside the same fit to the exact law."""
    for line in lines(settings):
        sizes = list(zip(line.m, line.d, strict=True))
        scales = np.array(line.scales, float)
        failing = np.stack([np.asarray(found[m, d, 1]["failing"]) for m, d in sizes], axis=1)
        draws = len(failing)
        fit = fit_decay(scales, failing, CONFIDENCE)
        exact = np.array([initialization.alignment_failure(m, d) for m, d in sizes])
        limit = decay_rate(scales, exact * 1e12, 1e12)  # the fit's limit for many draws
        row = {"mean": fit.rate, "low": fit.interval.low, "high": fit.interval.high, "draws": draws}
        row |= {"predicted": limit, "asymptotic": line.rate}
        inside = fit.interval.low <= limit <= fit.interval.high
        yield {"part": "fit", "line": line.name, **row, "held": inside}


def _law(settings: Settings) -> Iterator[Row]:
    """P(S ≤ 0) on every line, at all integers between its ends."""
    for line in lines(settings):
        unit = math.gcd(*line.scales)
        for scale in range(line.scales[0], line.scales[-1] + unit, unit):
            place = (scale - line.scales[0]) / (line.scales[-1] - line.scales[0])
            m, d = (round(s[0] + place * (s[-1] - s[0])) for s in (line.m, line.d))
            value = initialization.alignment_failure(m, d)
            row = {"m": m, "d": d, "n": 1, "scale": scale, "predicted": value}
            yield {"part": "law", "line": line.name, **row}


def _guarantee(settings: Settings) -> Iterator[Row]:
    """The dimension from which on the theorem's bound 1 − nP is at least ½, at every width."""
    widths, dimensions = (
        settings.widths,
        settings.dimensions,
    )
    samples = settings.samples
    grid = sorted({round(2**e) for e in np.arange(0, math.log2(max(widths)) + 0.75, 0.25)})
    for m in grid:
        yield from _half(m, max(samples), 2 * max(dimensions))
    for n in samples:
        yield from _half(max(widths), n, 2 * max(dimensions))


def _half(m: int, n: int, most: int) -> Iterator[Row]:
    """Where n·P crosses ½ between two dimensions, log P interpolated; nothing beyond `most`."""

    def excess(d: int) -> float:
        return math.log(2 * n * initialization.alignment_failure(m, d))

    if excess(1) < 0 or excess(most) > 0:
        return
    low, high = 1, most
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if excess(middle) > 0 else (low, middle)
    d = low + excess(low) / (excess(low) - excess(high))
    yield {"part": "guarantee", "m": m, "n": n, "d": d, "predicted": 0.5}


def floats(settings: Settings, cell: Cell) -> int:
    """Numbers held at once, at least: keys and results of all networks, and of one its weights and
    points, with all their products."""
    m, d, n = _padded(cell["m"]), _padded(cell["d"]), cell["n"]
    return 2 * cell["draws"] + (m + n) * d + n * m


FIGURE = Figure(
    name="separability-phase",
    source="Zhang et al. 2023, Theorem 3.1; exact law ours",
    shows="how often −Wᵀa separates n one-step noises, over n, d and m, and fitted exponents",
    quick=Settings(),
    paper=Settings(
        widths=(2, 4, 8, 16, 32, 64, 128, 256, 512, 1024),
        dimensions=(2, 4, 8, 16, 32, 64, 128, 256, 512, 1024),
        samples=(1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024),
        draws=10_000,
        wide=1024,
        growing_dimensions=(4, 6, 8, 10, 12, 14, 16, 18, 20),
        long=1024,
        growing_widths=(1, 2, 3, 4, 5, 6, 7, 8, 9, 10),
        ratios=(0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0),
        ray_sizes=8,
        rate_draws=400_000,
    ),
    cells=cells,
    compute=compute,
    table=table,
    cost=cost,
    floats=floats,
    minutes={"quick": 0.4, "paper": None},
)
