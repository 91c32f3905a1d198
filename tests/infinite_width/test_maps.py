"""Maps on a plane: against the same quantities at the grid points, and against drawn networks."""

import inspect
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from untyped import known

from theory import networks
from theory.infinite_width import lazy, maps
from theory.infinite_width.kernels import derivative_kernel

N, D = 23, 5
SLOPE = 0.3
ALPHA, BETA = jnp.array([2.0, -1.0, 0.0, 0.5]), jnp.array([-0.7, 0.0, 3.0])
EPS = float(np.finfo(np.float64).eps)


def problem(seed, n=N, d=D, dtype=np.float64, origin=True):
    """A plane, generic points on both sides, labels, and weights."""
    rng = np.random.default_rng(seed)
    u, v, o = (jnp.array(p, dtype) for p in rng.normal(size=(3, d)))
    x = jnp.array(rng.normal(size=(n, d)) + 0.3, dtype)
    y = jnp.array(rng.choice([-1, 1], n), dtype)
    return maps.plane(u, v, o if origin else None), x, y, jnp.array(rng.random(n), dtype)


def on_grid(function, plane, alpha=ALPHA, beta=BETA):
    """Values of `function` of (q, d) points at the grid."""
    z = plane.points(alpha, beta).reshape(-1, len(plane.u))
    return np.asarray(function(z)).reshape(len(alpha), len(beta))


def scale(plane, x, alpha=ALPHA, beta=BETA):
    """(1/n) Σ_k Σ_i |x_ki z_i| + 1: what the rounding errors of a map are relative to."""
    size = on_grid(lambda z: jnp.mean(jnp.abs(x) @ jnp.abs(z).T, axis=0), plane, alpha, beta)
    return size + 1


def assert_close(actual, expected, plane, x, factor=1.0, alpha=ALPHA, beta=BETA):
    """Within 2(d + 12)ε of the scale, times `factor`: sums of d products, and angles."""
    allowed = 2 * factor * (len(plane.u) + 12) * EPS * scale(plane, x, alpha, beta)
    error = np.abs(np.asarray(actual) - np.asarray(expected))
    assert (error <= allowed).all(), np.max(error / allowed)


# --- against the quantities themselves ------------------------------------------------------------


def map_and_values(name, problem, slope):
    """The map, and the function of (q, d) points that it must equal."""
    plane, x, y, weights = problem
    if name == "f_hat":
        return maps.f_hat_map(plane, ALPHA, BETA, x, y, slope), lambda z: lazy.f_hat(x, y, z, slope)
    if name == "signal":
        return maps.signal_map(plane, ALPHA, BETA, x, y, slope, weights), lambda z: lazy.signal(
            x, y, z, slope, weights
        )
    if name == "beta":  # (1/n) Σ_k y_k Φ: constants without vectors
        projected = maps.project(plane, x, jnp.zeros_like(x), y)
        return maps.kernel_map(projected, ALPHA, BETA, slope), lambda z: lazy.beta(x, y, z, slope)
    seen, learned = x[::-1] * 0.1, y[:, None] * x

    def g_hat(z):
        return jnp.mean(derivative_kernel(seen, z, slope) * (learned @ z.T), axis=0)

    return maps.g_hat_map(plane, ALPHA, BETA, seen, learned, slope), g_hat


@pytest.mark.parametrize("origin", [True, False])
@pytest.mark.parametrize("slope", [0.0, SLOPE])
@pytest.mark.parametrize("name", ["f_hat", "signal", "beta", "g_hat"])
def test_maps_equal_the_quantities_at_the_grid_points(name, slope, origin):
    given_problem = problem(0, origin=origin)
    actual, values = map_and_values(name, given_problem, slope)
    plane, x = given_problem[:2]
    assert_close(actual, on_grid(values, plane), plane, x)


@pytest.mark.parametrize("d", [2, 200])
def test_any_dimension(d):
    plane, x, y, weights = problem(d, d=d)
    actual = maps.signal_map(plane, ALPHA, BETA, x, y, SLOPE, weights)
    expected = on_grid(lambda z: lazy.signal(x, y, z, SLOPE, weights), plane)
    assert_close(actual, expected, plane, x)


@pytest.mark.parametrize("size", [1.0, 1e6])
def test_training_points_at_grid_points_and_opposite_to_them(size):
    """θ = 0, θ = π − 10⁻⁶ and tiny angles: a point, its mirror image, and small steps off both."""
    plane, _, _, _ = problem(1, origin=False)
    z = size * plane.points(ALPHA[:1], BETA[:1])[0]
    steps = jnp.array([0.0, 1e-3, 1e-6, 1e-9, 1e-12])[:, None] * size
    off = jnp.concatenate([z + steps, z + steps * plane.u[None, :]])
    x = jnp.concatenate([off, -off])
    y = jnp.ones(len(x)).at[::3].set(-1)
    alpha, beta = size * ALPHA[:1], size * BETA[:1]
    actual = maps.signal_map(plane, alpha, beta, x, y, SLOPE)
    expected = on_grid(lambda z: lazy.signal(x, y, z, SLOPE), plane, alpha, beta)
    assert_close(actual, expected, plane, x, alpha=alpha, beta=beta)


def test_single_precision_is_within_a_millionth_of_the_scale():
    """Of the mean of |⟨x_k, z⟩ + 1|, in as many dimensions as the benchmark."""
    double = problem(2, n=500, d=1000)
    plane, x, y, weights = jax.tree.map(lambda v: v.astype(jnp.float32), double)
    alpha, beta = ALPHA.astype(jnp.float32), BETA.astype(jnp.float32)
    actual = maps.signal_map(plane, alpha, beta, x, y, SLOPE, weights)
    assert actual.dtype == jnp.float32
    plane, x, y, weights = jax.tree.map(lambda v: v.astype(jnp.float64), (plane, x, y, weights))
    expected = on_grid(lambda z: lazy.signal(x, y, z, SLOPE, weights), plane)
    typical = on_grid(lambda z: lazy.kappa(x, z), plane)
    assert (np.abs(np.asarray(actual, np.float64) - expected) <= 1e-6 * typical).all()


def test_monte_carlo():
    """Neurons drawn with NumPy, every one on its own; false alarm 10⁻⁶.

    (1/n) Σ_k y_k (⟨x_k, z⟩ + 1) φ'(h(x_k)) φ'(h(z)) lies in an interval of length (1 − γ²)κ(z)
    and has the mean k(z): Hoeffding and a union over the grid.
    """
    plane, x, y, _ = problem(3)
    neurons = 2**17
    rng = np.random.default_rng(4)
    w, b = rng.normal(size=(neurons, D)) / math.sqrt(D), rng.normal(size=neurons)
    z = np.asarray(plane.points(ALPHA, BETA)).reshape(-1, D)
    on_x, on_z = (np.where(np.asarray(p) @ w.T + b >= 0, 1, SLOPE) for p in (x, z))
    inner = np.asarray(x) @ z.T + 1
    estimate = np.asarray(y) @ ((on_x @ on_z.T / neurons) * inner) / N
    kappa = np.mean(np.abs(inner), axis=0)
    allowed = (1 - SLOPE**2) * kappa * math.sqrt(math.log(2 * len(z) / 1e-6) / (2 * neurons))
    actual = np.asarray(maps.signal_map(plane, ALPHA, BETA, x, y, SLOPE)).ravel()
    assert (np.abs(actual - estimate) <= allowed).all()
    assert (np.abs(actual) > 3 * allowed).any()  # and is told from 0


@pytest.mark.parametrize("slope", [0.0, SLOPE])
@pytest.mark.parametrize("network", [networks.frozen_readout(), networks.all_trained()])
def test_output_map_equals_the_network(network, slope, key):
    plane, _, _, _ = problem(5)
    params = networks.init(network, key, 50, D)
    actual = maps.output_map(plane, ALPHA, BETA, params, slope)
    expected = on_grid(lambda z: networks.outputs(params, z, slope), plane)
    size = on_grid(
        lambda z: (
            (jnp.abs(z) @ jnp.abs(params.w).T + jnp.abs(params.b)[None, :]) @ jnp.abs(params.a)
        ),
        plane,
    )
    assert (np.abs(np.asarray(actual) - expected) <= 2 * (50 + D + 8) * EPS * size).all()


# --- for all inputs -------------------------------------------------------------------------------

coordinates = st.floats(-1e3, 1e3).map(lambda v: round(v, 3))
point_sets = hnp.arrays(np.float64, (N, D), elements=coordinates).map(jnp.array)


@settings(max_examples=25)
@given(point_sets, st.integers(0, 2**32 - 1))
def test_rotating_everything_changes_nothing(x, seed):
    plane, _, y, _ = problem(6)
    rotation = jnp.array(np.linalg.qr(np.random.default_rng(seed).normal(size=(D, D)))[0])
    before = maps.signal_map(plane, ALPHA, BETA, x, y, SLOPE)
    turned = maps.Plane(*(p @ rotation for p in plane))
    after = maps.signal_map(turned, ALPHA, BETA, x @ rotation, y, SLOPE)
    # Rotated points are off by (d + 3)ε of their length, where the scale adds up coordinates.
    assert_close(after, before, plane, x, factor=2 * math.sqrt(D))


@settings(max_examples=25)
@given(point_sets)
def test_symmetries(x):
    """u ↔ v transposes, y → −y flips the sign, weights add up, the order of points is nothing."""
    plane, _, y, weights = problem(7)
    values = maps.signal_map(plane, ALPHA, BETA, x, y, SLOPE, weights)
    swapped = maps.Plane(plane.v, plane.u, plane.origin)
    transposed = maps.signal_map(swapped, BETA, ALPHA, x, y, SLOPE, weights).T
    assert_close(transposed, values, plane, x)
    np.testing.assert_array_equal(
        maps.signal_map(plane, ALPHA, BETA, x, -y, SLOPE, weights), -values
    )
    rest = maps.signal_map(plane, ALPHA, BETA, x, y, SLOPE, 1 - weights)
    assert_close(values + rest, maps.signal_map(plane, ALPHA, BETA, x, y, SLOPE), plane, x)
    reverse = maps.signal_map(plane, ALPHA, BETA, x[::-1], y[::-1], SLOPE, weights[::-1])
    assert_close(reverse, values, plane, x)
    # The same plane by another basis and another origin on it.
    moved = maps.Plane(2 * plane.u, plane.v, plane.origin + 4 * plane.u)
    assert_close(
        maps.signal_map(moved, ALPHA / 2 - 2, BETA, x, y, SLOPE, weights), values, plane, x, 3
    )


# --- cost -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("tile", [1, 2 * N, 5 * N + 3])
def test_values_do_not_depend_on_the_tile(tile, monkeypatch):
    """Tiles of 1, 2 and 5 grid points of 12: with and without a remainder."""
    plane, x, y, _ = problem(8)
    projected = maps.project(plane, x, y[:, None] * x)
    expected = maps.kernel_map(projected, ALPHA, BETA, SLOPE)
    monkeypatch.setattr(maps, "TILE", tile)
    actual = inspect.unwrap(maps._kernel_map)(
        projected, ALPHA, BETA, SLOPE
    )  # not as compiled before
    assert_close(actual, expected, plane, x)


def test_memory_is_that_of_a_tile():
    """Buffers of some tiles and some grids, never of all 1.6·10⁸ pairs."""
    n, points = 1000, 400
    rows = jax.ShapeDtypeStruct((3, n), jnp.float32)
    vector, square = (jax.ShapeDtypeStruct(s, jnp.float32) for s in ((n,), (3, 3)))
    projected = maps.Projected._make([rows, vector, rows, square])
    grid = jax.ShapeDtypeStruct((points,), jnp.float32)
    compiled = maps._kernel_map.lower(projected, grid, grid, 0.0).compile()
    allowed = 4 * (3 * maps.TILE + 16 * points**2)
    assert known(compiled.memory_analysis()).temp_size_in_bytes <= allowed < 4 * n * points**2 / 10


def test_traced_and_batched():
    """Under jit and vmap, where nothing can be checked, the values are the same."""
    plane, x, y, _ = problem(9)
    batch = jnp.stack([x, 2 * x])
    values = jax.jit(
        jax.vmap(lambda x: maps.signal_map(plane, ALPHA, BETA, x, y, SLOPE), in_axes=0)
    )(batch)
    for actual, points in zip(values, batch, strict=True):
        expected = maps.signal_map(plane, ALPHA, BETA, points, y, SLOPE)
        assert_close(actual, expected, plane, points)


# --- planes ---------------------------------------------------------------------------------------


def test_class_means_plane():
    _, x, y, _ = problem(10)
    plane = maps.class_means_plane(x, y)
    corners = plane.points(jnp.array([0.0, 1.0]), jnp.array([0.0, 1.0]))
    np.testing.assert_array_equal(corners[0, 0], 0)
    for corner, label in ((corners[1, 0], 1), (corners[0, 1], -1)):
        np.testing.assert_allclose(corner, np.mean(np.asarray(x)[np.asarray(y) == label], 0))


ONES, STEPS = np.ones(3), np.arange(3.0)
BAD_PLANES = {
    "u must be one vector": (np.ones((1, 3)), STEPS),
    "v must have 3 columns": (ONES, np.ones(2)),
    "origin must have 3 columns": (ONES, STEPS, np.ones(4)),
    "u must be finite": (ONES * np.nan, STEPS),
    "v must be finite": (ONES, STEPS + np.inf),
    "origin must be finite": (ONES, STEPS, ONES * np.nan),
    "u must not be 0": (0 * ONES, STEPS),
    "v must not be 0": (ONES, 0 * STEPS),
    "u and v must not be parallel": (ONES, -2 * ONES),
    "u and v must not be parallel, got": (ONES, ONES + 1e-12 * STEPS),
}


@pytest.mark.parametrize("message", BAD_PLANES)
def test_bad_planes(message):
    with pytest.raises(ValueError, match=message):
        maps.plane(*BAD_PLANES[message])


@pytest.mark.parametrize("length", [1e-200, 1e-30, 1e30, 1e200])
def test_planes_of_any_length(length):
    maps.plane(length * ONES, STEPS / length)


def test_class_means_axes_are_the_same_plane_in_orthonormal_coordinates():
    _, x, y, _ = problem(5)
    means = jnp.stack([jnp.mean(x[y == label], axis=0) for label in (1, -1)])
    plane = maps.class_means_axes(x, y)
    axes = jnp.stack([plane.u, plane.v])
    np.testing.assert_allclose(axes @ axes.T, np.eye(2), atol=1e-12)
    np.testing.assert_allclose(means @ axes.T @ axes, means, atol=1e-12)  # both lie in it
    along, across = (means @ axes.T).T
    assert along[0] > along[1]
    np.testing.assert_allclose(across[0], across[1], atol=1e-12)
    assert not plane.origin.any()
    with pytest.raises(ValueError, match="parallel"):
        maps.class_means_axes(jnp.array([[1.0, 0.0], [-1.0, 0.0]]), jnp.array([1.0, -1.0]))


def test_class_means_that_span_no_plane():
    x = jnp.array([[1.0, 2.0], [2.0, 4.0]])
    with pytest.raises(ValueError, match="u and v must not be parallel"):
        maps.class_means_plane(x, jnp.array([1.0, -1.0]))
    with pytest.raises(ValueError, match="y must contain both classes"):
        maps.class_means_plane(x, jnp.ones(2))


PLANE, POINTS, LABELS, _ = problem(11)


def f_hat_map(alpha=ALPHA, beta=BETA, x=POINTS, y=LABELS, slope=SLOPE, plane=PLANE):
    return maps.f_hat_map(plane, alpha, beta, x, y, slope)


plain_project = inspect.unwrap(maps.project)  # without the type checks of conftest.py
BAD_INPUT = {
    "vectors must be 23, one a point": lambda: plain_project(PLANE, POINTS, POINTS[1:]),
    "alpha must be a row of at least one number": lambda: f_hat_map(alpha=jnp.zeros(0)),
    "beta must be a row of at least one number": lambda: f_hat_map(beta=jnp.zeros(0)),
    "beta must be finite": lambda: f_hat_map(beta=jnp.array([0.0, jnp.nan])),
    "x must have 5 columns": lambda: f_hat_map(x=jnp.ones((N, 4))),
    "points must be finite": lambda: f_hat_map(x=POINTS.at[0, 0].set(jnp.inf)),
    "y must be −1 or": lambda: f_hat_map(y=jnp.zeros(N)),
    "slope must be": lambda: f_hat_map(slope=1.0),
    "vectors must have 5 columns": lambda: plain_project(PLANE, POINTS, jnp.ones((N, 4))),
    "params.w must have 5 columns": lambda: maps.output_map(
        PLANE, ALPHA, BETA, networks.Params(jnp.ones((2, 4)), jnp.ones(2), jnp.ones(2)), SLOPE
    ),
}


@pytest.mark.parametrize("message", BAD_INPUT)
def test_bad_input(message):
    with pytest.raises(ValueError, match=message):
        BAD_INPUT[message]()


def test_descending_grids_are_grids():
    ascending = f_hat_map(alpha=ALPHA[::-1])
    assert_close(ascending[::-1], f_hat_map(), PLANE, POINTS)
