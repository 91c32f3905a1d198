"""Enclosed norms and smallest eigenvalues, against LAPACK and in rational arithmetic."""

import itertools
from fractions import Fraction

import jax.numpy as jnp
import numpy as np
import pytest

from theory.certificates.eigenvalues import cosines, enclosed_norm, smallest_eigenvalue


def symmetric(n, seed, rank=None):
    x = np.random.default_rng(seed).normal(size=(n, rank or n))
    return x @ x.T


@pytest.mark.parametrize(("n", "rank"), [(1, 1), (2, 2), (7, 7), (7, 4), (20, 20)])
def test_the_enclosure_holds_what_lapack_finds(n, rank):
    matrix = symmetric(n, 3, rank)
    values = np.linalg.eigvalsh(matrix)
    low, norm = smallest_eigenvalue(matrix), enclosed_norm(matrix)
    slack = 1e-14 * values[-1] * n  # of LAPACK's own
    assert abs(low.value - values[0]) <= low.error + slack
    assert abs(norm.value - values[-1]) <= norm.error + slack
    assert low.error < 1e-7 * values[-1]


def test_of_negative_and_equal_eigenvalues():
    matrix = np.diag([-3.0, 2.0, 2.0])
    assert abs(smallest_eigenvalue(matrix).value + 3) <= smallest_eigenvalue(matrix).error
    assert abs(enclosed_norm(matrix).value - 3) <= enclosed_norm(matrix).error


def test_errors_of_entries_are_paid_for():
    """(1 + e)·I with entries off by e: both ends of the enclosure are reached."""
    matrix, error = np.eye(4), np.full((4, 4), 0.01)
    found = smallest_eigenvalue(matrix, error)
    off = np.linalg.eigvalsh(matrix - error)[0]
    assert found.value - found.error <= off < found.value
    assert found.error == pytest.approx(0.04, rel=1e-5)


def product(p, q):
    return sum(Fraction(a) * Fraction(b) for a, b in zip(p, q, strict=True))


def test_cosines_in_rational_arithmetic():
    x = np.random.default_rng(5).normal(size=(4, 6)) * 10.0 ** np.arange(4)[:, None]
    values, errors = (np.asarray(part) for part in cosines(x))
    assert (np.diag(values) == 1).all()
    for i, j in itertools.combinations(range(4), 2):
        square = product(x[i], x[j]) ** 2 / (product(x[i], x[i]) * product(x[j], x[j]))
        low, high = abs(values[i, j]) - errors[i, j], abs(values[i, j]) + errors[i, j]
        assert max(low, 0) ** 2 <= square <= high**2
        assert errors[i, j] < 1e-13


def test_a_point_at_the_origin_has_no_direction():
    found = cosines(jnp.zeros((2, 3)).at[0, 0].set(1.0))
    assert jnp.isnan(found.values[1, 1])
    assert jnp.isnan(found.values[0, 1])
    assert found.values[0, 0] == 1
