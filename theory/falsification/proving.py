"""A counterexample, and its proof in ball arithmetic."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from theory.certificates import ball
from theory.falsification.candidates import Space, Variables
from theory.verification.kinds import Deterministic
from theory.verification.stages import seen_from
from theory.verification.statement import Statement
from theory.verification.verdict import Evidence

MOST_ENTRIES = 20_000  # numbers of an instance that ball arithmetic is tried on


@dataclasses.dataclass(frozen=True)
class Counterexample:
    """An instance on which the hypotheses hold and the conclusion fails.

    Attributes:
      config: its configuration.
      instance: as the conditions see it, a pytree of numpy arrays.
      evidence: its margins, numerical errors the larger of stated and estimated ones.
      proved: whether hypotheses and conclusion are decided in ball arithmetic, of the instance as
        the exact numbers that it holds.
      how: one sentence about the proof, or why there is none.
      enclosures: name of each hypothesis, and "conclusion" → text of the enclosure of its margin.
    """

    config: Any
    instance: Any
    evidence: Evidence
    proved: bool
    how: str
    enclosures: Mapping[str, str]


def certified(space: Space, key: Array, variables: Variables) -> Counterexample:
    """The counterexample of variables, proved where that is possible."""
    instance = jax.tree.map(_on_host, space.solved_instance(key, variables))
    evidence = space.disturbed(key, variables)
    proved, how, enclosures = prove(space.statement, instance, space.config)
    return Counterexample(space.config, instance, evidence, proved, how, enclosures)


def _on_host(leaf: Any) -> Any:
    """A NumPy array; random keys, which are none, as they are."""
    return leaf if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key) else np.asarray(leaf)


def prove(statement: Statement, instance: Any, config: Any) -> tuple[bool, str, dict[str, str]]:
    """Whether an instance is certainly a counterexample.

    It is taken as the exact numbers that it holds. Where some of them follow from others in float64
    (later stages, solutions), every condition must be decided beyond the bounds on rounding that it
    states.

    Args:
      statement: a deterministic one.
      instance, config: as its conditions see them.

    Returns:
      Whether it is proved; one sentence; name of each condition → the enclosure of its margin.
    """
    claim = statement.claim
    assert isinstance(claim, Deterministic)
    if (entries := sum(np.size(leaf) for leaf in jax.tree.leaves(instance))) > MOST_ENTRIES:
        return False, f"no proof of {entries} numbers, only of {MOST_ENTRIES} at most", {}
    follows = len(statement.stages) > 1 or statement.solve is not None
    enclosures: dict[str, str] = {}

    def decided(name: str, check: Any, seen: Any) -> str:
        found = ball.decide(check, seen, config)
        enclosures[name] = found.value.text(12)
        return found.verdict if found.beyond_rounding or not follows else "within rounding"

    try:
        for name, condition in statement.hypotheses.items():
            seen = seen_from(instance, condition.stage)
            if (verdict := decided(name, condition.check, seen)) != "holds":
                return False, f"{name} {verdict} in ball arithmetic", enclosures
        verdict = decided("conclusion", claim.conclusion, instance)
    except ball.MissingPrimitive as error:
        return False, f"no proof, {error}", enclosures
    if verdict != "fails":
        return False, f"conclusion {verdict} in ball arithmetic", enclosures
    return True, "all hypotheses hold and the conclusion fails, enclosed apart from 0", enclosures
