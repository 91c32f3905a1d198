"""Every registered statement: right on its default data, and able to fail."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from theory import REGISTRY, Claim, Dataset, Margin, verify
from theory.data import Sample
from theory.statements import lazy, orthogonal, select, separability
from theory.verdict import Evidence, judge
from theory.verification import evaluate

# False-alarm rate of the whole file: every verdict below is reached at LEVEL by a true statement,
# with seeds fixed once and for all.
LEVEL = 1e-3
DRAWS = {
    "separability.initialization": 512,
    "separability.initialization-margin": 512,
    "separability.mean": 40_000,
    "separability.variance": 100_000,
    "separability.variance-as-printed": 40_000,
    "orthogonal.decision-boundary": 16,
    "orthogonal.decision-boundary-certified": 16,
    "orthogonal.multiplier-range": 64,
    "orthogonal.multiplier-range-sharp": 64,
    "lazy.movement": 32,
    "lazy.activation-stability": 64,
    "lazy.dynamics": 64,
    "lazy.prediction-matching": 32,
    "ntk.kernel-convergence": 256,
    "ntk.training-dynamics": 128,
}


@functools.cache
def evidence_of(id: str) -> Evidence:
    return evaluate(REGISTRY[id], jax.random.key(7), DRAWS[id])


def verdict_of(id: str, evidence: Evidence, claim: Claim | None = None):
    statement = REGISTRY[id]
    if claim is None and statement.claim is not None:
        claim = statement.claim(statement.config)
    scales = np.asarray(statement.scales(statement.config), float) if statement.scales else None
    return judge(
        id, statement.kind, evidence, tiers=statement.tiers, claim=claim, scales=scales, level=LEVEL
    )


def test_every_statement_is_tested_here():
    assert set(DRAWS) == set(REGISTRY)


@pytest.mark.parametrize("id", list(REGISTRY))
def test_the_default_run_tests_the_statement(id):
    verdict = verdict_of(id, evidence_of(id))
    expected = "refuted" if REGISTRY[id].erratum else "consistent"
    assert verdict.verdict == expected, str(verdict)
    assert all(summary.met > 0 for summary in verdict.hypotheses.values())


def with_conclusion(evidence: Evidence, value) -> Evidence:
    old = evidence.conclusion
    return evidence._replace(conclusion=Margin(value, old.error, old.ratio, old.unit))


def with_left_side(factor: float):
    """The statement "factor·left > right" where the true one is "left > right"."""

    def change(evidence: Evidence) -> Evidence:
        margin = evidence.conclusion
        right = margin.value / (margin.ratio - 1)
        return with_conclusion(evidence, (factor * margin.ratio - 1) * right)

    return change


def negated(evidence: Evidence) -> Evidence:
    return with_conclusion(evidence, -evidence.conclusion.value)


def with_allowed(factor: float):
    return lambda evidence: evidence._replace(allowed=evidence.allowed * factor)


FALSE_VARIANTS = {
    "separability.initialization": with_allowed(0.25),  # one of four union-bound terms dropped
    "separability.initialization-margin": with_allowed(0.25),
    "orthogonal.decision-boundary": negated,  # the other sign of f
    "orthogonal.decision-boundary-certified": negated,
    "lazy.activation-stability": with_left_side(0.1),  # a tenth of the bound
    "lazy.dynamics": with_left_side(0.01),
    "lazy.prediction-matching": negated,  # sgn f = −sgn g
}


@pytest.mark.parametrize("id", list(FALSE_VARIANTS))
def test_a_false_variant_is_refuted(id):
    verdict = verdict_of(id, FALSE_VARIANTS[id](evidence_of(id)))
    assert verdict.verdict == "refuted", str(verdict)


def test_movement_with_a_quarter_of_the_bound_is_refuted():
    # The margin is 1 − the largest ratio, so a quarter of the bound makes it 1 − 4·ratio.
    evidence = evidence_of("lazy.movement")
    value = 1 - 4 * (1 - evidence.conclusion.value)
    assert verdict_of("lazy.movement", with_conclusion(evidence, value)).verdict == "refuted"


def test_the_smallest_bound_not_refuted_is_within_reach_of_the_true_one():
    # Tightness: the bounds are not so loose that any constant would pass.
    ratios = {id: evidence_of(id).conclusion.ratio for id in ("lazy.movement", "lazy.dynamics")}
    assert ratios["lazy.movement"].min() < 4
    assert ratios["lazy.dynamics"].min() < 100


FALSE_CLAIMS = {
    "separability.mean": Claim(0.55, 0.05),
    "separability.variance": Claim(5 / 32 + 3 / 16, 0.05),  # without the term 9/(4md)
    "ntk.kernel-convergence": Claim(-1.0, 0.15),
    "ntk.training-dynamics": Claim(-1.0, 0.15),
}


@pytest.mark.parametrize("id", list(FALSE_CLAIMS))
def test_a_false_claim_is_refuted(id):
    assert verdict_of(id, evidence_of(id), FALSE_CLAIMS[id]).verdict == "refuted"


def test_the_printed_variance_is_excluded_and_the_corrected_one_is_not():
    estimate = verdict_of("separability.variance", evidence_of("separability.variance")).estimate
    printed = 5 / (4 * 8) + 1 / 4 + 2 / (8 * 4)
    corrected = 5 / (4 * 8) + 3 / (4 * 4) + 9 / (4 * 8 * 4)
    assert estimate.low < corrected < estimate.high < printed


def test_a_boundary_without_labels_is_refuted(monkeypatch):
    """A structural error in the prediction, found by training: q = Σ λ_k x_k, labels dropped."""
    true_limit = orthogonal.max_margin.max_margin_limit

    def without_labels(x, y, slope):
        limit = true_limit(x, y, slope)
        return limit._replace(normal=limit.multipliers @ x)

    monkeypatch.setattr(orthogonal.max_margin, "max_margin_limit", without_labels)
    statement = dataclasses.replace(REGISTRY["orthogonal.decision-boundary"])  # compiled anew
    verdict = verify(statement, key=jax.random.key(0), draws=16)
    assert verdict.verdict == "refuted"


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("multiplier_range", lambda r: r._replace(high=r.high / 8)),  # 3/(16γ²R_min²)
        ("multiplier_range", lambda r: r._replace(low=r.low * 4)),
        ("sharp_multiplier_range", lambda r: r._replace(high=r.high * (1 - 0.5**3 / 3))),
    ],
)
def test_a_range_with_a_wrong_constant_is_refuted(monkeypatch, name, change):
    true_range = getattr(orthogonal.max_margin, name)
    monkeypatch.setattr(orthogonal.max_margin, name, lambda x, slope: change(true_range(x, slope)))
    id = {"m": "orthogonal.multiplier-range", "s": "orthogonal.multiplier-range-sharp"}[name[0]]
    statement = dataclasses.replace(REGISTRY[id])
    assert verify(statement, key=jax.random.key(0), draws=64).verdict == "refuted"


def test_noise_alignment_is_what_the_theorem_is_about():
    """S_k has the sign of ⟨−Wᵀa, y_k r_k⟩ and its value is aᵀWWᵀDa, by other means."""
    from theory import attacks, networks

    params = networks.init(networks.all_trained(), jax.random.key(1), 6, 5)
    x = jax.random.normal(jax.random.key(2), (7, 5))
    y = jax.numpy.where(x[:, 0] > 0, 1.0, -1.0)
    alignment = separability.noise_alignment(params, x)
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


def test_leaving_the_regime_is_vacuous_and_says_by_how_much():
    statement = REGISTRY["orthogonal.multiplier-range"]
    config = dataclasses.replace(statement.config, load=5.0)
    verdict = verify(statement, key=jax.random.key(0), draws=64, config=config)
    assert verdict.verdict == "vacuous"
    assert verdict.hypotheses["near-orthogonality"].ratio == pytest.approx((0.2, 0.2, 0.2))
    assert "near-orthogonality fails in 64 of 64 draws by a factor of 5" in verdict.reason


def test_narrow_networks_trained_long_are_beyond_the_theorem():
    """A small version of the published scale: T = 100 at m = 20."""
    statement = REGISTRY["lazy.prediction-matching"]
    config = dataclasses.replace(statement.config, m=20, T_f=100.0, T_g=100.0)
    verdict = verify(statement, key=jax.random.key(0), draws=32, config=config)
    assert verdict.verdict == "vacuous"
    assert verdict.outcomes["beyond"] > 16
    assert verdict.measured["f against lazy error"].ratio[1] < 1
    assert "margin of f fails in 32 of 32 draws by a factor of" in verdict.reason


def test_equality_on_parallel_data_is_undecided_and_no_counterexample(monkeypatch):
    """1000 copies of one sample: |h(T) − h(0)| = T|a|κ exactly, up to the rounding of the sums."""

    def copies(key, source, n, d, **options):
        return Sample(jnp.ones((n, 1)), jnp.ones(n), jnp.ones((8, 1)), jnp.ones(8))

    monkeypatch.setattr(lazy, "draw", copies)
    statement = dataclasses.replace(REGISTRY["lazy.movement"])
    config = dataclasses.replace(statement.config, n=1000, d=1, T=40.0, steps=1, loss="identity")
    verdict = verify(statement, key=jax.random.key(0), draws=16, config=config)
    assert verdict.outcomes["miss"] == 0
    assert verdict.outcomes["undecided"] == 16
    assert verdict.verdict == "inconclusive"


@pytest.mark.parametrize(
    "change", [{"steps": 20}, {"steps": 200, "learning_rate": 0.01, "scale": 10.0}]
)
def test_training_that_stopped_too_early_says_nothing_about_infinite_time(change):
    statement = REGISTRY["orthogonal.decision-boundary"]
    config = dataclasses.replace(statement.config, **change)
    verdict = verify(statement, key=jax.random.key(1), draws=16, config=config)
    assert verdict.outcomes["undecided"] == 16
    assert verdict.verdict == "inconclusive"


def test_ntk_training_dynamics_by_both_predictors():
    statement = REGISTRY["ntk.training-dynamics"]
    config = dataclasses.replace(statement.config, m_min=8, widths=5, steps=400)
    by_flow = evaluate(statement, jax.random.key(3), 8, config)
    by_steps = evaluate(
        statement, jax.random.key(3), 8, dataclasses.replace(config, predictor="closed-form")
    )
    # Same networks. Flow and descent differ by O(learning rate): max over t of |e^{−λt} −
    # (1 − ηλ)^{t/η}| ≈ ηλ/(2e) with ηλ ≤ T/steps·(largest eigenvalue/n) ≤ 0.0075·15, times the
    # size of the residual, below 10.
    assert np.abs(by_flow.quantity - by_steps.quantity).max() < 0.0075 * 15 / (2 * np.e) * 10
    assert not np.array_equal(by_flow.quantity, by_steps.quantity)


def test_statements_accept_given_data():
    rng = np.random.default_rng(0)
    y = np.where(np.arange(60) % 2 == 0, 1.0, -1.0)
    data = Dataset("mine", rng.normal(size=(60, 4)) + y[:, None], y)
    statement = REGISTRY["lazy.movement"]
    config = dataclasses.replace(statement.config, data=data, d=4)
    assert verify(statement, key=jax.random.key(0), draws=32, config=config).verdict == "consistent"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"m": 0}, "m must be an integer ≥ 1, got 0"),
        ({"n": 0}, "n must be an integer ≥ 1, got 0"),
        ({"slope": 1.0}, r"slope must be a finite number in \[0, 1\), got 1.0"),
        ({"T": float("nan")}, "T must be a finite number"),
        ({"loss": "hinge"}, "loss must be one of identity, logistic"),
        ({"data": "mnist"}, "data must be one of"),
        ({"momentum": -0.1}, r"momentum must be a finite number in \[0, 1\)"),
    ],
)
def test_bad_parameters_are_named(change, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(REGISTRY["lazy.movement"].config, **change)


def test_odd_width_where_halves_are_needed():
    with pytest.raises(ValueError, match="m must be an even integer ≥ 2, got 7"):
        orthogonal.TrainedSetting(m=7)


def test_select():
    assert [s.id for s in select(["lazy.dynamics", "lazy"])] == [
        i for i in REGISTRY if i[:4] == "lazy"
    ]
    assert len(select()) == len(REGISTRY)
    with pytest.raises(ValueError, match=r"got 'lazy\.nothing'"):
        select(["lazy.nothing"])
