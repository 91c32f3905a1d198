"""The table of `list`: a line for each statement, in terminals of any width."""

import io

import pytest
from rich.console import Console

from experiments.report.listing import list_table
from experiments.report.statements import statement_json
from theory import REGISTRY

ENTRIES = [statement_json(statement) for statement in REGISTRY.values()]


@pytest.mark.parametrize(("width", "shows"), [(80, "kind"), (150, "title")])
def test_a_line_each_that_fits(width, shows):
    printed = io.StringIO()
    Console(file=printed, width=width).print(list_table(ENTRIES, width))
    lines = [line.rstrip() for line in printed.getvalue().splitlines()]
    assert max(map(len, lines)) <= width
    assert [" ".join(line.split()) for line in lines if "." in line] == [
        " ".join(f"{entry['id']} {entry[shows]}".split()) for entry in ENTRIES
    ]
