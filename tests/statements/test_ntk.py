"""Family ntk: right on its default data, and able to fail."""

import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from statement_checks import (
    check_default,
    evidence_of,
    first_look,
    verdict_of,
    with_left_side,
)

from theory import REGISTRY
from theory.certificates import linear_solve
from theory.data.sampling import draw
from theory.infinite_width import kernels
from theory.networks.descent import descent_for_time
from theory.networks.network import apply, frozen_readout, init, split_widths
from theory.networks.training import train
from theory.statements.ntk import widths
from theory.verification.evaluation import evaluate
from theory.verification.judging import judge
from theory.verification.kinds import ByQuantity

DRAWS = {
    "ntk.initial-output": 200,
    "ntk.initial-kurtosis": 200,
    "ntk.kernel-convergence": 200,
    "ntk.kernel-bound": 100,
    "ntk.training-dynamics": 400,
    "ntk.predictors-agree": 16,
    "ntk.linearization": 400,
    "ntk.parameter-movement": 128,
    "ntk.mean-correction": 200,
    "ntk.mean-correction-smooth": 400,
}


@pytest.mark.parametrize("id", list(DRAWS))
def test_the_default_run_tests_the_statement(id):
    check_default(id, DRAWS[id])


def claims(id):
    statement = REGISTRY[id]
    assert isinstance(statement.claim, ByQuantity)
    found = statement.claim.claims(statement.config)
    return found if isinstance(found, tuple) else (found,)


# Each changes (value, resolution): what another theorem would say, and neighbours of the claim.
FALSE_CLAIMS = {
    "ntk.initial-output": [lambda value, _: value + 0.5],  # also: half the NNGP
    "ntk.initial-kurtosis": [lambda value, _: 1.5 * value],
    "ntk.kernel-convergence": [lambda value, _: -1.0],
    "ntk.training-dynamics": [
        lambda value, resolution: value - 3 * resolution,
        lambda value, resolution: value + 3 * resolution,
        lambda value, _: -0.75,
        lambda value, _: -0.25,
    ],
    "ntk.linearization": [lambda value, resolution: value - 3 * resolution],
    "ntk.parameter-movement": [lambda value, _: -0.75, lambda value, _: -0.25],
    "ntk.mean-correction": [
        lambda value, _: -1.0,  # what holds without kinks
        lambda value, _: -0.75,
        lambda value, _: -0.25,
    ],
    "ntk.mean-correction-smooth": [
        lambda value, _: -0.5,  # what holds with kinks
        lambda value, resolution: value - 3 * resolution,
        lambda value, resolution: value + 3 * resolution,
    ],
}


@pytest.mark.parametrize(
    ("id", "change"), [(id, change) for id, several in FALSE_CLAIMS.items() for change in several]
)
def test_a_false_claim_is_refuted(id, change):
    """Every claim by itself, not just one of them."""
    false = tuple(dataclasses.replace(c, value=change(c.value, c.resolution)) for c in claims(id))
    verdict = verdict_of(id, evidence_of(id, DRAWS[id]), false)
    assert [e.verdict for e in verdict.estimates] == ["refuted"] * len(false), str(verdict)


FALSE_VARIANTS = {
    "ntk.kernel-bound": with_left_side(0.1),  # a tenth of the bound
    "ntk.predictors-agree": with_left_side(0.1),
}


@pytest.mark.parametrize("id", list(FALSE_VARIANTS))
def test_a_false_variant_is_refuted(id):
    verdict = verdict_of(id, FALSE_VARIANTS[id](evidence_of(id, DRAWS[id])))
    assert verdict.verdict == "refuted", str(verdict)


def test_the_kernel_bound_is_within_a_factor_of_five():
    tightness = verdict_of("ntk.kernel-bound", evidence_of("ntk.kernel-bound", 100)).tightness
    assert tightness is not None
    assert 1 <= tightness <= 5


@pytest.mark.slow
def test_with_equal_learning_rates_the_kernel_of_all_weights_does_not_converge(monkeypatch):
    """The readout at the same rate, not 1/m of it: ‖Θ_m − Θ‖ grows like m."""
    monkeypatch.setattr("theory.statements.ntk.kernel.readout_scales", lambda c: jnp.ones(c.widths))
    statement = REGISTRY["ntk.kernel-convergence"]
    config = dataclasses.replace(statement.config, slope=0.25)  # a new one: nothing is cached
    evidence = evaluate(statement, jax.random.key(3), 32, config)
    verdict = judge(
        statement.id,
        statement.claim,
        evidence,
        config=config,
    )
    found = {e.name: e.observed for e in verdict.estimates}
    for name, exponent in found.items():
        expected = 1.0 if "all trained" in name else -0.5
        assert exponent == pytest.approx(expected, abs=0.15), name


def test_a_one_sided_claim_below_the_true_exponent_is_refuted():
    """The distance to the limit falls like m^(−1/2), not m^(−0.9) or faster."""
    id = "ntk.training-dynamics"
    false = tuple(dataclasses.replace(c, value=-0.9, side="at most") for c in claims(id))
    assert verdict_of(id, evidence_of(id, DRAWS[id]), false).verdict == "refuted"


@pytest.mark.slow
def test_padded_widths_train_as_each_network_by_itself():
    """Neurons that fill up a network change nothing: outputs after every step, width by width."""
    config = widths.TrainingSetting(m_min=2)
    found = widths.train_at_every_width(jax.random.key(1), config, lambda t: t.path)
    key_data, key_init = jax.random.split(jax.random.key(1))
    x, y, z, _ = draw(key_data, config.data, config.n, config.d, queries=config.queries)
    sizes = [int(m) for m in config.scales]
    start = init(frozen_readout(), key_init, sum(sizes), config.d)
    for variant, paths in zip(widths.variants(config), found, strict=True):
        descent = descent_for_time(config.T, config.steps, loss=variant.loss)
        for m, params, path in zip(sizes, split_widths(start, sizes), paths, strict=True):
            result = train(
                variant.network,
                widths.for_network(variant.network, params),
                x, y, descent,
                lambda p, v=variant: apply(v.network, p, z),
                1 / m,
            )  # fmt: skip
            # The same sums in another order, over ten steps.
            np.testing.assert_allclose(path, result.trace, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("id", "changes", "hypothesis"),
    [
        # Steps of 2 at λ_max up to 3: the exponent of these is −0.6.
        ("ntk.parameter-movement", {"n": 2, "d": 2, "T": 4.0, "steps": 2}, "stable steps"),
        # Pre-activations move by 11|a|, of the order 1: the exponent of these is −0.87.
        ("ntk.mean-correction-smooth", {"n": 1, "d": 10, "T": 1.0, "m_min": 128}, "first order"),
    ],
)
def test_settings_that_no_rate_is_said_of_are_out_of_the_regime(id, changes, hypothesis):
    statement = REGISTRY[id]
    config = dataclasses.replace(statement.config, **changes)
    verdict = first_look(statement, key=jax.random.key(0), draws=4, config=config)
    assert verdict.verdict == "vacuous", str(verdict)
    assert hypothesis in verdict.reason


def test_the_size_of_a_step_is_that_of_the_kernel(key):
    config = widths.TrainingSetting(loss="logistic", loss_all="squared", slope=0.3)
    found = widths.train_at_every_width(key, config, lambda t: (widths.step_size(t), t.x))
    for variant, curvature, (sizes, points) in zip(
        widths.variants(config), (0.25, 1.0), found, strict=True
    ):
        kernel = kernels.network_ntk(variant.network, points[0], points[0])
        expected = config.T / config.steps * curvature * jnp.trace(kernel) / config.n
        np.testing.assert_allclose(sizes, float(expected), rtol=1e-12)


def test_the_mean_correction_at_one_training_point_has_its_coefficient():
    """n = 1: √m(f_∞ − E f_m)y → (T²/(2πσ))(1 − γ)²(1 + γ)c², σ² = ‖x‖²/d + 1, c = ‖x‖² + 1.

    Summed over a grid of neurons, (h(x), a) with their normal density, in gradient flow: the path
    of one neuron at one point has speed ay·c above the kink and γ times that below.
    """
    gamma, time, m = 0.5, 1.0, 1e6
    x = np.array([0.3, -0.8, 0.5])
    c, sigma = x @ x + 1, math.sqrt(x @ x / 3 + 1)
    a = np.linspace(-8, 8, 2000)[:, None] / math.sqrt(m)
    h = np.linspace(-2, 2, 2001)[None, :] * np.abs(a) * c * time  # the kink's neighbourhood

    def flow(h, a):
        up, down = np.maximum(a, 0) * c, np.maximum(-a, 0) * c
        crossing_up = np.where((h < 0) & (a > 0), -h / (gamma * up + 1e-300), np.inf)
        crossing_down = np.where((h >= 0) & (a < 0), h / (down + 1e-300), np.inf)
        crossing = np.minimum(np.minimum(crossing_up, crossing_down), time)
        speed = np.where(h >= 0, 1, gamma) * a * c
        after = np.where(h >= 0, gamma, 1) * a * c
        return np.where(crossing < time, after * (time - crossing), h + speed * time)

    def phi(h):
        return np.where(h >= 0, h, gamma * h)

    linear = phi(h) + np.where(h >= 0, 1, gamma**2) * a * c * time
    density = np.exp(-m * a**2 / 2 - h**2 / (2 * sigma**2)) / (2 * np.pi * sigma) * math.sqrt(m)
    cell = (a[1, 0] - a[0, 0]) * np.gradient(h, axis=1)
    found = math.sqrt(m) * m * np.sum(a * (linear - phi(flow(h, a))) * density * cell)
    expected = time**2 / (2 * np.pi * sigma) * (1 - gamma) ** 2 * (1 + gamma) * c**2
    # Corrections are O(1/√m), and the grid's below a hundredth.
    assert found == pytest.approx(expected, rel=0.01)


@pytest.mark.parametrize("sign", [1, -1])
def test_operator_norm(sign):
    """Against NumPy's: indefinite, with a double largest eigenvalue, and zero."""
    matrices = np.random.default_rng(0).normal(size=(20, 8, 8))
    matrices = sign * (matrices + matrices.transpose(0, 2, 1))
    matrices[0], matrices[1] = np.diag([2.0, -2, 2, 1, 0, 0, 0, 0]), 0.0
    found = jax.vmap(linear_solve.operator_norm)(jnp.array(matrices))
    # 30 squarings of 8 products each, their logarithms halved every time.
    np.testing.assert_allclose(found, np.linalg.norm(matrices, 2, axis=(1, 2)), rtol=1e-8)
