"""Family subspace: right on its defaults, able to fail, and true by other routes."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from loose_parts import changed
from scipy import stats
from statement_checks import LEVEL, check_default, first_look

from theory import REGISTRY
from theory.margins import measured
from theory.networks.decay import descend_with_decay
from theory.networks.descent import Descent
from theory.networks.network import Params, all_trained, apply, init, input_gradients, outputs
from theory.statements.subspace import flip, gradient, setting

DRAWS = {
    "subspace.off-manifold-gradient": 2000,
    "subspace.off-manifold-gradient-decay": 2000,
    "subspace.off-manifold-flip": 120,
}
GRADIENT = REGISTRY["subspace.off-manifold-gradient"]


@pytest.mark.parametrize("id", list(DRAWS))
def test_the_default_run_tests_the_statement(id):
    check_default(id, DRAWS[id])


def refuted(statement, draws=2000, **changes):
    config = dataclasses.replace(statement.config, **changes)
    verdict = first_look(statement, key=jax.random.key(0), draws=draws, config=config, level=LEVEL)
    assert verdict.verdict == "refuted", str(verdict)


def test_weight_decay_without_its_factor_is_refuted():
    refuted(GRADIENT, decay=0.2)


def test_a_degree_of_freedom_for_each_coordinate_is_refuted():
    """χ²_d for χ²_{d−ℓ}: what an untrained network without a subspace has."""
    refuted(changed(GRADIENT, claims=lambda c: gradient.law(dataclasses.replace(c, inside=1))))


def of_all_neurons(trained, config):
    """d‖Π⊥∇f‖²/‖a‖²: neurons that are not active have no part in it."""
    v = trained.params.a
    found = gradient.relative_size(trained, config)
    at = setting.seen(trained, config)
    return measured(found.value * jnp.sum(at.v**2) / jnp.sum(v**2), found.error)


def by_signs(key, config):
    """Steps of ±η in every coordinate, as Adam's nearly are: no combination of the points.

    The subspace is a turned one: signs would leave coordinates alone that no point has.
    """
    trained, (points, y), params = _start(key, config)
    turn = jnp.asarray(TURN)

    def step(_, params):
        gradient = jax.grad(_loss)(params, points @ turn, y, config)
        return jax.tree.map(lambda p, g: p - 0.05 * jnp.sign(g), params, gradient)

    params = jax.lax.fori_loop(0, config.steps, step, params)
    return trained._replace(params=params._replace(w=params.w @ turn.T))


def with_noise(key, config):
    """Training points with a standard normal off the subspace, too: it moves those weights."""
    trained, (points, y), params = _start(key, config)
    noise = jax.random.normal(jax.random.fold_in(key, 1), (config.n, config.d - config.inside))
    points = points.at[:, config.inside :].add(noise)
    found = descend_with_decay(NETWORK, params, points, y, Descent(config.rate, config.steps), 0.0)
    return trained._replace(params=found)


def _loss(params, points, y, config):
    return jnp.mean(jax.nn.softplus(-y * apply(NETWORK, params, points)))


NETWORK = all_trained(0.0)
TURN = stats.ortho_group.rvs(32, random_state=1)


def _start(key, config):
    """What `setting.sample` makes, its training points, and the weights that it begins with."""
    key_points, key_labels, key_init = jax.random.split(key, 3)
    points = jax.random.normal(key_points, (config.n, config.inside))
    points = (config.d / config.inside) ** 0.5 * points
    points = jnp.pad(points, ((0, 0), (0, config.d - config.inside)))
    y = jax.random.rademacher(key_labels, (config.n,), points.dtype)
    params = init(NETWORK, key_init, config.m, config.d)
    return setting.sample(key, config), (points, y), params


@pytest.mark.parametrize("sample", [by_signs, with_noise])
def test_other_training_is_refuted(sample):
    refuted(dataclasses.replace(GRADIENT, sample=sample))


def test_neurons_that_are_not_active_have_no_part():
    refuted(changed(GRADIENT, quantity=of_all_neurons))


@pytest.mark.slow
@pytest.mark.parametrize(
    "changes",
    [
        {"m": 1, "steps": 3},
        {"rate": 5.0},  # training diverges
        {"slope": 0.5, "loss": "squared", "rate": 0.01},
        {"inside": 31},
        {"n": 40},
    ],
)
def test_the_law_holds_at_every_width_time_loss_and_rate(changes):
    config = dataclasses.replace(GRADIENT.config, **changes)
    verdict = first_look(GRADIENT, key=jax.random.key(0), draws=2000, config=config, level=LEVEL)
    assert verdict.verdict in ("consistent", "inconclusive"), str(verdict)


def test_the_gradient_is_that_of_the_network():
    config = setting.SubspaceSetting(n=3, d=9, inside=4, m=5, slope=0.3)
    trained = setting.sample(jax.random.key(2), config)
    found = setting.seen(trained, config).g
    expected = input_gradients(trained.params, trained.x[None, :], 0.3)[0, 4:]
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    by_grad = jax.grad(lambda x: outputs(trained.params, x[None, :], 0.3)[0])(trained.x)[4:]
    np.testing.assert_allclose(found, by_grad, rtol=1e-5)


@pytest.mark.parametrize(("room", "sigma"), [(0.7, 0.5), (0.0, 1.0), (-0.4, 0.3), (3.0, 0.6)])
def test_mean_excess_by_quadrature(room, sigma):
    """E(σ|ξ| − b)₊, ten million midpoints of [0, 12]."""
    x = (np.arange(10**6) + 0.5) * 12e-6
    expected = np.sum(np.maximum(sigma * x - room, 0) * 2 * stats.norm.pdf(x)) * 12e-6
    found = flip.excess(jnp.array([room]), jnp.asarray(sigma))
    np.testing.assert_allclose(found[0], expected, rtol=1e-4, atol=1e-8)


def test_limits_of_chi_square_are_missed_as_rarely_as_they_say():
    config = flip.FlipSetting()
    low, high = flip.freedom(config)
    k = config.d - config.inside
    assert stats.chi2.cdf(low, k) <= np.exp(-config.s)
    assert stats.chi2.sf(high, k) <= np.exp(-config.s)
    assert stats.chi2.cdf(low, k) > np.exp(-config.s) / 20  # and not much more rarely


def test_a_step_that_is_too_short_flips_no_sign():
    statement = changed(
        REGISTRY["subspace.off-manifold-flip"],
        conclusion=lambda i, c: flip.flipped(i, c, share=0.4),
        failure_probability=flip.failure_probability,
    )
    verdict = first_look(statement, key=jax.random.key(0), draws=60, level=LEVEL)
    assert verdict.verdict == "refuted", str(verdict)


def test_second_order_is_bounded_as_the_proof_says():
    """|φ(h + s) − φ(h) − φ'(h)s| = (1 − γ)(|s| − |h|)₊ where the sign changes, else 0."""
    rng = np.random.default_rng(0)
    h, s, gamma = rng.normal(size=1000), rng.normal(size=1000), 0.2

    def phi(t):
        return np.where(t >= 0, t, gamma * t)

    off = phi(h + s) - phi(h) - np.where(h >= 0, 1, gamma) * s
    turned = (h + s >= 0) != (h >= 0)
    np.testing.assert_allclose(off[~turned], 0, atol=1e-12)
    np.testing.assert_allclose(off[turned], 0.8 * (np.abs(s) - np.abs(h))[turned], atol=1e-12)
    assert (off >= -1e-12).all()  # convex: only neurons with a_i f > 0 hinder


def test_a_subspace_as_large_as_the_space_is_refused():
    with pytest.raises(ValueError, match="inside must be below d = 5, got 5"):
        setting.SubspaceSetting(d=5, inside=5)
    assert isinstance(setting.sample(jax.random.key(0), setting.SubspaceSetting()).params, Params)


def test_settings_at_which_a_formula_ends_are_refused():
    """k ≤ 4s: no gradient is too small to be ruled out. ηλ = 1: nothing is left off P."""
    assert flip.FlipSetting(d=23, s=4.0).d == 23
    with pytest.raises(ValueError, match=r"s must be below \(d − inside\)/4 = 4, got 4"):
        flip.FlipSetting(d=22, s=4.0)
    for rate, decay, steps in ((1.0, 1.0, 20), (0.9, 1.0, 400)):
        with pytest.raises(ValueError, match="decay must leave"):
            setting.SubspaceSetting(rate=rate, decay=decay, steps=steps)
    assert setting.SubspaceSetting(rate=3.0, decay=1.0).decay == 1.0  # of size 2: it grows
