"""What share of neurons change their activation in lazy training, and how far that can be off.

A neuron of `frozen_readout` keeps its initial velocity as long as it switches at no training point:
under the identity loss h(z) then moves by aTG(z), G(z) = (1/n) Σ_k y_k c_k(z) φ'(h(x_k; 0)) with
c_k(z) = ⟨x_k, z⟩ + 1. It changes its sign at z if that points towards 0 and is large enough.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from theory._types import AnyArray, Real
from theory._validation import (
    check_integer,
    check_labels,
    check_points,
    check_real,
    check_slope,
    takes_arrays,
)
from theory.infinite_width import bounds
from theory.networks.embedding import biased_products, embed, standard_deviation


class ChangedShare(NamedTuple):
    """Expected share of neurons with sgn h(z; T) ≠ sgn h(z; 0), each (q,).

    law: with the velocities of the start.
    error: its standard error as a Monte Carlo integral, independent over queries.
    lower, upper: what the expected share lies between, up to such errors.
    bound: ½ Σ_± (2/π) arctan r_±(z), the share of the neurons that could change.
    """

    law: Float[Array, " q"]
    error: Float[Array, " q"]
    lower: Float[Array, " q"]
    upper: Float[Array, " q"]
    bound: Float[Array, " q"]


@takes_arrays
def changed_share(
    key: Array,
    x: Float[AnyArray, "n d"],
    y: Float[AnyArray, " n"],
    z: Float[AnyArray, "q d"],
    m: Real,
    slope: Real,
    time: Real,
    samples: int = 4096,
) -> ChangedShare:
    """P(h(z; 0) and h(z; 0) + aTG(z) differ in sign) for a random neuron, a = A/√m ~ N(0, 1/m).

    It is (½ Σ_± (2/π) arctan r_±)·P(they differ | E(z)) with the event E(z) of
    `bounds.crossing_ratio` that is necessary for a change. Neurons are drawn from their law given
    E(z), in which (A, h(z)/σ) has a uniform polar angle, so that the result is as exact for rare
    changes as for frequent ones. As r → 0 it is T E(|G(z)| | h(z; 0) = 0)/(πσ(z)√m).

    A velocity changes only by training points at which the neuron may switch, with E(x_k): the
    true displacement over a lies in T[G − δ_−, G + δ_+], δ_± sums of (1 − γ)|c_k|/n over those that
    can raise and lower it. `lower` counts the neurons that change for all displacements in it,
    `upper` those that do for some. T and m enter only as T/√m.

    Args:
      key: random key of the neurons that are looked at.
      x, y: (n, d) training points and (n,) labels ±1.
      z: (q, d) query points.
      m: width.
      slope: γ.
      time: T, of gradient flow or of gradient descent with or without momentum.
      samples: neurons drawn for each query.

    Returns:
      A `ChangedShare` for the identity loss, over initializations, at each query.

    Raises:
      ValueError: if data are malformed, or a number is out of range.

    Source:
      Ours; derived in docs/statements/lazy.md.
    """
    check_points("x", x)
    check_labels("y", y, len(x))
    check_points("z", z, d=x.shape[1])
    check_real("m", m, low=0, open_low=True)
    check_slope(slope)
    check_real("time", time, low=0)
    check_integer("samples", samples)
    to_z = biased_products(x, z)
    r_x, r_z = (
        bounds.crossing_ratio(bounds.reach_of(products, y, time, slope), points, 1) / m**0.5
        for products, points in ((biased_products(x, x), x), (to_z, z))
    )
    speed = time / m**0.5 * y[:, None] * to_z / len(x)
    return _changed_share(key, x, z, r_x, r_z, speed, slope, samples)


@takes_arrays
def displacements(
    h: Float[AnyArray, "s n"],
    a: Float[AnyArray, " s"],
    r_x: Float[AnyArray, "2 n"],
    sigma_x: Float[AnyArray, " n"],
    pull: Float[AnyArray, " n"],
    slope: Real,
) -> Float[Array, "3 s"]:
    """(h_i(z; T) − h_i(z; 0))/A_i at the velocity of the start, and the least and most it can be.

    Args:
      h: (s, n) initial pre-activations of s neurons at the training points.
      a: (s,) A_i = a_i√m.
      r_x: (2, n) r_±(x_k) of `bounds.crossing_ratio`.
      sigma_x: (n,) σ(x_k).
      pull: (n,) T y_k c_k(z)/(n√m), what x_k contributes at φ' = 1.
      slope: γ.

    Returns:
      (3, s): TG, T(G − δ_−) and T(G + δ_+), over √m.
    """
    reach = jnp.where(a[:, None] * h < 0, r_x[0][None, :], r_x[1][None, :])
    unsure = jnp.abs(h) <= reach * (jnp.abs(a)[:, None] * sigma_x[None, :])
    gain = jnp.where(unsure & (h < 0), 1 - slope, 0.0)  # what φ' may grow by
    loss = jnp.where(unsure & (h >= 0), 1 - slope, 0.0)
    up, down = jnp.maximum(pull, 0), jnp.minimum(pull, 0)
    moved = jnp.where(h >= 0, 1.0, slope) @ pull
    return jnp.stack([moved, moved + gain @ down - loss @ up, moved + gain @ up - loss @ down])


@functools.partial(jax.jit, static_argnames="samples")
def _changed_share(
    key: Array, x: Array, z: Array, r_x: Array, r_z: Array, speed: Array, slope: Real, samples: int
) -> ChangedShare:
    """Speed is (n, q): T y_kc_k(z)/(n√m), what x_k moves h(z) by over A at φ' = 1."""
    embedded_x, sigma_x, sigma_z = embed(x), standard_deviation(x), standard_deviation(z)
    unit_z = embed(z) / sigma_z[:, None]

    def at(query: tuple[Array, ...]) -> tuple[Array, ...]:
        key, unit, sigma, r, pull = query
        key_weights, key_polar = jax.random.split(key)
        weights = jax.random.normal(key_weights, (samples, x.shape[1] + 1))
        uniform = jax.random.uniform(key_polar, (4, samples))
        angles = jnp.arctan(r)
        upwards = uniform[0] * jnp.sum(angles) < angles[0]  # moves in the sense of a
        stratified = (jnp.arange(samples, dtype=x.dtype) + uniform[1]) / samples
        polar = stratified * jnp.where(upwards, angles[0], angles[1])
        radius = jnp.sqrt(-2 * jnp.log1p(-uniform[2]))
        sign = jnp.where(uniform[3] < 0.5, -1.0, 1.0)
        a = sign * radius * jnp.cos(polar)
        b = jnp.where(upwards, -sign, sign) * radius * jnp.sin(polar)
        weights = weights + (b - weights @ unit)[:, None] * unit[None, :]  # h(z)/σ becomes b
        h = weights @ embedded_x.T

        moved, least, most = displacements(h, a, r_x, sigma_x, pull, slope)

        def changed(displacement: Array) -> Array:
            return (b >= 0) != (sigma * b + a * displacement >= 0)

        first, last = changed(least), changed(most)
        shares = (changed(moved), first & last, first | last)
        law, lower, upper = (jnp.mean(share, dtype=x.dtype) for share in shares)
        possible = jnp.sum(angles) / jnp.pi
        error = possible * jnp.sqrt(law * (1 - law) / samples)
        return possible * law, error, possible * lower, possible * upper, possible

    keys = jax.random.split(key, len(z))
    return ChangedShare(*jax.lax.map(at, (keys, unit_z, sigma_z, r_z.T, speed.T)))
