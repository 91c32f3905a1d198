"""Planted statements that declare bounds, errors, infinities, strictness or no randomness."""

from soundness import bounded, exact, fixed
from soundness.planted import check, planted_in


@planted_in(exact)
def test_exact(planted):
    check(planted)


@planted_in(bounded)
def test_bounded(planted):
    check(planted)


@planted_in(fixed)
def test_fixed(planted):
    check(planted)
