"""Data: the law of every distribution, exact designs, and samples of given data."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from theory.data.sampling import DISTRIBUTIONS, Dataset, draw, near_orthogonal, to_sphere

N, D = 2000, 8  # of independent points
ROWS, COLUMNS = 4, 6  # of designs
FALSE_ALARM = 1e-6  # of every statistical test in this file; about 120 of them
DESIGNS = ("orthogonal", "near-orthogonal")
POINTWISE = tuple(name for name in DISTRIBUTIONS if name not in DESIGNS)


def over_keys(seed, count, sample):
    """`sample` of many keys, compiled as one."""
    return jax.jit(jax.vmap(sample))(jax.random.split(jax.random.key(seed), count))


def fair(coin):
    """Whether signs are those of a fair coin, at FALSE_ALARM."""
    return stats.binomtest(int(np.sum(coin > 0)), len(coin)).pvalue > FALSE_ALARM


def follows(values, law):
    """Whether the Kolmogorov–Smirnov test accepts independent values, at FALSE_ALARM."""
    return stats.kstest(np.ravel(values), law.cdf).pvalue > FALSE_ALARM


# --- laws -----------------------------------------------------------------------------------------

# The last coordinate of a uniform point on the sphere of radius √D, mapped to [0, 1]: Archimedes.
ON_SPHERE = stats.beta((D - 1) / 2, (D - 1) / 2)
FIRST = np.eye(D)[0]
LAWS = {  # name → (what is iid once the labels are taken out, its law)
    "gaussian": (lambda x, y: x, stats.norm()),
    "shifted-gaussian": (lambda x, y: y[:, None] * x - 0.3, stats.norm()),
    "separated-gaussian": (lambda x, y: y[:, None] * x - 2.5 * FIRST, stats.norm()),
    "uniform": (lambda x, y: x, stats.uniform(-1, 2)),
    "sphere": (lambda x, y: (1 + x[:, -1] / D**0.5) / 2, ON_SPHERE),
}


@pytest.mark.parametrize("name", POINTWISE)
def test_points_and_queries_follow_the_law_and_are_uncorrelated(key, name):
    residual, law = LAWS[name]
    sample = draw(key, name, N, D, queries=N, separation=2.5)
    x, z = np.asarray(sample.x), np.asarray(sample.z)
    y, z_label = np.asarray(sample.y), np.asarray(sample.z_label)
    assert follows(residual(x, y), law)
    assert follows(residual(z, z_label), law)
    # 8 coordinates of x, 8 of z and both labels: correlations are N(0, 1/N), 153 of them.
    both = np.hstack([x, z, y[:, None], z_label[:, None]])
    if name in ("shifted-gaussian", "separated-gaussian"):
        shift = 0.3 if name == "shifted-gaussian" else 2.5 * FIRST
        both[:, :D] -= shift * y[:, None]
        both[:, D:-2] -= shift * z_label[:, None]
    correlations = np.corrcoef(both.T)[np.triu_indices(2 * D + 2, 1)]
    correlations = correlations[:-1]  # y and z_label alternate together, or against one another
    assert np.abs(correlations).max() < stats.norm.isf(FALSE_ALARM / 2 / 153) / N**0.5


@pytest.mark.parametrize("name", ["sphere", *DESIGNS])
def test_norms_are_the_square_root_of_the_dimension(key, name):
    x, _, z, _ = draw(key, name, ROWS, COLUMNS, queries=3)
    # Scaling one vector, or a product of two factors with entries below √d: a few roundings each.
    np.testing.assert_allclose(np.linalg.norm(x, axis=1), COLUMNS**0.5, rtol=1e-14)
    np.testing.assert_allclose(np.linalg.norm(z, axis=1), COLUMNS**0.5, rtol=1e-14)


@pytest.mark.parametrize("name", DESIGNS)
def test_designs_are_rotated_uniformly_and_queries_uniform_on_the_sphere(name):
    """Every coordinate of every point follows Archimedes' law, over 1000 designs."""
    sample = over_keys(5, 1000, lambda k: draw(k, name, ROWS, COLUMNS, queries=1, p_max=0.2))
    law = stats.beta((COLUMNS - 1) / 2, (COLUMNS - 1) / 2)
    points = np.concatenate([sample.x, sample.z], axis=1)
    for coordinate in points.reshape(1000, -1).T:
        assert follows((1 + coordinate / COLUMNS**0.5) / 2, law)
    # Labels are ±1 with equal probability and independent of the points: a product is N(0, 1/1000).
    product = np.mean(np.asarray(sample.y)[:, :, None] * np.asarray(sample.x), axis=0)
    assert np.abs(product).max() < stats.norm.isf(FALSE_ALARM / 2 / 24) / 1000**0.5
    if name == "near-orthogonal":  # the largest product has either sign
        gram = np.triu(np.einsum("kid,kjd->kij", sample.x, sample.x), 1).reshape(1000, -1)
        assert fair(gram[np.arange(1000), np.abs(gram).argmax(axis=1)])


def test_orthogonal_points_are_orthogonal(key):
    x = np.asarray(draw(key, "orthogonal", ROWS, COLUMNS).x)
    # Rounding of Householder's method, of order d·eps·‖x‖² = 8e-15.
    np.testing.assert_allclose(x @ x.T, COLUMNS * np.eye(ROWS), atol=1e-13)


@settings(max_examples=25)
@given(st.integers(0, 2**31), st.floats(0, 0.999), st.floats(0.1, 10))
def test_near_orthogonal_points_have_exactly_the_largest_product_asked_for(seed, load, radius):
    p_max = load * radius**2 / (ROWS - 1)
    x = np.asarray(near_orthogonal(jax.random.key(seed), ROWS, COLUMNS, p_max, radius))
    gram = x @ x.T
    off = gram[np.triu_indices(ROWS, 1)]
    # The Gram matrix is made first and factorized: backward stable to about d·eps·radius².
    np.testing.assert_allclose(np.diagonal(gram), radius**2, rtol=1e-13)
    assert np.abs(off).max() == pytest.approx(p_max, rel=0, abs=1e-13 * radius**2)
    assert load < 1e-3 or len(np.unique(np.round(np.abs(off) / p_max, 6))) > 2  # the rest is random


def test_near_orthogonal_of_a_distribution_is_relative_to_the_squared_norm(key):
    x = np.asarray(draw(key, "near-orthogonal", ROWS, COLUMNS, p_max=0.1).x)
    largest = np.abs((x @ x.T)[np.triu_indices(ROWS, 1)]).max()
    assert largest == pytest.approx(0.1 * COLUMNS, rel=1e-13)


def test_one_near_orthogonal_point_has_no_products(key):
    x = near_orthogonal(key, 1, 3, 0.7, 2.0)
    assert float(jnp.linalg.norm(x)) == pytest.approx(2.0, rel=1e-14)


def test_to_sphere_keeps_directions_and_the_origin():
    x = jnp.array([[3.0, 4.0], [0.0, 0.0], [-1e-150, 0.0]])
    expected = np.sqrt(2) * np.array([[0.6, 0.8], [0, 0], [-1, 0]])
    np.testing.assert_allclose(to_sphere(x), expected, rtol=1e-15)


# --- labels and arguments -------------------------------------------------------------------------


@pytest.mark.parametrize("name", DISTRIBUTIONS)
@pytest.mark.parametrize(("n", "queries"), [(3, 0), (1, 1), (4, 3)])
def test_shapes_are_as_asked(key, name, n, queries):
    sample = jax.eval_shape(lambda key: draw(key, name, n, COLUMNS, queries=queries), key)
    assert [part.shape for part in sample] == [(n, COLUMNS), (n,), (queries, COLUMNS), (queries,)]


def test_labels_are_balanced_and_either_class_may_come_first():
    """Over 400 keys; the first labels of points and queries are independent fair coins."""
    sample = over_keys(7, 400, lambda k: draw(k, "gaussian", 5, 1, queries=4))
    y, z_label = np.asarray(sample.y), np.asarray(sample.z_label)
    assert set(np.unique(y)) == set(np.unique(z_label)) == {-1.0, 1.0}
    np.testing.assert_array_equal(np.abs(y.sum(axis=1)), 1)
    np.testing.assert_array_equal(z_label.sum(axis=1), 0)
    np.testing.assert_array_equal(y * y[:, :1], np.tile([1, -1, 1, -1, 1], (400, 1)))
    for coin in (y[:, 0], z_label[:, 0], y[:, 0] * z_label[:, 0]):
        assert fair(coin)


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_draws_depend_on_the_key_and_on_the_arguments_they_use_alone(key, name):
    def points(key, **options):
        sample = draw(key, name, ROWS, COLUMNS, queries=3, **options)
        return np.concatenate([sample.x, sample.z])

    base = points(key, separation=1.0, p_max=0.1)
    np.testing.assert_array_equal(points(key, separation=1.0, p_max=0.1), base)
    assert not np.isclose(points(jax.random.key(1), separation=1.0, p_max=0.1), base).any()
    for option, user in [
        ({"separation": 2.0, "p_max": 0.1}, "separated-gaussian"),
        ({"separation": 1.0, "p_max": 0.2}, "near-orthogonal"),
    ]:
        assert np.array_equal(points(key, **option), base) == (name != user)


def given_data(rows=9):
    """Rows that say which they are, with the label in the second column."""
    y = np.where(np.arange(rows) % 3 == 0, 1, -1)
    return Dataset("rows", np.stack([np.arange(rows), y], axis=1), y)


@pytest.mark.parametrize(
    ("source", "n", "d", "options", "message"),
    [
        ("gaussian", 0, 3, {}, "n must be an integer ≥ 1, got 0"),
        ("gaussian", 2, 0, {}, "d must be an integer ≥ 1, got 0"),
        ("gaussian", 2, None, {}, "d must be an integer ≥ 1, got None"),
        ("gaussian", 2, 3, {"queries": -1}, "queries must be an integer ≥ 0, got -1"),
        (
            "mnist",
            2,
            3,
            {},
            "data must be one of gaussian, near-orthogonal, orthogonal, .*; got 'mnist'",
        ),
        ("orthogonal", 4, 3, {}, "n must be at most d = 3 for near-orthogonal points, got 4"),
        ("near-orthogonal", 4, 3, {}, "n must be at most d = 3 for near-orthogonal points, got 4"),
        (
            "near-orthogonal",
            3,
            6,
            {"p_max": 0.5},
            r"p_max must be a finite number in \[0, 3\), got 3.*",
        ),
        (
            "near-orthogonal",
            3,
            6,
            {"p_max": -0.1},
            r"p_max must be a finite number in \[0, 3\), got -0.6.*",
        ),
        (
            given_data(),
            6,
            None,
            {"queries": 4},
            r"n \+ queries must be at most 9, the rows of rows, got 6 \+ 4",
        ),
        (
            given_data(),
            10,
            None,
            {"queries": 0},
            r"n \+ queries must be at most 9, .* got 10 \+ 0",
        ),
        (given_data(), 3, 5, {}, "d must be 2, the dimension of rows, got 5"),
        (given_data(), 0, None, {}, "n must be an integer ≥ 1, got 0"),
    ],
)
def test_draw_says_what_it_needs(key, source, n, d, options, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        draw(key, source, n, d, **options)


# --- given data -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("n", "queries"), [(3, 2), (5, 4), (9, 0)])
def test_rows_are_sampled_without_replacement_with_their_own_labels(key, n, queries):
    sample = draw(key, given_data(), n, 2, queries=queries)
    rows = np.concatenate([sample.x[:, 0], sample.z[:, 0]])
    assert sample.x.dtype == sample.y.dtype == np.float64
    assert (len(sample.x), len(sample.z)) == (n, queries)
    assert len(np.unique(rows)) == n + queries  # no row twice, queries are other rows
    np.testing.assert_array_equal(sample.x[:, 1], sample.y)
    np.testing.assert_array_equal(sample.z[:, 1], sample.z_label)


def test_every_row_is_as_likely_everywhere():
    """χ² test of which row stands where, over 900 keys."""
    sample = over_keys(8, 900, lambda k: draw(k, given_data(), 3, queries=2))
    rows = np.concatenate([sample.x[..., 0], sample.z[..., 0]], axis=1).astype(int)
    for position in rows.T:
        assert stats.chisquare(np.bincount(position, minlength=9)).pvalue > FALSE_ALARM


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (np.ones(3), np.ones(3), r"x must be a matrix .* got shape \(3,\)"),
        (np.ones((0, 2)), np.ones(0), r"x must be a matrix .* got shape \(0, 2\)"),
        (
            np.array([[1.0], [np.nan]]),
            np.array([1, -1]),
            "x must be finite, got 1 NaN .* of 2 entries",
        ),
        (np.ones((2, 1)), np.array([1, -1, 1]), r"y must have shape \(2,\), .* got \(3,\)"),
        (np.ones((2, 1)), np.array([0, 1]), r"y must be .* got values \{0, 1\}; use 2\*y − 1"),
        (
            np.ones((2, 1)),
            np.array([1, 1]),
            r"y must contain both classes −1 and \+1, got only \+1",
        ),
        (np.ones((2, 1)), np.array([1, np.nan]), r"y must be −1 or \+1, got values \{1, nan\}"),
    ],
)
def test_data_sets_say_what_is_wrong_with_them(x, y, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        Dataset("mine", x, y)


def test_data_sets_are_called_by_name_and_compared_by_identity():
    one = given_data()
    assert str(one) == "rows"
    assert one != given_data()
    assert len({one, one, given_data()}) == 2  # hashable, hence static under jit
