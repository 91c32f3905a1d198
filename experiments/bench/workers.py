"""Timing against itself: one sweep by two workers of Dask against one worker."""

import contextlib
import os
import pathlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence

from experiments.bench import rows
from experiments.bench.rows import Options, Row
from experiments.bench.scaling import SWEEP, on_core
from experiments.engines import cluster
from experiments.machine import interrupts

ROOT = pathlib.Path(__file__).parent.parent.parent
SCHEDULER = "from distributed.cli.dask_scheduler import main; main()"
WORKER = "from distributed.cli.dask_worker import main; main()"
COMMAND = "from widetheory import entry; entry()"
LOCAL = ("--host", "127.0.0.1", "--no-dashboard")


def two_workers(options: Options) -> Iterator[Row]:
    """200 cells by two workers with a core each against one worker with a core."""
    cluster.check_installed()
    cells, draws = (6, 20) if options.quick else (200, 200)
    available = sorted(os.sched_getaffinity(0))
    if len(available) < 2:
        raise ValueError(f"two-workers must have two cores to run on, got {len(available)}")
    alone, together = (_sweep_seconds(available[:k], cells, draws) for k in (1, 2))
    yield rows.from_rounds(
        "two-workers",
        f"sweep {SWEEP}, {cells} cells of {draws} draws, by workers of Dask, a core each",
        "one worker, one core",
        ours=[together],
        reference=[alone],
        target=None if options.quick else 1.6,
        compile=0.0,
        remarks=(
            "each worker compiles once, which is in the time; the command and the scheduler take "
            "part of the same cores",
        ),
    )


def _sweep_seconds(cores: Sequence[int], cells: int, draws: int) -> float:
    """Seconds that a sweep takes with a worker on each of these cores, which wait for it."""
    times = ",".join(str(1 + index / cells) for index in range(cells))
    with tempfile.TemporaryDirectory() as directory, contextlib.ExitStack() as stack:
        folder = pathlib.Path(directory)
        file = folder / "scheduler.json"
        begun = ["--scheduler-file", str(file)]
        stack.enter_context(_process(folder, SCHEDULER, *LOCAL, "--port", "0", *begun))
        for core in cores:
            with on_core(core):  # a child runs where the thread that starts it runs
                stack.enter_context(
                    _process(folder, WORKER, *LOCAL, *begun, "--nthreads", "1", "--no-nanny")
                )
        _wait_for(folder, len(cores))
        start = time.perf_counter()
        line = ("sweep", SWEEP, "--grid", f"T={times}", "--draws", str(draws), "--json")
        dask = ("--engine", "dask", "--scheduler", str(file), "--memory", "2")
        with _process(folder, COMMAND, *line, *dask, "--out", str(folder / "sweep")) as command:
            status = command.wait()
        taken = time.perf_counter() - start
        if status not in (0, 1):  # 1: a statement was refuted, which is no failure here
            raise RuntimeError(f"the sweep failed: {_said(folder)[-500:]}")
        return taken


def _said(folder: pathlib.Path) -> str:
    return (folder / "log.txt").read_text(errors="replace")


def _wait_for(folder: pathlib.Path, workers: int) -> None:
    """RuntimeError unless so many workers have joined within a minute."""
    end = time.monotonic() + 60
    while _said(folder).count("Registered to") < workers:
        if time.monotonic() > end:
            raise RuntimeError(f"no {workers} workers within 60 s: {_said(folder)[-500:]}")
        time.sleep(0.1)


@contextlib.contextmanager
def _process(folder: pathlib.Path, code: str, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """Python in a process of its own, which does not outlive the context."""
    environ = os.environ | {"PYTHONPATH": str(ROOT), "JAX_PLATFORMS": "cpu"}
    with (folder / "log.txt").open("ab") as log:
        child = interrupts.start(
            lambda: subprocess.Popen(
                [sys.executable, "-W", "ignore", "-c", code, *arguments],
                env=environ, stdout=subprocess.DEVNULL, stderr=log, cwd=folder,
            )
        )  # fmt: skip
    try:
        yield child
    finally:
        interrupts.kill([child])
