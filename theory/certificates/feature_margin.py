"""The largest margin of a linear readout on given features, between two bounds that are proved.

γ₂ = max over ‖u‖₂ ≤ 1 of min_i ⟨φ_i, u⟩ = min over p ≥ 0, Σp = 1, of ‖Σ_i p_iφ_i‖: any p bounds it
from above, and where Σ_i p_iφ_i is the nearest point to the origin its direction from below.
"""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from theory._scaling import maximum, minimum
from theory._types import AnyArray
from theory._validation import as_host_reals, check_points, takes_arrays
from theory.margins import rounding_error


class Bounds(NamedTuple):
    """Certified lower and upper bounds on one number."""

    low: Float[Array, ""]
    high: Float[Array, ""]


def nearest_weights(features: np.ndarray) -> Float[np.ndarray, " n"]:
    """Weights p of the point of the convex hull that is nearest to the origin; on the host.

    min ‖Φᵀp‖² + (Σp − 1)² over p ≥ 0 has the direction of the solution (nonnegative least squares,
    Lawson and Hanson). They are a proposal: `margin_bounds` says what they prove.

    Args:
      features: (n, m) Φ with rows φ_i = y_iσ(…).

    Returns:
      (n,) p ≥ 0 of sum 1.

    Raises:
      ValueError: if the features are malformed.
    """
    from scipy import optimize  # slow to import

    check_points("features", features)
    rows = as_host_reals("features", features)
    n, m = rows.shape
    size = max(float(np.abs(rows).max()), np.finfo(float).tiny)
    system = np.vstack([rows.T / size, np.ones((1, n))])
    weights, _ = optimize.nnls(system, np.append(np.zeros(m), 1.0))
    total = weights.sum()
    return weights / total if total > 0 else np.full(n, 1 / n)


@takes_arrays
def margin_bounds(features: Float[AnyArray, "n m"], weights: Float[AnyArray, " n"]) -> Bounds:
    """min_i⟨φ_i, w⟩/‖w‖ ≤ γ₂ ≤ ‖w‖/Σp, w = Σ_i p_iφ_i, roundings included.

    Args:
      features: (n, m) Φ.
      weights: (n,) p ≥ 0, not all 0.

    Returns:
      `Bounds` on γ₂; the lower one is −∞ where w is 0 to rounding.
    """
    n, m = features.shape
    p = jnp.maximum(weights, 0)
    total, w = jnp.sum(p), p @ features
    size = p @ jnp.abs(features)
    off = jnp.sqrt(jnp.sum(rounding_error(n + 4, size) ** 2))  # of ‖w‖, twice what sums cost
    length = jnp.sqrt(jnp.sum(w**2))
    high = (length + 2 * off + rounding_error(m + n + 8, length)) / total
    products = features @ w
    # The lower bound is that of w as computed, whatever it was meant to be.
    error = rounding_error(m + 4, jnp.abs(features) @ jnp.abs(w))
    low = minimum(products - error)
    usable = length > 0
    ratio = low / jnp.where(usable, length, 1)
    low = jnp.where(usable, ratio - rounding_error(m + 16, jnp.abs(ratio)), -jnp.inf)
    return Bounds(low, jnp.maximum(high, low))


@takes_arrays
def largest_entry(features: Float[AnyArray, "n m"]) -> Float[Array, ""]:
    """‖z‖_∞ = max_ij|z_ij|, without rounding."""
    return maximum(jnp.abs(features))
