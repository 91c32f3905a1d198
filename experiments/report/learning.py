"""The table of `predict` and `train`."""

from collections.abc import Iterator

import numpy as np
from rich.console import Group
from rich.text import Text

from experiments.learning.pairs import (
    Summary,
    at_best,
    condition_bounds,
    in_range,
    out_of_range,
)
from experiments.machine import environment
from experiments.report.rows import Rows
from theory._wording import counted
from theory.perturbations.learning import (
    PerturbationSetting,
)

NONE = "—"  # where there is no number


LABELS = {
    "accuracy_f": "accuracy of f",
    "accuracy_g": "accuracy of g",
    "agreement": "agreement of f and g",
    "cosine": "cosine similarity",
}


def table(settings: list[PerturbationSetting], summary: Summary, draws: int, seed: int) -> Group:
    """The table of `predict`, or of `train` where something was trained."""
    setting, several = settings[0], len(settings) > 1
    columns = ["Quantity", "Predicted", "One draw\nis off by"]
    columns += [] if summary.trained is None else ["Trained", "Trained −\npredicted"]
    columns += ["at lr_f,\nlr_g"] if several else []
    rows = []
    for name, label in LABELS.items():
        at = getattr(summary.best, name)
        predicted = at_best(summary, summary.predicted, name)
        spread = at_best(summary, summary.spread, name)
        row = [label, _text(predicted), _text(spread, "±{:.4f}")]
        if summary.trained is not None:
            mean = at_best(summary, summary.trained, name)
            error = at_best(summary, summary.error, name)
            difference = None if mean is None or predicted is None else mean - predicted
            between = "\n" if several else " "  # seven columns fit into 80 by it
            row.append(_text(mean) + ("" if error is None else f"{between}± {error:.4f}"))
            row.append(_text(difference, "{:+.4f}"))
        if several:
            row.append(NONE if at is None else f"{settings[at].lr_f:g}, {settings[at].lr_g:g}")
        rows.append((*row, "yes" if in_range(summary, name) else "NO"))
    return Group(
        Text("Learning from perturbations", style="bold"),
        Text(_words(setting, summary, several)),
        Rows((*columns, "In\nrange"), rows, prose=(0,), right=range(1, len(columns) + 1)),
        *_notes(setting, summary, several),
        Text(
            f"Values: {'mean' if summary.trained is None else 'mean ± standard error'} over "
            f"{counted(draws, 'draw')} of data, labels and weights. Seed {seed}.",
            style="dim",
        ),
        Text(environment.line(), style="dim"),
    )


def _text(value: float | None, form: str = "{:.4f}") -> str:
    return NONE if value is None else form.format(value)


def _words(setting: PerturbationSetting, summary: Summary, several: bool) -> str:
    times = ", ".join(f"T_{w} = {t:.4g}" for w, t in zip("fg", summary.times[0], strict=True))
    places = {
        "fresh": f"accuracies and agreement on {counted(setting.queries, 'fresh point')}",
        "training": f"accuracies on f's training points, agreement on {setting.queries} fresh ones",
    }
    return (
        f"{setting.data}, n = {setting.n}, d = {setting.d}, m = {setting.m}, "
        f"γ = {setting.slope:g}, ε = {setting.epsilon:g}, {setting.loss} loss, scenario "
        f"{setting.scenario}, {setting.schedule} learning rate, "
        f"{'' if several else times + ', '}{places[setting.measure_on]}, {setting.cosine} cosine"
    )


def _notes(setting: PerturbationSetting, summary: Summary, several: bool) -> Iterator[Text]:
    if several:
        yield Text(
            "Each quantity at the pair of learning rates that is best for it, chosen on the values "
            "shown: the largest of several means is biased upwards."
        )
    if outside := [name for name in LABELS if not in_range(summary, name)]:
        f, g = np.max([condition_bounds(summary, name) for name in outside], axis=0)
        yield Text(f"NO: {out_of_range(setting, f, g)}.", style="yellow")
    yield Text(
        "One draw is off by: standard deviation over the networks' initial outputs, of which the "
        "prediction is the mean."
        if setting.independent
        else f"One draw is off by: {NONE}, as no law of it is known where what is trained depends "
        "on the initial outputs: for the logistic loss and for rates reduced on a plateau.",
        style="dim",
    )
