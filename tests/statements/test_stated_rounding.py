"""Numerical errors that statements state, against estimates of what rounding really does."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple
from unittest import mock

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from loose_parts import by_outcome
from origins import is_given

from theory import REGISTRY, Deterministic
from theory.compilation import quick_to_compile
from theory.keys import make_key
from theory.margins import margin, rounding_error
from theory.verification import disturbed, primitives, rounding
from theory.verification.estimates import _margins
from theory.verification.instances import instance_evidence
from theory.verification.programs import arithmetic
from theory.verification.statement import Statement

LOOKED_AT = 2  # draws: errors of a kind that is forgotten show in every draw
# The estimate of one rounding is 20 eps (twice 8 eps, and 4), where a bound states 1 eps or more.
SLACK = 32


class Arithmetic(disturbed.Arithmetic):
    """Disturbed arithmetic in which random numbers, data and initial weights are what they are."""

    def step(self, equation: Any, inputs: list[Any]) -> tuple[list[Any], Any]:
        if is_given(equation):
            return primitives.results(equation, inputs), False
        return super().step(equation, inputs)


class Errors(NamedTuple):
    """A value with its stated error and the estimated one, each (draws, …)."""

    value: Any
    stated: Any
    estimated: Any


def stated_values(evidence: Any, scaled: bool) -> dict[str, tuple[Any, Any]]:
    """Name → (value, error) of all in the evidence whose error is stated."""
    found = {
        " ".join(filter(None, place)): (m.value, m.error)
        for place, m in _margins(evidence).items()
        if m.stated
    }
    if scaled and evidence.quantity_error is not None:
        found["quantity"] = (evidence.quantity, evidence.quantity_error)
    return found


def needs_quantity(statement: Statement) -> bool:
    return not by_outcome(statement)


def errors_of(statement: Statement, key: jax.Array, *, estimate: bool = True) -> dict[str, Errors]:
    """Every stated error, and what sampler and condition together are estimated to lose, in the
    arithmetic that is set; a solver's result is taken as exact."""
    if statement.solve is not None:
        return _errors_of_solved(statement, key, estimate)

    def values(key: jax.Array) -> dict[str, tuple[Any, Any]]:
        evidence = instance_evidence(
            statement, statement.sample(key, statement.config), statement.config
        )
        return stated_values(evidence, needs_quantity(statement))

    def one(index: jax.Array) -> dict[str, Errors]:
        of_draw = jax.random.fold_in(key, index)
        return _with_estimates(values, of_draw, estimate)

    run = jax.jit(functools.partial(jax.lax.map, one), compiler_options=quick_to_compile(1))
    return jax.device_get(run(jnp.arange(LOOKED_AT)))


def _errors_of_solved(statement: Statement, key: jax.Array, estimate: bool) -> dict[str, Errors]:
    def values(instance: Any) -> dict[str, tuple[Any, Any]]:
        evidence = instance_evidence(statement, instance, statement.config)
        return stated_values(evidence, needs_quantity(statement))

    run = jax.jit(
        lambda instance: _with_estimates(values, instance, estimate),
        compiler_options=quick_to_compile(1),
    )
    draws = []
    for index in range(LOOKED_AT):
        drawn = statement.sample(jax.random.fold_in(key, index), statement.config)
        draws.append(jax.device_get(run(statement.solved(jax.device_get(drawn)))))
    return jax.tree.map(lambda *parts: np.stack(parts), *draws)


def _with_estimates(
    values: Callable[[Any], dict[str, tuple[Any, Any]]], argument: Any, estimate: bool
) -> dict[str, Errors]:
    stated = values(argument)
    if not (stated and estimate):
        return {name: Errors(*both, both[1]) for name, both in stated.items()}
    with mock.patch.object(rounding, "Arithmetic", Arithmetic):
        estimated = rounding.estimated_rounding(
            lambda argument: [value for value, _ in values(argument).values()],
            argument,
            unsigned=False,
        ).error
    return {
        name: Errors(*both, error)
        for (name, both), error in zip(stated.items(), estimated, strict=True)
    }


def offenders(found: dict[str, Errors]) -> list[str]:
    """What is stated smaller than estimated/SLACK, the worst entry of each, with both numbers."""
    lines = []
    for name, errors in found.items():
        value, stated, estimated = (np.asarray(part, np.float64) for part in errors)
        eps = np.finfo(np.asarray(errors.value).dtype).eps
        rounded = estimated > 4.5 * eps * np.abs(value) + 1e-300  # else no disturbance moved it
        wrong = rounded & ~(stated >= estimated / SLACK) & np.isfinite(value)
        if wrong.any():
            ratio = np.where(wrong, estimated / np.maximum(stated, 1e-300), 0)
            worst = np.unravel_index(np.argmax(ratio), ratio.shape)
            lines.append(
                f"{name}: stated {stated[worst]:.2g}, estimated {estimated[worst]:.2g} "
                f"at the value {value[worst]:.3g}, in {wrong.sum()} of {wrong.size}"
            )
    return lines


@pytest.mark.slow
@pytest.mark.parametrize("id", list(REGISTRY))
def test_no_stated_error_is_far_below_the_estimated_one(id):
    statement = REGISTRY[id]
    with arithmetic("float64"):
        found = offenders(errors_of(statement, make_key(5)))
    assert not found, f"{id}\n" + "\n".join(found)


@pytest.mark.slow
@pytest.mark.parametrize("id", list(REGISTRY))
def test_stated_errors_know_their_precision(id):
    """What is rounding in float64 is 5·10⁸ times as large in float32, on draws that are others."""
    largest = {}
    for precision in ("float64", "float32"):
        with arithmetic(precision):
            found = errors_of(REGISTRY[id], make_key(6), estimate=False)
        largest[precision] = {
            name: (np.abs(e.value).max(), e.stated.max()) for name, e in found.items()
        }
    assert largest["float64"].keys() == largest["float32"].keys()
    for name, (size, error) in largest["float64"].items():
        if 0 < error < 1e-9 * size:  # else exact, or no matter of rounding
            assert largest["float32"][name][1] > 1e4 * error, name


def test_an_error_that_is_forgotten_is_found():
    """A sum of many terms passes with its bound, and not with the error of its last rounding."""

    def conclusion(x, _, terms):
        return margin(jnp.sum(x) - 1, rounding_error(terms, 1 + jnp.sum(jnp.abs(x))))

    def found(terms):
        toy = Statement(
            id="toy.sum",
            sample=lambda key, config: jax.random.normal(key, (1000,)),
            claim=Deterministic(conclusion=functools.partial(conclusion, terms=terms)),
        )
        return offenders(errors_of(toy, make_key(0)))

    assert found(1000) == []
    assert len(found(1)) == 1
