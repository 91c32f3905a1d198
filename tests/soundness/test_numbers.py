"""Planted statements that hang on rounding and on integers are judged as was stated beforehand."""

import operator

import pytest
from soundness import absorbed, numerics, repeated, whole
from soundness.planted import check


@pytest.mark.parametrize("planted", numerics.PLANTED, ids=operator.attrgetter("name"))
def test_rounding(planted):
    check(planted)


@pytest.mark.parametrize("planted", absorbed.PLANTED, ids=operator.attrgetter("name"))
def test_absorption(planted):
    check(planted)


@pytest.mark.parametrize("planted", whole.PLANTED, ids=operator.attrgetter("name"))
def test_integers(planted):
    check(planted)


@pytest.mark.parametrize("planted", repeated.PLANTED, ids=operator.attrgetter("name"))
def test_repeated_draws(planted):
    check(planted)
