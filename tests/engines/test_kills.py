"""Workers, schedulers and commands that are killed: nothing is lost, and one line says so."""

import contextlib
import os
import re
import signal

import pytest
from reliability.processes import started, wait_until

pytest.importorskip("distributed", reason="Dask is in the extra cluster")

from engines.clusters import began, cluster, mine, stored

pytestmark = pytest.mark.slow
LIMIT = ("--memory-limit", "2GiB")
ENDED = (0, "")  # status, and what was said


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    """The cells of the figure, of this process alone."""
    return figure_of(tmp_path_factory.mktemp("alone"), "2,4,8,16")


@pytest.fixture
def folder(tmp_path):
    mine(tmp_path)
    return tmp_path


def figure_of(folder, counts, *options):
    """The cells that a command computes by itself."""
    mine(folder)
    with command(folder, counts, *options) as process:
        _, err = process.communicate(timeout=300)
    assert (process.returncode, err) == ENDED
    return stored(folder / "out" / "mine-sums.cells")


@contextlib.contextmanager
def command(folder, counts="2,4,8,16", *options):
    """The figure of these counts, made in a process of its own."""
    arguments = ("figure", str(folder / "mine.py"), "--set", f"counts={counts}")
    with started(*arguments, "--out", str(folder / "out"), "--resume", *options) as process:
        yield process


def on(scheduler):
    return "--engine", "dask", "--scheduler", str(scheduler)


def end_of(process):
    """Status and what was said of a command that was left alone."""
    _, err = process.communicate(timeout=300)
    return process.returncode, err


def cells(folder):
    return stored(folder / "out" / "mine-sums.cells")


@pytest.mark.parametrize("count", [1, 2, 3])
def test_workers_compute_the_same_bits(count, folder, expected):
    with (
        cluster(folder, count) as started,
        command(folder, "2,4,8,16", *on(started.file)) as process,
    ):
        assert end_of(process) == ENDED
    assert cells(folder) == expected


def test_a_statement_of_the_registry_is_the_same_bits(tmp_path):
    grid = ("--grid", "T=0.1,0.2,0.3", "--draws", "10", "--memory", "1", "--json")
    arguments = ("sweep", "lazy.dynamics", *grid)
    with cluster(tmp_path, 2) as dask:
        engines = {"one": (), "jobs": ("--jobs", "2"), "dask": on(dask.file)}
        for name, engine in engines.items():
            with started(*arguments, *engine, "--out", str(tmp_path / name)) as process:
                process.communicate(timeout=600)
            assert process.returncode in (0, 1)
    one, jobs, dask = (stored(tmp_path / name) for name in engines)
    assert len(one) == 3
    assert one == jobs == dask


def test_a_worker_killed_in_a_cell(folder, expected):
    (folder / "8.wait").touch()
    with cluster(folder, 2) as dask, command(folder, "2,4,8,16", *on(dask.file)) as process:
        pid = began(folder, 8)
        os.kill(pid, signal.SIGKILL)
        began(folder, 8, but=pid)
        (folder / "8.wait").unlink()
        status, err = end_of(process)
    assert status == 0
    assert re.fullmatch(
        "widetheory: the worker at .* has died with .*tasks?, to be tried again elsewhere\n", err
    )
    assert cells(folder) == expected


def test_the_scheduler_lost_and_another_begun(folder, expected):
    (folder / "8.wait").touch()
    with cluster(folder, 1) as dask, command(folder, "2,4,8,16", *on(dask.file)) as process:
        began(folder, 8)
        wait_until(lambda: len(cells(folder)) == 2, 60, "two cells are stored")
        dask.end()
        status, err = end_of(process)
    assert status == 2
    assert re.fullmatch(
        r"widetheory: the scheduler at .* is gone: interrupted; the 2 finished cells of 4 .*\n", err
    )
    assert len(cells(folder)) == 2
    (folder / "8.wait").unlink()
    with cluster(folder / "new", 1) as dask, command(folder, "2,4,8,16", *on(dask.file)) as process:
        assert end_of(process) == ENDED
    assert cells(folder) == expected


def test_the_command_killed_and_resumed(folder, expected):
    (folder / "8.wait").touch()
    with cluster(folder, 1) as dask:
        with command(folder, "2,4,8,16", *on(dask.file)) as process:
            began(folder, 8)
            wait_until(lambda: len(cells(folder)) == 2, 60, "two cells are stored")
            process.kill()
            process.communicate()
        before = cells(folder)
        (folder / "8.wait").unlink()
        with command(folder, "2,4,8,16", *on(dask.file)) as process:
            assert end_of(process) == ENDED
    assert len(before) == 2
    assert cells(folder) == expected


def test_ctrl_c_is_one_line(folder):
    (folder / "8.wait").touch()
    with cluster(folder, 1) as dask, command(folder, "2,4,8,16", *on(dask.file)) as process:
        began(folder, 8)
        wait_until(lambda: len(cells(folder)) == 2, 60, "two cells are stored")
        process.send_signal(signal.SIGINT)
        status, err = end_of(process)
    assert status == 130
    assert re.fullmatch("widetheory: interrupted; the 2 finished cells of 4 .*--resume\n", err)


@pytest.mark.parametrize(
    ("what", "why"),
    [
        ("take", "MemoryError: "),  # more than the worker has, in one piece: asked for, and refused
        ("fill", "Lost: 2 workers died over it, one after the other"),
    ],
)
def test_a_cell_that_takes_more_memory_than_its_worker_has(what, why, folder, expected):
    (folder / f"8.{what}").touch()
    with cluster(folder, 1, *LIMIT) as dask:
        with command(folder, "2,4,8,16", *on(dask.file)) as process:
            status, err = end_of(process)
        *_, last = err.splitlines()
        assert status == 2
        assert re.match(
            rf"widetheory: mine-sums is not drawn, 1 of its cells failed, .* K = 8, by {why}", last
        )
        assert len(cells(folder)) == 3
        (folder / f"8.{what}").unlink()
        with command(folder, "2,4,8,16", *on(dask.file)) as process:
            assert end_of(process) == ENDED
    assert cells(folder) == expected


def test_memory_and_devices_that_workers_declare(folder, expected):
    """Each call goes to a worker that has what it needs, or one line says that none has."""
    with cluster(folder, 1) as dask:
        dask.workers.append(dask.join("--resources", "GPU=1"))
        wait_until(lambda: (folder / "log.txt").read_text().count("Registered to") == 2, 60, "two")
        with command(folder, "2,4,8,16", *on(dask.file)) as process:
            assert end_of(process) == ENDED
        assert len({began(folder, count) for count in (2, 4, 8, 16)}) == 1
        sweep = ("sweep", f"{folder / 'mine.py'}:mine.one", "--grid", "m=4", "--out")
        little, much = (folder / name for name in ("little", "much"))
        dask.workers.append(dask.join("--resources", "GPU=1 MEMORY=2e9"))
        wait_until(
            lambda: (folder / "log.txt").read_text().count("Registered to") == 3, 60, "three"
        )
        with started(*sweep, str(little), "--memory", "1", *on(dask.file)) as process:
            assert end_of(process) == ENDED
        with started(*sweep, str(much), "--memory", "3", *on(dask.file)) as process:
            status, err = end_of(process)
    assert status == 2
    assert re.fullmatch("widetheory: --scheduler .*: no worker declares what a cell needs.*\n", err)
    assert cells(folder) == expected
