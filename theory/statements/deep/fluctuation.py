"""How much the tangent kernel of a deep network fluctuates at initialization."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from theory import fields
from theory.infinite_width.deep import ntk_second_moment
from theory.margins import Measured, measured, rounding_error
from theory.networks.deep import DeepNetwork, init_deep
from theory.networks.deep_tangents import deep_ntk
from theory.parameters import Parameters, parameter
from theory.verification.claims import Claim
from theory.verification.kinds import Moment
from theory.verification.statement import Statement


class FluctuationSetting(Parameters):
    """Many networks of one shape, whose kernel is looked at in one point."""

    d: int = fields.dimension(4)
    n: int = fields.width(32, "width n of all layers")
    depth: int = parameter(3, "hidden layers L", low=1)
    slope: float = fields.slope(0.0)
    networks: int = parameter(128, "networks per draw", low=1)


def _kernels(key: Array, config: FluctuationSetting) -> Float[Array, " networks"]:
    """Θ(x, x) over its mean, L + 1 for |x|² = d."""
    network = DeepNetwork.critical((config.n,) * config.depth, config.slope)
    x = jnp.ones((1, config.d))

    def one(key: Array) -> Array:
        return deep_ntk(network, init_deep(network, key, config.d), x)[0, 0]

    return jax.vmap(one)(jax.random.split(key, config.networks)) / (config.depth + 1)


def variance(config: FluctuationSetting) -> float:
    """Of Θ(x, x) over its mean."""
    return ntk_second_moment((config.n,) * config.depth, config.slope) - 1


def _moments(kernels: Array, config: FluctuationSetting) -> Measured:
    """E Θ/(L + 1), and E(Θ/(L + 1) − 1)² over the variance, which are 1."""
    found = jnp.stack([jnp.mean(kernels), jnp.mean((kernels - 1) ** 2) / variance(config)])
    size = jnp.stack([found[0], jnp.mean(1 + kernels**2) / variance(config)])
    roundings = 8 * config.depth * (config.n + 8) + config.networks
    return measured(found, rounding_error(roundings, size * config.n**2))


FLUCTUATION = Statement[FluctuationSetting, Array](
    id="deep.ntk-fluctuation",
    title="the kernel's variance, exact at every width: like e^(bL/n)/3 in deep networks",
    says="Bias-free leaky ReLU networks of widths n_1, …, n_L, critical variance, all layers "
    "trained: E Θ(x, x) = (L + 1)|x|²/d and E Θ(x, x)²/(E Θ(x, x))² = Π_ℓ(1 + b/n_ℓ)·(1/3 + "
    "(2/3)(L + 1)^{−2} Σ_{j,k=0}^{L} Π_{min(j,k)<ℓ≤max(j,k)} (n_ℓ − 1)/(n_ℓ + b)), b = 6(1 + γ⁴)/"
    "(1 + γ²)² − 1; at L/n = β → e^{bβ}(1/3 + (2/3)g((b + 1)β)), g(x) = 2(e^{−x} − 1 + x)/x².",
    source="ours, exact form of Hanin and Nica 2020",
    sample=_kernels,
    claim=Moment(
        _moments,
        lambda config: (
            Claim(1.0, 0.05, name="E Θ / (L + 1)"),
            Claim(1.0, 0.15, name="Var Θ / exact variance"),
        ),
    ),
    config=FluctuationSetting(),
    draws={"quick": 100, "full": 10_000},
    batch=50,
)
