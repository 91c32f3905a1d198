"""Pictures of perturbations of images: predicted, and found by attacks (K24a)."""

import functools
import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd

from experiments.datasets import sources
from experiments.figures.figure import Arrays, Cell, Figure, Results, Row, numbered
from experiments.figures.orthogonal import learning
from theory import fields
from theory.certificates.max_margin import support_vectors
from theory.data.sampling import Dataset, draw
from theory.networks.network import Params
from theory.parameters import parameter
from theory.perturbations.attacks import NORMS, geometry_inspired, gradient_perturbations, unit_rows

GRADIENT = "gradient"  # one ℓ₂ step of length ε along the gradient
ATTACKS = (*NORMS, GRADIENT)


class Settings(learning.NetworkSettings):
    """Attacks on networks trained on images of two kinds, towards the other kind."""

    data: Any = parameter(
        sources.DIGITS, "images of two kinds", choices=(sources.DIGITS,), accepts=(Dataset,)
    )
    n: int = fields.points(16, "training images", low=2)
    l2: float = parameter(
        0.78, f"ℓ₂ size at d = {learning.PUBLISHED_D}, scaled with √d", low=0, open_low=True
    )
    linf: float = parameter(0.03, "ℓ∞ size", low=0, open_low=True)
    l0: float = parameter(0.03, "ℓ₀: by how much pixels change", low=0, open_low=True)
    fraction: float = fields.sparse_share(0.05, "share of the pixels that ℓ₀ may change")


def dataset(settings: Settings) -> Dataset:
    """The images."""
    if isinstance(settings.data, Dataset):
        return settings.data
    found = sources.load(settings.data)
    assert isinstance(found, Dataset)
    return found


def image_shape(d: int) -> tuple[int, ...]:
    """(H, W) or (H, W, 3) of images of d numbers."""
    side = math.isqrt(d)
    if side * side == d:
        return (side, side)
    if d == 3 * 32 * 32:
        return (32, 32, 3)
    raise ValueError(f"data must be square grey images or 32×32 in colour, got d = {d} numbers")


def cells(settings: Settings) -> list[Row]:
    """One for each draw of training images."""
    images = dataset(settings)
    image_shape(images.x.shape[1])
    if settings.n > len(images.x):
        raise ValueError(f"n must be at most {len(images.x)} for {images.name}, got {settings.n}")
    return [{"draw": i} for i in numbered("draws", settings.draws)]


def compute(settings: Settings, cell: Cell, key: jax.Array) -> Arrays:
    """Cosines of each attack with its prediction, and perturbations of one image of either kind.

    The limit of training is itself a network, of two neurons u₊ and u₋: attacks on it are what
    the theory predicts of attacks on the trained network. Cosines are over the pixels that are not
    0 in all training images: of the others training learns nothing, and the sign that ℓ∞ takes
    there is that of the initial weights, however small they are beside the trained ones.
    """
    key_data, key_fit = jax.random.split(jax.random.fold_in(key, cell["draw"]))
    x, y, _, _ = draw(key_data, dataset(settings), settings.n, queries=0)
    slope = settings.slope
    active = support_vectors(np.asarray(x), np.asarray(y), slope)
    f = learning.fit(key_fit, x, y, settings, jnp.asarray(active))
    limit = _limiting_network(f.multipliers, x, y, slope)
    found: dict[str, Any] = {"certified": float(f.certified), "margin": float(f.margin)}
    shown = [int(np.argmax(np.asarray(y) > 0)), int(np.argmax(np.asarray(y) < 0))]
    found["image"] = np.asarray(x)[shown]
    found["label"] = np.asarray(y)[shown]
    seen = jnp.any(x != 0, axis=0).astype(x.dtype)
    for name in ATTACKS:
        attack, inspired = _attack(settings, name, x, -y, f.normal)
        whole = attack(f.params)
        measured, predicted = whole * seen[None, :], attack(limit)
        found[f"{name} cosine"] = _cosines(measured, inspired)
        found[f"{name} predicted"] = _cosines(predicted, inspired)
        found[f"{name} direct"] = _cosines(measured, predicted)
        found[f"{name} inspired"] = np.asarray(inspired)[shown]
        found[f"{name} found"] = np.asarray(whole)[shown]
        found[f"{name} shown"] = found[f"{name} cosine"][shown]
    return {name: np.asarray(value) for name, value in found.items()}


def _limiting_network(multipliers: jax.Array, x: jax.Array, y: jax.Array, slope: float) -> Params:
    """½(φ(⟨u₊, z⟩) − φ(⟨u₋, z⟩)) with its two neurons."""
    positive, negative = (jnp.where(y * s > 0, multipliers, 0) for s in (1, -1))
    w = jnp.stack([(positive - slope * negative) @ x, (negative - slope * positive) @ x])
    return Params(w, jnp.zeros(2, x.dtype), jnp.array([0.5, -0.5], x.dtype))


def _attack(
    settings: Settings, name: str, x: jax.Array, target: jax.Array, normal: jax.Array
) -> tuple[Callable[[Params], jax.Array], jax.Array]:
    """Network → perturbations, and the geometry-inspired ones of the same norm and size."""
    norm = "l2" if name == GRADIENT else name
    epsilon = float(getattr(settings, norm))
    if norm == "l2":
        epsilon *= (x.shape[1] / learning.PUBLISHED_D) ** 0.5
    inspired = geometry_inspired(normal, target, epsilon, norm=norm, fraction=settings.fraction)
    if name == GRADIENT:
        return lambda net: gradient_perturbations(net, x, target, epsilon, settings.slope), inspired
    attack = functools.partial(
        learning.attack, points=x, target=target, epsilon=epsilon, norm=norm, slope=settings.slope,
        steps=settings.attack_steps, fraction=settings.fraction,
    )  # fmt: skip
    return attack, inspired


def _cosines(r: jax.Array, s: jax.Array) -> np.ndarray:
    """(n,) cosines between rows."""
    return np.asarray(jnp.sum(unit_rows(r) * unit_rows(s), axis=1))


def table(settings: Settings, results: Results) -> pd.DataFrame:
    """Rows of two kinds.

    "cosine": mean over the images of a draw of cos(attack, geometry-inspired perturbation), on the
    trained network and predicted, and of cos(attack, predicted attack).
    "pixel": the pictures of the first draw, by image and what they show, with their cosine.
    """
    rows: list[Row] = []
    for cell, arrays in results:
        for name in ATTACKS:
            rows.append(
                {
                    "kind": "cosine",
                    "draw": cell["draw"],
                    "attack": name,
                    "mean": float(arrays[f"{name} cosine"].mean()),
                    "predicted": float(arrays[f"{name} predicted"].mean()),
                    "to_predicted": float(arrays[f"{name} direct"].mean()),
                    "held": bool(arrays["certified"]),
                }
            )
    first = results[0][1]
    for i, label in enumerate(first["label"]):
        pictures: dict[tuple[str, str], Any] = {("none", "image"): (first["image"][i], None)}
        for name in ATTACKS:
            cosine = float(first[f"{name} shown"][i])
            pictures[name, "geometry"] = (first[f"{name} inspired"][i], None)
            pictures[name, "attack"] = (first[f"{name} found"][i], cosine)
        for (name, shows), (values, cosine) in pictures.items():
            rows += [
                {"kind": "pixel", "label": float(label), "attack": name, "shows": shows,
                 "pixel": pixel, "value": float(value), "cosine": cosine}
                for pixel, value in enumerate(values)
            ]  # fmt: skip
    found = pd.DataFrame(rows)
    return found.astype(object).where(found.notna(), None)


def cost(settings: Settings, cell: Cell) -> float:
    """The same for each draw."""
    return 1.0


def floats(settings: Settings, cell: Cell) -> int:
    """See `learning.floats`."""
    d = dataset(settings).x.shape[1]
    return learning.floats(settings.n, settings.n, settings.m, d)


FIGURE = Figure(
    name="orthogonal-perturbations",
    source="Kumano et al. 2024a, perturbations of images",
    shows="geometry-inspired perturbations beside those found by attacks, ℓ₀, ℓ₂, ℓ∞",
    quick=Settings(draws=40, steps=4000, learning_rate=0.3),
    paper=Settings(
        n=100, m=1000, slope=0.01, attack_steps=100, steps=5000, learning_rate=0.3, draws=10
    ),
    cells=cells,
    compute=compute,
    table=table,
    cost=cost,
    floats=floats,
    minutes={"quick": 0.2, "paper": None},
)
