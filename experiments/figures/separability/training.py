"""Z23: how well a linear classifier tells one-step noises apart while the network is trained."""

import itertools
from typing import Any

import jax
import numpy as np
import pandas as pd

from experiments.figures.figure import Cell, Figure, Results, Row, numbered
from experiments.images import experiment
from experiments.images.experiment import SPLITS, ImageSettings
from theory import fields
from theory.perturbations.classifiers import Attack


class Settings(ImageSettings):
    """Noises of one gradient step along training, and linear classifiers of them."""

    networks: tuple[str, ...] = fields.axis(
        ("resnet18", "resnet18-robust", "vgg11", "wrn28"),
        'networks; those in "-robust" are trained on noises in ℓ∞',
        choices=experiment.NAMES,
    )
    learning_rates: tuple[float, ...] = fields.axis((0.001, 0.1), "learning rates")
    temperatures: tuple[float, ...] = fields.axis(
        (1.0, 10.0), "softmax temperatures when noises are made"
    )
    look_at: tuple[int, ...] = fields.axis(
        (0, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100), "epochs after which noises are made", low=0
    )


def cells(settings: Settings) -> list[Row]:
    """One network trained at one rate from one seed."""
    _epochs(settings)
    return [
        {"network": network, "rate": rate, "draw": draw}
        for network, rate, draw in itertools.product(
            settings.networks,
            settings.learning_rates,
            numbered("draws", settings.draws),
        )
    ]


def _epochs(settings: Settings) -> tuple[int, ...]:
    epochs = settings.look_at
    if max(epochs) > settings.epochs:
        raise ValueError(f"look_at must be epochs up to {settings.epochs}, got {max(epochs)}")
    return epochs


def cost(settings: Settings, cell: Cell) -> float:
    """Work of a training."""
    return experiment.work(cell["network"], settings)


def compute(settings: Settings, cell: Cell, key: jax.Array) -> dict[str, np.ndarray]:
    """Accuracies on training and test images at every epoch looked at.

    noises: (epochs, temperatures, 2).  network: (epochs, 2).  images: (2,).
    drawn, present: (epochs, temperatures, 2) of the separator −Wᵀa, with the weights as they were
    drawn and as they are.
    """
    trial = experiment.images(settings)
    module = experiment.network(cell["network"], settings)
    temperatures = settings.temperatures
    epochs = _epochs(settings)
    start = None
    found: dict[str, list[Any]] = {name: [] for name in ("noises", "drawn", "present", "network")}
    states = experiment.trained(
        settings,
        cell["network"],
        experiment.draw_key(key, cell),
        trial,
        learning_rate=cell["rate"],
    )
    for epoch, state in enumerate(states):
        start = state if start is None else start
        if epoch not in epochs:
            continue
        made = [
            experiment.crafted(module, state, trial, Attack(0, 1.0, 0, 0, temperature))
            for temperature in temperatures
        ]
        found["noises"].append([experiment.noise_accuracies(settings, trial, r) for r in made])
        for name, weights in (("drawn", start), ("present", state)):
            found[name].append(
                [experiment.separator_accuracies(module, weights, trial, r) for r in made]
            )
        found["network"].append(experiment.network_accuracies(module, state, trial))
    images = experiment.image_accuracies(settings, trial)
    return {name: np.array(values) for name, values in found.items()} | {"images": images}


def table(settings: Settings, results: Results) -> pd.DataFrame:
    """One row per network, rate, split, epoch and classifier."""
    epochs = _epochs(settings)
    temperatures = settings.temperatures
    rows = []
    for network, rate in dict.fromkeys((c["network"], c["rate"]) for c, _ in results):
        drawn = [a for c, a in results if (c["network"], c["rate"]) == (network, rate)]
        for (s, split), (e, epoch) in itertools.product(enumerate(SPLITS), enumerate(epochs)):
            common = {"network": network, "rate": rate, "split": split, "epoch": epoch}
            for t, temperature in enumerate(temperatures):
                fitted, at_start, at_present = (
                    np.array([a[name][e, t, s] for a in drawn])
                    for name in ("noises", "drawn", "present")
                )
                certificates = np.array(
                    [[a["drawn"][e, t, 0], a["present"][e, t, 0]] for a in drawn]
                )
                rows.append(
                    common
                    | {"classifier": "linear, of noises", "temperature": temperature}
                    | experiment.summary(fitted)
                    | {"predicted": at_start.mean(), "present": at_present.mean()}
                    | {"held": bool((certificates == 1).any(axis=1).all())}
                )
            for what, values in (
                ("the network, of images", [a["network"][e, s] for a in drawn]),
                ("linear, of images", [drawn[0]["images"][s]]),
            ):
                rows.append(common | {"classifier": what} | experiment.summary(values))
    return pd.DataFrame(rows)


def floats(settings: Settings, cell: Cell) -> int:
    """See `experiment.floats`."""
    return experiment.floats(cell["network"], settings)


FIGURE = Figure(
    name="separability-training",
    source=f"{experiment.SOURCE}, sections 4.2 and 4.3, figures 2, 5, 7 and 8",
    shows="accuracy of linear classifiers of one-step noises along training, by learning rate, "
    "at softmax temperature 1 and 10, also of adversarial training",
    quick=Settings(
        networks=("cnn", "resnet18", "cnn-robust"),
        resnet_width=8,
        epochs=8,
        learning_rates=(0.01, 0.1),
        look_at=(0, 1, 2, 4, 8),
        draws=3,
    ),
    paper=Settings(),
    cells=cells,
    compute=compute,
    table=table,
    cost=cost,
    floats=floats,
    minutes={"quick": 1.2, "paper": None},
)
