"""What a statement says of one instance."""

from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from theory._types import AnyArray, PyTree
from theory.margins import Margin, Measured, as_float
from theory.verification.kinds import ByOutcome, ByQuantity, Probabilistic
from theory.verification.signatures import described
from theory.verification.stages import check_staged, seen_from
from theory.verification.statement import Hypothesis, Statement
from theory.verification.verdict import Evidence


def instance_evidence(statement: Statement, instance: PyTree, config: object) -> Evidence:
    """Every condition of the statement, its quantity, δ and C, on one instance.

    Args:
      statement: what is asked.
      instance: of one draw.
      config: the configuration that it was drawn with.

    Raises:
      ValueError: where a function of the statement returns something else than it should, or for
        an instance without the stages of the statement.
    """
    check_staged(instance, statement.parts)
    claim, conclusion, error = statement.claim, None, None
    quantity = None
    if isinstance(claim, ByOutcome):
        conclusion = _scalar("conclusion", claim.conclusion(instance, config))
    if isinstance(claim, ByQuantity):
        quantity, error = instance_quantity(statement, instance, config)
    allowed = claim.failure_probability if isinstance(claim, Probabilistic) else None
    return Evidence(
        hypotheses=_checked(statement.hypotheses, instance, config),
        measured=_checked(statement.measured, instance, config),
        conclusion=conclusion,
        allowed=_number("failure_probability", allowed, instance, config),
        quantity=quantity,
        constant=_number("constant", statement.constant, instance, config),
        quantity_error=error,
    )


def instance_quantity(
    statement: Statement, instance: PyTree, config: object
) -> tuple[jax.Array, AnyArray | None]:
    """The quantity as an array, with its numerical error or None where that is not stated."""
    assert isinstance(statement.claim, ByQuantity)
    found = statement.claim.quantity(instance, config)
    value, error = found if isinstance(found, Measured) else (found, None)
    return real_array("quantity", value), error


def _number(
    role: str,
    function: Callable[[PyTree, object], ArrayLike] | None,
    instance: PyTree,
    config: object,
) -> jax.Array | None:
    """δ or C of an instance, one number."""
    if function is None:
        return None
    found = real_array(role, function(instance, config))
    if found.shape != ():
        raise ValueError(f"{role} must return one number, got shape {found.shape}")
    return found


def real_array(role: str, value: object) -> jax.Array:
    """What a function of the instance returned, as floats; ValueError if it is no real array."""
    try:
        array = jnp.asarray(value)
    except (TypeError, ValueError):
        raise ValueError(
            f"{role} must return an array of real numbers, got {described(value)}"
        ) from None
    kinds = (jnp.floating, jnp.signedinteger, jnp.bool_)
    if not any(jnp.issubdtype(array.dtype, kind) for kind in kinds):
        raise ValueError(
            f"{role} must return real numbers, floating or signed integers, got {array.dtype}; "
            "convert with .astype(float) before any arithmetic"
        )
    return as_float(array)


def _checked(
    conditions: Mapping[str, Hypothesis], instance: PyTree, config: object
) -> dict[str, Margin]:
    return {
        name: _scalar(name, c.check(seen_from(instance, c.stage), config))
        for name, c in conditions.items()
    }


def _scalar(name: str, condition: object) -> Margin:
    if not isinstance(condition, Margin):
        raise ValueError(f"{name} must return a Margin, got {type(condition).__name__}")
    for part in ("value", "error", "ratio"):
        shape = jnp.shape(getattr(condition, part))
        if shape != ():
            raise ValueError(
                f"{name} must return one margin (use .all()), got a {part} of shape {shape}"
            )
    return condition
