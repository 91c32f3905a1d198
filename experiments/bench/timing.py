"""Timing as ratios within one run: alternating calls, matrix-product rates, peak memory."""

import os
import pathlib
import platform
import resource
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

import jax
import jax.numpy as jnp

from theory._types import PyTree
from theory.keys import make_key

SQUARE = 2048  # side of the large square product that stands for the machine's rate
SHORTEST = 0.05  # seconds that a timed call of a matrix product lasts at least, by repetition

# FP32 peak outside tensor cores in FLOP/s, from the makers' data sheets, by prefix of the name.
FP32_PEAK = {
    "NVIDIA H200": 66.9e12,
    "NVIDIA H100 PCIe": 51.2e12,
    "NVIDIA H100 80GB HBM3": 66.9e12,
    "NVIDIA A100": 19.5e12,
}

T = TypeVar("T")  # a pytree


def alternate(
    calls: Mapping[str, Callable[[], object]],
    repeats: int,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, list[float]]:
    """Times the calls in turn, so that whatever slows the machine slows all of them.

    Rounds go forwards and backwards through the calls in turn (A B, B A, A B, …). A call has ended
    when the arrays it returns are ready. Nothing is called before it is timed: compile and warm up
    first.

    Args:
      calls: name → what to time.
      repeats: rounds, ≥ 1.
      clock: seconds.

    Returns:
      name → seconds of each round.
    """
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for index in range(repeats):
        for name in list(calls)[:: 1 if index % 2 == 0 else -1]:
            start = clock()
            jax.block_until_ready(calls[name]())
            seconds[name].append(clock() - start)
    return seconds


class Ratio(NamedTuple):
    """How many times longer one call takes than another in the same rounds.

    best: ratio of the shortest times. middle: median over the rounds.
    low, high: smallest and largest of any round.
    """

    best: float
    middle: float
    low: float
    high: float


def ratio(slow: Sequence[float], fast: Sequence[float]) -> Ratio:
    """slow/fast of times from the same rounds."""
    rounds = [s / f for s, f in zip(slow, fast, strict=True)]
    best = min(slow) / min(fast)
    return Ratio(best, statistics.median(rounds), min(rounds), max(rounds))


def compiled(function: Callable[..., T], *arguments: PyTree) -> tuple[Callable[[], T], float]:
    """The function, compiled for and bound to these arguments, and the seconds compiling took."""
    start = time.perf_counter()
    executable = jax.jit(function).lower(*arguments).compile()
    return lambda: executable(*arguments), time.perf_counter() - start


class Product(NamedTuple):
    """Matrix products to be timed: `call` makes them `count` times, `flops` in all."""

    call: Callable[[], list[jax.Array]]
    flops: float


def products(shapes: Sequence[tuple[int, int, int]]) -> Product:
    """jnp.dot of (a, b) and (b, c) matrices of normal numbers, for every shape (a, b, c).

    Float32 at precision "highest" whatever the process is set to. Short products are repeated for
    at least `SHORTEST` seconds a call; dispatched one after another, they overlap with Python.
    """
    key = make_key(0)
    factors = [
        (jax.random.normal(key, (a, b), "float32"), jax.random.normal(key, (b, c), "float32"))
        for a, b, c in shapes
    ]
    dot = jax.jit(lambda x, z: jnp.dot(x, z, precision="highest"))

    def once() -> list[jax.Array]:
        return [dot(x, z) for x, z in factors]

    jax.block_until_ready(once())
    start = time.perf_counter()
    jax.block_until_ready(once())
    count = max(1, round(SHORTEST / (time.perf_counter() - start)))

    def call() -> list[jax.Array]:
        for _ in range(count - 1):
            once()
        return once()

    return Product(call, count * sum(2.0 * a * b * c for a, b, c in shapes))


def square() -> Product:
    """The large square product."""
    return products([(SQUARE, SQUARE, SQUARE)])


def step_products(n: int, d: int, m: int) -> Product:
    """The two products of one training step in weight space: (n, d)(d, m) and (m, n)(n, d)."""
    return products([(n, d, m), (m, n, d)])


def peak_memory() -> int:
    """Bytes this process has had resident at most.

    From /proc where there is one: `getrusage` counts what the parent had before this process
    replaced its image, so a small child of a large process would look large.
    """
    status = pathlib.Path("/proc/self/status")
    if status.exists():
        (line,) = [s for s in status.read_text().splitlines() if s.startswith("VmHWM:")]
        return int(line.split()[1]) * 1024
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def machine() -> dict[str, Any]:
    """The hardware: processor, usable cores, accelerators with their FP32 peak if known, load."""
    devices = [device.device_kind for device in jax.devices()]
    peak = next((p for name, p in FP32_PEAK.items() if devices[0].startswith(name)), None)
    return {
        "processor": _processor(),
        "cores": cores(),
        "accelerators": [] if jax.default_backend() == "cpu" else devices,
        "fp32_peak": peak,
        "load_average": os.getloadavg()[0],
    }


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _processor() -> str:
    information = pathlib.Path("/proc/cpuinfo")
    if information.exists():
        for line in information.read_text().splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
    return platform.processor() or platform.machine()
