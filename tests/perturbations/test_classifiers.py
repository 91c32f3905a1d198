"""Softmax classifiers and linear probes, against the binary case, autodiff and another solver."""

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import optimize, special
from untyped import compilations

from theory.data.sampling import Dataset, draw_classes
from theory.networks.network import Params
from theory.perturbations import attacks, classifiers

N, D, M, C = 24, 6, 16, 3


def setting(seed=0, classes=C):
    keys = jax.random.split(jax.random.key(seed), 3)
    classifier = classifiers.init_classifier(keys[0], M, D, classes)
    x = jax.random.normal(keys[1], (N, D))
    return classifier, x, jax.random.randint(keys[2], (N,), 0, classes)


def attack(**changes):
    fields = {"steps": 0, "epsilon": 0.2, "sup_norm": 0, "targeted": 0, "temperature": 1.0}
    fields |= changes
    return classifiers.Attack(**{k: jnp.asarray(v) for k, v in fields.items()})


def test_two_classes_are_the_binary_network():
    """Two logits whose difference is f: the same noise as −log s(y f) has."""
    classifier, x, labels = setting(classes=2)
    binary = Params(classifier.w, jnp.zeros(M), classifier.a[1] - classifier.a[0])
    expected = attacks.gradient_noise(binary, x, jnp.where(labels == 1, 1.0, -1.0), 0.0)
    np.testing.assert_allclose(
        classifiers.noises(classifier, x, labels, attack()), expected, atol=1e-13
    )


def test_cross_entropy_keeps_its_gradient_in_float32_however_sure_the_network_is():
    """∂/∂values_c = p_c − 1{c = label}; the label's is −Σ_{c ≠ label} p_c, here about −2e⁻⁴⁰."""
    values = jnp.array([[40.0, 0.0, 0.0], [1.0, -0.5, 0.3]], jnp.float32)
    labels = jnp.array([0, 2])
    expected = special.softmax(np.asarray(values, np.float64), axis=1)
    others = np.where(np.arange(3) == np.asarray(labels)[:, None], 0, expected)
    expected = others - np.where(others == 0, others.sum(axis=1, keepdims=True), 0)
    found = jax.grad(lambda v: classifiers.cross_entropy(v, labels).sum())(values)
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    np.testing.assert_allclose(
        classifiers.cross_entropy(values, labels)[1],
        -special.log_softmax(np.asarray(values, np.float64), axis=1)[1, 2],
        rtol=1e-6,
    )


def test_projected_steps_have_the_size_that_is_asked_for_or_a_fifth_of_the_ball():
    classifier, x, labels = setting()
    for changes, size in (({}, 0.3 / 5), ({"step_size": 0.01}, 0.01), ({"step_size": 0.2}, 0.3)):
        how = attack(steps=2, epsilon=0.3, sup_norm=1, **changes)
        r = classifiers.noises(classifier, x, labels, how)
        assert jnp.abs(r).max() == pytest.approx(min(2 * size, 0.3))


def test_noises_of_any_function_are_crafted_as_those_of_the_network():
    classifier, x, labels = setting()
    how = attack(steps=2, targeted=1)
    shifted = classifiers.craft(
        lambda z: classifiers.logits(classifier, z) + 5.0, x, labels, how
    )  # a constant added to all logits changes nothing
    np.testing.assert_allclose(shifted, classifiers.noises(classifier, x, labels, how), atol=1e-12)


@pytest.mark.parametrize("sup_norm", [0, 1])
@pytest.mark.parametrize("targeted", [0, 1])
@pytest.mark.parametrize("temperature", [1.0, 10.0])
def test_projected_noises_do_what_they_are_for(sup_norm, targeted, temperature):
    classifier, x, labels = setting()
    how = attack(steps=10, sup_norm=sup_norm, targeted=targeted, temperature=temperature)
    r = classifiers.noises(classifier, x, labels, how)
    size = jnp.linalg.norm(r, jnp.inf if sup_norm else 2, axis=1)
    assert (size <= 0.2 * (1 + 1e-12)).all()
    assert (size > 0.1).all()
    aim = (labels + targeted) % C

    def loss(points):
        return classifiers.cross_entropy(classifiers.logits(classifier, points) / temperature, aim)

    change = loss(x + r) - loss(x)
    assert ((change < 0) if targeted else (change > 0)).all()


def test_one_program_makes_every_kind_of_noise():
    classifier, x, labels = setting()
    compiled = jax.jit(lambda how: classifiers.noises(classifier, x, labels, how))
    for how in (attack(), attack(steps=7, sup_norm=1), attack(steps=3, targeted=1)):
        np.testing.assert_allclose(
            compiled(how), classifiers.noises(classifier, x, labels, how), atol=1e-12
        )
    assert compilations(compiled) == 1


def test_training_descends_and_adversarial_training_resists():
    classifier, x, labels = setting()
    how = attack(steps=10, epsilon=1.0)

    def robust_loss(weights):
        r = classifiers.noises(weights, x, labels, how)
        return classifiers.cross_entropy(classifiers.logits(weights, x + r), labels).mean()

    plain, robust = (
        classifiers.train_classifier(
            classifier, x, labels, learning_rate=0.05, steps=200, epsilon=epsilon
        )
        for epsilon in (0.0, 1.0)
    )
    clean = classifiers.cross_entropy(classifiers.logits(plain, x), labels).mean()
    start = classifiers.cross_entropy(classifiers.logits(classifier, x), labels).mean()
    assert clean < start / 4
    assert robust_loss(robust) < 0.9 * robust_loss(plain)


def test_one_step_of_training_is_a_gradient_step():
    classifier, x, labels = setting()

    def loss(weights):
        return classifiers.cross_entropy(classifiers.logits(weights, x), labels).mean()

    trained = classifiers.train_classifier(classifier, x, labels, learning_rate=0.1, steps=1)
    expected = jax.tree.map(lambda w, g: w - 0.1 * g, classifier, jax.grad(loss)(classifier))
    jax.tree.map(lambda u, v: np.testing.assert_allclose(u, v, atol=1e-14), trained, expected)


def test_the_probe_finds_what_another_solver_finds():
    """Noisy data of three classes, the same objective minimized by scipy to the end."""
    rng = np.random.default_rng(1)
    means = rng.normal(size=(C, D))
    labels = rng.integers(C, size=400)
    points = means[labels] + 1.5 * rng.normal(size=(400, D))
    x, z, ours, theirs = points[:200], points[200:], labels[:200], labels[200:]

    def with_intercept(v):
        return np.column_stack([v / np.sqrt((x**2).mean()), np.ones(len(v))])

    def objective(flat):
        w = flat.reshape(D + 1, C)
        scores = with_intercept(x) @ w
        fit = special.logsumexp(scores, axis=1) - scores[np.arange(200), ours]
        return fit.mean() + classifiers.PENALTY / 2 * (w**2).sum()

    best = optimize.minimize(objective, np.zeros((D + 1) * C)).x.reshape(D + 1, C)
    expected = ((with_intercept(z) @ best).argmax(1) == theirs).mean()
    found = classifiers.probe_accuracy(
        jnp.array(x), jnp.array(ours), jnp.array(z), jnp.array(theirs), classes=C
    )
    assert 0.5 < expected < 0.95
    assert abs(float(found) - expected) <= 0.01  # two of 200 on the boundary


@pytest.mark.slow
def test_the_probe_of_separable_points_is_perfect_and_of_constant_ones_is_finite():
    labels = jnp.arange(30) % C
    x = 5 * jnp.eye(C, D)[labels]
    for points in (x, 1e-12 * x):  # scale does not matter
        accuracy = classifiers.probe_accuracy(points, labels, points, labels, classes=C)
        assert accuracy == 1.0
    nothing = jnp.zeros_like(x)
    accuracy = classifiers.probe_accuracy(nothing, labels, nothing, labels, classes=C)
    assert accuracy == pytest.approx(1 / 3)


def test_mixtures_have_the_stated_law():
    """40,000 points: means of norm about 3, unit variance around them, classes equally likely."""
    sample = draw_classes(
        jax.random.key(0), "mixture", 40_000, 50, classes=4, queries=10, separation=3.0
    )
    assert sample.z.shape == (10, 50)
    assert sample.z_labels.shape == (10,)
    counts = np.bincount(sample.labels, minlength=4)
    assert np.abs(counts - 10_000).max() < 450  # five standard deviations
    x = np.asarray(sample.x)
    for c in range(4):
        mine = x[np.asarray(sample.labels) == c]
        # ‖μ_c‖² is 9χ²₅₀/50: five standard deviations are 9.
        assert abs((mine.mean(0) ** 2).sum() - 9) < 9
        assert abs(mine.std(0).mean() - 1) < 0.01


def test_classes_of_given_data():
    x = np.arange(12.0).reshape(6, 2)
    y = np.array([1.0, -1.0, 1.0, -1.0, 1.0, -1.0])
    classes = np.array([0, 1, 2, 0, 1, 2])
    key = jax.random.key(0)
    for data, own in ((Dataset("d", x, y, classes), classes), (Dataset("d", x, y), y > 0)):
        sample = draw_classes(key, data, 4, 2, classes=3, queries=2)
        rows = np.concatenate([sample.x, sample.z])[:, 0].astype(int) // 2
        assert sorted(rows) == list(range(6))
        found = np.concatenate([sample.labels, sample.z_labels])
        np.testing.assert_array_equal(found, np.asarray(own, int)[rows])
    with pytest.raises(ValueError, match="classes must be at least 3 for d, got 2"):
        draw_classes(key, Dataset("d", x, y, classes), 4, 2, classes=2)
    with pytest.raises(ValueError, match=r"n \+ queries must be at most 6"):
        draw_classes(key, Dataset("d", x, y, classes), 4, 2, classes=3, queries=3)


@pytest.mark.parametrize(
    "classes", [np.array([0, 1]), np.array([0.0, 1.0, 2.0]), np.array([-1, 0, 1])]
)
def test_classes_that_are_none(classes):
    with pytest.raises(ValueError, match="classes must be 3 integers ≥ 0, one per point"):
        Dataset("d", np.ones((3, 2)), np.array([1.0, -1.0, 1.0]), classes)


def test_bad_input_is_named():
    classifier, x, labels = setting()
    with pytest.raises(ValueError, match="classes must be an integer ≥ 1, got 0"):
        classifiers.init_classifier(jax.random.key(0), 4, 4, 0)
    with pytest.raises(ValueError, match="x must have 6 columns"):
        classifiers.noises(classifier, x[:, :3], labels, attack())
    with pytest.raises(ValueError, match="steps must be an integer ≥ 1, got 0"):
        classifiers.train_classifier(classifier, x, labels, learning_rate=0.1, steps=0)
    with pytest.raises(ValueError, match="z must have 6 columns"):
        inspect.unwrap(classifiers.probe_accuracy)(x, labels, x[:, :2], labels, classes=C)
    with pytest.raises(ValueError, match="data must be one of mixture; got 'sphere'"):
        draw_classes(jax.random.key(0), "sphere", 4, 2, classes=2)
