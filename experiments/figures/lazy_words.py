"""What captions and axes of K24b's figures share."""

from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import NullLocator
from scipy import stats

from experiments.figures import style

LABELS = {
    "d": "dimension d",
    "epsilon": "ε/√d",
    "m": "width m",
    "slope": "slope γ",
    "n": "training points n",
    "T_f": "training time $T_f$",
    "T_g": "training time $T_g$",
}
NAMES = {"shifted-gaussian": "shifted Gaussian", "gaussian": "Gaussian"}


def data_words(queries: int, laws: Iterable[str]) -> str:
    """The laws of points and test points, those that are shown."""
    words = {
        "shifted-gaussian": "Shifted Gaussian: x ~ N(±0.3·1, I) for labels ±1, "
        f"{queries} test points of the same law.",
        "gaussian": "Gaussian: x ~ N(0, I) with labels independent of x, of which nothing can be "
        f"known elsewhere: test points are the first {queries} training points of f (all, if these "
        "are fewer), as for K24a.",
    }
    return " ".join(words[law] for law in NAMES if law in set(laws))


def compared(table: pd.DataFrame) -> str:
    """How many measured means are near the prediction, filled and hollow."""
    # The base setting is a point of several axes: counted once.
    points: Any = table.drop_duplicates(["mean", "predicted", "difference", "difference_error"])
    distance = points["difference"].abs()
    near = distance <= 2 * points["difference_error"]
    counts = []
    for name, rows in (("filled", points["held"]), ("hollow", ~points["held"])):
        if rows.any():
            counts.append(
                f"{int(near[rows].sum())} of {int(rows.sum())} {name} means (the farthest is "
                f"{distance[rows].max():.3f} off)"
            )
    share = 2 * stats.t.sf(2, table["draws"].min() - 1)
    return (
        "Within 2 standard errors of the difference, paired by draws, are "
        f"{' and '.join(counts)}; {share:.0%} would be beyond by chance."
    )


def ticks(ax: Axes, values: Sequence[float]) -> None:
    """Names the values on a logarithmic axis where they are few, as two decades need it."""
    ax.set_xscale("log")
    if len(values) <= 4:
        ax.set_xticks(values, [f"{value:g}" for value in values])
        ax.xaxis.set_minor_locator(NullLocator())


def legend(figure: Figure, shown: Iterable[tuple[style.Series, str]], *, columns: int) -> None:
    """Names the series above the panels, and says what lines and markers mean."""
    handles = [
        Line2D(
            [], [], color=series.colour, linestyle=series.line, marker=series.marker, label=name
        )
        for series, name in shown
    ]  # fmt: skip
    figure.legend(
        handles=handles + style.key_of_markers(), loc="outside upper center", ncols=columns
    )
