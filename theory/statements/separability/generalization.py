"""Family A, Z23 sections 4.2 and 4.3: a linear classifier of noises generalizes, in any regime."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from theory.claims import Claim
from theory.classifiers import (
    Attack,
    init_classifier,
    noises,
    probe_accuracy,
    train_classifier,
)
from theory.data import MIXTURE, Dataset, draw_classes, to_sphere
from theory.parameters import Parameters, parameter
from theory.statements.separability.trained import SOURCE
from theory.verification import Statement


class Regime(NamedTuple):
    """How a network is trained and its noises are made.

    name: for reports.  steps, sup_norm, targeted, temperature: as in `Attack`.
    fast: whether the learning rate is the large one.  robust: whether training is adversarial.
    """

    name: str
    steps: int = 10
    sup_norm: bool = True
    targeted: bool = False
    temperature: float = 1.0
    fast: bool = False
    robust: bool = False


THEORY = (Regime("one step", steps=0),)
BEYOND = (
    Regime("PGD 5", steps=5),
    Regime("PGD 10", steps=10),
    Regime("PGD 100", steps=100),
    Regime("PGD 10 in ℓ₂", sup_norm=False),
    Regime("targeted", targeted=True),
    Regime("temperature 10", temperature=10.0),
    Regime("large rate", fast=True),
    Regime("adversarially trained", robust=True),
)
NETWORKS = ((False, False), (True, False), (False, True))  # (fast, robust)


class ProbeSetting(Parameters):
    """Linear probes of the noises of trained classifiers, and of the images themselves."""

    data: Any = parameter(MIXTURE, "law of the images", choices=(MIXTURE,), accepts=(Dataset,))
    n: int = parameter(128, "training images", low=2)
    queries: int = parameter(128, "test images", low=1)
    d: int = parameter(20, "dimension", low=1)
    m: int = parameter(64, "width", low=1)
    classes: int = parameter(4, "number of classes", low=2)
    separation: float = parameter(
        1.5, "norm of the class means of a mixture", unit="standard deviations", low=0
    )
    learning_rate: float = parameter(1.0, "learning rate times width", low=0, open_low=True)
    large_rate: float = parameter(20.0, "the large one times width", low=0, open_low=True)
    steps: int = parameter(150, "steps of training, momentum 0.9", low=1)
    epsilon: float = parameter(
        0.1, "size of PGD noises in ℓ∞; in ℓ₂, and in training, times √d", low=0, open_low=True
    )
    least_accuracy: float = parameter(0.8, "accuracy that noise probes must reach", low=0, high=1)


def _probes(regimes: tuple[Regime, ...]) -> Any:
    """The sampler of (regimes + 1,) accuracies: of the image probe, and of one per regime."""
    kinds = sorted({NETWORKS.index((r.fast, r.robust)) for r in regimes})

    def sample(key: Array, config: ProbeSetting) -> Float[Array, " probes"]:
        key_data, key_init = jax.random.split(key)
        data = draw_classes(
            key_data,
            config.data,
            config.n,
            config.d,
            classes=config.classes,
            queries=config.queries,
            separation=config.separation,
        )
        points = to_sphere(jnp.concatenate([data.x, data.z]))
        labels = jnp.concatenate([data.labels, data.z_labels])
        x = points[: config.n]
        d = x.shape[1]
        initial = init_classifier(key_init, config.m, d, config.classes)

        def trained(how: tuple[Array, Array]) -> Any:
            rate, epsilon = how
            return train_classifier(
                initial, x, data.labels, learning_rate=rate, steps=config.steps, epsilon=epsilon
            )

        rates = [config.large_rate if NETWORKS[i][0] else config.learning_rate for i in kinds]
        radius = config.epsilon * d**0.5
        sizes = [radius if NETWORKS[i][1] else 0.0 for i in kinds]
        networks = jax.lax.map(trained, (jnp.array(rates) / config.m, jnp.array(sizes)))

        def probe(of: tuple[Array, Array, Attack]) -> Array:
            images, index, attack = of
            network = jax.tree.map(lambda part: part[index], networks)
            r = jnp.where(images, points, noises(network, points, labels, attack))
            fitted, seen = r[: config.n], r[config.n :]
            return probe_accuracy(fitted, data.labels, seen, data.z_labels, classes=config.classes)

        everything = (Regime("images", steps=1), *regimes)  # noises that nobody looks at
        attacks = Attack(
            steps=jnp.array([r.steps for r in everything]),
            epsilon=jnp.array([config.epsilon if r.sup_norm else radius for r in everything]),
            sup_norm=jnp.array([int(r.sup_norm) for r in everything]),
            targeted=jnp.array([int(r.targeted) for r in everything]),
            temperature=jnp.array([r.temperature for r in everything]),
        )
        index = [0, *(kinds.index(NETWORKS.index((r.fast, r.robust))) for r in regimes)]
        images = jnp.arange(len(everything)) == 0
        return jax.lax.map(probe, (images, jnp.array(index), attacks))

    return sample


def _accuracies_and_gains(accuracy: Float[Array, " probes"]) -> Float[Array, " claims"]:
    """Accuracy of every noise probe, then what it has over the image probe."""
    return jnp.concatenate([accuracy[1:], accuracy[1:] - accuracy[0]])


def _claims(regimes: tuple[Regime, ...]) -> Any:
    def claims(config: ProbeSetting) -> tuple[Claim, ...]:
        least = config.least_accuracy
        return (
            *(Claim(least, 0.2, side="at least", name=f"{r.name}: noises") for r in regimes),
            *(Claim(0.0, 0.2, side="at least", name=f"{r.name}: noises − images") for r in regimes),
        )

    return claims


STATEMENTS = (
    Statement(
        id="separability.generalization",
        kind="empirical",
        title="a linear classifier of one-step noises classifies those of new images",
        says="A linear classifier (50 L-BFGS steps) fitted to the one-step noises of the training "
        "images classifies those of test images with an accuracy of at least least_accuracy, and "
        "better than one fitted to the images classifies images. Two classes, small learning rate.",
        source=f"{SOURCE}, section 4.2",
        sample=_probes(THEORY),
        quantity=_accuracies_and_gains,
        claim=_claims(THEORY),
        config=ProbeSetting(classes=2),
        draws={"quick": 16, "full": 400},
        data=True,
        batch=4,
    ),
    Statement(
        id="separability.generalization-beyond",
        kind="empirical",
        title="so does one of noises that no theorem covers",
        says="The same for projected gradients of 5, 10 and 100 steps in an ℓ∞ ball, of 10 steps "
        "in an ℓ₂ ball, towards the next class, at softmax temperature 10, of a network trained "
        "at a large rate, and of one trained adversarially (those four 10 steps in ℓ∞).",
        source=f"{SOURCE}, sections 4.2, 4.3 and appendix 7",
        sample=_probes(BEYOND),
        quantity=_accuracies_and_gains,
        claim=_claims(BEYOND),
        config=ProbeSetting(),
        draws={"quick": 20, "full": 200},
        data=True,
        batch=4,
    ),
)
