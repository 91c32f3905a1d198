"""The conditions of the family as margins: what is known of the limit, on four levels."""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp

from theory.certificates import cone, max_margin
from theory.certificates.max_margin import Solved, kkt_certificate, solve
from theory.margins import Margin, exceeds, margin, rounding_error
from theory.statements.orthogonal.setting import Trained, TrainedSetting
from theory.verification.statement import Hypothesis


def near_orthogonal(instance: Solved, _: object) -> Margin:
    """The hypothesis on the data, γ³R_min⁴/(3nR_max²) ≥ p_max."""
    threshold, p_max = max_margin.near_orthogonality(instance.x, instance.slope)
    return exceeds(threshold, p_max, rounding_error(instance.x.shape[1] + 16, 1.0))


def kkt(instance: Solved, _: object) -> Margin:
    """The KKT certificate of the closed form."""
    return kkt_certificate(instance)


def closed_form(instance: Solved, _: object) -> Margin:
    """λ_k > 0 for the λ of H λ = 2·1; of an instance in which all samples are active."""
    largest = jnp.max(jnp.sum(instance.x**2, axis=1))
    return margin(
        instance.limit.multipliers * largest, instance.limit.multiplier_error * largest
    ).all()


def global_certificate(instance: Solved, _: object) -> Margin:
    """The closed form is a KKT point and the unique global solution of the max-margin problem."""
    values = max_margin.global_margins(instance.limit, instance.x, instance.y, instance.slope)
    own, point = margin(values, 3 * instance.limit.response_error).all(), kkt_certificate(instance)
    both = jnp.stack([own.value, point.value]), jnp.stack([own.error, point.error])
    return margin(*both).all()


def reached(instance: Trained, _: object) -> Margin:
    """Training was inside the cone over its second half."""
    return margin(instance.cone, rounding_error(instance.solved.x.shape[1] + 4, 1.0))


def stays(instance: Trained, config: TrainedSetting) -> Margin:
    """Gradient flow from the final weights never leaves the cone: a proof.

    It is about the points that training saw, `x_span`, which differ from x by the rounding of a
    change of basis: their own closed form is computed, and must be a KKT point as well.
    """
    s = instance.solved
    seen = solve(instance.x_span, s.y, s.slope, s.limit.active, s.positive)
    found = cone.stays_in_cone(instance.params, seen.limit, seen.x, seen.y, seen.slope, config.loss)
    proven = kkt_certificate(seen).holds
    return dataclasses.replace(found, error=jnp.where(proven, found.error, jnp.inf))


def within(bounds: max_margin.MultiplierRange, limit: max_margin.MaxMarginLimit) -> Margin:
    """Every λ_k strictly between the bounds, as ratios: λ_k/low − 1 and 1 − λ_k/high.

    The bounds contain R_min² and R_max², sums of d terms.
    """
    multipliers, error = limit.multipliers, limit.multiplier_error
    values = jnp.stack([multipliers / bounds.low - 1, 1 - multipliers / bounds.high])
    errors = jnp.stack([error / bounds.low, error / bounds.high])[:, None]
    operations = len(limit.normal) + 8
    return margin(values, errors + rounding_error(operations, 1 + jnp.abs(values))).all()


def hypothesis(
    name: str, of: Callable[[Any], Any] = lambda instance: instance, stage: str | None = None
) -> Hypothesis:
    """The condition of that name, of the part of an instance that `of` picks.

    Args:
      name: one of `CONDITIONS`.
      of: instance, or what a stage sees of it → `Solved` or `Trained`.
      stage: the stage that it looks at, everything if None.
    """
    check, says = CONDITIONS[name]

    def condition(instance: Any, config: Any) -> Margin:
        return check(of(instance), config)

    return Hypothesis(condition, says, stage)


CONDITIONS = {
    "near-orthogonality": (near_orthogonal, "γ³R_min⁴/(3nR_max²) ≥ p_max"),
    "KKT certificate": (
        kkt,
        "λ > 0 on the support vectors, y_k f(x_k) > 1 elsewhere, and y_k⟨u₊, x_k⟩ > 0 > "
        "y_k⟨u₋, x_k⟩: the closed form is a KKT point",
    ),
    "closed form λ > 0": (closed_form, "every λ_k of Hλ = 2·1 is positive"),
    "global certificate": (
        global_certificate,
        "KKT certificate and 2⟨u_{y_k}, x_k⟩ > (1−γ) Σ_{y_j=y_k} λ_j max(⟨x_j, x_k⟩, 0): the "
        "global max margin",
    ),
    "cone reached": (
        reached,
        "a_i y_k⟨w_i, x_k⟩ > 0 for all i, k over the second half of training: inside the cone",
    ),
    "cone never left": (
        stays,
        "sgn(a_i) y_k⟨w̃_i, x_k⟩/‖x_k‖ > ρ for all i, k: gradient flow from the final weights stays "
        "within ρ of an exact solution that is deep inside the cone, and ends at the closed form",
    ),
}
