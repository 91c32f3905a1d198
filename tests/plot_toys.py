"""Statements of a user's, with what pictures stumble over: as a file, `tests/plot_toys.py`."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from scipy import stats

from theory import (
    Claim,
    Decay,
    Deterministic,
    Distribution,
    Law,
    Moment,
    Parameters,
    Probabilistic,
    Rate,
    Statement,
    exceeds,
    margin,
    parameter,
)
from theory.verification.kinds import Kind


class Setting(Parameters):
    """Of all of them."""

    s: float = parameter(1.0, "the bound", unit="σ", low=-10)
    m: int = parameter(8, "how many numbers", low=1)
    law: str = parameter("normal", "law of the numbers", choices=("normal", "uniform"))


def _number(key, config):
    return jax.random.normal(key)


def _statement(id, claim: Kind[Any, Any], **rest):
    return Statement(
        id=id, claim=claim, config=Setting(), sample=rest.pop("sample", _number), **rest
    )


def _delta(x, config):
    return jax.scipy.stats.norm.sf(config.s)


TAIL = _statement(
    "mine.tail",
    Probabilistic(lambda x, c: exceeds(c.s, x, error=0.0, unit="σ"), failure_probability=_delta),
    hypotheses={
        "x > −2 σ": lambda x, c: exceeds(x, -2.0, error=0.0),
        "wide": lambda x, c: margin(c.m - 2, error=0.0),
    },
    measured={"x is positive": lambda x, c: exceeds(x, 0.0, error=0.0)},
    title="a normal number costs $5 and is below s",
)
VACUOUS = _statement(
    "mine.vacuous",
    Deterministic(lambda x, c: exceeds(10.0, x, error=0.0)),
    hypotheses={"x > 100": lambda x, c: exceeds(x, 100.0, error=0.0)},
)
NAN = _statement(
    "mine.nan",
    Deterministic(lambda x, c: margin(jnp.log(-1 - x**2), error=0.0)),
    hypotheses={"always NaN": lambda x, c: margin(jnp.nan * x, error=0.0)},
)
INFINITE = _statement(
    "mine.infinite",
    Deterministic(
        lambda x, c: margin(
            jnp.where(x > 0, jnp.inf, jnp.where(x > -1, x * 1e5, x)), error=0.0, infinite=True
        )
    ),
    hypotheses={
        "all at +∞": lambda x, c: margin(jnp.inf + 0 * x, error=0.0, infinite=True),
        "over many powers of ten": lambda x, c: margin(jnp.exp(8 * x), error=0.0),
        "1e305": lambda x, c: margin(jnp.float_(1e305) + 0 * x, error=0.0),
    },
)
EQUAL = _statement(
    "mine.equal", Deterministic(lambda x, c: margin(0.0 * x, error=0.0, strict=False))
)
LONG = _statement(
    "mine." + "a-very-long-name-of-a-statement-that-nobody-will-ever-type-by-hand-" * 2 + "end",
    Probabilistic(lambda x, c: exceeds(c.s, x, error=0.0), failure_probability=_delta),
    title="a title of many words that goes on " * 8,
    hypotheses={
        "a hypothesis whose name is a sentence, as sup_{x ∈ S} |f(x) − g(x)| ≤ ε/3 for all m": (
            lambda x, c: exceeds(x, -3.0, error=0.0)
        ),
        "x" * 90: lambda x, c: exceeds(x, -3.0, error=0.0),
    },
)
MEAN = _statement(
    "mine.mean",
    Moment(lambda x, c: x**2, lambda c: Claim(1.0, 0.3, name="E x²", tolerance=0.05)),
)
MANY = _statement(
    "mine.many",
    Moment(
        lambda x, c: x + jnp.arange(30.0),
        lambda c: tuple(Claim(float(i), 2.0, name=f"mean of the number {i}") for i in range(30)),
    ),
)
SCALES = np.array([8.0, 16.0, 32.0, 64.0, 128.0])
POWER = _statement(
    "mine.power",
    Rate(
        lambda x, c: jnp.exp(0.3 * x) * jnp.asarray(SCALES) ** -0.5,
        lambda c: Claim(-0.5, 0.1, name="exponent", tolerance=0.02),
        scales=lambda c: SCALES,
    ),
)
DECAY = _statement(
    "mine.decay",
    Decay(
        lambda u, c: (u < jnp.exp(-0.5 * jnp.arange(1.0, 6.0))).astype(float),
        lambda c: Claim(0.5, 0.2, name="decay"),
        scales=lambda c: np.arange(1.0, 6.0),
    ),
    sample=lambda key, c: jax.random.uniform(key),
)
LAW = _statement(
    "mine.law",
    Law(
        lambda x, c: 1.3 * x,
        lambda c: Distribution(cdf=stats.norm.cdf, resolution=0.1, name="distance from N(0, 1)"),
    ),
)


def _fails_at_some(key, config):
    if config.m == 16:
        raise ValueError("no network of width 16 here")
    numbers = jax.random.normal if config.law == "normal" else jax.random.uniform
    return jnp.mean(numbers(key, (config.m,)))


SWEPT = _statement(
    "mine.swept",
    Probabilistic(
        lambda x, c: exceeds(c.s, x * c.m**0.5, error=0.0),
        failure_probability=lambda x, c: 0.05 + 0 * x,
    ),
    hypotheses={"x > −0.5": lambda x, c: exceeds(x, -0.5, error=0.0)},
    sample=_fails_at_some,
)
