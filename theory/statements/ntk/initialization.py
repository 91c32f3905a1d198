"""Family D, J18, L19: the law of the output at initialization, exact at every width."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from theory import fields
from theory.data.sampling import data_parameter, draw
from theory.infinite_width import kernels, lazy
from theory.margins import Measured, measured, rounding_error
from theory.networks.network import (
    Network,
    Params,
    frozen_readout,
    init,
    leaky_relu,
    pre_activations,
)
from theory.parameters import Parameters, parameter
from theory.statements.ntk.widths import for_network, names
from theory.verification.claims import Claim
from theory.verification.kinds import Moment
from theory.verification.statement import Statement

WIDTHS = (1, 2, 8)


class InitialSetting(Parameters):
    """Many small networks at initialization, seen at the same two points."""

    data: Any = data_parameter("gaussian")
    d: int = fields.dimension(5)
    slope: float = fields.slope(0.5, "slope γ of the leaky ReLU, beside the ReLU")
    networks: int = parameter(512, "networks of each width per draw", low=1)


class InitialOutputs(NamedTuple):
    """Of `networks` networks of one width, relative to the NNGP K at two points x and z.

    f: (networks, 2) outputs over √K(x, x) and √K(z, z).  v: (networks,) variance of the output at
    x given the hidden weights, (1/m) Σ_i φ(h_i(x))², over K(x, x).
    f_size, v_size: the same sums with every term replaced by its absolute value.
    correlation: K(x, z)/√(K(x, x)K(z, z)).
    """

    f: Float[Array, "networks 2"]
    v: Float[Array, " networks"]
    f_size: Float[Array, "networks 2"]
    v_size: Float[Array, " networks"]
    correlation: Float[Array, ""]


def _initial_outputs(key: Array, config: InitialSetting) -> dict[tuple[str, int], InitialOutputs]:
    """(network, width) → outputs, all from the same points and from the same normal numbers."""
    key_data, key_init = jax.random.split(key)
    x = draw(key_data, config.data, 2, config.d, queries=0).x
    count = config.networks * sum(WIDTHS)
    params = init(frozen_readout(), key_init, count, x.shape[1])
    readout = params.a * count**0.5  # standard normal
    found = {}
    for name, network in names(config.slope).items():
        kernel = kernels.nngp(x, x, network.slope, network.bias)
        scale = jnp.sqrt(jnp.diagonal(kernel))
        neurons = _neurons(network, params, x) / scale[None, :]
        sizes = _sizes(params, x) / scale[None, :]
        start = 0
        for m in WIDTHS:
            part = slice(start, start + m * config.networks)
            start = part.stop
            phi = neurons[part].reshape(config.networks, m, 2)
            a = readout[part].reshape(config.networks, m, 1) / m**0.5
            size = sizes[part].reshape(config.networks, m, 2)
            found[name, m] = InitialOutputs(
                jnp.sum(a * phi, axis=1),
                jnp.mean(phi[:, :, 0] ** 2, axis=1),
                jnp.sum(jnp.abs(a) * size, axis=1),
                jnp.mean(size[:, :, 0] ** 2, axis=1),
                kernel[0, 1] / (scale[0] * scale[1]),
            )
    return found


def _neurons(network: Network, params: Params, x: Array) -> Float[Array, "count 2"]:
    return leaky_relu(pre_activations(for_network(network, params), x), network.slope).T


def _sizes(params: Params, x: Array) -> Float[Array, "count 2"]:
    """Σ_j|w_ij||x_j| + |b_i|, of which the rounding of every pre-activation is a multiple."""
    return jnp.abs(params.w) @ jnp.abs(x).T + jnp.abs(params.b)[:, None]


def _roundings(config: InitialSetting) -> int:
    """The longest chain: d + 1 products, the kernel's d + 32, a sum over m, one over networks."""
    return 2 * (2 * config.d + 64) + max(WIDTHS) + config.networks


def _moments(key: Array, config: InitialSetting) -> Measured:
    """(claims,) mean, variance and covariance for each network and width."""
    moments, sizes = [], []
    for outputs in _initial_outputs(key, config).values():
        f = outputs.f
        covariance = jnp.mean(f[:, 0] * f[:, 1]) - outputs.correlation
        moments += [jnp.mean(f[:, 0]), jnp.mean(f[:, 0] ** 2), covariance]
        # Terms of the three, as |f| ≤ 1 + f² and |f(x)f(z)| ≤ f(x)² + f(z)².
        sizes += 3 * [1 + jnp.mean(jnp.sum(outputs.f_size**2, axis=1))]
    return measured(jnp.stack(moments), rounding_error(_roundings(config), jnp.stack(sizes)))


def _moment_claims(config: InitialSetting) -> tuple[Claim, ...]:
    expected = {"mean": 0.0, "variance / NNGP": 1.0, "covariance − NNGP": 0.0}
    return tuple(
        Claim(value, 0.15, name=f"{moment} ({name}, m = {m})")
        for name in names(config.slope)
        for m in WIDTHS
        for moment, value in expected.items()
    )


def _kurtosis(key: Array, config: InitialSetting) -> Measured:
    """(claims,) 3m(v/K − 1)² for each network and width."""
    found = _initial_outputs(key, config).items()
    values = [3 * m * jnp.mean((o.v - 1) ** 2) for (_, m), o in found]
    sizes = [3 * m * jnp.mean((o.v_size + 1) ** 2) for (_, m), o in found]
    error = rounding_error(2 * _roundings(config), jnp.stack(sizes))
    return measured(jnp.stack(values), error)


def _kurtosis_claims(config: InitialSetting) -> tuple[Claim, ...]:
    return tuple(
        Claim(
            float(lazy.initial_excess_kurtosis(1, network.slope)),
            0.2,
            name=f"m × excess kurtosis ({name}, m = {m})",
        )
        for name, network in names(config.slope).items()
        for m in WIDTHS
    )


STATEMENTS = (
    Statement(
        id="ntk.initial-output",
        title="mean and covariance of f(·; 0) are the NNGP's at every width",
        says="E f(x; 0) = 0 and E f(x; 0)f(z; 0) = K(x, z) = E[φ(h(x))φ(h(z))] exactly, at every "
        "width, for a ~ N(0, 1/m), with and without biases; only higher cumulants depend on the "
        "width. At two points and widths 1, 2 and 8: f/√K has mean 0, f²/K has mean 1, and "
        "(f(x)f(z) − K(x, z))/√(K(x, x)K(z, z)) has mean 0.",
        source="Jacot et al. 2018, Proposition 1; Lee et al. 2019, eq. 6",
        sample=_moments,
        claim=Moment(
            quantity=lambda moments, _: moments,
            claims=_moment_claims,
        ),
        config=InitialSetting(),
        draws={"quick": 200, "full": 5000},
        data=True,
    ),
    Statement(
        id="ntk.initial-kurtosis",
        title="the output at initialization has excess kurtosis 15/m (ReLU)",
        says="E f⁴/(E f²)² − 3 = (3/m)(6(1 + γ⁴)/(1 + γ²)² − 1) exactly, at every width, point and "
        "dimension; 15/m for the ReLU. Given the hidden weights f is normal with variance v, so "
        "the excess is 3E(v/K − 1)²: m times it is measured at widths 1, 2 and 8. f⁴ itself has "
        "tails too heavy for an honest interval.",
        source="ours",
        sample=_kurtosis,
        claim=Moment(
            quantity=lambda moments, _: moments,
            claims=_kurtosis_claims,
        ),
        config=InitialSetting(),
        draws={"quick": 200, "full": 5000},
        data=True,
    ),
)
