"""The registry as a whole."""

import pathlib
import runpy

import pytest

from theory import REGISTRY
from theory.statements import select

FILES = pathlib.Path(__file__).parent


@pytest.mark.parametrize("family", sorted({id.split(".")[0] for id in REGISTRY}))
def test_every_statement_is_tested_and_shown_to_be_able_to_fail(family):
    """The test files of a family run every statement and break all that are true."""
    files = [runpy.run_path(str(path)) for path in FILES.glob(f"test_{family}*.py")]
    ids = {id for id in REGISTRY if id.split(".")[0] == family}
    assert set().union(*(tests["DRAWS"] for tests in files)) == ids
    names = ("FALSE_VARIANTS", "FALSE_CLAIMS", "BROKEN")
    able = set().union(*(tests.get(name, ()) for tests in files for name in names))
    assert able | {id for id in ids if REGISTRY[id].erratum} == ids


def test_select():
    assert [s.id for s in select(["lazy.dynamics", "lazy"])] == [
        i for i in REGISTRY if i[:4] == "lazy"
    ]
    assert len(select()) == len(REGISTRY)
    with pytest.raises(ValueError, match=r"got 'lazy\.nothing'"):
        select(["lazy.nothing"])
