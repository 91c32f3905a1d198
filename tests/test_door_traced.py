"""The door refuses nothing that JAX hands it in good order: tracers, batches, keys of either style.

Every function that `reliability.bad_arguments` knows good arguments of is traced, not compiled:
under `jit` and `vmap` all of its arrays, parameters and keys, under `grad` what it can be
differentiated by.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from reliability.bad_arguments import CALLS

from theory.networks import Params
from theory.perturbations import Classifier

ON_THE_HOST = {"separate", "Dataset"}  # NumPy's, whose answer is no array
LOOPS = {"noises", "fit_probe"}  # JAX has no reverse derivative of loops without a fixed end


def _is_traceable(value: object) -> bool:
    return isinstance(value, np.ndarray | jax.Array | Params | Classifier)


CALLED = {
    name: call
    for name, call in CALLS.items()
    if name not in ON_THE_HOST and any(_is_traceable(value) for value in call.arguments.values())
}
KEYED = [name for name, call in CALLED.items() if "key" in call.kinds]


def parts(name: str, **changes: Any) -> tuple[dict[str, Any], Any]:
    """What is traced of a function's good arguments, and the function of it."""
    call = CALLED[name]
    good = call.arguments | changes
    traced = {k: jax.tree.map(jnp.asarray, v) for k, v in good.items() if _is_traceable(v)}
    rest = {k: v for k, v in good.items() if k not in traced}
    return traced, lambda arrays: call.function(**arrays, **rest)


def doubled(arrays: Any) -> Any:
    return jax.tree.map(lambda array: jnp.stack([array, array]), arrays)


def real(array: Any) -> bool:
    return jnp.issubdtype(jnp.result_type(array), jnp.floating)


def test_there_are_many():
    assert len(CALLED) > 30
    assert len(KEYED) > 8


@pytest.mark.parametrize("name", CALLED)
def test_tracers_and_batches_of_them_pass(name):
    arrays, call = parts(name)
    one = jax.eval_shape(call, arrays)
    many = jax.eval_shape(jax.vmap(call), doubled(arrays))
    assert jax.tree.map(lambda a: (2, *a.shape), one) == jax.tree.map(lambda a: a.shape, many)


@pytest.mark.parametrize("name", [name for name in CALLED if name not in LOOPS])
def test_what_is_differentiated_passes(name):
    arrays, call = parts(name)
    by = {k: v for k, v in arrays.items() if all(map(real, jax.tree.leaves(v)))}
    if not by:
        pytest.skip("it takes keys alone")

    def total(some: dict[str, Any]) -> jax.Array:
        found = [leaf for leaf in jax.tree.leaves(call(arrays | some)) if real(leaf)]
        return jnp.sum(jnp.stack([jnp.sum(leaf) for leaf in found] or [jnp.zeros(())]))

    slopes = jax.eval_shape(jax.grad(total), by)
    assert jax.tree.map(jnp.shape, slopes) == jax.tree.map(jnp.shape, by)


@pytest.mark.parametrize("name", KEYED)
def test_keys_of_the_old_style_pass(name):
    """Arrays of two numbers: as they are, in batches, and made of a traced seed."""
    old = jax.random.PRNGKey(0)
    arrays, call = parts(name, key=old)
    one = jax.eval_shape(lambda: call(arrays))
    jax.eval_shape(jax.vmap(call), doubled(arrays))
    seeded = jax.eval_shape(lambda seed: call(arrays | {"key": jax.random.PRNGKey(seed)}), 3)
    assert seeded == one
