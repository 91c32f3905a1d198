"""Rounding errors that nobody stated, estimated by computing again in disturbed arithmetic.

A computation is traced, and its primitives are evaluated again in two other arithmetics:

- *perturbed*: every rounded result x becomes x(1 + 8ξu), ½ ≤ |ξ| ≤ 1 a hash of its bits and
  of its place in the program. Sums of n terms move by up to n·8u·Σ|terms|, decompositions by as
  much as their input and result are large. Cancellation shows: what the digits lost is what moves.
- *coarse*: every rounded result keeps half of its digits. Errors that are systematic show, as of a
  loop that adds the same number again and again; they shrink in proportion to the last digit.

What is exact stays: integers in floats, selections, moves. A comparison of numbers that agree to
their own rounding is answered both ways, in half of the perturbed evaluations each, and so are
jumps of floor, ceil, round, sign and of conversions to integers: x == y may be false for all
perturbed x and y, though it holds. Whatever hangs on the answer then moves, and what does not, as
at a kink, stays. (Inside while loops evaluations may have gone different ways: there the answer is
that of each.) This is an estimate, not a bound; a bound that is stated is used in its place.

Source:
  J. Vignes, Mathematics and Computers in Simulation 35 (1993), on random perturbation of roundings.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool

from theory._types import PyTree
from theory.verification.disturbed import LANE, Arithmetic

LANES = 4  # perturbed evaluations: one alone may by chance move as little as no rounding at all
SAFETY = 2  # on the largest movement of the perturbed evaluations
SYSTEMATIC = 16  # on what the coarse one says of systematic errors


class Rounding(NamedTuple):
    """error: estimates, one for each value, of its shape.  overflow: whether integers wrapped."""

    error: list[Array]
    overflow: Bool[Array, ""]


def estimated_rounding(
    function: Callable[..., Sequence[Array]],
    *arguments: PyTree,
    values: Sequence[Array] | None = None,
    unsigned: bool = True,
    lanes: int = LANES,
) -> Rounding:
    """Estimates the rounding errors of a function's values.

    With v the value, v_j those in the perturbed arithmetics and v' that in the coarse one,

      error = 2·max_j |v_j − v| + 16·2^{−h}|v' − v| + 4u|v| + tiny,

    u the machine epsilon, h the digits that the coarse arithmetic lacks, tiny the smallest normal
    number; 0 where v is an integer that no disturbance moves.

    Args:
      function: arguments → list of real arrays of any shapes; can be traced.
      *arguments: any pytrees; what they hold is taken as exact.
      values: what the function returns for them, where that is known already.
      unsigned: whether unsigned integers that wrap around count as overflow (hashes wrap on
        purpose).
      lanes: perturbed evaluations, two or more.

    Returns:
      The `Rounding`; its error is infinite where a disturbance makes a finite value NaN.
    """
    closed, shapes = jax.make_jaxpr(function, return_shape=True)(*arguments)
    flat = jax.tree.leaves(arguments)
    values = [
        jnp.asarray(v)
        for v in jax.tree.leaves(function(*arguments) if values is None else list(values))
    ]
    assert len(jax.tree.leaves(shapes)) == len(values)
    seeds = jnp.arange(1, lanes + 1, dtype=jnp.uint32)

    def perturbed(seed: Array) -> list[Array]:
        return Arithmetic(seed, unsigned).run(closed.jaxpr, closed.consts, flat)[0]

    moved = jax.vmap(perturbed, axis_name=LANE)(seeds)
    coarse, overflow = Arithmetic(None, unsigned).run(closed.jaxpr, closed.consts, flat)
    errors = [_error(*parts) for parts in zip(values, moved, coarse, strict=True)]
    return Rounding(errors, overflow)


def _error(value: Array, lanes: Array, coarse: Array) -> Array:
    if not jnp.issubdtype(value.dtype, jnp.floating):
        return jnp.zeros(value.shape)
    info = jnp.finfo(value.dtype)
    lost = 2.0 ** -(info.nmant - info.nmant // 2)
    moved = jnp.max(_distance(lanes, value[None]), axis=0)
    moved = jnp.where(jnp.any(jnp.isnan(lanes), axis=0) & ~jnp.isnan(value), jnp.inf, moved)
    apart = _distance(coarse, value)
    systematic = jnp.where(jnp.isfinite(apart), apart, 0) * lost
    error = SAFETY * moved + SYSTEMATIC * systematic
    error = error + 4 * info.eps * jnp.abs(value) + info.tiny
    exact = (moved == 0) & (apart == 0) & (jnp.isinf(value) | (value == jnp.round(value)))
    return jnp.where(exact, jnp.zeros_like(error), error)


def _distance(left: Array, right: Array) -> Array:
    return jnp.where(left == right, jnp.zeros_like(left), jnp.abs(left - right))
