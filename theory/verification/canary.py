"""Whether the installed compiler computes right numbers: a few fused patterns against NumPy.

jaxlib 0.10.2 did not, on CPUs: matrix–vector products fused with a reduction were wrong from row
16384 on, in float32 from row 32768 on (https://github.com/jax-ml/jax/issues/39103), and true
statements were refuted. A compiler goes wrong where its tiles and vectors end, so the sizes here
are beyond those ends and no multiples of them. NaN is left out on purpose: XLA's minimum and
maximum over thousands of entries are known to drop it.
"""

import functools
import importlib.metadata
from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from theory._types import CompilerOption

# Odd, and where 0.10.2 was wrong: from row 2¹⁴ on in float64, but not of more than 2¹⁵ rows; in
# float32 twice that.
ROWS = {"float32": 33_001, "float64": 20_001}
POINTS = 3


class MiscompilationError(ValueError):
    """The installed compiler computes wrong numbers: nothing can be judged with it."""


class Pattern(NamedTuple):
    """A computation in JAX and in NumPy, of (POINTS, d) points x and (rows, d) points z.

    `d` is no vector's length: with 4 and 8 columns 0.10.2 was right. `terms` is the number of
    roundings behind one result: its sums' lengths, and a few.
    """

    name: str
    d: int
    compiled: Callable[[Array, Array], Array]
    expected: Callable[[np.ndarray, np.ndarray], np.ndarray]
    terms: int


# Entries are positive, so that the error of every result is relative to the result itself.
PATTERNS = (
    Pattern(
        "the mean of |x zᵀ + 1|",
        3,
        lambda x, z: jnp.mean(jnp.abs(x @ z.T + 1), axis=0),
        lambda x, z: np.mean(np.abs(x @ z.T + 1), axis=0),
        terms=POINTS + 3 + 4,
    ),
    Pattern(
        "|x z|² over a batch of z",
        5,
        jax.vmap(lambda x, z: jnp.sum((x @ z) ** 2), (None, 0)),
        lambda x, z: np.sum((z @ x.T) ** 2, axis=1),
        terms=POINTS + 2 * 5 + 4,
    ),
    Pattern(
        "the maximum of x z over a batch of z",
        6,
        jax.vmap(lambda x, z: jnp.max(x @ z), (None, 0)),
        lambda x, z: np.max(z @ x.T, axis=1),
        terms=6 + 4,
    ),
    Pattern(
        "the sum of max(z x, 1) z over all z",
        3,
        lambda x, z: jnp.maximum(z @ x[0], 1) @ z,
        lambda x, z: np.maximum(z @ x[0], 1) @ z,
        terms=max(ROWS.values()) + 3 + 4,
    ),
)


def check(precision: str) -> None:
    """Refuses to go on where the compiler in use computes wrong numbers; once per process.

    Every pattern is computed in float32 and float64, as `jax.jit` compiles by default and as
    `theory.compilation` has it for verdicts, and compared with NumPy in float64: some .4 s of one
    core. The error allowed is a small multiple of the bound for sums of positive numbers in any
    order: a correct compiler cannot exceed it, and one that takes a wrong entry does by orders of
    magnitude.

    Args:
      precision: what will be computed in.

    Raises:
      ValueError: as `check_precision` does.
      MiscompilationError: which pattern is wrong by how much, with the version and the remedy.
    """
    check_precision(precision)
    backend = jax.default_backend()
    if (found := wrong(backend)) is not None:
        raise MiscompilationError(
            f"jaxlib {importlib.metadata.version('jaxlib')} computes wrong numbers on {backend}: "
            f"{found}; nothing can be judged with it, install another version of jax and jaxlib"
        )


def check_precision(precision: str) -> None:
    """ValueError for float64 on a TPU, where it is a pair of float32 with their exponents.

    Bounds on rounding count on the real one, and XLA compiles nothing that looks at its bits.
    """
    backend = jax.default_backend()
    if precision == "float64" and precision not in _precisions(backend):
        raise ValueError(f"precision must be float32 on a {backend.upper()}, got {precision}")


def _precisions(backend: str) -> tuple[str, ...]:
    """Those of `ROWS` whose arithmetic a backend has."""
    return ("float32",) if backend == "tpu" else tuple(ROWS)


@functools.cache
def wrong(backend: str) -> str | None:
    """The pattern that differs most from NumPy on the default device, in words; None if none.

    Args:
      backend: that of the default device; the answer is kept for each.
    """
    from theory.compilation import quick_to_compile  # which imports this module

    ways: tuple[dict[str, CompilerOption] | None, ...] = (None,)
    if backend == "cpu":
        ways = (None, quick_to_compile(1), quick_to_compile(0))
    known = _precisions(backend)
    worst = max(difference for options in ways for difference in _differences(options, known))
    return worst.words if worst.excess > 1 else None


class _Difference(NamedTuple):
    excess: float  # the error over the error allowed
    words: str


def _differences(
    options: dict[str, CompilerOption] | None, precisions: Sequence[str]
) -> list[_Difference]:
    """How far every pattern is from NumPy; one program of all is compiled in half the time."""
    cases = [(pattern, precision) for pattern in PATTERNS for precision in precisions]
    inputs = [_points(pattern.d, precision) for pattern, precision in cases]

    def run(inputs: list[tuple[Array, Array]]) -> list[Array]:
        return [pattern.compiled(x, z) for (pattern, _), (x, z) in zip(cases, inputs, strict=True)]

    with jax.enable_x64(True), jax.default_matmul_precision("highest"):
        results = jax.device_get(jax.jit(run, compiler_options=options)(inputs))
    return [
        _difference(pattern, x, z, got)
        for (pattern, _), (x, z), got in zip(cases, inputs, results, strict=True)
    ]


def _difference(pattern: Pattern, x: np.ndarray, z: np.ndarray, got: np.ndarray) -> _Difference:
    expected = pattern.expected(x.astype(np.float64), z.astype(np.float64))
    allowed = 8 * pattern.terms * float(np.finfo(x.dtype).eps) * expected
    excess = np.abs(got - expected) / allowed
    excess[np.isnan(excess)] = np.inf
    at = int(np.argmax(excess))
    return _Difference(
        float(excess[at]),
        f"{pattern.name}, x of shape {x.shape}, z of {z.shape}, {x.dtype}, is "
        f"{got[at] / expected[at]:.3g} times what NumPy finds, at entry {at}",
    )


def _points(d: int, precision: str) -> tuple[np.ndarray, np.ndarray]:
    """(POINTS, d) and (rows, d) fixed numbers in [½, 3/2], no two rows alike."""
    numbers = 1 + np.sin(np.arange((POINTS + ROWS[precision]) * d) * np.sqrt(2.0)) / 2
    points = numbers.reshape(-1, d).astype(precision)
    return points[:POINTS], points[POINTS:]
