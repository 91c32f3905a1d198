"""Family separability after training: right on its default data, and able to fail."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from statement_checks import (
    check_default,
    evidence_of,
    negated,
    verdict_of,
)

from theory import REGISTRY, Claim, Dataset, verify
from theory.statements.separability import generalization, trained
from theory.verification import evaluate

DRAWS = {
    "separability.ntk": 48,
    "separability.ntk-share": 96,
    "separability.ntk-alignment": 300,
    "separability.ntk-terms": 16,
    "separability.ntk-term-rates": 64,
    "separability.ntk-active-readout": 2000,
    "separability.ntk-active-readout-as-printed": 2000,
    "separability.ntk-movement": 200,
    "separability.ntk-movement-size": 384,
    "separability.ntk-movement-as-printed": 64,
    "separability.generalization": 12,
    "separability.generalization-beyond": 20,
    "separability.generalization-two-layer": 64,
}


@pytest.mark.parametrize("id", list(DRAWS))
def test_the_default_run_tests_the_statement(id):
    check_default(id, DRAWS[id])


FALSE_VARIANTS = {
    "separability.ntk": negated,
}


@pytest.mark.parametrize("id", list(FALSE_VARIANTS))
def test_a_false_variant_is_refuted(id):
    verdict = verdict_of(id, FALSE_VARIANTS[id](evidence_of(id, DRAWS[id])))
    assert verdict.verdict == "refuted", str(verdict)


ONE = Claim(1.0, 0.2)
FALSE_CLAIMS = {
    # The share at n = 2d is no better than at n = d/4.
    "separability.ntk-share": tuple(Claim(0.9, 0.2, side="at least") for _ in range(3)),
    "separability.ntk-alignment": Claim(0.5, 0.5),  # ¼Σ… in place of ½Σ…
    "separability.ntk-term-rates": (
        Claim(-0.5, 0.4),  # Δa decays like the movement of the weights
        Claim(-0.5, 0.4),
        Claim(-2.0, 0.4, side="at most"),
    ),
    "separability.ntk-active-readout": Claim(0.75, 0.05),
    "separability.ntk-movement-size": (Claim(1.12, 0.2), ONE),  # 4.40 n/m in place of 3.93 n/m
    "separability.generalization": (
        Claim(0.99, 0.2, side="at most"),
        Claim(0.0, 0.2, side="at most"),  # noises are no easier than images
    ),
    "separability.generalization-beyond": tuple(
        Claim(0.0, 0.2, side="at most") for _ in range(2 * len(generalization.BEYOND))
    ),
    # Few noises are fitted perfectly, and labels that mean nothing are not fitted at all.
    "separability.generalization-two-layer": tuple(
        Claim(0.5, 0.2, side="at most") for _ in range(4)
    ),
}


@pytest.mark.parametrize("id", list(FALSE_CLAIMS))
def test_a_false_claim_is_refuted(id):
    verdict = verdict_of(id, evidence_of(id, DRAWS[id]), FALSE_CLAIMS[id])
    assert verdict.verdict == "refuted", str(verdict)


BROKEN = {"separability.ntk-terms", "separability.ntk-movement"}  # by the tests that follow


def test_bounds_without_the_fourth_term_are_refuted():
    """|S* − S(0)| ≤ the bounds on the terms with ΔW and ΔD alone."""
    statement = dataclasses.replace(
        REGISTRY["separability.ntk-terms"],
        conclusion=lambda i: trained.exceeds(
            i.w + i.d, jnp.abs(i.terms.change), i.terms.error
        ).all(),
    )
    assert verify(statement, key=jax.random.key(0), draws=16).verdict == "refuted"


def test_a_width_that_does_not_grow_with_the_points_is_refuted():
    """The printed 1/√m for the hidden layer without the condition m > C·n·d."""
    statement = REGISTRY["separability.ntk-movement"]
    config = dataclasses.replace(statement.config, n=8, d=16, m=64, width_constant=0.1)
    statement = dataclasses.replace(statement, failure_probability=lambda i: 0.2, config=config)
    verdict = verify(statement, key=jax.random.key(0), draws=64)
    assert verdict.verdict == "refuted"
    assert verdict.constant.smallest > 1


@pytest.mark.parametrize("id", ["separability.ntk", "separability.ntk-movement-size"])
def test_untrained_networks_say_nothing(id):
    statement = REGISTRY[id]
    config = dataclasses.replace(statement.config, steps=1)
    verdict = verify(statement, key=jax.random.key(0), draws=16, config=config)
    assert verdict.verdict == "vacuous"
    assert "trained fails in 16 of 16 draws" in verdict.reason


def test_untrained_networks_contradict_no_width():
    """The loose bound on the readout fails in every draw, but no draw is trained."""
    statement = REGISTRY["separability.ntk-movement"]
    changes = {"steps": 1, "readout_constant": 1e-9, "loss_below": 1e-9}
    config = dataclasses.replace(statement.config, **changes)
    verdict = verify(statement, key=jax.random.key(0), draws=16, config=config)
    assert verdict.constant.smallest == 0
    assert verdict.constant.largest == 0


def test_the_size_of_the_movement_is_claimed_for_well_conditioned_kernels_only():
    """Sixteen points in two dimensions: Σ is nearly singular, and with it K."""
    statement = REGISTRY["separability.ntk-movement-size"]
    config = dataclasses.replace(statement.config, n=16, d=2)
    verdict = verify(statement, key=jax.random.key(0), draws=16, config=config)
    assert verdict.verdict == "vacuous"
    assert verdict.hypotheses["conditioning"].failed == 16


@pytest.mark.slow
def test_the_logistic_loss_at_a_small_loss_moves_further():
    """Weights grow like ln(1/L): the same network moves S more at a hundredth of the loss."""
    statement = REGISTRY["separability.ntk"]
    keys = jax.random.split(jax.random.key(0), 3)

    def reached(steps):
        config = dataclasses.replace(statement.config, loss="logistic", steps=steps, d=16, m=128)
        after = jax.jit(jax.vmap(lambda key: statement.sample(key, config)))(keys)
        return after.loss.mean(), jnp.abs(after.terms.change).max(axis=1).mean()

    (early_loss, early_change), (late_loss, late_change) = reached(10), reached(300)
    assert late_loss < early_loss / 10
    assert late_change > early_change


@pytest.mark.slow
def test_one_neuron_does_not_fit_noises_of_several_classes():
    """The statement with a network that is too small for what it claims is refuted."""
    statement = REGISTRY["separability.generalization-two-layer"]
    config = dataclasses.replace(statement.config, small=1)
    verdict = verify(statement, key=jax.random.key(0), draws=24, config=config)
    assert verdict.verdict == "refuted"
    assert [e.observed for e in verdict.estimates[:2]] == [0.0, 0.0]


@pytest.mark.slow
def test_noises_that_a_linear_classifier_fits_say_nothing_about_two_layers():
    """Two classes far apart: its premise fails, whatever the small network does."""
    statement = REGISTRY["separability.generalization-two-layer"]
    config = dataclasses.replace(
        statement.config, classes=2, d=64, n=16, separation=8.0, large_rate=1.0
    )
    verdict = verify(statement, key=jax.random.key(0), draws=8, config=config)
    assert verdict.verdict == "vacuous"
    assert verdict.hypotheses["linear misfit"].failed == 8


def test_padding_with_points_at_the_origin_changes_nothing():
    """ntk-share trains on n of 2d points by moving the others to the origin."""
    key = jax.random.key(3)
    config = trained.ShareSetting(d=4, m=32, steps=25)
    shares = jax.jit(trained._separated_shares, static_argnums=1)(key, config)
    key_data, key_init = jax.random.split(key)
    data = trained.draw(key_data, "sphere", 8, 4, queries=0)
    initial = trained.init(trained.NETWORK, key_init, 32, 4)
    network = jax.jit(lambda x, y: trained.fit(initial, x, y, steps=25))(data.x[:4], data.y[:4])
    result = trained.movement.alignment_terms(initial, network.trained, network.x)
    assert shares[1] == pytest.approx(float((result.trained > 0).mean()), abs=1e-12)


def test_probes_accept_given_data_and_name_what_is_wrong_with_it():
    rng = np.random.default_rng(0)
    classes = np.arange(120) % 3
    x = rng.normal(size=(120, 6)) + np.eye(6)[classes]
    data = Dataset("mine", x, np.where(classes == 0, 1.0, -1.0), classes)
    statement = REGISTRY["separability.generalization"]
    changes = {"data": data, "d": 6, "n": 60, "queries": 60, "m": 32}
    config = dataclasses.replace(statement.config, classes=3, **changes)
    evidence = evaluate(statement, jax.random.key(0), 2, config)
    assert evidence.quantity.shape == (2, 2)
    config = dataclasses.replace(statement.config, classes=2, **changes)
    with pytest.raises(ValueError, match="classes must be at least 3 for mine, got 2"):
        evaluate(statement, jax.random.key(0), 2, config)
