"""`widetheory predict` and `train`."""

import argparse
import dataclasses
import functools
from collections.abc import Sequence
from typing import Any

from experiments.command import common
from experiments.command.verbs import Parser, add_json, add_verb
from experiments.learning import cost, pairs
from experiments.machine import environment
from experiments.report import learning
from experiments.report.console import print_json, tell
from experiments.report.progress import with_bar
from experiments.results.records import plain
from theory.perturbations.learning import PerturbationSetting
from theory.verification import canary

DRAWS = {"predict": 5, "train": 20}


def add(commands: Any) -> None:
    """The verbs with their options."""
    for name in DRAWS:
        run = functools.partial(_learn, train=name == "train")
        sub = add_verb(commands, name, run)
        for field in dataclasses.fields(PerturbationSetting):
            _add_parameter(sub, field)
        common.add_draws(sub, f"independent draws ({DRAWS[name]})", DRAWS[name])
        common.add_seed(sub)
        add_json(sub)
        says = "tf32: float32 with matrix products in TF32, where the device has it (float64)"
        common.add_precision(sub, ("float64", "float32", "tf32"), says)


def _add_parameter(sub: Parser, field: dataclasses.Field[Any]) -> None:
    rule = field.metadata
    choices = (
        "" if field.name == "data" or not rule["choices"] else ": " + "|".join(rule["choices"])
    )
    unit = "" if rule["unit"] == "1" else f", {rule['unit']}"
    if field.name in pairs.RATES:
        unit = ", or several, of which each quantity has the best"
    sub.add_argument(
        f"--{field.name.replace('_', '-')}",
        dest=f"setting_{field.name}",
        metavar="NAME" if rule["type"] is str else "K" if rule["type"] is int else "V",
        help=f"{rule['doc']}{choices}{unit} ({field.default})",
    )


def _learn(arguments: argparse.Namespace, *, train: bool) -> int:
    environment.configure(arguments.precision)
    common.check_seed(arguments)
    common.check_draws(arguments)
    draws = arguments.draws
    settings = _settings(arguments, train=train)
    canary.check(arguments.precision)
    steps = pairs.steps(settings, arguments.seed, draws, train)
    summary = pairs.summarize(with_bar(steps, _Draws(draws, pairs.beats(settings, train))))
    if arguments.json:
        result = pairs.as_json(settings, summary) | {
            "draws": draws,
            "seed": arguments.seed,
            "environment": environment.describe(),
        }
        print_json(common.asked(arguments) | plain(result))
    else:
        tell(learning.table(settings, summary, draws, arguments.seed))
    return 0


class _Draws(Sequence[str]):
    """The names of all beats of so many draws, none of which is kept."""

    def __init__(self, count: int, beats: int) -> None:
        self._count, self._beats = count, beats

    def __len__(self) -> int:
        return self._count * self._beats

    def __getitem__(self, index: Any) -> Any:
        return f"draw {index // self._beats + 1}"


def _settings(arguments: argparse.Namespace, *, train: bool) -> list[PerturbationSetting]:
    """The setting at each pair of rates; ValueError if one is wrong or would take too much."""
    given = {
        name.removeprefix("setting_"): value
        for name, value in vars(arguments).items()
        if name.startswith("setting_") and value is not None
    }
    try:
        settings = pairs.settings_of(given)
        cost.check(settings, arguments.draws, train=train)
    except ValueError as error:  # of a parameter, whose name may differ from its option's
        name, _, says = str(error).partition(" ")
        if name not in given:
            raise
        raise ValueError(f"--{name.replace('_', '-')} {says}") from error
    return settings
