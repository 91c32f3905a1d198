"""Coordinates of a subspace: equal in law to drawing everything in all dimensions.

Two-sample Kolmogorov–Smirnov tests at 1e-4 each and means within 5 standard errors, on fixed seeds.
"""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats
from untyped import forget, p_value

from theory.data.sampling import Dataset, draw
from theory.data.subspace import (
    draw_in_subspace,
    gaussian_rows,
    gram_rows,
    with_orthogonal_part,
)
from theory.perturbations import learning, prediction
from theory.perturbations.learning import PerturbationSetting, measure
from theory.perturbations.prediction import predict

DRAWS = 2000


def test_gaussian_rows_have_the_law_of_inner_products():
    d, n = 9, 4
    keys = jax.random.split(jax.random.key(0), DRAWS)
    reduced = jax.vmap(lambda key: gaussian_rows(key, n, d))(keys)
    full = jax.vmap(lambda key: jax.random.normal(key, (n, d)))(
        jax.random.split(jax.random.key(1), DRAWS)
    )
    for i, j in [(0, 0), (3, 3), (0, 1), (2, 3)]:
        one, other = (np.sum(rows[:, i] * rows[:, j], axis=1) for rows in (reduced, full))
        assert p_value(scipy.stats.ks_2samp(one, other)) > 1e-4
    assert np.all(np.asarray(reduced[:, 0, 1:]) == 0)
    with pytest.raises(ValueError, match="n must be at most d = 3, got 4"):
        gaussian_rows(keys[0], 4, 3)


@pytest.mark.parametrize("source", ["shifted-gaussian", "separated-gaussian", "sphere", "uniform"])
def test_points_have_the_law_of_points(source):
    n, q, d = 3, 2, 12
    draws = [
        jax.vmap(lambda key, f=f: f(key, source, n, d, queries=q))(
            jax.random.split(jax.random.key(seed), DRAWS)
        )
        for seed, f in enumerate((draw_in_subspace, draw))
    ]
    assert draws[0].x.shape == (DRAWS, n, n + q + 1)
    features = {
        "norm": lambda s: np.sum(s.x[:, 0] ** 2, axis=1),
        "product": lambda s: np.sum(s.x[:, 0] * s.x[:, 2], axis=1) * s.y[:, 0] * s.y[:, 2],
        "query": lambda s: np.sum(s.x[:, 1] * s.z[:, 0], axis=1) * s.y[:, 1] * s.z_label[:, 0],
        "triangle": lambda s: np.sum((s.x[:, 0] + s.x[:, 1] - s.z[:, 1]) ** 2, axis=1),
    }
    for name, feature in features.items():
        one, other = (np.asarray(feature(sample)) for sample in draws)
        if np.ptp(one) > 1e-9 or np.ptp(other) > 1e-9:  # norms on the sphere are all √d
            assert p_value(scipy.stats.ks_2samp(one, other)) > 1e-4, name
        else:
            np.testing.assert_allclose(one, other, rtol=1e-12)


def test_given_points_keep_their_inner_products():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(5, 30))
    x[1] = x[0]  # which makes the matrix of inner products singular
    given = Dataset("mine", x, np.array([1.0, 1.0, -1.0, -1.0, 1.0]))
    key = jax.random.key(0)
    full, reduced = (f(key, given, 3, 30, queries=2) for f in (draw, draw_in_subspace))
    np.testing.assert_array_equal(full.y, reduced.y)
    points = [jnp.concatenate([s.x, s.z]) for s in (full, reduced)]
    np.testing.assert_allclose(points[1] @ points[1].T, points[0] @ points[0].T, atol=1e-12)
    gram = jnp.array(x @ x.T)
    np.testing.assert_allclose(gram_rows(gram) @ gram_rows(gram).T, gram, atol=1e-12)


def test_too_few_dimensions():
    with pytest.raises(ValueError, match="d must be an integer ≥ 6, got 5"):
        draw_in_subspace(jax.random.key(0), "gaussian", 3, 5, queries=2)


def test_the_orthogonal_part_of_gradients():
    """Products of Σ_i s_ik w_i outside the points' subspace against weights drawn in full."""
    n, m, d, r = 3, 7, 20, 4
    s = jnp.array(np.random.default_rng(0).normal(size=(n, m)))
    keys = jax.random.split(jax.random.key(0), DRAWS)
    reduced = jax.vmap(lambda key: with_orthogonal_part(key, jnp.zeros((n, r)), s @ s.T, d))(keys)
    w = jax.random.normal(jax.random.key(1), (DRAWS, m, d - r)) / d**0.5
    full = jnp.einsum("km,umd->ukd", s, w)
    for i, j in [(0, 0), (2, 2), (0, 1)]:
        one, other = (np.sum(g[:, i] * g[:, j], axis=1) for g in (reduced, full))
        assert p_value(scipy.stats.ks_2samp(one, other)) > 1e-4


SETTING = PerturbationSetting(
    n=6, d=300, m=12, queries=6, slope=0.2, epsilon=9.0, lr_f=0.02, lr_g=0.1, momentum=0.5,
    steps_f=6, steps_g=6,
)  # fmt: skip


@pytest.mark.parametrize(
    ("function", "scenario", "loss"),
    [
        pytest.param(measure, "b", "logistic", marks=pytest.mark.slow),
        pytest.param(predict, "b", "logistic", marks=pytest.mark.slow),
        pytest.param(measure, "a", "identity", marks=pytest.mark.slow),
        pytest.param(predict, "a", "identity", marks=pytest.mark.slow),
    ],
)
def test_learning_in_the_subspace_has_the_law_of_learning(monkeypatch, function, scenario, loss):
    """All four quantities of 400 runs: means within 5 standard errors (false alarm: 1e-5)."""
    setting = dataclasses.replace(SETTING, scenario=scenario, loss=loss)
    monkeypatch.setattr(prediction, "WIDE", 12)

    def clear() -> None:
        for compiled in (predict, learning.measure_in):
            forget(compiled)

    draws = []
    for seed, reduced in enumerate((True, False)):
        monkeypatch.setattr(PerturbationSetting, "reduced", reduced)
        clear()
        keys = jax.random.split(jax.random.key(seed), 400)
        draws.append(np.array(jax.vmap(lambda key: function(key, setting))(keys)))
    clear()
    means = [d.mean(axis=1) for d in draws]
    errors = [d.std(axis=1) / 20 for d in draws]
    assert np.all(np.abs(means[0] - means[1]) < 5 * np.hypot(*errors) + 1e-12)
    assert 0.55 < means[0][1] < 0.99, means  # g learns, and not everything: the test can fail
    assert p_value(scipy.stats.ks_2samp(draws[0][3], draws[1][3])) > 1e-4


def test_a_million_dimensions_cost_no_more():
    assert dataclasses.replace(SETTING, d=10**6).reduced
    assert not dataclasses.replace(SETTING, d=30).reduced
    result = measure(jax.random.key(0), dataclasses.replace(SETTING, d=10**6, epsilon=100.0))
    assert float(result.accuracy_f) == 1.0  # classes are 0.6·√d apart
    assert 0.5 < float(result.cosine) <= 1
