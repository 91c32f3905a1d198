"""Candidates for a counterexample: variables that make an instance, and how near one is to it."""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from theory.compilation import (
    Compiled,
    bounded,
    bytes_needed,
    check_fits,
    largest_array,
    largest_fit,
    quick_jit,
)
from theory.falsification.latent import from_scores, numbers_behind, open_sampler, scores
from theory.keys import make_key
from theory.verification.domains import Domain, leaf_names
from theory.verification.estimates import with_estimates
from theory.verification.evaluation import evaluate_instance
from theory.verification.instances import instance_evidence
from theory.verification.stages import Staged
from theory.verification.statement import Statement
from theory.verification.verdict import Evidence

FIRM = 1e3  # of a violated hypothesis, in medians of its margin; what it weighs in the objective
MOST = 64  # candidates evaluated at once
KEPT = 512  # candidates that a search chooses among


class Variables(NamedTuple):
    """What a search moves.

    direct: arrays of the instance that have a domain.  scores: Φ⁻¹ of the uniform numbers that the
    sampler draws and that are opened (`latent.open_sampler`).
    """

    direct: list[Array]
    scores: list[Array]


class Conditions(NamedTuple):
    """Values, errors, and whether they hold and fail: (…, conditions), the conclusion last."""

    values: Array
    errors: Array
    holds: Array
    fails: Array


class Found(NamedTuple):
    """How near candidates are, each of shape (candidates,).

    miss: whether all hypotheses hold and the conclusion fails, outside stated errors.
    tested: whether all hypotheses hold.  violated: by how much they fail, 0 where they hold.
    margin: of the conclusion, plus its error: at most 0 at a counterexample.
    """

    miss: Bool[Array, " candidates"]
    tested: Bool[Array, " candidates"]
    violated: Float[Array, " candidates"]
    margin: Float[Array, " candidates"]

    @property
    def objective(self) -> Array:
        """What is made small: first the hypotheses, then the conclusion."""
        margin = self.margin / (1 + jnp.abs(self.margin))
        value = jnp.where(self.violated > 0, FIRM * (1 + self.violated), margin)
        return jnp.where(jnp.isnan(value), jnp.inf, value)


@dataclasses.dataclass(eq=False)
class Space:
    """All candidates of a statement in one configuration.

    Attributes:
      statement, config: what is searched.
      scales: medians of |margin|, of each hypothesis and of the conclusion last.
      batch: candidates evaluated at once.
      evaluations: how many there were.
      differentiable: whether no derivative has turned out to be missing.
      memory: bytes that may be used, None for as many as it takes.

    Raises:
      ValueError: on construction, for domains that are wrong, and for what does not fit into the
        memory; later, for what does not.
    """

    statement: Statement
    config: Any
    scales: Float[np.ndarray, " conditions"] | None = None
    evaluations: int = 0
    differentiable: bool = True
    memory: int | None = None

    def __post_init__(self) -> None:
        self.batch = max(8, min(MOST, self.statement.batch))
        self.domains = tuple(d for d in self.statement.domain.values() if isinstance(d, Domain))
        key = make_key(0)
        self._check_instance_fits(key)
        direct = self._direct(key)
        if self.domains:
            self._check_domain(key)
        self._rebuilt, self._drawn = open_sampler(self._assemble, key, direct)
        self._fit()

    def _check_instance_fits(self, key: Array) -> None:
        """Before anything is drawn: by shapes alone."""
        if self.memory is not None:
            sampler = jax.make_jaxpr(lambda key: self.statement.sample(key, self.config))(key)
            check_fits(self.statement.id, largest_array(sampler.jaxpr), self.memory)

    def _fit(self) -> None:
        """Makes the batch smaller where so many candidates do not fit, beside those that are kept.

        A search keeps what `KEPT` candidates are made of, twice, to choose among them.
        """
        if self.memory is None:
            return
        keys = jax.random.split(make_key(0), self.batch)
        variables = jax.eval_shape(jax.vmap(self._start), keys)
        size = sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(variables))
        kept = 2 * KEPT * size // self.batch
        check_fits(self.statement.id, kept, self.memory, f"to keep {KEPT} candidates")
        limit = self.memory - kept
        if not self.smooth:  # one after the other, by `evaluate_instance`
            return

        def needed(batch: int) -> int:
            shapes = jax.tree.map(
                lambda v: jax.ShapeDtypeStruct((batch, *v.shape[1:]), v.dtype), variables
            )
            return bytes_needed(self._conditions, keys[:batch], shapes, limit=limit)

        how = "with one candidate at a time"
        self.batch = largest_fit(self.statement.id, self.batch, limit, needed, how).batch

    def compiled(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function compiled, and refused where it does not fit."""
        return bounded(quick_jit(function), self.statement.id, self.memory)

    @property
    def smooth(self) -> bool:
        """Whether conditions can be differentiated: nothing is solved on the host."""
        return self.statement.solve is None

    def _searched(self, key: Array) -> Any:
        """What the domain speaks of: the first stage, or the instance."""
        if self.statement.stages:
            stage = next(iter(self.statement.stages.values()))
            own = jax.random.split(key, len(self.statement.stages))[0]
            return stage(own, Staged({}), self.config)
        return self.statement.sample(key, self.config)

    def _direct(self, key: Array) -> list[Array]:
        drawn = self._searched(key) if self.domains else ()
        known = dict(zip(leaf_names(drawn), jax.tree.leaves(drawn), strict=True))
        for name in self.statement.domain:
            if name not in known:
                raise ValueError(
                    f"domain must name arrays of the instance, {', '.join(known)}; got {name!r}"
                )
        return [jnp.asarray(known[name], float) for name in self.statement.domain]

    def _check_domain(self, key: Array) -> None:
        """ValueError where an array without a domain is made of the draws of one that has one."""
        names = leaf_names(self._searched(key))
        behind = dict(zip(names, numbers_behind(self._searched, key), strict=True))
        for name in self.statement.domain:
            for other in set(names) - set(self.statement.domain):
                if behind[name] & behind[other]:
                    raise ValueError(
                        f"domain must name all that is made of the same random numbers: {other!r} "
                        f"is, as {name!r}; give it a domain, or make it a later stage"
                    )

    def _replaced(self, drawn: Any, direct: Sequence[Array]) -> Any:
        leaves, structure = jax.tree.flatten(drawn)
        names = leaf_names(drawn)
        for name, domain, value in zip(self.statement.domain, self.domains, direct, strict=True):
            place = names.index(name)
            leaves[place] = domain.project(value).astype(jnp.asarray(leaves[place]).dtype)
        return jax.tree.unflatten(structure, leaves)

    def _assemble(self, key: Array, direct: Sequence[Array]) -> Any:
        """The instance of a key, its searched arrays replaced and what follows from them redone."""
        first = self._replaced(self._searched(key), direct)
        if not self.statement.stages:
            return first
        keys = jax.random.split(key, len(self.statement.stages))
        drawn = Staged({})
        for own, (name, stage) in zip(keys, self.statement.stages.items(), strict=True):
            made = stage(own, drawn, self.config) if len(drawn) else first
            drawn = Staged({**drawn, name: made})
        return drawn

    def instance(self, key: Array, variables: Variables) -> Any:
        """The instance of variables."""
        return self._rebuilt(key, variables.direct, from_scores(variables.scores))

    def _start(self, key: Array) -> Variables:
        direct = self._direct(key)
        return Variables(direct, scores(self._drawn(key, direct)))

    @functools.cached_property
    def start(self) -> Callable[[Array], Variables]:
        """(candidates,) keys → the variables that the sampler draws."""
        return self.compiled(jax.vmap(self._start))

    def conditions(self, key: Array, variables: Variables) -> Conditions:
        """All conditions of one candidate."""
        return _stacked(
            instance_evidence(self.statement, self.instance(key, variables), self.config)
        )

    def judged(self, key: Array, variables: Variables, scales: Array) -> Found:
        """One candidate, in units of the scales."""
        return found(self.conditions(key, variables), scales)

    @functools.cached_property
    def _conditions(self) -> Compiled:
        return quick_jit(jax.vmap(self.conditions))

    @functools.cached_property
    def _conditions_of_all(self) -> Callable[[Array, Variables], Conditions]:
        return bounded(self._conditions, self.statement.id, self.memory)

    def _all_conditions(self, keys: Array, variables: Variables) -> Conditions:
        """(candidates, conditions) those of all, solved on the host where the statement does."""
        if self.smooth:
            return jax.device_get(self._conditions_of_all(keys, variables))
        rows = []
        for i in range(len(keys)):
            evidence = self.evidence(keys[i], jax.tree.map(lambda v: v[i], variables))  # noqa: B023
            rows.append(_stacked(jax.tree.map(lambda part: part[0], evidence)))
        return jax.tree.map(lambda *parts: np.stack(parts), *rows)

    def measure_scales(self, keys: Array, variables: Variables) -> None:
        """Fixes the unit of every condition: the median of its margin over drawn instances."""
        values = np.abs(np.asarray(self._all_conditions(keys, variables).values))
        known = np.where(np.isfinite(values), values, np.nan)
        middle = np.array([np.nanmedian(c) if np.isfinite(c).any() else 1.0 for c in known.T])
        self.scales = np.where(middle > 0, middle, 1.0)

    def found(self, keys: Array, variables: Variables) -> Found:
        """(candidates,) how near each is."""
        self.evaluations += len(keys)
        conditions = self._all_conditions(keys, variables)
        return jax.tree.map(np.asarray, found(conditions, self.scales))

    def solved_instance(self, key: Array, variables: Variables) -> Any:
        """The instance as the conditions see it, as numpy arrays."""
        instance = jax.device_get(self._instance(key, variables))
        return instance if self.statement.solve is None else self.statement.solved(instance)

    @functools.cached_property
    def _instance(self) -> Callable[[Array, Variables], Any]:
        return self.compiled(self.instance)

    @functools.cached_property
    def _estimated(self) -> Callable[[Array, Variables], Evidence]:
        def evidence(key: Array, variables: Variables) -> Evidence:
            def of(numbers: tuple[list[Array], list[Array]]) -> Evidence:
                instance = self._rebuilt(key, *numbers)
                return instance_evidence(self.statement, instance, self.config)

            numbers = (variables.direct, from_scores(variables.scores))
            return with_estimates(of(numbers), of, numbers, all_estimated=True)

        return self.compiled(evidence)

    def disturbed(self, key: Array, variables: Variables) -> Evidence:
        """The evidence of one candidate in disturbed arithmetic: sampler and conditions together,
        or where the statement solves on the host, the conditions alone."""
        if not self.smooth:
            return self.evidence(key, variables, all_estimated=True)
        found = jax.device_get(self._estimated(key, variables))
        return jax.tree.map(lambda part: np.asarray(part)[None], found)

    def evidence(self, key: Array, variables: Variables, *, all_estimated: bool = False) -> Any:
        """The evidence of one candidate, as `theory.verify` collects it."""
        instance = self.solved_instance(key, variables)
        return evaluate_instance(self.statement, instance, self.config, all_estimated=all_estimated)


def _stacked(evidence: Evidence) -> Conditions:
    margins = [*evidence.hypotheses.values(), evidence.conclusion]
    columns = [[getattr(m, name) for m in margins] for name in ("value", "error", "holds", "fails")]
    return Conditions(*(jnp.stack([jnp.asarray(x) for x in column]) for column in columns))


def found(conditions: Conditions, scales: Any) -> Found:
    """How near conditions are to a counterexample, in units of the scales."""
    scales = jnp.broadcast_to(jnp.asarray(scales), jnp.shape(conditions.values))
    values, errors = conditions.values[..., :-1], conditions.errors[..., :-1]
    held = conditions.holds[..., :-1]
    lacking = jnp.maximum(jnp.maximum(2 * errors - values, 0) / scales[..., :-1], 1e-12)
    tested = jnp.all(held, axis=-1)
    reach = conditions.values[..., -1] + conditions.errors[..., -1]
    return Found(
        miss=tested & conditions.fails[..., -1],
        tested=tested,
        violated=jnp.sum(jnp.where(held, 0, lacking), axis=-1),
        margin=reach / scales[..., -1],
    )
