"""Ctrl-C, SIGTERM and SIGHUP: a command ends at once in one line, and no process survives."""

import json
import os
import pathlib
import random
import re
import signal
import subprocess
import sys
import time

import pytest
from reliability.processes import (
    ROOT,
    STATUS,
    group,
    processor_seconds,
    started,
    wait_until,
    workers,
)

pytestmark = pytest.mark.skipif(not pathlib.Path("/proc/self/stat").exists(), reason="no /proc")
WITHIN = 2.0  # seconds
SIGNALS = pytest.mark.parametrize("number", STATUS, ids=lambda number: number.name)


def end_by(process: subprocess.Popen, number: int, whole_group: bool = False) -> str:
    """What it said; fails unless it and all that it started are gone in time, with its status."""
    begun = time.monotonic()
    if whole_group:
        os.killpg(process.pid, number)
    else:
        process.send_signal(number)
    out, err = process.communicate(timeout=60)
    taken = time.monotonic() - begun
    wait_until(lambda: not group(process.pid), WITHIN, "no process is left")
    assert taken < WITHIN
    assert (process.returncode, out) == (STATUS[signal.Signals(number)], "")
    return err


@SIGNALS
def test_one_line_from_the_beginning(number):
    """Among the imports, which an exception would break or lose."""
    with started("verify") as process:
        wait_until(lambda: processor_seconds(process.pid) > 0.15, 60, "it has begun")
        assert end_by(process, number) == "widetheory: interrupted\n"


def test_what_is_ignored_stays_so():
    """As `nohup` has it."""
    code = (
        "import signal, time; signal.signal(signal.SIGHUP, signal.SIG_IGN)\n"
        "from experiments.machine import interrupts; interrupts.watch()\n"
        "for n in (signal.SIGHUP, signal.SIGTERM):\n"
        "    signal.raise_signal(n); time.sleep(0.3); print('alive', flush=True)"
    )
    with started(code=code) as process:
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (143, "alive\n", "widetheory: interrupted\n")


# Commands and what they say when they are interrupted at any time.
LONG = ("verify", "orthogonal.multiplier-range", "lazy.movement", "--set", "d=512", "--jobs", "2")
DRAWS = ("--draws", "3000000")  # whose evidence fits into the memory of a busy machine, too
NONE_YET = "interrupted( after 0 of [12]; --out would store them)?"
COMMANDS = {
    "verify": ((*LONG, *DRAWS), NONE_YET),
    "one process": ((*LONG[:-1], "1", *DRAWS), NONE_YET),
    "falsify": (("falsify", "lazy.movement", "--budget", "600"), NONE_YET),
    "train": (
        ("train", "--n", "50", "--d", "10", "--m", "100000000", "--queries", "20"),
        "interrupted",
    ),
    "sweep": (
        ("sweep", "lazy.movement", "--grid", "m=64,128", "--draws", "1000000", "--memory", "2"),
        r"interrupted(; the 0 finished cells of 2 are safe in \S+: go on with --resume)?",
    ),
    "figure": (
        ("figure", "ntk-rates"),
        r"interrupted(; the \d+ finished cells? of \d+ of \S+ (?:are|is) safe in \S+: go on .*)?",
    ),
}
BUSY = 25.0  # processor seconds after which all of them compute


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [0.3, 2.0, 6.0, 12.0, BUSY], ids=str)
@pytest.mark.parametrize("command", COMMANDS)
def test_at_start_up_compiling_and_computing(tmp_path, command, seconds):
    """One random signal each, to the process or its group."""
    arguments, says = COMMANDS[command]
    if command in ("sweep", "figure"):
        arguments = (*arguments, "--out", str(tmp_path / "out"))
    rng = random.Random(f"{command} {seconds}")
    number, whole_group = rng.choice(list(STATUS)), rng.random() < 0.5
    with started(*arguments) as process:

        def used() -> float:
            return sum(map(processor_seconds, group(process.pid)))

        wait_until(lambda: used() > seconds, 300, "as much processor time")
        err = end_by(process, number, whole_group)
    *minutes, last = err.splitlines()
    assert re.fullmatch(f"widetheory: {says}", last), (number, whole_group)
    assert len(minutes) <= 5  # as many as `wait_until` may have waited


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_random_moments_of_the_first_seconds(seed):
    rng = random.Random(seed)
    for _ in range(20):
        number, moment = rng.choice(list(STATUS)), rng.uniform(0.1, 3.0)
        with started(*LONG, *DRAWS) as process:
            time.sleep(moment)
            err = end_by(process, number, rng.random() < 0.5)
        assert re.fullmatch(f"widetheory: {NONE_YET}\n", err), (number, moment)


ENDLESS = """
import jax
from theory import Deterministic
from theory.margins import exceeds
from theory.verification.statement import Statement

def sample(key, config):
    return jax.random.normal(key)

def for_ever(key, config):
    return jax.lax.fori_loop(0, 10**12, lambda i, x: x * 0.5 + i, jax.random.normal(key))

CLAIM = Deterministic(conclusion=lambda x, config: exceeds(x, -100.0))
ONE = Statement(id="mine.one", sample=sample, claim=CLAIM)
OTHER = Statement(id="mine.other", sample=for_ever, claim=CLAIM)
"""


@pytest.mark.slow
@SIGNALS
def test_stored_verdicts_are_named(tmp_path, number):
    mine, file = tmp_path / "mine.py", tmp_path / "out" / "verdicts.json"
    mine.write_text(ENDLESS)
    out = ("--out", str(file.parent))
    with started("verify", str(mine), "--draws", "8", "--jobs", "2", *out) as process:
        wait_until(file.exists, 300, "a first verdict")
        time.sleep(0.5)  # it is flushed to the disk before it counts
        err = end_by(process, number, whole_group=True)
    (entry,) = json.loads(file.read_text())["statements"]
    assert entry["id"] == "mine.one"
    assert err == f"widetheory: interrupted; 1 of 2 verdicts are stored in {file}: mine.one\n"


@pytest.mark.slow
@SIGNALS
def test_while_files_are_written(tmp_path, number):
    """Cells of few draws, one after the other: what is stored is whole, and goes on."""
    out = tmp_path / "out"
    sweep = (
        "sweep", "orthogonal.multiplier-range", "--grid", "load=0.1:0.9:+0.02", "--draws", "4",
        "--memory", "1", "--out", str(out), "--resume",
    )  # fmt: skip
    with started(*sweep) as process:
        wait_until(lambda: len(list(out.glob("cells/[!.]*"))) > 5, 300, "some cells")
        err = end_by(process, number)
    said = re.search(r"the (\d+) finished cells? of 41 (?:are|is) safe", err)
    assert said, err
    with started("sweep", "--export", "--out", str(out), "--json") as process:
        exported, err = process.communicate(timeout=120)
    assert (process.returncode, err) == (0, "")
    rows = (out / "cells.csv").read_text().splitlines()[1:]
    assert len(rows) == len(json.loads(exported)["cells"]) >= int(said[1])


@pytest.mark.slow
@SIGNALS
def test_a_long_computation_is_no_reason_to_wait(number):
    """A single one of an hour, in which Python never looks at signals."""
    with started(
        "train", "--n", "50", "--d", "10", "--m", "200000000", "--queries", "20"
    ) as process:
        wait_until(lambda: processor_seconds(process.pid) > 60, 400, "a long computation")
        assert end_by(process, number).splitlines()[-1] == "widetheory: interrupted"


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [1.0, 4.0, 10.0, BUSY], ids=str)
def test_workers_end_with_a_command_that_was_killed(seconds):
    with started(*LONG, *DRAWS) as process:
        pid = process.pid
        wait_until(lambda: sum(map(processor_seconds, group(pid))) > seconds, 300, "begun")
        process.kill()
        process.wait()
        wait_until(lambda: not group(pid), 5, "no process is left")


@pytest.mark.slow
def test_a_killed_worker_costs_its_statement(tmp_path):
    mine = tmp_path / "mine.py"
    mine.write_text(ENDLESS)
    with started("verify", str(mine), "--draws", "8", "--jobs", "2", "--json") as process:
        wait_until(lambda: len(workers(process.pid)) == 2, 120, "two workers")
        # One of them is idle soon, the other computes for ever.
        wait_until(lambda: max(map(processor_seconds, workers(process.pid))) > 12, 300, "computes")
        os.kill(max(workers(process.pid), key=processor_seconds), signal.SIGKILL)
        out, err = process.communicate(timeout=300)
    found = json.loads(out)
    assert process.returncode == 2
    assert [entry["id"] for entry in found["statements"]] == ["mine.one"]
    assert list(found["left_out"]) == ["mine.other"]
    last = f"widetheory: left out: mine.other: {found['left_out']['mine.other']}"
    assert err.splitlines()[-1] == last  # before it at most a line a minute


def test_nothing_is_imported_before_signals_wait():
    code = """
import sys, _signal, widetheory
before = set(sys.modules)
def block(*_):
    raise SystemExit(" ".join(set(sys.modules) - before) or 7)
_signal.pthread_sigmask = block
widetheory.entry()
"""
    found = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert found.returncode == 7, found.stderr
