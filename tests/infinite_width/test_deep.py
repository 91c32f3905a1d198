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


def test_the_limit_of_points_of_any_length_is_that_of_neural_tangents():
    """Lengths from a third to three, two layers, in and off the training points."""
    stax, slope = load().stax, 0.3
    random = np.random.default_rng(2)
    x, z = (jnp.asarray(random.normal(size=(q, 5)) * random.uniform(0.3, 3)) for q in (3, 2))
    weight = (2 / (1 + slope**2)) ** 0.5
    layers = [stax.Dense(1, W_std=weight, b_std=None), stax.ABRelu(slope, 1.0)] * 2
    kernel_fn = stax.serial(*layers, stax.Dense(1, W_std=1.0, b_std=None))[2]
    np.testing.assert_allclose(
        deep.limit_ntk(z, x, (2,), slope)[0], kernel_fn(z, x, "ntk"), rtol=2e-4, atol=2e-4
    )


def simulated_kernels(widths, slope, draws):
    """Θ(x, x)/(L + 1) by NumPy, layer by layer from the definition: |∂f/∂W|² of every W."""
    random, scale = np.random.default_rng(5), (2 / (1 + slope**2)) ** 0.5
    x, seen, passed = np.ones((draws, 2)), [], []
    for n in widths:
        w = random.normal(size=(draws, n, x.shape[1])) * scale / x.shape[1] ** 0.5
        h = np.einsum("rij,rj->ri", w, x)
        gain = np.where(h >= 0, 1, slope)
        seen.append(np.mean(x**2, axis=1))
        passed.append((w, gain))
        x = gain * h
    back = random.normal(size=x.shape) / x.shape[1] ** 0.5
    total = np.mean(x**2, axis=1)
    for square, (w, gain) in zip(reversed(seen), reversed(passed), strict=True):
        delta = gain * back
        total += scale**2 * np.sum(delta**2, axis=1) * square
        back = np.einsum("ri,rij->rj", delta, w)
    return total / (len(widths) + 1)


@pytest.mark.parametrize(("widths", "slope"), [((12, 20), 0.0), ((4, 6), 0.5)])
def test_the_second_moment_of_the_kernel_is_that_of_networks(widths, slope):
    """20,000 networks, 4 standard errors: a false alarm of 6·10⁻⁵ were the draws normal; and the
    moment of q_L, or that of a layer less, is further away."""
    squares = simulated_kernels(widths, slope, 20_000) ** 2
    room = 4 * squares.std() / len(squares) ** 0.5
    exact = deep.ntk_second_moment(widths, slope)
    assert abs(squares.mean() - exact) < room
    assert abs(deep.mean_square_moment(widths, slope) - exact) > 3 * room
    assert abs(deep.ntk_second_moment(widths[1:], slope) - exact) > 3 * room


def test_one_layer_by_hand():
    """Θ/2 is (1/n)Σ D_i(a_i² + h_i²), D independent: (2κ − 1)/n, κ = 2(1 + γ⁴)/(1 + γ²)²."""
    for slope in (0.0, 0.3, 0.9):
        kappa = 2 * (1 + slope**4) / (1 + slope**2) ** 2
        for n in (1, 2, 50):
            found = deep.ntk_second_moment((n,), slope)
            assert found == pytest.approx(1 + (2 * kappa - 1) / n, rel=1e-12)


def test_on_a_ray_the_second_moment_has_its_limit():
    """Off by O(1/n): twice the width halves it. Between a third of e^{bβ} and all of it."""
    for slope, ratio in ((0.0, 0.5), (0.4, 2.0)):
        limit = deep.ntk_second_moment_on_ray(ratio, slope)
        off = [
            deep.ntk_second_moment((n,) * round(ratio * n), slope) / limit - 1 for n in (400, 800)
        ]
        assert abs(off[1]) < 0.02
        assert off[0] / off[1] == pytest.approx(2, abs=0.1)
        grown = np.exp(deep.fourth_moment_excess(slope) * ratio)
        assert grown / 3 < limit < grown
    assert deep.ntk_second_moment_on_ray(1e-9, 0.0) == pytest.approx(1 + 11 / 3 * 1e-9, abs=1e-15)
    below, above = (deep.ntk_second_moment_on_ray(1e-4 / 6 * t, 0.0) for t in (0.999, 1.001))
    assert above - below == pytest.approx(11 / 3 * 1e-4 / 6 * 0.002, rel=1e-3)


def test_depths_must_increase():
    with pytest.raises(ValueError, match=r"depths\[1\] must be an integer ≥ 5, got 4"):
        deep.ntk_at_depths(jnp.ones(2), (4, 4), 0.0)


def test_widths_and_slopes_out_of_range_are_refused():
    with pytest.raises(ValueError, match=r"widths\[1\] must be an integer ≥ 1, got 0"):
        deep.mean_square_moment((3, 0), 0.2)
    with pytest.raises(ValueError, match="slope must be"):
        deep.mean_square_moment((3, 2), 1.0)
    with pytest.raises(ValueError, match=r"widths\[0\] must be an integer ≥ 1, got 0"):
        deep.ntk_second_moment((0,), 0.2)
    with pytest.raises(ValueError, match="ratio must be"):
        deep.ntk_second_moment_on_ray(0.0, 0.2)
    with pytest.raises(ValueError, match="draws must be an integer ≥ 1, got 0"):
        deep.sample_mean_squares(jax.random.key(0), (3,), 0.2, 0)
