"""Numerical errors that a statement does not state, estimated."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import TypeVar

import jax
import jax.numpy as jnp

from theory.margins import Margin
from theory.verification.instances import real_array
from theory.verification.rounding import LANES, Rounding, estimated_rounding
from theory.verification.verdict import Evidence

Argument = TypeVar("Argument")  # a pytree

MANY_LANES = 24  # perturbed evaluations of a second look


def _margins(evidence: Evidence) -> dict[tuple[str, str], Margin]:
    """All margins of a draw, by role and name."""
    found = {("hypotheses", name): m for name, m in evidence.hypotheses.items()}
    found |= {("measured", name): m for name, m in evidence.measured.items()}
    return found | ({("conclusion", ""): evidence.conclusion} if evidence.conclusion else {})


def unstated(evidence: Evidence) -> list[tuple[str, str]]:
    """Role and name of the margins that do not state their error."""
    return [place for place, margin in _margins(evidence).items() if not margin.stated]


def margin_values(evidence: Evidence) -> list[jax.Array]:
    """The values of all margins, in the order of `unstated`."""
    return [margin.value for margin in _margins(evidence).values()]


def _with_margins(evidence: Evidence, margins: Mapping[tuple[str, str], Margin]) -> Evidence:
    def of(role: str) -> dict[str, Margin]:
        return {name: margin for (r, name), margin in margins.items() if r == role}

    return evidence._replace(
        hypotheses=of("hypotheses"),
        measured=of("measured"),
        conclusion=margins.get(("conclusion", "")),
    )


def with_estimates(
    evidence: Evidence,
    evidence_of: Callable[[Argument], Evidence],
    argument: Argument,
    *,
    quantity: bool = False,
    all_estimated: bool = False,
) -> Evidence:
    """The evidence, errors that are not stated replaced by estimates; with `all_estimated`, the
    larger of both everywhere."""
    margins = _margins(evidence)
    wanted = list(margins) if all_estimated else unstated(evidence)
    count = quantity and evidence.quantity is not None and evidence.quantity_error is None
    if not wanted and not count:
        return evidence

    def computed(argument: Argument) -> list[jax.Array]:
        again = evidence_of(argument)
        known = _margins(again)
        return [known[place].value for place in wanted] + ([again.quantity] if count else [])

    values = [margins[place].value for place in wanted]
    values += [real_array("quantity", evidence.quantity)] if count else []
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


def in_doubt(evidence: Evidence, doubtful: jax.Array) -> Evidence:
    """The evidence with nothing decided where an unsigned integer wrapped around."""
    margins = {
        place: m
        if m.stated
        else dataclasses.replace(m, error=jnp.where(doubtful, jnp.inf, m.error))
        for place, m in _margins(evidence).items()
    }
    return _with_margins(evidence, margins)
