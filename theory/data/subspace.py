"""Any dimension at the cost of a low one: everything in coordinates of the subspace it spans.

Two-layer networks see inner products only. Data, the weights' components along them and the
gradients at them lie in a subspace of dimension about 2n, in which the isotropic Gaussian weights
are isotropic again; what is left of the weights is independent of everything seen in training and
enters a gradient only by its covariance. So an experiment in dimension d ≥ 2n + q + 1 is equal in
law to one in dimension 2n + q + 1 with weights of variance 1/d.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from theory._types import AnyArray, Real
from theory._validation import LARGEST, check_integer, takes_arrays
from theory.data.sampling import SHIFT, Dataset, Sample, balanced_labels, draw

GAUSSIAN = ("gaussian", "shifted-gaussian", "separated-gaussian", "sphere")


@takes_arrays
def gaussian_rows(key: Array, n: int, d: int) -> Float[Array, "n n"]:
    """n rows N(0, I_d), n ≤ d, in coordinates of an orthonormal basis of their span.

    Gram–Schmidt: entry (j, i < j) is N(0, 1), entry (j, j) the length that is left, χ with d − j
    degrees of freedom, all independent. Source: M. S. Bartlett, 1933.

    Raises:
      ValueError: if n > d.
    """
    check_integer("d", d)
    if n > d:
        raise ValueError(f"n must be at most d = {d}, got {n}")
    key_below, key_length = jax.random.split(key)
    freedom = d - jnp.arange(n, dtype=float)
    length = jnp.sqrt(2 * jax.random.gamma(key_length, freedom / 2))
    return jnp.tril(jax.random.normal(key_below, (n, n)), -1) + jnp.diag(length)


@takes_arrays
def gram_rows(gram: Float[AnyArray, "n n"]) -> Float[Array, "n n"]:
    """Rows with these inner products: coordinates of n points in an n-dimensional subspace.

    By eigenvectors, as the matrix is singular for points that depend on one another.
    """
    values, vectors = jnp.linalg.eigh(gram)
    return vectors * jnp.sqrt(jnp.maximum(values, 0))[None, :]


@takes_arrays
def draw_in_subspace(
    key: Array,
    source: str | Dataset,
    n: int,
    d: int,
    *,
    queries: int = 1,
    separation: Real = 4.0,
) -> Sample:
    """As `theory.data.sampling.draw`, with points in coordinates of a subspace that holds them all.

    Gaussian laws are drawn there, at a cost that does not depend on d; other points are drawn in
    all their coordinates and reduced by their inner products.

    Args:
      key: random key.
      source, n, d, queries, separation: as in `theory.data.sampling.draw`; d > n + queries.

    Returns:
      A `Sample` with n + queries + 1 columns.

    Raises:
      ValueError: as `theory.data.sampling.draw`, or if d ≤ n + queries.
    """
    check_integer("n", n, high=LARGEST)
    check_integer("queries", queries, low=0, high=LARGEST)
    total = n + queries
    check_integer("d", d, low=total + 1)
    if not isinstance(source, str) or source not in GAUSSIAN:
        sample = draw(key, source, n, d, queries=queries, separation=separation)
        points = jnp.concatenate([sample.x, sample.z])
        rows = jnp.pad(gram_rows(points @ points.T), ((0, 0), (0, 1)))
        return Sample(rows[:n], sample.y, rows[n:], sample.z_label)
    key_y, key_label, key_along, key_rows = jax.random.split(key, 4)
    y, z_label = balanced_labels(key_y, n), balanced_labels(key_label, queries)
    # The first basis vector is the direction of the means, the others come from the points.
    mean = {"shifted-gaussian": SHIFT * d**0.5, "separated-gaussian": separation}.get(source, 0.0)
    along = jax.random.normal(key_along, (total,)) + mean * jnp.concatenate([y, z_label])
    rows = jnp.concatenate([along[:, None], gaussian_rows(key_rows, total, d - 1)], axis=1)
    if source == "sphere":
        rows = rows * (d**0.5 / jnp.linalg.norm(rows, axis=1, keepdims=True))
    return Sample(rows[:n], y, rows[n:], z_label)


@takes_arrays
def with_orthogonal_part(
    key: Array, inside: Float[AnyArray, "n r"], gram: Float[AnyArray, "n n"], d: int
) -> Float[Array, "n s"]:
    """Gradients g_k = Σ_i s_ik w_i in the subspace of the points plus their span, s = r + n.

    Given all that training saw, the parts of the weights w_i outside the subspace of the points are
    N(0, I/d) in d − r dimensions, so those of the gradients are Gaussian with covariance
    Σ_i s_ij s_ik/d between g_j and g_k.

    Args:
      key: random key.
      inside: (n, r) the gradients' coordinates in the subspace of the points.
      gram: (n, n) Σ_i s_ij s_ik, s_ik = a_i φ'(h_i(x_k)).
      d: dimension, ≥ r + n.

    Returns:
      (n, r + n) the gradients.
    """
    n, r = inside.shape
    outside = gram_rows(gram / d) @ gaussian_rows(key, n, d - r)
    return jnp.concatenate([inside, outside], axis=1)
