"""What one draw says of a statement."""

import enum
from collections.abc import Iterable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Int

from theory.margins import AnyArray, Margin


class Outcome(enum.IntEnum):
    """What one draw says about "hypotheses ⇒ conclusion"."""

    CONFIRMED = 0  # all hypotheses hold, the conclusion holds
    MISS = 1  # all hypotheses hold, the conclusion fails
    BEYOND = 2  # some hypothesis fails, the conclusion holds all the same
    VACUOUS = 3  # some hypothesis fails, the conclusion fails
    UNDECIDED = 4  # inside numerical error


class Premise(NamedTuple):
    """Whether all hypotheses hold, elementwise: certainly, certainly not, or neither."""

    holds: Bool[AnyArray, "..."]
    fails: Bool[AnyArray, "..."]


def premise(hypotheses: Iterable[Margin]) -> Premise:
    """Combines hypotheses: all must hold; one that certainly fails decides. None: always holds."""
    # numpy's, which needs no compiling where the margins are numpy's, too
    holds, fails = np.array(True), np.array(False)
    for hypothesis in hypotheses:
        holds = holds & hypothesis.holds
        fails = fails | hypothesis.fails
    return Premise(holds, fails)


def outcome(hypotheses: Iterable[Margin], conclusion: Margin) -> Int[AnyArray, "..."]:
    """The `Outcome` of one draw (elementwise over arrays of draws), as an integer array."""
    holds, fails = premise(hypotheses)
    cases = [
        holds & conclusion.holds,
        holds & conclusion.fails,
        fails & conclusion.holds,
        fails & conclusion.fails,
    ]
    kinds = [Outcome.CONFIRMED, Outcome.MISS, Outcome.BEYOND, Outcome.VACUOUS]
    if any(isinstance(case, jax.Array) for case in cases):
        return jnp.select(cases, kinds, Outcome.UNDECIDED)
    return np.select(
        np.broadcast_arrays(*cases), [np.array(int(k)) for k in kinds], int(Outcome.UNDECIDED)
    )
