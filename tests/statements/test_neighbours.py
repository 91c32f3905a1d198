"""Every registered statement is refuted by its false neighbours, on the evidence of its tests.

The scheduler (`conftest.py`) runs each test beside those of the statement's family, which share the
evidence.
"""

import jax
import numpy as np
import pytest
from loose_parts import kind_of
from neighbours import Judged, neighbours
from statement_checks import LEVEL, draws_of_files, evidence_of

from theory import REGISTRY, Claim, margin
from theory.margins import exceeds
from theory.verification.verdict import Evidence

DRAWS = {
    (file, id): draws for file, tested in draws_of_files().items() for id, draws in tested.items()
}
# A looser bound than by this factor says why in the statement's `loose`.
LOOSE = 10.0
# Statements without a false neighbour, and the mathematical reason.
NO_NEIGHBOUR: dict[str, str] = {}


def test_every_statement_is_tested():
    assert sorted(id for _, id in DRAWS) == sorted(REGISTRY)
    assert set(NO_NEIGHBOUR) <= set(REGISTRY)


def how(id):
    statement = REGISTRY[id]
    return Judged(statement.claim, LEVEL, statement.looks_at, statement.first, statement.config)


@pytest.mark.slow
@pytest.mark.parametrize(("file", "id"), [at for at in DRAWS if not REGISTRY[at[1]].erratum])
def test_false_neighbours_are_refuted(file, id):
    """Each of them, with all numbers where one is not; a bound must be within reach of them."""
    statement = REGISTRY[id]
    found = neighbours(how(id), evidence_of(id, DRAWS[file, id]))
    weak = [f"{n.says}: {n.numbers}" for n in found if not n.refuted]
    weak += [
        f"{n.says}: looser than by a factor of {LOOSE:g}, and `loose` does not say why"
        for n in found
        if n.factor > LOOSE and not statement.loose
    ]
    weak = weak or ([] if found else ["nothing could refute it"])
    if id in NO_NEIGHBOUR:
        assert weak, f"{id} has false neighbours: {found}"
    else:
        assert not weak, f"{id}, not refuted:\n" + "\n".join(weak)


# --- the check itself can fail --------------------------------------------------------------------


def evidence(values=None, conclusion=None, allowed=None):
    return Evidence({}, {}, conclusion, allowed, values)


NORMAL = np.random.default_rng(0).normal(size=4000)


@pytest.mark.parametrize(
    ("claim", "refuted"),
    [
        (Claim(0.0, 0.1), [True, True]),
        (Claim(0.0, 0.1, tolerance=1.0), [True, True]),  # the truth lies in the middle of it
        (Claim(0.9, 0.1, tolerance=1.0), [True, False]),  # at its edge: the other edge is far off
        (Claim(0.0, 0.01), [False, False]),  # resolved by 100 times as many draws
        (Claim(0.5, 0.2, side="at most"), [True, True]),
        (Claim(-0.05, 2.0, side="at least"), [True, True]),
    ],
)
def test_neighbours_of_a_mean(claim, refuted):
    found = neighbours(Judged(kind_of("moment", claim), LEVEL), evidence(NORMAL))
    assert [n.refuted for n in found] == refuted, found


def test_a_claim_that_is_as_wide_as_its_bounds_has_no_neighbour():
    shares = (NORMAL > 0).astype(float)
    found = neighbours(
        Judged(kind_of("moment", Claim(0.5, 0.4, bounds=(0, 1))), LEVEL), evidence(shares)
    )
    assert [n.refuted for n in found] == [False]
    assert "bounds" in found[0].says


def test_one_claim_of_several_cannot_hide_behind_another():
    values = np.stack([NORMAL, 100 * NORMAL], axis=1)
    claims = (Claim(0.0, 0.1), Claim(0.0, 0.1))
    found = neighbours(Judged(kind_of("moment", claims), LEVEL), evidence(values))
    assert [n.refuted for n in found] == [True, False, True, False]


def test_a_coarse_exponent_is_told_from_other_laws():
    """±0.4 by 600 draws whose interval is ±0.09 finds 1/√m; by fewer draws it would not."""
    scales = np.array([16.0, 32, 64, 128, 256])
    noise = np.random.default_rng(1).lognormal(sigma=0.5, size=(600, 5))

    def how(claim):
        return Judged(kind_of("rate", claim, scales), LEVEL)

    claim = Claim(-1.0, 0.4, tolerance=0.05)
    found = neighbours(how(claim), evidence(noise / scales))
    assert [n.refuted for n in found] == [True, True]
    assert "-0.5 ± 0.05" in found[0].says
    found = neighbours(how(Claim(-1.0, 0.6, tolerance=0.4)), evidence((3 * noise / scales)[:60]))
    assert [n.refuted for n in found] == [False, False], found


def test_neighbours_of_a_bound():
    """|x| < 4 for 40 normal x, of which none comes near 4; and with a certain rate of failures."""
    left, right = np.full(40, 4.0), np.abs(NORMAL[:40])
    found = neighbours(
        Judged(kind_of("deterministic"), LEVEL),
        evidence(conclusion=jax.device_get(exceeds(left, right))),
    )
    assert [n.refuted for n in found] == [True, True]
    assert found[1].factor == pytest.approx(4.0 / right.max() / 0.99)
    rare = jax.device_get(
        exceeds(np.full(4000, 2.0), np.abs(NORMAL))
    )  # fails with probability 0.0455
    how = Judged(kind_of("probabilistic"), LEVEL)
    found = neighbours(how, evidence(conclusion=rare, allowed=np.full(4000, 0.0455)))
    assert [n.refuted for n in found] == [True] * 3
    assert 1 < found[1].factor < 1.2
    assert "δ divided by 1." in found[2].says


def test_few_draws_of_a_probable_failure_refute_nothing():
    conclusion = jax.device_get(margin(np.ones(3), 0.0))
    found = neighbours(
        Judged(kind_of("probabilistic"), LEVEL), evidence(None, conclusion, np.full(3, 0.5))
    )
    assert [n.refuted for n in found] == [False]


def test_undecided_draws_refute_nothing():
    conclusion = jax.device_get(margin(np.ones(30), np.full(30, 2.0)))
    found = neighbours(Judged(kind_of("deterministic"), LEVEL), evidence(conclusion=conclusion))
    assert [n.refuted for n in found] == [False]
