"""Products of pushes with inner products of points."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from theory.networks import products
from theory.networks.network import fixed_signs, frozen_readout
from theory.networks.products import along, products_of

EPS = float(np.finfo(np.float64).eps)


@pytest.mark.parametrize("large", [0, 10**9], ids=["by the transpose", "plainly"])
def test_both_orders_are_the_product(monkeypatch, large):
    """Also of several pushes under vmap; each sum of n terms to n roundings."""
    monkeypatch.setattr(products, "LARGE", large)
    rng = np.random.default_rng(0)
    x, push = rng.normal(size=(64, 5)), rng.normal(size=(2, 3, 64))
    gram = x @ x.T + 1
    bound = 64 * EPS * np.abs(push) @ np.abs(gram)
    found = jax.vmap(lambda p: along(p, jnp.asarray(gram)))(jnp.asarray(push))
    assert np.all(np.abs(found - push @ gram) <= bound)
    assert np.all(np.abs(along(jnp.asarray(push[0, 0]), jnp.asarray(gram)) - found[0, 0]) <= bound)


@pytest.mark.parametrize("d", [3, 40])
@pytest.mark.parametrize("network", [frozen_readout(), fixed_signs(0.5)], ids=["biases", "none"])
def test_a_push_is_the_same_in_every_way(network, d):
    """Through the points where these have few coordinates, by products, and one by one."""
    rng = np.random.default_rng(1)
    x = jnp.asarray(rng.normal(size=(30, d)))
    of = products_of(network, x)
    push = jnp.zeros(30).at[jnp.array([2, 11, 29])].set(jnp.array([1.0, -2.0, 0.5]))
    expected = push @ (x @ x.T + float("b" in network.trained))
    assert of.entries == min(2 * (d + ("b" in network.trained)), 30)
    np.testing.assert_allclose(of.pushed(push), expected, atol=1e-12)
    np.testing.assert_allclose(of.one_by_one(push, jnp.asarray(3)), expected, atol=1e-12)
