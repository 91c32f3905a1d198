"""Networks trained block by block, against the same neurons trained together."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from untyped import compilations, forget

from theory.networks import blocks
from theory.networks.blocks import initial_block, sum_over_blocks
from theory.networks.descent import Descent
from theory.networks.network import (
    Params,
    all_trained,
    fixed_signs,
    frozen_readout,
    input_gradients,
    outputs,
)
from theory.networks.training import train

N, D = 12, 4
RNG = np.random.default_rng(0)
X, Z = jnp.array(RNG.normal(size=(N, D))), jnp.array(RNG.normal(size=(5, D)))
Y = jnp.array(RNG.choice([-1.0, 1.0], N))
DESCENT = Descent(0.3, 20, momentum=0.5)


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr(blocks, "BLOCK", 16)
    for function in (blocks._sum_over_blocks, blocks._sum_over_traced):
        forget(function)
    yield
    for function in (blocks._sum_over_blocks, blocks._sum_over_traced):
        forget(function)


def together(network, key, m):
    parts = [initial_block(network, key, i, m, D) for i in range(-(-m // 16))]
    return Params(*(jnp.concatenate(p)[:m] for p in zip(*parts, strict=True)))


def learned(initial, trained, x, z):
    return outputs(trained, z, 0.2) - outputs(initial, z, 0.2), input_gradients(trained, x, 0.2)


@pytest.mark.parametrize("m", [7, 16, 48, 50])
def test_blocks_are_the_network(m):
    network, key = frozen_readout(0.2), jax.random.key(4)
    initial = together(network, key, m)
    assert initial.a.shape == (m,)
    assert bool(jnp.all(initial.a != 0))
    trained = train(network, initial, X, Y, DESCENT).params
    found = sum_over_blocks(network, key, m, X, Y, DESCENT, learned, X, Z)
    for one, other in zip(learned(initial, trained, X, Z), found, strict=True):
        np.testing.assert_allclose(other, one, rtol=1e-10, atol=1e-10)


def test_a_traced_width_is_the_same_network():
    """Where it fills a block at least; one compilation serves all widths."""
    network, key = frozen_readout(0.2), jax.random.key(4)

    @jax.jit
    def by_traced(m):
        return sum_over_blocks(
            network, key, m, X, Y, DESCENT, learned, X, Z, space="pre-activations"
        )

    for m in (16, 48, 50):
        found = sum_over_blocks(
            network, key, m, X, Y, DESCENT, learned, X, Z, space="pre-activations"
        )
        for one, other in zip(by_traced(m), found, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-10)
    assert compilations(by_traced) == 1
    assert all(bool(jnp.all(part != 0)) for part in by_traced(7))  # other neurons, as many
    with pytest.raises(ValueError, match="m must not be traced"):
        jax.jit(
            lambda m: sum_over_blocks(
                network, key, m, X, Y, DESCENT, learned, X, Z, mesh=jax.make_mesh((1,), ("draws",))
            )
        )(16)


def test_neurons_beyond_the_width_are_zero():
    last = initial_block(frozen_readout(), jax.random.key(0), 3, 50, D)
    assert [bool(jnp.all(part[2:] == 0)) for part in last] == [True] * 3
    assert bool(jnp.all(last.a[:2] != 0))


def test_a_block_is_the_same_in_every_wider_network():
    """Up to the readout's variance 1/m, so that widths can be compared on the same neurons."""
    narrow = initial_block(frozen_readout(), jax.random.key(0), 1, 32, D)
    wide = initial_block(frozen_readout(), jax.random.key(0), 1, 320, D)
    np.testing.assert_array_equal(wide.w, narrow.w)
    np.testing.assert_allclose(wide.a, narrow.a / 10**0.5, rtol=1e-14)
    other = initial_block(frozen_readout(), jax.random.key(0), 0, 320, D)
    assert not bool(jnp.any(other.w == wide.w))


def test_the_readout_has_variance_one_over_the_width():
    """8,000 squares of standard Gaussians: √(2/8000) = 0.016 is a standard error; 5 allowed."""
    a = together(frozen_readout(), jax.random.key(5), 8_000).a
    assert abs(float(jnp.sum(a**2)) - 1) < 5 * 0.016


def test_signs_have_two_halves_in_every_block():
    a = together(fixed_signs(0.5), jax.random.key(0), 64).a
    assert float(jnp.sum(a)) == 0
    np.testing.assert_allclose(jnp.abs(a), 1 / 8, rtol=1e-14)


@pytest.mark.parametrize(
    ("network", "m", "descent", "message"),
    [
        (frozen_readout(), 0, DESCENT, "m must be an integer ≥ 1, got 0"),
        (fixed_signs(0.5), 40, DESCENT, "m must be at most 16 or a multiple of it for signs"),
        (frozen_readout(), 40, Descent(0.1, 2, "logistic"), "loss must be identity for blocks"),
        (all_trained(), 40, DESCENT, "network must have a frozen readout"),
    ],
)
def test_bad_input(network, m, descent, message):
    with pytest.raises(ValueError, match=message):
        sum_over_blocks(network, jax.random.key(0), m, X, Y, descent, learned, X, Z)
