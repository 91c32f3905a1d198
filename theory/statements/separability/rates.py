"""Family A, Z23: how fast −Wᵀa stops failing as width and dimension grow, against the exact law."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from scipy import special

from theory import fields
from theory.margins import Margin, margin, measured, rounding_error
from theory.parameters import Parameters, parameter
from theory.perturbations import initialization
from theory.statements.separability.initialization import DRAWN, SOURCE
from theory.verification.claims import Claim
from theory.verification.kinds import Decay, Deterministic, Moment
from theory.verification.statement import Statement
from theory.verification.statistics import decay_rate


class CellSetting(Parameters):
    """Nine widths and dimensions: the largest ones, their halves and their quarters."""

    m: int = fields.width(16, "largest width", low=4)
    d: int = fields.dimension(16, "largest dimension", low=4)


class DimensionSetting(Parameters):
    """Growing dimension at one much larger width."""

    m: int = fields.width(64)
    first: int = parameter(4, "smallest dimension", low=1)
    step: int = parameter(2, "distance of dimensions", low=1)
    count: int = parameter(6, "number of dimensions", low=5)


class WidthSetting(Parameters):
    """Growing width at one much larger dimension."""

    d: int = fields.dimension(1024)
    first: int = parameter(1, "smallest width", low=1)
    step: int = parameter(1, "distance of widths", low=1)
    count: int = parameter(7, "number of widths", low=5)


class RaySetting(Parameters):
    """Width and dimension growing together, d = ratio·m."""

    ratio: int = parameter(1, "κ, dimension over width", low=1)
    first: int = parameter(8, "smallest width", low=1)
    step: int = parameter(4, "distance of widths", low=1)
    count: int = parameter(6, "number of widths", low=5)


def _cells(config: CellSetting) -> list[tuple[int, int]]:
    return [(config.m // i, config.d // j) for i in (1, 2, 4) for j in (1, 2, 4)]


class Failures(NamedTuple):
    """failed: 1 where S ≤ 0, else 0.  in_doubt: 1 where rounding leaves that open, else 0."""

    failed: Float[Array, " sizes"]
    in_doubt: Float[Array, " sizes"]


def _sample_networks(key: Array, config: CellSetting) -> Failures:
    """Whether S = aᵀWWᵀD_x a ≤ 0 at every size, in one network of which each is a corner.

    The sign of S does not depend on the scale of W, a and x. It is in doubt where |S| is within
    rounding of 0, or some ⟨w_i, x⟩ is; both bounds are those of the whole network.
    """
    cells = np.array(_cells(config))
    neurons = jnp.asarray(np.arange(config.m)[None, :] < cells[:, :1], float)
    coordinates = jnp.asarray(np.arange(config.d)[None, :] < cells[:, 1:], float)
    normal = jax.random.normal(key, (config.m + 1, config.d + 1))
    w, x, readout = normal[:-1, :-1], normal[-1, :-1], normal[:-1, -1]
    h = (coordinates * x[None, :]) @ w.T
    a = neurons * readout[None, :]
    direction = coordinates * (a @ w)
    gradient = jnp.where(h >= 0, a, 0.0) @ w
    s = jnp.sum(direction * gradient, axis=1)
    size_w = jnp.abs(w)
    magnitude = jnp.sum((jnp.abs(readout) @ size_w) ** 2)
    uncertain = jnp.abs(s) <= rounding_error(2 * config.m + config.d + DRAWN, magnitude)
    uncertain = uncertain & jnp.any((h >= 0) & (neurons > 0), axis=1)  # S = 0 exactly if none is
    smallest = jnp.min(jnp.abs(h) - rounding_error(config.d + DRAWN, jnp.max(size_w @ jnp.abs(x))))
    return Failures(_one_where(s <= 0), _one_where(uncertain | (smallest <= 0)))


def _one_where(condition: Array) -> Array:
    return jnp.where(condition, 1.0, 0.0)


def alignment_failures(
    key: Array, m: Float[np.ndarray, " scales"], d: Float[np.ndarray, " scales"]
) -> Failures:
    """Independent draws of S ≤ 0 from its exact law at every width and dimension.

    S ≤ 0 exactly when √(B)·Z/√(dX) ≤ −√A or A = 0, with A = Σ_i D_i g_i², B = Σ_i (1 − D_i) g_i²
    and g ~ N(0, I_m), whose signs are the coins D. Z/√(dX) is Student's t with d degrees of freedom
    over √d, drawn as √(U^{−2/d} − 1) cos(2πV) from uniform U, V.

    Args:
      key: random key.
      m, d: (scales,) widths and dimensions.

    Source:
      R. Bailey, "Polar generation of random variates with the t-distribution", Mathematics of
      Computation 62 (1994).
    """
    key_activity, key_student = jax.random.split(key)
    present = jnp.asarray(np.arange(int(m.max()))[None, :] < m[:, None], float)
    g = present * jax.random.normal(key_activity, present.shape)
    active, inactive = jnp.sum(jnp.maximum(g, 0) ** 2, 1), jnp.sum(jnp.minimum(g, 0) ** 2, 1)
    tiny = float(jnp.finfo(g.dtype).tiny)
    u, v = jax.random.uniform(key_student, (2, len(m)), minval=tiny)
    radius = jnp.sqrt(jnp.expm1(-2 * jnp.log(u) / jnp.asarray(d, g.dtype)))
    student = radius * jnp.cos(2 * jnp.pi * v)
    left, right = jnp.sqrt(inactive) * student, -jnp.sqrt(active)
    fails = (left <= right) | (active == 0)
    size = jnp.sqrt(inactive) * radius + jnp.sqrt(active)  # |cos| ≤ 1, with an error of that size
    close = jnp.abs(left - right) <= rounding_error(int(m.max()) + DRAWN, size)
    return Failures(_one_where(fails), _one_where(close & (active > 0)))


def _scales(config: Any) -> np.ndarray:
    return config.first + config.step * np.arange(config.count, dtype=float)


class LimitSetting(Parameters):
    """Sizes at which the exact law is compared with its three limits."""

    d: int = parameter(16, "largest dimension, where the width is large", low=8, high=20)
    large_m: int = parameter(10**6, "the large width", low=1000, high=10**6)
    m: int = parameter(16, "largest width, where the dimension is large", low=8, high=20)
    large_d: int = parameter(10**6, "the large dimension", low=1000, high=10**6)
    ratio: int = parameter(1, "κ, dimension over width on the ray", low=1, high=4)
    ray: int = parameter(1024, "largest width on the ray", low=512, high=2048)


class Gaps(NamedTuple):
    """By how much rates exceed their limits, in [low, high] as proved, and the rounding of both."""

    value: Float[Any, " sizes"]
    low: Float[Any, " sizes"]
    high: Float[Any, " sizes"]
    error: Float[Any, " sizes"]


ACCURACY = 1e-10  # relative, of P(S ≤ 0) at widths up to 10⁴, and per 10⁴ of width beyond


def _log_failure(m: int, d: int) -> tuple[float, float]:
    """log P(S ≤ 0) and a bound on its numerical error."""
    return float(np.log(initialization.alignment_failure(m, d))), ACCURACY * (1 + m / 10**4)


def dimension_gap(m: int, d: int) -> tuple[float, ...]:
    """½ log(P(m, d)/P(m, d + 2)) − ½ log 2, its bounds and error; d even.

    With P(∞, d) = ½I_{1/2}(d/2, ½): (d + 1)/(2d + 4) ≤ P(∞, d + 2)/P(∞, d) ≤ (d + 1)/(2d), and
    1 ≤ P(m, d)/P(∞, d) ≤ 1 + (3/(2(m + 2)) + 2^{−m−1})/P(∞, d).
    """
    (here, error), (there, error_there) = _log_failure(m, d), _log_failure(m, d + 2)
    off = [
        math.log1p((1.5 / (m + 2) + 2.0 ** (-m - 1)) * 2 / special.betainc(k / 2, 0.5, 0.5))
        for k in (d, d + 2)
    ]
    return (
        (here - there - math.log(2)) / 2,
        (-math.log1p(1 / d) - off[1]) / 2,
        (math.log1p(1 / (d + 1)) + off[0]) / 2,
        (error + error_there) / 2,
    )


def width_gap(m: int, d: int) -> tuple[float, ...]:
    """−log P(m, d)/m − log 2, its bounds and error.

    2^{−m} ≤ P(m, d) ≤ 2^{−m}(1 + ½ Σ_{0<N<m} C(m, N) M_N) with M_N = E[(1 − ρ)^{d/2} | N].
    """
    log_p, error = _log_failure(m, d)
    n = np.arange(1, m)
    moments = np.exp(special.betaln(n / 2, (m - n + d) / 2) - special.betaln(n / 2, (m - n) / 2))
    excess = float(special.comb(m, n) @ moments) / 2
    return -log_p / m - math.log(2), -math.log1p(excess) / m, 0.0, error / m


def ray_gap(m: int, ratio: int) -> tuple[float, ...]:
    """−log P(m, κm)/m − J(κ), its bounds and error; m > 2(2 + 3r).

    (c/d) M ≤ P ≤ M with M = E(1 − ρ)^{d/2} and c = Γ((d + 1)/2)/(√π Γ(d/2)); log M + Jm lies
    between −log 2 − κ(2 + 3r)/(2(1 − √(2(2 + 3r)/m))) − 1/(6(m + d)) and 1/(6m), added to
    ½ log(1 + κ), where r = 2/(1 + √(1 + 4κ)).
    """
    d = ratio * m
    log_p, error = _log_failure(m, d)
    r = 2 / (1 + math.sqrt(1 + 4 * ratio))
    log_c = special.gammaln((d + 1) / 2) - special.gammaln(d / 2) - math.log(math.pi) / 2
    spread = math.sqrt(2 * (2 + 3 * r) / m)
    least = math.log(2) + ratio * (2 + 3 * r) / (2 * (1 - spread)) + 1 / (6 * (m + d))
    shared = math.log1p(ratio) / 2
    return (
        -log_p / m - initialization.alignment_decay(ratio),
        (-shared - 1 / (6 * m)) / m,
        (math.log(d) - float(log_c) + least - shared) / m,
        error / m,
    )


def _gaps(key: Array, config: LimitSetting) -> Gaps:
    """Of the three rates, at sizes that double or grow fourfold; the key is of no use."""
    del key
    rows = [dimension_gap(config.large_m, d) for d in range(2, config.d + 1, 2)]
    rows += [width_gap(m, config.large_d) for m in range(2, config.m + 1, 2)]
    rows += [ray_gap(config.ray // k, config.ratio) for k in (32, 16, 8, 4, 2, 1)]
    return Gaps(*jnp.asarray(np.array(rows).T, float))


def _within_bounds(gaps: Gaps, _: object) -> Margin:
    error = gaps.error + rounding_error(8, 1 + jnp.abs(gaps.low) + jnp.abs(gaps.high))
    above = margin(gaps.value - gaps.low, error, strict=False)
    below = margin(gaps.high - gaps.value, error, strict=False)
    return jax.tree.map(lambda *parts: jnp.concatenate(parts), above, below).all()


def _sampler(sizes: Callable[[Any], tuple[np.ndarray, np.ndarray]]) -> Any:
    def sample(key: Array, config: Any) -> Failures:
        return alignment_failures(key, *sizes(config))

    return sample


def _quantity(instance: Failures, _: object) -> Any:
    """Failures; where rounding leaves one open, it may be off by 1."""
    return measured(instance.failed, instance.in_doubt)


def _claim(
    sizes: Callable[[Any], tuple[np.ndarray, np.ndarray]], resolution: float, name: str
) -> Callable[[Any], Claim]:
    """The rate that the exact law has at these sizes: what the fit tends to with many draws."""

    def claim(config: Any) -> Claim:
        exact = [
            initialization.alignment_failure(int(m), int(d))
            for m, d in zip(*sizes(config), strict=True)
        ]
        fitted = decay_rate(_scales(config), np.array(exact) * 1e12, 1e12)
        return Claim(fitted, resolution, name=name)

    return claim


def _at_width(config: DimensionSetting) -> tuple[np.ndarray, np.ndarray]:
    return np.full(config.count, float(config.m)), _scales(config)


def _at_dimension(config: WidthSetting) -> tuple[np.ndarray, np.ndarray]:
    return _scales(config), np.full(config.count, float(config.d))


def _on_ray(config: RaySetting) -> tuple[np.ndarray, np.ndarray]:
    return _scales(config), config.ratio * _scales(config)


STATEMENTS = (
    Statement(
        id="separability.exact-law",
        title="P(S ≤ 0) at nine widths and dimensions",
        says="P(S ≤ 0) = E_ρ I_{(1−√ρ)/2}(d/2, d/2) for S = aᵀWWᵀD_x a with the true D_x, at every "
        "width and dimension: m, m/2, m/4 by d, d/2, d/4. Measured: how often real networks fail.",
        source=f"ours, exact form of {SOURCE}, Theorem 3.1",
        sample=_sample_networks,
        claim=Moment(
            quantity=_quantity,
            claims=lambda config: tuple(
                Claim(
                    initialization.alignment_failure(m, d),
                    0.25,
                    name=f"P(S ≤ 0) at m = {m}, d = {d}",
                    bounds=(0, 1),
                )
                for m, d in _cells(config)
            ),
        ),
        config=CellSetting(),
        draws={"quick": 60_000, "full": 500_000},
        batch=2000,
    ),
    Statement(
        id="separability.rate-in-dimension",
        title="−log P(S ≤ 0) grows like (½ log 2)·d for m ≫ d",
        says="Where the width is much larger than the dimension, the probability that −Wᵀa fails "
        "for one noise decays like 2^{−d/2}. Claimed is the rate that the exact law has at these "
        "very sizes, with no allowance; separability.rate-limits compares that law with its limit.",
        source=f"{SOURCE}, Theorem 3.1 (the term e^{{−c₁d}}); constant ours",
        sample=_sampler(_at_width),
        claim=Decay(
            quantity=_quantity,
            claims=_claim(_at_width, 0.04, "rate per dimension"),
            scales=_scales,
        ),
        config=DimensionSetting(),
        draws={"quick": 40_000, "full": 400_000},
        batch=1000,
    ),
    Statement(
        id="separability.rate-in-width",
        title="−log P(S ≤ 0) grows like (log 2)·m for d ≫ m",
        says="Where the dimension is much larger than the width, the probability that −Wᵀa fails "
        "for one noise decays like 2^{−m}: it fails when no neuron is active. Claimed is the rate "
        "that the exact law has at these very sizes, with no allowance; separability.rate-limits "
        "compares that law with its limit.",
        source=f"{SOURCE}, Theorem 3.1 (the term e^{{−c₂m}}); constant ours",
        sample=_sampler(_at_dimension),
        claim=Decay(
            quantity=_quantity,
            claims=_claim(_at_dimension, 0.02, "rate per neuron"),
            scales=_scales,
        ),
        config=WidthSetting(),
        draws={"quick": 40_000, "full": 600_000},
        batch=4000,
    ),
    Statement(
        id="separability.rate-on-a-ray",
        title="−log P(S ≤ 0) grows like J(κ)·m along d = κm",
        says="Along d = κm the probability that −Wᵀa fails for one noise decays like e^{−J(κ)m}, "
        "J(κ) = log 2 − (3/2) log(1 + r) + ((1 + κ)/2) log(1 + r³), r = 2/(1 + √(1 + 4κ)). "
        "Claimed is the rate that the exact law has at these very sizes, with no allowance; "
        "separability.rate-limits compares that law with its limit.",
        source=f"ours, exact form of {SOURCE}, Theorem 3.1",
        sample=_sampler(_on_ray),
        claim=Decay(
            quantity=_quantity,
            claims=_claim(_on_ray, 0.025, "rate per neuron"),
            scales=_scales,
        ),
        config=RaySetting(),
        draws={"quick": 40_000, "full": 600_000},
        batch=4000,
    ),
    Statement(
        id="separability.rate-limits",
        title="the exact law decays at the rates ½ log 2, log 2 and J(κ), with explicit remainders",
        says="With P(m, d) = P(S ≤ 0): ½ log(P(m, d)/P(m, d + 2)) → ½ log 2 as m → ∞ and then "
        "d → ∞, −log P(m, d)/m → log 2 as d → ∞, and −log P(m, κm)/m → J(κ) as m → ∞, each with "
        "the bounds on both sides that are derived on its page, at growing sizes. Nothing in it is "
        "random.",
        source=f"ours, exact form of {SOURCE}, Theorem 3.1",
        sample=_gaps,
        claim=Deterministic(conclusion=_within_bounds),
        config=LimitSetting(),
        random=False,
    ),
)
