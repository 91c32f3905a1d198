"""How programs are compiled, and how much memory they take."""

import functools
import math
from collections.abc import Callable
from typing import Any, TypeAlias

import jax
import jax.extend.core
import jax.numpy as jnp

from theory._types import CompilerOption, PyTree

Compiled: TypeAlias = jax.stages.Wrapped  # what `jax.jit` returns


def gib(size: float) -> str:
    """A number of bytes in words."""
    return f"{size / 2**30:.3g} GiB"


def bytes_needed(function: Compiled, *arguments: PyTree, limit: float = math.inf) -> int:
    """Bytes of a compiled function; a lower bound where that alone is beyond the limit.

    The bound needs no compiler, which takes minutes over programs that no memory holds.

    Args:
      function: what `jax.jit` returned.
      arguments: those it is called with; called so later, it is not compiled again.
      limit: bytes that may be used.

    Returns:
      The compiler's account of temporary buffers, arguments and outputs, or `largest_array`.

    Raises:
      ValueError: if the backend gives no account of memory.
    """
    traced = function.trace(*arguments)
    if (least := largest_array(traced.jaxpr.jaxpr)) > limit:
        return least
    account = traced.lower().compile().memory_analysis()
    if account is None:
        backend = jax.default_backend()
        raise ValueError(f"memory cannot be estimated: {backend} gives no account of it")
    return (
        account.temp_size_in_bytes
        + account.argument_size_in_bytes
        + account.output_size_in_bytes
        - account.alias_size_in_bytes
    )


# What XLA computes into memory of its own, whatever it fuses around it: random numbers and loops
# hold their whole state, sorting and factorizing need their operand as a whole.
IN_MEMORY = frozenset(
    ("random_bits", "while", "scan", "sort", "cumsum", "cholesky", "eigh", "svd", "qr", "lu")
)


def largest_array(jaxpr: jax.extend.core.Jaxpr) -> int:
    """Bytes of the largest array that a program has to hold, from shapes alone.

    Arrays that the compiler may never write down, being fused into what uses them, are not counted:
    the program needs at least this much memory, and usually a few times as much.

    Args:
      jaxpr: the program, a `jax.extend.core.Jaxpr`.
    """
    largest = max((_size(v.aval) for v in (*jaxpr.invars, *jaxpr.outvars)), default=0)
    for equation in jaxpr.eqns:
        if equation.primitive.name in IN_MEMORY:
            largest = max(largest, *(_size(v.aval) for v in equation.outvars))
        for inner in jax.extend.core.jaxprs_in_params(equation.params):
            largest = max(largest, largest_array(inner))
    return largest


def _size(array: Any) -> int:
    if jnp.issubdtype(array.dtype, jax.dtypes.extended):  # keys, of two 32-bit numbers each
        return 8 * math.prod(array.shape)
    return array.dtype.itemsize * math.prod(array.shape)


@functools.cache
def quick_to_compile(level: int) -> dict[str, CompilerOption]:
    """Options of XLA for CPUs, those that the installed one knows.

    Most statements run for less time than they take to compile. At optimizing level 1 they compile
    3 to 4 times faster than by default and run as fast; at level 0 in a third less time again, but
    run slower, which pays for few draws. Without the emitters of fused kernels they take a quarter
    less processor time in all.

    By default XLA runs decompositions of LAPACK side by side, and a program with several batches of
    them, as `theory.verification.rounding` makes of one determinant, may stand still for good, its
    threads idle. With a schedule made for the least memory they run in turn.
    """
    options = {
        "xla_backend_optimization_level": level,
        "xla_cpu_use_fusion_emitters": False,
        "xla_cpu_scheduler_type": "CPU_SCHEDULER_TYPE_MEMORY_OPTIMIZED",
    }
    return {name: value for name, value in options.items() if known_to_xla(name, value)}


def quick_jit(function: Callable[..., Any]) -> Callable[..., Any]:
    """`jax.jit` of what runs for less time than it compiles, see `quick_to_compile`.

    Args:
      function: pure, of pytrees of arrays.

    Returns:
      The compiled function; on CPUs at optimizing level 1, elsewhere as by default.
    """
    options = quick_to_compile(1) if jax.default_backend() == "cpu" else None
    return jax.jit(function, compiler_options=options)


def known_to_xla(name: str, value: CompilerOption) -> bool:
    """Whether the installed XLA has an option of this name that takes the value."""
    try:
        jax.jit(lambda x: x, compiler_options={name: value}).lower(0.0).compile()
    except jax.errors.JaxRuntimeError:  # no such option, in other releases of XLA
        return False
    return True
