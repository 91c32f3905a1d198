"""Plots of what verify has stored: the verdict and the draws of that run, nothing drawn again."""

import json
import pathlib

import numpy as np
import pandas as pd
import plot_toys
import pytest
from scipy import stats

from experiments.command import main
from experiments.plots import drawing
from experiments.results.dataset import open_sweep

FILE = pathlib.Path(plot_toys.__file__)
pytestmark = pytest.mark.usefixtures("restore_precision")


def verify(out, *options):
    return main.main(["verify", f"{FILE}:TAIL", "--draws", "40", "--out", str(out), *options])


def test_the_stored_draws_are_those_that_are_drawn(tmp_path, monkeypatch, capsys):
    verify(tmp_path / "kept", "--keep-draws", "--seed", "3")
    line = ["plot", f"{FILE}:TAIL", "--draws", "40", "--seed", "3"]
    assert main.main([*line, "--out", str(tmp_path / "drawn")]) == 0
    monkeypatch.setattr(drawing, "drawn", None)
    capsys.readouterr()
    stored = ["plot", str(tmp_path / "kept"), "--out", str(tmp_path / "read"), "--json"]
    assert main.main(stored) == 0
    (made,) = json.loads(capsys.readouterr().out)["plots"]
    for file in map(pathlib.Path, made["files"]):
        other = tmp_path / "drawn" / file.name
        if file.suffix == ".csv":
            pd.testing.assert_frame_equal(pd.read_csv(file), pd.read_csv(other))
        elif file.suffix in (".md", ".png"):
            assert file.read_bytes() == other.read_bytes(), file.name


def test_draws_that_were_not_kept_are_not_drawn_again(tmp_path, capsys):
    verify(tmp_path / "out")
    assert main.main(["plot", str(tmp_path / "out")]) == 2
    assert "does not hold those of mine.tail: they are kept by verify --keep-draws\n" in (
        capsys.readouterr().err
    )


def test_draws_of_another_run_are_refused(tmp_path, capsys):
    verify(tmp_path / "out", "--keep-draws")
    (file,) = (tmp_path / "out" / "draws").iterdir()
    with np.load(file) as archive:
        arrays = {name: archive[name] for name in archive.files}
    np.savez_compressed(file, **arrays | {"conclusion/value": arrays["conclusion/value"] + 1})
    assert main.main(["plot", str(tmp_path / "out"), "--out", str(tmp_path / "plots")]) == 2
    assert "not the one that verdicts.json was written with" in capsys.readouterr().err
    assert main.main(["plot", str(tmp_path / "out"), "--set", "m=3"]) == 2
    assert "--set must be left out" in capsys.readouterr().err


def test_a_law_is_stored_with_its_distribution_function(tmp_path, monkeypatch):
    """At each draw, by which a picture shows it without the statement; in a sweep, too."""
    line = ["verify", f"{FILE}:LAW", "--draws", "500", "--out", str(tmp_path / "kept")]
    assert main.main([*line, "--keep-draws"]) == 1  # its numbers are too wide
    monkeypatch.setattr(drawing, "drawn", None)
    assert main.main(["plot", str(tmp_path / "kept"), "--out", str(tmp_path / "read")]) == 0
    table = pd.read_csv(tmp_path / "read" / "mine.law-draws.csv")
    np.testing.assert_allclose(table["cdf"], stats.norm.cdf(table["quantity"]))
    line = ["sweep", f"{FILE}:LAW", "--grid", "m=2", "--draws", "300", "--out"]
    assert main.main([*line, str(tmp_path / "sweep")]) in (0, 1)
    with open_sweep(tmp_path / "sweep") as found:
        swept = found.sel(m=2)
        np.testing.assert_allclose(swept["cdf"], stats.norm.cdf(swept["quantity"]))
