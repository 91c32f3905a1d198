"""separability-phase: networks against the exact law, and what the table makes of them."""

import dataclasses

import jax
import numpy as np
import pytest
from scipy import stats

from experiments.figures.separability import phase as phase
from experiments.figures.separability import phase_picture as picture
from theory.perturbations import initialization

SMALL = phase.Settings(
    widths=(2, 8),
    dimensions=(2, 8),
    samples=(1, 4),
    draws=400,
    wide=16,
    growing_dimensions=(2, 3, 4, 5, 6),
    long=16,
    growing_widths=(1, 2, 3, 4, 5),
    ratios=(1.0,),
    ray_sizes=5,
    rate_draws=1000,
)


def by_law(settings, rng):
    """Results with independent failures of the exact probability in place of networks."""
    results = []
    for cell in phase.cells(settings):
        failure = initialization.alignment_failure(cell["m"], cell["d"])
        fails = rng.random((cell["draws"], cell["n"])) < failure
        first = np.where(fails.any(1), fails.argmax(1), cell["n"])
        results.append((cell, {"first": first, "failing": fails.sum(1)}))
    return results


@pytest.fixture(scope="module")
def table():
    return phase.table(SMALL, by_law(SMALL, np.random.default_rng(0)))


@pytest.mark.parametrize(("m", "d"), [(8, 4), (16, 16), (3, 5)])
def test_networks_fail_as_often_as_the_law_says(key, m, d):
    """First points by the binomial law, the share of all n within 5 of its standard errors."""
    cell = {"m": m, "d": d, "n": 4, "draws": 4000}
    found = phase.compute(SMALL, cell, key)
    assert found["first"].shape == found["failing"].shape == (4000,)
    failure = initialization.alignment_failure(m, d)
    count = int(np.sum(found["first"] < 1))
    assert stats.binomtest(count, 4000, failure).pvalue > 1e-6
    share = found["failing"] / 4
    assert abs(share.mean() - failure) < 5 * share.std() / 4000**0.5
    assert ((found["first"] < 4) == (found["failing"] > 0)).all()
    assert (found["first"] <= 4 - found["failing"]).all()


def test_cells_are_told_apart_and_draw_other_networks(key):
    cells = phase.cells(SMALL)
    assert len({tuple(cell.items()) for cell in cells}) == len(cells)
    one = phase.compute(SMALL, {"m": 8, "d": 4, "n": 4, "draws": 4000}, key)
    other = phase.compute(SMALL, {"m": 4, "d": 8, "n": 4, "draws": 4000}, key)
    assert not np.array_equal(one["failing"], other["failing"])


def test_the_law_is_within_the_intervals_of_what_follows_it(table):
    """z of about 40 exact frequencies: five is beyond chance (4e-5), and so is a mean of 1."""
    separated = table[table.part == "separated"]
    exact = np.concatenate([separated.z[separated.n == 1], table.z[table.part == "failure"]])
    assert np.abs(exact).max() < 5
    assert abs(exact.mean()) < 1
    fits = table[table.part == "fit"]
    assert len(fits) == 3
    # Intervals at 95 %: three standard errors in place of two.
    assert (np.abs(fits["mean"] - fits.predicted) < 1.5 * (fits.high - fits.low) / 2).all()


def test_bounds_hold_and_are_marked_where_they_say_nothing(table):
    separated = table[table.part == "separated"]
    assert (separated.predicted >= separated.bound - 1e-12).all()
    failure = np.array([initialization.alignment_failure(r.m, r.d) for r in separated.itertuples()])
    assert (separated.held == (separated.n * failure < 1)).all()
    assert (separated.z[separated.n > 1] <= 0).all()


def test_half_is_where_the_bound_is_half(table):
    rows = table[table.part == "guarantee"]
    assert len(rows) > 3
    for row in rows.itertuples():
        below, above = (
            row.n * initialization.alignment_failure(int(row.m), d)
            for d in (int(np.floor(row.d)), int(np.floor(row.d)) + 1)
        )
        assert below >= 0.5 >= above


def test_a_wrong_law_is_seen():
    """Networks that fail twice as often: the table says by how many standard errors."""
    results = by_law(SMALL, np.random.default_rng(1))
    for cell, arrays in results:
        arrays["first"] = np.where(np.arange(cell["draws"]) % 2 == 0, 0, cell["n"])
        arrays["failing"] = np.where(arrays["first"] == 0, 1, 0)
    table = phase.table(SMALL, results)
    separated = table[(table.part == "separated") & (table.n == 1) & (table.m == 8)]
    assert (separated.z < -5).all()


def test_rays_have_integer_sizes_and_others_are_refused():
    for line in phase.lines(dataclasses.replace(SMALL, ratios=(0.25, 1.0, 4.0), ray_sizes=6))[2:]:
        ratio = float(line.name.split()[1])
        assert [ratio * m for m in line.m] == list(line.d)
        assert len(set(line.m)) == 6
        assert line.rate == initialization.alignment_decay(ratio)
    with pytest.raises(ValueError, match=r"ratios must be integers or one over integers, got 0\.3"):
        phase.cells(dataclasses.replace(SMALL, ratios=(0.3,)))


def test_the_picture_and_its_caption(table):
    figure = picture.draw(SMALL, table)
    figure.draw_without_rendering()
    caption = picture.caption(SMALL, table)
    assert "400 random ReLU networks" in caption
    assert "1,000 networks a point" in caption


@pytest.mark.slow
def test_quick_settings_agree_with_the_law(key):
    """Every frequency with an exact prediction, 66 of them, within 5 standard errors."""
    settings = phase.FIGURE.quick
    results = [
        (cell, phase.compute(settings, cell, jax.random.fold_in(key, 0)))
        for cell in phase.cells(settings)
    ]
    table = phase.table(settings, results)
    separated = table[table.part == "separated"]
    assert np.abs(separated.z[separated.n == 1]).max() < 5
    assert np.abs(table.z[table.part == "failure"]).max() < 5
    assert separated.z[separated.n > 1].min() > -5
