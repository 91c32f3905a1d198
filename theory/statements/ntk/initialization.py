"""Family D, J18, L19: the law of the output at initialization, exact at every width."""

from collections.abc import Callable
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
from theory.statements.ntk.widths import for_all, for_network, names
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


def _measured_in_all(
    key: Array,
    config: InitialSetting,
    values: Callable[[InitialOutputs, int], Float[Array, " k"]],
    sizes: Callable[[InitialOutputs, int], Float[Array, ""]],
    roundings: int,
) -> Measured:
    """(networks · widths · k,) values of each network and width, and their rounding.

    All are seen at the same points and made of the same normal numbers.

    Args:
      key, config: of the draw.
      values: outputs of one width, the width → numbers.
      sizes: the same → the sum of the absolute values of their terms.
      roundings: the longest chain of them.
    """
    key_data, key_init = jax.random.split(key)
    x = draw(key_data, config.data, 2, config.d, queries=0).x
    count = config.networks * sum(WIDTHS)
    params = init(frozen_readout(), key_init, count, x.shape[1])
    size = _sizes(params, x)

    def of(network: Network) -> tuple[Array, Array]:
        found = _outputs(network, params, x, size, config.networks)
        of_width = list(zip(found, WIDTHS, strict=True))
        numbers = [jnp.atleast_1d(values(outputs, m)) for outputs, m in of_width]
        largest = [sizes(outputs, m) for outputs, m in of_width]
        return jnp.stack(numbers), jnp.stack(largest)

    parts = list(for_all(config.slope, of).values())
    numbers, largest = (jnp.stack([part[i] for part in parts]) for i in (0, 1))
    errors = rounding_error(roundings, jnp.broadcast_to(largest[..., None], numbers.shape))
    return measured(numbers.reshape(-1), errors.reshape(-1))


def _outputs(
    network: Network, params: Params, x: Array, size: Array, networks: int
) -> list[InitialOutputs]:
    """For each width the outputs of `networks` networks, each of neurons of its own."""
    kernel = kernels.nngp(x, x, network.slope, network.bias)
    scale = jnp.sqrt(jnp.diagonal(kernel))
    neurons, sizes = _neurons(network, params, x) / scale, size / scale
    readout = params.a * len(params.a) ** 0.5  # standard normal
    found, end = [], 0
    for m in WIDTHS:
        part = slice(end, end := end + m * networks)
        phi, largest = (of[part].reshape(networks, m, 2) for of in (neurons, sizes))
        a = readout[part].reshape(networks, m, 1) / m**0.5
        found.append(
            InitialOutputs(
                f=jnp.sum(a * phi, axis=1),
                v=jnp.mean(phi[:, :, 0] ** 2, axis=1),
                f_size=jnp.sum(jnp.abs(a) * largest, axis=1),
                v_size=jnp.mean(largest[:, :, 0] ** 2, axis=1),
                correlation=kernel[0, 1] / (scale[0] * scale[1]),
            )
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

    def moments(outputs: InitialOutputs, _: int) -> Float[Array, "3"]:
        f = outputs.f
        covariance = jnp.mean(f[:, 0] * f[:, 1]) - outputs.correlation
        return jnp.stack([jnp.mean(f[:, 0]), jnp.mean(f[:, 0] ** 2), covariance])

    def size(outputs: InitialOutputs, _: int) -> Float[Array, ""]:
        # Terms of the three, as |f| ≤ 1 + f² and |f(x)f(z)| ≤ f(x)² + f(z)².
        return 1 + jnp.mean(jnp.sum(outputs.f_size**2, axis=1))

    return _measured_in_all(key, config, moments, size, _roundings(config))


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
    return _measured_in_all(
        key,
        config,
        lambda outputs, m: 3 * m * jnp.mean((outputs.v - 1) ** 2),
        lambda outputs, m: 3 * m * jnp.mean((outputs.v_size + 1) ** 2),
        2 * _roundings(config),
    )


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
