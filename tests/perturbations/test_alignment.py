"""Cosines of perturbations, against random planes and the closed-form network itself."""

import math

import jax.numpy as jnp
import numpy as np
import pytest

from theory.certificates.max_margin import max_margin_limit
from theory.networks.network import Params, input_gradients
from theory.perturbations import alignment, attacks
from theory.perturbations.attacks import ball

SLOPES = (0.1, 0.5, 0.9)


@pytest.mark.parametrize("slope", SLOPES)
def test_gradient_cosine_of_the_closed_form_network(slope):
    """Autodiff-free: the gradient of ½(φ(⟨u₊, z⟩) − φ(⟨u₋, z⟩)) at the samples, against q."""
    x = 3 * jnp.linalg.qr(jnp.asarray(np.random.default_rng(0).normal(size=(9, 6))))[0].T
    y = jnp.array([1.0, -1, 1, -1, 1, -1])
    limit = max_margin_limit(x, y, slope)
    w = jnp.stack([limit.u_plus, limit.u_minus])
    gradients = input_gradients(Params(w, jnp.zeros(2), jnp.array([0.5, -0.5])), x, slope)
    cosines = gradients @ limit.normal
    cosines = cosines / jnp.linalg.norm(gradients, axis=1) / jnp.linalg.norm(limit.normal)
    np.testing.assert_allclose(cosines, alignment.gradient_cosine(slope), rtol=1e-12)


def test_gradient_cosine_at_one_half():
    assert alignment.gradient_cosine(0.5) == pytest.approx(0.994, abs=5e-4)  # K24a's setting


@pytest.mark.parametrize("norm", ["l2", "linf", "l0"])
def test_normal_cosine_of_gaussian_vectors(norm):
    """Monte Carlo over 200 vectors in d = 4000: to 5 standard errors and one coordinate of ℓ₀."""
    q = np.random.default_rng(2).normal(size=(200, 4000))
    v = np.asarray(ball(norm, 0.1).steepest(jnp.asarray(q)))
    found = np.sum(v * q, axis=1) / np.linalg.norm(v, axis=1) / np.linalg.norm(q, axis=1)
    tolerance = 5 * np.std(found) / 200**0.5 + 1 / 400 * (norm == "l0") + 1e-12
    assert abs(found.mean() - alignment.normal_cosine(norm, 0.1)) < tolerance < 0.005


@pytest.mark.parametrize("cosine", [-0.6, 0.3, 0.994])
@pytest.mark.parametrize("norm", ["linf", "l0"])
def test_sign_cosines_of_random_planes(norm, cosine):
    """Monte Carlo over 4000 planes in d = 400; 5 standard errors, plus one coordinate for ℓ₀."""
    rng = np.random.default_rng(1)
    d, fraction = 400, 0.2
    v, noise = rng.normal(size=(2, 4000, d))
    v /= np.linalg.norm(v, axis=1, keepdims=True)
    noise -= np.sum(noise * v, axis=1, keepdims=True) * v
    noise /= np.linalg.norm(noise, axis=1, keepdims=True)
    w = cosine * v + math.sqrt(1 - cosine**2) * noise
    steepest = ball(norm, fraction).steepest
    a, b = np.asarray(steepest(jnp.asarray(v))), np.asarray(steepest(jnp.asarray(w)))
    found = np.sum(a * b, axis=1) / np.sum(a * a, axis=1)
    if norm == "linf":
        expected, tolerance = alignment.sign_cosine(cosine), 0.0
    else:
        expected, tolerance = alignment.largest_sign_cosine(cosine, fraction), 1 / (fraction * d)
    error = 5 * found.std() / len(found) ** 0.5
    assert error < 0.02
    assert abs(found.mean() - expected) <= error + tolerance


@pytest.mark.parametrize("cosine", [-0.5, 0.0, 0.7, 0.9999])
def test_all_coordinates_are_the_arcsine_law(cosine):
    full = alignment.largest_sign_cosine(cosine, 1.0)
    assert full == pytest.approx(alignment.sign_cosine(cosine), abs=1e-7)


def test_bad_arguments():
    with pytest.raises(ValueError, match="cosine"):
        alignment.sign_cosine(1.5)
    with pytest.raises(ValueError, match="fraction"):
        alignment.largest_sign_cosine(0.5, 0.0)
    with pytest.raises(ValueError, match="slope"):
        alignment.gradient_cosine(0.0)


# --- what attacks of K24a's code add --------------------------------------------------------------


@pytest.mark.parametrize("boxed", [False, True])
def test_shift_of_a_growing_support_against_the_attack(boxed):
    """A gradient along a normal q, d = 2000, 300 points: mean shifts, 5 % for quantiles."""
    rng, d, steps = np.random.default_rng(11), 2000, 100
    q = rng.normal(size=d)
    x = rng.uniform(-1, 1, size=(300, d))
    box = (-1.0, 1.0) if boxed else None
    gradient = lambda z: jnp.ones((300, 1)) * jnp.asarray(q)[None, :]  # noqa: E731
    r = attacks.growing_support(gradient, jnp.asarray(x), steps=steps, step_size=0.05, box=box)
    mean = np.asarray(r).mean(0)
    found = alignment.growing_support_shift(d, steps, 0.05, boxed)
    assert found.length == pytest.approx(np.linalg.norm(mean), rel=0.05)
    cosine = mean @ q / np.linalg.norm(mean) / np.linalg.norm(q)
    assert found.cosine == pytest.approx(cosine, rel=0.05)


@pytest.mark.parametrize("steps", [1, 10, 100])
def test_shift_of_maximum_norm_steps_against_the_attack(steps):
    """As above with d = 20,000; from steps of ε/5 along q to nearly all of the signs."""
    q = np.random.default_rng(12).normal(size=(1, 20_000))
    r = attacks.projected_gradient(
        lambda z: jnp.asarray(q), jnp.zeros((1, 20_000)), 0.03, "linf-max", steps=steps
    )
    found = alignment.maximum_norm_shift(20_000, 0.03, steps, 0.006)
    assert found.length == pytest.approx(float(np.linalg.norm(r)), rel=0.1)
    cosine = float(np.sum(r * q)) / float(np.linalg.norm(r)) / float(np.linalg.norm(q))
    assert found.cosine == pytest.approx(cosine, rel=0.02)


def test_bad_shifts():
    with pytest.raises(ValueError, match=r"steps must be an integer in \[1, 10\], got 11"):
        alignment.growing_support_shift(10, 11, 0.3)
    with pytest.raises(ValueError, match="epsilon"):
        alignment.maximum_norm_shift(10, 0.0, 3, 0.3)
