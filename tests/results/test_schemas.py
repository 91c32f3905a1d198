"""What is printed and stored follows the published schemas, and holds nothing that they lack."""

import json
import subprocess
import sys
from typing import Any

import figure_toys
import jsonschema
import pytest
import store_toys

from experiments.command import main
from experiments.documentation import schemas as published
from experiments.figures import registry
from experiments.files import forms
from experiments.files.reading import Malformed
from experiments.results import contents, schemas

pytestmark = pytest.mark.usefixtures("restore_precision")
SIZES = ("--n", "4", "--d", "8", "--m", "16", "--steps-f", "3", "--steps-g", "3", "--queries", "8")


def closed(part: Any) -> Any:
    """The schema, refusing every name that it does not describe."""
    if isinstance(part, list):
        return [closed(one) for one in part]
    if not isinstance(part, dict):
        return part
    found = {name: closed(inner) for name, inner in part.items()}
    return found | ({"additionalProperties": False} if "properties" in part else {})


def valid(verb, content):
    jsonschema.Draft202012Validator(closed(schemas.schema(verb))).validate(content)


def printed(capsys, *words):
    main.main([*words, "--json"])
    content = json.loads(capsys.readouterr().out)
    assert content["schema"] == f"widetheory/{words[0]}/1"
    assert content["argv"] == [*words, "--json"]
    valid(words[0], content)
    return content


def test_files_in_the_reference_are_current_and_are_schemas(capsys):
    stale = published.outdated()
    assert not stale, "run python3 -m experiments.documentation.schemas"
    for verb in schemas.FORMS:
        assert main.main(["schema", verb]) == 0
        jsonschema.Draft202012Validator.check_schema(json.loads(capsys.readouterr().out))


MINE = """
import jax
import jax.numpy as jnp
from theory import (
    Claim, Deterministic, Moment, Parameters, Rate, Reals, Statement, exceeds, margin, parameter
)

class Setting(Parameters):
    limit: float = parameter(8.0, "the limit")

def made(name, limit=1.0, **more):
    return Statement(
        id=f"mine.{name}",
        config=Setting(),
        sample=lambda key, config: jax.random.normal(key, ()),
        domain={"": Reals(-1.0, 1.0)},
        claim=Deterministic(conclusion=lambda x, config: exceeds(config.limit * limit, x)),
        **more,
    )

false, true = made("false", 0.01), made("true")
assuming = made(
    "assuming",
    hypotheses={"h?": lambda x, config: exceeds(4.0, x)},
    measured={"small": lambda x, config: margin(1 - x)},
    constant=lambda x, config: 1 + jnp.abs(x),
)
mean = Statement(
    id="mine.mean",
    sample=lambda key, config: jax.random.uniform(key, ()),
    claim=Moment(quantity=lambda x, config: x, claims=lambda config: Claim(0.5, 0.1)),
)
rate = Statement(
    id="mine.rate",
    sample=lambda key, config: jax.random.uniform(key, ()),
    claim=Rate(
        quantity=lambda x, config: (1 + x) * jnp.array([1.0, 2.0, 4.0, 8.0, 16.0]),
        scales=lambda config: (1.0, 2.0, 4.0, 8.0, 16.0),
        claims=lambda config: Claim(1.0, 0.1),
    ),
)
"""


@pytest.fixture
def mine(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text(MINE)
    return str(file)


def test_verify_and_what_it_stores(capsys, tmp_path, mine):
    out = ("--out", str(tmp_path / "out"), "--keep-draws", "--jobs", "1")
    content = printed(capsys, "verify", mine, "--draws", "40", *out)
    assert len(content["statements"]) == 5
    assert any(entry["constant"] for entry in content["statements"])
    assert json.loads((tmp_path / "out" / "verdicts.json").read_text()) == content


def test_sweep_with_cells_that_fail(capsys, tmp_path, monkeypatch, mine):
    words = (f"{mine}:true", "--grid", "limit=8,9", "--draws", "4", "--out", str(tmp_path / "out"))
    monkeypatch.setattr("experiments.sweep.planning.evaluate", lambda *_, **__: 1 / 0)
    assert len(printed(capsys, "sweep", *words)["failed"]) == 2
    monkeypatch.undo()
    assert len(printed(capsys, "sweep", *words, "--resume")["cells"]) == 2


@pytest.mark.slow
def test_train(capsys):
    assert "trained" in printed(capsys, "train", "--draws", "2", *SIZES)


@pytest.mark.slow
def test_predict_and_several_rates(capsys):
    assert "trained" not in printed(capsys, "predict", "--draws", "2", *SIZES)
    rates = ("--lr-f", "0.1,0.2", "--loss", "logistic")
    assert "rates" in printed(capsys, "train", "--draws", "2", *SIZES, *rates)


def test_figure(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr(registry, "figures", lambda: {"toy-mean": figure_toys.FIGURE})
    counts = ("--set", "counts=2")
    assert printed(capsys, "figure", "toy-mean", *counts, "--out", str(tmp_path))["figures"]


def test_falsify(capsys, tmp_path, mine):
    out = tmp_path / "out"
    words = (f"{mine}:false", f"{mine}:true", "--evaluations", "8", "--out", str(out))
    content = printed(capsys, "falsify", *words)
    assert [entry["verdict"] for entry in content["statements"]] == ["refuted", "inconclusive"]
    valid("falsify", json.loads((out / "falsified.json").read_text()))


CHANGES = [
    {"verdict": "perhaps"}, {"draws": True}, {"draws": 1.5}, {"level": "low"}, {"notes": [1]},
    {"hypotheses": {"wide": None}}, {"failure_rate": []}, {"kept_draws": {"file": "a"}},
    {"constant": {"smallest": None}}, {"seconds": None}, {"outcomes": {}}, {"estimates": {}},
]  # fmt: skip


@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_a_schema_refuses_what_our_reader_refuses(change):
    content = store_toys.verified(store_toys.ENTRY)
    valid("verify", content)
    forms.check(content, contents.VERIFIED)
    content = store_toys.verified(store_toys.ENTRY | change)
    with pytest.raises(jsonschema.ValidationError):
        valid("verify", content)
    with pytest.raises(Malformed):
        forms.check(content, contents.VERIFIED)


def test_a_name_that_may_be_missing():
    form = {"a?": int}
    schema = forms.as_schema(form)
    for good in ({}, {"a": 1}):
        forms.check(good, form)
        jsonschema.validate(good, schema)
    with pytest.raises(Malformed):
        forms.check({"a": "x"}, form)
    forms.check({"a?": "a condition's name"}, {str: str})


def test_schemas_are_printed_without_jax():
    code = (
        "import sys; from experiments.command.main import main; main(['schema', 'verify']);"
        "assert 'jax' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)
