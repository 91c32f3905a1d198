"""`widetheory bench`: how fast, as ratios within one run and as shares of the matrix-product rate.

Timed calls alternate with those of the reference and with matrix products, so a busy machine slows
all of them; compilation is timed apart. Ratios are of the shortest times, with the range over the
rounds beside them.
"""

import time
from collections.abc import Iterator, Sequence

from rich.console import Group
from rich.text import Text

from experiments.bench import commands, learning, maps, scaling, workers
from experiments.bench.rows import Job, Options, Row, torch_version
from experiments.files.strict_json import Record
from experiments.machine import environment
from experiments.report.rows import Rows
from theory._validation import check_choice

BUSY = 0.25  # load average per core from which on a warning is given

JOBS: dict[str, Job] = {
    "cell": Job(
        "one cell of learning from perturbations (K24b), alone and among many draws",
        learning.cell,
        reference=True,
    ),
    "cell-high-dimension": Job(
        "the same in 10,000 dimensions", learning.cell_high_dimension, reference=True
    ),
    "map": Job("f̂ and ĝ on a plane", maps.decision_maps, reference=True),
    "throughput": Job("training steps against their matrix products", learning.throughput),
    "width": Job("a hundred times the width: time per neuron, and memory", scaling.width),
    "commands": Job("from the shell to the answer, first and again", commands.commands),
    "two-processes": Job("one sweep by two processes on a core each", scaling.two_processes),
    "two-workers": Job("one sweep of 200 cells by two workers of Dask", workers.two_workers),
}


def chosen_jobs(names: Sequence[str]) -> list[str]:
    """The jobs of these names, all if none is given, in the order of `JOBS`.

    Raises:
      ValueError: for an unknown name, or a job that needs PyTorch where that is not installed.
    """
    for name in names:
        check_choice("NAME", name, JOBS)
    chosen = [name for name in JOBS if name in names or not names]
    needing = [name for name in chosen if JOBS[name].reference]
    if needing and torch_version() is None:
        others = ", ".join(name for name in JOBS if not JOBS[name].reference)
        raise ValueError(
            f"PyTorch must be installed for {', '.join(needing)}: it is in the extra bench, "
            f"widetheory[bench]; without it: {others}"
        )
    return chosen


def execute(chosen: Sequence[str], options: Options) -> Iterator[list[Row]]:
    """The rows of one job after another."""
    for name in chosen:
        yield list(JOBS[name].run(options))


def to_json(rows: Sequence[Row], machine: Record, options: Options) -> Record:
    """The JSON of `bench`."""
    peak = machine["fp32_peak"]

    def entry(row: Row) -> Record:
        share = None if row.flop_rate is None or peak is None else row.flop_rate / peak
        return row._asdict() | {
            "met": row.met, "of_fp32_peak": share, "remarks": list(row.remarks),
        }  # fmt: skip

    described = environment.describe()
    described["versions"]["torch"] = torch_version()
    return {
        "rows": [entry(row) for row in rows],
        "quick": options.quick,
        "clock": options.clock.__name__,
        "machine": dict(machine),
        "environment": described,
    }


def busy(machine: Record) -> str | None:
    """A warning if others use the machine."""
    if machine["load_average"] <= BUSY * machine["cores"]:
        return None
    return (
        f"the machine is busy (load average {machine['load_average']:.1f} on {machine['cores']} "
        "cores): threads that wait for one another suffer most, so ratios are off, too"
    )


def table(rows: Sequence[Row], machine: Record, options: Options) -> Group:
    """The rows for people."""
    accelerators = ", ".join(machine["accelerators"]) or "no accelerator"
    caption = [
        f"{machine['processor']}, {machine['cores']} cores, {accelerators}, load average "
        f"{machine['load_average']:.2f}",
        f"{environment.line()}; torch {torch_version() or 'not installed'}",
        "Calls alternate; shortest times and their ratio, [range of the ratio over the rounds]; "
        "compilation is in no other column.",
        "of jnp.dot: operations of the algorithm in weight space per second, over those of jnp.dot "
        "at the same shapes / on large squares.",
    ]
    if options.clock is not time.perf_counter:
        caption.append("Seconds are those of the processor, of all threads together.")
    if options.quick:
        caption.append("--quick: not the sizes that the targets are about.")
    caption += dict.fromkeys(f"{row.job}: {remark}." for row in rows for remark in row.remarks)
    cells = [
        (
            f"{row.job}\n{row.case}",
            _amount(row.ours, row.unit),
            f"{row.against}\n{'-' if row.reference is None else _amount(row.reference, row.unit)}",
            "-" if row.ratio is None else f"{row.ratio:.3g}\n[{row.low:.3g}, {row.high:.3g}]",
            "-" if row.target is None else f"≥ {row.target:g}\n{'met' if row.met else 'NOT met'}",
            "-" if row.same is None else f"{row.same:.2f} / {row.large:.2f}",
            _amount(row.compile, "s"),
        )
        for row in rows
    ]
    columns = ("job", "ours", "against", "ratio", "target", "of jnp.dot", "compile")
    return Group(Rows(columns, cells, prose=(0,)), *map(Text, caption))


def _amount(value: float, unit: str) -> str:
    """Three digits with the unit that suits."""
    if unit == "bytes":
        return f"{value / 2**20:.4g} MiB"
    for prefix, size in (("", 1.0), ("m", 1e-3)):
        if value >= size:
            return f"{value / size:.3g} {prefix}s"
    return f"{value * 1e6:.3g} µs"
