"""Progress and the time left: a bar on a terminal, elsewhere a line a minute."""

import contextlib
import functools
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

from rich import progress
from rich.console import Console
from rich.text import Text

from experiments.machine import devices, streams
from experiments.results.cells import Step

EVERY = 60.0  # seconds between two lines

T = TypeVar("T")


class _TimeLeft(progress.ProgressColumn):
    """Counts down to the end that was last foreseen."""

    def render(self, task: progress.Task) -> Text:
        end = task.fields["end"]
        if end is None:
            return Text("left: –")
        left = max(0, round(end - time.monotonic()))
        return Text(f"left: {left // 3600}:{left // 60 % 60:02d}:{left % 60:02d}")


class _Rate(progress.ProgressColumn):
    """Cells computed per minute."""

    def render(self, task: progress.Task) -> Text:
        minutes = (task.elapsed or 0.0) / 60
        computed = task.fields["computed"]
        return Text(f"{computed / minutes:.3g}/min" if computed and minutes else "–/min")


def with_progress(steps: Iterable[Step], total: int, title: str = "") -> Iterator[Step]:
    """The steps, with a bar, the rate and the time left on stderr, or a line a minute.

    Args:
      steps: of a run.
      total: the number of its cells.
      title: what stands before what is done.
    """
    columns = (_Rate(), progress.TimeElapsedColumn(), _TimeLeft())
    with _bar(columns, total, title, end=None, computed=0) as update:
        for step in steps:
            update(
                completed=step.done + step.failed,
                description=f"{title} {step.doing}".strip(),
                computed=step.computed,
                end=None if step.left is None else time.monotonic() + step.left,
            )
            yield step


def with_bar(steps: Iterable[T], names: Sequence[str]) -> Iterator[T]:
    """The steps, with a bar and the time left on stderr, or a line a minute."""
    columns = (
        progress.TimeElapsedColumn(),
        progress.TextColumn("left:"),
        progress.TimeRemainingColumn(),
    )
    with _bar(columns, len(names), names[0]) as update:
        for done, step in enumerate(steps, start=1):
            update(completed=done, description=names[min(done, len(names) - 1)])
            yield step


@contextlib.contextmanager
def saying() -> Iterator[Callable[[str], None]]:
    """What a search says of itself, a line at a time: each on a terminal, else one a minute."""
    console = Console(stderr=True)
    last = ""

    def say(text: str) -> None:
        nonlocal last
        last = text
        if console.is_terminal:
            console.print(Text(text, style="dim"))

    with _lines(lambda: last, console):
        yield say


@contextlib.contextmanager
def _bar(
    columns: Sequence[progress.ProgressColumn], total: int, doing: str, **fields: Any
) -> Iterator[Callable[..., None]]:
    """What updates the one task of a bar, which ends with these columns."""
    console = Console(stderr=True)
    bar = progress.Progress(
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        *columns,
        console=console,
        transient=True,
        disable=not (console.is_terminal and devices.leads()),
    )
    task = bar.add_task(doing, total=total, **fields)
    # Earlier releases of rich end one that is disabled in an empty line.
    shown = contextlib.nullcontext() if bar.disable else bar
    with shown, _lines(lambda: _words(bar.tasks[0]), console):
        yield functools.partial(bar.update, task)


@contextlib.contextmanager
def _lines(words: Callable[[], str], console: Console) -> Iterator[None]:
    """A line a minute where stderr is no terminal: from a thread, as a step may take hours."""
    over = threading.Event()

    def tell() -> None:
        while not over.wait(EVERY):
            streams.say(words())

    if not console.is_terminal and devices.leads():
        threading.Thread(target=tell, daemon=True).start()
    try:
        yield
    finally:
        over.set()


def _words(task: progress.Task) -> str:
    minutes = round((task.elapsed or 0) / 60)
    return f"{task.completed:g} of {task.total:g} done after {minutes} min; {task.description}"
