"""The registry as a whole."""

import pathlib
import runpy

import pytest

from theory import REGISTRY
from theory.statements import select

TESTS = {
    path.stem.removeprefix("test_"): runpy.run_path(str(path))
    for path in pathlib.Path(__file__).parent.glob("test_*.py")
    if path.name not in ("test_registry.py", "test_precision.py")
}


@pytest.mark.parametrize("family", sorted({id.split(".")[0] for id in REGISTRY}))
def test_every_statement_is_tested_and_shown_to_be_able_to_fail(family):
    """A test file runs every statement of its family and breaks all that are true."""
    tests = TESTS[family]
    ids = {id for id in REGISTRY if id.split(".")[0] == family}
    assert set(tests["DRAWS"]) == ids
    able = set().union(*(tests.get(n, ()) for n in ("FALSE_VARIANTS", "FALSE_CLAIMS", "BROKEN")))
    assert able | {id for id in ids if REGISTRY[id].erratum} == ids


def test_select():
    assert [s.id for s in select(["lazy.dynamics", "lazy"])] == [
        i for i in REGISTRY if i[:4] == "lazy"
    ]
    assert len(select()) == len(REGISTRY)
    with pytest.raises(ValueError, match=r"got 'lazy\.nothing'"):
        select(["lazy.nothing"])
