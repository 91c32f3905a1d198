"""A sampler with its random numbers as variables.

`jax.random` makes floating-point numbers of random bits in one way: the bits become the fraction
of a number f in [1, 2), and f − 1 is uniform in [0, 1). Here f is a variable. Whatever numbers are
put there, what comes out is a draw that the sampler can make, of positive probability wherever the
random bits are independent; normal, exponential and all other numbers follow, with derivatives.
Random integers, permutations and numbers drawn inside loops stay those of the key, and with them
all whose keys they share.
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
# What draws; what moves keys and makes no new ones.
_DRAWING = ("random_bits", "random_gamma", "threefry2x32")
_MOVING = (
    *("slice", "squeeze", "reshape", "broadcast_in_dim", "transpose", "concatenate", "gather"),
    *("dynamic_slice", "copy", "expand_dims", "select_n", "random_wrap", "random_unwrap"),
)


def open_sampler(
    sample: Callable[[Array, Any], Any], key: Array, given: Any = ()
) -> tuple[Callable[[Array, Any, Sequence[Array]], Any], Callable[[Array, Any], list[Array]]]:
    """The sampler as a function of its random numbers too.

    Numbers stay those of the key where opening them could make what no key draws: where they are
    the same for every key, or where their key, or one that it was made of, is also used by what
    is not opened, as inside a loop, or depends on random numbers itself.

    Args:
      sample: (key, given) → pytree.
      key, given: any; what is traced depends on their shapes alone.

    Returns:
      rebuilt: (key, given, numbers) → what `sample` makes with its numbers f replaced by these,
        arrays of numbers in [1, 2).
      drawn: (key, given) → the numbers f that `sample` draws, those that are opened.
    """
    closed, shape = jax.make_jaxpr(sample, return_shape=True)(key, given)
    structure = jax.tree.structure(shape)

    def run(
        key: Array, given: Any, numbers: Sequence[Array] | None, opened: Sequence[bool] | None
    ) -> tuple[Any, _Interpreter]:
        interpreter = _Interpreter(numbers, opened)
        inputs = [key, *jax.tree.leaves(given)]
        found = interpreter.run(closed.jaxpr, closed.consts, inputs)
        interpreter.used_otherwise(found)
        return jax.tree.unflatten(structure, found), interpreter

    def looked_at(key: Array) -> tuple[list[Array], list[Array | None], Array]:
        _, interpreter = run(key, given, None, None)
        return interpreter.seen, interpreter.made_of, _together(interpreter.others)

    twice = [jax.device_get(jax.jit(looked_at)(make_key(seed))) for seed in (1, 2)]
    opened = [
        not any(_clash(made_of[i], others) for _, made_of, others in twice)
        and not np.any(twice[0][0][i] == twice[1][0][i])
        for i in range(len(twice[0][0]))
    ]
    tied = _tied([[n for n, is_open in zip(seen, opened, strict=True) if is_open]
                  for seen, _, _ in twice])  # fmt: skip

    def rebuilt(key: Array, given: Any, numbers: Sequence[Array]) -> Any:
        return run(key, given, tied(numbers), opened)[0]

    def drawn(key: Array, given: Any) -> list[Array]:
        seen = run(key, given, None, None)[1].seen
        return [n for n, is_open in zip(seen, opened, strict=True) if is_open]

    return rebuilt, drawn


def _clash(keys: Any, others: Any) -> bool:
    """Whether a number must stay: its key depends on random numbers, or is used otherwise too."""
    return keys is None or bool({*map(tuple, keys)} & {*map(tuple, others)})


def _together(keys: Sequence[Array]) -> Array:
    return jnp.concatenate([*keys, jnp.zeros((0, 2), jnp.uint32)])


def _tied(twice: Sequence[Sequence[Any]]) -> Callable[[Sequence[Array]], list[Array]]:
    """Makes numbers equal that are so in every draw: a sampler may use a key twice.

    Which these are is seen in two draws: two of 2⁵² numbers agree in both by chance never.
    """
    flat = [np.concatenate([*(np.ravel(n).astype(float) for n in one), []]) for one in twice]
    _, first, place = np.unique(np.stack(flat), axis=1, return_index=True, return_inverse=True)
    source = first[np.ravel(place)]
    if (source == np.arange(len(source))).all():
        return list

    def tie(numbers: Sequence[Array]) -> list[Array]:
        flat = jnp.concatenate([jnp.ravel(n) for n in numbers])[source]
        parts = jnp.split(flat, np.cumsum([n.size for n in numbers])[:-1])
        return [p.reshape(n.shape) for p, n in zip(parts, numbers, strict=True)]

    return tie


class _Interpreter:
    """Evaluates a jaxpr; numbers replace those of random bits, in the order of the program.

    seen: the numbers.  made_of: for each of them the (keys, 2) data of its key and of all that this
    was made of, None if it depends on random numbers.  others: those of keys used otherwise.
    """

    def __init__(
        self, numbers: Sequence[Array] | None, opened: Sequence[bool] | None = None
    ) -> None:
        self.numbers, self.opened = iter(numbers or ()), opened
        self.seen: list[Array] = []
        self.made_of: list[Array | None] = []
        self.others: list[Array] = []
        self.bits: dict[
            int, tuple[Any, Any, Array]
        ] = {}  # by identity: bits, their keys, their key
        self.parents: dict[int, tuple[Any, list[Array]]] = {}  # by identity: keys, what made them
        self.random: dict[int, Any] = {}  # by identity: what depends on random bits

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
            return self.run(getattr(inner, "jaxpr", inner), getattr(inner, "consts", ()), inputs)
        to_float = name == "bitcast_convert_type" and _is_float(params["new_dtype"])
        if to_float and id(inputs[0]) in self.bits:
            return [self.fraction(inputs[0], params["new_dtype"])]
        with equation.ctx.manager:
            result = equation.primitive.bind(*inputs, **params)
        outputs = list(result) if equation.primitive.multiple_results else [result]
        if name == "random_bits":
            self.note_bits(inputs[0], outputs[0])
        else:
            self.note(equation, inputs, outputs)
        return outputs

    def note_bits(self, key: Any, bits: Any) -> None:
        """Remembers which keys random bits are of."""
        made_of = None if id(key) in self.random else [_data(key), *self.made(key)]
        self.bits[id(bits)] = (bits, made_of, _data(key))
        self.random[id(bits)] = bits

    def note(self, equation: Any, inputs: list[Any], outputs: list[Any]) -> None:
        """Remembers what depends on random bits, what keys are made of, and other uses of both."""
        name = equation.primitive.name
        if any(id(x) in self.random for x in inputs):
            self.random.update((id(out), out) for out in outputs)
        of_bits = [self.bits[id(x)] for x in inputs if id(x) in self.bits]
        if of_bits and name in _ON_BITS and not any(map(_is_real, outputs)):
            self.bits.update((id(out), (out, *of_bits[0][1:])) for out in outputs)
        else:
            self.others += [key for _, _, key in of_bits]
        keys = [x for x in inputs if _is_key(x)]
        if keys and (name in _DRAWING or any(map(_draws_deep, _inner(equation)))):
            self.others += [_data(x) for x in keys]
        made = [part for x in inputs for part in self.made(x)]
        made += [] if name in _MOVING else [_data(x) for x in keys]
        for out in outputs:
            if _is_key(out) or (made and out.dtype == jnp.uint32):
                self.parents[id(out)] = (out, made)

    def used_otherwise(self, outputs: Sequence[Any]) -> None:
        """Keys and bits that leave the sampler are used by whoever has them."""
        self.others += [_data(x) for x in outputs if _is_key(x)]
        self.others += [self.bits[id(x)][2] for x in outputs if id(x) in self.bits]

    def made(self, key: Any) -> list[Array]:
        return self.parents[id(key)][1] if id(key) in self.parents else []

    def fraction(self, bits: Array, dtype: Any) -> Array:
        """f, of the numbers that are given or of the bits."""
        _, made_of, _ = self.bits[id(bits)]
        place = len(self.seen)
        found = jax.lax.bitcast_convert_type(bits, dtype)
        if self.opened is not None and self.opened[place]:
            number = next(self.numbers)
            assert number.shape == found.shape
            below_two = np.nextafter(np.asarray(2, dtype), np.asarray(1, dtype))
            found = jnp.minimum(number.astype(dtype), below_two)
        self.seen.append(found)
        self.made_of.append(None if made_of is None else _together(made_of))
        self.random[id(found)] = found
        return found


def _is_key(value: Any) -> bool:
    return hasattr(value, "dtype") and jnp.issubdtype(value.dtype, jax.dtypes.prng_key)


def _is_real(value: Any) -> bool:
    return not jnp.issubdtype(value.dtype, jnp.unsignedinteger)


def _data(key: Any) -> Array:
    """(keys, 2) the numbers of keys."""
    return jax.random.key_data(key).reshape(-1, 2)


def _inner(equation: Any) -> list[Any]:
    return list(core.jaxprs_in_params(equation.params))


def _draws_deep(jaxpr: Any) -> bool:
    """Whether random numbers are drawn anywhere inside, in loops too."""
    return any(e.primitive.name in _DRAWING or any(map(_draws_deep, _inner(e))) for e in jaxpr.eqns)


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
    return [
        jax.scipy.special.ndtri(jnp.clip(f.astype(float) - 1, _EDGE, 1 - _EDGE)) for f in numbers
    ]


def from_scores(values: Sequence[Array]) -> list[Array]:
    """The numbers 1 + Φ(s) of scores."""
    return [1 + jnp.clip(jax.scipy.special.ndtr(s), 0.0, 1 - _EDGE) for s in values]


def numbers_behind(function: Callable[[Array], Any], key: Array) -> list[frozenset[int]]:
    """Of each array that a function of a key returns, which of its draws it depends on."""
    closed = jax.make_jaxpr(function)(key)
    behind: dict[Any, frozenset[int]] = {}
    for number, equation in enumerate(closed.jaxpr.eqns):
        atoms = [atom for atom in equation.invars if not isinstance(atom, core.Literal)]
        found = frozenset[int]().union(*(behind.get(atom, frozenset()) for atom in atoms))
        if equation.primitive.name in _DRAWING or any(map(_draws_deep, _inner(equation))):
            found |= {number}
        behind.update((out, found) for out in equation.outvars)
    return [
        frozenset() if isinstance(atom, core.Literal) else behind.get(atom, frozenset())
        for atom in closed.jaxpr.outvars
    ]
