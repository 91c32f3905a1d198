"""Family D, J18: the tangent kernel at initialization against its infinite-width limit."""

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from theory import fields
from theory._scaling import maximum
from theory.certificates.linear_solve import SQUARINGS, operator_norm
from theory.data.sampling import data_parameter, draw
from theory.infinite_width import bounds, kernels, lazy
from theory.margins import Margin, Measured, exceeds, measured, rounding_error
from theory.networks.network import Network, Params, frozen_readout, init
from theory.parameters import Parameters
from theory.statements.ntk.widths import (
    TOLERANCE,
    WidthSetting,
    for_all,
    for_network,
    initial_networks,
    names,
    readout_scales,
)
from theory.verification.claims import Claim
from theory.verification.kinds import Probabilistic, Rate
from theory.verification.statement import OnData, Statement

NORMS = {"operator": operator_norm, "max": lambda matrix: maximum(jnp.abs(matrix))}


def _norm_error(norm: Array, trace: Array, terms: int, n: int) -> Array:
    """Bound on the error of a norm of an (n, n) matrix, as computed.

    Each entry is a sum whose longest chain has `terms` roundings, and the absolute values of its
    terms are at most √(D_jD_k), D their diagonal; so the norm is off by γ·Σ_jD_j = γ·trace. The
    operator norm is off by the factor n^{1/2^31} besides, and by 2n roundings in the k-th squaring,
    of which the root 2^{−k} remains.
    """
    squared = rounding_error(4 * n + SQUARINGS + 8, norm)
    return rounding_error(terms, trace) + squared + norm * math.log(n) / 2**SQUARINGS


def _absolute_trace(params: Params, x: Array, scale: Array) -> Array:
    """Σ_k Θ_m(x_k, x_k) with every term replaced by its absolute value, φ' by 1."""
    size = jnp.abs(x) @ jnp.abs(params.w).T + jnp.abs(params.b)[None, :]
    hidden = jnp.sum(params.a**2) * jnp.sum(jnp.sum(x**2, axis=1) + 1)
    return hidden + scale * jnp.sum(size**2)


def _kernel_errors(key: Array, config: WidthSetting) -> Measured:
    """(claims, scales) ‖Θ_m − Θ‖/‖Θ‖ on the same points at every width: each network, each norm."""
    key_data, key_init = jax.random.split(key)
    x = draw(key_data, config.data, config.n, config.d, queries=0).x
    n, d = x.shape
    params, scales = initial_networks(key_init, config, d), readout_scales(config)
    traces = jax.vmap(_absolute_trace, (0, None, 0))(params, x, scales)

    def apart(network: Network) -> tuple[Array, Array]:
        limit = kernels.network_ntk(network, x, x)
        finite = jax.vmap(lambda p, s: kernels.finite_ntk(network, p, x, x, s))
        difference = finite(for_network(network, params), scales) - limit[None]
        trace = traces + jnp.trace(limit)
        values, errors = [], []
        for norm in NORMS.values():
            off, size = jax.vmap(norm)(difference), norm(limit)
            error = _norm_error(off, trace, params.a.shape[1] + 3 * d + 64, n)
            values.append(off / size)
            errors.append((error + off * _norm_error(size, trace, 3 * d + 64, n) / size) / size)
        return jnp.stack(values), jnp.stack(errors)

    found = for_all(config.slope, apart).values()
    return measured(*(jnp.concatenate(parts) for parts in zip(*found, strict=True)))


class BoundSetting(Parameters):
    """A random network of K24b on training points with labels, seen at one query point."""

    data: Any = data_parameter("separated-gaussian", "law of x and z")
    n: int = fields.points(40)
    d: int = fields.dimension(10)
    m: int = fields.width(1000)
    slope: float = fields.slope(0.5)
    T: float = fields.training_time(2.0)
    separation: float = fields.separation(4.0)
    delta: float = fields.failure_probability(0.05)


class KernelBound(NamedTuple):
    """T|k_m(z) − k(z)|, the bound on it, and the rounding errors of both together."""

    deviation: Float[Array, ""]
    error: Float[Array, ""]
    bound: Float[Array, ""]


def _kernel_bound(key: Array, config: BoundSetting) -> KernelBound:
    key_data, key_init = jax.random.split(key)
    x, y, z, _ = draw(key_data, config.data, config.n, config.d, separation=config.separation)
    params: Params = init(frozen_readout(config.slope), key_init, config.m, config.d)
    finite = y @ kernels.finite_hidden_ntk(params, x, z, config.slope) / config.n
    deviation = config.T * jnp.abs(finite - lazy.signal(x, y, z, config.slope))
    kappa = config.T * lazy.kappa(x, z)
    # Sums over m neurons, n samples and d coordinates of terms below Σ|a_i|² times this in all;
    # κ(z) itself would be what is left of it after ⟨x_k, z⟩ + 1 cancelled.
    size = config.T * lazy.product_sizes(x, z)
    s = math.log(2 / config.delta)
    factor = bounds.chi_square_deviation(s, config.m)
    return KernelBound(
        deviation[0],
        (
            rounding_error(config.m + config.n + config.d + 8, size * (jnp.sum(params.a**2) + 1))
            + rounding_error(64 + config.d, size * factor)
        )[0],
        (kappa * factor)[0],
    )


def _kernel_bound_conclusion(instance: KernelBound, _: object) -> Margin:
    return exceeds(instance.bound, instance.deviation, instance.error)


STATEMENTS = (
    Statement(
        id="ntk.kernel-convergence",
        title="the finite-width NTK approaches its limit like m^(−1/2)",
        says="‖Θ_m − Θ‖/‖Θ‖ = Θ(m^{−1/2}) at initialization, Θ_m the tangent kernel of all trained "
        "weights of a network of width m, in the operator norm and for the largest entry, for "
        "frozen readout with biases (K24b) and for all weights trained without (Z23), there with "
        "the readout at 1/m of the learning rate: at equal rates its kernel diverges. Two-sided: "
        "the fitted exponents must be −1/2, within 0.05 for what finite widths bend them.",
        source="Jacot et al. 2018, Theorem 1",
        sample=_kernel_errors,
        claim=Rate(
            quantity=lambda errors, _: errors,
            claims=lambda config: tuple(
                Claim(-0.5, 0.15, name=f"exponent ({name}, {norm})", tolerance=TOLERANCE)
                for name in names(config.slope)
                for norm in NORMS
            ),
            scales=lambda config: config.scales,
        ),
        config=WidthSetting(),
        draws={"quick": 300, "full": 5000},
        data=True,
        on_data={"digits": OnData()},
    ),
    Statement(
        id="ntk.kernel-bound",
        title="T times the kernel's fluctuation is within the second part of B(z)",
        says="T|k_m(z) − k(z)| ≤ Tκ(z)(√(6s/m) + 2s/m) with probability ≥ 1 − 2e^{−s}, at "
        "initialization, for one fixed z independent of it: k_m(z) = (1/n) Σ_k y_kΘ_m(x_k, z), "
        "k = f̂ + β its limit, κ(z) = (1/n) Σ_k |⟨x_k, z⟩ + 1|; s = ln(2/δ).",
        source="ours, explicit form of Jacot et al. 2018, Theorem 1",
        sample=_kernel_bound,
        claim=Probabilistic(
            conclusion=_kernel_bound_conclusion,
            failure_probability=lambda _, config: config.delta,
        ),
        config=BoundSetting(),
        draws={"quick": 200, "full": 5000},
        data=True,
    ),
)
