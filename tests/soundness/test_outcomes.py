"""Planted statements that single draws decide are judged as was stated beforehand."""

import operator

import pytest
from soundness import counterexamples, failures, nonfinite
from soundness.planted import check


@pytest.mark.parametrize("planted", counterexamples.PLANTED, ids=operator.attrgetter("name"))
def test_counterexamples(planted):
    check(planted)


@pytest.mark.parametrize("planted", failures.PLANTED, ids=operator.attrgetter("name"))
def test_failures(planted):
    check(planted)


@pytest.mark.parametrize("planted", nonfinite.PLANTED, ids=operator.attrgetter("name"))
def test_nonfinite(planted):
    check(planted)
