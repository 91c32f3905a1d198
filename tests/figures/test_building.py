"""Figures by the command, on toys: files, settings, killed, gone on with, failing, refused."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import figure_toys
import numpy as np
import pandas as pd
import pytest

from experiments.command import main
from experiments.figures import registry, style
from experiments.files import seals
from experiments.machine import interrupts
from experiments.results.contents import MADE
from experiments.results.summaries import mean_and_error

ROOT = pathlib.Path(__file__).parent.parent.parent


@pytest.fixture(autouse=True)
def toys(monkeypatch, restore_precision):
    monkeypatch.setattr(registry, "figures", registry.figures)
    figure_toys.install()


def run(capsys, *arguments: str) -> tuple[int, str, str]:
    status = main.main(["figure", *arguments])
    out, err = capsys.readouterr()
    return status, out, err


def test_a_figure_has_all_its_files_and_they_agree(capsys, tmp_path):
    status, out, err = run(capsys, "toy-mean", "--out", str(tmp_path))
    assert (status, err) == (0, "")
    assert "toy-mean.png" in out
    kinds = {p.suffix for p in tmp_path.glob("toy-mean.*")}
    assert kinds == {".png", ".svg", ".pdf", ".csv", ".json", ".md", ".cells"}
    content = json.loads((tmp_path / "toy-mean.json").read_text())
    rows = pd.read_csv(tmp_path / "toy-mean.csv").to_dict(orient="records")
    assert [row["K"] for row in rows] == [2, 4, 8]
    for row, stored in zip(content["rows"], rows, strict=True):
        assert row == pytest.approx(stored)
    assert content["manifest"]["settings"] == {"counts": [2, 4, 8], "high": 1.0, "fail": 0}
    assert content["environments"][0]["versions"]["jax"]
    caption = (tmp_path / "toy-mean.md").read_text()
    assert content["caption"] in caption
    assert seals.load(tmp_path / "toy-mean.json", MADE, "figure")["rows"] == content["rows"]
    assert "Preset quick: shrunk" in caption
    assert "float32" in caption
    assert (tmp_path / "toy-mean.png").read_bytes().startswith(b"\x89PNG")


def test_the_same_figure_is_the_same_files(capsys, tmp_path):
    for name in ("a", "b"):
        assert run(capsys, "toy-mean", "--out", str(tmp_path / name))[0] == 0
    for kind in ("png", "svg", "pdf", "csv", "md"):
        a, b = ((tmp_path / name / f"toy-mean.{kind}").read_bytes() for name in ("a", "b"))
        assert a == b, kind


def test_settings_preset_seed_and_data_arrive(capsys, tmp_path):
    arguments = ("toy-mean", "toy-data", "--preset", "paper", "--set", "high=4", "--seed", "3")
    status, out, err = run(
        capsys, *arguments, "--data", "uniform", "--precision", "float64", "--json",
        "--out", str(tmp_path),
    )  # fmt: skip
    assert status == 0
    assert "left out" in err
    assert "toy-mean: it draws points of its own" in err
    (content,) = json.loads(out)["figures"]
    assert content["figure"] == "toy-data"
    assert content["manifest"]["settings"]["high"] == 4.0
    assert content["manifest"]["settings"]["data"] == "uniform"
    assert content["manifest"]["precision"] == "float64"
    assert "changed: high = 4.0, data = uniform. Seed 3" in content["caption"]
    assert len(content["manifest"]["cells"]) == 3
    default = pd.read_csv(tmp_path / "toy-data.csv")
    run(capsys, *arguments[:4], "--out", str(tmp_path / "other"))
    other = pd.read_csv(tmp_path / "other" / "toy-data.csv")
    assert not np.isclose(default["mean"] / 4, other["mean"]).any()  # another seed


@pytest.mark.slow
def test_killed_and_gone_on_with(capsys, tmp_path):
    program = "import figure_toys; figure_toys.install(); import widetheory; widetheory.entry()"
    paths = os.pathsep.join((str(ROOT), str(ROOT / "tests")))
    command = [sys.executable, "-c", program, "figure", "toy-mean", "--out", str(tmp_path)]
    environment = os.environ | {"PYTHONPATH": paths}
    child = subprocess.Popen(command, env=environment | {"SLOW_CELLS": "2"})
    first = tmp_path / "toy-mean.cells" / "cells" / "K=2.npz"
    end = time.monotonic() + 120
    while not first.exists() and time.monotonic() < end:
        time.sleep(0.1)
    child.send_signal(signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL
    before = first.stat().st_mtime_ns
    assert not (tmp_path / "toy-mean.png").exists()
    arguments = ("toy-mean", "--out", str(tmp_path))
    status, _, err = run(capsys, *arguments)
    assert status == 2
    assert "go on with it by --resume" in err
    assert run(capsys, *arguments, "--resume")[0] == 0
    assert first.stat().st_mtime_ns == before
    assert (tmp_path / "toy-mean.png").exists()


def test_an_interrupt_says_how_to_go_on(capsys, tmp_path, monkeypatch):
    said = []

    def interrupted(settings):
        said.append(interrupts.words())
        raise KeyboardInterrupt

    monkeypatch.setattr(figure_toys.time, "sleep", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(capsys, "toy-mean", "--out", str(tmp_path))
    assert said[0].startswith("interrupted; the 0 finished cells of 3 of toy-mean are safe in")


def test_a_failed_cell_leaves_its_figure_undrawn_and_the_others_go_on(capsys, tmp_path):
    status, _, err = run(capsys, "toy-mean", "toy-data", "--set", "fail=4", "--out", str(tmp_path))
    assert status == 2
    assert err.count("is not drawn, 1 of its cells failed") == 2
    assert not (tmp_path / "toy-mean.png").exists()
    failed = json.loads((tmp_path / "toy-mean.cells" / "failed" / "K=4.json").read_text())
    assert failed["error"] == "MemoryError: too many"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "NAME must be a figure, or all"),
        (["toy-means"], "NAME must be one of toy-data, toy-mean; got 'toy-means'"),
        (["toy-mean", "--set", "low=1"], "--set NAME must be one of counts, fail, high; got 'low'"),
        (["toy-mean", "--set", "high=-1"], "high must be"),
        (["toy-mean", "--set", "high=nan"], "high must be"),
        (["toy-mean", "--set", "counts=2,x"], "counts must be numbers such as"),
        (["toy-mean", "--set", "counts=2,2"], "counts must name a value once"),
        (["toy-mean", "--set", "data=digits"], "data is chosen by --data NAME"),
        (
            ["toy-mean", "--data", "uniform"],
            "toy-mean on --data uniform: it draws points of its own",
        ),
        (
            ["toy-data", "--data", "mnist:/nowhere"],
            "toy-data on --data mnist:/nowhere: data mnist:",
        ),
        (["toy-mean", "--out", ""], "--out must be a directory"),
        (["toy-mean", "--seed", "-1"], "seed must be"),
    ],
)
def test_bad_use_is_one_clear_line(capsys, tmp_path, arguments, message):
    out = [] if "--out" in arguments else ["--out", str(tmp_path / "out")]
    status, printed, err = run(capsys, *arguments, *out)
    assert (status, printed) == (2, "")
    assert message in err
    assert len(err.splitlines()) == 1
    assert not list(tmp_path.glob("out/*"))


def test_changed_settings_are_refused(capsys, tmp_path):
    assert run(capsys, "toy-mean", "--out", str(tmp_path))[0] == 0
    before = (tmp_path / "toy-mean.csv").read_bytes()
    status, _, err = run(capsys, "toy-mean", "--out", str(tmp_path), "--resume", "--set", "high=2")
    assert status == 2
    assert "settings.high: 1.0 → 2.0" in err
    assert (tmp_path / "toy-mean.csv").read_bytes() == before
    assert run(capsys, "toy-mean", "--out", str(tmp_path), "--resume")[0] == 0


def test_means_and_their_errors():
    mean, error = mean_and_error(np.array([[1.0, 5.0], [3.0, 5.0]]))
    np.testing.assert_allclose(mean, [2, 5])
    np.testing.assert_allclose(error, [1, 0])  # s = √2, over √2
    assert np.isnan(mean_and_error([[1.0]])[1]).all()


def test_filled_and_hollow_markers_show_what_held():
    _, axes = style.axes()
    held = np.array([True, False, True])
    style.points(axes[0, 0], [1, 2, 3], [4, 5, 6], series=style.SERIES[0], held=held)
    filled, hollow = axes[0, 0].lines
    np.testing.assert_array_equal(filled.get_xdata(), [1, 3])
    np.testing.assert_array_equal(hollow.get_xdata(), [2])
    assert hollow.get_markerfacecolor() == "white"
    assert filled.get_markerfacecolor() == style.SERIES[0].colour


def test_bars_are_two_standard_errors():
    _, axes = style.axes()
    style.points(axes[0, 0], [1.0], [4.0], [0.5], series=style.SERIES[0])
    (bars,) = axes[0, 0].collections
    np.testing.assert_allclose(bars.get_segments()[0][:, 1], [3, 5])
