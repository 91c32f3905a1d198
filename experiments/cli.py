"""The command `widetheory`."""

import argparse
import dataclasses
import json
import os
import pathlib
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NoReturn, TypeVar

# Before anything loads LAPACK: its threads wait for one another in a loop, and the many small
# decompositions of a batch took six times as long with them as without.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

T = TypeVar("T")
FAMILIES = "separability, orthogonal, lazy, ntk"
MAX_SEED = 2**32 - 1  # what a key takes in either precision
MAX_DRAWS = 2**32  # as many keys are folded from one


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line on stderr and exit status 2."""

    def error(self, message: str) -> NoReturn:
        """Prints the message and where to read more, and exits."""
        self.exit(2, f"{self.prog}: {message} (see {self.prog} -h)\n")


def parser() -> argparse.ArgumentParser:
    """The command line."""
    from experiments import devices
    from experiments.runs import PRESETS
    from theory.perturbation_learning import PerturbationSetting

    top = Parser(
        prog="widetheory",
        description="Checks theorems about wide neural networks numerically: for each hypothesis "
        "and each conclusion, whether it holds, by how much, on how many draws, how surely.",
    )
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name: str, run: Callable[[argparse.Namespace], int], says: str) -> Parser:
        sub = commands.add_parser(name, help=says, description=says)
        sub.set_defaults(run=run)
        return sub

    def common(sub: Parser) -> None:
        sub.add_argument("--seed", type=int, default=0, metavar="S", help="random seed (0)")
        sub.add_argument("--json", action="store_true", help="print JSON instead of a table")

    def precision(
        sub: Parser, choices: Sequence[str], says: str = "(float64)", default: str = "float64"
    ) -> None:
        sub.add_argument("--precision", choices=choices, default=default, help=says)

    def settings(sub: Parser, of: str = "a parameter of the statements", see: str = "show ID"):
        sub.add_argument(
            "--set", dest="settings", action="append", default=[], metavar="NAME=VALUE",
            help=f"{of} that have it; may be repeated (see `{see}`)",
        )  # fmt: skip
        sub.add_argument(
            "--data", metavar="NAME",
            help="data: a law, digits, mnist:DIR, npz:FILE, … (see `show`)",
        )  # fmt: skip

    sub = command("list", _list, "List every statement.")
    sub.add_argument("--json", action="store_true", help="print JSON instead of a table")

    sub = command("show", _show, "Show one statement in full, with its parameters.")
    sub.add_argument("id", metavar="ID")

    sub = command(
        "verify",
        _verify,
        "Check statements over independent draws. Without arguments: every statement on its own "
        "default data, and those about data on the digits too.",
    )
    sub.add_argument(
        "names",
        nargs="*",
        metavar="ID|FAMILY",
        help=f"statements, or one of the families {FAMILIES} (all)",
    )
    number = sub.add_mutually_exclusive_group()
    number.add_argument("--draws", type=int, metavar="K", help="independent draws (by the preset)")
    number.add_argument(
        "--until", type=int, metavar="K",
        help="draw until the statement is decided, K draws at most, at a level that holds whenever "
        "that is; for failure rates and bounded means",
    )  # fmt: skip
    settings(sub)
    sub.add_argument("--preset", choices=PRESETS, default="quick", help="number of draws (quick)")
    sub.add_argument(
        "--level", type=float, default=0.01, metavar="A",
        help="false-alarm rate of all statements together (0.01)",
    )  # fmt: skip
    sub.add_argument("--out", metavar="DIR", help="also write DIR/verdicts.json")
    sub.add_argument(
        "--jobs", type=int, metavar="J",
        help="processes that share the statements (on a CPU its cores, at most 4; with several "
        "devices or another device 1)",
    )  # fmt: skip
    common(sub)
    precision(sub, ("float64", "float32"))
    devices.add_arguments(sub)

    sub = command(
        "sweep",
        _sweep,
        "Check a statement over a grid of its parameters. Each finished cell is stored for good, "
        "with its draws; an interrupted sweep is gone on with by --resume, also by several "
        "processes at once.",
    )
    sub.add_argument("id", metavar="ID")
    sub.add_argument(
        "--grid", dest="grids", action="append", default=[], metavar="NAME=VALUES",
        help="an axis: m=256:65536:x2, d=64:512:+64, d=64,256 or loss=identity,logistic; repeated",
    )  # fmt: skip
    sub.add_argument("--out", required=True, metavar="DIR", help="the sweep's directory")
    sub.add_argument("--resume", action="store_true", help="go on with the sweep in DIR, if any")
    sub.add_argument("--draws", type=int, metavar="K", help="independent draws of each cell")
    settings(sub)
    sub.add_argument(
        "--level", type=float, default=0.01, metavar="A",
        help="false-alarm rate of all cells together (0.01)",
    )  # fmt: skip
    sub.add_argument(
        "--memory", type=float, metavar="GIB",
        help="memory that a cell may take (80 %% of what is available; give each of several "
        "processes its share)",
    )  # fmt: skip
    common(sub)
    precision(sub, ("float64", "float32"))
    devices.add_arguments(sub, processes=False)

    sub = command(
        "figure",
        _figure,
        "Re-create the papers' experiments, predictions drawn over measurements: for each figure "
        "PNG, SVG and PDF, its caption, and the data behind it as CSV and JSON.",
    )
    sub.add_argument("names", nargs="*", metavar="NAME", help="figures (see --list), or all")
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
    settings(sub, "a setting of the figures", "figure --list --json")
    common(sub)
    says = "tf32: float32 with matrix products in TF32, where the device has it (float32)"
    precision(sub, ("float32", "float64", "tf32"), says, "float32")

    sub = command(
        "bench",
        _bench,
        "Time the suite against a plain eager PyTorch implementation and against matrix products, "
        "as ratios within one run.",
    )
    sub.add_argument("names", nargs="*", metavar="NAME", help="what to time (everything)")
    sub.add_argument("--quick", action="store_true", help="small sizes, to see that it works")
    sub.add_argument(
        "--clock", choices=("wall", "processor"), default="wall",
        help="processor: its seconds, for one core of a machine that others use (wall)",
    )  # fmt: skip
    sub.add_argument("--out", metavar="DIR", help="also write DIR/bench.json")
    sub.add_argument("--json", action="store_true", help="print JSON instead of a table")

    for name, run, says in (
        ("predict", _predict, "Predict accuracy, agreement and cosine similarity of learning from "
         "perturbations in the infinite-width limit, without training."),
        ("train", _train, "Train pairs of networks on data and on perturbations, beside the "
         "predictions for the same data."),
    ):  # fmt: skip
        sub = command(name, run, says)
        for field in dataclasses.fields(PerturbationSetting):
            _add_setting(sub, field)
        default = {"predict": 5, "train": 20}[name]
        sub.add_argument(
            "--draws", type=int, default=default, metavar="K", help=f"independent draws ({default})"
        )
        common(sub)
        says = "tf32: float32 with matrix products in TF32, where the device has it (float64)"
        precision(sub, ("float64", "float32", "tf32"), says)
    return top


def _add_setting(sub: Parser, field: dataclasses.Field[Any]) -> None:
    rule = field.metadata
    choices = (
        "" if field.name == "data" or not rule["choices"] else ": " + "|".join(rule["choices"])
    )
    unit = "" if rule["unit"] == "1" else f", {rule['unit']}"
    if field.name in ("lr_f", "lr_g"):
        unit = ", or several, of which each quantity has the best"
    sub.add_argument(
        f"--{field.name.replace('_', '-')}",
        dest=f"setting_{field.name}",
        metavar="NAME" if rule["type"] is str else "K" if rule["type"] is int else "V",
        help=f"{rule['doc']}{choices}{unit} ({field.default})",
    )


def _list(arguments: argparse.Namespace) -> int:
    from experiments import report
    from theory import REGISTRY

    statements = list(REGISTRY.values())
    if arguments.json:
        _print_json({"statements": [report.statement_json(s) for s in statements]})
    else:
        report.console().print(report.list_table(statements))
    return 0


def _show(arguments: argparse.Namespace) -> int:
    from experiments import report
    from theory import REGISTRY
    from theory._validation import check_choice

    report.console().print(report.show(REGISTRY[check_choice("ID", arguments.id, REGISTRY)]))
    return 0


def _verify(arguments: argparse.Namespace) -> int:
    from experiments import devices, environment, interrupts, report, runs
    from theory._validation import check_integer

    environment.configure(arguments.precision)
    mesh = devices.connect(arguments)
    check_integer("--seed", arguments.seed, low=0, high=MAX_SEED)
    _check_draws(arguments)
    _check_level(arguments)
    if arguments.until is not None:
        check_integer("--until", arguments.until, high=MAX_DRAWS)
    planned, left_out = runs.plan(
        arguments.names,
        preset=arguments.preset,
        data_name=arguments.data,
        settings=_settings(arguments.settings),
        draws=arguments.draws if arguments.until is None else arguments.until,
        until=arguments.until is not None,
    )
    for title, why in left_out.items():
        print(
            f"widetheory: left out, as it cannot run on {arguments.data}: {title}: {why}",
            file=sys.stderr,
        )
    out = _writable(arguments.out)  # in every process: then all of them stop if it cannot be
    level = arguments.level / len(planned)
    jobs = devices.jobs(arguments.jobs, mesh)
    steps = runs.execute(planned, seed=arguments.seed, level=level, jobs=jobs, mesh=mesh)
    names = [f"{run.statement.id} ({run.draws:,} draws)" for run in planned]
    results = []
    stored: list[str] = []

    def safe() -> str:
        if out is None:
            return f"interrupted after {len(results)} of {len(planned)}; --out would store them"
        share = f"{len(stored)} of {len(planned)} verdicts are stored in {out / 'verdicts.json'}"
        return f"interrupted; {share}" + (f": {', '.join(stored)}" if stored else "")

    with interrupts.telling(safe):
        for result in _progress(steps, names):
            results.append(result)
            # After every statement: an interrupted run keeps what it has.
            if out is not None and devices.leads():
                _write(out / "verdicts.json", report.verify_json(results, left_out))
                stored.append(result.run.title)
    if arguments.json:
        _print_json(report.verify_json(results, left_out))
    else:
        report.console().print(report.verify_table(results))
    wrong = [r for r in results if r.verdict.verdict == "refuted" and not r.documented_erratum]
    return 1 if wrong else 0


def _figure(arguments: argparse.Namespace) -> int:
    from experiments import environment, interrupts, report
    from experiments.figures import listing, making, registry
    from theory import canary
    from theory._validation import check_integer

    if arguments.listed:
        known = list(registry.figures().values())
        if arguments.json:
            _print_json({"figures": [listing.as_json(figure) for figure in known]})
        else:
            report.console().print(listing.table(known))
        return 0
    if not arguments.names:
        raise ValueError("NAME must be a figure, or all; --list shows them")
    environment.configure(arguments.precision)
    canary.check()
    check_integer("--seed", arguments.seed, low=0, high=MAX_SEED)
    planned, left_out = making.plan(
        arguments.names,
        preset=arguments.preset,
        data_name=arguments.data,
        settings=_settings(arguments.settings),
        seed=arguments.seed,
    )
    for name, why in left_out.items():
        print(
            f"widetheory: left out, as it cannot be made of {arguments.data}: {name}: {why}",
            file=sys.stderr,
        )
    out = _writable(arguments.out)
    assert out is not None
    places = [making.begin(figure, out, resume=arguments.resume) for figure in planned]
    made, failed = [], 0
    for figure, place in zip(planned, places, strict=True):
        with interrupts.telling(lambda f=figure, p=place: _safe(p, f" of {f.figure.name}")):
            content = making.make(figure, place, out)
        if content is None:
            failed += 1
            failures = place.failures()
            first = next(iter(failures.values()))["error"]
            print(
                f"widetheory: {figure.figure.name} is not drawn, {len(failures)} of its cells "
                f"failed, see {place.directory / 'failed'}; the first by {first}",
                file=sys.stderr,
            )
        else:
            made.append(content)
    if arguments.json:
        _print_json({"figures": [{k: v for k, v in m.items() if k != "rows"} for m in made]})
    else:
        report.console().print(listing.made(made, out))
    return 2 if failed else 0


def _bench(arguments: argparse.Namespace) -> int:
    import time

    from experiments import bench, bench_rows, environment, report, timing

    environment.configure("float32")
    chosen, out = bench.plan(arguments.names), _writable(arguments.out)
    machine = timing.machine()
    if (warning := bench.busy(machine)) is not None:
        print(f"widetheory: {warning}", file=sys.stderr)
    clock = {"wall": time.perf_counter, "processor": time.process_time}[arguments.clock]
    options = bench_rows.Options(arguments.quick, clock)
    rows = []
    for measured in _progress(bench.execute(chosen, options), chosen):
        rows += measured
        if out is not None:  # after every job: an interrupted run keeps what it has
            _write(out / "bench.json", bench.to_json(rows, machine, options))
    if arguments.json:
        _print_json(bench.to_json(rows, machine, options))
    else:
        report.console().print(bench.table(rows, machine, options))
    return 0


def _check_draws(arguments: argparse.Namespace) -> None:
    from theory._validation import check_integer

    if arguments.draws is not None:
        check_integer("--draws", arguments.draws, high=MAX_DRAWS)


def _check_level(arguments: argparse.Namespace) -> None:
    from theory._validation import check_real

    check_real("--level", arguments.level, low=0, high=1, open_low=True, open_high=True)


def _settings(texts: Sequence[str]) -> dict[str, str]:
    """NAME → VALUE of --set."""
    settings = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not (name and equals and value):
            raise ValueError(f"--set must be NAME=VALUE, got {text!r}")
        if name in settings:
            raise ValueError(f"--set must name a parameter once, got {name!r} twice")
        settings[name] = value
    return settings


def _sweep(arguments: argparse.Namespace) -> int:
    from experiments import (
        devices,
        environment,
        interrupts,
        report,
        store,
        sweep,
        sweep_report,
        tables,
    )
    from theory import canary
    from theory._validation import check_integer, check_real

    environment.configure(arguments.precision)
    mesh = devices.local(arguments.devices)
    canary.check()  # once, before every cell fails by it
    check_integer("--seed", arguments.seed, low=0, high=MAX_SEED)
    _check_draws(arguments)
    _check_level(arguments)
    memory = arguments.memory
    if memory is not None:
        memory = 2**30 * check_real("--memory", memory, low=0, open_low=True)
    if not arguments.out:
        raise ValueError("--out must be a directory that can be written, got ''")
    planned = sweep.plan(
        arguments.id,
        arguments.grids,
        draws=arguments.draws,
        seed=arguments.seed,
        level=arguments.level,
        data_name=arguments.data,
        settings=_settings(arguments.settings),
    )
    place = store.begin(arguments.out, planned.manifest(), resume=arguments.resume)
    total = sum(1 for _ in place.cells())
    with interrupts.telling(lambda: _safe(place)):
        for _ in sweep_report.with_progress(
            sweep.run(planned, place, memory=memory, mesh=mesh), total
        ):
            pass
        tables.write(place)
    result = sweep_report.as_json(place)
    if arguments.json:
        _print_json(result)
    else:
        report.console().print(sweep_report.table(place))
    if failed := len(result["failed"]):
        print(
            f"widetheory: {failed} of {total} cells failed, see {place.directory / 'failed'}",
            file=sys.stderr,
        )
    refuted = any(cell["verdict"]["verdict"] == "refuted" for cell in result["cells"])
    if refuted and planned.statement.erratum is None:
        return 1
    return 2 if failed else 0


def _safe(place: Any, of: str = "") -> str:
    """What an interrupt says of a store."""
    total = sum(1 for _ in place.cells())
    return (
        f"interrupted; the {len(place.finished())} finished cells of {total}{of} are safe in "
        f"{place.directory}: go on with --resume"
    )


def _predict(arguments: argparse.Namespace) -> int:
    return _learn(arguments, train=False)


def _train(arguments: argparse.Namespace) -> int:
    return _learn(arguments, train=True)


def _learn(arguments: argparse.Namespace, *, train: bool) -> int:
    from experiments import environment, learning, learning_cost, report
    from theory import canary
    from theory._validation import check_integer

    environment.configure(arguments.precision)
    check_integer("--seed", arguments.seed, low=0, high=MAX_SEED)
    _check_draws(arguments)
    draws = arguments.draws
    given = {
        name.removeprefix("setting_"): value
        for name, value in vars(arguments).items()
        if name.startswith("setting_") and value is not None
    }
    try:
        settings = learning.settings_of(given)
        learning_cost.check(settings, draws, train=train)
    except ValueError as error:  # of a parameter, whose name may differ from its option's
        name, _, says = str(error).partition(" ")
        if name not in given:
            raise
        raise ValueError(f"--{name.replace('_', '-')} {says}") from error
    canary.check()
    names = [f"draw {i + 1}" for i in range(draws)]
    drawn = list(_progress(learning.steps(settings, arguments.seed, draws, train), names))
    summary = learning.summarize(drawn)
    if arguments.json:
        result = learning.as_json(settings, summary) | {
            "draws": draws,
            "seed": arguments.seed,
            "environment": environment.describe(),
        }
        _print_json(report.plain(result))
    else:
        report.console().print(learning.table(settings, summary, draws, arguments.seed))
    return 0


def _progress(steps: Iterable[T], names: Sequence[str]) -> Iterator[T]:
    """The steps, with a bar and the time left on stderr where that is a terminal."""
    from rich import progress
    from rich.console import Console

    from experiments import devices

    columns = (
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        progress.TimeElapsedColumn(),
        progress.TextColumn("left:"),
        progress.TimeRemainingColumn(),
    )
    console = Console(stderr=True)
    with progress.Progress(
        *columns,
        console=console,
        transient=True,
        disable=not (console.is_terminal and devices.leads()),
    ) as bar:
        task = bar.add_task(names[0], total=len(names))
        for done, step in enumerate(steps, start=1):
            bar.update(task, completed=done, description=names[min(done, len(names) - 1)])
            yield step


def _writable(directory: str | None) -> pathlib.Path | None:
    """The directory, made if need be: better to fail before the work than after it."""
    if directory is None:
        return None
    path = pathlib.Path(directory)
    if not directory:
        raise ValueError("--out must be a directory that can be written, got ''")
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(
            f"--out must be a directory that can be written, got {directory!r}"
        ) from error
    return path


def _write(path: pathlib.Path, content: Any) -> None:
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    os.replace(partial, path)


def _print_json(content: Any) -> None:
    print(json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False))


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command.

    Args:
      argv: arguments, those of the process if None.

    Returns:
      Exit status: 0 all fine, 1 something is refuted that is no documented erratum, 2 bad usage,
      bad input, not enough memory, or a compiler that computes wrong numbers; 130 or 143 after
      Ctrl-C or SIGTERM.
    """
    from experiments import interrupts

    try:
        arguments = parser().parse_args(argv)
        return arguments.run(arguments)
    except ValueError as error:
        print(f"widetheory: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt as error:
        return interrupts.tell(error)
    except BrokenPipeError:  # the reader has gone, as in `widetheory list | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        if (words := _memory_error(error)) is None:
            raise
        print(f"widetheory: {words}", file=sys.stderr)
        return 2


def _memory_error(error: Exception) -> str | None:
    """What went wrong in words if it was memory that ran out: 1 would say that a theorem fails."""
    from concurrent.futures.process import BrokenProcessPool

    remedy = "take smaller sizes, fewer draws"
    if isinstance(error, BrokenProcessPool):
        return (
            f"a worker process ended abruptly, most likely for lack of memory; {remedy} or --jobs 1"
        )
    text = " ".join(str(error).split())
    exhausted = type(error).__name__ in ("JaxRuntimeError", "XlaRuntimeError") and (
        "RESOURCE_EXHAUSTED" in text or "out of memory" in text.lower()
    )
    if isinstance(error, MemoryError) or exhausted:
        return f"not enough memory; {remedy} or a larger machine ({text[:120] or 'MemoryError'})"
    return None


def entry() -> NoReturn:
    """The command as a process of its own."""
    from experiments import interrupts

    interrupts.watch()
    status = main()
    if status in interrupts.STATUS.values():
        interrupts.end(status)
    sys.exit(status)


if __name__ == "__main__":
    entry()
