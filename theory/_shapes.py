"""Shapes of arguments compared with their annotations, in which equal names are equal sizes."""

import types
import typing

import jax
import numpy as np
from jaxtyping import AbstractArray

# What shapes an argument may have: several, each as the names of its axes; those of the fields of a
# tuple; or None where nothing is said.
Shapes: typing.TypeAlias = "tuple[tuple[str, ...], ...] | dict[str, Shapes] | None"


def alternatives(annotation: object) -> tuple[object, ...]:
    """The members of a union, or the annotation alone.

    Arrays of NumPy are left out beside those of JAX, which is what they become at the door.
    """
    if typing.get_origin(annotation) not in (typing.Union, types.UnionType):
        return (annotation,)
    members = typing.get_args(annotation)
    of_jax = any(_array_type(member) is jax.Array for member in members)
    return tuple(m for m in members if not (of_jax and _array_type(m) is np.ndarray))


def _array_type(annotation: object) -> object:
    """The class of arrays that an annotation is about, or the annotation itself."""
    if isinstance(annotation, type) and issubclass(annotation, AbstractArray):
        return annotation.array_type
    return annotation


def allowed_shapes(annotation: object) -> Shapes:
    """The shapes that an annotation allows."""
    members = alternatives(annotation)
    if len(members) != 1:
        return _of_union(members)
    annotation = members[0]
    if isinstance(annotation, type) and issubclass(annotation, AbstractArray):
        axes = tuple(annotation.dim_str.split())
        anything = annotation.array_type is not jax.Array or any(a[0] in ".*" for a in axes)
        return None if anything else (axes,)
    if isinstance(annotation, type) and issubclass(annotation, tuple) and annotation is not tuple:
        return {k: allowed_shapes(v) for k, v in typing.get_type_hints(annotation).items()}
    return None


def _of_union(members: tuple[object, ...]) -> Shapes:
    known = {member: allowed_shapes(member) for member in members}
    found = [shapes for shapes in known.values() if shapes is not None]
    if len(found) == 1 and isinstance(found[0], dict):
        return found[0]
    numbers_too = any(s is None and m is not types.NoneType for m, s in known.items())
    arrays = [axes for shapes in found if isinstance(shapes, tuple) for axes in shapes]
    return (*arrays, ()) if arrays and numbers_too else tuple(arrays) or None


def check_shapes(shapes: dict[str, Shapes], arguments: dict[str, object]) -> None:
    sizes: dict[str, int] = {}
    for name, value in arguments.items():
        _check_shape(name, value, shapes.get(name), sizes)


def _check_shape(name: str, value: object, shapes: Shapes, sizes: dict[str, int]) -> None:
    """ValueError unless the value has one of the shapes; `sizes` learns those of its axes."""
    if isinstance(shapes, dict):
        if isinstance(value, tuple):
            for (field, inner), part in zip(shapes.items(), value, strict=True):
                _check_shape(f"{name}.{field}", part, inner, sizes)
        return
    if shapes is None or not isinstance(value, jax.Array):
        return
    for axes in shapes:
        if (named := _named(axes, value.shape, sizes)) is not None:
            sizes.update(named)
            return
    raise ValueError(_wrong_shape(name, value.shape, shapes, sizes))


def _named(
    axes: tuple[str, ...], shape: tuple[int, ...], sizes: dict[str, int]
) -> dict[str, int] | None:
    """The sizes of the named axes, or None where the shape is another."""
    if len(axes) != len(shape):
        return None
    found = dict(sizes)
    for axis, size in zip(axes, shape, strict=True):
        if axis.isidentifier():
            found.setdefault(axis, size)
        if found.get(axis, int(axis) if axis.isdecimal() else size) != size:
            return None
    return found


def _wrong_shape(
    name: str, shape: tuple[int, ...], shapes: tuple[tuple[str, ...], ...], sizes: dict[str, int]
) -> str:
    axes = shapes[0]
    if len(axes) == 2 and axes[1] == "d":
        if len(shape) != 2:
            return f"{name} must be a matrix (points, dimensions) ≥ 1 × 1, got shape {shape}"
        if sizes.get("d", shape[1]) != shape[1]:
            return f"{name} must have {sizes['d']} columns, got shape {shape}"
    wanted = [
        f"({', '.join(str(sizes.get(a, a)) for a in axes)}{',' * (len(axes) == 1)})"
        for axes in shapes
    ]
    labels = ", one label per point," if name == "y" else ","
    return f"{name} must have shape {' or '.join(dict.fromkeys(wanted))}{labels} got {shape}"
