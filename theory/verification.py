"""Statements, and the one function that checks any of them over many independent draws."""

import contextlib
import dataclasses
import functools
import inspect
import math
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from theory import canary, sharding, values
from theory._validation import check_choice, check_integer, check_real
from theory.claims import Claim, checked_claims
from theory.distinct import beside_keys, fingerprint, fingerprint_on_host
from theory.evidence import Margin, Measured, Outcome, as_float, outcome, premise
from theory.judgement import judge
from theory.keys import with_generator
from theory.rounding import LANES, Rounding, estimated_rounding
from theory.verdict import Evidence, Verdict

KINDS = ("deterministic", "probabilistic", "moment", "empirical", "rate", "decay")
TIERS = ("data", "init", "certificate")
PRECISIONS = ("float64", "float32")
# Draws on which the rounding of a quantity is estimated: of its mean only the size matters.
LOOKED_AT = 16
MANY_LANES = 24  # perturbed evaluations of a second look
FEW = 100  # draws of a condition for which the compiler need not optimize


@dataclasses.dataclass(frozen=True)
class Hypothesis:
    """One condition of a statement.

    Attributes:
      check: instance → `Margin` (scalar), positive exactly when the condition holds.
      says: the condition in words and symbols.
      tier: what it looks at: "data" (data and hyper-parameters alone), "init" (also the drawn
        initialization) or "certificate" (also the solution; the default). Only if all hypotheses
        of a statement are "data" are failures counted among the draws that satisfy them, so that
        forgetting to say so costs power and refutes nothing that is true.
    """

    check: Callable[[Any], Margin]
    says: str = ""
    tier: str = "certificate"

    def __post_init__(self) -> None:
        check_choice("tier", self.tier, TIERS)
        if not callable(self.check):
            raise ValueError(f"check must be a function of the instance, got {_named(self.check)}")


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Statement:
    """A theorem, lemma or claim, in a form that can be checked on drawn instances.

    "deterministic": hypotheses ⇒ conclusion, always.
    "probabilistic": hypotheses ⇒ conclusion, except with probability `failure_probability`.
    "moment": the mean of `quantity` over draws equals `claim(config).value`.
    "empirical": the same for what an experiment showed, not a theorem; consistent only where the
      confidence interval lies on the claimed side.
    "rate": the mean of `quantity` over draws is a power law in `scales(config)` with exponent
      `claim(config).value`.
    "decay": `quantity` is 1 where a draw fails at a scale, else 0; the probability of failure
      decays like exp(−`claim(config).value`·scale).

    Attributes:
      id: unique name, "family.statement".
      kind: one of the four above.
      sample: (key, config) → instance, any pytree; a pure function that jit and vmap accept. The
        instance should hold everything that the checks need, so that they stay deterministic.
      hypotheses: name → `Hypothesis`, or a bare function instance → `Margin`, which stands for a
        hypothesis that looks at everything.
      measured: the same, for conditions that are reported but not required.
      conclusion: instance → `Margin` (scalar).
      failure_probability: instance → δ, the failure probability allowed.
      solve: instance → instance, a stage on the host between `sample` and the checks, for solvers
        that no compiler knows: numpy arrays of one draw in, numpy arrays of fixed shapes out.
        Numbers in the instance become arrays on the way.
      quantity: instance → number ("moment", "empirical") or (S,) array: positive numbers ("rate")
        or failures ("decay"); with an axis of claims in front where there are several. As
        `measured(value, error)` it states its numerical error, which is estimated otherwise.
      claim: config → `Claim`, or a tuple of them about one quantity each.
      scales: config → (S,) the scales of a rate or decay.
      constant: instance → number, the largest constant C with which the hypotheses of a published
        form O(·) hold; the verdict names the smallest C that no draw contradicts.
      config: the default configuration, hashable.
      cases: name → changes of `config`: further settings that a run without settings covers.
      title, says, source: for people: one line; the statement in full; where it is printed.
      caveat: what a reader must know about the source before the verdict says anything about it.
      erratum: anchor in docs/errata.md if the statement is known to be wrong as printed.
      loose: why a bound is far from tight, if it is.
      draws: preset → number of draws that it takes to tell.
      data: whether `config.data` may be replaced by data of the user's.
      random: whether instances are random. If not, one draw is all there is.
      batch: most draws evaluated at once.

    Raises:
      ValueError: for an unknown kind, a missing or impossible field, or a wrong case.
    """

    id: str
    kind: str
    sample: Callable[[jax.Array, Any], Any]
    hypotheses: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    measured: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    solve: Callable[[Any], Any] | None = None
    conclusion: Callable[[Any], Margin] | None = None
    failure_probability: Callable[[Any], Any] | None = None
    quantity: Callable[[Any], Any] | None = None
    claim: Callable[[Any], Claim | tuple[Claim, ...]] | None = None
    scales: Callable[[Any], Any] | None = None
    constant: Callable[[Any], Any] | None = None
    config: Any = None
    cases: Mapping[str, Mapping[str, Any]] = dataclasses.field(default_factory=dict)
    title: str = ""
    says: str = ""
    source: str = ""
    caveat: str = ""
    erratum: str | None = None
    loose: str = ""
    draws: Mapping[str, int] = dataclasses.field(
        default_factory=lambda: {"quick": 100, "full": 1000}
    )
    data: bool = False
    random: bool = True
    batch: int = 16

    def __post_init__(self) -> None:
        check_choice("kind", self.kind, KINDS)
        needed = {
            "deterministic": ("conclusion",),
            "probabilistic": ("conclusion", "failure_probability"),
            "moment": ("quantity", "claim"),
            "empirical": ("quantity", "claim"),
            "rate": ("quantity", "claim", "scales"),
            "decay": ("quantity", "claim", "scales"),
        }
        for role in needed[self.kind]:
            if getattr(self, role) is None:
                raise ValueError(f"{role} must be given for a {self.kind} statement, got None")
        for role in ("sample", "solve", "conclusion", "failure_probability", "quantity", "claim",
                     "scales", "constant"):  # fmt: skip
            value = getattr(self, role)
            if value is not None and not callable(value):
                raise ValueError(f"{role} must be a function, got {_named(value)}")
        if not self.random and self.kind != "deterministic":
            raise ValueError(f"random must be True for a {self.kind} statement, got False")
        _check_config(self.config)
        for role in ("hypotheses", "measured"):
            object.__setattr__(self, role, _conditions(role, getattr(self, role)))
        check_integer("batch", self.batch)
        for preset, count in self.draws.items():
            check_integer(f"draws[{preset!r}]", count)
        _check_signature("sample", self.sample, "(key, config)", 2)
        for name in self.cases:
            self.configured(name)

    def configured(self, case: str = "") -> Any:
        """The default configuration, or that of a case. ValueError if its changes are wrong."""
        if not case:
            return self.config
        return dataclasses.replace(
            self.config, **self.cases[check_choice("case", case, self.cases)]
        )

    @property
    def tiers(self) -> dict[str, str]:
        """Name of each condition, required or only measured → its tier."""
        return {name: c.tier for name, c in (*self.hypotheses.items(), *self.measured.items())}


def _named(value: Any) -> str:
    return f"{type(value).__name__} {value!r}"


def _conditions(role: str, given: Any) -> dict[str, Hypothesis]:
    if not isinstance(given, Mapping):
        raise ValueError(f"{role} must be a mapping from names to conditions, got {_named(given)}")
    found = {}
    for name, condition in given.items():
        if isinstance(condition, Hypothesis):
            found[name] = condition
        elif callable(condition):
            function: Any = condition
            found[name] = Hypothesis(function)
        else:
            raise ValueError(
                f"{role}[{name!r}] must be a function of the instance, got {_named(condition)}"
            )
    return found


def _check_signature(role: str, function: Any, arguments: str, count: int) -> None:
    """ValueError unless the function can be called with so many arguments, where that is known."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # of a built-in function nothing is known
        return
    try:
        signature.bind(*range(count))
    except TypeError as error:
        raise ValueError(f"{role} must take {arguments}, got {signature}: {error}") from None


def _check_statement(statement: Any) -> None:
    if not isinstance(statement, Statement):
        raise ValueError(
            f"statement must be a Statement, such as REGISTRY[id], got {_named(statement)}"
        )


def _check_claims(statement: Statement, config: Any) -> None:
    """ValueError for claims that are none, before any draw is made."""
    if statement.claim is not None:
        checked_claims(statement.id, statement.claim(config))


def _check_config(config: Any) -> None:
    try:
        hash(config)
    except TypeError:
        raise ValueError(
            f"config must be hashable, such as a `Parameters`, got {_named(config)}"
        ) from None


@contextlib.contextmanager
def arithmetic(precision: str) -> Iterator[None]:
    """What statements compute in, whatever JAX's flags are: "float64" or "float32".

    Matrix products keep the precision on every device.
    """
    check_choice("precision", precision, PRECISIONS)
    with jax.enable_x64(precision == "float64"), jax.default_matmul_precision("highest"):
        yield


@with_generator
def evaluate(
    statement: Statement,
    key: jax.Array,
    draws: int,
    config: Any = None,
    *,
    batch: int | None = None,
    mesh: Mesh | None = None,
    traced: Collection[str] = (),
    precision: str = "float64",
    start: int = 0,
) -> Evidence:
    """Draws instances and checks every condition on each; `verify` judges the result.

    Draw i uses the key fold_in(key, i), so it is the same, to rounding, whatever the number of
    draws and on whatever device. Where a condition does not state its numerical error, the error
    is estimated by `theory.rounding`, from the random key on: sampler and condition together.

    Args:
      statement: what to check.
      key: random key.
      draws: number of independent draws, ≥ 1; a statement without randomness is drawn once.
      config: configuration, the statement's default if None.
      batch: most draws evaluated at once on a device, the statement's own if None
        (`memory.largest_batch` finds one that fits into memory); it changes results by rounding
        at most.
      mesh: devices that share the draws, along all its axes (`theory.sharding.make_mesh`); it
        changes results by rounding at most. None: one device. If it spans several processes, all
        of them call this with the same arguments, and each solves the draws on its own devices.
      traced: parameters, from `traceable_parameters`, that are arguments of what is compiled:
        configurations that differ in nothing else are compiled once; it changes results by rounding
        at most.
      precision: "float64" or "float32", whatever JAX's own flags say.
      start: number of the first draw.

    Returns:
      The `Evidence` of all draws, as numpy arrays, in every process.

    Raises:
      ValueError: for a wrong argument, a key of another generator than `keys.GENERATOR`, or where a
        check returns something else than it should.
      MiscompilationError: if the installed compiler computes wrong numbers, see `canary`.
    """
    canary.check()
    _check_statement(statement)
    config = statement.config if config is None else config
    _check_config(config)
    batch = statement.batch if batch is None else check_integer("batch", batch)
    draws = check_integer("draws", draws) if statement.random else 1
    with arithmetic(precision):
        if traced:  # values that Python refuses are refused where it sees them
            jax.eval_shape(functools.partial(_before_solving, statement, config), key)
        static = values.split(config, traced)
        if statement.solve is None:
            run = _compiled(_evaluate, (0, 1, 4, 5), mesh, _level(statement, draws))
            first = (start,) if start else ()
            evidence = sharding.gathered(run(statement, *static, key, draws, batch, *first))
        else:
            evidence = _evaluate_solved(statement, static, key, draws, batch, mesh, start)
        evidence = jax.tree.map(lambda part: part[:draws], evidence)  # without padding
        judged = statement.kind not in ("deterministic", "probabilistic")
        if judged and evidence.quantity is not None and evidence.quantity_error is None:
            found = _rounding_of_quantity(statement, static, key, evidence, start)
            evidence = evidence._replace(quantity_error=found)
    return evidence._replace(  # jit sorts dictionaries by name
        hypotheses={name: evidence.hypotheses[name] for name in statement.hypotheses},
        measured={name: evidence.measured[name] for name in statement.measured},
    )


def _rounding_of_quantity(
    statement: Statement, static: tuple[Any, Any], key: jax.Array, evidence: Evidence, start: int
) -> np.ndarray:
    """The mean over a few draws of the estimated rounding of the quantity, for all draws."""
    quantity = np.asarray(evidence.quantity)
    _, fails = premise(evidence.hypotheses.values())
    counted = np.flatnonzero(~np.broadcast_to(fails, len(quantity)))[:LOOKED_AT]
    if not len(counted):
        return np.zeros(quantity.shape)
    run = _compiled(_quantity_rounding, (0, 1), level=1)
    indices = start + np.resize(counted, LOOKED_AT)  # of one shape: compiled once
    errors = jax.device_get(run(statement, *static, key, indices))
    return np.broadcast_to(errors.mean(axis=0), quantity.shape)


def traceable_parameters(
    statement: Statement, config: Any, names: Collection[str]
) -> tuple[str, ...]:
    """Which parameters `evaluate` can take as `traced`, found by trying, see `theory.values`.

    Args:
      statement: the statement.
      config: a configuration; the answer may depend on all but the values asked about.
      names: parameters to try.

    Returns:
      Those of the names; the others have to stay constants of what is compiled.
    """

    def function(key: jax.Array, config: Any) -> Any:
        return _before_solving(statement, config, key)

    return values.traceable(function, config, names)


def _before_solving(statement: Statement, config: Any, key: jax.Array) -> Any:
    """All that depends on the configuration: the instance, and without a solver the evidence."""
    if statement.solve:
        return statement.sample(key, config)
    return _drawn(statement, config, key)


def _evaluate_solved(
    statement: Statement,
    config: tuple[Any, Any],
    key: jax.Array,
    draws: int,
    largest: int,
    mesh: Mesh | None,
    first: int,
) -> Evidence:
    """Samples, solves and checks batch by batch, so that only one is held at a time."""
    level = _level(statement, draws)
    sample = _compiled(_sample, (0, 1, 5), mesh, level)
    check = _compiled(_check, (0, 2), mesh, level)

    def solve(instance: Any) -> tuple[Any, tuple[Any, Any]]:
        assert statement.solve is not None
        known = fingerprint_on_host(instance), _without_keys(fingerprint_on_host, instance)
        return statement.solve(instance), known

    batches, batch = _batches(draws, largest, mesh)
    parts = []
    for start in range(0, batches * batch, batch):
        sampled = sample(statement, *config, key, first + start, batch)
        solved, known = sharding.map_on_host(mesh, solve, sampled, draws - start)
        identity, others = known if mesh is None else sharding.gathered(known)
        evidence = sharding.gathered(check(statement, solved))
        parts.append(evidence._replace(identity=identity, beside_keys=others))
    return jax.tree.map(lambda *values: np.concatenate(values), *parts)


def _compiled(
    function: Callable[..., Any],
    static: tuple[int, ...],
    mesh: Mesh | None = None,
    level: int = 0,
) -> Callable[..., Any]:
    return _jitted(function, static, mesh, jax.default_backend(), level)


def _level(statement: Statement, draws: int) -> int:
    """How much the compiler shall optimize, see `quick_to_compile`."""
    conditions = statement.kind in ("deterministic", "probabilistic")
    return 0 if conditions and draws <= FEW else 1


@functools.cache
def _jitted(
    function: Callable[..., Any],
    static: tuple[int, ...],
    mesh: Mesh | None,
    backend: str,
    level: int,
) -> Any:
    options = quick_to_compile(level) if backend == "cpu" else None
    function = functools.partial(function, mesh=mesh)
    return jax.jit(function, static_argnums=static, compiler_options=options)


@functools.cache
def quick_to_compile(level: int) -> dict[str, Any]:
    """Options of XLA for CPUs, those that the installed one knows.

    Most statements run for less time than they take to compile. At optimizing level 1 they compile
    3 to 4 times faster than by default and run as fast; at level 0 in a third less time again, but
    run slower, which pays for few draws. Without the emitters of fused kernels they take a quarter
    less processor time in all.

    By default XLA runs decompositions of LAPACK side by side, and a program with several batches of
    them, as `theory.rounding` makes of one determinant, may stand still for good, its threads idle.
    With a schedule made for the least memory they run in turn.
    """
    options = {
        "xla_backend_optimization_level": level,
        "xla_cpu_use_fusion_emitters": False,
        "xla_cpu_scheduler_type": "CPU_SCHEDULER_TYPE_MEMORY_OPTIMIZED",
    }
    return {name: value for name, value in options.items() if _known_to_xla(name, value)}


def _known_to_xla(name: str, value: Any) -> bool:
    try:
        jax.jit(lambda x: x, compiler_options={name: value}).lower(0.0).compile()
    except jax.errors.JaxRuntimeError:  # no such option, in other releases of XLA
        return False
    return True


def _evaluate(
    statement: Statement,
    config: Any,
    traced: Mapping[str, Any],
    key: jax.Array,
    draws: int,
    largest: int,
    start: Any = 0,
    *,
    mesh: Mesh | None,
) -> Evidence:
    """Samples and checks every draw."""
    config = values.filled(config, traced)

    def one(index: jax.Array) -> Evidence:
        return _drawn(statement, config, jax.random.fold_in(key, index))

    return _in_batches(one, draws, largest, mesh, start)


def _sample(
    statement: Statement,
    config: Any,
    traced: Mapping[str, Any],
    key: jax.Array,
    start: Any,
    count: int,
    *,
    mesh: Mesh | None,
) -> Any:
    """The instances of `count` draws from `start` on, for the solver."""
    config = values.filled(config, traced)

    def one(index: jax.Array) -> Any:
        return statement.sample(jax.random.fold_in(key, index), config)

    return sharding.split_rows(mesh, jax.vmap(one))(start + jnp.arange(count))


def evaluate_instance(
    statement: Statement, instance: Any, *, all_estimated: bool = False, precision: str = "float64"
) -> Evidence:
    """Checks one instance, wherever it comes from.

    Args:
      statement: what to check; its solver, if any, is not run.
      instance: a pytree of arrays, as the sampler returns it, or the solver where there is one.
      all_estimated: whether errors that are stated are replaced by estimates where those are
        larger.
      precision: "float64" or "float32", whatever JAX's own flags say.

    Returns:
      The `Evidence` of one draw, as numpy arrays.
    """
    with arithmetic(precision):
        rows = jax.tree.map(lambda part: jnp.asarray(part)[None], instance)
        return sharding.gathered(_compiled(_check, (0, 2))(statement, rows, all_estimated))


def _check(
    statement: Statement, instances: Any, all_estimated: bool = False, *, mesh: Mesh | None
) -> Evidence:
    """Checks instances as they are."""

    def one(instance: Any) -> Evidence:
        return _with_estimates(
            _evidence(statement, instance),
            lambda i: _evidence(statement, i),
            instance,
            quantity=True,
            all_estimated=all_estimated,
        )

    return sharding.split_rows(mesh, jax.vmap(one))(instances)


def _quantity_rounding(
    statement: Statement,
    config: Any,
    traced: Mapping[str, Any],
    key: jax.Array,
    indices: jax.Array,
    *,
    mesh: Mesh | None,
) -> jax.Array:
    """(indices, …) estimated rounding of the quantity in some draws."""
    config = values.filled(config, traced)

    def one(index: jax.Array) -> jax.Array:
        key_of_draw = jax.random.fold_in(key, index)
        found = estimated_rounding(
            lambda key: [_quantity(statement, statement.sample(key, config)).value],
            key_of_draw,
            unsigned=False,
        )
        return jnp.where(found.overflow, jnp.inf, found.error[0])

    return jax.lax.map(one, indices)


def _drawn(
    statement: Statement, config: Any, key: jax.Array, *, all_estimated: bool = False
) -> Evidence:
    """One draw: its evidence, with estimates of the numerical errors that are not stated."""

    def evidence_of(key: jax.Array) -> Evidence:
        return _evidence(statement, statement.sample(key, config))

    instance = statement.sample(key, config)
    evidence = _evidence(statement, instance)._replace(
        identity=fingerprint(instance), beside_keys=_without_keys(fingerprint, instance)
    )
    evidence = _with_estimates(evidence, evidence_of, key, all_estimated=all_estimated)
    if _unstated(evidence) and _has_unsigned(instance):
        conditions = estimated_rounding(lambda i: _values(_evidence(statement, i)), instance)
        evidence = _in_doubt(evidence, conditions.overflow)
    return evidence


def _without_keys(of: Callable[[Any], Any], instance: Any) -> Any:
    """The fingerprint of what an instance holds beside random keys; None if it holds none."""
    others = beside_keys(instance)
    return None if others is None else of(others)


def _has_unsigned(instance: Any) -> bool:
    leaves = map(jnp.asarray, jax.tree.leaves(instance))
    return any(jnp.issubdtype(leaf.dtype, jnp.unsignedinteger) for leaf in leaves)


def _margins(evidence: Evidence) -> dict[tuple[str, str], Margin]:
    """All margins of a draw, by role and name."""
    found = {("hypotheses", name): m for name, m in evidence.hypotheses.items()}
    found |= {("measured", name): m for name, m in evidence.measured.items()}
    return found | ({("conclusion", ""): evidence.conclusion} if evidence.conclusion else {})


def _unstated(evidence: Evidence) -> list[tuple[str, str]]:
    return [place for place, margin in _margins(evidence).items() if not margin.stated]


def _values(evidence: Evidence) -> list[jax.Array]:
    return [margin.value for margin in _margins(evidence).values()]


def _with_margins(evidence: Evidence, margins: Mapping[tuple[str, str], Margin]) -> Evidence:
    def of(role: str) -> dict[str, Margin]:
        return {name: margin for (r, name), margin in margins.items() if r == role}

    return evidence._replace(
        hypotheses=of("hypotheses"),
        measured=of("measured"),
        conclusion=margins.get(("conclusion", "")),
    )


def _with_estimates(
    evidence: Evidence,
    evidence_of: Callable[[Any], Evidence],
    argument: Any,
    *,
    quantity: bool = False,
    all_estimated: bool = False,
) -> Evidence:
    """The evidence, errors that are not stated replaced by estimates; with `all_estimated`, the
    larger of both everywhere."""
    margins = _margins(evidence)
    wanted = list(margins) if all_estimated else _unstated(evidence)
    count = quantity and evidence.quantity is not None and evidence.quantity_error is None
    if not wanted and not count:
        return evidence

    def computed(argument: Any) -> list[jax.Array]:
        again = evidence_of(argument)
        known = _margins(again)
        return [known[place].value for place in wanted] + ([again.quantity] if count else [])

    values = [margins[place].value for place in wanted]
    values += [_real("quantity", evidence.quantity)] if count else []
    lanes = MANY_LANES if all_estimated else LANES
    found = estimated_rounding(computed, argument, values=values, unsigned=False, lanes=lanes)
    for place, error in zip(wanted, found.error, strict=False):
        margins[place] = _estimated(margins[place], error, found)
    if count:
        error = jnp.where(found.overflow, jnp.inf, found.error[-1])
        evidence = evidence._replace(quantity_error=error)
    return _with_margins(evidence, margins)


def _estimated(margin: Margin, error: jax.Array, found: Rounding) -> Margin:
    """The margin with the estimated error; what `margin` found undecidable stays so."""
    unknown = jnp.isinf(margin.error) | jnp.isnan(margin.error)
    error = jnp.where(unknown | found.overflow, jnp.inf, error)
    if margin.stated:
        error = jnp.maximum(error, margin.error)
    return dataclasses.replace(margin, error=error.astype(margin.value.dtype))


def _in_doubt(evidence: Evidence, doubtful: jax.Array) -> Evidence:
    """The evidence with nothing decided where an unsigned integer wrapped around."""
    margins = {
        place: m
        if m.stated
        else dataclasses.replace(m, error=jnp.where(doubtful, jnp.inf, m.error))
        for place, m in _margins(evidence).items()
    }
    return _with_margins(evidence, margins)


def _batches(draws: int, largest: int, mesh: Mesh | None = None) -> tuple[int, int]:
    """Number and size of equal batches, few draws too many: a remainder would be compiled too.

    The size is that on all devices of the mesh together, `largest` that on one of them.
    """
    devices = 1 if mesh is None else mesh.size
    share = math.ceil(draws / devices)
    batches = math.ceil(share / largest)
    return batches, devices * math.ceil(share / batches)


def _in_batches(
    one: Callable[[jax.Array], Any], draws: int, largest: int, mesh: Mesh | None, start: Any
) -> Any:
    batches, batch = _batches(draws, largest, mesh)

    def share(indices: jax.Array) -> Any:  # of one device
        results = jax.lax.map(jax.vmap(one), indices.reshape(batches, -1))
        return jax.tree.map(lambda part: part.reshape(-1, *part.shape[2:]), results)

    return sharding.split_rows(mesh, share)(start + jnp.arange(batches * batch))


def _evidence(statement: Statement, instance: Any) -> Evidence:
    quantity = _quantity(statement, instance) if statement.quantity else Measured(None, None)
    return Evidence(
        hypotheses=_checked(statement.hypotheses, instance),
        measured=_checked(statement.measured, instance),
        conclusion=statement.conclusion and _scalar("conclusion", statement.conclusion(instance)),
        allowed=_number(statement, "failure_probability", instance),
        quantity=quantity.value,
        constant=_number(statement, "constant", instance),
        quantity_error=quantity.error,
    )


def _quantity(statement: Statement, instance: Any) -> Measured:
    """The quantity as an array, with its numerical error or None where that is not stated."""
    assert statement.quantity is not None
    found = statement.quantity(instance)
    value, error = found if isinstance(found, Measured) else (found, None)
    return Measured(_real("quantity", value), error)


def _number(statement: Statement, role: str, instance: Any) -> Any:
    """δ or C of an instance, one number."""
    function = getattr(statement, role)
    if function is None:
        return None
    found = _real(role, function(instance))
    if found.shape != ():
        raise ValueError(f"{role} must return one number, got shape {found.shape}")
    return found


def _real(role: str, value: Any) -> jax.Array:
    """What a function of the instance returned, as floats; ValueError if it is no real array."""
    try:
        array = jnp.asarray(value)
    except (TypeError, ValueError):
        raise ValueError(
            f"{role} must return an array of real numbers, got {_named(value)}"
        ) from None
    kinds = (jnp.floating, jnp.signedinteger, jnp.bool_)
    if not any(jnp.issubdtype(array.dtype, kind) for kind in kinds):
        raise ValueError(
            f"{role} must return real numbers, floating or signed integers, got {array.dtype}; "
            "convert with .astype(float) before any arithmetic"
        )
    return as_float(array)


def _checked(conditions: Mapping[str, Hypothesis], instance: Any) -> dict[str, Margin]:
    return {name: _scalar(name, c.check(instance)) for name, c in conditions.items()}


def _scalar(name: str, condition: Any) -> Margin:
    if not isinstance(condition, Margin):
        raise ValueError(f"{name} must return a Margin, got {type(condition).__name__}")
    for part in ("value", "error", "ratio"):
        shape = jnp.shape(getattr(condition, part))
        if shape != ():
            raise ValueError(
                f"{name} must return one margin (use .all()), got a {part} of shape {shape}"
            )
    return condition


def verify(
    statement: Statement,
    *,
    key: jax.Array,
    draws: int | None = None,
    config: Any = None,
    level: float = 0.01,
    batch: int | None = None,
    mesh: Mesh | None = None,
    precision: str = "float64",
) -> Verdict:
    """Checks a statement over independent draws.

    Args:
      statement: what to check.
      key: random key, `theory.keys.make_key(seed)`.
      draws: number of draws, fixed before looking; default the statement's own for "quick".
      config: configuration of the sampler; default the statement's own.
      level: false-alarm rate: a true statement is called refuted with at most this probability
        (for unbounded means and rates up to the accuracy of their limit theorems). Divide it by
        the number of statements checked together.
      batch, mesh: most draws at once, and devices that share the draws, as for `evaluate`.
      precision: "float64" or "float32", whatever JAX's own flags say.

    Returns:
      The `Verdict`. A counterexample of a deterministic statement is looked at twice, in disturbed
      arithmetic too (`theory.rounding`), before it is called one.

    Raises:
      ValueError: if draws < 1, level is outside (0, 1), or a check does not return one margin.

    Example:
      >>> verify(REGISTRY["lazy.movement"], key=jax.random.key(0), draws=20).verdict
      'consistent'
    """
    _check_statement(statement)
    draws = check_integer("draws", statement.draws["quick"] if draws is None else draws)
    check_real("level", level, low=0, high=1, open_low=True, open_high=True)
    config = statement.config if config is None else config
    _check_claims(statement, config)
    evidence = evaluate(statement, key, draws, config, batch=batch, mesh=mesh, precision=precision)
    verdict = assess(statement, evidence, config=config, level=level)
    if statement.kind == "deterministic" and verdict.verdict == "refuted":
        return _looked_at_twice(statement, config, key, evidence, verdict, precision)
    return verdict


def verify_until(
    statement: Statement,
    *,
    key: jax.Array,
    draws: int,
    config: Any = None,
    level: float = 0.01,
    stage: int = 64,
    mesh: Mesh | None = None,
    precision: str = "float64",
) -> Verdict:
    """Draws until the statement is decided, at a level that holds whenever one stops.

    After every stage of draws all so far are judged by confidence sequences and e-values
    (`theory.statistics.sequences`). Extending a run of `verify` until it refutes would refute true
    statements more often than its level says; this does not. The draws are those of `verify`. They
    end when the statement is refuted, or when the interval of a mean has reached its resolution.

    Args:
      statement: a deterministic or probabilistic one, or one about a mean with declared bounds.
      key, config, level, mesh, precision: as for `verify`.
      draws: most draws that are made.
      stage: draws between looks, ≥ 1.

    Returns:
      The `Verdict`, with `anytime` set and the number of draws that were made.

    Raises:
      ValueError: as `verify` does, and for quantities without bounds.
    """
    _check_statement(statement)
    draws, stage = check_integer("draws", draws), check_integer("stage", stage)
    check_real("level", level, low=0, high=1, open_low=True, open_high=True)
    config = statement.config if config is None else config
    _check_claims(statement, config)
    outcomes = statement.kind in ("deterministic", "probabilistic")
    final = ("refuted",) if outcomes else ("refuted", "consistent")
    parts: list[Evidence] = []
    while True:
        start = len(parts) * stage
        found = evaluate(
            statement, key, min(stage, draws), config, mesh=mesh, precision=precision, start=start
        )
        parts.append(jax.tree.map(lambda part: part[: draws - start], found))  # noqa: B023
        evidence = jax.tree.map(lambda *values: np.concatenate(values), *parts)
        verdict = assess(statement, evidence, config=config, level=level, anytime=True)
        if verdict.verdict in final or start + stage >= draws or not statement.random:
            break
    if statement.kind == "deterministic" and verdict.verdict == "refuted":
        return _looked_at_twice(statement, config, key, evidence, verdict, precision)
    return verdict


def assess(
    statement: Statement,
    evidence: Evidence,
    *,
    config: Any = None,
    level: float = 0.01,
    anytime: bool = False,
) -> Verdict:
    """The verdict on a statement from evidence that `evaluate` collected.

    Args:
      statement: what was checked.
      evidence: of all draws.
      config: configuration that they were drawn with, the statement's default if None.
      level: false-alarm rate, as for `verify`.
      anytime: whether the level must hold although the number of draws was chosen by looking at
        them, as for `verify_until`.

    Returns:
      The `Verdict`.
    """
    config = statement.config if config is None else config
    return judge(
        statement.id,
        statement.kind,
        evidence,
        tiers=statement.tiers,
        claim=statement.claim(config) if statement.claim else None,
        scales=np.asarray(statement.scales(config), float) if statement.scales else None,
        level=level,
        random=statement.random,
        anytime=anytime,
    )


SECOND_LOOKS = 5  # counterexamples that are looked at twice; one that stands is enough


def _looked_at_twice(
    statement: Statement,
    config: Any,
    key: jax.Array,
    evidence: Evidence,
    verdict: Verdict,
    precision: str,
) -> Verdict:
    """The verdict with the counterexamples evaluated again, in disturbed arithmetic too.

    With errors that are the larger of stated and estimated one, one of them must still be one.
    """
    draws = verdict.draws
    assert evidence.conclusion is not None
    found = np.broadcast_to(outcome(evidence.hypotheses.values(), evidence.conclusion), draws)
    misses = np.flatnonzero(found == Outcome.MISS)[:SECOND_LOOKS]
    for index in map(int, misses):
        again = _second_look(statement, config, key, index, precision)
        assert again.conclusion is not None
        kind = np.ravel(outcome(again.hypotheses.values(), again.conclusion))[0]
        if int(kind) == Outcome.MISS:
            how = "with half of the digits and with perturbed roundings, too"
            return dataclasses.replace(
                verdict, reason=f"{verdict.reason}; draw {index} fails {how}"
            )
    first = int(misses[0])
    reason = f"the counterexample of draw {first} vanishes in disturbed arithmetic"
    return dataclasses.replace(verdict, verdict="inconclusive", reason=reason)


def _second_look(
    statement: Statement, config: Any, key: jax.Array, index: int, precision: str
) -> Evidence:
    """One draw again, every error the larger of what is stated and what is estimated."""
    with arithmetic(precision):
        if statement.solve is None:
            again = _compiled(_drawn_again, (0, 1))
            return jax.device_get(again(statement, config, key, index))
        sampled = jax.device_get(statement.sample(jax.random.fold_in(key, index), config))
        solved = statement.solve(sampled)
    return evaluate_instance(statement, solved, all_estimated=True, precision=precision)


def _drawn_again(
    statement: Statement, config: Any, key: jax.Array, index: jax.Array, *, mesh: Mesh | None
) -> Evidence:
    evidence = _drawn(statement, config, jax.random.fold_in(key, index), all_estimated=True)
    return jax.tree.map(lambda part: part[None], evidence)
