"""What callers hand in: checked, in one clear line a fault, and converted once, at the door."""

import difflib
import functools
import inspect
import numbers
import types
import typing
from collections.abc import Callable, Collection

import jax
import numpy as np
from jaxtyping import AbstractArray, Bool, Float, Int

from theory._conversion import as_booleans as as_booleans
from theory._conversion import as_host_reals as as_host_reals
from theory._conversion import as_integers as as_integers
from theory._conversion import as_number as as_number
from theory._conversion import as_reals as as_reals
from theory._conversion import native
from theory._kinds import Kind, integer, of_annotation, optional, real
from theory._kinds import is_traced as is_traced
from theory._kinds import shown as shown
from theory._shapes import allowed_shapes, alternatives, check_shapes
from theory._types import OPEN_BELOW

P = typing.ParamSpec("P")
R = typing.TypeVar("R")
T = typing.TypeVar("T")


# Part of a false-alarm rate below which 1 − level, a confidence, has too few digits to tell.
LEAST_LEVEL = 1e-12
LARGEST = 2**31 - 1  # size of an array along one axis


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
    number = None
    if isinstance(value, numbers.Integral) and not isinstance(value, bool):
        number = int(value)
    too_large = number is not None and high is not None and number > high
    if number is None or number < low or too_large or (even and number % 2):
        unlimited = high is None or (high == LARGEST and not too_large)
        limits = f"≥ {low}" if unlimited else f"in [{low}, {high}]"
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
        x = native(name, x)
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
        y = native(name, y)
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


# --- the door of a public function ----------------------------------------------------------------

Door = Callable[[str, object], object]


def takes_arrays(function: Callable[P, R]) -> Callable[P, R]:
    """`function` with its arguments converted first, as their annotations ask for.

    `Float[AnyArray, …]` becomes `as_reals`, `Int[AnyArray, …]` `as_integers`, `Bool[AnyArray, …]`
    `as_booleans`, tuples of arrays such as `Params` field by field, and scalars of NumPy go through
    `as_number`. Numbers, random keys, functions and values of our own are of the kind that their
    annotation says (`theory._kinds`), and in the ranges of `NAMED`, as a name means the same
    everywhere. Every public function of `theory` that takes arrays is wrapped so, outside of
    `jax.jit`: an annotation says what callers may hand in, and the body sees arrays of JAX of the
    kind that it names. Arrays of floats and tracers of them pass through untouched.

    Shapes are compared with the annotations, where equal names are equal sizes: a ValueError of
    one line, before two arrays that do not belong together are broadcast.
    """
    parameters = inspect.signature(function).parameters.values()
    doors = {p.name: _door_of(p.name, p.annotation) for p in parameters}
    in_order = [(p.name, doors[p.name]) for p in parameters if p.kind in _IN_ORDER]
    shapes = {p.name: allowed_shapes(p.annotation) for p in parameters}

    @functools.wraps(function)
    def converted(*args: P.args, **kwargs: P.kwargs) -> R:
        given = [door(name, value) for (name, door), value in zip(in_order, args, strict=False)]
        named = {k: doors[k](k, v) if k in doors else v for k, v in kwargs.items()}
        check_shapes(shapes, dict(zip(shapes, given, strict=False)) | named)
        # Too many arguments get Python's own message.
        return function(*given, *args[len(given) :], **named)  # pyright: ignore[reportCallIssue]

    return converted


_IN_ORDER = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)

takes_numbers = takes_arrays  # the same door, where no argument is an array

_OF_ARRAYS: dict[object, Door] = {Float: as_reals, Int: as_integers, Bool: as_booleans}


def _labels(name: str, value: object) -> object:
    if isinstance(value, jax.Array) and value.ndim == 1:
        check_labels(name, value, len(value))
    return value


def _size(name: str, value: object) -> object:
    if not isinstance(value, np.ndarray | jax.Array):
        check_integer(name, value)
    return integer(name, value)


def _at_least_zero(name: str, value: object) -> object:
    if isinstance(real(name, value), numbers.Real) and typing.cast(float, value) < 0:
        raise ValueError(f"{name} must be a number ≥ 0, got {shown(value)}")
    return value


_share = functools.partial(check_real, low=0, high=1, open_high=True)
_SIZES, _EXPONENTS = ("n", "d", "m", "steps"), ("s", "s_kernel", "s_lazy", "time")
# What a name means wherever an argument has it: γ and μ, sizes, and above 0 where they are real
# numbers, δ, exponents of probabilities and times, and labels.
NAMED: dict[tuple[str, type], Kind] = {
    ("slope", float): _share,
    ("momentum", float): _share,
    ("delta", float): functools.partial(check_real, low=0, high=1, open_low=True),
    **{(name, int): _size for name in _SIZES},
    **{(name, float): functools.partial(check_real, low=0, open_low=True) for name in _SIZES},
    **{(name, float): _at_least_zero for name in _EXPONENTS},
}
# The same without its lower end, where the annotation says so (`_types.OPEN_BELOW`).
_ABOVE: dict[str, Kind] = {"slope": functools.partial(_share, open_low=True)}


def _named(name: str, annotation: object) -> Kind | None:
    """What the name of an argument that may be one number says of it."""
    members = typing.get_args(annotation) or (annotation,)
    kinds = [
        NAMED[name, member]
        for member in (float, int)
        if (name, member) in NAMED and member in members
    ]
    if not kinds or of_annotation(name, annotation) is None:
        return None
    return optional(kinds[0]) if types.NoneType in members else kinds[0]


def _is_annotated(annotation: object) -> bool:
    return typing.get_origin(annotation) is typing.Annotated


def _door_of(name: str, annotation: object) -> Door:
    """What an argument of this name and annotation goes through."""
    annotation, *more = typing.get_args(annotation) if _is_annotated(annotation) else [annotation]
    kind = _named(name, annotation) or of_annotation(name, annotation)
    if OPEN_BELOW in more:
        kind = _ABOVE[name]
    door = _door(annotation)

    def enter(name: str, value: object) -> object:
        value = as_number(name, value)
        if kind is not None and not is_traced(value):
            value = kind(name, value)
        value = door(name, value)
        return _labels(name, value) if name == "y" else value

    return enter


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
    number = real if float in members else integer if int in members else None

    def either(name: str, value: object) -> object:
        value = as_number(name, value)
        if not arrays or (value is None and types.NoneType in members):
            return value
        if isinstance(value, str) and str in members:
            return value
        if number is not None and isinstance(value, numbers.Number):
            return number(name, value)
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
