"""Planted statements about means, rates and decays are judged as was stated beforehand."""

import operator

import pytest
from soundness import decays, means, rates
from soundness.planted import check


@pytest.mark.parametrize("planted", means.PLANTED, ids=operator.attrgetter("name"))
def test_means(planted):
    check(planted)


@pytest.mark.parametrize("planted", rates.PLANTED, ids=operator.attrgetter("name"))
def test_rates(planted):
    check(planted)


@pytest.mark.parametrize("planted", decays.PLANTED, ids=operator.attrgetter("name"))
def test_decays(planted):
    check(planted)
