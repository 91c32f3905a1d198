"""Many points at once give what few at a time give, and what NumPy gives.

A released compiler (jaxlib 0.10.2 on CPU) made wrong numbers of matrix–vector products fused with a
reduction, from row 16384 on and for small inner dimensions: beyond the sizes of other tests. So
everything here is computed at 20 000 rows, at 1000, and for the first of them by NumPy.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from theory.infinite_width import bounds, kernels, lazy, maps
from theory.networks import embedding, network
from theory.networks.network import Params

MANY, FEW, N, SLOPE = 20_000, 1000, 5, 0.2
EPS = float(np.finfo(np.float64).eps)


def numbers(d):
    rng = np.random.default_rng(d)
    x, z, y = rng.normal(size=(N, d)), rng.normal(size=(MANY, d)), np.sign(rng.normal(size=N))
    params = Params._make([rng.normal(size=(N, d)), rng.normal(size=N), rng.normal(size=N)])
    return x, y, z, params


def of_points(x, y, z, params):
    """name → (MANY, …), one row a query."""
    weights = jnp.abs(params.b)
    return {
        "kappa": lazy.kappa(x, z),
        "product_sizes": lazy.product_sizes(x, z),
        "f_hat": lazy.f_hat(x, y, z, SLOPE),
        "beta": lazy.beta(x, y, z, SLOPE),
        "signal": lazy.signal(x, y, z, SLOPE, weights),
        "signal_gradients": lazy.signal_gradients(x, y, z, SLOPE),
        "standard_deviation": embedding.standard_deviation(z),
        "biased_products": embedding.biased_products(x, z).T,
        "angle": kernels.angle(x, z).T,
        "hidden_ntk": kernels.hidden_ntk(x, z, SLOPE).T,
        "nngp": kernels.nngp(x, z, SLOPE).T,
        "erf_nngp": kernels.erf_nngp(x, z).T,
        "reach": bounds.reach(x, y, z, weights).T,
        "output_bound": bounds.output_bound(x, y, z, 50, SLOPE, 1.0, 3.0).total,
        "outputs": network.outputs(params, z, SLOPE),
        "input_gradients": network.input_gradients(params, z, SLOPE),
        "length": jnp.sum((z @ jnp.eye(z.shape[1])) ** 2, axis=1),
    }


def by_numpy(x, y, z, params):
    d = x.shape[1]
    inner = x @ z.T + 1
    sigma_x, sigma_z = (np.sqrt(np.sum(p**2, axis=1) / d + 1) for p in (x, z))
    cosine = ((inner - 1) / d + 1) / np.outer(sigma_x, sigma_z)
    theta = np.arccos(np.clip(cosine, -1, 1))
    phi = SLOPE + (1 - SLOPE) ** 2 * (np.pi - theta) / (2 * np.pi)
    arc = (np.sin(theta) + (np.pi - theta) * np.cos(theta)) / (2 * np.pi)
    weights = np.abs(params.b)
    pull = (y * weights)[:, None] * inner / N
    h = z @ params.w.T + params.b
    q_x, q_z, q = sigma_x[:, None] ** 2, sigma_z[None] ** 2, (inner - 1) / d + 1
    return {
        "kappa": np.mean(np.abs(inner), axis=0),
        "product_sizes": np.mean(np.abs(x) @ np.abs(z).T + 1, axis=0),
        "f_hat": y @ (phi * (inner - 1)) / N,
        "beta": y @ phi / N,
        "signal": (y * weights) @ (phi * inner) / N,
        "standard_deviation": sigma_z,
        "biased_products": inner.T,
        "angle": theta.T,
        "hidden_ntk": (phi * inner).T,
        "nngp": (np.outer(sigma_x, sigma_z) * (SLOPE * np.cos(theta) + (1 - SLOPE) ** 2 * arc)).T,
        "erf_nngp": (2 / np.pi * np.arcsin(2 * q / np.sqrt((1 + 2 * q_x) * (1 + 2 * q_z)))).T,
        "reach": np.stack([np.maximum(s * pull, 0).sum(axis=0) for s in (1, -1)]).T,
        "outputs": np.where(h >= 0, h, SLOPE * h) @ params.a,
        "input_gradients": (np.where(h >= 0, 1, SLOPE) * params.a) @ params.w,
        "length": np.sum(z**2, axis=1),
    }


@pytest.mark.slow
@pytest.mark.parametrize("d", [3, 5, 6])
def test_twenty_thousand_points_agree_with_a_thousand_and_with_numpy(d):
    """Under jit, and under vmap over batches of one point."""
    x, y, z, params = numbers(d)
    device = (jnp.array(x), jnp.array(y)), jax.tree.map(jnp.array, params)
    compiled = jax.jit(of_points)
    many = {k: np.asarray(v) for k, v in compiled(*device[0], jnp.array(z), device[1]).items()}
    few = [compiled(*device[0], jnp.array(part), device[1]) for part in np.split(z, MANY // FEW)]
    one_by_one = jax.jit(jax.vmap(lambda row: of_points(*device[0], row[None], device[1])))
    mapped = one_by_one(jnp.array(z))
    expected = by_numpy(x, y, z, params)
    for name, found in many.items():
        # Sums of N or d terms of order 10; angles near 0 magnify rounding in gradients by 1/sin θ.
        tolerance = {"signal_gradients": 1e-7}.get(name, 1e-12)
        others = [np.concatenate([part[name] for part in few]), np.asarray(mapped[name])[:, 0]]
        for other in others:
            np.testing.assert_allclose(found, other, rtol=0, atol=tolerance, err_msg=name)
        if name in expected:  # arccos loses half the digits near 0 and π
            tolerance = 1e-6 if name in ("angle", "hidden_ntk", "signal") else 1e-7
            np.testing.assert_allclose(found, expected[name], rtol=0, atol=tolerance, err_msg=name)


@pytest.mark.parametrize("d", [3, 6])
def test_maps_of_twenty_thousand_points(d):
    """150 × 140 grid points, and 20 000 training points at one: against `lazy.f_hat`."""
    x, y, z, _ = numbers(d)
    plane = maps.plane(np.eye(d)[0], np.ones(d))
    alpha, beta = np.linspace(-2, 2, 150), np.linspace(-1, 1, 140)
    grid = plane.points(jnp.array(alpha), jnp.array(beta)).reshape(-1, d)
    found = maps.f_hat_map(plane, alpha, beta, x, y, SLOPE)
    expected = np.concatenate([lazy.f_hat(x, y, part, SLOPE) for part in np.split(grid, 21)])
    np.testing.assert_allclose(np.ravel(found), expected, rtol=0, atol=1e-12)
    labels = np.where(np.arange(MANY) % 3 == 0, 1.0, -1.0)
    found = maps.f_hat_map(plane, alpha[:2], beta[:1], z, labels, SLOPE)
    parts = [
        lazy.f_hat(part, label, grid[jnp.array([0, 140])], SLOPE)
        for part, label in zip(np.split(z, 20), np.split(labels, 20), strict=True)
    ]
    np.testing.assert_allclose(np.ravel(found), np.mean(parts, axis=0), rtol=0, atol=1e-12)
