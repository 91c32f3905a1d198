"""benign-overfitting: leading order and bound hold, and the caption counts what does not."""

import jax
import numpy as np
import pytest

from experiments.figures import saving
from experiments.figures.orthogonal import benign_overfitting as figure
from experiments.figures.orthogonal import benign_overfitting_picture as picture

TINY = figure.Settings(n=16, powers=(10, 12), shares=(0.1,), noises=(0.0, 0.4), power=12, draws=60)


@pytest.fixture(scope="module")
def made():
    return [(cell, figure.compute(TINY, cell, jax.random.key(2))) for cell in figure.cells(TINY)]


def test_cells_have_every_dimension_and_every_share_once():
    cells = figure.cells(figure.Settings())
    assert len({tuple(cell.items()) for cell in cells}) == len(cells) == 2 * 6 + 11


def test_the_excess_falls_like_its_leading_order(made):
    """10^{2·(−0.1)} = 0.63 between both dimensions, and 12 % off at n = 16 by its fluctuation."""
    low, high = (np.median(arrays["excess"]) for _, arrays in made[:2])
    assert high / low == pytest.approx(10 ** (-0.2), rel=0.25)
    expected = figure.leading(TINY, np.array(1e12))
    assert np.median(made[2][1]["excess"]) == pytest.approx(expected, rel=0.25)
    assert figure.leading(TINY, np.array(1e10)) == pytest.approx(0.1 / (2 * np.pi * 16) ** 0.5)


def test_no_draw_that_satisfies_the_hypotheses_is_above_the_bound(made):
    table = figure.table(TINY, made)
    assert (table.above == 0).all()
    assert (table.held > 0.5).all()
    assert (table.fitted == 1).all()
    clean, noisy = (arrays for _, arrays in made[2:])
    assert clean["ours"].all()
    assert clean["published"].all()  # no label is wrong
    assert noisy["ours"].sum() > noisy["published"].sum()


def test_the_picture_is_drawn_and_counts_what_is_above_the_bound(made):
    table = figure.table(TINY, made)
    with saving.styled():
        picture.draw(TINY, table).canvas.draw()
    assert "Above the bound are 0 of" in picture.caption(TINY, table)
    off = [(cell, arrays | {"bound": arrays["excess"] / 2}) for cell, arrays in made]
    assert "Above the bound are 0 of" not in picture.caption(TINY, figure.table(TINY, off))
