"""The stable rank after one step and later: bounds by hand, on default data, and what it is not."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from statement_checks import check_default, evidence_of, first_look, verdict_of

from theory import REGISTRY, Claim, Deterministic
from theory.statements.orthogonal import early_rank
from theory.statements.orthogonal.boundary import Points
from theory.verification.evaluation import evaluate_instance
from theory.verification.stages import Staged

DRAWS = {"orthogonal.gradient-descent-rank": 32, "orthogonal.gradient-descent-rank-smooth": 64}
RANK, SMOOTH = (REGISTRY[id] for id in DRAWS)


@pytest.mark.parametrize("id", list(DRAWS))
def test_the_default_run_tests_the_statement(id):
    check_default(id, DRAWS[id])


def test_before_the_first_step_the_stable_rank_is_above_the_bound():
    """Else the statement would say nothing that the initial weights do not."""
    evidence = evidence_of(RANK.id, DRAWS[RANK.id])
    before = evidence.measured["not before the first step"]
    assert before.holds.all()
    assert (before.ratio > 20).all()  # excess over 1: about 11 against 0.23


@pytest.mark.parametrize("exponent", [1.0, 1.9, 2.1, 3.0])
def test_another_power_of_the_scale_is_refuted(exponent):
    claim = Claim(exponent, 0.02, tolerance=0.003)
    assert verdict_of(SMOOTH.id, evidence_of(SMOOTH.id, 64), claim).verdict == "refuted"


@pytest.mark.parametrize("changes", [{"scale": 1.0}, {"learning_rate": 1e-6}])
def test_weights_that_are_large_against_the_step_are_out_of_its_regime(changes):
    """There W_0 itself has the stable rank that is measured, whatever its scale."""
    config = dataclasses.replace(SMOOTH.config, **changes)
    verdict = first_look(SMOOTH, key=jax.random.key(0), draws=4, config=config)
    assert verdict.verdict == "vacuous", str(verdict)


def test_spectrum_by_hand():
    excess, largest = early_rank.spectrum(jnp.array([[3.0, 0.0, 0.0], [0.0, 0.0, 2.0]]))
    assert excess == pytest.approx(4 / 9)
    assert largest == pytest.approx(3)


def test_bounds_by_hand():
    """γ = ½: κ = 1.125. h = 0.2: 1.125·1.2/0.8; Z = 1, ‖W₀‖_F = 0.1, ‖W₀‖ = 0.05."""
    assert float(early_rank.of_updates(jnp.array(0.2), 0.5)) == pytest.approx(1.6875)
    start = jnp.array(0.1), jnp.array(0.05)
    found = early_rank.of_weights(jnp.array(0.2), 0.5, start, jnp.array(1.0))
    assert float(found) == pytest.approx(((1.35**0.5 + 0.1) / (0.8**0.5 - 0.05)) ** 2)
    zero = jnp.array(0.0), jnp.array(0.0)
    same = early_rank.of_weights(jnp.array(0.2), 0.5, zero, jnp.array(1.0))
    assert float(same) == pytest.approx(1.6875)
    large = jnp.array(1.0), jnp.array(0.9)
    assert early_rank.of_weights(jnp.array(0.2), 0.5, large, jnp.array(1.0)) == jnp.inf


@pytest.mark.parametrize("slope", [0.05, 0.5, 0.9])
def test_updates_of_any_weights_are_below_the_bound(slope):
    """C_ik anywhere in [γS_k, S_k]: all that training can add up to, at points with h up to 1."""
    rng = np.random.default_rng(int(100 * slope))
    tightest = np.inf
    for _ in range(300):
        n, m = int(rng.integers(2, 6)), 2 * int(rng.integers(1, 8))
        x = np.eye(n, 8) + rng.uniform(0, 0.15) * rng.normal(size=(n, 8))
        h = float(early_rank.crowding(jnp.asarray(x))[0])
        if h >= 1:
            continue
        y, a = rng.choice([-1.0, 1.0], n), rng.choice([-1.0, 1.0], m) / m**0.5
        share = np.where(rng.random((m, n)) < rng.random(), 1.0, slope)
        w = (a[:, None] * share * rng.uniform(0.1, 1, n)[None, :] * y[None, :]) @ x
        rank = 1 + float(early_rank.spectrum(jnp.asarray(w))[0])
        tightest = min(tightest, float(early_rank.of_updates(jnp.array(h), slope)) / rank)
    assert tightest >= 1


def test_the_constant_is_nearly_attained():
    """Orthonormal points, slopes 1 at random at a share γ/(1 + γ) of neurons and points, else γ."""
    slope, rng = 0.05, np.random.default_rng(0)
    c = np.where(rng.random((400, 400)) < slope / (1 + slope), 1.0, slope)
    rank = 1 + float(early_rank.spectrum(jnp.asarray(c))[0])
    assert 1 < float(early_rank.of_updates(jnp.array(0.0), slope)) / rank < 1.15


def test_crowding_by_hand():
    h, off = early_rank.crowding(jnp.array([[2.0, 0.0, 0.0], [0.5, 1.0, 0.0], [0.0, 0.0, 3.0]]))
    assert float(h) == pytest.approx(2 * 1.0 / 1.25)
    assert off < 1e-12
    assert early_rank.crowding(jnp.zeros((2, 3)))[0] == jnp.inf


def test_points_too_near_one_another_are_not_promised_anything():
    """h ≥ 1: the hypothesis fails, and the bound is infinite, so nothing is decided."""
    x, y = jnp.ones((3, 4)) + 0.1 * jnp.eye(3, 4), jnp.array([1.0, -1.0, 1.0])
    config = dataclasses.replace(RANK.config, n=3, d=4, m=4, steps=2)
    points = Staged({"points": Points(x, y)})
    training = early_rank._training(jax.random.key(0), points, config)
    instance = Staged({"points": Points(x, y), "training": training})
    evidence = evaluate_instance(dataclasses.replace(RANK, config=config), instance)
    assert evidence.hypotheses["points apart"].fails.all()


def test_it_needs_small_initial_weights():
    """From weights a thousand times as large nothing collapses: the bound without W₀ is refuted."""

    def without_start(instance, config):
        run = instance.training._replace(
            whole=0 * instance.training.whole, largest=0 * instance.training.largest
        )
        return early_rank._stays_low(Staged({**instance, "training": run}), config)

    config = dataclasses.replace(RANK.config, scale=0.1)
    statement = dataclasses.replace(RANK, claim=Deterministic(without_start))
    sample = jax.jit(jax.vmap(lambda key: statement.sample(key, config)))
    instances = sample(jax.random.split(jax.random.key(1), 8))
    found = jax.vmap(lambda one: without_start(one, config))(instances)
    assert found.fails.all()
    true = jax.vmap(lambda one: early_rank._stays_low(one, config))(instances)
    assert not true.fails.any()
