"""Every figure: named as the issue of its paper asks, with presets whose cells can be stored."""

import dataclasses
import importlib
import json
import re

import pytest

from experiments.command import main
from experiments.datasets import sources
from experiments.figures import building, registry
from experiments.figures.figure import PRESETS
from experiments.results import code_version, store
from experiments.results.records import plain

FIGURES = registry.figures()


def test_names_are_those_of_the_modules():
    for name, figure in FIGURES.items():
        *_, family, module = figure.compute.__module__.split(".")
        assert name in (module.replace("_", "-"), f"{family}-{module}".replace("_", "-"))
    assert len(FIGURES) == 22


@pytest.mark.parametrize("figure", FIGURES.values(), ids=FIGURES.keys())
@pytest.mark.parametrize("preset", PRESETS)
def test_cells_can_be_stored_and_their_costs_compared(figure, preset, tmp_path):
    settings = figure.settings(preset)
    cells = figure.cells(settings)
    assert cells
    assert json.loads(json.dumps(cells, allow_nan=False)) == cells
    place = store.begin(tmp_path, {"cells": cells}, resume=False)
    assert len({place.name(cell) for cell in cells}) == len(cells)
    costs = [figure.cost(settings, cell) for cell in cells]
    assert all(0 < cost < float("inf") for cost in costs)
    assert json.dumps(plain(settings), allow_nan=False)


@pytest.mark.parametrize("figure", FIGURES.values(), ids=FIGURES.keys())
def test_each_figure_says_what_it_is(figure):
    assert figure.source
    assert figure.shows
    assert figure.minutes.keys() <= set(PRESETS)
    assert 0 < figure.minutes["quick"] <= 2
    for field in dataclasses.fields(figure.quick):
        assert field.metadata["doc"], field.name
    picture = importlib.import_module(f"{figure.compute.__module__}_picture")
    assert callable(picture.draw)
    assert callable(picture.caption)


@pytest.mark.parametrize("figure", FIGURES.values(), ids=FIGURES.keys())
def test_pictures_can_change_without_computing_again(figure):
    modules = code_version.closure(figure.compute.__module__)
    assert not [name for name in modules if name.endswith(("_picture", ".style", ".making"))]


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("lazy-cosine", {"rates": "-1"}, "rates[0] must be a finite number in (0, inf)"),
        (
            "lazy-accuracy",
            {"slopes": "0,1"},
            "slopes[1] must be a finite number in [0, 1)",
        ),
        ("lazy-activation", {"widths": "0,10"}, "widths[0] must be an integer ≥ 1, got 0"),
        ("lazy-activation", {"times": "1:7:+1"}, "times must be at most 6 values"),
        ("separability-phase", {"dimensions": "0,2"}, "dimensions[0] must be an integer ≥ 1"),
        ("separability-training", {"look_at": "0,99"}, "look_at must be epochs up to"),
        ("orthogonal-accuracy", {"ns": "0"}, "ns[0] must be an integer ≥ 1"),
        ("errata", {"variance_dimensions": "0"}, "variance_dimensions[0] must be an integer"),
    ],
)
def test_axes_are_checked_before_any_work(name, changes, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        building.plan_figures([name], settings=changes)


def test_data_of_any_dimension_go_to_figures_without_one():
    planned, left_out = building.plan_figures(["all"], data_name="digits")
    made = {plan.figure.name for plan in planned}
    assert {"lazy-activation", "ntk-rates"} <= made
    assert made | left_out.keys() == FIGURES.keys()


def test_images_are_bound_by_their_own_hash():
    (planned,), _ = building.plan_figures(["separability-embedding"], data_name="all-digits")
    digest = sources.digest(sources.load_images("all-digits"))
    assert planned.manifest()["data"] == {"sha256": digest}


FILE = '''"""A figure in one file: how large a uniform number is."""

import jax
import numpy as np
import pandas as pd
from experiments.figures import style
from experiments.figures.figure import Figure
from widetheory import Parameters, parameter


class Settings(Parameters):
    """How many."""

    draws: int = parameter(4, "draws", low=1)


def compute(settings, cell, key):
    return {"u": np.asarray(jax.random.uniform(key, (settings.draws,)))}


def draw(settings, table):
    figure, grid = style.axes(1, 1, height=2.0)
    grid[0, 0].plot(table.u, "o")
    return figure


def caption(settings, table):
    return f"{len(table)} uniform numbers."


FIGURE = Figure(
    name="mine-uniform", source="ours", shows="uniform numbers", quick=Settings(), paper=Settings(),
    cells=lambda settings: [{"i": 0}], compute=compute, minutes={"quick": 0.1},
    table=lambda settings, results: pd.DataFrame({"u": results[0][1]["u"]}),
)
'''


@pytest.mark.usefixtures("restore_precision")
def test_a_figure_of_a_file(tmp_path, capsys):
    path = tmp_path / "mine.py"
    path.write_text(FILE)
    command = ["figure", f"{path}:FIGURE", "--out", str(tmp_path / "out"), "--set", "draws=3"]
    assert main.main(command) == 0
    assert "mine-uniform" in capsys.readouterr().out
    assert (tmp_path / "out" / "mine-uniform.png").exists()
    assert "3 uniform numbers." in (tmp_path / "out" / "mine-uniform.md").read_text()
    for name, message in (
        (f"{path}:nothing", "must hold the figure 'nothing'; it holds mine-uniform"),
        ("no/such.py", "there is none"),
    ):
        with pytest.raises(ValueError, match=message):
            registry.select([name])
