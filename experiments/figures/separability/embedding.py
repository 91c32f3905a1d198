"""Z23: images and their noises embedded in the plane."""

import jax
import numpy as np
import pandas as pd

from experiments.figures.figure import Cell, Figure, Results, Row
from experiments.images import experiment
from experiments.images.experiment import ImageSettings
from theory import fields
from theory.parameters import parameter
from theory.perturbations.attacks import unit_rows
from theory.perturbations.classifiers import Attack

IMAGES = "images"


class Settings(ImageSettings):
    """t-SNE of test images and of the one-step noises of networks at them."""

    networks: tuple[str, ...] = fields.axis(("resnet18",), "networks", choices=experiment.NAMES)
    epochs: int = parameter(0, "epochs of training, 0 for networks as they are drawn", low=0)
    learning_rate: float = parameter(0.01, "learning rate", low=0, open_low=True)
    temperature: float = parameter(
        1.0, "softmax temperature when noises are made", low=0, open_low=True
    )
    points: int = parameter(1000, "test images embedded, the first", low=10)
    perplexity: float = parameter(30.0, "perplexity of t-SNE", low=1)
    draws: int = parameter(1, "networks drawn; the picture is of the first", low=1, high=1)


def cells(settings: Settings) -> list[Row]:
    """The images, and the noises of one network each."""
    names = settings.networks
    return [{"of": name, "draw": 0} for name in (IMAGES, *names)]


def cost(settings: Settings, cell: Cell) -> float:
    """Work of a training, and of the noises."""
    return 1.0 if cell["of"] == IMAGES else experiment.work(cell["of"], settings)


def compute(settings: Settings, cell: Cell, key: jax.Array) -> dict[str, np.ndarray]:
    """Places in the plane, classes, and the accuracy of a linear classifier on test points.

    places: (points, 2).  labels: (points,).  accuracy: () on all test images.
    """
    from sklearn.manifold import TSNE  # slow to import
    from threadpoolctl import threadpool_limits

    trial = experiment.images(settings)
    if cell["of"] == IMAGES:
        embedded = trial.z
        found = experiment.image_accuracies(settings, trial)
    else:
        module = experiment.network(cell["of"], settings)
        _, state = experiment.ends(
            experiment.trained(
                settings,
                cell["of"],
                experiment.draw_key(key, cell),
                trial,
                learning_rate=settings.learning_rate,
            )
        )
        attack = Attack(0, 1.0, 0, 0, settings.temperature)
        made = experiment.crafted(module, state, trial, attack)
        found = experiment.noise_accuracies(settings, trial, made)
        embedded = made.z
    rows = embedded[: settings.points].reshape(-1, np.prod(embedded.shape[1:]))
    if cell["of"] != IMAGES and settings.scaled:
        rows = unit_rows(rows)
    if settings.perplexity >= len(rows):
        raise ValueError(
            f"perplexity must be less than the number of points, {len(rows)}, got "
            f"{settings.perplexity:g}"
        )
    scaled = np.asarray(rows, np.float64) / np.std(np.asarray(rows))
    seed = int(jax.random.randint(key, (), 0, 2**31 - 1))
    embedding = TSNE(perplexity=settings.perplexity, random_state=seed, n_jobs=1)
    with threadpool_limits(1):  # its threads wait busily for each other: 1 s became 20 s
        places = embedding.fit_transform(scaled)
    return {
        "places": np.asarray(places),
        "labels": np.asarray(trial.z_labels[: settings.points]),
        "accuracy": np.asarray(found[1]),
    }


def table(settings: Settings, results: Results) -> pd.DataFrame:
    """One row per point and embedding."""
    return pd.concat(
        [
            pd.DataFrame(
                {
                    "of": cell["of"],
                    "class": arrays["labels"],
                    "u": arrays["places"][:, 0],
                    "v": arrays["places"][:, 1],
                    "linear_accuracy": float(arrays["accuracy"]),
                }
            )
            for cell, arrays in results
        ],
        ignore_index=True,
    )


def floats(settings: Settings, cell: Cell) -> int:
    """See `experiment.floats`; nothing of a network for the images themselves."""
    return 0 if cell["of"] == IMAGES else experiment.floats(cell["of"], settings)


FIGURE = Figure(
    name="separability-embedding",
    source=f"{experiment.SOURCE}, section 4.2, figure 1",
    shows="t-SNE of clean test images against the one-step noises of randomly initialized "
    "networks at them, by class",
    quick=Settings(networks=("cnn", "resnet18")),
    paper=Settings(),
    cells=cells,
    compute=compute,
    table=table,
    cost=cost,
    floats=floats,
    minutes={"quick": 0.8, "paper": None},
)
