"""Labelled data: synthetic distributions as pure samplers, and samples of given data."""

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.core
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from theory._kinds import random_key, text
from theory._scaling import scaled_rows
from theory._types import AnyArray, Real
from theory._validation import (
    LARGEST,
    as_integers,
    as_reals,
    check_choice,
    check_integer,
    check_labels,
    check_points,
    check_real,
    takes_arrays,
)
from theory.parameters import parameter


class Sample(NamedTuple):
    """Training points with labels, and query points with labels.

    x: (n, d).  y: (n,) ±1.  z: (q, d) queries.  z_label: (q,) ±1.
    """

    x: Float[Array, "n d"]
    y: Float[Array, " n"]
    z: Float[Array, "q d"]
    z_label: Float[Array, " q"]

    @property
    def points(self) -> "Points":
        """Without the labels of the queries."""
        return Points(self.x, self.y, self.z)


class Points(NamedTuple):
    """A `Sample` without the labels of its queries.  x: (n, d).  y: (n,) ±1.  z: (q, d)."""

    x: Float[Array, "n d"]
    y: Float[Array, " n"]
    z: Float[Array, "q d"]


@dataclasses.dataclass(frozen=True, eq=False)
class Dataset:
    """Given data, from which training and query points are sampled without replacement.

    Attributes:
      name: what to call it in reports.
      x: (N, d) finite floats.
      y: (N,) labels −1 or +1, both present.
      classes: (N,) classes 0, 1, 2, … for statements about several; None where y is all there is.

    Raises:
      ValueError: if x is no finite non-empty matrix or y is not one label ±1 per row, with both
        classes present, or classes are not one integer ≥ 0 per row.
    """

    name: str
    x: np.ndarray
    y: np.ndarray
    classes: np.ndarray | None = None

    def __post_init__(self) -> None:
        text("name", self.name)
        check_points("x", self.x)
        check_labels("y", self.y, len(self.x), both=True)
        if self.classes is not None:
            found = np.asarray(self.classes)
            whole = found.dtype.kind in "iu" and not np.ma.is_masked(self.classes)
            if not whole or found.shape != (len(self.x),) or found.min() < 0:
                raise ValueError(
                    f"classes must be {len(self.x)} integers ≥ 0, one per point, got shape "
                    f"{found.shape} of {found.dtype}"
                )

    def __str__(self) -> str:
        return self.name


def balanced_labels(key: Array, n: int) -> Float[Array, " n"]:
    """n labels +1, −1, +1, … or −1, +1, −1, …: balanced, and random in which class comes first.

    The order carries nothing where the points are exchangeable; labels that must be independent of
    others (`y'` of K24b) are drawn by `jax.random.rademacher` instead.

    Raises:
      ValueError: if n is no integer ≥ 0, or the key is none.
    """
    random_key("key", key)
    check_integer("n", n, low=0, high=LARGEST)
    return jnp.where(jnp.arange(n) % 2 == 0, 1.0, -1.0) * jax.random.rademacher(key, (), float)


@takes_arrays
def near_orthogonal(
    key: Array, n: int, d: int, p_max: Real, radius: Real = 1.0
) -> Float[Array, "n d"]:
    """n points of norm `radius` whose largest |⟨x_j, x_k⟩|, j ≠ k, equals `p_max`.

    A Gram matrix with radius² on the diagonal and random entries off it, uniform in
    [−p_max, p_max] and rescaled so that the largest is p_max, is factorized and rotated at random.

    Args:
      key: random key.
      n, d: number of points and dimension, n ≤ d.
      p_max: ≥ 0 and < radius²/(n − 1), which makes the Gram matrix positive definite.
      radius: the norm.

    Returns:
      (n, d) points.

    Raises:
      ValueError: if n > d, or p_max is outside its range.
    """
    check_integer("d", d, high=LARGEST)
    if n > d:
        raise ValueError(f"n must be at most d = {d} for near-orthogonal points, got {n}")
    if n > 1 and not isinstance(p_max, jax.core.Tracer) and not isinstance(radius, jax.core.Tracer):
        check_real("radius", radius, low=0, open_low=True)
        check_real("p_max", p_max, low=0, high=float(radius) ** 2 / (n - 1), open_high=True)
    key_gram, key_rotation = jax.random.split(key)
    raw = jnp.triu(jax.random.uniform(key_gram, (n, n), minval=-1.0), 1)
    off_diagonal = (raw + raw.T) / jnp.maximum(jnp.max(jnp.abs(raw)), jnp.finfo(raw.dtype).tiny)
    gram = radius**2 * jnp.eye(n) + p_max * off_diagonal
    basis, triangle = jnp.linalg.qr(jax.random.normal(key_rotation, (d, n)))
    # The signs of Householder's method would bias the rotation.
    basis = basis * jnp.sign(jnp.diagonal(triangle))[None, :]
    return jnp.linalg.cholesky(gram) @ basis.T


SHIFT = 0.3  # mean of every coordinate of class ±1 in "shifted-gaussian" (K24b)


def _gaussian(key: Array, y: Array, d: int, separation: Real, p_max: Real) -> Array:
    return jax.random.normal(key, (len(y), d))


def _shifted_gaussian(key: Array, y: Array, d: int, separation: Real, p_max: Real) -> Array:
    return SHIFT * y[:, None] + jax.random.normal(key, (len(y), d))


def _separated_gaussian(key: Array, y: Array, d: int, separation: Real, p_max: Real) -> Array:
    return jax.random.normal(key, (len(y), d)).at[:, 0].add(separation * y)


def _uniform(key: Array, y: Array, d: int, separation: Real, p_max: Real) -> Array:
    return jax.random.uniform(key, (len(y), d), minval=-1.0, maxval=1.0)


def _sphere(key: Array, y: Array, d: int, separation: Real, p_max: Real) -> Array:
    return to_sphere(jax.random.normal(key, (len(y), d)))


def _orthogonal(key: Array, y: Array, d: int, separation: Real, p_max: Real) -> Array:
    return near_orthogonal(key, len(y), d, 0.0, d**0.5)


def _near_orthogonal(key: Array, y: Array, d: int, separation: Real, p_max: Real) -> Array:
    return near_orthogonal(key, len(y), d, p_max * d, d**0.5)


DISTRIBUTIONS: dict[str, tuple[Callable[..., Array], str]] = {
    "gaussian": (_gaussian, "x ~ N(0, I), labels random"),
    "shifted-gaussian": (_shifted_gaussian, "x ~ N(±0.3·1, I) for labels ±1"),
    "separated-gaussian": (_separated_gaussian, "x = y·separation·e₁ + N(0, I)"),
    "uniform": (_uniform, "x ~ U([−1, 1]^d), labels random"),
    "orthogonal": (_orthogonal, "exactly orthogonal x of norm √d, labels random; n ≤ d"),
    "near-orthogonal": (_near_orthogonal, "x of norm √d, max |⟨x_j, x_k⟩| = p_max·d; n ≤ d"),
    "sphere": (_sphere, "x uniform on the sphere of radius √d, labels random"),
}
_DESIGNS = ("orthogonal", "near-orthogonal")  # made as a whole: queries are drawn from the sphere


def data_parameter(default: str, doc: str = "law of the points") -> Any:
    """The field `data` of a configuration: a name in `DISTRIBUTIONS`, or a `Dataset`."""
    return parameter(default, doc, choices=tuple(DISTRIBUTIONS), accepts=(Dataset,))


@takes_arrays
def to_sphere(x: Float[AnyArray, "n d"]) -> Float[Array, "n d"]:
    """The points scaled to norm √d (points at the origin stay there)."""
    x, _ = scaled_rows(x)
    norms = jnp.linalg.norm(x, axis=1, keepdims=True)
    return x * (x.shape[1] ** 0.5 / jnp.where(norms > 0, norms, 1))


@takes_arrays
def draw(
    key: Array,
    source: str | Dataset,
    n: int,
    d: int | None = None,
    *,
    queries: int = 1,
    separation: Real = 4.0,
    p_max: Real = 0.01,
) -> Sample:
    """Training points and query points, independent of everything else.

    Args:
      key: random key.
      source: the name of a distribution in `DISTRIBUTIONS`, or a `Dataset`.
      n: number of training points, ≥ 1.
      d: dimension, ≥ 1; for a `Dataset` it is the data's, and d may be None.
      queries: number of query points, ≥ 0. They follow the law of the training points and are
        independent of them; for orthogonal designs they are uniform on the sphere of radius √d;
        from a `Dataset` they are other rows than the training points.
      separation: of "separated-gaussian", in standard deviations.
      p_max: of "near-orthogonal", relative to the squared norm d.

    Returns:
      A `Sample`. Labels are balanced; from a `Dataset` they are the rows' own.

    Raises:
      ValueError: for an unknown source, sizes below their minimum, more rows than a data set has,
        or a dimension that is not the data set's.
    """
    check_integer("n", n, high=LARGEST)
    check_integer("queries", queries, low=0, high=LARGEST)
    if isinstance(source, Dataset):
        picks = _rows(key, source, n, d, queries)
        x, y = (as_reals("x", part).astype(float)[picks] for part in (source.x, source.y))
        return Sample(x[:n], y[:n], x[n:], y[n:])
    check_choice("data", source, DISTRIBUTIONS)
    d = check_integer("d", d, high=LARGEST)
    sampler, _ = DISTRIBUTIONS[source]
    key_y, key_label, key_x, key_z = jax.random.split(key, 4)
    y, z_label = balanced_labels(key_y, n), balanced_labels(key_label, queries)
    if source in _DESIGNS:
        x = sampler(key_x, y, d, separation, p_max)
        z = _sphere(key_z, z_label, d, separation, p_max) if queries else jnp.zeros((0, d))
        return Sample(x, y, z, z_label)
    points = sampler(key_x, jnp.concatenate([y, z_label]), d, separation, p_max)
    return Sample(points[:n], y, points[n:], z_label)


class ClassSample(NamedTuple):
    """Training and query points of several classes.

    x: (n, d).  labels: (n,) classes 0 … C − 1.  z: (q, d) queries.  z_labels: (q,) classes.
    """

    x: Float[Array, "n d"]
    labels: Int[Array, " n"]
    z: Float[Array, "q d"]
    z_labels: Int[Array, " q"]


MIXTURE = "mixture"


@takes_arrays
def draw_classes(
    key: Array,
    source: str | Dataset,
    n: int,
    d: int | None = None,
    *,
    classes: int,
    queries: int = 1,
    separation: Real = 1.5,
) -> ClassSample:
    """Training points and query points of C classes.

    Args:
      key: random key.
      source: "mixture", x = μ_c + N(0, I) with μ_c ~ N(0, separation²I/d) drawn once; or a
        `Dataset`, with its `classes`, or else the classes 0 (y = −1) and 1 (y = +1).
      n: number of training points, ≥ 1.
      d: dimension, ≥ 1; for a `Dataset` it is the data's, and d may be None.
      classes: C ≥ 2; the data's must be below it.
      queries: number of query points, ≥ 1: of the same law, or other rows of the `Dataset`.
      separation: root mean square norm of the class means, in standard deviations of the noise.

    Returns:
      A `ClassSample`; the classes of a mixture are equally likely.

    Raises:
      ValueError: for an unknown source, sizes out of range, or more classes than stated.
    """
    check_integer("n", n, high=LARGEST)
    check_integer("queries", queries, high=LARGEST)
    check_integer("classes", classes, low=2, high=LARGEST)
    if isinstance(source, Dataset):
        own = (source.y > 0).astype(int) if source.classes is None else source.classes
        if own.max() >= classes:
            raise ValueError(
                f"classes must be at least {own.max() + 1} for {source.name}, got {classes}"
            )
        picks = _rows(key, source, n, d, queries)
        points = as_reals("x", source.x).astype(float)[picks]
        labels = as_integers("classes", own)[picks]
        return ClassSample(points[:n], labels[:n], points[n:], labels[n:])
    check_choice("data", source, (MIXTURE,))
    d = check_integer("d", d, high=LARGEST)
    key_points, key_labels = jax.random.split(key)
    normal = jax.random.normal(key_points, (classes + n + queries, d))
    labels = jax.random.randint(key_labels, (n + queries,), 0, classes)
    points = separation / d**0.5 * normal[:classes][labels] + normal[classes:]
    return ClassSample(points[:n], labels[:n], points[n:], labels[n:])


def _rows(key: Array, source: Dataset, n: int, d: int | None, queries: int) -> Array:
    """n + queries different rows of a data set of dimension d."""
    rows, columns = source.x.shape
    if d is not None and d != columns:
        raise ValueError(f"d must be {columns}, the dimension of {source.name}, got {d}")
    if n + queries > rows:
        raise ValueError(
            f"n + queries must be at most {rows}, the rows of {source.name}, got {n} + {queries}"
        )
    return jax.random.permutation(key, rows)[: n + queries]
