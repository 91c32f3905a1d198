"""The finite-width tangent kernel keeps its smallest eigenvalue: a matrix Chernoff bound."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from theory import fields
from theory.certificates.eigenvalues import (
    Enclosed,
    cosines,
    enclosed_norm,
    smallest_eigenvalue,
)
from theory.data.sampling import data_parameter, draw
from theory.infinite_width import kernels
from theory.margins import Margin, at_least, margin, rounding_error
from theory.networks.network import leaky_relu_derivative
from theory.parameters import Parameters, parameter
from theory.verification.kinds import Probabilistic
from theory.verification.stages import Staged
from theory.verification.statement import Hypothesis, OnData, Statement


class WidthSetting(Parameters):
    """Points, a width, and how much of the smallest eigenvalue is to be left."""

    data: Any = data_parameter("sphere")
    n: int = fields.points(8)
    d: int = fields.dimension(20)
    m: int = fields.width(300)
    slope: float = fields.slope(0.0)
    t: float = parameter(
        0.5, "share of λ_min that may be lost", low=0, high=1, open_low=True, open_high=True
    )


class Limit(NamedTuple):
    """x: (n, d) points.  smallest: λ_min(H).  gram: ‖XᵀX‖ of the points scaled to norm 1."""

    x: Float[Array, "n d"]
    smallest: Enclosed
    gram: Enclosed


def _limit(key: Array, earlier: Staged, config: WidthSetting) -> Limit:
    x = draw(key, config.data, config.n, config.d, queries=0).x
    gram = cosines(x)
    phi = kernels.derivative_kernel_at(jnp.arccos(gram.values), config.slope)
    # Φ has the derivative (1 − γ)²/(2π√(1 − ρ²)), which no error of ρ bounds where ρ = ±1.
    inside, same = 1 - gram.values**2, jnp.eye(len(x), dtype=bool)
    known = inside > 16 * gram.errors
    sine = jnp.sqrt(jnp.where(known & ~same, inside, 1))
    steep = jnp.where(known | same, 1 + 1 / (2 * jnp.pi * sine), jnp.inf)
    error = jnp.where(same, 0, 2 * steep * gram.errors) + rounding_error(16, 1.0)
    return Limit(x, smallest_eigenvalue(phi * gram.values, error), enclosed_norm(*gram))


def _finite(key: Array, earlier: Staged, config: WidthSetting) -> Enclosed:
    """λ_min(H_m), H_m = (1/m) Σ_r φ'(⟨w_r, x_i⟩)φ'(⟨w_r, x_j⟩)⟨x_i, x_j⟩."""
    x: Array = earlier.data.x
    n, d = x.shape
    w = jax.random.normal(key, (config.m, d))
    h, gram = x @ w.T, cosines(x)
    active = leaky_relu_derivative(h, config.slope)
    kernel = active @ active.T / config.m * gram.values
    # A neuron whose sign at x_i rounding may turn counts for all of its share of row i.
    lengths = jnp.linalg.norm(x, axis=1)[:, None] * jnp.linalg.norm(w, axis=1)[None, :]
    unsure = jnp.mean(jnp.abs(h) <= rounding_error(d + 8, lengths), axis=1, dtype=h.dtype)
    error = unsure[:, None] + unsure[None, :] + gram.errors + rounding_error(config.m + 8, 1.0)
    return smallest_eigenvalue(kernel, jnp.broadcast_to(error, (n, n)))


def _positive(data: Staged, _: object) -> Margin:
    found: Enclosed = data.data.smallest
    return margin(found.value, found.error)


def _keeps(instance: Staged, config: WidthSetting) -> Margin:
    limit: Enclosed = instance.data.smallest
    finite: Enclosed = instance.weights
    share = 1 - config.t
    error = finite.error + share * limit.error + rounding_error(4, share * limit.value)
    return at_least(finite.value, share * limit.value, error)


def chernoff_exponent(t: Any) -> Any:
    """t + (1 − t)log(1 − t), so that (e^{−t}/(1−t)^{1−t})^μ = e^{−μ·this}."""
    return t + (1 - t) * jnp.log(1 - t)


def failure_probability(instance: Staged, config: WidthSetting) -> Array:
    """n(e^{−t}/(1−t)^{1−t})^{mλ_min(H)/‖XᵀX‖}, with λ_min and the norm at their worst."""
    limit: Limit = instance.data
    smallest = jnp.maximum(limit.smallest.value - limit.smallest.error, 0)
    ratio = smallest / (limit.gram.value + limit.gram.error)
    return len(limit.x) * jnp.exp(-config.m * ratio * chernoff_exponent(config.t))


STATEMENTS = (
    Statement[WidthSetting, Staged](
        id="kernel.finite-width-eigenvalue",
        title="a finite network keeps (1 − t) of the smallest eigenvalue of its tangent kernel",
        says="For unit points and w_r ~ N(0, I), H_m = (1/m)Σ_r φ'(⟨w_r, x_i⟩)φ'(⟨w_r, x_j⟩)"
        "⟨x_i, x_j⟩ has P(λ_min(H_m) < (1 − t)λ_min(H)) ≤ n(e^{−t}/(1 − t)^{1−t})^{mλ_min(H)/"
        "‖XᵀX‖}, H = E H_m: the width m ≥ ‖XᵀX‖ log(n/δ)/(λ_min(H)(t + (1 − t)log(1 − t))) "
        "does, where proofs of convergence ask for m of the order n² log(n/δ)/λ_min(H)².",
        source="Tropp 2012, Theorem 1.1, on Du et al. 2019, Lemma 3.1; the width is ours",
        stages={"data": _limit, "weights": _finite},
        hypotheses={"positive definite": Hypothesis(_positive, "λ_min(H) > 0", stage="data")},
        claim=Probabilistic(conclusion=_keeps, failure_probability=failure_probability),
        config=WidthSetting(),
        draws={"quick": 500, "full": 10_000},
        data=True,
        on_data={"digits": OnData({"m": 2000})},
        batch=32,
    ),
)
