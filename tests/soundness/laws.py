"""Laws: shifts, scales, tails, atoms, mixtures, dependence, jumps, draws that may lie anywhere."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from scipy import stats
from soundness.planted import (
    INCONCLUSIVE,
    NOT_CONSISTENT,
    NOT_REFUTED,
    REFUSED,
    false,
    normal,
    normals,
    sharp,
    true,
    uniform,
    uniforms,
)

from theory import Claim, Distribution
from theory.margins import measured

DEFAULT: Any = {"resolution": 0.1}


def law(cdf: Any, **options: Any) -> Any:
    """The parts of a statement about one law, by default of one normal number."""
    return {
        "kind": "law",
        "claims": lambda config: Distribution(cdf=cdf, **(DEFAULT | options)),
        "quantity": lambda x, _: exact(x),
        "draws": 2000,
    }


def exact(value):
    return measured(value, 0.0)


def of(function: Any, **options: Any) -> Any:
    """The standard normal law of a function of the instance."""
    parts = {"sample": normal} | options
    return law(stats.norm.cdf) | {"quantity": lambda x, _: exact(function(x))} | parts


def steps(u):
    """Bernoulli(0.3) from a uniform number."""
    return jnp.where(u < 0.3, 1.0, 0.0)


PLANTED = (
    true("law-normal", "plain", **of(lambda x: x)),
    true("law-chi-square", "plain", **law(stats.chi2(8).cdf)
         | {"quantity": lambda x, _: exact(jnp.sum(x**2)), "sample": normals(8)}),
    true("law-poisson", "an integer law, most draws tied", **law(stats.poisson(3.0).cdf)
         | {"sample": lambda key, _: jax.random.poisson(key, 3.0).astype(float)}),
    true("law-event", "two values; the distance just below a jump is not 0.7",
         **law(stats.bernoulli(0.3).cdf)
         | {"quantity": lambda u, _: exact(steps(u)), "sample": uniform}),
    true("law-point", "all mass at one value, which every draw is",
         **law(lambda x: np.where(x >= 2.0, 1.0, 0.0))
         | {"quantity": lambda x, _: exact(2.0 + 0 * x)}),
    true("law-rounded-atoms", "multiples of 0.1 that rounding has moved, as its error says",
         **law(lambda x: np.clip(np.floor(10 * x + 1e-9) / 10, 0, 1))
         | {"quantity": lambda u, _: measured(jnp.ceil(10 * u) * (1 / 3) * 0.3, 1e-8),
            "sample": uniform}),
    true("law-of-two", "two claims of one draw share the level", kind="law",
         claims=lambda config: (Distribution(cdf=stats.norm.cdf, resolution=0.1),
                                Distribution(cdf=stats.chi2(1).cdf, resolution=0.1)),
         quantity=lambda x, _: exact(jnp.stack([x, x**2])), draws=2000),
    true("law-given-a-premise", "the half-normal law of those that are positive",
         **law(stats.halfnorm.cdf), hypotheses={"positive": lambda x, _: sharp(x)}),
    true("law-undecided-premise", "half of the draws may not count", allowed=NOT_REFUTED,
         **law(stats.norm.cdf),
         hypotheses={"unknown": lambda x, _: sharp(jnp.where(x > 0, 1.0, jnp.nan))}),
    true("law-few-unknown", "a hundredth of the draws is NaN, and could be what lacks",
         **law(stats.norm.cdf)
         | {"quantity": lambda x, _: exact(jnp.where(x > 2.33, jnp.nan, x))}),
    true("law-all-unknown", "nothing is known", allowed=INCONCLUSIVE, **law(stats.norm.cdf)
         | {"quantity": lambda x, _: exact(x * jnp.nan)}),
    true("law-with-errors", "errors as large as the law is wide", allowed=INCONCLUSIVE,
         **law(stats.norm.cdf) | {"quantity": lambda x, _: measured(x, 5.0)}),
    true("law-few-draws", "30 draws resolve no 0.1", allowed=INCONCLUSIVE, says="draws would do",
         **law(stats.norm.cdf) | {"draws": 30}),
    true("law-within-tolerance", "N(0.1, 1) is 0.04 from N(0, 1)",
         **law(stats.norm.cdf, tolerance=0.05) | {"quantity": lambda x, _: exact(x + 0.1)}),
    false("law-shift", "by 0.4 deviations: distance 0.16", **of(lambda x: x + 0.4)),
    false("law-scale", "a deviation of 1.6: distance 0.11", **of(lambda x: 1.6 * x)),
    false("law-heavier-tail", "Cauchy: distance 0.13",
          **of(lambda u: jnp.tan(jnp.pi * (u - 0.5)), sample=uniform)),
    false("law-slightly-heavier-tail", "Student, 10 degrees: distance 0.012, below the resolution; "
          "one that is asked for such distances refutes or cannot tell", allowed=NOT_CONSISTENT,
          **law(stats.norm.cdf, resolution=0.001)
          | {"sample": lambda key, _: jax.random.t(key, 10.0)}),
    false("law-atom", "a fifth of the draws is exactly 0: distance 0.1, more at the jump",
          **of(lambda x: jnp.where(jnp.abs(x) < 0.2534, 0.0, x) * 1.0
               + jnp.where((x > 0.2534) & (x < 0.8), -x, 0.0))),
    false("law-mixture", "a quarter comes from N(4, 1)",
          **of(lambda x: x[0] + jnp.where(x[1] > 0.6745, 4.0, 0.0), sample=normals(2))),
    false("law-dependence", "the largest of 8 normals that are nearly one has not the law Φ⁸",
          **law(lambda x: stats.norm.cdf(x) ** 8)
          | {"quantity": lambda x, _: exact(jnp.max(0.95 * x[0] + 0.3122 * x[1:])),
             "sample": normals(9)}),
    false("law-missing-jump", "a continuous law for a coin",
          **law(stats.uniform.cdf)
          | {"quantity": lambda u, _: exact(jnp.where(u < 0.5, 0.0, 1.0)), "sample": uniform}),
    false("law-other-atoms", "Poisson(3.8), for Poisson(3)", **law(stats.poisson(3.0).cdf)
          | {"sample": lambda key, _: jax.random.poisson(key, 3.8).astype(float)}),
    false("law-of-one-of-two", "the second claim is wrong", kind="law",
          claims=lambda config: (Distribution(cdf=stats.norm.cdf, resolution=0.1),) * 2,
          quantity=lambda x, _: exact(jnp.stack([x, x**2])), draws=2000),
    false("law-given-no-premise", "of those that are positive, not of all",
          **law(stats.norm.cdf), hypotheses={"positive": lambda x, _: sharp(x)}),
    false("law-unknown-and-wrong", "a tenth of NaN cannot make up for a shift of 1.2",
          **law(stats.norm.cdf)
          | {"quantity": lambda x, _: exact(jnp.where(x > 1.28, jnp.nan, x - 1.2))}),
    false("law-at-infinity", "a third of the draws is infinite", **of(
          lambda u: jnp.where(u[0] < 0.33, jnp.inf, u[1]), sample=uniforms(2))),
    false("law-no-law", "it decreases", allowed=REFUSED, says="cdf must not decrease",
          **law(lambda x: 1 - stats.norm.cdf(x))),
    false("law-above-one", "a density is no distribution function", allowed=REFUSED,
          says="numbers in [0, 1]", **law(lambda x: 3 * stats.norm.cdf(x))),
    false("law-not-a-number", "F is unknown", allowed=REFUSED, says="numbers in [0, 1]",
          **law(lambda x: x * np.nan)),
    false("law-in-single-precision", "F has seven digits", allowed=REFUSED, says="float64",
          **law(lambda x: jax.scipy.stats.norm.cdf(jnp.asarray(x, jnp.float32)))),
    false("law-claimed-by-a-number", "a number is no law", allowed=REFUSED,
          says="must be a Distribution", kind="law", claims=lambda config: Claim(0.0, 0.1),
          quantity=lambda x, _: x),
    false("number-claimed-by-a-law", "a law is no number", allowed=REFUSED,
          says="must be a Claim", kind="moment",
          claims=lambda config: Distribution(cdf=stats.norm.cdf), quantity=lambda x, _: x),
)  # fmt: skip
