"""What does not fit into memory: found by shapes alone, and one line where it comes to that."""

import re
import time

import jax
import jax.numpy as jnp
import pytest

from experiments.command import main
from experiments.machine import environment
from experiments.verify import running
from theory import REGISTRY
from theory.compilation import largest_array, quick_to_compile
from theory.verification import evaluation, memory
from theory.verification.evaluation import evaluate

ID = "lazy.movement"


def largest(function, *arguments) -> int:
    return largest_array(jax.make_jaxpr(function)(*arguments).jaxpr)


def test_only_what_has_to_be_in_memory_counts(key):
    x, keys = jnp.ones(10), jax.random.split(key, 7)

    def total(key):
        return jax.random.normal(key, (1000,)).sum()  # 8 bytes each

    def loop(x):
        return jax.lax.fori_loop(0, 3, lambda _, y: y + 1, jnp.tile(x, 4)).sum()

    assert largest(total, key) == 8 * 1000
    assert largest(jax.vmap(total), keys) == 8 * 7000
    assert largest(jax.jit(total), key) == 8 * 1000  # within another program
    assert largest(loop, x) == 8 * 40
    assert largest(lambda x: jnp.sort(jnp.concatenate([x, x]))[0], x) == 8 * 20
    assert largest(lambda x: jnp.tile(x, 5), x) == 8 * 50  # what comes out
    # Fused with its sum: the compiler never writes the outer product down.
    assert largest(lambda x: (x[:, None] * x[None, :]).sum(), x) == 8 * 10


@pytest.mark.usefixtures("restore_precision")
def test_what_no_memory_holds_is_refused_without_compiling(capsys, monkeypatch):
    """Width 2·10⁹; a compiler takes from seconds to minutes to say so."""

    def compiling(*_):
        raise AssertionError("compiled")

    for level in (1, 0):
        quick_to_compile(level)  # which compiles once to learn what XLA knows
    monkeypatch.setattr(jax.stages.Lowered, "compile", compiling)
    start = time.process_time()
    status = main.main(["verify", ID, "--set", "m=2000000000", "--draws", "4", "--jobs", "1"])
    printed, error = capsys.readouterr()
    assert status == 2
    assert printed == ""
    said = f"widetheory: {ID} needs at least .* GiB of memory with one draw at a time, and .* GiB"
    assert re.match(said, error)
    assert error.count("\n") == 1
    assert time.process_time() - start < 20


@pytest.mark.slow
@pytest.mark.usefixtures("restore_precision")
def test_draws_are_chunked_to_fit(capsys, monkeypatch):
    batches = []

    def watched(statement, static, key, draws, most, limit):
        batches.append(fitting(statement, static, key, draws, most, limit).batch)
        return memory.Fit(batches[-1], 0)

    fitting = memory.fitting
    monkeypatch.setattr(evaluation, "fitting", watched)
    command = ["verify", ID, "--draws", "8", "--jobs", "1", "--json"]
    assert main.main(command) == 0
    full = capsys.readouterr().out
    monkeypatch.setattr(environment, "usable_memory", lambda: 2.0**21)
    assert main.main(command) == 0
    assert re.sub("seconds.*", "", capsys.readouterr().out) == re.sub("seconds.*", "", full)
    assert batches[0] == 8
    assert 1 <= batches[1] < 8

    def unknown():
        raise ValueError("the system does not tell")

    monkeypatch.setattr(environment, "usable_memory", unknown)
    assert main.main(command) == 0
    assert len(batches) == 2


def test_draws_whose_evidence_fits_nowhere_are_refused(key, monkeypatch):
    """Before anything is compiled or allocated, with both numbers."""

    def compiling(*_):
        raise AssertionError("compiled")

    monkeypatch.setattr(jax.stages.Lowered, "compile", compiling)
    said = f"{ID} needs at least .* GiB of memory for what 1000000000 draws show, and 1 GiB may"
    with pytest.raises(ValueError, match=said):
        evaluate(REGISTRY[ID], key, 10**9, memory=2**30)
    with pytest.raises(ValueError, match=r"draws must be an integer in \[1, 4294967296\]"):
        evaluate(REGISTRY[ID], key, 10**12)


EXHAUSTED = "RESOURCE_EXHAUSTED: Out of memory allocating 8589934592 bytes."


@pytest.mark.slow
@pytest.mark.usefixtures("restore_precision")
@pytest.mark.parametrize("command", [("verify", ID, "--jobs", "1"), ("train", "--draws", "1")])
@pytest.mark.parametrize(
    "error",
    [MemoryError(), jax.errors.JaxRuntimeError(EXHAUSTED)],
    ids=lambda error: type(error).__name__,
)
def test_memory_that_runs_out_is_no_refutation(capsys, monkeypatch, command, error):
    def fails(*_, **__):
        raise error

    monkeypatch.setattr(running, "verify", fails)
    monkeypatch.setattr("experiments.learning.pairs.steps", fails)
    status = main.main(list(command))
    printed, said = capsys.readouterr()
    assert status == 2
    assert printed == ""
    assert re.fullmatch(r"widetheory: .*memory.*\n", said)
