"""Programs of statements from earlier processes: the same numbers, and never those of another."""

import dataclasses
import json
import os
import pathlib
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import experiments
from experiments.machine import compiled_programs, kept_programs
from theory import REGISTRY, Dataset
from theory.compilation import bytes_needed, kept_by
from theory.keys import make_key
from theory.verification.evaluation import evaluate
from theory.verification.programs import arithmetic

ROOT = pathlib.Path(__file__).parent.parent.parent
ID = "orthogonal.multiplier-range"  # solves a linear system: LAPACK
# `verify`, and how often it compiled a program of the statement.
RUN = """
import sys, widetheory
from experiments.machine import kept_programs
compiled = kept_programs._compiled
count = []
def counted(*arguments):
    count.append(1)
    return compiled(*arguments)
kept_programs._compiled = counted
try:
    widetheory.entry()
finally:
    print(len(count), file=sys.stderr)
"""


def verify(cache, seed):
    line = ["verify", ID, "--json", "--jobs", "1", "--seed", str(seed)]
    found = subprocess.run(
        [sys.executable, "-c", RUN, *line],
        capture_output=True, text=True, cwd=ROOT,
        env=os.environ | {"WIDETHEORY_CACHE": str(cache)},
    )  # fmt: skip
    assert found.returncode == 0, found.stderr
    (statement,) = json.loads(found.stdout)["statements"]
    return statement | {"seconds": 0}, int(found.stderr.split()[-1])


def test_a_later_process_compiles_nothing_and_finds_the_same(tmp_path):
    cache = tmp_path / "cache"
    first, made = verify(cache, 1)
    assert made == 1
    again, made = verify(cache, 1)
    assert (again, made) == (first, 0)
    (entry,) = cache.glob("*/*-program.*")
    entry.write_bytes(entry.read_bytes()[:1000])  # noticed, compiled again
    damaged, made = verify(cache, 1)
    assert (damaged, made) == (first, 1)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """The cache of this process, empty."""
    tmp_path.chmod(0o700)
    made = compiled_programs._opened(tmp_path)
    monkeypatch.setattr(compiled_programs, "_used", [made])
    monkeypatch.setattr(kept_programs, "_as_written", lambda: True)  # with tests it is not
    yield made
    made.held.release()


def name_of(statement=REGISTRY[ID], config=None, draws=10, precision="float64", **parts):
    """Of the program for these draws; `parts` replace the statement's own keeper's."""
    found = kept_programs.OfStatement(statement, {}, lambda: jax.jit(len), "function 0", (0, 1, 3))
    with arithmetic(precision):
        key = parts.pop("key", make_key(0))
        arguments = (statement, config or statement.config, key, draws, 0)
        return dataclasses.replace(found, **parts)._name(arguments)


def test_what_determines_a_program_is_in_its_name(monkeypatch):
    same = name_of()
    config = REGISTRY[ID].config
    assert name_of(key=make_key(1)) == name_of(config=dataclasses.replace(config)) == same
    others = [
        name_of(draws=11),
        name_of(precision="float32"),
        name_of(config=dataclasses.replace(config, slope=0.25)),
        name_of(statement=REGISTRY["orthogonal.multiplier-range-sharp"]),
        name_of(function="function 1"),
        name_of(function="other 0"),
        name_of(key=jax.random.split(make_key(0))),
    ]
    monkeypatch.setenv("XLA_FLAGS", "--xla_none=1")
    others.append(name_of())
    monkeypatch.setattr(kept_programs, "_code", lambda: "edited")
    others.append(name_of())
    assert len({same, *others}) == 1 + len(others)


def test_equal_values_alone_have_equal_texts():
    statement = REGISTRY[ID]
    x, y = np.eye(2), np.array([1.0, -1.0])
    moved = np.where(x == 1, np.nextafter(1, 2), x)
    values = (
        0, 0.0, -0.0, 1, 1.0, True, "1", "", None, (), (1,), ((1,),), (1, 1), 0.1, 0.1 + 0.2, 0.3,
        x, x.astype(np.float32), x.reshape(4), moved, statement.config, statement,
        Dataset("a", x, y), Dataset("b", x, y), Dataset("a", moved, y), Dataset("a", x, -y),
    )  # fmt: skip
    texts = [kept_programs._text(value, statement) for value in values]
    assert len(set(texts)) == len(texts)
    assert kept_programs._text(Dataset("a", x.copy(), y), statement) == texts[-4]
    for unknown in (object(), len, jnp.ones(2), [1], {"a": 1}, np.float64(1), make_key(0)):
        with pytest.raises(kept_programs.NoNameError):
            kept_programs._text(unknown, statement)


@pytest.mark.usefixtures("cache")
def test_other_statements_are_not_kept():
    ours = REGISTRY[ID]
    assert kept_programs.keeper(ours) is not None
    assert kept_programs.keeper(dataclasses.replace(ours)) is None  # by its name alone it is ours


PATCH = """
import jax
from theory import Deterministic, Statement, exceeds
MINE = Statement(
    id="mine.one",
    sample=lambda key, c: jax.random.normal(key),
    claim=Deterministic(lambda x, c: exceeds(9.0, x)),
)
"""


def test_a_process_with_code_of_the_users_keeps_and_takes_nothing(tmp_path):
    """It may have changed what a registered statement computes."""
    mine = tmp_path / "mine.py"
    mine.write_text(PATCH)
    cache = tmp_path / "cache"
    verify(cache, 1)
    (entry,) = cache.glob("*/*-program.*")
    for line in (["verify", str(mine), ID], ["verify", ID]):
        found = subprocess.run(
            [sys.executable, "-c", RUN, *line, "--draws", "5", "--jobs", "1", "--json"],
            capture_output=True, text=True, cwd=ROOT,
            env=os.environ | {"WIDETHEORY_CACHE": str(cache)},
        )  # fmt: skip
        assert found.returncode == 0, found.stderr
        kept = [one for one in cache.glob("*/*-program.*") if one != entry]
        assert len(kept) == (0 if str(mine) in line else 1)


def test_other_code_than_that_of_packages_is_noticed(monkeypatch, tmp_path):
    assert __name__ in kept_programs._strangers()
    assert not {"jax", "numpy", "theory", "widetheory", "json"} & kept_programs._strangers()
    monkeypatch.setattr(kept_programs, "_strangers", set)
    (tmp_path / "theory").mkdir()
    file = tmp_path / "theory" / "margins.py"
    file.touch()
    monkeypatch.setattr(kept_programs, "ROOT", tmp_path)
    monkeypatch.setattr(experiments, "BEGAN", file.stat().st_ctime + 10)
    assert kept_programs._as_written()
    os.utime(file, (0, 0))  # an editor that keeps the time
    monkeypatch.setattr(experiments, "BEGAN", file.stat().st_ctime)
    assert not kept_programs._as_written()
    monkeypatch.setattr(experiments, "BEGAN", 0.0)  # not known
    assert not kept_programs._as_written()


def test_without_a_folder_nothing_is_kept(monkeypatch):
    monkeypatch.setattr(kept_programs, "_as_written", lambda: True)
    assert kept_programs.keeper(REGISTRY[ID]) is None


def test_the_numbers_are_those_without(cache, key):
    statement = REGISTRY[ID]
    plain = evaluate(statement, key, 5, memory=2**31)
    for _ in range(2):  # compiled, then loaded
        with kept_by(kept_programs.keeper(statement)):
            kept = evaluate(statement, key, 5, memory=2**31)
        assert len(list(cache.shared.glob("*-program.*"))) == 1
        for a, b in zip(jax.tree.leaves(plain), jax.tree.leaves(kept), strict=True):
            np.testing.assert_array_equal(a, b)
    with (
        kept_by(kept_programs.keeper(statement)),
        pytest.raises(ValueError, match=r"needs at least .* and 9.77e-07 GiB may be used"),
    ):
        evaluate(statement, key, 5, memory=1049)


def test_what_calls_python_is_not_kept(cache):
    def double(x):
        shape = jax.ShapeDtypeStruct(x.shape, x.dtype)
        return jax.lax.map(lambda row: jax.pure_callback(lambda r: 2 * r, shape, row), x[None])[0]

    for function, kept in ((double, 0), (lambda x: 2 * x, 1)):
        keeper = kept_programs.keeper(REGISTRY[ID])
        assert keeper is not None
        program = keeper(lambda f=function: jax.jit(f), "double", ())
        np.testing.assert_array_equal(program(np.ones(3)), 2)
        assert bytes_needed(program, np.ones(3)) > 0
        assert len(list(cache.shared.glob("*-program.*"))) == kept


AFTER_JAX = """
import experiments.command, jax
from experiments.machine import environment, kept_programs
from theory import REGISTRY
environment.configure("float64")

def steps(x):
    return (jax.numpy.arange(1000) > x).astype(float).cumsum()

jax.jit(steps)(3.0)  # into JAX's cache
jax.clear_caches()
keeper = kept_programs.keeper(REGISTRY["orthogonal.multiplier-range"])
made = []
program = keeper(lambda: made.append(1) or jax.jit(steps), "steps", ())
print(float(program(3.0)[-1]), len(made))
"""


def test_what_jax_has_in_its_cache_is_compiled_again_to_be_kept(tmp_path):
    """XLA would write down a program that it had read without its functions."""
    for made in (1, 0):
        found = subprocess.run(
            [sys.executable, "-c", AFTER_JAX],
            capture_output=True, text=True, cwd=ROOT,
            env=os.environ | {"WIDETHEORY_CACHE": str(tmp_path / "cache")},
        )  # fmt: skip
        assert (found.stdout, found.stderr) == (f"996.0 {made}\n", "")
