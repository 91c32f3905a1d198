"""Networks trained in slices, against the same networks trained as a whole."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from untyped import forget

from theory.networks import blocks, streams, training
from theory.networks.blocks import sum_over_blocks
from theory.networks.descent import Descent
from theory.networks.network import (
    all_trained,
    fixed_signs,
    frozen_readout,
    init,
    input_gradients,
    outputs,
)
from theory.networks.rows import Place, first_place, initial_rows
from theory.networks.streams import count_blocks, independent, slices_of, together
from theory.networks.training import train

N, D, STEPS = 12, 4, 20
RNG = np.random.default_rng(0)
X, Z = jnp.array(RNG.normal(size=(N, D))), jnp.array(RNG.normal(size=(5, D)))
Y = jnp.array(RNG.choice([-1.0, 1.0], N))
EPS = float(np.finfo(np.float64).eps)
COMPILED = (streams.begin, streams.step, streams.seen, streams.sum_slice, training._train,
            blocks._sum_over_blocks)  # fmt: skip


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr(blocks, "BLOCK", 16)
    monkeypatch.setattr(streams, "PER_SLICE", 2)
    for function in COMPILED:
        forget(function)
    yield
    for function in COMPILED:
        forget(function)


def look(_, trained, x, z):
    return outputs(trained, z, 0.2), input_gradients(trained, x, 0.2)


def run(slices):
    """What a generator returns, and how often it stopped on the way."""
    count = 0
    while True:
        try:
            next(slices)
            count += 1
        except StopIteration as end:
            return end.value, count


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_rows_are_those_of_all_weights_bit_for_bit(dtype):
    """Blocks of 16 of 40 neurons, the last one filled up with zeros."""
    with jax.enable_x64(dtype == "float64"):
        network, key = frozen_readout(0.2), jax.random.fold_in(jax.random.key(3), 5)
        expected, place = init(network, key, 40, D), first_place()
        for first in (0, 16, 32):
            found = initial_rows(network, key, place, first, 16, 40, D)
            place = place.after(16 * (D + 2))
            for one, other in zip(expected, found, strict=True):
                part = one[first : first + 16]
                assert other.dtype == dtype
                np.testing.assert_array_equal(other[: len(part)], part)
                assert not np.any(other[len(part) :])


def test_places_beyond_one_word():
    place = Place(jnp.uint32(3), jnp.uint32(2**32 - 5)).after(7)
    assert (int(place.high), int(place.low)) == (4, 2)
    place = place.after(7)
    assert (int(place.high), int(place.low)) == (4, 9)
    with pytest.raises(ValueError, match=r"count must be below 2\*\*32"):
        place.after(2**32)


DESCENTS = {
    "logistic": Descent(0.5, STEPS, "logistic", 0.9),
    "nesterov": Descent(0.5, STEPS, "squared", 0.5, nesterov=True),
    "log": Descent(0.5, STEPS, "exponential", 0.5, log_loss=True),
    "plateau": Descent(0.5, STEPS, "logistic", 0.9, schedule="plateau"),
    "plateau, nesterov": Descent(0.5, STEPS, "identity", 0.5, True, schedule="plateau"),
}


@pytest.mark.parametrize(("name", "m"), [*((name, 40) for name in DESCENTS), ("logistic", 7)])
def test_blocks_that_share_outputs_are_the_network(monkeypatch, name, m):
    """To m + n + d roundings a step, which later steps carry on by a factor of at most 100."""
    network, key, descent = frozen_readout(0.2), jax.random.key(4), DESCENTS[name]
    # Rates go down on the way, where a loss (negative only under the identity) hardly falls.
    least = -0.2 if descent.loss == "identity" else 0.2
    for constant, value in (("THRESHOLD", least), ("PATIENCE", 1)):
        monkeypatch.setattr(f"theory.networks.descent.{constant}", value)
    start = init(network, key, m, D)
    expected = train(network, start, X, Y, descent)
    if descent.schedule == "plateau":
        constant = Descent(0.5, STEPS, momentum=descent.momentum, nesterov=descent.nesterov)
        assert float(expected.time) < 0.9 * float(constant.time)
    assert float(jnp.max(jnp.abs(expected.params.w - start.w))) > 0.01
    (sums, weights), count = run(together(network, key, m, X, Y, descent, look, X, Z))
    assert count == slices_of(m, descent) == STEPS + 2
    tolerance = STEPS * 100 * 100 * EPS
    for one, other in zip(look(None, expected.params, X, Z), sums, strict=True):
        size = float(jnp.max(jnp.abs(one)))
        np.testing.assert_allclose(other, one, rtol=0, atol=tolerance * size)
    np.testing.assert_allclose(weights, expected.weights, rtol=tolerance)


@pytest.mark.parametrize("m", [16, 50, 90])
def test_slices_of_independent_blocks_are_their_sum(m):
    network, key, descent = (
        frozen_readout(0.2),
        jax.random.key(4),
        Descent(0.3, STEPS, momentum=0.5),
    )
    arguments = (network, key, m, X, Y, descent, look, X, Z)
    expected = sum_over_blocks(*arguments, space="pre-activations")
    sums, count = run(independent(*arguments, space="pre-activations"))
    assert count == slices_of(m, descent) == -(-count_blocks(m) // 2)
    for one, other in zip(expected, sums, strict=True):
        np.testing.assert_allclose(other, one, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (fixed_signs(0.5), "readout must be gaussian to be drawn in rows, got 'signs'"),
        (all_trained(), "network must have a frozen readout"),
    ],
)
def test_networks_that_have_no_slices(network, message):
    descent = Descent(0.1, 2, "logistic")
    with pytest.raises(ValueError, match=message):
        run(together(network, jax.random.key(0), 40, X, Y, descent, look, X, Z))
