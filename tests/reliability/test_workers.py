"""Workers: a killed one costs its own call, and none outlives whoever started it."""

import os
import pathlib
import signal

import pytest
from reliability import calls
from reliability.processes import STATUS, started, wait_until, workers

from experiments.engines.work import in_order
from experiments.machine import faults
from experiments.machine.workers import Lost, Pool

pytestmark = pytest.mark.skipif(not pathlib.Path("/proc/self/stat").exists(), reason="no /proc")
WITHIN = 2.0


def test_a_killed_worker_costs_its_own_call():
    with Pool(2, calls.ready) as pool:
        found = list(in_order(pool.results([(n,) for n in (1, 3, 2, 4, 7, 8)])))
    killed, ended = found.pop(1), found.pop(2)
    assert found == [2, 4, 14, 16]
    assert isinstance(killed, Lost)
    assert "killed by SIGKILL, most likely for lack of memory" in killed.why
    assert ended == Lost("its process ended with status 7")


def test_what_a_call_raises_comes_back_in_words():
    with Pool(1, calls.ready) as pool, pytest.raises(faults.Explained) as raised:
        list(pool.results([(5,)]))
    assert raised.value.status == 2
    assert "calls.py, line" in raised.value.words
    assert "ValueError: five is no number" in raised.value.words
    with Pool(1, calls.broken) as pool, pytest.raises(faults.Explained) as raised:
        list(pool.results([(1,)]))
    assert "it cannot begin" in raised.value.words


@pytest.mark.parametrize("number", [*STATUS, signal.SIGKILL], ids=lambda n: n.name)
@pytest.mark.parametrize("whole_group", [False, True], ids=["one", "group"])
def test_no_worker_outlives_its_parent(number, whole_group):
    if whole_group and number == signal.SIGKILL:
        pytest.skip("nothing is left of a group that is killed")
    with started(code=calls.BUSY) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "2\n"
        assert len(workers(process.pid)) == 2
        if whole_group:
            os.killpg(process.pid, number)
        else:
            process.send_signal(number)
        out, err = process.communicate(timeout=30)
        wait_until(lambda: not workers(process.pid), WITHIN, "no worker is left")
    if number == signal.SIGKILL:
        assert process.returncode == -number
    else:
        assert (process.returncode, out, err) == (STATUS[number], "", "widetheory: interrupted\n")
