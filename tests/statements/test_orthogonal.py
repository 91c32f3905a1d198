"""Family orthogonal: right on its default data, and able to fail."""

import dataclasses

import jax
import pytest
from statement_checks import check_default, evidence_of, negated, verdict_of

from theory import REGISTRY, verify
from theory.statements.orthogonal import boundary

DRAWS = {
    "orthogonal.decision-boundary": 16,
    "orthogonal.decision-boundary-certified": 16,
    "orthogonal.multiplier-range": 64,
    "orthogonal.multiplier-range-sharp": 64,
}


@pytest.mark.parametrize("id", list(DRAWS))
def test_the_default_run_tests_the_statement(id):
    check_default(id, DRAWS[id])


FALSE_VARIANTS = {
    "orthogonal.decision-boundary": negated,  # the other sign of f
    "orthogonal.decision-boundary-certified": negated,
}


@pytest.mark.parametrize("id", list(FALSE_VARIANTS))
def test_a_false_variant_is_refuted(id):
    verdict = verdict_of(id, FALSE_VARIANTS[id](evidence_of(id, DRAWS[id])))
    assert verdict.verdict == "refuted", str(verdict)


def test_a_boundary_without_labels_is_refuted(monkeypatch):
    """A structural error in the prediction, found by training: q = Σ λ_k x_k, labels dropped."""
    true_limit = boundary.max_margin.max_margin_limit

    def without_labels(x, y, slope):
        limit = true_limit(x, y, slope)
        return limit._replace(normal=limit.multipliers @ x)

    monkeypatch.setattr(boundary.max_margin, "max_margin_limit", without_labels)
    statement = dataclasses.replace(REGISTRY["orthogonal.decision-boundary"])  # compiled anew
    verdict = verify(statement, key=jax.random.key(0), draws=16)
    assert verdict.verdict == "refuted"


BROKEN = {"orthogonal.multiplier-range", "orthogonal.multiplier-range-sharp"}  # just below


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("multiplier_range", lambda r: r._replace(high=r.high / 8)),  # 3/(16γ²R_min²)
        ("multiplier_range", lambda r: r._replace(low=r.low * 4)),
        ("sharp_multiplier_range", lambda r: r._replace(high=r.high * (1 - 0.5**3 / 3))),
    ],
)
def test_a_range_with_a_wrong_constant_is_refuted(monkeypatch, name, change):
    true_range = getattr(boundary.max_margin, name)
    monkeypatch.setattr(boundary.max_margin, name, lambda x, slope: change(true_range(x, slope)))
    id = {"m": "orthogonal.multiplier-range", "s": "orthogonal.multiplier-range-sharp"}[name[0]]
    statement = dataclasses.replace(REGISTRY[id])
    assert verify(statement, key=jax.random.key(0), draws=64).verdict == "refuted"


def test_leaving_the_regime_is_vacuous_and_says_by_how_much():
    statement = REGISTRY["orthogonal.multiplier-range"]
    config = dataclasses.replace(statement.config, load=5.0)
    verdict = verify(statement, key=jax.random.key(0), draws=64, config=config)
    assert verdict.verdict == "vacuous"
    assert verdict.hypotheses["near-orthogonality"].ratio == pytest.approx((0.2, 0.2, 0.2))
    assert "near-orthogonality fails in 64 of 64 draws by a factor of 5" in verdict.reason


@pytest.mark.parametrize(
    "change", [{"steps": 20}, {"steps": 200, "learning_rate": 0.01, "scale": 10.0}]
)
def test_training_that_stopped_too_early_says_nothing_about_infinite_time(change):
    statement = REGISTRY["orthogonal.decision-boundary"]
    config = dataclasses.replace(statement.config, **change)
    verdict = verify(statement, key=jax.random.key(1), draws=16, config=config)
    assert verdict.outcomes["undecided"] == 16
    assert verdict.verdict == "inconclusive"


def test_odd_width_where_halves_are_needed():
    with pytest.raises(ValueError, match="m must be an even integer ≥ 2, got 7"):
        boundary.TrainedSetting(m=7)
