"""Planted statements that single draws decide are judged as was stated beforehand."""

from soundness import counterexamples, failures, nonfinite
from soundness.planted import check, planted_in


@planted_in(counterexamples)
def test_counterexamples(planted):
    check(planted)


@planted_in(failures)
def test_failures(planted):
    check(planted)


@planted_in(nonfinite)
def test_nonfinite(planted):
    check(planted)
