"""neural-tangents 0.6.5 on current JAX: the only module that knows how to import it.

neural-tangents is archived, and JAX has since moved or dropped names that it looks up while it is
imported. `load` supplies those names around the import and takes them back, so that nothing of it
stays in JAX. One name that neural-tangents looks up when it is *called* is replaced inside
neural-tangents (see `_repair_predict`); JAX itself keeps nothing.

`import theory` does not import neural-tangents; the first `load` does.

What `tests/test_neural_tangents.py` tests works on JAX 0.10. What does not, and fails loudly, is
`NtkImplementation.STRUCTURED_DERIVATIVES` and `AUTO` (they use JAX internals that are gone),
`predict.max_learning_rate` on CPU (calls SciPy with an argument that is gone) and everything in
`neural_tangents.experimental`. `NtkImplementation.NTK_VECTOR_PRODUCTS` warns of deprecation.

With `jax_enable_x64` on, the kernels and initial weights of `stax` and the predictions for squared
loss are float64 even for float32 inputs, and `predict.gradient_descent` wants labels and initial
outputs in the precision of the kernel (anything else is a TypeError from its ODE solver).
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import importlib.metadata
import sys
import threading
import types
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

import jax
import jax.core
import jax.extend.core
import jax.interpreters.ad

_EXPECTED = "0.6.5"

# `functools.cache` lets two threads into `load` at once; one would take the names from the other.
T = TypeVar("T")

_IMPORTING = threading.Lock()


def _safe_map(function: Callable[..., T], *arguments: Iterable[object]) -> list[T]:
    """`map` as a list, for arguments of equal length only: what `jax.util.safe_map` was."""
    return [function(*values) for values in zip(*arguments, strict=True)]


def _safe_zip(*arguments: Iterable[T]) -> list[tuple[T, ...]]:
    """`zip` as a list, for arguments of equal length only: what `jax.util.safe_zip` was."""
    return list(zip(*arguments, strict=True))


def _missing_names() -> list[tuple[types.ModuleType, str, object]]:
    """(module, name, value) for each attribute of JAX that neural-tangents reads when imported."""
    core, moved = jax.core, jax.extend.core
    return [
        # Moved from jax.core to jax.extend.core. Needed by `from jax.core import ...` in
        # `_src/empirical.py` and `_src/utils/rules.py`, where they serve as annotations and in the
        # code of STRUCTURED_DERIVATIVES.
        (core, "Jaxpr", moved.Jaxpr),
        (core, "JaxprEqn", moved.JaxprEqn),
        (core, "Literal", moved.Literal),
        (core, "Primitive", moved.Primitive),
        (core, "Var", moved.Var),
        # Dropped without successor. `_src/utils/rules.py` only files a rule under it; a primitive
        # that occurs in no program makes that rule one that never applies.
        (jax.interpreters.ad, "zeros_like_p", moved.Primitive("zeros_like")),
    ]


def _missing_modules() -> list[types.ModuleType]:
    """The modules that neural-tangents imports and that are gone, or that we keep out."""
    # Dropped without public successor; `_src/empirical.py` takes two functions from it.
    util = types.ModuleType("jax.util")
    vars(util).update(safe_map=_safe_map, safe_zip=_safe_zip)
    # Wants TensorFlow: not installed, or else seconds of start-up and pages of log. Empty, because
    # `neural_tangents/__init__.py` imports it and takes nothing from it.
    experimental = types.ModuleType("neural_tangents.experimental")
    return [util, experimental]


@contextlib.contextmanager
def _supplied() -> Iterator[None]:
    """JAX with the names that neural-tangents wants; as it was on leaving, also after an error."""
    with contextlib.ExitStack() as undo:
        for module, name, value in _missing_names():
            # Not hasattr: JAX's modules have a __getattr__ that warns or raises for old names.
            if name not in vars(module):
                setattr(module, name, value)
                undo.callback(delattr, module, name)
        for module in _missing_modules():
            if module.__name__ not in sys.modules:
                sys.modules[module.__name__] = module
                undo.callback(sys.modules.pop, module.__name__)
        yield


def _repair_predict(predict: types.ModuleType) -> None:
    """Let `predict.gradient_descent_mse` and the like take kernels that are traced by JAX.

    They decompose the kernel matrix under `jax.core.eval_context`, which used to mean "now, unless
    it is traced" and today means "now", so that under jit, vmap or grad they fail with
    UnexpectedTracerError. The old meaning is today's `jax.ensure_compile_time_eval`. These two are
    all that `predict` takes from the name `jax`, and the replacement is in its namespace alone.
    """
    predict.jax = types.SimpleNamespace(  # type: ignore[attr-defined]
        core=types.SimpleNamespace(eval_context=jax.ensure_compile_time_eval),
        default_backend=jax.default_backend,
    )


def _installed_version() -> str:
    try:
        return importlib.metadata.version("neural-tangents")
    except importlib.metadata.PackageNotFoundError:
        return "none"


@functools.cache
def load() -> types.ModuleType:
    """Import neural-tangents, leaving JAX as it was.

    Returns:
      The package `neural_tangents` with `stax`, `predict`, `empirical_ntk_fn` and so on, without
      `experimental`. If it was imported before, that same module.

    Raises:
      ImportError: if neural-tangents 0.6.5 is missing or does not import on this JAX.

    Example:
      >>> nt = load()
      >>> layer = nt.stax.Dense(1, W_std=1.0, b_std=1.0, parameterization="standard")
      >>> _, _, kernel_fn = nt.stax.serial(layer, nt.stax.ABRelu(0.5, 1.0))
    """
    with _IMPORTING:
        try:
            with _supplied():
                package = importlib.import_module("neural_tangents")
                predict = importlib.import_module("neural_tangents._src.predict")
        except Exception as error:  # whatever a later JAX breaks: AttributeError, TypeError, ...
            raise ImportError(
                f"theory needs neural-tangents {_EXPECTED} on JAX 0.10 or later, found "
                f"neural-tangents {_installed_version()} on JAX {jax.__version__}, which did not "
                f"import ({type(error).__name__}: {error}); "
                f"use `pip install neural-tangents=={_EXPECTED}`",
                name="neural_tangents",
            ) from error
        # Still refers to the placeholder; without it `nt.experimental` says that it is not there.
        if "neural_tangents.experimental" not in sys.modules:
            vars(package).pop("experimental", None)
        _repair_predict(predict)
        return package
