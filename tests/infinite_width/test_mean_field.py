"""The mean-field limit by quadrature: its rules, and many neurons."""

import math

import jax
import numpy as np
import pytest
from scipy import special

from theory.infinite_width import mean_field
from theory.networks.population import population_flow
from theory.statements.meanfield.width import initial_weights


def even(factor):
    """Moments 0, …, 12 of a symmetric law, E x^{2j+2} = factor(j)·E x^{2j}."""
    return [math.prod(map(factor, range(j // 2))) * (1 - j % 2) for j in range(13)]


@pytest.mark.parametrize(
    ("rule", "law"),
    [
        (mean_field.normal_rule(6), even(lambda j: 2 * j + 1)),
        (
            mean_field.gamma_rule(2.5, 6),
            [math.gamma(2.5 + j) / math.gamma(2.5) for j in range(13)],
        ),
        (mean_field.cosine_rule(7, 6), even(lambda j: (2 * j + 1) / (2 * j + 7))),
        (mean_field.cosine_rule(3, 6), even(lambda j: (2 * j + 1) / (2 * j + 3))),
    ],
    ids=["normal", "gamma", "cosine", "uniform"],
)
def test_rules_have_the_moments_of_their_laws(rule, law):
    """2k − 1 of them, and not the one after."""
    moments = [rule.weights @ rule.nodes**j for j in range(13)]
    np.testing.assert_allclose(moments[:12], law[:12], rtol=1e-9, atol=1e-9)
    assert abs(moments[12] / law[12] - 1) > 1e-6


@pytest.mark.parametrize("d", [4, 8])
def test_many_neurons_come_near_it(d):
    """40 networks of 256 neurons, whose mean risk is off by 1/N of what it is of one neuron less.

    |mean − R_∞| < 4 standard errors + 2/N at every time (6·10⁻⁵ each); one of half as many
    dimensions, or of other times, is farther.
    """
    N, limit = 256, mean_field.mean_field_risks(d, 2.0, 4)
    flow = jax.jit(lambda t: population_flow(t, np.eye(d)[0], np.full(N, 1 / N), 2.0, 4))
    risks = np.stack([flow(initial_weights(jax.random.key(i), N, d, d)) for i in range(40)])
    room = 4 * risks.std(axis=0) / 40**0.5 + 2 / N
    assert (abs(risks.mean(axis=0) - limit.risks) < room).all()
    assert (
        abs(risks.mean(axis=0) - mean_field.mean_field_risks(d, 3.0, 4).risks)[1:] > room[1:]
    ).all()


def test_the_risk_at_the_start_is_that_of_the_teacher():
    """ρ_0 is symmetric and f_0 = 0: E erf² = (2/π) arcsin(2/3)."""
    found = mean_field.mean_field_risks(6, 1.0, 1).risks[0]
    assert found == pytest.approx(2 / np.pi * np.arcsin(2 / 3), abs=1e-12)
    g = np.random.default_rng(0).normal(size=10**6)
    assert found == pytest.approx(np.mean(special.erf(g) ** 2), abs=2e-3)


def test_more_nodes_are_within_the_stated_error():
    limit = mean_field.mean_field_risks(8, 2.0, 4)
    more = mean_field._risks(8, 2.0, 4, (48, 5, 6))
    assert (abs(more - limit.risks) <= limit.error).all()
    assert limit.error.max() < 1e-3


def test_dimensions_below_4_are_refused():
    with pytest.raises(ValueError, match="d must be an integer ≥ 4, got 3"):
        mean_field.mean_field_risks(3, 1.0, 1)
