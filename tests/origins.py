"""Where in the source the equations of a traced function come from."""

import pathlib
from collections.abc import Callable, Iterator
from typing import Any

import jax
from jax.interpreters import partial_eval

JAX_RANDOM = "random.py"
# Random numbers, the data and the initial weights made of them: what the theorems are about, given
# as they are. Errors begin with what is computed from them.
INITIAL_WEIGHTS = {("network.py", "init"), ("classifiers.py", "init_classifier")}


def frames_of(equation: Any) -> list[tuple[str, str]]:
    """(file, function) of our calls that an equation was traced in, innermost first.

    And those of JAX's random numbers. Inside of a function that is itself jitted they end there.
    """
    traceback = equation.source_info.traceback
    frames = traceback.frames if traceback else []
    paths = [(pathlib.PurePath(f.file_name), f.function_name) for f in frames]
    return [
        (path.name, function)
        for path, function in paths
        if "theory" in path.parts or path.parts[-3:] == ("jax", "_src", JAX_RANDOM)
    ]


def is_given(equation: Any) -> bool:
    """Whether it belongs to the drawing of random numbers, data or initial weights."""
    frames = frames_of(equation)
    return any(f[0] in (JAX_RANDOM, "sampling.py") or f in INITIAL_WEIGHTS for f in frames)


def equations_behind(
    function: Callable[..., Any], *arguments: Any
) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Primitive and frames of all equations, nested ones included, that the values depend on."""
    closed = jax.make_jaxpr(function)(*arguments)
    needed, _ = partial_eval.dce_jaxpr(closed.jaxpr, [True] * len(closed.jaxpr.outvars))
    yield from _nested(needed, [])


def _nested(jaxpr: Any, outer: list[tuple[str, str]]) -> Iterator[tuple[str, Any]]:
    for equation in jaxpr.eqns:
        frames = frames_of(equation) + outer
        yield equation.primitive.name, frames
        for parameter in equation.params.values():
            for inner in parameter if isinstance(parameter, tuple | list) else [parameter]:
                inner = getattr(inner, "jaxpr", inner)
                if hasattr(inner, "eqns"):
                    yield from _nested(inner, frames)
