"""Ctrl-C, SIGTERM and SIGHUP: a command ends at once, in one line, and leaves no process behind.

Nothing is raised: Python looks at signals between two of its own instructions only, one computation
of XLA may take hours, and an exception within an import is lost or breaks it. A thread waits for
signals and ends the process; what is stored survives that, as it survives `kill -9`.
"""

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NoReturn, TypeVar

from experiments.machine import streams

# Exit statuses, as shells have them.
STATUS = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}
PATIENCE = 1.0  # seconds for a process to be started, or this one to end by itself

_words: list[Callable[[], str]] = [lambda: "interrupted"]
_children: set[Any] = set()
_starting = threading.Lock()
_ending = threading.Lock()  # of who ends the process, and with which status
_watched = threading.Event()

P = TypeVar("P")  # a process: of `multiprocessing` or `subprocess`


@contextlib.contextmanager
def telling(what: Callable[[], str]) -> Iterator[None]:
    """What an interrupt meanwhile says, such as what is stored already; called when it comes."""
    _words.append(what)
    try:
        yield
    finally:
        _words.remove(what)


def words() -> str:
    """What an interrupt says now."""
    try:
        return " ".join(_words[-1]().split())
    except Exception:  # a store that changes while it is counted
        return "interrupted"


def watch() -> None:
    """Listens to the signals from here on; for the main thread of a process of its own.

    A signal that whoever started the process has it ignore, as `nohup` does, stays ignored.
    """
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    for number in STATUS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, lambda *_: None)
    _watched.set()
    threading.Thread(target=_wait, args=(reader,), daemon=True).start()


def watched() -> bool:
    """Whether this process listens to the signals: then none of them raises KeyboardInterrupt."""
    return _watched.is_set()


def leave(status: int) -> NoReturn:
    """Ends a process that is watched, unless an interrupt does, whose status is another."""
    _ending.acquire()
    sys.exit(status)


def _wait(reader: int) -> NoReturn:
    """Reads the numbers of signals, and ends the process at the first that is one of ours."""
    number = os.read(reader, 1)[0]
    while number not in STATUS:
        number = os.read(reader, 1)[0]
    _ending.acquire(timeout=PATIENCE)
    line = f"widetheory: {words()}\n"
    if os.isatty(2):
        line = f"\x1b[?25h\r\x1b[K{line}"  # the cursor, hidden by the progress bar
    # Not through the streams, whose locks the main thread may hold.
    with contextlib.suppress(OSError):
        os.write(2, line.encode(sys.stderr.encoding, streams.IN_ASCII))
    streams.silence(1, 2)  # what else is said while processes end
    _starting.acquire(timeout=PATIENCE)
    kill(tuple(_children))
    os._exit(STATUS[signal.Signals(number)])


def start(begin: Callable[[], P]) -> P:
    """Starts a process that ends with this one, if not by `kill -9`.

    It never sees the signals, which a terminal or a batch system sends to all of a group: this
    process ends it.

    Args:
      begin: starts it and returns it.
    """
    with _starting:
        before = signal.pthread_sigmask(signal.SIG_BLOCK, STATUS)
        try:
            process = begin()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        _children.add(process)
    return process


def kill(processes: Iterable[Any]) -> None:
    """Ends processes in whatever they are doing."""
    for process in processes:
        process.kill()
        _children.discard(process)


def end_with_parent() -> None:
    """Ends this process of `multiprocessing` when the one that started it ends, even by SIGKILL."""
    import multiprocessing

    parent = multiprocessing.parent_process()
    assert parent is not None

    def wait() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()
