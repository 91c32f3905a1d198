"""A Dask cluster of this machine: a scheduler and workers as processes of their own."""

import contextlib
import os
import pathlib
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import numpy as np
from reliability.processes import ROOT, group, wait_until

SCHEDULER = "from distributed.cli.dask_scheduler import main; main()"
WORKER = "from distributed.cli.dask_worker import main; main()"
FAILURES = 1  # workers that may die over a task: each takes long to start again
LOCAL = ("--host", "127.0.0.1", "--no-dashboard")

# Cells and draws say where they are computed, and do what a file beside them tells.
MINE = """
import mmap, os, pathlib, time
import jax, numpy as np, pandas as pd
import jax.numpy as jnp
from experiments.figures.figure import Figure
from theory import Deterministic, Parameters, Statement, exceeds, fields, parameter

PLACE = pathlib.Path(__file__).parent

class Setting(Parameters):
    m: int = parameter(4, "normals", low=1)

def sample(key, config):
    return jnp.sort(jax.random.normal(key, (config.m,)))

CLAIM = Deterministic(conclusion=lambda x, config: exceeds(x.sum(), -1e6))
ONE = Statement(id="mine.one", sample=sample, claim=CLAIM, config=Setting())
OTHER = Statement(id="mine.other", sample=sample, claim=CLAIM, config=Setting())

class Settings(Parameters):
    counts: tuple[int, ...] = fields.axis((2, 4, 8, 16), "numbers of draws K")

def compute(settings, cell, key):
    count = cell["K"]
    part = PLACE / f"{count}.part"
    part.write_text(str(os.getpid()))
    part.rename(PLACE / f"{count}.began")
    while (PLACE / f"{count}.wait").exists():
        time.sleep(0.02)
    if (PLACE / "slowly").exists():
        time.sleep(0.2)
    if (PLACE / f"{count}.fill").exists():  # shared memory, which no limit of the process counts
        held = mmap.mmap(-1, 4 * 2**30)
        for start in range(0, len(held), 2**20):
            held[start : start + 2**20] = bytes(2**20)
            time.sleep(0.002)
    if (PLACE / f"{count}.take").exists():
        np.ones(2**29)
    return {"draws": np.asarray(jax.random.normal(jax.random.fold_in(key, count), (count,)))}

def table(settings, results):
    return pd.DataFrame([{"K": cell["K"], "sum": a["draws"].sum()} for cell, a in results])

def draw(settings, table):
    import matplotlib.figure
    return matplotlib.figure.Figure()

def caption(settings, table):
    return "Sums."

FIGURE = Figure(
    name="mine-sums", source="ours", shows="sums", quick=Settings(), paper=Settings(),
    cells=lambda settings: [{"K": count} for count in settings.counts], compute=compute,
    table=table, minutes={},
)
"""


class Cluster:
    """A scheduler, its file, and workers; they end with the context."""

    def __init__(self, folder: pathlib.Path, workers: int, *options: str) -> None:
        self.folder, self.file = folder, folder / "scheduler.json"
        self.scheduler = self._begin(SCHEDULER, "--port", "0", "--scheduler-file", str(self.file))
        wait_until(self.file.exists, 60, "a scheduler")
        self.workers = [self.join(*options) for _ in range(workers)]

    def join(self, *options: str) -> subprocess.Popen:
        """A further worker."""
        always = ("--scheduler-file", str(self.file), "--nthreads", "1")
        return self._begin(WORKER, *always, "--local-directory", str(self.folder), *options)

    def end(self) -> None:
        """Nothing is left."""
        for process in (*self.workers, self.scheduler):
            kill(process)

    def _begin(self, code: str, *arguments: str) -> subprocess.Popen:
        always = {
            "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}",
            "JAX_PLATFORMS": "cpu",
            "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": str(FAILURES),
        }
        with (self.folder / "log.txt").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-W", "ignore", "-c", code, *LOCAL, *arguments],
                env=os.environ | always, stdout=log, stderr=log, cwd=self.folder,
                start_new_session=True,
            )  # fmt: skip


def kill(process: subprocess.Popen) -> None:
    """Ends a process and all that it has started."""
    for pid in group(process.pid):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process.wait()


@contextlib.contextmanager
def cluster(folder: pathlib.Path, workers: int, *options: str) -> Iterator[Cluster]:
    """A cluster whose workers have these options."""
    folder.mkdir(exist_ok=True)
    started = Cluster(folder, workers, *options)
    try:
        yield started
    finally:
        started.end()


def mine(folder: pathlib.Path) -> pathlib.Path:
    """A file with a figure and statements."""
    file = folder / "mine.py"
    file.write_text(MINE)
    return file


def stored(directory: pathlib.Path) -> dict[str, dict[str, tuple[str, bytes]]]:
    """File of a cell → name of an array → its type and bytes."""
    found = {}
    for path in sorted((directory / "cells").glob("*.npz")):
        with np.load(path) as file:
            arrays = {name: file[name] for name in file.files if name != "record"}
        found[path.name] = {name: (a.dtype.str, a.tobytes()) for name, a in arrays.items()}
    return found


def began(folder: pathlib.Path, count: int, but: int = 0) -> int:
    """The process that computes a cell, once it does; another than the one named."""
    file = folder / f"{count}.began"
    end = time.monotonic() + 120
    while not file.exists() or (pid := int(file.read_text())) == but:
        assert time.monotonic() < end, f"no other process than {but} begins with {count}"
        time.sleep(0.02)
    return pid
