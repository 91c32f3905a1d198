"""Family deep: right on its defaults, and able to fail."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from loose_parts import changed
from statement_checks import LEVEL, check_default, evidence_of, first_look, verdict_of

from theory import REGISTRY, Claim
from theory.infinite_width import deep
from theory.margins import measured
from theory.networks.deep import DeepNetwork, init_deep
from theory.networks.network import leaky_relu
from theory.statements.deep import conditioning, fluctuation, moments

DRAWS = {
    "deep.moments": 250,
    "deep.mean-gradient": 300,
    "deep.ntk-conditioning": 128,
    "deep.ntk-fluctuation": 100,
    "deep.kernel-convergence": 200,
    "deep.training-dynamics": 200,
}


@pytest.mark.parametrize("id", list(DRAWS))
def test_the_default_run_tests_the_statement(id):
    check_default(id, DRAWS[id])


def refuted_as(id, factors, resolution=0.15):
    """The statement with other values in place of 1, one by one."""
    evidence = evidence_of(id, DRAWS[id])
    for number, factor in enumerate(factors):
        claims = [Claim(1.0, 1.0, tolerance=0.5), Claim(1.0, 1.0, tolerance=0.5)]
        claims[number] = Claim(factor, resolution / factor)
        assert verdict_of(id, evidence, tuple(claims)).verdict == "refuted", (number, factor)


def test_a_layer_less_and_another_constant_are_refuted():
    """(1 + b/n)² for its cube, and b = 2, which is that of a linear network."""
    n = moments.MomentSetting().n
    refuted_as("deep.moments", [1 / (1 + 5 / n)] * 2, 0.15)
    refuted_as("deep.moments", [((1 + 2 / n) / (1 + 5 / n)) ** 3] * 2)


def test_other_growth_is_refuted():
    """α = (u² + v²)/2 is not u²/2, nor ((u + v)/2)²."""
    for alpha in (0.5, 0.36):
        ratio = (alpha * 1.21, 1 + alpha * 1.21)
        right = (0.52 * 1.21, 1 + 0.52 * 1.21)
        factors = [(a / b) ** 2 for a, b in zip(ratio, right, strict=True)]
        if alpha < 0.5:
            refuted_as("deep.mean-gradient", factors, 0.1)
        else:
            assert min(factors) > 0.9  # too near for this many draws


def branches_that_end_in_the_activation(key, config):
    """x + φ(Wx), without a layer behind: Wx and φ'(Wx) are not independent in sign."""
    network = DeepNetwork((config.n,) * config.depth, config.slope, config.weight, residual=True)
    x = jnp.ones((1, config.d))

    def output(layers, z):
        z = z @ layers[0].w.T / config.d**0.5
        for k in range(1, len(layers) - 1, 2):
            h = config.weight * z @ layers[k].w.T / config.n**0.5
            z = z + leaky_relu(h, config.slope)
        return (z @ layers[-1].w.T)[0, 0] / config.n**0.5

    def one(key):
        layers = init_deep(network, key, config.d)
        return jnp.sum(jax.grad(lambda z: output(layers, z))(x) ** 2)

    squares = jax.vmap(one)(jax.random.split(key, config.networks))
    return moments.Gradients(squares, squares)


def test_branches_that_end_in_the_activation_grow_otherwise():
    statement = changed(
        dataclasses.replace(
            REGISTRY["deep.mean-gradient"], sample=branches_that_end_in_the_activation
        ),
        claims=lambda c: (Claim(1.0, 0.25),) * 2,
        quantity=lambda g, c: measured(
            jnp.stack([jnp.mean(g.residual)] * 2) / moments.growth(c)[1], 1e-9
        ),
    )
    config = dataclasses.replace(statement.config, n=2)
    verdict = first_look(statement, key=jax.random.key(0), draws=600, config=config, level=LEVEL)
    assert verdict.verdict == "refuted", str(verdict)


@pytest.mark.parametrize("coefficient", [0.0, 0.25, 0.5])
def test_another_second_term_is_refuted(coefficient):
    statement = changed(
        REGISTRY["deep.ntk-conditioning"], quantity=conditioning.distances(coefficient)
    )
    verdict = first_look(statement, key=jax.random.key(0), draws=100, level=LEVEL)
    assert verdict.verdict == "refuted", str(verdict)


@pytest.mark.slow
@pytest.mark.parametrize("slope", [0.3, 0.6])
def test_the_second_term_is_that_of_every_slope(slope):
    """The power law begins at the depth c·L of a ReLU, c = (1 − γ)²/(1 + γ²)."""
    statement = REGISTRY["deep.ntk-conditioning"]
    shallowest = round(256 * (1 + slope**2) / (1 - slope) ** 2)
    config = dataclasses.replace(statement.config, slope=slope, shallowest=shallowest)
    verdict = first_look(statement, key=jax.random.key(0), draws=100, config=config, level=LEVEL)
    assert verdict.verdict == "consistent", str(verdict)


def test_the_limit_of_the_condition_number():
    """(n + 3)/3 of the matrix with ¼ off its diagonal."""
    for n in (2, 5, 30):
        values = np.linalg.eigvalsh(np.full((n, n), 0.25) + 0.75 * np.eye(n))
        assert values[-1] / values[0] == pytest.approx((n + 3) / 3)


def test_depths_before_the_power_law_are_out_of_its_regime():
    statement = REGISTRY["deep.ntk-conditioning"]
    config = dataclasses.replace(statement.config, shallowest=128)
    verdict = first_look(statement, key=jax.random.key(0), draws=20, config=config)
    assert verdict.verdict == "vacuous", str(verdict)


def test_another_variance_of_the_kernel_is_refuted():
    """That of q_L, Π(1 + b/n) − 1; that with b + 1 for b; that of a layer less."""
    config = fluctuation.FluctuationSetting()
    exact, widths = fluctuation.variance(config), (config.n,) * config.depth
    others = [
        deep.mean_square_moment(widths, 0.0) - 1,
        deep.ntk_second_moment(widths[1:], 0.0) - 1,
        deep.ntk_second_moment(widths, 0.3) - 1,
    ]
    evidence = evidence_of("deep.ntk-fluctuation", DRAWS["deep.ntk-fluctuation"])
    for other in others:
        claims = Claim(1.0, 0.05), Claim(other / exact, 0.15)
        verdict = verdict_of("deep.ntk-fluctuation", evidence, claims)
        assert [e.verdict for e in verdict.estimates] == ["consistent", "refuted"], str(verdict)


RATES = ["deep.kernel-convergence", "deep.training-dynamics"]


@pytest.mark.parametrize("exponent", [-1.0, -0.75, -0.25])
@pytest.mark.parametrize("id", RATES)
def test_another_exponent_in_the_width_is_refuted(id, exponent):
    claims = tuple(Claim(exponent, 0.15, tolerance=0.05) for _ in REGISTRY[id].config.depths)
    verdict = verdict_of(id, evidence_of(id, DRAWS[id]), claims)
    assert {e.verdict for e in verdict.estimates} == {"refuted"}, str(verdict)


def test_the_kernel_of_a_layer_less_is_no_limit(monkeypatch):
    """Its distance does not fall like n^(−1/2)."""

    def of_a_layer_less(x, z, depths, slope):
        return deep.limit_ntk(x, z, tuple(depth - 1 for depth in depths), slope)

    monkeypatch.setattr("theory.statements.deep.convergence.limit_ntk", of_a_layer_less)
    statement = REGISTRY["deep.kernel-convergence"]
    config = dataclasses.replace(statement.config, slope=0.55, depths=(2,))  # nothing is cached
    verdict = first_look(statement, key=jax.random.key(0), draws=150, config=config, level=LEVEL)
    assert verdict.verdict == "refuted", str(verdict)


@pytest.mark.slow
@pytest.mark.parametrize("id", RATES)
def test_rates_are_those_of_depths_4_and_5(id):
    statement = REGISTRY[id]
    config = dataclasses.replace(statement.config, depths=(4, 5), narrowest=20)
    verdict = first_look(statement, key=jax.random.key(0), draws=400, config=config, level=LEVEL)
    assert verdict.verdict == "consistent", str(verdict)


def test_networks_too_narrow_for_the_rate_are_out_of_its_regime():
    statement = REGISTRY["deep.kernel-convergence"]
    config = dataclasses.replace(statement.config, slope=0.0)
    verdict = first_look(statement, key=jax.random.key(0), draws=4, config=config)
    assert verdict.verdict == "vacuous", str(verdict)


def test_training_by_steps_that_overshoot_is_out_of_its_regime():
    statement = REGISTRY["deep.training-dynamics"]
    config = dataclasses.replace(statement.config, T=30.0)
    verdict = first_look(statement, key=jax.random.key(0), draws=4, config=config)
    assert verdict.verdict == "vacuous", str(verdict)
    assert "stable steps" in verdict.reason
