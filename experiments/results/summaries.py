"""Means over draws."""

import dataclasses
from typing import Any

import numpy as np


@dataclasses.dataclass
class RunningMean:
    """Mean and spread of arrays of one shape, added one by one and not kept.

    Source: B. P. Welford, Technometrics 4 (1962).

    Attributes:
      count: how many there are.
      mean: of them.  squares: Σ (value − mean)².
    """

    count: int = 0
    mean: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros(()))
    squares: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros(()))

    def add(self, value: np.ndarray) -> None:
        """One more."""
        self.count += 1
        apart = value - self.mean
        self.mean = self.mean + apart / self.count
        self.squares = self.squares + apart * (value - self.mean)

    @property
    def error(self) -> np.ndarray:
        """Standard error of the mean, NaN for a single draw."""
        if self.count < 2:
            return np.full_like(self.mean, np.nan)
        return np.sqrt(self.squares / (self.count - 1) / self.count)


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
