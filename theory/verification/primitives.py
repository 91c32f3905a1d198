"""What is known of JAX's primitives: which round, overflow and jump, and how they are evaluated."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import jax
import jax.core
import jax.numpy as jnp
import numpy as np
from jax.extend import core
from jaxtyping import Array

# What a variable of a program holds: an array of JAX or NumPy, a number, random keys.
Value: TypeAlias = Any
# The options of a primitive.
Options: TypeAlias = Mapping[str, Any]

CALLS = ("jaxpr", "call_jaxpr", "fun_jaxpr")


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


INLINED = _names(
    """jit pjit closed_call core_call remat remat2 checkpoint custom_jvp_call custom_vjp_call
    custom_vjp_call_jaxpr"""
)
EXACT = _names(  # their results are among their inputs, or exact
    """neg abs sign max min clamp floor ceil round is_finite real imag copy copy_p stop_gradient
    optimization_barrier select_n broadcast_in_dim reshape transpose rev squeeze expand_dims slice
    dynamic_slice dynamic_update_slice gather scatter concatenate pad split iota sort top_k argmax
    argmin reduce_max reduce_min cummax cummin reduce_window_max reduce_window_min
    bitcast_convert_type"""
)
SUMS = _names(
    """dot_general reduce_sum cumsum add_any scatter-add scatter_add reduce_window_sum
    conv_general_dilated"""
)
WHOLE = _names("add sub mul integer_pow convert_element_type") | SUMS
DECOMPOSITIONS = _names(
    """eigh eig svd qr geqrf geqp3 householder_product cholesky cholesky_update lu triangular_solve
    tridiagonal tridiagonal_solve hessenberg schur fft"""
)
SERIES = _names(  # sums of series, less accurate than the elementary functions
    """lgamma digamma polygamma zeta igamma igammac igamma_grad_a random_gamma_grad erf_inv
    regularized_incomplete_beta bessel_i0e bessel_i1e"""
)
UNDERFLOWING = _names(
    """mul div exp exp2 pow integer_pow square logistic erfc reduce_prod cumprod dot_general atan2
    igamma igammac regularized_incomplete_beta"""
)
COMPARISONS = _names("eq ne lt le gt ge")
JUMPS: dict[str, Callable[[Array], Array]] = {  # the jump that is nearest
    "floor": jnp.round,
    "ceil": jnp.round,
    "convert_element_type": jnp.round,
    "round": lambda x: jnp.floor(x) + jnp.asarray(0.5, x.dtype),
    "sign": jnp.zeros_like,
}
OVERFLOWING = _names(
    """add sub mul exp exp2 square integer_pow sinh cosh dot_general reduce_sum reduce_prod cumsum
    cumprod add_any"""
)
WRAPPING = _names(
    """add sub mul neg abs square integer_pow pow shift_left reduce_sum cumsum reduce_prod cumprod
    dot_general"""
)


def makes_floats(equation: core.JaxprEqn) -> bool:
    """Whether a conversion is one to floats."""
    return jnp.issubdtype(equation.params["new_dtype"], jnp.floating)


def opened(jaxpr: core.Jaxpr | core.ClosedJaxpr) -> tuple[core.Jaxpr, Sequence[Value]]:
    """A program and its constants."""
    if isinstance(jaxpr, core.ClosedJaxpr):
        return jaxpr.jaxpr, jaxpr.consts
    return jaxpr, ()


def loop_counts(params: Options, inputs: list[Value]) -> tuple[int, int]:
    """How many inputs of a scan are constants, and how many are carried."""
    if "num_consts" in params:  # before JAX 0.11
        return params["num_consts"], params["num_carry"]
    constants, carry, _ = params["ft_in"].update(inputs).unpack()
    return len(list(constants)), len(list(carry))


def results(equation: core.JaxprEqn, inputs: list[Value]) -> list[Value]:
    """What the primitive of an equation returns for these inputs."""
    with equation.ctx.manager:  # of the random generator, among others
        result = equation.primitive.bind(*inputs, **equation.params)
    return as_list(equation.primitive, result)


def as_list(primitive: core.Primitive, result: Value) -> list[Value]:
    """The results of a primitive, which returns one or a list of them."""
    return list(result) if primitive.multiple_results else [result]


def typed_like(values: list[Value], others: list[Value]) -> list[Value]:
    """Carried values keep their types: a weak type may become strong."""
    return [
        v if jnp.issubdtype(o.dtype, jax.dtypes.extended) else jnp.asarray(v, o.dtype)
        for v, o in zip(values, map(jnp.asarray, others), strict=True)
    ]


def is_finite_constant(value: Value) -> bool:
    """Whether a value is known, and finite."""
    return not isinstance(value, jax.core.Tracer) and bool(np.isfinite(np.asarray(value)).all())


def is_float(value: Value) -> bool:
    """Whether it is a float, or an array of them."""
    return jnp.issubdtype(jnp.result_type(value), jnp.floating)


def is_integer(value: Value, unsigned: bool) -> bool:
    """Whether it is an integer with a sign, or without one where these count."""
    kind = jnp.integer if unsigned else jnp.signedinteger
    return jnp.issubdtype(jnp.result_type(value), kind)


def sum_of_sizes(equation: core.JaxprEqn, inputs: list[Value], output: Array) -> Array:
    """n·Σ|terms| of a sum, n their number."""
    sizes = [jnp.abs(x) if is_float(x) else x for x in inputs]
    (total,) = results(equation, sizes)
    count = max(1, max(np.size(x) for x in inputs) // max(1, np.size(output)))
    if equation.primitive.name == "dot_general":
        (contracted, _), _ = equation.params["dimension_numbers"]
        count = int(np.prod([inputs[0].shape[axis] for axis in contracted]))
    return total * jnp.asarray(count, total.dtype)


def stays_whole(name: str, inputs: list[Value], output: Array) -> Array:
    """Where a result is exact since it and all it comes from are integers of few digits."""
    limit = jnp.asarray(2.0 ** jnp.finfo(output.dtype).nmant, output.dtype)
    whole = (output == jnp.round(output)) & (jnp.abs(output) < limit)
    for x in inputs:
        if is_float(x):
            fits = x == jnp.round(x)
            whole = whole & (jnp.all(fits) if name in SUMS else fits)
    return whole


def is_of_nonzero(name: str, inputs: list[Value]) -> Value:
    """Where a result is of numbers other than 0, so that it is 0 only by underflow."""
    if name in ("exp", "exp2", "logistic", "erfc", "igammac"):
        return True
    if name == "mul":
        return (inputs[0] != 0) & (inputs[1] != 0)
    if name in SUMS or name in ("reduce_prod", "cumprod"):  # as a whole: some of the terms
        return jnp.all(jnp.stack([jnp.any(x != 0) for x in inputs]))
    return inputs[0] != 0
