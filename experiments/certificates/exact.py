"""Claims of certificates that rationals and a few balls decide: separability, limits, counts.

Nothing but `fractions` and python-flint is used, for `check` without JAX, NumPy or `theory`.
"""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import Any

import flint

from experiments.certificates.functions import float_of

BITS = (64, 128, 256, 512, 1024)
TIGHT = Fraction(1, 10**9)  # how close stated numbers lie to the true ones, relative
arb = flint.arb


class Refused(Exception):
    """A claim that does not follow."""


def require(holds: bool, what: str) -> None:
    """Refused unless it holds."""
    if not holds:
        raise Refused(what)


def number(text: str) -> Fraction:
    """The rational number that a float in hexadecimal is."""
    value = float_of(text)
    if not math.isfinite(value):
        raise ValueError(f"a number must be finite, got {text!r}")
    return Fraction(value)


def numbers(texts: Any) -> list[Fraction]:
    """A list of them."""
    if not isinstance(texts, list):
        raise ValueError("a list of numbers in hexadecimal must stand there")
    return [number(text) for text in texts]


def ball(value: Fraction) -> Any:
    """A ball that holds a rational number."""
    return arb(flint.fmpq(value.numerator, value.denominator))


def _near(
    stated: Fraction, below: Callable[[Fraction], bool], room: Fraction = Fraction(1, 10**300)
) -> bool:
    """Whether a stated lower bound is one, and nearly the largest: below(v) says "v is one"."""
    return below(stated) and not below(stated + abs(stated) * TIGHT + room)


# --- separability ---------------------------------------------------------------------------------


def _points(content: Mapping[str, Any]) -> tuple[list[list[Fraction]], list[int]]:
    points, labels = [numbers(row) for row in content["points"]], content["labels"]
    if len(points) != len(labels) or not points or len({len(p) for p in points}) > 1:
        raise ValueError("points must be rows of one length, with a label each")
    require(all(label in (-1, 1) for label in labels), "labels must be −1 or 1")
    return points, labels


def _dot(u: Sequence[Fraction], v: Sequence[Fraction]) -> Fraction:
    return sum((a * b for a, b in zip(u, v, strict=True)), Fraction(0))


def _signed(content: Mapping[str, Any]) -> list[list[Fraction]]:
    points, labels = _points(content)
    more = [Fraction(1)] if content["affine"] else []
    return [
        [label * entry for entry in [*p, *more]] for p, label in zip(points, labels, strict=True)
    ]


def separator(content: Mapping[str, Any]) -> list[str]:
    """y_k⟨v, x_k⟩ > 0 for all k, and the smallest cosine."""
    signed, v = _signed(content), numbers(content["vector"])
    products = [_dot(point, v) for point in signed]
    for k, product in enumerate(products):
        require(product > 0, f"point {k} is not on its side: y⟨v, x⟩ ≤ 0")
    square = min(p**2 / (_dot(x, x) * _dot(v, v)) for p, x in zip(products, signed, strict=True))
    close = _near(number(content["margin"]), lambda m: m > 0 and m**2 <= square)
    require(close, "the margin is not the stated one")
    return [f"points are separated, {len(signed)}, with margin {float(square) ** 0.5:.6g}"]


def _ratio(text: str) -> Fraction:
    """A number as "p/q". Fraction reads "1e999999999" too, and never ends."""
    if not re.fullmatch(r"-?[0-9]+(/[0-9]+)?", text):
        raise ValueError(f"a multiplier must be p/q, got {text!r:.40}")
    return Fraction(text)


def inseparable(content: Mapping[str, Any]) -> list[str]:
    """λ ≥ 0, Σ λ_k = 1 and Σ λ_k y_k x_k = 0: by Gordan no v separates the points."""
    signed = _signed(content)
    multipliers = [_ratio(text) for text in content["multipliers"]]
    require(len(multipliers) == len(signed), "a multiplier for each point is needed")
    require(min(multipliers) >= 0, "multipliers must not be negative")
    require(sum(multipliers) == 1, "multipliers must add up to 1")
    for i, column in enumerate(zip(*signed, strict=True)):
        require(_dot(multipliers, column) == 0, f"Σ λ_k y_k x_k is not 0 in coordinate {i}")
    return [f"points are not separable, {len(signed)}: Σ λ_k y_k x_k = 0 exactly"]


# --- the max-margin limit -------------------------------------------------------------------------


def _solved(gram: list[list[Fraction]], labels: list[int], g: Fraction, on: list[int]) -> list[Any]:
    """λ of H_AA λ_A = 2·1, exactly."""
    factor = {True: 1 + g * g, False: -2 * g}
    rows = [[factor[labels[j] == labels[k]] * gram[j][k] for k in on] for j in on]
    entries = [flint.fmpq(h.numerator, h.denominator) for row in rows for h in row]
    system = flint.fmpq_mat(len(on), len(on), entries)
    require(system.det() != 0, "H is singular on the support vectors")
    solution = system.solve(flint.fmpq_mat(len(on), 1, [2] * len(on))).entries()
    found = [Fraction(0)] * len(labels)
    for k, entry in zip(on, solution, strict=True):
        found[k] = Fraction(int(entry.p), int(entry.q))
    return found


def closed_form(content: Mapping[str, Any]) -> tuple[Fraction, list[Fraction]]:
    """The smallest margin of the certificate, and the multipliers, both exact.

    Raises:
      Refused: if a margin is not positive.
    """
    (points, labels), g = _points(content), number(content["slope"])
    require(0 < g < 1, "the slope must lie in (0, 1)")
    on = [k for k, active in enumerate(content["active"]) if active]
    require(len(content["active"]) == len(points) and bool(on), "active must say which points are")
    gram = [[_dot(p, q) for q in points] for p in points]
    multipliers = _solved(gram, labels, g, on)
    everything, whole = [], []
    for k, label in enumerate(labels):
        response = [weight * gram[j][k] for j, weight in enumerate(multipliers)]
        agrees = [y == label for y in labels]
        own = _dot([Fraction(1) if a else -g for a in agrees], response)  # ⟨u_{y_k}, x_k⟩
        other = _dot([-g if a else Fraction(1) for a in agrees], response)
        slack = _dot([1 + g * g if a else -2 * g for a in agrees], response) / 2 - 1
        everything += [multipliers[k] if k in on else slack, own, -other]
        ahead = [r for r, a in zip(response, agrees, strict=True) if a and r > 0]
        whole.append(2 * own - (1 - g) * sum(ahead, Fraction(0)))
    everything += whole if content["global"] else []
    what = "global" if content["global"] else "KKT"
    require(min(everything) > 0, f"a margin of the {what} certificate is not positive")
    return min(everything), multipliers


def max_margin(content: Mapping[str, Any]) -> list[str]:
    """The closed form H_AA λ_A = 2·1 of `theory.certificates.max_margin` is a KKT point, or more.

    λ_k > 0 on A and ½(Hλ)_k > 1 off it, y_k⟨u₊, x_k⟩ > 0 > y_k⟨u₋, x_k⟩; for the global maximum
    2⟨u_{y_k}, x_k⟩ > (1 − γ) Σ_{y_j = y_k} λ_j max(⟨x_j, x_k⟩, 0).
    """
    smallest, multipliers = closed_form(content)
    stated, error = numbers(content["multipliers"]), number(content["error"])
    off = max(abs(a - b) for a, b in zip(multipliers, stated, strict=True))
    largest = max(map(abs, stated))
    require(off <= error <= TIGHT * largest, "multipliers are not the stated ones")
    close = _near(number(content["margin"]), lambda m: 0 < m <= smallest)
    require(close, "the smallest margin is not the stated one")
    kind = "the global max margin" if content["global"] else "a KKT point"
    count = sum(content["active"])
    return [f"the closed form on {count} of n = {len(stated)} points is {kind}"]


# --- counts ---------------------------------------------------------------------------------------


def tail(failures: int, probabilities: Sequence[Fraction], draws: int) -> Any:
    """P(at least so many failures) as a ball; one probability stands for all draws."""
    if failures <= 0:
        return arb(1)
    if failures > draws:
        return arb(0)
    if len(set(probabilities)) == 1:
        p = probabilities[0]
        if p in (0, 1):
            return arb(int(p))
        return ball(p).beta_lower(failures, draws - failures + 1, 1)
    factors = [flint.arb_poly([ball(1 - p), ball(p)]) for p in probabilities]
    while len(factors) > 1:
        rest = factors[2 * (len(factors) // 2) :]
        factors = [a * b for a, b in zip(factors[::2], factors[1::2], strict=False)] + rest
    return sum(list(factors[0].coeffs())[failures:], arb(0))


def _below(of: Callable[[], Any], bound: Fraction, what: str) -> bool:
    for flint.ctx.prec in BITS:
        value = of()
        if value <= ball(bound) or value > ball(bound):
            return bool(value <= ball(bound))
    raise Refused(f"{what} is undecided")


def counts(content: Mapping[str, Any]) -> list[str]:
    """Limits by Clopper and Pearson, and the test of the counts against what is allowed.

    P(Bin(n, low) ≥ k) ≤ α/2 and P(Bin(n, high) ≤ k) ≤ α/2, each nearly with equality; refuted if
    k > 1 failures or more have at most the probability `level` in n trials with those allowed.
    """
    k, n = content["failures"], content["draws"]
    if type(k) is not int or type(n) is not int or not 0 <= k <= n <= 10**7 or n < 1:
        raise ValueError("failures and draws must be whole numbers, 0 ≤ failures ≤ draws ≤ 10⁷")
    confidence = number(content["confidence"])
    require(0 < confidence < 1, "the confidence must lie in (0, 1)")
    half = (1 - confidence) / 2
    low, high = numbers(content["limits"])

    def fits(q: Fraction) -> bool:  # P(Bin(n, q) ≥ k) ≤ half
        return q <= 0 or (q < 1 and _below(lambda: tail(k, [q], n), half, "a limit"))

    def fits_above(q: Fraction) -> bool:  # P(Bin(n, 1 − q) ≤ k) ≤ half
        return q <= 0 or (q < 1 and _below(lambda: tail(n - k, [q], n), half, "a limit"))

    lower = low == 0 if k == 0 else _near(low, fits)
    require(lower, "the lower limit is not that of Clopper and Pearson")
    upper = high == 1 if k == n else _near(1 - high, fits_above, Fraction(1, 2**50))
    require(upper, "the upper limit is not that of Clopper and Pearson")
    lines = [
        f"failures in {k} of n = {n} draws: a rate in [{float(low):.6g}, {float(high):.6g}] "
        f"with confidence {float(confidence):.6g}"
    ]
    if content["allowed"] is None:
        return lines
    allowed, level = numbers(content["allowed"]), number(content["level"])
    require(0 < level < 1, "the level must lie in (0, 1)")
    require(all(0 <= p <= 1 for p in allowed), "allowed probabilities must lie in [0, 1]")
    require(len(allowed) in (1, n), "one allowed probability is needed, or one for each draw")
    first, last = numbers(content["tail"])
    require(last - first <= TIGHT * last, "the tail probability is too wide")
    within = _below(lambda: tail(k, allowed, n), last, "the tail") and not (
        first > 0 and _below(lambda: tail(k, allowed, n), first * (1 - TIGHT), "the tail")
    )
    require(within, "the tail probability is not the stated one")
    refuted = k > 1 and _below(lambda: tail(k, allowed, n), level, "the test")
    require(content["refuted"] is refuted, "the verdict does not follow from the counts")
    said = f"{'' if refuted else 'not '}refuted at level {float(level):.6g}"
    return [*lines, f"so many failures have probability {float(last):.6g}: {said}"]
