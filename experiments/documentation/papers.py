"""The map from papers to statements: which theorem of which paper is checked, and what comes out.

It is made of the statements' sources, "ours, sharper than Frei et al. 2023b, Proposition 4", and of
the table of docs/references.md, which says what these papers are.
"""

import re
from collections.abc import Callable, Sequence

from theory import Statement

BEGIN = "<!-- papers: written by python3 -m experiments.documentation.statements -->"
END = "<!-- end of the papers -->"
CITED = re.compile(r"[A-Z][a-z]+(?: and [A-Z][a-z]+| et al\.)? (?:19|20)\d\d[a-z]?")
PLACE = re.compile(
    r"(?:before |proof of )?"
    r"(?:Theorem|Lemma|Proposition|Corollary|Remark|eq\.|section|appendix)s? [\d.]*\d"
    r"(?:(?: to |–|, | and )\d[\d.]*\b)*"
)
ROW = re.compile(r"^\| \w+ \| ([^|]+) \| ([^|]+) \|$", re.M)
COLUMNS = ("there", "statement", "source in full", "verdict by default")
OWN = "Of our own"
ABOUT_OWN = "Statements that no paper has."


def places(source: str) -> dict[str, str]:
    """Paper → where it has what a statement is about, from the statement's source."""
    if not (found := list(CITED.finditer(source))):
        return {}
    ends = [following.start() for following in found[1:]] + [len(source)]
    after = [source[cited.end() : end] for cited, end in zip(found, ends, strict=True)]
    wheres = [", ".join(PLACE.findall(text)) for text in after]
    if not wheres[0]:  # "for the conclusion of Theorem 3.6, Zhang et al. 2023"
        wheres[0] = ", ".join(PLACE.findall(source[: found[0].start()]))
    return {cited[0]: where or "–" for cited, where in zip(found, wheres, strict=True)}


def page(
    statements: Sequence[Statement],
    row: Callable[[Statement], tuple[str, str]],
    table: Callable[[Sequence[str], Sequence[Sequence[str]]], str],
    references: str,
) -> str:
    """A section for each paper, in the order of docs/references.md, with its table.

    Args:
      statements: all of them.
      row: statement → its name with a link, and its verdict by default.
      table: columns, rows → Markdown.
      references: the text of docs/references.md.

    Raises:
      ValueError: if a source cites a paper that the references do not have.
    """
    titles = dict(ROW.findall(references))
    rows: dict[str, list[tuple[str, ...]]] = {cited: [] for cited in [*titles, OWN]}
    for statement in statements:
        name, verdict = row(statement)
        for paper, where in (places(statement.source) or {OWN: "–"}).items():
            if paper not in rows:
                raise ValueError(
                    f"docs/references.md must have a row for every paper of a source, got none for "
                    f"{paper!r}, of {statement.id}"
                )
            rows[paper].append((where, name, statement.source, verdict))
    return "\n\n".join(
        f"## {paper}\n\n{titles.get(paper, ABOUT_OWN)}\n\n{table(COLUMNS, _in_order(found))}"
        for paper, found in rows.items()
        if found
    )


def _in_order(rows: Sequence[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """By place: theorems before equations, 3.6 after 3.5."""
    return sorted(rows, key=lambda row: [*map(_number, re.split(r"(\d+)", row[0]))])


def _number(part: str) -> tuple[int, str]:
    return (int(part), "") if part.isdigit() else (0, part)


def with_map(text: str, written: str) -> str:
    """A page with what stands between its markers brought up to date."""
    return re.sub(
        f"{re.escape(BEGIN)}.*?{re.escape(END)}",
        lambda _: f"{BEGIN}\n\n{written}\n\n{END}",
        text,
        flags=re.S,
    )
