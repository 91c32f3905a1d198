"""Accuracy on clean samples of networks that saw perturbed noise only (K24a)."""

import functools
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd

from experiments.figures import orthogonal_learning as learning
from experiments.figures.figure import Arrays, Cell, Figure, Results, mean_and_error, numbers
from theory.alignment import normal_cosine
from theory.attacks import NORMS
from theory.parameters import parameter
from theory.perturbed import noise_accuracy

NOISE = "none"  # noise samples with the same labels and no perturbation
VARIANTS = (*NORMS, NOISE)
AXES = {"n_adv": int, "n": int, "d": int, "factor": float}


class Settings(learning.NetworkSettings):
    """Each axis is swept with the others at their base values."""

    laws: str = parameter("uniform,gaussian", "laws of all samples")
    n: int = parameter(50, "clean samples, even", low=2, even=True)
    n_adv: int = parameter(100, "noise samples that are perturbed", low=1)
    d: int = parameter(4000, "dimension", low=1)
    ns: str = parameter("50,100,200", "clean samples n, swept")
    n_advs: str = parameter("50,100,200", "noise samples n_adv, swept")
    dimensions: str = parameter("1000,2000,4000", "dimensions d, swept")
    factors: str = parameter("0.5,1,2", "factors on all sizes ε, swept")
    l2: float = parameter(
        0.78, f"ℓ₂ size at d = {learning.PUBLISHED_D}, scaled with √d", low=0, open_low=True
    )
    linf: float = parameter(0.015, "ℓ∞ size", low=0, open_low=True)
    l0: float = parameter(
        0.035, "ℓ₀: by how much coordinates change; 0.035 makes it as long as ℓ₂", low=0,
        open_low=True,
    )  # fmt: skip
    fraction: float = parameter(
        0.05, "share of the coordinates that ℓ₀ may change", low=0, high=1, open_low=True
    )


def axes(settings: Settings) -> dict[str, tuple[Any, ...]]:
    """Axis → its values in order, the base value among them."""
    swept = {"n_adv": "n_advs", "n": "ns", "d": "dimensions", "factor": "factors"}
    return {
        name: tuple(
            sorted({*numbers(field, getattr(settings, field), AXES[name]), base(settings)[name]})
        )
        for name, field in swept.items()
    }


def base(settings: Settings) -> dict[str, Any]:
    """The values of the axes that are not swept."""
    return {"n_adv": settings.n_adv, "n": settings.n, "d": settings.d, "factor": 1.0}


def laws(settings: Settings) -> tuple[str, ...]:
    """The laws, each checked."""
    names = tuple(word.strip() for word in settings.laws.split(","))
    for name in names:
        if name not in learning.MEAN_SQUARES:
            known = ", ".join(learning.MEAN_SQUARES)
            raise ValueError(f"laws must be some of {known}, separated by commas; got {name!r}")
    return names


def size(settings: Settings, norm: str, d: int, factor: float) -> float:
    """ε of a norm in dimension d."""
    root = (d / learning.PUBLISHED_D) ** 0.5 if norm == "l2" else 1.0
    return float(getattr(settings, norm)) * factor * root


def predicted(settings: Settings, law: str, norm: str, at: dict[str, Any]) -> float:
    """`orthogonal.noise-accuracy` for the geometry-inspired perturbations of a norm."""
    if norm == NOISE:
        return 0.5
    d, fraction = at["d"], settings.fraction
    coordinates = {"l2": 1.0, "linf": d, "l0": fraction * d}[norm]
    length = size(settings, norm, d, at["factor"]) * coordinates**0.5
    radius = (learning.MEAN_SQUARES[law] * d) ** 0.5
    cosine = normal_cosine(norm, fraction)
    return noise_accuracy(at["n"], at["n_adv"], d, length, radius, settings.slope, cosine)


def cells(settings: Settings) -> list[dict[str, Any]]:
    """One for each law and each point of an axis; the base point once."""
    points = [base(settings) | {name: value} for name, value, _ in _places(settings)]
    return list({str(c): c for law in laws(settings) for c in ({"law": law} | p for p in points)}
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
    f = learning.fit(keys[1], s.x, s.y, settings)
    found: dict[str, list[float]] = {"trained": [], "closed": [], "certified": [], "margin": []}
    for norm in VARIANTS:
        seen = s.noise
        if norm != NOISE:
            seen = seen + learning.attack(
                f.params, s.noise, s.target, size(settings, norm, d, cell["factor"]),
                norm=norm, slope=settings.slope, steps=settings.attack_steps,
                fraction=settings.fraction,
            )  # fmt: skip
        g = learning.fit(keys[2], seen, s.target, settings)
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
    for law in laws(settings):
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
                        "second_order": 0.0 if norm == NOISE else second_order(at),
                        "certified": certified[i],
                        # ½ for pure noise needs no certificate: labels know nothing of samples.
                        "held": norm == NOISE or certified[i] == 1,
                    }
                )
    return pd.DataFrame(rows).replace({np.nan: None})


def second_order(at: dict[str, Any]) -> float:
    """((n + n_adv)/d)², the order of what the formula leaves out."""
    return ((at["n"] + at["n_adv"]) / at["d"]) ** 2


def cost(settings: Settings, cell: Cell) -> float:
    """Steps of training and attacks."""
    n, n_adv, d, m = cell["n"], cell["n_adv"], cell["d"], settings.m
    training = settings.steps * m * (n**2 + len(VARIANTS) * n_adv**2)
    solving = len(VARIANTS) * (n_adv**3 + n_adv**2 * d)
    return training + solving + 2 * len(NORMS) * settings.attack_steps * n_adv * d * m


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
        attack_steps=100,
        steps=1000,
        ns="100,300,1000,3000",
        n_advs="100,300,1000,3000,10000",
        dimensions="500,1000,2000,5000,10000",
        factors="0.1,0.3,1,3",
        draws=3,
    ),
    cells=cells,
    compute=compute,
    table=table,
    cost=cost,
    minutes={"quick": 0.8, "paper": None},
)
