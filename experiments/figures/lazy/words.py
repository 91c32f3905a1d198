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
from experiments.figures.lazy.axes import Base
from theory._wording import counted

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


def data_words(settings: Base, laws: Iterable[str]) -> str:
    """The laws of points and test points, those that are shown, and what is measured at which."""
    queries = settings.queries
    if settings.measure_on == "training":
        words = {
            "shifted-gaussian": "Shifted Gaussian: x ~ N(±0.3·1, I) for labels ±1.",
            "gaussian": "Gaussian: x ~ N(0, I) with labels independent of x.",
        }
        return (
            "Accuracies, of f and of g, are those on f's own training points and labels, as "
            f"published; agreement is that on {queries} fresh points of the same law. "
        ) + " ".join(words[law] for law in NAMES if law in set(laws))
    words = {
        "shifted-gaussian": "Shifted Gaussian: x ~ N(±0.3·1, I) for labels ±1, "
        f"{queries} test points of the same law.",
        "gaussian": "Gaussian: x ~ N(0, I) with labels independent of x, of which nothing can be "
        f"known elsewhere: test points are the first {queries} training points of f (all, if these "
        "are fewer), as for K24a.",
    }
    return " ".join(words[law] for law in NAMES if law in set(laws))


def rates_words(settings: Base, optimism: Any) -> str:
    """Which learning rates are shown, how they change, and what choosing them adds."""
    rates = " and ".join(f"{rate:g}" for rate in settings.rates)
    if settings.best == "metric":
        chosen = (
            f"Learning rates of f and of g: {rates}; at each point each quantity is shown at the "
            "pair of rates that is best for it, as published, which may be another for each "
            "quantity; the prediction is made for the same pair. "
        )
    else:
        chosen = (
            f"Learning rates: {rates}; at each point each network has the one with the better mean "
            "accuracy over the draws (g learns of that f), and the prediction is made for the same "
            "rate. "
        )
    chosen += (
        "Choosing on the values shown adds at most half the standard error of the differences to a "
        f"mean: {optimism.max():.3f} at most, {optimism.median():.3f} in the median."
    )
    if settings.schedule == "plateau":
        chosen += (
            " The rate is a tenth after eleven steps without a loss lower by a factor 1 − 10⁻⁴, "
            "so that T is what the rates that were taken add up to: the axes T_f and T_g name that "
            "of the initial rate. The limit follows the schedule by its own loss."
        )
    return chosen


def draws_words(settings: Base, laws: Iterable[str]) -> str:
    """How many draws means are over, and what bars are."""
    by_law = {"shifted-gaussian": settings.draws, "gaussian": settings.gaussian_draws}
    shown = {law: count for law, count in by_law.items() if law in set(laws)}
    counts = set(shown.values())
    if len(counts) == 1 and min(counts) > 1:
        return f"means over {min(counts)} draws of data and networks, bars ±2 standard errors"
    each = (
        f"{NAMES[law]}: " + (f"means over {count} draws" if count > 1 else "a single draw, no bars")
        for law, count in shown.items()
    )
    return f"of data and networks ({'; '.join(each)}), bars ±2 standard errors"


def compared(table: pd.DataFrame) -> str:
    """How many measured means are near the prediction, filled and hollow."""
    # The base setting is a point of several axes: counted once.
    points: Any = table.drop_duplicates(["mean", "predicted", "difference", "difference_error"])
    single: Any = points[points["draws"] < 2]
    alone = ""
    if len(single):
        alone = (
            f"Of single draws, {counted(len(single), 'point')}, no error is known; they are "
            f"{single['difference'].abs().median():.3f} from the prediction in the median, "
            f"{single['difference'].abs().max():.3f} at most."
        )
    points = points[points["draws"] > 1]
    if not len(points):
        return alone
    distance = points["difference"].abs()
    near = distance <= 2 * points["difference_error"]
    counts = []
    for name, rows in (("filled", points["held"]), ("hollow", ~points["held"])):
        if rows.any():
            counts.append(
                f"{int(near[rows].sum())} of {int(rows.sum())} {name} means (the farthest is "
                f"{distance[rows].max():.3f} off)"
            )
    share = 2 * stats.t.sf(2, points["draws"].min() - 1)
    return (
        "Within 2 standard errors of the difference, paired by draws, are "
        f"{' and '.join(counts)}; {share:.0%} would be beyond by chance. {alone}"
    ).rstrip()


def ticks(ax: Axes, values: Sequence[float]) -> None:
    """Names the values on a logarithmic axis where they are few, as two decades need it.

    A value of 0 stands left of all others, on an axis that is linear up to the least of them.
    """
    if min(values) > 0:
        ax.set_xscale("log")
    else:
        ax.set_xscale("symlog", linthresh=min((v for v in values if v > 0), default=1.0))
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
