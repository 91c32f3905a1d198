"""Numerical errors that statements state, against estimates of what rounding really does."""

import functools
from typing import Any, NamedTuple
from unittest import mock

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from origins import is_given

from theory import REGISTRY, rounding
from theory.keys import make_key
from theory.verification import (
    Statement,
    _evidence,
    _margins,
    arithmetic,
    evaluate_instance,
    quick_to_compile,
)

LOOKED_AT = 2  # draws: errors of a kind that is forgotten show in every draw
# The estimate of one rounding is 20 eps (twice 8 eps, and 4), where a bound states 1 eps or more.
SLACK = 32


class Arithmetic(rounding._Arithmetic):
    """Disturbed arithmetic in which random numbers, data and initial weights are what they are."""

    def step(self, equation: Any, inputs: list[Any]) -> tuple[list[Any], Any]:
        if is_given(equation):
            return rounding._bound(equation, inputs), False
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
    return statement.kind not in ("deterministic", "probabilistic")


def errors_of(statement: Statement, key: jax.Array) -> dict[str, Errors]:
    """Every stated error, and what the sampler and the condition together are estimated to lose."""

    def values(key: jax.Array) -> dict[str, tuple[Any, Any]]:
        evidence = _evidence(statement, statement.sample(key, statement.config))
        return stated_values(evidence, needs_quantity(statement))

    def one(index: jax.Array) -> dict[str, Errors]:
        of_draw = jax.random.fold_in(key, index)
        stated = values(of_draw)
        if not stated:
            return {}
        again = lambda key: [value for value, _ in values(key).values()]  # noqa: E731
        with mock.patch.object(rounding, "_Arithmetic", Arithmetic):
            estimated = rounding.estimated_rounding(again, of_draw, unsigned=False).error
        return {
            name: Errors(*both, error)
            for (name, both), error in zip(stated.items(), estimated, strict=True)
        }

    run = jax.jit(functools.partial(jax.lax.map, one), compiler_options=quick_to_compile())
    return jax.device_get(run(jnp.arange(LOOKED_AT)))


def errors_of_solved(statement: Statement, key: jax.Array) -> dict[str, Errors]:
    """The same behind a solver on the host, whose result is taken as exact."""
    found: dict[str, list[Errors]] = {}
    for index in range(LOOKED_AT):
        drawn = statement.sample(jax.random.fold_in(key, index), statement.config)
        assert statement.solve is not None
        solved = statement.solve(jax.device_get(drawn))
        plain = stated_values(evaluate_instance(statement, solved), needs_quantity(statement))
        looked = evaluate_instance(statement, solved, all_estimated=True)
        estimated = stated_values(looked, needs_quantity(statement))
        for name, (value, error) in plain.items():
            found.setdefault(name, []).append(Errors(value, error, estimated[name][1]))
    return {name: Errors(*map(np.stack, zip(*rows, strict=True))) for name, rows in found.items()}


def offenders(found: dict[str, Errors]) -> list[str]:
    """What is stated smaller than estimated/16, the worst entry of each, with both numbers."""
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
@pytest.mark.parametrize("precision", ["float64", "float32"])
@pytest.mark.parametrize("id", list(REGISTRY))
def test_no_stated_error_is_far_below_the_estimated_one(id, precision):
    statement = REGISTRY[id]
    with arithmetic(precision):
        errors = errors_of if statement.solve is None else errors_of_solved
        found = offenders(errors(statement, make_key(5)))
    assert not found, f"{id} in {precision}\n" + "\n".join(found)


def test_an_error_that_is_forgotten_is_found():
    """The test itself can fail: a sum of many terms with the error of one rounding."""
    from theory.evidence import margin

    def of(factor):
        return Statement(
            id="toy.sum",
            kind="deterministic",
            sample=lambda key, config: jax.random.normal(key, (1000,)),
            conclusion=lambda x: margin(jnp.sum(x) - 1, factor * jnp.finfo(x.dtype).eps),
        )

    assert len(offenders(errors_of(of(1.0), make_key(0)))) == 1
    assert offenders(errors_of(of(1e5), make_key(0))) == []
