"""Programs evaluated in disturbed arithmetic, as `theory.verification.rounding` needs them."""

from collections.abc import Callable, Iterable

import jax
import jax.core
import jax.numpy as jnp
import numpy as np
from jax.extend import core
from jaxtyping import Array, Bool

from theory.verification.primitives import (
    CALLS,
    COMPARISONS,
    DECOMPOSITIONS,
    EXACT,
    INLINED,
    JUMPS,
    OVERFLOWING,
    SERIES,
    SUMS,
    UNDERFLOWING,
    WHOLE,
    WRAPPING,
    Options,
    Value,
    as_list,
    is_finite_constant,
    is_float,
    is_integer,
    is_of_nonzero,
    loop_counts,
    makes_floats,
    opened,
    results,
    stays_whole,
    sum_of_sizes,
    typed_like,
)

# Of one rounding; with it a jump that roundings decide (a loop that ends, a branch) shows more
# often than if the factor came afterwards.
AMPLITUDE = 8
# Numbers agree to rounding if they differ by less than this many times by how much their difference
# moves: four perturbed evaluations on the same side of a jump spread less in 2 % of the cases.
TIED = 8
LANE = "perturbed evaluations"


class Arithmetic:
    """Evaluates a jaxpr with disturbed roundings; the instance only numbers the places."""

    def __init__(self, seed: Array | None, unsigned: bool) -> None:
        self.seed = seed  # None: coarse
        self.unsigned = unsigned
        self.places = 0
        self.looping = False  # in a while loop
        self.fractions: dict[int, Value] = {}  # by identity: values that are no integers on purpose

    def run(
        self, jaxpr: core.Jaxpr, consts: Iterable[Value], arguments: Iterable[Value]
    ) -> tuple[list[Value], Array]:
        """Values of the outputs, and whether a signed integer wrapped around."""
        known: dict[core.Var, Value] = {}
        overflow = jnp.zeros((), bool)
        known.update(zip(jaxpr.constvars, map(self.constant, consts), strict=True))
        known.update(zip(jaxpr.invars, arguments, strict=True))

        def read(atom: core.Var | core.Literal) -> Value:
            if isinstance(atom, core.Literal):
                aval: Value = atom.aval
                return self.constant(jnp.asarray(atom.val, aval.dtype))
            return known[atom]

        for equation in jaxpr.eqns:
            inputs = [read(atom) for atom in equation.invars]
            outputs, wrapped = self.step(equation, inputs)
            if wrapped is not False:
                overflow = overflow | wrapped
            known.update(zip(equation.outvars, outputs, strict=True))
        return [read(atom) for atom in jaxpr.outvars], overflow

    def constant(self, value: Value) -> Value:
        """A constant of the program, disturbed unless it is a fraction of few binary digits."""
        if not is_float(value):
            return value
        if isinstance(value, jax.core.Tracer):
            return value
        array = np.asarray(value)
        scaled = array * 2.0**20
        inexact = np.isfinite(array) & (scaled != np.round(scaled))
        if not inexact.any():
            return value
        value = jnp.asarray(value)
        return jnp.where(inexact, self.rounded(value, jnp.abs(value)), value)

    def step(self, equation: core.JaxprEqn, inputs: list[Value]) -> tuple[list[Value], Value]:
        """Values of the results of one equation, and whether a signed integer wrapped around."""
        name, params = equation.primitive.name, equation.params
        if name in INLINED:
            inner = next(params[key] for key in CALLS if key in params)
            return self.run(*opened(inner), inputs)
        special = {
            "scan": self.scan,
            "while": self.while_loop,
            "cond": self.cond,
            "custom_linear_solve": self.linear_solve,
        }
        if name in special:
            return special[name](params, inputs)
        if name in DECOMPOSITIONS:
            inputs = [self.moved(x, jnp.max(jnp.abs(x), initial=0)) for x in inputs]
        if self.seed is not None and not self.looping and is_float(inputs[0] if inputs else 0):
            if name in COMPARISONS:
                (answer,) = results(equation, inputs)
                tied, _ = _tied(inputs[0] - inputs[1])
                return [jnp.where(tied, self.upwards, answer)], False
            if name in JUMPS and not (name == "convert_element_type" and makes_floats(equation)):
                inputs = [self.beside_jump(inputs[0], JUMPS[name])]
        outputs = results(equation, inputs)
        # One evaluation looks for overflow, which is the same in all.
        wrapped = self.wrapped(equation, inputs, outputs) if self.seed is None else False
        if name not in EXACT:
            outputs = [self.disturbed(equation, inputs, out) for out in outputs]
        if self.makes_fractions(name, inputs):
            self.fractions.update((id(out), out) for out in outputs)
        return outputs, wrapped

    def makes_fractions(self, name: str, inputs: list[Value]) -> bool:
        """Whether results are known not to be integers on purpose: nobody need look at them."""
        known = [id(x) in self.fractions for x in inputs if is_float(x)]
        if name in WHOLE:
            return any(known)
        if name in EXACT:
            never = name == "bitcast_convert_type"  # how random numbers become floats
            return never or (name not in JUMPS and bool(known) and all(known))
        return True

    def disturbed(self, equation: core.JaxprEqn, inputs: list[Value], output: Value) -> Value:
        """One result of a primitive, with a rounding error other than its own."""
        if not is_float(output):
            return output
        name = equation.primitive.name
        if name == "convert_element_type" and not is_float(inputs[0]):
            large = jnp.abs(output) >= 2.0 ** jnp.finfo(output.dtype).nmant
            return jnp.where(large, self.rounded(output, jnp.abs(output)), output)
        size = jnp.abs(output)
        if name in SUMS:
            size = size + sum_of_sizes(equation, inputs, output)
        elif name in DECOMPOSITIONS:
            size = jnp.max(size, initial=0) * max((1, *output.shape))
        elif name in SERIES:
            size = 64 * size
        result = self.rounded(output, size)
        if name in WHOLE and not any(id(x) in self.fractions for x in inputs):
            result = jnp.where(stays_whole(name, inputs, output), output, result)
        if name in UNDERFLOWING and self.seed is not None:
            info = jnp.finfo(output.dtype)
            lost = (output == 0) & is_of_nonzero(name, inputs)
            result = jnp.where(lost, jnp.asarray(info.tiny, output.dtype), result)
        return result

    @property
    def upwards(self) -> Bool[Array, ""]:
        """How a tie is answered: in one way by half of the perturbed evaluations."""
        assert self.seed is not None
        return self.seed % 2 == 0

    def beside_jump(self, x: Array, nearest: Callable[[Array], Array]) -> Array:
        """x, on one side of a jump or the other where it is at one up to rounding."""
        jump = nearest(jax.lax.pmax(x, LANE))
        tied, spread = _tied(x - jump)
        step = jnp.maximum(spread, 4 * jnp.finfo(x.dtype).eps * jnp.abs(jump))
        return jnp.where(tied, jnp.where(self.upwards, jump + step, jump - step), x)

    def moved(self, value: Value, size: Array) -> Value:
        """`rounded` of a float; anything else as it is."""
        return self.rounded(value, size) if is_float(value) else value

    def rounded(self, value: Array, size: Array) -> Array:
        """value + 8ξ·eps·size, or value with half of its digits."""
        info = jnp.finfo(value.dtype)
        if self.seed is None:
            return jax.lax.reduce_precision(value, info.nexp, info.nmant // 2)
        self.places += 1
        return _perturbed(value, size, self.seed, np.uint32(self.places * 0xC2B2AE35 % 2**32))

    def wrapped(self, equation: core.JaxprEqn, inputs: list[Value], outputs: list[Value]) -> Value:
        """Whether a result is outside its type: an integer that wraps, ∞ of finite numbers."""
        name = equation.primitive.name
        if name in OVERFLOWING and is_float(outputs[0]):
            found = jnp.any(jnp.isinf(outputs[0]))
            for x in inputs:
                if is_float(x) and not is_finite_constant(x):
                    found = found & jnp.all(jnp.isfinite(x))
            return found
        if self.unsigned and name == "convert_element_type" and is_integer(outputs[0], True):
            info = jnp.iinfo(outputs[0].dtype)
            given = inputs[0].astype(float)
            return jnp.any((given > float(info.max)) | (given < float(info.min)))
        if name not in WRAPPING or not is_integer(outputs[0], self.unsigned):
            return False
        info = jnp.iinfo(outputs[0].dtype)
        floats = [x.astype(float) if is_integer(x, True) else x for x in inputs]
        if name == "shift_left":
            shadow = floats[0] * jnp.exp2(floats[1])
            return jnp.any((shadow > float(info.max)) | (shadow < float(info.min)))
        params = dict(equation.params)
        if "preferred_element_type" in params:
            params["preferred_element_type"] = None
        (shadow,) = as_list(equation.primitive, equation.primitive.bind(*floats, **params))
        return jnp.any((shadow > float(info.max)) | (shadow < float(info.min)))

    def scan(self, params: Options, inputs: list[Value]) -> tuple[list[Value], Value]:
        """A scan whose steps are disturbed."""
        constants, carry = loop_counts(params, inputs)
        fixed, start = inputs[:constants], inputs[constants : constants + carry]

        def body(
            state: tuple[Array, list[Value]], x: list[Value]
        ) -> tuple[tuple[Array, list[Value]], list[Value]]:
            overflow, values = state
            outputs, wrapped = self.run(*opened(params["jaxpr"]), [*fixed, *values, *x])
            new = typed_like(outputs[:carry], values)
            return (overflow | wrapped, new), outputs[carry:]

        (overflow, values), stacked = jax.lax.scan(
            body, (jnp.zeros((), bool), list(start)), inputs[constants + carry :],
            length=params["length"], reverse=params["reverse"],
        )  # fmt: skip
        return [*values, *stacked], overflow

    def while_loop(self, params: Options, inputs: list[Value]) -> tuple[list[Value], Value]:
        """A while loop whose steps are disturbed."""
        in_cond, in_body = params["cond_nconsts"], params["body_nconsts"]
        for_cond, for_body = inputs[:in_cond], inputs[in_cond : in_cond + in_body]

        looping, self.looping = self.looping, True

        def going_on(state: tuple[Array, list[Value]]) -> Value:
            (answer,), _ = self.run(*opened(params["cond_jaxpr"]), [*for_cond, *state[1]])
            return answer

        def body(state: tuple[Array, list[Value]]) -> tuple[Array, list[Value]]:
            outputs, wrapped = self.run(*opened(params["body_jaxpr"]), [*for_body, *state[1]])
            return state[0] | wrapped, typed_like(outputs, state[1])

        start = (jnp.zeros((), bool), list(inputs[in_cond + in_body :]))
        overflow, values = jax.lax.while_loop(going_on, body, start)
        self.looping = looping
        return values, overflow

    def cond(self, params: Options, inputs: list[Value]) -> tuple[list[Value], Value]:
        """Branches that are disturbed."""

        def branch(inner: core.ClosedJaxpr) -> Callable[..., tuple[list[Value], Value]]:
            return lambda *operands: self.run(*opened(inner), operands)

        return jax.lax.switch(
            inputs[0], [branch(inner) for inner in params["branches"]], *inputs[1:]
        )

    def linear_solve(self, params: Options, inputs: list[Value]) -> tuple[list[Value], Value]:
        """The solver itself, disturbed: not the implicit derivative of it."""
        lengths = params["const_lengths"]
        start = lengths.matvec + lengths.vecmat
        constants = inputs[start : start + lengths.solve]
        right = inputs[sum(lengths) :]
        return self.run(*opened(params["jaxprs"].solve), [*constants, *right])


def _tied(gap: Array) -> tuple[Array, Array]:
    """Where a gap is one of rounding in all perturbed evaluations, and by how much it moves."""
    spread = jax.lax.pmax(gap, LANE) - jax.lax.pmin(gap, LANE)
    return (spread > 0) & (jax.lax.pmin(jnp.abs(gap), LANE) <= TIED * spread), spread


@jax.jit  # traced and lowered once per shape, not once per place
def _perturbed(value: Array, size: Array, seed: Array, place: Array) -> Array:
    """value + 8ξ·eps·size with a noise ξ of its own for each place and seed."""
    noise = _noise(value, seed, place)
    step = jnp.asarray(AMPLITUDE / 2 * jnp.finfo(value.dtype).eps, value.dtype) * size
    return jnp.where(jnp.isinf(value), value, value + noise * step)  # ∞ − ∞ is no number


def _noise(value: Array, seed: Array, place: Array) -> Array:
    """2ξ, a number in (−2, −1] ∪ [1, 2) from the bits of each entry, of evaluation and place.

    None is near 0: a perturbation of less than half of the last digit would round back.
    """
    info = jnp.finfo(value.dtype)
    kind = {64: jnp.uint64, 32: jnp.uint32, 16: jnp.uint16}[info.bits]
    wide = jnp.uint64 if info.bits == 64 else jnp.uint32
    width, odd = (64, 0x9E3779B97F4A7C15) if info.bits == 64 else (32, 0x9E3779B1)
    bits = jax.lax.bitcast_convert_type(value, kind).astype(wide)
    mixed = seed.astype(wide) * wide(0x85EBCA6B) + place.astype(wide)
    hashed = (bits ^ mixed) * wide(odd)
    hashed = (hashed ^ (hashed >> wide(width // 2))) * wide(odd)
    # The fraction of 1.…, from the highest bits, and the sign, from one of those that are left.
    one = int(np.asarray(1.0, value.dtype).view(f"uint{info.bits}"))
    unit = hashed >> wide(width - info.nmant) | wide(one)
    sign = (hashed << wide(width - 1)) >> wide(width - info.bits)
    return jax.lax.bitcast_convert_type((unit | sign).astype(kind), value.dtype)
