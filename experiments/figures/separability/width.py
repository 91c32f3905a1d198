"""Z23: linear classifiers of the noises of two-layer networks, against their width."""

import dataclasses
import itertools
from typing import Any

import jax
import numpy as np
import pandas as pd

from experiments.figures.figure import Cell, Figure, Results, Row, numbered
from experiments.images import experiment
from experiments.images.experiment import SPLITS, ImageSettings
from theory import fields
from theory.parameters import parameter
from theory.perturbations.classifiers import Attack

WHEN = ("drawn", "trained")
AIMS = ("away from the label", "towards the next class")


class Settings(ImageSettings):
    """Noises of one gradient step of two-layer CNNs of several widths."""

    widths: tuple[int, ...] = fields.axis((4, 16, 64, 128, 256), "filters of the two-layer CNNs")
    learning_rate: float = parameter(0.01, "learning rate", low=0, open_low=True)
    temperature: float = parameter(
        1.0, "softmax temperature when noises are made", low=0, open_low=True
    )
    epochs: int = parameter(50, "epochs of training", low=1)


def cells(settings: Settings) -> list[Row]:
    """One network of one width from one seed."""
    return [
        {"width": width, "draw": draw}
        for width, draw in itertools.product(_widths(settings), numbered("draws", settings.draws))
    ]


def _widths(settings: Settings) -> tuple[int, ...]:
    return settings.widths


def cost(settings: Settings, cell: Cell) -> float:
    """Work of a training."""
    return float(cell["width"])


def compute(settings: Settings, cell: Cell, key: jax.Array) -> dict[str, np.ndarray]:
    """Accuracies on training and test images before and after training.

    noises: (2, 2, 2) of a linear classifier of noises: as in `WHEN`, as in `AIMS`, splits.
    separator: (2, 2, 2) of the separator −Wᵀa with the weights as drawn, likewise.
    network: (2, 2) of the network.  images: (2,) of a linear classifier of images.
    """
    settings = dataclasses.replace(settings, cnn_width=cell["width"])
    trial = experiment.images(settings)
    module = experiment.network("cnn", settings)
    start, end = experiment.ends(
        experiment.trained(
            settings,
            "cnn",
            experiment.draw_key(key, cell),
            trial,
            learning_rate=settings.learning_rate,
        )
    )
    found: dict[str, list[Any]] = {"noises": [], "separator": [], "network": []}
    for state in (start, end):
        made = [
            experiment.crafted(
                module, state, trial, Attack(0, 1.0, 0, int(targeted), settings.temperature)
            )
            for targeted in (False, True)
        ]
        found["noises"].append([experiment.noise_accuracies(settings, trial, r) for r in made])
        found["separator"].append(
            [
                experiment.separator_accuracies(module, start, trial, r, targeted=targeted)
                for r, targeted in zip(made, (False, True), strict=True)
            ]
        )
        found["network"].append(experiment.network_accuracies(module, state, trial))
    images = experiment.image_accuracies(settings, trial)
    return {name: np.array(values) for name, values in found.items()} | {"images": images}


def table(settings: Settings, results: Results) -> pd.DataFrame:
    """One row per time, split, width and classifier."""
    rows = []
    widths = _widths(settings)
    for (w, when), (s, split), width in itertools.product(
        enumerate(WHEN), enumerate(SPLITS), widths
    ):
        drawn = [arrays for cell, arrays in results if cell["width"] == width]
        common = {"network": when, "split": split, "width": width}
        for a, aim in enumerate(AIMS):
            separator = np.array([arrays["separator"][w, a] for arrays in drawn])
            rows.append(
                common
                | {"classifier": "linear, of noises", "noises": aim}
                | experiment.summary([arrays["noises"][w, a, s] for arrays in drawn])
                | {"predicted": separator[:, s].mean(), "held": bool((separator[:, 0] == 1).all())}
            )
        for classifier, values in (
            ("the network, of images", [arrays["network"][w, s] for arrays in drawn]),
            ("linear, of images", [drawn[0]["images"][s]]),
        ):
            rows.append(common | {"classifier": classifier} | experiment.summary(values))
    return pd.DataFrame(rows)


def floats(settings: Settings, cell: Cell) -> int:
    """See `experiment.floats`."""
    return experiment.floats("cnn", dataclasses.replace(settings, cnn_width=cell["width"]))


FIGURE = Figure(
    name="separability-width",
    source=f"{experiment.SOURCE}, section 4.2",
    shows="accuracy of linear classifiers of one-step noises of two-layer CNNs against their "
    "width, away from the label and towards the next class",
    quick=Settings(epochs=20),
    paper=Settings(),
    cells=cells,
    compute=compute,
    table=table,
    cost=cost,
    floats=floats,
    minutes={"quick": 0.5, "paper": None},
)
