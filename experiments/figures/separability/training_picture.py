"""The picture of `separability-training`."""

import itertools

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.figures import style
from experiments.figures.figure import Table
from experiments.figures.separability import words as words
from experiments.figures.separability.training import Settings
from experiments.images import experiment
from experiments.images.experiment import SPLITS

LIMITS = (-0.04, 1.06)
ASIDE = (-0.12, 0.12)  # measured points that would cover each other stand beside their epoch
NETWORK, DRAWN, PRESENT = style.SERIES[2], style.SERIES[5], style.SERIES[3]


def draw(settings: Settings, table: pd.DataFrame) -> Figure:
    """Accuracy against epochs: a column per learning rate, two rows per network."""
    networks, rates = list(dict.fromkeys(table.network)), list(dict.fromkeys(table.rate))
    rows = list(itertools.product(networks, SPLITS))
    figure, panels = style.axes(len(rows), len(rates), height=1.55, sharex=True, sharey=True)
    for (row, (network, split)), (column, rate) in itertools.product(
        enumerate(rows), enumerate(rates)
    ):
        ax = panels[row, column]
        chosen = (table.network == network) & (table.rate == rate) & (table.split == split)
        _panel(ax, table[chosen])
        ax.set_title(f"{experiment.title(network, settings)}, rate {rate:g}")
        if column == 0:
            ax.set_ylabel(f"accuracy, {split}")
        if row == len(rows) - 1:
            ax.set_xlabel("epoch")
    temperatures = _temperatures(table)
    handles = [
        *(
            words.marker(series, f"linear classifier of noises, temperature {temperature:g}")
            for series, temperature in zip(style.SERIES, temperatures, strict=False)
        ),
        words.marker(NETWORK, "the network itself, of images"),
        words.dashes("linear classifier of images"),
        words.line(DRAWN, "theorem's separator of noises, weights as drawn"),
        words.line(PRESENT, "the same, present weights"),
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=2)
    style.letters(panels)
    return figure


def _temperatures(table: pd.DataFrame) -> list[float]:
    return sorted(table.temperature.dropna().unique())


def _panel(ax: Axes, part: Table) -> None:
    epochs = sorted(set(part.epoch))
    place = part.epoch.map(epochs.index)
    temperatures = _temperatures(part)
    for series, temperature, aside in zip(style.SERIES, temperatures, ASIDE, strict=False):
        rows = part.temperature == temperature
        fitted = part[rows]
        style.points(
            ax, place[rows] + aside, fitted["mean"], fitted.standard_error,
            series=series, held=fitted.held.astype(bool),
        )  # fmt: skip
        if temperature == temperatures[0] and fitted.predicted.notna().any():
            style.curve(ax, place[rows], fitted.predicted, series=DRAWN)
            style.curve(ax, place[rows], fitted.present, series=PRESENT)
    rows = part.classifier == "the network, of images"
    style.points(ax, place[rows], part[rows]["mean"], part[rows].standard_error, series=NETWORK)
    style.reference(ax, part[part.classifier == "linear, of images"]["mean"].iloc[0], "")
    ax.set_xticks(range(len(epochs)), [str(epoch) for epoch in epochs])
    ax.set_ylim(*LIMITS)


def _training(settings: Settings) -> str:
    """How the networks are trained, the robust ones too if there are any."""
    robust = any(map(experiment.is_robust, settings.networks))
    return words.training(settings) + (f"; {words.robust(settings)}" if robust else "")


def caption(settings: Settings, table: pd.DataFrame) -> str:
    """What is drawn."""
    temperatures = " and ".join(f"{t:g}" for t in settings.temperatures)
    return f"""\
Noises of one gradient step (away from the label, softmax temperature \
{temperatures}) of networks on {words.images(settings)}, while \
these are trained ({_training(settings)}). Markers, measured: accuracy of a linear \
classifier fitted to the noises of the training images ({words.probes(settings)}) on these and on \
the noises of the test images, and the network's own accuracy on the images. Grey dashes: the \
same linear classifier fitted to the images. Lines, by theory, nothing fitted (temperature \
{_temperatures(table)[0]:g}): classes by the separator −Wᵀa of theorem 3.1 in two-layer networks, \
with the weights as drawn (right at initialization, and near it in networks as wide as theorem 3.6 \
asks) and with the present weights (covered by no theorem). Filled markers of noises: one of these \
two classifies every training noise, in all draws, a certificate that these are linearly \
separable; hollow: neither does, or there are more than two layers, where no theorem predicts \
anything. Claim tested: noises are easier to classify than images, also far from initialization. \
{words.bars(settings.draws).capitalize()}. {words.verdict(table)}."""
