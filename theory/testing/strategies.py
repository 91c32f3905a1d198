"""Hypothesis strategies for property tests: labelled data, networks, training settings.

They need the package hypothesis, which the extra `test` installs. Shapes are fixed by the caller,
because every new shape is compiled anew; Hypothesis varies the values.
"""

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from jaxtyping import Float

from theory._types import PyTree
from theory._validation import (
    check_choice,
    check_integer,
    check_real,
    check_slope,
    takes_numbers,
)
from theory.data.degenerate import DEGENERATE, degenerate
from theory.data.sampling import Dataset
from theory.keys import make_key
from theory.networks.descent import LOSSES, Descent
from theory.networks.network import Network, Params, init
from theory.parameters import Parameters

KINDS = (
    "generic",
    "orthogonal",
    "near-orthogonal",
    "repeated",
    "parallel",
    "tiny",
    "huge",
)
Draw: TypeAlias = Callable[[st.SearchStrategy], PyTree]  # what `st.composite` hands in


class LabelledPoints(NamedTuple):
    """Points and labels. x: (n, d) float64.  y: (n,) ±1, both classes present if n > 1."""

    x: Float[np.ndarray, "n d"]
    y: Float[np.ndarray, " n"]


@takes_numbers
def slopes(*, open_low: bool = False) -> st.SearchStrategy[float]:
    """Slopes γ in [0, 1), or in (0, 1) with open_low: at least 1e-3 from an open end."""
    return st.floats(1e-3 if open_low else 0.0, 1 - 1e-3)


@takes_numbers
def labels(n: int, *, both: bool = True) -> st.SearchStrategy[np.ndarray]:
    """(n,) labels ±1; both classes are present if `both` and n > 1."""
    check_integer("n", n)
    one = st.lists(st.sampled_from((-1.0, 1.0)), min_size=n, max_size=n)
    if both and n > 1:
        one = one.filter(lambda y: len(set(y)) == 2)
    return one.map(np.array)


def _entries(low: float = -3.0, high: float = 3.0) -> st.SearchStrategy[float]:
    """Multiples of 1/1024: products of them do not underflow."""
    return st.integers(round(1024 * low), round(1024 * high)).map(lambda k: k / 1024)


@takes_numbers
def labelled_points(
    *,
    n: int = 5,
    d: int = 8,
    kinds: Sequence[str] | None = None,
    load: float = 0.9,
    slope: float = 0.5,
) -> st.SearchStrategy[LabelledPoints]:
    """Labelled points of one of several kinds.

    "generic": entries in [−3, 3], multiples of 1/1024, zeros and equal entries included.
    "orthogonal": orthogonal points of norms in [½, 2]. "near-orthogonal": norm 1 and
    max_{j≠k}|⟨x_j, x_k⟩| at most load·γ³/(3n), what `orthogonal.decision-boundary` needs.
    Degenerate on purpose: "repeated" points, "parallel" points (all multiples of one), "tiny" and
    "huge" norms (×10^∓6).

    Args:
      n, d: number of points and dimension.
      kinds: the kinds to draw from, a subset of `KINDS`; all that n and d allow if None: the
        orthogonal ones need n ≤ d.
      load: share of the near-orthogonality threshold that may be used, in [0, 1].
      slope: γ in that threshold.

    Returns:
      A strategy for `LabelledPoints`; no point is zero.

    Raises:
      ValueError: for sizes below 1, unknown kinds, or orthogonal ones asked for with n > d.
    """
    check_integer("n", n)
    check_integer("d", d)
    check_real("load", load, low=0, high=1)
    check_slope(slope)
    for kind in kinds or ():
        check_choice("kinds", kind, KINDS)
    if n > d and any("orthogonal" in kind for kind in kinds or ()):
        raise ValueError(f"n must be at most d = {d} for orthogonal points, got {n}")
    chosen = kinds or [kind for kind in KINDS if n <= d or "orthogonal" not in kind]
    return _labelled_points(st.sampled_from(chosen), n, d, load * slope**3 / (3 * n))


# What runs while Hypothesis draws must not touch the module `random`, and runtime type checkers
# pick the entries of a sequence, or tuple, that they check at random: none is annotated below.


@st.composite
def _labelled_points(
    draw: Draw, kinds: st.SearchStrategy[str], n: int, d: int, p_max: float
) -> PyTree:
    kind = draw(kinds)
    y = draw(labels(n))
    if "orthogonal" in kind:
        return LabelledPoints(draw(_nearly_orthogonal(kind, n, d, p_max)), y)
    x = draw(hnp.arrays(np.float64, (n, d), elements=_entries()))
    x[:, 0] += np.where(np.any(x, axis=1), 0.0, 1.0)  # no point at the origin
    if kind in DEGENERATE:
        x = degenerate(kind, x, np.random.default_rng(draw(st.integers(0, 2**32 - 1))))
    return LabelledPoints(x, y)


@st.composite
def _nearly_orthogonal(draw: Draw, kind: str, n: int, d: int, p_max: float) -> np.ndarray:
    """A Gram matrix of the kind, factorized, in a rotated basis."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    basis, _ = np.linalg.qr(rng.normal(size=(d, n)))
    if kind == "orthogonal":
        return draw(hnp.arrays(np.float64, n, elements=_entries(0.5, 2.0)))[:, None] * basis.T
    raw = draw(hnp.arrays(np.float64, (n, n), elements=_entries(-1.0, 1.0)))
    off_diagonal = np.triu(raw, 1) + np.triu(raw, 1).T
    return np.linalg.cholesky(np.eye(n) + p_max * off_diagonal) @ basis.T


@takes_numbers
def datasets(
    *, n: int = 16, d: int = 8, kinds: Sequence[str] | None = None
) -> st.SearchStrategy[Dataset]:
    """`Dataset`s of `labelled_points`, for the `data` parameter of a statement."""
    return labelled_points(n=n, d=d, kinds=kinds).map(lambda p: Dataset("hypothesis", p.x, p.y))


@takes_numbers
def networks(network: Network, *, m: int = 6, d: int = 8) -> st.SearchStrategy[Params]:
    """Initial weights of a parameterization, or degenerate ones.

    Besides draws of the initial law: all neurons equal, some neurons dead (zero weights), and a
    readout that is zero.

    Args:
      network: the parameterization.
      m, d: width and dimension.

    Returns:
      A strategy for `Params`.

    Raises:
      ValueError: for sizes below 1.
    """
    seeds = st.integers(0, 2**32 - 1)
    return st.builds(
        lambda seed, change: change(init(network, make_key(seed), m, d)),
        seeds,
        st.sampled_from((_drawn, _equal, _dead, _silent)),
    )


def _drawn(params: Params) -> Params:
    return params


def _equal(params: Params) -> Params:
    return params._replace(w=params.w.at[:].set(params.w[0]), b=params.b.at[:].set(params.b[0]))


def _dead(params: Params) -> Params:
    half = len(params.a) // 2
    return params._replace(w=params.w.at[:half].set(0), b=params.b.at[:half].set(0))


def _silent(params: Params) -> Params:
    return params._replace(a=0 * params.a)


@takes_numbers
def descents(
    *,
    steps: int = 10,
    losses: Sequence[str] = tuple(LOSSES),
    max_rate: float = 1.0,
    max_momentum: float = 0.95,
) -> st.SearchStrategy[Descent]:
    """`Descent`s of a fixed number of steps, learning rate in (0, max_rate], momentum or none.

    Raises:
      ValueError: for no loss or an unknown one, or a rate or momentum out of range.
    """
    check_real("max_rate", max_rate, low=0, open_low=True)
    check_real("max_momentum", max_momentum, low=0, high=1, open_high=True)
    if not losses:
        raise ValueError(f"losses must be one at least of {', '.join(sorted(LOSSES))}, got none")
    for loss in losses:
        check_choice("losses", loss, LOSSES)
    return st.builds(
        Descent,
        learning_rate=st.floats(0, max_rate, exclude_min=True, allow_subnormal=False),
        steps=st.just(steps),
        loss=st.sampled_from(tuple(losses)),
        momentum=st.floats(0, max_momentum),
        nesterov=st.booleans(),
    )


@takes_numbers
def configurations(
    default: Parameters, *names: str, largest: float = 100.0
) -> st.SearchStrategy[Parameters]:
    """Configurations with the named parameters drawn from their declared ranges.

    Args:
      default: a configuration, which keeps all other parameters.
      names: parameters to vary; integers change shapes and so cost a compilation per value.
      largest: limit on the size of numbers whose range has none.

    Returns:
      A strategy for configurations of the class of `default`.

    Raises:
      ValueError: for a name that is no parameter, or a limit that is not positive.
    """
    check_real("largest", largest, low=0, open_low=True)
    fields = {field.name: field for field in dataclasses.fields(default)}  # pyright: ignore
    for name in names:
        check_choice("names", name, fields)
    drawn = {name: _in_range(fields[name].metadata, largest) for name in names}
    return st.fixed_dictionaries(drawn).map(
        lambda values: dataclasses.replace(default, **values)  # pyright: ignore
    )


def _in_range(rule: Mapping[str, Any], largest: float) -> st.SearchStrategy[object]:
    if rule["choices"]:
        return st.sampled_from(rule["choices"])
    if rule["type"] is bool:
        return st.booleans()
    low = -largest if rule["low"] is None else rule["low"]
    high = largest if rule["high"] is None else rule["high"]
    if rule["type"] is int:
        whole = st.integers(math.ceil(low), math.floor(high))
        return whole.filter(lambda value: value % 2 == 0) if rule["even"] else whole
    # Values that touch an open end to within rounding test the arithmetic, not the statement.
    room = 1e-3 * (high - low)
    return st.floats(
        low + (room if rule["open_low"] else 0), high - (room if rule["open_high"] else 0)
    )
