"""Accuracy on clean samples of networks that saw perturbed noise only (K24a)."""

import functools
import math
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd

from experiments.figures.figure import Arrays, Cell, Figure, Results, Row
from experiments.figures.orthogonal import learning
from experiments.results.summaries import mean_and_error
from theory import fields
from theory.networks.descent import training_time
from theory.parameters import parameter
from theory.perturbations.alignment import (
    Shift,
    growing_support_shift,
    maximum_norm_shift,
    normal_cosine,
)
from theory.perturbations.attacks import NORMS
from theory.perturbations.effects import (
    adaptation,
    noise_accuracy,
    noise_accuracy_early,
    own_margin,
)

NOISE = "none"  # noise samples with the same labels and no perturbation
VARIANTS = (*NORMS, NOISE)
AXES = {"n_adv": int, "n": int, "d": int, "factor": float}


class Settings(learning.NetworkSettings):
    """Each axis is swept with the others at their base values."""

    laws: tuple[str, ...] = fields.axis(
        ("uniform", "gaussian"), "laws of all samples", choices=tuple(learning.MEAN_SQUARES)
    )
    descend: str = parameter(
        "log loss",
        "descent on log L, to times exponential in the steps, or on L itself, at the learning rate "
        "as it is and with momentum 0.9",
        choices=("log loss", "loss"),
    )
    attacks: str = parameter(
        "steepest",
        "steps of attacks: along the steepest direction of the norm, or those of K24a's code",
        choices=("steepest", "published"),
    )
    n: int = fields.points(50, "clean samples, even", even=True)
    n_adv: int = fields.perturbed_points(100)
    d: int = fields.dimension(4000)
    ns: tuple[int, ...] = fields.axis((50, 100, 200), "clean samples n, swept")
    n_advs: tuple[int, ...] = fields.axis((50, 100, 200), "noise samples n_adv, swept")
    dimensions: tuple[int, ...] = fields.axis((1000, 2000, 4000), "dimensions d, swept")
    factors: tuple[float, ...] = fields.axis((0.5, 1.0, 2.0), "factors on all sizes ε, swept")
    l2: float = parameter(
        0.78, f"ℓ₂ size at d = {learning.PUBLISHED_D}, scaled with √d", low=0, open_low=True
    )
    linf: float = parameter(0.015, "ℓ∞ size", low=0, open_low=True)
    l0: float = parameter(
        0.035, "ℓ₀: by how much coordinates change (0.035 makes it as long as ℓ₂); of published "
        "attacks, in a step", low=0, open_low=True,
    )  # fmt: skip
    fraction: float = fields.sparse_share(0.05)


def axes(settings: Settings) -> dict[str, tuple[Any, ...]]:
    """Axis → its values in order, the base value among them."""
    swept = {"n_adv": "n_advs", "n": "ns", "d": "dimensions", "factor": "factors"}
    return {
        name: tuple(sorted({*getattr(settings, field), base(settings)[name]}))
        for name, field in swept.items()
    }


def base(settings: Settings) -> Row:
    """The values of the axes that are not swept."""
    return {"n_adv": settings.n_adv, "n": settings.n, "d": settings.d, "factor": 1.0}


def size(settings: Settings, norm: str, d: int, factor: float) -> float:
    """ε of a norm in dimension d."""
    root = (d / learning.PUBLISHED_D) ** 0.5 if norm == "l2" else 1.0
    return float(getattr(settings, norm)) * factor * root


def step_or_size(settings: Settings, norm: str, d: int, factor: float) -> float:
    """What an attack is called with: ε, but the step in published ℓ₀."""
    if settings.attacks == "published" and norm == "l0":
        return settings.l0
    return size(settings, norm, d, factor)


def share(settings: Settings, factor: float) -> float:
    """The share of coordinates that ℓ₀ may change; its size, and so swept, if published."""
    return min(1.0, settings.fraction * (factor if settings.attacks == "published" else 1.0))


def box(settings: Settings, law: str) -> tuple[float, float] | None:
    """In which published attacks keep the points."""
    return learning.BOXES.get(law) if settings.attacks == "published" else None


def shift(settings: Settings, law: str, norm: str, at: Row) -> Shift:
    """What an attack along the normal of f's boundary adds to a point: length and cosine to it."""
    d, factor = at["d"], at["factor"]
    epsilon = size(settings, norm, d, factor)
    published = settings.attacks == "published"
    if published and norm == "linf":
        return maximum_norm_shift(d, epsilon, settings.attack_steps, epsilon / 5)
    if published and norm == "l0":
        count = learning.support(share(settings, factor), d)
        return growing_support_shift(d, count, settings.l0, box(settings, law) is not None)
    coordinates = {"l2": 1.0, "linf": d, "l0": settings.fraction * d}[norm]
    return Shift(epsilon * coordinates**0.5, normal_cosine(norm, settings.fraction))


def predicted(settings: Settings, law: str, norm: str, at: Row) -> float:
    """Accuracy at the time to which networks are trained; NaN out of the formula's range."""
    if norm == NOISE:
        return 0.5
    n, n_adv, d = (at[name] for name in ("n", "n_adv", "d"))
    length, cosine = shift(settings, law, norm, at)
    radius = (learning.MEAN_SQUARES[law] * d) ** 0.5
    adapted = adaptations(settings, law, at, length * cosine)
    return noise_accuracy(n, n_adv, d, length, radius, settings.slope, cosine, adapted)


def equal_multipliers(settings: Settings, law: str, norm: str, at: Row) -> float:
    """Accuracy at equal multipliers where the finite-time law is out of its range, NaN elsewhere.

    Not claimed there: losses are not equal. docs/statements/orthogonal.md has what was measured.
    """
    if norm == NOISE or settings.descend != "loss":
        return math.nan
    if not math.isnan(predicted(settings, law, norm, at)):
        return math.nan
    n, n_adv, d = (at[name] for name in ("n", "n_adv", "d"))
    length, cosine = shift(settings, law, norm, at)
    radius = (learning.MEAN_SQUARES[law] * d) ** 0.5
    return noise_accuracy_early(n, n_adv, d, length, radius, cosine)


def adaptations(settings: Settings, law: str, at: Row, length: float) -> tuple[float, float]:
    """μ of f and g: 1 after descent on log L, which takes log T far beyond any margin's scale."""
    if settings.descend == "log loss":
        return 1.0, 1.0
    time = float(training_time(settings.learning_rate, settings.steps, learning.MOMENTUM))
    radius = (learning.MEAN_SQUARES[law] * at["d"]) ** 0.5
    strength = length**2 * at["n_adv"] / radius**2
    of_f = own_margin(time, at["n"], radius, settings.slope)
    of_g = own_margin(time, at["n_adv"], radius, settings.slope, strength)
    return adaptation(of_f), adaptation(of_g)


def load(settings: Settings, law: str, norm: str, at: Row) -> float:
    """(μ_f n + μ_g n_adv)/d, whose square is the order of what the formula leaves out."""
    if norm == NOISE:
        return 0.0
    length, cosine = shift(settings, law, norm, at)
    of_f, of_g = adaptations(settings, law, at, length * cosine)
    return (of_f * at["n"] + of_g * at["n_adv"]) / at["d"]


def cells(settings: Settings) -> list[Row]:
    """One for each law and each point of an axis; the base point once."""
    points = [base(settings) | {name: value} for name, value, _ in _places(settings)]
    return list({str(c): c for law in settings.laws for c in ({"law": law} | p for p in points)}
                .values())  # fmt: skip


def _places(settings: Settings) -> Iterator[tuple[str, Any, dict[str, Any]]]:
    """(axis, value, all values) of every point of every panel of a law."""
    for name, values in axes(settings).items():
        for value in values:
            yield name, value, base(settings) | {name: value}


def compute(settings: Settings, cell: Cell, key: jax.Array) -> Arrays:
    """(variants, draws) accuracies of trained networks and closed forms, and certificates."""
    drawn = [_draw(settings, cell, jax.random.fold_in(key, i)) for i in range(settings.draws)]
    return {name: np.array([one[name] for one in drawn]).T for name in drawn[0]}


def _draw(settings: Settings, cell: Cell, key: jax.Array) -> dict[str, list[float]]:
    keys = jax.random.split(key, 3)
    n, n_adv, d = cell["n"], cell["n_adv"], cell["d"]
    s = learning.samples(keys[0], cell["law"], n, n_adv, d)
    on_log = settings.descend == "log loss"
    f = learning.fit(keys[1], s.x, s.y, settings, on_log=on_log)
    found: dict[str, list[float]] = {"trained": [], "closed": [], "certified": [], "margin": []}
    for norm in VARIANTS:
        seen = s.noise
        if norm != NOISE:
            seen = seen + learning.attack(
                f.params, s.noise, s.target, step_or_size(settings, norm, d, cell["factor"]),
                norm=norm, slope=settings.slope, steps=settings.attack_steps,
                fraction=share(settings, cell["factor"]),
                published=settings.attacks == "published", box=box(settings, cell["law"]),
            )  # fmt: skip
        g = learning.fit(keys[2], seen, s.target, settings, on_log=on_log)
        trained, closed = _accuracies(g, s.x, s.y, settings.slope)
        found["trained"].append(float(trained))
        found["closed"].append(float(closed))
        found["certified"].append(float(f.certified & g.certified))
        found["margin"].append(float(jnp.minimum(f.margin, g.margin)))
    return found


@functools.partial(jax.jit, static_argnames="slope")
@jax.default_matmul_precision("highest")
def _accuracies(
    g: learning.Fitted, x: jax.Array, y: jax.Array, slope: float
) -> tuple[jax.Array, jax.Array]:
    """Shares of the clean samples that the trained network and the closed form get right."""
    trained = y * learning.outputs(g.params, x, slope) > 0
    return jnp.mean(trained, dtype=x.dtype), jnp.mean(y * (x @ g.normal) > 0, dtype=x.dtype)


def table(settings: Settings, results: Results) -> pd.DataFrame:
    """One row for each point of each panel and each kind of perturbation."""
    found = {(cell["law"], *(cell[name] for name in AXES)): arrays for cell, arrays in results}
    rows = []
    for law in settings.laws:
        for axis, value, at in _places(settings):
            arrays = found[law, *(at[name] for name in AXES)]
            mean, error = mean_and_error(arrays["trained"], axis=1)
            closed, _ = mean_and_error(arrays["closed"], axis=1)
            apart, apart_error = mean_and_error(arrays["trained"] - arrays["closed"], axis=1)
            certified = arrays["certified"].mean(1)
            for i, norm in enumerate(VARIANTS):
                rows.append(
                    {"law": law, "axis": axis, "value": value}
                    | at
                    | {
                        "norm": norm,
                        "mean": mean[i],
                        "standard_error": error[i],
                        "draws": arrays["trained"].shape[1],
                        "closed_form": closed[i],
                        "trained_less_closed": apart[i],
                        "trained_less_closed_error": apart_error[i],
                        "predicted": predicted(settings, law, norm, at),
                        "equal_multipliers": equal_multipliers(settings, law, norm, at),
                        "load": load(settings, law, norm, at),
                        "certified": certified[i],
                        # ½ for pure noise needs no certificate: labels know nothing of samples.
                        "held": norm == NOISE or certified[i] == 1,
                    }
                )
    return pd.DataFrame(rows).replace({np.nan: None})


def cost(settings: Settings, cell: Cell) -> float:
    """Steps of training and attacks."""
    n, n_adv, d, m = cell["n"], cell["n_adv"], cell["d"], settings.m
    training = settings.steps * m * (n**2 + len(VARIANTS) * n_adv**2)
    solving = len(VARIANTS) * (n_adv**3 + n_adv**2 * d)
    return training + solving + 2 * len(NORMS) * settings.attack_steps * n_adv * d * m


def floats(settings: Settings, cell: Cell) -> int:
    """See `learning.floats`."""
    n, n_adv = cell["n"], cell["n_adv"]
    return learning.floats(n + n_adv, max(n, n_adv), settings.m, cell["d"])


FIGURE = Figure(
    name="orthogonal-accuracy",
    source="Kumano et al. 2024a, section 5, noise samples",
    shows="accuracy on clean samples of networks trained on perturbed noise, over n_adv, n, d, ε",
    quick=Settings(draws=8),
    paper=Settings(
        n=1000,
        n_adv=10_000,
        d=10_000,
        m=1000,
        slope=0.01,
        linf=0.03,
        l0=0.3,
        attacks="published",
        attack_steps=100,
        descend="loss",
        learning_rate=0.01,
        steps=100_000,
        ns=(100, 300, 1000, 3000),
        n_advs=(100, 300, 1000, 3000, 10_000),
        dimensions=(500, 1000, 2000, 5000, 10_000),
        factors=(0.1, 0.3, 1.0, 3.0),
        draws=3,
    ),
    cells=cells,
    compute=compute,
    table=table,
    cost=cost,
    floats=floats,
    minutes={"quick": 0.8, "paper": None},
)
