"""A sampler with its random numbers as variables.

`jax.random` makes floating-point numbers of random bits in one way: the bits become the fraction
of a number f in [1, 2), and f − 1 is uniform in [0, 1). Here f is a variable. Whatever numbers are
put there, what comes out is a draw that the sampler can make, of positive probability wherever the
random bits are independent; normal, exponential and all other numbers follow, with derivatives.
Random integers, permutations and numbers drawn inside loops stay those of the key.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend import core
from jaxtyping import Array

from theory.keys import make_key

_EDGE = 2.0**-53
_CALLS = ("jaxpr", "call_jaxpr", "fun_jaxpr")
_INLINED = frozenset(("jit", "pjit", "closed_call", "core_call", "custom_jvp_call", "remat2"))
# What may happen to random bits before they become a fraction.
_ON_BITS = (
    *("shift_right_logical", "shift_left", "or", "and", "xor", "convert_element_type", "reshape"),
    *("broadcast_in_dim", "squeeze", "slice", "concatenate", "transpose", "copy"),
)


def open_sampler(
    sample: Callable[[Array, Any], Any], key: Array, given: Any = ()
) -> tuple[Callable[[Array, Any, Sequence[Array]], Any], Callable[[Array, Any], list[Array]]]:
    """The sampler as a function of its random numbers too.

    Args:
      sample: (key, given) → pytree.
      key, given: any; what is traced depends on their shapes alone.

    Returns:
      rebuilt: (key, given, numbers) → what `sample` makes with its numbers f replaced by these,
        arrays of numbers in [1, 2).
      drawn: (key, given) → the numbers f that `sample` draws.
    """
    closed, shape = jax.make_jaxpr(sample, return_shape=True)(key, given)
    structure = jax.tree.structure(shape)

    def run(key: Array, given: Any, numbers: Sequence[Array] | None) -> tuple[Any, list[Array]]:
        interpreter = _Interpreter(numbers)
        inputs = [key, *jax.tree.leaves(given)]
        found = interpreter.run(closed.jaxpr, closed.consts, inputs)
        return jax.tree.unflatten(structure, found), interpreter.seen

    tied = _tied(lambda key: run(key, given, None)[1])

    def rebuilt(key: Array, given: Any, numbers: Sequence[Array]) -> Any:
        return run(key, given, tied(numbers))[0]

    return rebuilt, lambda key, given: run(key, given, None)[1]


def _tied(drawn: Callable[[Array], list[Array]]) -> Callable[[Sequence[Array]], list[Array]]:
    """Makes numbers equal that are so in every draw: a sampler may use a key twice.

    Which these are is seen in two draws: two of 2⁵² numbers agree in both by chance never.
    """
    twice = [np.concatenate([np.ravel(n).astype(float) for n in drawn(make_key(seed))] or [[]])
             for seed in (1, 2)]  # fmt: skip
    _, first, place = np.unique(np.stack(twice), axis=1, return_index=True, return_inverse=True)
    source = first[np.ravel(place)]
    if (source == np.arange(len(source))).all():
        return list

    def tie(numbers: Sequence[Array]) -> list[Array]:
        flat = jnp.concatenate([jnp.ravel(n) for n in numbers])[source]
        parts = jnp.split(flat, np.cumsum([n.size for n in numbers])[:-1])
        return [p.reshape(n.shape) for p, n in zip(parts, numbers, strict=True)]

    return tie


class _Interpreter:
    """Evaluates a jaxpr; numbers replace those of random bits, in the order of the program."""

    def __init__(self, numbers: Sequence[Array] | None) -> None:
        self.numbers = None if numbers is None else list(numbers)
        self.seen: list[Array] = []
        self.bits: dict[int, Any] = {}  # by identity: arrays of random bits

    def run(self, jaxpr: Any, consts: Sequence[Any], arguments: Sequence[Any]) -> list[Any]:
        known: dict[Any, Any] = dict(zip(jaxpr.constvars, consts, strict=True))
        known.update(zip(jaxpr.invars, arguments, strict=True))

        def read(atom: Any) -> Any:
            return atom.val if isinstance(atom, core.Literal) else known[atom]

        for equation in jaxpr.eqns:
            outputs = self.step(equation, [read(atom) for atom in equation.invars])
            known.update(zip(equation.outvars, outputs, strict=True))
        return [read(atom) for atom in jaxpr.outvars]

    def step(self, equation: Any, inputs: list[Any]) -> list[Any]:
        name, params = equation.primitive.name, equation.params
        if name in _INLINED and _draws(equation):
            inner = next(params[key] for key in _CALLS if key in params)
            return self.run(inner.jaxpr, inner.consts, inputs)
        random = any(id(x) in self.bits for x in inputs)
        if name == "bitcast_convert_type" and random and _is_float(params["new_dtype"]):
            return [self.fraction(equation.outvars[0].aval, inputs[0], params["new_dtype"])]
        with equation.ctx.manager:
            result = equation.primitive.bind(*inputs, **params)
        outputs = list(result) if equation.primitive.multiple_results else [result]
        if name == "random_bits" or (random and name in _ON_BITS):
            self.bits.update((id(out), out) for out in outputs)
        return outputs

    def fraction(self, aval: Any, bits: Array, dtype: Any) -> Array:
        """f, of the numbers that are given or of the bits."""
        if self.numbers is None:
            found = jax.lax.bitcast_convert_type(bits, dtype)
            self.seen.append(found)
            return found
        number = self.numbers[len(self.seen)]
        self.seen.append(number)
        assert number.shape == aval.shape
        below_two = np.nextafter(np.asarray(2, dtype), np.asarray(1, dtype))
        return jnp.minimum(number.astype(dtype), below_two)


def _is_float(dtype: Any) -> bool:
    return jnp.issubdtype(dtype, jnp.floating)


def _draws(equation: Any) -> bool:
    """Whether random bits are drawn inside, outside of any loop."""
    return any(_draws_in(inner) for inner in core.jaxprs_in_params(equation.params))


def _draws_in(jaxpr: Any) -> bool:
    return any(e.primitive.name == "random_bits" or (e.primitive.name in _INLINED and _draws(e))
               for e in jaxpr.eqns)  # fmt: skip


def scores(numbers: Sequence[Array]) -> list[Array]:
    """Φ⁻¹(f − 1) of numbers f: unbounded variables, those of most draws of size 1."""
    return [jax.scipy.special.ndtri(jnp.clip(f - 1, _EDGE, 1 - _EDGE)) for f in numbers]


def from_scores(values: Sequence[Array]) -> list[Array]:
    """The numbers 1 + Φ(s) of scores."""
    return [1 + jnp.clip(jax.scipy.special.ndtr(s), 0.0, 1 - _EDGE) for s in values]
