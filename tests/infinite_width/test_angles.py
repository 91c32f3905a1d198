"""Angles from chords against 50 digits, at every kind of angle and in both precisions."""

import jax.numpy as jnp
import mpmath
import numpy as np
import pytest

from theory.infinite_width._angles import acute_angle, angle_from_chords

DTYPES = (np.float32, np.float64)


def exact_acute(squared):
    with mpmath.workdps(50):
        return [2 * mpmath.asin(mpmath.sqrt(mpmath.mpf(float(s))) / 2) for s in squared]


def relative_error(actual, exact):
    pairs = zip(np.asarray(actual, np.float64).tolist(), exact, strict=True)
    return max(float(abs(a - e) / e) for a, e in pairs)


@pytest.mark.parametrize("dtype", DTYPES)
def test_acute_angles_are_within_two_epsilon(dtype):
    """Down to the smallest normal number; both sides of 0, of a right angle, and all between."""
    tiny = float(np.finfo(dtype).tiny)
    logarithmic = np.exp(np.linspace(np.log(2 * tiny), np.log(2), 2001)[:-1])
    right = 2 - np.arange(50) * float(np.finfo(dtype).eps)
    squared = np.concatenate([logarithmic, np.linspace(0.001, 2, 2000), right]).astype(dtype)
    actual = acute_angle(jnp.array(squared))
    assert actual.dtype == dtype
    assert relative_error(actual, exact_acute(squared)) <= 2 * np.finfo(dtype).eps
    assert acute_angle(jnp.zeros(1, dtype))[0] == 0


def test_single_precision_over_a_million_floats():
    """Every 1013th of the floats in [2⁻¹²⁶, 2]: against float64, which rounds 10⁹ times finer."""
    low, high = (int(np.array(v, np.float32).view(np.int32)) for v in (2.0**-126, 2.0))
    squared = np.arange(low, high + 1, 1013, dtype=np.int32).view(np.float32)
    assert len(squared) > 1_000_000
    expected = 2 * np.arcsin(np.sqrt(squared.astype(np.float64)) / 2)
    actual = np.asarray(acute_angle(jnp.array(squared)), np.float64)
    assert np.max(np.abs(actual - expected) / expected) <= 2 * np.finfo(np.float32).eps


@pytest.mark.parametrize("dtype", DTYPES)
def test_angles_near_0_right_and_straight(dtype):
    """From chords rounded once: within 4ε at all angles, and relatively where θ is small.

    An ε of c² is at most one of θ, the series adds 2ε·π/2, and π − θ rounds once more.
    """
    epsilon = float(np.finfo(dtype).eps)
    small = 10.0 ** np.arange(-15, 0)
    theta = [*small, *(np.pi / 2 - small), np.pi / 2, *(np.pi / 2 + small), *(np.pi - small), np.pi]
    with mpmath.workdps(50):
        halves = [mpmath.mpf(t) / 2 for t in theta]
        difference = np.array([float(4 * mpmath.sin(h) ** 2) for h in halves], dtype)
        total = np.array([float(4 * mpmath.cos(h) ** 2) for h in halves], dtype)
    actual = np.asarray(angle_from_chords(jnp.array(difference), jnp.array(total)), np.float64)
    error = np.abs(actual - theta)
    assert error.max() <= 4 * epsilon + 1e-30
    assert (error[: len(small)] <= 3 * epsilon * small).all()
