"""random-features-margin: margins between bound and γ₂, in a picture that says how far."""

import jax
import pandas as pd
import pytest

from experiments.figures import saving
from experiments.figures.margin import random_features_margin as figure
from experiments.figures.margin import random_features_margin_picture as picture

TINY = figure.Settings(widths=(20,), times=(10, 3000), draws=8)


@pytest.fixture(scope="module")
def made():
    return [(cell, figure.compute(TINY, cell, jax.random.key(2))) for cell in figure.cells(TINY)]


def test_margins_lie_between_what_is_guaranteed_and_the_largest(made):
    [(_, arrays)] = made
    sure = arrays["low"] > 0
    assert sure.sum() >= 4
    best = arrays["best"][sure]
    for guaranteed in ("printed", "sharp"):
        assert (best >= arrays[guaranteed][sure]).all()
    assert (best <= arrays["high"][sure, None]).all()
    assert (arrays["printed"] < arrays["sharp"])[sure].all()


def test_more_steps_of_the_same_features_reach_more(made):
    [(_, arrays)] = made
    few, many = arrays["best"].T
    assert (many >= few).all()
    sure = arrays["low"] > 0
    assert (many > 0.9 * arrays["high"])[sure].all()


def test_the_picture_is_drawn_and_its_caption_counts_what_is_below(made):
    table = figure.table(TINY, made)
    assert isinstance(table, pd.DataFrame)
    with saving.styled():
        picture.draw(TINY, table).canvas.draw()
    assert "in 0 of them" in picture.caption(TINY, table)
    [(cell, arrays)] = made
    low = [(cell, {**arrays, "best": arrays["printed"] - 1e-3})]
    count = 2 * int((arrays["low"] > 0).sum())
    assert f"in {count} of them" in picture.caption(TINY, figure.table(TINY, low))
