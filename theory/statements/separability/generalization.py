"""Family A, Z23 sections 4.2 and 4.3: a linear classifier of noises generalizes, in any regime."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from theory import fields
from theory.data.sampling import MIXTURE, Dataset, draw_classes, to_sphere
from theory.margins import Measured, margin, measured, rounding_error
from theory.parameters import Parameters, parameter
from theory.perturbations.attacks import unit_rows
from theory.perturbations.classifiers import (
    Attack,
    LinearProbe,
    fit_probe,
    init_classifier,
    logits,
    noises,
    train_classifier,
)
from theory.statements.separability.trained import SOURCE
from theory.verification.claims import Claim
from theory.verification.kinds import Empirical
from theory.verification.statement import Hypothesis, OnData, Statement


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
    n: int = fields.points(128, "training images", low=2)
    queries: int = fields.queries(96, "test images")
    d: int = fields.dimension(20)
    m: int = fields.width(32)
    classes: int = parameter(4, "number of classes", low=2)
    separation: float = parameter(
        1.5, "norm of the class means of a mixture", unit="standard deviations", low=0
    )
    learning_rate: float = parameter(1.0, "learning rate times width", low=0, open_low=True)
    large_rate: float = parameter(20.0, "the large one times width", low=0, open_low=True)
    steps: int = fields.steps(100, "steps of training, momentum 0.9")
    epsilon: float = parameter(
        0.1, "size of PGD noises in ℓ∞; in ℓ₂, and in training, times √d", low=0, open_low=True
    )
    least_accuracy: float = parameter(0.8, "accuracy that noise probes must reach", low=0, high=1)
    least_share: float = parameter(
        0.5, "share of the networks whose noise probes must do so", low=0, open_low=True, high=1
    )


# Roundings that a classifier is trusted to forget: training it takes hundreds of steps, at rates
# near the edge of stability, where errors grow before they decay.
TRUSTED = 10**6


class Decisions(NamedTuple):
    """right: 1 where a point is put into its class, else 0.  in_doubt: 1 where rounding may decide.

    A point is in doubt where its two largest values differ by no more than a relative 10⁶ roundings
    of the largest one in absolute value.
    """

    right: Float[Array, " n"]
    in_doubt: Float[Array, " n"]


def decisions(values: Float[Array, "n C"], labels: Int[Array, " n"]) -> Decisions:
    """What a classifier that puts every point where its value is largest gets right."""
    ordered = jnp.sort(values, axis=1)
    size = jnp.max(jnp.abs(values), axis=1)
    close = ordered[:, -1] - ordered[:, -2] <= rounding_error(TRUSTED, size)
    right = jnp.argmax(values, axis=1) == labels
    return Decisions(jnp.where(right, 1.0, 0.0), jnp.where(close, 1.0, 0.0))


def probe_values(probe: LinearProbe, z: Float[Array, "q d"]) -> Float[Array, "q C"]:
    """The values of which `LinearProbe` takes the largest."""
    return z / probe.scale @ probe.weights[:-1] + probe.weights[-1][None, :]


def _probes(regimes: tuple[Regime, ...]) -> Any:
    """The sampler of accuracies, and shares in doubt, of the image probe and then of these."""
    kinds = sorted({NETWORKS.index((r.fast, r.robust)) for r in regimes})

    def sample(key: Array, config: ProbeSetting) -> Decisions:
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

        def probe(of: tuple[Array, Array, Attack]) -> Decisions:
            images, index, attack = of
            network = jax.tree.map(lambda part: part[index], networks)
            r = jnp.where(images, points, noises(network, points, labels, attack))
            fitted, seen = r[: config.n], r[config.n :]
            classifier = fit_probe(fitted, data.labels, classes=config.classes)
            return jax.tree.map(jnp.mean, decisions(probe_values(classifier, seen), data.z_labels))

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


def _successes(probes: Decisions, config: ProbeSetting) -> Measured:
    """1 where a noise probe is accurate enough and better than the image probe, else 0.

    In doubt where a single test point of the two is.
    """
    accuracy, in_doubt = probes
    better = (accuracy[1:] >= config.least_accuracy) & (accuracy[1:] > accuracy[0])
    open_ = in_doubt[1:] + in_doubt[0] > 0
    return measured(jnp.where(better, 1.0, 0.0), jnp.where(open_, 1.0, 0.0))


def _claims(regimes: tuple[Regime, ...]) -> Any:
    def claims(config: ProbeSetting) -> tuple[Claim, ...]:
        return tuple(
            Claim(
                config.least_share, 0.33, side="at least", name=f"{r.name}: networks", bounds=(0, 1)
            )
            for r in regimes
        )

    return claims


class FitSetting(Parameters):
    """A small two-layer network and a linear classifier fitted to noises of a trained network."""

    data: Any = parameter(MIXTURE, "law of the images", choices=(MIXTURE,), accepts=(Dataset,))
    n: int = fields.points(160, "images, whose noises are fitted", low=2)
    d: int = fields.dimension(10)
    m: int = fields.width(64, "width of the network that is attacked")
    classes: int = parameter(4, "number of classes", low=2)
    separation: float = parameter(
        1.5, "norm of the class means of a mixture", unit="standard deviations", low=0
    )
    large_rate: float = parameter(100.0, "its learning rate times m", low=0, open_low=True)
    steps: int = fields.steps(120, "steps of its training, momentum 0.9")
    small: int = parameter(14, "width of the network that is fitted to the noises", low=1)
    fit_rate: float = parameter(10.0, "its learning rate times its width", low=0, open_low=True)
    fit_steps: int = parameter(200, "steps of its training, momentum 0.9", low=1)
    high_temperature: float = parameter(
        10.0, "the higher softmax temperature at which noises are made", low=0, open_low=True
    )
    least_share: float = parameter(
        0.6,
        "share of the networks all of whose noises must be fitted",
        low=0,
        open_low=True,
        high=1,
    )
    most_permuted: float = parameter(
        0.9, "accuracy that may be reached on permuted labels", low=0, high=1
    )


class Fits(NamedTuple):
    """What classifiers fitted to the noises of one network get right, at two temperatures.

    own: on how many of its images the network itself errs.  linear: on how many noises the linear
    classifier does.  small: on how many of them the small network does.  permuted: the share on
    which it does after a fit to permuted labels. Each with the number, or share, in doubt.
    """

    own: "Errors"
    linear: "Errors"
    small: "Errors"
    permuted: "Errors"


class Errors(NamedTuple):
    """wrong: points put into another class.  in_doubt: those of which rounding may decide."""

    wrong: Float[Array, "*temperatures"]
    in_doubt: Float[Array, "*temperatures"]


def _errors(values: Float[Array, "n C"], labels: Int[Array, " n"]) -> Errors:
    found = decisions(values, labels)
    return Errors(jnp.sum(1 - found.right), jnp.sum(found.in_doubt))


def _fits(key: Array, config: FitSetting) -> Fits:
    """Noises at temperature 1 and the higher one, scaled to norm √d, and fits to them."""
    key_data, key_init, key_fit, key_labels = jax.random.split(key, 4)
    data = draw_classes(
        key_data,
        config.data,
        config.n,
        config.d,
        classes=config.classes,
        separation=config.separation,
    )
    x, labels = to_sphere(data.x), data.labels
    d = x.shape[1]
    network = train_classifier(
        init_classifier(key_init, config.m, d, config.classes),
        x,
        labels,
        learning_rate=config.large_rate / config.m,
        steps=config.steps,
    )
    start = init_classifier(key_fit, config.small, d, config.classes)
    both = jnp.stack([labels, jax.random.permutation(key_labels, labels)])
    rate = config.fit_rate / config.small

    def at(temperature: Array) -> tuple[Errors, Errors, Errors]:
        r = noises(network, x, labels, Attack(jnp.array(0), 1.0, 0, 0, temperature))
        # Their sizes differ by orders of magnitude, which alone would defeat a linear classifier.
        r = d**0.5 * unit_rows(r)
        probe = fit_probe(r, labels, classes=config.classes)

        def errors(classes: Array) -> Errors:
            small = train_classifier(start, r, classes, learning_rate=rate, steps=config.fit_steps)
            return _errors(logits(small, r), classes)

        found = jax.lax.map(errors, both)
        true, permuted = (jax.tree.map(lambda part, i=i: part[i], found) for i in (0, 1))
        shares = jax.tree.map(lambda count: count / config.n, permuted)
        return _errors(probe_values(probe, r), labels), true, shares

    temperatures = jnp.array([1.0, config.high_temperature])
    return Fits(_errors(logits(network, x), labels), *jax.lax.map(at, temperatures))


def _perfect_and_permuted(fits: Fits, _: object) -> Measured:
    """1 where all noises are fitted, else 0; then the accuracy on permuted labels."""
    wrong, in_doubt = fits.small
    perfect = jnp.where(wrong == 0, 1.0, 0.0)
    # It is in doubt if those in doubt could be all that are wrong, or some that are not.
    open_ = jnp.where((in_doubt > 0) & (wrong <= in_doubt), 1.0, 0.0)
    permuted = 1 - fits.permuted.wrong
    error = fits.permuted.in_doubt + rounding_error(2, permuted)
    return measured(jnp.concatenate([perfect, permuted]), jnp.concatenate([open_, error]))


def _fit_claims(config: FitSetting) -> tuple[Claim, ...]:
    temperatures = (1.0, config.high_temperature)
    return tuple(
        Claim(value, 0.33, side=side, name=f"temperature {temperature:g}: {name}", bounds=(0, 1))
        for name, side, value in (
            ("networks all of whose noises are fitted", "at least", config.least_share),
            ("accuracy on permuted labels", "at most", config.most_permuted),
        )
        for temperature in temperatures
    )


STATEMENTS = (
    Statement(
        id="separability.generalization",
        title="a linear classifier of one-step noises classifies those of new images",
        says="A linear classifier (50 L-BFGS steps) fitted to the one-step noises of the training "
        "images classifies those of test images with an accuracy of at least least_accuracy, and "
        "better than one fitted to the images classifies images, for a share of at least "
        "least_share of the networks. Two classes, small learning rate.",
        source=f"{SOURCE}, section 4.2",
        sample=_probes(THEORY),
        claim=Empirical(
            quantity=_successes,
            claims=_claims(THEORY),
        ),
        config=ProbeSetting(classes=2),
        draws={"quick": 64, "full": 400},
        data=True,
        batch=4,
    ),
    Statement(
        id="separability.generalization-beyond",
        title="so does one of noises that no theorem covers",
        says="The same for projected gradients of 5, 10 and 100 steps in an ℓ∞ ball, of 10 steps "
        "in an ℓ₂ ball, towards the next class, at softmax temperature 10, of a network trained "
        "at a large rate, and of one trained adversarially (those four 10 steps in ℓ∞).",
        source=f"{SOURCE}, sections 4.2, 4.3 and appendix 7",
        sample=_probes(BEYOND),
        claim=Empirical(
            quantity=_successes,
            claims=_claims(BEYOND),
        ),
        config=ProbeSetting(),
        draws={"quick": 64, "full": 200},
        data=True,
        on_data={"all-digits": OnData({"classes": 10, "n": 800, "queries": 800, "m": 128})},
        batch=4,
    ),
    Statement(
        id="separability.generalization-two-layer",
        title="a small two-layer network fits the noises that a linear classifier misfits",
        says="One-step noises of a network trained to fit at a large rate, made at softmax "
        "temperatures 1 and high_temperature and scaled to one norm. Where a linear classifier "
        "(50 L-BFGS steps) gets some of them wrong at both, a two-layer network of width `small` "
        "gets all of them right, for a share of at least least_share of the networks. Size alone "
        "does not do it: fitted to the same noises with permuted labels, its accuracy is at most "
        "most_permuted.",
        source=f"{SOURCE}, section 4.3",
        sample=_fits,
        # Twice the counts, less 1: a count of 0 is a decided answer, not an undecided one.
        hypotheses={
            "trained": Hypothesis(
                lambda fits, _: margin(1 - 2 * fits.own.wrong, 2 * fits.own.in_doubt),
                "the network gets all its training images right",
            ),
            "linear misfit": Hypothesis(
                lambda fits, _: margin(
                    2 * jnp.min(fits.linear.wrong) - 1, 2 * jnp.max(fits.linear.in_doubt)
                ),
                "a linear classifier gets a noise wrong at both temperatures",
            ),
        },
        claim=Empirical(
            quantity=_perfect_and_permuted,
            claims=_fit_claims,
        ),
        config=FitSetting(),
        draws={"quick": 160, "full": 400},
        data=True,
        batch=16,
    ),
)
