"""errata: networks follow the corrected formulas, and not the printed ones."""

import dataclasses
import math

import numpy as np
import pytest

from experiments.figures import errata
from experiments.figures import errata_picture as picture
from theory.perturbations import initialization
from theory.perturbations.initialization import event_failures
from theory.statements.separability.sparse import support_size

SMALL = errata.Settings(
    variance_width=8,
    variance_dimensions=(2, 4),
    tail_width=8,
    tail_dimensions=(2, 4),
    norm_widths=(4, 8),
    norm_dimension=4,
    draws=1000,
    sparse_widths=(256, 1024),
    sparse_dimension=8,
    sparse_draws=100,
    points=3,
    trained_width=32,
    trained_draws=60,
)


def invented(settings, rng):
    """Results of the right means without any network."""
    results = []
    for cell in errata.cells(settings):
        m, d, draws = cell["m"], cell["d"], cell["draws"]
        if cell["part"] == "sparse":
            share = initialization.largest_squares(m, support_size(m, 1.0))
            arrays = {"squared": (1 + (m + 1) / d) * share * rng.chisquare(d, size=draws) / d}
        elif cell["part"] == "movement":
            n = rng.integers(1, d + 1, size=draws)
            predicted = 4.0 * n / m
            moved = predicted * rng.chisquare(8, size=draws) / 8
            arrays = {"n": n, "predicted": predicted, "moved": moved, "loss": 0.09 + 0 * moved}
        else:
            spread = math.sqrt(initialization.alignment_variance(m, d))
            active = np.full(draws, 0.5) + 0.1 * rng.normal(size=draws)
            small, tiny = (event_failures(m, d)[i] for i in (3, 4))
            u = rng.random(draws)
            gradient = np.where(u < tiny, 0.05, np.where(u < small, 0.07, 1.0))
            alignment = 0.5 + spread * rng.normal(size=draws)
            arrays = {"alignment": alignment, "active": active, "gradient": gradient}
        results.append((cell, arrays))
    return results


@pytest.fixture(scope="module")
def table():
    return errata.table(SMALL, invented(SMALL, np.random.default_rng(0)))


def test_what_is_as_corrected_is_told_from_what_is_printed(table):
    assert set(table.erratum) == set(picture.NAMES)
    assert np.abs(table.z).max() < 5
    assert (table.z_printed[table.erratum == "norm"] > 5).all()
    assert (table.low <= table["mean"]).all()
    assert (table["mean"] <= table.high).all()
    assert (table.z_printed[table.erratum == "20"] > 5).all()
    moved = table[table.erratum == "movement"]
    # m = 32 > 4·n·d for one and two points in three dimensions, but not for three.
    assert list(moved.held) == [True, True, False]
    assert list(moved.n) == [1, 2, 3]


def test_training_that_did_not_end_is_marked():
    results = invented(SMALL, np.random.default_rng(0))
    results[-1][1]["loss"] = np.full(SMALL.trained_draws, 0.11)
    table = errata.table(SMALL, results)
    assert not table.held[table.erratum == "movement"].any()


def test_networks_have_the_corrected_moments_and_tails(key):
    """All four errata at initialization; the printed variance is 9 standard errors away."""
    settings = dataclasses.replace(SMALL, draws=60_000)
    cells = [cell for cell in errata.cells(settings) if cell["part"] in ("variance", "tails")]
    cells = [{**cell, "part": part} for cell in cells[:2] for part in ("variance", "tails", "norm")]
    results = []
    for cell in cells[::3]:
        arrays = errata.compute(settings, cell, key)
        results += [({**cell, "part": part}, arrays) for part in ("variance", "tails", "norm")]
    table = errata.table(settings, results)
    assert np.abs(table.z).max() < 5
    assert (np.abs(table.z_printed[table.erratum.isin(["variance", "norm"])]) > 5).all()


def test_trained_networks_end_at_the_level_and_move_as_the_limit_does(key):
    """What the panel of trained networks takes from its statement's stages."""
    (cell,) = [cell for cell in errata.cells(SMALL) if cell["part"] == "movement"]
    arrays = errata.compute(SMALL, {**cell, "draws": 4}, key)
    assert {name: array.shape for name, array in arrays.items()} == dict.fromkeys(
        ("moved", "predicted", "n", "loss"), (4,)
    )
    assert (arrays["loss"] <= picture.LEVEL).all()
    assert (arrays["n"] % 1 == 0).all()
    ratio = arrays["moved"] / arrays["predicted"]
    assert (np.abs(np.log(ratio)) < np.log(3)).all()


def test_the_picture_and_its_caption(table):
    figure = picture.draw(SMALL, table)
    figure.draw_without_rendering()
    caption = picture.caption(SMALL, table)
    assert "1,000 random networks a point" in caption
    assert "60 networks of width 32" in caption


@pytest.mark.slow
def test_quick_settings_agree_with_the_corrected_forms(key):
    settings = errata.FIGURE.quick
    results = [(cell, errata.compute(settings, cell, key)) for cell in errata.cells(settings)]
    table = errata.table(settings, results)
    assert np.abs(table.z[table.held]).max() < 5
    # (20) is no misprint where m is not much larger than d.
    told = ~table.erratum.isin(["27", "29", "20"]) | ((table.erratum == "20") & (table.m > 2000))
    assert (table.z_printed[told].abs() > 5).all()
    tails = table[table.erratum.isin(["27", "29"]) & (table.d < 12)]
    assert (tails.low > 1e4 * tails.printed).all()
