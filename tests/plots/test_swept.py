"""Plots of stored sweeps: a line, a map, a cell; failed cells, and too many parameters."""

import pathlib

import matplotlib.text
import numpy as np
import plot_toys
import pytest

from experiments.command import main
from experiments.figures import saving
from experiments.figures.frames import chosen
from experiments.plots import making, slices, swept
from experiments.results import store
from theory.verification.statistics import clopper_pearson

FILE = pathlib.Path(plot_toys.__file__)


@pytest.fixture(scope="module")
def sweep(tmp_path_factory):
    """Of three parameters, in which every cell of m = 16 fails."""
    from precision import restored

    out = tmp_path_factory.mktemp("sweep") / "out"
    axes = ("m=8,16", "s=0,2", "law=normal,uniform")
    grids = [word for axis in axes for word in ("--grid", axis)]
    with restored():
        main.main(["sweep", f"{FILE}:SWEPT", *grids, "--draws", "40", "--out", str(out)])
    return store.open_store(out)


def picture(piece):
    with saving.styled():
        figure = swept.draw(piece, slices.table(piece))
        figure.canvas.draw()
    return "\n".join(text.get_text() for text in figure.findobj(matplotlib.text.Text))


def test_a_line_has_the_shares_of_its_cells_and_says_which_failed(sweep):
    piece = slices.of(sweep, {"s": "2.0", "law": "normal"})
    assert [axis.name for axis in piece.axes] == ["m"]
    table = slices.table(piece)
    assert table[table["status"] == "failed"]["m"].tolist() == [16]
    arrays = sweep.read("m=8,s=2.0,law=normal").arrays
    (row,) = chosen(table, m=8, series="conclusion").to_dict(orient="records")
    held = int((arrays["conclusion.value"] > 0).sum())
    assert row["value"] == held / 40
    np.testing.assert_allclose((row["low"], row["high"]), clopper_pearson(held, 40, 1 - 0.01 / 8))
    (row,) = chosen(table, m=8, series=slices.FAILURES).to_dict(orient="records")
    assert row["claimed"] == pytest.approx(0.05)
    text = picture(piece)
    assert "failed" in text
    assert "s = 2.0, law = normal" in text
    caption = swept.caption(piece, table)
    assert "no network of width 16 here" in caption
    assert len(caption.partition("\n\n")[0].split()) <= 80


def test_a_map_has_a_letter_for_each_cell(sweep):
    piece = slices.of(sweep, {"law": "normal"})
    text = picture(piece).splitlines()
    assert text.count("×") == 2
    assert sum(map(text.count, "rciv")) == 2
    assert "share of draws: conclusion" in text


def test_one_cell_is_plotted_as_its_statement(sweep):
    piece = slices.of(sweep, {"m": "2**3", "s": "0", "law": "uniform"})
    plot = making.of_slice(piece)
    assert plot.name == "mine.swept-m=8-s=0.0-law=uniform"
    assert len(plot.tables["-draws.csv"]) == 40


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({}, "is swept over m, s, law, and a picture has 2 axes: .* --set law=normal"),
        ({"q": "1"}, "--set NAME must be one of law, m, s; got 'q'"),
        ({"m": "9"}, "--set m must be a value of the sweep, 8, 16; got '9'"),
    ],
)
def test_what_has_no_picture_is_said(sweep, settings, says):
    with pytest.raises(ValueError, match=says):
        slices.of(sweep, settings)


def test_a_cell_that_failed_says_why(sweep):
    piece = slices.of(sweep, {"m": "16", "s": "0", "law": "normal"})
    with pytest.raises(ValueError, match=r"m=16.* failed by .*no network of width 16 here"):
        making.of_slice(piece)
