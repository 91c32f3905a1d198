"""`widetheory figure`."""

import argparse
from typing import Any

from experiments.command import common
from experiments.command.verbs import add_json, add_verb
from experiments.figures import building, registry
from experiments.files import writing
from experiments.machine import environment, interrupts, streams
from experiments.report import figures
from experiments.report.console import print_json, tell
from experiments.report.progress import with_progress
from experiments.results.store import Store
from theory.verification import canary


def add(commands: Any) -> None:
    """The verb with its options."""
    sub = add_verb(commands, "figure", _figure)
    sub.add_argument(
        "names", nargs="*", metavar="NAME|FILE.py[:NAME]",
        help="figures (see --list), all, or those of a file of your own",
    )  # fmt: skip
    sub.add_argument(
        "--list", action="store_true", dest="listed",
        help="list the figures: source, content, cost",
    )  # fmt: skip
    sub.add_argument(
        "--preset", choices=("quick", "paper"), default="quick",
        help="quick: under two minutes each on two cores; paper: as published, meant for a GPU",
    )  # fmt: skip
    sub.add_argument("--out", default="figures", metavar="DIR", help="where to write (figures)")
    sub.add_argument("--resume", action="store_true", help="go on with the figures in DIR, if any")
    common.add_settings(sub, "a setting of the figures", "figure --list --json")
    common.add_seed(sub)
    add_json(sub)
    says = "tf32: float32 with matrix products in TF32, where the device has it (float32)"
    common.add_precision(sub, ("float32", "float64", "tf32"), says, "float32")
    common.add_engine(sub, "cells", "1")


def _figure(arguments: argparse.Namespace) -> int:
    if arguments.listed:
        return _list(arguments)
    if not arguments.names:
        raise ValueError("NAME must be a figure, or all; --list shows them")
    environment.configure(arguments.precision)
    canary.check(arguments.precision)
    common.check_seed(arguments)
    engine = common.engine(arguments, arguments.jobs)
    planned, left_out = building.plan_figures(
        arguments.names,
        preset=arguments.preset,
        data_name=arguments.data,
        settings=common.settings_of(arguments.settings),
        seed=arguments.seed,
    )
    for name, why in left_out.items():
        streams.say(f"left out, as it cannot be made of {arguments.data}: {name}: {why}")
    if not arguments.resume and not (engine and engine.elsewhere):
        for figure in planned:
            building.check_memory(figure)
    made_of = [f"{one.figure.name}.{kind}" for one in planned for kind in building.KINDS]
    out = writing.directory("--out", arguments.out, *made_of)
    places = [building.begin(figure, out, resume=arguments.resume) for figure in planned]
    made = []
    for figure, place in zip(planned, places, strict=True):
        with (
            interrupts.telling(
                lambda f=figure, p=place: common.safe_words(p, f" of {f.figure.name}")
            ),
            environment.bounded_memory(),
        ):
            content = building.make(figure, place, out, with_progress, engine)
        if content is None:
            _say_failed(figure, place)
        else:
            made.append(content)
    if arguments.json:
        without_rows = [{k: v for k, v in content.items() if k != "rows"} for content in made]
        print_json(common.asked(arguments) | {"figures": without_rows})
    else:
        tell(figures.made(made, out))
    return 2 if len(made) < len(planned) else 0


def _list(arguments: argparse.Namespace) -> int:
    known = list(registry.figures().values())
    if arguments.json:
        print_json({"figures": [figures.as_json(figure) for figure in known]})
    else:
        tell(figures.table(known))
    return 0


def _say_failed(figure: building.Planned, place: Store) -> None:
    failures = place.failures()
    first = next(iter(failures.values()))
    cell = ", ".join(f"{name} = {value}" for name, value in first["cell"].items())
    streams.say(
        f"{figure.figure.name} is not drawn, {len(failures)} of its cells failed, see "
        f"{place.directory / 'failed'}; the first, {cell}, by {first['error']}"
    )
