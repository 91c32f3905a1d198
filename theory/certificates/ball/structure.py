"""Primitives that move entries without computing with them, of arrays of any kind."""

from collections.abc import Callable, Mapping

import jax
import numpy as np

from theory.certificates.ball.numbers import (
    NAN,
    Equation,
    Value,
    ball,
)

Rule = Callable[
    [list[Value], Equation], Value
]  # values of the operands, equation → value or values


def broadcast_in_dim(args: list[Value], eqn: Equation) -> Value:
    """x with further axes, or axes of length 1 repeated."""
    x, shape = args[0], eqn.params["shape"]
    places = eqn.params["broadcast_dimensions"]
    spread = [1] * len(shape)
    for axis, place in enumerate(places):
        spread[place] = x.shape[axis]
    return np.broadcast_to(x.reshape(spread), shape)


def rev(args: list[Value], eqn: Equation) -> Value:
    """x with some axes turned around."""
    return np.flip(args[0], eqn.params["dimensions"])


def cut(args: list[Value], eqn: Equation) -> Value:
    """x[start:limit:stride]."""
    p = eqn.params
    strides = p["strides"] or (1,) * len(p["start_indices"])
    parts = zip(p["start_indices"], p["limit_indices"], strides, strict=True)
    return args[0][tuple(slice(*part) for part in parts)]


def split(args: list[Value], eqn: Equation) -> Value:
    """x in parts along an axis."""
    ends = np.cumsum(eqn.params["sizes"])[:-1]
    return np.split(args[0], ends, axis=eqn.params["axis"])


def iota(args: list[Value], eqn: Equation) -> Value:
    """0, 1, 2, … along an axis."""
    shape, axis = eqn.params["shape"], eqn.params["dimension"]
    along = [1] * len(shape)
    along[axis] = shape[axis]
    return np.broadcast_to(np.arange(shape[axis]).reshape(along), shape)


def pad(args: list[Value], eqn: Equation) -> Value:
    """x with an entry around it and between its entries; negative widths cut."""
    x, value = args
    config = eqn.params["padding_config"]
    spaced = [n + max(n - 1, 0) * inner for n, (_, _, inner) in zip(x.shape, config, strict=True)]
    inside = np.empty(spaced, x.dtype)
    inside[...] = value[()]
    inside[tuple(slice(None, None, inner + 1) for _, _, inner in config)] = x
    around = np.empty(eqn.outvars[0].aval.shape, x.dtype)
    around[...] = value[()]
    source, target = [], []
    for n, (low, _, _), length in zip(spaced, config, around.shape, strict=True):
        first, last = max(0, -low), min(n, length - low)
        source.append(slice(first, max(last, first)))
        target.append(slice(first + low, max(last, first) + low))
    around[tuple(target)] = inside[tuple(source)]
    return around


def dynamic_slice(args: list[Value], eqn: Equation) -> Value:
    """A block of x, from where it fits."""
    x, *starts = args
    sizes = eqn.params["slice_sizes"]
    return x[_block(x, [int(s) for s in starts], sizes)]


def dynamic_update_slice(args: list[Value], eqn: Equation) -> Value:
    """x with a block replaced."""
    x, update, *starts = args
    result = x.copy()
    result[_block(x, [int(s) for s in starts], update.shape)] = update
    return result


def _block(x: Value, starts: list[int], sizes: Value) -> tuple[slice, ...]:
    fitting = [
        min(max(start, 0), length - size)
        for start, length, size in zip(starts, x.shape, sizes, strict=True)
    ]
    return tuple(slice(s, s + size) for s, size in zip(fitting, sizes, strict=True))


def gather(args: list[Value], eqn: Equation) -> Value:
    """Entries at exact indices; outside, where they are filled, the value for that."""
    x, indices = args
    places = _places(x.shape, indices, eqn.params["dimension_numbers"], eqn.params)
    taken = x.reshape(-1)[np.maximum(places, 0)] if x.size else np.empty(places.shape, x.dtype)
    if (places < 0).any():
        taken[places < 0] = _filling(eqn.params["fill_value"], x.dtype)
    return taken


def _places(shape: tuple[int, ...], indices: Value, numbers: Value, params: Value) -> np.ndarray:
    """Flat places of what a gather takes, found by JAX itself; −1 outside of the array."""
    numbered = np.arange(int(np.prod(shape))).reshape(shape)
    mode, sizes = params["mode"], params["slice_sizes"]
    indices = np.asarray(indices)
    found = jax.lax.gather(numbered, indices, numbers, sizes, mode=mode, fill_value=-1)
    return np.asarray(found)


def _filling(value: Value, dtype: Value) -> Value:
    """What JAX puts where an index is outside: NaN, the least integer, or True."""
    if dtype.kind == "O":
        return NAN if value is None else ball(value)
    if value is not None:
        return value
    if dtype.kind == "b":
        return True
    limits = np.iinfo(dtype)
    return limits.max if dtype.kind == "u" else limits.min


def scattered_places(
    x: np.ndarray, indices: Value, updates: np.ndarray, eqn: Equation
) -> np.ndarray:
    """Where each update goes: flat places in x, of the updates' shape; −1 if it is dropped."""
    numbers = eqn.params["dimension_numbers"]
    windows = iter(numbers.update_window_dims)
    left_out = {*numbers.inserted_window_dims, *numbers.operand_batching_dims}
    sizes = tuple(1 if a in left_out else updates.shape[next(windows)] for a in range(x.ndim))
    mirrored = jax.lax.GatherDimensionNumbers(
        offset_dims=numbers.update_window_dims,
        collapsed_slice_dims=numbers.inserted_window_dims,
        start_index_map=numbers.scatter_dims_to_operand_dims,
        operand_batching_dims=numbers.operand_batching_dims,
        start_indices_batching_dims=numbers.scatter_indices_batching_dims,
    )
    params = {"mode": eqn.params["mode"], "slice_sizes": sizes}
    return _places(x.shape, indices, mirrored, params)


STRUCTURE: Mapping[str, Rule] = {
    "broadcast_in_dim": broadcast_in_dim,
    "reshape": lambda args, eqn: args[0].reshape(eqn.params["new_sizes"]),
    "transpose": lambda args, eqn: args[0].transpose(eqn.params["permutation"]),
    "squeeze": lambda args, eqn: args[0].reshape(eqn.outvars[0].aval.shape),
    "expand_dims": lambda args, eqn: args[0].reshape(eqn.outvars[0].aval.shape),
    "rev": rev,
    "slice": cut,
    "split": split,
    "concatenate": lambda args, eqn: np.concatenate(args, axis=eqn.params["dimension"]),
    "stack": lambda args, eqn: np.stack(args, axis=eqn.params["axis"]),
    "tile": lambda args, eqn: np.tile(args[0], eqn.params["reps"]),
    "iota": iota,
    "pad": pad,
    "dynamic_slice": dynamic_slice,
    "dynamic_update_slice": dynamic_update_slice,
    "gather": gather,
}
