"""Statements, verdicts and the registry as notebooks show them: HTML and Markdown, as text."""

import html
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from theory.verification.statement import Statement
    from theory.verification.verdict import Verdict

Rows = Sequence[tuple[str, str]]
MARKS = "\\`*_{}[]<>|#$~"  # what Markdown, with tables and formulas, takes for its own


def as_html(title: str, rows: Rows) -> str:
    """A table of two columns under a title; nothing in it is taken for HTML."""
    body = "".join(
        f'<tr><th style="text-align:left;vertical-align:top">{html.escape(name)}</th>'
        f'<td style="text-align:left">{_lines(text)}</td></tr>'
        for name, text in rows
    )
    return f"<table><caption><b>{html.escape(title)}</b></caption><tbody>{body}</tbody></table>"


def _lines(text: str) -> str:
    return "<br>".join(map(html.escape, text.split("\n")))


def as_markdown(title: str, rows: Rows) -> str:
    """The same in Markdown."""
    lines = [f"| **{_plain(title)}** | |", "|:--|:--|"]
    return "\n".join([*lines, *(f"| {_plain(name)} | {_plain(text)} |" for name, text in rows)])


def _plain(text: str) -> str:
    marked = "".join(f"\\{c}" if c in MARKS else c for c in text)
    return marked.replace("\n", "<br>")


def verdict_rows(verdict: "Verdict") -> Rows:
    """What is said of a verdict: why, on how many draws, each hypothesis, rate and claim."""
    rows = [("verdict", verdict.verdict), ("why", verdict.reason), ("draws", f"{verdict.draws:,}")]
    rows += [
        (f"hypothesis {name}", f"holds in {one.met:,}, fails in {one.failed:,}")
        for name, one in verdict.hypotheses.items()
    ]
    if (rate := verdict.failure_rate) is not None:
        allowed = "never" if verdict.kind == "deterministic" else f"at most {rate.allowed:.3g}"
        rows.append(
            (
                "failure rate",
                f"{rate.observed:.3g} in [{rate.low:.3g}, {rate.high:.3g}], allowed {allowed}",
            )
        )
    rows += [
        (
            one.name,
            f"{one.observed:.4g} in [{one.low:.4g}, {one.high:.4g}], claimed "
            f"{'' if one.side == 'equal' else f'{one.side} '}{one.claimed:.4g}"
            + (f" ± {one.tolerance:.3g}" if one.tolerance else ""),
        )
        for one in verdict.estimates
    ]
    return [*rows, *(("note", note) for note in verdict.notes)]


def statement_rows(statement: "Statement") -> Rows:
    """What is said of a statement: its words, kind, source, hypotheses and draws."""
    draws = ", ".join(f"{preset} {count:,}" for preset, count in statement.draws.items())
    rows = [
        ("says", statement.title or statement.says),
        ("in full", statement.says if statement.title else ""),
        ("kind", statement.kind),
        ("source", statement.source),
        ("caveat", statement.caveat),
        ("erratum", statement.erratum or ""),
        *((f"hypothesis {name}", one.says) for name, one in statement.hypotheses.items()),
        ("draws", draws),
    ]
    return [(name, text) for name, text in rows if text or name.startswith("hypothesis")]


def registry_rows(statements: "Mapping[str, Statement]") -> Rows:
    """Identifier and title of every statement."""
    return [(id, one.title or one.kind) for id, one in statements.items()]
