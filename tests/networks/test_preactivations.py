"""Training in pre-activation space and by flips, against training of the weights."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from untyped import forget

from theory.networks import flips
from theory.networks.descent import Descent
from theory.networks.flips import coefficients_by_flips
from theory.networks.network import all_trained, fixed_signs, frozen_readout, init, pre_activations
from theory.networks.preactivations import (
    coefficients,
    gaussian_pre_activations,
    moved,
)
from theory.networks.training import cheapest_space, train

N, M = 24, 10
NETWORKS = {
    "K24b": frozen_readout(0.0),
    "K24b leaky": frozen_readout(0.3),
    "K24a": fixed_signs(0.5, scale=0.5),
}
OPTIMIZERS = {
    "plain": {},
    "heavy-ball": {"momentum": 0.9},
    "nesterov": {"momentum": 0.9, "nesterov": True},
}
# A step makes about d + M + N roundings, which later steps carry on without amplifying (the
# identity loss) or by a factor of at most 100; of quantities of the size of what has moved.
EPS = float(np.finfo(np.float64).eps)


def data(d, scale=1.0, n=N, seed=0):
    rng = np.random.default_rng(seed)
    return jnp.array(scale * rng.normal(size=(n, d))), jnp.array(rng.choice([-1.0, 1.0], n))


def assert_same(left, right, steps, amplified=1):
    for name, one in zip(left.params._fields, left.params, strict=True):
        other = getattr(right.params, name)
        tolerance = amplified * steps * 100 * EPS * float(jnp.max(jnp.abs(one)))
        np.testing.assert_allclose(other, one, rtol=0, atol=tolerance, err_msg=name)
    np.testing.assert_allclose(right.weights, left.weights, rtol=amplified * steps * 100 * EPS)


@pytest.mark.parametrize("d", [3, 40])
@pytest.mark.parametrize("loss", ["identity", "logistic", "squared", "log exponential"])
@pytest.mark.parametrize("name", NETWORKS)
def test_pre_activation_space_is_training_of_the_weights(name, loss, d):
    network, (x, y) = NETWORKS[name], data(d)
    params = init(network, jax.random.key(1), M, d)
    descent = Descent(0.2, 15, loss.removeprefix("log "), 0.8, log_loss=loss.startswith("log "))
    expected = train(network, params, x, y, descent)
    assert float(jnp.max(jnp.abs(expected.params.w - params.w))) > 0.01
    assert_same(
        expected, train(network, params, x, y, descent, space="pre-activations"), 15, amplified=100
    )


def test_pre_activation_space_with_a_smooth_activation():
    network, (x, y) = frozen_readout(activation="erf"), data(5)
    params, descent = init(network, jax.random.key(1), M, 5), Descent(0.2, 15, "logistic")
    expected = train(network, params, x, y, descent)
    assert_same(expected, train(network, params, x, y, descent, space="pre-activations"), 15, 100)


@pytest.mark.parametrize(
    ("name", "optimizer", "d"),
    [(name, "heavy-ball", 3) for name in NETWORKS]
    + [("K24b", "plain", 3), ("K24b leaky", "nesterov", 3), ("K24b leaky", "heavy-ball", 40)],
)
@settings(max_examples=12)
@given(rate=st.floats(1e-5, 100.0), seed=st.integers(0, 2**31))
def test_flips_are_training_of_the_weights(d, name, optimizer, rate, seed):
    """From steps at which most activations switch down to steps at which none ever does."""
    network, (x, y) = NETWORKS[name], data(d)
    params = init(network, jax.random.key(seed), M, d)
    descent = Descent(rate, 120, **OPTIMIZERS[optimizer])
    expected = train(network, params, x, y, descent)
    assert_same(expected, train(network, params, x, y, descent, space="flips"), 120)


@pytest.mark.parametrize(
    ("cached", "row", "flip_cost"),
    [(4 * N, 64, 50), (2**15, 2, 1e-3), (2**15, 64, 1e-3), (2**15, 64, 10**6)],
    ids=["blocks", "neurons by products", "one by one", "all anew"],
)
def test_every_way_to_update_velocities(monkeypatch, cached, row, flip_cost):
    """13 neurons in blocks of 4, the last one filled up; or in one, updated in one way only."""
    for name, value in (("CACHED", cached), ("ROW", row), ("FLIP_COST", flip_cost)):
        monkeypatch.setattr(flips, name, value)
    network, (x, y), m = frozen_readout(0.1), data(3), 13
    params, descent = init(network, jax.random.key(1), m, 3), Descent(0.3, 60, momentum=0.5)
    expected = train(network, params, x, y, descent)
    forget(coefficients_by_flips)
    found = train(network, params, x, y, descent, space="flips")
    forget(coefficients_by_flips)
    assert_same(expected, found, 60)


def test_steps_without_a_switch_are_taken_at_once():
    """Points so small that only biases decide activations: C = T φ'(h(0)), after 10⁹ steps.

    Step by step that would take hours.
    """
    network, (x, y) = frozen_readout(0.2), data(5, scale=1e-9)
    y = y.at[:].set(jnp.where(jnp.arange(N) % 2 == 0, 1.0, -1.0))
    params = init(network, jax.random.key(1), M, 5)
    h = pre_activations(params, x).T
    descent = Descent(1e-9, 10**9, momentum=0.9)
    # Velocities cancel up to the points' own size, 1e-9, and T is 10: no bias gets to 0.
    assert float(jnp.min(jnp.abs(h))) > 1e-3
    c, weights, _ = coefficients_by_flips(network, h, params.a, x, y, descent)
    np.testing.assert_allclose(c, descent.time * jnp.where(h >= 0, 1.0, 0.2), rtol=1e-9)
    np.testing.assert_allclose(weights, descent.time, rtol=1e-12)


@pytest.mark.parametrize("momentum", [0.5, 0.9, 0.99])
def test_jumps_are_exact_in_single_precision(momentum):
    """Neurons that switch once, at steps up to 1000, and at the same ones as in float64.

    C remembers when: a step more or less would change it by 1e-3 of T.
    """
    network, descent = frozen_readout(0.0), Descent(1e-3, 1000, momentum=momentum)
    x, y = jnp.array([[0.5]]), jnp.array([-1.0])
    h = jnp.array(np.linspace(0.01, 0.99, 23)[:, None]) * descent.time * 1.25
    single = [jnp.asarray(part, jnp.float32) for part in (h, jnp.ones(23), x, y)]
    found = coefficients_by_flips(network, *single, descent)
    assert found.c.dtype == jnp.float32
    expected = coefficients(network, h, jnp.ones(23), x, y, descent)
    assert len(np.unique(expected.c)) > 20
    np.testing.assert_allclose(found.c, expected.c, atol=1e-6 * float(descent.time))
    np.testing.assert_allclose(found.weights, expected.weights, rtol=1e-6)


def test_networks_under_vmap_are_trained_as_alone():
    network, descent = frozen_readout(0.1), Descent(0.3, 20, momentum=0.5)
    parts = [(data(3, seed=s), init(network, jax.random.key(s), M, 3)) for s in range(3)]
    arguments = [
        (pre_activations(params, x).T, params.a, x, y, descent) for (x, y), params in parts
    ]
    stacked = jax.tree.map(lambda *a: jnp.stack([jnp.asarray(b) for b in a]), *arguments)
    together = jax.vmap(lambda a: coefficients_by_flips(network, *a))(stacked)
    alone = [coefficients_by_flips(network, *a) for a in arguments]
    np.testing.assert_allclose(together.c, jnp.stack([t.c for t in alone]), rtol=1e-12)


def test_a_dip_below_zero_and_back_is_no_calm(monkeypatch):
    """A switch while momentum still points down: a second activation dips below 0 for few steps.

    1600 neurons from a grid of initial values, each a block of its own; a jump that compared
    signs at its ends only would miss the dip of some of them.
    """
    monkeypatch.setattr("theory.networks.flips.CACHED", 2)
    x, y = jnp.array([[2.0], [1.0]]), jnp.array([-1.0, 1.0])
    grid = np.linspace(0.05, 3, 40)
    h = jnp.array([(h_1, h_2) for h_1 in grid for h_2 in grid])
    descent, network = Descent(0.01, 200, momentum=0.9), frozen_readout(0.0)
    found = coefficients_by_flips(network, h, jnp.ones(1600), x, y, descent)
    expected = coefficients(network, h, jnp.ones(1600), x, y, descent)
    np.testing.assert_allclose(found.c, expected.c, rtol=1e-10)


def test_coefficients_give_the_pre_activations_everywhere():
    network, (x, y) = frozen_readout(0.1), data(4)
    z, _ = data(4, seed=7)
    params, descent = init(network, jax.random.key(1), M, 4), Descent(0.3, 40)
    h = pre_activations(params, x).T
    trained = coefficients_by_flips(network, h, params.a, x, y, descent)
    end = moved(network, params, trained, x, y)
    pull = trained.c * y[None, :] * params.a[:, None] / N
    expected = pre_activations(params, z).T + pull @ (x @ z.T + 1)
    np.testing.assert_allclose(pre_activations(end, z).T, expected, rtol=1e-12, atol=1e-12)


def test_the_law_of_initial_pre_activations():
    """Their second moments, of 40,000 neurons, are xxᵀ/d + 1; on more points than dimensions too.

    An entry s_jk of the mean has variance (s_jj s_kk + s_jk²)/40,000: beyond 5 standard errors with
    probability 6e-7, for 300 entries 2e-4.
    """
    x, _ = data(5)
    x = x.at[1].set(x[0])
    for bias in (True, False):
        h = gaussian_pre_activations(jax.random.key(3), x, 40_000, bias)
        expected = np.asarray(x @ x.T / 5 + float(bias))
        variance = np.diag(expected)[:, None] * np.diag(expected)[None, :] + expected**2
        found = np.asarray(h.T @ h) / 40_000
        assert np.all(np.abs(found - expected) < 5 * np.sqrt(variance / 40_000))
        # Eigenvalues that vanish are found up to rounding; their square roots are seen here.
        np.testing.assert_allclose(h[:, 0], h[:, 1], atol=1e-6)


def test_a_trajectory_needs_no_weights():
    """From drawn pre-activations in place of weights, in a dimension of a hundred thousand."""
    d, network = 100_000, frozen_readout(0.0)
    x, y = data(d, n=6)
    params, descent = init(network, jax.random.key(1), 3, d), Descent(1e-4, 20, momentum=0.5)
    h = pre_activations(params, x).T
    # In coordinates of their span the points have the same inner products, hence the same path.
    coordinates = jnp.linalg.cholesky(x @ x.T)
    assert coordinates.shape == (6, 6)
    found = coefficients_by_flips(network, h, params.a, coordinates, y, descent)
    expected = coefficients_by_flips(network, h, params.a, x, y, descent)
    np.testing.assert_allclose(found.c, expected.c, rtol=1e-9)
    end = train(network, params, x, y, descent).params
    np.testing.assert_allclose(
        moved(network, params, found, x, y).w, end.w, atol=1e-9 * float(jnp.max(jnp.abs(end.w)))
    )


def test_cheapest_space(monkeypatch):
    network, identity = frozen_readout(), Descent(0.1, 100)
    logistic = dataclasses.replace(identity, loss="logistic")
    assert cheapest_space(network, identity, 100, 10, 50) == "flips"
    assert cheapest_space(network, logistic, 100, 10, 50) == "weights"
    assert cheapest_space(network, logistic, 100, 1000, 50) == "pre-activations"
    # one step does not pay for the inner products of the points
    assert cheapest_space(network, Descent(0.1, 1, "logistic"), 100, 1000, 50) == "weights"
    assert cheapest_space(all_trained(), identity, 100, 1000, 50) == "weights"
    assert cheapest_space(frozen_readout(activation="erf"), identity, 9, 99, 9) != "flips"
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert cheapest_space(network, identity, 100, 10, 50) == "weights"


@pytest.mark.parametrize(
    ("network", "descent", "observe", "space", "message"),
    [
        (all_trained(), Descent(0.1, 3), None, "flips", "space must be weights for this network"),
        (
            frozen_readout(), Descent(0.1, 3, "logistic"), None, "flips",
            "space must be weights or pre-activations for this network, loss, schedule and "
            "observation, got 'flips'",
        ),
        (
            frozen_readout(activation="erf"), Descent(0.1, 3), None, "flips",
            "space must be weights or pre-activations",
        ),
        (
            frozen_readout(), Descent(0.1, 3), lambda p: p.b, "pre-activations",
            "space must be weights for this",
        ),
        (frozen_readout(), Descent(0.1, 3), None, "time", "space must be one of"),
    ],
)  # fmt: skip
def test_spaces_that_cannot_be(network, descent, observe, space, message):
    x, y = data(3)
    params = init(network, jax.random.key(0), 4, 3)
    with pytest.raises(ValueError, match=message):
        train(network, params, x, y, descent, observe, space=space)
