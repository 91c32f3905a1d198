"""Compiled programs from earlier runs: found again, whole, the user's own, and not too many."""

import os
import pathlib
import shutil
import subprocess
import sys
import types

import jax
import pytest

from experiments.machine import cache_folder, compiled_programs

ROOT = pathlib.Path(__file__).parent.parent.parent
# Prints a number, and how often the cache had the program, after a run with this seed.
RUN = """
import sys, experiments.command, jax
from experiments.machine import environment
hits = []
jax.monitoring.register_event_listener(
    lambda name, **_: hits.append(name) if name.endswith("cache_hits") else None
)
environment.configure("float64")
x = jax.jit(lambda key: jax.random.normal(key, (1000,)).sum())(jax.random.key(int(sys.argv[1])))
print(float(x), len(hits))
"""


def normals(key):
    return jax.jit(lambda key: jax.random.normal(key, (1000,)).sum())(key)


def run(cache, seed):
    found = subprocess.run(
        [sys.executable, "-c", RUN, str(seed)],
        capture_output=True, text=True, check=True, cwd=ROOT,
        env=os.environ | {"WIDETHEORY_CACHE": str(cache), "PYTHONWARNINGS": "error"},
    )  # fmt: skip
    assert not found.stderr  # neither from JAX, of what is damaged, nor from XLA
    value, hits = found.stdout.split()
    return float(value), int(hits)


def entries(folder):
    return sorted(folder.glob("*-cache*"))


def keys(folder):
    return [entry.name.partition(".")[0] for entry in entries(folder)]


def test_a_later_process_finds_them_and_gets_the_same_numbers(tmp_path):
    cache = tmp_path / "cache"
    first, none = run(cache, 1)
    (shared,) = cache.iterdir()  # the folder of the process that has ended is gone
    kept = entries(shared)
    assert none == 0
    assert kept
    again, hits = run(cache, 2)
    assert hits > 0
    assert entries(shared) == kept
    assert again == float(normals(jax.random.key(2))) != first
    for entry in kept:  # cut short: noticed, compiled again
        entry.write_bytes(entry.read_bytes()[:100])
    damaged, hits = run(cache, 2)
    assert (damaged, hits) == (again, 0)
    assert all(entry.stat().st_size > 100 for entry in entries(shared))


def test_a_folder_that_others_can_write_is_not_used(tmp_path, monkeypatch, capsys):
    tmp_path.chmod(0o777)
    monkeypatch.setenv(cache_folder.VARIABLE, str(tmp_path))
    assert cache_folder.find() is None
    said = f"widetheory: {tmp_path} is not used as a cache: others can write it\n"
    assert cache_folder.find() is None
    assert capsys.readouterr().err == said  # once


def test_no_cache_where_it_is_switched_off_and_no_word(monkeypatch, capsys):
    monkeypatch.setenv(cache_folder.VARIABLE, "off")
    assert cache_folder.find() is None
    compiled_programs.use()
    assert jax.config.jax_compilation_cache_dir is None  # pyright: ignore
    assert capsys.readouterr().err == ""


def test_a_folder_that_cannot_be_made_is_named_if_it_was_asked_for(tmp_path, monkeypatch, capsys):
    (tmp_path / "file").touch()
    asked = tmp_path / "file" / "cache"
    monkeypatch.setenv(cache_folder.VARIABLE, str(asked))
    assert cache_folder.find() is None
    assert cache_folder.find() is None
    said = f"widetheory: {asked} is not used as a cache: it cannot be made (Not a directory)\n"
    assert capsys.readouterr().err == said  # once
    monkeypatch.setenv(cache_folder.VARIABLE, "")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert cache_folder.find() is None
    assert capsys.readouterr().err == ""


def test_the_folder_is_where_the_user_says(tmp_path, monkeypatch):
    monkeypatch.setenv(cache_folder.VARIABLE, "")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder.find() == tmp_path / "widetheory"
    monkeypatch.setenv(cache_folder.VARIABLE, str(tmp_path / "mine"))
    assert cache_folder.find() == tmp_path / "mine"
    assert (tmp_path / "mine").stat().st_mode & 0o777 == 0o700


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """Two entries that are shared, and the folder of this process."""
    tmp_path.chmod(0o700)
    made = compiled_programs._opened(tmp_path)
    for name in ("a-cache", "b-cache"):
        (made.own / name).write_bytes(bytes(1000))
    monkeypatch.setattr(compiled_programs, "_used", [made])
    compiled_programs.hand_on()
    yield made
    made.held.release()


def test_new_entries_are_handed_on_and_found_by_the_next(folders, tmp_path):
    assert keys(folders.shared) == ["a-cache", "b-cache"]
    other = compiled_programs._opened(tmp_path)
    assert [entry.name for entry in entries(other.own)] == ["a-cache", "b-cache"]
    assert other.own != folders.own
    other.held.release()


def test_damaged_entries_are_removed(folders, tmp_path):
    first, _ = entries(folders.shared)
    first.write_bytes(b"x" + first.read_bytes()[1:])
    other = compiled_programs._opened(tmp_path)
    assert keys(other.own) == keys(folders.shared) == ["b-cache"]
    other.held.release()


def test_nothing_is_handed_on_where_the_disk_is_full(folders, monkeypatch):
    (folders.own / "c-cache").write_bytes(bytes(1000))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: types.SimpleNamespace(free=500))
    compiled_programs.hand_on()
    assert keys(folders.shared) == ["a-cache", "b-cache"]


def test_the_oldest_go_first(folders, monkeypatch):
    monkeypatch.setattr(compiled_programs, "MOST_BYTES", 2500)
    os.utime(entries(folders.shared)[0], (0, 0))
    (folders.own / "c-cache").write_bytes(bytes(1000))
    compiled_programs.hand_on()
    assert keys(folders.shared) == ["b-cache", "c-cache"]


def test_folders_of_processes_that_have_ended_are_removed(folders, tmp_path):
    killed = compiled_programs._opened(tmp_path)
    killed.held.release()  # as the system does
    next_one = compiled_programs._opened(tmp_path)
    assert not killed.own.exists()
    assert folders.own.exists()
    compiled_programs._end(next_one)
    assert not next_one.own.exists()
    assert folders.own.exists()
