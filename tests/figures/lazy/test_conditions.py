"""Conditions on a plane: where they hold signs agree, and shares are those of the maps."""

import dataclasses

import jax
import numpy as np
import pytest

from experiments.figures.lazy import conditions as figure
from experiments.figures.lazy import conditions_picture as picture

SETTINGS = dataclasses.replace(
    figure.FIGURE.quick, n=30, d=5, m=20, wide_m=5000, draws=2, grid=15, steps=10
)


def test_conditions_hold_where_margins_exceed_the_bounds_and_signs_agree():
    found = {
        "margin_f": np.array([2.0, 2.0, 0.5, 2.0]),
        "margin_g": np.array([2.0, 0.5, 2.0, 2.0]),
        "k_f": np.array([1.0, 1.0, 1.0, 1.0]),
        "k_g": np.array([1.0, 1.0, 1.0, -1.0]),
    }
    holds = figure.conditions(found)
    assert tuple(holds) == figure.CONDITIONS
    np.testing.assert_array_equal(holds["all"], [True, False, False, False])
    np.testing.assert_array_equal(holds["agreement"], [True, True, True, False])
    shares = figure._shares(found | {"f": np.ones(4), "g": np.array([-1.0, 1, 1, 1])})
    assert shares["share all"] == shares["share failed"] == 0.25
    assert shares["share signs"] == 0.75
    assert shares["largest f"] == 2.0


@pytest.mark.slow
def test_signs_agree_where_all_conditions_hold():
    key = jax.random.key(1)
    results = [(cell, figure.compute(SETTINGS, cell, key)) for cell in figure.cells(SETTINGS)]
    wide, published = (arrays for _, arrays in results)
    assert (wide["share all"] > 0.3).all()
    # δ = 0.05 a point; on a map a failure is one of the whole draw, nearly.
    assert (wide["share failed"] <= 0.05).all()
    assert (published["share all"] == 0).all()
    table = figure.table(SETTINGS, results)
    assert len(picture.draw(SETTINGS, table).axes) == 2 * len(figure.CONDITIONS)
    assert "d²(T_f + T_g)² = 144" in picture.caption(SETTINGS, table)
