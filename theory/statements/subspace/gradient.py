"""The gradient off the subspace of the data has a χ² law, at every width and time."""

from typing import Any

import jax.numpy as jnp
from scipy import stats

from theory.margins import Measured, measured, rounding_error
from theory.statements.subspace.setting import SubspaceSetting, Trained, sample, seen
from theory.verification.kinds import Law
from theory.verification.laws import Distribution
from theory.verification.statement import Statement


def relative_size(trained: Trained, config: SubspaceSetting) -> Measured:
    """d‖Π⊥∇f‖²/‖D_T a_T‖², which nothing inside the subspace has part in."""
    at = seen(trained, config)
    rows = jnp.linalg.norm(trained.params.w[:, config.inside :], axis=1)
    unit = config.d / jnp.sum(at.v**2)
    largest = unit * jnp.sum(jnp.abs(at.v) * rows) ** 2
    roundings = 2 * (config.m + config.d) + config.steps + 16
    return measured(unit * jnp.sum(at.g**2), rounding_error(roundings, largest))


def shrunken_size(trained: Trained, config: SubspaceSetting) -> Measured:
    """The same over (1 − ηλ)^{2T}, by which weight decay shrinks it."""
    value, error = relative_size(trained, config)
    factor = (1 - config.rate * config.decay) ** (-2 * config.steps)
    return measured(value * factor, error * factor)


def law(config: SubspaceSetting) -> Distribution:
    """χ² with d − ℓ degrees of freedom."""
    freedom = config.d - config.inside

    def cdf(x: Any) -> Any:
        return stats.chi2.cdf(x, freedom)

    return Distribution(cdf=cdf, resolution=0.06, name=f"distance from χ² of {freedom} degrees")


STATEMENTS = (
    Statement[SubspaceSetting, Trained](
        id="subspace.off-manifold-gradient",
        title="off the subspace of the data the squared gradient is χ²: exactly, however trained",
        says="Data in a subspace of dimension ℓ, f(x) = aᵀφ(Wx) with W_ij ~ N(0, 1/d), both layers "
        "trained by gradients without weight decay. At a point of the subspace, after any time "
        "and at any width, d‖Π⊥∇f‖²/‖D_T a_T‖² has the law of χ² with d − ℓ degrees of freedom.",
        source="ours",
        sample=sample,
        claim=Law(relative_size, law),
        config=SubspaceSetting(),
        draws={"quick": 2000, "full": 100_000},
        batch=500,
    ),
    Statement[SubspaceSetting, Trained](
        id="subspace.off-manifold-gradient-decay",
        title="weight decay shrinks it by (1 − ηλ)²ᵀ",
        says="As subspace.off-manifold-gradient, with weight decay λ at the rate η: after T steps "
        "d‖Π⊥∇f‖²/((1 − ηλ)^{2T}‖D_T a_T‖²) has the law of χ² with d − ℓ degrees of freedom.",
        source="ours",
        sample=sample,
        claim=Law(shrunken_size, law),
        config=SubspaceSetting(decay=0.2),
        draws={"quick": 2000, "full": 100_000},
        batch=500,
    ),
)
