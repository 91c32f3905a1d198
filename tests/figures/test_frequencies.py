"""Frequencies against probabilities: exact where the normal law would be wrong."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.figures.frequencies import counted


def test_large_counts_have_the_normal_z():
    found = counted(5300, 10_000, 0.5)
    assert found["z"] == pytest.approx(6.0, abs=0.05)
    half = (found["high"] - found["low"]) / 2
    assert half == pytest.approx(2 * found["standard_error"], rel=0.02)


def test_no_counts_of_a_rare_event_are_no_surprise():
    """At p = 1e-4 no success in 1000 has probability 0.9; at p = 0.01 it has 4e-5, z near −4."""
    assert abs(counted(0, 1000, 1e-4)["z"]) < 1e-6
    assert -4.4 < counted(0, 1000, 0.01)["z"] < -3.9
    assert counted(0, 1000, 0.01)["high"] == pytest.approx(-math.log(0.02275) / 1000, rel=0.01)


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_interval_and_z_agree(pair):
    """Probabilities well inside the interval have |z| < 2.3; outside of it by half, |z| > 1.9."""
    count, draws = pair
    found = counted(count, draws, count / draws)
    assert found["low"] <= found["mean"] <= found["high"]
    assert abs(found["z"]) < 1e-6
    if found["high"] < 0.6:
        assert counted(count, draws, 1.5 * found["high"])["z"] < -1.9
