"""The picture of the toy figures."""

from experiments.figures import style


def draw(settings, table):
    figure, axes = style.axes()
    style.points(
        axes[0, 0], table["K"], table["mean"], table["standard_error"], series=style.SERIES[0]
    )
    style.reference(axes[0, 0], 0.5, "predicted")
    return figure


def caption(settings, table):
    return "Means of uniform numbers."
