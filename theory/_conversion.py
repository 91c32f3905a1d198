"""Arrays become floats at the door: what callers hand in, as arrays of JAX or of NumPy."""

import typing

import jax
import jax.numpy as jnp
import numpy as np

from theory._kinds import is_traced, shown

_FLOATS = frozenset({np.dtype(np.float32), np.dtype(np.float64)})


def as_reals(name: str, value: object) -> jax.Array:
    """`value` as an array of JAX in float32 or float64, in which its entries are the same numbers.

    What is float32 or float64 stays so (float64 only where JAX has it); lists, booleans, integers
    and other floats, of NumPy or JAX and in either byte order, are converted to the default float
    before anything is computed: uint8 would wrap, float16 overflow beyond 65504. JAX caches
    compiled functions without looking at the byte order, so that is made native here, too.

    Raises:
      ValueError: for anything but real numbers, ragged lists, arrays with masked entries, and
        entries of NumPy that the type has not: 1e200 without 64-bit floats in JAX.
    """
    return _converted(name, value, "real numbers", (jnp.floating, jnp.integer, jnp.bool_), float)


def as_integers(name: str, value: object) -> jax.Array:
    """`value` as an array of JAX of the default integer type; ValueError unless it holds integers
    that this type has.

    Booleans count as 0 and 1.
    """
    return _converted(name, value, "integers", (jnp.integer, jnp.bool_), int)


def as_booleans(name: str, value: object) -> jax.Array:
    """`value` as an array of JAX of booleans; ValueError unless it holds those."""
    return _converted(name, value, "booleans", (jnp.bool_,), bool)


def as_number(_: str, value: object) -> object:
    """A scalar of NumPy as a number of Python; anything else as it came.

    Python's integers do not overflow, and its numbers take on the precision of the arrays that
    they meet. A single float of JAX in half a precision becomes one of the default precision.
    """
    if isinstance(value, np.generic):
        number = value.item()
        return float(number) if isinstance(number, np.generic) else number  # longdouble is its own
    if isinstance(value, jax.Array) and value.ndim == 0:
        half = jnp.issubdtype(value.dtype, jnp.floating) and value.dtype not in _FLOATS
        return value.astype(float) if half else value
    return value


def _converted(
    name: str, value: object, what: str, kinds: tuple, default: type | np.dtype
) -> jax.Array:
    if isinstance(value, list | tuple) and is_traced(*jax.tree.leaves(value)):
        value = jnp.asarray(value)
    if not isinstance(value, jax.Array):
        value = native(name, value)
    dtype = value.dtype
    if default is float and dtype in _FLOATS:
        default = dtype
    elif not any(jnp.issubdtype(dtype, kind) for kind in kinds):
        raise ValueError(f"{name} must hold {what}, got dtype {dtype}")
    target = jax.dtypes.canonicalize_dtype(default)
    if isinstance(value, jax.Array):
        return value if dtype == target else value.astype(target)
    # A copy: JAX may compute later, after the caller has changed his array.
    return jnp.array(_narrowed(name, value, target))


def _narrowed(name: str, value: np.ndarray, target: np.dtype) -> np.ndarray:
    """`value` in the type that JAX has here; ValueError where an entry would be another number.

    Digits may be lost, but no finite number becomes ∞, none other than 0 becomes 0, and no integer
    wraps around.
    """
    floats = value.dtype.kind == "f"
    if np.can_cast(value.dtype, target) or (target.kind == "f" and not floats):
        return value.astype(target, copy=False)
    with np.errstate(over="ignore", under="ignore"):
        new = value.astype(target)
    if floats:
        lost = (np.isinf(new) != np.isinf(value)) | ((new == 0) != (value == 0))
    else:
        lost = new != value
    if lost.any():
        remedy = "" if target.itemsize == 8 else '; use jax.config.update("jax_enable_x64", True)'
        raise ValueError(
            f"{name} must hold numbers that {target} has, got {value[lost][0]!s}{remedy}"
        )
    return new


def as_host_reals(name: str, value: object) -> np.ndarray:
    """The same in float64 and in NumPy, for what is computed on the host."""
    array = native(name, value)
    if array.dtype.kind not in "biuf":
        raise ValueError(f"{name} must hold real numbers, got dtype {array.dtype}")
    return array.astype(np.float64)


def native(name: str, value: object) -> np.ndarray:
    """What is no array of JAX as one of NumPy, in the machine's byte order."""
    if np.ma.is_masked(value):
        raise ValueError(
            f"{name} must have no masked entries, got {np.ma.count_masked(value)} of "
            f"{np.size(typing.cast(np.ndarray, value))}; fill them or leave them out"
        )
    if value is None or isinstance(value, str):
        raise ValueError(f"{name} must be an array of numbers, got {shown(value)}")
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise ValueError(
            f"{name} must be one array of numbers, got a {type(value).__name__} that is none "
            f"({str(error).splitlines()[0]})"
        ) from None
    return array.astype(array.dtype.newbyteorder("="), copy=False)
