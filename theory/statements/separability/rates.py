"""Family A, Z23: how fast −Wᵀa stops failing as width and dimension grow, against the exact law."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from theory import laws
from theory.claims import Claim
from theory.parameters import Parameters, parameter
from theory.statements.separability.initialization import SOURCE
from theory.statistics import decay_rate
from theory.verification import Statement


class CellSetting(Parameters):
    """Nine widths and dimensions: the largest ones, their halves and their quarters."""

    m: int = parameter(16, "largest width", low=4)
    d: int = parameter(16, "largest dimension", low=4)


class DimensionSetting(Parameters):
    """Growing dimension at one much larger width."""

    m: int = parameter(128, "width", low=1)
    first: int = parameter(6, "smallest dimension", low=1)
    step: int = parameter(2, "distance of dimensions", low=1)
    count: int = parameter(6, "number of dimensions", low=5)


class WidthSetting(Parameters):
    """Growing width at one much larger dimension."""

    d: int = parameter(1024, "dimension", low=1)
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


def _sample_networks(key: Array, config: CellSetting) -> Float[Array, " cells"]:
    """Whether S = aᵀWWᵀD_x a ≤ 0 at every size, in one network of which each is a corner.

    The sign of S does not depend on the scale of W, a and x.
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
    return jnp.where(jnp.sum(direction * gradient, axis=1) <= 0, 1.0, 0.0)


def alignment_failures(
    key: Array, m: Float[np.ndarray, " scales"], d: Float[np.ndarray, " scales"]
) -> Float[Array, " scales"]:
    """Independent draws of S ≤ 0 from its exact law at every width and dimension: 1 or 0.

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
    fails = (jnp.sqrt(inactive) * student <= -jnp.sqrt(active)) | (active == 0)
    return jnp.where(fails, 1.0, 0.0)


def _scales(config: Any) -> np.ndarray:
    return config.first + config.step * np.arange(config.count, dtype=float)


def _sampler(sizes: Callable[[Any], tuple[np.ndarray, np.ndarray]]) -> Any:
    def sample(key: Array, config: Any) -> Array:
        return alignment_failures(key, *sizes(config))

    return sample


def _claim(
    sizes: Callable[[Any], tuple[np.ndarray, np.ndarray]],
    rate: Callable[[Any], float],
    resolution: float,
    name: str,
) -> Callable[[Any], Claim]:
    """The asymptotic rate; its tolerance is how far the exact law's own fit is from it."""

    def claim(config: Any) -> Claim:
        exact = [
            laws.alignment_failure(int(m), int(d)) for m, d in zip(*sizes(config), strict=True)
        ]
        # The fit's limit for many draws: counts in proportion to the exact law.
        fitted = decay_rate(_scales(config), np.array(exact) * 1e12, 1e12)
        asymptotic = rate(config)
        return Claim(asymptotic, resolution, name=name, tolerance=abs(fitted - asymptotic))

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
        kind="moment",
        title="P(S ≤ 0) at nine widths and dimensions",
        says="P(S ≤ 0) = E_ρ I_{(1−√ρ)/2}(d/2, d/2) for S = aᵀWWᵀD_x a with the true D_x, at every "
        "width and dimension: m, m/2, m/4 by d, d/2, d/4. Measured: how often real networks fail.",
        source=f"ours, exact form of {SOURCE}, Theorem 3.1",
        sample=_sample_networks,
        quantity=lambda failures: failures,
        claim=lambda config: tuple(
            Claim(laws.alignment_failure(m, d), 0.2, name=f"P(S ≤ 0) at m = {m}, d = {d}")
            for m, d in _cells(config)
        ),
        config=CellSetting(),
        draws={"quick": 60_000, "full": 500_000},
        batch=2000,
    ),
    Statement(
        id="separability.rate-in-dimension",
        kind="decay",
        title="−log P(S ≤ 0) grows like (½ log 2)·d for m ≫ d",
        says="Where the width is much larger than the dimension, the probability that −Wᵀa fails "
        "for one noise decays like 2^{−d/2}. Tolerance: by how much the exact law at these sizes, "
        "fitted in the same way, differs from its limit.",
        source=f"{SOURCE}, Theorem 3.1 (the term e^{{−c₁d}}); constant ours",
        sample=_sampler(_at_width),
        quantity=lambda failures: failures,
        scales=_scales,
        claim=_claim(_at_width, lambda config: np.log(2) / 2, 0.05, "rate per dimension"),
        config=DimensionSetting(),
        draws={"quick": 40_000, "full": 400_000},
        batch=1000,
    ),
    Statement(
        id="separability.rate-in-width",
        kind="decay",
        title="−log P(S ≤ 0) grows like (log 2)·m for d ≫ m",
        says="Where the dimension is much larger than the width, the probability that −Wᵀa fails "
        "for one noise decays like 2^{−m}: it fails when no neuron is active. Tolerance: by how "
        "much the exact law at these sizes, fitted in the same way, differs from its limit.",
        source=f"{SOURCE}, Theorem 3.1 (the term e^{{−c₂m}}); constant ours",
        sample=_sampler(_at_dimension),
        quantity=lambda failures: failures,
        scales=_scales,
        claim=_claim(_at_dimension, lambda config: np.log(2), 0.05, "rate per neuron"),
        config=WidthSetting(),
        draws={"quick": 40_000, "full": 600_000},
        batch=4000,
    ),
    Statement(
        id="separability.rate-on-a-ray",
        kind="decay",
        title="−log P(S ≤ 0) grows like J(κ)·m along d = κm",
        says="Along d = κm the probability that −Wᵀa fails for one noise decays like e^{−J(κ)m}, "
        "J(κ) = log 2 − (3/2) log(1 + r) + ((1 + κ)/2) log(1 + r³), r = 2/(1 + √(1 + 4κ)). "
        "Tolerance: by how much the exact law at these sizes, fitted in the same way, differs from "
        "its limit.",
        source=f"ours, exact form of {SOURCE}, Theorem 3.1",
        sample=_sampler(_on_ray),
        quantity=lambda failures: failures,
        scales=_scales,
        claim=_claim(
            _on_ray, lambda config: laws.alignment_decay(config.ratio), 0.03, "rate per neuron"
        ),
        config=RaySetting(),
        draws={"quick": 40_000, "full": 600_000},
        batch=4000,
    ),
)
