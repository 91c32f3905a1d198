"""Kernels: every route to them against one reference, and what must hold at all points.

The reference is E[φ'φ'] and E[φφ] by Sheppard's orthant probability, in 50 digits. The routes are
our closed forms, neural-tangents, an average over neurons drawn with NumPy, and the Jacobian of
one wide network.
"""

import functools
import inspect
import math

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from theory import networks
from theory.infinite_width import _angles, _neural_tangents, kernels
from theory.networks import embedding

SLOPES = (0.0, 0.01, 0.5, 0.99)
D = 3
EPS = float(np.finfo(np.float64).eps)

# Random routes: 2^17 neurons, and the probability that any entry of any kernel of such a route is
# outside its tolerance. Seeds are fixed, so only a change of the random bits can bring that about.
NEURONS = 2**17
FALSE_ALARM = 1e-6


def _points():
    """x: (5, D) generic.  z: (15, D), two generic, then every kind of special position to x[0]."""
    rng = np.random.default_rng(0)
    x, generic = rng.normal(size=(5, D)), rng.normal(size=(2, D))
    across = np.cross(x[0], x[1]) / np.linalg.norm(np.cross(x[0], x[1]))
    x[3:] *= 1e9  # so that the bias, 1, leaves antiparallel points an angle of 1e-9 from π
    nearly = [sign * x[0] + t * across for sign in (1, -1) for t in (1e-3, 1e-6, 1e-9, 1e-12)]
    return x, np.array([*generic, x[0], 2 * x[0], -x[0], -3 * x[0], *nearly, -x[3]])


X, Z = _points()
SIGMA = {bias: np.sqrt(np.sum(X**2, 1) / D + bias)[:, None] * np.sqrt(np.sum(Z**2, 1) / D + bias)
         for bias in (True, False)}  # fmt: skip
SIZE = {bias: np.abs(X) @ np.abs(Z).T + bias for bias in (True, False)}  # ≥ |⟨x, z⟩ + 1|


def exact_pair(x, z, bias):
    """θ, E[1 1], E[h h 1 1], σσ cos θ and ⟨x, z⟩ + 1, 1 standing for h ≥ 0, in 50 digits."""
    dot = mpmath.fsum(mpmath.mpf(a) * mpmath.mpf(b) for a, b in zip(x, z, strict=True))
    q_x, q_z = (mpmath.fsum(mpmath.mpf(a) ** 2 for a in p) / len(x) + bias for p in (x, z))
    covariance, scale = dot / len(x) + bias, mpmath.sqrt(q_x * q_z)
    sine = mpmath.sqrt(max(q_x * q_z - covariance**2, 0)) / scale  # negative by rounding only
    arcsine = mpmath.atan2(covariance / scale, sine)
    both = mpmath.mpf(1) / 4 + arcsine / (2 * mpmath.pi)
    product = (scale * sine + covariance * (mpmath.pi / 2 + arcsine)) / (2 * mpmath.pi)
    return mpmath.pi / 2 - arcsine, both, product, covariance, dot + bias


def exact_kernels(x, z, slope, bias):
    """Φ, E[φφ], Θ, the NTKs at readout rates 1 and ½, and θ: six numbers."""
    theta, both, product, covariance, inner = exact_pair(x, z, bias)
    slope = mpmath.mpf(slope)
    # One sign or the other on both: equal probabilities; h_x h_z < 0 has the rest.
    phi = (1 + slope**2) * both + slope * (1 - 2 * both)
    nngp = (1 + slope**2) * product + slope * (covariance - 2 * product)
    ntk = phi * inner
    return [float(v) for v in (phi, nngp, ntk, ntk + nngp, ntk + nngp / 2, theta)]


NAMES = ("phi", "nngp", "hidden_ntk", "ntk", "ntk_half", "angle")


@functools.cache
def reference(bias):
    """slope → name → (5, 15) matrix."""
    with mpmath.workdps(50):
        values = {
            slope: np.array([[exact_kernels(x, z, slope, bias) for z in Z] for x in X])
            for slope in SLOPES
        }
    return {s: dict(zip(NAMES, np.moveaxis(v, 2, 0), strict=True)) for s, v in values.items()}


def with_sums(phi, nngp, hidden_ntk):
    """Kernels, or their tolerances, together with those of their sums."""
    both = {"ntk": hidden_ntk + nngp, "ntk_half": hidden_ntk + nngp / 2}
    return dict(phi=phi, nngp=nngp, hidden_ntk=hidden_ntk, **both)


@jax.jit
def all_closed_forms(x, z):
    """bias → slope → name → matrix, compiled in one go: the angle is shared by all slopes."""

    def one(slope, bias):
        return {
            "phi": kernels.derivative_kernel(x, z, slope, bias),
            "nngp": kernels.nngp(x, z, slope, bias),
            "hidden_ntk": kernels.hidden_ntk(x, z, slope, bias),
            "ntk": kernels.ntk(x, z, slope, bias),
            "ntk_half": kernels.ntk(x, z, slope, bias, 0.5),
            "angle": kernels.angle(x, z, bias),
        }

    return {bias: {slope: one(slope, bias) for slope in SLOPES} for bias in (False, True)}


def closed_forms(x, z):
    return jax.tree.map(np.asarray, all_closed_forms(jnp.array(x), jnp.array(z)))


def tolerances(bias, angle):
    """What an error `angle` of θ and the rounding of a kernel's formula come to.

    |dΦ/dθ| and |dE[φφ]/dθ|/σσ are at most 1/(2π) and ½ + γ/2 ≤ 1; ⟨x, z⟩ + 1 and σσ are sums of
    D + 1 products, and a dozen more operations follow.
    """
    rounding = (D + 12) * EPS
    phi = angle + rounding
    return with_sums(phi, SIGMA[bias] * phi, SIZE[bias] * phi) | {"angle": angle}


def closed_form(bias):
    """θ from the shorter of ‖u ∓ v‖: u, v are off by (D/2 + 6)ε/2 each, the sum by Dε/2."""
    return closed_forms(X, Z)[bias], tolerances(bias, (D + 12) * EPS)


def neural_tangents_angle(bias):
    """Error of the angle of neural-tangents, (D + 3)ε/sin θ up to √(2(D + 3)ε), doubled.

    Its sin θ is √(q_xx q_zz − q_xz²), whose radicand carries 2(D + 3) roundings: half the digits
    are lost where θ is 0 or π.
    """
    theta = reference(bias)[0.0]["angle"]
    with np.errstate(divide="ignore"):
        return 2 * np.minimum((D + 3) * EPS / np.sin(theta), math.sqrt(2 * (D + 3) * EPS))


def neural_tangents(bias):
    hidden = {slope: kernels.stax_network(slope, bias)[2] for slope in SLOPES}
    whole = {slope: kernels.stax_network(slope, bias, readout=True)[2] for slope in SLOPES}

    @jax.jit
    def compute(x, z):
        values = {}
        for slope in SLOPES:
            kernel, ntk = hidden[slope](x, z, ("nngp", "ntk")), whole[slope](x, z, "ntk")
            values[slope] = {"nngp": kernel.nngp, "hidden_ntk": kernel.ntk, "ntk": ntk}
            if bias:
                phi = kernels.derivative_kernel_by_neural_tangents(x, z, slope)
                values[slope]["phi"] = phi
        return values

    return compute(jnp.array(X), jnp.array(Z)), tolerances(bias, neural_tangents_angle(bias))


def bernstein(comparisons):
    """√(6s/N) + 2s/N, exceeded with probability e^{−s} each way by a mean of N terms.

    For terms A²g, |g| ≤ 1 or A B g, A and B normal of variance 1: |moments| ≤ those of A².
    """
    s = math.log(2 * comparisons / FALSE_ALARM)
    return math.sqrt(6 * s / NEURONS) + 2 * s / NEURONS


def monte_carlo(bias):
    """Averages over neurons with φ and φ' written out; (1 − γ²)√(s/2N) by Hoeffding for φ'φ'."""
    rng = np.random.default_rng(1)
    w, b = rng.normal(size=(NEURONS, D)) / math.sqrt(D), rng.normal(size=NEURONS) * bias
    h_x, h_z = X @ w.T + b, Z @ w.T + b
    values, entries = {}, X.shape[0] * Z.shape[0] * len(SLOPES) * 2
    for slope in SLOPES:
        on_x, on_z = (np.where(h > 0, 1.0, slope) for h in (h_x, h_z))
        phi, nngp = on_x @ on_z.T / NEURONS, (on_x * h_x) @ (on_z * h_z).T / NEURONS
        values[slope] = with_sums(phi, nngp, phi * (X @ Z.T + bias))
    hoeffding = math.sqrt(math.log(2 * entries / FALSE_ALARM) / (2 * NEURONS))
    return values, with_sums(hoeffding, bernstein(entries) * SIGMA[bias], hoeffding * SIZE[bias])


def finite_network(bias):
    """One network: Θ_m and Σ φφ/m, the NTK of its readout at the rate 1/m."""
    network = networks.frozen_readout() if bias else networks.all_trained()
    params = networks.init(network, jax.random.key(2), NEURONS, D)

    @jax.jit
    def compute(params, x, z):
        values = {}
        for slope in SLOPES:
            at_x, at_z = (networks.pre_activations(params, points) for points in (x, z))
            nngp = networks.leaky_relu(at_x, slope) @ networks.leaky_relu(at_z, slope).T / NEURONS
            hidden_ntk = kernels.finite_hidden_ntk(params, x, z, slope, bias)
            phi = hidden_ntk / embedding.biased_products(x, z, bias)
            values[slope] = with_sums(phi, nngp, hidden_ntk)
        return values

    values = compute(params, jnp.array(X), jnp.array(Z))
    tolerance = bernstein(X.shape[0] * Z.shape[0] * len(SLOPES) * 2)
    return values, with_sums(tolerance, tolerance * SIGMA[bias], tolerance * SIZE[bias])


ROUTES = {
    "closed_form": closed_form,
    "neural_tangents": neural_tangents,
    "monte_carlo": monte_carlo,
    "finite_network": finite_network,
}


@pytest.mark.slow
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("route", ROUTES)
def test_every_route_gives_the_expectations(route, bias):
    values, tolerance = ROUTES[route](bias)
    for slope in SLOPES:
        for name, value in values[slope].items():
            error = np.abs(np.asarray(value) - reference(bias)[slope][name])
            assert (error <= tolerance[name]).all(), (slope, name, np.max(error / tolerance[name]))


def test_closed_forms_equal_neural_tangents_on_generic_points():
    """To 1e-12: generic means sin θ ≥ 1e-2, where neural-tangents loses two digits."""
    generic = np.sin(reference(True)[0.0]["angle"]) >= 1e-2
    assert generic.sum() >= 30
    ours, theirs = closed_form(True)[0], neural_tangents(True)[0]
    for slope in SLOPES:
        for name, value in theirs[slope].items():
            np.testing.assert_allclose(ours[slope][name][generic], value[generic], rtol=1e-12)


@pytest.mark.parametrize("bias", [True, False])
def test_embedding_and_standard_deviation(bias):
    """⟨e(x), e(z)⟩ = ⟨x, z⟩/d + bias and σ(x) = √(‖x‖²/d + bias), each to D + 4 roundings."""
    x, z = jnp.array(X), jnp.array(Z)
    with mpmath.workdps(50):
        inner = np.array([[float(exact_pair(p, q, bias)[3]) for q in Z] for p in X])
        raw = np.array([[float(exact_pair(p, q, bias)[4]) for q in Z] for p in X])
    tolerance = (D + 4) * EPS * SIZE[bias]
    embedded = np.asarray(embedding.embed(x, bias) @ embedding.embed(z, bias).T)
    assert (np.abs(embedded - inner) <= tolerance).all()
    assert (np.abs(embedding.biased_products(x, z, bias) - raw) <= tolerance).all()
    at_x, at_z = (np.asarray(embedding.standard_deviation(p, bias)) for p in (x, z))
    sigma = at_x[:, None] * at_z
    np.testing.assert_allclose(sigma, SIGMA[bias], rtol=2 * (D + 4) * EPS)


def exact_angles(x, z, bias):
    """θ in 50 digits, as 2·atan2(‖u − v‖, ‖u + v‖)."""

    def unit(p):
        e = [mpmath.mpf(v) / mpmath.sqrt(len(p)) for v in p] + [mpmath.mpf(bias)]
        norm = mpmath.sqrt(mpmath.fsum(v**2 for v in e))
        return [v / norm for v in e]

    def one(u, v):
        pairs = list(zip(u, v, strict=True))
        chords = (mpmath.sqrt(mpmath.fsum((a + s * b) ** 2 for a, b in pairs)) for s in (-1, 1))
        return float(2 * mpmath.atan2(*chords))

    with mpmath.workdps(50):
        us, vs = ([unit(p.tolist()) for p in points] for points in (x, z))
        return np.array([[one(u, v) for v in vs] for u in us])


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("d", [2, 14, 15, 40])
def test_angles_in_more_dimensions_than_a_block(d, dtype, monkeypatch):
    """Within (d + 12)ε: 16 coordinates a time, two extra ones, and 7 pairs of points a tile.

    Points at generic, tiny, right and straight angles.
    """
    monkeypatch.setattr(_angles, "TILE", 7)
    rng = np.random.default_rng(d)
    x, across = rng.normal(size=(2, 3, d))
    across -= x * (np.sum(x * across, 1) / np.sum(x * x, 1))[:, None]
    shifts = [s * x[:1] + t * across[:1] for s in (1, 0, -1) for t in (0.5, 1e-4, 1e-8)]
    x, z = x.astype(dtype), np.concatenate([x, -x, *shifts]).astype(dtype)
    for bias in (True, False):
        x, z = (points * (1 if bias else 1e3) for points in (x, z))
        actual = kernels.angle(jnp.array(x, dtype), jnp.array(z, dtype), bias)
        assert actual.dtype == dtype
        expected = exact_angles(x.astype(dtype), z.astype(dtype), bias)
        error = np.abs(np.asarray(actual, np.float64) - expected)
        assert error.max() <= (d + 12) * float(jnp.finfo(dtype).eps)


@pytest.mark.parametrize(("n", "q"), [(3, 0), (0, 3)])
def test_angles_of_no_points(n, q):
    assert kernels.angle(jnp.ones((n, D)), jnp.ones((q, D))).shape == (n, q)


def test_a_point_at_the_origin():
    """At π/2 to every other point and without kernel, unless there are biases."""
    x = np.concatenate([np.zeros((1, D)), X[:3], X[:1]])
    values = closed_forms(x, x)
    for slope in SLOPES:
        without, given_biases = values[False][slope], values[True][slope]
        assert (np.abs(without["angle"][0, 1:] - np.pi / 2) <= (D + 12) * EPS).all()
        for name in ("nngp", "hidden_ntk", "ntk"):
            np.testing.assert_array_equal(without[name][0], 0.0)
            np.testing.assert_array_equal(without[name][:, 0], 0.0)
        with mpmath.workdps(50):
            expected = exact_kernels(x[0], x[1], slope, True)
        for name, value in zip(NAMES, expected, strict=True):
            # As in `tolerances`; σσ is at most 2 here.
            assert abs(given_biases[name][0, 1] - value) <= 2 * 2 * (D + 12) * EPS


# --- finite width ---------------------------------------------------------------------------------

SMALL = 8  # width


@pytest.fixture(scope="module")
def small():
    rng = np.random.default_rng(4)
    x, z = jnp.array(rng.normal(size=(5, D))), jnp.array(rng.normal(size=(4, D)))
    return networks.init(networks.frozen_readout(), jax.random.key(5), SMALL, D), x, z


def by_jacobian(f, hidden, x, z):
    def rows(points):
        return jnp.concatenate(
            [j.reshape(len(points), -1) for j in jax.tree.leaves(jax.jacrev(f)(hidden, points))], 1
        )

    return rows(x) @ rows(z).T


def by_neural_tangents(f, hidden, x, z):
    nt = _neural_tangents.load()
    implementation = nt.NtkImplementation.JACOBIAN_CONTRACTION
    return nt.empirical_ntk_fn(f, trace_axes=(), implementation=implementation)(x, z, hidden)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("route", [by_jacobian, by_neural_tangents])
def test_finite_hidden_ntk_is_the_jacobian_contracted(route, bias, small):
    params, x, z = small
    if not bias:
        params = params._replace(b=jnp.zeros(SMALL))
    hidden = params[:2] if bias else params[:1]

    @jax.jit
    def compute(hidden, x, z):
        def f(slope):
            def apply(weights, points):
                named = dict(zip("wb", weights, strict=False))  # without biases w alone
                return networks.outputs(params._replace(**named), points, slope)

            return apply

        return {slope: route(f(slope), hidden, x, z) for slope in SLOPES}

    # Either side sums SMALL·(D + 1) terms of five factors: that many roundings of its magnitude.
    tolerance = (SMALL * (D + 1) + 5) * EPS * np.sum(np.square(params.a))
    size = np.abs(x) @ np.abs(z).T + bias
    for slope, expected in compute(hidden, x, z).items():
        actual = kernels.finite_hidden_ntk(params, x, z, slope, bias)
        assert (np.abs(actual - expected) <= tolerance * size).all(), slope


NETWORKS = {
    "frozen": networks.frozen_readout(0.25),
    "all": networks.all_trained(0.25),
    "erf": networks.frozen_readout(activation="erf"),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_finite_ntk_is_the_jacobian_of_all_trained_weights_contracted(name, small):
    """Weights that learn at a rate s enter the kernel times s: the readout is √s·(a/√s) here."""
    network, (_, x, z) = NETWORKS[name], small
    params, scale = networks.init(network, jax.random.key(5), SMALL, D), 0.3

    def f(weights, points):
        weights = dict(zip(network.trained, weights, strict=True))
        if "a" in weights:
            weights["a"] = scale**0.5 * weights["a"]
        return networks.apply(network, params._replace(**weights), points)

    start = {name: getattr(params, name) for name in network.trained}
    if "a" in start:
        start["a"] = start["a"] / scale**0.5
    expected = by_jacobian(f, tuple(start.values()), x, z)
    actual = kernels.finite_ntk(network, params, x, z, scale)
    size = np.abs(x) @ np.abs(z).T + 2
    assert (np.abs(actual - expected) <= 100 * SMALL * (D + 1) * EPS * size).all()
    if network.trained == ("w", "a"):
        np.testing.assert_array_equal(
            kernels.finite_ntk(network, params, x, z),
            kernels.finite_ntk(network, params, x, z, 1 / SMALL),
        )


@pytest.mark.parametrize("name", NETWORKS)
def test_network_ntk_is_that_of_neural_tangents(name, small):
    """The hidden layer's in the standard parameterization, and E[φφ] where the readout is trained.

    neural-tangents loses digits to an angle near 0 or π, which generic points are far from.
    """
    network, (_, x, z) = NETWORKS[name], small
    stax = _neural_tangents.load().stax
    layer = stax.Erf() if network.activation == "erf" else stax.ABRelu(network.slope, 1.0)
    b_std = 1.0 if network.bias else None
    dense = stax.Dense(1, W_std=1.0, b_std=b_std, parameterization="standard")
    theirs = stax.serial(dense, layer)[2](x, z, ("nngp", "ntk"))
    expected = theirs.ntk + theirs.nngp * float("a" in network.trained)
    np.testing.assert_allclose(kernels.network_ntk(network, x, z), expected, rtol=1e-11, atol=1e-12)
    if network.activation == "erf":
        np.testing.assert_allclose(kernels.erf_nngp(x, z), theirs.nngp, rtol=1e-11, atol=1e-12)


def test_network_ntk_of_other_initial_laws_is_refused():
    with pytest.raises(ValueError, match="network must be `all_trained` or `frozen_readout`"):
        kernels.network_ntk(networks.fixed_signs(0.5), jnp.ones((1, 2)), jnp.ones((1, 2)))


# --- for all inputs -------------------------------------------------------------------------------

# Six digits after the point: squares neither overflow nor underflow, and there are ties and zeros.
coordinates = st.floats(-1e3, 1e3).map(lambda v: round(v, 6))
point_sets = hnp.arrays(np.float64, (5, D), elements=coordinates)
KERNELS = ("phi", "nngp", "hidden_ntk", "ntk")


def own_scale(points, bias):
    """σ²(x) and ‖x‖² + 1 as column times row: what entries of each kernel are of the order of."""
    size = np.linalg.norm(points, axis=1)
    sigma, inner = np.sqrt(size**2 / D + bias), np.sqrt(size**2 + bias)
    nngp, hidden_ntk = np.outer(sigma, sigma), np.outer(inner, inner)
    return {"phi": 1.0, "nngp": nngp, "hidden_ntk": hidden_ntk, "ntk": nngp + hidden_ntk}


ROUNDING = 2 * (D + 12) * EPS  # of an entry relative to `own_scale`, as in `tolerances`


def all_pairs(values):
    return [(slope, bias, values[bias][slope]) for bias in (True, False) for slope in SLOPES]


@given(point_sets)
def test_kernels_are_symmetric_and_positive_semidefinite(points):
    for slope, bias, values in all_pairs(closed_forms(points, points)):
        scale = own_scale(points, bias)
        for name in KERNELS:
            kernel = values[name]
            error = np.abs(kernel - kernel.T)
            assert (error <= 2 * ROUNDING * scale[name]).all(), (name, slope, bias)
            # An error E shifts eigenvalues by ‖E‖₂ ≤ n·max|E|; eigvalsh adds a few n·ε‖K‖₂.
            allowed = 2 * len(points) * ROUNDING * np.max(scale[name])
            lowest = np.linalg.eigvalsh((kernel + kernel.T) / 2).min()
            assert lowest >= -allowed, (name, slope, bias)


@given(point_sets, point_sets)
def test_phi_is_in_its_range(x, z):
    for slope, _, values in all_pairs(closed_forms(x, z)):
        # γ + (1 − γ)²/2 and (1 + γ²)/2 are equal up to the rounding of four operations.
        assert values["phi"].min() >= slope - 4 * EPS
        assert values["phi"].max() <= (1 + slope**2) / 2 + 4 * EPS
        assert values["angle"].min() >= 0
        assert values["angle"].max() <= np.pi


@given(point_sets, st.floats(1e-3, 1e3))
def test_scaling_without_biases(points, factor):
    """x → cx leaves Φ alone and multiplies E[φφ] and Θ, homogeneous in each argument, by c."""
    before, after = closed_forms(points, points), closed_forms(factor * points, points)
    scale = own_scale(points, False)
    for slope in SLOPES:
        for name, power in {"phi": 0, "nngp": 1, "hidden_ntk": 1, "ntk": 1}.items():
            error = np.abs(after[False][slope][name] - factor**power * before[False][slope][name])
            assert (error <= 2 * ROUNDING * factor**power * scale[name]).all(), (name, slope)


@given(point_sets, st.integers(0, 2**32 - 1))
def test_rotation_changes_nothing(points, seed):
    rotation = np.linalg.qr(np.random.default_rng(seed).normal(size=(D, D)))[0]
    before, rotated = closed_forms(points, points), points @ rotation
    for slope, bias, after in all_pairs(closed_forms(rotated, rotated)):
        scale = own_scale(points, bias)
        for name in KERNELS:
            # The rotated points themselves are off by (D + 3)ε of their norm, as u and v are.
            error = np.abs(after[name] - before[bias][slope][name])
            assert (error <= 3 * ROUNDING * scale[name]).all(), (name, slope, bias)


# --- bad input ------------------------------------------------------------------------------------

POINT = jnp.ones((1, D))
TAKING_A_SLOPE = {
    "derivative_kernel": lambda slope: kernels.derivative_kernel(POINT, POINT, slope),
    "nngp": lambda slope: kernels.nngp(POINT, POINT, slope),
    "hidden_ntk": lambda slope: kernels.hidden_ntk(POINT, POINT, slope),
    "ntk": lambda slope: kernels.ntk(POINT, POINT, slope),
    "stax_network": kernels.stax_network,
    "by_neural_tangents": lambda slope: kernels.derivative_kernel_by_neural_tangents(
        POINT, POINT, slope
    ),
}


@pytest.mark.parametrize("slope", [-0.01, 1.0, 2, math.nan, math.inf])
@pytest.mark.parametrize("name", TAKING_A_SLOPE)
def test_bad_slope(name, slope):
    with pytest.raises(ValueError, match=r"slope must be a finite number in \[0, 1\), got"):
        TAKING_A_SLOPE[name](slope)


def test_a_slope_that_is_no_number():
    plain = inspect.unwrap(kernels.stax_network)  # without the type checks of conftest.py
    for slope in ("0.5", True, None):
        with pytest.raises(ValueError, match="slope must be"):
            plain(slope)


def test_angles_of_many_points_are_those_of_few():
    """Beyond `_angles.SQUARE` points cosines are used, but not where they lose digits.

    The 600 points hold copies, multiples, opposites and near neighbours of one another.
    """
    d = 3
    x = np.random.default_rng(0).normal(size=(600, d))
    x[1], x[2], x[599], x[598] = 2 * x[0], -x[0], x[5], x[5] * (1 + 1e-9)
    x[300] = 0
    x = jnp.array(x)
    assert len(x) > _angles.SQUARE
    for bias in (True, False):
        many = kernels.angle(x, x, bias)
        few = jnp.concatenate([kernels.angle(x[i : i + 300], x, bias) for i in (0, 300)])
        error = 2 * 3 * (d + 12) * np.finfo(np.float64).eps
        np.testing.assert_allclose(many, few, rtol=0, atol=error)
    assert float(many[0, 1]) <= error
    assert abs(float(many[0, 2]) - np.pi) <= error
    assert float(many[5, 599]) <= error
    single = x.astype(jnp.float32)
    error = 3 * (d + 12) * float(np.finfo(np.float32).eps)
    np.testing.assert_allclose(kernels.angle(single, single, False), many, rtol=0, atol=error)
