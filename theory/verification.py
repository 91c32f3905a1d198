"""Statements, and the one function that checks any of them over many independent draws."""

import dataclasses
import functools
import math
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from theory import sharding, values
from theory._validation import check_choice, check_integer, check_real
from theory.claims import Claim
from theory.evidence import Margin, as_float
from theory.judgement import judge
from theory.verdict import Evidence, Verdict

KINDS = ("deterministic", "probabilistic", "moment", "empirical", "rate", "decay")
TIERS = ("data", "init", "certificate")


@dataclasses.dataclass(frozen=True)
class Hypothesis:
    """One condition of a statement.

    Attributes:
      check: instance → `Margin` (scalar), positive exactly when the condition holds.
      says: the condition in words and symbols.
      tier: what it looks at: "data" (data and hyper-parameters alone), "init" (also the drawn
        initialization) or "certificate" (also the solution).
    """

    check: Callable[[Any], Margin]
    says: str = ""
    tier: str = "data"

    def __post_init__(self) -> None:
        check_choice("tier", self.tier, TIERS)


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
        hypothesis of the tier "data".
      measured: the same, for conditions that are reported but not required.
      conclusion: instance → `Margin` (scalar).
      failure_probability: instance → δ, the failure probability allowed.
      solve: instance → instance, a stage on the host between `sample` and the checks, for solvers
        that no compiler knows: numpy arrays of one draw in, numpy arrays of fixed shapes out.
        Numbers in the instance become arrays on the way.
      quantity: instance → number ("moment", "empirical") or (S,) array: positive numbers ("rate")
        or failures ("decay"); with an axis of claims in front where there are several.
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
      batch: most draws evaluated at once.
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
        for role in ("hypotheses", "measured"):
            conditions = {
                name: c if isinstance(c, Hypothesis) else Hypothesis(c)
                for name, c in getattr(self, role).items()
            }
            object.__setattr__(self, role, conditions)
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


def evaluate(
    statement: Statement,
    key: jax.Array,
    draws: int,
    config: Any = None,
    *,
    batch: int | None = None,
    mesh: Mesh | None = None,
    traced: Collection[str] = (),
) -> Evidence:
    """Draws instances and checks every condition on each; `verify` judges the result.

    Draw i uses the key fold_in(key, i), so it is the same whatever the number of draws and on
    whatever device.

    Args:
      statement: what to check.
      key: random key.
      draws: number of independent draws, ≥ 1.
      config: configuration, the statement's default if None.
      batch: most draws evaluated at once on a device, the statement's own if None
        (`largest_batch` finds one that fits into memory); it changes results by rounding at most.
      mesh: devices that share the draws, along all its axes (`theory.sharding.make_mesh`); it
        changes results by rounding at most. None: one device. If it spans several processes, all
        of them call this with the same arguments, and each solves the draws on its own devices.
      traced: parameters, from `traceable_parameters`, that are arguments of what is compiled:
        configurations that differ in nothing else are compiled once; it changes results by rounding
        at most.

    Returns:
      The `Evidence` of all draws, as numpy arrays, in every process.
    """
    config = statement.config if config is None else config
    batch = statement.batch if batch is None else check_integer("batch", batch)
    if traced:  # values that Python refuses are refused where it sees them
        jax.eval_shape(functools.partial(_before_solving, statement, config), key)
    static = values.split(config, traced)
    if statement.solve is None:
        run = _compiled(_evaluate, (0, 1, 4, 5), mesh)
        evidence = sharding.gathered(run(statement, *static, key, draws, batch))
    else:
        evidence = _evaluate_solved(statement, static, key, draws, batch, mesh)
    evidence = jax.tree.map(lambda part: part[:draws], evidence)  # without padding
    return evidence._replace(  # jit sorts dictionaries by name
        hypotheses={name: evidence.hypotheses[name] for name in statement.hypotheses},
        measured={name: evidence.measured[name] for name in statement.measured},
    )


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
    instance = statement.sample(key, config)
    return instance if statement.solve else _evidence(statement, instance)


def memory_needed(
    statement: Statement,
    key: jax.Array,
    draws: int,
    config: Any = None,
    *,
    batch: int | None = None,
    traced: Collection[str] = (),
) -> int:
    """Bytes of device memory that `evaluate` takes with the same arguments.

    The compiler's own account: temporary buffers, arguments and outputs, the larger of the two
    stages where a statement solves on the host between them (what the solver takes is not known).
    `evaluate` then runs what was compiled here; nothing is compiled twice.

    Args:
      statement, key, draws, config, batch, traced: as for `evaluate`.

    Returns:
      The number of bytes.
    """
    config = statement.config if config is None else config
    batch = statement.batch if batch is None else check_integer("batch", batch)
    return max(_stages(statement, values.split(config, traced), key, draws, batch))


class Fit(NamedTuple):
    """A batch that fits into memory, and the bytes that an evaluation with it needs."""

    batch: int
    memory: int


def largest_batch(
    statement: Statement,
    key: jax.Array,
    draws: int,
    config: Any = None,
    *,
    limit: int,
    traced: Collection[str] = (),
) -> Fit:
    """The most draws at once, up to `statement.batch`, whose evaluation fits into memory.

    Compiles for the largest batch. If that needs more than the limit, the batch is scaled down in
    proportion and compiled again, until it fits.

    Args:
      statement, key, draws, config, traced: as for `evaluate`.
      limit: bytes that may be used, ≥ 1.

    Returns:
      The `Fit`.

    Raises:
      ValueError: if not even one draw at a time fits, with both numbers.
    """
    check_integer("limit", limit)
    config = statement.config if config is None else config
    _, batch = _batches(draws, statement.batch)
    while True:
        needed = 0
        for stage in _stages(statement, values.split(config, traced), key, draws, batch):
            needed = max(needed, stage)
            if needed > limit:  # before the next stage, which would run this one
                break
        else:
            return Fit(batch, needed)
        if batch == 1:
            raise ValueError(
                f"limit must be at least the {_gib(needed)} that {statement.id} needs with one "
                f"draw at a time, got {_gib(limit)}"
            )
        batch = max(1, min(batch - 1, batch * limit // needed))


def _gib(size: int) -> str:
    return f"{size / 2**30:.3g} GiB"


def _stages(
    statement: Statement, config: tuple[Any, Any], key: jax.Array, draws: int, batch: int
) -> Iterator[int]:
    """Bytes that each compiled stage of an evaluation needs, in order."""
    if statement.solve is None:
        yield _bytes(_compiled(_evaluate, (0, 1, 4, 5)), statement, *config, key, draws, batch)
        return
    sample, check = _compiled(_sample, (0, 1, 5)), _compiled(_check, (0,))
    _, batch = _batches(draws, batch)
    yield _bytes(sample, statement, *config, key, 0, batch)
    sampled = jax.device_get(sample(statement, *config, key, 0, batch))
    solved = statement.solve(jax.tree.map(lambda part: part[0], sampled))
    yield _bytes(check, statement, _stacked([solved] * batch))


def _bytes(function: Any, *arguments: Any) -> int:
    account = function.lower(*arguments).compile().memory_analysis()
    if account is None:
        backend = jax.default_backend()
        raise ValueError(f"memory cannot be estimated: {backend} gives no account of it")
    return (
        account.temp_size_in_bytes
        + account.argument_size_in_bytes
        + account.output_size_in_bytes
        - account.alias_size_in_bytes
    )


def _evaluate_solved(
    statement: Statement,
    config: tuple[Any, Any],
    key: jax.Array,
    draws: int,
    largest: int,
    mesh: Mesh | None,
) -> Evidence:
    """Samples, solves and checks batch by batch, so that only one is held at a time."""
    assert statement.solve is not None
    sample, check = _compiled(_sample, (0, 1, 5), mesh), _compiled(_check, (0,), mesh)
    batches, batch = _batches(draws, largest, mesh)
    parts = []
    for start in range(0, batches * batch, batch):
        sampled = sample(statement, *config, key, start, batch)
        solved = sharding.map_on_host(mesh, statement.solve, sampled, draws - start)
        parts.append(sharding.gathered(check(statement, solved)))
    return jax.tree.map(lambda *values: np.concatenate(values), *parts)


def _stacked(instances: list[Any]) -> Any:
    return jax.tree.map(lambda *parts: np.stack(parts), *instances)


def _compiled(
    function: Callable[..., Any], static: tuple[int, ...], mesh: Mesh | None = None
) -> Callable[..., Any]:
    return _jitted(function, static, mesh, jax.default_backend())


@functools.cache
def _jitted(
    function: Callable[..., Any], static: tuple[int, ...], mesh: Mesh | None, backend: str
) -> Any:
    options = quick_to_compile() if backend == "cpu" else None
    function = functools.partial(function, mesh=mesh)
    return jax.jit(function, static_argnums=static, compiler_options=options)


@functools.cache
def quick_to_compile() -> dict[str, Any]:
    """Options of XLA for CPUs, those that the installed one knows.

    Most statements run for less time than they take to compile. With the lowest optimizing level
    they compile 3 to 4 times faster and run as fast; without the emitters of fused kernels they
    take a quarter less processor time in all.
    """
    options = {"xla_backend_optimization_level": 1, "xla_cpu_use_fusion_emitters": False}
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
    *,
    mesh: Mesh | None,
) -> Evidence:
    """Samples and checks every draw."""
    config = values.filled(config, traced)

    def one(index: jax.Array) -> Evidence:
        return _evidence(statement, statement.sample(jax.random.fold_in(key, index), config))

    return _in_batches(one, draws, largest, mesh)


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


def _check(statement: Statement, instances: Any, *, mesh: Mesh | None) -> Evidence:
    """Checks the instances that the solver returned."""
    return sharding.split_rows(mesh, jax.vmap(lambda i: _evidence(statement, i)))(instances)


def _batches(draws: int, largest: int, mesh: Mesh | None = None) -> tuple[int, int]:
    """Number and size of equal batches, few draws too many: a remainder would be compiled too.

    The size is that on all devices of the mesh together, `largest` that on one of them.
    """
    devices = 1 if mesh is None else mesh.size
    share = math.ceil(draws / devices)
    batches = math.ceil(share / largest)
    return batches, devices * math.ceil(share / batches)


def _in_batches(
    one: Callable[[jax.Array], Any], draws: int, largest: int, mesh: Mesh | None
) -> Any:
    batches, batch = _batches(draws, largest, mesh)

    def share(indices: jax.Array) -> Any:  # of one device
        results = jax.lax.map(jax.vmap(one), indices.reshape(batches, -1))
        return jax.tree.map(lambda part: part.reshape(-1, *part.shape[2:]), results)

    return sharding.split_rows(mesh, share)(jnp.arange(batches * batch))


def _evidence(statement: Statement, instance: Any) -> Evidence:
    return Evidence(
        hypotheses=_checked(statement.hypotheses, instance),
        measured=_checked(statement.measured, instance),
        conclusion=statement.conclusion and _scalar("conclusion", statement.conclusion(instance)),
        allowed=statement.failure_probability and as_float(statement.failure_probability(instance)),
        quantity=statement.quantity and as_float(statement.quantity(instance)),
        constant=statement.constant and as_float(statement.constant(instance)),
    )


def _checked(conditions: Mapping[str, Hypothesis], instance: Any) -> dict[str, Margin]:
    return {name: _scalar(name, c.check(instance)) for name, c in conditions.items()}


def _scalar(name: str, condition: Any) -> Margin:
    if not isinstance(condition, Margin):
        raise ValueError(f"{name} must return a Margin, got {type(condition).__name__}")
    if condition.value.shape != ():
        shape = condition.value.shape
        raise ValueError(f"{name} must return one margin (use .all()), got shape {shape}")
    return condition


def verify(
    statement: Statement,
    *,
    key: jax.Array,
    draws: int | None = None,
    config: Any = None,
    level: float = 0.01,
    mesh: Mesh | None = None,
) -> Verdict:
    """Checks a statement over independent draws.

    Args:
      statement: what to check.
      key: random key, `jax.random.key(seed)`.
      draws: number of draws, fixed before looking; default the statement's own for "quick".
      config: configuration of the sampler; default the statement's own.
      level: false-alarm rate: a true statement is called refuted with at most this probability
        (for means and rates up to the accuracy of the central limit theorem). Divide it by the
        number of statements checked together.
      mesh: devices that share the draws, as for `evaluate`.

    Returns:
      The `Verdict`.

    Raises:
      ValueError: if draws < 1, level is outside (0, 1), or a check does not return one margin.

    Example:
      >>> verify(registry()["lazy.movement"], key=jax.random.key(0), draws=20).verdict
      'consistent'
    """
    draws = check_integer("draws", statement.draws["quick"] if draws is None else draws)
    check_real("level", level, low=0, high=1, open_low=True, open_high=True)
    config = statement.config if config is None else config
    evidence = evaluate(statement, key, draws, config, mesh=mesh)
    return assess(statement, evidence, config=config, level=level)


def assess(
    statement: Statement, evidence: Evidence, *, config: Any = None, level: float = 0.01
) -> Verdict:
    """The verdict on a statement from evidence that `evaluate` collected.

    Args:
      statement: what was checked.
      evidence: of all draws.
      config: configuration that they were drawn with, the statement's default if None.
      level: false-alarm rate, as for `verify`.

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
    )
