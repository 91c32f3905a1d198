"""Noises of image networks against those of the theory's two-layer network."""

import jax
import numpy as np
import pytest

from experiments.images import noises, probing, training
from experiments.images.networks import TwoLayerCNN
from experiments.images.training import Recipe
from theory.perturbations import classifiers
from theory.perturbations.classifiers import Attack, Classifier

NETWORK = TwoLayerCNN(64, classes=4, pool=1)
X = jax.random.normal(jax.random.key(0), (30, 1, 1, 40))
LABELS = jax.random.randint(jax.random.key(1), (30,), 0, 4)
VARIABLES = training.initial(NETWORK, jax.random.key(2), X.shape[1:], Recipe()).variables
DENSE = Classifier(
    VARIABLES["params"]["hidden"]["kernel"][1, 1].T, VARIABLES["params"]["readout"]["kernel"].T
)


@pytest.mark.parametrize(
    "attack",
    [
        Attack(0, 1.0, 0, 0, 1.0),
        Attack(0, 1.0, 0, 1, 10.0),
        Attack(4, 0.3, 1, 0, 2.0),
        Attack(4, 0.3, 1, 0, 2.0, 0.05),
    ],
    ids=["one step", "one step, targeted", "PGD", "PGD of small steps"],
)
def test_noises_are_those_of_the_theory(attack, monkeypatch):
    monkeypatch.setattr(noises, "BATCH", 15)  # in two batches
    found = noises.noises(NETWORK, VARIABLES, X, LABELS, attack)
    expected = classifiers.noises(DENSE, X[:, 0, 0], LABELS, jax.tree.map(np.asarray, attack))
    np.testing.assert_allclose(found[:, 0, 0], expected, atol=1e-12)


@pytest.mark.parametrize("targeted", [False, True])
def test_the_separator_is_that_of_the_theorem_and_is_right_at_initialization(targeted):
    attack = Attack(0, 1.0, 0, int(targeted), 1.0)
    r = noises.noises(NETWORK, VARIABLES, X, LABELS, attack)
    found = probing.separator_classes(NETWORK, VARIABLES, r, targeted=targeted)
    scores = -r[:, 0, 0] @ (DENSE.w.T @ DENSE.a.T)  # columns are −Wᵀa of every class
    best = (scores if not targeted else -scores).argmax(axis=1)
    assert (found == ((best - 1) % 4 if targeted else best)).all()
    assert probing.accuracy(found, LABELS) > 0.9  # misses a noise with probability of about 1 %
    other = probing.separator_classes(NETWORK, VARIABLES, r, targeted=not targeted)
    assert probing.accuracy(other, LABELS) < 0.5


def split(v):
    return v[:20], LABELS[:20], v[20:], LABELS[20:]


@pytest.mark.slow
def test_probes_are_those_of_the_theory_and_scaling_undoes_scales():
    r = noises.noises(NETWORK, VARIABLES, X, LABELS, Attack(0, 1.0, 0, 0, 1.0))
    scales = 10.0 ** jax.random.uniform(jax.random.key(3), (30, 1, 1, 1), minval=-30, maxval=0)
    unequal = r * scales
    raw = probing.probe_accuracies(*split(unequal), classes=4, steps=8)
    expected = classifiers.probe_accuracy(*split(unequal[:, 0, 0]), classes=4, steps=8)
    assert raw[1] == pytest.approx(float(expected))
    scaled = [
        probing.probe_accuracies(*split(v), classes=4, steps=8, scaled=True) for v in (r, unequal)
    ]
    np.testing.assert_array_equal(scaled[0], scaled[1])
    assert raw[0] < scaled[0][0]
