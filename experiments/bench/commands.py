"""How long commands take from the shell, against `python -c "import jax"`."""

import os
import pathlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence

from experiments.bench import rows
from experiments.bench.rows import Options, Row
from experiments.machine import cache_folder, interrupts

ROOT = pathlib.Path(__file__).parent.parent.parent
IMPORT = ("-c", "import jax")
COMMAND = ("-c", "from widetheory import entry; entry()")
ONE = ("verify", "orthogonal.multiplier-range")
ROUNDS = 5
# What is run with an empty cache, and again with another seed.
SHORT = (("--help",), ("list",), ONE)
EVERYTHING = ("verify",)


def commands(options: Options) -> Iterator[Row]:
    """Rows of several commands, without and with what an earlier run has kept."""
    with tempfile.TemporaryDirectory() as cache:
        long = () if options.quick else (EVERYTHING,)
        for line in (*SHORT, *long):
            yield _row(line, cache, "nothing is kept yet", seed=1)
        for line in SHORT:
            yield _row(line, cache, "again, another seed", seed=2, rounds=ROUNDS)
        for line in long:
            yield _row(line, cache, "again, another seed", seed=2)


def _row(line: Sequence[str], cache: str, when: str, *, seed: int, rounds: int = 1) -> Row:
    seeded = (*line, "--seed", str(seed)) if line[0] == "verify" else line
    ours, reference = [], []
    for _ in range(rounds):
        reference.append(_seconds(IMPORT, cache))
        ours.append(_seconds((*COMMAND, *seeded), cache))
    return rows.from_rounds(
        "commands",
        f"widetheory {' '.join(line)}; {when}",
        'python -c "import jax"',
        ours=ours,
        reference=reference,
        target=None,
        compile=0.0,
    )


def _seconds(arguments: Sequence[str], cache: str) -> float:
    """Seconds that Python takes from the shell; RuntimeError where it fails."""
    environ = os.environ | {
        "PYTHONPATH": str(ROOT),
        "JAX_PLATFORMS": "cpu",
        cache_folder.VARIABLE: cache,
    }
    start = time.perf_counter()
    child = interrupts.start(
        lambda: subprocess.Popen(
            [sys.executable, *arguments],
            env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        )
    )  # fmt: skip
    try:
        _, error = child.communicate()
    finally:
        interrupts.kill([child])
    if child.returncode not in (0, 1):  # 1: a statement was refuted, which is no failure here
        raise RuntimeError(f"{arguments} failed: {error.decode(errors='replace')[-500:]}")
    return time.perf_counter() - start
