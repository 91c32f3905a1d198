"""What an engine runs: calls of one function, which every process that takes part makes once."""

import pickle
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple, Protocol

from experiments.machine import environment
from experiments.settings.references import load


class Work(NamedTuple):
    """A function that other processes can make; it can be pickled, the function need not be.

    Attributes:
      precision: what `environment.configure` takes.
      references: files and modules of the user's, imported before `make` is read.
      make: () → the function, pickled. It may hold values of classes that those define.
    """

    precision: str
    references: tuple[str, ...]
    make: bytes

    @classmethod
    def of(cls, make: Callable[[], Callable[..., Any]], references: Iterable[str]) -> "Work":
        """The work of this process, in its own precision; "" among the references is none."""
        named = tuple(sorted({reference for reference in references if reference}))
        return cls(environment.configured(), named, pickle.dumps(make))

    def begin(self) -> Callable[..., Any]:
        """The function, in a process that computes from here on as the one that asked for it."""
        from experiments.machine import compiled_programs  # here, as it is no part of any result

        environment.configure(self.precision)
        for reference in self.references:
            load(reference)
        function = pickle.loads(self.make)()

        def call(*arguments: Any) -> Any:
            answer = function(*arguments)
            compiled_programs.hand_on()  # now, as the process may be killed when nothing is left
            return answer

        return call


class Engine(Protocol):
    """Something that runs calls."""

    @property
    def sharing(self) -> int:
        """How many of its processes share the memory of this machine."""
        ...

    @property
    def elsewhere(self) -> bool:
        """Whether other machines, with other code perhaps, may take part."""
        ...

    def results(self, work: Work, calls: Sequence[tuple[Any, ...]]) -> Iterator[tuple[int, Any]]:
        """Number of a call and what it returned, as they come; `workers.Lost` if its process died.

        Raises:
          faults.Explained: what a call raised, in words, or why nothing can run any more.
        """
        ...


def in_order(results: Iterable[tuple[int, Any]]) -> Iterator[Any]:
    """What the calls returned, in the order of the calls."""
    waiting: dict[int, Any] = {}
    following = 0
    for number, answer in results:
        waiting[number] = answer
        while following in waiting:
            yield waiting.pop(following)
            following += 1
