"""Planted statements that declare bounds, errors, infinities, strictness or no randomness."""

import operator

import pytest
from soundness import bounded, exact, fixed
from soundness.planted import check


@pytest.mark.parametrize("planted", exact.PLANTED, ids=operator.attrgetter("name"))
def test_exact(planted):
    check(planted)


@pytest.mark.parametrize("planted", bounded.PLANTED, ids=operator.attrgetter("name"))
def test_bounded(planted):
    check(planted)


@pytest.mark.parametrize("planted", fixed.PLANTED, ids=operator.attrgetter("name"))
def test_fixed(planted):
    check(planted)
