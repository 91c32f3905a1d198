"""The law of the changed share: closed forms, trained networks, and what it is bounded by."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from theory.data.sampling import draw
from theory.infinite_width import bounds
from theory.infinite_width.crossings import changed_share, displacements
from theory.infinite_width.lazy import kappa
from theory.networks.descent import descent_for_time
from theory.networks.embedding import standard_deviation
from theory.networks.network import frozen_readout, init, pre_activations
from theory.networks.training import train

SAMPLES = 4096
N, D, Q = 12, 4, 8


def problem(seed, law="shifted-gaussian"):
    x, y, z, _ = draw(jax.random.key(seed), law, N, D, queries=Q)
    return x, y, z


@settings(max_examples=10)
@given(
    seed=st.integers(0, 1000),
    slope=st.floats(0, 0.95),
    time=st.floats(0.01, 30),
    m=st.integers(1, 10**6),
)
def test_one_training_point_has_a_closed_form(seed, slope, time, m):
    """n = 1, z = x: from the side φ' = 1 neurons reach as far as r, from the other as far as γr."""
    x = jax.random.normal(jax.random.key(seed), (1, D)) * 2
    share = changed_share(jax.random.key(seed + 1), x, jnp.ones(1), x, m, slope, time, SAMPLES)
    r = time * kappa(x, x) / (standard_deviation(x) * m**0.5)
    expected = (jnp.arctan(r) + jnp.arctan(slope * r)) / (2 * jnp.pi)
    # 20 examples, four points each way: five standard errors are 1e-5 for all of them.
    np.testing.assert_allclose(share.law, expected, atol=5 * float(share.error[0]) + 1e-12, rtol=0)


@settings(max_examples=10)
@given(
    seed=st.integers(0, 1000),
    slope=st.floats(0, 0.95),
    time=st.floats(0.01, 30),
    m=st.integers(1, 10**6),
)
def test_the_law_lies_between_its_limits_and_below_the_arctan_bound(seed, slope, time, m):
    x, y, z = problem(seed)
    share = changed_share(jax.random.key(seed), x, y, z, m, slope, time, SAMPLES)
    r = bounds.crossing_ratio(bounds.reach(x, y, z, time, slope), z, m)
    np.testing.assert_allclose(share.bound, jnp.sum(jnp.arctan(r), axis=0) / jnp.pi, rtol=1e-12)
    total = time * kappa(x, z) / (standard_deviation(z) * m**0.5)
    assert (share.bound <= bounds.crossing_probability(total) * (1 + 1e-12)).all()
    assert (share.lower <= share.law).all()
    assert (share.law <= share.upper).all()
    assert (share.upper <= share.bound * (1 + 1e-12)).all()


@given(seed=st.integers(0, 1000), factor=st.floats(0.1, 10))
@settings(max_examples=10)
def test_time_and_width_enter_as_one_number(seed, factor):
    x, y, z = problem(seed)
    one = changed_share(jax.random.key(0), x, y, z, 50.0, 0.3, 2.0, SAMPLES)
    other = changed_share(jax.random.key(0), x, y, z, 50.0 * factor**2, 0.3, 2.0 * factor, SAMPLES)
    # A sample may lie within rounding of a limit and fall on its other side.
    np.testing.assert_allclose(one.law, other.law, atol=2 / SAMPLES)
    np.testing.assert_allclose(one.bound, other.bound, rtol=1e-10)


@pytest.mark.parametrize("slope", [0.0, 0.5])
def test_few_changes_follow_the_velocity_of_neurons_at_the_kink(slope):
    """T E(|G(z)| | h(z; 0) = 0)/(πσ√m) as r → 0, from neurons drawn with h(z; 0) = 0."""
    x, y, z = problem(3, "gaussian")
    key = jax.random.key(4)
    share = changed_share(key, x, y, z, 10**8, slope, 1.0, SAMPLES)
    e_x, e_z = (jnp.concatenate([p / D**0.5, jnp.ones_like(p[:, :1])], 1) for p in (x, z))
    g = jax.random.normal(jax.random.key(5), (SAMPLES, D + 1))
    u = e_z / jnp.linalg.norm(e_z, axis=1, keepdims=True)
    across = g[None, :, :] - (g @ u.T).T[:, :, None] * u[:, None, :]  # (q, samples, d + 1)
    pull = y[None, :] * (z @ x.T + 1) / N
    rate = jnp.where(across @ e_x.T > 0, 1.0, slope)
    speed = jnp.abs(jnp.sum(rate * pull[:, None, :], axis=2))
    scale = 1 / (jnp.pi * jnp.linalg.norm(e_z, axis=1) * 1e4)
    error = jnp.hypot(share.error, scale * jnp.std(speed, axis=1) / SAMPLES**0.5)
    # Sixteen comparisons: 4.5 standard errors are 1e-4 for all; corrections are O(r) = 1e-3.
    expected = scale * jnp.mean(speed, axis=1)
    assert (jnp.abs(share.law - expected) < 4.5 * error + 1e-3 * expected).all()


@pytest.mark.slow
@pytest.mark.parametrize(("slope", "time"), [(0.0, 20.0), (0.5, 200.0), (0.2, 1.0)])
def test_trained_neurons_lie_between_the_limits(slope, time):
    """Each neuron's displacement, and the share of those that change; r up to 3, 25 and 0.1."""
    x, y, z = problem(7)
    m, steps = 2000, 40
    network = frozen_readout(slope)
    start = init(network, jax.random.key(8), m, D)
    after = train(network, start, x, y, descent_for_time(time, steps), space="flips").params
    before, final = pre_activations(start, z), pre_activations(after, z)
    moved = (final - before) / (start.a * m**0.5)[None, :]
    r_x = bounds.crossing_ratio(bounds.reach(x, y, x, time, slope), x, m)
    pull = time * y[None, :] * (z @ x.T + 1) / (N * m**0.5)
    neurons = (pre_activations(start, x).T, start.a * m**0.5, r_x, standard_deviation(x))
    frozen, least, most = jax.vmap(lambda p: displacements(*neurons, p, slope), out_axes=1)(pull)
    rounding = 1e-9 * (1 + jnp.max(jnp.abs(final)) / jnp.abs(start.a * m**0.5))[None, :]
    assert (moved >= least - rounding).all()
    assert (moved <= most + rounding).all()
    # Limits are attained: where no training point is near enough to 0, they meet.
    sure = least == most
    assert sure.any()
    assert (jnp.abs(moved - frozen)[sure] <= jnp.broadcast_to(rounding, sure.shape)[sure]).all()

    share = changed_share(jax.random.key(9), x, y, z, m, slope, time, SAMPLES)
    measured = jnp.mean((before >= 0) != (final >= 0), axis=1, dtype=x.dtype)
    # 24 points on two sides: 4 standard errors are 2e-3 for all of them.
    error = 4 * (jnp.sqrt(measured * (1 - measured) / m) + share.error)
    assert (share.lower - error <= measured).all()
    assert (measured <= share.upper + error).all()


def test_malformed_arguments_are_named():
    x, y, z = problem(0)
    key = jax.random.key(0)
    with pytest.raises(ValueError, match="y must be"):
        changed_share(key, x, y * 2, z, 10, 0.0, 1.0)
    with pytest.raises(ValueError, match="slope must be"):
        changed_share(key, x, y, z, 10, 1.0, 1.0)
    with pytest.raises(ValueError, match="m must be"):
        changed_share(key, x, y, z, 0, 0.0, 1.0)
