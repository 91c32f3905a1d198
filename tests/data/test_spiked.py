"""Points with a spike in coordinates of their span: inner products have the law of real points."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from theory.data.spiked import PROPOSALS, chi_square, spiked_gaussian

N, D, V, DRAWS = 3, 6, 9.0, 2000


@pytest.fixture(scope="module")
def both():
    """Points of ℝ^6 as they are, and in coordinates of their span; seeds fixed once."""
    keys = jax.random.split(jax.random.key(3), DRAWS)
    span = np.asarray(jax.vmap(lambda key: spiked_gaussian(key, N, D, V))(keys))
    real = np.random.default_rng(3).normal(size=(DRAWS, N, D)) * np.r_[V**0.5, np.ones(D - 1)]
    return real, span


def test_shape_and_triangle(both):
    _, span = both
    assert span.shape == (DRAWS, N, N + 1)
    assert (np.triu(span[0, :, 1:], 1) == 0).all()


@pytest.mark.parametrize("what", ["first", "length", "last length", "product", "rest"])
def test_the_law_is_that_of_points_of_the_whole_space(both, what):
    """Kolmogorov and Smirnov at 10⁻³ each; of another dimension they differ."""

    def of(x):
        return {
            "first": x[:, 0, 0],
            "length": (x[:, 0] ** 2).sum(axis=1),
            "last length": (x[:, 2, 1:] ** 2).sum(axis=1),
            "product": (x[:, 0] * x[:, 2]).sum(axis=1),
            "rest": (x[:, 1, 1:] * x[:, 2, 1:]).sum(axis=1),
        }[what]

    real, span = (of(x) for x in both)
    assert different(real, span) > 1e-3
    if what not in ("first", "product"):  # of which the spike is most
        assert different(of(both[0][:, :, : D - 2]), span) < 1e-3


def different(values, other) -> float:
    """p of Kolmogorov and Smirnov, against a law or another sample."""
    found: Any = stats.kstest(values, other)
    return found.pvalue


def test_chi_square_variables_of_few_and_of_many_degrees():
    """Kolmogorov and Smirnov at 10⁻³ each; at half as many degrees more they differ."""
    freedom = np.array([1.0, 1.5, 2.0, 9.0, 1e4])
    rng = np.random.default_rng(1)
    normal = rng.normal(size=(4000, len(freedom), PROPOSALS))
    uniform = rng.uniform(size=(4000, len(freedom), PROPOSALS + 1))
    found = jax.vmap(lambda z, u: chi_square(jnp.asarray(freedom), z, u))(normal, uniform)
    found = np.asarray(found)
    for column, nu in zip(found.T, freedom, strict=True):
        assert different(column, stats.chi2(nu).cdf) > 1e-3
        assert different(column, stats.chi2(1.5 * nu).cdf) < 1e-3


def test_a_dimension_that_no_memory_holds():
    """‖x'‖²/d = 1 ± 5√(2/d), and no more overflows than the numbers of ℝ^d themselves."""
    d = 10**12
    x = np.asarray(spiked_gaussian(jax.random.key(0), 4, d, float(d) ** 0.6))
    np.testing.assert_allclose((x[:, 1:] ** 2).sum(axis=1) / d, 1, atol=5 * (2 / d) ** 0.5)
    assert (np.abs(x[:, 0]) < 6 * d**0.3).all()


def test_as_many_points_as_dimensions_are_refused():
    with pytest.raises(ValueError, match=r"d, above n, must be .* in \(6, inf\), got 6"):
        spiked_gaussian(jax.random.key(0), 6, 6, 1.0)
