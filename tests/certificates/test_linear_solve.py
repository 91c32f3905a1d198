"""Linear systems with a proof, against rational arithmetic."""

from fractions import Fraction

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from theory.certificates import linear_solve
from theory.certificates.linear_solve import enclosed_solution, inner_products


def solve_exactly(system, right):
    rows = [
        [Fraction(float(v)) for v in row] + [Fraction(float(b))]
        for row, b in zip(system, right, strict=True)
    ]
    n = len(rows)
    for i in range(n):
        pivot = next(r for r in range(i, n) if rows[r][i])
        rows[i], rows[pivot] = rows[pivot], rows[i]
        rows[i] = [entry / rows[i][i] for entry in rows[i]]
        for r in range(n):
            if r != i:
                rows[r] = [a - rows[r][i] * b for a, b in zip(rows[r], rows[i], strict=True)]
    return [row[-1] for row in rows]


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@given(seed=st.integers(0, 1000), condition=st.integers(0, 20))
def test_the_enclosure_holds_and_is_finite_where_the_system_is_regular(dtype, seed, condition):
    """Symmetric systems with eigenvalues from 1 down to 2^−condition."""
    rng = np.random.default_rng(seed)
    basis = np.linalg.qr(rng.normal(size=(4, 4)))[0]
    system = (basis * 2.0 ** -np.linspace(0, condition, 4)) @ basis.T
    system, right = ((system + system.T) / 2).astype(dtype), rng.normal(size=4).astype(dtype)
    found = enclosed_solution(jnp.asarray(system), jnp.asarray(right))
    error = float(found.error)
    if condition <= 10:
        assert error < 1e-3 * np.abs(found.solution).max()
    exact = solve_exactly(system, right)
    for value, true in zip(np.asarray(found.solution), exact, strict=True):
        assert error == np.inf or abs(Fraction(float(value)) - true) <= Fraction(error)


@given(seed=st.integers(0, 1000))
def test_errors_of_the_data_are_carried(seed):
    """Any system within the stated errors has its solution within the bound."""
    rng = np.random.default_rng(seed)
    half = rng.normal(size=(3, 5))
    system, right = half @ half.T + np.eye(3), rng.normal(size=3)
    found = enclosed_solution(jnp.asarray(system), jnp.asarray(right), 1e-3, jnp.full(3, 1e-3))
    for _ in range(10):
        other = system + 1e-3 * rng.choice([-1, 1], (3, 3))
        true = np.linalg.solve(other, right + 1e-3 * rng.choice([-1, 1], 3))
        assert np.abs(true - found.solution).max() <= found.error
    assert found.error < 1  # of solutions of order 1


@pytest.mark.parametrize("system", [np.zeros((2, 2)), np.ones((2, 2)), -np.eye(2)])
def test_nothing_is_claimed_of_systems_that_are_not_positive_definite(system):
    found = enclosed_solution(jnp.asarray(system, float), jnp.ones(2))
    assert np.isfinite(found.solution).all()
    assert found.error == np.inf


def test_a_solution_without_proof_is_still_what_the_arithmetic_gave():
    """An ill-conditioned system in float32: no error can be proven, the residual is small."""
    system = jnp.asarray([[1.0, 1.0], [1.0, 1.0 + 4e-7]], jnp.float32)
    found = enclosed_solution(system, jnp.asarray([1.0, 2.0], jnp.float32))
    assert found.error == np.inf
    assert found.solution[1] > 1e4


def test_inner_products_in_tiles_are_the_same(monkeypatch):
    rng = np.random.default_rng(5)
    x, z = jnp.asarray(rng.normal(size=(7, 30))), jnp.asarray(rng.normal(size=(5, 30)))
    whole = inner_products(x, z)
    monkeypatch.setattr(linear_solve, "AT_ONCE", 64)  # two rows of 6 blocks × 5 points at a time
    tiled = inner_products(x, z)
    np.testing.assert_allclose(tiled.values, whole.values, rtol=1e-14, atol=1e-14)
    np.testing.assert_array_equal(tiled.errors, whole.errors)


@pytest.mark.parametrize("d", [1, 2, 7, 100, 2000])
def test_inner_products_within_their_errors(d):
    """float32 against the exact sum; the bound grows like √d, 2√d + 10 roundings at most."""
    rng = np.random.default_rng(d)
    x, z = rng.normal(size=(3, d)).astype(np.float32), rng.normal(size=(4, d)).astype(np.float32)
    found = inner_products(jnp.asarray(x), jnp.asarray(z))
    exact = np.array(
        [
            [sum(Fraction(float(a)) * Fraction(float(b)) for a, b in zip(p, q, strict=True))
             for q in z]
            for p in x
        ]
    )  # fmt: skip
    true = exact.astype(float)
    assert (np.abs(np.asarray(found.values, float) - true) <= np.asarray(found.errors)).all()
    lengths = np.outer(np.linalg.norm(x, axis=1), np.linalg.norm(z, axis=1))
    eps = np.finfo(np.float32).eps
    assert (np.asarray(found.errors) <= (2 * d**0.5 + 12) * 1.1 * eps * lengths).all()


def test_sums_within_blocks_are_not_merged_with_the_sum_over_them():
    """What is compiled reduces twice; one reduction over d terms would void the bound."""

    def lengths(x):
        return inner_products(x, x).errors

    compiled = jax.jit(jax.vmap(lengths)).lower(jnp.ones((2, 3, 100))).compile().as_text()
    assert compiled is not None
    over_everything = [line for line in compiled.splitlines() if "dimensions={2,3}" in line]
    assert compiled.count(" reduce(") >= 2
    assert not any(" reduce(" in line for line in over_everything)
