"""A theorem as one object: how it is drawn, what it assumes and what it claims."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar

import jax
from jax.typing import ArrayLike

from theory._types import PyTree
from theory._validation import check_choice, check_integer
from theory.margins import Margin
from theory.parameters import Parameters
from theory.verification import shown
from theory.verification.claims import checked_claims
from theory.verification.domains import Domain
from theory.verification.kinds import KINDS, ByQuantity, Deterministic, Kind
from theory.verification.signatures import check_condition, check_function, described
from theory.verification.stages import SOLUTION, InStages, Staged

Config = TypeVar("Config")
Instance = TypeVar("Instance")


@dataclasses.dataclass(frozen=True)
class Hypothesis:
    """One condition of a statement.

    Attributes:
      check: (instance, config) → `Margin` (scalar), positive exactly when the condition holds.
      says: the condition in words and symbols.
      stage: the last stage that it looks at; everything if None. It is given that stage and those
        before it. Only if all hypotheses of a statement look at the first of several stages are
        failures counted among the draws that satisfy them, so that forgetting to say so costs
        power and refutes nothing that is true.

    Raises:
      ValueError: for what is no such function.
    """

    check: Callable[[Any, Any], Margin]
    says: str = ""
    stage: str | None = None

    def __post_init__(self) -> None:
        check_condition("check", self.check)


@dataclasses.dataclass(frozen=True)
class OnData:
    """How a statement runs on some data that are no law.

    Attributes:
      changes: of its `config`, with which it says something there: a δ below 1, hypotheses that
        hold where they can.
      quick: whether the preset "quick" covers it as well, not "full" alone.
    """

    changes: Mapping[str, object] = dataclasses.field(default_factory=dict)
    quick: bool = False


def _nothing(key: jax.Array, config: object) -> PyTree:
    """Where no sampler is given."""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Statement(Generic[Config, Instance]):
    """A theorem, lemma or claim, in a form that can be checked on drawn instances.

    Attributes:
      id: unique name, "family.statement".
      sample: (key, config) → instance, any pytree; a pure function that jit and vmap accept. The
        instance should hold everything drawn that the checks need, so that they stay deterministic;
        settings they take from the configuration.
      stages: in place of `sample`, name → (key, earlier, config) → pytree, drawn in this order,
        each with a key of its own (`theory.verification.stages`). The instance has a part for each
        of them, and a condition about a stage is given that one and those before it: it cannot
        look at what is drawn later. If all hypotheses are about the first of several stages,
        failures are counted among the draws that satisfy them.
      hypotheses: name → `Hypothesis`, or a bare function (instance, config) → `Margin`, which
        stands for a hypothesis that looks at everything.
      measured: the same, for conditions that are reported but not required.
      claim: what follows from the hypotheses: a `Deterministic`, `Probabilistic`, `Moment`,
        `Empirical`, `Rate`, `Decay` or `Law`.
      solve: a stage on the host before the checks, for solvers that no compiler knows: numpy
        arrays of one draw in, numpy arrays of fixed shapes out. It takes the instance, and what it
        returns is the part `solution` beside the stages, or in place of what `sample` drew.
        Numbers in the instance become arrays on the way.
      constant: (instance, config) → number, the largest constant C with which the hypotheses of a
        published form O(·) hold; the verdict names the smallest C that no draw contradicts.
      config: the default configuration, hashable.
      domain: name of an array of the instance, or of the first stage where there are stages, as
        "x" or "params.w", → `Reals(low, high)` or `Signs()`: what it may be, where the theorem
        speaks of all such arrays that satisfy the hypotheses and not only of those that are drawn.
        `theory.falsify` then searches among all of them; arrays without a domain stay as drawn.
      cases: name → changes of `config`: further settings that a run without settings covers.
      title, says, source: for people: one line; the statement in full; where it is printed.
      caveat: what a reader must know about the source before the verdict says anything about it.
      erratum: anchor in docs/errata.md if the statement is known to be wrong as printed.
      loose: why a bound is far from tight, if it is.
      draws: preset → number of draws that it takes to tell.
      data: whether `config.data` may be replaced by data of the user's.
      on_data: name of a data set, such as "digits" → `OnData`. A run without any names and
        settings covers the statement there as well, and one that asks for this data begins with
        these changes.
      random: whether instances are random. If not, one draw is all there is.
      batch: most draws evaluated at once.

    Raises:
      ValueError: for a claim that is none, what is no function of its arguments, a wrong case, or
        data without `data`.
    """

    id: str
    claim: Kind[Config, Instance]
    sample: Callable[[jax.Array, Config], Instance] = _nothing
    stages: Mapping[str, Callable[[jax.Array, Staged, Config], PyTree]] = dataclasses.field(
        default_factory=dict
    )
    hypotheses: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    measured: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    solve: Callable[[PyTree], PyTree] | None = None
    constant: Callable[[Instance, Config], ArrayLike] | None = None
    config: Config = None  # pyright: ignore[reportAssignmentType]
    domain: Mapping[str, object] = dataclasses.field(default_factory=dict)
    cases: Mapping[str, Mapping[str, object]] = dataclasses.field(default_factory=dict)
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
    on_data: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    random: bool = True
    batch: int = 16

    def __repr__(self) -> str:
        return f"<Statement {self.id}: {self.kind}>"

    def _repr_html_(self) -> str:
        return shown.as_html(self.id, shown.statement_rows(self))

    def _repr_markdown_(self) -> str:
        return shown.as_markdown(self.id, shown.statement_rows(self))

    def __post_init__(self) -> None:
        if not isinstance(self.claim, KINDS):
            names = ", ".join(kind.__name__ for kind in KINDS)
            raise ValueError(f"claim must be one of {names}, got {described(self.claim)}")
        self._set_sampler()
        if self.solve is not None:
            check_function("solve", self.solve, "instance")
        if self.constant is not None:
            check_condition("constant", self.constant)
        if not self.random and not isinstance(self.claim, Deterministic):
            raise ValueError(f"random must be True for a {self.kind} statement, got False")
        check_config(self.config)
        for role in ("hypotheses", "measured"):
            object.__setattr__(self, role, _conditions(role, getattr(self, role), self.parts))
        for name, domain in self.domain.items():
            if not isinstance(domain, Domain):
                raise ValueError(
                    f"domain[{name!r}] must be Reals(…) or Signs(), got {described(domain)}"
                )
        check_integer("batch", self.batch)
        for preset, count in self.draws.items():
            check_integer(f"draws[{preset!r}]", count)
        for name in self.cases:
            self.configured(name)
        for name, how in self.on_data.items():
            if not (self.data and isinstance(how, OnData)):
                wanted = "an OnData" if self.data else "left out of a statement without data"
                raise ValueError(f"on_data[{name!r}] must be {wanted}, got {described(how)}")
            self.configured(data=name)

    def _set_sampler(self) -> None:
        """Makes a sampler of the stages, or checks the one that is given."""
        derived = isinstance(self.sample, InStages)  # of a statement that was copied
        missing = self.sample is _nothing
        if (missing or derived) == (not self.stages):
            got = "neither" if missing else "both" if self.stages else "the stages' own"
            raise ValueError(f"sample or stages must be given, one of them, got {got}")
        if self.solve is not None and SOLUTION in self.stages:
            raise ValueError(f"stages must leave the name {SOLUTION!r} to what `solve` returns")
        if self.stages:
            object.__setattr__(self, "sample", InStages(self.stages))
        check_function("sample", self.sample, "key", "config")

    @property
    def kind(self) -> str:
        """The name of the kind of its claim."""
        return self.claim.name

    def configured(self, case: str = "", data: str | None = None) -> Config:
        """The default configuration, that for some data, or that of a case.

        Raises:
          ValueError: if there is no such case, or its changes or those of the data are wrong.
        """
        config: Any = self.config
        changes: dict[str, Any] = {}
        if data is not None and data in self.on_data:
            changes |= self.on_data[data].changes
        if case:
            changes |= self.cases[check_choice("case", case, self.cases)]
        return dataclasses.replace(config, **changes) if changes else config

    @property
    def parts(self) -> tuple[str, ...]:
        """Names of the parts of an instance: the stages, then `solution` if there is a solver."""
        solved = (SOLUTION,) if self.stages and self.solve is not None else ()
        return (*self.stages, *solved)

    @property
    def first(self) -> str | None:
        """The first of several parts, None where all is drawn at once."""
        return self.parts[0] if len(self.parts) > 1 else None

    @property
    def looks_at(self) -> dict[str, str | None]:
        """Name of each condition, required or only measured → its stage."""
        conditions = (*self.hypotheses.items(), *self.measured.items())
        return {name: condition.stage for name, condition in conditions}

    def solved(self, instance: Any) -> Any:
        """What the solver makes of one draw, as numpy arrays."""
        assert self.solve is not None
        found = self.solve(instance)
        return Staged({**instance, SOLUTION: found}) if self.stages else found


def _conditions(role: str, given: object, stages: Sequence[str]) -> dict[str, Hypothesis]:
    if not isinstance(given, Mapping):
        raise ValueError(
            f"{role} must be a mapping from names to conditions, got {described(given)}"
        )
    found = {}
    for name, condition in given.items():
        if isinstance(condition, Hypothesis):
            found[name] = _placed(f"{role}[{name!r}]", condition, stages)
        else:
            check_condition(f"{role}[{name!r}]", condition)
            found[name] = Hypothesis(condition)
    return found


def _placed(role: str, condition: Hypothesis, stages: Sequence[str]) -> Hypothesis:
    """The condition; ValueError if its stage is none of the statement."""
    if condition.stage is not None and condition.stage not in stages:
        names = ", ".join(stages) or "none in a statement with `sample`"
        raise ValueError(f"stage of {role} must be one of {names}; got {condition.stage!r}")
    return condition


def check_statement(statement: object) -> None:
    """ValueError unless it is a `Statement`."""
    if not isinstance(statement, Statement):
        raise ValueError(
            f"statement must be a Statement, such as REGISTRY[id], got {described(statement)}"
        )


def check_claims(statement: Statement, config: object) -> None:
    """ValueError for claims that are none, before any draw is made."""
    if isinstance(statement.claim, ByQuantity):
        checked_claims(statement.id, statement.claim.claims(config), statement.claim.form)


def check_config(config: object, own: object = None) -> None:
    """ValueError unless a statement takes the configuration.

    Args:
      config: hashable, as what is static under jit must be.
      own: the statement's; where that is a `Parameters`, only one of its class has what it reads.
    """
    if isinstance(own, Parameters) and not isinstance(config, type(own)):
        raise ValueError(f"config must be a {type(own).__name__}, got {described(config)}")
    try:
        hash(config)
    except TypeError:
        raise ValueError(
            f"config must be hashable, such as a `Parameters`, got {described(config)}"
        ) from None
