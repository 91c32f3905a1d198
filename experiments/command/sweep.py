"""`widetheory sweep`."""

import argparse
from typing import Any

from experiments.command import common
from experiments.command.verbs import NAME, add_json, add_verb
from experiments.machine import devices, environment, interrupts, streams
from experiments.report import sweeps
from experiments.report.console import print_json, tell
from experiments.report.progress import with_progress
from experiments.results import store, tables
from experiments.settings import numbers
from experiments.sweep import planning
from theory._validation import check_real
from theory._wording import counted
from theory.verification import canary

LARGEST_MEMORY = 2**30  # GiB


def add(commands: Any) -> None:
    """The verb with its options."""
    sub = add_verb(commands, "sweep", _sweep)
    sub.add_argument("id", nargs="?", metavar=NAME, help="a statement")
    sub.add_argument(
        "--grid", dest="grids", action="append", default=[], metavar="NAME=VALUES",
        help="an axis: m=256:65536:x2, d=64:512:+64, d=64,256 or loss=identity,logistic; repeated",
    )  # fmt: skip
    sub.add_argument("--out", required=True, metavar="DIR", help="the sweep's directory")
    sub.add_argument("--resume", action="store_true", help="go on with the sweep in DIR, if any")
    sub.add_argument(
        "--export", action="store_true",
        help="only write the tables of the cells that DIR holds, as a killed sweep leaves them",
    )  # fmt: skip
    common.add_draws(sub, "independent draws of each cell")
    common.add_settings(sub)
    common.add_level(sub, "cells")
    sub.add_argument(
        "--memory", type=numbers.real, metavar="GIB",
        help="memory that a cell may take (80 %% of what is available; give each of several "
        "processes its share)",
    )  # fmt: skip
    common.add_seed(sub)
    add_json(sub)
    common.add_precision(sub, ("float64", "float32"))
    common.add_devices(sub, processes=False)
    common.add_engine(sub, "cells", "1")


def _sweep(arguments: argparse.Namespace) -> int:
    if arguments.export:
        return _export(arguments)
    if arguments.id is None:
        raise ValueError("ID must be a statement; without one --export writes the tables of DIR")
    environment.configure(arguments.precision)
    common.check_alone(arguments)
    mesh = devices.local(arguments.devices)
    canary.check(arguments.precision)  # once, before every cell fails by it
    memory = _checked_memory(arguments)
    engine = common.engine(
        arguments, devices.jobs(1 if arguments.jobs is None else arguments.jobs, mesh), memory
    )
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
    steps = planning.run(planned, place, memory=memory, mesh=mesh, engine=engine)
    with interrupts.telling(lambda: common.safe_words(place)):
        for _ in with_progress(steps, total):
            pass
    return _reported(place, arguments)


def _export(arguments: argparse.Namespace) -> int:
    """Tables and report of what is stored."""
    if arguments.id is not None or arguments.grids:
        raise ValueError("--export must stand without ID and --grid: --out holds the sweep")
    place = store.open_store(arguments.out)
    if "grid" not in place.manifest:
        raise ValueError(f"--out must hold a sweep of a statement, {arguments.out} is a figure's")
    return _reported(place, arguments)


def _reported(place: store.Store, arguments: argparse.Namespace) -> int:
    """The exit status, after all finished cells were written as tables and printed."""
    written = True
    try:
        if not tables.write(place):
            streams.say(f"{tables.PARQUET} is left out: PyArrow (extra parquet) is not installed")
    except store.StorageError as error:  # no reason to lose what is printed
        streams.say(str(error))
        written = False
    result = sweeps.as_json(place)
    if arguments.json:
        print_json(common.asked(arguments) | result)
    else:
        tell(sweeps.table(place))
    if failed := len(result["failed"]):
        where = place.directory / "failed"
        cells = counted(sum(1 for _ in place.cells()), "cell")
        streams.say(f"{failed} of {cells} failed, see {where}")
    refuted = any(cell["verdict"]["verdict"] == "refuted" for cell in result["cells"])
    if refuted and place.manifest["erratum"] is None:
        return 1
    return 2 if failed or not written else 0


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
