"""The trained network against its infinite-width limit, for every loss."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from theory import fields
from theory._scaling import maximum
from theory.data.sampling import Sample, data_parameter, draw
from theory.infinite_width import bounds, function_space, kernels, lazy, logistic
from theory.margins import Margin, exceeds, margin, rounding_error
from theory.networks import embedding
from theory.networks.descent import Descent, descent_for_time
from theory.networks.network import frozen_readout, init, outputs
from theory.networks.training import train
from theory.parameters import Parameters, parameter
from theory.statements.lazy.movement import CAVEAT, SOURCE
from theory.statements.lazy.rounding import (
    bound_rounding,
    limit_rounding,
    output_rounding,
)
from theory.verification.kinds import Probabilistic
from theory.verification.stages import Staged
from theory.verification.statement import Hypothesis, OnData, Statement


class DynamicsSetting(Parameters):
    """A network of K24b trained on the identity loss for time T, seen at one query point."""

    data: Any = data_parameter("separated-gaussian", "law of x and z")
    n: int = fields.points(40)
    d: int = fields.dimension(10)
    m: int = fields.width(2000)
    slope: float = fields.slope(0.5)
    T: float = fields.training_time(2.0)
    steps: int = fields.steps(10)
    momentum: float = fields.momentum(0.5)
    separation: float = fields.separation(4.0)
    delta: float = fields.failure_probability(0.05)


class CertifiedSetting(DynamicsSetting):
    """A network of K24b trained on any loss, seen at one query point with its trained weights α."""

    loss: str = fields.loss("logistic", ("identity", "logistic"))


class LogisticSetting(DynamicsSetting):
    """A network of K24b trained on the logistic loss by gradient descent without momentum."""

    n: int = fields.points(10)
    T: float = fields.training_time(1.0)
    momentum: float = parameter(0.0, "momentum μ, which is 0", low=0, high=0)


class Dynamics(NamedTuple):
    """Deviation from the limit, the bound on it, and their rounding errors in all."""

    deviation: Float[Array, ""]
    error: Float[Array, ""]
    bound: Float[Array, ""]


def _data(key: Array, config: DynamicsSetting) -> Sample:
    return draw(key, config.data, config.n, config.d, separation=config.separation)


def _descent(config: DynamicsSetting, loss: str) -> Descent:
    return descent_for_time(config.T, config.steps, config.momentum, loss=loss)


def _trained(key: Array, data: Sample, config: DynamicsSetting, loss: str) -> Any:
    """The result of training, f(z; 0), f(z; T), and the rounding error of the difference."""
    x, y, z, _ = data
    network = frozen_readout(config.slope)
    start = init(network, key, config.m, config.d)
    result = train(network, start, x, y, _descent(config, loss))
    before, after = (outputs(p, z, config.slope) for p in (start, result.params))
    error = output_rounding(result.params, x, z, config.T, config.steps)
    error = error + limit_rounding(x, z, config.T, config.steps)
    return result, before, after, error


def _dynamics(key: Array, config: DynamicsSetting) -> Dynamics:
    key_data, key_init = jax.random.split(key)
    x, y, z, _ = data = _data(key_data, config)
    _, _, after, error = _trained(key_init, data, config, "identity")
    limit = config.T * lazy.signal(x, y, z, config.slope)
    s = bounds.output_exponent(config.delta)
    bound = bounds.output_bound(x, y, z, config.m, config.slope, config.T, s).total
    error = error + bound_rounding(bound, x, z, config.T)
    return Dynamics(jnp.abs(after - limit)[0], error[0], bound[0])


def _certified(key: Array, config: CertifiedSetting) -> Dynamics:
    key_data, key_init = jax.random.split(key)
    x, y, z, _ = data = _data(key_data, config)
    result, before, after, error = _trained(key_init, data, config, config.loss)
    limit = lazy.signal(x, y, z, config.slope, result.weights)
    bound = bounds.certified_bound(
        x,
        y,
        z,
        config.m,
        config.slope,
        config.T,
        result.weights,
        *bounds.certified_exponents(config.delta, config.n),
    ).total
    # f(z; 0) was rounded, too; its terms are those of f(z; T) to first order.
    error = 2 * error + bound_rounding(bound, x, z, config.T)
    return Dynamics(jnp.abs(after - before - limit)[0], error[0], bound[0])


class Points(NamedTuple):
    """A sample, the kernel Θ of its x with x and z, and 8 − ηλ with its rounding error."""

    sample: Sample
    kernel: Float[Array, "n all"]
    spare: Float[Array, ""]
    spare_error: Float[Array, ""]


def _points(key: Array, earlier: Staged, config: LogisticSetting) -> Points:
    sample = _data(key, config)
    x = sample.x
    kernel = kernels.hidden_ntk(x, jnp.concatenate([x, sample.z]), config.slope)
    rate = _descent(config, "logistic").learning_rate
    spare = logistic.logistic_spare(kernel[:, : config.n], rate)
    entries = maximum(lazy.product_sizes(x, x))
    spare_error = rounding_error(64 + config.n + x.shape[1], 8 + rate * entries)
    return Points(sample, kernel, spare, spare_error)


def _logistic(key: Array, earlier: Staged, config: LogisticSetting) -> Dynamics:
    (x, y, z, _), kernel, *_ = earlier.data
    descent = _descent(config, "logistic")
    _, _, after, error = _trained(key, earlier.data.sample, config, "logistic")
    n, slope, points = config.n, config.slope, jnp.concatenate([x, z])
    k_train_train, k_test_train = kernel[:, :n], kernel[:, n:].T
    limit = function_space.function_space_descent(k_train_train, k_test_train, y, descent).test[-1]
    s, s_kernel = bounds.uniform_exponents(config.delta, n)
    size = bounds.uniform_bound(x, y, points, config.m, slope, config.T, s, s_kernel).total
    diagonal = (1 + slope**2) / 2 * embedding.biased_products(z, z)[0]
    response = logistic.logistic_response(
        k_train_train, diagonal, size[:n], config.T, descent.learning_rate
    )
    # The weights α of the limit are summed over the steps through n-term sums that the loss damps.
    error = error + limit_rounding(x, z, config.T, config.steps * n)
    bound = size[n:] + response
    # The response is a mean over B(x_k) times what (Θ(z, z), spare) make of it.
    at_points = bound_rounding(size, x, points, config.T)
    gain = response / jnp.sqrt(jnp.mean(size[:n] ** 2))
    error = error + at_points[n:] + gain * jnp.sqrt(jnp.mean(at_points[:n] ** 2))
    return Dynamics(jnp.abs(after - limit)[0], error[0], bound[0])


def _conclusion(instance: Dynamics, _: object) -> Margin:
    return exceeds(instance.bound, instance.deviation, instance.error)


STATEMENTS = (
    Statement(
        id="lazy.dynamics",
        title="f(z; T) is within B(z) of its infinite-width limit T(f̂ + β)",
        says="|f(z; T) − T(f̂(z) + β(z))| ≤ B(z) with probability ≥ 1 − 6e^{−s}, under the "
        "identity loss, for one fixed z. B(z) is the sum of a bound on the initial output, on the "
        "kernel's fluctuation and on neurons that change their activation.",
        source=f"ours, explicit form of {SOURCE}",
        caveat=CAVEAT,
        sample=_dynamics,
        claim=Probabilistic(
            conclusion=_conclusion,
            failure_probability=lambda _, config: config.delta,
        ),
        config=DynamicsSetting(),
        draws={"quick": 100, "full": 2000},
        data=True,
        on_data={"digits": OnData()},
    ),
    Statement(
        id="lazy.dynamics-certified",
        title="f(z; T) − f(z; 0) is within a bound of k_α(z) at the trained weights α, any loss",
        says="|f(z; T) − f(z; 0) − (1/n) Σ_k y_kα_kΘ(x_k, z)| ≤ kernel + lazy parts with "
        "probability ≥ 1 − 2n e^{−s''} − 64(n + 1)e^{−s'}, α_k = ∫ℓ'(−y_k f(x_k; t))dt the weights "
        "that training ended with, for any loss with 0 ≤ ℓ' ≤ 1 and one fixed z.",
        source=f"ours, explicit form of {SOURCE}",
        caveat=CAVEAT,
        sample=_certified,
        claim=Probabilistic(
            conclusion=_conclusion,
            failure_probability=lambda _, config: config.delta,
        ),
        config=CertifiedSetting(),
        draws={"quick": 100, "full": 2000},
        data=True,
        on_data={"digits": OnData()},
    ),
    Statement[LogisticSetting, Staged](
        id="lazy.dynamics-logistic",
        title="f(z; T) is within a bound of function-space descent, from the data alone",
        says="|f(z; T) − k_ᾱ(z)| ≤ B(z) + √((1/n)ΣB(x_k)²)·√(TΘ(z, z)/(8 − ηλ)) with probability "
        "≥ 1 − 4(n + 1)e^{−s} − n(n + 3)e^{−s''}, under the logistic loss and gradient descent "
        "with ηλ < 8, ᾱ the weights of the infinitely wide network, λ = max_k (1/n)Σ_j|Θ_jk|.",
        source=f"ours, explicit form of {SOURCE}",
        caveat=CAVEAT,
        stages={"data": _points, "training": _logistic},
        hypotheses={
            "step size": Hypothesis(
                lambda i, _: margin(i.data.spare, i.data.spare_error), "ηλ < 8", stage="data"
            ),
        },
        claim=Probabilistic(
            conclusion=lambda i, config: _conclusion(i.training, config),
            failure_probability=lambda _, config: config.delta,
        ),
        config=LogisticSetting(),
        loose="what errors at the training points do to the weights is bounded by all of them at "
        "their bounds and of the worst sign at once (Cauchy–Schwarz)",
        draws={"quick": 100, "full": 2000},
        data=True,
    ),
)
