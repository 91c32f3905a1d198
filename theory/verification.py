"""Statements, and the one function that checks any of them over many independent draws."""

import dataclasses
import functools
import math
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from theory._validation import check_choice, check_integer, check_real
from theory.evidence import Margin, as_float
from theory.verdict import Claim, Evidence, Verdict, judge

KINDS = ("deterministic", "probabilistic", "moment", "rate")
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
    "rate": the mean of `quantity` over draws is a power law in `scales(config)` with exponent
      `claim(config).value`.

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
      quantity: instance → number ("moment") or (scales,) array of positive numbers ("rate").
      claim: config → `Claim`.
      scales: config → (S,) the scales of a rate.
      config: the default configuration, hashable.
      title, says, source: for people: one line; the statement in full; where it is printed.
      erratum: anchor in docs/errata.md if the statement is known to be wrong as printed.
      draws: preset → number of draws that it takes to tell.
      data: whether `config.data` may be replaced by data of the user's.
      batch: most draws evaluated at once.
    """

    id: str
    kind: str
    sample: Callable[[jax.Array, Any], Any]
    hypotheses: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    measured: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    conclusion: Callable[[Any], Margin] | None = None
    failure_probability: Callable[[Any], Any] | None = None
    quantity: Callable[[Any], Any] | None = None
    claim: Callable[[Any], Claim] | None = None
    scales: Callable[[Any], Any] | None = None
    config: Any = None
    title: str = ""
    says: str = ""
    source: str = ""
    erratum: str | None = None
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
            "rate": ("quantity", "claim", "scales"),
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

    @property
    def tiers(self) -> dict[str, str]:
        """Name of each condition, required or only measured → its tier."""
        return {name: c.tier for name, c in (*self.hypotheses.items(), *self.measured.items())}


def evaluate(statement: Statement, key: jax.Array, draws: int, config: Any = None) -> Evidence:
    """Draws instances and checks every condition on each; `verify` judges the result.

    Draw i uses the key fold_in(key, i), so it is the same whatever the number of draws.

    Args:
      statement: what to check.
      key: random key.
      draws: number of independent draws, ≥ 1.
      config: configuration, the statement's default if None.

    Returns:
      The `Evidence` of all draws, as numpy arrays.
    """
    config = statement.config if config is None else config
    evidence = jax.tree.map(
        np.asarray, _compiled(jax.default_backend())(statement, config, key, draws)
    )
    return evidence._replace(  # jit sorts dictionaries by name
        hypotheses={name: evidence.hypotheses[name] for name in statement.hypotheses},
        measured={name: evidence.measured[name] for name in statement.measured},
    )


@functools.cache
def _compiled(backend: str) -> Callable[..., Evidence]:
    """`_evaluate` under jit. Most statements run for less time than they take to compile, and on a
    CPU the lowest optimizing level compiles them 3 to 4 times faster and runs as fast."""
    options = {"xla_backend_optimization_level": 1} if backend == "cpu" else None
    return jax.jit(_evaluate, static_argnums=(0, 1, 3), compiler_options=options)


def _evaluate(statement: Statement, config: Any, key: jax.Array, draws: int) -> Evidence:
    def one(index: jax.Array) -> Evidence:
        instance = statement.sample(jax.random.fold_in(key, index), config)
        return Evidence(
            hypotheses=_checked(statement.hypotheses, instance),
            measured=_checked(statement.measured, instance),
            conclusion=statement.conclusion
            and _scalar("conclusion", statement.conclusion(instance)),
            allowed=statement.failure_probability
            and as_float(statement.failure_probability(instance)),
            quantity=statement.quantity and as_float(statement.quantity(instance)),
        )

    # Equal batches, few draws too many: a remainder would be compiled a second time.
    batches = math.ceil(draws / statement.batch)
    batch = math.ceil(draws / batches)
    indices = jnp.arange(batches * batch).reshape(batches, batch)
    evidence = jax.lax.map(jax.vmap(one), indices)
    return jax.tree.map(lambda part: part.reshape(-1, *part.shape[2:])[:draws], evidence)


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
    evidence = evaluate(statement, key, draws, config)
    return judge(
        statement.id,
        statement.kind,
        evidence,
        tiers=statement.tiers,
        claim=statement.claim(config) if statement.claim else None,
        scales=np.asarray(statement.scales(config), float) if statement.scales else None,
        level=level,
    )
