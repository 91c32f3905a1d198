"""Kernels of deep networks in closed form, against neural-tangents, quadrature and simulation."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import integrate, stats
from untyped import p_value

from theory.infinite_width import deep
from theory.infinite_width._angles import angle
from theory.infinite_width._neural_tangents import load


@pytest.mark.parametrize("slope", [0.3, pytest.param(0.0, marks=pytest.mark.slow)])
def test_kernels_are_those_of_neural_tangents(slope):
    """Over the diagonal, whose mean square is that of the points; up to ten layers."""
    stax = load().stax
    x = jnp.asarray(np.random.default_rng(0).normal(size=(4, 5)))
    x = x * (5**0.5 / jnp.linalg.norm(x, axis=1, keepdims=True))
    weight = (2 / (1 + slope**2)) ** 0.5
    depths = (1, 3, 10)
    found = deep.ntk_at_depths(angle(x, x, bias=False), depths, slope)
    for depth, ours in zip(depths, found, strict=True):
        layers = [stax.Dense(1, W_std=weight, b_std=None), stax.ABRelu(slope, 1.0)] * depth
        kernel = stax.serial(*layers, stax.Dense(1, W_std=1.0, b_std=None))[2](x, x, "ntk")
        kernel = np.asarray(kernel) / kernel[0, 0]
        off = ~np.eye(4, dtype=bool)
        np.testing.assert_allclose(ours[off], kernel[off], rtol=2e-4)


def test_the_excess_of_the_sine_keeps_its_digits():
    theta = np.array([1e-6, 1e-3, 0.1, 0.499, 0.501, 1.0, 3.0])
    with jax.enable_x64(True):
        found = deep.sine_excess(jnp.asarray(theta))
    whole = {"epsabs": 0, "epsrel": 1e-13}
    exact = [integrate.quad(lambda t: t * np.sin(t), 0, x, **whole)[0] for x in theta]
    np.testing.assert_allclose(found, exact, rtol=1e-12)


def test_angles_close_like_three_pi_over_depth():
    """θ_L ≈ 3π/(c(L + 3/2 log L)) with c = (1 − γ)²/(1 + γ²), to 2/L."""
    for slope in (0.0, 0.5):
        c = (1 - slope) ** 2 / (1 + slope**2)
        at, depth = deep.Angles(jnp.asarray(1.5), jnp.asarray(0.0)), 4000
        at = jax.lax.fori_loop(0, depth, lambda _, a, s=slope: deep.next_angles(a, s), at)
        scaled = c * float(at.theta) / (3 * np.pi)
        assert 1 / scaled == pytest.approx(depth + 1.5 * np.log(depth), abs=12 / c)


@pytest.mark.parametrize("slope", [0.0, 0.4])
def test_fourth_moment_by_quadrature(slope):
    def fourth(z):
        square = np.where(z >= 0, z, slope * z) ** 2
        return (2 * square / (1 + slope**2)) ** 2 * stats.norm.pdf(z)

    exact = integrate.quad(fourth, -12, 0)[0] + integrate.quad(fourth, 0, 12)[0]
    assert deep.fourth_moment_excess(slope) == pytest.approx(exact - 1, rel=1e-9)
    assert deep.fourth_moment_excess(0.0) == 5
    assert deep.mean_square_moment((2, 5), 0.0) == pytest.approx((1 + 5 / 2) * 2)


def test_factors_have_the_law_of_networks():
    """q_L without weights and with them: Kolmogorov and Smirnov on 2000 of each, at 1e-4."""
    from theory.networks.deep import DeepNetwork, init_deep, last_activations

    widths, slope = (3, 5), 0.2
    network = DeepNetwork(widths, slope, (2 / (1 + slope**2)) ** 0.5)
    x = jnp.full((1, 4), 1.0)

    def of_network(key):
        return 2 * jnp.mean(last_activations(network, init_deep(network, key, 4), x) ** 2) / 2

    with_weights = jax.vmap(of_network)(jax.random.split(jax.random.key(1), 2000))
    without = deep.sample_mean_squares(jax.random.key(2), widths, slope, 2000)
    assert p_value(stats.ks_2samp(with_weights, without)) > 1e-4
    wider = deep.sample_mean_squares(jax.random.key(2), (3, 50), slope, 2000)
    assert p_value(stats.ks_2samp(with_weights, wider)) < 1e-4


def test_depths_must_increase():
    with pytest.raises(ValueError, match=r"depths\[1\] must be an integer ≥ 5, got 4"):
        deep.ntk_at_depths(jnp.ones(2), (4, 4), 0.0)


def test_widths_and_slopes_out_of_range_are_refused():
    with pytest.raises(ValueError, match=r"widths\[1\] must be an integer ≥ 1, got 0"):
        deep.mean_square_moment((3, 0), 0.2)
    with pytest.raises(ValueError, match="slope must be"):
        deep.mean_square_moment((3, 2), 1.0)
    with pytest.raises(ValueError, match="draws must be an integer ≥ 1, got 0"):
        deep.sample_mean_squares(jax.random.key(0), (3,), 0.2, 0)
