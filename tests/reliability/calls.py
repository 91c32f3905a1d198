"""What workers are given to do: nothing that takes JAX, which each would import."""

import os
import signal
import time
from collections.abc import Callable


def ready() -> Callable[[int], int]:
    """Before the first call."""
    return doubled


def broken() -> Callable[[int], int]:
    """Before the first call, where that fails."""
    raise ValueError("it cannot begin")


def doubled(number: int) -> int:
    """Twice the number; 3 kills the process, 4 ends it, 5 fails and 6 takes long."""
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    if number == 4:
        os._exit(7)
    if number == 5:
        raise ValueError("five is no number")
    if number == 6:
        time.sleep(600)
    return 2 * number


# The first thing that it prints says that its workers are busy: then it may be killed.
BUSY = """
import sys
from experiments.machine import interrupts, streams
from experiments.machine.workers import Pool
from reliability import calls

streams.prepare()
interrupts.watch()
with Pool(2, calls.ready) as pool:
    results = pool.results([(1,), (6,), (6,)])
    print(next(results)[1], flush=True)
    for _ in results:
        pass
interrupts.leave(0)
"""
