"""The picture of `separability-attacks`."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.figures import style
from experiments.figures.figure import Table
from experiments.figures.separability import words as words
from experiments.figures.separability.attacks import Settings
from experiments.figures.style import Series
from experiments.images import experiment

FITTED = {"test": style.SERIES[0], "training": style.SERIES[3]}
ATTACKED = style.SERIES[2]
ASIDE = {"test": -0.16, "training": 0.16}
COLUMNS = 3


def draw(settings: Settings, table: pd.DataFrame) -> Figure:
    """Accuracy by kind of noise: a panel per network."""
    networks = list(dict.fromkeys(table.network))
    columns = min(COLUMNS, len(networks))
    rows = -(-len(networks) // columns)
    number = table.kind.nunique()
    figure, panels = style.axes(rows, columns, height=0.6 + 0.17 * number, sharex=True, sharey=True)
    for ax in panels.flat[len(networks) :]:
        ax.set_visible(False)
    for ax, network in zip(panels.flat, networks, strict=False):
        _panel(ax, table[table.network == network])
        ax.set_title(experiment.title(network, settings).replace(", ", "\n"))
        ax.set_xlabel("accuracy")
    panels[0, 0].invert_yaxis()
    handles = [
        words.marker(FITTED["test"], "linear classifier of noises, test"),
        words.marker(FITTED["training"], "the same, training"),
        words.marker(ATTACKED, "the network itself, of test images with noises"),
        words.dashes("linear classifier of test images"),
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=2)
    style.letters(panels)
    return figure


def _panel(ax: Axes, part: Table) -> None:
    kinds = list(dict.fromkeys(part.kind.dropna()))
    places = np.arange(len(kinds))
    for split, series in FITTED.items():
        rows = part[(part.split == split) & (part.classifier == "linear, of noises")]
        _dots(ax, rows, places + ASIDE[split], series, hollow=True)
    test = part[part.split == "test"]
    attacked = test[test.classifier == "the network, of images with noises"]
    _dots(ax, attacked, places, ATTACKED, hollow=False)
    images = test[test.classifier == "linear, of images"]["mean"].iloc[0]
    ax.axvline(images, color=style.GREY, linewidth=0.7, linestyle=(0, (2, 2)), zorder=1)
    ax.set_yticks(places, kinds)
    ax.set_xlim(-0.04, 1.04)


def _dots(ax: Axes, rows: Table, places: np.ndarray, series: Series, *, hollow: bool) -> None:
    ax.errorbar(
        rows["mean"], places, xerr=2 * rows.standard_error.fillna(0), fmt=series.marker,
        color=series.colour, markerfacecolor="white" if hollow else series.colour,
        markeredgewidth=0.9, elinewidth=0.8, capsize=1.5, capthick=0.8, zorder=3,
    )  # fmt: skip


def caption(settings: Settings, table: pd.DataFrame) -> str:
    """What is drawn."""
    return f"""\
Whether noises of trained networks are easier to classify than images. Measured: accuracy of a \
linear classifier fitted to the noises of the training images, on these and on the noises of the \
test images, and accuracy of the network on test images with their noises (x + r). Grey dashes: \
the same linear classifier fitted to the images. Claim tested: blue right of the dashes. \
No theorem covers these noises, so nothing is predicted and their markers are hollow. Images: \
{words.images(settings)}. Networks: {words.training(settings)}, rate {settings.learning_rate:g}; \
{words.robust(settings)}. Noises: the gradient of one step, and projected gradients (PGD) in ℓ∞ \
balls of size {settings.sup_epsilon:.3g} and ℓ₂ balls of size {settings.epsilon:g}, in units from \
black to white, steps of a fifth of the size, images with noises not clipped; away from the label, \
or targeted: towards the next class. The classifier: {words.probes(settings)}. \
{words.bars(settings.draws).capitalize()}. {words.verdict(table)}."""
