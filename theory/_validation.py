"""What callers hand in: checked, in one clear line a fault, and converted once, at the door."""

import difflib
import functools
import inspect
import numbers
import typing
from collections.abc import Callable, Collection

import jax
import jax.core
import jax.numpy as jnp
import numpy as np
from jaxtyping import AbstractArray, Bool, Float, Int

from theory._shapes import allowed_shapes, alternatives, check_shapes

P = typing.ParamSpec("P")
R = typing.TypeVar("R")
T = typing.TypeVar("T")


def is_traced(*values: object) -> bool:
    """Whether entries of any of the values cannot be looked at here.

    They cannot in an abstract tracer, nor where a part lies on devices of other processes.
    """
    return any(
        isinstance(v, jax.core.Tracer) or (isinstance(v, jax.Array) and not v.is_fully_addressable)
        for v in values
    )


# Part of a false-alarm rate below which 1 − level, a confidence, has too few digits to tell.
LEAST_LEVEL = 1e-12
LARGEST = 2**31 - 1  # size of an array along one axis
LONGEST = 80  # characters of a value in a message


def shown(value: object) -> str:
    """A value as messages show it: its `repr`, shortened where that is long."""
    try:
        text = " ".join(repr(value).split())
    except ValueError:  # an integer with more digits than Python writes
        return f"an integer of {typing.cast(int, value).bit_length()} bits"
    if len(text) <= LONGEST:
        return text
    return f"{text[: LONGEST // 2]}…{text[-LONGEST // 4 :]} ({len(text)} characters)"


def first_repeated(values: Collection[T]) -> T | None:
    """The first value that was there before; None if none was."""
    seen = set()
    for value in values:
        if value in seen:
            return value
        seen.add(value)
    return None


def check_integer(
    name: str, value: object, *, low: int = 1, high: int | None = None, even: bool = False
) -> int:
    """`value` as an int; ValueError unless it is one in [low, high] (and even, if asked)."""
    kind = "an even integer" if even else "an integer"
    limits = f"≥ {low}" if high is None else f"in [{low}, {high}]"
    number = None
    if isinstance(value, numbers.Integral) and not isinstance(value, bool):
        number = int(value)
    too_large = number is not None and high is not None and number > high
    if number is None or number < low or too_large or (even and number % 2):
        raise ValueError(f"{name} must be {kind} {limits}, got {shown(value)}")
    return number


def check_memory(memory: object) -> None:
    """ValueError unless it is a number of bytes, ≥ 1, or None."""
    if memory is not None:
        check_integer("memory", memory)


def check_real(
    name: str,
    value: T,
    *,
    low: float = -np.inf,
    high: float = np.inf,
    open_low: bool = False,
    open_high: bool = False,
) -> T:
    """Returns `value`; ValueError unless it is one finite number in the stated interval."""
    if is_traced(value):
        return value
    number = np.nan
    scalar = isinstance(value, np.ndarray | jax.Array) and value.ndim == 0
    if (isinstance(value, numbers.Real) or scalar) and not isinstance(value, bool):
        try:
            number = float(typing.cast(float, value))
        except OverflowError:  # an integer of Python beyond the largest float
            number = np.inf
    inside = np.isfinite(number)
    inside = inside and (number > low if open_low else number >= low)
    inside = inside and (number < high if open_high else number <= high)
    if not inside:
        left = "(" if open_low or low == -np.inf else "["
        right = ")" if open_high or high == np.inf else "]"
        interval = f"{left}{low:g}, {high:g}{right}"
        raise ValueError(f"{name} must be a finite number in {interval}, got {shown(value)}")
    return value


def check_choice(name: str, value: T, choices: Collection[str]) -> T:
    """Returns `value`; ValueError unless it is one of `choices`."""
    if not isinstance(value, str) or value not in choices:
        known = ", ".join(sorted(choices))
        raise ValueError(
            f"{name} must be one of {known}; got {shown(value)}{meant(value, choices)}"
        )
    return value


def meant(value: object, choices: Collection[str]) -> str:
    """The choice nearest to one that is none, in words; "" if none is near."""
    near = difflib.get_close_matches(value, choices, n=1) if isinstance(value, str) else []
    return f"; did you mean {near[0]}?" if near else ""


def check_level(level: float, *, parts: int = 1, name: str = "level") -> float:
    """The equal share of each of so many parts in a false-alarm rate.

    Raises:
      ValueError: unless the level is below 1, and each share at least `LEAST_LEVEL`.
    """
    least = LEAST_LEVEL * parts
    return check_real(name, level, low=least, high=1.0, open_high=True) / parts


def check_slope(slope: T, *, open_low: bool = False) -> T:
    """Returns the slope γ of the leaky ReLU; ValueError unless it lies in [0, 1)."""
    return check_real("slope", slope, low=0.0, high=1.0, open_low=open_low, open_high=True)


def check_points(name: str, x: object, *, d: int | None = None) -> None:
    """ValueError unless `x` is a non-empty matrix of finite numbers, with `d` columns if given."""
    if not isinstance(x, jax.Array):
        x = _native(name, x)
    shape = x.shape
    if len(shape) != 2 or 0 in shape:
        raise ValueError(f"{name} must be a matrix (points, dimensions) ≥ 1 × 1, got shape {shape}")
    if d is not None and shape[1] != d:
        raise ValueError(f"{name} must have {d} columns, got shape {shape}")
    if is_traced(x):
        return
    values = np.asarray(x)
    if values.dtype.kind not in "biuf" and values.dtype.name != "bfloat16":
        raise ValueError(f"{name} must hold real numbers, got dtype {values.dtype}")
    bad = int(values.size - np.isfinite(values.astype(np.float64)).sum())
    if bad:
        raise ValueError(
            f"{name} must be finite, got {bad} NaN or infinite of {values.size} entries"
        )


def check_labels(name: str, y: object, n: int, *, both: bool = False) -> None:
    """ValueError unless `y` holds n labels ±1 (with both classes present, if asked)."""
    if not isinstance(y, jax.Array):
        y = _native(name, y)
    if y.shape != (n,):
        raise ValueError(f"{name} must have shape ({n},), one label per point, got {y.shape}")
    if is_traced(y):
        return
    values = np.asarray(y)
    if values.dtype.kind not in "biuf" and values.dtype.name != "bfloat16":
        raise ValueError(f"{name} must hold real numbers, got dtype {values.dtype}")
    found = np.unique(values)
    if not np.isin(found, (-1, 1)).all():
        shown = ", ".join(f"{float(v):g}" for v in found[:5])
        more = ", …" if len(found) > 5 else ""
        remedy = "; use 2*y − 1" if set(found.tolist()) <= {0, 1} else ""
        raise ValueError(f"{name} must be −1 or +1, got values {{{shown}{more}}}{remedy}")
    if both and len(found) == 1:
        raise ValueError(f"{name} must contain both classes −1 and +1, got only {found[0]:+g}")


# --- arrays become floats at the door -------------------------------------------------------------

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
        value = _native(name, value)
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
    array = _native(name, value)
    if array.dtype.kind not in "biuf":
        raise ValueError(f"{name} must hold real numbers, got dtype {array.dtype}")
    return array.astype(np.float64)


def _native(name: str, value: object) -> np.ndarray:
    """What is no array of JAX as one of NumPy, in the machine's byte order."""
    if np.ma.is_masked(value):
        raise ValueError(
            f"{name} must have no masked entries, got {np.ma.count_masked(value)} of "
            f"{np.size(typing.cast(np.ndarray, value))}; fill them or leave them out"
        )
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise ValueError(
            f"{name} must be one array of numbers, got a {type(value).__name__} that is none "
            f"({str(error).splitlines()[0]})"
        ) from None
    return array.astype(array.dtype.newbyteorder("="), copy=False)


Door = Callable[[str, object], object]


def takes_arrays(function: Callable[P, R]) -> Callable[P, R]:
    """`function` with its arguments converted first, as their annotations ask for.

    `Float[AnyArray, …]` becomes `as_reals`, `Int[AnyArray, …]` `as_integers`, `Bool[AnyArray, …]`
    `as_booleans`, tuples of arrays such as `Params` field by field, and all else goes through
    `as_number`. Every public function of `theory` that takes arrays is wrapped so, outside of
    `jax.jit`: an annotation says what callers may hand in, and the body sees arrays of JAX of the
    kind that it names. Arrays of floats and tracers of them pass through untouched.

    Shapes are compared with the annotations, where equal names are equal sizes: a ValueError of
    one line, before two arrays that do not belong together are broadcast.
    """
    parameters = inspect.signature(function).parameters.values()
    doors = {p.name: _door(p.annotation) for p in parameters}
    in_order = tuple(doors.items())
    shapes = {p.name: allowed_shapes(p.annotation) for p in parameters}

    @functools.wraps(function)
    def converted(*args: P.args, **kwargs: P.kwargs) -> R:
        given = [door(name, value) for (name, door), value in zip(in_order, args, strict=False)]
        named = {k: doors[k](k, v) if k in doors else v for k, v in kwargs.items()}
        check_shapes(shapes, dict(zip(shapes, given, strict=False)) | named)
        # Too many arguments get Python's own message.
        return function(*given, *args[len(given) :], **named)  # pyright: ignore[reportCallIssue]

    return converted


_OF_ARRAYS: dict[object, Door] = {Float: as_reals, Int: as_integers, Bool: as_booleans}


def _door(annotation: object) -> Door:
    """What a value with this annotation goes through."""
    members = alternatives(annotation)
    if len(members) != 1:
        return _union(members)
    annotation = members[0]
    if isinstance(annotation, type) and issubclass(annotation, AbstractArray):
        if annotation.array_type is not jax.Array:
            return as_number
        return _OF_ARRAYS[annotation.dtype]
    if isinstance(annotation, type) and issubclass(annotation, tuple):
        return _tuple_of(annotation)
    return as_number


def _union(members: tuple[object, ...]) -> Door:
    """Numbers and None pass where they are admitted; what is left is the array's."""
    # An array that may be a number instead is no random key.
    doors = [as_reals if member is jax.Array else _door(member) for member in members]
    arrays = [door for door in doors if door is not as_number]

    def either(name: str, value: object) -> object:
        value = as_number(name, value)
        if not arrays or value is None or isinstance(value, numbers.Number | str):
            return value
        return arrays[0](name, value)

    return either


def _tuple_of(cls: type[tuple]) -> Door:
    hints = {k: _door(v) for k, v in typing.get_type_hints(cls).items()} if cls is not tuple else {}

    def fields(name: str, value: object) -> object:
        if not isinstance(value, cls) or not hints:
            return value
        new = {k: d(f"{name}.{k}", v) for (k, d), v in zip(hints.items(), value, strict=True)}
        same = all(a is b for a, b in zip(new.values(), value, strict=True))
        return value if same else cls(**new)

    return fields
