"""Means over draws."""

from typing import Any

import numpy as np


def mean_and_error(values: Any, axis: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Mean over draws and its standard error s/√K, NaN for a single draw.

    Args:
      values: K draws along `axis`.
      axis: the axis of the draws.
    """
    values = np.asarray(values, float)
    count = values.shape[axis]
    if count < 2:
        return values.mean(axis), np.full_like(values.mean(axis), np.nan)
    return values.mean(axis), values.std(axis, ddof=1) / count**0.5
