"""Perturbations: against automatic differentiation and by their definitions."""

import inspect
import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from theory.networks.network import (
    Params,
    all_trained,
    fixed_signs,
    frozen_readout,
    init,
    outputs,
)
from theory.perturbations import attacks

EPS = float(np.finfo(np.float64).eps)
N, D, M, SLOPE = 6, 5, 16, 0.3

X = jnp.array(np.random.default_rng(0).normal(size=(N, D)))
Y = jnp.array([1.0, -1.0, 1.0, 1.0, -1.0, -1.0])
NETWORKS = {
    "Z23": all_trained(SLOPE),
    "K24a": fixed_signs(SLOPE, scale=1.0),
    "K24b": frozen_readout(SLOPE),
}


def plain(function):
    """Without the type checks of conftest.py, which come before the function's own."""
    return inspect.unwrap(function)


# --- one gradient step ----------------------------------------------------------------------------


@jax.jit
def automatic(params, x, y):
    """Values and gradients by jax.grad at every point: of −log s(y f(x)), and of f."""

    def f(point):
        return outputs(params, point[None, :], SLOPE)[0]

    def loss(point, label):
        return -jax.nn.log_sigmoid(label * f(point))

    return jax.vmap(jax.value_and_grad(loss))(x, y), jax.vmap(jax.value_and_grad(f))(x)


def gradient_tolerance(params):
    """A gradient is a sum of M products of three, and a few factors more."""
    return (M + 10) * EPS * (np.abs(params.a) @ np.abs(params.w))[None, :]


@pytest.mark.parametrize("name", NETWORKS)
def test_gradient_noise_is_the_gradient_of_the_logistic_loss(name, key):
    """r_k = ∇(−log s(y_k f)) at x_k: x_k + ηr_k increases the loss."""
    params = init(NETWORKS[name], key, M, D)
    (before, gradients), _ = automatic(params, X, Y)
    r = attacks.gradient_noise(params, X, Y, SLOPE)
    assert (np.abs(r - gradients) <= gradient_tolerance(params)).all()
    (after, _), _ = automatic(params, X + 1e-3 * r, Y)
    assert (after > before).all()


def test_gradient_noise_of_a_confident_network_underflows_without_nan(key):
    """s(y f) = 1 − e^{−5000}: r = 0 where the network is right, −y∇f where it is wrong."""
    params = init(NETWORKS["K24b"], key, M, D)
    f = np.asarray(outputs(params, X, SLOPE))
    params = params._replace(a=params.a * 5000 / np.abs(f).min())
    right = jnp.array(np.sign(f))
    np.testing.assert_array_equal(attacks.gradient_noise(params, X, right, SLOPE), 0.0)
    _, (_, gradients) = automatic(params, X, Y)
    r = attacks.gradient_noise(params, X, -right, SLOPE)
    assert (np.abs(r - right[:, None] * gradients) <= gradient_tolerance(params)).all()


@pytest.mark.parametrize("epsilon", [1e-3, 4.0])
@pytest.mark.parametrize("name", NETWORKS)
def test_gradient_perturbations(name, epsilon, key):
    """Of norm ε, along y'∇f, and so towards the target label."""
    params = init(NETWORKS[name], key, M, D)
    _, (before, gradients) = automatic(params, X, Y)
    r = np.asarray(attacks.gradient_perturbations(params, X, Y, epsilon, SLOPE))
    norms = np.linalg.norm(gradients, axis=1)
    expected = epsilon * Y[:, None] * gradients / norms[:, None]
    relative = np.max(gradient_tolerance(params) * D) / norms[:, None]
    assert (np.abs(r - expected) <= epsilon * relative).all()
    np.testing.assert_allclose(np.linalg.norm(r, axis=1), epsilon, rtol=(D + 4) * EPS)
    _, (after, _) = automatic(params, X + 1e-3 / epsilon * r, Y)
    assert (Y * (after - before) > 0).all()


def test_zero_gradients_give_zero_perturbations():
    """Readouts of 0, or a dead ReLU at some points: nothing to follow, and no NaN."""
    one_neuron = Params(jnp.array([[1.0, 0.0, 0.0, 0.0, 0.0]]), jnp.zeros(1), jnp.ones(1))
    x = jnp.array([[2.0, 1.0, 0.0, 0.0, 0.0], [-2.0, 1.0, 0.0, 0.0, 0.0]])
    y = jnp.array([-1.0, 1.0])
    r = attacks.gradient_perturbations(one_neuron, x, y, 0.5, 0.0)
    np.testing.assert_array_equal(r, [[-0.5, 0, 0, 0, 0], [0, 0, 0, 0, 0]])
    np.testing.assert_array_equal(attacks.gradient_noise(one_neuron, x, y, 0.0)[1], 0.0)
    silent = one_neuron._replace(a=jnp.zeros(1))
    np.testing.assert_array_equal(attacks.gradient_perturbations(silent, x, y, 0.5, 0.0), 0.0)


# Zeros, and numbers whose squares may underflow or overflow.
entries = st.just(0.0) | st.floats(1e-300, 1e300) | st.floats(-1e300, -1e-300)


@given(hnp.arrays(np.float64, (3, D), elements=entries))
def test_unit_rows(v):
    unit = np.asarray(attacks.unit_rows(jnp.array(v)))
    zero = ~v.any(axis=1)
    np.testing.assert_array_equal(unit[zero], 0.0)
    for row, original in zip(unit[~zero], v[~zero], strict=True):
        assert math.hypot(*row) == pytest.approx(1, rel=(D + 4) * EPS)
        # XLA rounds quotients below 2e-308 to 0.
        expected = original / math.hypot(*original)
        np.testing.assert_allclose(row, expected, rtol=(D + 4) * EPS, atol=3e-308)


# --- geometry-inspired ----------------------------------------------------------------------------

Q = jnp.array([3.0, -4.0, 0.0, 0.5, -12.0])  # ‖q‖ = √(169.25)
DIRECTIONS = {
    "l2": np.array([3.0, -4.0, 0.0, 0.5, -12.0]) / math.sqrt(169.25),
    "linf": np.array([1.0, -1.0, 0.0, 1.0, -1.0]),
    "l0": np.array([0.0, -1.0, 0.0, 0.0, -1.0]),  # the two largest of five
}


@pytest.mark.parametrize("norm", attacks.NORMS)
def test_geometry_inspired(norm):
    r = np.asarray(attacks.geometry_inspired(Q, Y, 0.25, norm, fraction=0.4))
    expected = 0.25 * np.outer(Y, DIRECTIONS[norm])
    np.testing.assert_allclose(r, expected, rtol=(D + 4) * EPS)
    size = {
        "l2": np.linalg.norm(r, axis=1) / 0.25,
        "linf": np.max(np.abs(r), axis=1) / 0.25,
        "l0": np.sum(r != 0, axis=1) / 2,
    }[norm]
    np.testing.assert_allclose(size, 1, rtol=(D + 4) * EPS)


def test_geometry_inspired_is_l2_by_default():
    np.testing.assert_array_equal(
        attacks.geometry_inspired(Q, Y, 0.25), attacks.geometry_inspired(Q, Y, 0.25, "l2")
    )


@pytest.mark.parametrize("norm", attacks.NORMS)
def test_no_boundary_no_perturbation(norm):
    np.testing.assert_array_equal(attacks.geometry_inspired(jnp.zeros(D), Y, 1.0, norm), 0.0)


# ⌈fraction·d⌉ in decimals: 0.07·100 = 7.000000000000001 in floating point.
@pytest.mark.parametrize(
    ("fraction", "d", "count"),
    [
        (0.05, 100, 5),
        (0.07, 100, 7),
        (0.071, 100, 8),
        (0.001, 100, 1),
        (0.55, 100, 55),
        (1, 100, 100),
    ],
)
def test_l0_changes_the_stated_share_of_the_largest(fraction, d, count):
    q = jnp.array(
        np.random.default_rng(1).permutation(np.arange(1.0, d + 1)) * (-1) ** np.arange(d)
    )
    r = np.asarray(attacks.geometry_inspired(q, Y, 1.0, "l0", fraction))
    changed = r[0] != 0
    assert changed.sum() == count
    assert set(np.abs(q)[changed]) == set(range(d - count + 1, d + 1))
    np.testing.assert_array_equal(r[0][changed], np.sign(q)[changed])


# --- projected gradient ---------------------------------------------------------------------------


@pytest.mark.parametrize("steps", [1, 7])
@pytest.mark.parametrize("norm", attacks.NORMS)
def test_a_constant_gradient_leads_straight_to_the_surface(norm, steps):
    """Seven steps of ε/5 end where one step of size ε does: at ε times the steepest direction."""
    r = attacks.projected_gradient(
        lambda z: Y[:, None] * Q[None, :],
        X,
        0.25,
        norm,
        steps=steps,
        step_size=0.25 if steps == 1 else None,
        fraction=0.4,
    )
    expected = 0.25 * np.outer(Y, DIRECTIONS[norm])
    np.testing.assert_allclose(r, expected, rtol=(D + 40) * EPS)


CENTRE, METRIC = np.array([0.3, 2.0]), np.array([[2.0, 0.9], [0.9, 0.5]])


@pytest.mark.parametrize("norm", ["l2", "linf"])
def test_projected_gradient_finds_the_maximum_of_a_concave_function(norm):
    """−½(z − c)ᵀA(z − c), whose best point on the surface a grid of 10⁵ points brackets."""

    def value(z):
        return -0.5 * np.einsum("ki,ij,kj->k", z - CENTRE, METRIC, z - CENTRE)

    epsilon = 0.7
    r = attacks.projected_gradient(
        lambda z: -(z - CENTRE[None, :]) @ METRIC,
        jnp.zeros((1, 2)),
        epsilon,
        norm,
        steps=4000,
        step_size=1e-3,
    )
    angles = np.linspace(0, 2 * np.pi, 100_000)
    surface = np.stack([np.cos(angles), np.sin(angles)], 1)
    if norm == "linf":
        surface /= np.abs(surface).max(1, keepdims=True)
    best = value(epsilon * surface).max()
    # The gradient is below 5 in the ball; steps are 1e-3, the grid is 1e-4 at most.
    assert best - 5e-3 <= value(np.asarray(r))[0] <= best + 5e-4


@pytest.mark.parametrize("norm", attacks.NORMS)
def test_projection_is_the_closest_point_of_the_ball(norm):
    """Against every support (ℓ₀) and against random points of the ball."""
    rng = np.random.default_rng(3)
    r, epsilon, count = rng.normal(size=(20, D)), 0.8, 2
    projected = np.asarray(attacks.ball(norm, 0.4).project(jnp.array(r), epsilon))
    distance = np.linalg.norm(projected - r, axis=1)
    if norm == "l0":
        closest = np.full(20, np.inf)
        for support in itertools.combinations(range(D), count):
            candidate = np.zeros_like(r)
            candidate[:, support] = np.clip(r[:, support], -epsilon, epsilon)
            closest = np.minimum(closest, np.linalg.norm(candidate - r, axis=1))
        np.testing.assert_allclose(distance, closest, rtol=1e-12)
        assert ((projected != 0).sum(1) <= count).all()
        return
    order = {"l2": 2, "linf": np.inf}[norm]
    assert (np.linalg.norm(projected, order, axis=1) <= epsilon * (1 + 4 * EPS)).all()
    others = rng.normal(size=(2000, D))
    others *= epsilon * rng.uniform(size=(2000, 1)) / np.linalg.norm(others, order, axis=1)[:, None]
    others = np.concatenate([others, 0.99 * projected + 0.01 * others[:20]])
    for point, best in zip(r, distance, strict=True):
        assert (np.linalg.norm(others - point, axis=1) >= best - 1e-12).all()


@pytest.mark.parametrize("norm", attacks.NORMS)
def test_projected_gradient_on_a_network_moves_the_output_and_stays_in_the_ball(norm, key):
    params = init(NETWORKS["K24b"], key, M, D)

    def attack(epsilon, steps):
        return attacks.projected_gradient(
            lambda z: Y[:, None] * attacks.input_gradients(params, z, SLOPE),
            X,
            epsilon,
            norm,
            steps=steps,
            fraction=0.4,
        )

    r = np.asarray(attack(0.3, 20))
    assert (Y * (outputs(params, X + r, SLOPE) - outputs(params, X, SLOPE)) > 0).all()
    size = np.linalg.norm(r, {"l2": 2}.get(norm, np.inf), axis=1)
    assert (size <= 0.3 * (1 + 4 * EPS)).all()
    if norm == "l0":
        assert ((r != 0).sum(1) <= 2).all()
    np.testing.assert_allclose(jax.jit(attack)(0.3, 20), r, rtol=0, atol=1e-13)  # both traced


scales = st.floats(-300, 300).map(lambda power: 10.0**power)


@pytest.mark.slow
@given(scales, st.sampled_from(attacks.BALLS), st.none() | scales)
def test_no_size_overflows(epsilon, norm, step_size):
    """A constant gradient leads to the surface, or step_size·steps far: sizes 1e-300 to 1e300."""
    r = attacks.projected_gradient(
        lambda z: jnp.ones_like(X) * Q[None, :],
        jnp.zeros_like(X),
        epsilon,
        norm,
        steps=7,
        step_size=step_size,
        fraction=0.4,
    )
    longest = 1.4 if step_size is None else min(7 * step_size / epsilon, 1e9)
    direction = np.abs(Q) / 12 if norm == "linf-max" else np.abs(DIRECTIONS[norm])
    expected = np.sign(Q) * np.minimum(longest * direction, 1 if norm != "l2" else direction)
    # XLA rounds numbers below 2e-308 to 0.
    np.testing.assert_allclose(r[0] / epsilon, expected, rtol=1e-13, atol=3e-308 / epsilon)


@given(scales, scales)
def test_projection_at_any_scale(epsilon, size):
    """‖Π_ε r‖ = min(ε, ‖r‖) in ℓ₂, by logarithms."""
    r = np.asarray(attacks.ball("l2").project(size * Q[None, :] / 12, epsilon))[0]
    largest, length = np.abs(r).max(), math.hypot(*(np.asarray(Q) / 12))
    found = math.log(largest) + math.log(math.hypot(*(r / largest)))
    assert found == pytest.approx(
        min(math.log(epsilon), math.log(size) + math.log(length)), abs=1e-12
    )


def test_maximum_norm_steps_are_those_of_the_published_code():
    """Two steps of η g/max|g|, g of different sizes, then the clipping at ε."""
    r = attacks.projected_gradient(
        lambda z: jnp.ones_like(X) * Q[None, :], X, 1.0, "linf-max", steps=2, step_size=0.6
    )
    expected = np.clip(1.2 * np.asarray(Q) / 12, -1, 1)
    np.testing.assert_allclose(r, np.tile(expected, (N, 1)), rtol=1e-14)


def test_the_box_is_kept():
    """Points in [−1, 1]^d stay there, and those far from its faces go as without it."""
    x = jnp.array([[0.9, 0.0, -1.0, 0.5, 0.2]])
    gradient = lambda z: jnp.array([[1.0, 1.0, -1.0, -1.0, 1.0]])  # noqa: E731
    r = attacks.projected_gradient(gradient, x, 0.3, "linf", steps=6, box=(-1.0, 1.0))
    np.testing.assert_allclose(r, [[0.1, 0.3, 0.0, -0.3, 0.3]], atol=1e-15)
    with pytest.raises(ValueError, match=r"x must lie in the box \[-1, 0.5\], got entries from -1"):
        attacks.projected_gradient(gradient, x, 0.3, box=(-1.0, 0.5))
    with pytest.raises(ValueError, match=r"box\[1\] must be a finite number in \(1, inf\)"):
        attacks.projected_gradient(gradient, x, 0.3, box=(1.0, 1.0))


def test_growing_support_by_hand():
    """g = (3, −4, 0, ½, −12): coordinate 4, then 1 as well, then 0; all chosen ones keep moving."""
    found = [
        np.asarray(attacks.growing_support(lambda z: Q[None, :], X[:1], steps=k, step_size=0.3))[0]
        for k in (1, 2, 3)
    ]
    np.testing.assert_allclose(found[0], [0, 0, 0, 0, -0.3], atol=1e-15)
    np.testing.assert_allclose(found[1], [0, -0.1, 0, 0, -0.6], atol=1e-15)
    np.testing.assert_allclose(found[2], [0.075, -0.2, 0, 0, -0.9], atol=1e-15)
    boxed = attacks.growing_support(
        lambda z: Q[None, :], jnp.zeros((1, D)), steps=3, step_size=0.5, box=(-1.0, 1.0)
    )
    np.testing.assert_allclose(boxed[0], [0.125, -1 / 3, 0, 0, -1], atol=1e-15)
    with pytest.raises(ValueError, match=r"steps must be an integer in \[1, 5\], got 6"):
        attacks.growing_support(lambda z: Q[None, :], X, steps=6)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16])
def test_integers_are_attacked_as_floats(dtype, key):
    """Pixels: the same as of the same numbers in floats; labels, too."""
    params = init(NETWORKS["K24b"], key, M, D)
    pixels = np.random.default_rng(2).integers(0, 200, (N, D))
    labels = np.asarray(Y, int)

    def both(x, y):
        def towards(z):
            return jnp.asarray(y, float)[:, None] * attacks.input_gradients(params, z, SLOPE)

        return (
            attacks.projected_gradient(towards, x, 3.0, "linf", steps=4),
            attacks.growing_support(towards, x, steps=3),
            attacks.gradient_noise(params, x, y, SLOPE),
            attacks.gradient_perturbations(params, x, y, 3.0, SLOPE),
        )

    as_floats = both(jnp.asarray(pixels, float), Y)
    for found, expected in zip(both(pixels.astype(dtype), labels), as_floats, strict=True):
        np.testing.assert_array_equal(found, expected)


def test_a_zero_gradient_moves_nothing():
    for norm in attacks.BALLS:
        np.testing.assert_array_equal(
            attacks.projected_gradient(jnp.zeros_like, X, 1.0, norm, steps=3), 0.0
        )


# --- bad input ------------------------------------------------------------------------------------

PARAMS = Params(jnp.ones((2, D)), jnp.ones(2), jnp.ones(2))
NAN = X.at[0, 0].set(math.nan)
DATA = {
    "not finite": (NAN, Y, "x must be finite, got 1 NaN or infinite of 30 entries"),
    "columns": (X[:, :3], Y, r"x must have 5 columns, got shape \(6, 3\)"),
    "vector": (X[0], Y, "x must be a matrix"),
    "labels": (X, (Y + 1) / 2, r"must be −1 or \+1, got values \{0, 1\}; use 2\*y − 1"),
    "number of labels": (X, Y[:2], r"must have shape \(6,\), one label per point, got \(2,\)"),
}
POSITIVE = r"epsilon must be (a finite number in \(0, inf\)|a real number), got"


@pytest.mark.parametrize("case", DATA)
def test_bad_points_and_labels(case):
    x, y, message = DATA[case]
    with pytest.raises(ValueError, match=message):
        plain(attacks.gradient_noise)(PARAMS, x, y, SLOPE)
    with pytest.raises(ValueError, match=message):
        plain(attacks.gradient_perturbations)(PARAMS, x, y, 1.0, SLOPE)


@pytest.mark.parametrize("epsilon", [0, -1.0, math.nan, math.inf])
def test_bad_size(epsilon):
    with pytest.raises(ValueError, match=POSITIVE):
        attacks.gradient_perturbations(PARAMS, X, Y, epsilon, SLOPE)
    with pytest.raises(ValueError, match=POSITIVE):
        attacks.geometry_inspired(Q, Y, epsilon)


BAD_GEOMETRY = [
    ({"norm": "l1"}, "norm must be one of l0, l2, linf, linf-max; got 'l1'"),
    ({"fraction": 0.0}, r"fraction must be a finite number in \(0, 1\], got 0.0"),
    ({"fraction": 1.1}, r"fraction must be a finite number in \(0, 1\], got 1.1"),
    ({"q": Q * math.nan}, "q must be finite, got 5 NaN"),
    ({"target": 2 * Y}, r"target must be −1 or \+1, got values \{-2, 2\}"),
]


@pytest.mark.parametrize(("arguments", "message"), BAD_GEOMETRY)
def test_bad_geometry(arguments, message):
    with pytest.raises(ValueError, match=message):
        attacks.geometry_inspired(**{"q": Q, "target": Y, "epsilon": 1.0, **arguments})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"norm": "l1"}, "norm must be one of l0, l2, linf, linf-max; got 'l1'"),
        ({"epsilon": 0.0}, POSITIVE),
        ({"steps": 0}, "steps must be an integer ≥ 1, got 0"),
        ({"step_size": -1.0}, r"step_size must be a finite number in \(0, inf\), got -1.0"),
        ({"fraction": 0.0}, r"fraction must be a finite number in \(0, 1\], got 0.0"),
        ({"x": NAN}, "x must be finite, got 1 NaN"),
    ],
)
def test_bad_projected_gradient(arguments, message):
    given_ = {"gradient": jnp.zeros_like, "x": X, "epsilon": 1.0, **arguments}
    with pytest.raises(ValueError, match=message):
        plain(attacks.projected_gradient)(**given_)
