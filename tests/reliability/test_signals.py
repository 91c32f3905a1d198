"""Ctrl-C and SIGTERM: the command ends within two seconds in one line, and no process survives."""

import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import time

import pytest

ROOT = pathlib.Path(__file__).parent.parent.parent
WITHIN = 2.0  # seconds, of which the command itself gives Python one
# Whoever runs the tests may have SIGINT ignored, which children inherit.
COMMAND = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
    "from widetheory import entry; entry()"
)


def begin(*arguments: str) -> subprocess.Popen:
    environ = os.environ | {"PYTHONPATH": str(ROOT), "JAX_PLATFORMS": "cpu"}
    return subprocess.Popen(
        [sys.executable, "-c", COMMAND, *arguments],
        env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT,
        start_new_session=True,
    )  # fmt: skip


def group(leader: int) -> dict[int, str]:
    """Living processes of a session → their command lines, zombies left out."""
    found = {}
    for folder in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            state, _, _, session = (
                (folder / "stat").read_text().rpartition(")")[2].split()[:4]
            )  # state, parent, process group, session
            words = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except (FileNotFoundError, ProcessLookupError):  # ended meanwhile
            continue
        if int(session) == leader and state not in "ZX":
            found[int(folder.name)] = words
    return found


def workers(leader: int) -> list[int]:
    return [pid for pid, words in group(leader).items() if "spawn_main" in words]


def wait_until(true, seconds: float, what: str) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, f"not within {seconds} s: {what}"
        time.sleep(0.05)


def end_by(process: subprocess.Popen, number: int, whole_group: bool) -> tuple[str, str]:
    """What it printed; fails unless it and all that it started are gone in time."""
    begun = time.monotonic()
    if whole_group:
        os.killpg(process.pid, number)
    else:
        process.send_signal(number)
    out, err = process.communicate(timeout=60)
    taken = time.monotonic() - begun
    wait_until(lambda: not group(process.pid), WITHIN, "no process is left")
    assert taken < WITHIN
    return out, err


@pytest.fixture
def started():
    """Begins commands, and ends whatever is left of them."""
    processes = []

    def start(*arguments: str) -> subprocess.Popen:
        processes.append(begin(*arguments))
        return processes[-1]

    yield start
    for process in processes:
        for pid in group(process.pid):
            os.kill(pid, signal.SIGKILL)


pytestmark = pytest.mark.skipif(not pathlib.Path("/proc/self/stat").exists(), reason="no /proc")
LONG = ("verify", "orthogonal.multiplier-range", "lazy.movement", "--jobs", "2")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "status", "whole_group"),  # kill PID, or a terminal's Ctrl-C
    [(signal.SIGINT, 130, False), (signal.SIGINT, 130, True), (signal.SIGTERM, 143, False)],
)
def test_workers_end_with_the_command(started, number, status, whole_group):
    process = started(*LONG, "--draws", "100000000")
    wait_until(lambda: len(workers(process.pid)) == 2, 120, "two workers")
    time.sleep(1)
    out, err = end_by(process, number, whole_group)
    assert (process.returncode, out) == (status, "")
    assert err == "widetheory: interrupted after 0 of 2; --out would store them\n"


@pytest.mark.slow
def test_stored_verdicts_are_named(started, tmp_path):
    process = started(
        *LONG, "--draws", "20000", "--set", "steps=200000", "--out", str(tmp_path),
    )  # fmt: skip
    file = tmp_path / "verdicts.json"
    wait_until(file.exists, 300, "a first verdict")
    out, err = end_by(process, signal.SIGINT, True)
    (entry,) = json.loads(file.read_text())["statements"]
    assert (process.returncode, out) == (130, "")
    said = f"1 of 2 verdicts are stored in {file}: {entry['id']}"
    assert err == f"widetheory: interrupted; {said}\n"


@pytest.mark.slow
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_long_computation_is_no_reason_to_wait(started, number, status):
    """A single one of an hour, in which Python never looks at signals."""
    process = started("train", "--n", "50", "--d", "10", "--m", "200000000", "--queries", "20")

    def busy() -> bool:  # compiled and computing, by the processor time used
        fields = pathlib.Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
        return int(fields[11]) + int(fields[12]) > 60 * os.sysconf("SC_CLK_TCK")

    wait_until(busy, 400, "a long computation")
    out, err = end_by(process, number, False)
    assert (process.returncode, out) == (status, "")
    assert err == "widetheory: interrupted\n"


@pytest.mark.slow
def test_workers_end_with_a_command_that_was_killed(started):
    process = started(*LONG, "--draws", "100000000")
    wait_until(lambda: len(workers(process.pid)) == 2, 120, "two workers")
    process.kill()
    process.communicate(timeout=60)
    # A worker that is still importing looks for its parent afterwards.
    wait_until(lambda: not workers(process.pid), 60, "no worker is left")
    assert re.fullmatch("-9", str(process.returncode))
