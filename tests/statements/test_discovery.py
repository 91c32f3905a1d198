"""Statements of other distributions: found by entry points, and left out aloud."""

import importlib.metadata
import sys
import types

import pytest

from theory import REGISTRY, Deterministic, Statement, exceeds
from theory.statements import registry


def statement(id):
    return Statement(
        id=id, sample=lambda key, config: 1.0, claim=Deterministic(lambda x, _: exceeds(2.0, x))
    )


@pytest.fixture
def points(monkeypatch):
    """Entry points of a distribution whose module holds these statements."""

    def install(*values, **names):
        module = types.ModuleType("theorems_of_theirs")
        vars(module).update(names)
        monkeypatch.setitem(sys.modules, module.__name__, module)
        found = [importlib.metadata.EntryPoint("theirs", v, registry.GROUP) for v in values]
        monkeypatch.setattr(
            importlib.metadata,
            "entry_points",
            lambda group: found if group == registry.GROUP else [],
        )

    return install


def test_modules_and_statements_are_found(points):
    one, two, three = (statement(f"theirs.{name}") for name in ("one", "two", "three"))
    points("theorems_of_theirs", one=one, more=(two, three))
    found = registry._registered()
    assert list(found)[-3:] == ["theirs.one", "theirs.two", "theirs.three"]
    points("theorems_of_theirs:one", one=one, two=two)
    assert registry._registered().keys() - REGISTRY.keys() == {"theirs.one"}


@pytest.mark.parametrize(
    ("value", "held", "message"),
    [
        ("no_such_module_of_theirs", {}, "'no_such_module_of_theirs' are left out: ModuleNotFound"),
        ("theorems_of_theirs:nothing", {}, "left out: AttributeError"),
        (
            "theorems_of_theirs",
            {"one": "lazy.movement"},
            r"id must be new, got \['lazy.movement'\]",
        ),
        ("theorems_of_theirs", {"one": "x.y", "two": "x.y"}, "got 'x.y' twice"),
    ],
)
def test_what_cannot_be_used_is_left_out_aloud(points, value, held, message):
    points(value, **{name: statement(id) for name, id in held.items()})
    with pytest.warns(RuntimeWarning, match=message):
        assert registry._registered().keys() == REGISTRY.keys()
