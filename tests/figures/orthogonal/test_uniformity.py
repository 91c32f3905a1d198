"""orthogonal-uniformity: bounds by hand, built points near them, and what the caption counts."""

import jax
import numpy as np
import pytest

from experiments.figures import saving
from experiments.figures.orthogonal import uniformity as figure
from experiments.figures.orthogonal import uniformity_picture as picture

TINY = figure.Settings(n=4, d=6, slopes=(0.5, 0.9), loads=(0.5, 4.0), draws=20)


@pytest.fixture(scope="module")
def made():
    return [(cell, figure.compute(TINY, cell, jax.random.key(2))) for cell in figure.cells(TINY)]


def test_cells_have_every_slope_and_every_load_once():
    cells = figure.cells(figure.Settings())
    assert len({tuple(cell.items()) for cell in cells}) == len(cells) == 6 + 7


def test_bounds_at_the_threshold_by_hand():
    """γ = ½: h = 1/24, so 1/(1 − 1/12) and 4(1 + 2h/(½ − 2h)) = 4·1.2."""
    assert figure.bounds(0.5, 1.0) == pytest.approx((12 / 11, 4.8))
    assert figure.bounds(0.5, 7.0)[1] == np.inf


def test_built_points_are_as_they_should_be():
    x = np.asarray(figure.opposed(4, 0.1))
    expected = [[1, -0.1, -0.1, -0.1], [-0.1, 1, 0, 0.1], [-0.1, 0, 1, 0.1], [-0.1, 0.1, 0.1, 1]]
    np.testing.assert_allclose(x @ x.T, expected, atol=1e-6)


def test_measured_ratios_are_below_our_bound_and_built_ones_near_it(made):
    table = figure.table(TINY, made)
    held = table[table.held]
    assert (held.largest < held.ours).all()
    assert (held.built < held.ours).all()
    assert (held.largest > 1).all()
    # λ of the first is larger by (n − 1)p_max and of the last smaller by (n − 3)p_max, 1 % short.
    expected = 2 * (TINY.n - 2) / TINY.n / held.p
    np.testing.assert_allclose(held.built - 1, expected, rtol=0.02)
    assert (held.built > held.largest).all()


def test_the_picture_is_drawn_and_counts_what_is_above_the_bound(made):
    table = figure.table(TINY, made)
    with saving.styled():
        picture.draw(TINY, table).canvas.draw()
    assert "Above the bound are 0 of 6 markers" in picture.caption(TINY, table)
    off = table.assign(ours=np.where(table.held, 1.0, table.ours))
    assert "Above the bound are 6 of 6 markers" in picture.caption(TINY, off)
