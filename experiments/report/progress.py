"""Progress and the time left, on a terminal."""

import time
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

from rich import progress
from rich.console import Console
from rich.text import Text

from experiments.results.cells import Step


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
    """The steps, with a bar, the rate and the time left on stderr where that is a terminal.

    Args:
      steps: of a run.
      total: the number of its cells.
      title: what stands before what is done.
    """
    columns = (
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        _Rate(),
        progress.TimeElapsedColumn(),
        _TimeLeft(),
    )
    console = Console(stderr=True)
    with progress.Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        task = bar.add_task(title, total=total, end=None, computed=0)
        for step in steps:
            end = None if step.left is None else time.monotonic() + step.left
            bar.update(
                task,
                completed=step.done + step.failed,
                description=f"{title} {step.doing}".strip(),
                computed=step.computed,
                end=end,
            )
            yield step


T = TypeVar("T")


def with_bar(steps: Iterable[T], names: Sequence[str]) -> Iterator[T]:
    """The steps, with a bar and the time left on stderr where that is a terminal."""
    from rich import progress
    from rich.console import Console

    from experiments.machine import devices

    columns = (
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        progress.TimeElapsedColumn(),
        progress.TextColumn("left:"),
        progress.TimeRemainingColumn(),
    )
    console = Console(stderr=True)
    with progress.Progress(
        *columns,
        console=console,
        transient=True,
        disable=not (console.is_terminal and devices.leads()),
    ) as bar:
        task = bar.add_task(names[0], total=len(names))
        for done, step in enumerate(steps, start=1):
            bar.update(task, completed=done, description=names[min(done, len(names) - 1)])
            yield step


def say(text: str) -> None:
    """A line about what a search does now, on stderr: each on a terminal, off it none."""
    console = Console(stderr=True)
    if console.is_terminal:
        console.print(Text(text, style="dim"))
