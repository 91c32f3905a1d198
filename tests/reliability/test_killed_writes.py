"""Processes killed by SIGKILL while they store cells: nothing is lost, and nothing done twice."""

import collections
import json
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest
from reliability import killed_writer

from experiments.results import dataset, store

ROOT = pathlib.Path(__file__).parents[2]
KILLS = 30


@pytest.mark.slow
def test_kills_in_the_write_path_lose_and_double_nothing(tmp_path):
    directory = tmp_path / "sweep"
    paths = os.pathsep.join((str(ROOT), str(ROOT / "tests")))
    done = subprocess.run(
        [sys.executable, "-m", "reliability.killed_writer", str(directory), "1", str(KILLS)],
        env=os.environ | {"PYTHONPATH": paths}, capture_output=True, text=True, timeout=300,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    result = json.loads(done.stdout)
    history = result["history"]
    assert len(history) == KILLS  # each before its child had finished
    final = {p.name: p.stat().st_mtime_ns for p in (directory / "cells").iterdir()}
    assert len(final) == killed_writer.CELLS * KILLS  # all there, and no half of one left behind
    for moment in history:
        assert moment["files"].items() <= final.items()  # never lost, never written again
        later = result["computed"][len(moment["computed"]) :]
        assert not {f"m={number}.npz" for number in later} & moment["files"].keys()
    twice = [n for n, count in collections.Counter(result["computed"]).items() if count > 1]
    assert len(twice) <= KILLS  # those over which a child was killed, one each
    place = store.open_store(directory)
    for cell in place.cells():
        found = place.read(place.name(cell))
        np.testing.assert_array_equal(
            found.arrays["allowed"], killed_writer.arrays(cell)["allowed"]
        )
    assert (dataset.open_sweep(directory).status == "finished").all()
    assert (directory / "cells.csv").read_text().count("\n") == len(final) + 1
