"""How long a search may go on, and what it has done."""

import dataclasses
import math
import time
from collections.abc import Callable

import numpy as np

from theory.falsification.candidates import Found


@dataclasses.dataclass
class Budget:
    """Limits and counts.

    Attributes:
      evaluations, until: most candidates, and the time of `time.monotonic` at which it ends.
      spent: evaluations of candidates.  seen: candidates that were looked at.
      tested: those of them that satisfied the hypotheses.
      nearest: smallest margin of the conclusion among these, in medians of its size.
      say: called with a line now and then.
      extra: seconds for making smaller what is found.
    """

    evaluations: float = math.inf
    until: float = math.inf
    say: Callable[[str], None] = lambda text: None
    extra: float = math.inf
    spent: int = 0
    seen: int = 0
    tested: int = 0
    nearest: float = math.inf

    @property
    def over(self) -> bool:
        """Whether the search must end."""
        return self.spent >= self.evaluations or time.monotonic() > self.until

    def note(self, found: Found) -> None:
        """Counts candidates."""
        tested = np.asarray(found.tested)
        self.seen += len(tested)
        self.tested += int(tested.sum())
        if tested.any():
            self.nearest = min(self.nearest, float(np.nanmin(np.asarray(found.margin)[tested])))

    def part(self, share: float) -> "Budget":
        """A budget of its own with a share of this one, and no more than what is left."""
        now = time.monotonic()
        left = max(0, self.evaluations - self.spent)
        most = min(left, math.ceil(share * self.evaluations)) if left < math.inf else math.inf
        until = now + share * (self.until - now) if self.until < math.inf else math.inf
        return Budget(most, until, self.say)

    def add(self, other: "Budget") -> None:
        """Counts what a part of it did."""
        self.spent += other.spent
        self.seen += other.seen
        self.tested += other.tested
        self.nearest = min(self.nearest, other.nearest)
