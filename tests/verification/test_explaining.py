"""Why a verdict came out."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from untyped import known

from theory import (
    REGISTRY,
    Deterministic,
    Parameters,
    Probabilistic,
    Statement,
    exceeds,
    explain,
    parameter,
    verify,
)
from theory.keys import make_key
from theory.verification import remedies
from theory.verification.explaining import RULES, explained
from theory.verification.kinds import KINDS
from theory.verification.remedies import hypothesis_margins


class Wide(Parameters):
    """Something that holds from a width of 1521 on."""

    m: int = parameter(500, "width", low=1)
    n: int = parameter(10, "points", low=1)
    c: float = parameter(1.0, "constant", low=0.01, high=2)


def statement(**changes):
    given = {
        "id": "mine.wide",
        "config": Wide(),
        "sample": lambda key, c: jax.random.normal(key),
        "hypotheses": {
            "√m > 39": lambda z, c: exceeds(c.c * c.m**0.5, 39.0),
            "n < 20": lambda z, c: exceeds(20, c.n),
        },
        "claim": Deterministic[Any, Any](lambda z, c: exceeds(z**2 + 1e-9, 0.0)),
    }
    return Statement(**given | changes)


def test_it_says_what_mends_the_nearest_hypothesis():
    found = explain(statement(), draws=20)
    assert found.verdict == "vacuous"
    assert [one.name for one in found.nearest] == ["√m > 39", "n < 20"]  # failing ones first
    by_name = {remedy.parameter: remedy for remedy in found.remedies}
    assert known(by_name["m"].before) <= 1521 < known(by_name["m"].holds_from) <= 1.03 * 1521
    assert by_name["m"].margin == pytest.approx(500**0.5 - 39)
    assert "holds from m ≈" in str(by_name["m"])
    assert "n" not in by_name


def test_c_alone_reaches_it_within_its_range():
    found = explain(statement(config=Wide(m=1000)), draws=20)
    by_name = {remedy.parameter: remedy for remedy in found.remedies}
    assert by_name["c"].holds_from == pytest.approx(39 / 1000**0.5, rel=0.03)


def test_where_a_value_takes_too_long_none_farther_away_is_tried(monkeypatch):
    """Every value takes longer than no time at all: one beside the own one is tried, and said."""
    monkeypatch.setattr(remedies, "PATIENCE", 0.0)
    found = explain(statement(config=Wide(m=100)), draws=20)
    (remedy,) = found.remedies
    assert remedy.holds_from is None
    assert remedy.reached == 2 * remedy.now
    assert str(remedy).endswith(f"no {remedy.parameter} up to {remedy.reached:g} mends it")


def test_the_worst_draw_can_be_drawn_again():
    holds = statement(config=Wide(m=2000))
    found = explain(holds, key=make_key(3), draws=50)
    z = holds.sample(jax.random.fold_in(make_key(3), known(found.worst).draw), holds.config)
    values = [
        holds.sample(jax.random.fold_in(make_key(3), i), holds.config) ** 2 for i in range(50)
    ]
    assert known(found.worst).margins["conclusion"][0] == pytest.approx(float(z**2) + 1e-9)
    assert float(z**2) == pytest.approx(min(map(float, values)))
    assert not found.remedies


def test_a_stored_verdict_is_explained_without_its_draws():
    verdict = verify(statement(config=Wide(m=2000)), key=make_key(0), draws=30)
    found = explained(verdict)
    assert found.verdict == "consistent"
    assert found.worst is None
    values = {c.name: (c.value, c.against) for c in found.comparisons}
    assert values["draws that satisfy the hypotheses"] == (30, "14 or more")
    assert values["failures outside numerical error"] == (0, "none")
    assert str(verdict.detectable)[:4] in found.seen
    assert verdict.explain() == found


def test_every_kind_has_its_rule():
    assert set(RULES) == {kind.name for kind in KINDS}


@pytest.mark.parametrize("id", ["ntk.initial-kurtosis", "separability.rate-in-dimension"])
def test_quantities_are_explained(id):
    found = explain(REGISTRY[id], draws=50)
    assert found.comparisons
    assert np.size(known(found.worst).quantity)
    assert REGISTRY[id].id in str(found)


def test_failure_rates_are_explained():
    tail = statement(
        hypotheses={},
        claim=Probabilistic[Any, Any](
            lambda z, c: exceeds(1.0, jnp.abs(z)), lambda z, c: jnp.asarray(0.1)
        ),
    )
    found = explain(tail, draws=200)
    values = {c.name: c.value for c in found.comparisons}
    assert found.verdict == "refuted"
    assert values["lower limit of the failure rate"] > 0.1
    assert values["failure rate"] == pytest.approx(0.317, abs=0.12)  # 2Φ(−1)


def test_a_hypothesis_of_an_early_stage_needs_no_later_one():
    def never(key, earlier, config):
        raise AssertionError("this stage is not looked at")

    staged = dataclasses.replace(REGISTRY["orthogonal.decision-boundary"])
    stages = dict(staged.stages) | {list(staged.stages)[-1]: never}
    looked_at = dataclasses.replace(staged, stages=stages)
    margins = hypothesis_margins(
        looked_at, ("near-orthogonality",), make_key(0), 4, looked_at.config
    )
    assert margins["near-orthogonality"].value.shape == (4,)
