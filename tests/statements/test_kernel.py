"""Family kernel: right on its default data, and able to fail."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from loose_parts import changed
from statement_checks import LEVEL, check_default, first_look
from untyped import known

from theory import REGISTRY
from theory.infinite_width import hermite
from theory.statements.kernel import finite_width, series
from theory.verification.evaluation import evaluate_instance
from theory.verification.stages import Staged

DRAWS = {
    "kernel.smallest-eigenvalue": 32,
    "kernel.smallest-eigenvalue-sharp": 32,
    "kernel.polynomial-approximation": 32,
    "kernel.polynomial-approximation-sharp": 32,
    "kernel.finite-width-eigenvalue": 400,
}


@pytest.mark.parametrize("id", list(DRAWS))
def test_the_default_run_tests_the_statement(id):
    check_default(id, DRAWS[id])


def of_the_whole_tail(points, config):
    """σ²_{>ℓ} in place of its half; the trace of K is n times that for odd σ and ℓ = 0."""
    margin = series._smallest(points, config)
    return dataclasses.replace(margin, value=margin.value - series._tail(config) / 2)


def of_the_next_power(points, config):
    """σ²_{>ℓ}·λ_min((XᵀX)^{⊙(ℓ+2)}), which is larger."""
    smallest = series.smallest_eigenvalue(*series._series(points, config).kernel)
    next_powers = series.smallest_eigenvalue(series.cosines(points.x).values ** (config.degree + 2))
    right = series._tail(config) * next_powers.value
    return series.at_least(smallest.value, right, smallest.error + next_powers.error)


def of_the_next_tail(config):
    return hermite.tail(config.activation, config.degree + 1, config.slope)


@pytest.mark.parametrize(
    ("id", "conclusion"),
    [
        ("kernel.smallest-eigenvalue", of_the_whole_tail),
        ("kernel.smallest-eigenvalue-sharp", of_the_next_power),
        ("kernel.polynomial-approximation", series._approximation(of_the_next_tail)),
        ("kernel.polynomial-approximation-sharp", series._approximation(of_the_next_tail)),
    ],
)
def test_a_false_neighbour_is_refuted(id, conclusion):
    statement = changed(REGISTRY[id], conclusion=conclusion)
    verdict = first_look(statement, key=jax.random.key(0), draws=16, level=LEVEL)
    assert verdict.verdict == "refuted", str(verdict)


def test_a_width_that_keeps_all_is_refuted():
    """P(λ_min(H_m) < (1 − 1e-6)λ_min(H)) at the δ of t = ½."""
    statement = changed(
        REGISTRY["kernel.finite-width-eigenvalue"],
        conclusion=lambda i, c: finite_width._keeps(i, dataclasses.replace(c, t=1e-6)),
    )
    verdict = first_look(statement, key=jax.random.key(0), draws=64, level=LEVEL)
    assert verdict.verdict == "refuted", str(verdict)


def test_leaving_the_regime_is_vacuous():
    statement = REGISTRY["kernel.smallest-eigenvalue"]
    config = dataclasses.replace(statement.config, d=10)
    verdict = first_look(statement, key=jax.random.key(0), draws=16, config=config)
    assert verdict.verdict == "vacuous"
    assert "powers vanish" in verdict.reason


def test_a_narrow_network_is_promised_nothing():
    statement = REGISTRY["kernel.finite-width-eigenvalue"]
    config = dataclasses.replace(statement.config, m=40)
    verdict = first_look(statement, key=jax.random.key(0), draws=16, config=config)
    assert verdict.verdict == "vacuous"


@pytest.mark.parametrize(("activation", "degree"), [("relu", 2), ("relu", 1), ("sine", 0)])
def test_margins_by_numpy(activation, degree):
    """Both conclusions, from eigenvalues by LAPACK and coefficients by quadrature."""
    x = np.random.default_rng(2).normal(size=(5, 7)) * np.arange(1, 6)[:, None]
    config = series.KernelSetting(n=5, d=7, activation=activation, degree=degree)
    gram = (x / np.linalg.norm(x, axis=1, keepdims=True)) @ (
        x / np.linalg.norm(x, axis=1, keepdims=True)
    ).T
    function = {"relu": lambda h: np.maximum(h, 0), "sine": np.sin}[activation]
    zetas = hermite.by_quadrature(function, 60)
    kernel = np.sum([z**2 * gram**k for k, z in enumerate(zetas)], axis=0)
    square = hermite.by_quadrature(lambda h: function(h) ** 2, 0)[0]
    np.fill_diagonal(kernel, square)
    tail = square - np.sum(zetas[: degree + 1] ** 2)
    cut = sum(z**2 * gram**k for k, z in enumerate(zetas[: degree + 1])) + tail * np.eye(5)
    apart = np.linalg.norm(gram ** (degree + 1) - np.eye(5))
    powers = np.linalg.eigvalsh(gram ** (degree + 1))[0]
    points = series.Points(jnp.asarray(x))
    by_hand = {
        "kernel.smallest-eigenvalue-sharp": np.linalg.eigvalsh(kernel)[0] - tail * powers,
        "kernel.polynomial-approximation-sharp": tail * apart - np.linalg.norm(cut - kernel, 2),
    }
    for id, value in by_hand.items():
        found = known(evaluate_instance(REGISTRY[id], points, config).conclusion)
        assert found.value[0] == pytest.approx(value, abs=1e-8)
        assert found.error[0] < 1e-7


def test_the_chernoff_bound_by_hand():
    """n = 2, λ_min = ½, ‖XᵀX‖ = 1, t = ½, m = 20: 2e^{−10(½ + ½ log ½)} = 0.431…"""
    enclosed = finite_width.Enclosed(jnp.array(0.5), jnp.array(0.0))
    limit = finite_width.Limit(jnp.ones((2, 3)), enclosed, enclosed._replace(value=jnp.array(1.0)))
    config = finite_width.WidthSetting(m=20)
    found = finite_width.failure_probability(Staged({"data": limit}), config)
    assert found == pytest.approx(2 * np.exp(-10 * 0.5) * 2**5)


@pytest.mark.slow
def test_the_limit_of_the_finite_width_kernel():
    """E H_m by an average over 2^15 neurons: entries within 6 standard errors, 1e-7 of false
    alarms, and the smallest eigenvalue within n of those."""
    config = finite_width.WidthSetting(n=4, d=3, m=2**15)
    drawn = REGISTRY["kernel.finite-width-eigenvalue"].sample(jax.random.key(3), config)
    off = 4 * 6 * 0.5 / 2**7.5
    assert abs(drawn.weights.value - drawn.data.smallest.value) < off
    assert drawn.data.smallest.value > 0.05
    x = np.asarray(drawn.data.x) / np.linalg.norm(drawn.data.x, axis=1, keepdims=True)
    gram = np.clip(x @ x.T, -1, 1)
    limit = gram * (np.pi - np.arccos(gram)) / (2 * np.pi)
    np.fill_diagonal(limit, 0.5)
    assert drawn.data.smallest.value == pytest.approx(np.linalg.eigvalsh(limit)[0], abs=1e-8)
