"""Every registered statement is consistent and its false neighbours are refuted, by one evidence.

A statement that is registered is covered, with nothing said here. The scheduler (`conftest.py`)
runs each test beside those of the statement's family, which share the evidence.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from loose_parts import kind_of, made_of
from neighbours import Judged, neighbours
from statement_checks import LEVEL, check_default, draws_of_files, evidence_of

from theory import REGISTRY, Claim, margin
from theory.margins import exceeds, measured
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


def weaknesses(statement, evidence):
    """The false neighbours that the evidence does not refute, with all numbers.

    And bounds that are out of reach of what is observed, unless the statement says why.
    """
    how = Judged(statement.claim, LEVEL, statement.looks_at, statement.first, statement.config)
    found = neighbours(how, evidence)
    weak = [f"{n.says}: {n.numbers}" for n in found if not n.refuted]
    weak += [
        f"{n.says}: looser than by a factor of {LOOSE:g}, and `loose` does not say why"
        for n in found
        if n.factor > LOOSE and not statement.loose
    ]
    return weak or ([] if found else ["nothing could refute it"])


@pytest.mark.slow
@pytest.mark.parametrize(("file", "id"), list(DRAWS))
def test_a_statement_is_told_from_its_false_neighbours(file, id):
    """It is consistent, unless a known erratum, and each of them is refuted."""
    check_default(id, DRAWS[file, id])
    if REGISTRY[id].erratum:
        return
    weak = weaknesses(REGISTRY[id], evidence_of(id, DRAWS[file, id]))
    if id in NO_NEIGHBOUR:
        assert weak, f"{id} has false neighbours"
    else:
        assert not weak, f"{id}, not refuted:\n" + "\n".join(weak)


# --- the check itself can fail --------------------------------------------------------------------


def normals(key, config):
    return jax.random.normal(key, (5,))


NEW = {  # one of each kind, true
    "deterministic": {
        "conclusion": lambda x, _: exceeds(2 + jnp.max(jnp.abs(x)), jnp.max(jnp.abs(x)))
    },
    "probabilistic": {
        "conclusion": lambda x, _: exceeds(1.0, x[0]),
        "failure_probability": lambda x, _: 0.25,
    },
    "moment": {
        "quantity": lambda x, _: measured(x[0] ** 2, 0.0),
        "claims": lambda config: Claim(1.0, 0.2),
    },
    "rate": {
        "quantity": lambda x, _: measured(jnp.exp(x / 9 + jnp.log(2.0) * jnp.arange(5.0)), 0.0),
        "claims": lambda config: Claim(1.0, 0.1),
        "scales": lambda config: 2.0 ** np.arange(5),
    },
}
FALSE = {
    "deterministic": {"conclusion": lambda x, _: exceeds(2.0, jnp.max(jnp.abs(x)))},
    "probabilistic": {"failure_probability": lambda x, _: 0.05},
    "moment": {"claims": lambda config: Claim(2.0, 0.2)},
    "rate": {"claims": lambda config: Claim(2.0, 0.1)},
}
EMPTY = {  # true, and too much so to be wrong; what the test says of it
    "deterministic": (
        {"conclusion": lambda x, _: exceeds(1e3 + jnp.abs(x[0]), jnp.abs(x[0]))},
        "looser than by a factor of 10",
    ),
    "probabilistic": ({"failure_probability": lambda x, _: 0.86}, "the negated conclusion"),
    "moment": (
        {
            "quantity": lambda x, _: measured(jnp.where(x[0] > 0, 1.0, 0.0), 0.0),
            "claims": lambda config: Claim(0.5, 0.9, bounds=(0, 1)),
        },
        "a value inside the bounds",
    ),
    "rate": ({"claims": lambda config: Claim(1.0, 0.1, tolerance=2.0)}, "value 1.5 ± 2"),
}


def checked(statement, monkeypatch):
    """What the test of all statements does with one that has just been registered."""
    for module in ("statement_checks", __name__):
        monkeypatch.setattr(f"{module}.REGISTRY", {**REGISTRY, statement.id: statement})
    draws = draws_of_files.__wrapped__()["test_neighbours"]
    assert draws == {statement.id: 1000}
    evidence_of.cache_clear()
    check_default(statement.id, 1000)
    return weaknesses(statement, evidence_of(statement.id, 1000))


@pytest.mark.parametrize("kind", NEW)
def test_a_new_statement_is_covered_and_a_broken_claim_fails(kind, monkeypatch):
    """Nothing is said of it anywhere but in the registry."""
    made = {"id": "mine.new", "kind": kind, "sample": normals, "draws": {"quick": 1000}}
    assert checked(made_of(**made, **NEW[kind]), monkeypatch) == []
    with pytest.raises(AssertionError, match="refuted"):
        checked(made_of(**made, **NEW[kind] | FALSE[kind]), monkeypatch)
    changes, says = EMPTY[kind]
    found = checked(made_of(**made, **NEW[kind] | changes), monkeypatch)
    assert any(says in weak for weak in found), found


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
