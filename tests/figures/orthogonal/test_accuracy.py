"""Accuracy after learning from perturbed noise: cells, prediction, table and picture."""

import dataclasses
from typing import Any

import jax
import numpy as np
import pytest
from scipy import stats

from experiments.figures.orthogonal import accuracy as accuracy
from experiments.figures.orthogonal import accuracy_picture as picture
from experiments.figures.orthogonal import learning
from theory.perturbations.effects import adaptation, noise_accuracy, own_margin

TINY = accuracy.Settings(
    laws=("gaussian",), n=6, n_adv=6, d=64, m=4, ns=(6,), n_advs=(6,), dimensions=(64,),
    factors=(1.0, 4.0), draws=16, l2=8.0, linf=0.4, l0=1.0,
)  # fmt: skip


@pytest.fixture(scope="module")
def made():
    key = jax.random.key(0)
    return [(cell, accuracy.compute(TINY, cell, key)) for cell in accuracy.cells(TINY)]


def test_every_point_of_the_panels_is_computed_once():
    quick = accuracy.FIGURE.quick
    cells = accuracy.cells(quick)
    assert len({str(cell) for cell in cells}) == len(cells) == 18
    assert accuracy.axes(TINY) == {"n_adv": (6,), "n": (6,), "d": (64,), "factor": (1.0, 4.0)}
    with pytest.raises(ValueError, match=r"laws\[0\] must be one of gaussian, uniform; got"):
        accuracy.cells(dataclasses.replace(quick, laws=("sphere",)))


def test_the_prediction_is_that_of_the_statement():
    """ε of K24a: 0.78 at d = 10⁴, scaled with √d; R² = d/3 of the uniform law."""
    at = {"n": 1000, "n_adv": 100, "d": 2500, "factor": 2.0}
    found = accuracy.predicted(accuracy.FIGURE.quick, "uniform", "l2", at)
    assert found == noise_accuracy(1000, 100, 2500, 0.78, (2500 / 3) ** 0.5, 0.5)
    # ℓ∞ of size ε is as long as √d ε.
    shorter = accuracy.predicted(accuracy.FIGURE.quick, "uniform", "linf", at)
    expected = noise_accuracy(
        1000, 100, 2500, 0.03 * 50, (2500 / 3) ** 0.5, 0.5, (2 / np.pi) ** 0.5
    )
    assert shorter == pytest.approx(expected)
    assert accuracy.predicted(accuracy.FIGURE.quick, "uniform", "none", at) == 0.5


PUBLISHED = dataclasses.replace(
    TINY,
    attacks="published",
    descend="loss",
    learning_rate=0.01,
    steps=50,
    l0=0.3,
    laws=("uniform",),
)


def test_the_prediction_is_that_of_the_time_of_training():
    """T = lr Σ_j (1 − 0.9^j)/(1 − 0.9); out of range there is none."""
    at = {"n": 6, "n_adv": 6, "d": 64, "factor": 1.0}
    time, radius = 0.01 * sum((1 - 0.9**j) / 0.1 for j in range(1, 51)), (64 / 3) ** 0.5
    length = accuracy.size(PUBLISHED, "l2", 64, 1.0)
    adapted = (
        adaptation(own_margin(time, 6, radius, 0.5)),
        adaptation(own_margin(time, 6, radius, 0.5, length**2 * 6 / radius**2)),
    )
    expected = noise_accuracy(6, 6, 64, length, radius, 0.5, adapted=adapted)
    assert accuracy.predicted(PUBLISHED, "uniform", "l2", at) == pytest.approx(expected)
    paper = accuracy.FIGURE.paper
    assert np.isnan(accuracy.predicted(paper, "uniform", "l2", accuracy.base(paper)))
    # The published setting, ℓ₂: a = 0.78·√(10⁸/10³)/√(10⁴/3), s = 0.78²·3; Φ(a/√(1 + s)).
    equal = accuracy.equal_multipliers(paper, "uniform", "l2", accuracy.base(paper))
    assert equal == pytest.approx(stats.norm.cdf(0.78 * 30**0.5 / (1 + 3 * 0.78**2) ** 0.5))
    few = accuracy.base(paper) | {"n_adv": 3000}
    assert np.isnan(accuracy.equal_multipliers(paper, "uniform", "l2", few))
    assert 0.9 < accuracy.predicted(paper, "uniform", "l2", few) < 1
    assert accuracy.box(paper, "uniform") == (-1.0, 1.0)
    assert accuracy.box(paper, "gaussian") is None
    assert learning.support(accuracy.share(paper, 1.0), 10_000) == 500


@pytest.mark.slow
def test_published_attacks_and_training_on_the_loss():
    """The ℓ₀ attack changes ⌈0.05·64⌉ = 4 coordinates; points stay in the box."""
    key = jax.random.key(2)
    s = learning.samples(key, "uniform", 6, 6, 64)
    f = learning.fit(key, s.x, s.y, PUBLISHED, on_log=False)
    assert 0 < f.margin < 3  # T = 4.1: far from the margins of descent on log L
    r = learning.attack(
        f.params, s.noise, s.target, 0.3, norm="l0", slope=0.5, steps=1, fraction=0.05,
        published=True, box=(-1.0, 1.0),
    )  # fmt: skip
    assert (np.sum(np.asarray(r) != 0, axis=1) <= 4).all()
    assert np.abs(s.noise + r).max() <= 1
    settings = dataclasses.replace(PUBLISHED, draws=2, factors=(1.0,))
    results = [(c, accuracy.compute(settings, c, key)) for c in accuracy.cells(settings)]
    table = accuracy.table(settings, results)
    assert "finite-time law" in picture.caption(settings, table)
    labels = [t.get_text() for t in picture.draw(settings, table).legends[0].get_texts()]
    assert "lines: finite-time law" in labels


def test_out_of_range_there_is_no_line():
    settings = dataclasses.replace(TINY, n_advs=(6, 60))
    curve = [
        accuracy.predicted(settings, "gaussian", "l2", accuracy.base(settings) | {"n_adv": k})
        for k in (6, 26, 27, 60)
    ]
    assert np.isnan(curve).tolist() == [False, False, True, True]


def test_table_and_picture(made):
    """Perturbed noise teaches and larger perturbations more; what is trained is the closed form."""
    table = accuracy.table(TINY, made)
    assert len(table) == 5 * len(accuracy.VARIANTS)
    by = table[table.axis == "factor"].set_index(["norm", "value"])
    assert by.loc[("l2", 4.0), "mean"] > by.loc[("l2", 1.0), "mean"] > 0.55
    assert abs(by.loc[("none", 1.0), "mean"] - 0.5) < 0.2  # 96 samples: 4 standard errors
    assert abs(by.trained_less_closed).max() < 0.05
    for value in picture.draw(TINY, table).axes[0].get_ylim():
        assert np.isfinite(value)
    assert "Filled where" in picture.caption(TINY, table)


@pytest.mark.slow
def test_predicted_within_two_standard_errors_where_certified():
    """A quarter of the quick preset with more draws: 4 standard errors at each of 12 points."""
    settings = dataclasses.replace(
        accuracy.FIGURE.quick, laws=("uniform",), ns=(50,), n_advs=(50, 100), dimensions=(4000,),
        factors=(0.5, 1.0, 2.0), draws=40,
    )  # fmt: skip
    key = jax.random.key(1)
    results = [(c, accuracy.compute(settings, c, key)) for c in accuracy.cells(settings)]
    table: Any = accuracy.table(settings, results)
    held = table[(table.norm != "none") & table.held].drop_duplicates(["n_adv", "factor", "norm"])
    assert len(held) >= 9
    off = abs(held["mean"] - held.predicted) / held.standard_error.clip(lower=0.002)
    assert off.max() < 4
    assert np.mean(off < 2) > 0.7
