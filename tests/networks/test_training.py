"""Training against a NumPy loop with gradients by hand, and what follows from its formulas."""

import inspect
import math

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from untyped import compilations, known

from theory.networks.descent import (
    LOSSES,
    Descent,
    descent_for_time,
    loss_weights,
    training_time,
)
from theory.networks.network import (
    Params,
    all_trained,
    fixed_signs,
    frozen_readout,
    init,
    outputs,
)
from theory.networks.training import train

EPS = float(np.finfo(np.float64).eps)
N, D, M, STEPS = 6, 3, 8, 12

NETWORKS = {
    "Z23": all_trained(0.0),
    "K24a": fixed_signs(0.5, scale=0.5),
    "K24b": frozen_readout(0.3),
}
OPTIMIZERS = {
    "plain": {"momentum": 0.0},
    "heavy-ball": {"momentum": 0.8},
    "nesterov": {"momentum": 0.8, "nesterov": True},
}

# A step does about D + M + N roundings of each weight; the errors of STEPS steps add up, and grow
# by no more than a factor of 100 on the way, as learning rates are small.
TOLERANCE = 100 * STEPS * (D + M + N) * EPS


X = np.random.default_rng(0).normal(size=(N, D))
Y = np.array([1.0, -1.0, 1.0, 1.0, -1.0, -1.0])


def start(network, width=M):
    return init(network, jax.random.key(1), width, D)


def fit(network, params, x, y, descent, observe=None):
    return train(network, params, jnp.array(x), jnp.array(y), descent, observe)


# --- an independent loop --------------------------------------------------------------------------

LOSS_AND_DERIVATIVE = {
    "identity": (lambda s: s, lambda s: 1.0 + 0 * s),
    "logistic": (lambda s: np.log1p(np.exp(s)), lambda s: 1 / (1 + np.exp(-s))),
    "exponential": (np.exp, np.exp),
    "squared": (lambda s: (s + 1) ** 2 / 2, lambda s: s + 1),
}


def by_hand(network, params, x, y, descent):
    """Weights after every step, as a list of dicts.

    With `log_loss` by its meaning: the learning rate of every step is divided by the loss then.
    """
    gamma, rate, mu = network.slope, float(descent.learning_rate), float(descent.momentum)
    p = {name: np.array(getattr(params, name)) for name in "wba"}
    velocity = {name: np.zeros_like(v) for name, v in p.items()}
    path = []
    for _ in range(descent.steps):
        h = x @ p["w"].T + p["b"]
        positive = h >= 0
        phi, slope = np.where(positive, h, gamma * h), np.where(positive, 1.0, gamma)
        s = -y * (phi @ p["a"])
        loss, derivative = LOSS_AND_DERIVATIVE[descent.loss]
        by_output = -y * derivative(s) / len(y)
        if descent.log_loss:
            by_output = by_output / np.mean(loss(s))
        by_h = by_output[:, None] * slope * p["a"]
        gradient = {"w": by_h.T @ x, "b": by_h.sum(0), "a": phi.T @ by_output}
        for name in network.trained:
            velocity[name] = mu * velocity[name] + gradient[name]
            step = gradient[name] + mu * velocity[name] if descent.nesterov else velocity[name]
            p[name] = p[name] - rate * step
        path.append(dict(p))
    return path


def weights_and_trace(params):
    return params._asdict()


CASES = [
    *[("K24b", loss, optimizer) for loss in LOSSES for optimizer in OPTIMIZERS],
    *[(name, "logistic", optimizer) for name in ("Z23", "K24a") for optimizer in OPTIMIZERS],
]


@pytest.mark.parametrize(("name", "loss", "optimizer"), CASES)
def test_training_is_the_loop(name, loss, optimizer):
    network, descent = NETWORKS[name], Descent(0.1, STEPS, loss, **OPTIMIZERS[optimizer])
    result = fit(network, start(network), X, Y, descent, weights_and_trace)
    path = by_hand(network, start(network), X, Y, descent)
    for weight in "wba":
        expected = np.array([step[weight] for step in path])
        np.testing.assert_allclose(
            result.trace[weight], expected, rtol=0, atol=TOLERANCE * np.abs(expected).max()
        )
        np.testing.assert_array_equal(getattr(result.params, weight), result.trace[weight][-1])


@pytest.mark.parametrize("loss", ["logistic", "exponential"])
def test_log_loss_divides_the_learning_rate_by_the_loss(loss):
    network, descent = NETWORKS["K24a"], Descent(0.1, STEPS, loss, log_loss=True)
    result = fit(network, start(network), X, Y, descent)
    path = by_hand(network, start(network), X, Y, descent)
    np.testing.assert_allclose(result.params.w, path[-1]["w"], rtol=0, atol=TOLERANCE)
    # Descending the loss itself ends elsewhere, well outside the tolerance: the loss is not 1.
    ordinary = by_hand(network, start(network), X, Y, Descent(0.1, STEPS, loss))
    assert np.abs(path[-1]["w"] - ordinary[-1]["w"]).max() > 1e6 * TOLERANCE


def test_without_observe_there_is_no_trace():
    assert fit(NETWORKS["K24b"], start(NETWORKS["K24b"]), X, Y, Descent(0.1, STEPS)).trace is None


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("name", NETWORKS)
def test_frozen_weights_stay_frozen(name, loss):
    network = NETWORKS[name]
    before = start(network)
    after = fit(network, before, X, Y, Descent(0.1, STEPS, loss, momentum=0.5)).params
    for weight in "wba":
        same = np.array_equal(getattr(before, weight), getattr(after, weight))
        assert same == (weight not in network.trained), weight


# --- losses ---------------------------------------------------------------------------------------

EXACT_LOSSES = {
    "identity": lambda s: s,
    "logistic": lambda s: mpmath.log1p(mpmath.exp(s)),
    "exponential": mpmath.exp,
    "squared": lambda s: (s + 1) ** 2 / 2,
}
# Around −30 and −40 the logistic loss e^s − e^{2s}/2 + … is e^s up to 5e-14 and 2e-18.
ARGUMENTS = [-1000.0, -300.0, -40.5, -39.5, -30.1, -29.9, -3.0, -0.5, 0.0, 0.7, 5.0, 300.0]


def relative_to(exact, value):
    return float(abs((mpmath.mpf(value) - exact) / exact)) if exact else abs(value)


@pytest.mark.parametrize("loss", LOSSES)
def test_losses_and_derivatives(loss):
    """Against 50 digits; e^s with |s| ≤ 300 carries the rounding of s in its argument: |s|ε."""
    with mpmath.workdps(50):
        for s in ARGUMENTS[1:]:
            value = EXACT_LOSSES[loss](mpmath.mpf(s))
            derivative = mpmath.diff(EXACT_LOSSES[loss], mpmath.mpf(s))
            tolerance = 4 * EPS + (abs(s) * EPS if s < 0 else 0)
            if loss == "exponential":
                tolerance = (4 + abs(s)) * EPS
            for exact, function in (
                (value, LOSSES[loss].value),
                (derivative, LOSSES[loss].derivative),
            ):
                assert relative_to(exact, float(function(jnp.array(s)))) <= tolerance, s


@pytest.mark.parametrize("loss", ["logistic", "exponential"])
def test_logarithms_of_losses(loss):
    """To 4 roundings, of at least 1: log ℓ(s) crosses 0."""
    with mpmath.workdps(50):
        for s in ARGUMENTS:
            value = mpmath.log(EXACT_LOSSES[loss](mpmath.mpf(s)))
            derivative = s if loss == "exponential" else -mpmath.log1p(mpmath.exp(-mpmath.mpf(s)))
            for exact, function in (
                (value, LOSSES[loss].log_value),
                (derivative, LOSSES[loss].log_derivative),
            ):
                error = abs(mpmath.mpf(float(known(function)(jnp.array(s)))) - exact)
                assert float(error) <= 4 * EPS * max(1.0, abs(float(exact))), s


@pytest.mark.parametrize("loss", ["logistic", "exponential"])
def test_log_loss_where_the_loss_underflows(loss):
    """At s = −1000, where ℓ = e^s up to e^{−2000} for both losses: ℓ'_k/L = n·softmax(s)."""
    s = np.array([-1000.0, -1001.0, -1003.0])
    weights = loss_weights(Descent(0.1, 1, loss, log_loss=True), jnp.array(s))
    expected = 3 * np.exp(s + 1000) / np.sum(np.exp(s + 1000))
    np.testing.assert_allclose(weights, expected, rtol=1000 * 4 * EPS)  # s itself rounds: 1000ε
    assert (loss_weights(Descent(0.1, 1, loss), jnp.array(s)) == 0).all()  # what it avoids

    network = NETWORKS["K24b"]
    params = start(network)
    f = outputs(params, jnp.array(X), network.slope)
    params = params._replace(a=params.a * 1000 / np.abs(f).min())
    result = fit(network, params, X, np.sign(f), Descent(1e-9, STEPS, loss, log_loss=True))
    assert np.isfinite(result.params.w).all()
    assert (result.params.w != params.w).any()
    # In every step the n·softmax(s) add up to n; e^s rounds like s, so relative to max|s|.
    rounding = 4 * EPS * 1000 * np.abs(f).max() / np.abs(f).min()
    np.testing.assert_allclose(np.sum(result.weights), N * 1e-9 * STEPS, rtol=rounding)


# --- training time and weights --------------------------------------------------------------------

momenta = st.one_of(st.just(0.0), st.floats(0.0, 0.999))


@given(st.floats(1e-3, 1e3), st.integers(1, 500), momenta, st.booleans())
def test_training_time_is_its_sum(rate, steps, momentum, nesterov):
    """T = η Σ_j (1 + μ + … + μ^{j−1}), one term more with Nesterov's momentum."""
    terms = np.cumsum(momentum ** np.arange(steps + 1.0))
    expected = rate * np.sum(terms[1:] if nesterov else terms[:-1])
    # The closed form subtracts sums that are up to 1/(1 − μ) times greater than their difference.
    cancellation = 1 / (1 - momentum) ** 2
    actual = training_time(rate, steps, momentum, nesterov)
    assert actual == pytest.approx(expected, rel=10 * EPS * (steps + cancellation))
    assert actual == Descent(rate, steps, momentum=momentum, nesterov=nesterov).time


@pytest.mark.parametrize("nesterov", [False, True])
@pytest.mark.parametrize("momentum", [0.0, 0.3, 0.9, 0.99, 0.999])
def test_training_time_in_single_precision(momentum, nesterov):
    """Traced, within 1e-6 of the exact sum for the same float32 learning rate and momentum."""
    rate, momentum = np.float32(0.1), np.float32(momentum)
    steps = np.unique(np.concatenate([np.arange(1, 40), np.geomspace(40, 1000, 30).astype(int)]))
    found = jax.jit(jax.vmap(training_time, (None, 0, None, None)), static_argnums=3)(
        jnp.asarray(rate), jnp.asarray(steps, jnp.float32), jnp.asarray(momentum), nesterov
    )
    assert found.dtype == jnp.float32
    terms = np.cumsum(float(momentum) ** np.arange(1002.0))  # exact to 1e-13: all are positive
    sums = np.cumsum(terms[1:] if nesterov else terms)
    np.testing.assert_allclose(found, float(rate) * sums[steps - 1], rtol=1e-6)


@given(st.floats(1e-3, 1e3), st.integers(1, 500), momenta, st.booleans())
def test_descent_for_time(time, steps, momentum, nesterov):
    descent = descent_for_time(time, steps, momentum, nesterov=nesterov, loss="logistic")
    assert descent.time == pytest.approx(time, rel=4 * EPS)
    assert (descent.steps, descent.momentum, descent.nesterov, descent.loss) == (
        steps,
        momentum,
        nesterov,
        "logistic",
    )


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_weights_under_the_identity_loss_are_the_training_time(optimizer):
    network, descent = NETWORKS["K24b"], Descent(0.1, STEPS, **OPTIMIZERS[optimizer])
    weights = fit(network, start(network), X, Y, descent).weights
    np.testing.assert_allclose(weights, descent.time, rtol=4 * STEPS * EPS)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("loss", ["logistic", "squared"])
def test_weights_rebuild_the_solution_while_no_neuron_switches(loss, optimizer):
    """w(K) = w(0) + (1/n) Σ_k y_kα_k ∂f(x_k)/∂w, as the gradient of f is constant then."""
    network = NETWORKS["K24b"]
    # Far from every kink, and readouts that add up to 0 on either side of it, so that f is small.
    before = start(network)._replace(b=jnp.tile(jnp.array([20.0, -20.0]), M // 2))
    before = before._replace(a=jnp.concatenate([before.a[: M // 2], -before.a[: M // 2]]))
    result = fit(network, before, X, Y, Descent(0.02, STEPS, loss, **OPTIMIZERS[optimizer]))
    slopes = np.where(np.arange(M) % 2 == 0, 1.0, network.slope)
    for params in (before, result.params):
        h = X @ np.asarray(params.w).T + np.asarray(params.b)
        np.testing.assert_array_equal(np.where(h >= 0, 1.0, network.slope), [slopes] * N)
    pull = np.asarray(result.weights) * Y / N
    w = np.asarray(before.w) + np.outer(slopes * before.a, pull @ X)
    b = np.asarray(before.b) + slopes * np.asarray(before.a) * np.sum(pull)
    np.testing.assert_allclose(result.params.w, w, rtol=0, atol=TOLERANCE)
    np.testing.assert_allclose(result.params.b, b, rtol=0, atol=20 * TOLERANCE)  # b = ±20
    assert np.ptp(result.weights) > 0.01 * np.max(np.abs(result.weights))  # not all T


def test_neurons_are_independent_under_the_identity_loss_alone():
    network, subset = NETWORKS["K24b"], np.array([1, 4, 6])
    params = start(network)
    some = Params(*(p[subset] for p in params))
    for loss, independent in (("identity", True), ("logistic", False)):
        descent = Descent(0.5, STEPS, loss, momentum=0.8)
        together = fit(network, params, X, Y, descent, weights_and_trace).trace
        alone = fit(network, some, X, Y, descent, weights_and_trace).trace
        difference = np.abs(together["w"][:, subset] - alone["w"]).max()
        assert (difference <= TOLERANCE) == independent, loss


# --- bad input ------------------------------------------------------------------------------------

NOT_FINITE = X.copy()
NOT_FINITE[1, 2] = math.nan

BAD_DATA = [
    (NOT_FINITE, Y, "x must be finite, got 1 NaN or infinite of 18 entries"),
    (X * math.inf, Y, "x must be finite, got 18 NaN or infinite"),
    (X[0], Y, r"x must be a matrix \(points, dimensions\) ≥ 1 × 1, got shape \(3,\)"),
    (X[:0], Y[:0], "x must be a matrix"),
    (X[:, :2], Y, r"x must have 3 columns, got shape \(6, 2\)"),
    (X, (Y + 1) / 2, r"y must be −1 or \+1, got values \{0, 1\}; use 2\*y − 1"),
    (X, 2 * Y, r"y must be −1 or \+1, got values \{-2, 2\}"),
    (X, Y * math.nan, r"y must be −1 or \+1"),
    (X, Y[:4], r"y must have shape \(6,\), one label per point, got \(4,\)"),
    (X, Y[:, None], r"y must have shape \(6,\)"),
]


@pytest.mark.parametrize(("x", "y", "message"), BAD_DATA)
def test_bad_data(x, y, message):
    network = NETWORKS["K24b"]
    plain = inspect.unwrap(train)  # without the type checks of conftest.py, which come first
    with pytest.raises(ValueError, match=message):
        plain(network, start(network), jnp.array(x), jnp.array(y), Descent(0.1, STEPS))


@pytest.mark.parametrize(
    ("space", "loss"),
    [("weights", "squared"), ("pre-activations", "logistic"), ("flips", "identity")],
)
def test_traced_numbers_of_steps_are_the_same_descent(space, loss):
    """One compilation for every η, K and μ, and γ of the network; the trajectory is the same."""
    before = start(frozen_readout(0.3))

    @jax.jit
    def fit_traced(slope, rate, steps, momentum):
        descent = Descent(rate, steps, loss, momentum, nesterov=True)
        assert jax.tree.leaves(descent) == [rate, momentum, steps]
        return train(
            frozen_readout(slope), before, jnp.array(X), jnp.array(Y), descent, space=space
        )

    for slope, rate, steps, momentum in [
        (0.3, 0.1, 12, 0.8),
        (0.0, 0.4, 1, 0.0),
        (0.9, 0.2, 5, 0.5),
    ]:
        descent = Descent(rate, steps, loss, momentum, nesterov=True)
        expected = fit(frozen_readout(slope), before, X, Y, descent)
        found = fit_traced(slope, rate, steps, momentum)
        for one, other in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
            np.testing.assert_allclose(one, other, rtol=TOLERANCE, atol=TOLERANCE)
    assert compilations(fit_traced) == 1


def test_what_is_a_leaf_of_a_descent_stays_one():
    for descent, leaves in [(Descent(0.1, 3), 2), (Descent(0.1, np.int64(3)), 2)]:
        assert len(jax.tree.leaves(descent)) == leaves
    traced = []
    jax.eval_shape(lambda k: traced.append(jax.tree.structure(Descent(0.1, k))) or k, 3)
    placed = jax.tree.unflatten(traced[0], [0.1, 0.0, 7])
    assert jax.tree.structure(placed) == traced[0]
    assert (placed.learning_rate, placed.momentum, placed.steps) == (0.1, 0.0, 7)


BAD_DESCENTS = [
    ({"steps": 0}, "steps must be an integer ≥ 1, got 0"),
    ({"steps": -3}, "steps must be an integer ≥ 1, got -3"),
    ({"momentum": 1}, r"momentum must be a finite number in \[0, 1\), got 1"),
    ({"momentum": -0.1}, "momentum must be"),
    ({"momentum": math.nan}, "momentum must be"),
    ({"learning_rate": 0}, r"learning_rate must be a finite number in \(0, inf\), got 0"),
    ({"learning_rate": -1.0}, "learning_rate must be"),
    ({"learning_rate": math.inf}, "learning_rate must be"),
    (
        {"loss": "hinge"},
        "loss must be one of exponential, identity, logistic, squared",
    ),
    ({"log_loss": True}, "loss must be logistic or exponential with log_loss, got 'identity'"),
    ({"log_loss": True, "loss": "squared"}, "loss must be logistic or exponential"),
]


@pytest.mark.parametrize(("arguments", "message"), BAD_DESCENTS)
def test_bad_descents(arguments, message):
    with pytest.raises(ValueError, match=message):
        Descent(**{"learning_rate": 0.1, "steps": STEPS, **arguments})


def test_the_learning_rate_of_the_readout():
    """At the factor s the readout moves as √s·ã does, where ã starts at a/√s and learns at 1."""
    network, scale = NETWORKS["Z23"], 0.25
    params = start(network)
    descent = Descent(0.1, 1, "squared")
    whole = fit(network, params, X, Y, descent).params
    part = train(network, params, jnp.array(X), jnp.array(Y), descent, None, scale).params
    np.testing.assert_array_equal(part.w, whole.w)  # one step: the same gradients
    np.testing.assert_allclose(part.a - params.a, scale * (whole.a - params.a), atol=4 * EPS)
    assert not np.allclose(whole.a, params.a)


def test_training_with_a_smooth_activation():
    """One step from f = Σ a_i erf(h_i), the gradient by differences."""
    network = frozen_readout(activation="erf")
    params, rate, change = start(network), 0.1, 1e-5
    moved = fit(network, params, X, Y, Descent(rate, 1, "squared")).params

    def loss(b):
        h = X @ np.asarray(params.w).T + b
        f = np.vectorize(math.erf)(h) @ np.asarray(params.a)
        return np.mean((f - Y) ** 2) / 2

    b = np.asarray(params.b)
    gradient = [(loss(b + e) - loss(b - e)) / (2 * change) for e in change * np.eye(M)]
    # Central differences are off by change² and by rounding/change: 1e-10 each.
    np.testing.assert_allclose((b - moved.b) / rate, gradient, rtol=0, atol=1e-8)
