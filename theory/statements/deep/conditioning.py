"""The tangent kernel of very deep networks forgets its points, and how slowly."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from theory import fields
from theory.data.sampling import data_parameter, draw
from theory.infinite_width._angles import angle
from theory.infinite_width.deep import kink, ntk_at_depths
from theory.margins import Margin, Measured, at_least, measured, rounding_error
from theory.parameters import Parameters, parameter
from theory.verification.claims import Claim
from theory.verification.kinds import Rate
from theory.verification.statement import Hypothesis, Statement

DEEP = 250.0  # smallest c·L at which the power law is claimed


class DepthSetting(Parameters):
    """Points, and depths that double."""

    data: Any = data_parameter("sphere")
    n: int = fields.points(4, low=2)
    d: int = fields.dimension(40)
    slope: float = fields.slope(0.0)
    shallowest: int = parameter(256, "the smallest depth", low=2)
    depths: int = parameter(5, "depths, each twice the one before", low=5)


def depths_of(config: DepthSetting) -> tuple[int, ...]:
    """All of them."""
    return tuple(config.shallowest * 2**k for k in range(config.depths))


def ratio(depth: Any, coefficient: float = 3 / 8) -> Any:
    """¼ + (3/8)(log L)/L, up to O(1/L) what Θ(x, x')/Θ(x, x) is."""
    return 0.25 + coefficient * np.log(depth) / depth


def sample(key: Array, config: DepthSetting) -> Float[Array, "n n"]:
    """Angles between points."""
    x = draw(key, config.data, config.n, config.d, queries=0).x
    return angle(x, x, bias=False)


def distances(coefficient: float) -> Callable[[Array, DepthSetting], Measured]:
    """(2, depths) by how much entries off the diagonal, and the condition number, are off."""

    def quantity(theta: Array, config: DepthSetting) -> Measured:
        depths, n = depths_of(config), len(theta)
        found = ntk_at_depths(theta, depths, config.slope)
        kernel = jnp.where(jnp.eye(n, dtype=bool)[None], 1.0, found)
        limit = jnp.asarray(ratio(np.array(depths), coefficient))
        off = jnp.sum(jnp.abs(kernel - limit[:, None, None]), axis=(1, 2)) - n * (1 - limit)
        values = jnp.linalg.eigvalsh(kernel)
        condition = values[:, -1] / values[:, 0]
        wanted = (1 + (n - 1) * limit) / (1 - limit)
        distance = jnp.stack([off / (n * (n - 1)), jnp.abs(condition - wanted)])
        return measured(distance, rounding_error(8 * depths[-1], jnp.asarray(float(n))))

    return quantity


def _deep(theta: Array, config: DepthSetting) -> Margin:
    """c·L ≥ 250 at the smallest depth: before, terms of the order (log L)/L² bend the line."""
    return at_least(
        jnp.asarray(kink(config.slope) * config.shallowest), DEEP, rounding_error(8, DEEP)
    )


CONDITIONING = Statement[DepthSetting, Array](
    id="deep.ntk-conditioning",
    title="Θ(x, x′)/Θ(x, x) = ¼ + (3/8)(log L)/L + O(1/L), for every leaky ReLU",
    says="Distinct points of one length, all layers of a bias-free leaky ReLU network trained, "
    "critical variance, infinite width: Θ_L(x, x′)/Θ_L(x, x) is ¼ + (3/8)(log L)/L up to 1/L, and "
    "the condition number of n points (n + 3)/3, up to what that makes of it.",
    source="Xiao et al. 2020; the second term and all slopes ours",
    sample=sample,
    hypotheses={"deep": Hypothesis(_deep, "c·L ≥ 250 at all depths, c = (1 − γ)²/(1 + γ²)")},
    claim=Rate(
        distances(3 / 8),
        lambda config: (
            Claim(-1.0, 0.05, name="exponent in L of Θ(x,x′)/Θ(x,x)", tolerance=0.05),
            Claim(-1.0, 0.05, name="exponent in L of the condition number", tolerance=0.05),
        ),
        scales=depths_of,
    ),
    config=DepthSetting(),
    draws={"quick": 128, "full": 2000},
    data=True,
    batch=80,
)
