"""Family lazy: right on its default data, and able to fail."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from statement_checks import (
    check_default,
    evidence_of,
    first_look,
    negated,
    verdict_of,
    with_conclusion,
    with_left_side,
)
from untyped import known

from theory import REGISTRY, Claim, Dataset
from theory.data.sampling import Sample, draw
from theory.infinite_width import bounds, lazy
from theory.networks.descent import descent_for_time
from theory.networks.network import Params, frozen_readout, init, input_gradients, outputs
from theory.networks.training import train
from theory.perturbations.attacks import gradient_perturbations
from theory.statements.lazy import movement, published

DRAWS = {
    "lazy.movement": 32,
    "lazy.activation-stability": 64,
    "lazy.activation-rate": 60,
    "lazy.dynamics": 64,
    "lazy.dynamics-certified": 64,
    "lazy.dynamics-logistic": 64,
    "lazy.initial-gradient": 40_000,
    "lazy.trained-gradient": 300,
    "lazy.perturbation": 100,
    "lazy.margin-f": 32,
    "lazy.margin-g": 32,
    "lazy.margin-f-init": 32,
    "lazy.prediction-matching": 32,
    "lazy.prediction-matching-init": 32,
    "lazy.prediction-matching-logistic": 40,
    "lazy.prediction-matching-published": 60,
    "lazy.published-constant": 300,
}


@pytest.mark.parametrize("id", list(DRAWS))
def test_the_default_run_tests_the_statement(id):
    check_default(id, DRAWS[id])


FALSE_VARIANTS = {
    "lazy.activation-stability": with_left_side(0.1),  # a tenth of the bound
    "lazy.dynamics": with_left_side(0.05),
    "lazy.dynamics-certified": with_left_side(0.05),
    "lazy.dynamics-logistic": with_left_side(0.02),
    "lazy.margin-f": negated,  # sgn f = −sgn k_f
    "lazy.margin-g": negated,
    "lazy.margin-f-init": negated,
    "lazy.prediction-matching": negated,  # sgn f = −sgn g
    "lazy.prediction-matching-init": negated,
    "lazy.prediction-matching-logistic": negated,
    "lazy.prediction-matching-published": negated,
}


@pytest.mark.parametrize("id", list(FALSE_VARIANTS))
def test_a_false_variant_is_refuted(id):
    verdict = verdict_of(id, FALSE_VARIANTS[id](evidence_of(id, DRAWS[id])))
    assert verdict.verdict == "refuted", str(verdict)


FALSE_CLAIMS = {
    # The mean of φ' squared, ((1 + γ)/2)², for the mean of its square.
    "lazy.initial-gradient": [
        tuple(Claim(0.36, 0.1, name=f"direction {j}") for j in (1, 2, 3)),
    ],
    # Training adds q to the gradient: −1 in units of ∇k − q. And three resolutions from ∇k.
    "lazy.trained-gradient": [
        (Claim(-1.0, 0.15, side="at most"), Claim(-1.0, 0.15, side="at least")),
        (Claim(-0.45, 0.15 / 0.45, side="at most"), Claim(0.0, 0.15, side="at least")),
        (Claim(0.0, 0.15, side="at most"), Claim(0.45, 0.15 / 0.45, side="at least")),
    ],
    "lazy.activation-rate": [
        Claim(-1.0, 0.1, tolerance=0.02),
        Claim(-0.75, 0.1, tolerance=0.02),
        Claim(-0.25, 0.1, tolerance=0.02),
    ],
    # The published conditions would be too strong by a factor that grows with T.
    "lazy.published-constant": [
        tuple(Claim(-0.9, 0.3, side="at most", name=f"exponent for {name}") for name in "fg"),
    ],
}


@pytest.mark.parametrize(
    ("id", "claim"), [(id, claim) for id, several in FALSE_CLAIMS.items() for claim in several]
)
def test_a_false_claim_is_refuted(id, claim):
    verdict = verdict_of(id, evidence_of(id, DRAWS[id]), claim)
    assert verdict.verdict == "refuted", str(verdict)


BROKEN = {"lazy.movement", "lazy.perturbation"}  # by the tests that follow


def test_a_cosine_law_with_twice_the_noise_is_refuted(monkeypatch):
    """‖ξ‖² = 1 + γ² instead of half of it."""
    monkeypatch.setattr(lazy, "initial_gradient_variance", lambda slope: 1 + slope**2)
    statement = dataclasses.replace(REGISTRY["lazy.perturbation"])
    verdict = first_look(statement, key=jax.random.key(0), draws=DRAWS["lazy.perturbation"])
    assert verdict.verdict == "refuted", str(verdict)


def test_movement_with_a_quarter_of_the_bound_is_refuted():
    # The margin is 1 − the largest ratio, so a quarter of the bound makes it 1 − 4·ratio.
    evidence = evidence_of("lazy.movement", DRAWS["lazy.movement"])
    value = 1 - 4 * (1 - known(evidence.conclusion).value)
    assert verdict_of("lazy.movement", with_conclusion(evidence, value)).verdict == "refuted"


@pytest.mark.slow
@pytest.mark.parametrize("grows", ["T", "d"])
def test_every_scale_inside_the_arrays_of_the_largest_is_the_same_run_alone(grows):
    """With arrays cut to the neurons and coordinates that the scale has, and the same weights."""
    config = published.ScalingSetting(grows=grows, n=6, d=1, width=2.0, T=0.5, steps=2)
    key = jax.random.key(5)
    within = np.asarray(published._constants(key, config)).T
    key_data, key_init, key_target = jax.random.split(key, 3)
    d_top = config.d * (16 if grows == "d" else 1)
    x_all, y, z_all, _ = draw(key_data, config.data, config.n, d_top, queries=config.queries)
    target = jax.random.rademacher(key_target, (config.n,), float)
    network, slope, m_top = frozen_readout(config.slope), config.slope, 2 * 16**2
    both = init(network, key_init, 2 * m_top, d_top)
    for scale, measured in zip(config.scales, within, strict=True):
        d, T = (int(scale), 0.5) if grows == "d" else (1, 0.5 * scale)
        m, epsilon = 2 * int(scale) ** 2, config.epsilon * d**0.5
        x, z = x_all[:, :d], z_all[:, :d]

        def fit(first, x, y, d=d, m=m, T=T):
            rows = slice(first, first + m)
            a = both.a[rows] * (2 * m_top / m) ** 0.5
            start = Params(both.w[rows, :d] * (d_top / d) ** 0.5, both.b[rows], a)
            return train(network, start, x, y, descent_for_time(T, config.steps)).params

        f = fit(0, x, y)
        r = gradient_perturbations(f, x, target, epsilon, slope)
        g = outputs(fit(m_top, r, target), z, slope)
        nu = jnp.linalg.norm(input_gradients(f, x, slope), axis=1).mean()
        off_f = jnp.abs(outputs(f, z, slope) / T - lazy.f_hat(x, y, z, slope)).mean()
        off_g = jnp.abs(g * nu / (T * T * epsilon) - lazy.g_hat(x, y, r, z, slope)).mean()
        thresholds = lazy.published_thresholds(config.n, d, T, T, epsilon, "a")
        alone = [off_f / thresholds[0], off_g / thresholds[1]]
        np.testing.assert_allclose(measured, alone, rtol=1e-9)


def test_the_smallest_bound_not_refuted_is_within_reach_of_the_true_one():
    # Tightness: the bounds are not so loose that any constant would pass.
    ratios = {
        id: known(evidence_of(id, DRAWS[id]).conclusion).ratio
        for id in ("lazy.movement", "lazy.dynamics")
    }
    assert ratios["lazy.movement"].min() < 4
    assert ratios["lazy.dynamics"].min() < 10


@pytest.mark.slow
def test_narrow_networks_trained_long_are_beyond_the_theorem():
    """A small version of the published scale: T = 100 at m = 20."""
    statement = REGISTRY["lazy.prediction-matching"]
    config = dataclasses.replace(statement.config, m=20, T_f=100.0, T_g=100.0)
    verdict = first_look(statement, key=jax.random.key(0), draws=32, config=config)
    assert verdict.verdict == "vacuous"
    assert verdict.outcomes["beyond"] > 16
    assert known(verdict.measured["f against lazy error"].ratio)[1] < 1
    assert "margin of f fails in 32 of 32 draws by a factor of" in verdict.reason


def test_longer_steps_than_the_logistic_bound_allows_make_it_vacuous():
    """One step of T = 100: ηλ ≥ 8, the bound is infinite and the hypothesis fails."""
    statement = REGISTRY["lazy.dynamics-logistic"]
    config = dataclasses.replace(statement.config, T=100.0, steps=1, m=50)
    verdict = first_look(statement, key=jax.random.key(0), draws=8, config=config)
    assert verdict.verdict == "vacuous"
    assert verdict.hypotheses["step size"].failed == 8


@pytest.mark.parametrize("id", ["lazy.dynamics-certified", "lazy.prediction-matching-logistic"])
def test_the_certificate_holds_for_the_identity_loss_too(id):
    """There every α_k is T, and the bound is one for a single α on a grid."""
    statement = REGISTRY[id]
    config = dataclasses.replace(statement.config, loss="identity")
    verdict = first_look(statement, key=jax.random.key(0), draws=32, config=config)
    assert verdict.outcomes["miss"] == 0
    assert verdict.outcomes["confirmed"] > 16


def test_the_identity_loss_s_limit_is_refuted_under_the_logistic_loss(monkeypatch):
    """T(f̂ + β) in place of k_α: outside the bound that k_α(z) keeps to."""
    signal = lazy.signal
    monkeypatch.setattr(lazy, "signal", lambda x, y, z, slope, weights: signal(x, y, z, slope, 2.0))
    statement = dataclasses.replace(REGISTRY["lazy.dynamics-certified"])
    assert statement.config.T == 2.0
    verdict = first_look(statement, key=jax.random.key(0), draws=32)
    assert verdict.verdict == "refuted", str(verdict)


def test_equality_on_parallel_data_is_undecided_and_no_counterexample(monkeypatch):
    """1000 copies of one sample: |h(T) − h(0)| = T|a|κ exactly, up to the rounding of the sums."""

    def copies(key, source, n, d, **options):
        return Sample(jnp.ones((n, 1)), jnp.ones(n), jnp.ones((8, 1)), jnp.ones(8))

    monkeypatch.setattr(movement, "draw", copies)
    statement = dataclasses.replace(REGISTRY["lazy.movement"])
    config = dataclasses.replace(statement.config, n=1000, d=1, T=40.0, steps=1, loss="identity")
    verdict = first_look(statement, key=jax.random.key(0), draws=16, config=config)
    assert verdict.outcomes["miss"] == 0
    assert verdict.outcomes["undecided"] == 16
    assert verdict.verdict == "inconclusive"


@pytest.mark.parametrize("floor", [0.0, 0.2, 0.99])
@pytest.mark.parametrize("size", [1.0, 1e4])
def test_the_bound_on_crossings_is_within_its_rounding_error(size, floor):
    """Against longdouble, where ⟨x, z⟩ cancels to the last digits of |x|·|z| = size·d."""
    if np.finfo(np.longdouble).eps > 1e-18:
        pytest.skip("longdouble has no more digits on this machine")
    rng, (n, d, m, time) = np.random.default_rng(8), (40, 30, 1000, 4.0)
    z, normal = rng.normal(size=(6, d)), rng.normal(size=(n, d))
    x = size * (normal - normal @ np.linalg.pinv(z) @ z)
    y = rng.choice([-1.0, 1.0], n)
    reach = bounds.reach(x, y, z, time, floor)
    found = jnp.mean(bounds.crossing_probability(bounds.crossing_ratio(reach, z, m)), axis=0)

    long_x, long_z, one = x.astype(np.longdouble), z.astype(np.longdouble), np.longdouble(1)
    pull = y[:, None] * (time * (long_x @ long_z.T + 1) / n)
    up, down = np.maximum(pull, 0).sum(axis=0), np.maximum(-pull, 0).sum(axis=0)
    sides = np.maximum([up - floor * down, down - floor * up], 0)
    spread = np.sqrt((long_z**2).sum(axis=1) / d + 1) * np.sqrt(one * m)
    exact = np.arctan(sides / spread).sum(axis=0) / (4 * np.arctan(one))

    off = np.abs(np.asarray(found) - exact)
    stated = np.asarray(movement._crossing_rounding(jnp.array(x), jnp.array(z), m, time))
    relative = 8 * np.finfo(float).eps * np.asarray(found)
    assert (off <= stated + relative).all()
    assert stated.max() <= 1e-9  # still a small share of the neurons
    if size > 1 and floor == 0:  # what is lost is more than roundings of the result
        assert off.max() > 10 * relative.max()


def test_statements_accept_given_data():
    rng = np.random.default_rng(0)
    y = np.where(np.arange(60) % 2 == 0, 1.0, -1.0)
    data = Dataset("mine", rng.normal(size=(60, 4)) + y[:, None], y)
    statement = REGISTRY["lazy.movement"]
    config = dataclasses.replace(statement.config, data=data, d=4)
    assert (
        first_look(statement, key=jax.random.key(0), draws=32, config=config).verdict
        == "consistent"
    )


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
