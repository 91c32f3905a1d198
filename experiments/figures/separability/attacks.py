"""Z23: linear classifiers of noises, by how the noises are made."""

import itertools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd

from experiments.figures.figure import Cell, Figure, Results, Row, numbered
from experiments.images import experiment, noises
from experiments.images.experiment import SPLITS, ImageSettings
from experiments.images.probing import accuracy
from theory import fields
from theory.parameters import parameter
from theory.perturbations.classifiers import Attack


class Settings(ImageSettings):
    """Noises of trained networks: one step, or projected gradients in a ball."""

    networks: tuple[str, ...] = fields.axis(
        ("resnet18", "resnet18-robust"),
        'networks; those in "-robust" are trained on noises in ℓ∞',
        choices=experiment.NAMES,
    )
    learning_rate: float = parameter(0.001, "learning rate", low=0, open_low=True)
    pgd_steps: tuple[int, ...] = fields.axis((5, 10, 100), "numbers of projected gradient steps")
    sup_epsilon: float = parameter(
        8 / 255, "size of the noises in ℓ∞", unit="black to white", low=0, open_low=True
    )
    epsilon: float = fields.perturbation_size(
        0.5, "size of the noises in ℓ₂", unit="black to white"
    )
    temperature: float = parameter(
        1.0, "softmax temperature when noises are made", low=0, open_low=True
    )


class Kind(NamedTuple):
    """A kind of noise: `steps` of 0 for the plain gradient of one step."""

    steps: int
    sup_norm: bool
    targeted: bool

    @property
    def name(self) -> str:
        """For people."""
        aim = ", targeted" if self.targeted else ""
        if self.steps == 0:
            return f"one step{aim}"
        return f"PGD {self.steps}, {'ℓ∞' if self.sup_norm else 'ℓ₂'}{aim}"


def kinds(settings: Settings) -> list[Kind]:
    """The kinds of noise in the order in which they are shown."""
    steps = settings.pgd_steps
    made = [Kind(0, False, targeted) for targeted in (False, True)]
    return made + [
        Kind(number, sup_norm, targeted)
        for sup_norm, targeted, number in itertools.product((True, False), (False, True), steps)
    ]


def cells(settings: Settings) -> list[Row]:
    """One network from one seed, with all kinds of noise."""
    kinds(settings)
    return [
        {"network": network, "draw": draw}
        for network, draw in itertools.product(settings.networks, numbered("draws", settings.draws))
    ]


def cost(settings: Settings, cell: Cell) -> float:
    """Work of a training and of the noises."""
    return experiment.work(cell["network"], settings)


def compute(settings: Settings, cell: Cell, key: jax.Array) -> dict[str, np.ndarray]:
    """Accuracies on training and test images of every kind of noise.

    noises: (kinds, 2) of a linear classifier of noises.  attacked: (kinds, 2) of the network, of
    images with these noises.  network: (2,) of the network.  images: (2,) of a linear classifier
    of images.
    """
    trial = experiment.images(settings)
    module = experiment.network(cell["network"], settings)
    _, state = experiment.ends(
        experiment.trained(
            settings,
            cell["network"],
            experiment.draw_key(key, cell),
            trial,
            learning_rate=settings.learning_rate,
        )
    )
    fitted, attacked = [], []
    for kind in kinds(settings):
        size = settings.sup_epsilon if kind.sup_norm else settings.epsilon
        attack = Attack(
            kind.steps, size, int(kind.sup_norm), int(kind.targeted), settings.temperature
        )
        made = experiment.crafted(module, state, trial, attack)
        fitted.append(experiment.noise_accuracies(settings, trial, made))
        attacked.append(
            [
                float(
                    accuracy(
                        jnp.argmax(noises.logits(module, state.variables, x + r), axis=1), labels
                    )
                )
                for x, r, labels in (
                    (trial.x, made.x, trial.labels),
                    (trial.z, made.z, trial.z_labels),
                )
            ]
        )
    return {
        "noises": np.array(fitted),
        "attacked": np.array(attacked),
        "network": experiment.network_accuracies(module, state, trial),
        "images": experiment.image_accuracies(settings, trial),
    }


def table(settings: Settings, results: Results) -> pd.DataFrame:
    """One row per network, split, kind of noise and classifier."""
    rows = []
    for network in dict.fromkeys(cell["network"] for cell, _ in results):
        drawn = [arrays for cell, arrays in results if cell["network"] == network]
        for s, split in enumerate(SPLITS):
            common = {"network": network, "split": split}
            for k, kind in enumerate(kinds(settings)):
                described = {"kind": kind.name, **kind._asdict()}
                for classifier, name in (
                    ("linear, of noises", "noises"),
                    ("the network, of images with noises", "attacked"),
                ):
                    rows.append(
                        common
                        | {"classifier": classifier}
                        | described
                        | experiment.summary([arrays[name][k, s] for arrays in drawn])
                    )
            for classifier, values in (
                ("the network, of images", [arrays["network"][s] for arrays in drawn]),
                ("linear, of images", [drawn[0]["images"][s]]),
            ):
                rows.append(common | {"classifier": classifier} | experiment.summary(values))
    return pd.DataFrame(rows)


def floats(settings: Settings, cell: Cell) -> int:
    """See `experiment.floats`."""
    return experiment.floats(cell["network"], settings)


FIGURE = Figure(
    name="separability-attacks",
    source=f"{experiment.SOURCE}, section 4.3 and appendix 7",
    shows="accuracy of linear classifiers of noises against that on images: one step, PGD of "
    "5, 10 and 100 steps, ℓ∞ and ℓ₂, targeted or not, adversarially trained",
    quick=Settings(
        networks=("cnn", "conv-net", "cnn-robust"),
        learning_rate=0.1,
        cnn_width=16,
        conv_net_width=4,
        epochs=20,
        most_train=400,
    ),
    paper=Settings(),
    cells=cells,
    compute=compute,
    table=table,
    cost=cost,
    floats=floats,
    minutes={"quick": 0.6, "paper": None},
)
