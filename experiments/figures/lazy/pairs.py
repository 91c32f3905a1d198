"""What the maps of K24b share: pairs of networks, a plane to see them on, maps as table rows.

A map is stored as one row of the table for each line of the grid, its signs written + and −, and a
zero set as one row a vertex: the pictures need no more, and a grid of numbers would be a hundred
times larger.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import contourpy
import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from jaxtyping import Array

from experiments.figures.figure import Row
from theory._types import Real
from theory.infinite_width import maps
from theory.networks.descent import Descent
from theory.networks.network import Network, Params, init
from theory.networks.training import cheapest_space, train
from theory.perturbations.attacks import gradient_perturbations

VERTICES = 100  # of one piece of a zero set, at most


class Pair(NamedTuple):
    """f trained on clean data, and g trained on its perturbations.

    seen: (n, d) what g was trained on.  target: (n,) its labels y'.
    """

    f: Params
    g: Params
    seen: Array
    target: Array


def train_pair(
    key: Array, network: Network, m: int, x: Array, y: Array, descents: tuple[Descent, Descent],
    epsilon: Real, kept: Any,
) -> Pair:  # fmt: skip
    """One pair of networks of width m under the identity loss.

    Args:
      key: random key of both initializations and of the labels y'.
      network: the parameterization.
      m: width.
      x, y: (n, d) training points, (n,) labels ±1.
      descents: how f and g are trained.
      epsilon: size ε of the perturbations.
      kept: 0 where g sees perturbations alone (scenario a), 1 where it sees perturbed samples (b).
    """
    n, d = x.shape
    key_f, key_g, key_target = jax.random.split(key, 3)
    target = jax.random.rademacher(key_target, (n,), x.dtype)

    def fit(key: Array, points: Array, labels: Array, descent: Descent) -> Params:
        space = cheapest_space(network, descent, n, d, m)
        return train(network, init(network, key, m, d), points, labels, descent, space=space).params

    f = fit(key_f, x, y, descents[0])
    seen = kept * x + epsilon * gradient_perturbations(f, x, target, 1.0, network.slope)
    return Pair(f, fit(key_g, seen, target, descents[1]), seen, target)


class View(NamedTuple):
    """The plane of the class means and a square grid on it, axis (a,) for both coordinates."""

    plane: maps.Plane
    axis: Array


def view(x: Array, y: Array, grid: int, extent: float) -> View:
    """The square |α|, |β| ≤ extent × the root mean square norm of the points."""
    half = extent * jnp.sqrt(jnp.mean(jnp.sum(x**2, axis=1)))
    return View(maps.class_means_axes(x, y), jnp.linspace(-half, half, grid))


def class_means(x: Array, y: Array, plane: maps.Plane) -> np.ndarray:
    """(2, 2): α and β of the means of the classes +1 and −1."""
    means = [jnp.mean(x[np.asarray(y) == label], axis=0) for label in (1, -1)]
    return np.array([[mean @ plane.u, mean @ plane.v] for mean in means])


def region_rows(axis: np.ndarray, values: np.ndarray) -> Iterator[Row]:
    """A map (α, β) of numbers as its signs: a row for each β, one character for each α."""
    for beta, line in zip(axis, (np.asarray(values) >= 0).T, strict=True):
        yield {"beta": float(beta), "signs": "".join("+" if positive else "-" for positive in line)}


def region(rows: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """The axis, and the map (β, α) of `region_rows`, True where it is positive."""
    signs = [[sign == "+" for sign in line] for line in rows["signs"]]
    return rows["beta"].to_numpy(), np.array(signs)


def curve_rows(axis: np.ndarray, values: np.ndarray) -> Iterator[Row]:
    """The zero set of a map (α, β): a row for each vertex of each of its pieces."""
    lines = contourpy.contour_generator(axis, axis, np.asarray(values, float).T).lines(0.0)
    for piece, line in enumerate(lines):
        kept = np.unique(np.linspace(0, len(line) - 1, VERTICES).round().astype(int))
        for alpha, beta in np.asarray(line)[kept]:
            yield {"piece": piece, "alpha": float(alpha), "beta": float(beta)}


def curves(rows: pd.DataFrame) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The pieces of a zero set."""
    for _, piece in rows.groupby("piece"):
        yield piece["alpha"].to_numpy(), piece["beta"].to_numpy()
