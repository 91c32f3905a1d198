"""Tables where there is little room: no identifier is broken, no value shortened."""

import dataclasses
import io
import pathlib
import re

import pytest
from rich.console import Console

from experiments.report import figures, verdicts
from experiments.report.console import console, tell
from experiments.verify.planning import Run
from experiments.verify.running import Result
from theory import REGISTRY
from theory.verification.verdict import ConditionSummary, Estimate, FailureRate, Verdict

HELD = ConditionSummary(40, 0, 0.25, (1.5, 2.0, 3.0), None, "1")


def result(id: str, number: int) -> Result:
    """A verdict of a statement of the registry, none of which is computed."""
    statement = REGISTRY[id]
    estimates = (Estimate("E S", 0.5, "equal", 0.01, 0.4973, 0.4513, 0.5745, "consistent", 0.1),)
    by_quantity = statement.kind not in ("deterministic", "probabilistic")
    verdict = Verdict(
        id=id,
        kind=statement.kind,
        verdict=("consistent", "refuted", "vacuous", "inconclusive")[number % 4],
        reason="of the reason of this verdict",
        draws=50,
        level=0.01,
        outcomes={"confirmed": 40, "miss": 3, "beyond": 4, "vacuous": 2, "undecided": 1},
        hypotheses=dict.fromkeys(statement.hypotheses, HELD),
        measured={},
        failure_rate=None if by_quantity else FailureRate(3, 50, 0.06, 0.0123, 0.1652, 0.05),
        estimates=estimates if by_quantity else (),
        tightest_margin=0.7272,
    )
    return Result(Run(statement, statement.config, 50), verdict, 0, 1.0)


RESULTS = [result(id, number) for number, id in enumerate(REGISTRY)]


def printed(width: int, **options) -> str:
    place = Console(width=width, file=io.StringIO(), highlight=False)
    tell(verdicts.verify_table(RESULTS, **options), place)
    return place.file.getvalue()  # pyright: ignore[reportAttributeAccessIssue]


@pytest.mark.parametrize("width", [40, 60, 80, 120, 150, 220])
def test_no_identifier_is_broken_and_no_value_shortened(width):
    text = printed(width)
    words = set(text.split())
    assert set(REGISTRY) <= words
    assert not re.search(r"(?<!\d)…|…(?!\d)", text)  # but for ranges of widths, as m=64…1024
    flat = " ".join(text.split())
    assert flat.count("[0.0123, 0.165]") == sum(r.verdict.failure_rate is not None for r in RESULTS)
    room = max(width, 2 + max(map(len, REGISTRY)) + 1)
    assert [line for line in text.split("\n") if len(line) > room and len(line.split()) > 1] == []


def test_reasons_of_consistent_verdicts_are_given_when_asked_for():
    consistent = [r for r in RESULTS if r.verdict.verdict == "consistent"]
    told = f"{consistent[0].verdict.id}: consistent: of the reason"
    assert told not in " ".join(printed(80).split())
    assert told in " ".join(printed(80, why=True).split())


def test_a_log_has_the_width_that_it_says(monkeypatch):
    for columns, width in (("72", 72), ("", 150), ("0", 150), ("wide", 150), ("9" * 40, 150)):
        with monkeypatch.context() as patch:  # pytest writes lines of this width, too
            patch.setenv("COLUMNS", columns)
            assert console(file=io.StringIO()).width == width


def test_without_colour_there_is_none(monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    place = Console(force_terminal=True, width=80, file=io.StringIO())
    place.print(verdicts.verify_table([dataclasses.replace(RESULTS[0])]))
    text = place.file.getvalue()  # pyright: ignore[reportAttributeAccessIssue]
    assert not any(f"\x1b[{code}m" in text for code in ("31", "32", "1;31", "1;32", "33"))
    assert "consistent" in text


def test_the_place_of_a_picture_is_whole():
    """A path may be longer than a terminal is wide: it stands out of it, neither broken nor cut."""
    content = {"manifest": {"cells": [1]}, "figure": "lazy-cosine", "seconds": 1.0}
    out = pathlib.Path("/a/directory/whose/name/takes/much/more/than/sixty/columns/in/all/of/it")
    file = io.StringIO()
    tell(figures.made([content], out), Console(file=file, width=60))
    assert str(out / "lazy-cosine.png") in file.getvalue().split()
