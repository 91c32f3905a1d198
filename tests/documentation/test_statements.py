"""The tables in docs/statements/ are those of the registry, and its how-to pages run."""

import pathlib
import re

import pytest

from experiments.documentation import papers, statements
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
    (tmp_path / "references.md").write_text((statements.DOCS / "references.md").read_text())
    for page in (statements.DOCS / "statements").glob("*.md"):
        text = page.read_text()
        (tmp_path / "statements" / page.name).write_text(text.replace("| deterministic |", "| ? |"))
    stale = statements.outdated(tmp_path)
    assert "index.md" in {p.name for p in stale}
    assert "papers.md" not in {p.name for p in stale}
    for page, text in stale.items():
        assert text == (statements.DOCS / "statements" / page.name).read_text()


SOURCES = {
    "Kumano et al. 2024a, Theorem 4.1 (reconstructed)": {"Kumano et al. 2024a": "Theorem 4.1"},
    "Tropp 2012, Theorem 1.1, on Du et al. 2019, Lemma 3.1; the width is ours": {
        "Tropp 2012": "Theorem 1.1",
        "Du et al. 2019": "Lemma 3.1",
    },
    "ours, sharper than Frei et al. 2023b, Lemmas 17 and 18": {
        "Frei et al. 2023b": "Lemmas 17 and 18"
    },
    "Lee et al. 2019, eq. 8–11; Novak et al. 2020": {
        "Lee et al. 2019": "eq. 8–11",
        "Novak et al. 2020": "–",
    },
    "explicit certificate for the conclusion of Theorem 3.6, Zhang et al. 2023": {
        "Zhang et al. 2023": "Theorem 3.6"
    },
    "Zhang et al. 2023, Lemma 3.7, eq. 20": {"Zhang et al. 2023": "Lemma 3.7, eq. 20"},
    "ours": {},
}


@pytest.mark.parametrize("source", SOURCES)
def test_papers_and_places_are_read_off_a_source(source):
    assert papers.places(source) == SOURCES[source]


def test_every_statement_is_on_the_map_under_each_of_its_papers_with_its_verdict():
    text = (statements.DOCS / "statements" / "papers.md").read_text()
    sections = dict(re.findall(r"^## (.*?)\n(.*?)(?=^## |\Z)", text, re.S | re.M))
    for id, statement in REGISTRY.items():
        for paper in papers.places(statement.source) or [papers.OWN]:
            (row,) = re.findall(rf"^\| [^|]* \| \[`{re.escape(id)}`\].*$", sections[paper], re.M)
            assert ("known erratum](../errata.md#" in row) is bool(statement.erratum)
            assert ("reconstructed |" in row) is bool(statement.caveat)


def test_a_paper_without_a_row_is_an_error():
    statement = next(iter(REGISTRY.values()))
    with pytest.raises(ValueError, match=r"references\.md must have a row for every paper"):
        papers.page([statement], lambda _: ("", ""), lambda *_: "", "| A1 | Other 2000 | x |")


def test_places_are_in_the_order_of_their_numbers():
    rows = [("eq. 9",), ("Lemma 3.7",), ("eq. 17",), ("Lemma 3.10",)]
    assert papers._in_order(rows) == [("Lemma 3.7",), ("Lemma 3.10",), ("eq. 9",), ("eq. 17",)]


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
