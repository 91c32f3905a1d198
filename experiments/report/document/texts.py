"""The report in Markdown, for a pull request, and in LaTeX, for an appendix."""

import re
from collections.abc import Sequence

from experiments.report.document import checklist, mathematics
from experiments.report.document.contents import Entry, Fact, Report, Section, Table
from experiments.report.document.latex import escaped, formula
from experiments.report.document.page import WORDS, attention, measured, met, summary
from theory._wording import counted

# What a terminal obeys, and what turns the direction of text, in place of being shown.
UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
LINE, MOST = 76, 30  # letters in a line of a table in LaTeX, and in a column unless words need more
COLUMNS = ("Statement", "Verdict", "Draws", "Hypotheses hold in", "Measured", "Claimed")


def markdown(report: Report) -> str:
    """A page of Markdown as GitHub reads it."""
    return _written(report, _Markdown())


def latex(report: Report) -> str:
    r"""A part of a document, to be taken in by \input; it needs amsmath, amssymb and longtable."""
    return _written(report, _Latex())


def _written(report: Report, to: "_Markdown | _Latex") -> str:
    parts = [to.heading(report.title, 1), to.paragraph(summary(report))]
    if report.entries:
        parts.append(to.table(COLUMNS, [_row(entry) for entry in report.entries]))
    chosen = attention(report)
    known = [entry for entry in report.entries if entry.verdict == "erratum"]
    if chosen or known:
        parts.append(to.heading("What is not consistent", 2))
        lines = [(entry.name, _why(entry)) for entry in (*chosen, *known)]
        parts.append(to.items(lines, formulas=False))
    if report.entries:
        parts.append(to.heading("What the statements say", 2))
        parts.append(to.items([(e.name, _what(e)) for e in report.entries]))
    for section in report.sections:
        parts += _section(section, to)
    if report.entries:
        parts.append(to.heading("Checklist", 2))
        parts += [to.paragraph(answer.value, answer.name) for answer in checklist.answers(report)]
        parts.append(to.heading("How to repeat it", 2))
        for run in report.runs:
            parts += [to.code(run.command), _facts(run.facts(), to)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _section(section: Section, to: "_Markdown | _Latex") -> list[str]:
    parts = [to.heading(f"{section.kind.capitalize()}: {section.title}", 2)]
    parts += [to.paragraph(words) for words in section.words]
    if section.table is not None:
        parts.append(_cells(section.table, to))
    parts.append(_facts(section.facts, to))
    return [*parts, to.code(section.command)]


def _facts(facts: Sequence[Fact], to: "_Markdown | _Latex") -> str:
    return to.items([(fact.name, fact.value) for fact in facts], formulas=False)


def _cells(table: Table, to: "_Markdown | _Latex") -> str:
    text = to.table(table.columns, table.rows)
    return text if not table.left_out else f"{text}\n\n{to.paragraph(_more(table.left_out))}"


def _more(count: int) -> str:
    return f"{counted(count, 'more cell')} left out, the consistent ones first; cells.csv has all."


def _row(entry: Entry) -> tuple[str, ...]:
    value, claimed = measured(entry)
    verdict = WORDS[entry.verdict]
    return entry.name, verdict, f"{entry.stored['draws']:,}", met(entry), value, claimed


def _why(entry: Entry) -> str:
    remarks = [fact for fact in entry.remarks() if fact.name in ("caveat", "known erratum")]
    more = "".join(f" ({name}: {value})" for name, value in remarks)
    return f"{WORDS[entry.verdict]}: {entry.stored['reason']}{more}"


def _what(entry: Entry) -> str:
    conditions = [one for one in entry.conditions() if one.role == "hypothesis"]
    needs = "; ".join(f"{one.name}" + (f", {one.says}" if one.says else "") for one in conditions)
    parts = [entry.stored["title"] or entry.stored["says"]]
    parts += [f"Hypotheses: {needs}."] if needs else []
    parts += [f"Source: {entry.stored['source']}."] if entry.stored["source"] else []
    return " ".join(re.sub(r"(?<![.!?;:])$", ".", part, count=1) for part in parts if part)


class _Markdown:
    """How the parts are written in Markdown."""

    def heading(self, text: str, level: int) -> str:
        return f"{'#' * level} {_plain(text)}"

    def paragraph(self, text: str, name: str = "") -> str:
        return (f"**{_plain(name)}.** " if name else "") + _plain(text)

    def items(self, lines: Sequence[tuple[str, str]], *, formulas: bool = True) -> str:
        return "\n".join(f"- **{_plain(name)}**: {_plain(value)}" for name, value in lines)

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
        lines = [tuple(columns), ("---",) * len(columns)]
        cells = [lines[0], *rows]
        written = [f"| {' | '.join(map(_plain, row))} |" for row in cells]
        return "\n".join([written[0], f"|{'|'.join(lines[1])}|", *written[1:]])

    def code(self, text: str) -> str:
        fence = "`" * max(3, *(len(run) + 1 for run in re.findall(r"`+", text) or [""]))
        return f"{fence}sh\n{text}\n{fence}"


def _plain(text: str) -> str:
    """Text that Markdown shows as it is, in one line."""
    one = UNSEEN.sub(lambda found: f"[U+{ord(found[0]):04X}]", " ".join(text.split()))
    return re.sub(r"([\\`*_{}\[\]<>#|~$&])", r"\\\1", one).replace("@", "@\u200b")


class _Latex:
    """How the parts are written in LaTeX."""

    def heading(self, text: str, level: int) -> str:
        return rf"\{'sub' * (level - 1)}section*{{{_set(text)}}}"

    def paragraph(self, text: str, name: str = "") -> str:
        return rf"\textbf{{{escaped(name)}.}} {escaped(text)}" if name else _set(text)

    def items(self, lines: Sequence[tuple[str, str]], *, formulas: bool = True) -> str:
        if not lines:
            return ""
        put = _set if formulas else escaped
        inside = "\n".join(rf"  \item[{{{escaped(name)}}}] {put(value)}" for name, value in lines)
        return f"\\begin{{description}}\\sloppy\n{inside}\n\\end{{description}}"

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
        shares = _shares(columns, rows)
        head = " & ".join(rf"\textbf{{{escaped(name)}}}" for name in columns)
        body = "".join(f"{' & '.join(map(_set, row))} \\\\\n" for row in rows)
        shape = "".join(f"p{{{0.92 * k / sum(shares):.3f}\\linewidth}}" for k in shares)
        return (
            f"{{\\footnotesize\\sloppy\\setlength{{\\tabcolsep}}{{2pt}}\n\\begin{{longtable}}{{{shape}}}\n"
            f"{head} \\\\ \\hline\\noalign{{\\smallskip}}\n\\endhead\n{body}\\end{{longtable}}}}"
        )

    def code(self, text: str) -> str:
        return rf"\begin{{flushleft}}\ttfamily\small {escaped(text)}\end{{flushleft}}"


def _shares(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[float]:
    """Widths of columns: that of the longest word between dots and hyphens, and of what is left."""
    cells = list(zip(columns, *rows, strict=True))
    words = [2 + max(map(len, re.split(r"[\s./_-]", " ".join(texts)))) for texts in cells]
    wanted = [
        max(0, min(max(map(len, texts)), MOST) - word)
        for texts, word in zip(cells, words, strict=True)
    ]
    left = max(0, LINE - sum(words)) / (sum(wanted) or 1)
    return [word + left * more for word, more in zip(words, wanted, strict=True)]


def _set(text: str) -> str:
    """Words escaped, formulas as formulas."""
    parts = mathematics.pieces(" ".join(text.split()))
    return "".join(formula(part) for part in parts)
