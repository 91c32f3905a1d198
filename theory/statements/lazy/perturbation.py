"""The gradients that perturbations follow: at initialization, and after training."""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from theory import fields
from theory._validation import check_integer
from theory.data.sampling import data_parameter, draw
from theory.infinite_width import lazy
from theory.infinite_width.kernels import derivative_kernel
from theory.margins import Measured, measured, rounding_error
from theory.networks.descent import Descent, descent_for_time
from theory.networks.embedding import standard_deviation
from theory.networks.network import Params, frozen_readout, init, input_gradients
from theory.networks.training import train
from theory.parameters import Parameters, parameter
from theory.perturbations.attacks import unit_rows
from theory.statements.lazy.movement import CAVEAT, SOURCE
from theory.verification.claims import Claim
from theory.verification.kinds import Moment
from theory.verification.statement import Statement


class GradientSetting(Parameters):
    """A random network of K24b at one point."""

    data: Any = data_parameter("shifted-gaussian", "law of the point")
    d: int = fields.dimension(3, low=2)
    m: int = fields.width(4)
    slope: float = fields.slope(0.2)


def _gradient_size(params: Params) -> Array:
    """‖Σ_i |a_i||w_i|‖, of which the rounding of every ∇f is a multiple."""
    return jnp.linalg.norm(jnp.abs(params.a) @ jnp.abs(params.w))


def _initial_gradient(key: Array, config: GradientSetting) -> Measured:
    """(3,) d⟨u, ξ⟩², d⟨v, ξ⟩² and d⟨u, ξ⟩⟨v, ξ⟩ with u along x and v across, ξ = ∇f(x; 0).

    v is the part across x of the coordinate axis on which x is smallest, which is never parallel
    to x in d ≥ 2; any direction chosen from the data alone will do.
    """
    key_data, key_init = jax.random.split(key)
    x = draw(key_data, config.data, 2, config.d, queries=0).x
    d = check_integer("dimension of the data", x.shape[1], low=2)
    params = init(frozen_readout(config.slope), key_init, config.m, d)
    gradient = input_gradients(params, x[:1], config.slope)[0]
    u = unit_rows(x[:1])[0]
    axis = jnp.zeros_like(u).at[jnp.argmin(jnp.abs(u))].set(1.0)
    v = unit_rows((axis - (axis @ u) * u)[None, :])[0]
    along, across = gradient @ u, gradient @ v
    # u and v are unit vectors: no component is longer than the gradient.
    error = rounding_error(2 * (config.m + 5 * d + 32), d * _gradient_size(params) ** 2)
    return measured(d * jnp.stack([along**2, across**2, along * across]), error)


def _initial_gradient_claims(config: GradientSetting) -> tuple[Claim, ...]:
    variance = float(lazy.initial_gradient_variance(config.slope))
    return (
        Claim(variance, 0.1, name="d⟨u, ξ⟩² along x"),
        Claim(variance, 0.1, name="d⟨v, ξ⟩² across x"),
        Claim(0.0, 0.05, name="d⟨u, ξ⟩⟨v, ξ⟩"),
    )


class TrainedGradientSetting(Parameters):
    """Neurons of a wide network of K24b, trained under the identity loss, seen at query points."""

    data: Any = data_parameter("separated-gaussian", "law of x and z")
    n: int = fields.points(8)
    d: int = fields.dimension(2, low=2)
    m: int = fields.width(16000)
    neurons: int = parameter(4000, "neurons looked at, which stand for all m", low=1)
    slope: float = fields.slope(0.0)
    T: float = fields.training_time(0.5)
    steps: int = fields.steps(4)
    queries: int = fields.queries(8)


def _trained_gradient(key: Array, config: TrainedGradientSetting) -> Measured:
    """(2,) e − τ and e + τ, e the excess of (∇f(z; T) − ∇f(z; 0))/T over ∇k along ∇k − q.

    e = Σ_z ⟨(∇f(z; T) − ∇f(z; 0))/T − ∇k(z), ∇k(z) − q(z)⟩/Σ_z ‖∇k(z) − q(z)‖² is 0 for the limit
    ∇k and −1 for the limit q = (1/n) Σ y_kΦ(x_k, z)x_k. With the relative order r = Tκ/(σ√m) of the
    next correction to ∇k, τ = Σ_z r(z)‖∇k(z)‖‖∇k(z) − q(z)‖/Σ_z ‖∇k(z) − q(z)‖². Under the
    identity loss no neuron feels another, so that some of them stand for all m.
    """
    key_data, key_init = jax.random.split(key)
    x, y, z, _ = draw(key_data, config.data, config.n, config.d, queries=config.queries)
    slope, network = config.slope, frozen_readout(config.slope)
    start = init(network, key_init, config.neurons, x.shape[1])
    start = start._replace(a=start.a * (config.neurons / config.m) ** 0.5)
    end = train(network, start, x, y, descent_for_time(config.T, config.steps)).params
    all_of_them = config.m / config.neurons / config.T
    before, after = (input_gradients(params, z, slope) for params in (start, end))
    limit = lazy.signal_gradients(x, y, z, slope)
    first_term = derivative_kernel(x, z, slope).T @ (y[:, None] * x) / config.n
    missing = limit - first_term
    size = jnp.sum(missing**2)
    excess = jnp.sum(((after - before) * all_of_them - limit) * missing) / size
    relative = config.T * lazy.kappa(x, z) / (standard_deviation(z) * config.m**0.5)
    norms = jnp.linalg.norm(limit, axis=1) * jnp.linalg.norm(missing, axis=1)
    order = jnp.sum(relative * norms) / size
    # Both gradients are sums over the neurons, whose weights every step rounds; the limit sums over
    # samples, and both factors of e and its denominator carry the error of what they are made of.
    n, d = x.shape
    chain = config.neurons + (config.steps + 1) * (2 * n + 4 * d + 32)
    terms = (_gradient_size(start) + _gradient_size(end)) * all_of_them
    terms = terms + jnp.linalg.norm(limit, axis=1) + jnp.linalg.norm(first_term, axis=1)
    error = rounding_error(chain, jnp.sum(terms**2) / size * (1 + jnp.abs(excess) + order))
    return measured(jnp.stack([excess - order, excess + order]), 2 * error)


class PerturbationSetting(Parameters):
    """A network of K24b along gradient descent without momentum under the identity loss."""

    data: Any = data_parameter("shifted-gaussian", "law of x")
    n: int = fields.points(20)
    d: int = fields.dimension(100)
    m: int = fields.width(500)
    slope: float = fields.slope(0.2)
    T: float = fields.training_time(1.6, "longest training time")
    halvings: int = parameter(3, "the law is checked at T, T/2, …, T/2^halvings", low=0)

    @property
    def times(self) -> tuple[Any, ...]:
        """The training times, increasing."""
        return tuple(self.T / 2**j for j in range(self.halvings, -1, -1))


def _cosine_excess(key: Array, config: PerturbationSetting) -> Measured:
    """(times,) mean over samples of cos(∇f(x_k; T), q_k) minus the law, over its tolerance."""
    key_data, key_init = jax.random.split(key)
    x, y, _, _ = draw(key_data, config.data, config.n, config.d, queries=0)
    slope, network = config.slope, frozen_readout(config.slope)
    start = init(network, key_init, config.m, x.shape[1])
    mean_gradients = lazy.mean_gradients(x, y, slope)
    direction = unit_rows(mean_gradients)

    def cosine(params: Any) -> tuple[Array, Array]:
        """The mean cosine, and Σ_i|a_i||w_i| over the shortest gradient."""
        gradients = input_gradients(params, x, slope)
        shortest = jnp.min(jnp.linalg.norm(gradients, axis=1))
        cosines = jnp.sum(unit_rows(gradients) * direction, axis=1)
        return jnp.mean(cosines), _gradient_size(params) / shortest

    steps = 2**config.halvings
    path, sizes = train(network, start, x, y, Descent(config.T / steps, steps), cosine).trace
    seen = path[jnp.array([2**j - 1 for j in range(config.halvings + 1)])]
    times = jnp.asarray(config.times, x.dtype)

    def law(time: Array) -> tuple[Array, Array]:
        cosines = lazy.cosine_law(time * mean_gradients, slope)
        tolerances = lazy.cosine_law_tolerance(x, y, config.m, slope, time)
        return jnp.mean(cosines), jnp.mean(tolerances)

    predicted, tolerance = jax.vmap(law)(times)
    value = (seen - predicted) / tolerance
    # Directions q_k, sums over samples, as gradients over neurons, are known to within their
    # absolute terms over their length.
    n, d = x.shape
    terms = jnp.mean(jnp.abs(x)) * d / jnp.min(jnp.linalg.norm(mean_gradients, axis=1))
    chain = config.m + (steps + 1) * (2 * n + 4 * d + 64)
    error = rounding_error(chain, jnp.max(sizes) + terms + 1) * (1 / tolerance + jnp.abs(value))
    return measured(value, error)


def _cosine_claims(config: PerturbationSetting) -> tuple[Claim, ...]:
    return tuple(
        Claim(0.0, 1.0, name=f"(cosine − law)/tolerance at T = {time:g}", tolerance=1.0)
        for time in config.times
    )


STATEMENTS = (
    Statement(
        id="lazy.initial-gradient",
        title="initial gradients have covariance ((1 + γ²)/2) I/d",
        says="E[∇f(x; 0)∇f(x; 0)ᵀ] = ((1 + γ²)/2) I/d at every width and dimension and every x, "
        "along x, across it and between the two.",
        source=SOURCE,
        caveat=CAVEAT,
        sample=_initial_gradient,
        claim=Moment(
            quantity=lambda values, _: values,
            claims=_initial_gradient_claims,
        ),
        config=GradientSetting(),
        draws={"quick": 40_000, "full": 1_000_000},
        data=True,
        batch=1000,
    ),
    Statement(
        id="lazy.trained-gradient",
        title="training adds T∇k(z) to ∇f(z), not T·(1/n)Σ y_kΦ(x_k, z)x_k",
        says="(∇f(z; T) − ∇f(z; 0))/T → ∇k(z) = (1/n) Σ_k y_k[Φ(x_k, z)x_k + (⟨x_k, z⟩ + 1)"
        "∇_zΦ(x_k, z)] as m → ∞, identity loss. Measured along ∇k − q, in units of ‖∇k − q‖: "
        "0 for the limit ∇k, −1 for q, the first term alone, with which the cosine law is stated. "
        "The mean is 0 within the mean of the next order, Tκ/(σ√m) of ∇k, at each draw.",
        source=f"ours; {SOURCE} states the first term",
        caveat=CAVEAT,
        sample=_trained_gradient,
        claim=Moment(
            quantity=lambda values, _: values,
            claims=lambda config: (
                Claim(0.0, 0.15, side="at most", name="excess over ∇k, less its order"),
                Claim(0.0, 0.15, side="at least", name="excess over ∇k, plus its order"),
            ),
        ),
        config=TrainedGradientSetting(),
        draws={"quick": 300, "full": 5000},
        data=True,
        batch=20,
    ),
    Statement(
        id="lazy.perturbation",
        title="cos(r_k, q_k) = T‖q_k‖/√(T²‖q_k‖² + (1 + γ²)/2)",
        says="The cosine between the perturbation r_k ∥ ∇f(x_k; T) and its training-sample sum "
        "q_k = (1/n) Σ_j y_jΦ(x_j, x_k)x_j, mean over initializations and samples, is that of "
        "T q_k with itself plus Gaussian noise of variance (1 + γ²)/2, at T, T/2, T/4 and T/8, "
        "identity loss. In units of the law's own accuracy (limits.cosine_law_tolerance): 0 ± 1.",
        source=SOURCE,
        caveat=CAVEAT,
        sample=_cosine_excess,
        claim=Moment(
            quantity=lambda values, _: values,
            claims=_cosine_claims,
        ),
        config=PerturbationSetting(),
        draws={"quick": 100, "full": 5000},
        data=True,
        batch=20,
    ),
)
