"""One process with eight devices, and two processes that work together.

The number of devices is fixed when JAX starts, so each test starts processes of its own. Their CPU
devices are threads of this machine: what is computed is the same as on eight accelerators.
"""

import json
import os
import pathlib
import socket
import subprocess
import sys
from typing import Any

import pytest

from experiments.command import main

TESTS = pathlib.Path(__file__).parent
STATEMENTS = ["separability.rate-in-width", "separability.tails"]  # the second with a solver
MANY = 600  # seconds; a process that hangs ends


def start(devices: int, *command: str) -> subprocess.Popen:
    """A Python process with so many devices, in the environment of this one."""
    flags = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count={devices}"
    changes = {
        "XLA_FLAGS": flags,
        "NPROC": str(16 * devices),  # as `experiments.machine.devices` does, and says why
        "PYTHONPATH": str(TESTS.parent),
    }
    return subprocess.Popen(
        [sys.executable, *command],
        cwd=TESTS.parent,
        env=os.environ | changes,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.slow
def test_on_eight_devices():
    file = str(TESTS / "on_eight_devices.py")
    child = start(8, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider", file)
    out, err = child.communicate(timeout=MANY)
    assert child.returncode == 0, out + err


def comparable(text: str) -> list[dict]:
    """The statements of `verify --json`, without what is about the run itself."""
    statements = json.loads(text)["statements"]
    for statement in statements:
        del statement["seconds"], statement["devices"]
    return statements


def same(got: Any, wanted: Any):
    """Equal, numbers to rounding."""
    if isinstance(wanted, dict):
        assert list(got) == list(wanted)
        got, wanted = list(got.values()), list(wanted.values())
    if isinstance(wanted, list):
        assert len(got) == len(wanted)
        for one, other in zip(got, wanted, strict=True):
            same(one, other)
    elif isinstance(wanted, float):
        assert abs(got - wanted) <= 1e-12 * max(1, abs(wanted)), (got, wanted)
    else:
        assert got == wanted


@pytest.mark.slow
def test_two_processes_are_as_good_as_one(tmp_path, capsys):
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    arguments = ["verify", *STATEMENTS, "--draws", "50", "--json"]
    script = str(TESTS / "in_two_processes.py")
    together = ["--coordinator", f"localhost:{port}", "--processes", "2", "--process"]
    pair = [
        start(2, script, *arguments, "--out", str(tmp_path / process), *together, process)
        for process in ("0", "1")
    ]
    assert main.main([*arguments, "--jobs", "1"]) == 0
    alone = capsys.readouterr().out
    (out, err), (other_out, other_err) = (p.communicate(timeout=MANY) for p in pair)
    assert [p.returncode for p in pair] == [0, 0], err + other_err
    same(comparable(out), comparable(alone))
    stored = json.loads(out)
    assert [s["devices"] for s in stored["statements"]] == [4, 4]
    assert stored["environment"]["processes"] == 2
    # Only the first prints and writes.
    assert other_out == ""
    assert json.loads((tmp_path / "0" / "verdicts.json").read_text()) == stored
    assert not list((tmp_path / "1").iterdir())
