"""How well a geometry-inspired perturbation aligns with a gradient one, on orthogonal data.

Cosines at infinite training time for orthogonal points of equal norm, as many of either label.
There ∇f(x_k) ∝ u₊ − γu₋ or γu₊ − u₋, and with the normal q it spans a plane that is uniform among
all planes where the points are rotated at random.
"""

import itertools
import math
from typing import NamedTuple

import numpy as np
from scipy import special

from theory._types import PositiveFloat
from theory._validation import check_choice, check_integer, check_real, takes_numbers


@takes_numbers
def gradient_cosine(slope: PositiveFloat) -> float:
    """cos(y_k∇f(x_k), q) = (1 + γ)²/(√2 √((1 + γ²)² + 4γ²)), between perturbations in ℓ₂.

    Args:
      slope: γ in (0, 1).

    Source:
      K24a section 4, with the closed form of the limit (ours).
    """
    return (1 + slope) ** 2 / (math.sqrt(2) * math.hypot(1 + slope**2, 2 * slope))


@takes_numbers
def normal_cosine(norm: str, fraction: float = 0.05) -> float:
    """cos(v, q) of a normal q with Gaussian coordinates and v = v(q) in ℓ₂, ℓ∞ or ℓ₀.

    1 in ℓ₂; E|A| = √(2/π) in ℓ∞; in ℓ₀ E[|A|; |A| > t]/√P(|A| > t) = 2φ(t)/√fraction, A standard
    normal with density φ and P(|A| > t) = fraction. Asymptotic in d.

    Args:
      norm: "l0", "l2" or "linf".
      fraction: of "l0", share of the coordinates that are changed, in (0, 1].

    Raises:
      ValueError: for another norm, or a fraction out of range.
    """
    check_choice("norm", norm, ("l0", "l2", "linf"))
    check_real("fraction", fraction, low=0, high=1, open_low=True)
    t = -float(special.ndtri(fraction / 2))
    return {
        "l2": 1.0,
        "linf": math.sqrt(2 / math.pi),
        "l0": 2 * _density(t) / math.sqrt(fraction),
    }[norm]


def _density(a: float) -> float:
    """φ, of the standard normal law."""
    return math.exp(-(a**2) / 2) / math.sqrt(2 * math.pi)


class Shift(NamedTuple):
    """What an attack adds to a point on average: its ℓ₂ length, and its cosine to the normal q."""

    length: float
    cosine: float


@takes_numbers
def maximum_norm_shift(d: int, epsilon: float, steps: int, step_size: float) -> Shift:
    """Of K steps along q/max|q|, clipped at ε: min(Kη|q_i|/max|q|, ε) along the signs of q.

    Coordinates of q are taken to be normal quantiles, and the gradient to stay along q.

    Args:
      d: dimension.
      epsilon: ε > 0.
      steps: K ≥ 1.
      step_size: η > 0.

    Raises:
      ValueError: for arguments outside their range.
    """
    check_real("epsilon", epsilon, low=0, open_low=True)
    check_real("step_size", step_size, low=0, open_low=True)
    size = _normal_sizes(d)
    return _shift(np.minimum(check_integer("steps", steps) * step_size * size / size[0], epsilon))


@takes_numbers
def growing_support_shift(d: int, steps: int, step_size: float, boxed: bool = False) -> Shift:
    """Of `attacks.growing_support` where the gradient stays along q.

    The coordinate that is the i-th largest is chosen at step i and moves K − i + 1 times, by p_i =
    (K − i + 1)η|q_i|/max|q| in all. In the box [−1, 1]^d a uniform coordinate moves by
    E[min(u + p, 1) − u] = p − p²/4 on average, 1 from p = 2 on.

    Args:
      d: dimension.
      steps: K in [1, d].
      step_size: η > 0.
      boxed: whether points are uniform in [−1, 1]^d and kept there.

    Raises:
      ValueError: for arguments outside their range.
    """
    check_integer("steps", steps, high=check_integer("d", d))
    check_real("step_size", step_size, low=0, open_low=True)
    size = _normal_sizes(d)
    push = np.maximum(steps - np.arange(d), 0) * step_size * size / size[0]
    return _shift(np.where(push < 2, push - push**2 / 4, 1.0) if boxed else push)


def _normal_sizes(d: int) -> np.ndarray:
    """|coordinates| of a normal vector in d dimensions, by quantiles, the largest first."""
    return -special.ndtri((np.arange(check_integer("d", d)) + 0.5) / (2 * d))


def _shift(moved: np.ndarray) -> Shift:
    size = _normal_sizes(len(moved))
    length = float(np.linalg.norm(moved))
    return Shift(length, float(moved @ size) / (length * float(np.linalg.norm(size))))


@takes_numbers
def sign_cosine(cosine: float) -> float:
    """(2/π) arcsin c, the expected cosine between sgn v and sgn w where cos(v, w) = c.

    Exact in every dimension for v, w in a uniform random plane: the coordinates (v_i, w_i) are a
    fixed image of a pair that is uniform in direction, and signs depend on directions alone.

    Args:
      cosine: c in [−1, 1].
    """
    check_real("cosine", cosine, low=-1, high=1)
    return 2 / math.pi * math.asin(cosine)


@takes_numbers
def largest_sign_cosine(cosine: float, fraction: float) -> float:
    """The same where only the ⌈fraction·d⌉ largest |coordinates| of each keep their signs.

    (2/fraction) [P(A > t, B > t) − P(A > t, B < −t)] for standard normal A, B of correlation c and
    t their quantile with P(|A| > t) = fraction. Asymptotic: at finite d the largest coordinates are
    those above a random threshold, which moves the expectation by less than one coordinate.

    Args:
      cosine: c in (−1, 1).
      fraction: share of the coordinates, in (0, 1].
    """
    check_real("cosine", cosine, low=-1, high=1, open_low=True, open_high=True)
    check_real("fraction", fraction, low=0, high=1, open_low=True)
    from scipy import integrate  # slow to import

    t = -float(special.ndtri(fraction / 2))
    spread = math.sqrt(1 - cosine**2)

    def both(a: float) -> float:
        above = special.ndtr((cosine * a - t) / spread)
        return float(_density(a) * (above - special.ndtr((-t - cosine * a) / spread)))

    # Split where B turns from unlikely to likely, which is a step of width √(1 − c²).
    middle = t / abs(cosine) if cosine else t
    parts = (t, middle, middle + 8 * spread + 1, max(middle + 9, 40.0))
    pieces = itertools.pairwise(parts)
    return 2 / fraction * sum(integrate.quad(both, low, high)[0] for low, high in pieces)
