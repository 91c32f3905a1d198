"""The picture of `separability-embedding`."""

import pandas as pd
from matplotlib.figure import Figure

from experiments.figures import style
from experiments.figures.figure import Table
from experiments.figures.separability import words as words
from experiments.figures.separability.embedding import IMAGES, Settings
from experiments.images import experiment
from theory._wording import counted

COLOURS = (
    style.BLUE, style.VERMILLION, style.GREEN, style.PURPLE, style.ORANGE, style.SKY, style.BLACK,
)  # fmt: skip


def draw(settings: Settings, table: pd.DataFrame) -> Figure:
    """A panel per embedding; every point is the number of its class."""
    embedded = list(dict.fromkeys(table.of))
    columns = min(3, len(embedded))
    figure, panels = style.axes(-(-len(embedded) // columns), columns, height=2.5)
    for ax in panels.flat[len(embedded) :]:
        ax.set_visible(False)
    for ax, of in zip(panels.flat, embedded, strict=False):
        part: Table = table[table.of == of]
        for number, points in part.groupby("class"):
            ax.plot(
                points.u, points.v, linestyle="none", marker=f"${number}$", markersize=3.6,
                markeredgewidth=0.2, color=COLOURS[number % len(COLOURS)],
            )  # fmt: skip
        name = "test images" if of == IMAGES else f"noises, {experiment.title(of, settings)}"
        ax.set_title(f"{name}\nlinear classifier: {part.linear_accuracy.iloc[0]:.3f}")
        ax.set_xticks([])
        ax.set_yticks([])
        ax.set_aspect("equal", adjustable="datalim")
    style.letters(panels)
    return figure


def _networks(settings: Settings) -> str:
    """How far the networks have come."""
    if settings.epochs == 0:
        return "randomly initialized networks, not trained"
    return (
        f"networks trained on the training images ({words.training(settings)}, rate "
        f"{settings.learning_rate:g})"
    )


def _verdict(table: pd.DataFrame) -> str:
    """For how many networks the linear classifier finds the noises easier than the images."""
    accuracies = table.groupby("of", sort=False).linear_accuracy.first()
    noises = accuracies.drop(IMAGES)
    easier = int((noises > accuracies[IMAGES]).sum())
    return (
        f"By the accuracy above, test noises are easier than test images ({accuracies[IMAGES]:.3f})"
        f" for {easier} of {counted(len(noises), 'network')}"
    )


def caption(settings: Settings, table: pd.DataFrame) -> str:
    """What is drawn."""
    number = int(table.of.value_counts().iloc[0])
    scaled = ", each scaled to norm 1" if settings.scaled else ""
    return f"""\
t-SNE (perplexity {settings.perplexity:g}; axes have no unit) of {number} test images of \
{words.images(settings)}, and of the noises of one gradient step away from the label{scaled} \
(softmax temperature {settings.temperature:g}) of {_networks(settings)}; one \
embedding of one network each, so no bars. Every point is drawn as the number of \
its class. Above: accuracy on all test images, or on their noises, of a linear classifier fitted \
to the training images, or to their noises \
({words.probes(settings)}). Nothing is predicted: the claim tested is that noises of a class lie \
together more clearly than its images. {_verdict(table)}."""
