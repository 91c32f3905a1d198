"""Sizes beyond any memory: refused in one line before anything is compiled, or run within it.

Children run under a limit of 8 GB on their addresses. None ends by a signal, in a traceback or with
more memory than it was allowed.
"""

import os
import pathlib
import subprocess
import sys
import time
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.command import main
from experiments.machine import environment
from theory import Parameters, Statement, parameter
from theory.compilation import bytes_needed, quick_to_compile
from theory.falsification.falsify import falsify
from theory.margins import exceeds
from theory.verification import programs
from theory.verification.evaluation import evaluate
from theory.verification.frontier import frontier
from theory.verification.kinds import Deterministic
from theory.verification.remedies import hypothesis_margins

ID = "orthogonal.multiplier-range"
LIMIT = 8 * 10**9
NEEDS = f"{ID} needs at least"
SHOWN = "GiB of memory for what 1000000000 draws show, and"
ONE = "GiB of memory with one draw at a time, and"
AT_ONCE = [  # line, and what its refusal says
    (["verify", ID, "--draws", "10**9", "--jobs", "1"], NEEDS, SHOWN),
    (["verify", ID, "--draws", "10**12"], "--draws must be an integer in [1, 4294967296], got"),
    (["verify", ID, "--set", "d=2e9", "--jobs", "1"], NEEDS, ONE),
    (["explain", ID, "--draws", "10**9"], NEEDS, SHOWN),
    (["explain", ID, "--set", "d=10**9"], NEEDS, ONE),
    (["falsify", ID, "--over", "d=2:1e12"], "over d must be at most 2147483647 for an integer"),
    (["falsify", ID, "--set", "d=10**9", "--evaluations", "50"], NEEDS),
    (["frontier", ID, "--in", "d=8:1e12", "--goal", "consistent"], "must be at most 2147483647"),
    (["frontier", ID, "--in", "slope", "--set", "d=2**30"], NEEDS, ONE),
    (["predict", "--n", "10**12"], "needs at least 7.45e+15 GiB of memory with n = 100000000"),
    (["train", "--n", "10**12"], "needs at least 7.45e+15 GiB of memory with n = 100000000"),
    (["train", "--steps-f", "2**63"], "--steps-f must be at most 9223372036854775807 in float64"),
]


class Size(Parameters):
    d: int = parameter(4, "numbers", low=1)


TOY = Statement(
    id="toy.size",
    config=Size(),
    sample=lambda key, c: jax.random.normal(key, (c.d,)),
    hypotheses={"positive": lambda x, _: exceeds(x[0], 0)},
    claim=Deterministic(lambda x, _: exceeds(1 + jnp.sum(x**2), 0)),
)


@pytest.fixture
def small_machine(monkeypatch):
    """8 GB, and a compiler that must not be asked."""

    def compiling(*_):
        raise AssertionError("compiled")

    for level in (1, 0):
        quick_to_compile(level)  # which compiles once to learn what XLA knows
    monkeypatch.setattr(environment, "available_memory", lambda: LIMIT)
    monkeypatch.setattr(jax.stages.Lowered, "compile", compiling)


@pytest.mark.usefixtures("restore_precision", "small_machine")
@pytest.mark.parametrize("case", AT_ONCE, ids=lambda case: " ".join(case[0]))
def test_what_no_memory_holds_is_refused_at_once(capsys, case):
    line, *words = case
    start = time.process_time()
    assert main.main(line) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    for part in words:
        assert part in err
    assert time.process_time() - start < 20


def test_pieces_are_the_same_draws(key, monkeypatch):
    """Evidence that is collected piece by piece on the host is that of one program."""
    whole = evaluate(TOY, key, 11)
    monkeypatch.setattr(programs, "PIECE", 4)
    cut = evaluate(TOY, key, 11)
    for a, b in zip(jax.tree.leaves(whole), jax.tree.leaves(cut), strict=True):
        np.testing.assert_array_equal(a, b)


def test_margins_are_found_in_batches_that_fit(key):
    """The same of as many at once as fit, and none where not even one does."""
    arguments = (TOY, ("positive",), key, 33, Size(d=4000))
    whole = hypothesis_margins(*arguments)["positive"].value
    cut = hypothesis_margins(*arguments, 2**18)["positive"].value
    np.testing.assert_allclose(cut, whole, rtol=1e-12)
    with pytest.raises(ValueError, match=r"^toy.size needs at least .* with one draw at a time"):
        hypothesis_margins(*arguments, 2**10)


@pytest.mark.slow
def test_settings_that_do_not_fit_are_left_out_of_a_search():
    said = []
    found = falsify(TOY, over={"d": (1, 2**31 - 1)}, evaluations=128, memory=2**22, say=said.append)
    assert found.tested > 0
    assert any("left out" in line and "GiB may be used" in line for line in said)


@pytest.mark.slow
def test_a_frontier_ends_where_the_memory_does():
    """Its range is looked for by doubling d, 2¹⁶ times at most."""
    found = frontier(TOY, "d", goal="consistent", memory=2**20)
    assert 2**10 < max(probe.value for probe in found.probes) < 2**18


def test_what_libraries_copy_is_in_the_account(key):
    """LAPACK and Eigen take a copy of an operand that the compiler does not know of."""
    x = jax.random.normal(key, (1000, 100))
    product, alone = jax.jit(lambda x: x.T @ x), jax.jit(lambda x: 2 * x)
    assert bytes_needed(alone, x) == 2 * x.nbytes
    assert bytes_needed(product, x) >= 2 * x.nbytes + 8 * 100 * 100


class Child(NamedTuple):
    """How a child ended, None where it was still at work; its output, and its largest memory."""

    status: int | None
    out: str
    err: str
    peak: int


LIMITED = f"""
import resource
resource.setrlimit(resource.RLIMIT_AS, ({LIMIT}, {LIMIT}))
import widetheory
widetheory.entry()
"""


def run(line: list[str], folder: pathlib.Path, seconds: float) -> Child:
    """A command under the limit, ended after so many seconds."""
    with (folder / "out").open("w+") as out, (folder / "err").open("w+") as err:
        command = [sys.executable, "-c", LIMITED, *line]
        child = subprocess.Popen(
            command, stdout=out, stderr=err, cwd=folder,
            env=os.environ | {"PYTHONPATH": str(pathlib.Path(__file__).parents[2])},
        )  # fmt: skip
        until, peak = time.monotonic() + seconds, 0
        while child.poll() is None and time.monotonic() < until:
            status = pathlib.Path(f"/proc/{child.pid}/status").read_text()
            peak = max([peak, *(int(s.split()[1]) for s in status.splitlines() if "VmHWM" in s)])
            time.sleep(0.2)
        ended = child.poll()
        if ended is None:
            child.kill()
            child.wait()
        out.seek(0)
        err.seek(0)
        return Child(ended, out.read(), err.read(), 1024 * peak)


CHILDREN = [
    ["verify", "lazy.movement", "--set", "m=10**6"],
    ["verify", "lazy.movement", "--set", "m=10**9"],
    ["verify", "lazy.movement", "--set", "n=100000"],
    ["verify", "lazy.movement", "--draws", "10**9"],
    ["verify", "lazy.movement", "--draws", "10**8", "--jobs", "1"],
    ["verify", "lazy.movement", "--until", "10**9"],
    ["sweep", "lazy.movement", "--grid", "m=10**6", "--out", "s"],
    ["sweep", ID, "--grid", "d=100000,1000000", "--out", "s"],
    ["explain", "lazy.movement", "--set", "m=10**7"],
    ["falsify", "lazy.movement", "--over", "d=2:1e5", "--evaluations", "2000"],
    ["falsify", "lazy.movement", "--over", "m=2:1e9", "--evaluations", "2000"],
    ["frontier", ID, "--in", "d", "--goal", "consistent"],
    ["figure", "lazy-cosine", "--set", "m=10**9"],
    ["predict", "--draws", "10**9"],
    ["predict", "--n", "20000"],
    ["train", "--m", "10**8", "--loss", "logistic", "--steps-f", "2", "--steps-g", "2"],
]


@pytest.mark.slow
@pytest.mark.parametrize("line", CHILDREN, ids=lambda line: " ".join(line))
def test_large_sizes_run_within_the_memory_or_end_in_one_line(tmp_path, line):
    child = run(line, tmp_path, 60)
    assert child.peak < LIMIT
    assert child.status in (None, 0, 2), child.err[-2000:]
    assert "Traceback" not in child.err
    if child.status == 2:
        assert child.err.count("\n") == 1, child.err[-2000:]
