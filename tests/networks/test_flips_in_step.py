"""Training by flips under a schedule, against training of the weights."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from untyped import forget

from theory.networks import flips_in_step, training
from theory.networks.descent import Descent
from theory.networks.embedding import biased_products
from theory.networks.flips import coefficients_by_flips
from theory.networks.flips_in_step import coefficients_in_step
from theory.networks.network import fixed_signs, frozen_readout, init, pre_activations
from theory.networks.training import cheapest_space, train

N, M, STEPS = 24, 10, 80
NETWORKS = {
    "K24b": frozen_readout(0.0),
    "K24b leaky": frozen_readout(0.3),
    "K24a": fixed_signs(0.5, scale=0.5),
}
# A step makes about d + M + N roundings, which later steps carry on without amplifying.
EPS = float(np.finfo(np.float64).eps)


def data(d, seed=0):
    rng = np.random.default_rng(seed)
    return jnp.array(rng.normal(size=(N, d))), jnp.array(rng.choice([-1.0, 1.0], N))


def assert_same(expected, found):
    for name, one in zip(expected.params._fields, expected.params, strict=True):
        tolerance = STEPS * 100 * EPS * float(jnp.max(jnp.abs(one)))
        other = getattr(found.params, name)
        np.testing.assert_allclose(other, one, rtol=0, atol=tolerance, err_msg=name)
    np.testing.assert_allclose(found.weights, expected.weights, rtol=STEPS * 100 * EPS)
    np.testing.assert_allclose(found.time, expected.time, rtol=STEPS * 100 * EPS)


WAYS = {
    "mixed": {},
    "one by one": {"FLIP_COST": 1e-3, "ROW_COST": 1},
    "neurons by products": {"FLIP_COST": 1e-3, "ROW_COST": 9},
    "all anew": {"FLIP_COST": 1e9},
}


@pytest.fixture
def reducing(monkeypatch, request):
    """A way to update velocities, and a rate that goes down where the loss falls slowly.

    Under the identity loss, which falls in every step, it would not go down at all otherwise.
    """
    for name, value in WAYS[request.param].items():
        monkeypatch.setattr(flips_in_step, name, value)
    for name, value in (("THRESHOLD", -0.2), ("PATIENCE", 1)):
        monkeypatch.setattr(f"theory.networks.descent.{name}", value)
    for function in (coefficients_in_step, training._train):
        forget(function)
    yield
    for function in (coefficients_in_step, training._train):
        forget(function)


@pytest.mark.parametrize(
    ("name", "d", "reducing"),
    [("K24b", 3, way) for way in WAYS]
    + [
        ("K24b leaky", 40, "mixed"),
        ("K24b leaky", 40, "neurons by products"),
        ("K24a", 3, "mixed"),
    ],
    indirect=["reducing"],
)
@pytest.mark.usefixtures("reducing")
def test_flips_under_a_schedule_are_training_of_the_weights(name, d):
    """From steps at which most activations switch down to steps at which hardly any does.

    That two losses are equal within their roundings at one of some hundred comparisons, so that
    rates could differ, has a probability below 1e-10.
    """
    network, (x, y) = NETWORKS[name], data(d)
    params = init(network, jax.random.key(1), M, d)
    for rate, momentum, nesterov in ((3.0, 0.9, False), (0.3, 0.5, True)):
        descent = Descent(rate, STEPS, momentum=momentum, nesterov=nesterov, schedule="plateau")
        expected = train(network, params, x, y, descent)
        assert_same(expected, train(network, params, x, y, descent, space="flips"))
        unchanged = Descent(rate, STEPS, momentum=momentum, nesterov=nesterov).time
        assert float(expected.time) < 0.9 * float(unchanged)
        assert float(jnp.max(jnp.abs(expected.params.w - params.w))) > 0.01


def test_at_a_constant_rate_it_is_what_blocks_do():
    network, (x, y) = frozen_readout(0.1), data(5)
    params, descent = init(network, jax.random.key(2), M, 5), Descent(0.3, STEPS, momentum=0.9)
    arguments = network, pre_activations(params, x).T, params.a, x, y, descent
    expected, found = coefficients_by_flips(*arguments), coefficients_in_step(*arguments)
    size = float(jnp.max(jnp.abs(expected.c)))
    np.testing.assert_allclose(found.c, expected.c, rtol=0, atol=STEPS * 100 * EPS * size)
    np.testing.assert_allclose(found.time, expected.time, rtol=1e-12)


@pytest.mark.parametrize("space", ["pre-activations", "flips"])
@pytest.mark.parametrize("schedule", ["constant", "plateau"])
def test_products_that_are_known_are_not_computed_again(space, schedule):
    """The same numbers bit for bit; and others with other products, so they are used."""
    network, (x, y) = frozen_readout(0.1), data(30)
    params = init(network, jax.random.key(2), M, 30)
    descent = Descent(0.3, 20, momentum=0.5, schedule=schedule)
    gram = biased_products(x, x)
    expected = train(network, params, x, y, descent, space=space).params
    found = train(network, params, x, y, descent, space=space, products=gram).params
    np.testing.assert_array_equal(found.w, expected.w)
    other = train(network, params, x, y, descent, space=space, products=2 * gram).params
    assert not np.allclose(other.w, expected.w)


def test_the_cheapest_space_under_a_schedule():
    descent = Descent(0.1, 100, schedule="plateau")
    assert cheapest_space(frozen_readout(), descent, 100, 10, 50) == "flips"
