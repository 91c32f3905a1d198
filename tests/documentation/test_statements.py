"""The tables in docs/statements/ are those of the registry, and its how-to pages run."""

import pathlib
import re

import pytest

from experiments.documentation import statements
from theory import REGISTRY

HOW_TO = statements.DOCS / "how-to"


def test_tables_are_current():
    stale = statements.outdated()
    assert not stale, (
        f"run python3 -m experiments.documentation.statements for {[p.name for p in stale]}"
    )


def test_every_statement_is_in_the_full_table_and_in_that_of_its_family():
    pages = {p.stem: p.read_text() for p in (statements.DOCS / "statements").glob("*.md")}
    readme = (statements.DOCS.parent / "README.md").read_text()
    for id in REGISTRY:
        assert f"| [`{id}`](docs/statements/" in readme
        row = f"| [`{id}`]("
        assert row in pages["index"]
        assert row in pages[id.split(".")[0]]


def test_an_outdated_table_is_noticed_and_mended(tmp_path):
    (tmp_path / "statements").mkdir()
    for page in (statements.DOCS / "statements").glob("*.md"):
        text = page.read_text()
        (tmp_path / "statements" / page.name).write_text(text.replace("| deterministic |", "| ? |"))
    stale = statements.outdated(tmp_path)
    assert "index.md" in {p.name for p in stale}
    for page, text in stale.items():
        assert text == (statements.DOCS / "statements" / page.name).read_text()


def test_a_statement_without_a_section_is_an_error(tmp_path):
    (tmp_path / "statements").mkdir()
    with pytest.raises(ValueError, match="every statement must have a section"):
        statements.outdated(tmp_path)


@pytest.mark.parametrize("page", sorted(HOW_TO.glob("*.md")), ids=lambda p: p.name)
def test_how_to_examples_run(page: pathlib.Path):
    """Every block is a module of tests; its tests pass."""
    for block in re.findall(r"```python\n(.*?)```", page.read_text(), re.S):
        names: dict = {}
        exec(compile(block, page.name, "exec"), names)
        for name, test in names.items():
            if name.startswith("test_"):
                test()
