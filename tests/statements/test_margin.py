"""Family margin: right on its default data, and able to fail."""

import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from loose_parts import changed
from statement_checks import LEVEL, check_default, first_look

from theory import REGISTRY
from theory.statements.margin import random_features

DRAWS = {"margin.random-features": 32, "margin.random-features-sharp": 32}
SHORT = {"steps": 400, "activation": "sine"}


@pytest.mark.parametrize("id", list(DRAWS))
def test_the_default_run_tests_the_statement(id):
    check_default(id, DRAWS[id])


@pytest.mark.parametrize(
    "guarantee",
    [
        lambda gamma, size, t, log_n, path: 1.01 * gamma,  # more than there is
        lambda gamma, size, t, log_n, path: 50**0.5 * gamma,  # ‖a‖₂ ≤ 1 without its √m
    ],
)
def test_a_false_guarantee_is_refuted(guarantee):
    statement = REGISTRY["margin.random-features-sharp"]
    false = changed(statement, conclusion=random_features._reaches(guarantee))
    config = dataclasses.replace(statement.config, **SHORT)
    verdict = first_look(false, key=jax.random.key(0), draws=16, config=config, level=LEVEL)
    assert verdict.verdict == "refuted", str(verdict)


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"n": 12, "m": 2, "data": "sphere"}, "long enough"),
        ({"steps": 5}, "long enough"),
    ],
)
def test_leaving_the_regime_is_vacuous(change, name):
    statement = REGISTRY["margin.random-features-sharp"]
    config = dataclasses.replace(statement.config, **(SHORT | change))
    verdict = first_look(statement, key=jax.random.key(0), draws=16, config=config)
    assert verdict.verdict == "vacuous"
    assert f"{name} fails in 16 of 16 draws" in verdict.reason


def test_guarantees_by_hand():
    """γ₂ = ½, ‖z‖_∞ = 2, t = 10⁴, n = 4: ½ − 0.02(2.828 + √3·1.386/½) and ½ − 0.06/√2 − …"""
    path = random_features.Ascent(*4 * (jnp.array(100.0),))
    printed = random_features.printed(jnp.array(0.5), jnp.array(2.0), 10_000, math.log(4), path)
    assert printed == pytest.approx(0.5 - 0.02 * (8**0.5 + 3**0.5 * math.log(4) / 0.5))
    sharp = random_features.sharp(jnp.array(0.5), jnp.array(2.0), 10_000, math.log(4), path)
    assert sharp == pytest.approx(0.5 - 3 * 0.02 / 2**0.5 - math.log(4) * 0.01)


@pytest.mark.slow
def test_ours_is_the_better_guarantee_on_every_path():
    """3/√2 < 2√2, and Σ1/β ≤ √3·‖z‖_∞√t/γ₂, as the proof of the printed form has it."""
    statement = REGISTRY["margin.random-features"]
    config = dataclasses.replace(statement.config, **SHORT)
    for seed in range(3):
        drawn = statement.sample(jax.random.key(seed), config)
        z, path = np.asarray(drawn.features.z), drawn.path
        gamma = random_features.margin_bounds(
            z / z.shape[1] ** 0.5, statement.solved(drawn).solution
        ).low
        size = np.abs(z).max()
        assert path.inverses <= 3**0.5 * size * config.steps**0.5 / gamma
