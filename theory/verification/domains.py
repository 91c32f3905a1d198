"""What parts of an instance may be, where a theorem speaks of more than its sampler draws."""

import dataclasses
import math
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from theory._validation import check_real


@dataclasses.dataclass(frozen=True)
class Reals:
    """All real numbers in [low, high].

    Raises:
      ValueError: unless low < high.
    """

    low: float = -math.inf
    high: float = math.inf

    def __post_init__(self) -> None:
        for name in ("low", "high"):
            if math.isnan(getattr(self, name)):
                raise ValueError(f"{name} must be a number, got nan")
        if self.low >= self.high:
            raise ValueError(f"low must be below high = {self.high:g}, got {self.low:g}")
        for name in ("low", "high"):
            if math.isfinite(getattr(self, name)):
                check_real(name, getattr(self, name))

    def project(self, values: Array) -> Array:
        """The nearest numbers of the domain."""
        return jnp.clip(values, self.low, self.high)


@dataclasses.dataclass(frozen=True)
class Signs:
    """The labels ±1."""

    def project(self, values: Array) -> Array:
        """The sign of each number, 1 for 0."""
        return jnp.where(values >= 0, 1, -1).astype(values.dtype)


Domain = Reals | Signs


def leaf_names(tree: Any) -> list[str]:
    """The names of a pytree's leaves, "x" or "params.w"; "" of a tree that is one array."""
    return [
        ".".join(_part(part) for part in path)
        for path, _ in jax.tree_util.tree_flatten_with_path(tree)[0]
    ]


def _part(part: Any) -> str:
    for attribute in ("name", "key", "idx"):
        if hasattr(part, attribute):
            return str(getattr(part, attribute))
    return str(part)
