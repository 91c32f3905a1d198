"""The mean-field limit of erf networks that learn one neuron on Gaussian inputs, by quadrature.

The law of the weights θ = (s, θ_⊥), s along the teacher, keeps the symmetry of rotations of θ_⊥: it
is one of (s, r), r = |θ_⊥|, and two neurons meet at ss' + rr'c, c the cosine of independent
directions. Three Gauss rules, of s, r² and c, stand for it, and each of their nodes moves.
"""

import functools
import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from theory._validation import check_integer, check_real
from theory.networks.flow import runge_kutta
from theory.networks.population import correlation, slope_in_product


class Rule(NamedTuple):
    """Nodes and weights of a Gauss rule, whose weights add up to 1."""

    nodes: Float[np.ndarray, " k"]
    weights: Float[np.ndarray, " k"]


def gauss_rule(diagonal: Float[np.ndarray, " k"], beside: Float[np.ndarray, " k-1"]) -> Rule:
    """The rule of a law by the recurrence of its orthonormal polynomials.

    Args:
      diagonal: (k,) a_0, …, a_{k−1} of xp_j = b_{j+1}p_{j+1} + a_jp_j + b_jp_{j−1}.
      beside: (k − 1,) b_1, …, b_{k−1}.

    Returns:
      The k nodes, eigenvalues of the Jacobi matrix, and weights, squared first entries of its
      eigenvectors.

    Source:
      G. Golub, J. Welsch, Calculation of Gauss quadrature rules (1969).
    """
    nodes, vectors = np.linalg.eigh(np.diag(diagonal) + np.diag(beside, 1) + np.diag(beside, -1))
    return Rule(nodes, vectors[0] ** 2)


def normal_rule(k: int) -> Rule:
    """Of N(0, 1): a = 0, b_j² = j."""
    return gauss_rule(np.zeros(k), np.sqrt(np.arange(1.0, k)))


def gamma_rule(shape: float, k: int) -> Rule:
    """Of the density x^{p−1}e^{−x}/Γ(p): a_j = 2j + p, b_j² = j(j + p − 1)."""
    j = np.arange(float(k))
    return gauss_rule(2 * j + shape, np.sqrt(j[1:] * (j[1:] + shape - 1)))


def cosine_rule(d: int, k: int) -> Rule:
    """Of the cosine of two uniform directions in dimension d ≥ 3: a = 0, and with λ = (d − 2)/2
    b_j² = j(j + 2λ − 1)/(4(j + λ)(j + λ − 1)) (Gegenbauer)."""
    j, half = np.arange(1.0, k), (d - 2) / 2
    return gauss_rule(
        np.zeros(k), np.sqrt(j * (j + 2 * half - 1) / (4 * (j + half) * (j + half - 1)))
    )


class MeanFieldRisks(NamedTuple):
    """(K + 1,) risks at the times 0, T/K, …, T, and by how much fewer nodes change one of them."""

    risks: Float[np.ndarray, " times"]
    error: Float[np.ndarray, " times"]


NODES = ((32, 4, 5), (24, 3, 4))  # of s, r² and c: what is returned, and what it is compared with


@functools.cache
def mean_field_risks(d: int, time: float, steps: int) -> MeanFieldRisks:
    """Risks of infinitely many neurons, along the flow that `population_flow` has of N.

    θ(0) = (s, θ_⊥), s ~ N(0, 1) and θ_⊥ ~ N(0, I/(d − 1)); the teacher is (1, 0).

    Args:
      d: ≥ 4.
      time: T > 0.
      steps: K ≥ 1 steps of `runge_kutta`.

    Returns:
      The `MeanFieldRisks`, on the host in float64. Its error is the largest distance from a
      rule with fewer nodes, at all times: an estimate and not a bound.

    Raises:
      ValueError: for d below 4, a number of steps below 1 or a time that is not positive.

    Source:
      Mei et al. 2019, the distributional dynamics; the reduction is ours.
    """
    check_integer("d", d, low=4)
    check_integer("steps", steps)
    check_real("time", time, low=0.0, open_low=True)
    fine, coarse = (_risks(d, time, steps, nodes) for nodes in NODES)
    return MeanFieldRisks(fine, np.full_like(fine, np.abs(fine - coarse).max()))


def _risks(d: int, time: float, steps: int, nodes: tuple[int, int, int]) -> np.ndarray:
    along, across = normal_rule(nodes[0]), gamma_rule((d - 1) / 2, nodes[1])
    cosine = cosine_rule(d - 1, nodes[2])
    r = np.sqrt(2 / (d - 1) * across.nodes)
    start = np.stack([np.repeat(along.nodes, len(r)), np.tile(r, len(along.nodes))])
    coefficients = np.append(np.outer(along.weights, across.weights).ravel(), -1.0)
    teacher = np.array([[1.0], [0.0]])

    def products(moving: np.ndarray, every: np.ndarray) -> tuple[np.ndarray, ...]:
        """(k, l, c) inner products of some nodes with all, and squares of both."""
        along, across = (
            np.multiply.outer(a, b)[..., None] for a, b in zip(moving, every, strict=True)
        )
        own, other = np.sum(moving**2, axis=0), np.sum(every**2, axis=0)
        return along + across * cosine.nodes, own[:, None, None], other[None, :, None]

    def velocity(moving: np.ndarray) -> np.ndarray:
        every = np.concatenate([moving, teacher], axis=1)
        inner, own, other = products(moving, every)
        pull = coefficients[:, None] * cosine.weights * slope_in_product(inner, own, other)
        back = 2 * np.sum(pull * inner, axis=(1, 2)) / (1 + 2 * own[:, 0, 0])
        towards = np.stack([np.sum(pull, axis=2) @ every[0], (pull @ cosine.nodes) @ every[1]])
        return -2 * (towards - back * moving)

    def risk(moving: np.ndarray) -> float:
        every = np.concatenate([moving, teacher], axis=1)
        angles = np.arcsin(correlation(*products(every, every))) @ cosine.weights
        return float(2 / math.pi * coefficients @ angles @ coefficients)

    found, moving = [risk(start)], start
    for _ in range(steps):
        moving = runge_kutta(velocity, moving, time / steps)
        found.append(risk(moving))
    return np.array(found)
