"""What settings must be for the rates of this family to be about what the theorems are about."""

from typing import Any

import jax.numpy as jnp

from theory._types import Real
from theory.margins import Margin, at_least, rounding_error
from theory.verification.statement import Hypothesis


def at_most_one(number: Real) -> Margin:
    """That a number made of the settings by a few roundings is at most 1."""
    return at_least(jnp.ones(()), jnp.asarray(number, float), rounding_error(8, number))


def _short_steps(_: object, config: Any) -> Margin:
    return at_most_one(config.T / config.steps)


# The fields that move neurons have slopes of the order 1: the method of Runge and Kutta follows
# the flow by steps of 1 and shorter.
SHORT_STEPS = {"short steps": Hypothesis(_short_steps, "T/steps ≤ 1")}
