"""A proof that training stays where its problem is convex, and so ends at the closed form."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from theory._scaling import maximum, minimum
from theory._types import AnyArray, Real
from theory._validation import check_choice, takes_arrays
from theory.certificates.linear_solve import InnerProducts, enclosed_solution, inner_products
from theory.certificates.max_margin import MaxMarginLimit, gram_factors
from theory.margins import Margin, exceeds, rounding_error
from theory.networks.network import Params

LOSSES = ("exponential", "logistic")


@takes_arrays
@jax.default_matmul_precision("highest")
def stays_in_cone(
    params: Params,
    limit: MaxMarginLimit,
    x: Float[AnyArray, "n d"],
    y: Float[AnyArray, " n"],
    slope: Real,
    loss: str = "exponential",
) -> Margin:
    """Proof that gradient flow from these weights never leaves the cone a_i y_k⟨w_i, x_k⟩ > 0.

    In the cone margins are linear, y_k f(x_k) = ⟨V_k, W⟩, and W̃(τ) = Ŵ log τ + R with
    ⟨V_k, R⟩ = −log λ_k for support vectors solves gradient flow of the exponential loss on them
    exactly. Two solutions of one convex flow do not move apart, so ‖W − W̃‖ ≤ ρ for ever, ρ the
    distance now plus the integral of what W̃ neglects. The margin is
    min_{i,k} sgn(a_i) y_k⟨w̃_i, x_k⟩/‖x_k‖ > ρ, which keeps W in the cone; then
    W/log t → Ŵ, the closed form.

    Args:
      params: weights, with a_i = ±1/√m of either sign.
      limit: the closed form on these very points, for the share of a_i > 0 that the weights have;
        its `kkt_margins` must be positive.
      x, y: (n, d), (n,) training points and labels, in any coordinates of the span.
      slope: γ.
      loss: "exponential" or "logistic".

    Returns:
      The `Margin`, in units of weights; ratio depth/ρ.

    Source:
      Ours; derived in docs/statements/orthogonal.md.
    """
    check_choice("loss", loss, LOSSES)
    geometry = _geometry(params, x, y, slope)
    start = _start(params, limit, geometry, x)
    factor = geometry.factors
    v_gram = InnerProducts(factor * geometry.gram.values, jnp.abs(factor) * geometry.gram.errors)

    # W̃ = W − Σ_k c_k V_k, where Kc = distance and K_jk = ⟨V_j, V_k⟩ = H_jk/2
    inside = limit.active[:, None] & limit.active[None, :]
    solved = enclosed_solution(
        jnp.where(inside, v_gram.values, jnp.eye(len(x), dtype=x.dtype)),
        start.distance,
        jnp.where(inside, v_gram.errors, 0),
        jnp.where(limit.active, start.distance_error, 0),
    )
    c = jnp.where(limit.active, solved.solution, 0)
    moved = (params.a[:, None] * geometry.phi * (c * y)[None, :]) @ x
    depth = minimum(geometry.towards * ((params.w - moved) @ x.T) / geometry.lengths[None, :])
    lost, most = _neglected(limit, geometry, start, v_gram, c, solved.error, loss)

    # Depth and the distance now each miss by ‖Σ_k δ_k V_k‖, δ the error of c. D is convex in what
    # it depends on, so it misses by no more below than above.
    v_length, rho, operations = geometry.v_length, jnp.linalg.norm(moved), start.operations
    error = 2 * solved.error * jnp.sum(v_length * limit.active.astype(x.dtype))
    longest = maximum(geometry.w_length) + jnp.abs(c) @ v_length
    error = error + rounding_error(operations + len(x), longest)
    error = error + rounding_error(operations + moved.size + 8, rho)
    error = error + (most - lost) + rounding_error(operations + len(x), most)
    rho = rho + lost
    known = jnp.isfinite(error + rho + depth) & (start.usable == limit.active).all()
    return exceeds(
        jnp.where(known, depth, 0), jnp.where(known, rho, 0), jnp.where(known, error, jnp.inf)
    )


class _Geometry(NamedTuple):
    """Weights and points beside one another.

    towards: (m, n) a_i y_k up to 1/√m.  phi: (m, n) φ' in the cone.  gram: (n, n) ⟨x_j, x_k⟩.
    factors: (n, n) ⟨V_j, V_k⟩/⟨x_j, x_k⟩.  lengths: (n,) ‖x_k‖.  v_length: (n,) ‖V_k‖.
    w_length: (m,) ‖w_i‖.
    """

    towards: Array
    phi: Array
    gram: InnerProducts
    factors: Array
    lengths: Array
    v_length: Array
    w_length: Array


def _geometry(params: Params, x: AnyArray, y: AnyArray, slope: Real) -> _Geometry:
    towards = jnp.sign(params.a)[:, None] * jnp.asarray(y)[None, :]
    gram = inner_products(x, x)
    lengths = jnp.sqrt(jnp.diagonal(gram.values))
    positive = jnp.mean(params.a > 0, dtype=x.dtype)
    factors = gram_factors(y, slope, positive) / 2
    return _Geometry(
        towards,
        jnp.where(towards > 0, 1.0, slope).astype(x.dtype),
        gram,
        factors,
        lengths,
        lengths * jnp.sqrt(jnp.diagonal(factors)),
        jnp.linalg.norm(params.w, axis=1),
    )


class _Start(NamedTuple):
    """Where training is beside the exact solution, at the τ₀ at which that is nearest.

    margins: (n,) ⟨V_k, W⟩.  margin_error: (n,) of them and what is made of them.
    log_tau: log τ₀.  distance: (n,) how far margins of the active set are from log τ₀ − log λ_k.
    distance_error: (n,) of those.  usable: (n,) the samples with certainly positive λ_k.
    operations: roundings behind a margin.
    """

    margins: Array
    margin_error: Array
    log_tau: Array
    distance: Array
    distance_error: Array
    usable: Array
    operations: int


def _start(params: Params, limit: MaxMarginLimit, geometry: _Geometry, x: AnyArray) -> _Start:
    active, multipliers, size = limit.active, limit.multipliers, jnp.abs(params.a)
    signed = geometry.phi * geometry.towards
    margins = jnp.sum(size[:, None] * signed * (params.w @ x.T), axis=0)
    usable = active & (multipliers > limit.multiplier_error)
    positive = jnp.where(usable, multipliers, 1)
    offset = jnp.where(active, margins + jnp.log(positive), 0)
    weight = jnp.where(usable, multipliers, 0)
    log_tau = jnp.sum(weight * offset) / jnp.maximum(jnp.sum(weight), jnp.finfo(x.dtype).tiny)
    operations = x.shape[1] + len(params.a) + 8
    margin_error = rounding_error(
        operations,
        geometry.lengths * (size @ geometry.w_length) + jnp.abs(offset) + jnp.abs(log_tau),
    )
    relative = limit.multiplier_error / jnp.where(usable, positive - limit.multiplier_error, 1)
    distance = jnp.where(active, offset - log_tau, 0)
    return _Start(
        margins, margin_error, log_tau, distance, margin_error + relative, usable, operations
    )


def _neglected(
    limit: MaxMarginLimit,
    geometry: _Geometry,
    start: _Start,
    v_gram: InnerProducts,
    c: Array,
    c_error: Array,
    loss: str,
) -> tuple[Array, Array]:
    """∫‖δ‖ dτ of what W̃ neglects, and the most that it can be.

    δ is of samples off the active set, and under the logistic loss of σ(−g) ≠ e^{−g}.
    """
    active, multipliers, log_tau = limit.active, limit.multipliers, start.log_tau
    others = start.margins - v_gram.values @ c  # ⟨V_k, W̃⟩ at τ₀
    off = jnp.where(active, c_error, 0)  # of every c_k; the others are exactly 0
    others_error = jnp.abs(v_gram.values) @ off + v_gram.errors @ (jnp.abs(c) + off)
    others_error = others_error + start.margin_error
    terms = jnp.abs(start.margins) + jnp.abs(v_gram.values) @ jnp.abs(c) + jnp.abs(log_tau)
    others_error = others_error + rounding_error(len(c) + 8, terms)

    def integral(exponent_error: Array, slack_error: Array, multiplier_error: Array) -> Array:
        """For exponents, slacks and multipliers worse by as much as that."""
        slack = jnp.where(active, 1, limit.slack - slack_error)
        share = jnp.exp(log_tau - others + exponent_error) / jnp.where(slack > 0, slack, 1)
        parts = jnp.where(active, 0, jnp.where(slack > 0, share, jnp.inf))
        if loss == "logistic":
            squared = (multipliers + multiplier_error) ** 2
            parts = parts + jnp.where(active, squared, 0) * jnp.exp(-log_tau)
        return geometry.v_length @ parts

    zero = jnp.zeros((), c.dtype)
    most = integral(others_error, limit.response_error, limit.multiplier_error)
    return integral(zero, zero, zero), most
