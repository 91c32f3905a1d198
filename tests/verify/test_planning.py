"""Which data a run covers: what statements declare beside themselves, in a user's file too."""

import pytest
from loose_parts import made_of

from experiments.datasets import sources
from experiments.verify import planning
from theory import REGISTRY, OnData, Parameters, fields, margin
from theory.data.sampling import data_parameter

FILE = """
import jax.numpy as jnp
from typing import Any
from widetheory import Deterministic, OnData, Parameters, Statement, fields, margin
from theory.data.sampling import data_parameter, draw


class Setting(Parameters):
    data: Any = data_parameter("gaussian")
    n: int = fields.points(4)
    d: int = fields.dimension(3)
    m: int = fields.width(7)


POSITIVE = Statement(
    id="mine.positive",
    config=Setting(),
    sample=lambda key, c: draw(key, c.data, c.n, c.d).x,
    claim=Deterministic(lambda x, c: margin(1 + jnp.sum(x**2))),
    data=True,
    on_data={"digits": OnData({"n": 9})},
    cases={"wide": {"m": 70}},
)
"""


@pytest.fixture
def mine(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(FILE)
    return str(path)


def sizes(names, **options):
    runs = planning.plan_runs(names, **options).runs
    return [(str(run.config.data), run.config.n, run.config.d, run.config.m) for run in runs]


def test_a_file_declares_how_it_runs_on_a_data_set(mine):
    assert sizes([mine]) == [("gaussian", 4, 3, 7), ("gaussian", 4, 3, 70)]
    on_digits = sizes([mine], data_name="digits")
    assert on_digits == [("digits", 9, 64, 7), ("digits", 9, 64, 70)]
    assert sizes([mine], data_name="sphere") == [("sphere", 4, 3, 7), ("sphere", 4, 3, 70)]


def test_settings_of_the_command_come_last(mine):
    assert sizes([mine], data_name="digits", settings={"n": "5"}) == [("digits", 5, 64, 7)]


@pytest.mark.parametrize("preset", planning.PRESETS)
def test_a_run_of_all_covers_the_data_that_statements_name(preset):
    """Besides each on its own data; "quick" only where they say so."""
    runs = planning.plan_runs([], preset=preset).runs
    found = {(run.statement.id, run.config.data.name): run for run in runs if is_set(run)}
    declared = {
        (id, name): how
        for id, statement in REGISTRY.items()
        for name, how in statement.on_data.items()
        if how.quick or preset == "full"
    }
    assert found.keys() == declared.keys()
    assert len(found) == {"quick": 3, "full": 29}[preset]
    for place, how in declared.items():
        for name, value in how.changes.items():
            assert getattr(found[place].config, name) == value
    assert {run.statement.id for run in runs if not is_set(run)} == set(REGISTRY)


def is_set(run):
    return not isinstance(getattr(run.config, "data", ""), str)


class Setting(Parameters):
    data: str = data_parameter("gaussian")
    n: int = fields.points(4)


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"on_data": {"digits": {"n": 9}}}, r"on_data\['digits'\] must be an OnData, got dict"),
        ({"on_data": {"digits": OnData({"n": 0})}}, "n must be an integer ≥ 1, got 0"),
        (
            {"on_data": {"digits": OnData()}, "data": False},
            r"on_data\['digits'\] must be left out of a statement without data, got OnData",
        ),
    ],
)
def test_what_is_declared_is_checked_when_the_statement_is_made(parts, message):
    own = {"data": True, "conclusion": lambda x, _: margin(x), "config": Setting()} | parts
    with pytest.raises(ValueError, match=message):
        made_of(id="toy.x", sample=lambda key, config: key, **own)


def test_data_sets_that_statements_name_exist():
    for statement in REGISTRY.values():
        for name in statement.on_data:
            assert sources.load(name).name == name  # pyright: ignore[reportAttributeAccessIssue]
