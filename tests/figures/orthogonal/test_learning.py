"""Training and certificates in coordinates of the span, against the statements' own functions."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.figures.orthogonal import learning
from theory.networks.descent import Descent
from theory.networks.network import fixed_signs, init, outputs
from theory.networks.training import train

SETTINGS = learning.NetworkSettings(m=4, draws=2)
N, D = 6, 64  # more than twice n + m: coordinates of the span


@pytest.fixture(scope="module")
def drawn() -> learning.Samples:
    return learning.samples(jax.random.key(3), "gaussian", N, N, D)


@pytest.fixture(scope="module")
def fitted(drawn) -> learning.Fitted:
    return learning.fit(jax.random.key(4), drawn.x, drawn.y, SETTINGS)


@pytest.mark.slow
def test_training_in_the_span_is_training_on_the_weights(drawn, fitted):
    """The same initial weights, trained in all D coordinates."""
    network = fixed_signs(SETTINGS.slope, SETTINGS.scale)
    params = init(network, jax.random.key(4), SETTINGS.m, D)
    largest = float(np.linalg.eigvalsh(drawn.x @ drawn.x.T)[-1])
    rate = SETTINGS.learning_rate * N / largest
    descent = Descent(rate, SETTINGS.steps, "exponential", log_loss=True)
    expected = train(network, params, drawn.x, drawn.y, descent).params
    np.testing.assert_allclose(fitted.params.w, expected.w, rtol=1e-3, atol=1e-6)
    margin = jnp.min(drawn.y * outputs(expected, drawn.x, SETTINGS.slope))
    assert float(fitted.margin) == pytest.approx(float(margin))
    assert fitted.margin > 10


def test_closed_form_and_certificate_in_all_coordinates(drawn, fitted):
    """Hλ = 2·1, u± and the trained weights by NumPy: the signs that certificates rest on."""
    x, y, slope = np.asarray(drawn.x), np.asarray(drawn.y), SETTINGS.slope
    same = np.outer(y, y) > 0
    multipliers = np.linalg.solve(
        np.where(same, 1 + slope**2, -2 * slope) * (x @ x.T), np.full(N, 2.0)
    )
    np.testing.assert_allclose(fitted.multipliers, multipliers, rtol=1e-9)
    np.testing.assert_allclose(fitted.normal, (multipliers * y) @ x, rtol=1e-9, atol=1e-12)
    for sign in (1, -1):  # u₊ and u₋
        u = (multipliers * np.where(y == sign, 1, -slope)) @ x
        assert (sign * y * (x @ u) > 0).all()
    towards = np.sign(fitted.params.a)[:, None] * y[None, :]
    assert (towards * (np.asarray(fitted.params.w) @ x.T) > 0).all()
    assert (multipliers > 0).all()
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
