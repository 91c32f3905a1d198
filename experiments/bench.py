"""`widetheory bench`: how fast, as ratios within one run and as shares of the matrix-product rate.

Timed calls alternate with those of the reference and with matrix products, so a busy machine slows
all of them; compilation is timed apart. Ratios are of the shortest times, with the range over the
rounds beside them.
"""

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import jax
from rich import box
from rich.table import Table

from experiments import environment, timing
from theory import networks
from theory._validation import check_choice
from theory.data import draw
from theory.perturbation_learning import PerturbationSetting, measure
from theory.training import Descent, train

EXTRA = "PyTorch, which is in the extra bench: pip install 'widetheory[bench]'"
BUSY = 0.25  # load average per core from which on a warning is given


class Row(NamedTuple):
    """One measured ratio.

    job, case: what was measured, at which sizes.
    against: what it is compared with.
    ours, reference: shortest seconds of one unit of work (a draw, a step, a map); None where there
      is no reference on the device.
    ratio: what the target is about; low, high: its range over the rounds.
    target: the ratio must be at least this; None where the sizes are not those of the target.
    same, large: operations per second over those of jnp.dot at the same shapes and on large
      squares; operations are the 4ndm of each step in weight space, whatever ours does instead,
      so more than 1 means that fewer operations were needed. None where that says nothing.
    compile: seconds of compilation, in no other number.
    remarks: what a reader must know.
    """

    job: str
    case: str
    against: str
    ours: float
    reference: float | None
    ratio: float | None
    low: float | None
    high: float | None
    target: float | None
    same: float | None
    large: float | None
    compile: float
    remarks: tuple[str, ...] = ()

    @property
    def met(self) -> bool | None:
        """Whether the target is reached; None where there is none or nothing to compare with."""
        return None if None in (self.target, self.ratio) else self.ratio >= self.target  # pyright: ignore


@dataclasses.dataclass(frozen=True)
class Job:
    """Something to be timed.

    Attributes:
      says: one line.
      run: called with whether to shrink the sizes; yields rows.
      reference: whether it needs PyTorch.
    """

    says: str
    run: Callable[[bool], Iterator[Row]]
    reference: bool


# ---- learning from perturbations


def _learning_cell(key: jax.Array, setting: PerturbationSetting) -> Any:
    """Accuracy of f and of g and agreement: what the reference computes, and no cosine."""
    return measure(key, setting)[:3]


def _reference_cell(setting: PerturbationSetting, steps: int) -> Callable[[], Any] | None:
    """The reference with this number of steps for either network; None if it can't run here."""
    device = _torch_device()
    if device is None:
        return None
    from experiments import bench_reference

    return lambda: bench_reference.cell(
        setting.n,
        setting.d,
        setting.m,
        setting.queries,
        slope=setting.slope,
        loss=setting.loss,
        epsilon=setting.epsilon,
        rate_f=setting.lr_f,
        rate_g=setting.lr_g,
        momentum=setting.momentum,
        steps_f=steps,
        steps_g=steps,
        device=device,
    )


def _cell(quick: bool) -> Iterator[Row]:
    steps = 50 if quick else 1000
    for loss in ("identity", "logistic"):
        setting = PerturbationSetting(loss=loss, steps_f=steps, steps_g=steps)
        for draws in (1, 4 if quick else 32):
            yield _cell_row("cell", setting, draws, target=None if quick else 5.0)


def _cell_row(job: str, setting: PerturbationSetting, draws: int, target: float | None) -> Row:
    keys = jax.random.split(jax.random.key(0), draws)
    batch = jax.vmap(lambda key: _learning_cell(key, setting))
    one, compile_time = timing.compiled(batch, keys)
    large, same = timing.square(), timing.step_products(setting.n, setting.d, setting.m)
    calls = {"ours": one, "large": large.call, "same": same.call}
    reference = _reference_cell(setting, setting.steps_f)
    if reference is not None:
        _reference_cell(setting, 2)()  # PyTorch loads parts of itself at first use  # pyright: ignore
        calls["reference"] = reference
    seconds = timing.alternate(calls, repeats=5 if draws == 1 else 3)
    flops = _step_flops(setting) * (setting.steps_f + setting.steps_g)
    return _row(
        job,
        f"{_sizes(setting)}, {draws} draws" if draws > 1 else f"{_sizes(setting)}, one draw",
        "eager PyTorch, one draw" if draws > 1 else "eager PyTorch",
        ours=[s / draws for s in seconds["ours"]],
        reference=seconds.get("reference"),
        target=target,
        flops=flops,
        rates=_rates(seconds, same, large),
        compile_time=compile_time,
    )


def _cell_high_dimension(quick: bool) -> Iterator[Row]:
    steps = 10 if quick else 1000
    setting = PerturbationSetting(d=10_000, m=1000, steps_f=steps, steps_g=steps)
    ours, compile_time = timing.compiled(
        lambda key: _learning_cell(key, setting), jax.random.key(0)
    )
    large, same = timing.square(), timing.step_products(setting.n, setting.d, setting.m)
    calls = {"ours": ours, "large": large.call, "same": same.call}
    few, more = 2, 12
    short, long = _reference_cell(setting, few), _reference_cell(setting, more)
    remarks = ()
    if short is not None and long is not None:
        short()
        calls |= {"short": short, "long": long}
        remarks = (
            f"reference timed with {few} and {more} steps for either network and extrapolated "
            f"linearly to {steps}; ours is run in full",
        )
    seconds = timing.alternate(calls, repeats=2)
    reference = None
    if remarks:
        reference = [
            s + (steps - few) * (l - s) / (more - few)
            for s, l in zip(seconds["short"], seconds["long"], strict=True)
        ]
    yield _row(
        "cell-high-dimension",
        _sizes(setting),
        "eager PyTorch",
        ours=seconds["ours"],
        reference=reference,
        target=None if quick else 10.0,
        flops=_step_flops(setting) * 2 * steps,
        rates=_rates(seconds, same, large),
        compile_time=compile_time,
        remarks=remarks,
    )


def _sizes(setting: PerturbationSetting) -> str:
    return (
        f"n={setting.n:,} d={setting.d:,} m={setting.m:,}, {setting.loss} loss, "
        f"{setting.steps_f}+{setting.steps_g} steps"
    )


def _step_flops(setting: PerturbationSetting) -> float:
    return 4.0 * setting.n * setting.d * setting.m


# ---- training steps


def _throughput(quick: bool) -> Iterator[Row]:
    shapes = [(1000, 100, 1000), (1000, 1000, 1000), (1000, 100, 10_000), (10_000, 100, 1000)]
    for n, d, m in shapes[:1] if quick else shapes:
        for loss in ("identity", "logistic"):
            yield _throughput_row(n, d, m, loss, None if quick else 0.6)


def _throughput_row(n: int, d: int, m: int, loss: str, target: float | None) -> Row:
    steps = max(5, round(4e10 / (4 * n * d * m)))
    key_data, key_weights = jax.random.split(jax.random.key(0))
    sample = draw(key_data, "shifted-gaussian", n, d, queries=1)
    network = networks.frozen_readout(0.0)
    params = networks.init(network, key_weights, m, d)
    # A rate at which signs flip as they do in the first steps of K24b's experiments.
    descent = Descent(0.1, steps, loss, 0.9)
    ours, compile_time = timing.compiled(
        lambda p, x, y: train(network, p, x, y, descent).params, params, sample.x, sample.y
    )
    large, same = timing.square(), timing.step_products(n, d, m)
    ours()
    seconds = timing.alternate({"ours": ours, "large": large.call, "same": same.call}, repeats=5)
    flops = 4.0 * n * d * m
    rates = _rates(seconds, same, large)
    return _row(
        "throughput",
        f"n={n:,} d={d:,} m={m:,}, {loss} loss, a step of {steps}",
        "jnp.dot, same shapes",
        ours=[s / steps for s in seconds["ours"]],
        reference=[flops / rate for rate in rates["same"]],
        target=target,
        flops=flops,
        rates=rates,
        compile_time=compile_time,
    )


# ---- common to all rows


def _rates(
    seconds: Mapping[str, Sequence[float]], same: timing.Product, large: timing.Product
) -> dict[str, list[float]]:
    """Operations per second of the matrix products, round by round."""
    return {
        "same": [same.flops / s for s in seconds["same"]],
        "large": [large.flops / s for s in seconds["large"]],
    }


def _row(
    job: str,
    case: str,
    against: str,
    *,
    ours: Sequence[float],
    reference: Sequence[float] | None,
    target: float | None,
    compile_time: float,
    flops: float | None = None,
    rates: Mapping[str, Sequence[float]] | None = None,
    remarks: tuple[str, ...] = (),
) -> Row:
    """A row from the seconds of every round."""
    ratio = None if reference is None else timing.ratio(reference, ours)
    if reference is None:
        remarks = (*remarks, "no reference on this device")
    shares = {"same": None, "large": None}
    if flops is not None and rates is not None:
        shares = {name: flops / min(ours) / max(rates[name]) for name in shares}
    return Row(
        job,
        case,
        against,
        min(ours),
        None if reference is None else min(reference),
        None if ratio is None else ratio.best,
        None if ratio is None else ratio.low,
        None if ratio is None else ratio.high,
        target,
        shares["same"],
        shares["large"],
        compile_time,
        remarks,
    )


JOBS: dict[str, Job] = {
    "cell": Job("one perturbation-learning cell of K24b, alone and per draw", _cell, True),
    "cell-high-dimension": Job("the same with d = 10,000", _cell_high_dimension, True),
    "throughput": Job("a training step against its matrix products", _throughput, False),
}


def plan(names: Sequence[str]) -> list[str]:
    """The jobs of these names, all if none is given, in the order of `JOBS`.

    Raises:
      ValueError: for an unknown name, or a job that needs PyTorch where that is not installed.
    """
    for name in names:
        check_choice("NAME", name, JOBS)
    chosen = [name for name in JOBS if name in names or not names]
    needing = [name for name in chosen if JOBS[name].reference]
    if needing and not _has_torch():
        raise ValueError(f"{', '.join(needing)} must be compared with {EXTRA}")
    return chosen


def _has_torch() -> bool:
    try:
        import torch  # noqa: F401  # pyright: ignore[reportMissingImports]
    except ModuleNotFoundError:
        return False
    return True


def _torch_device() -> str | None:
    """Where the reference runs: on the device of JAX, or nowhere if PyTorch cannot use that."""
    import torch  # pyright: ignore[reportMissingImports]

    if jax.default_backend() == "cpu":
        return "cpu"
    return "cuda" if jax.default_backend() == "gpu" and torch.cuda.is_available() else None


def execute(chosen: Sequence[str], quick: bool) -> Iterator[list[Row]]:
    """The rows of one job after another."""
    for name in chosen:
        yield list(JOBS[name].run(quick))


def to_json(rows: Sequence[Row], machine: Mapping[str, Any], quick: bool) -> dict[str, Any]:
    """The JSON of `bench`."""
    versions = dict(environment.describe())
    if _has_torch():
        versions["versions"]["torch"] = environment._version("torch")
    return {
        "rows": [row._asdict() | {"met": row.met, "remarks": list(row.remarks)} for row in rows],
        "quick": quick,
        "machine": dict(machine),
        "environment": versions,
    }


def busy(machine: Mapping[str, Any]) -> str | None:
    """A warning if others use the machine."""
    if machine["load_average"] <= BUSY * machine["cores"]:
        return None
    return (
        f"the machine is busy (load average {machine['load_average']:.1f} on {machine['cores']} "
        "cores): threads that wait for one another suffer most, so ratios are off, too"
    )


def table(rows: Sequence[Row], machine: Mapping[str, Any], quick: bool) -> Table:
    """The rows for people."""
    accelerators = ", ".join(machine["accelerators"]) or "no accelerator"
    caption = [
        f"{machine['processor']}, {machine['cores']} cores, {accelerators}; {environment.line()}",
        "Times are the shortest of several that alternate; compilation is in none of them.",
        "× of jnp.dot: operations of the weight-space algorithm per second, over those of matrix "
        "products of the same shapes / large squares.",
    ]
    if quick:
        caption.append("--quick: smaller sizes than those of the targets.")
    caption += dict.fromkeys(f"{row.job}: {remark}" for row in rows for remark in row.remarks)
    result = Table(box=box.SIMPLE_HEAD, caption="\n".join(caption), caption_justify="left")
    for heading in ("job", "ours", "against", "ratio", "target", "met", "× of jnp.dot", "compile"):
        result.add_column(heading)
    for row in rows:
        result.add_row(
            f"{row.job}\n{row.case}",
            _time(row.ours),
            f"{row.against}\n{'-' if row.reference is None else _time(row.reference)}",
            "-" if row.ratio is None else f"{row.ratio:.3g}\n[{row.low:.3g}, {row.high:.3g}]",
            "-" if row.target is None else f"≥ {row.target:g}",
            {True: "yes", False: "NO", None: "-"}[row.met],
            "-" if row.same is None else f"{row.same:.2f} / {row.large:.2f}",
            _time(row.compile),
        )
    return result


def _time(seconds: float) -> str:
    """Three digits with the unit that suits."""
    for unit, size in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds * 1e6:.3g} µs"
