"""Benign overfitting: closed forms by hand, on default data, and what it is not."""

import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from statement_checks import check_default, evidence_of, verdict_of

from theory import REGISTRY, Claim
from theory.certificates.max_margin import solve
from theory.statements.orthogonal import benign, uniformity
from theory.statements.orthogonal.boundary import Points
from theory.verification.stages import Staged

DRAWS = {
    "orthogonal.benign-overfitting": 80,
    "orthogonal.benign-overfitting-explicit": 64,
    "orthogonal.benign-overfitting-beyond": 40,
}
RATE, EXPLICIT, BEYOND = (REGISTRY[id] for id in DRAWS)


@pytest.mark.parametrize("id", list(DRAWS))
def test_the_default_run_tests_the_statement(id):
    check_default(id, DRAWS[id])


def test_the_rate_holds_in_a_default_where_the_corollary_speaks():
    """η ≤ 49γ²/100, and beyond it in the statements that are ours."""
    assert RATE.config.noise <= 49 * RATE.config.slope**2 / 100
    for other in (EXPLICIT, BEYOND):
        assert 49 * other.config.slope**2 / 100 < other.config.noise < 0.49


@pytest.mark.parametrize(("exponent", "side"), [(-0.11, "at most"), (-0.09, "at least")])
def test_another_exponent_is_refuted(exponent, side):
    claim = Claim(exponent, 0.005, side)
    verdict = verdict_of(RATE.id, evidence_of(RATE.id, DRAWS[RATE.id]), claim)
    assert verdict.verdict == "refuted", str(verdict)


# --- by hand --------------------------------------------------------------------------------------


def orthogonal_points(first, labels, rest=1.0, slope=0.5):
    """x_k = (a_k, rest·e_k), with the labels as they come."""
    x = jnp.concatenate([jnp.array(first)[:, None], rest * jnp.eye(len(first))], axis=1)
    return solve(x, jnp.array(labels), slope)


def test_the_share_that_is_missed_against_draws_of_new_points():
    """200,000 points: five standard errors, of a share of 0.1, are 0.0034."""
    solved = orthogonal_points([0.3, 0.2, -0.4], [1.0, 1.0, -1.0])
    scale = 2.0
    normal = np.asarray(solved.limit.normal)
    z = np.random.default_rng(0).normal(size=(200_000, 4)) * [scale, 1, 1, 1]
    share = np.mean(np.sign(z @ normal) != np.sign(z[:, 0]))
    found = benign.of_points(solved, scale)
    assert abs(share - float(found.value)) < 5 * (0.25 / 200_000) ** 0.5
    assert found.error < 1e-12
    assert abs(share - float(benign.of_points(solved, 1.0).value)) > 0.02


def test_angles_beyond_a_right_one():
    one = benign.Value(jnp.array(1.0), jnp.array(0.0))
    other = benign.Value(jnp.array(-1.0), jnp.array(0.0))
    assert float(benign.angle(one, other).value) == pytest.approx(3 * math.pi / 4)
    nothing = benign.Value(jnp.array(0.0), jnp.array(0.0))
    assert benign.angle(nothing, nothing).error == jnp.inf


def test_the_error_of_an_angle_covers_what_its_sides_are_off():
    rng = np.random.default_rng(1)
    a, b, off = rng.normal(size=(3, 500))
    a, off = np.abs(a), np.abs(off) / 10
    found = benign.angle(
        benign.Value(jnp.array(a), jnp.array(off)), benign.Value(jnp.array(b), jnp.array(off))
    )
    for da, db in ((1, 1), (1, -1), (-1, 1), (-1, -1)):
        moved = np.arctan2(np.maximum(a + da * off, 0), b + db * off)
        assert (np.abs(moved - found.value) <= found.error).all()


@pytest.fixture(scope="module")
def small():
    """Five points, nearly orthogonal, one label wrong; a conclusion and its parts."""
    return orthogonal_points([0.02, 0.03, -0.02, -0.05, 0.01], [1.0, 1.0, -1.0, -1.0, -1.0])


def test_weights_and_spread_by_hand(small):
    right, wrong = benign.weight(small, lambda *_: jnp.array(2.0))
    assert float(right.value) == pytest.approx(0.12)
    assert float(wrong.value) == pytest.approx(2 * 0.01)
    tau = float(uniformity.enclosed(uniformity.sharp, small.x, 0.5).value)
    assert float(benign.spread(small).value) == pytest.approx(tau * 5**0.5)


def test_the_bound_by_hand(small):
    """tan of it is τ√S/(sC), and it is above the share times 1 − 2η."""
    config = benign.NoisySetting(n=5, d=100, noise=0.4)
    instance = Staged({"points": Points(small.x, small.y), "closed_form": small})
    tau = float(uniformity.enclosed(uniformity.sharp, small.x, 0.5).value)
    bound = 0.2 / math.pi * math.atan(tau * 5**0.5 / (100**0.3 * (0.12 - tau * 0.01)))
    found = benign._explicit(instance, config)
    excess = 0.2 * float(benign.of_points(small, 100**0.3).value)
    assert found.holds
    assert float(found.value) == pytest.approx(bound - excess)
    assert float(found.ratio) == pytest.approx(bound / excess)


def test_a_label_that_is_not_fitted_fails(small):
    """The same boundary with one label turned over afterwards."""
    config = benign.NoisySetting(n=5, d=100, noise=0.4)
    turned = dataclasses.replace(small, y=small.y.at[0].set(-1.0))
    assert benign.fitted(small).holds
    assert benign.fitted(turned).fails
    instance = Staged({"points": Points(turned.x, turned.y), "closed_form": turned})
    assert benign._explicit(instance, config).fails


def test_failure_probability_of_two_points_by_enumeration():
    """δ is at least what all four ways to flip two labels say, and below 1 with many points."""
    config = dataclasses.replace(BEYOND.config, noise=0.2)

    def delta(first):
        x = jnp.concatenate([jnp.array(first)[:, None], 100.0 * jnp.eye(len(first))], axis=1)
        points = Points(x, jnp.where(x[:, 0] >= 0, 1.0, -1.0))
        tau = float(uniformity.enclosed(uniformity.sharp, x, config.slope).value)
        return float(benign.failure_probability(Staged({"points": points}), config)), tau

    (found, tau), kept = delta([1.0, -2.0]), config.kept
    least = kept * (1 - (1 + tau) * 0.2) * 3.0
    fails = 0.0
    for wrong in ((0, 0), (0, 1), (1, 0), (1, 1)):
        weight = sum(a * (-tau if w else 1) for a, w in zip((1.0, 2.0), wrong, strict=True))
        fails += 0.2 ** sum(wrong) * 0.8 ** (2 - sum(wrong)) * (weight < least)
    assert fails <= found < 1
    assert delta([1.0, -2.0] * 40)[0] < found**20


def test_where_correct_labels_do_not_outweigh_nothing_is_promised():
    """η above 1/(1 + τ): δ = 1."""
    config = dataclasses.replace(BEYOND.config, noise=0.495)
    x = jnp.concatenate([jnp.ones((4, 1)), 10.0 * jnp.eye(4)], axis=1)
    points = Points(x, jnp.ones(4))
    assert benign.failure_probability(Staged({"points": points}), config) == 1


# --- what it is not -------------------------------------------------------------------------------


def drawn():
    sample = jax.jit(jax.vmap(lambda key: EXPLICIT.sample(key, EXPLICIT.config)))
    return sample(jax.random.split(jax.random.key(5), 64))


def test_the_bound_needs_its_uniformity(monkeypatch):
    """With τ = 1 in the weight of wrong labels and in the spread some draws are beyond it."""
    instances = drawn()
    monkeypatch.setattr(uniformity, "sharp", lambda inverse, load, slope: 1 + 0 * inverse)
    found = jax.vmap(lambda one: benign._explicit(one, EXPLICIT.config))(instances)
    assert found.fails.sum() > 8


def test_wrong_labels_count(monkeypatch):
    """The bound of as many correct labels in place of the wrong ones: most draws are beyond it."""
    instances = drawn()
    true = benign.weight

    def all_correct(solved, bound):
        right, wrong = true(solved, bound)
        return right._replace(value=right.value + wrong.value), wrong._replace(value=0.0)

    monkeypatch.setattr(benign, "weight", all_correct)
    found = jax.vmap(lambda one: benign._explicit(one, EXPLICIT.config))(instances)
    assert found.fails.sum() > 48
