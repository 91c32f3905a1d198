"""What every verb prints, on terminals and in logs of any width: no word is broken."""

import io

import numpy as np
import pytest
import store_toys
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console, Group
from rich.text import Text

from experiments.figures import registry
from experiments.learning.pairs import Summary
from experiments.report import figures, learning, listing, search, sweeps
from experiments.report.console import tell
from experiments.report.rows import Rows, Words
from experiments.report.statements import show, statement_json
from theory import REGISTRY, Explanation, Falsification, Frontier
from theory.perturbations.learning import PerturbationSetting, Quantities
from theory.verification.explaining import Comparison, Nearness, WorstDraw
from theory.verification.frontier import Probe

LONG = "mine.a-statement-whose-identifier-is-longer-than-forty-columns"
PLACE = f"/results/of/a/search/{LONG}.counterexample.json"


def told(what, width):
    file = io.StringIO()
    tell(what, Console(file=file, width=width, highlight=False))
    return file.getvalue()


def lines_of(what, width):
    return [line.rstrip() for line in told(what, width).splitlines()]


def explanation():
    numbers = Nearness("wide enough", 30, 0, 1.45, 2.5, "1")
    return Explanation(
        LONG, "consistent", "no draw of 30 failed", "The rule of its kind.",
        (Comparison("lower limit of the failure rate", 0.123, "δ = 0.001545 allowed"),),
        "30 distinct instances", (numbers,),
        WorstDraw(3, {"wide enough": (2.5, 1.11e-14, "σ")}, np.arange(3.0)),
    )  # fmt: skip


def learnt():
    four = Quantities(*(np.array([0.51, 0.52]) for _ in range(4)))
    best = Quantities(0, 1, 0, 1)
    settings = [PerturbationSetting(lr_f=rate) for rate in (0.1, 0.2)]
    numbers = Summary(four, four, four, four, best, np.ones((2, 2)), np.full((2, 2), 0.01))
    return learning.table(settings, numbers, 2, 0)


def swept(tmp_path):
    place = store_toys.begun(tmp_path / "sweep")
    place.write_cell(store_toys.NAME, store_toys.ARRAYS, store_toys.RECORD)
    place.write_failure("m=16,law=uniform", store_toys.FAILED)
    return sweeps.table(place)


def made(tmp_path):
    content = {"manifest": {"cells": [1]}, "figure": "lazy-cosine", "seconds": 1.0}
    return figures.made([content], tmp_path / "a-directory-with-a-name-of-some-length")


PRINTED = {
    "show": lambda _: show(REGISTRY["lazy.movement"]),
    "show hypotheses": lambda _: show(REGISTRY["lazy.dynamics"]),
    "figure --list": lambda _: figures.table(list(registry.figures().values())),
    "figure": made,
    "explain": lambda _: search.explanation_text(explanation()),
    "falsify": lambda _: search.falsification_text(
        Falsification(LONG, "inconclusive", "no failure that counts", nearest=0.5), PLACE
    ),
    "frontier": lambda _: search.frontier_text(
        Frontier(
            LONG,
            "m",
            "consistent",
            5,
            6,
            True,
            (Probe(5, False, 0, 32, "vacuous"), Probe(6, True, 32, 32, "consistent")),
            "consistent from m = 6",
            0.01,
        )
    ),
    "sweep": swept,
    "train": lambda _: learnt(),
}


@pytest.mark.parametrize("verb", PRINTED)
def test_no_word_is_broken_and_no_value_shortened(verb, tmp_path):
    what = PRINTED[verb](tmp_path)
    wide = told(what, 2000)
    assert "…" not in wide
    words = {word for word in wide.split() if any(c.isdigit() or c in "./" for c in word)}
    words = {word.strip(",").lower() for word in words}
    for width in (80, 60, 40, 20):
        narrow = told(what, width)
        assert "…" not in narrow
        assert words <= {word.strip(",").lower() for word in narrow.split()}, width
        longest = max(map(len, wide.split()))
        assert max(map(len, narrow.splitlines())) <= max(width, longest + 4)


@pytest.mark.parametrize("verb", ["sweep", "train", "explain", "frontier", "show hypotheses"])
def test_eighty_columns_have_room_for_tables(verb, tmp_path):
    assert "───" in told(PRINTED[verb](tmp_path), 80)


@pytest.mark.parametrize("width", [150, 80, 60, 40])
def test_list_has_a_line_for_each_statement(width):
    entries = [statement_json(statement) for statement in REGISTRY.values()]
    lines = lines_of(listing.list_table(entries, width), width)
    assert [line.split()[0] for line in lines if "." in line] == [*REGISTRY]
    assert not any("…" in line for line in lines)


# No characters of two columns: Rich cuts a word of those where a line is full, as in
# "7 77777777777字字字 7" at 50 columns.
WORD = st.text("ab.-_/7é", min_size=1, max_size=30)
SENTENCE = st.lists(WORD, min_size=1, max_size=4).map(" ".join)


@given(
    st.lists(st.tuples(SENTENCE, SENTENCE, SENTENCE), min_size=1, max_size=3), st.integers(1, 120)
)
def test_rows_are_whole_on_any_width(rows, width):
    text = told(Rows(("a", "b", "c"), rows, prose=(0, 2), right=(1,), title="title"), width)
    assert {word for row in rows for cell in row for word in cell.split()} <= set(text.split())


def test_what_is_in_brackets_is_no_markup_and_colours_stay():
    rows = [("[red]x[/red]", Text("refuted", style="red"))]
    for width in (60, 8):
        assert "[red]x[/red]" in told(Rows(("[b]", "verdict"), rows), width)
        file = io.StringIO()
        place = Console(file=file, width=width, force_terminal=True, color_system="standard")
        tell(Rows(("[b]", "verdict"), rows), place)
        assert "\x1b[31mrefuted" in file.getvalue()


def test_where_lines_go_on():
    assert lines_of(Words("one two three\n  four five six"), 9) == [
        "one two", "three", "  four", "    five", "    six",
    ]  # fmt: skip
    assert lines_of(Group(Text("one two"), Group(Text("three"))), 5) == ["one", "two", "three"]


def test_an_empty_cell_has_no_line():
    assert lines_of(Rows(("a", "b", "c"), [("row", "", "–")]), 3) == ["", "row", "  c –", ""]
