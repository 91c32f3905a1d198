"""The worked example of CONTRIBUTING.md: one file, and everything finds it."""

import importlib
import re
import sys

import pytest

import theory.statements
from experiments.command import main
from experiments.documentation import statements
from theory.statements import registry

EXAMPLE = re.search(
    r"```python\n(.*?)```", (statements.DOCS.parent / "CONTRIBUTING.md").read_text(), re.S
)


@pytest.fixture
def house(tmp_path, monkeypatch):
    """The registry of a house in which the example is `theory/statements/tails.py`."""
    assert EXAMPLE is not None
    (tmp_path / "tails.py").write_text(EXAMPLE[1])
    monkeypatch.setattr(theory.statements, "__path__", [*theory.statements.__path__, str(tmp_path)])
    importlib.invalidate_caches()
    yield registry._registered()
    del sys.modules["theory.statements.tails"]


def test_the_example_is_a_family_with_one_statement(house):
    assert house.keys() - registry.REGISTRY.keys() == {"tails.chi-square"}


@pytest.mark.usefixtures("restore_precision")
def test_the_command_takes_it(tmp_path, capsys):
    assert EXAMPLE is not None
    (tmp_path / "tails.py").write_text(EXAMPLE[1])
    assert main.main(["verify", f"{tmp_path / 'tails.py'}", "--draws", "200"]) == 0
    assert "tails.chi-square" in capsys.readouterr().out


def test_it_is_as_short_as_it_says():
    assert EXAMPLE is not None
    body = EXAMPLE[1].split("\n\n\n", 1)[1].splitlines()
    assert len(body) < 25
