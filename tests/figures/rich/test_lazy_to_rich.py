"""lazy-to-rich: descent ends at the potentials' minimizers, bounds hold, and all of it is drawn."""

import jax
import numpy as np
import pandas as pd
import pytest

from experiments.figures import saving
from experiments.figures.rich import lazy_to_rich as figure
from experiments.figures.rich import lazy_to_rich_picture as picture
from theory.statements.rich.flow import FlowSetting

TINY = figure.Settings(
    scales=(8.0, 64.0),
    networks=6,
    weights=(0.3, 1.0),
    steps=3000,
    problems=3,
    dimensions=(4,),
    widths=5,
    flows=8,
)


@pytest.fixture(scope="module")
def made():
    return [(cell, figure.compute(TINY, cell, jax.random.key(1))) for cell in figure.cells(TINY)]


def test_networks_are_within_the_bound_of_their_linearization(made):
    values = made[0][1]["values"]
    bound = figure.CURVATURE * np.array(figure.TIMES)[None, :] ** 2 / np.array(TINY.scales)[:, None]
    assert values.shape == (6, 2, 2)
    assert (values < bound).all()
    ratio = values.mean(axis=0)[0] / values.mean(axis=0)[1]
    assert (abs(ratio / 8 - 1) < 0.1).all()  # 1/α, and not 1/√α nor 1/α²


def test_descent_ends_where_potentials_are_least(made):
    """Between the two nearest α at which the potential is minimized, for every problem."""
    values, law = made[1][1]["values"], made[1][1]["predicted"]
    for i, alpha in enumerate(TINY.weights):
        after = int(np.searchsorted(figure.LAW, alpha))
        near = law[:, after - 1 : after + 1]
        low, high = near.min(axis=1), near.max(axis=1)
        assert (values[:, i] > low - 2e-3).all()
        assert (values[:, i] < high + 2e-3).all()
    # From lazy to rich the ℓ₁ norm falls to its least, and the ℓ₂ norm rises from it.
    np.testing.assert_allclose(law[:, -1, 0], 1, atol=1e-3)
    assert (law[:, 0, 1] < law[:, -1, 1]).all()
    assert law[:, 0, 1].max() < 1.2
    assert FlowSetting().n == 4  # what the caption says


def test_the_picture_is_drawn_and_its_caption_counts(made):
    table = figure.table(TINY, made)
    assert isinstance(table, pd.DataFrame)
    with saving.styled():
        picture.draw(TINY, table).canvas.draw()
    assert "6 draws" in picture.caption(TINY, table)
    scale = table[(table.panel == "scale") & (table.curve == "t = 1")]
    law = 3.0 * scale["x"] ** -2.0
    assert picture.slope(scale.assign(mean=law)) == pytest.approx(-2.0)


def test_every_cell_has_a_cost_and_a_size():
    for cell in figure.cells(TINY):
        assert figure.cost(TINY, cell) > 0
        assert figure.floats(TINY, cell) > 0
