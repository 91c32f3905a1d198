"""`widetheory sweep`."""

import argparse
import sys
from typing import Any

from experiments.command import common
from experiments.machine import devices, environment, interrupts
from experiments.report import sweeps
from experiments.report.progress import with_progress
from experiments.report.words import console
from experiments.results import store, tables
from experiments.settings import numbers
from experiments.sweep import planning
from theory._validation import check_real
from theory.verification import canary

LARGEST_MEMORY = 2**30  # GiB


def add(commands: Any) -> None:
    """The verb with its options."""
    sub = common.add_verb(
        commands,
        "sweep",
        _sweep,
        "Check a statement over a grid of its parameters. Each finished cell is stored for good, "
        "with its draws; an interrupted sweep is gone on with by --resume, also by several "
        "processes at once.",
    )
    sub.add_argument("id", metavar=common.NAME, help="a statement")
    sub.add_argument(
        "--grid", dest="grids", action="append", default=[], metavar="NAME=VALUES",
        help="an axis: m=256:65536:x2, d=64:512:+64, d=64,256 or loss=identity,logistic; repeated",
    )  # fmt: skip
    sub.add_argument("--out", required=True, metavar="DIR", help="the sweep's directory")
    sub.add_argument("--resume", action="store_true", help="go on with the sweep in DIR, if any")
    common.add_draws(sub, "independent draws of each cell")
    common.add_settings(sub)
    common.add_level(sub, "cells")
    sub.add_argument(
        "--memory", type=numbers.real, metavar="GIB",
        help="memory that a cell may take (80 %% of what is available; give each of several "
        "processes its share)",
    )  # fmt: skip
    common.add_seed(sub)
    common.add_json(sub)
    common.add_precision(sub, ("float64", "float32"))
    common.add_devices(sub, processes=False)


def _sweep(arguments: argparse.Namespace) -> int:
    environment.configure(arguments.precision)
    mesh = devices.local(arguments.devices)
    canary.check()  # once, before every cell fails by it
    memory = _checked_memory(arguments)
    planned = planning.plan_sweep(
        arguments.id,
        arguments.grids,
        draws=arguments.draws,
        seed=arguments.seed,
        level=arguments.level,
        data_name=arguments.data,
        settings=common.settings_of(arguments.settings),
    )
    place = store.begin(arguments.out, planned.manifest(), resume=arguments.resume)
    total = sum(1 for _ in place.cells())
    with interrupts.telling(lambda: common.safe_words(place)):
        for _ in with_progress(planning.run(planned, place, memory=memory, mesh=mesh), total):
            pass
        tables.write(place)
    result = sweeps.as_json(place)
    if arguments.json:
        common.print_json(result)
    else:
        console().print(sweeps.table(place))
    if failed := len(result["failed"]):
        print(
            f"widetheory: {failed} of {total} cells failed, see {place.directory / 'failed'}",
            file=sys.stderr,
        )
    refuted = any(cell["verdict"]["verdict"] == "refuted" for cell in result["cells"])
    if refuted and planned.statement.erratum is None:
        return 1
    return 2 if failed else 0


def _checked_memory(arguments: argparse.Namespace) -> float | None:
    """--memory in bytes, after the other options were found right."""
    common.check_seed(arguments)
    common.check_draws(arguments)
    common.check_level(arguments)
    memory = arguments.memory
    if memory is not None:
        memory = 2**30 * check_real("--memory", memory, low=0, high=LARGEST_MEMORY, open_low=True)
    if not arguments.out:
        raise ValueError("--out must be a directory that can be written, got ''")
    return memory
