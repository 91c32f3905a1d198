"""Z23's experiments on images: what their figures share."""

import functools
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from jaxtyping import Array

from experiments.images import noises, pixels, training
from experiments.images.networks import (
    CLASSES,
    VGG11,
    ConvNet,
    ResNet18,
    TwoLayerCNN,
    WideResNet28,
)
from experiments.images.probing import accuracy, probe_accuracies, separator_classes
from experiments.images.training import Recipe, State
from experiments.results.summaries import mean_and_error
from theory import fields
from theory.parameters import Parameters, parameter
from theory.perturbations.classifiers import Attack

SOURCE = (
    "Zhang, Yu, Lu, He, Adversarial Noises Are Linearly Separable for (Nearly) Random Neural "
    "Networks, AISTATS 2023"
)
ROBUST = "-robust"  # after a network's name: trained adversarially


class Kind(NamedTuple):
    """A network by name.

    title: for people.  width: the setting that holds its width.  module: of a width.
    work: what the seconds of an epoch are related to, of a width.
    """

    title: str
    width: str
    module: Callable[[int], nn.Module]
    work: Callable[[int], float]


KINDS = {
    "cnn": Kind("two-layer CNN", "cnn_width", TwoLayerCNN, lambda m: m),
    "conv-net": Kind("small conv net", "conv_net_width", ConvNet, lambda m: 20 * m),
    "resnet18": Kind("ResNet-18", "resnet_width", ResNet18, lambda m: 50 * m + m**2),
    "vgg11": Kind("VGG11", "vgg_width", VGG11, lambda m: 20 * m + m**2),
    "wrn28": Kind("wide ResNet-28", "wide_width", WideResNet28, lambda m: 100 * m + m**2),
}
NAMES = (*KINDS, *(f"{name}{ROBUST}" for name in KINDS))  # also trained on noises
SPLITS = ("training", "test")


class ImageSettings(Parameters):
    """What the experiments on images have in common; the defaults are the published settings."""

    data: str = parameter("all-digits", "images by name, as cifar10:DIR")
    most_train: int = parameter(0, "training images, 0 for all", low=0)
    most_test: int = parameter(0, "test images, 0 for all", low=0)
    cnn_width: int = parameter(64, "filters of the two-layer CNN", low=1)
    conv_net_width: int = parameter(32, "filters of the small conv net's first layer", low=1)
    resnet_width: int = parameter(64, "filters of the ResNet-18's first stage", low=1)
    vgg_width: int = parameter(64, "filters of the VGG11's first layer", low=1)
    wide_width: int = parameter(
        64, "filters of the wide ResNet-28's first group, 16k for WRN28-k", low=1
    )
    epochs: int = parameter(100, "epochs of training", low=0)
    batch: int = parameter(128, "images a step", low=1)
    momentum: float = fields.momentum(0.9, "momentum of SGD")
    weight_decay: float = parameter(5e-4, "ℓ₂ penalty of training", low=0)
    schedule: str = parameter("constant", "learning rate in time", choices=("constant", "cosine"))
    augmentation: bool = parameter(
        False, "train on random crops, and mirror images of natural images"
    )
    probe_steps: int = parameter(50, "L-BFGS steps of the linear classifier", low=1)
    scaled: bool = parameter(
        True, "scale each noise to norm 1 before a linear classifier is fitted"
    )
    robust_epsilon: float = parameter(
        8 / 255, "size in ℓ∞ of the noises on which robust networks are trained",
        unit="black to white", low=0, open_low=True,
    )  # fmt: skip
    robust_steps: int = parameter(7, "projected gradient steps that make them", low=1)
    robust_step: float = parameter(
        2 / 255, "size of these steps", unit="black to white", low=0, open_low=True
    )
    draws: int = parameter(3, "networks trained, from independent seeds", low=1)


def is_robust(name: str) -> bool:
    """Whether the network of a name is trained adversarially."""
    return name.endswith(ROBUST)


def kind(name: str) -> Kind:
    """The network of a name, however it is trained."""
    return KINDS[name.removesuffix(ROBUST)]


def title(name: str, settings: ImageSettings) -> str:
    """A network's name and width, for people."""
    robust = "robust " if is_robust(name) else ""
    return f"{robust}{kind(name).title}, width {width(name, settings)}"


def width(name: str, settings: ImageSettings) -> int:
    """Filters in the first layer of a network, or in its first group."""
    return getattr(settings, kind(name).width)


def network(name: str, settings: ImageSettings) -> nn.Module:
    """The flax module of a name."""
    return kind(name).module(width(name, settings))


def work(name: str, settings: ImageSettings) -> float:
    """What the seconds of training a network are related to."""
    passes = 1 + settings.robust_steps if is_robust(name) else 1
    return (passes * settings.epochs + 1.0) * kind(name).work(width(name, settings))


def floats(name: str, settings: ImageSettings) -> int:
    """Numbers held at once, at least: weights with their momenta, or with what the first layer
    makes of the images whose noises are made at once; and the learning rate of every step."""
    train, test, shape = _sizes(
        settings.data, settings.most_train or None, settings.most_test or None
    )
    weights = training.count_weights(network(name, settings), shape)
    steps = settings.epochs * (train // min(settings.batch, train))
    features = min(train + test, noises.BATCH) * shape[0] * shape[1] * width(name, settings)
    return steps + weights + max(weights, features)


@functools.cache
def _sizes(
    data: str, most_train: int | None, most_test: int | None
) -> tuple[int, int, tuple[int, ...]]:
    """How many training and test images there are, and (H, W, C) of each."""
    found = pixels.load(data, most_train=most_train, most_test=most_test)
    return len(found.train.x), len(found.test.x), found.train.x.shape[1:]


class Trial(NamedTuple):
    """Images with their classes, on the device, in JAX's default precision.

    x, labels: training images.  z, z_labels: test images.  pixels: what they come from.
    """

    x: Array
    labels: Array
    z: Array
    z_labels: Array
    pixels: pixels.Pixels


def images(settings: ImageSettings) -> Trial:
    """The images of an experiment."""
    found = pixels.load(
        settings.data,
        most_train=settings.most_train or None,
        most_test=settings.most_test or None,
    )
    return Trial(
        jnp.asarray(found.train.x, float),
        jnp.asarray(found.train.labels, int),
        jnp.asarray(found.test.x, float),
        jnp.asarray(found.test.labels, int),
        found,
    )


def trained(
    settings: ImageSettings, name: str, key: Array, trial: Trial, *, learning_rate: float
) -> Iterator[State]:
    """The network of a name before its first and after every epoch, see `training.train`."""
    augmented = settings.augmentation
    recipe = Recipe(
        learning_rate=learning_rate,
        schedule=settings.schedule,
        momentum=settings.momentum,
        weight_decay=settings.weight_decay,
        batch=settings.batch,
        crop=trial.pixels.crop if augmented else 0,
        flip=augmented and trial.pixels.mirrored,
        adversarial=settings.robust_epsilon if is_robust(name) else 0.0,
        adversarial_steps=settings.robust_steps,
        adversarial_step=settings.robust_step,
    )
    module = network(name, settings)
    return training.train(module, recipe, key, trial.x, trial.labels, settings.epochs)


def network_accuracies(module: nn.Module, state: State, trial: Trial) -> np.ndarray:
    """(2,) a network's accuracies on training and test images."""
    return np.array(
        [
            float(accuracy(jnp.argmax(noises.logits(module, state.variables, x), axis=1), labels))
            for x, labels in ((trial.x, trial.labels), (trial.z, trial.z_labels))
        ]
    )


def image_accuracies(settings: ImageSettings, trial: Trial) -> np.ndarray:
    """(2,) accuracies on training and test images of a linear classifier of images."""
    return _probed(settings, trial, trial.x, trial.z, scaled=False)


def _probed(
    settings: ImageSettings, trial: Trial, x: Array, z: Array, *, scaled: bool
) -> np.ndarray:
    return probe_accuracies(
        x, trial.labels, z, trial.z_labels,
        classes=CLASSES, steps=settings.probe_steps, scaled=scaled,
    )  # fmt: skip


class Noises(NamedTuple):
    """Noises of training and test images.

    x: (n, H, W, C).  z: (q, H, W, C).
    """

    x: Array
    z: Array


def crafted(module: nn.Module, state: State, trial: Trial, attack: Attack) -> Noises:
    """The noises of a network, made in one go."""
    points = jnp.concatenate([trial.x, trial.z])
    labels = jnp.concatenate([trial.labels, trial.z_labels])
    r = noises.noises(module, state.variables, points, labels, attack)
    return Noises(r[: len(trial.x)], r[len(trial.x) :])


def noise_accuracies(settings: ImageSettings, trial: Trial, made: Noises) -> np.ndarray:
    """(2,) accuracies on training and test noises of a linear classifier of training noises."""
    return _probed(settings, trial, made.x, made.z, scaled=settings.scaled)


def separator_accuracies(
    module: nn.Module, drawn: State, trial: Trial, made: Noises, *, targeted: bool = False
) -> np.ndarray:
    """(2,) accuracies of the separator of Z23's theorem 3.1 in a network as drawn.

    NaN where the network has more than two layers.
    """
    if not isinstance(module, TwoLayerCNN):
        return np.full(2, np.nan)
    return np.array(
        [
            float(
                accuracy(separator_classes(module, drawn.variables, r, targeted=targeted), labels)
            )
            for r, labels in ((made.x, trial.labels), (made.z, trial.z_labels))
        ]
    )


def draw_key(key: Array, cell: Any) -> Array:
    """The key of a cell's draw."""
    return jax.random.fold_in(key, cell["draw"])


def ends(states: Iterator[State]) -> tuple[State, State]:
    """The first and the last of some states, of which no others are kept."""
    first = last = next(states)
    for state in states:
        last = state
    return first, last


def summary(values: Any) -> dict[str, Any]:
    """Mean over draws, its standard error, and their number."""
    mean, error = mean_and_error(values)
    return {"mean": float(mean), "standard_error": float(error), "draws": len(values)}
