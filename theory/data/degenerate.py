"""Degenerate arrays, where theorems about data in general position go wrong first.

Property tests (`theory.testing.strategies`) and `theory.falsify` share them.
"""

from collections.abc import Callable

import numpy as np

TINY, HUGE = 1e-6, 1e6

Change = Callable[[np.ndarray, np.random.Generator], np.ndarray]


def _repeated(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return x[rng.integers(0, len(x), len(x))]


def _parallel(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    factors = rng.choice([-2.0, -1.0, 0.5, 1.0, 3.0], len(x))
    return factors.reshape(-1, *(1,) * (x.ndim - 1)) * x[:1]


def _antiparallel(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    signs = np.where(np.arange(len(x)) % 2, -1.0, 1.0)
    return signs.reshape(-1, *(1,) * (x.ndim - 1)) * x[:1]


def _nearly_parallel(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return x[:1] + 10.0 ** rng.uniform(-8, -1) * x


def _pair(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    changed = x.copy()
    changed[-1] = changed[0]
    return changed


def _zero_entry(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    changed = x.copy()
    changed[rng.integers(len(x))] = 0
    return changed


def _sparse(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    kept = np.zeros(x.size, bool)
    kept[rng.integers(x.size)] = True
    return np.where(kept.reshape(x.shape), x, 0.0)


def _constant(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return np.full_like(x, x.flat[0])


# name → what it makes of an array (rows along the first axis) with a generator of random choices.
DEGENERATE: dict[str, Change] = {
    "repeated": _repeated,
    "parallel": _parallel,
    "antiparallel": _antiparallel,
    "nearly parallel": _nearly_parallel,
    "equal pair": _pair,
    "zero entry": _zero_entry,
    "sparse": _sparse,
    "constant": _constant,
    "zero": lambda x, rng: np.zeros_like(x),
    "tiny": lambda x, rng: TINY * x,
    "huge": lambda x, rng: HUGE * x,
}


def degenerate(kind: str, x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The array made degenerate.

    Args:
      kind: of `DEGENERATE`. Rows are "repeated" (drawn from the rows with replacement), "parallel"
        (multiples of the first by −2, −1, ½, 1 or 3), "antiparallel" (± the first), "nearly
        parallel" (the first plus 10⁻⁸ to 10⁻¹ of each), or an "equal pair" (the last is the first);
        a "zero entry" is a row that is 0; "sparse" keeps one number, "constant" repeats one;
        "zero", "tiny" (×10⁻⁶) and "huge" (×10⁶) are about all.
      x: (n, …) floats, n ≥ 1; not changed.
      rng: what chooses.

    Returns:
      An array of the shape of x.
    """
    return DEGENERATE[kind](np.atleast_1d(x), rng).reshape(x.shape)
