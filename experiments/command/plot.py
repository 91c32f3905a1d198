"""`widetheory plot`."""

import argparse
import itertools
import os
from collections.abc import Iterable, Iterator
from typing import Any

from experiments.command import common
from experiments.command.verbs import NAMES, add_json, add_verb
from experiments.files import writing
from experiments.machine import environment, interrupts, streams
from experiments.plots import drawing, making, slices, verified
from experiments.plots.making import Plot
from experiments.report import plots
from experiments.report.console import print_json, tell
from experiments.results import store
from experiments.verify import planning
from theory import REGISTRY
from theory._validation import check_level
from theory.verification import canary


def add(commands: Any) -> None:
    """The verb with its options."""
    sub = add_verb(commands, "plot", _plot)
    sub.add_argument(
        "names", nargs="+", metavar=f"DIR|{NAMES}",
        help="directories of sweeps and of verify --keep-draws, or statements, which are drawn as "
        "by verify",
    )  # fmt: skip
    common.add_draws(sub, "independent draws of a statement (by the preset)")
    sub.add_argument(
        "--preset", choices=planning.PRESETS, default="quick", help="number of draws (quick)"
    )
    common.add_settings(sub, "a parameter of the statements, or one of a sweep that is fixed")
    common.add_level(sub, "statements")
    sub.add_argument("--out", default="plots", metavar="DIR", help="where to write (plots)")
    common.add_seed(sub)
    add_json(sub)
    common.add_precision(sub, ("float64", "float32"))


def _plot(arguments: argparse.Namespace) -> int:
    environment.configure(arguments.precision)
    common.check_seed(arguments)
    common.check_draws(arguments)
    common.check_level(arguments)
    stored = [name for name in arguments.names if _is_directory(name)]
    statements = [name for name in arguments.names if name not in stored]
    if stored and statements:
        raise ValueError("names must be directories or statements, got both: plot them one by one")
    found = _stored(arguments, stored) if stored else _drawn(arguments, statements)
    out = writing.directory("--out", arguments.out)
    made: list[dict[str, Any]] = []
    names: set[str] = set()

    def safe() -> str:
        return f"interrupted; {len(made)} plots are in {out}"

    with interrupts.telling(safe):
        for plot in found:
            made.append(making.make(_named_apart(plot, names), out))
            if not arguments.json:
                tell(plots.made(made[-1], plot.caption))
    if arguments.json:
        print_json({"plots": made})
    return 0


def _is_directory(name: str) -> bool:
    """Whether a name is a directory; one of a statement or family is that of those."""
    families = {id.partition(".")[0] for id in REGISTRY}
    return name not in REGISTRY and name not in families and os.path.isdir(name)


def _named_apart(plot: Plot, names: set[str]) -> Plot:
    """The plot with a name that none before it has, whatever the case of its letters."""
    name, number = plot.name, 1
    while name.lower() in names:
        number += 1
        name = f"{plot.name}-{number}"
    names.add(name.lower())
    return plot._replace(name=name)


def _stored(arguments: argparse.Namespace, directories: list[str]) -> Iterator[Plot]:
    """Plots of stored sweeps and verdicts, all looked at before the first is drawn."""
    if arguments.draws is not None or arguments.data is not None:
        raise ValueError("--draws and --data must be left out with DIR, whose draws are stored")
    settings = common.settings_of(arguments.settings)
    found: list[Iterable[Plot]] = []
    for name in directories:
        if not verified.is_verified(name):
            piece = slices.of(store.open_store(name), settings)
            found.append(map(making.of_slice, [piece]))
        elif settings:
            raise ValueError(f"--set must be left out with {name}, which holds verdicts")
        else:
            found.append(map(making.of_draws, verified.drawn(name)))
    return itertools.chain.from_iterable(found)


def _drawn(arguments: argparse.Namespace, names: list[str]) -> Iterator[Plot]:
    """Plots of statements, drawn one after the other."""
    canary.check(arguments.precision)
    planned, left_out = planning.plan_runs(
        names,
        preset=arguments.preset,
        data_name=arguments.data,
        settings=common.settings_of(arguments.settings),
        draws=arguments.draws,
    )
    for title, why in left_out.items():
        streams.say(f"left out, as it cannot run on {arguments.data}: {title}: {why}")
    level = check_level(arguments.level, parts=len(planned), name="--level")
    return (
        making.of_draws(drawing.drawn(run, seed=arguments.seed, level=level)) for run in planned
    )
