"""Ctrl-C and SIGTERM: a command ends within two seconds, in one line, and leaves no process behind.

Python looks at signals between two of its own instructions only, and one computation of XLA may
take hours. So a thread waits for them too, and ends the process where Python does not.
"""

import contextlib
import gc
import multiprocessing
import multiprocessing.resource_tracker
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

GRACE = 1.0  # seconds that Python has to end by itself
STATUS = {signal.SIGINT: 130, signal.SIGTERM: 143}  # exit statuses, as shells have them

_words: list[Callable[[], str]] = [lambda: "interrupted"]
_line = threading.Lock()  # held from the one line on, in a process that is watched
_watched = threading.Event()


class Terminated(KeyboardInterrupt):
    """What SIGTERM raises."""


@contextlib.contextmanager
def telling(words: Callable[[], str]) -> Iterator[None]:
    """What an interrupt meanwhile says, such as what is stored already; called when it comes."""
    _words.append(words)
    try:
        yield
    except KeyboardInterrupt as error:
        if not error.args:
            error.args = (words(),)
        raise
    finally:
        _words.remove(words)


def tell(error: KeyboardInterrupt) -> int:
    """Prints the one line of an interrupt that Python has seen; returns the exit status."""
    _tell(str(error) or _words[-1]())
    return STATUS[signal.SIGTERM if isinstance(error, Terminated) else signal.SIGINT]


def _tell(words: str) -> None:
    if not _watched.is_set() or _line.acquire(blocking=False):
        print(f"widetheory: {words}", file=sys.stderr, flush=True)


def watch() -> None:
    """Listens to both signals from here on; for the main thread of a process of its own.

    A signal that whoever started the process has it ignore, as `nohup` does, stays ignored.
    """
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    for number in STATUS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _raise)
    _watched.set()
    threading.Thread(target=_wait, args=(reader,), daemon=True).start()


def _raise(number: int, _: Any) -> NoReturn:
    for other in STATUS:  # one is enough: the process is ending
        signal.signal(other, signal.SIG_IGN)
    raise Terminated if number == signal.SIGTERM else KeyboardInterrupt


def _wait(reader: int) -> None:
    """Reads the number of the first signal, and ends the process if it is there after `GRACE`."""
    number = os.read(reader, 1)[0]
    while number not in STATUS:
        number = os.read(reader, 1)[0]
    time.sleep(GRACE)
    if sys.stderr.isatty():
        sys.stderr.write("\x1b[?25h\r\x1b[K")  # the cursor, hidden by the progress bar
    _tell(_words[-1]())
    end(STATUS[signal.Signals(number)])


def end(status: int) -> NoReturn:
    """Ends this process and all that it has started, at once.

    Threads of XLA that still compile would crash the interpreter while it shuts down.
    """
    kill(multiprocessing.active_children())
    gc.collect()  # pools of processes that are done with: their semaphores belong to the system
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def kill(processes: Any) -> None:
    """Ends processes in whatever they are doing."""
    for process in processes:
        process.kill()


@contextlib.contextmanager
def hidden_from_children() -> Iterator[None]:
    """Processes started meanwhile never see Ctrl-C, which a terminal sends to all of a group.

    Each would print a traceback; the process that started them ends them.
    """
    multiprocessing.resource_tracker.ensure_running()  # it unblocks the signal when it starts
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def end_with_parent() -> None:
    """Ends this process of `multiprocessing` when the one that started it ends, even by SIGKILL."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def wait() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()
