"""Wide networks in slices: the numbers of `measure`, and the memory of the weights."""

import dataclasses
import json
import pathlib
import subprocess
import sys

import jax
import numpy as np
import pytest

from experiments.command import main
from experiments.learning import cost, pairs
from theory.perturbations import learning_in_slices
from theory.perturbations.learning import PerturbationSetting, measure

SETTING = PerturbationSetting(
    data="separated-gaussian", n=20, d=6, m=1500, slope=0.5, epsilon=4.0, queries=30, lr_f=0.4,
    lr_g=0.4, momentum=0.5, steps_f=3, steps_g=4,
)  # fmt: skip


@pytest.fixture
def wide_from_a_thousand(monkeypatch):
    monkeypatch.setattr(learning_in_slices, "WIDE", 1000)


def in_slices(key, setting):
    slices, count = learning_in_slices.measure_in_slices(key, setting), 0
    while True:
        try:
            next(slices)
            count += 1
        except StopIteration as end:
            return end.value, count


@pytest.mark.parametrize(
    ("change", "count"),
    [
        ({}, 1 + 1),  # two blocks of 1024 neurons each, in one slice
        ({"loss": "logistic", "scenario": "b"}, 5 + 6),
        ({"schedule": "plateau", "measure_on": "training"}, 5 + 6),
        ({"loss": "logistic", "d": 200}, 5 + 6),  # in coordinates of a subspace
    ],
    ids=["identity", "logistic", "plateau", "subspace"],
)
@pytest.mark.usefixtures("wide_from_a_thousand")
def test_slices_are_the_same_measurement(change, count):
    """Shares are equal, unless an output is 0 up to 1e-13 of its size: probability below 1e-9."""
    setting = dataclasses.replace(SETTING, **change)
    expected = measure(jax.random.key(2), setting)
    found, slices = in_slices(jax.random.key(2), setting)
    assert slices == count == learning_in_slices.slices_of(setting)
    np.testing.assert_allclose(np.array(found), np.array(expected), rtol=1e-9)


def test_narrow_networks_have_no_slices():
    assert learning_in_slices.slices_of(SETTING) == 0
    assert pairs.beats([SETTING, SETTING], train=True) == 1


@pytest.mark.usefixtures("wide_from_a_thousand")
def test_steps_are_beats(monkeypatch):
    """Between two draws as many beats as the bar was told; what they measure is not changed."""
    settings = [dataclasses.replace(SETTING, loss="logistic", lr_f=rate) for rate in (0.2, 0.4)]
    found = list(pairs.steps(settings, 0, 2, train=True))
    beats = pairs.beats(settings, train=True)
    assert len(found) == 2 * beats == 2 * (2 * 11 + 1)
    assert [i for i, row in enumerate(found) if row is not None] == [beats - 1, 2 * beats - 1]
    summary = pairs.summarize(found)
    monkeypatch.setattr(learning_in_slices, "WIDE", 10**9)
    whole = pairs.summarize(pairs.steps(settings, 0, 2, train=True))
    np.testing.assert_allclose(np.array(summary.trained), np.array(whole.trained), rtol=1e-9)


@pytest.mark.slow
@pytest.mark.usefixtures("restore_precision", "wide_from_a_thousand")
def test_memory_is_told_beforehand(capsys, monkeypatch):
    """2m(d + 1) numbers, and not m·n of them: 3 million neurons at 1000 points in 2 GiB."""
    arguments = ["train", "--loss", "logistic", "--d", "20", "--m", "3e6", "--steps-f", "1",
                 "--steps-g", "1", "--draws", "1"]  # fmt: skip
    setting = PerturbationSetting(loss="logistic", d=20, m=3_000_000, steps_f=1, steps_g=1)
    held = 2 * 3_000_000 * 21 * 8
    needed = cost._needed(setting, True, float("inf"))
    assert held < needed < 2.5 * held
    monkeypatch.setattr("experiments.machine.environment.available_memory", lambda: held)
    assert main.main(arguments) == 2
    assert "needs at least" in capsys.readouterr().err


CHILD = """
import sys
from experiments.command import main
from experiments.bench.timing import peak_memory
status = main.main(sys.argv[1:])
print(peak_memory(), file=sys.stderr)
sys.exit(status)
"""


@pytest.mark.slow
def test_wide_networks_need_no_more_than_their_weights():
    """200,000 neurons at 1000 points: 70 MB of weights and momenta, 1.6 GB of pre-activations.

    Python, JAX and its compiler take some 500 MB by themselves.
    """
    arguments = ["train", "--m", "200000", "--n", "1000", "--d", "20", "--queries", "100",
                 "--loss", "logistic", "--steps-f", "2", "--steps-g", "2", "--draws", "1",
                 "--json"]  # fmt: skip
    root = pathlib.Path(__file__).parents[2]
    ended = subprocess.run(
        [sys.executable, "-c", CHILD, *arguments], cwd=root, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout)["trained"]["agreement"]["mean"] > 0
    assert int(ended.stderr.splitlines()[-1]) < 1.2e9
