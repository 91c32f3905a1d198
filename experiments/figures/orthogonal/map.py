"""Decision boundaries of networks trained on more and more perturbed noise (K24a)."""

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd

from experiments.figures.figure import Arrays, Cell, Figure, Results, Row
from experiments.figures.orthogonal import learning
from experiments.results.summaries import mean_and_error
from theory import fields
from theory.networks.network import Params, outputs
from theory.parameters import parameter
from theory.perturbations.attacks import unit_rows
from theory.perturbations.effects import plane_agreement

DIRECTIONS = 720  # of the plane: without biases, outputs grow in proportion along rays


class Settings(learning.NetworkSettings):
    """ℓ₂ perturbations of nested sets of noise samples."""

    law: str = parameter("uniform", "law of all samples", choices=tuple(learning.MEAN_SQUARES))
    n: int = fields.points(50, "clean samples, even", even=True)
    n_advs: tuple[int, ...] = fields.axis((2, 8, 32, 128), "noise samples n_adv")
    d: int = fields.dimension(4000)
    l2: float = parameter(
        0.78, f"ℓ₂ size at d = {learning.PUBLISHED_D}, scaled with √d", low=0, open_low=True
    )


def counts(settings: Settings) -> tuple[int, ...]:
    """The numbers of noise samples, in order."""
    return tuple(sorted(settings.n_advs))


def size(settings: Settings) -> float:
    """ε in the dimension of the settings."""
    return settings.l2 * (settings.d / learning.PUBLISHED_D) ** 0.5


def predicted(settings: Settings, n_adv: int) -> float:
    """Share of the directions in the plane in which the signs of f and g agree."""
    radius = (learning.MEAN_SQUARES[settings.law] * settings.d) ** 0.5
    return plane_agreement(n_adv, settings.d, size(settings), radius, settings.slope)


def cells(settings: Settings) -> list[Row]:
    """One for each number of noise samples."""
    return [{"n_adv": n_adv} for n_adv in counts(settings)]


def compute(settings: Settings, cell: Cell, key: jax.Array) -> Arrays:
    """Agreement on the plane of every draw, and all that is drawn of the first."""
    first: dict[str, np.ndarray] = {}
    shares = []
    for i in range(settings.draws):
        keys = jax.random.split(jax.random.fold_in(key, i), 3)
        s = learning.samples(keys[0], settings.law, settings.n, counts(settings)[-1], settings.d)
        noise, target = s.noise[: cell["n_adv"]], s.target[: cell["n_adv"]]
        f = learning.fit(keys[1], s.x, s.y, settings)
        moved = learning.attack(
            f.params, noise, target, size(settings),
            norm="l2", slope=settings.slope, steps=settings.attack_steps, fraction=1.0,
        )  # fmt: skip
        g = learning.fit(keys[2], noise + moved, target, settings)
        plane = _plane(f.params)
        of_f, of_g = (_around(plane, fit.params, settings.slope) for fit in (f, g))
        normals = jnp.stack([f.normal, g.normal]) @ plane.T
        shares.append([_agreement(of_f, of_g), _agreement(*_signs(normals)),
                       float(f.certified & g.certified)])  # fmt: skip
        if i == 0:
            weights = jnp.stack(_mean_weights(f.params)) @ plane.T
            first = {"f": of_f, "g": of_g, "normals": np.asarray(normals),
                     "weights": np.asarray(weights), "samples": np.asarray(s.x @ plane.T),
                     "labels": np.asarray(s.y)}  # fmt: skip
    trained, closed, certified = np.array(shares).T
    return first | {"trained": trained, "closed": closed, "certified": certified}


def angles() -> np.ndarray:
    """(DIRECTIONS,) ω of the directions (cos ω, sin ω), none of them an axis."""
    return (np.arange(DIRECTIONS) + 0.5) * (2 * np.pi / DIRECTIONS) - np.pi


def _mean_weights(params: Params) -> tuple[jax.Array, jax.Array]:
    """Mean hidden weights of the neurons with a_i > 0 and with a_i < 0."""
    positive = (params.a > 0).astype(params.w.dtype)
    negative = 1 - positive
    return positive @ params.w / jnp.sum(positive), negative @ params.w / jnp.sum(negative)


def _plane(params: Params) -> jax.Array:
    """(2, d) an orthonormal basis of their plane: ŵ₊ − ŵ₋ and ŵ₊ + ŵ₋, ŵ the unit vectors."""
    plus, minus = unit_rows(jnp.stack(_mean_weights(params)))
    return unit_rows(jnp.stack([plus - minus, plus + minus]))


def _around(plane: jax.Array, params: Params, slope: float) -> np.ndarray:
    """(DIRECTIONS,) outputs of a network on the unit circle of a plane."""
    w = Params(params.w @ plane.T, params.b, params.a)
    circle = np.stack([np.cos(angles()), np.sin(angles())], axis=1)
    return np.asarray(outputs(w, jnp.asarray(circle, plane.dtype), slope))


def _signs(normals: jax.Array) -> np.ndarray:
    """(2, DIRECTIONS) ⟨q, z⟩ on the circle for two normals (2, 2) in the plane."""
    circle = np.stack([np.cos(angles()), np.sin(angles())])
    return np.asarray(normals, float) @ circle


def _agreement(f: np.ndarray, g: np.ndarray) -> float:
    """Share of the directions in which f and g have the same sign."""
    return float(np.mean((f >= 0) == (g >= 0)))


def table(settings: Settings, results: Results) -> pd.DataFrame:
    """Rows of several kinds.

    "agreement": mean over draws of the share of directions, with prediction and closed form.
    "output": value of f (n_adv = 0) or g in the direction at `angle`, first draw.
    "boundary": angle of the closed form's normal q in the plane, first draw.
    "weights": w̄₊ and w̄₋ (label ±1) at (u, v).  "sample": clean samples there.
    """
    rows: list[Row] = []
    for cell, arrays in results:
        n_adv = cell["n_adv"]
        (mean, closed), (error, _) = mean_and_error([arrays["trained"], arrays["closed"]], axis=1)
        apart, apart_error = mean_and_error(arrays["trained"] - arrays["closed"])
        rows.append(
            {
                "kind": "agreement",
                "n_adv": n_adv,
                "mean": mean,
                "standard_error": error,
                "draws": len(arrays["trained"]),
                "closed_form": closed,
                "trained_less_closed": float(apart),
                "trained_less_closed_error": float(apart_error),
                "predicted": predicted(settings, n_adv),
                "certified": float(arrays["certified"].mean()),
                "held": bool(arrays["certified"].all()),
            }
        )
        rows += _network(n_adv, arrays["g"], arrays["normals"][1])
    arrays = results[0][1]  # of f they are the same in all cells
    rows += _network(0, arrays["f"], arrays["normals"][0])
    for kind, points, labels in (
        ("weights", arrays["weights"], (1.0, -1.0)),
        ("sample", arrays["samples"], arrays["labels"]),
    ):
        rows += [
            {"kind": kind, "u": float(u), "v": float(v), "label": float(label)}
            for (u, v), label in zip(points, labels, strict=True)
        ]
    found = pd.DataFrame(rows)
    return found.astype(object).where(found.notna(), None)


def _network(n_adv: int, values: np.ndarray, normal: np.ndarray) -> list[Row]:
    angle = float(np.arctan2(normal[1], normal[0]))
    rows = [{"kind": "boundary", "n_adv": n_adv, "angle": angle}]
    return rows + [
        {"kind": "output", "n_adv": n_adv, "angle": float(a), "value": float(value)}
        for a, value in zip(angles(), values / np.abs(values).max(), strict=True)
    ]


def cost(settings: Settings, cell: Cell) -> float:
    """Steps of training."""
    return float(settings.n**2 + cell["n_adv"] ** 2)


def floats(settings: Settings, cell: Cell) -> int:
    """See `learning.floats`; every cell draws the largest number of noise samples."""
    points, fitted = settings.n + counts(settings)[-1], max(settings.n, cell["n_adv"])
    return learning.floats(points, fitted, settings.m, settings.d)


FIGURE = Figure(
    name="orthogonal-map",
    source="Kumano et al. 2024a, decision boundaries of noise samples",
    shows="decision boundaries for several n_adv on the plane of mean positive and negative "
    "hidden weights",
    quick=Settings(draws=64),
    paper=Settings(
        n=1000,
        n_advs=(10, 100, 1000, 10_000),
        d=10_000,
        m=1000,
        slope=0.01,
        attack_steps=100,
        steps=1000,
        draws=3,
    ),
    cells=cells,
    compute=compute,
    table=table,
    cost=cost,
    floats=floats,
    minutes={"quick": 0.4, "paper": None},
)
