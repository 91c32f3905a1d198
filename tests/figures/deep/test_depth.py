"""depth: networks are measured against the exact laws, and the table says what is believed."""

import jax
import numpy as np
import pytest

from experiments.figures import saving
from experiments.figures.deep import depth as figure
from experiments.figures.deep import depth_picture as picture

TINY = figure.Settings(widths=(16,), sixteenths=(2,), draws=4000, depths=(16, 64), d=8)


@pytest.fixture(scope="module")
def made():
    return [(cell, figure.compute(TINY, cell, jax.random.key(3))) for cell in figure.cells(TINY)]


def test_cells_have_every_shape_once():
    cells = figure.cells(figure.Settings(widths=(2, 4), sixteenths=(1, 2, 8)))
    shapes = [(cell["n"], cell["depth"]) for cell in cells[:-1]]
    assert shapes == [(2, 1), (4, 1), (4, 2)]  # a depth is 1 at least


def test_means_are_1_and_variances_the_exact_ones(made):
    """4 standard errors of 4000 networks; the variance of the one is not that of the other."""
    arrays, table = made[0][1], figure.table(TINY, made)
    rows = {name: table[table.of == name].iloc[0] for name in ("q", "theta")}
    for name, row in rows.items():
        values = np.asarray(arrays[name], float)
        assert abs(values.mean() - 1) < 4 * values.std() / len(values) ** 0.5
        room = 4 * ((values - 1) ** 2).std() / len(values) ** 0.5
        assert abs(row["mean"] - row["predicted"]) < room
    assert rows["q"]["predicted"] == pytest.approx((1 + 5 / 16) ** 2 - 1)
    assert rows["theta"]["mean"] < 0.8 * rows["q"]["predicted"]


def test_the_limit_is_followed(made):
    table = figure.table(TINY, made)
    limit = table[table.of == "limit"]
    assert list(limit["depth"]) == [16, 64]
    assert (np.diff(limit["mean"]) < 0).all()
    np.testing.assert_allclose(limit["mean"], limit["predicted"], atol=0.05)


def test_on_a_ray_the_variances_are_those_of_large_networks():
    ratios = np.array([0.5])
    for name, law in figure.LAWS.items():
        large = law((2000,) * 1000, 0.0) - 1
        np.testing.assert_allclose(picture.on_ray(name, ratios, 0.0), [large], rtol=0.01)


def test_the_picture_is_drawn_and_counts_what_is_outside(made):
    table = figure.table(TINY, made)
    with saving.styled():
        picture.draw(TINY, table).canvas.draw()
    believed = table.assign(held=True)
    assert "Of 2 filled points of (a) and (b) 2 have" in picture.caption(
        TINY, believed.assign(predicted=9.0)
    )
