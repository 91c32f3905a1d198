"""`widetheory bench`."""

import argparse
import time
from typing import Any

from experiments.bench import jobs, timing
from experiments.bench.rows import Options
from experiments.command import common
from experiments.command.verbs import add_json, add_verb
from experiments.machine import environment, streams
from experiments.report.console import print_json, tell
from experiments.report.progress import with_bar

STORED = "bench.json"
CLOCKS = {"wall": time.perf_counter, "processor": time.process_time}


def add(commands: Any) -> None:
    """The verb with its options."""
    sub = add_verb(commands, "bench", _bench)
    sub.add_argument("names", nargs="*", metavar="NAME", help="what to time (everything)")
    sub.add_argument("--quick", action="store_true", help="small sizes, to see that it works")
    sub.add_argument(
        "--clock", choices=tuple(CLOCKS), default="wall",
        help="processor: its seconds, for one core of a machine that others use (wall)",
    )  # fmt: skip
    sub.add_argument("--out", metavar="DIR", help="also write DIR/bench.json")
    add_json(sub)


def _bench(arguments: argparse.Namespace) -> int:
    environment.configure("float32")
    chosen, out = jobs.chosen_jobs(arguments.names), common.Output(arguments.out, STORED)
    machine = timing.machine()
    if (warning := jobs.busy(machine)) is not None:
        streams.say(warning)
    options = Options(arguments.quick, CLOCKS[arguments.clock])
    rows = []
    for measured in with_bar(jobs.execute(chosen, options), chosen):
        rows += measured
        # After every job: an interrupted run keeps what it has.
        out.write_json(STORED, jobs.to_json(rows, machine, options))
    if arguments.json:
        print_json(jobs.to_json(rows, machine, options))
    else:
        tell(jobs.table(rows, machine, options))
    return out.status(refuted=False)
