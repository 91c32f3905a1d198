"""The programs that an evaluation compiles: many draws, batch by batch, on any devices."""

import contextlib
import functools
import math
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

import jax
import jax.numpy as jnp
from jax.sharding import Mesh
from threadpoolctl import LibController, ThreadpoolController

from theory import parallel, parameters
from theory._types import Integer, PyTree, Real
from theory._validation import check_choice
from theory.compilation import Compiled, Kept, kept, quick_to_compile
from theory.verification.canary import check_precision
from theory.verification.distinct import beside_keys, fingerprint
from theory.verification.estimates import (
    in_doubt,
    margin_values,
    unstated,
    with_estimates,
)
from theory.verification.instances import (
    instance_evidence,
    instance_quantity,
)
from theory.verification.kinds import Deterministic, Probabilistic
from theory.verification.rounding import estimated_rounding
from theory.verification.statement import (
    Statement,
)
from theory.verification.verdict import Evidence

T = TypeVar("T")

PRECISIONS = ("float64", "float32")
MOST_DRAWS = 2**32  # as many keys are folded from one
PIECE = 2**16  # draws whose evidence is on the device at once
# Draws of a condition for which the compiler need not optimize: those of deterministic statements
# take less time to compute in all, measured over the registry.
FEW = {Deterministic: 500, Probabilistic: 100}


@contextlib.contextmanager
def arithmetic(precision: str) -> Iterator[None]:
    """What statements compute in, whatever JAX's flags are: "float64", but on a TPU, or "float32".

    Matrix products keep the precision on every device. LAPACK has one thread: several wait for one
    another by spinning, in which small decompositions take ten times as long, and round in an order
    that depends on how many there are.
    """
    check_choice("precision", precision, PRECISIONS)
    check_precision(precision)
    with (
        jax.enable_x64(precision == "float64"),
        jax.default_matmul_precision("highest"),
        _LAPACK.one_thread(),
    ):
        yield


class _Lapack:
    """The number of its threads, which is one for all threads of Python."""

    def __init__(self) -> None:
        self.lock, self.inside = threading.Lock(), 0
        self.before: list[tuple[LibController, int]] = []

    @contextlib.contextmanager
    def one_thread(self) -> Iterator[None]:
        """One while anybody is inside, as many as before when the last has left."""
        with self.lock:
            self.inside += 1
            if self.inside == 1:  # JAX has loaded the library by now
                libraries = ThreadpoolController().select(user_api="blas").lib_controllers
                self.before = [(library, library.num_threads) for library in libraries]
                _set_threads([(library, 1) for library in libraries])
        try:
            yield
        finally:
            with self.lock:
                self.inside -= 1
                if self.inside == 0:
                    _set_threads(self.before)


def _set_threads(numbers: list[tuple[LibController, int]]) -> None:
    for library, number in numbers:
        # Newer versions let one thread of Python set the number, and ignore the others.
        release = getattr(library, "clear_controlling_thread", None)
        if release is not None:
            release(force=True)
        library.set_num_threads(number)
        if release is not None:
            release(force=True)


_LAPACK = _Lapack()


def compiled(
    function: Callable[..., PyTree],
    static: tuple[int, ...],
    mesh: Mesh | None = None,
    level: int = 0,
) -> Compiled | Kept:
    """`jax.jit` of one of the functions below, kept for the next call with the same arguments.

    On one device also from an earlier process, see `theory.compilation.kept_by`.
    """
    make = functools.partial(_jitted, function, static, mesh, jax.default_backend(), level)
    return make() if mesh is not None else kept(make, f"{function.__name__} {level}", static)


def optimization_level(statement: Statement, draws: int) -> int:
    """How much the compiler shall optimize, see `quick_to_compile`."""
    return 0 if draws <= FEW.get(type(statement.claim), 0) else 1


@functools.cache
def _jitted(
    function: Callable[..., PyTree],
    static: tuple[int, ...],
    mesh: Mesh | None,
    backend: str,
    level: int,
) -> Compiled:
    options = quick_to_compile(level) if backend == "cpu" else None
    function = functools.partial(function, mesh=mesh)
    return jax.jit(function, static_argnums=static, compiler_options=options)


def evaluate_draws(
    statement: Statement,
    config: object,
    traced: Mapping[str, Real],
    key: jax.Array,
    draws: int,
    largest: int,
    start: Integer,
    *,
    mesh: Mesh | None,
) -> Evidence:
    """Samples and checks every draw."""
    config = parameters.filled(config, traced)

    def one(index: jax.Array) -> Evidence:
        return drawn_evidence(statement, config, jax.random.fold_in(key, index))

    return _in_batches(one, draws, largest, mesh, start)


def sample_draws(
    statement: Statement,
    config: object,
    traced: Mapping[str, Real],
    key: jax.Array,
    start: Integer,
    count: int,
    *,
    mesh: Mesh | None,
) -> PyTree:
    """The instances of `count` draws from `start` on, for the solver."""
    config = parameters.filled(config, traced)

    def one(index: jax.Array) -> PyTree:
        return statement.sample(jax.random.fold_in(key, index), config)

    return parallel.split_rows(mesh, jax.vmap(one))(start + jnp.arange(count))


def check_instances(
    statement: Statement,
    config: object,
    traced: Mapping[str, Real],
    instances: PyTree,
    all_estimated: bool = False,
    *,
    mesh: Mesh | None,
) -> Evidence:
    """Checks instances as they are."""
    config = parameters.filled(config, traced)

    def one(instance: PyTree) -> Evidence:
        return with_estimates(
            instance_evidence(statement, instance, config),
            lambda i: instance_evidence(statement, i, config),
            instance,
            quantity=True,
            all_estimated=all_estimated,
        )

    return parallel.split_rows(mesh, jax.vmap(one))(instances)


def split_for_checks(
    statement: Statement, static: object, values: Mapping[str, Real], instances: PyTree
) -> tuple[object, Mapping[str, Real]]:
    """The configuration as `check_instances` takes it: values of which Python looks at some in a
    condition are constants again."""
    if not values:
        return static, values
    config = parameters.filled(static, values)
    row = jax.tree.map(lambda part: jax.ShapeDtypeStruct(part.shape[1:], part.dtype), instances)

    def checked(_: jax.Array, config: object) -> None:
        jax.eval_shape(lambda instance: instance_evidence(statement, instance, config), row)

    return parameters.split(config, parameters.traceable(checked, config, tuple(values)))


def quantity_rounding(
    statement: Statement,
    config: object,
    traced: Mapping[str, Real],
    key: jax.Array,
    indices: jax.Array,
    *,
    mesh: Mesh | None,
) -> jax.Array:
    """(indices, …) estimated rounding of the quantity in some draws."""
    config = parameters.filled(config, traced)

    def one(index: jax.Array) -> jax.Array:
        key_of_draw = jax.random.fold_in(key, index)
        found = estimated_rounding(
            lambda key: [instance_quantity(statement, statement.sample(key, config), config)[0]],
            key_of_draw,
            unsigned=False,
        )
        return jnp.where(found.overflow, jnp.inf, found.error[0])

    return jax.lax.map(one, indices)


def drawn_evidence(
    statement: Statement, config: object, key: jax.Array, *, all_estimated: bool = False
) -> Evidence:
    """One draw: its evidence, with estimates of the numerical errors that are not stated."""

    def evidence_of(key: jax.Array) -> Evidence:
        return instance_evidence(statement, statement.sample(key, config), config)

    instance = statement.sample(key, config)
    evidence = instance_evidence(statement, instance, config)._replace(
        identity=fingerprint(instance), beside_keys=_without_keys(fingerprint, instance)
    )
    evidence = with_estimates(evidence, evidence_of, key, all_estimated=all_estimated)
    if unstated(evidence) and _has_unsigned(instance):
        conditions = estimated_rounding(
            lambda i: margin_values(instance_evidence(statement, i, config)), instance
        )
        evidence = in_doubt(evidence, conditions.overflow)
    return evidence


def _without_keys(of: Callable[[PyTree], T], instance: PyTree) -> T | None:
    """The fingerprint of what an instance holds beside random keys; None if it holds none."""
    others = beside_keys(instance)
    return None if others is None else of(others)


def _has_unsigned(instance: PyTree) -> bool:
    leaves = map(jnp.asarray, jax.tree.leaves(instance))
    return any(jnp.issubdtype(leaf.dtype, jnp.unsignedinteger) for leaf in leaves)


def equal_batches(draws: int, largest: int, mesh: Mesh | None = None) -> tuple[int, int]:
    """Number and size of equal batches, few draws too many: a remainder would be compiled too.

    The size is that on all devices of the mesh together, `largest` that on one of them.
    """
    devices = 1 if mesh is None else mesh.size
    share = math.ceil(draws / devices)
    batches = math.ceil(share / largest)
    return batches, devices * math.ceil(share / batches)


def pieces(draws: int) -> tuple[int, int]:
    """Number and size of equal pieces, each the draws of one program at most."""
    count = math.ceil(draws / PIECE)
    return count, math.ceil(draws / count)


def _in_batches(
    one: Callable[[jax.Array], T], draws: int, largest: int, mesh: Mesh | None, start: Integer
) -> T:
    batches, batch = equal_batches(draws, largest, mesh)

    def share(indices: jax.Array) -> T:  # of one device
        results = jax.lax.map(jax.vmap(one), indices.reshape(batches, -1))
        return jax.tree.map(lambda part: part.reshape(-1, *part.shape[2:]), results)

    return parallel.split_rows(mesh, share)(start + jnp.arange(batches * batch))
