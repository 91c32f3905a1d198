"""Steps of Runge and Kutta, on flows whose end is known."""

import math

import numpy as np
import pytest

from theory.networks.flow import runge_kutta


def end(steps):
    """Of u' = v, v' = −u from (0, 1) after time 2, and its distance from (sin 2, cos 2)."""
    state = {"u": np.array(0.0), "v": np.array(1.0)}
    for _ in range(steps):
        state = runge_kutta(lambda at: {"u": at["v"], "v": -at["u"]}, state, 2 / steps)
    return math.hypot(state["u"] - math.sin(2), state["v"] - math.cos(2))


def test_half_the_step_leaves_a_sixteenth_of_the_error():
    assert end(20) < 1e-5
    assert end(20) / end(40) == pytest.approx(16, rel=0.05)


def test_one_step_is_the_series_to_the_fourth_order():
    found = runge_kutta(lambda u: u, np.array(1.0), 0.5)
    assert found == pytest.approx(1 + 0.5 + 0.5**2 / 2 + 0.5**3 / 6 + 0.5**4 / 24, abs=1e-15)
