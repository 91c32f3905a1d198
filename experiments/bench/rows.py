"""What one line of `widetheory bench` says, and how it follows from seconds round by round."""

import dataclasses
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import jax

from experiments.bench import timing

NO_REFERENCE = "no reference on this device"


class Row(NamedTuple):
    """One measured ratio.

    job, case: what was measured, at which sizes.
    against: what it is compared with.
    unit: what ours and reference count, "s" or "bytes".
    ours, reference: the least of one unit of work (a draw, a step, a pair of maps); None where
      there is no reference on the device.
    ratio: what the target is about, from the shortest times; low, high: its range over the rounds.
    target: what the ratio must be at least; None where the sizes are not those of the target.
    flop_rate: operations per second, counting the 4ndm of each step in weight space, whatever ours
      does instead. None where matrix products say nothing.
    same, large: that over the rate of jnp.dot at the same shapes and on large squares; more than 1
      means that fewer operations were needed.
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
    flop_rate: float | None
    same: float | None
    large: float | None
    compile: float
    remarks: tuple[str, ...] = ()
    unit: str = "s"

    @property
    def met(self) -> bool | None:
        """Whether the target is reached; None where there is none or nothing to compare with."""
        if self.target is None or self.ratio is None:
            return None
        return self.ratio >= self.target


class Options(NamedTuple):
    """How to measure.

    quick: small sizes, to see that everything works.
    clock: seconds; `time.process_time` counts those of the processor, all threads together, which
      is time on an idle machine if there is one core.
    """

    quick: bool = False
    clock: Callable[[], float] = time.perf_counter


@dataclasses.dataclass(frozen=True)
class Job:
    """Something to be timed.

    Attributes:
      says: one line.
      run: called with the `Options`; yields rows.
      reference: whether it needs PyTorch.
    """

    says: str
    run: Callable[[Options], Iterator[Row]]
    reference: bool = False


class Products(NamedTuple):
    """Matrix products that are timed beside a job.

    same: those of one training step. large: a large square.
    """

    same: timing.Product
    large: timing.Product

    def calls(self) -> dict[str, Callable[[], object]]:
        """For `timing.alternate`."""
        return {name: product.call for name, product in self._asdict().items()}

    def rates(self, seconds: Mapping[str, Sequence[float]]) -> dict[str, list[float]]:
        """Operations per second, round by round, from what `timing.alternate` returns."""
        return {
            name: [product.flops / s for s in seconds[name]]
            for name, product in self._asdict().items()
        }


def products(n: int, d: int, m: int) -> Products:
    """Those for networks of width m trained on n points in dimension d."""
    return Products(timing.step_products(n, d, m), timing.square())


def step_flops(n: int, d: int, m: int) -> float:
    """Operations of the two matrix products of a training step in weight space."""
    return 4.0 * n * d * m


def from_rounds(
    job: str,
    case: str,
    against: str,
    *,
    ours: Sequence[float],
    reference: Sequence[float] | None,
    target: float | None,
    compile: float,
    flops: float | None = None,
    rates: Mapping[str, Sequence[float]] | None = None,
    remarks: tuple[str, ...] = (),
    unit: str = "s",
) -> Row:
    """The row of a job that was timed in rounds.

    Args:
      job, case, against, target, compile, remarks, unit: as in `Row`.
      ours, reference: seconds, or bytes, per unit of work in every round.
      flops: operations of one unit of work.
      rates: from `Products.rates`.

    Returns:
      The `Row`.
    """
    ratio = None if reference is None else timing.ratio(reference, ours)
    flop_rate = None if flops is None else flops / min(ours)
    share = dict.fromkeys(("same", "large"))
    if flop_rate is not None and rates is not None:
        share = {name: flop_rate / max(rates[name]) for name in share}
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
        flop_rate,
        share["same"],
        share["large"],
        compile,
        remarks if reference is not None else (*remarks, NO_REFERENCE),
        unit,
    )


def extrapolated(
    short: Sequence[float], long: Sequence[float], few: float, more: float, wanted: float
) -> list[float]:
    """Seconds at `wanted` units, on the line through those at `few` and at `more`, by round."""
    return [s + (wanted - few) * (t - s) / (more - few) for s, t in zip(short, long, strict=True)]


def torch_version() -> str | None:
    """The version of PyTorch, None where it cannot be imported."""
    try:
        import torch  # pyright: ignore[reportMissingImports]
    except ModuleNotFoundError:
        return None
    return str(torch.__version__)


def torch_device() -> str | None:
    """Where the reference runs: on the device of JAX, or nowhere if PyTorch cannot use that."""
    import torch  # pyright: ignore[reportMissingImports]

    if jax.default_backend() == "cpu":
        return "cpu"
    return "cuda" if jax.default_backend() == "gpu" and torch.cuda.is_available() else None
