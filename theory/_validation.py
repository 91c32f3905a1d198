"""Checks of what callers hand in: one clear line that names the argument and the remedy."""

import numbers
from collections.abc import Collection
from typing import Any

import jax
import jax.core
import numpy as np


def is_traced(*values: Any) -> bool:
    """Whether entries of any of the values cannot be looked at here.

    They cannot in an abstract tracer, nor where a part lies on devices of other processes.
    """
    return any(
        isinstance(v, jax.core.Tracer) or (isinstance(v, jax.Array) and not v.is_fully_addressable)
        for v in values
    )


def check_integer(
    name: str, value: Any, *, low: int = 1, high: int | None = None, even: bool = False
) -> int:
    """`value` as an int; ValueError unless it is one in [low, high] (and even, if asked)."""
    kind = "an even integer" if even else "an integer"
    limits = f"≥ {low}" if high is None else f"in [{low}, {high}]"
    number = None
    if isinstance(value, numbers.Integral) and not isinstance(value, bool):
        number = int(value)
    too_large = number is not None and high is not None and number > high
    if number is None or number < low or too_large or (even and number % 2):
        raise ValueError(f"{name} must be {kind} {limits}, got {value!r}")
    return number


def check_real(
    name: str,
    value: Any,
    *,
    low: float = -np.inf,
    high: float = np.inf,
    open_low: bool = False,
    open_high: bool = False,
) -> Any:
    """Returns `value`; ValueError unless it is one finite number in the stated interval."""
    if is_traced(value):
        return value
    number = np.nan
    scalar = isinstance(value, np.ndarray | jax.Array) and value.ndim == 0
    if (isinstance(value, numbers.Real) or scalar) and not isinstance(value, bool):
        number = float(value)
    inside = np.isfinite(number)
    inside = inside and (number > low if open_low else number >= low)
    inside = inside and (number < high if open_high else number <= high)
    if not inside:
        left = "(" if open_low or low == -np.inf else "["
        right = ")" if open_high or high == np.inf else "]"
        interval = f"{left}{low:g}, {high:g}{right}"
        raise ValueError(f"{name} must be a finite number in {interval}, got {value!r}")
    return value


def check_choice(name: str, value: Any, choices: Collection[str]) -> Any:
    """Returns `value`; ValueError unless it is one of `choices`."""
    if value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(sorted(choices))}; got {value!r}")
    return value


def check_slope(slope: Any, *, open_low: bool = False) -> Any:
    """Returns the slope γ of the leaky ReLU; ValueError unless it lies in [0, 1)."""
    return check_real("slope", slope, low=0.0, high=1.0, open_low=open_low, open_high=True)


def check_points(name: str, x: Any, *, d: int | None = None) -> None:
    """ValueError unless `x` is a non-empty matrix of finite numbers, with `d` columns if given."""
    shape = np.shape(x)
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


def check_labels(name: str, y: Any, n: int, *, both: bool = False) -> None:
    """ValueError unless `y` holds n labels ±1 (with both classes present, if asked)."""
    if np.shape(y) != (n,):
        raise ValueError(f"{name} must have shape ({n},), one label per point, got {np.shape(y)}")
    if is_traced(y):
        return
    found = np.unique(np.asarray(y))
    if not np.isin(found, (-1, 1)).all():
        shown = ", ".join(f"{v:g}" if found.dtype.kind in "biuf" else repr(v) for v in found[:5])
        more = ", …" if len(found) > 5 else ""
        remedy = "; use 2*y − 1" if set(found.tolist()) <= {0, 1} else ""
        raise ValueError(f"{name} must be −1 or +1, got values {{{shown}{more}}}{remedy}")
    if both and len(found) == 1:
        raise ValueError(f"{name} must contain both classes −1 and +1, got only {found[0]:+g}")
