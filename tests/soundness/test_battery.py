"""The battery is as large and as wide as it is meant to be."""

import collections

import pytest
from soundness import (
    absorbed,
    bounded,
    counterexamples,
    decays,
    exact,
    failures,
    fixed,
    fresh,
    laws,
    means,
    nonfinite,
    numerics,
    rates,
    repeated,
    whole,
)
from soundness.planted import Planted

from theory.verification.kinds import KINDS

THEMES = {
    "absorbed": absorbed,
    "bounded": bounded,
    "counterexamples": counterexamples,
    "decays": decays,
    "exact": exact,
    "failures": failures,
    "fixed": fixed,
    "fresh": fresh,
    "laws": laws,
    "means": means,
    "nonfinite": nonfinite,
    "numerics": numerics,
    "rates": rates,
    "repeated": repeated,
    "whole": whole,
}
ALL = [planted for theme in THEMES.values() for planted in theme.PLANTED]


def test_size():
    truths = collections.Counter(planted.truth for planted in ALL)
    assert truths[True] >= 70
    assert truths[False] >= 70


@pytest.mark.parametrize("kind", [kind.name for kind in KINDS])
def test_every_kind_has_plain_statements(kind):
    """At least three true ones that must be consistent, and three false that must be refuted."""
    told = [planted.allowed for planted in ALL if planted.kind == kind]
    least = 3 if kind != "empirical" else 1
    assert told.count(frozenset({"consistent"})) >= least
    assert told.count(frozenset({"refuted"})) >= least


@pytest.mark.parametrize("theme", THEMES)
def test_names_are_unique(theme):
    names = [planted.name for planted in THEMES[theme].PLANTED]
    assert len(names) == len(set(names))


def test_wrong_answers_cannot_be_allowed():
    for truth, wrong in ((True, "refuted"), (False, "consistent")):
        with pytest.raises(ValueError, match="right answers"):
            Planted("x", {}, truth, frozenset({wrong}), "", 1)
