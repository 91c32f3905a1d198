"""The engine of one machine: processes that this one starts."""

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

from experiments.engines.work import Work
from experiments.files import writing
from experiments.machine import streams
from experiments.machine.workers import Pool


@dataclasses.dataclass(frozen=True)
class Local:
    """So many processes, and this one alone where the system lets none be started."""

    sharing: int
    elsewhere: bool = False

    def results(self, work: Work, calls: Sequence[tuple[Any, ...]]) -> Iterator[tuple[int, Any]]:
        """As every engine's."""
        try:
            pool = Pool(min(self.sharing, len(calls)), work.begin)
        except OSError as error:
            why = writing.why(error)
            streams.say(f"one process does all: others cannot be started ({why})")
            function = work.begin()
            yield from ((number, function(*call)) for number, call in enumerate(calls))
            return
        with pool:
            yield from pool.results(calls)
