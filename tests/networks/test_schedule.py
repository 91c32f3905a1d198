"""The learning rate that is reduced on a plateau: its rule, every space, its T, and refusals."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from theory.infinite_width import function_space
from theory.infinite_width.gaussian import limit
from theory.infinite_width.kernels import hidden_ntk
from theory.networks import blocks
from theory.networks.descent import Descent, scaled_until_plateau, training_time
from theory.networks.network import frozen_readout, init, outputs, pre_activations
from theory.networks.training import train
from theory.perturbations.learning import PerturbationSetting, measure
from theory.perturbations.prediction import predict_in_full

NETWORK = frozen_readout(0.2)
N, D, M = 12, 3, 40


def problem(key=0):
    """Two points have both labels: no loss gets to 0, so that every one ends on a plateau."""
    key_x, key_y, key_w = jax.random.split(jax.random.key(key), 3)
    x = jax.random.normal(key_x, (N, D))
    y = jax.random.rademacher(key_y, (N,), float)
    x, y = x.at[:2].set(x[-2:]), y.at[:2].set(-y[-2:])
    return x, y, init(NETWORK, key_w, M, D)


def rates(losses, rate=1.0):
    """The rate at each step whose loss is given."""
    optimizer = scaled_until_plateau(rate)
    state, found = optimizer.init(jnp.zeros(())), []
    for value in losses:
        update, state = optimizer.update(jnp.ones(()), state, value=jnp.asarray(value))
        found.append(-float(jnp.asarray(update)))
    return found


@pytest.mark.parametrize(
    ("losses", "changes"),
    [
        # The first loss is the best; eleven steps that are no better, then a tenth for the next.
        ([1.0] * 24, {12: 0.1, 23: 0.01}),
        # One ten-thousandth less is not lower, a little more than that is.
        ([1.0] + [0.9999] * 12, {12: 0.1}),
        ([1.0] * 6 + [0.9998] * 13, {18: 0.1}),
        # Ten steps without improvement are borne, and counting begins anew.
        (([1.0] + [1.5] * 10 + [0.9] + [1.5] * 10), {}),
        # Below zero what is asked for is more than best: a falling loss improves by any amount.
        (list(-1 - 1e-9 * np.arange(40)), {}),
    ],
    ids=["constant", "threshold", "just below", "patience", "negative"],
)
def test_the_rate_follows_the_losses(losses, changes):
    expected, now = [], 1.0
    for step in range(len(losses)):
        now = changes.get(step, now)
        expected.append(now)
    np.testing.assert_allclose(rates(losses), expected, rtol=1e-12)


def test_the_rate_stays_where_a_reduction_is_below_1e_8():
    """10⁻⁷, 10⁻⁸, and no further: 10⁻⁸ − 10⁻⁹ ≤ 10⁻⁸."""
    found = rates([1.0] * 60, rate=1e-7)
    assert found[-1] == pytest.approx(1e-8)
    assert found[30] == pytest.approx(1e-8)


def by_hand(x, y, params, rate, momentum, steps):
    """Logistic loss, hidden weights and biases, in NumPy; also α and T."""
    x, y = np.asarray(x), np.asarray(y)
    w, b, a = (np.array(part) for part in params)
    velocity = [np.zeros_like(part) for part in (w, b, np.zeros(N), np.zeros(()))]
    alpha, time, best, bad, seen = np.zeros(N), 0.0, np.inf, 0, []
    for _ in range(steps):
        h = x @ w.T + b
        f = np.where(h >= 0, h, 0.2 * h) @ a
        pull = 1 / (1 + np.exp(y * f))
        active = np.where(h >= 0, 1, 0.2) * a * (y * pull / N)[:, None]
        gradients = (-active.T @ x, -active.sum(axis=0), -pull, -1.0)
        velocity = [momentum * v + g for v, g in zip(velocity, gradients, strict=True)]
        w, b, alpha, time = (
            part - rate * v for part, v in zip((w, b, alpha, time), velocity, strict=True)
        )
        loss = np.log1p(np.exp(-y * f)).mean()
        seen.append(rate)
        if loss < best * (1 - 1e-4):
            best, bad = loss, 0
        else:
            bad += 1
        if bad > 10:
            rate, bad = rate / 10, 0
    return w, b, alpha, time, seen


@pytest.mark.parametrize("space", ["weights", "pre-activations"])
def test_training_is_the_loop_with_its_rates(space):
    x, y, params = problem()
    rate, momentum, steps = 128.0, 0.9, 150
    w, b, alpha, time, seen = by_hand(x, y, params, rate, momentum, steps)
    assert len(set(seen)) >= 2  # the rate is reduced at all
    descent = Descent(rate, steps, "logistic", momentum, schedule="plateau")
    found = train(NETWORK, params, x, y, descent, space=space)
    for value, expected in (
        (found.params.w, w), (found.params.b, b), (found.weights, alpha), (found.time, time),
    ):  # fmt: skip
        np.testing.assert_allclose(value, expected, rtol=1e-6, atol=1e-9)
    assert float(found.time) < 0.9 * training_time(rate, steps, momentum)


def test_the_limit_takes_the_rates_of_its_own_loss():
    """Function-space descent of a kernel is training of the linear model with that kernel."""
    x, y, _ = problem(1)
    kernel = hidden_ntk(x, x, 0.2)
    descent = Descent(32.0, 200, "logistic", 0.9, schedule="plateau")
    weights, time = function_space.function_space_weights(kernel, y, descent)
    k, alpha, velocity, t, pace = np.asarray(kernel), np.zeros(N), np.zeros(N), 0.0, 0.0
    rate, best, bad = 32.0, np.inf, 0
    for _ in range(200):
        s = -np.asarray(y) * (k @ (np.asarray(y) * alpha)) / N
        velocity, pace = 0.9 * velocity + 1 / (1 + np.exp(-s)), 0.9 * pace + 1
        alpha, t = alpha + rate * velocity, t + rate * pace
        loss = np.log1p(np.exp(s)).mean()
        best, bad = (loss, 0) if loss < best * (1 - 1e-4) else (best, bad + 1)
        if bad > 10:
            rate, bad = rate / 10, 0
    np.testing.assert_allclose(weights, alpha, rtol=1e-8)
    assert float(time) == pytest.approx(t, rel=1e-10)
    assert rate < 32.0  # it was reduced
    path = function_space.function_space_descent(kernel, kernel, y, descent)
    np.testing.assert_allclose(path.weights, weights, rtol=1e-10)


@pytest.mark.parametrize("rate", [0.01, 1.0])
def test_harmless_under_the_identity_loss(rate):
    """The loss falls below zero, whence any decrease counts: T is that of the constant rate."""
    for key in range(5):
        x, y, params = problem(key)
        descent = Descent(rate, 300, "identity", 0.9, schedule="plateau")
        found = train(NETWORK, params, x, y, descent)
        assert float(found.time) == pytest.approx(training_time(rate, 300, 0.9), rel=1e-10)
        constant = train(NETWORK, params, x, y, dataclasses.replace(descent, schedule="constant"))
        np.testing.assert_allclose(found.params.w, constant.params.w, rtol=1e-8)


def test_not_harmless_where_a_positive_loss_hardly_falls():
    """Where −yf(0) is positive in the mean, steps too small to lower it by 10⁻⁴ count as none."""
    x, y, params = problem(0)
    y = jnp.where(outputs(params, x, 0.2) >= 0, -1.0, 1.0)
    descent = Descent(1e-7, 50, "identity", schedule="plateau")
    assert float(train(NETWORK, params, x, y, descent).time) < 0.5 * training_time(1e-7, 50)


def test_refusals():
    x, y, _ = problem()
    descent = Descent(0.1, 5, "identity", schedule="plateau")
    with pytest.raises(ValueError, match="schedule must be constant for blocks"):
        blocks.sum_over_blocks(NETWORK, jax.random.key(0), M, x, y, descent, lambda *_: 0)
    with pytest.raises(ValueError, match="schedule must be constant for T"):
        _ = descent.time
    with pytest.raises(ValueError, match="schedule must be constant with log_loss"):
        Descent(0.1, 5, "logistic", log_loss=True, schedule="plateau")
    with pytest.raises(ValueError, match="schedule must be one of constant, plateau"):
        Descent(0.1, 5, schedule="cosine")


def test_time_is_known_in_every_space_at_a_constant_rate():
    x, y, params = problem()
    descent = Descent(0.3, 7, "identity", 0.5)
    for space in ("weights", "pre-activations", "flips"):
        found = train(NETWORK, params, x, y, descent, space=space)
        assert float(found.time) == pytest.approx(descent.time, rel=1e-12)
    found = limit(params, x, y, x, 0.2, descent)
    assert float(found.time) == pytest.approx(descent.time, rel=1e-12)
    assert pre_activations(params, x).shape == (N, M)


@pytest.mark.slow
def test_published_training_accuracy_falls_with_the_plateau():
    """d = 20, learning rate 1, logistic loss: f's training accuracy is about .99, then about .94.

    Over 10 draws whose standard deviation is below .05 the mean has a standard error below .016;
    .02 and .04 are allowed. T falls from 9910 to a few hundred in most draws, and stays what it was
    in a few, so the prediction has to know it.
    """
    setting = PerturbationSetting(
        d=20, loss="logistic", lr_f=1.0, steps_g=1, measure_on="training", queries=1
    )
    keys = [jax.random.fold_in(jax.random.key(0), i) for i in range(10)]
    means, times = {}, {}
    for schedule in ("constant", "plateau"):
        changed = dataclasses.replace(setting, schedule=schedule)
        means[schedule] = np.mean([measure(key, changed).accuracy_f for key in keys])
        predicted = [predict_in_full(key, changed) for key in keys[:4]]
        times[schedule] = np.mean([float(p.time_f) for p in predicted])
        gap = means[schedule] - np.mean([p.quantities.accuracy_f for p in predicted])
        assert abs(gap) < 0.06, schedule
    assert means["constant"] == pytest.approx(0.99, abs=0.02)
    assert means["plateau"] == pytest.approx(0.94, abs=0.04)
    assert times["constant"] == pytest.approx(training_time(1.0, 1000, 0.9))
    assert times["plateau"] < 0.5 * times["constant"]
