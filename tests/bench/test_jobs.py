"""The harness of `widetheory bench`: what it times, in which order, and what follows from it."""

import json
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.bench import jobs, rows, timing
from experiments.bench import maps as bench_maps
from experiments.command import main
from theory.infinite_width import lazy, maps
from theory.perturbations.attacks import unit_rows

POSITIVE = st.floats(1e-6, 1e6)


pytestmark = pytest.mark.usefixtures("restore_precision")


def row(**changes) -> rows.Row:
    rates = {"same": [8.0, 10.0], "large": [40.0, 20.0]}
    options = {
        "ours": [2.0, 3.0], "reference": [9.0, 8.0], "target": 4.0, "compile": 0.5, "flops": 10.0,
        "rates": rates,
    }  # fmt: skip
    return rows.from_rounds("job", "case", "other", **(options | changes))


def test_calls_alternate_and_each_gets_its_own_time():
    now, order = 0.0, []

    def call(name, seconds):
        def run():
            nonlocal now
            order.append(name)
            now += seconds

        return run

    calls = {"a": call("a", 1.0), "b": call("b", 10.0), "c": call("c", 100.0)}
    seconds = timing.alternate(calls, repeats=3, clock=lambda: now)
    assert "".join(order) == "abc" + "cba" + "abc"
    assert seconds == {"a": [1.0] * 3, "b": [10.0] * 3, "c": [100.0] * 3}


def test_a_call_ends_when_its_arrays_are_ready(monkeypatch):
    waited = []
    monkeypatch.setattr(jax, "block_until_ready", waited.append)
    timing.alternate({"a": lambda: "result"}, repeats=2)
    assert waited == ["result", "result"]


def test_ratio_of_the_shortest_and_its_range():
    assert timing.ratio([4.0, 6.0, 9.0], [2.0, 2.0, 1.0]) == timing.Ratio(4.0, 3.0, 2.0, 9.0)


def test_a_row_follows_from_its_rounds():
    result = row()
    assert (result.ours, result.reference, result.ratio) == (2.0, 8.0, 4.0)
    assert (result.low, result.high) == (8 / 3, 4.5)
    assert result.flop_rate == 5.0  # 10 operations in 2 s
    assert (result.same, result.large) == (0.5, 0.125)  # of the best rates, 10 and 40
    assert result.met
    assert row(target=4.01).met is False
    assert row(target=None).met is None


def test_a_row_without_reference_says_so():
    result = row(reference=None)
    assert result.ratio is result.reference is result.met is None
    assert rows.NO_REFERENCE in result.remarks


@given(st.lists(st.tuples(POSITIVE, POSITIVE), min_size=1, max_size=4), st.floats(1, 1e4))
def test_extrapolation_is_exact_on_a_line(lines, wanted):
    short, long = ([a + b * steps for a, b in lines] for steps in (2, 12))
    expected = [a + b * wanted for a, b in lines]
    found = rows.extrapolated(short, long, 2, 12, wanted)
    # Differences of nearly equal times lose digits: an error of ε(a + 12b) grows by wanted/10.
    for (a, b), value, exact in zip(lines, found, expected, strict=True):
        assert abs(value - exact) <= 4e-15 * (wanted * (a + 12 * b) + exact)


def test_products_count_every_operation(monkeypatch):
    monkeypatch.setattr(timing, "SHORTEST", 0.0)  # once a call
    product = timing.step_products(3, 4, 5)
    assert product.flops == 4 * 3 * 4 * 5
    forwards, backwards = product.call()
    assert (forwards.shape, backwards.shape) == ((3, 5), (5, 4))
    assert forwards.dtype == jnp.float32


@pytest.mark.slow
def test_peak_memory_is_the_process_s_own():
    ballast = np.ones(2**27)  # 1 GiB, which getrusage of a child would count as the child's
    code = "from experiments.bench import timing; print(timing.peak_memory())"
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert 2**24 < int(child.stdout) < 2**29
    assert timing.peak_memory() > ballast.nbytes


def test_unknown_names_are_one_line(capsys):
    assert main.main(["bench", "nope"]) == 2
    message = capsys.readouterr().err
    assert message.count("\n") == 1
    assert "nope" in message
    assert "throughput" in message


def test_without_pytorch_the_extra_is_named(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)  # what makes an import fail
    assert main.main(["bench"]) == 2
    message = capsys.readouterr().err
    assert message.count("\n") == 1
    assert "widetheory[bench]" in message
    assert jobs.chosen_jobs(["throughput"]) == ["throughput"]


def test_jobs_run_in_the_order_of_the_table(monkeypatch):
    monkeypatch.setattr(jobs, "torch_version", lambda: "2.0")
    assert jobs.chosen_jobs([]) == list(jobs.JOBS)
    assert jobs.chosen_jobs(["throughput", "cell"]) == ["cell", "throughput"]


def test_the_command_prints_a_table_or_json_and_writes(capsys, monkeypatch, tmp_path):
    seen = []

    def run(options):
        seen.append(options)
        yield row(remarks=("said once",))
        yield row(target=40.0, remarks=("said once",))

    monkeypatch.setattr(jobs, "JOBS", {"job": rows.Job("says", run)})
    assert main.main(["bench", "job", "--json", "--out", str(tmp_path / "new")]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert [r["met"] for r in printed["rows"]] == [True, False]
    assert printed["rows"][0]["ratio"] == 4.0
    assert printed["machine"]["cores"] >= 1
    assert printed["environment"]["precision"] == "float32"
    assert json.loads((tmp_path / "new" / "bench.json").read_text()) == printed

    assert main.main(["bench", "--quick"]) == 0
    table = capsys.readouterr().out
    assert [options.quick for options in seen] == [False, True]
    for text in ("NOT met", "≥ 40", "[2.67, 4.5]", "0.50 / 0.12", "--quick"):
        assert text in table, text
    assert table.count("said once") == 1


def test_share_of_the_known_peak():
    machine = {"fp32_peak": 20.0}
    (entry,) = jobs.to_json([row()], machine, rows.Options())["rows"]
    assert entry["of_fp32_peak"] == 0.25
    (entry,) = jobs.to_json([row()], {"fp32_peak": None}, rows.Options())["rows"]
    assert entry["of_fp32_peak"] is None


def test_a_busy_machine_is_warned_of():
    assert jobs.busy({"load_average": 0.1, "cores": 2}) is None
    assert "busy" in (jobs.busy({"load_average": 1.9, "cores": 2}) or "")


def test_the_exact_maps_are_those_of_the_limit(key):
    """Two ways to f̂ and ĝ that share no code: arccos in NumPy, chords in `theory`."""
    n, d, side, epsilon, slope = 30, 5, 4, 0.5, 0.3
    keys = jax.random.split(key, 3)
    y = jnp.where(jnp.arange(n) % 2 == 0, 1.0, -1.0)
    x = jax.random.normal(keys[0], (n, d)) + 0.3 * y[:, None]
    target = jax.random.rademacher(keys[1], (n,), float)
    axis = jnp.linspace(-2.0, 2.0, side)
    inputs = bench_maps.Inputs(x, y, target, axis, axis, slope, epsilon)
    z = maps.class_means_plane(x, y).points(axis, axis).reshape(-1, d)
    truth = bench_maps.exact(inputs, np.asarray(z))
    np.testing.assert_allclose(truth[0], lazy.f_hat(x, y, z, slope), atol=1e-9)
    for found, expected in zip(bench_maps.both_maps(inputs), truth, strict=True):
        np.testing.assert_allclose(found.ravel(), expected, atol=1e-9)
    q = lazy.mean_gradients(x, y, slope)
    assert float(jnp.abs(unit_rows(q)).max()) > 0.1  # the perturbations are not all zero


@pytest.mark.slow
@pytest.mark.parametrize("name", list(jobs.JOBS))
def test_every_job_runs(name, capsys):
    if jobs.JOBS[name].reference:
        pytest.importorskip("torch")
    assert main.main(["bench", name, "--quick", "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)["rows"]
    assert printed
    assert all(r["job"] == name and r["ratio"] > 0 and r["ours"] > 0 for r in printed)
