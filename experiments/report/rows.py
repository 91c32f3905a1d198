"""Results for people on any width: no word is broken, so no identifier, number or path either."""

import re
from collections.abc import Collection, Iterator, Sequence

from rich import box
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text

PROSE = 18  # columns in which a sentence can be read
SHORT = 12  # columns of labels beside which values stand in a column of their own
GAPS = (3, 2)  # columns between two of a table: the first that leaves enough room

Cell = str | Text


class Words:
    """Text that is wrapped between words alone, what follows a line further to the right than it.

    What is longer than a line stands out of it: to be printed without cropping.
    """

    def __init__(self, text: Cell, hanging: int | None = None) -> None:
        """The text, and where a line goes on: two columns further than it begins, if it does not
        begin at the left."""
        self.text = _text(text)
        self.hanging = hanging

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for line in self.text.split("\n", allow_blank=True):
            begins = len(line.plain) - len(line.plain.lstrip(" "))
            further = self.hanging or (begins + 2 if begins else 0)
            for number, part in enumerate(_wrapped(line, options.max_width, further)):
                whole = Text(" " * further if number else "", no_wrap=True, overflow="ignore")
                yield whole.append_text(part)


def _wrapped(line: Text, width: int, further: int) -> Iterator[Text]:
    """The line in parts that fit, those after the first into what `further` columns leave."""
    ends, begin, left = [], 0, 0  # where the line in hand begins, and in which column
    for word in re.finditer(r"\S+", line.plain):
        stands = left + cell_len(line.plain[begin : word.start()])
        if stands + cell_len(word[0]) > width and stands > further:
            ends.append(begin := word.start())
            left = further
    for part in line.divide(ends):
        part.rstrip()
        yield part


def unbroken(what: RenderableType) -> RenderableType:
    """The same with all text that is in no table as `Words`."""
    if isinstance(what, Text | str):
        return Words(what)
    return Group(*map(unbroken, what.renderables)) if isinstance(what, Group) else what


def labelled(pairs: Sequence[tuple[str, Cell]]) -> Iterator[Words]:
    """Label and value, line by line, below a heading."""
    longest = max((cell_len(label) for label, _ in pairs), default=0)
    beside = longest <= SHORT
    for label, value in pairs:
        head = f"  {label.ljust(longest)} " if beside else f"  {label}: "
        further = len(head) if beside else 4
        parts = Text(f"\n{' ' * further}").join(_text(value).split("\n"))
        yield Words(Text.assemble((head, "dim"), parts), further)


class Rows:
    """A table, or where that has no room the same in lines, row by row."""

    def __init__(
        self,
        columns: Sequence[str],
        rows: Sequence[Sequence[Cell]],
        *,
        prose: Collection[int] = (),
        right: Collection[int] = (),
        title: str = "",
        lines: Sequence[tuple[Cell, Sequence[tuple[str, Cell]]]] | None = None,
    ) -> None:
        """The rows.

        Args:
          columns: headings.
          rows: cells, the first of each what the row is about.
          prose: columns whose cells may be wrapped between words.
          right: columns of numbers.
          title: above all of it.
          lines: heading, labels and values of each row, where they are not those of the table.
        """
        self.columns, self.rows, self.title = columns, rows, title
        self.prose, self.right, self.lines = prose, right, lines

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        widths = [self._least(k) for k in range(len(self.columns))]
        for gap in GAPS:
            if sum(widths) + gap * (len(widths) - 1) + 2 <= options.max_width:
                yield self._table(widths, gap)
                return
        yield from self._as_lines()

    def _least(self, k: int) -> int:
        """Columns that one of the table needs."""
        texts = [self.columns[k], *(_plain(row[k]) for row in self.rows)]
        natural = max(cell_len(line) for text in texts for line in text.split("\n"))
        if k not in self.prose:
            return natural
        word = max((cell_len(word) for text in texts for word in text.split()), default=0)
        return min(natural, max(word, PROSE))

    def _table(self, widths: Sequence[int], gap: int) -> Table:
        table = Table(
            box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, gap - 2),
            title=self.title or None, title_justify="left", title_style="bold",
        )  # fmt: skip
        for k, (name, width) in enumerate(zip(self.columns, widths, strict=True)):
            table.add_column(
                _text(name), min_width=width, no_wrap=k not in self.prose,
                justify="right" if k in self.right else "left",
            )  # fmt: skip
        for row in self.rows:
            table.add_row(*map(_text, row))
        return table

    def _as_lines(self) -> Iterator[RenderableType]:
        yield Words(Text(self.title, style="bold"))
        names = [" ".join((name[:1].lower() + name[1:]).split()) for name in self.columns]
        for heading, pairs in self.lines or [
            (row[0], list(zip(names[1:], row[1:], strict=True))) for row in self.rows
        ]:
            yield Words(Text(_plain(heading).replace("\n", " "), style="bold"), hanging=2)
            yield from labelled([(name, value) for name, value in pairs if _plain(value)])
        yield Text()


def _text(cell: Cell) -> Text:
    """What people wrote in brackets is no markup."""
    return Text(cell) if isinstance(cell, str) else cell


def _plain(cell: Cell) -> str:
    return cell if isinstance(cell, str) else cell.plain
