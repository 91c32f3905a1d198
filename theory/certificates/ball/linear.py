"""Matrix products, and what is known exactly of decompositions, as enclosures."""

from collections.abc import (
    Callable,
    Mapping,
    Sequence,
)

import flint
import numpy as np

from theory.certificates.ball.arrays import operand_kind
from theory.certificates.ball.functions import divide, sqrt, total
from theory.certificates.ball.numbers import (
    INFINITY,
    NAN,
    UNKNOWN,
    Equation,
    Number,
    Undecided,
    Value,
    balls,
    less,
    objects,
    up_to,
)
from theory.certificates.ball.orders import order_statistics
from theory.certificates.ball.structure import Rule

arb = flint.arb
SWEEPS = 60  # of rotations over all pairs; a dozen is enough, and more bits take few more


def as_matrix(a: np.ndarray) -> Number:
    """A matrix of balls in the form that flint multiplies."""
    entries = [UNKNOWN if isinstance(x, float) else x for x in a.reshape(-1)]
    rows, columns = a.shape
    return flint.arb_mat(rows, columns, entries)


def product(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The product of two matrices of balls; of none to sum, 0."""
    shape = (a.shape[0], b.shape[1])
    result = np.empty(shape, object)
    if 0 in shape or 0 in a.shape:
        result[...] = arb(0)
        return result
    result.reshape(-1)[:] = (as_matrix(a) * as_matrix(b)).entries()
    return result


def dot_general(args: list[Value], eqn: Equation) -> Value:
    """Sums of products over some axes, for each place of others."""
    kinds = {operand_kind(eqn), "real"}
    (contracted, batched) = eqn.params["dimension_numbers"]
    left, right = (
        _in_groups(x, over, along) for x, over, along in zip(args, contracted, batched, strict=True)
    )
    (a, a_free), (b, b_free) = left, right
    along = tuple(args[0].shape[axis] for axis in batched[0])
    shape = (*along, *a_free, *b_free)
    if kinds != {"real"} and all(x.dtype != object for x in args):
        whole = np.matmul(a, b.transpose(0, 2, 1)).astype(eqn.outvars[0].aval.dtype)
        return whole.reshape(shape)
    a, b = (x if x.dtype == object else balls(x) for x in (a, b))
    parts = [product(m, n.T) for m, n in zip(a, b, strict=True)]
    if not parts:
        return np.empty(shape, object)
    return np.stack(parts).reshape(shape)


def _in_groups(
    x: np.ndarray, over: Sequence[int], along: Sequence[int]
) -> tuple[np.ndarray, tuple[int, ...]]:
    """x as (batch, free, contracted), and the shape of its free axes."""
    free = [axis for axis in range(x.ndim) if axis not in (*over, *along)]
    moved = x.transpose(*along, *free, *over)
    sizes = [int(np.prod([x.shape[axis] for axis in axes])) for axes in (along, free, over)]
    return moved.reshape(sizes), tuple(x.shape[axis] for axis in free)


def in_batches(function: Callable[..., Number], results: int) -> Callable[..., list[np.ndarray]]:
    """A function of matrices, for each place of the axes in front of them.

    Args:
      function: matrices → as many arrays as `results`.
      results: how many.
    """

    def of(*arrays: np.ndarray) -> list[np.ndarray]:
        front = arrays[0].shape[:-2]
        found = [function(*(a[place] for a in arrays)) for place in np.ndindex(front)]
        return [
            np.stack([one[k] for one in found]).reshape(*front, *found[0][k].shape)
            for k in range(results)
        ]

    return of


def solved_by_substitution(a: np.ndarray, b: np.ndarray, *, lower: bool, unit: bool) -> np.ndarray:
    """X with AX = B, of a triangular A, row by row."""
    n, x = len(a), b.copy()
    for k in range(n) if lower else reversed(range(n)):
        others = slice(0, k) if lower else slice(k + 1, n)
        row = x[k]
        if len(a[k, others]):
            row = row - product(a[k : k + 1, others], x[others])[0]
        x[k] = row if unit else [divide(value, a[k, k]) for value in row]
    return x


def triangular_solve(args: list[Value], eqn: Equation) -> Value:
    """X with AX = B or XA = B, A triangular or its transpose."""
    p = eqn.params

    def solve(a: np.ndarray, b: np.ndarray) -> list[np.ndarray]:
        turned = p["transpose_a"] != (not p["left_side"])  # XA = B is AᵀXᵀ = Bᵀ
        a, lower = (a.T, not p["lower"]) if turned else (a, p["lower"])
        b = b if p["left_side"] else b.T
        x = solved_by_substitution(a, b, lower=lower, unit=p["unit_diagonal"])
        return [x if p["left_side"] else x.T]

    return in_batches(solve, 1)(*args)


def cholesky(args: list[Value], eqn: Equation) -> Value:
    """The lower L with LLᵀ = A, from the lower half of A; NaN if A is not positive definite."""
    return in_batches(lambda a: [_cholesky(a)], 1)(args[0])


def _cholesky(a: np.ndarray) -> np.ndarray:
    n = len(a)
    lower = np.empty((n, n), object)
    lower[...] = arb(0)
    for j in range(n):
        below = a[j:, j]
        if j:
            below = below - product(lower[j:, :j], lower[j : j + 1, :j].T)[:, 0]
        positive = less(arb(0), below[0])
        if not positive:
            lower[...] = UNKNOWN if positive is None else NAN
            return lower
        pivot = below[0].sqrt()
        lower[j:, j] = [value / pivot for value in below]
    return lower


def lu(args: list[Value], eqn: Equation) -> Value:
    """PA = LU with the largest pivots, the first of equal ones; pivots and the order beside it."""
    lower_upper, pivots, order = in_batches(_lu, 3)(args[0])
    dtypes = [v.aval.dtype for v in eqn.outvars[1:]]
    return [lower_upper, pivots.astype(dtypes[0]), order.astype(dtypes[1])]


def _lu(a: np.ndarray) -> list[np.ndarray]:
    a = a.copy()
    rows, columns = a.shape
    pivots, order = np.arange(min(a.shape)), np.arange(rows)
    for k in range(len(pivots)):
        pivot = k + _largest([abs(x) for x in a[k:, k]])
        pivots[k] = pivot
        for array in (a, order):
            array[[k, pivot]] = array[[pivot, k]]
        if a[k, k] == 0:  # so are all below it
            continue
        a[k + 1 :, k] = [divide(x, a[k, k]) for x in a[k + 1 :, k]]
        if k + 1 < min(rows, columns) or columns > k + 1:
            step = product(a[k + 1 :, k : k + 1], a[k : k + 1, k + 1 :])
            a[k + 1 :, k + 1 :] = a[k + 1 :, k + 1 :] - step
    return [a, pivots, order]


def _largest(sizes: list[Number]) -> int:
    found = 0
    for k, size in enumerate(sizes[1:], 1):
        larger = less(sizes[found], size)
        if larger is None:
            raise Undecided("the largest pivot is undecided")
        found = k if larger else found
    return found


def eigenvalues(a: np.ndarray) -> np.ndarray:
    """Those of a symmetric matrix, in rising order, repeated ones too.

    With any regular Q, λ_k(QᵀAQ) = θ_k λ_k(A) with θ_k among the eigenvalues of QQᵀ (Ostrowski),
    and λ_k(S) is within ‖S − diag S‖_F of the k-th smallest entry of diag S (Weyl). A Q that
    nearly diagonalizes A comes from rotations (Jacobi), which nobody has to trust.
    """
    result = np.empty(len(a), object)
    result[...] = UNKNOWN
    if any(isinstance(x, float) or not x.is_finite() for x in a.flat):
        return result
    q = _nearly_diagonalizing(a)
    s = product(product(q.T, a), q)
    defect = _off(product(q, q.T) - np.diag(objects(arb, np.ones(len(a), int)))).upper()
    if not defect < 1:
        return result
    off = s.copy()
    np.fill_diagonal(off, arb(0))
    error = arb(0, _off(off).upper())
    found = order_statistics([x + error for x in np.diagonal(s)])
    result[:] = [x / (1 + arb(0, defect)) for x in found]
    return result


def _off(a: np.ndarray) -> Number:
    """‖A‖_F."""
    return sum((abs(x).upper() ** 2 for x in a.flat), arb(0)).upper().sqrt()


def _nearly_diagonalizing(a: np.ndarray) -> np.ndarray:
    """A nearly orthogonal Q, of radius 0, with a nearly diagonal QᵀAQ for the midpoints of A."""
    n = len(a)
    s = objects(lambda x: x.mid(), a)
    q = np.diag(objects(arb, np.ones(n, int)))
    q[q == 0] = arb(0)
    tiny = arb(2) ** (8 - flint.ctx.prec) * (_off(s) + arb(2) ** -flint.ctx.prec)
    for _ in range(SWEEPS):
        largest = arb(0)
        for i in range(n):
            for j in range(i + 1, n):
                largest = arb.max(largest, abs(s[i, j]))
                if abs(s[i, j]) > tiny:
                    _rotate(s, q, i, j)
        if not largest > tiny:
            break
    return q


def _rotate(s: np.ndarray, q: np.ndarray, i: int, j: int) -> None:
    """Makes s_ij nearly 0 by a rotation of the coordinates i and j."""
    slope = (s[j, j] - s[i, i]) / (2 * s[i, j])
    size = abs(slope) + (1 + slope**2).sqrt()
    tangent = ((-1 if slope < 0 else 1) / size).mid()
    cosine = (1 / (1 + tangent**2).sqrt()).mid()
    sine = (tangent * cosine).mid()
    for matrix in (s.T, s, q):  # rows of s, then columns of s and of q
        first, second = matrix[:, i].copy(), matrix[:, j].copy()
        matrix[:, i] = [(cosine * x - sine * y).mid() for x, y in zip(first, second, strict=True)]
        matrix[:, j] = [(sine * x + cosine * y).mid() for x, y in zip(first, second, strict=True)]


def eigh(args: list[Value], eqn: Equation) -> Value:
    """Eigenvectors (of which nothing is said) and eigenvalues of symmetric matrices."""
    lower = eqn.params["lower"]

    def of(a: np.ndarray) -> list[np.ndarray]:
        half = np.tril(np.ones(a.shape, bool)) if lower else np.triu(np.ones(a.shape, bool))
        return [eigenvalues(np.where(half, a, a.T))]

    vectors = LookupError("eigenvectors of eigh")
    return [vectors, *in_batches(of, 1)(args[0])]


def svd(args: list[Value], eqn: Equation) -> Value:
    """Singular values, falling, as roots of the eigenvalues of AᵀA or AAᵀ; no singular vectors."""

    def of(a: np.ndarray) -> list[np.ndarray]:
        a = a if len(a) <= a.shape[1] else a.T
        squares = eigenvalues(product(a, a.T))[::-1]
        root = total(sqrt, (NAN, INFINITY))
        return [objects(lambda x: root(_not_negative(x)), squares)]

    vectors = [LookupError("singular vectors of svd") for _ in eqn.outvars[1:]]
    return [*in_batches(of, 1)(args[0]), *vectors]


def _not_negative(x: Number) -> Number:
    """The part of the ball of a number that is known to be ≥ 0."""
    return x if isinstance(x, float) or x >= 0 or x < 0 or not x.is_finite() else up_to(x.upper())


LINEAR: Mapping[str, Rule] = {
    "dot_general": dot_general,
    "triangular_solve": triangular_solve,
    "cholesky": cholesky,
    "lu": lu,
    "eigh": eigh,
    "svd": svd,
}
