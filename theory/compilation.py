"""How programs are compiled, and how much memory they take."""

import abc
import contextlib
import contextvars
import functools
import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.extend.core
import jax.numpy as jnp

from theory._types import CompilerOption, PyTree

Compiled: TypeAlias = jax.stages.Wrapped  # what `jax.jit` returns


class Kept(abc.ABC):
    """A compiled function that may outlive the process: its program is looked for first."""

    @abc.abstractmethod
    def __call__(self, *arguments: Any) -> Any:
        """What the function returns."""

    @abc.abstractmethod
    def bytes_needed(self, *arguments: Any, limit: float) -> int:
        """See `bytes_needed`."""


Keeper: TypeAlias = Callable[[Callable[[], Compiled], str, tuple[int, ...]], Kept]
_keeper: contextvars.ContextVar[Keeper | None] = contextvars.ContextVar("keeper", default=None)


@contextlib.contextmanager
def kept_by(keeper: Keeper | None) -> Iterator[None]:
    """Inside, programs of statements are those that a keeper has, and new ones are given to it.

    Args:
      keeper: (() → what `jax.jit` returns, a name for the function and how it is compiled, numbers
        of its static arguments) → `Kept`; None where nothing is kept.
    """
    before = _keeper.set(keeper)
    try:
        yield
    finally:
        _keeper.reset(before)


def kept(make: Callable[[], Compiled], name: str, static: tuple[int, ...]) -> Compiled | Kept:
    """The function as the keeper has it, if there is one; see `kept_by`."""
    keeper = _keeper.get()
    return make() if keeper is None else keeper(make, name, static)


def gib(size: float) -> str:
    """A number of bytes in words."""
    return f"{size / 2**30:.3g} GiB"


def check_fits(what: str, needed: float, limit: float, how: str = "") -> None:
    """ValueError, with both numbers, unless what needs so many bytes may have them.

    Args:
      what: the subject of the message.
      needed, limit: bytes.
      how: words that follow "needs at least 3 GiB of memory", such as "with one draw at a time".
    """
    if needed > limit:
        words = f"{what} needs at least {gib(needed)} of memory {how}".rstrip()
        raise ValueError(f"{words}, and {gib(limit)} may be used")


class Fit(NamedTuple):
    """A batch that fits into memory, and the bytes that are needed with it."""

    batch: int
    memory: int


def largest_fit(what: str, most: int, limit: float, needed: Callable[[int], int], how: str) -> Fit:
    """The most at once that fit into memory: all, or as many fewer as they need too much.

    Args:
      what, how: as for `check_fits`, with one at a time.
      most: how many there are.
      limit: bytes that may be used.
      needed: number at once → bytes.

    Raises:
      ValueError: if not even one fits.
    """
    batch = most
    while (memory := needed(batch)) > limit:
        if batch == 1:
            check_fits(what, memory, limit, how)
        batch = max(1, min(batch - 1, int(batch * limit // memory)))
    return Fit(batch, memory)


def bounded(function: Compiled, what: str, limit: float | None) -> Callable[..., PyTree]:
    """A compiled function that refuses, in the words of `check_fits`, arguments it has no room for.

    Args:
      function: what `jax.jit` returned.
      what: what it computes.
      limit: bytes that may be used; None for a function that refuses nothing.
    """
    if limit is None:
        return function
    fitting = set()

    @functools.wraps(function)
    def checked(*arguments: PyTree) -> PyTree:
        shapes = str(jax.tree.map(jax.typeof, arguments))
        if shapes not in fitting:
            check_fits(what, bytes_needed(function, *arguments, limit=limit), limit)
            fitting.add(shapes)
        return function(*arguments)

    return checked


def bytes_needed(function: Compiled | Kept, *arguments: PyTree, limit: float = math.inf) -> int:
    """Bytes of a compiled function; a lower bound where that alone is beyond the limit.

    The bound needs no compiler, which takes minutes over programs that no memory holds.

    Args:
      function: what `jax.jit` returned.
      arguments: those it is called with; called so later, it is not compiled again.
      limit: bytes that may be used.

    Returns:
      The compiler's account of temporary buffers, arguments and outputs, with what libraries take
      inside an operation besides, or `largest_array`.

    Raises:
      ValueError: if the backend gives no account of memory.
    """
    if isinstance(function, Kept):
        return function.bytes_needed(*arguments, limit=limit)
    traced = function.trace(*arguments)
    if (least := largest_array(traced.jaxpr.jaxpr)) > limit:
        return least
    return bytes_of(traced.lower().compile(), traced)


def bytes_of(program: jax.stages.Compiled, traced: jax.stages.Traced) -> int:
    """Bytes of a compiled program, see `bytes_needed`; `traced` is what it was compiled from."""
    account = program.memory_analysis()
    if account is None:
        backend = jax.default_backend()
        raise ValueError(f"memory cannot be estimated: {backend} gives no account of it")
    return (
        account.temp_size_in_bytes
        + account.argument_size_in_bytes
        + account.output_size_in_bytes
        - account.alias_size_in_bytes
        + _inside_libraries(traced.jaxpr.jaxpr)
    )


# What XLA computes into memory of its own, whatever it fuses around it: random numbers and loops
# hold their whole state, sorting and factorizing need their operand as a whole.
IN_MEMORY = frozenset(
    ("random_bits", "while", "scan", "sort", "cumsum", "cholesky", "eigh", "svd", "qr", "lu")
)


# What LAPACK and Eigen compute on CPUs: they copy an operand, of which the compiler knows nothing.
BY_LIBRARIES = frozenset(
    (
        "dot_general", "geqrf", "householder_product", "cholesky", "triangular_solve", "lu", "eigh",
        "svd", "qr", "conv_general_dilated",
    )
)  # fmt: skip


def _inside_libraries(jaxpr: jax.extend.core.Jaxpr) -> int:
    """Bytes of the largest array that an operation of a library on the CPU takes."""
    if jax.default_backend() != "cpu":
        return 0
    largest = 0
    for equation in jaxpr.eqns:
        if equation.primitive.name in BY_LIBRARIES:
            largest = max(largest, *(_size(v.aval) for v in equation.invars))
        for inner in jax.extend.core.jaxprs_in_params(equation.params):
            largest = max(largest, _inside_libraries(inner))
    return largest


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


def quick_jit(function: Callable[..., Any]) -> Compiled:
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
