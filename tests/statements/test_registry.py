"""The registry as a whole."""

import pytest

from theory import REGISTRY
from theory.statements.registry import select


def test_select():
    assert [s.id for s in select(["lazy.dynamics", "lazy"])] == [
        i for i in REGISTRY if i[:4] == "lazy"
    ]
    assert len(select()) == len(REGISTRY)
    with pytest.raises(ValueError, match=r"got 'lazy\.nothing'"):
        select(["lazy.nothing"])
