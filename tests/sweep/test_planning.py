"""Sweeps by the command, on cheap statements: killed, gone on with, shared, failing, refused."""

import dataclasses
import errno
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import time

import jax
import numpy as np
import pandas as pd
import pytest
import sweep_toys
from untyped import known

from experiments.command import main
from experiments.machine import environment, interrupts
from experiments.results import cells as stored
from experiments.results import code_version, dataset, records, store
from experiments.results.records import plain
from experiments.sweep import planning
from experiments.verify import running
from theory.verification.evaluation import evaluate
from theory.verification.verify import verify

ROOT = pathlib.Path(__file__).parent.parent.parent


@pytest.fixture(autouse=True)
def toys(monkeypatch, restore_precision):
    sweep_toys.install(monkeypatch.setattr)


def run(capsys, *arguments: str) -> tuple[int, str, str]:
    status = main.main(["sweep", *arguments])
    out, err = capsys.readouterr()
    return status, out, err


def as_json(capsys, *arguments: str):
    status, out, err = run(capsys, *arguments, "--json")
    return status, json.loads(out), err


def child(*arguments: str) -> subprocess.Popen:
    paths = os.pathsep.join((str(ROOT), str(ROOT / "tests")))
    return subprocess.Popen(
        [sys.executable, "-m", "sweep_toys", "sweep", *arguments],
        env=os.environ | {"PYTHONPATH": paths},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def cells(directory: pathlib.Path) -> dict[str, tuple[bytes, int]]:
    found = (directory / "cells").glob("[!.]*.npz")
    return {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in found}


def arrays(directory: pathlib.Path) -> dict[str, dict[str, np.ndarray]]:
    place = store.open_store(directory)
    return {name: place.read(name).arrays for name in place.finished()}


def assert_same(first, second):
    assert first.keys() == second.keys()
    for name, values in first.items():
        assert values.keys() == second[name].keys()
        for part, array in values.items():
            np.testing.assert_array_equal(array, second[name][part], err_msg=f"{name} {part}")


GRID = ("toy.tail", "--grid", "m=8,16", "--grid", "law=normal,uniform")


def test_a_sweep_from_command_to_data_set(capsys, tmp_path):
    status, result, err = as_json(capsys, *GRID, "--out", str(tmp_path), "--seed", "3")
    assert (status, err) == (0, "")  # no terminal, no progress bar
    assert (result["unfinished"], result["failed"]) == (0, [])
    assert [entry["cell"] for entry in result["cells"]] == [
        {"m": m, "law": law} for m in (8, 16) for law in ("normal", "uniform")
    ]
    assert result["sweep"]["grid"]["m"] == {
        "values": [8, 16], "unit": "neurons", "says": "normals",
    }  # fmt: skip
    assert {entry["verdict"]["level"] for entry in result["cells"]} == {0.01 / 4}
    data = dataset.open_sweep(tmp_path)
    assert (data.status == "finished").all()
    # each cell is the run of `verify` with the same settings
    key = running.run_key(sweep_toys.TAIL, 3)
    config = sweep_toys.Setting(m=16, law="uniform")
    evidence = evaluate(sweep_toys.TAIL, key, 40, config)
    cell = data.sel(m=16, law="uniform")
    np.testing.assert_array_equal(cell.conclusion_value, known(evidence.conclusion).value)
    np.testing.assert_array_equal(cell.conclusion_ratio, known(evidence.conclusion).ratio)
    np.testing.assert_array_equal(cell.constant, evidence.constant)
    np.testing.assert_array_equal(cell.allowed, evidence.allowed)
    np.testing.assert_array_equal(
        cell.sel(measured="positive").measured_error, evidence.measured["positive"].error
    )
    expected = verify(sweep_toys.TAIL, key=key, draws=40, config=config, level=0.01 / 4)
    assert records.verdict_of(store.open_store(tmp_path).read("m=16,law=uniform").record) == (
        expected
    )
    tables = pd.read_csv(tmp_path / "cells.csv"), pd.read_parquet(tmp_path / "cells.parquet")
    for table in tables:
        assert table.m.tolist() == [8, 8, 16, 16]
        assert table.failure_rate_observed.to_numpy()[3] == known(expected.failure_rate).observed
    # what a killed sweep leaves: its cells, which are exported without computing anything
    written = (tmp_path / "cells.csv").read_bytes()
    (tmp_path / "cells.csv").unlink()
    (tmp_path / "cells" / "m=16,law=uniform.npz").unlink()
    status, exported, err = as_json(capsys, "--export", "--out", str(tmp_path))
    assert (status, err, exported["unfinished"]) == (0, "", 1)
    assert exported["cells"] == result["cells"][:3]
    assert (tmp_path / "cells.csv").read_bytes().splitlines() == written.splitlines()[:4]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--export", "toy.tail"), "--export must stand without ID and --grid"),
        (("--export", "--grid", "m=8"), "--export must stand without ID and --grid"),
        (("--export",), "holds no sweep"),
        ((), "ID must be a statement"),
    ],
)
def test_export_takes_what_is_stored(capsys, tmp_path, arguments, says):
    status, out, err = run(capsys, *arguments, "--out", str(tmp_path))
    assert (status, out) == (2, "")
    assert says in err


def test_claims_scales_and_a_solver(capsys, tmp_path):
    status, out, _ = run(capsys, "toy.rates", "--grid", "m=8,16", "--out", str(tmp_path))
    assert status == 0
    assert "half = −0.5" in out
    assert "one = −1" in out
    data = dataset.open_sweep(tmp_path)
    assert data.quantity.dims == ("m", "draw", "claim", "scale_index")
    assert data.claim.values.tolist() == ["half", "one"]
    assert (abs(data.estimate - data.claimed) < 0.1).all()
    np.testing.assert_array_equal(data.scales.sel(m=16), sweep_toys.SCALES)
    assert pd.read_csv(tmp_path / "cells.csv").claim_2.tolist() == ["one", "one"]


# --- nothing is lost ------------------------------------------------------------------------------

MANY = ("toy.tail", "--grid", "m=4:7:+1", "--grid", "law=normal,uniform")


def test_a_killed_sweep_is_gone_on_with_as_if_it_had_not_been(capsys, tmp_path):
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    process = child(*MANY, "--out", str(killed))
    deadline = time.monotonic() + 120
    while len(list((killed / "cells").glob("[!.]*"))) < 2:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    before = cells(killed)
    assert 2 <= len(before) < 8
    (killed / "cells" / ".m=7,law=uniform.npz.partial").write_bytes(b"half")  # as a kill may leave
    assert run(capsys, *MANY, "--out", str(killed), "--resume")[0] == 0
    after = cells(killed)
    assert len(after) == 8
    assert {name: after[name] for name in before} == before
    assert not list((killed / "cells").glob(".*"))
    assert run(capsys, *MANY, "--out", str(whole))[0] == 0
    assert_same(arrays(killed), arrays(whole))


@pytest.mark.slow
def test_two_processes_share_a_sweep(tmp_path):
    processes = [child(*MANY, "--out", str(tmp_path), "--resume", "--json") for _ in range(2)]
    outputs = [process.communicate(timeout=300) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], outputs
    results = [json.loads(out) for out, _ in outputs]
    assert results[0] == results[1]
    assert len(results[0]["cells"]) == 8


def test_a_cell_that_another_process_has_is_left_to_it_and_waited_for(tmp_path, monkeypatch):
    """The other process finishes one cell, fails in one, and dies over the third."""
    computed = []
    compute = planning._compute

    def counting(planned, programs, cell, *rest):
        computed.append(f"m={cell['m']}")
        return compute(planned, programs, cell, *rest)

    planned = planning.plan_sweep("toy.tail", ["m=8,16,32,64"])
    place = store.begin(tmp_path, planned.manifest(), resume=False)
    taken = [place.claim(f"m={m}") for m in (8, 16, 32)]
    for claim in taken:
        assert claim.__enter__()

    def other(_):
        theirs = compute(planned, planning.Programs(planned), {"m": 8}, None, None)
        common = {"cell": {"m": 8}, "seconds": 1.0, "environment": {}}
        place.write_cell("m=8", theirs.arrays, common | theirs.record)
        place.write_failure("m=16", {"cell": {"m": 16}, "error": "MemoryError: theirs"})
        for claim in taken:
            claim.__exit__(None, None, None)

    monkeypatch.setattr(planning, "_compute", counting)
    monkeypatch.setattr(stored.time, "sleep", other)
    steps = list(planning.run(planned, place))
    assert computed == ["m=64", "m=32"]
    assert any("waiting for 3 of other processes" in step.doing for step in steps)
    assert (steps[-1].done, steps[-1].failed, steps[-1].computed) == (3, 1, 2)
    assert place.failures().keys() == {"m=16"}


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES])
def test_a_full_disk_stops_the_sweep_and_loses_nothing(capsys, tmp_path, monkeypatch, number):
    savez, saved = np.savez, []

    def full(file, **content):
        if len(saved) == 2:
            raise OSError(number, os.strerror(number))
        saved.append(1)
        savez(file, **content)

    with monkeypatch.context() as patch:
        patch.setattr(np, "savez", full)
        status, out, err = run(capsys, *GRID, "--out", str(tmp_path))
    assert (status, out) == (2, "")
    assert re.fullmatch(
        rf"widetheory: .* cannot be written \({os.strerror(number)}\); the finished cells, 2, are "
        "safe: mend that and go on with --resume\n",
        err,
    )
    assert not list((tmp_path / "failed").iterdir())
    before = cells(tmp_path)
    status, result, _ = as_json(capsys, *GRID, "--out", str(tmp_path), "--resume")
    assert (status, len(result["cells"])) == (0, 4)
    assert {name: cells(tmp_path)[name] for name in before} == before


def test_an_interrupted_sweep_says_how_to_go_on(capsys, tmp_path, monkeypatch):
    compute, computed, said = planning._compute, [], []

    def interrupted(*arguments):
        if computed:
            said.append(interrupts.words())
            raise KeyboardInterrupt
        computed.append(compute(*arguments))
        return computed[-1]

    monkeypatch.setattr(planning, "_compute", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(capsys, *GRID, "--out", str(tmp_path))
    where = f"safe in {tmp_path}: go on with --resume"
    assert said == [f"interrupted; the 1 finished cell of 4 is {where}"]
    assert interrupts.words() == "interrupted"


def test_cells_of_one_shape_are_compiled_once(capsys, tmp_path, monkeypatch):
    """Values are arguments; shapes come one after the other, and are forgotten when many."""
    ran = []

    def traced(self, cell, config, original=planning.Programs.traced):
        ran.append((cell["m"], cell["shift"], original(self, cell, config)))
        return ran[-1][-1]

    monkeypatch.setattr(planning.Programs, "traced", traced)
    cleared = []
    monkeypatch.setattr(planning.jax, "clear_caches", lambda: cleared.append(len(ran)))
    monkeypatch.setattr(planning, "CLEAR_EVERY", 2)
    grid = ("toy.tail", "--grid", "shift=0,1,2", "--grid", "m=8,16,32", "--out", str(tmp_path))
    compiled = []
    jax.monitoring.register_event_duration_secs_listener(
        lambda event, *_, **__: compiled.append(len(ran)) if "backend_compile" in event else None
    )
    try:
        status, result, _ = as_json(capsys, *grid)
    finally:
        jax.monitoring.clear_event_listeners()
    assert status == 0
    assert ran == [(m, shift, ("shift",)) for m in (8, 16, 32) for shift in (0.0, 1.0, 2.0)]
    # Only the first cell of each width compiles (jax.random.key compiles before the first).
    assert {cell for cell in compiled if cell} == {1, 4, 7}
    assert cleared == [6]
    key = running.run_key(sweep_toys.TAIL, 0)
    for entry in result["cells"][:2]:
        config = dataclasses.replace(sweep_toys.TAIL.config, **entry["cell"])
        expected = verify(sweep_toys.TAIL, key=key, draws=40, config=config)
        assert entry["verdict"]["outcomes"] == plain(expected)["outcomes"]
    assert store.open_store(tmp_path).read("shift=0.0,m=8").record["traced"] == ["shift"]


# --- cells that fail ------------------------------------------------------------------------------


def test_a_failing_cell_is_recorded_the_others_go_on_and_it_is_tried_again(
    capsys, tmp_path, monkeypatch
):
    grid = ("toy.tail", "--grid", "k=9,2,1", "--set", "m=8", "--out", str(tmp_path))
    fit = planning.largest_batch

    def short_of_memory(statement, key, draws, config, **named):
        if config.k == 2:
            raise MemoryError("for now")
        return fit(statement, key, draws, config, **named)

    with monkeypatch.context() as patch:
        patch.setattr(planning, "largest_batch", short_of_memory)
        status, out, err = run(capsys, *grid)
    assert status == 2
    assert "k=9 failed: ValueError: k must be at most m = 8, got 9" in " ".join(out.split())
    assert re.fullmatch(r"widetheory: 2 of 3 cells failed, see .*failed\n", err)
    failed = tmp_path / "failed"
    record = json.loads((failed / "k=9.json").read_text())
    assert record["cell"] == {"k": 9}
    assert "sweep_toys.py" in record["traceback"]
    before = cells(tmp_path)
    assert set(before) == {"k=1.npz"}
    status, result, _ = as_json(capsys, *grid, "--resume")
    assert status == 2
    assert result["failed"] == [{"cell": {"k": 9}, "error": record["error"]}]
    assert json.loads((failed / "k=9.json").read_text())["time"] > record["time"]
    assert [path.name for path in failed.iterdir()] == ["k=9.json"]
    assert cells(tmp_path).keys() == {"k=1.npz", "k=2.npz"}
    assert cells(tmp_path)["k=1.npz"] == before["k=1.npz"]
    assert dataset.open_sweep(tmp_path).sel(k=9).error.item() == record["error"]


def test_memory_bounds_the_batch_and_changes_nothing_else(capsys, tmp_path, monkeypatch):
    batches = []

    def seen(*arguments, batch, **named):
        batches.append(batch)
        return evaluate(*arguments, batch=batch, **named)

    monkeypatch.setattr(planning, "evaluate", seen)
    grid = ("toy.tail", "--grid", "m=4000", "--draws", "48")
    _, wide, _ = as_json(capsys, *grid, "--out", str(tmp_path / "wide"))
    (cell,) = wide["cells"]
    assert cell["batch"] == 16
    limit = cell["memory"] / 2 / 2**30
    _, narrow, _ = as_json(
        capsys, *grid, "--out", str(tmp_path / "narrow"), "--memory", f"{limit:.12f}"
    )
    (bounded,) = narrow["cells"]
    assert 1 <= bounded["batch"] < 16
    assert batches == [16, bounded["batch"]]
    assert bounded["memory"] <= cell["memory"] / 2
    assert_same(arrays(tmp_path / "wide"), arrays(tmp_path / "narrow"))
    # each cell may take more, so the same sweep is gone on with under another limit
    status, _, _ = run(capsys, *grid, "--out", str(tmp_path / "narrow"), "--resume")
    assert status == 0


def test_a_cell_too_large_for_memory_fails_with_the_numbers(capsys, tmp_path):
    status, result, _ = as_json(
        capsys, "toy.tail", "--grid", "m=8,100000", "--out", str(tmp_path), "--memory", "0.0005"
    )
    assert status == 2
    (failed,) = result["failed"]
    assert failed["cell"] == {"m": 100000}
    assert re.search(
        r"toy.tail needs at least \S+ GiB .* and 0.0005 GiB may be used", failed["error"]
    )
    assert [entry["cell"] for entry in result["cells"]] == [{"m": 8}]


# --- verdicts and bad usage -----------------------------------------------------------------------


def test_a_refuted_cell_fails_the_command_unless_it_is_an_erratum(capsys, tmp_path, monkeypatch):
    grid = ("toy.refuted", "--grid", "shift=-5,10")
    status, out, _ = run(capsys, *grid, "--out", str(tmp_path / "a"))
    assert status == 1
    assert "1 refuted" in out
    known = dataclasses.replace(sweep_toys.REFUTED, erratum="an-anchor")
    sweep_toys.install(monkeypatch.setattr, {"toy.refuted": known})
    status, out, _ = run(capsys, *grid, "--out", str(tmp_path / "b"))
    assert status == 0
    assert "docs/errata.md#an-anchor" in out


BAD = [
    (["lazy.move", "--grid", "m=8"], "for example lazy.movement"),
    (["lazy", "--grid", "m=8"], "ID must be one statement, got the family 'lazy'"),
    (["toy.tail"], "--grid must be given at least once"),
    (["toy.tail", "--grid", "m=0,8"], "m must be an integer ≥ 1, got 0"),
    (["toy.tail", "--grid", "m=8", "--set", "m=9"], "m must be swept or set, got both"),
    (["toy.tail", "--grid", "m=8", "--set", "n=9"], "--set NAME must be one of k, law, m, shift"),
    (["toy.tail", "--grid", "m=8", "--set", "k=0"], "k must be an integer ≥ 1, got 0"),
    (["toy.tail", "--grid", "m=8", "--set", "data=uniform"], "data is chosen by --data"),
    (["toy.tail", "--grid", "m=8", "--data", "digits"], "toy.tail cannot run on digits"),
    (
        ["toy.tail", "--grid", "m=8", "--draws", "0"],
        "--draws must be an integer in [1, 4294967296], got 0",
    ),
    (["toy.tail", "--grid", "m=8", "--level", "1"], "level must be a finite number in [1e-12, 1)"),
    (["toy.tail", "--grid", "m=8", "--seed", "-1"], "seed must be an integer in"),
    (
        ["toy.tail", "--grid", "m=8", "--memory", "0"],
        "memory must be a finite number in (0, 1.0737",
    ),
    (["toy.tail", "--grid", "m=8", "--memory", "1e300"], "memory must be a finite number"),
    (["toy.tail", "--grid", "m=8", "--out", ""], "--out must be a directory"),
    (["toy.tail", "--grid", "m=8", "--out", "/dev/null/x"], "--out /dev/null/x cannot be written"),
]


@pytest.mark.parametrize(
    ("arguments", "message"), BAD, ids=lambda v: " ".join(v) if isinstance(v, list) else ""
)
def test_bad_usage_is_one_line_before_any_work(capsys, tmp_path, arguments, message):
    out_given = [] if "--out" in arguments else ["--out", str(tmp_path / "new")]
    status, out, err = run(capsys, *arguments, *out_given)
    assert (status, out) == (2, "")
    assert message in err
    assert len(err.splitlines()) == 1
    assert not (tmp_path / "new").exists()


def test_another_configuration_or_code_is_refused(capsys, tmp_path, monkeypatch):
    grid = ("toy.tail", "--grid", "m=8", "--out", str(tmp_path))
    assert run(capsys, *grid)[0] == 0
    before = cells(tmp_path)
    for change, message in (
        ((), "holds a sweep already; go on with it by --resume"),
        (("--resume", "--draws", "41"), "draws: 40 → 41"),
        (("--resume", "--set", "shift=1.5"), "config.shift: 2.0 → 1.5"),
        (("--resume", "--precision", "float32"), "precision: float64 → float32"),
    ):
        status, out, err = run(capsys, *grid, *change)
        assert (status, out) == (2, "")
        assert message in err
        assert len(err.splitlines()) == 1
    monkeypatch.setattr(code_version, "modules_of", lambda _: {"experiments.command.common"})
    status, _, err = run(capsys, *grid, "--resume")
    assert status == 2
    assert re.search(r"code.sha256: [0-9a-f]{28}….* → ", err)
    assert cells(tmp_path) == before


# --- time left ------------------------------------------------------------------------------------


def test_time_left_is_fitted_to_the_sizes():
    sizes = {str(m): float(m) for m in (1, 10, 100, 1000, 10_000)}
    seconds = {name: 2 + 0.01 * sizes[name] for name in ("1", "10", "100")}
    remaining = ["1000", "10000"]
    expected = (2 + 10) + (2 + 100)
    alone = stored.time_left(sizes, seconds, remaining, ["10", "100"], 2.1 + 3.0)
    assert alone == pytest.approx(expected)
    two = stored.time_left(sizes, seconds, remaining, ["10", "100"], (2.1 + 3.0) / 2)
    assert two == pytest.approx(expected / 2)
    assert stored.time_left(sizes, seconds, remaining, [], 0.0) == pytest.approx(expected)
    assert stored.time_left(sizes, {}, remaining, [], 1.0) is None
    # faster where larger: no negative cost, a constant instead
    falling = {"1": 3.0, "100": 1.0}
    assert stored.time_left(sizes, falling, remaining, [], 0.0) == pytest.approx(4.0)


# --- memory ---------------------------------------------------------------------------------------


def group(path: pathlib.Path, limit: str, used: int, cached: int, names) -> None:
    path.mkdir(parents=True)
    for name, content in zip(names, (limit, used, f"anon 1\n{names[3]} {cached}"), strict=False):
        (path / name).write_text(f"{content}\n")


V1 = ("memory.limit_in_bytes", "memory.usage_in_bytes", "memory.stat", "total_inactive_file")
V2 = ("memory.max", "memory.current", "memory.stat", "inactive_file")


def test_memory_that_control_groups_leave(tmp_path):
    group(tmp_path / "jobs", "1000", 700, 100, V2)
    group(tmp_path / "jobs" / "7", "max", 300, 50, V2)
    group(tmp_path / "memory" / "box", "900", 600, 0, V1)
    own = tmp_path / "cgroup"
    own.write_text("4:memory:/box\n3:cpuset:/box\n0::/jobs/7\n")
    assert list(environment._group_memory(tmp_path, own)) == [300, 400]
    assert list(environment._group_memory(tmp_path, tmp_path / "none")) == []
    assert 0 < environment.available_memory() < 2**50
