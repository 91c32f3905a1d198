"""Planted statements that hang on rounding and on integers are judged as was stated beforehand."""

from soundness import absorbed, numerics, repeated, whole
from soundness.planted import check, planted_in


@planted_in(numerics)
def test_rounding(planted):
    check(planted)


@planted_in(absorbed)
def test_absorption(planted):
    check(planted)


@planted_in(whole)
def test_integers(planted):
    check(planted)


@planted_in(repeated)
def test_repeated_draws(planted):
    check(planted)


def test_programs_of_several_decompositions_end():
    """Three batches of LU in one program stood still in about every other run."""
    (planted,) = (p for p in numerics.PLANTED if p.name == "hilbert-determinant-positive")
    for _ in range(20):
        check(planted)
