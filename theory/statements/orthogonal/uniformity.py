"""How uniform the multipliers are: max_k λ_k/min_k λ_k, the τ of a τ-uniform decision boundary."""

from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from theory._scaling import maximum, minimum
from theory.certificates.max_margin import Solved, near_orthogonality
from theory.margins import Margin, exceeds, rounding_error
from theory.statements.orthogonal.boundary import DOMAIN, UNTRAINED, of_closed_form
from theory.statements.orthogonal.setting import DataSetting
from theory.verification.kinds import Deterministic
from theory.verification.stages import Staged
from theory.verification.statement import Statement

# Of 1/R² = R_min²/R_max², of 1/(pR²) = n p_max/R_min², and of γ; it grows as the first falls and
# the second grows.
Bound = Callable[[Array, Array, float], Array]


def sharp(inverse: Array, load: Array, slope: float) -> Array:
    """R²/(1 − 2/(pR²)), ours; ∞ where 2/(pR²) ≥ 1."""
    del slope
    room = 1 - 2 * load
    return jnp.where(room > 0, 1 / (inverse * jnp.where(room > 0, room, 1)), jnp.inf)


def published(inverse: Array, load: Array, slope: float) -> Array:
    """(R²/γ²)(1 + 2/(γpR² − 2)), FVBS Proposition 4; ∞ where γpR² ≤ 2."""
    room = slope - 2 * load
    more = jnp.where(room > 0, 2 * load / jnp.where(room > 0, room, 1), jnp.inf)
    return (1 + more) / (inverse * slope**2)


def uniformity(bound: Bound) -> Callable[[Staged, DataSetting], Margin]:
    """The conclusion max λ/min λ < bound, with the errors of λ and of the points' geometry."""

    def conclusion(drawn: Staged, _: DataSetting) -> Margin:
        instance: Solved = drawn.closed_form
        value, off = enclosed(bound, instance.x, float(instance.slope))
        multipliers, error = instance.limit.multipliers, instance.limit.multiplier_error
        most, least = maximum(multipliers), minimum(multipliers)
        surely = least - error
        worst = jnp.where(surely > 0, (most + error) / jnp.where(surely > 0, surely, 1), jnp.inf)
        ratio = most / jnp.where(least > 0, least, 1)
        total = off + (worst - ratio)
        known = jnp.isfinite(value) & jnp.isfinite(total)
        total = total + rounding_error(16, jnp.where(known, value + ratio, 0))
        return exceeds(
            jnp.where(known, value, 0), jnp.where(known, ratio, 0), jnp.where(known, total, jnp.inf)
        )

    return conclusion


class Value(NamedTuple):
    """A number with a bound on its numerical error."""

    value: Array
    error: Array


def geometry(x: Float[Array, "n d"], slope: float) -> tuple[Value, Value]:
    """R_min²/R_max² and h = n p_max/R_min², from both sides of near-orthogonality."""
    threshold, p_max = near_orthogonality(x, slope)
    inverse = jnp.sqrt(threshold * 3 * len(x) / slope**3)
    load = len(x) * p_max / inverse
    off = rounding_error(x.shape[1] + 32, 1.0)  # of both sides
    off_inverse = off / inverse
    return Value(inverse, off_inverse), Value(load, len(x) * (off + load * off_inverse) / inverse)


def enclosed(bound: Bound, x: Float[Array, "n d"], slope: float) -> Value:
    """The bound on max λ/min λ, with what the rounding of the points' geometry moves it by."""
    (inverse, off_inverse), (load, off_load) = geometry(x, slope)
    value = bound(inverse, load, slope)
    low = bound(inverse + off_inverse, jnp.maximum(load - off_load, 0), slope)
    high = bound(inverse - off_inverse, load + off_load, slope)
    return Value(value, jnp.maximum(value - low, high - value))


def _statement(id: str, title: str, says: str, source: str, bound: Bound, loose: str) -> Statement:
    return Statement(
        id=id,
        title=title,
        says=says,
        source=source,
        stages=UNTRAINED,
        domain=DOMAIN,
        hypotheses={"near-orthogonality": of_closed_form("near-orthogonality")},
        measured={"KKT certificate": of_closed_form("KKT certificate")},
        claim=Deterministic(conclusion=uniformity(bound)),
        loose=loose,
        config=DataSetting(load=0.99),
        draws={"quick": 500, "full": 10_000},
        data=True,
        batch=64,
    )


STATEMENTS = (
    _statement(
        "orthogonal.uniformity",
        "multipliers of the leaky ReLU network are as uniform as those of a linear one",
        "Near-orthogonality implies max_k λ_k/min_k λ_k ≤ R²/(1 − 2/(pR²)), R² = R_max²/R_min² and "
        "pR² = R_min²/(n p_max): what Frei, Vardi, Bartlett and Srebro (2023b) prove for the "
        "linear max-margin, Proposition 3, without the factor 1/γ² of Proposition 4.",
        "ours, sharper than Frei et al. 2023b, Proposition 4",
        sharp,
        "",
    ),
    _statement(
        "orthogonal.uniformity-published",
        "multipliers are τ-uniform with τ = (R²/γ²)(1 + 2/(γpR² − 2))",
        "Near-orthogonality, which is p-orthogonality with p ≥ 3γ⁻³, implies that the boundary "
        "Σ_k λ_k y_k x_k is τ-uniform, max_k λ_k/min_k λ_k ≤ τ = (R²/γ²)(1 + 2/(γpR² − 2)).",
        "Frei et al. 2023b, Proposition 4",
        published,
        "the factor 1/γ² is not needed, see orthogonal.uniformity",
    ),
)
