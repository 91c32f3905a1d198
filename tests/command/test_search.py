"""`falsify`, `explain` and `frontier` on the command line."""

import json

import pytest

from experiments.certificates import check, exact
from experiments.command import main

pytestmark = pytest.mark.usefixtures("restore_precision")

MINE = '''
import jax
import jax.numpy as jnp
from widetheory import Deterministic, Parameters, Statement, exceeds, parameter


class Setting(Parameters):
    """Sizes."""

    n: int = parameter(4, "points", low=2)
    d: int = parameter(6, "dimension", low=2)


def sample(key, config):
    return jax.random.normal(key, (config.n, config.d))


wrong = Statement(
    id="mine.wrong",
    config=Setting(),
    sample=sample,
    hypotheses={"short": lambda x, c: exceeds(0.2, jnp.linalg.norm(x[0]))},
    claim=Deterministic(lambda x, c: exceeds(jnp.linalg.norm(x[1]), jnp.linalg.norm(x[0]))),
)
right = Statement(
    id="mine.right",
    config=Setting(),
    sample=sample,
    hypotheses={"wide": lambda x, c: exceeds(c.n, 9.5)},
    claim=Deterministic(lambda x, c: exceeds(jnp.linalg.norm(x) + 1.0, jnp.max(x))),
)
'''


@pytest.fixture
def mine(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(MINE)
    return str(path)


def run(capsys, *arguments):
    status = main.main([*arguments, "--json"])
    return status, json.loads(capsys.readouterr().out)


def test_a_counterexample_is_saved_and_stands_when_checked(mine, tmp_path, capsys):
    out = tmp_path / "out"
    status, content = run(
        capsys, "falsify", f"{mine}:wrong", "--evaluations", "20000", "--out", str(out)
    )
    assert status == 1
    (entry,) = content["statements"]
    assert entry["verdict"] == "refuted"
    assert entry["proved"]
    assert entry["config"] == {"n": 2, "d": 2}
    assert [c["name"] for c in entry["conditions"]] == ["short", "conclusion"]
    assert json.loads((out / "falsified.json").read_text())["statements"] == [entry]
    certificate = check.read(entry["file"])
    assert check.check(certificate)
    assert main.main(["check", entry["file"]]) == 0
    assert main.main(["replay", entry["file"], f"{mine}:wrong"]) == 0
    assert main.main(["falsify", f"{mine}:wrong", "--out", str(out)]) == 2
    assert "--resume goes on with it" in capsys.readouterr().err
    status, again = run(
        capsys, "falsify", f"{mine}:wrong", "--evaluations", "20000", "--out", str(out), "--resume"
    )
    assert (status, again["statements"]) == (1, [entry])  # nothing is searched again
    assert main.main(["falsify", f"{mine}:wrong", "--out", str(out), "--resume"]) == 2
    assert "evaluations 20000 there, None here" in capsys.readouterr().err
    stored = out / "falsified.json"
    stored.write_text(stored.read_text().replace('"proved": true', '"proved": false'))
    assert main.main(["falsify", f"{mine}:wrong", "--out", str(out), "--resume"]) == 2
    told = capsys.readouterr().err
    assert told.endswith("its digest is not that of its content\n")
    assert told.count("\n") == 1
    certificate["instance"][0]["values"][0] = "0x1.8p+1"  # ‖x_1‖ = 3 is not below .2
    certificate["digest"] = check.digest(certificate)
    with pytest.raises(exact.Refused):
        check.check(certificate)


def test_nothing_found_is_no_refutation(mine, capsys):
    status, content = run(
        capsys, "falsify", f"{mine}:right", "--set", "n=10", "--evaluations", "500"
    )
    assert status == 0
    assert content["statements"][0]["verdict"] == "inconclusive"
    assert content["statements"][0]["file"] is None
    status, content = run(capsys, "falsify", f"{mine}:right", "--evaluations", "500")
    assert content["statements"][0]["verdict"] == "vacuous"


def test_a_verdict_is_explained_drawn_or_stored(mine, tmp_path, capsys):
    status, content = run(capsys, "explain", f"{mine}:right", "--draws", "20")
    assert status == 0
    (found,) = content["explanations"]
    assert found["verdict"] == "vacuous"
    assert found["remedies"][0]["parameter"] == "n"
    assert found["remedies"][0]["holds_from"] == 10
    main.main(["verify", f"{mine}:right", "--draws", "20", "--out", str(tmp_path)])
    capsys.readouterr()
    status, content = run(capsys, "explain", "mine.right", "--out", str(tmp_path))
    assert content["explanations"][0]["reason"] == found["reason"]
    assert content["explanations"][0]["worst"] is None
    assert main.main(["explain", f"{mine}:right", "--draws", "20"]) == 0
    assert "holds from n ≈ 10" in capsys.readouterr().out


def test_a_frontier_and_a_map_of_it(mine, capsys):
    status, content = run(capsys, "frontier", f"{mine}:right", "--in", "n=2:40")
    assert status == 0
    (line,) = content["frontiers"]
    assert (line["below"], line["above"]) == (9, 10)
    status, content = run(capsys, "frontier", f"{mine}:right", "--in", "n=8:12", "--in", "d=2:6")
    assert [line["d"] for line in content["frontiers"]] == [2, 3, 3, 5, 6]
    assert all(line["above"] == 10 for line in content["frontiers"])


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("falsify MINE:wrong --over q=1:2", "--over must be one of d, n; got 'q'"),
        ("falsify MINE:wrong --over n=1", "--over must be NAME=LOW:HIGH"),
        ("falsify MINE:wrong --over n=9:2", "--over must be NAME=LOW:HIGH"),
        ("falsify MINE:wrong --over n", "--over must be NAME=LOW:HIGH"),
        ("falsify MINE:wrong --budget 0", "--budget"),
        ("falsify MINE:wrong --evaluations 0", "--evaluations"),
        ("falsify MINE:wrong --resume", "--resume must have --out"),
        ("falsify MINE:wrong --set q=1", "--set must be one of d, n"),
        ("falsify nothing.there", "statement must be"),
        ("explain MINE", "ID must be one statement"),
        ("explain mine.right --out nowhere", "cannot be read"),
        ("explain MINE:right --set q=1", "--set must be one of d, n"),
        ("frontier MINE:right --in q", "--in must be one of d, n"),
        ("frontier MINE:right --in n=5:2", "--in must be NAME=LOW:HIGH"),
        ("frontier MINE:right --in n --in d", "--in must give LOW:HIGH"),
        ("frontier MINE:right --in n=0:5", "n must be"),
        ("frontier MINE:right --in n --draws 9", "draws must be left out with the goal 'held'"),
    ],
)
def test_bad_lines_end_with_one_line(line, message, mine, capsys):
    assert main.main(line.replace("MINE", mine).split()) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
