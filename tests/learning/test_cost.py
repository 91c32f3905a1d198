"""`predict` and `train` say what does not fit, in one line, before they compile or compute it."""

import time
import tracemalloc

import numpy as np
import pytest

from experiments.command import main
from experiments.learning import cost, pairs
from experiments.learning.cost import operations
from experiments.machine import environment
from experiments.results.summaries import RunningMean, mean_and_error
from theory.perturbations.learning import PerturbationSetting, Quantities
from theory.perturbations.prediction import Prediction

pytestmark = pytest.mark.usefixtures("restore_precision")

HUGE = str(10**12)
SMALL = ["--n", "5", "--d", "3", "--m", "4", "--queries", "2"]
BEYOND = [
    (["predict", "--n", HUGE], "predict needs at least 7.45e+15 GiB of memory with n = 1000000000"),
    (["train", "--n", HUGE], "train needs at least 7.45e+15 GiB of memory"),
    (["train", "--queries", HUGE], "GiB of memory with n = 1000, d = 100, m = 100, queries = 1000"),
    (["predict", "--d", HUGE, "--data", "uniform"], "1.49e+07 GiB of memory"),
    (["train", "--m", HUGE, "--loss", "logistic", "--steps-f", "1", "--steps-g", "1",
      "--draws", "1"], "GiB of memory"),
    (["predict", "--n", "2000000000", "--precision", "float32"], "GiB of memory"),
    (["train", "--m", HUGE], "years with n = 1000, d = 100, m = 1000000000000"),
    (["train", "--steps-f", HUGE], "days with"),
    (["predict", "--schedule", "plateau", "--steps-g", HUGE], "days with"),
    (["predict", "--draws", HUGE], "draws must be an integer in [1, 4294967296]"),
    (["predict", "--n", "1" + 30 * "0"], "n must be at most 9223372036854775807 in float64"),
    (["train", "--steps-g", HUGE, "--precision", "float32"], "at most 2147483647 in float32"),
    (["predict", "--lr-f", "0.1:1:+0.001", "--lr-g", "0.1:1:+0.001"], "at most 100,000 pairs"),
    (["predict", *SMALL, "--lr-f", "1e308", "--draws", "1"], "the prediction overflows in float64"),
    (["train", *SMALL, "--steps-f", "2", "--lr-f", "1e38", "--draws", "1", "--precision",
      "float32"], "overflows in float32"),
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "message"), BEYOND, ids=lambda v: " ".join(v) if isinstance(v, list) else ""
)
def test_what_cannot_be_done_is_one_line_and_status_2(capsys, monkeypatch, arguments, message):
    monkeypatch.setattr(environment, "available_memory", lambda: 2**34)
    begun = time.perf_counter()
    assert main.main(arguments) == 2
    assert time.perf_counter() - begun < 60  # nothing of these sizes is even compiled
    out, err = capsys.readouterr()
    assert out == ""
    assert len(err.splitlines()) == 1, err
    assert message in err


@pytest.mark.slow
def test_memory_is_the_compiler_s_account(monkeypatch):
    """What fits into the memory there is passes, and does not into a hundredth of it."""
    setting = PerturbationSetting(n=40, d=10, m=8, queries=5, steps_f=3, steps_g=3)
    monkeypatch.setattr(environment, "available_memory", lambda: 2**28)
    cost.check([setting], 1, train=True)
    monkeypatch.setattr(environment, "available_memory", lambda: 100_000)
    with pytest.raises(ValueError, match=r"needs at least .* GiB of memory with n = 40, d = 10"):
        cost.check([setting], 1, train=True)


@pytest.mark.slow
def test_training_counts_beside_the_prediction(monkeypatch):
    """Weights held as a whole, 10⁶ of them in 20 dimensions, are counted where they are trained."""
    setting = PerturbationSetting(n=4, d=20, m=10**6, queries=2, loss="logistic", steps_f=1,
                                  steps_g=1)  # fmt: skip
    monkeypatch.setattr(environment, "available_memory", lambda: 100 * 2**20)
    cost.check([setting], 1, train=False)
    with pytest.raises(ValueError, match="train needs at least"):
        cost.check([setting], 1, train=True)


@pytest.mark.slow
def test_where_nothing_tells_the_memory_time_is_checked_still(monkeypatch):
    def unknown():
        raise ValueError("the system does not tell")

    monkeypatch.setattr(environment, "available_memory", unknown)
    cost.check([PerturbationSetting()], 5, train=False)
    with pytest.raises(ValueError, match="would take some"):
        cost.check([PerturbationSetting(m=10**13)], 5, train=True)


@pytest.mark.usefixtures("restore_precision")
def test_draws_are_added_up_and_not_kept(monkeypatch):
    """A thousand million draws are a long run, of which only sums are in memory."""

    class Enough(KeyboardInterrupt):  # all else the command tells in a line
        pass

    one = pairs.Drawn(
        Prediction(
            Quantities(*map(np.array, (0.9, 0.8, 0.7, 0.6))),
            Quantities(*map(np.array, (0.1, 0.1, 0.1, 0.1))),
            1.0,
            1.0,
            0.1,
            0.1,
        ),
        None,
    )

    def endless(settings, seed, draws, train):
        assert draws == 10**9
        for i in range(2000):
            if i == 1000:
                tracemalloc.start()
            yield [one]
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 10**5  # where one draw kept is a thousand in all
        raise Enough

    monkeypatch.setattr(pairs, "steps", endless)
    monkeypatch.setattr(cost, "_needed", lambda *_: 0)
    with pytest.raises(Enough):
        main.main(["predict", *SMALL, "--draws", "1e9"])


def test_running_means_are_those_of_all_draws():
    values = np.random.default_rng(0).normal(5, 2, (50, 3, 4))
    running = RunningMean()
    for value in values:
        running.add(value)
    mean, error = mean_and_error(values)
    np.testing.assert_allclose(running.mean, mean, rtol=1e-13)
    np.testing.assert_allclose(running.error, error, rtol=1e-13)


def test_operations_grow_with_what_they_are_of():
    setting = PerturbationSetting()
    assert operations(setting, train=False) == (0, 0)
    work, loops = operations(setting, train=True)
    # 4(n + q)(d + d)m + 2nmK with n = q = 1000, d = m = 100, K = 2000
    assert (work, loops) == (4 * 2000 * 200 * 100 + 2 * 1000 * 100 * 2000, 2000)
    wide, _ = operations(PerturbationSetting(m=200), train=True)
    assert wide == 2 * work
