"""Programs lowered for devices that are not at hand."""

import functools
from collections.abc import Callable
from typing import Any

import jax
from jax import export

from theory import Statement
from theory.keys import make_key
from theory.verification.programs import (
    arithmetic,
    check_instances,
    compiled,
    evaluate_draws,
    sample_draws,
)

PLATFORMS = ("cuda", "tpu")


def lowered(function: Callable[..., Any], static: tuple[int, ...], *arguments: Any):
    """The `Exported` program of a function for both platforms.

    NotImplementedError for a primitive that one of them lacks, and for a call back to the host.
    """
    return export.export(jax.jit(function, static_argnums=static), platforms=PLATFORMS)(*arguments)


def lower_statement(statement: Statement, precision: str = "float64", mesh=None) -> None:
    """Lowers what `verify` compiles; what a solver of the host returns is computed here."""
    key, config = make_key(0), statement.config
    draws = 2 if mesh is None else 2 * mesh.size

    def lower(function, static, *arguments):
        lowered(functools.partial(function, mesh=mesh), static, statement, config, {}, *arguments)

    with arithmetic(precision):
        if statement.solve is None:
            lower(evaluate_draws, (0, 1, 4, 5), key, draws, 1, 0)
            return
        lower(sample_draws, (0, 1, 5), key, 0, draws)
        sampled = compiled(sample_draws, (0, 1, 5))(statement, config, {}, key, 0, draws)
        one = statement.solved(jax.tree.map(lambda part: part[0], jax.device_get(sampled)))
        rows = jax.tree.map(lambda part: jax.numpy.stack([part] * draws), one)
        lower(check_instances, (0, 1, 4), rows)
