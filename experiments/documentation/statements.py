"""The tables of statements in docs/statements/ and README.md, written from the registry.

`python3 -m experiments.documentation.statements` rewrites them; a test fails where they
are out of date.
"""

import pathlib
import re
import sys
from collections.abc import Callable, Sequence

from experiments.documentation import papers
from theory import REGISTRY, Statement

DOCS = pathlib.Path(__file__).parent.parent.parent / "docs"
BEGIN = (
    "<!-- statements of {family}: written by python3 -m experiments.documentation.statements -->"
)
END = "<!-- end of the table -->"
COLUMNS = ("Statement", "Says", "Kind", "Hypotheses", "Source")
OVERVIEW = ("statement", "hypotheses", "source", "verdict on its default data")


def sections(docs: pathlib.Path = DOCS) -> dict[str, str]:
    """Statement → "page.md#anchor" of the section about it, for those that have one."""
    found = {}
    for page in sorted((docs / "statements").glob("*.md")):
        for heading in re.findall(r"^##+ (.*)$", page.read_text(encoding="utf-8"), re.M):
            for id in re.findall(r"[a-z]+\.[a-z0-9-]+", heading):
                anchor = re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-")
                found.setdefault(id, f"{page.name}#{anchor}")
    return found


def table(statements: Sequence[Statement], links: dict[str, str]) -> str:
    """The statements as a table in Markdown, every one linked to its section."""
    rows = []
    for statement in statements:
        name = f"[`{statement.id}`]({links[statement.id]})"
        if statement.erratum:
            name += f", [known erratum](../errata.md#{statement.erratum})"
        conditions = "; ".join(
            f"{name} ({condition.stage})" if condition.stage else name
            for name, condition in statement.hypotheses.items()
        )
        rows.append((name, statement.title, statement.kind, conditions or "none", statement.source))
    return _markdown(COLUMNS, rows)


def overview(statements: Sequence[Statement], links: dict[str, str]) -> str:
    """The table of the README, with what comes out by default: only known errata are refuted."""
    rows = []
    for statement in statements:
        name = f"[`{statement.id}`](docs/statements/{links[statement.id]}): {statement.title}"
        verdict = default_verdict(statement, "docs/errata.md")
        conditions = "; ".join(statement.hypotheses) or "none"
        rows.append((name, conditions, statement.source, verdict))
    return _markdown(OVERVIEW, rows)


def default_verdict(statement: Statement, errata: str) -> str:
    """What comes out by default, in Markdown; a test holds that only known errata are refuted."""
    verdict = "consistent"
    if statement.erratum:
        verdict = f"refuted, a [known erratum]({errata}#{statement.erratum})"
    return verdict + (", reconstructed" if statement.caveat else "")


def papers_map(links: dict[str, str], docs: pathlib.Path = DOCS) -> str:
    """The statements by paper, for docs/statements/papers.md.

    Raises:
      ValueError: if docs/references.md lacks a paper.
    """

    def row(statement: Statement) -> tuple[str, str]:
        name = f"[`{statement.id}`]({links[statement.id]}): {statement.title}"
        return name, default_verdict(statement, "../errata.md")

    references = (docs / "references.md").read_text(encoding="utf-8")
    return papers.page([*REGISTRY.values()], row, _markdown, references)


def _markdown(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(columns)} |", "|" + "---|" * len(columns)]
    lines += [f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in rows]
    return "\n".join(lines)


def with_tables(
    text: str,
    links: dict[str, str],
    written: Callable[[Sequence[Statement], dict[str, str]], str] = table,
) -> str:
    """A page with the tables between its markers brought up to date.

    Args:
      text: the page.
      links: as of `sections`.
      written: `table` or `overview`.

    Raises:
      ValueError: for a marker of a family that does not exist.
    """
    start = re.escape(BEGIN).replace(r"\{family\}", r"(\w+)")

    def replace(match: re.Match[str]) -> str:
        family = match.group(1)
        chosen = [s for id, s in REGISTRY.items() if family == "all" or id.split(".")[0] == family]
        if not chosen:
            raise ValueError(f"family must have statements, got {family!r}")
        begin = BEGIN.format(family=family)
        return f"{begin}\n\n{written(chosen, links)}\n\n{END}"

    return re.sub(rf"{start}.*?{re.escape(END)}", replace, text, flags=re.S)


def outdated(docs: pathlib.Path = DOCS) -> dict[pathlib.Path, str]:
    """Page → text as it should be, for every page whose tables are out of date.

    Raises:
      ValueError: if a statement has no section of its own.
    """
    links = sections(docs)
    missing = [id for id in REGISTRY if id not in links]
    if missing:
        raise ValueError(f"every statement must have a section in {docs}, got none for {missing}")
    pages = {page: page.read_text(encoding="utf-8") for page in (docs / "statements").glob("*.md")}
    current = {page: with_tables(text, links) for page, text in pages.items()}
    if (mapped := docs / "statements" / "papers.md").exists():
        current[mapped] = papers.with_map(pages[mapped], papers_map(links, docs))
    readme = docs.parent / "README.md"
    if readme.exists():
        pages[readme] = readme.read_text(encoding="utf-8")
        current[readme] = with_tables(pages[readme], links, overview)
    return {page: text for page, text in current.items() if text != pages[page]}


def main() -> int:
    """Rewrites the pages that are out of date."""
    for page, text in outdated().items():
        page.write_text(text, encoding="utf-8")
        print(f"rewrote {page.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
