"""Learning from perturbations: predictions against trained pairs of networks."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from untyped import compilations

from theory.infinite_width import lazy
from theory.perturbations import learning
from theory.perturbations.learning import PerturbationSetting, Quantities, measure
from theory.perturbations.prediction import predict, predict_in_full


def compare(setting: PerturbationSetting, draws: int) -> tuple[Quantities, Quantities, Quantities]:
    """Mean prediction, mean measurement, and the standard error of the measurement."""
    keys = [jax.random.fold_in(jax.random.key(0), i) for i in range(draws)]
    predicted = np.array([predict(key, setting) for key in keys])
    trained = np.array([measure(key, setting) for key in keys])
    return (
        Quantities(*predicted.mean(axis=0)),
        Quantities(*trained.mean(axis=0)),
        Quantities(*(trained.std(axis=0, ddof=1) / draws**0.5)),
    )


LEARNABLE = PerturbationSetting(
    data="separated-gaussian", n=60, d=10, m=2000, slope=0.5, epsilon=4.0, queries=50,
    lr_f=0.4, lr_g=0.4, momentum=0.5, steps_f=5, steps_g=5,
)  # fmt: skip


@pytest.mark.parametrize(("loss", "scenario"), [("identity", "a"), ("logistic", "b")])
def test_predictions_match_trained_networks_of_moderate_width(loss, scenario):
    setting = dataclasses.replace(LEARNABLE, loss=loss, scenario=scenario)
    predicted, trained, error = compare(setting, 8)
    assert predicted.accuracy_f > 0.9  # a setting in which there is something to learn
    # Differences beyond the trained networks' 5 standard errors (false-alarm rate below 1e-2 by
    # Student's t with 7 degrees of freedom, on fixed seeds) must be of the order T/√m = 0.08.
    for name in Quantities._fields:
        difference = abs(getattr(predicted, name) - getattr(trained, name))
        assert difference < 5 * getattr(error, name) + 0.08, name


def test_shuffled_labels_leave_nothing_to_learn():
    """Labels independent of the points: both networks are at chance on the test points."""
    setting = dataclasses.replace(LEARNABLE, data="gaussian", epsilon=1.0)
    keys = jax.random.split(jax.random.key(2), 16)
    accuracies = np.array([measure(key, setting).accuracy_f for key in keys])
    # 16 × 50 fair coins: standard deviation 0.018; the false-alarm rate of 5 of them is 6e-7.
    assert abs(accuracies.mean() - 0.5) < 5 * 0.5 / (16 * 50) ** 0.5


def test_agreement_of_identical_signs_is_one_and_accuracies_are_shares():
    setting = dataclasses.replace(LEARNABLE, steps_f=40, steps_g=40)
    result = measure(jax.random.key(0), setting)
    assert float(result.agreement) == 1.0
    assert float(result.accuracy_f) == float(result.accuracy_g)
    assert float(result.accuracy_f) * setting.queries == pytest.approx(
        round(float(result.accuracy_f) * setting.queries)
    )


def test_the_cosine_grows_with_time_as_the_law_says():
    cosines = [
        float(predict(jax.random.key(0), dataclasses.replace(LEARNABLE, steps_f=k)).cosine)
        for k in (1, 25)
    ]
    assert cosines == sorted(cosines)
    assert cosines[-1] > 0.95


@pytest.mark.slow
def test_published_setting_cosine_within_a_twentieth():
    """d = 100, n = 1000, m = 100, shifted Gaussian, T ≥ 0.5: mean over 20 draws within 0.05."""
    gaps = []
    for steps in range(3, 11):  # T = 0.56 … 4.14
        setting = PerturbationSetting(steps_f=steps, steps_g=1)
        assert float(setting.descent("f").time) >= 0.5
        predicted, trained, _ = compare(setting, 20)
        gaps.append(abs(predicted.cosine - trained.cosine))
    assert max(gaps) < 0.05


@pytest.mark.slow
def test_the_gap_closes_as_the_width_grows():
    """The shortfall of the cosine against the law at T = 4.1 shrinks from m = 25 to m = 1600."""
    gaps = []
    for m in (25, 200, 1600):
        setting = PerturbationSetting(n=300, m=m, steps_f=10, steps_g=1)
        predicted, trained, error = compare(setting, 20)
        gaps.append(predicted.cosine - trained.cosine)
        assert error.cosine < 0.01
    assert gaps[0] > gaps[1] > gaps[2] > -0.01
    assert gaps[2] < gaps[0] / 4


@pytest.mark.parametrize(("loss", "scenario"), [("identity", "a"), ("logistic", "b")])
def test_one_compilation_serves_every_value(loss, scenario):
    """Five values of each, and as many results: values are neither constants nor ignored."""
    key, compiled = jax.random.key(0), (predict, learning.measure_in)
    setting = dataclasses.replace(
        LEARNABLE, loss=loss, scenario=scenario, epsilon=0.5, lr_f=0.1, lr_g=0.1
    )
    for function in (predict, measure):
        function(key, setting)
    sizes = [compilations(function) for function in compiled]
    for name, values in {
        "epsilon": (0.5, 1.0, 2.0, 3.0, 4.0),
        "slope": (0.0, 0.1, 0.3, 0.5, 0.9),
        "lr_f": (0.05, 0.1, 0.2, 0.4, 0.8),
        "lr_g": (0.05, 0.1, 0.2, 0.4, 0.8),
        "momentum": (0.0, 0.1, 0.5, 0.7, 0.9),
        "steps_f": (1, 2, 3, 5, 9),
        "steps_g": (1, 2, 3, 5, 9),
    }.items():
        found = set()
        for value in values:
            changed = dataclasses.replace(setting, **{name: value})
            found.add((*map(float, predict(key, changed)), *map(float, measure(key, changed))))
        assert len(found) == 5, name
    assert [compilations(function) for function in compiled] == sizes


@pytest.mark.slow
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"loss": "logistic"},
        {"d": 300, "n": 20, "queries": 10},
    ],
    ids=str,
)
def test_keys_may_be_vmapped_over(changes):
    setting = dataclasses.replace(LEARNABLE, **changes)
    assert setting.reduced == ("d" in changes)
    keys = jax.random.split(jax.random.key(5), 3)
    for function in (predict, measure):
        found = jax.jit(jax.vmap(function, (0, None)))(keys, setting)
        expected = [function(key, setting) for key in keys]
        np.testing.assert_allclose(np.array(found).T, expected, rtol=1e-9)


def test_cosine_is_of_unit_vectors():
    result = measure(jax.random.key(1), LEARNABLE)
    assert bool(jnp.abs(result.cosine) <= 1)


@pytest.mark.slow
@pytest.mark.parametrize("loss", ["identity", "logistic"])
def test_g_agrees_with_an_f_that_has_learned_nothing(loss):
    """∇f(x; 0) is correlated with f(z; 0): perturbations of a random f carry its own signs.

    Means of 200 runs within 4 standard errors (false alarm 6e-5), one of which is 0.015.
    """
    setting = PerturbationSetting(
        data="gaussian", n=20, d=5, m=300, queries=10, epsilon=3.0, loss=loss, momentum=0.0,
        lr_f=1e-3, steps_f=1, lr_g=2.0, steps_g=2,
    )  # fmt: skip
    keys = jax.random.split(jax.random.key(3), 200)
    predicted = np.asarray(jax.vmap(lambda key: predict(key, setting).agreement)(keys))
    trained = np.asarray(jax.vmap(lambda key: measure(key, setting).agreement)(keys))
    difference = trained - predicted
    assert abs(difference.mean()) < 4 * difference.std() / len(keys) ** 0.5
    assert predicted.mean() > 0.6


@pytest.mark.slow
def test_the_spread_is_that_of_single_draws():
    """At T_g ≈ 10 of the published setting a draw is off by the initial output of g, and no more.

    Standard deviation of trained − predicted over 48 draws, within 40 % of the spread: its own
    relative error is 1/√(2·47) = 0.1 and that of each spread 1/√(2·63). The mean within 4 of its
    standard errors.
    """
    setting = PerturbationSetting(n=200, d=50, lr_f=0.1, steps_f=100, lr_g=1.0, steps_g=4)
    keys = jax.random.split(jax.random.key(4), 48)
    predicted = [predict_in_full(key, setting) for key in keys]
    trained = [measure(key, setting) for key in keys]
    for name in ("accuracy_g", "agreement"):
        found = np.array([getattr(p.quantities, name) for p in predicted])
        difference = np.array([getattr(t, name) for t in trained]) - found
        spread = np.mean([float(getattr(p.spread, name)) ** 2 for p in predicted]) ** 0.5
        assert 0.05 < spread < 0.2
        assert 0.6 < difference.std(ddof=1) / spread < 1.4, name
        assert abs(difference.mean()) < 4 * difference.std(ddof=1) / 48**0.5, name
    assert not any(bool(part) for part in predicted[0].in_range)


def test_no_perturbation():
    """ε = 0 in scenario a: g is g(z; 0) plus T_g times the mean label times Φ(0, z)."""
    setting = dataclasses.replace(LEARNABLE, epsilon=0.0, lr_g=50.0, steps_g=50)
    for i in range(3):
        key = jax.random.key(i)
        draw = learning.draw_run(key, setting)
        share = float(jnp.mean(draw.sample.z_label == jnp.sign(jnp.sum(draw.target))))
        if int(jnp.sum(draw.target)) != 0:
            assert float(measure(key, setting).accuracy_g) == pytest.approx(share, abs=1e-6)
            assert float(predict(key, setting).accuracy_g) == pytest.approx(share, abs=0.02)


@pytest.mark.parametrize("scenario", [pytest.param("a", marks=pytest.mark.slow), "b"])
def test_accuracy_on_training_points(scenario):
    """Labels independent of the points are learned on them and nowhere else."""
    setting = dataclasses.replace(
        LEARNABLE, data="gaussian", scenario=scenario, d=40, steps_f=40, epsilon=1.0
    )
    on_training = dataclasses.replace(setting, measure_on="training")
    for function in (predict, measure):
        found = [
            np.mean([function(jax.random.key(i), s).accuracy_f for i in range(4)])
            for s in (setting, on_training)
        ]
        assert found[0] < 0.65  # 200 points: 4 standard deviations above ½
        assert found[1] > 0.66  # 240 points: 5 standard deviations above ½
    key = jax.random.key(0)
    assert float(measure(key, setting).agreement) == float(measure(key, on_training).agreement)


def test_absolute_cosine_is_that_of_an_isotropic_noise():
    """E|cos(v + ξ, v)| by 20000 draws in d = 60: 5 standard errors, and half of 1/d for bias."""
    d, slope = 60, 0.5
    rng = np.random.default_rng(1)
    noise = rng.normal(size=(20000, d)) * ((1 + slope**2) / 2 / d) ** 0.5
    for norm in (0.0, 0.05, 0.3, 2.0):
        v = np.eye(d)[0] * norm
        total = v + noise
        cosine = np.abs(total[:, 0]) / np.linalg.norm(total, axis=1)
        (expected,) = lazy.absolute_cosine_law(jnp.asarray(v)[None, :], slope)
        assert abs(cosine.mean() - float(expected)) < 5 / (20000 * d) ** 0.5 + 1 / (2 * d)
    assert float(lazy.absolute_cosine_law(jnp.zeros((1, d)), slope)[0]) == pytest.approx(
        (2 / (np.pi * d)) ** 0.5
    )
