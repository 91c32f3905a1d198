"""A theorem as one object: how it is drawn, what it assumes and what it claims."""

import dataclasses
import inspect
from collections.abc import Callable, Mapping
from typing import Any

import jax

from theory._validation import check_choice, check_integer
from theory.margins import Margin
from theory.verification.claims import Claim, checked_claims

KINDS = ("deterministic", "probabilistic", "moment", "empirical", "rate", "decay")


TIERS = ("data", "init", "certificate")


@dataclasses.dataclass(frozen=True)
class Hypothesis:
    """One condition of a statement.

    Attributes:
      check: (instance, config) → `Margin` (scalar), positive exactly when the condition holds.
      says: the condition in words and symbols.
      tier: what it looks at: "data" (data and hyper-parameters alone), "init" (also the drawn
        initialization) or "certificate" (also the solution; the default). Only if all hypotheses
        of a statement are "data" are failures counted among the draws that satisfy them, so that
        forgetting to say so costs power and refutes nothing that is true.
    """

    check: Callable[[Any, Any], Margin]
    says: str = ""
    tier: str = "certificate"

    def __post_init__(self) -> None:
        check_choice("tier", self.tier, TIERS)
        check_condition("check", self.check)


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
        instance should hold everything drawn that the checks need, so that they stay deterministic;
        settings they take from the configuration.
      hypotheses: name → `Hypothesis`, or a bare function (instance, config) → `Margin`, which
        stands for a hypothesis that looks at everything.
      measured: the same, for conditions that are reported but not required.
      conclusion: (instance, config) → `Margin` (scalar).
      failure_probability: (instance, config) → δ, the failure probability allowed.
      solve: instance → instance, a stage on the host between `sample` and the checks, for solvers
        that no compiler knows: numpy arrays of one draw in, numpy arrays of fixed shapes out.
        Numbers in the instance become arrays on the way.
      quantity: (instance, config) → number ("moment", "empirical") or (S,) array: positive numbers
        ("rate") or failures ("decay"); with an axis of claims in front where there are several. As
        `measured(value, error)` it states its numerical error, which is estimated otherwise.
      claim: config → `Claim`, or a tuple of them about one quantity each.
      scales: config → (S,) the scales of a rate or decay.
      constant: (instance, config) → number, the largest constant C with which the hypotheses of a
        published form O(·) hold; the verdict names the smallest C that no draw contradicts.
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
    conclusion: Callable[[Any, Any], Margin] | None = None
    failure_probability: Callable[[Any, Any], Any] | None = None
    quantity: Callable[[Any, Any], Any] | None = None
    claim: Callable[[Any], Claim | tuple[Claim, ...]] | None = None
    scales: Callable[[Any], Any] | None = None
    constant: Callable[[Any, Any], Any] | None = None
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
        check_function("sample", self.sample, "key", "config")
        for role in ("conclusion", "failure_probability", "quantity", "constant"):
            if getattr(self, role) is not None:
                check_condition(role, getattr(self, role))
        for role, argument in (("solve", "instance"), ("claim", "config"), ("scales", "config")):
            if getattr(self, role) is not None:
                check_function(role, getattr(self, role), argument)
        if not self.random and self.kind != "deterministic":
            raise ValueError(f"random must be True for a {self.kind} statement, got False")
        check_config(self.config)
        for role in ("hypotheses", "measured"):
            object.__setattr__(self, role, _conditions(role, getattr(self, role)))
        check_integer("batch", self.batch)
        for preset, count in self.draws.items():
            check_integer(f"draws[{preset!r}]", count)
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


def described(value: Any) -> str:
    """A value with its type, for messages."""
    return f"{type(value).__name__} {value!r}"


def _conditions(role: str, given: Any) -> dict[str, Hypothesis]:
    if not isinstance(given, Mapping):
        raise ValueError(
            f"{role} must be a mapping from names to conditions, got {described(given)}"
        )
    found = {}
    for name, condition in given.items():
        if isinstance(condition, Hypothesis):
            found[name] = condition
        else:
            check_condition(f"{role}[{name!r}]", condition)
            found[name] = Hypothesis(condition)
    return found


def check_condition(role: str, function: Any) -> None:
    """ValueError unless it is a function of (instance, config)."""
    check_function(role, function, "instance", "config")


def check_function(role: str, function: Any, *arguments: str) -> None:
    """ValueError unless the function can be called with so many arguments, where that is known."""
    named = f"({', '.join(arguments)})"
    if not callable(function):
        raise ValueError(f"{role} must be a function of {named}, got {described(function)}")
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # of a built-in function nothing is known
        return
    try:
        signature.bind(*arguments)
    except TypeError as error:
        raise ValueError(f"{role} must take {named}, got {signature}: {error}") from None


def check_statement(statement: Any) -> None:
    """ValueError unless it is a `Statement`."""
    if not isinstance(statement, Statement):
        raise ValueError(
            f"statement must be a Statement, such as REGISTRY[id], got {described(statement)}"
        )


def check_claims(statement: Statement, config: Any) -> None:
    """ValueError for claims that are none, before any draw is made."""
    if statement.claim is not None:
        checked_claims(statement.id, statement.claim(config))


def check_config(config: Any) -> None:
    """ValueError unless the configuration is hashable, as what is static under jit must be."""
    try:
        hash(config)
    except TypeError:
        raise ValueError(
            f"config must be hashable, such as a `Parameters`, got {described(config)}"
        ) from None
