"""Off a terminal a long run says where it is once a minute, on stderr."""

import re
import time

import pytest
from rich.console import Console

from experiments.report import progress
from experiments.results.cells import Step


@pytest.fixture(autouse=True)
def often(monkeypatch):
    monkeypatch.setattr(progress, "EVERY", 0.02)


def slow(steps):
    for step in steps:
        time.sleep(0.1)
        yield step


def test_a_line_a_minute_while_one_step_takes_long(capsys):
    assert list(progress.with_bar(slow("ab"), ["first", "second"])) == ["a", "b"]
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "widetheory: 0 of 2 done after 0 min; first"
    assert lines[-1] == "widetheory: 1 of 2 done after 0 min; second"
    time.sleep(0.1)
    assert capsys.readouterr().err == ""


def test_cells_of_a_sweep(capsys):
    steps = [Step(done, 0, done, f"m={done}", None) for done in range(3)]
    assert list(progress.with_progress(slow(steps), 2, "figure")) == steps
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "widetheory: 0 of 2 done after 0 min; figure"
    assert "widetheory: 1 of 2 done after 0 min; figure m=1" in lines


def test_the_last_word_of_a_search(capsys):
    with progress.saying() as say:
        say("first")
        say("second")
        time.sleep(0.1)
    assert set(capsys.readouterr().err.splitlines()) == {"widetheory: second"}


def test_a_short_run_says_nothing(capsys, monkeypatch):
    monkeypatch.setattr(progress, "EVERY", 60.0)
    list(progress.with_bar("ab", ["first", "second"]))
    assert capsys.readouterr().err == ""


def test_on_a_terminal_a_bar_and_no_lines(capsys, monkeypatch):
    monkeypatch.setattr(
        progress, "Console", lambda stderr: Console(stderr=stderr, force_terminal=True)
    )
    list(progress.with_bar(slow("ab"), ["first", "second"]))
    err = capsys.readouterr().err
    assert "first" in err
    assert not re.search("widetheory:", err)
