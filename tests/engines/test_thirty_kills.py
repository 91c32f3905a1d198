"""Thirty kills of workers, schedulers and commands: no cell is lost or changed."""

import contextlib
import os
import random
import signal
import subprocess
import time
from collections.abc import Iterator

import pytest
from reliability.processes import group, started, wait_until

pytest.importorskip("distributed", reason="Dask is in the extra cluster")

from engines.clusters import Cluster, kill, mine, stored

pytestmark = pytest.mark.slow
COUNTS = ",".join(map(str, range(2, 62)))
VICTIMS = ("worker", "command", "scheduler")


class Run:
    """A command that makes the figure on a cluster, begun again whenever something was killed."""

    def __init__(self, folder):
        self.folder, self.round, self.clusters = folder, 0, 0
        self.cluster: Cluster | None = None
        self.process: subprocess.Popen | None = None
        self.open = contextlib.ExitStack()
        (folder / "slowly").touch()

    @property
    def out(self):
        return self.folder / f"out{self.round}"

    @property
    def cells(self):
        return stored(self.out / "mine-sums.cells")

    def running(self) -> subprocess.Popen:
        """The command, with a cluster of three workers."""
        if self.cluster is None:
            self.clusters += 1
            place = self.folder / f"cluster{self.clusters}"
            place.mkdir()
            self.cluster = Cluster(place, 3)
        if self.process is None or self.process.poll() is not None:
            self.end_of_command((0, None))
            dask = ("--engine", "dask", "--scheduler", str(self.cluster.file))
            line = ("figure", str(self.folder / "mine.py"), "--set", f"counts={COUNTS}", *dask)
            self.process = self.open.enter_context(
                started(*line, "--out", str(self.out), "--resume")
            )
        return self.process

    def end_of_command(self, allowed):
        """Nothing but lines of ours, and a status that is documented."""
        if self.process is None:
            return
        _, err = self.process.communicate(timeout=120)
        assert self.process.returncode in allowed, err
        assert all(line.startswith("widetheory: ") for line in err.splitlines()), err
        self.process = None

    def kill(self, victim):
        process = self.running()
        assert self.cluster is not None
        if victim == "worker":
            nanny = self.rng.choice(self.cluster.workers).pid
            pids = [pid for pid in group(nanny) if pid != nanny]
            for pid in pids[:1]:  # none where the last one is being replaced
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        elif victim == "command":
            process.kill()
            self.end_of_command((-signal.SIGKILL, 0))
        else:
            kill(self.cluster.scheduler)
            self.end_of_command((2, 0))
            self.cluster.end()
            self.cluster = None

    rng = random.Random(20261201)


@contextlib.contextmanager
def ended(run: Run) -> Iterator[Run]:
    try:
        yield run
    finally:
        run.open.close()
        if run.cluster is not None:
            run.cluster.end()


def test_thirty_kills_lose_nothing(tmp_path):
    mine(tmp_path)
    line = ("figure", str(tmp_path / "mine.py"), "--set", f"counts={COUNTS}")
    with started(*line, "--out", str(tmp_path / "alone")) as process:
        process.communicate(timeout=300)
    expected = stored(tmp_path / "alone" / "mine-sums.cells")
    assert len(expected) == 60
    victims = 10 * VICTIMS
    with ended(Run(tmp_path)) as run:
        for victim in run.rng.sample(victims, len(victims)):
            run.running()
            if run.rng.random() < 0.5:  # at start-up and anywhere, or among cells
                time.sleep(run.rng.uniform(0, 8))
            else:
                known = len(run.cells)
                wait_until(lambda n=known: len(run.cells) in {*range(n + 1, 60), 60}, 120, "a cell")
                time.sleep(run.rng.uniform(0, 1))
            before = run.cells
            run.kill(victim)
            assert before.items() <= run.cells.items() <= expected.items()
            if run.cells == expected:  # of a command that has finished: another folder
                run.end_of_command((0, None))
                run.round += 1
        run.running()
        run.end_of_command((0,))
        assert run.cells == expected
