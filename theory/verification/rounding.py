"""Rounding errors that nobody stated, estimated by computing again in disturbed arithmetic.

A computation is traced, and its primitives are evaluated again in two other arithmetics:

- *perturbed*: every rounded result x becomes x(1 + 8ξu), ½ ≤ |ξ| ≤ 1 a hash of its bits and
  of its place in the program. Sums of n terms move by up to n·8u·Σ|terms|, decompositions by as
  much as their input and result are large. Cancellation shows: what the digits lost is what moves.
- *coarse*: every rounded result keeps half of its digits. Errors that are systematic show, as of a
  loop that adds the same number again and again; they shrink in proportion to the last digit.

What is exact stays: integers in floats, selections, moves. A comparison of numbers that agree to
their own rounding is answered both ways, in half of the perturbed evaluations each, and so are
jumps of floor, ceil, round, sign and of conversions to integers: x == y may be false for all
perturbed x and y, though it holds. Whatever hangs on the answer then moves, and what does not, as
at a kink, stays. (Inside while loops evaluations may have gone different ways: there the answer is
that of each.) This is an estimate, not a bound; a bound that is stated is used in its place.

Source:
  J. Vignes, Mathematics and Computers in Simulation 35 (1993), on random perturbation of roundings.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import jax
import jax.core
import jax.numpy as jnp
import numpy as np
from jax.extend import core
from jaxtyping import Array, Bool

LANES = 4  # perturbed evaluations: one alone may by chance move as little as no rounding at all
# Of one rounding; with it a jump that roundings decide (a loop that ends, a branch) shows more
# often than if the factor came afterwards.
AMPLITUDE = 8
SAFETY = 2  # on the largest movement of the perturbed evaluations
SYSTEMATIC = 16  # on what the coarse one says of systematic errors
# Numbers agree to rounding if they differ by less than this many times by how much their difference
# moves: four perturbed evaluations on the same side of a jump spread less in 2 % of the cases.
TIED = 8

_LANE = "perturbed evaluations"

_CALLS = ("jaxpr", "call_jaxpr", "fun_jaxpr")


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


_INLINED = _names(
    """jit pjit closed_call core_call remat remat2 checkpoint custom_jvp_call custom_vjp_call
    custom_vjp_call_jaxpr"""
)
_EXACT = _names(  # their results are among their inputs, or exact
    """neg abs sign max min clamp floor ceil round is_finite real imag copy copy_p stop_gradient
    optimization_barrier select_n broadcast_in_dim reshape transpose rev squeeze expand_dims slice
    dynamic_slice dynamic_update_slice gather scatter concatenate pad split iota sort top_k argmax
    argmin reduce_max reduce_min cummax cummin reduce_window_max reduce_window_min
    bitcast_convert_type"""
)
_SUMS = _names(
    """dot_general reduce_sum cumsum add_any scatter-add scatter_add reduce_window_sum
    conv_general_dilated"""
)
_WHOLE = _names("add sub mul integer_pow convert_element_type") | _SUMS
_DECOMPOSITIONS = _names(
    """eigh eig svd qr geqrf geqp3 householder_product cholesky cholesky_update lu triangular_solve
    tridiagonal tridiagonal_solve hessenberg schur fft"""
)
_SERIES = _names(  # sums of series, less accurate than the elementary functions
    """lgamma digamma polygamma zeta igamma igammac igamma_grad_a random_gamma_grad erf_inv
    regularized_incomplete_beta bessel_i0e bessel_i1e"""
)
_UNDERFLOWING = _names(
    """mul div exp exp2 pow integer_pow square logistic erfc reduce_prod cumprod dot_general atan2
    igamma igammac regularized_incomplete_beta"""
)
_COMPARISONS = _names("eq ne lt le gt ge")
_JUMPS: dict[str, Callable[[Array], Array]] = {  # the jump that is nearest
    "floor": jnp.round,
    "ceil": jnp.round,
    "convert_element_type": jnp.round,
    "round": lambda x: jnp.floor(x) + jnp.asarray(0.5, x.dtype),
    "sign": jnp.zeros_like,
}
_OVERFLOWING = _names(
    """add sub mul exp exp2 square integer_pow sinh cosh dot_general reduce_sum reduce_prod cumsum
    cumprod add_any"""
)
_WRAPPING = _names(
    """add sub mul neg abs square integer_pow pow shift_left reduce_sum cumsum reduce_prod cumprod
    dot_general"""
)


class Rounding(NamedTuple):
    """error: estimates, one for each value, of its shape.  overflow: whether integers wrapped."""

    error: list[Array]
    overflow: Bool[Array, ""]


def estimated_rounding(
    function: Callable[..., Sequence[Array]],
    *arguments: Any,
    values: Sequence[Array] | None = None,
    unsigned: bool = True,
    lanes: int = LANES,
) -> Rounding:
    """Estimates the rounding errors of a function's values.

    With v the value, v_j those in the perturbed arithmetics and v' that in the coarse one,

      error = 2·max_j |v_j − v| + 16·2^{−h}|v' − v| + 4u|v| + tiny,

    u the machine epsilon, h the digits that the coarse arithmetic lacks, tiny the smallest normal
    number; 0 where v is an integer that no disturbance moves.

    Args:
      function: arguments → list of real arrays of any shapes; can be traced.
      *arguments: any pytrees; what they hold is taken as exact.
      values: what the function returns for them, where that is known already.
      unsigned: whether unsigned integers that wrap around count as overflow (hashes wrap on
        purpose).
      lanes: perturbed evaluations, two or more.

    Returns:
      The `Rounding`; its error is infinite where a disturbance makes a finite value NaN.
    """
    closed, shapes = jax.make_jaxpr(function, return_shape=True)(*arguments)
    flat = jax.tree.leaves(arguments)
    values = [
        jnp.asarray(v)
        for v in jax.tree.leaves(function(*arguments) if values is None else list(values))
    ]
    assert len(jax.tree.leaves(shapes)) == len(values)
    seeds = jnp.arange(1, lanes + 1, dtype=jnp.uint32)

    def perturbed(seed: Array) -> list[Any]:
        return _Arithmetic(seed, unsigned).run(closed.jaxpr, closed.consts, flat)[0]

    moved = jax.vmap(perturbed, axis_name=_LANE)(seeds)
    coarse, overflow = _Arithmetic(None, unsigned).run(closed.jaxpr, closed.consts, flat)
    errors = [_error(*parts) for parts in zip(values, moved, coarse, strict=True)]
    return Rounding(errors, overflow)


def _error(value: Array, lanes: Array, coarse: Array) -> Array:
    if not jnp.issubdtype(value.dtype, jnp.floating):
        return jnp.zeros(value.shape)
    info = jnp.finfo(value.dtype)
    lost = 2.0 ** -(info.nmant - info.nmant // 2)
    moved = jnp.max(_distance(lanes, value[None]), axis=0)
    moved = jnp.where(jnp.any(jnp.isnan(lanes), axis=0) & ~jnp.isnan(value), jnp.inf, moved)
    apart = _distance(coarse, value)
    systematic = jnp.where(jnp.isfinite(apart), apart, 0) * lost
    error = SAFETY * moved + SYSTEMATIC * systematic
    error = error + 4 * info.eps * jnp.abs(value) + info.tiny
    exact = (moved == 0) & (apart == 0) & (jnp.isinf(value) | (value == jnp.round(value)))
    return jnp.where(exact, jnp.zeros_like(error), error)


def _distance(left: Array, right: Array) -> Array:
    return jnp.where(left == right, jnp.zeros_like(left), jnp.abs(left - right))


class _Arithmetic:
    """Evaluates a jaxpr with disturbed roundings; the instance only numbers the places."""

    def __init__(self, seed: Array | None, unsigned: bool) -> None:
        self.seed = seed  # None: coarse
        self.unsigned = unsigned
        self.places = 0
        self.looping = False  # in a while loop
        self.fractions: dict[int, Any] = {}  # by identity: values that are no integers on purpose

    def run(
        self, jaxpr: Any, consts: Iterable[Any], arguments: Iterable[Any]
    ) -> tuple[list[Any], Array]:
        """Values of the outputs, and whether a signed integer wrapped around."""
        known: dict[Any, Any] = {}
        overflow = jnp.zeros((), bool)
        known.update(zip(jaxpr.constvars, map(self.constant, consts), strict=True))
        known.update(zip(jaxpr.invars, arguments, strict=True))

        def read(atom: Any) -> Any:
            if isinstance(atom, core.Literal):
                aval: Any = atom.aval
                return self.constant(jnp.asarray(atom.val, aval.dtype))
            return known[atom]

        for equation in jaxpr.eqns:
            inputs = [read(atom) for atom in equation.invars]
            outputs, wrapped = self.step(equation, inputs)
            if wrapped is not False:
                overflow = overflow | wrapped
            known.update(zip(equation.outvars, outputs, strict=True))
        return [read(atom) for atom in jaxpr.outvars], overflow

    def constant(self, value: Any) -> Any:
        """A constant of the program, disturbed unless it is a fraction of few binary digits."""
        if not _is_float(value):
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

    def step(self, equation: Any, inputs: list[Any]) -> tuple[list[Any], Any]:
        name, params = equation.primitive.name, equation.params
        if name in _INLINED:
            inner = next(params[key] for key in _CALLS if key in params)
            return self.run(*_opened(inner), inputs)
        special = {
            "scan": self.scan,
            "while": self.while_loop,
            "cond": self.cond,
            "custom_linear_solve": self.linear_solve,
        }
        if name in special:
            return special[name](params, inputs)
        if name in _DECOMPOSITIONS:
            inputs = [self.moved(x, jnp.max(jnp.abs(x), initial=0)) for x in inputs]
        if self.seed is not None and not self.looping and _is_float(inputs[0] if inputs else 0):
            if name in _COMPARISONS:
                (answer,) = _bound(equation, inputs)
                tied, _ = _tied(inputs[0] - inputs[1])
                return [jnp.where(tied, self.upwards, answer)], False
            if name in _JUMPS and not (name == "convert_element_type" and _to_float(equation)):
                inputs = [self.beside_jump(inputs[0], _JUMPS[name])]
        outputs = _bound(equation, inputs)
        # One evaluation looks for overflow, which is the same in all.
        wrapped = self.wrapped(equation, inputs, outputs) if self.seed is None else False
        if name not in _EXACT:
            outputs = [self.disturbed(equation, inputs, out) for out in outputs]
        if self.makes_fractions(name, inputs):
            self.fractions.update((id(out), out) for out in outputs)
        return outputs, wrapped

    def makes_fractions(self, name: str, inputs: list[Any]) -> bool:
        """Whether results are known not to be integers on purpose: nobody need look at them."""
        known = [id(x) in self.fractions for x in inputs if _is_float(x)]
        if name in _WHOLE:
            return any(known)
        if name in _EXACT:
            never = name == "bitcast_convert_type"  # how random numbers become floats
            return never or (name not in _JUMPS and bool(known) and all(known))
        return True

    def disturbed(self, equation: Any, inputs: list[Any], output: Any) -> Any:
        """One result of a primitive, with a rounding error other than its own."""
        if not _is_float(output):
            return output
        name = equation.primitive.name
        if name == "convert_element_type" and not _is_float(inputs[0]):
            large = jnp.abs(output) >= 2.0 ** jnp.finfo(output.dtype).nmant
            return jnp.where(large, self.rounded(output, jnp.abs(output)), output)
        size = jnp.abs(output)
        if name in _SUMS:
            size = size + _terms(equation, inputs, output)
        elif name in _DECOMPOSITIONS:
            size = jnp.max(size, initial=0) * max((1, *output.shape))
        elif name in _SERIES:
            size = 64 * size
        result = self.rounded(output, size)
        if name in _WHOLE and not any(id(x) in self.fractions for x in inputs):
            result = jnp.where(_whole(name, inputs, output), output, result)
        if name in _UNDERFLOWING and self.seed is not None:
            info = jnp.finfo(output.dtype)
            lost = (output == 0) & _nonzero(name, inputs)
            result = jnp.where(lost, jnp.asarray(info.tiny, output.dtype), result)
        return result

    @property
    def upwards(self) -> Bool[Array, ""]:
        """How a tie is answered: in one way by half of the perturbed evaluations."""
        assert self.seed is not None
        return self.seed % 2 == 0

    def beside_jump(self, x: Array, nearest: Callable[[Array], Array]) -> Array:
        """x, on one side of a jump or the other where it is at one up to rounding."""
        jump = nearest(jax.lax.pmax(x, _LANE))
        tied, spread = _tied(x - jump)
        step = jnp.maximum(spread, 4 * jnp.finfo(x.dtype).eps * jnp.abs(jump))
        return jnp.where(tied, jnp.where(self.upwards, jump + step, jump - step), x)

    def moved(self, value: Any, size: Array) -> Any:
        return self.rounded(value, size) if _is_float(value) else value

    def rounded(self, value: Array, size: Array) -> Array:
        """value + 8ξ·eps·size, or value with half of its digits."""
        info = jnp.finfo(value.dtype)
        if self.seed is None:
            return jax.lax.reduce_precision(value, info.nexp, info.nmant // 2)
        self.places += 1
        return _perturbed(value, size, self.seed, np.uint32(self.places * 0xC2B2AE35 % 2**32))

    def wrapped(self, equation: Any, inputs: list[Any], outputs: list[Any]) -> Any:
        """Whether a result is outside its type: an integer that wraps, ∞ of finite numbers."""
        name = equation.primitive.name
        if name in _OVERFLOWING and _is_float(outputs[0]):
            found = jnp.any(jnp.isinf(outputs[0]))
            for x in inputs:
                if _is_float(x) and not _is_finite_constant(x):
                    found = found & jnp.all(jnp.isfinite(x))
            return found
        if self.unsigned and name == "convert_element_type" and _is_integer(outputs[0], True):
            info = jnp.iinfo(outputs[0].dtype)
            given = inputs[0].astype(float)
            return jnp.any((given > float(info.max)) | (given < float(info.min)))
        if name not in _WRAPPING or not _is_integer(outputs[0], self.unsigned):
            return False
        info = jnp.iinfo(outputs[0].dtype)
        floats = [x.astype(float) if _is_integer(x, True) else x for x in inputs]
        if name == "shift_left":
            shadow = floats[0] * jnp.exp2(floats[1])
            return jnp.any((shadow > float(info.max)) | (shadow < float(info.min)))
        params = dict(equation.params)
        if "preferred_element_type" in params:
            params["preferred_element_type"] = None
        (shadow,) = _as_list(equation.primitive, equation.primitive.bind(*floats, **params))
        return jnp.any((shadow > float(info.max)) | (shadow < float(info.min)))

    def scan(self, params: Any, inputs: list[Any]) -> tuple[list[Any], Any]:
        constants, carry = _counts(params, inputs)
        fixed, start = inputs[:constants], inputs[constants : constants + carry]

        def body(state: Any, x: Any) -> Any:
            overflow, values = state
            outputs, wrapped = self.run(*_opened(params["jaxpr"]), [*fixed, *values, *x])
            new = _like(outputs[:carry], values)
            return (overflow | wrapped, new), outputs[carry:]

        (overflow, values), stacked = jax.lax.scan(
            body, (jnp.zeros((), bool), list(start)), inputs[constants + carry :],
            length=params["length"], reverse=params["reverse"],
        )  # fmt: skip
        return [*values, *stacked], overflow

    def while_loop(self, params: Any, inputs: list[Any]) -> tuple[list[Any], Any]:
        in_cond, in_body = params["cond_nconsts"], params["body_nconsts"]
        for_cond, for_body = inputs[:in_cond], inputs[in_cond : in_cond + in_body]

        looping, self.looping = self.looping, True

        def going_on(state: Any) -> Any:
            (answer,), _ = self.run(*_opened(params["cond_jaxpr"]), [*for_cond, *state[1]])
            return answer

        def body(state: Any) -> Any:
            outputs, wrapped = self.run(*_opened(params["body_jaxpr"]), [*for_body, *state[1]])
            return state[0] | wrapped, _like(outputs, state[1])

        start = (jnp.zeros((), bool), list(inputs[in_cond + in_body :]))
        overflow, values = jax.lax.while_loop(going_on, body, start)
        self.looping = looping
        return values, overflow

    def cond(self, params: Any, inputs: list[Any]) -> tuple[list[Any], Any]:
        def branch(inner: Any) -> Callable[..., Any]:
            return lambda *operands: self.run(*_opened(inner), operands)

        return jax.lax.switch(
            inputs[0], [branch(inner) for inner in params["branches"]], *inputs[1:]
        )

    def linear_solve(self, params: Any, inputs: list[Any]) -> tuple[list[Any], Any]:
        lengths = params["const_lengths"]
        start = lengths.matvec + lengths.vecmat
        constants = inputs[start : start + lengths.solve]
        right = inputs[sum(lengths) :]
        return self.run(*_opened(params["jaxprs"].solve), [*constants, *right])


def _tied(gap: Array) -> tuple[Array, Array]:
    """Where a gap is one of rounding in all perturbed evaluations, and by how much it moves."""
    spread = jax.lax.pmax(gap, _LANE) - jax.lax.pmin(gap, _LANE)
    return (spread > 0) & (jax.lax.pmin(jnp.abs(gap), _LANE) <= TIED * spread), spread


def _to_float(equation: Any) -> bool:
    return jnp.issubdtype(equation.params["new_dtype"], jnp.floating)


def _opened(jaxpr: Any) -> tuple[Any, Any]:
    return (jaxpr.jaxpr, jaxpr.consts) if hasattr(jaxpr, "consts") else (jaxpr, ())


def _counts(params: Any, inputs: list[Any]) -> tuple[int, int]:
    """How many inputs of a scan are constants, and how many are carried."""
    if "num_consts" in params:  # before JAX 0.11
        return params["num_consts"], params["num_carry"]
    constants, carry, _ = params["ft_in"].update(inputs).unpack()
    return len(list(constants)), len(list(carry))


def _bound(equation: Any, inputs: list[Any]) -> list[Any]:
    with equation.ctx.manager:  # of the random generator, among others
        result = equation.primitive.bind(*inputs, **equation.params)
    return _as_list(equation.primitive, result)


def _as_list(primitive: Any, result: Any) -> list[Any]:
    return list(result) if primitive.multiple_results else [result]


def _like(values: list[Any], others: list[Any]) -> list[Any]:
    """Carried values keep their types: a weak type may become strong."""
    return [
        v if jnp.issubdtype(o.dtype, jax.dtypes.extended) else jnp.asarray(v, o.dtype)
        for v, o in zip(values, map(jnp.asarray, others), strict=True)
    ]


def _is_finite_constant(value: Any) -> bool:
    return not isinstance(value, jax.core.Tracer) and bool(np.isfinite(np.asarray(value)).all())


def _is_float(value: Any) -> bool:
    return jnp.issubdtype(jnp.result_type(value), jnp.floating)


def _is_integer(value: Any, unsigned: bool) -> bool:
    kind = jnp.integer if unsigned else jnp.signedinteger
    return jnp.issubdtype(jnp.result_type(value), kind)


def _terms(equation: Any, inputs: list[Any], output: Array) -> Array:
    """n·Σ|terms| of a sum, n their number."""
    sizes = [jnp.abs(x) if _is_float(x) else x for x in inputs]
    (total,) = _bound(equation, sizes)
    count = max(1, max(np.size(x) for x in inputs) // max(1, np.size(output)))
    if equation.primitive.name == "dot_general":
        (contracted, _), _ = equation.params["dimension_numbers"]
        count = int(np.prod([inputs[0].shape[axis] for axis in contracted]))
    return total * jnp.asarray(count, total.dtype)


def _whole(name: str, inputs: list[Any], output: Array) -> Array:
    """Where a result is exact since it and all it comes from are integers of few digits."""
    limit = jnp.asarray(2.0 ** jnp.finfo(output.dtype).nmant, output.dtype)
    whole = (output == jnp.round(output)) & (jnp.abs(output) < limit)
    for x in inputs:
        if _is_float(x):
            fits = x == jnp.round(x)
            whole = whole & (jnp.all(fits) if name in _SUMS else fits)
    return whole


def _nonzero(name: str, inputs: list[Any]) -> Any:
    """Where a result is of numbers other than 0, so that it is 0 only by underflow."""
    if name in ("exp", "exp2", "logistic", "erfc", "igammac"):
        return True
    if name == "mul":
        return (inputs[0] != 0) & (inputs[1] != 0)
    if name in _SUMS or name in ("reduce_prod", "cumprod"):  # as a whole: some of the terms
        return jnp.all(jnp.stack([jnp.any(x != 0) for x in inputs]))
    return inputs[0] != 0


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
