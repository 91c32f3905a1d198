"""What `predict` and `train` do: settings from text, pairs of networks, and means over draws."""

import dataclasses
import itertools
import math
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import jax
import numpy as np

from experiments.datasets import sources
from experiments.files.strict_json import Record
from experiments.machine import environment
from experiments.results import records
from experiments.results.summaries import RunningMean
from experiments.settings import grid, number_lists
from experiments.settings.text import configured, read
from theory import Dataset
from theory._validation import check_real
from theory.keys import make_key
from theory.perturbations import learning_in_slices
from theory.perturbations.learning import PerturbationSetting, Quantities, measure
from theory.perturbations.prediction import LAZY, Prediction, predict_in_full

RATES = ("lr_f", "lr_g")


class Drawn(NamedTuple):
    """One draw at one pair of learning rates: what is predicted, and what was trained, if asked."""

    predicted: Prediction
    trained: Quantities | None


class Summary(NamedTuple):
    """Means over draws at each of P pairs of learning rates.

    predicted, spread: (P,) of each quantity, the spread as root mean square; NaN where the limit is
    not claimed, and the spread also where no law of it is known.  trained, error: mean and standard
    error, None without training.  best: of each quantity, which pair is shown: the one with the
    largest mean, trained if anything was and else predicted; where nothing is predicted at any
    pair, None.  times: (P, 2) T_f and T_g.  switching: (P, 2) bounds on the share of neurons that
    change their activation.
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
    source = sources.load(given.pop("data", "shifted-gaussian"))
    setting = configured(PerturbationSetting(), source, given)
    if isinstance(source, Dataset):  # sizes that fit the data, unless asked for
        rows = len(source.x)
        n = setting.n if "n" in given else rows // 2
        queries = setting.queries if "queries" in given else max(1, min(500, rows - n))
        setting = dataclasses.replace(setting, n=n, queries=queries)
    tried = math.prod(1 if values is None else len(values) for values in rates)
    if tried > grid.MAX_CELLS:
        raise ValueError(
            f"--lr-f and --lr-g must have at most {grid.MAX_CELLS:,} pairs of values, got {tried:,}"
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
        return (check_real(name, read(field, text), low=0, open_low=True),)
    found = number_lists.once(name, number_lists.numbers(name, text, float))
    for value in found:
        check_real(name, value, low=0, open_low=True)
    return found


def beats(settings: Sequence[PerturbationSetting], train: bool) -> int:
    """How many values `steps` yields for each draw."""
    return 1 + sum(learning_in_slices.slices_of(setting) for setting in settings if train)


def steps(
    settings: list[PerturbationSetting], seed: int, draws: int, train: bool
) -> Iterator[list[Drawn] | None]:
    """Each draw at every pair of learning rates: the same data, labels y' and initial weights.

    Where a network is so wide that it is trained in slices, None after every slice.

    Raises:
      ValueError: if a prediction or a training overflows.
    """
    for index in range(draws):
        key = jax.random.fold_in(make_key(seed), index)
        row = []
        for setting in settings:
            row.append((yield from _drawn(key, setting, train)))
        yield row


def _drawn(
    key: jax.Array, setting: PerturbationSetting, train: bool
) -> Generator[None, None, Drawn]:
    predicted, trained = jax.device_get(predict_in_full(key, setting)), None
    if train and learning_in_slices.in_slices(setting):
        trained = jax.device_get((yield from learning_in_slices.measure_in_slices(key, setting)))
    elif train:
        trained = jax.device_get(measure(key, setting))
    drawn = Drawn(predicted, trained)
    for what, values in (("prediction", drawn.predicted.quantities), ("training", drawn.trained)):
        if values is not None and not np.isfinite(values).all():
            names = ("lr_f", "lr_g", "steps_f", "steps_g", "epsilon")
            given = ", ".join(f"{name} = {getattr(setting, name):g}" for name in names)
            precision = environment.precision()
            raise ValueError(f"the {what} overflows in {precision} with {given}; take smaller ones")
    return drawn


def summarize(drawn: Iterable[list[Drawn] | None]) -> Summary:
    """Means over draws, and the best pair of learning rates for each quantity.

    Draws are added up as they come, none is kept. What the limit is not claimed for is left out
    here, so that it neither is shown nor chooses.
    """
    switching, times, predicted, spread, trained = (RunningMean() for _ in range(5))
    for row in drawn:
        if row is None:  # a slice of the work on a draw
            continue
        found = [one.predicted for one in row]
        switching.add(np.array([(one.switching_f, one.switching_g) for one in found], float))
        times.add(np.array([(one.time_f, one.time_g) for one in found], float))
        predicted.add(np.array([one.quantities for one in found], float))
        spread.add(np.array([one.spread for one in found], float) ** 2)
        if row[0].trained is not None:
            trained.add(np.array([one.trained for one in row], float))
    claimed = _claimed(switching.mean)
    limits = np.where(claimed, predicted.mean, np.nan)
    shown = trained.mean if trained.count else limits
    return Summary(
        Quantities(*limits.T),
        Quantities(*np.where(claimed, np.sqrt(spread.mean), np.nan).T),
        Quantities(*trained.mean.T) if trained.count else None,
        Quantities(*trained.error.T) if trained.count else None,
        Quantities(*(None if np.isnan(means).all() else int(np.nanargmax(means))
                     for means in shown.T)),
        times.mean,
        switching.mean,
    )  # fmt: skip


def _claimed(switching: np.ndarray) -> np.ndarray:
    """(P, 4) whether each quantity is predicted where the limit is claimed, from (P, 2) bounds."""
    f, g = (switching <= LAZY).T
    return np.stack(Quantities(f, f & g, f & g, f), axis=1)


def at_best(summary: Summary, part: Quantities | None, name: str) -> float | None:
    """A number of a quantity at the pair that is shown; None where there is none."""
    at = getattr(summary.best, name)
    value = math.nan if part is None or at is None else float(getattr(part, name)[at])
    return value if math.isfinite(value) else None


def in_range(summary: Summary, name: str) -> bool:
    """Whether the quantity is predicted at the pair that is shown."""
    return at_best(summary, summary.predicted, name) is not None


def condition_bounds(summary: Summary, name: str) -> tuple[float, float]:
    """Share of neurons of f and of g that may switch: at the pair shown, else the least of all."""
    at = getattr(summary.best, name)
    f, g = summary.switching.min(axis=0) if at is None else summary.switching[at]
    return float(f), float(g)


def _range_json(setting: PerturbationSetting, summary: Summary, name: str) -> Record:
    f, g = condition_bounds(summary, name)
    claimed = in_range(summary, name)
    return {
        "claimed": claimed,
        "switching_f": f,
        "switching_g": g,
        "claimed_up_to": LAZY,
        "reason": None if claimed else out_of_range(setting, f, g),
    }


def out_of_range(setting: PerturbationSetting, f: float, g: float) -> str:
    """Why the prediction of the infinite-width limit is not claimed; f, g: shares that change."""
    return (
        f"outside the range of the infinite-width limit, which is claimed where at most {LAZY:.0%} "
        f"of the neurons can change their activation; the bound here is {f:.0%} for f and {g:.0%} "
        f"for g (T ≪ √m = {setting.m**0.5:.3g} is needed)"
    )


def as_json(settings: list[PerturbationSetting], summary: Summary) -> Record:
    """What is printed with --json, for each quantity at the pair of rates that is best for it."""

    def shown(part: Quantities) -> Record:
        return {name: at_best(summary, part, name) for name in Quantities._fields}

    first = records.plain(settings[0])
    for name in RATES:
        first[name] = sorted({getattr(setting, name) for setting in settings})
        if len(first[name]) == 1:
            (first[name],) = first[name]
    result: Record = {
        "predicted": shown(summary.predicted),
        "spread_of_one_draw": shown(summary.spread),
        "range": {name: _range_json(settings[0], summary, name) for name in Quantities._fields},
    }
    if summary.trained is not None and summary.error is not None:
        mean, error = shown(summary.trained), shown(summary.error)
        result["trained"] = {
            name: {"mean": mean[name], "standard_error": error[name]} for name in Quantities._fields
        }
    times = summary.times[0] if len(settings) == 1 else (None, None)
    if len(settings) > 1:
        result["rates"] = {
            name: None if i is None else {
                "lr_f": settings[i].lr_f, "lr_g": settings[i].lr_g,
                "T_f": float(summary.times[i][0]), "T_g": float(summary.times[i][1]),
            }
            for name, i in summary.best._asdict().items()
        }  # fmt: skip
    times = {f"T_{w}": None if t is None else float(t) for w, t in zip("fg", times, strict=True)}
    return result | {"setting": first | times}
