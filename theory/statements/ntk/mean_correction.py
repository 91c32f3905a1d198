"""Family D: how far the mean of the finite network is from the infinitely wide one."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from theory import fields
from theory._scaling import maximum
from theory.data.sampling import data_parameter, draw
from theory.infinite_width import kernels
from theory.margins import Margin, Measured, at_least, measured, rounding_error
from theory.networks.descent import descent_for_time
from theory.networks.network import (
    Network,
    Params,
    all_trained,
    apply,
    frozen_readout,
    init,
)
from theory.networks.training import train
from theory.parameters import Parameters, parameter
from theory.statements.ntk.widths import slope_name
from theory.verification.claims import Claim
from theory.verification.kinds import Rate
from theory.verification.statement import Hypothesis, Statement


class MeanSetting(Parameters):
    """Neurons of networks of widths m_min·4^j, trained on the identity loss."""

    data: Any = data_parameter("sphere")
    n: int = fields.points(4)
    d: int = fields.dimension(10)
    slope: float = fields.slope(0.2, "slope γ where the readout is frozen")
    m_min: int = fields.width(256, "smallest width")
    widths: int = fields.number_of_widths(5, "four times")
    neurons: int = parameter(512, "neurons per draw, each with both signs of a", low=1)
    T: float = fields.training_time(1.0)
    steps: int = fields.steps(5)

    @property
    def scales(self) -> np.ndarray:
        """The widths."""
        return self.m_min * 4 ** np.arange(self.widths)


class Corrections(NamedTuple):
    """found: (networks, scales).  reach: T max_k (1/n) Σ_j |⟨x_j, x_k⟩ + 1|.

    A pre-activation at a training point moves by |a| times the reach at most (φ' ≤ 1; for erf
    times 2/√π).
    """

    found: Measured
    reach: Float[Array, ""]


FIRST_ORDER = 0.2  # E a²·reach², a ~ N(0, 1/m): the next order bends the exponent by about as much


def _first_order(instance: Corrections, config: MeanSetting) -> Margin:
    square = instance.reach**2 / config.m_min
    return at_least(jnp.asarray(FIRST_ORDER), square, rounding_error(2**12, square))


HYPOTHESES = {
    "first order": Hypothesis(_first_order, "(T max_k (1/n) Σ_j|⟨x_j, x_k⟩ + 1|)² ≤ m_min/5")
}


def _kinked(config: MeanSetting) -> dict[str, Network]:
    return {
        f"frozen readout, {slope_name(config.slope)}": frozen_readout(config.slope),
        "all trained, ReLU": all_trained(0.0),
    }


def _smooth(config: MeanSetting) -> dict[str, Network]:
    return {"frozen readout, erf": frozen_readout(activation="erf")}


def _rounding(start: Params, end: Params, x: Array, config: MeanSetting) -> Array:
    """Bound on the rounding error of (1/n) Σ_k y_k(f_lin − f)(x_k; T), to first order.

    Both outputs are sums over neurons of |a_i|(Σ_j|w_ij||x_kj| + |b_i|) at most, in absolute
    values; what training adds to them is below T Σ_i (a_i²(‖x_k‖² + 1) + …), counted by the trained
    weights and by the kernel. Each of the steps sums over samples and coordinates.
    """

    def terms(params: Params) -> Array:
        size = jnp.abs(params.w) @ jnp.abs(x).T + jnp.abs(params.b)[:, None]
        return jnp.max(jnp.abs(params.a) @ size) + jnp.max(jnp.sum(size**2, axis=0)) / len(size)

    squares = 1 + jnp.max(jnp.sum(x**2, axis=1))
    learned = config.T * squares * jnp.sum(start.a**2)
    operations = config.neurons + (config.steps + 1) * (2 * config.n + 4 * x.shape[1] + 64)
    return rounding_error(operations, terms(start) + terms(end) + learned)


def _corrections(
    networks: Callable[[MeanSetting], dict[str, Network]], *, shared: bool = True
) -> Callable[..., Corrections]:
    """Sampler of (1/n) Σ_k y_k(f_∞ − E f_m)(x_k; T), (networks, scales), without bias.

    Under the identity loss neurons do not see one another: E f_m is m times the mean over one
    neuron with a ~ N(0, 1/m), estimated from as many neurons as one likes, the same at every width
    but for the scale of a. Of each neuron its own linearization is subtracted, whose mean is f_∞,
    and −a is taken beside a: both leave the mean as it is.

    Where neurons are not `shared` by the widths, each width has its own. The exponent then has the
    noise of neurons, which is nearly symmetric; what is left of it otherwise, the bend of the line
    in rare draws, has a law too skewed for an interval.
    """

    def sample(key: Array, config: MeanSetting) -> Corrections:
        key_data, key_init = jax.random.split(key)
        x, y, _, _ = draw(key_data, config.data, config.n, config.d, queries=0)
        descent = descent_for_time(config.T, config.steps, loss="identity")
        signs, widths = jnp.array([1.0, -1.0]), jnp.asarray(config.scales, float)

        def of_network(network: Network) -> tuple[Array, Array]:
            keys = jax.random.split(key_init, config.widths)
            keys = jnp.broadcast_to(keys[0], keys.shape) if shared else keys

            def shortfall(sign: Array, m: Array, key: Array) -> tuple[Array, Array]:
                start = init(network, key, config.neurons, x.shape[1])
                neurons: Params = start._replace(a=sign * start.a * jnp.sqrt(config.neurons / m))
                trained = train(network, neurons, x, y, descent, None, 1 / m).params
                kernel = kernels.finite_ntk(network, neurons, x, x, 1 / m)
                linearized = apply(network, neurons, x) + config.T * (kernel @ y) / config.n
                missing = y @ (linearized - apply(network, trained, x)) / config.n
                share = m / config.neurons
                return missing * share, _rounding(neurons, trained, x, config) * share

            both = jax.vmap(jax.vmap(shortfall, (0, None, None)), (None, 0, 0))(signs, widths, keys)
            corrections, errors = (jnp.mean(part, axis=1) for part in both)
            return corrections, errors + rounding_error(4, jnp.mean(jnp.abs(both[0]), axis=1))

        found = [of_network(network) for network in networks(config).values()]
        corrections, errors = zip(*found, strict=True)
        reach = config.T * maximum(jnp.mean(jnp.abs(x @ x.T + 1), axis=0))
        return Corrections(measured(jnp.stack(corrections), jnp.stack(errors)), reach)

    return sample


STATEMENTS = (
    Statement[MeanSetting, Corrections](
        id="ntk.mean-correction",
        title="kinks slow the mean of f_m down by a share of the order m^(−1/2)",
        says="(1/n) Σ_k y_k(f_∞ − E f_m)(x_k; T) = Θ(m^{−1/2}), and positive, under the identity "
        "loss, for ReLU and leaky ReLU: the mean of the finite network is not within O(1/m) of the "
        "limit, because a neuron near a training point's kink moves at different speeds on its two "
        "sides. Two-sided: the fitted exponents must be −1/2, within 0.05 for what finite widths "
        "bend them.",
        source="ours",
        sample=_corrections(_kinked),
        hypotheses=HYPOTHESES,
        claim=Rate(
            quantity=lambda instance, _: instance.found,
            claims=lambda config: tuple(
                Claim(-0.5, 0.12, name=f"exponent ({name})", tolerance=0.05, signed=True)
                for name in _kinked(config)
            ),
            scales=lambda config: config.scales,
        ),
        config=MeanSetting(),
        draws={"quick": 256, "full": 2000},
        data=True,
    ),
    Statement[MeanSetting, Corrections](
        id="ntk.mean-correction-smooth",
        title="without kinks the mean of f_m is within O(1/m) of the limit",
        says="(1/n) Σ_k y_k(f_∞ − E f_m)(x_k; T) = Θ(1/m) under the identity loss for φ = erf: "
        "expanded in the readout a, only even powers have a mean. Two-sided: the fitted exponent "
        "must be −1, within 0.05 for what finite widths bend it.",
        source="ours",
        sample=_corrections(_smooth, shared=False),
        hypotheses=HYPOTHESES,
        claim=Rate(
            quantity=lambda instance, _: instance.found,
            claims=lambda config: tuple(
                Claim(-1.0, 0.05, name=f"exponent ({name})", tolerance=0.05, signed=True)
                for name in _smooth(config)
            ),
            scales=lambda config: config.scales,
        ),
        config=MeanSetting(n=3, d=20, T=0.5, neurons=256),
        draws={"quick": 400, "full": 2000},
        data=True,
    ),
)
