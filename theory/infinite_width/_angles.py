"""Angles between embedded points, from the chords ‖u − v‖ and ‖u + v‖ of unit vectors along them.

The libraries' arctan2 and arccos work through one number at a time on a CPU, some thirty times
slower, and arccos loses half the digits near 0 and π.
"""

import functools

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from theory._scaling import scaled_rows
from theory._types import AnyArray
from theory._validation import takes_arrays
from theory.networks.embedding import embed

BLOCK = 16  # coordinates that `angle` adds at a time; with 12, XLA's CPU code runs half as fast
SQUARE = 512  # pairs in a row of what is decided together: by the cosine or by differences
STEEP = 0.9  # cosine beyond which differences are used; its error grows by 1/sin θ = 2.3 up to here
TILE = 2**20  # pairs of points worked on at a time: 8 MB in float64, about what a cache holds

# 2 arcsin(√s/2)/√s on [0, 2] = Σ_k c_k s^k: Chebyshev interpolation in 60 digits
# (mpmath.chebyfit), errors 2.0e-8 and 2.2e-17, below the rounding of either precision.
_SINGLE = (
    0.9999999887111962,
    0.04166738667902336,
    0.0046800715261389545,
    0.0007262632728583887,
    6.535698808776324e-05,
    7.376929084201138e-05,
    -2.199370525165382e-05,
    6.6939687035394984e-06,
)
_DOUBLE = (
    1.0,
    0.041666666666662466,
    0.004687500000251135,
    0.0006975446369158594,
    0.00011867954451856183,
    2.1847250761055034e-05,
    4.2393265232186344e-06,
    8.424954770441882e-07,
    2.0127872576528783e-07,
    -9.924079316328766e-09,
    7.506953579904677e-08,
    -7.0779453055616e-08,
    6.009350210746638e-08,
    -3.7117016503551776e-08,
    1.729305427517311e-08,
    -5.801487598007531e-09,
    1.3406250698758984e-09,
    -1.9085902934543626e-10,
    1.294087904918515e-11,
)


@takes_arrays
def acute_angle(squared_chord: Float[AnyArray, "..."]) -> Float[Array, "..."]:
    """2 arcsin(c/2) in [0, π/2] from c² in [0, 2]: the angle of unit vectors at a distance c ≤ √2.

    To 2ε of itself (ε = 2⁻²³ in float32, 2⁻⁵² in float64).
    """
    coefficients = _DOUBLE if squared_chord.dtype == jnp.float64 else _SINGLE
    series = jnp.full_like(squared_chord, coefficients[-1])
    for coefficient in reversed(coefficients[:-1]):
        series = series * squared_chord + coefficient
    return jnp.sqrt(squared_chord) * series


@takes_arrays
def angle_from_chords(
    difference: Float[AnyArray, "..."], total: Float[AnyArray, "..."]
) -> Float[Array, "..."]:
    """θ in [0, π] between unit vectors u and v from ‖u − v‖² and ‖u + v‖².

    The shorter chord decides: θ is then as accurate as the chords at every angle.
    """
    acute = acute_angle(jnp.minimum(difference, total))
    return jnp.where(difference <= total, acute, jnp.pi - acute)


def _unit_coordinates(points: Array, bias: bool, d: int | None) -> Array:
    """(blocks, BLOCK, n) coordinates of e(x)/‖e(x)‖, padded with zeros.

    A point embedded at the origin becomes a unit vector across all others.
    """
    embedded, _ = scaled_rows(embed(points, bias, d))  # squares would overflow or underflow
    norms = jnp.linalg.norm(embedded, axis=1, keepdims=True)
    units = embedded / jnp.where(norms > 0, norms, 1)
    units = jnp.concatenate([units, (norms == 0).astype(units.dtype)], axis=1)
    units = jnp.pad(units, ((0, 0), (0, -units.shape[1] % BLOCK)))
    return units.T.reshape(units.shape[1] // BLOCK, BLOCK, len(points))


@takes_arrays
def angle(
    x: Float[AnyArray, "n d"], z: Float[AnyArray, "q d"], bias: bool = True, d: int | None = None
) -> Float[Array, "n q"]:
    """θ(x, z), the angle between e(x) and e(z), in radians in [0, π].

    θ = 2 arcsin(‖u − v‖/2), or π − 2 arcsin(‖u + v‖/2) where the angle is obtuse, with the unit
    vectors u, v along e(x), e(z): within 3(d + 12)ε at every angle, for points of any size. The
    chord is a sum of squares: from the cosine, a matrix product of three times its rate, it would
    lose half the digits near 0 and π. Of many points the cosine is used in squares of the matrix
    without such angles. A point embedded at the origin is at angle π/2 to every other.
    """
    return _angle(x, z, bias, d)


@functools.partial(jax.jit, static_argnums=(2, 3))
def _angle(x: Array, z: Array, bias: bool, d: int | None) -> Array:
    of_x, of_z = _unit_coordinates(x, bias, d), _unit_coordinates(z, bias, d)
    if min(len(x), len(z)) <= SQUARE:
        return _angle_by_differences(of_x, of_z)

    def squares(units: Array) -> Array:  # (squares, blocks, BLOCK, SQUARE), filled with zeros
        units = jnp.pad(units, ((0, 0), (0, 0), (0, -units.shape[2] % SQUARE)))
        return jnp.moveaxis(units.reshape(*units.shape[:2], -1, SQUARE), 2, 0)

    def square(u: Array, v: Array) -> Array:
        cosine = u.reshape(-1, SQUARE).T @ v.reshape(-1, SQUARE)
        return jax.lax.cond(
            jnp.any(jnp.abs(cosine) > STEEP),
            lambda: _angle_by_differences(u, v),
            lambda: _from_acute(cosine >= 0, acute_angle(2 - 2 * jnp.abs(cosine))),
        )

    rows = squares(of_x)
    theta = jax.lax.map(lambda v: jax.lax.map(lambda u: square(u, v), rows), squares(of_z))
    theta = jnp.moveaxis(theta, 0, 2)  # (rows, SQUARE, columns, SQUARE)
    return theta.reshape(len(rows) * SQUARE, -1)[: len(x), : len(z)]


def _angle_by_differences(of_x: Array, of_z: Array) -> Array:
    """θ from the shorter of the chords ‖u − v‖ and ‖u + v‖, a sum of squares."""

    def to_all(u: Array) -> Array:  # (blocks, BLOCK) coordinates of one point
        acute = jnp.tensordot(u, of_z, 2) >= 0
        side = jnp.where(acute, 1, -1).astype(u.dtype)

        def add(squared: Array, coordinates: tuple[Array, Array]) -> tuple[Array, None]:
            terms = ((a - side * b) ** 2 for a, b in zip(*coordinates, strict=True))
            return squared + sum(terms), None

        squared, _ = jax.lax.scan(add, jnp.zeros_like(side), (u, of_z))
        return _from_acute(acute, acute_angle(squared))

    at_once = max(1, TILE // max(1, of_z.shape[2]))
    return jax.lax.map(to_all, jnp.moveaxis(of_x, 2, 0), batch_size=at_once)


def _from_acute(acute: Array, angle: Array) -> Array:
    return jnp.where(acute, angle, jnp.pi - angle)
