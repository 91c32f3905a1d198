"""A real worker computes what this process does, bit by bit; options that do not go together."""

import json
import re
import subprocess
import sys

import pytest
from precision import restored
from reliability.processes import ROOT

from experiments.command import main
from experiments.engines import remote

pytest.importorskip("distributed", reason="Dask is in the extra cluster")

from engines.clusters import cluster, mine, stored


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with the user's file, and a cluster of one worker in it."""
    folder = tmp_path_factory.mktemp("cluster")
    mine(folder)
    with cluster(folder, 1, "--memory-limit", "3GiB") as started, restored():
        yield folder, ("--engine", "dask", "--scheduler", str(started.file))


def run(*arguments: object) -> None:
    assert main.main([str(argument) for argument in arguments]) == 0


def test_sweep_figure_and_verify_are_the_same_bits_on_a_worker(place, capsys):
    folder, engine = place
    file = folder / "mine.py"
    sweep = (
        "sweep",
        f"{file}:mine.one",
        "--grid",
        "m=4,8,16",
        "--draws",
        8,
        "--memory",
        1,
        "--json",
    )
    figure = ("figure", file, "--precision", "float64", "--json")
    verify = ("verify", file, "--draws", 8, "--json")
    verdicts = []
    for out, how in (("here", ("--jobs", 1)), ("there", engine)):
        run(*sweep, *how, "--out", folder / out / "sweep")
        run(*figure, *how, "--out", folder / out)
        capsys.readouterr()
        run(*verify, *how)
        verdicts.append(json.loads(capsys.readouterr().out)["statements"])
    for part, count in (("sweep", 3), ("mine-sums.cells", 4)):
        here, there = (stored(folder / out / part) for out in ("here", "there"))
        assert here == there
        assert len(here) == count
    here, there = (
        [{k: v for k, v in one.items() if k != "seconds"} for one in v] for v in verdicts
    )
    assert here == there
    assert [one["id"] for one in here] == ["mine.one", "mine.other"]


def test_a_worker_that_has_other_code_is_refused(place, capsys, monkeypatch):
    """The command takes the file for another than the worker read when it began."""
    folder, engine = place
    other = {"sha256": "other"}
    monkeypatch.setattr("experiments.verify.running.code_version", lambda modules: other)
    assert main.main(["verify", f"{folder / 'mine.py'}:mine.one", "--draws", "8", *engine]) == 2
    said = capsys.readouterr().err
    assert re.fullmatch(
        "widetheory: the worker on .* would compute something else: it must have the same code, "
        "packages and data as the command; command → worker: sha256: other → .*\n",
        said,
    )


DASK = ("--engine", "dask")
SWEEP = ("sweep", "lazy.movement", "--grid", "m=8", "--out", "never")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((*SWEEP, *DASK), "--engine dask needs --scheduler"),
        ((*SWEEP, "--scheduler", "a:1"), "--scheduler must be left out with --engine local"),
        ((*SWEEP, *DASK, "--scheduler", "a:1", "--jobs", "2"), "--jobs must be left out with"),
        ((*SWEEP, *DASK, "--scheduler", "a:1", "--devices", "1"), "--devices must be left out"),
        ((*SWEEP, "--jobs", "0"), "--jobs must be"),
        (("figure", "all", "--jobs", "0"), "--jobs must be"),
        (("verify", *DASK, "--scheduler", "a:1", "--distributed"), "--distributed must be left"),
    ],
)
def test_options_that_do_not_go_together(arguments, says, capsys, restore_precision):
    assert main.main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"widetheory: {says}")
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("scheduler", "why"),
    [("127.0.0.1:1", "no scheduler answers there"), ("nothing", "no scheduler answers there")],
)
def test_no_scheduler_is_one_line(scheduler, why, capsys, monkeypatch, tmp_path, restore_precision):
    monkeypatch.setattr("experiments.engines.cluster.CONNECT", 0.2)
    monkeypatch.chdir(tmp_path)
    assert main.main(["sweep", *SWEEP[1:], *DASK, "--scheduler", scheduler]) == 2
    err = capsys.readouterr().err
    assert err.startswith(f"widetheory: --scheduler {scheduler}: {why}")
    assert err.count("\n") == 1


def test_without_dask_one_line_says_where_it_is(capsys, monkeypatch, restore_precision):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert main.main([*SWEEP, *DASK, "--scheduler", "a:1"]) == 2
    assert "Dask, which is in the extra cluster" in capsys.readouterr().err


def test_the_scheduler_imports_no_jax_and_a_command_no_dask_unasked():
    code = (
        f"import sys, {remote.__name__}; assert 'jax' not in sys.modules\n"
        "from experiments.command.main import main; main(['sweep', '--help'])\n"
        "assert not {'dask', 'distributed'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
