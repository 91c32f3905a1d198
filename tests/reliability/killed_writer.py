"""A process whose children store cells, and are killed in the middle of it.

python3 -m reliability.killed_writer DIR SEED KILLS

The sweep is of cells that take no time, so that nearly every moment is one of the write path. Half
of the children are killed after a random time, the others at a line of what writes, counted out at
random. Prints, as JSON, what was computed and stored at each kill.
"""

import contextlib
import functools
import json
import os
import pathlib
import random
import signal
import sys
import time
from collections.abc import Callable

import numpy as np
import store_toys

from experiments.results import cells, store, tables
from experiments.results.cells import Computed

LINES = 6_000  # of Python, for some cells
LONGEST = 0.05  # seconds until a kill
CELLS = 8  # for each kill, more than a child writes


def manifest(count: int) -> dict:
    """Of a sweep of so many cells."""
    axis = {"values": list(range(count)), "unit": "1", "says": "number"}
    return store_toys.MANIFEST | {"grid": {"m": axis}}


def arrays(cell) -> dict[str, np.ndarray]:
    """What a cell holds, and no other does."""
    return {"allowed": np.arange(3.0) + cell["m"]}


def write_all(directory: pathlib.Path, ledger: pathlib.Path, count: int) -> None:
    """Computes what is missing, each cell noted in the ledger when its computation begins."""
    place = store.begin(directory, manifest(count), resume=True)

    def compute(cell) -> Computed:
        with ledger.open("a") as file:
            file.write(f"{cell['m']}\n")
        return Computed(arrays(cell), {k: v for k, v in store_toys.RECORD.items() if k != "cell"})

    for _ in cells.compute_missing(place, compute, {place.name(c): 1.0 for c in place.cells()}):
        pass
    tables.write(place)


def die_at(number: int) -> None:
    """The process kills itself at the `number`-th line that it runs while it writes cells."""
    left, write = number, store.Store.write_cell

    def trace(frame, event, argument):
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return trace

    def traced(*arguments) -> None:
        sys.settrace(trace)
        write(*arguments)
        sys.settrace(None)

    store.Store.write_cell = traced  # pyright: ignore[reportAttributeAccessIssue]


def killed(write: Callable[[], None], pick: random.Random) -> bool:
    """Whether a child was killed before it had written everything."""
    counted, number = pick.random() < 0.5, pick.randrange(1, LINES)
    if (child := os.fork()) == 0:
        if counted:
            die_at(number)
        write()
        os._exit(0)
    if not counted:
        time.sleep(LONGEST * pick.random())
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL


def main(directory: pathlib.Path, seed: int, kills: int) -> None:
    """Kills as many children, then lets one finish."""
    pick, ledger = random.Random(seed), directory.with_suffix(".ledger")
    history = []
    write = functools.partial(write_all, directory, ledger, CELLS * kills)
    while len(history) < kills and killed(write, pick):
        files = {p.name: p.stat().st_mtime_ns for p in directory.glob("cells/[!.]*")}
        computed = ledger.read_text().split() if ledger.exists() else []
        history.append({"files": files, "computed": computed})
    write()
    print(json.dumps({"history": history, "computed": ledger.read_text().split()}))


if __name__ == "__main__":
    cells.environment.describe = dict  # of the machine; JAX would start it anew in every child
    main(pathlib.Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
