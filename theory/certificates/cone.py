"""A proof that training stays where its problem is convex, and so ends at the closed form."""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from theory._scaling import maximum, minimum
from theory._validation import check_choice, takes_arrays
from theory.certificates.linear_solve import enclosed_solution, inner_products
from theory.certificates.max_margin import MaxMarginLimit
from theory.margins import Margin, exceeds, rounding_error
from theory.networks.network import Params

LOSSES = ("exponential", "logistic")


@takes_arrays
@jax.default_matmul_precision("highest")
def stays_in_cone(
    params: Params,
    limit: MaxMarginLimit,
    x: Float[Array, "n d"],
    y: Float[Array, " n"],
    slope: Any,
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
      params: weights, with a_i = ±1/√m in equal halves.
      limit: the closed form on these very points; its `kkt_margins` must be positive.
      x, y: (n, d), (n,) training points and labels, in any coordinates of the span.
      slope: γ.
      loss: "exponential" or "logistic".

    Returns:
      The `Margin`, in units of weights; ratio depth/ρ.

    Source:
      Ours; derived in docs/statements/orthogonal.md.
    """
    check_choice("loss", loss, LOSSES)
    active, multipliers = limit.active, limit.multipliers
    sign = jnp.sign(params.a)
    towards = sign[:, None] * y[None, :]  # (m, n), a_i y_k up to 1/√m
    phi = jnp.where(towards > 0, 1.0, slope).astype(x.dtype)
    gram = inner_products(x, x)
    lengths = jnp.sqrt(jnp.diagonal(gram.values))
    v_length = lengths * ((1 + slope**2) / 2) ** 0.5  # ‖V_k‖
    w_length = jnp.linalg.norm(params.w, axis=1)

    # ⟨V_k, W⟩ of the W at hand, and how far it is from s − log λ_k
    margins = jnp.sum(jnp.abs(params.a)[:, None] * phi * towards * (params.w @ x.T), axis=0)
    usable = active & (multipliers > limit.multiplier_error)
    positive = jnp.where(usable, multipliers, 1)
    offset = jnp.where(active, margins + jnp.log(positive), 0)
    weight = jnp.where(usable, multipliers, 0)
    log_tau = jnp.sum(weight * offset) / jnp.maximum(jnp.sum(weight), jnp.finfo(x.dtype).tiny)
    distance = jnp.where(active, offset - log_tau, 0)
    operations = x.shape[1] + len(sign) + 8
    margin_error = rounding_error(
        operations, lengths * (jnp.abs(params.a) @ w_length) + jnp.abs(offset) + jnp.abs(log_tau)
    )
    relative = limit.multiplier_error / jnp.where(usable, positive - limit.multiplier_error, 1)

    # W̃ = W − Σ_k c_k V_k, where Kc = distance and K_jk = ⟨V_j, V_k⟩ = H_jk/2
    factor = jnp.where(y[:, None] == y[None, :], (1 + slope**2) / 2, -slope)
    inside = active[:, None] & active[None, :]
    solved = enclosed_solution(
        jnp.where(inside, factor * gram.values, jnp.eye(len(x), dtype=x.dtype)),
        distance,
        jnp.where(inside, jnp.abs(factor) * gram.errors, 0),
        jnp.where(active, margin_error + relative, 0),
    )
    c = jnp.where(active, solved.solution, 0)
    moved = (params.a[:, None] * phi * (c * y)[None, :]) @ x
    w = params.w - moved
    depth = minimum(towards * (w @ x.T) / lengths[None, :])
    rho = jnp.linalg.norm(moved)

    # What W̃ neglects: samples off A, and under the logistic loss σ(−g) ≠ e^{−g}
    v_gram, v_gram_error = factor * gram.values, jnp.abs(factor) * gram.errors
    others = margins - v_gram @ c  # ⟨V_k, W̃⟩ at τ₀
    off = jnp.where(active, solved.error, 0)  # of every c_k; the others are exactly 0
    others_error = jnp.abs(v_gram) @ off + v_gram_error @ (jnp.abs(c) + off)
    others_error = others_error + margin_error
    others_error = others_error + rounding_error(
        len(x) + 8, jnp.abs(margins) + jnp.abs(v_gram) @ jnp.abs(c) + jnp.abs(log_tau)
    )

    def neglected(exponent_error: Array, slack_error: Array, multiplier_error: Array) -> Array:
        """∫‖δ‖ dτ for exponents, slacks and multipliers worse by as much as that."""
        slack = jnp.where(active, 1, limit.slack - slack_error)
        share = jnp.exp(log_tau - others + exponent_error) / jnp.where(slack > 0, slack, 1)
        parts = jnp.where(active, 0, jnp.where(slack > 0, share, jnp.inf))
        if loss == "logistic":
            squared = (multipliers + multiplier_error) ** 2
            parts = parts + jnp.where(active, squared, 0) * jnp.exp(-log_tau)
        return v_length @ parts

    zero = jnp.zeros((), x.dtype)
    lost = neglected(zero, zero, zero)
    most = neglected(others_error, limit.response_error, limit.multiplier_error)

    # Depth and the distance now each miss by ‖Σ_k δ_k V_k‖, δ the error of c. D is convex in what
    # it depends on, so it misses by no more below than above.
    error = 2 * solved.error * jnp.sum(v_length * active.astype(x.dtype))
    error = error + rounding_error(operations + len(x), maximum(w_length) + jnp.abs(c) @ v_length)
    error = error + rounding_error(operations + moved.size + 8, rho)
    error = error + (most - lost) + rounding_error(operations + len(x), most)
    rho = rho + lost
    known = jnp.isfinite(error + rho + depth) & (usable == active).all()
    return exceeds(
        jnp.where(known, depth, 0), jnp.where(known, rho, 0), jnp.where(known, error, jnp.inf)
    )
