"""Learning from perturbations as figures: cells, their numbers, tables, pictures, captions."""

import dataclasses

import jax
import numpy as np
import pandas as pd
import pytest

from experiments.figures.figure import PRESETS
from experiments.figures.lazy import accuracy, cosine, learning, width, words
from experiments.figures.lazy.axes import PUBLISHED, setting
from theory.networks.descent import training_time

FIGURES = [module.FIGURE for module in (accuracy, cosine, width)]
SMALL = accuracy.Settings(
    d=4, n=6, gaussian_d=4, gaussian_n=6, m=20, epsilon=0.5, rates=(0.02, 0.2), steps=3, queries=5,
    draws=4, gaussian_draws=4, ds=(4,), gaussian_ds=(4,), epsilons=(0.1,), ms=(20,),
    slopes=(0.5,), ns=(6,), gaussian_ns=(6,), T_fs=(1.0,), T_gs=(1.0,),
    laws=("gaussian",), losses=("identity",),
)  # fmt: skip


@pytest.mark.parametrize("figure", FIGURES, ids=lambda figure: figure.name)
@pytest.mark.parametrize("preset", PRESETS)
def test_cells_are_told_apart_and_have_a_cost(figure, preset):
    settings = figure.settings(preset)
    cells = figure.cells(settings)
    assert len({tuple(cell.items()) for cell in cells}) == len(cells)
    assert all(figure.cost(settings, cell) > 0 for cell in cells)


def test_published_settings():
    settings = accuracy.FIGURE.paper
    run = setting(settings, {"law": "shifted-gaussian", "loss": "identity", "axis": "d", "at": 400})
    assert (run.n, run.m, run.width, run.slope, run.steps) == (1000, 100, 100, 0.0, 1000)
    assert (run.rates_f, run.momentum) == ((0.1, 1.0), 0.9)
    assert (run.best, run.schedule) == ("metric", "plateau")
    assert (run.measure_on, run.cosine, run.queries) == ("training", "absolute", 1000)
    assert run.epsilon == pytest.approx(0.02)  # 0.001·√400
    run = setting(settings, {"law": "gaussian", "loss": "identity", "axis": "T_g", "at": 3.0})
    assert (run.d, run.n) == (10_000, 10_000)
    assert run.rates_f == (0.1, 1.0)
    assert training_time(run.rates_g[0], run.steps, run.momentum) == pytest.approx(3.0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"laws": ("cauchy",)}, "laws"),
        ({"slopes": (1.5,)}, "slope"),
        ({"losses": ("x",)}, "losses"),
    ],
)
def test_settings_that_make_no_sense(change, message):
    with pytest.raises(ValueError, match=message):
        accuracy.cells(dataclasses.replace(SMALL, **change))


@pytest.mark.slow
def test_a_small_figure():
    cells = accuracy.cells(SMALL)
    assert [cell["axis"] for cell in cells] == ["base", "epsilon", "slope", "T_f", "T_g"]
    key = jax.random.key(0)
    results = [(cell, accuracy.compute(SMALL, cell, key)) for cell in cells]
    base = results[0][1]
    of_g = (2, 1, 2, 4)
    for name, shape in (("standard", (1, 4)), ("perturbation", of_g), ("agreement", of_g)):
        for values in (base[name], base[f"predicted_{name}"]):
            assert values.shape == shape
            assert ((values >= 0) & (values <= 1)).all()
        assert np.allclose(base[name] * 5 % 1, 0)  # shares of 5 points
    table = accuracy.table(SMALL, results)
    assert len(table) == (5 + 4) * 5  # the base setting on five axes
    assert table["held"].equals(table["switching"] <= learning.LAZY)
    assert np.allclose(table["mean"] - table["predicted"], table["difference"])
    figure = accuracy.FIGURE.draw(SMALL, table)
    assert len(figure.axes) == 7
    caption = accuracy.FIGURE.caption(SMALL, table)
    assert "over 4 draws" in caption
    assert "of the difference" in caption


def test_the_unshifted_gaussian_has_draws_of_its_own():
    """One as published, of which no error is known: the caption says so, and counts none of it."""
    assert accuracy.FIGURE.paper.gaussian_draws == cosine.FIGURE.paper.gaussian_draws == 1
    asked = []

    def learn(key, run, draws, *rest, **options):
        asked.append((run.law, draws))
        return {}

    with pytest.MonkeyPatch.context() as patch:
        for module in (accuracy, cosine):
            patch.setattr(module, "learn", learn)
            for law in ("gaussian", "shifted-gaussian"):
                cell = {"law": law, "loss": "identity", "axis": "base", "at": 0.0}
                module.compute(module.FIGURE.paper, cell, jax.random.key(0))
    assert asked == 2 * [("gaussian", 1), ("shifted-gaussian", 32)]
    rows = pd.DataFrame(
        {
            "mean": [0.8, 0.9, 0.5], "predicted": [0.7, 0.9, 0.5],
            "difference": [0.125, 0.001, 0.0], "difference_error": [np.nan, 0.01, 0.01],
            "draws": [1, 32, 32], "held": [True, True, False],
        }
    )  # fmt: skip
    found = words.compared(rows)
    assert "1 of 1 filled means" in found
    assert "1 of 1 hollow means" in found
    assert "Of single draws, 1 point, no error is known; they are 0.125 from" in found
    assert words.compared(rows.head(1)).startswith("Of single draws")
    both = words.draws_words(accuracy.FIGURE.paper, ["gaussian", "shifted-gaussian"])
    assert "shifted Gaussian: means over 32 draws; Gaussian: a single draw, no bars" in both
    assert words.draws_words(SMALL, ["gaussian"]).startswith("means over 4 draws of data")


@pytest.mark.slow
def test_draws_in_chunks_choose_one_rate_for_all(monkeypatch):
    """As many numbers, and the same choice, where not all draws fit into memory at once."""
    run = setting(SMALL, {"law": "gaussian", "loss": "identity", "axis": "base", "at": 0.0})
    monkeypatch.setattr(learning, "_chunk", lambda run, draws: 2)
    arrays = learning.learn(jax.random.key(1), run, 4)
    best = int(np.argmax(arrays["standard_by_rate"].mean(axis=-1)))
    assert np.array_equal(arrays["standard"][0], arrays["standard_by_rate"][best])
    assert arrays["agreement"].shape == (2, 1, 2, 4)


@pytest.mark.slow
def test_published_measurements():
    """Each quantity at the pair that is best for it, on training points, with fresh agreement."""
    published = dataclasses.replace(SMALL, **PUBLISHED, epsilon=0.0)
    cell = {"law": "gaussian", "loss": "identity", "axis": "base", "at": 0.0}
    run = setting(published, cell)
    arrays = learning.learn(jax.random.key(0), run, 4, cosine=True)
    assert arrays["standard"].shape == (2, 4)
    assert arrays["agreement"].shape == (2, 2, 2, 4)  # scenario, rate of f, rate of g, draw
    assert np.allclose(arrays["standard"] * 6 % 1, 0)  # shares of 6 training points
    assert np.allclose(arrays["agreement"] * 5 % 1, 0)  # and of 5 fresh ones
    assert (arrays["cosine"] >= 0).all()
    found = {(p["quantity"], p["scenario"]): p for p in learning.points(arrays, best="metric")}
    for place, scenario in enumerate("ab"):
        for name in ("perturbation", "agreement"):
            means = arrays[name][place].mean(axis=-1)
            assert found[name, scenario]["mean"] == pytest.approx(means.max())
    assert found["cosine", ""]["mean"] == pytest.approx(arrays["cosine"].mean(axis=-1).max())
    results = [(cell, arrays)]
    caption = accuracy.FIGURE.caption(published, accuracy.table(published, results))
    for part in ("as published", "own training points", "5 fresh points", "The rate is a tenth"):
        assert part in caption


def test_best_of_several_is_no_better_in_the_mean_than_its_optimism():
    """Of equal means: the excess of the largest of three over them is within the bound.

    Mean over 400 repetitions; it is 0.85 standard deviations of a mean, the bound √2 of them.
    """
    rng = np.random.default_rng(0)
    values = rng.normal(size=(400, 3, 10))
    excess = np.mean([v.mean(axis=-1).max() for v in values])
    bound = np.mean([learning._optimism(v) for v in values])
    assert 0.8 * 0.85 < excess * 10**0.5 < 1.2 * 0.85
    assert excess < bound < 2 * excess


def compared(figure, settings):
    """(difference − tolerance)/standard error of the filled points."""
    key = jax.random.key(11)
    results = [(cell, figure.compute(settings, cell, key)) for cell in figure.cells(settings)]
    table = figure.table(settings, results).drop_duplicates(["mean", "predicted", "quantity"])
    table = table[table["held"]]
    distance = table["difference"].abs() - table.get("tolerance", 0.0)
    return (distance / table["difference_error"]).to_numpy()


@pytest.mark.slow
@pytest.mark.parametrize("figure", FIGURES[:2], ids=lambda figure: figure.name)
def test_filled_points_are_on_the_prediction(figure):
    """Of quick settings with 40 draws: at most 12 % beyond 2 standard errors, 5 % expected.

    Points of one cell share draws, so the count is that of about a third as many independent ones:
    12 % of 60 is 2.5 standard deviations above 5 %; 4.5 standard errors are exceeded by one of 300
    with probability 0.02.
    """
    settings = dataclasses.replace(figure.quick, draws=40, laws=("shifted-gaussian",))
    distance = compared(figure, settings)
    assert len(distance) > 30
    assert np.mean(distance > 2) < 0.12
    assert distance.max() < 4.5
