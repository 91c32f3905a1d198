"""What is known to be false of the cone: that training which has entered it stays there.

`orthogonal.decision-boundary-certified` asks that training provably stays; entering is not enough
(docs/statements/orthogonal.md, level 4). `falsify` should find that out, with a proof.
"""

import jax
import jax.numpy as jnp
import pytest
from untyped import known

from theory import Deterministic, Parameters, Reals, Signs, Statement, exceeds, falsify, parameter
from theory.certificates.max_margin import inside_cone, kkt_margins, max_margin_limit
from theory.networks.descent import Descent
from theory.networks.network import Params, fixed_signs
from theory.networks.training import train

SLOPE = 0.5


class Setting(Parameters):
    """At most three points, and two neurons, one of each sign."""

    n: int = parameter(3, "points", low=1)
    d: int = parameter(2, "dimension", low=1)
    steps: int = parameter(8, "gradient steps", low=1)


def sample(key, config):
    keys = jax.random.split(key, 3)
    return {
        "x": jax.random.normal(keys[0], (config.n, config.d)),
        "y": jax.random.rademacher(keys[1], (config.n,), float),
        "w": jax.random.normal(keys[2], (2, config.d)),
    }


def weights(i):
    return Params(i["w"], jnp.zeros(2), jnp.array([1.0, -1.0]) / 2**0.5)


def kkt_point(i, config):
    """The closed form is a KKT point, so that it lies in the cone."""
    margins = kkt_margins(max_margin_limit(i["x"], i["y"], SLOPE), i["x"], i["y"])
    return exceeds(jnp.min(jnp.stack(margins)), 0.0)


def entered(i, config):
    return exceeds(inside_cone(weights(i), i["x"], i["y"]), 0.0)


def is_inside_later(i, config):
    network = fixed_signs(SLOPE, 1.0)
    descent = Descent(1 / 64, config.steps, "exponential")
    trained = train(network, weights(i), i["x"], i["y"], descent).params
    return exceeds(inside_cone(trained, i["x"], i["y"]), 0.0)


ENTERS = Statement(
    id="cone.enters",
    title="training that has entered the cone stays in it",
    config=Setting(),
    sample=sample,
    hypotheses={"KKT certificate": kkt_point, "cone entered": entered},
    claim=Deterministic(conclusion=is_inside_later),
    domain={"x": Reals(), "y": Signs(), "w": Reals()},
)


@pytest.mark.slow
def test_entering_the_cone_is_not_staying_proved_with_three_points():
    found = falsify(ENTERS, evaluations=20_000)  # found after 7,440, in 50 s of processor time
    assert found.verdict == "refuted", str(found)
    example = known(found.counterexample)
    assert found.proved, example.how
    assert len(example.instance["y"]) <= 3
