"""Training and certificates in coordinates of the span, against the statements' own functions."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.figures import orthogonal_learning as learning
from theory import max_margin
from theory.descent import Descent
from theory.networks import fixed_signs, init, outputs
from theory.training import train

SETTINGS = learning.NetworkSettings(m=4, draws=2)
N, D = 6, 64  # more than twice n + m: coordinates of the span


@pytest.fixture(scope="module")
def drawn() -> learning.Samples:
    return learning.samples(jax.random.key(3), "gaussian", N, N, D)


@pytest.fixture(scope="module")
def fitted(drawn) -> learning.Fitted:
    return learning.fit(jax.random.key(4), drawn.x, drawn.y, SETTINGS)


def test_training_in_the_span_is_training_on_the_weights(drawn, fitted):
    """The same initial weights, trained in all D coordinates."""
    network = fixed_signs(SETTINGS.slope, SETTINGS.scale)
    params = init(network, jax.random.key(4), SETTINGS.m, D)
    rate = SETTINGS.learning_rate * N / float(jnp.max(jnp.sum(drawn.x**2, axis=1)))
    descent = Descent(rate, SETTINGS.steps, "exponential", log_loss=True)
    expected = train(network, params, drawn.x, drawn.y, descent).params
    np.testing.assert_allclose(fitted.params.w, expected.w, rtol=1e-6, atol=1e-9)
    margin = jnp.min(drawn.y * outputs(expected, drawn.x, SETTINGS.slope))
    assert float(fitted.margin) == pytest.approx(float(margin))
    assert fitted.margin > 10


def test_closed_form_and_certificate_in_all_coordinates(drawn, fitted):
    limit = max_margin.max_margin_limit(drawn.x, drawn.y, SETTINGS.slope)
    np.testing.assert_allclose(fitted.normal, limit.normal, rtol=1e-9)
    np.testing.assert_allclose(fitted.multipliers, limit.multipliers, rtol=1e-9)
    assert min(float(jnp.min(part)) for part in max_margin.kkt_margins(limit, drawn.x, drawn.y)) > 0
    assert max_margin.inside_cone(fitted.params, drawn.x, drawn.y) > 0
    assert fitted.certified


def test_a_point_of_the_wrong_label_is_not_certified(drawn):
    """Two nearly equal points of opposite labels: no closed form with the sign pattern."""
    x = drawn.x.at[1].set(drawn.x[0] + 0.1 * drawn.x[1])
    y = drawn.y.at[1].set(-drawn.y[0])
    assert not learning.fit(jax.random.key(4), x, y, SETTINGS).certified


def test_labels_know_nothing_of_the_noise(drawn):
    assert set(np.unique(drawn.target)) <= {-1.0, 1.0}
    assert np.sum(drawn.y) == 0
    assert drawn.noise.shape == (N, D)
