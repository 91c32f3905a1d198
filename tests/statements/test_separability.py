"""Family separability: right on its default data, and able to fail."""

import dataclasses

import jax
import numpy as np
import pytest
from statement_checks import check_default, evidence_of, verdict_of, with_allowed

from theory import REGISTRY, Claim, verify
from theory.statements.separability import initialization

DRAWS = {
    "separability.initialization": 512,
    "separability.initialization-margin": 512,
    "separability.mean": 40_000,
    "separability.variance": 100_000,
    "separability.variance-as-printed": 40_000,
}


@pytest.mark.parametrize("id", list(DRAWS))
def test_the_default_run_tests_the_statement(id):
    check_default(id, DRAWS[id])


FALSE_VARIANTS = {
    "separability.initialization": with_allowed(0.25),  # one of four union-bound terms dropped
    "separability.initialization-margin": with_allowed(0.25),
}


@pytest.mark.parametrize("id", list(FALSE_VARIANTS))
def test_a_false_variant_is_refuted(id):
    verdict = verdict_of(id, FALSE_VARIANTS[id](evidence_of(id, DRAWS[id])))
    assert verdict.verdict == "refuted", str(verdict)


FALSE_CLAIMS = {
    "separability.mean": Claim(0.55, 0.05),
    "separability.variance": Claim(5 / 32 + 3 / 16, 0.05),  # without the term 9/(4md)
}


@pytest.mark.parametrize("id", list(FALSE_CLAIMS))
def test_a_false_claim_is_refuted(id):
    verdict = verdict_of(id, evidence_of(id, DRAWS[id]), FALSE_CLAIMS[id])
    assert verdict.verdict == "refuted", str(verdict)


def test_the_printed_variance_is_excluded_and_the_corrected_one_is_not():
    estimate = verdict_of(
        "separability.variance",
        evidence_of("separability.variance", DRAWS["separability.variance"]),
    ).estimates[0]
    printed = 5 / (4 * 8) + 1 / 4 + 2 / (8 * 4)
    corrected = 5 / (4 * 8) + 3 / (4 * 4) + 9 / (4 * 8 * 4)
    assert estimate.low < corrected < estimate.high < printed


def test_noise_alignment_is_what_the_theorem_is_about():
    """S_k has the sign of ⟨−Wᵀa, y_k r_k⟩ and its value is aᵀWWᵀDa, by other means."""
    from theory import attacks, networks

    params = networks.init(networks.all_trained(), jax.random.key(1), 6, 5)
    x = jax.random.normal(jax.random.key(2), (7, 5))
    y = jax.numpy.where(x[:, 0] > 0, 1.0, -1.0)
    alignment = initialization.noise_alignment(params, x)
    noise = attacks.gradient_noise(params, x, y, 0.0)
    projected = y * (noise @ (-params.a @ params.w))
    w, a = np.asarray(params.w), np.asarray(params.a)
    for k in range(7):
        active = np.diag((w @ np.asarray(x[k]) >= 0).astype(float))
        assert np.isclose(alignment.value[k], a @ w @ w.T @ active @ a, rtol=1e-12)
    assert (np.sign(projected) == np.sign(alignment.value)).all()
    assert (alignment.error < 1e-12).all()


def test_few_draws_of_a_heavy_tail_refute_nothing():
    """At m = d = 1, S is a product of squares: 100 draws say nothing, and must not pretend to."""
    for id in ("separability.mean", "separability.variance"):
        statement = REGISTRY[id]
        config = dataclasses.replace(statement.config, m=1, d=1)
        verdict = verify(statement, key=jax.random.key(0), draws=100, config=config)
        assert verdict.verdict == "inconclusive"
        assert verdict.draws_needed > 1000
