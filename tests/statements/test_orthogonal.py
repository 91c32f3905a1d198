"""Family orthogonal: right on its default data, and able to fail."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from loose_parts import changed
from scipy import stats
from statement_checks import check_default, evidence_of, first_look, negated, verdict_of
from untyped import known

from theory import REGISTRY, Claim, Deterministic, margin
from theory.statements.orthogonal import boundary, learning, noise, perturbation, uniformity
from theory.verification.evaluation import evaluate, evaluate_instance
from theory.verification.stages import Staged

DRAWS = {
    "orthogonal.decision-boundary": 16,
    "orthogonal.decision-boundary-certified": 16,
    "orthogonal.multiplier-range": 64,
    "orthogonal.multiplier-range-sharp": 64,
    "orthogonal.uniformity": 64,
    "orthogonal.uniformity-published": 64,
    "orthogonal.decision-boundary-quadratic": 16,
    "orthogonal.perturbation-direction": 80,
    "orthogonal.learning-from-perturbations": 24,
    "orthogonal.learning-from-perturbations-certified": 16,
    "orthogonal.effect-growth": 200,
    "orthogonal.noise-accuracy": 1600,
    "orthogonal.noise-accuracy-early": 500,
}


@pytest.mark.parametrize("id", list(DRAWS))
def test_the_default_run_tests_the_statement(id):
    check_default(id, DRAWS[id])


FALSE_VARIANTS = {
    "orthogonal.decision-boundary": negated,  # the other sign of f
    "orthogonal.decision-boundary-certified": negated,
    "orthogonal.decision-boundary-quadratic": negated,
    "orthogonal.learning-from-perturbations": negated,
    "orthogonal.learning-from-perturbations-certified": negated,
}


@pytest.mark.parametrize("id", list(FALSE_VARIANTS))
def test_a_false_variant_is_refuted(id):
    verdict = verdict_of(id, FALSE_VARIANTS[id](evidence_of(id, DRAWS[id])))
    assert verdict.verdict == "refuted", str(verdict)


def _cosines_of(change):
    """The claims about cosines for another network or law."""

    def claims(config):
        return perturbation._claims(dataclasses.replace(config, **change))

    return claims


def _accuracies_with(change):
    """The claimed accuracies, each changed."""

    def claims(config):
        claimed = noise._accuracies(config)
        return tuple(dataclasses.replace(c, value=change(c.value)) for c in claimed)

    return claims


def _early(change):
    """The claimed early accuracies, each changed: (n_adv, configuration, claimed) → value."""

    def claims(config):
        claimed = zip(config.n_adv, noise._early_accuracies(config), strict=True)
        return tuple(dataclasses.replace(c, value=change(k, config, c.value)) for k, c in claimed)

    return claims


def _of_orthogonal_samples(n_adv, config, _):
    """Φ_N(a): a Gram matrix that is the identity."""
    return float(stats.norm.cdf(config.epsilon * (config.d * n_adv / config.n) ** 0.5))


def _bent(factor):
    """The claimed exponent with another multiple of the bend, and the true tolerance."""

    def claim(config):
        claimed = noise._exponent(config)
        return dataclasses.replace(claimed, value=0.5 + factor * (claimed.value - 0.5))

    return claim


FALSE_CLAIMS = {
    "orthogonal.perturbation-direction": [
        _cosines_of({"slope": 0.3}),
        _cosines_of({"slope": 0.99}),  # along q itself
    ],
    "orthogonal.effect-growth": [
        lambda config: Claim(1.0, 0.01),  # the effect, not the ratio
        lambda config: Claim(0.45, 0.01),
        _bent(0),
        _bent(-1),
    ],
    "orthogonal.noise-accuracy": [
        _accuracies_with(lambda p: 0.5),  # noise teaches nothing
        _accuracies_with(lambda p: float(stats.norm.cdf(stats.norm.ppf(p) / 2))),  # half the signal
    ],
    "orthogonal.noise-accuracy-early": [
        _early(lambda n_adv, config, p: 0.5),
        _early(_of_orthogonal_samples),
        _early(lambda n_adv, config, p: p + 3 * 0.02 * p),
        _early(lambda n_adv, config, p: p - 3 * 0.02 * p),
    ],
}


@pytest.mark.parametrize(
    ("id", "claims"), [(id, claims) for id, several in FALSE_CLAIMS.items() for claims in several]
)
def test_a_false_claim_is_refuted(id, claims):
    claim = claims(REGISTRY[id].config)
    verdict = verdict_of(id, evidence_of(id, DRAWS[id]), claim)
    assert verdict.verdict == "refuted", str(verdict)


def test_a_boundary_without_labels_is_refuted(monkeypatch):
    """A structural error in the prediction, found by training: q = Σ λ_k x_k, labels dropped."""
    true_limit = boundary.max_margin.max_margin_limit

    def without_labels(x, *others):
        limit = true_limit(x, *others)
        return limit._replace(normal=limit.multipliers @ x)

    monkeypatch.setattr(boundary.max_margin, "max_margin_limit", without_labels)
    statement = dataclasses.replace(REGISTRY["orthogonal.decision-boundary"])  # compiled anew
    verdict = first_look(statement, key=jax.random.key(0), draws=16)
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
    assert first_look(statement, key=jax.random.key(0), draws=64).verdict == "refuted"


def test_multipliers_are_not_as_uniform_as_norms_alone():
    """R² in place of R²/(1 − 2/(pR²)): the correction is needed."""
    statement = dataclasses.replace(
        REGISTRY["orthogonal.uniformity"],
        claim=Deterministic(uniformity.uniformity(lambda inverse, *_: 1 / inverse)),
    )
    assert first_look(statement, key=jax.random.key(0), draws=64).verdict == "refuted"


@pytest.mark.parametrize("bound", [uniformity.sharp, uniformity.published])
def test_bounds_on_uniformity_by_hand(bound):
    """p = 3γ⁻³ and R = 1: 1.0007 where 100.7 was published for γ = 0.1, 1.09 and 4.8 for ½."""
    values = {uniformity.sharp: (1.0007, 1.09), uniformity.published: (100.7, 4.8)}[bound]
    for slope, value in zip((0.1, 0.5), values, strict=True):
        found = bound(jnp.array(1.0), jnp.array(slope**3 / 3), slope)
        assert float(found) == pytest.approx(value, rel=6e-3)
    assert bound(jnp.array(1.0), jnp.array(0.5), 0.5) == jnp.inf  # nothing is promised


def test_uniformity_of_points_of_different_norms():
    """Exactly orthogonal points: λ_k = 2/((1+γ²)‖x_k‖²), whose ratio is R² itself."""
    statement = REGISTRY["orthogonal.uniformity"]
    lengths = jnp.array([1.0, 2.0, 3.0])

    def on(x):
        points = boundary.Points(x, jnp.array([1.0, -1.0, 1.0]))
        return Staged({"points": points, "closed_form": boundary.solve(*points, 0.5)})

    evidence = evaluate_instance(statement, on(jnp.diag(lengths)))
    found = known(evidence.conclusion)
    assert found.value[0] == pytest.approx(0, abs=1e-12)  # 9 ≤ 9: undecided to rounding
    assert abs(found.value[0]) <= found.error[0] < 1e-10
    tilted = jnp.diag(lengths).at[0, 1].set(0.01)
    found = known(evaluate_instance(statement, on(tilted)).conclusion)
    assert found.value[0] > found.error[0]


def test_leaving_the_regime_is_vacuous_and_says_by_how_much():
    statement = REGISTRY["orthogonal.multiplier-range"]
    config = dataclasses.replace(statement.config, load=5.0)
    verdict = first_look(statement, key=jax.random.key(0), draws=64, config=config)
    assert verdict.verdict == "vacuous"
    assert verdict.hypotheses["near-orthogonality"].ratio == pytest.approx((0.2, 0.2, 0.2))
    assert "near-orthogonality fails in 64 of 64 draws by a factor of 5" in verdict.reason


@pytest.mark.slow
@pytest.mark.parametrize(
    "change", [{"steps": 20}, {"steps": 200, "learning_rate": 0.01, "scale": 10.0}]
)
def test_training_that_stopped_too_early_says_nothing_about_infinite_time(change):
    statement = REGISTRY["orthogonal.decision-boundary"]
    config = dataclasses.replace(statement.config, **change)
    verdict = first_look(statement, key=jax.random.key(1), draws=16, config=config)
    assert verdict.outcomes["undecided"] == 16
    assert verdict.verdict == "inconclusive"


def test_odd_width_where_halves_are_needed():
    with pytest.raises(ValueError, match="m must be an even integer ≥ 2, got 7"):
        boundary.TrainedSetting(m=7)


def test_most_draws_of_the_quadratic_setting_need_the_quadratic_program():
    """Else the statement would say nothing that the closed form does not."""
    evidence = evidence_of("orthogonal.decision-boundary-quadratic", 16)
    assert 4 <= evidence.measured["closed form λ > 0"].fails.sum() <= 12


@pytest.mark.slow
def test_the_certificate_does_not_believe_the_solver():
    """All samples, or all but the first, proposed as support vectors: rejected where wrong."""
    statement = REGISTRY["orthogonal.decision-boundary-quadratic"]
    right = evidence_of(statement.id, 16)
    unneeded = right.measured["closed form λ > 0"].fails

    def propose(instance, first):
        active = np.ones(len(instance.closed_form.x), bool)
        active[0] = first
        return active

    changed = dataclasses.replace(statement, solve=lambda i: propose(i, True))
    evidence = evaluate(changed, jax.random.key(7), 16)
    assert (evidence.hypotheses["KKT certificate"].fails == unneeded).all()
    changed = dataclasses.replace(statement, solve=lambda i: propose(i, False))
    evidence = evaluate(changed, jax.random.key(7), 16)
    assert evidence.hypotheses["KKT certificate"].fails.sum() >= 12


@pytest.mark.slow
def test_where_the_mislabelled_effect_wins_the_networks_disagree():
    """The conclusion without the sufficient condition, at every query: refuted."""

    def everywhere(instance, _):
        f, g = instance.training
        value = np.inf * jnp.ones_like(f.v)
        value = jnp.where(
            instance.closed_form.asked & jnp.isfinite(f.missing + g.missing), f.v * g.v, value
        )
        return margin(value, 0.0, infinite=True).all()

    statement = REGISTRY["orthogonal.learning-from-perturbations"]
    statement = changed(statement, conclusion=everywhere)
    assert first_look(statement, key=jax.random.key(0), draws=8).verdict == "refuted"


@pytest.mark.slow
def test_more_noise_samples_than_clean_ones():
    statement = REGISTRY["orthogonal.learning-from-perturbations-certified"]
    config = learning.LearningSetting(data="uniform", n=6, n_adv=9, d=600, steps=1000, tie=0.05)
    verdict = first_look(statement, key=jax.random.key(0), draws=16, config=config)
    assert verdict.verdict == "consistent", str(verdict)
    assert verdict.outcomes["confirmed"] == 16


@pytest.mark.slow
@pytest.mark.parametrize("case", REGISTRY["orthogonal.learning-from-perturbations-certified"].cases)
def test_every_case_of_learning(case):
    statement = REGISTRY["orthogonal.learning-from-perturbations-certified"]
    config = statement.configured(case)
    verdict = first_look(statement, key=jax.random.key(0), draws=16, config=config)
    assert verdict.verdict == "consistent", str(verdict)


@pytest.mark.parametrize(
    ("changes", "hypothesis"), [({"slope": 0.05}, "large slope"), ({"time": 0.6}, "small load")]
)
def test_early_accuracy_is_said_where_its_tolerance_was_measured(changes, hypothesis):
    statement = REGISTRY["orthogonal.noise-accuracy-early"]
    config = dataclasses.replace(statement.config, **changes)
    verdict = first_look(statement, key=jax.random.key(0), draws=4, config=config)
    assert verdict.verdict == "vacuous", str(verdict)
    assert hypothesis in verdict.reason
