"""Projections: the bound on their error covers it, and is of the order of rounding."""

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest

from theory.certificates.projections import project_out


def exact_residual(u, x):
    """u − xᵀ(xxᵀ)⁻¹xu in 60 digits."""
    with mpmath.workdps(60):
        points, vector = mpmath.matrix(np.asarray(x).tolist()), mpmath.matrix(np.asarray(u))
        coefficients = mpmath.lu_solve(points * points.T, points * vector)
        return np.array((vector - points.T * coefficients).tolist(), float).ravel()


@pytest.mark.parametrize("dependence", [1.0, 1e-3, 1e-6])
@pytest.mark.parametrize("n", [1, 5, 9])
def test_the_error_bound_covers_the_error(n, dependence):
    """Points around a common direction, down to nearly dependent ones."""
    key_x, key_common, key_u = jax.random.split(jax.random.key(n), 3)
    x = jax.random.normal(key_common, (1, 10)) + dependence * jax.random.normal(key_x, (n, 10))
    u = 100 * jax.random.normal(key_u, (10,))
    rest = project_out(u, x)
    error = np.linalg.norm(np.asarray(rest.value) - exact_residual(u, x))
    assert error <= rest.error
    assert rest.error < 1e-9 * (1 if n == 1 else 1 / dependence)


def test_what_is_left_is_orthogonal_and_projects_to_itself():
    x = jax.random.normal(jax.random.key(0), (4, 9))
    rest = project_out(jax.random.normal(jax.random.key(1), (9,)), x)
    assert jnp.linalg.norm(x @ rest.value) < 1e-13
    assert jnp.linalg.norm(project_out(rest.value, x).value - rest.value) < 1e-13
    assert jnp.linalg.norm(rest.value) > 0.1


def test_dependent_points_leave_the_error_unknown():
    x = jnp.ones((2, 5))
    assert project_out(jnp.arange(5.0), x).error == jnp.inf


def test_a_span_of_everything_leaves_nothing():
    rest = project_out(jnp.arange(4.0), jax.random.normal(jax.random.key(2), (4, 4)))
    assert jnp.linalg.norm(rest.value) <= rest.error < 1e-11


def test_more_points_than_dimensions_are_refused():
    with pytest.raises(ValueError, match=r"x must have at most d = 3 rows .* got 4"):
        project_out(jnp.ones(3), jnp.ones((4, 3)))
