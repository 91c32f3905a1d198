"""Two-dimensional decision maps: infinite-width predictions and networks on a plane of inputs.

On the plane z(α, β) = o + αu + βv all that a prediction needs of a training point x is
⟨x, o⟩, ⟨x, u⟩, ⟨x, v⟩ and where e(x) = (x/√d, 1) points: three coordinates in the span of the
embedded plane, and its distance from that span. So a grid point costs O(n) whatever d is.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from theory._scaling import maximum, power_of_two, scaled_rows
from theory._types import AnyArray, Real
from theory._validation import (
    as_reals,
    check_labels,
    check_points,
    check_slope,
    is_traced,
    takes_arrays,
)
from theory.infinite_width._angles import TILE, angle_from_chords
from theory.infinite_width.kernels import derivative_kernel_at
from theory.networks.embedding import embed
from theory.networks.network import Params, leaky_relu


class Plane(NamedTuple):
    """z(α, β) = o + αu + βv in ℝ^d; make it by `plane`, which checks it.

    u, v: (d,) linearly independent.  origin: (d,) o.
    """

    u: Float[Array, " d"]
    v: Float[Array, " d"]
    origin: Float[Array, " d"]

    def points(self, alpha: Float[Array, " a"], beta: Float[Array, " b"]) -> Float[Array, "a b d"]:
        """The grid z(α_i, β_j) itself, for what has no map of its own."""
        along = alpha[:, None, None] * self.u[None, None, :]
        across = beta[None, :, None] * self.v[None, None, :]
        return self.origin[None, None, :] + along + across


def plane(u: ArrayLike, v: ArrayLike, origin: ArrayLike | None = None) -> Plane:
    """The plane z(α, β) = o + αu + βv.

    Args:
      u, v: (d,) linearly independent directions, of any length.
      origin: (d,) o; default 0.

    Returns:
      The `Plane`.

    Raises:
      ValueError: for vectors of different length, of non-finite numbers, or u and v parallel
        (to a sine of √ε, where rounding starts to show in the map).
    """
    u, v = as_reals("u", u), as_reals("v", v)
    origin = jnp.zeros_like(u) if origin is None else as_reals("origin", origin)
    for name, vector in (("u", u), ("v", v), ("origin", origin)):
        if vector.ndim != 1:
            raise ValueError(f"{name} must be one vector (d,), got shape {vector.shape}")
        check_points(name, vector[None, :], d=len(u))
    if not is_traced(u, v):
        _check_independent(np.asarray(u, np.float64), np.asarray(v, np.float64), u.dtype)
    return Plane(u, v, origin)


def _check_independent(u: np.ndarray, v: np.ndarray, dtype: np.dtype) -> None:
    for name, vector in (("u", u), ("v", v)):
        if not vector.any():
            raise ValueError(f"{name} must not be 0: it spans no plane")
    u, v = u / np.abs(u).max(), v / np.abs(v).max()
    u, v = u / np.linalg.norm(u), v / np.linalg.norm(v)
    sine = np.linalg.norm(v - (u @ v) * u)
    if sine < float(jnp.finfo(dtype).eps) ** 0.5:
        raise ValueError(f"u and v must not be parallel, got an angle with sine {sine:.3g}")


@takes_arrays
def class_means_plane(x: Float[AnyArray, "n d"], y: Float[AnyArray, " n"]) -> Plane:
    """K24b's plane through 0 and the two class means: z = α·mean(x | +1) + β·mean(x | −1).

    Args:
      x, y: (n, d) points and (n,) labels ±1, of both classes.

    Returns:
      The `Plane`.

    Raises:
      ValueError: for labels other than ±1 or of one class only, or parallel means.
    """
    check_points("x", x)
    check_labels("y", y, len(x), both=True)
    positive = (y > 0).astype(x.dtype)
    negative = 1 - positive
    return plane(positive @ x / jnp.sum(positive), negative @ x / jnp.sum(negative))


@takes_arrays
def class_means_axes(x: Float[AnyArray, "n d"], y: Float[AnyArray, " n"]) -> Plane:
    """The plane of `class_means_plane` in orthonormal coordinates, which are in units of x.

    u is along the difference of the class means; v is what the sum of the means has across it. Of
    symmetric laws, whose means are ±μ, v is the direction that the sampling of the means left.

    Args:
      x, y: (n, d) points and (n,) labels ±1, of both classes.

    Returns:
      The `Plane`; a point p of it is at α = ⟨p, u⟩, β = ⟨p, v⟩.

    Raises:
      ValueError: as in `class_means_plane`, or for opposite means, which span no plane.
    """
    positive, negative, _ = class_means_plane(x, y)
    u = positive - negative
    u = _unit(u)
    total = positive + negative
    v = total - (total @ u) * u
    return plane(u, _unit(v))


def _unit(v: Array) -> Array:
    """v/‖v‖, of a vector of any size."""
    v = v / power_of_two(maximum(jnp.abs(v)))
    return v / jnp.linalg.norm(v)


class Projected(NamedTuple):
    """What a map needs of n points p_k with vectors v_k and constants c_k: O(n) numbers.

    direction: (3, n) coordinates of e(p_k)/‖e(p_k)‖ in the span of the embedded plane.
    apart: (n,) squared distance of e(p_k)/‖e(p_k)‖ from that span.
    inner: (3, n) ⟨v_k, o⟩ + c_k, ⟨v_k, u⟩, ⟨v_k, v⟩.
    frame: (3, 3) e(z(α, β)) has the coordinates (1, α, β) @ frame there.
    """

    direction: Float[Array, "3 n"]
    apart: Float[Array, " n"]
    inner: Float[Array, "3 n"]
    frame: Float[Array, "3 3"]


@takes_arrays
def project(
    plane: Plane,
    points: Float[AnyArray, "n d"],
    vectors: Float[AnyArray, "n d"],
    constants: Float[AnyArray, " n"] | float = 0.0,
) -> Projected:
    """Reduces points p_k, vectors v_k and constants c_k to what `kernel_map` needs of them.

    Args:
      plane: the plane.
      points: (n, d) p_k.
      vectors: (n, d) v_k.
      constants: (n,) c_k or one number.

    Returns:
      `Projected`.

    Raises:
      ValueError: for points or vectors that are not finite, not of the plane's dimension, or not
        as many as the others.
    """
    check_points("points", points, d=len(plane.u))
    check_points("vectors", vectors, d=len(plane.u))
    if len(vectors) != len(points):
        raise ValueError(f"vectors must be {len(points)}, one a point, got {len(vectors)}")
    return _project(plane, points, vectors, constants)


@jax.jit
def _project(plane: Plane, points: Array, vectors: Array, constants: Real) -> Projected:
    directions = jnp.stack([plane.u, plane.v]) / len(plane.u) ** 0.5
    corners = jnp.concatenate([embed(plane.origin[None, :]), jnp.pad(directions, ((0, 0), (0, 1)))])
    basis, frame = jnp.linalg.qr(corners.T)
    embedded, _ = scaled_rows(embed(points))
    inside = _product(embedded, basis)
    # The distance of the point itself; √(‖e‖² − ‖inside‖²) would lose half the digits.
    apart = jnp.sum((embedded - _product(inside, basis.T)) ** 2, axis=1)
    squared = jnp.sum(inside**2, axis=1) + apart  # ≥ 1
    inner = _on_frame(plane, vectors).at[0].add(constants)
    return Projected((inside / jnp.sqrt(squared)[:, None]).T, apart / squared, inner, frame.T)


def _product(left: Array, right: Array) -> Array:
    return jnp.matmul(left, right, precision=jax.lax.Precision.HIGHEST)


def _on_frame(plane: Plane, vectors: Array) -> Array:
    """(3, n): ⟨v_k, o⟩, ⟨v_k, u⟩, ⟨v_k, v⟩."""
    return _product(jnp.stack([plane.origin, plane.u, plane.v]), vectors.T)


def _check_grid(alpha: AnyArray, beta: AnyArray) -> None:
    for name, coordinates in (("alpha", alpha), ("beta", beta)):
        if jnp.ndim(coordinates) != 1 or len(coordinates) == 0:
            shape = jnp.shape(coordinates)
            raise ValueError(f"{name} must be a row of at least one number, got shape {shape}")
        check_points(name, coordinates[:, None])


def _over_grid(
    function: Callable[[Array], Array], weights: Array, alpha: Array, beta: Array
) -> Array:
    """(a, b): Σ_k weights_k function((1, α_i, β_j))_k, in tiles of `TILE` terms."""
    grid = jnp.stack(jnp.meshgrid(alpha, beta, indexing="ij"), axis=-1).reshape(-1, 2)
    grid = jnp.concatenate([jnp.ones_like(grid[:, :1]), grid], axis=1)
    values = jax.lax.map(
        # A matrix-vector product: XLA's sums over terms that it fuses are half as fast on a CPU.
        lambda at: _product(function(at), weights),
        grid,
        batch_size=max(1, TILE // len(weights)),
    )
    return values.reshape(len(alpha), len(beta))


def _along(coordinates: Array, at: Array) -> Array:
    """(n,): Σ_i at_i coordinates_i; as a matrix product it would be stored for every pair."""
    first, second, third = coordinates
    return at[0] * first + at[1] * second + at[2] * third


@takes_arrays
def kernel_map(
    projected: Projected,
    alpha: Float[AnyArray, " a"],
    beta: Float[AnyArray, " b"],
    slope: Real,
) -> Float[Array, "a b"]:
    """(1/n) Σ_k Φ(p_k, z)(⟨v_k, z⟩ + c_k) at z = o + α_i u + β_j v.

    In float32 to about 1e-6 of the mean of |⟨v_k, z⟩ + c_k|.

    Args:
      projected: the points, from `project`.
      alpha, beta: (a,), (b,) coordinates of the grid, in any order.
      slope: γ.

    Returns:
      (a, b) values.

    Raises:
      ValueError: for an empty grid, one with non-finite coordinates, or a slope outside [0, 1).
    """
    check_slope(slope)
    _check_grid(alpha, beta)
    return _kernel_map(projected, alpha, beta, slope)


@jax.jit
def _kernel_map(projected: Projected, alpha: Array, beta: Array, slope: Real) -> Array:
    def terms(at: Array) -> Array:
        embedded = at @ projected.frame
        unit = _unit(embedded)
        difference = total = projected.apart
        for of_points, of_z in zip(projected.direction, unit, strict=True):
            difference += (of_points - of_z) ** 2
            total += (of_points + of_z) ** 2
        theta = angle_from_chords(difference, total)
        return derivative_kernel_at(theta, slope) * _along(projected.inner, at)

    n = len(projected.apart)
    return _over_grid(terms, jnp.full_like(projected.apart, 1 / n), alpha, beta)


@takes_arrays
def f_hat_map(
    plane: Plane,
    alpha: Float[AnyArray, " a"],
    beta: Float[AnyArray, " b"],
    x: Float[AnyArray, "n d"],
    y: Float[AnyArray, " n"],
    slope: Real,
) -> Float[Array, "a b"]:
    """f̂(z) = (1/n) Σ_k y_k Φ(x_k, z)⟨x_k, z⟩ on a plane: `lazy.f_hat` there.

    Args:
      plane: the plane.
      alpha, beta: (a,), (b,) coordinates of the grid, in any order.
      x, y: (n, d) training points and (n,) labels ±1.
      slope: γ.

    Returns:
      (a, b) values.

    Raises:
      ValueError: as in `project` and `kernel_map`, and for labels other than ±1.

    Source:
      K24b.
    """
    check_labels("y", y, len(x))
    return kernel_map(project(plane, x, y[:, None] * x), alpha, beta, slope)


@takes_arrays
def g_hat_map(
    plane: Plane,
    alpha: Float[AnyArray, " a"],
    beta: Float[AnyArray, " b"],
    seen: Float[AnyArray, "n d"],
    mean_gradients: Float[AnyArray, "n d"],
    slope: Real,
) -> Float[Array, "a b"]:
    """ĝ(z) = (1/n) Σ_k Φ(s_k, z)⟨q_k, z⟩ on a plane: what g learns of f through perturbations.

    Args:
      plane, alpha, beta: as in `f_hat_map`.
      seen: (n, d) s_k, what g is trained on: perturbations r_k or perturbed samples x_k + r_k.
      mean_gradients: (n, d) q_k, from `lazy.mean_gradients`.
      slope: γ.

    Returns:
      (a, b) values.

    Raises:
      ValueError: as in `project` and `kernel_map`.

    Source:
      K24b.
    """
    return kernel_map(project(plane, seen, mean_gradients), alpha, beta, slope)


@takes_arrays
def signal_map(
    plane: Plane,
    alpha: Float[AnyArray, " a"],
    beta: Float[AnyArray, " b"],
    x: Float[AnyArray, "n d"],
    y: Float[AnyArray, " n"],
    slope: Real,
    weights: Float[AnyArray, " n"] | Real = 1.0,
) -> Float[Array, "a b"]:
    """k(z) = (1/n) Σ_k y_k α_k Φ(x_k, z)(⟨x_k, z⟩ + 1) on a plane: `lazy.signal` there.

    Args:
      plane, alpha, beta, x, y, slope: as in `f_hat_map`; for g the points and labels it is
        trained on.
      weights: α, (n,) or one number; T·k(z) with α = 1 is the limit under the identity loss.

    Returns:
      (a, b) values.

    Raises:
      ValueError: as in `f_hat_map`.

    Source:
      K24b.
    """
    check_labels("y", y, len(x))
    weighted = y * weights
    return kernel_map(project(plane, x, weighted[:, None] * x, weighted), alpha, beta, slope)


@takes_arrays
def output_map(
    plane: Plane,
    alpha: Float[AnyArray, " a"],
    beta: Float[AnyArray, " b"],
    params: Params,
    slope: Real,
) -> Float[Array, "a b"]:
    """f(z) = Σ_i a_i φ(h_i(z)) of a finite network on a plane: `networks.outputs` there.

    O(m) per grid point, as h_i(z) = ⟨w_i, o⟩ + b_i + α⟨w_i, u⟩ + β⟨w_i, v⟩.

    Args:
      plane, alpha, beta: as in `f_hat_map`.
      params: the network.
      slope: γ.

    Returns:
      (a, b) values.

    Raises:
      ValueError: for weights that are not of the plane's dimension, or a grid as in `kernel_map`.
    """
    check_slope(slope)
    _check_grid(alpha, beta)
    check_points("params.w", params.w, d=len(plane.u))
    pre_activations = _on_frame(plane, params.w).at[0].add(params.b)
    return _output_map(pre_activations, params.a, alpha, beta, slope)


@jax.jit
def _output_map(pre_activations: Array, a: Array, alpha: Array, beta: Array, slope: Real) -> Array:
    return _over_grid(lambda at: leaky_relu(_along(pre_activations, at), slope), a, alpha, beta)
