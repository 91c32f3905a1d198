"""Processes that share calls of one function, and what becomes of a call whose process is killed.

Pipes alone: no semaphores, which need /dev/shm, and none of the threads of a pool.
"""

import multiprocessing
import multiprocessing.resource_tracker
import pickle
import signal
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection, wait
from typing import Any, NamedTuple

from experiments.machine import faults, interrupts

PATIENCE = 5.0  # seconds for which a process that has closed its pipe is waited for


class Lost(NamedTuple):
    """In place of what a call returns: how the process that ran it ended."""

    why: str


class _Worker(NamedTuple):
    process: Any
    connection: Connection


class Pool:
    """Processes for calls of one function; they end with the context, or with this process.

    Attributes:
      begin: called first in every process, before arguments are read there; returns what is called.
        It can be pickled, as what that returns can.
    """

    def __init__(self, jobs: int, begin: Callable[[], Callable[..., Any]]):
        """Starts as many processes; OSError if the system lets none be started."""
        self.begin = begin
        self._workers: list[_Worker] = []
        try:
            for _ in range(jobs):
                self._start()
        except BaseException:
            self._end()
            raise

    def __enter__(self) -> "Pool":
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def results(self, calls: Sequence[tuple[Any, ...]]) -> Iterator[tuple[int, Any]]:
        """What the calls return, as it comes.

        Args:
          calls: arguments, of each call.

        Yields:
          The number of a call, and what the function returned, or `Lost` if the process was killed;
          another takes its place.

        Raises:
          faults.Explained: what a call raised, in words.
        """
        waiting = deque(range(len(calls)))
        running: dict[Any, tuple[_Worker, int]] = {}

        def hand_over(worker: _Worker) -> None:
            if waiting:
                call = waiting.popleft()
                running[worker.connection] = worker, call
                _send(worker, calls[call])

        for worker in tuple(self._workers):
            hand_over(worker)
        while running:
            for connection in wait(list(running)):
                worker, call = running.pop(connection)
                answer = _answer(worker)
                if isinstance(answer, Lost) and waiting:
                    worker = self._start()
                hand_over(worker)
                yield call, answer

    def _start(self) -> _Worker:
        context = multiprocessing.get_context("spawn")
        multiprocessing.resource_tracker.ensure_running()  # it unblocks signals when it starts
        ours, theirs = context.Pipe()
        # As bytes: a worker has to notice its parent's end while it imports what it needs.
        process = context.Process(
            target=_work, args=(theirs, pickle.dumps(self.begin)), daemon=True
        )

        def begin() -> Any:
            process.start()
            return process

        worker = _Worker(interrupts.start(begin), ours)
        theirs.close()
        self._workers.append(worker)
        return worker

    def _end(self) -> None:
        interrupts.kill(worker.process for worker in self._workers)
        for worker in self._workers:
            worker.connection.close()
            worker.process.join(PATIENCE)


def _send(worker: _Worker, call: tuple[Any, ...]) -> None:
    try:
        worker.connection.send_bytes(pickle.dumps(call))
    except OSError:  # it has ended, which its answer will tell
        return


def _answer(worker: _Worker) -> Any:
    try:
        answer = worker.connection.recv()
    except (EOFError, OSError):
        return Lost(_how_it_ended(worker.process))
    if isinstance(answer, faults.Explained):
        raise answer
    return answer


def _how_it_ended(process: Any) -> str:
    process.join(PATIENCE)
    code = process.exitcode
    if code is None or code >= 0:
        return f"its process ended with status {code}"
    remedy = ""
    if -code == signal.SIGKILL:
        remedy = ", most likely for lack of memory; take smaller sizes, fewer draws or --jobs 1"
    return f"its process was killed by {signal.Signals(-code).name}{remedy}"


def _work(connection: Connection, prepared: bytes) -> None:
    """What a process does: answers calls until its parent hangs up, or ends."""
    interrupts.end_with_parent()
    try:
        function = pickle.loads(prepared)()
    except BaseException as error:
        function = _raising(faults.explained(error))
    while True:
        try:
            call = connection.recv_bytes()
        except EOFError:
            return
        try:
            answer = function(*pickle.loads(call))
        except BaseException as error:
            answer = faults.explained(error)
        connection.send(answer)


def _raising(error: faults.Explained) -> Callable[..., Any]:
    def function(*_: object) -> Any:
        raise error

    return function
