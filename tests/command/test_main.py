"""The command, run in this process: output, exit status, and one clear line for bad input."""

import contextlib
import dataclasses
import importlib.metadata
import json
import re

import image_writers
import jax
import numpy as np
import pytest

from experiments.command import main
from experiments.command.verbs import VERBS
from experiments.datasets import sources
from experiments.settings.references import Named
from experiments.settings.text import configured
from experiments.verify import planning
from theory import REGISTRY
from theory.data.sampling import DISTRIBUTIONS

STABLE = {
    "id", "source", "kind", "verdict", "draws", "outcomes", "hypotheses", "failure_rate",
    "tightest_margin", "seconds",
}  # fmt: skip
OUTCOMES = {"confirmed", "miss", "beyond", "vacuous", "undecided"}


pytestmark = pytest.mark.usefixtures("restore_precision")


def run(capsys, *arguments: str) -> tuple[int, str, str]:
    try:
        status = main.main(list(arguments))
    except SystemExit as stop:  # argparse
        status = int(stop.code or 0)
    out, err = capsys.readouterr()
    return status, out, err


def as_json(capsys, *arguments: str):
    one = ("--jobs", "1") if arguments[0] == "verify" and "--jobs" not in arguments else ()
    status, out, err = run(capsys, *arguments, *one, "--json")
    assert err == ""
    return status, json.loads(out)


def test_without_a_verb_it_shows_help_and_what_it_is(capsys):
    status, out, err = run(capsys)
    assert (status, err) == (0, "")
    assert all(re.search(rf"^    {verb}( |$)", out, re.M) for verb in VERBS)
    assert run(capsys, "--help")[:2] == (0, out)
    version = importlib.metadata.version("widetheory")
    assert run(capsys, "--version")[:2] == (0, f"widetheory {version}\n")


def test_list_shows_every_statement(capsys):
    status, out, _ = run(capsys, "list")
    assert status == 0
    assert all(id in out for id in REGISTRY)
    status, listed = as_json(capsys, "list")
    assert [entry["id"] for entry in listed["statements"]] == list(REGISTRY)
    assert all(entry["source"] and entry["says"] for entry in listed["statements"])


@pytest.mark.parametrize("id", list(REGISTRY))
def test_show_has_everything(capsys, id):
    status, out, _ = run(capsys, "show", id)
    assert status == 0
    statement = REGISTRY[id]
    words = " ".join(out.split())
    assert statement.title in words
    assert statement.source in words
    assert all(name in words for name in statement.hypotheses)
    assert all(name in words for name in statement.cases)
    for name in statement.config.__dataclass_fields__:
        assert re.search(rf"^ {name} ", out, re.M), name


@pytest.mark.parametrize("id", list(REGISTRY))
def test_show_lists_the_data_that_the_statement_takes(capsys, id):
    """Those, and no others, configure it: the digits stand for all that comes from files."""
    _, out, _ = run(capsys, "show", id)
    listed = set(re.findall(r"^  ([\w:-]+)", out.partition("Data (--data NAME)\n")[2], re.M))
    works = set()
    for name in (*DISTRIBUTIONS, "digits"):
        with contextlib.suppress(ValueError):
            configured(REGISTRY[id].config, sources.load(name), {})
            works.add(name)
    assert listed & {*DISTRIBUTIONS, "digits"} == works
    assert ("digits" in works) == ("npz:FILE" in listed)
    assert ("Data (--data NAME)" in out) == bool(works)


def test_verify_json_is_stable_and_repeatable(capsys, tmp_path):
    arguments = ["verify", "orthogonal.multiplier-range", "--draws", "64", "--seed", "3"]
    status, first = as_json(capsys, *arguments, "--out", str(tmp_path / "new"))
    assert status == 0
    (entry,) = first["statements"]
    assert set(entry) >= STABLE
    assert set(entry["outcomes"]) == OUTCOMES
    assert set(entry["failure_rate"]) >= {"observed", "low", "high", "allowed"}
    assert set(entry["hypotheses"]["near-orthogonality"]) >= {"met", "tightest_margin"}
    assert entry["verdict"] == "consistent"
    assert entry["outcomes"]["confirmed"] == entry["draws"] == 64
    assert entry["config"]["n"] == 8
    assert entry["seed"] == 3
    assert first["environment"]["precision"] == "float64"
    assert first["environment"]["versions"]["jax"] == jax.__version__
    assert json.loads((tmp_path / "new" / "verdicts.json").read_text()) == first
    _, second = as_json(capsys, *arguments)
    asked = [*arguments, "--out", str(tmp_path / "new")]
    assert first.pop("argv")[: len(asked)] == asked
    assert second.pop("argv")[: len(arguments)] == arguments
    for result in (first, second):
        del result["statements"][0]["seconds"], result["digest"]
    assert first == second


def test_a_statement_draws_the_same_whatever_runs_beside_it(capsys):
    _, alone = as_json(capsys, "verify", "orthogonal.multiplier-range", "--draws", "64")
    _, together = as_json(
        capsys, "verify", "orthogonal.multiplier-range", "orthogonal.multiplier-range-sharp",
        "--draws", "64",
    )  # fmt: skip
    assert alone["statements"][0]["tightest_margin"] == together["statements"][0]["tightest_margin"]
    # Two statements at the level of one: each is tested at half of it.
    assert together["statements"][0]["level"] == alone["statements"][0]["level"] / 2


@pytest.mark.slow
def test_processes_change_nothing_but_the_time(capsys):
    names = ["orthogonal.multiplier-range", "orthogonal.multiplier-range-sharp"]
    _, one = as_json(capsys, "verify", *names, "--draws", "32")
    _, two = as_json(capsys, "verify", *names, "--draws", "32", "--jobs", "2")
    for result in (one, two):
        for entry in result["statements"]:
            entry.pop("seconds")
    assert one == two


def test_the_printed_variance_is_refuted_without_failing_the_command(capsys):
    names = ["separability.variance", "separability.variance-as-printed"]
    status, result = as_json(capsys, "verify", *names, "--draws", "40000")
    corrected, printed = result["statements"]
    assert status == 0
    assert corrected["verdict"] == "consistent"
    assert printed["verdict"] == "refuted"
    assert printed["estimates"][0]["high"] < printed["estimates"][0]["claimed"]
    assert printed["documented_erratum"] == "variance-of-the-alignment"


def test_a_refuted_statement_that_is_no_erratum_fails_the_command(capsys, monkeypatch):
    statement = REGISTRY["separability.variance-as-printed"]
    monkeypatch.setattr(
        planning, "find", lambda names: (Named(dataclasses.replace(statement, erratum=None)),)
    )
    status, out, _ = run(capsys, "verify", "--data", "sphere", "--draws", "40000")
    assert status == 1
    assert "refuted" in out


def test_the_table_says_it_all(capsys):
    status, out, err = run(capsys, "verify", "orthogonal.multiplier-range", "--draws", "64")
    assert status == 0
    assert err == ""  # no terminal, no progress bar
    for text in (
        "orthogonal.multiplier-range", "Kumano et al. 2024a", "near-orthogonal", "n=8 d=64",
        "64 draws", "near-orthogonality", "64/64", "0 [0,", "never", "consistent",
        "Seed 0", "float64",
    ):  # fmt: skip
        assert text in out, text


def test_vacuous_on_the_digits_with_the_factor(capsys):
    status, out, _ = run(
        capsys, "verify", "orthogonal.multiplier-range", "--data", "digits", "--draws", "64"
    )
    assert status == 0
    assert "vacuous" in out
    assert re.search(r"near-orthogonality fails in 64 of 64 draws by a factor of \d+", out)


def test_parameters_and_own_data(capsys, tmp_path):
    rng = np.random.default_rng(0)
    file = tmp_path / "mine.npz"
    np.savez(file, x=rng.normal(size=(30, 5)), y=np.where(np.arange(30) < 15, 1, -1))
    status, result = as_json(
        capsys, "verify", "lazy.movement", "--data", f"npz:{file}", "--set", "m=32",
        "--set", "n=20", "--draws", "16",
    )  # fmt: skip
    assert status == 0
    (entry,) = result["statements"]
    assert entry["config"]["data"] == {"name": f"npz:{file}", "rows": 30, "columns": 5}
    assert (entry["config"]["m"], entry["config"]["d"]) == (32, 5)


def test_a_folder_of_images(capsys, tmp_path):
    images, labels = image_writers.random_images(0, 80, 3, 2)
    image_writers.write_idx(tmp_path, images, labels, gz=True)
    name = f"mnist:{tmp_path}#1,2"
    size = ("--set", "n=4", "--set", "m=8", "--draws", "16")
    status, result = as_json(capsys, "verify", "lazy.movement", "--data", name, *size)
    assert status == 0
    (entry,) = result["statements"]
    assert entry["verdict"] == "consistent"
    remark = "80 of 60,000 images, 3×2 pixels of 28×28"
    assert entry["config"]["data"] == {"name": f"{name} ({remark})", "rows": 16, "columns": 6}
    (tmp_path / "train-labels-idx1-ubyte.gz").write_bytes(b"no gzip file")
    status, out, err = run(capsys, "verify", "lazy.movement", "--data", name, *size)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert "train-labels-idx1-ubyte.gz: is named .gz, but is not packed by gzip" in err


SMALL = [
    "--n",
    "30",
    "--d",
    "5",
    "--m",
    "20",
    "--queries",
    "10",
    "--steps-f",
    "5",
    "--steps-g",
    "5",
]


def test_predict_and_train(capsys):
    status, predicted = as_json(capsys, "predict", *SMALL, "--draws", "2")
    assert status == 0
    assert set(predicted["predicted"]) == {"accuracy_f", "accuracy_g", "agreement", "cosine"}
    status, trained = as_json(capsys, "train", *SMALL, "--draws", "2")
    assert status == 0
    assert trained["predicted"] == predicted["predicted"]
    for name, value in trained["trained"].items():
        assert set(value) == {"mean", "standard_error"}
        assert -1 <= value["mean"] <= 1, name
    assert trained["setting"]["n"] == 30
    # T = η Σ_{j=1}^5 (1 − μ^j)/(1 − μ)
    expected = 0.1 * sum((1 - 0.9**j) / 0.1 for j in range(1, 6))
    assert trained["setting"]["T_f"] == pytest.approx(expected)
    status, out, _ = run(capsys, "train", *SMALL, "--draws", "2")
    assert status == 0
    assert "cosine similarity" in out
    assert "±" in out


@pytest.mark.slow
def test_several_learning_rates_and_the_published_measurements(capsys):
    """Every quantity is the largest of the means at the pairs of rates, and says at which."""
    published = ["--measure-on", "training", "--cosine", "absolute", "--schedule", "plateau"]
    small = [*SMALL, *published, "--draws", "2", "--epsilon", "0"]
    status, both = as_json(capsys, "train", *small, "--lr-f", "0.01,0.3", "--lr-g", "0.1")
    assert status == 0
    single = []
    for rate in ("0.01", "0.3"):
        status, one = as_json(capsys, "train", *small, "--lr-f", rate, "--lr-g", "0.1")
        assert status == 0
        single.append(one)
    for name in both["trained"]:
        means = [one["trained"][name]["mean"] for one in single]
        assert both["trained"][name]["mean"] == max(means)
        place = (0.01, 0.3).index(both["rates"][name]["lr_f"])
        assert means[place] == max(means)
        assert both["predicted"][name] == single[place]["predicted"][name]
    assert both["setting"]["lr_f"] == [0.01, 0.3]
    status, out, _ = run(capsys, "train", *small, "--lr-f", "0.01,0.3")
    assert status == 0
    for words in ("at lr_f,", "biased upwards", "f's training points", "absolute cosine"):
        assert words in out


def test_a_prediction_outside_its_range_says_so(capsys):
    """40 steps at rate 1 of 30 neurons are far from T ≪ √m; one step at rate 1e-3 is not."""
    long = ["--lr-f", "1", "--lr-g", "1", "--steps-f", "40", "--steps-g", "40", "--draws", "1"]
    short = ["--lr-f", "0.001", "--lr-g", "0.001", "--steps-f", "1", "--steps-g", "1"]
    status, result = as_json(capsys, "predict", *SMALL, *long)
    assert status == 0
    assert not any(part["claimed"] for part in result["range"].values())
    assert all(part["switching_f"] > 0.1 for part in result["range"].values())
    assert all("bound here is" in part["reason"] for part in result["range"].values())
    assert set(result["predicted"].values()) == set(result["spread_of_one_draw"].values()) == {None}
    status, trained = as_json(capsys, "train", *SMALL, *long)
    assert set(trained["predicted"].values()) == {None}
    assert all(part["mean"] is not None for part in trained["trained"].values())
    for command, numbers in (("predict", 0), ("train", 1)):
        status, out, _ = run(capsys, command, *SMALL, *long)
        assert "NO: outside the range of the infinite-width limit" in out
        rows = re.findall(r"^ (?:accuracy|agreement|cosine) .*$", out, re.M)
        assert len(rows) == 4
        for row in rows:
            assert row.split()[-1] == "NO"
            assert row.count("—") == 2 + numbers  # predicted, off by, and the difference
            assert len(re.findall(r"\d\.\d{4}", row)) == numbers, row
    status, result = as_json(capsys, "predict", *SMALL, *short, "--draws", "1")
    assert all(part["claimed"] for part in result["range"].values())
    assert None not in result["predicted"].values()
    assert {part["reason"] for part in result["range"].values()} == {None}
    status, out, _ = run(capsys, "predict", *SMALL, *short, "--draws", "1")
    assert "outside the range" not in out


@pytest.mark.slow
def test_a_pair_of_rates_outside_the_range_is_not_the_best(capsys):
    """At rate 1 accuracies of the formula are larger, and it does not hold there."""
    rates = ["--lr-f", "0.001,1", "--lr-g", "0.001", "--draws", "1"]
    sizes = ["--n", "30", "--d", "5", "--m", "2000", "--queries", "10", "--steps-f", "40",
             "--steps-g", "2"]  # fmt: skip
    status, result = as_json(capsys, "predict", *sizes, *rates)
    assert status == 0
    assert {entry["lr_f"] for entry in result["rates"].values()} == {0.001}
    assert all(part["claimed"] for part in result["range"].values())
    status, result = as_json(capsys, "predict", *sizes, "--lr-f", "1,2", "--draws", "1")
    assert set(result["rates"].values()) == set(result["predicted"].values()) == {None}
    status, out, _ = run(capsys, "predict", *sizes, "--lr-f", "1,2", "--draws", "1")
    assert status == 0
    assert "NO: outside" in out


@pytest.mark.slow
@pytest.mark.parametrize(
    "options", [("--loss", "logistic"), ("--schedule", "plateau")], ids=lambda o: o[1]
)
def test_where_no_law_of_one_draw_is_known_it_says_so(capsys, options):
    short = ["--lr-f", "0.001", "--lr-g", "0.001", "--draws", "1", *options]
    status, result = as_json(capsys, "predict", *SMALL, *short)
    assert status == 0
    assert set(result["spread_of_one_draw"].values()) == {None}
    assert None not in result["predicted"].values()
    _, out, _ = run(capsys, "predict", *SMALL, *short)
    rows = re.findall(r"^ (?:accuracy|agreement|cosine) .*$", out, re.M)
    assert len(rows) == 4
    assert all(re.search(r"\d\.\d{4} +— +yes *$", row) for row in rows), out
    assert "no law of it is known" in out


@pytest.mark.slow
def test_train_on_digits_fits_the_sizes_to_the_data(capsys):
    status, result = as_json(
        capsys, "train", "--data", "digits", "--steps-f", "2", "--steps-g", "2", "--draws", "1"
    )
    assert status == 0
    assert (result["setting"]["n"], result["setting"]["d"]) == (179, 64)
    assert result["trained"]["cosine"]["standard_error"] is None  # one draw has none


TWO = ["--processes", "2"]
BAD = [
    (["verify", "lazy.nothing"], "got 'lazy.nothing'"),
    (["verify", "lazy", "--set", "nothing=3"], "got 'nothing'"),
    (["verify", "lazy", "--set", "m=9", "--set", "m=8"], "once, got 'm' twice"),
    (["verify", "lazy", "--set", "m"], "--set must be NAME=VALUE, got 'm'"),
    (["verify", "lazy.movement", "--set", "m=0"], "m must be an integer ≥ 1, got 0"),
    (["verify", "lazy.movement", "--set", "m=1.5"], "m must be an integer, got 1.5"),
    (["verify", "lazy.movement", "--set", "n=0"], "n must be an integer ≥ 1, got 0"),
    (["verify", "lazy.movement", "--set", "slope=1"], "slope must be a finite number in [0, 1)"),
    (["verify", "lazy.movement", "--set", "T=nan"], "T must be a number such as"),
    (["verify", "lazy.movement", "--set", "data=uniform"], "--data"),
    (["verify", "orthogonal", "--set", "slope=0"], "slope must be a finite number in (0, 1)"),
    (["verify", "orthogonal.decision-boundary", "--set", "m=3"], "m must be an even integer"),
    (["verify", "orthogonal.multiplier-range", "--set", "n=65"], "n must be at most d = 64"),
    (["verify", "lazy", "--data", "mnist"], "data must be one of"),
    (
        ["verify", "lazy", "--data", "npz:no/such/file.npz"],
        "no/such/file.npz cannot be read: No such file",
    ),
    (
        ["verify", "lazy", "--data", "mnist:no/such/folder"],
        "no/such/folder is no folder; it should",
    ),
    (["predict", "--data", "cifar10:x#cat"], "after # must come"),
    (["verify", "lazy.movement", "--data", "digits", "--set", "d=10"], "d must be 64"),
    (["verify", "lazy.movement", "--data", "digits", "--set", "n=400"], "must be at most 359"),
    (
        ["verify", "lazy.movement", "--draws", "0"],
        "--draws must be an integer in [1, 4294967296], got 0",
    ),
    (
        ["verify", "lazy.movement", "--until", "0"],
        "--until must be an integer in [1, 4294967296], got",
    ),
    (["verify", "lazy.movement", "--seed", "-1"], "--seed must be an integer in [0, 4294967295]"),
    (["train", "--seed", str(10**20)], "--seed must be an integer in [0, 4294967295]"),
    (
        ["verify", "lazy.movement", "--draws", "ten"],
        "argument --draws: must be an integer such as 64 or 2**20, got 'ten'",
    ),
    (["verify", "lazy.movement", "--level", "2"], "--level must be a finite number in [1e-12, 1)"),
    (["verify", "--preset", "slow"], "invalid choice: 'slow'"),
    (["verify", "lazy.movement", "--out", ""], "--out must be a directory"),
    (["verify", "lazy.movement", "--out", "/dev/null/x"], "--out must be a directory"),
    (
        ["verify", "lazy.movement", "--devices", "2"],
        "--devices must be an integer in [1, 1], got 2",
    ),
    (
        ["verify", "lazy.movement", "--devices", "0"],
        "--devices must be an integer in [1, 1], got 0",
    ),
    (["verify", "--coordinator", "x:1", "--process", "0"], "together, got no --processes"),
    (["verify", "--processes", "2", "--process", "0"], "together, got no --coordinator"),
    (["verify", *TWO, "--process", "2", "--coordinator", "localhost:4000"], "in [0, 1], got 2"),
    (["verify", *TWO, "--process", "-1", "--coordinator", "localhost:4000"], "in [0, 1], got -1"),
    (["verify", *TWO, "--process", "0", "--coordinator", "localhost"], "must be HOST:PORT, got"),
    (["verify", *TWO, "--process", "0", "--coordinator", "localhost:0"], "must be HOST:PORT, got"),
    (
        ["verify", *TWO, "--process", "0", "--coordinator", "localhost:4000", "--devices", "1"],
        "--devices must be left out",
    ),
    (
        ["verify", "--connect-timeout", "0"],
        "--connect-timeout must be a finite number in (0, 86400]",
    ),
    (["show", "lazy"], "ID must be one statement, got the family 'lazy': lazy.dynamics, "),
    (["train", "--n", "0"], "n must be an integer ≥ 1, got 0"),
    (["train", "--m", "x"], "--m must be an integer such as 64 or 2**20, got 'x'"),
    (["predict", "--epsilon", "-1"], "epsilon must be a finite number in [0, inf)"),
    (["predict", "--epsilon", "nan"], "--epsilon must be a number such as"),
    (["train", "--lr-f", ""], "--lr-f must be a learning rate or a list of them, got ''"),
    (["train", "--lr-f=-1"], "--lr-f must be a finite number in (0, inf)"),
    (["train", "--lr-g=0.1,-1"], "--lr-g must be a finite number in (0, inf)"),
    (["train", "--lr-g", "0.1,nan"], "--lr-g must be numbers"),
    (["train", "--lr-g", "0.1,x"], "--lr-g must be numbers"),
    (["train", "--lr-f", "x"], "--lr-f must be a number such as 64, 0.5 or 2**20, got 'x'"),
    (["predict", "--measure-on", "test"], "--measure-on must be one of fresh, training"),
    (["predict", "--cosine", "squared"], "cosine must be one of absolute, signed"),
    (["predict", "--schedule", "cosine"], "schedule must be one of constant, plateau"),
    (["predict", "--loss", "hinge"], "loss must be one of identity, logistic"),
    (["predict", "--scenario", "c"], "scenario must be one of a, b"),
    (["predict", "--momentum", "1"], "momentum must be a finite number in [0, 1)"),
    (["predict", "--draws", "0"], "--draws must be an integer in [1, 4294967296], got 0"),
    (
        ["predict", "--data", "digits", "--n", "x"],
        "--n must be an integer such as 64 or 2**20, got 'x'",
    ),
    (["predict", "--data", "digits", "--n", "359"], "queries"),
    (["predict", "--data", "digits", "--d", "5"], "--d must be 64, the dimension of digits, got 5"),
    (["dance"], "invalid choice: 'dance'"),
    (["verfy"], "; did you mean verify?"),
    (["verify", "--preset", "ful"], "; did you mean full?"),
]


@pytest.mark.parametrize(
    ("arguments", "message"), BAD, ids=lambda v: " ".join(v) if isinstance(v, list) else ""
)
def test_bad_input_is_one_line_and_status_2(capsys, arguments, message):
    status, out, err = run(capsys, *arguments)
    assert status == 2
    assert out == ""
    assert len(err.splitlines()) == 1, err
    assert message in err


def test_help_names_every_family(capsys):
    _, out, _ = run(capsys, "verify", "-h")
    for family in {id.split(".")[0] for id in REGISTRY}:
        assert family in out


@pytest.mark.parametrize("command", [[], ["list"], ["show"], ["verify"], ["predict"], ["train"]])
def test_help(capsys, command):
    status, out, _ = run(capsys, *command, "-h")
    assert status == 0
    assert out.startswith("usage: widetheory")


def test_statements_that_cannot_run_on_the_data_are_left_out_aloud(capsys):
    planned, left_out = planning.plan_runs(["separability"], data_name="digits")
    assert {run.statement.id for run in planned} >= {"separability.mean", "separability.ntk"}
    assert left_out["separability.tails"] == "it draws points of its own"
    assert not {run.statement.id for run in planned} & set(left_out)
    # every setting is planned or left out: a grid of dimensions cannot be had from one data set
    planned, left_out = planning.plan_runs(["lazy"], data_name="digits")
    assert list(left_out) == ["lazy.published-constant (dimension)"]
    assert "dimension of digits" in left_out["lazy.published-constant (dimension)"]
    assert all(str(run.config.data) == "digits" for run in planned)


@pytest.mark.parametrize("id", ["separability.tails", "orthogonal.effect-growth"])
def test_one_statement_that_cannot_run_on_the_data_is_an_error(capsys, id):
    status, out, err = run(capsys, "verify", id, "--data", "digits")
    assert (status, out) == (2, "")
    assert err == f"widetheory: {id} cannot run on digits: it draws points of its own\n"


@pytest.mark.slow
def test_left_out_statements_are_named_in_output(capsys, monkeypatch):
    statement = REGISTRY["ntk.initial-output"]
    planned = planning.Plan(
        [planning.Run(statement, statement.config, 4)], {"mine.other": "its reason"}
    )
    monkeypatch.setattr(planning, "plan_runs", lambda *_, **__: planned)
    _, out, err = run(capsys, "verify", "--data", "digits", "--draws", "4", "--json")
    assert json.loads(out)["left_out"] == {"mine.other": "its reason"}
    assert err == "widetheory: left out, as it cannot run on digits: mine.other: its reason\n"


@pytest.mark.slow
def test_tf32_is_for_training_only(capsys):
    status, _ = as_json(capsys, "train", *SMALL, "--draws", "1", "--precision", "tf32")
    assert status == 0
    precision = jax.config.jax_default_matmul_precision  # pyright: ignore[reportAttributeAccessIssue]
    assert precision == "tensorfloat32"
    status, _, err = run(capsys, "verify", "--precision", "tf32")
    assert status == 2
    assert "invalid choice: 'tf32'" in err
