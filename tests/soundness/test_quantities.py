"""Planted statements about means, rates, decays and laws are judged as was stated beforehand."""

from soundness import decays, laws, means, rates
from soundness.planted import check, planted_in


@planted_in(means)
def test_means(planted):
    check(planted)


@planted_in(rates)
def test_rates(planted):
    check(planted)


@planted_in(decays)
def test_decays(planted):
    check(planted)


@planted_in(laws)
def test_laws(planted):
    check(planted)
