"""What `predict` and `train` do: settings from text, pairs of networks, and a table of them."""

import dataclasses
import itertools
import math
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import jax
import numpy as np
from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from experiments import data, environment, grid, report, runs
from theory import Dataset
from theory._validation import check_real
from theory.keys import make_key
from theory.perturbation_learning import (
    LAZY,
    PerturbationSetting,
    Prediction,
    Quantities,
    measure,
    predict_in_full,
)

RATES = ("lr_f", "lr_g")
LABELS = {
    "accuracy_f": "accuracy of f",
    "accuracy_g": "accuracy of g",
    "agreement": "agreement of f and g",
    "cosine": "cosine similarity",
}


class Drawn(NamedTuple):
    """One draw at one pair of learning rates: what is predicted, and what was trained, if asked."""

    predicted: Prediction
    trained: Quantities | None


class Summary(NamedTuple):
    """Means over draws at each of P pairs of learning rates.

    predicted, spread: (P,) of each quantity, the spread as root mean square.  trained, error: mean
    and standard error, None without training.  best: of each quantity, which pair is shown: the one
    with the largest mean, trained if anything was and else predicted.  times: (P, 2) T_f and T_g.
    switching: (P, 2) bounds on the share of neurons that change their activation.
    """

    predicted: Quantities
    spread: Quantities
    trained: Quantities | None
    error: Quantities | None
    best: Quantities
    times: np.ndarray
    switching: np.ndarray


def settings_of(given: Mapping[str, str]) -> list[PerturbationSetting]:
    """One setting for each pair of learning rates.

    Args:
      given: NAME → VALUE in text, with lists of learning rates where several are tried.

    Raises:
      ValueError: for values that are none, an empty list of rates, or rates ≤ 0.
    """
    given = dict(given)
    rates = [_rates(name, given.pop(name)) if name in given else None for name in RATES]
    source = data.load(given.pop("data", "shifted-gaussian"))
    setting = runs.configured(PerturbationSetting(), source, given)
    if isinstance(source, Dataset):  # sizes that fit the data, unless asked for
        rows = len(source.x)
        n = setting.n if "n" in given else rows // 2
        queries = setting.queries if "queries" in given else max(1, min(500, rows - n))
        setting = dataclasses.replace(setting, n=n, queries=queries)
    tried = math.prod(1 if values is None else len(values) for values in rates)
    if tried > grid.MAX_CELLS:
        raise ValueError(
            f"lr_f and lr_g must have at most {grid.MAX_CELLS:,} pairs of values, got {tried:,}"
        )
    pairs = itertools.product(
        *(
            (getattr(setting, name),) if values is None else values
            for name, values in zip(RATES, rates, strict=True)
        )
    )
    return [dataclasses.replace(setting, lr_f=f, lr_g=g) for f, g in pairs]


def _rates(name: str, text: str) -> tuple[float, ...]:
    if not text.strip():
        raise ValueError(f"{name} must be a learning rate or a list of them, got {text!r}")
    if not {",", ":"} & set(text):  # the message for one number says what one number must be
        field = next(f for f in dataclasses.fields(PerturbationSetting) if f.name == name)
        return (check_real(name, runs.read(field, text), low=0, open_low=True),)
    found = grid.numbers(name, text, float)
    for value in found:
        check_real(name, value, low=0, open_low=True)
    return found


def steps(
    settings: list[PerturbationSetting], seed: int, draws: int, train: bool
) -> Iterator[list[Drawn]]:
    """Each draw at every pair of learning rates: the same data, labels y' and initial weights.

    Raises:
      ValueError: if a prediction or a training overflows.
    """
    for index in range(draws):
        key = jax.random.fold_in(make_key(seed), index)
        yield [_drawn(key, setting, train) for setting in settings]


def _drawn(key: jax.Array, setting: PerturbationSetting, train: bool) -> Drawn:
    drawn = Drawn(
        jax.device_get(predict_in_full(key, setting)),
        jax.device_get(measure(key, setting)) if train else None,
    )
    for what, values in (("prediction", drawn.predicted.quantities), ("training", drawn.trained)):
        if values is not None and not np.isfinite(values).all():
            names = ("lr_f", "lr_g", "steps_f", "steps_g", "epsilon")
            given = ", ".join(f"{name} = {getattr(setting, name):g}" for name in names)
            precision = environment.precision()
            raise ValueError(f"the {what} overflows in {precision} with {given}; take smaller ones")
    return drawn


def summarize(drawn: list[list[Drawn]]) -> Summary:
    """Means over draws, and the best pair of learning rates for each quantity."""

    def stacked(part: Any) -> np.ndarray:
        """(draws, pairs, …)."""
        return np.array([[part(one) for one in row] for row in drawn], float)

    predicted = stacked(lambda one: one.predicted.quantities)
    spread = stacked(lambda one: one.predicted.spread)
    trained = error = None
    shown = predicted.mean(axis=0)
    if drawn[0][0].trained is not None:
        values, count = stacked(lambda one: one.trained), len(drawn)
        shown = values.mean(axis=0)
        trained = Quantities(*shown.T)
        deviation = values.std(axis=0, ddof=1) if count > 1 else np.full(shown.shape, np.nan)
        error = Quantities(*(deviation / count**0.5).T)
    return Summary(
        Quantities(*predicted.mean(axis=0).T),
        Quantities(*np.sqrt((spread**2).mean(axis=0)).T),
        trained,
        error,
        Quantities(*(int(i) for i in np.argmax(shown, axis=0))),
        stacked(lambda one: (one.predicted.time_f, one.predicted.time_g)).mean(axis=0),
        stacked(lambda one: (one.predicted.switching_f, one.predicted.switching_g)).mean(axis=0),
    )


def in_range(summary: Summary, name: str) -> bool:
    """Whether the quantity is predicted where the limit is claimed, at the pair that is shown."""
    f, g = summary.switching[getattr(summary.best, name)] <= LAZY
    return bool(f and (g or name in ("accuracy_f", "cosine")))


def as_json(settings: list[PerturbationSetting], summary: Summary) -> dict[str, Any]:
    """What is printed with --json, for each quantity at the pair of rates that is best for it."""

    def shown(part: Quantities) -> dict[str, Any]:
        return {
            name: float(getattr(part, name)[getattr(summary.best, name)])
            for name in Quantities._fields
        }

    first = report.plain(settings[0])
    for name in RATES:
        first[name] = sorted({getattr(setting, name) for setting in settings})
        if len(first[name]) == 1:
            (first[name],) = first[name]
    result: dict[str, Any] = {
        "predicted": shown(summary.predicted),
        "spread_of_one_draw": shown(summary.spread),
        "range": {
            name: {
                "claimed": in_range(summary, name),
                "switching_f": float(summary.switching[getattr(summary.best, name)][0]),
                "switching_g": float(summary.switching[getattr(summary.best, name)][1]),
                "claimed_up_to": LAZY,
            }
            for name in Quantities._fields
        },
    }
    if summary.trained is not None and summary.error is not None:
        mean, error = shown(summary.trained), shown(summary.error)
        result["trained"] = {
            name: {"mean": mean[name], "standard_error": error[name]} for name in Quantities._fields
        }
    times = summary.times[0] if len(settings) == 1 else (None, None)
    if len(settings) > 1:
        result["rates"] = {
            name: {
                "lr_f": settings[i].lr_f, "lr_g": settings[i].lr_g,
                "T_f": float(summary.times[i][0]), "T_g": float(summary.times[i][1]),
            }
            for name, i in summary.best._asdict().items()
        }  # fmt: skip
    times = {f"T_{w}": None if t is None else float(t) for w, t in zip("fg", times, strict=True)}
    return result | {"setting": first | times}


def table(settings: list[PerturbationSetting], summary: Summary, draws: int, seed: int) -> Group:
    """The table of `predict`, or of `train` where something was trained."""
    setting, several = settings[0], len(settings) > 1
    shown = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    shown.add_column("Quantity")
    columns = ["Predicted", "One draw is off by"]
    columns += [] if summary.trained is None else ["Trained", "Difference"]
    columns += ["at lr_f, lr_g"] if several else []
    for column in (*columns, "In range"):
        shown.add_column(column, justify="right")
    for name, label in LABELS.items():
        at = getattr(summary.best, name)
        predicted, spread = (
            float(getattr(part, name)[at]) for part in (summary.predicted, summary.spread)
        )
        row = [label, f"{predicted:.4f}", "" if name == "cosine" or math.isnan(spread) else
               f"±{spread:.4f}"]  # fmt: skip
        if summary.trained is not None and summary.error is not None:
            mean, error = (
                float(getattr(part, name)[at]) for part in (summary.trained, summary.error)
            )
            uncertain = f" ± {error:.4f}" if math.isfinite(error) else ""
            row += [f"{mean:.4f}{uncertain}", f"{mean - predicted:+.4f}"]
        if several:
            row.append(f"{settings[at].lr_f:g}, {settings[at].lr_g:g}")
        shown.add_row(*row, "yes" if in_range(summary, name) else "NO")
    return Group(
        Text("Learning from perturbations", style="bold"),
        Text(_words(setting, summary, several)),
        shown,
        *_notes(setting, summary, several),
        Text(
            f"Values: {'mean' if summary.trained is None else 'mean ± standard error'} over "
            f"{draws} draws of data, labels and weights. Seed {seed}.",
            style="dim",
        ),
        Text(environment.line(), style="dim"),
    )


def _words(setting: PerturbationSetting, summary: Summary, several: bool) -> str:
    times = ", ".join(f"T_{w} = {t:.4g}" for w, t in zip("fg", summary.times[0], strict=True))
    places = {
        "fresh": f"accuracies and agreement on {setting.queries} fresh points",
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
    if not all(in_range(summary, name) for name in LABELS):
        f, g = summary.switching.max(axis=0)
        yield Text(
            f"NO: outside the range of the infinite-width limit, which is claimed where at most "
            f"{LAZY:.0%} of the neurons can change their activation; the bound here is {f:.0%} "
            f"for f and {g:.0%} for g (T ≪ √m = {setting.m**0.5:.3g} is needed).",
            style="yellow",
        )
    if setting.independent:
        yield Text(
            "One draw is off by: standard deviation over the networks' initial outputs, of which "
            "the prediction is the mean.",
            style="dim",
        )
