"""subspace-off-manifold: laws are the statement's, steps flip signs, tables say what is drawn."""

import dataclasses

import jax
import numpy as np
import pandas as pd
import pytest
from scipy import stats

from experiments.figures import saving
from experiments.figures.subspace import off_manifold as figure
from experiments.figures.subspace import off_manifold_picture as picture

TINY = figure.Settings(
    widths=(3,), times=(0, 5), d=12, dimensions=(64,), m=64, n=4, inside=3, law_draws=200, draws=40
)


@pytest.fixture(scope="module")
def made():
    return [(cell, figure.compute(TINY, cell, jax.random.key(2))) for cell in figure.cells(TINY)]


def test_cells_have_every_width_and_time_once():
    cells = figure.cells(figure.Settings())
    assert len({tuple(cell.items()) for cell in cells}) == len(cells) == 5 + 6


def test_the_law_is_measured_of_trained_networks(made):
    """Kolmogorov and Smirnov at 1e-3; χ² of another number of degrees fails."""
    for cell, arrays in made[:2]:
        law = stats.chi2(cell["d"] - TINY.inside)
        known = arrays["relative"][np.isfinite(arrays["relative"])]
        assert stats.kstest(known, law.cdf).pvalue > 1e-3
        assert stats.kstest(known, stats.chi2(cell["d"]).cdf).pvalue < 1e-3
    (trained, before) = (arrays["relative"] for _, arrays in made[:2])
    assert not np.allclose(trained, before)  # 5 steps and none


def test_steps_of_first_order_are_near_those_that_flip(made):
    arrays = made[-1][1]
    turned = np.isfinite(arrays["actual"])
    assert turned.mean() > 0.9
    np.testing.assert_allclose(np.median((arrays["actual"] / arrays["first"])[turned]), 1, atol=0.3)
    expected = arrays["predicted"] * ((64 - 3) / arrays["relative"]) ** 0.5
    np.testing.assert_allclose(arrays["first"], expected, rtol=1e-4)


def test_the_picture_is_drawn_and_says_how_far_laws_are(made):
    table = figure.table(TINY, made)
    assert isinstance(table, pd.DataFrame)
    with saving.styled():
        picture.draw(TINY, table).canvas.draw()
    assert "within it are 2 of 2" in picture.caption(TINY, table)
    off = table.assign(mean=np.where(table.of == "law", table["mean"] + 0.5, table["mean"]))
    assert "within it are 0 of 2" in picture.caption(TINY, off)


def test_a_subspace_beyond_a_dimension_is_refused():
    with pytest.raises(ValueError, match="inside must be below every dimension, 16, got 16"):
        dataclasses.replace(figure.Settings(), inside=16)
