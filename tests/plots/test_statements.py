"""Plots of statements: numbers that are drawn, and what pictures stumble over."""

import functools
import pathlib

import matplotlib.text
import numpy as np
import pandas as pd
import plot_toys
import pytest
from PIL import Image

from experiments.command import main
from experiments.figures import saving
from experiments.plots import claims, drawing, histograms, making, statements, worst
from experiments.plots.subjects import Drawn
from experiments.verify.planning import Run
from theory.verification.statistics import clopper_pearson

FILE = pathlib.Path(plot_toys.__file__)


@functools.cache
def drawn(statement, draws: int = 100) -> Drawn:
    return drawing.drawn(Run(statement, statement.config, draws), seed=0, level=0.01)


def words(figure) -> str:
    """All texts of a picture."""
    return "\n".join(text.get_text() for text in figure.findobj(matplotlib.text.Text))


def test_the_command_writes_pictures_data_and_a_short_caption(tmp_path, capsys, restore_precision):
    command = ["plot", f"{FILE}:TAIL", "--set", "s=0.5", "--draws", "64", "--out", str(tmp_path)]
    assert main.main(command) == 0
    out, err = capsys.readouterr()
    assert err == ""
    ends = {".png", ".svg", ".pdf", ".csv", "-draws.csv", ".md"}
    assert {p.name.removeprefix("mine.tail") for p in tmp_path.iterdir()} == ends
    assert all(str(tmp_path / f"mine.tail{end}") in out.replace("\n", "") for end in ends)
    draws = pd.read_csv(tmp_path / "mine.tail-draws.csv")
    points = pd.read_csv(tmp_path / "mine.tail.csv").set_index("part")
    misses = int(np.sum(draws["outcome"] == "miss"))
    # straight from the margins, not from the verdict
    holds = (draws["hypothesis.x > −2 σ.value"] > 0) & (draws["hypothesis.wide.value"] > 0)
    assert misses == int(np.sum(holds & (draws["conclusion.value"] < 0))) > 0
    rate = points.loc["failure rate"]
    assert rate["value"] == misses / 64
    limits = clopper_pearson(misses, 64, 0.99)
    np.testing.assert_allclose([rate["low"], rate["high"]], limits)
    assert rate["claimed"] == pytest.approx(0.308538, abs=1e-6)  # P(normal > 1/2)
    assert points.loc["conclusion", "fails"] == (draws["conclusion.value"] < 0).sum()
    caption = (tmp_path / "mine.tail.md").read_text().partition("## Details")
    assert len(caption[0].split()) <= 80
    assert "Seed 0" in caption[2]
    with Image.open(tmp_path / "mine.tail.png") as picture:
        pixels = np.asarray(picture.convert("L"))
    for edge in (pixels[:2], pixels[-2:], pixels[:, :2], pixels[:, -2:]):
        assert (edge == 255).all()  # nothing is cut off


@pytest.mark.parametrize(
    ("name", "draws", "says"),
    [
        ("NAN", 20, "20 × NaN"),
        ("INFINITE", 40, "40 × huge"),
        ("VACUOUS", 20, "fails 20"),
        ("TAIL", 1, "outcomes of 1 draw"),
        ("EQUAL", 20, "holds 20 · fails 0"),
        ("LONG", 20, "…"),
        ("MANY", 20, "mean of the number 29"),
        ("POWER", 60, "fitted"),
        ("DECAY", 200, "share that fails"),
        ("LAW", 400, "share up to it"),
    ],
)
def test_what_pictures_stumble_over_is_drawn(name, draws, says):
    one = drawn(getattr(plot_toys, name), draws)
    with saving.styled():
        figure = statements.draw(one)
        figure.canvas.draw()  # constrained layout warns where nothing fits, and warnings are errors
    assert says in words(figure)
    assert len(statements.caption(one).partition("\n\n")[0].split()) <= 80
    assert len(one.table()) == draws


def test_the_line_of_a_rate_is_the_least_squares_one():
    one = drawn(plot_toys.POWER, 60)
    values = one.quantities()[:, 0]
    x, y = np.log(plot_toys.SCALES), np.log(values.mean(axis=0))
    slope, level = np.polyfit(x, y, 1)
    points = claims.Points(one.verdict, 0, plot_toys.SCALES, values)
    np.testing.assert_allclose(points.fitted, np.exp(level + slope * x))
    np.testing.assert_allclose(np.diff(np.log(points.claimed)) / np.diff(x), -0.5)


def test_worst_draws_are_misses_by_their_margin_then_the_nearest():
    one = drawn(plot_toys.TAIL)
    found = worst.order(one)
    value = np.asarray(one.arrays["conclusion.value"])
    outcomes = one.table()["outcome"].to_numpy()
    misses = int((outcomes == "miss").sum())
    assert (outcomes[found[:misses]] == "miss").all()
    assert found[0] == min(np.flatnonzero(outcomes == "miss"), key=lambda i: value[i])
    met = np.isin(outcomes, ("miss", "confirmed"))
    assert (np.diff(value[found[misses : met.sum()]]) >= 0).all()
    assert not met[found[met.sum() :]].any()
    assert worst.table(one)["draw"].tolist()[0] == f"{found[0]}"


def test_no_bin_has_both_signs_and_every_number_is_in_one():
    for value in (
        np.array([-3.0, 1.0, 2.0]),
        np.array([5.0]),
        np.array([0.0, 0.0]),
        np.array([-1e-9, 1.0, 1e8]),
        np.array([1e9, 1e9 + 1e-6]),
    ):
        for zero in (True, False):
            edges = histograms.bins(value, zero=zero).edges
            assert (np.diff(edges) > 0).all()
            assert np.histogram(value, edges)[0].sum() == len(value)
            if zero:
                assert not ((edges[:-1] < -1e-12) & (edges[1:] > 1e-12)).any()


def test_names_of_files_are_names_everywhere():
    assert making.file_name("a/b: c*?.d") == "a-b-c-.d"
    assert making.file_name("../..") == "plot"
    assert making.file_name("x" * 500) == "x" * making.LONGEST
    assert making.file_name("lazy.width (m = 8, law = σ)") == "lazy.width-m=8-law=σ"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("lazy.movment",), "lazy.movement"),
        ((".", "lazy.movement"), "names must be directories or statements, got both"),
        ((".",), "holds no sweep"),
        ((".", "--draws", "4"), "--draws and --data must be left out with DIR"),
        ((f"{FILE}:TAIL", "--set", "q=1"), "--set NAME must be one of"),
    ],
)
def test_what_cannot_be_plotted_is_said(capsys, tmp_path, restore_precision, arguments, says):
    assert main.main(["plot", *arguments, "--out", str(tmp_path / "out")]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert says in err
    assert not (tmp_path / "out").exists()
