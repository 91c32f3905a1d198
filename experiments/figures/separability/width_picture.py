"""The picture of `separability-width`."""

import itertools

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.figures import style
from experiments.figures.figure import Table
from experiments.figures.separability import words as words
from experiments.figures.separability.width import AIMS, WHEN, Settings
from experiments.images.experiment import SPLITS

ASIDE = (0.94, 1.06)  # factors: points that would cover each other stand beside their width
NETWORK = style.SERIES[2]
TITLES = {"drawn": "at initialization", "trained": "trained"}


def draw(settings: Settings, table: pd.DataFrame) -> Figure:
    """Accuracy against width: drawn and trained networks, training and test images."""
    figure, panels = style.axes(len(SPLITS), len(WHEN), height=2.1, sharex=True, sharey=True)
    for (row, split), (column, when) in itertools.product(enumerate(SPLITS), enumerate(WHEN)):
        ax = panels[row, column]
        _panel(ax, table[(table.network == when) & (table.split == split)])
        if row == 0:
            ax.set_title(TITLES[when])
        else:
            ax.set_xlabel("width (filters)")
        if column == 0:
            ax.set_ylabel(f"accuracy, {split}")
    pairs = list(zip(style.SERIES, AIMS, strict=False))
    handles = [
        *(words.marker(series, f"linear classifier of noises {aim}") for series, aim in pairs),
        words.marker(NETWORK, "the network itself, of images"),
        *(words.line(series, f"theorem's separator of noises {aim}") for series, aim in pairs),
        words.dashes("linear classifier of images"),
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=2)
    style.letters(panels)
    return figure


def _panel(ax: Axes, part: Table) -> None:
    for series, aim, aside in zip(style.SERIES, AIMS, ASIDE, strict=False):
        fitted = part[part.noises == aim]
        style.points(
            ax, fitted.width * aside, fitted["mean"], fitted.standard_error,
            series=series, held=fitted.held.astype(bool),
        )  # fmt: skip
        style.curve(ax, fitted.width, fitted.predicted, series=series)
    own = part[part.classifier == "the network, of images"]
    style.points(ax, own.width, own["mean"], own.standard_error, series=NETWORK)
    style.reference(ax, part[part.classifier == "linear, of images"]["mean"].iloc[0], "")
    ax.set_xscale("log", base=2)
    widths = sorted(set(part.width))
    ax.set_xticks(widths, [str(width) for width in widths])
    ax.minorticks_off()
    ax.set_ylim(-0.04, 1.06)


def caption(settings: Settings, table: pd.DataFrame) -> str:
    """What is drawn."""
    return f"""\
Noises of one gradient step (softmax temperature {settings.temperature:g}) of two-layer ReLU CNNs \
on {words.images(settings)}, as drawn and trained ({words.training(settings)}, rate \
{settings.learning_rate:g}). Markers, measured: accuracy of a linear classifier fitted to the \
noises of the training images ({words.probes(settings)}) on these and on the noises of the test \
images, and the network's own accuracy on the images. Grey dashes: the same linear classifier \
fitted to the images. Lines, by theory, nothing fitted: classes by the separator −Wᵀa of theorem \
3.1 with the weights as drawn, which a wide network must obey at initialization, and a trained one \
where it is as wide as theorem 3.6 asks. Filled markers of noises: it classifies every training \
noise, in all draws, a certificate that these are linearly separable; hollow: it does not, and no \
theorem predicts anything. Claim tested: noises are easier to classify than images. \
{words.bars(settings.draws).capitalize()}. {words.verdict(table)}."""
