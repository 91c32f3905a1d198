"""Timing against itself: width against time and memory, two processes against one."""

import concurrent.futures
import contextlib
import multiprocessing
import os
import pathlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import jax
import jax.numpy as jnp

from experiments.bench import rows, timing
from experiments.bench.rows import Options, Row
from experiments.machine import environment, interrupts
from theory._types import PyTree
from theory.data.sampling import draw
from theory.keys import make_key
from theory.networks.blocks import BLOCK, sum_over_blocks
from theory.networks.descent import Descent
from theory.networks.network import Params, frozen_readout, input_gradients, outputs

WITHIN = 1.1  # a hundred times the width may cost a hundred times as much, and this factor
POINTS, DIMENSION, STEPS, QUERIES = 1000, 100, 10, 500
SWEEP = "lazy.dynamics"

T = TypeVar("T")


def _wide(m: int) -> tuple[Callable[[], PyTree], float]:
    """Trains a network of width m and sums its outputs and input gradients, block by block.

    Returns:
      The compiled call, and the seconds that compiling took.
    """
    key_data, key_weights = jax.random.split(make_key(0))
    sample = draw(key_data, "shifted-gaussian", POINTS, DIMENSION, queries=QUERIES)
    network, descent = frozen_readout(0.0), Descent(0.1, STEPS, "identity", 0.9)

    def observe(
        _: Params, trained: Params, x: jax.Array, z: jax.Array
    ) -> tuple[jax.Array, jax.Array]:
        return outputs(trained, z, 0.0), jnp.sum(input_gradients(trained, x, 0.0), axis=0)

    def run(
        key: jax.Array, x: jax.Array, y: jax.Array, z: jax.Array
    ) -> tuple[jax.Array, jax.Array]:
        return sum_over_blocks(network, key, m, x, y, descent, observe, x, z)

    return timing.compiled(run, key_weights, sample.x, sample.y, sample.z)


def _peak_of_width(m: int) -> int:
    """Bytes that a process takes at most to train this width."""
    environment.configure("float32")
    jax.block_until_ready(_wide(m)[0]())
    return timing.peak_memory()


def _in_child(function: Callable[..., T], *arguments: object) -> T:
    """The result from a fresh process, so that its peak memory is of this call alone."""
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(1, context) as pool:
        return pool.submit(function, *arguments).result()


def width(options: Options) -> Iterator[Row]:
    """A wide network against a narrow one: seconds per neuron, and peak memory."""
    narrow = 10_000
    factors = [4] if options.quick else [100] if jax.default_backend() == "cpu" else [100, 1000]
    for factor in factors:
        yield from _width_rows(narrow, factor, options)


def _width_rows(narrow: int, factor: int, options: Options) -> Iterator[Row]:
    target = None if options.quick else 1 / WITHIN
    few, _ = _wide(narrow)
    many, compile_time = _wide(narrow * factor)
    jax.block_until_ready(few())

    def as_often() -> PyTree:
        return [jax.block_until_ready(few()) for _ in range(factor)]

    products = rows.products(POINTS, DIMENSION, BLOCK)
    seconds = timing.alternate(
        {"few": as_often, "many": many} | products.calls(), repeats=3, clock=options.clock
    )
    case = f"m={narrow * factor:,}, n={POINTS:,} d={DIMENSION} {STEPS} steps"
    yield rows.from_rounds(
        "width",
        f"{case}, time",
        f"{factor} × m={narrow:,}",
        ours=seconds["many"],
        reference=seconds["few"],
        target=target,
        compile=compile_time,
        flops=STEPS * rows.step_flops(POINTS, DIMENSION, narrow * factor),
        rates=products.rates(seconds),
    )
    peaks = [_in_child(_peak_of_width, m) for m in (narrow, narrow * factor)]
    yield rows.from_rounds(
        "width",
        f"{case}, peak memory",
        f"m={narrow:,}",
        ours=peaks[1:],
        reference=peaks[:1],
        target=target,
        compile=compile_time,
        remarks=("memory of a whole process, Python, JAX and the compiler included",),
        unit="bytes",
    )


def two_processes(options: Options) -> Iterator[Row]:
    """One sweep by two processes with a core each against one process with a core."""
    cells, draws = (4, 50) if options.quick else (12, 3000)
    available = sorted(os.sched_getaffinity(0))
    if len(available) < 2:
        raise ValueError(f"two-processes must have two cores to run on, got {len(available)}")
    # Minutes each: once is enough for what changes within seconds to average out.
    alone, together = (_sweep_seconds(available[:k], cells, draws) for k in (1, 2))
    yield rows.from_rounds(
        "two-processes",
        f"sweep {SWEEP}, {cells} cells of {draws:,} draws, a core each",
        "one process, one core",
        ours=[together],
        reference=[alone],
        target=None if options.quick else 1.8,
        compile=0.0,
        remarks=("start-up and compilation of every process are in the time",),
    )


def _sweep_seconds(cores: Sequence[int], cells: int, draws: int) -> float:
    """Seconds that a sweep takes with one process on each of these cores, from start to end."""
    root = pathlib.Path(__file__).parent.parent.parent
    times = ",".join(str(1 + index / cells) for index in range(cells))
    environ = os.environ | {"PYTHONPATH": str(root), "JAX_PLATFORMS": "cpu"}
    with tempfile.TemporaryDirectory() as directory:
        command = [
            sys.executable, "-m", "widetheory", "sweep", SWEEP,
            "--grid", f"T={times}",
            "--draws", str(draws), "--out", str(pathlib.Path(directory, "sweep")), "--resume",
            "--memory", "2", "--json",
        ]  # fmt: skip
        start = time.perf_counter()
        children = []
        for core in cores:
            with on_core(core):  # a child runs where the thread that starts it runs
                children.append(
                    interrupts.start(
                        lambda: subprocess.Popen(
                            command, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
                        )
                    )
                )
        try:
            errors = [child.communicate()[1] for child in children]
        finally:
            interrupts.kill(children)
        taken = time.perf_counter() - start
    for child, error in zip(children, errors, strict=True):
        if child.returncode not in (0, 1):  # 1: a statement was refuted, which is no failure here
            raise RuntimeError(f"the sweep failed: {error.decode(errors='replace')[-500:]}")
    return taken


@contextlib.contextmanager
def on_core(core: int) -> Iterator[None]:
    """This thread on one core."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
