"""Kernels of nearly orthogonal unit points: what the power series says of them."""

from typing import Any, NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from theory import fields
from theory._scaling import maximum
from theory.certificates.eigenvalues import (
    Enclosed,
    cosines,
    enclosed_norm,
    smallest_eigenvalue,
)
from theory.data.sampling import data_parameter, draw
from theory.infinite_width import hermite
from theory.margins import Margin, at_least, rounding_error
from theory.parameters import Parameters, parameter
from theory.verification.domains import Reals
from theory.verification.kinds import Deterministic
from theory.verification.statement import Hypothesis, OnData, Statement

SOURCE = "Wang and Zhu 2023, Proposition 2.4"
OURS = "ours, sharper than Wang and Zhu 2023, Proposition 2.4"


class KernelSetting(Parameters):
    """Points, an activation, and where its series is cut."""

    data: Any = data_parameter("sphere")
    n: int = fields.points(8)
    d: int = fields.dimension(1000)
    degree: int = parameter(2, "ℓ, last power that is kept", low=0, high=12)
    activation: str = parameter(
        "relu", "relu: max(h, γh); sine: sin h", choices=hermite.ACTIVATIONS
    )
    slope: float = fields.slope(0.0, "slope γ of relu")


class Points(NamedTuple):
    """x: (n, d) points; the statements are about x_i/‖x_i‖."""

    x: Float[Array, "n d"]


class Series(NamedTuple):
    """What the statements compare.

    cosine: max_{i≠j}|⟨x_i, x_j⟩|.  apart: ‖(XᵀX)^{⊙(ℓ+1)} − I‖_F.  kernel: K and errors of its
    entries.  powers, cut: the same of (XᵀX)^{⊙(ℓ+1)} and of K_ℓ − K.
    """

    cosine: Enclosed
    apart: Enclosed
    kernel: tuple[Array, Array]
    powers: tuple[Array, Array]
    cut: tuple[Array, Array]


def sample(key: Array, config: KernelSetting) -> Points:
    """Points with labels that nothing looks at."""
    return Points(draw(key, config.data, config.n, config.d, queries=0).x)


def _series(points: Points, config: KernelSetting) -> Series:
    """All matrices, from one matrix of cosines; what is not looked at is not compiled."""
    gram, degree = cosines(points.x), config.degree + 1
    n, same = len(points.x), jnp.eye(len(points.x), dtype=bool)
    off = jnp.where(same, 0, jnp.abs(gram.values))
    largest = Enclosed(maximum(off), maximum(gram.errors))
    # |(ρ + δ)^k − ρ^k| ≤ kδ(|ρ| + δ)^{k−1}, and the powers round.
    drift = degree * gram.errors * (off + gram.errors) ** (degree - 1)
    power_error = jnp.where(same, 0, drift + rounding_error(degree + 4, off**degree))
    powers = gram.values**degree
    apart = jnp.sqrt(jnp.sum(off ** (2 * degree)))
    apart_error = jnp.sqrt(jnp.sum(power_error**2)) + rounding_error(2 * n + 8, apart)
    m = hermite.moments(config.activation, config.slope)
    # 24 roundings of numbers below E σ² ≤ 1, of which (π − θ)ρ/(2π) is one.
    entry_error = m.derivative * gram.errors + rounding_error(24, m.square)
    kernel = hermite.dual_kernel(gram.values, config.activation, config.slope)
    cut = hermite.truncated_kernel(gram.values, config.activation, config.degree, config.slope)
    difference = jnp.where(same, 0, cut - kernel)  # both diagonals are E σ²
    return Series(
        largest,
        Enclosed(apart, apart_error),
        (kernel, entry_error),
        (powers, power_error),
        (difference, 2 * entry_error + rounding_error(2 * degree + 8, m.square)),
    )


def _tail(config: KernelSetting) -> Any:
    return hermite.tail(config.activation, config.degree, config.slope)


def _fourth(config: KernelSetting) -> Any:
    """‖σ‖₄² = √E σ⁴."""
    return hermite.moments(config.activation, config.slope).fourth ** 0.5


def _of_constants(config: KernelSetting) -> Array:
    """Bound on the rounding of σ²_{>ℓ} and other constants, which are of the order of E σ²."""
    square = hermite.moments(config.activation, config.slope).square
    return rounding_error(2 * config.degree + 16, square + _fourth(config))


def _nearly_orthogonal(points: Points, config: KernelSetting) -> Margin:
    found = _series(points, config).cosine
    return at_least(0.5**0.5, found.value, found.error + rounding_error(4, 1.0))


def _powers_vanish(points: Points, config: KernelSetting) -> Margin:
    found = _series(points, config).apart
    threshold = _tail(config) / (4 * _fourth(config))
    error = found.error + rounding_error(8, threshold) + _of_constants(config)
    return at_least(threshold, found.value, error)


def _smallest(points: Points, config: KernelSetting) -> Margin:
    smallest = smallest_eigenvalue(*_series(points, config).kernel)
    return at_least(smallest.value, _tail(config) / 2, smallest.error + _of_constants(config))


def _smallest_sharp(points: Points, config: KernelSetting) -> Margin:
    series = _series(points, config)
    smallest, of_powers = smallest_eigenvalue(*series.kernel), smallest_eigenvalue(*series.powers)
    tail = _tail(config)
    error = smallest.error + tail * of_powers.error + _of_constants(config) * len(points.x)
    return at_least(smallest.value, tail * of_powers.value, error)


def _approximation(factor: Any) -> Any:
    """‖K_ℓ − K‖ ≤ factor(config)·‖(XᵀX)^{⊙(ℓ+1)} − I‖_F."""

    def conclusion(points: Points, config: KernelSetting) -> Margin:
        series = _series(points, config)
        norm, times = enclosed_norm(*series.cut), factor(config)
        error = norm.error + times * series.apart.error
        error = error + _of_constants(config) * series.apart.value
        return at_least(times * series.apart.value, norm.value, error)

    return conclusion


def _printed(config: KernelSetting) -> Any:
    return 2**0.5 * _fourth(config)


HYPOTHESES = {
    "nearly orthogonal": Hypothesis(_nearly_orthogonal, "max_{i≠j}|⟨x_i, x_j⟩| ≤ 1/√2"),
    "powers vanish": Hypothesis(_powers_vanish, "‖(XᵀX)^{⊙(ℓ+1)} − I‖_F ≤ σ²_{>ℓ}/(4‖σ‖₄²)"),
}


def _statement(
    id: str,
    title: str,
    says: str,
    conclusion: Any,
    *,
    config: KernelSetting,
    source: str = SOURCE,
    hypotheses: Any = None,
    loose: str = "",
    on_data: Any = None,
) -> Statement:
    return Statement(
        id=id,
        title=title,
        says=says,
        source=source,
        sample=sample,
        hypotheses=hypotheses or {},
        measured={} if hypotheses else HYPOTHESES,
        claim=Deterministic(conclusion=conclusion),
        config=config,
        domain={"x": Reals()},
        loose=loose,
        draws={"quick": 100, "full": 2000},
        data=True,
        on_data=on_data or {},
        batch=16,
    )


# Where the hypotheses hold of nearly all draws and ½σ²_{>ℓ} is within a factor of two. The ReLU
# takes d = 1000 at n = 8 and ℓ = 2, and is fifty times above ½σ²_{>ℓ} there.
PRINTED = KernelSetting(n=4, d=600, degree=0, activation="sine")

STATEMENTS = (
    _statement(
        "kernel.smallest-eigenvalue",
        "the smallest eigenvalue of the kernel is at least half of what the series has beyond ℓ",
        "Unit points with max_{i≠j}|⟨x_i, x_j⟩| ≤ 1/√2 and ‖(XᵀX)^{⊙(ℓ+1)} − I‖_F ≤ "
        "σ²_{>ℓ}/(4‖σ‖₄²) have λ_min(K) ≥ ½σ²_{>ℓ}, K = E_w[σ(Xᵀw)σ(Xᵀw)ᵀ] = Σ_k ζ_k²(XᵀX)^{⊙k}, "
        "σ²_{>ℓ} = Σ_{k>ℓ} ζ_k², ‖σ‖₄⁴ = E σ(ξ)⁴.",
        _smallest,
        config=PRINTED,
        hypotheses=HYPOTHESES,
    ),
    _statement(
        "kernel.smallest-eigenvalue-sharp",
        "the smallest eigenvalue of the kernel, for all unit points",
        "λ_min(K) ≥ σ²_{>ℓ}·λ_min((XᵀX)^{⊙(ℓ+1)}) for any unit points and any ℓ ≥ 0, by Schur's "
        "product theorem: no hypothesis of near-orthogonality, and σ²_{>ℓ}(1 − ‖(XᵀX)^{⊙(ℓ+1)} − "
        "I‖) in place of ½σ²_{>ℓ} where that is small.",
        _smallest_sharp,
        config=KernelSetting(n=12, d=6, degree=1),
        source=OURS,
        on_data={"digits": OnData({"n": 16, "degree": 2})},
    ),
    _statement(
        "kernel.polynomial-approximation",
        "the kernel is nearly a polynomial kernel and a multiple of the identity",
        "Under the hypotheses of kernel.smallest-eigenvalue ‖K_ℓ − K‖ ≤ √2‖σ‖₄²·"
        "‖(XᵀX)^{⊙(ℓ+1)} − I‖_F, K_ℓ = Σ_{k≤ℓ} ζ_k²(XᵀX)^{⊙k} + σ²_{>ℓ}I.",
        _approximation(_printed),
        config=PRINTED,
        hypotheses=HYPOTHESES,
        loose="√2‖σ‖₄² stands where σ²_{>ℓ} does, see kernel.polynomial-approximation-sharp",
    ),
    _statement(
        "kernel.polynomial-approximation-sharp",
        "the same for all unit points, with what the series has beyond ℓ as its constant",
        "‖K_ℓ − K‖ ≤ ‖K_ℓ − K‖_F ≤ σ²_{>ℓ}·‖(XᵀX)^{⊙(ℓ+1)} − I‖_F for any unit points and ℓ ≥ 0.",
        _approximation(_tail),
        config=KernelSetting(n=4, d=20, degree=0, activation="sine"),
        source=OURS,
        on_data={"digits": OnData({"n": 16, "degree": 2})},
    ),
)
