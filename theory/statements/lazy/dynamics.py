"""Family C, K24b: wide two-layer networks with frozen readout, lazy training and perturbations."""

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from theory import bounds, limits
from theory.attacks import gradient_perturbations
from theory.data import data_parameter, draw
from theory.evidence import Margin, exceeds, margin, rounding_error
from theory.networks import Params, frozen_readout, init, outputs, pre_activations
from theory.parameters import Parameters, parameter
from theory.training import descent_for_time, train
from theory.verification import Hypothesis, Statement

SOURCE = "Kumano et al. 2024b"


def largest_movement(
    params: Params, x: Float[Array, "n d"], z: Float[Array, "q d"], time: float
) -> Float[Array, "q m"]:
    """T|a_i|κ(z), the most that h_i(z) can move (`lazy.movement`)."""
    return time * jnp.abs(params.a)[None, :] * limits.kappa(x, z)[:, None]


def pre_activation_rounding(
    params: Params, x: Float[Array, "n d"], z: Float[Array, "q d"], time: float, steps: int
) -> Float[Array, "q m"]:
    """First-order bound on the rounding error of h_i(z) after `steps` updates of the weights.

    Every update rounds each weight once, in either sense, and h sums d + 1 products. What the
    gradients add, at most T|a_i|κ(z), went through sums over n samples and d coordinates.
    """
    n, d = x.shape
    size = jnp.abs(z) @ jnp.abs(params.w).T + jnp.abs(params.b)[None, :]
    moved = largest_movement(params, x, z, time)
    return rounding_error(d + 4 + 2 * steps, size) + rounding_error(n + d + 8, moved)


def output_rounding(
    params: Params, x: Float[Array, "n d"], z: Float[Array, "q d"], time: float, steps: int
) -> Float[Array, " q"]:
    """First-order bound on the rounding error of f(z) after `steps` updates of the weights."""
    h = pre_activations(params, z)
    carried = pre_activation_rounding(params, x, z, time, steps) @ jnp.abs(params.a)
    return carried + rounding_error(h.shape[1] + 2, jnp.abs(h) @ jnp.abs(params.a))


def limit_rounding(
    x: Float[Array, "n d"], z: Float[Array, "q d"], time: float
) -> Float[Array, " q"]:
    """Bound on the rounding error of T·k(z), a sum over n samples and d coordinates."""
    n, d = x.shape
    return rounding_error(n + d + 8, time * limits.kappa(x, z))


class MovementSetting(Parameters):
    """A network of K24b trained for time T, seen at query points."""

    data: Any = data_parameter("separated-gaussian", "law of x and z")
    n: int = parameter(20, "training points", low=1)
    d: int = parameter(10, "dimension", low=1)
    m: int = parameter(400, "width", low=1)
    slope: float = parameter(0.2, "slope γ", low=0, high=1, open_high=True)
    T: float = parameter(1.0, "training time T", unit="learning rate × steps", low=0, open_low=True)
    steps: int = parameter(20, "gradient steps", low=1)
    momentum: float = parameter(0.9, "momentum μ", low=0, high=1, open_high=True)
    loss: str = parameter("logistic", "training loss", choices=("identity", "logistic"))
    separation: float = parameter(
        4.0, "separation of separated-gaussian", unit="standard deviations"
    )


class Movement(NamedTuple):
    """Pre-activations at the queries along training.

    change: (q, m) |h_i(z; T) − h_i(z; 0)|.  change_error: its rounding error.
    limit: (q, m) T|a_i|κ(z).
    changed: (q,) share of neurons whose sign at z changed at any step.
    in_doubt: (q,) share of neurons whose pre-activation came within rounding of 0.
    crossing: (q,) (2/π) arctan r(z), the bound on the expected share.
    """

    change: Float[Array, "q m"]
    change_error: Float[Array, "q m"]
    limit: Float[Array, "q m"]
    changed: Float[Array, " q"]
    in_doubt: Float[Array, " q"]
    crossing: Float[Array, " q"]


def _movement(key: Array, config: MovementSetting, queries: int) -> Movement:
    key_data, key_init = jax.random.split(key)
    x, y, z, _ = draw(
        key_data, config.data, config.n, config.d, queries=queries, separation=config.separation
    )
    network = frozen_readout(config.slope)
    start = init(network, key_init, config.m, config.d)
    descent = descent_for_time(config.T, config.steps, config.momentum, loss=config.loss)
    result = train(network, start, x, y, descent, lambda params: pre_activations(params, z))
    before, path = pre_activations(start, z), result.trace
    error = pre_activation_rounding(start, x, z, config.T, 1) + pre_activation_rounding(
        result.params, x, z, config.T, config.steps
    )
    limit = largest_movement(start, x, z, config.T)
    sign_changed = jnp.any((path >= 0) != (before >= 0)[None], axis=0)
    smallest = jnp.minimum(jnp.abs(before), jnp.min(jnp.abs(path), axis=0))
    crossing = bounds.crossing_probability(bounds.crossing_ratio(x, z, config.m, config.T))
    return Movement(
        jnp.abs(path[-1] - before),
        error,
        limit,
        jnp.mean(sign_changed, axis=1, dtype=before.dtype),
        jnp.mean(smallest <= error, axis=1, dtype=before.dtype),
        crossing,
    )


def _movement_conclusion(instance: Movement) -> Margin:
    relative = instance.change / instance.limit
    return exceeds(1.0, relative, instance.change_error / instance.limit).all()


class StabilitySetting(MovementSetting):
    """A network of K24b trained for time T, seen at one query point."""

    m: int = parameter(1000, "width", low=1)
    T: float = parameter(4.0, "training time T", unit="learning rate × steps", low=0, open_low=True)
    loss: str = parameter("identity", "training loss", choices=("identity", "logistic"))
    delta: float = parameter(
        0.05, "failure probability δ", low=0, high=1, open_low=True, open_high=True
    )


class Stability(NamedTuple):
    """Share of neurons that changed sign, its uncertainty, and the bound on it."""

    changed: Float[Array, ""]
    in_doubt: Float[Array, ""]
    bound: Float[Array, ""]
    delta: float


def _stability(key: Array, config: StabilitySetting) -> Stability:
    movement = _movement(key, config, queries=1)
    fluctuation = math.sqrt(math.log(1 / config.delta) / (2 * config.m))
    return Stability(
        movement.changed[0], movement.in_doubt[0], movement.crossing[0] + fluctuation, config.delta
    )


class DynamicsSetting(Parameters):
    """A network of K24b trained on the identity loss for time T, seen at one query point."""

    data: Any = data_parameter("separated-gaussian", "law of x and z")
    n: int = parameter(40, "training points", low=1)
    d: int = parameter(10, "dimension", low=1)
    m: int = parameter(2000, "width", low=1)
    slope: float = parameter(0.5, "slope γ", low=0, high=1, open_high=True)
    T: float = parameter(2.0, "training time T", unit="learning rate × steps", low=0, open_low=True)
    steps: int = parameter(10, "gradient steps", low=1)
    momentum: float = parameter(0.5, "momentum μ", low=0, high=1, open_high=True)
    separation: float = parameter(
        4.0, "separation of separated-gaussian", unit="standard deviations"
    )
    delta: float = parameter(
        0.05, "failure probability δ", low=0, high=1, open_low=True, open_high=True
    )


class Dynamics(NamedTuple):
    """|f(z; T) − T(f̂(z) + β(z))|, its rounding error, the bound B(z), and δ."""

    deviation: Float[Array, ""]
    error: Float[Array, ""]
    bound: Float[Array, ""]
    delta: float


def _dynamics(key: Array, config: DynamicsSetting) -> Dynamics:
    key_data, key_init = jax.random.split(key)
    x, y, z, _ = draw(key_data, config.data, config.n, config.d, separation=config.separation)
    network = frozen_readout(config.slope)
    params = init(network, key_init, config.m, config.d)
    params = train(
        network, params, x, y, descent_for_time(config.T, config.steps, config.momentum)
    ).params
    limit = config.T * limits.signal(x, y, z, config.slope)
    deviation = jnp.abs(outputs(params, z, config.slope) - limit)
    error = output_rounding(params, x, z, config.T, config.steps)
    error = error + limit_rounding(x, z, config.T)
    s, s_lazy = bounds.exponents(config.delta, config.n)
    bound = bounds.output_bound(x, z, config.m, config.slope, config.T, s, s_lazy).total
    delta = bounds.output_bound_failure(config.n, s, s_lazy)
    return Dynamics(deviation[0], error[0], bound[0], delta)


class MatchingSetting(Parameters):
    """f trained on clean data, g on f's perturbations alone, compared at one query point."""

    data: Any = data_parameter("separated-gaussian", "law of x and z")
    n: int = parameter(40, "training points", low=1)
    d: int = parameter(10, "dimension", low=1)
    m: int = parameter(5000, "width of both networks", low=1)
    slope: float = parameter(0.8, "slope γ", low=0, high=1, open_high=True)
    T_f: float = parameter(
        2.0, "training time of f", unit="learning rate × steps", low=0, open_low=True
    )
    T_g: float = parameter(
        2.0, "training time of g", unit="learning rate × steps", low=0, open_low=True
    )
    steps: int = parameter(10, "gradient steps of each network", low=1)
    momentum: float = parameter(0.0, "momentum μ", low=0, high=1, open_high=True)
    epsilon: float = parameter(4.0, "size ε of a perturbation", unit="of x", low=0, open_low=True)
    scenario: str = parameter(
        "a", "g sees a: perturbations alone, b: perturbed samples", choices=("a", "b")
    )
    separation: float = parameter(
        4.0, "separation of separated-gaussian", unit="standard deviations"
    )
    delta: float = parameter(
        0.05, "failure probability δ_f + δ_g", low=0, high=1, open_low=True, open_high=True
    )


class Prediction(NamedTuple):
    """One network at z: output, its rounding error, limit T·k(z), and the parts of B(z)."""

    output: Float[Array, ""]
    error: Float[Array, ""]
    limit: Float[Array, ""]
    limit_error: Float[Array, ""]
    bound: bounds.OutputBound


class Matching(NamedTuple):
    """Both networks at z, and δ."""

    f: Prediction
    g: Prediction
    delta: float


def _matching(key: Array, config: MatchingSetting) -> Matching:
    key_data, key_f, key_g, key_target = jax.random.split(key, 4)
    x, y, z, _ = draw(key_data, config.data, config.n, config.d, separation=config.separation)
    network = frozen_readout(config.slope)
    s, s_lazy = bounds.exponents(config.delta / 2, config.n)

    def fit(key: Array, x: Array, y: Array, time: float) -> tuple[Params, Prediction]:
        params = init(network, key, config.m, config.d)
        descent = descent_for_time(time, config.steps, config.momentum)
        params = train(network, params, x, y, descent).params
        limit = time * limits.signal(x, y, z, config.slope)
        bound = bounds.output_bound(x, z, config.m, config.slope, time, s, s_lazy)
        prediction = Prediction(
            outputs(params, z, config.slope),
            output_rounding(params, x, z, time, config.steps),
            limit,
            limit_rounding(x, z, time),
            bound,
        )
        return params, jax.tree.map(lambda part: part[0], prediction)

    params_f, f = fit(key_f, x, y, config.T_f)
    target = jax.random.rademacher(key_target, (config.n,), float)
    perturbations = gradient_perturbations(params_f, x, target, config.epsilon, config.slope)
    points = perturbations if config.scenario == "a" else x + perturbations
    _, g = fit(key_g, points, target, config.T_g)
    delta = 2 * bounds.output_bound_failure(config.n, s, s_lazy)
    return Matching(f, g, delta)


def _signal_exceeds(which: str, part: str) -> Any:
    """T|k(z)| > the named part of B(z), of network f or g."""

    def check(instance: Matching) -> Margin:
        prediction: Prediction = getattr(instance, which)
        bound = getattr(prediction.bound, part)
        error = prediction.limit_error + rounding_error(64, bound)
        return exceeds(jnp.abs(prediction.limit), bound, error)

    return check


def _same_sign(u: Array, v: Array, u_error: Array, v_error: Array) -> Margin:
    """sgn u = sgn v, with the margin sgn(uv)·min(|u|, |v|)."""
    value = jnp.sign(u) * jnp.sign(v) * jnp.minimum(jnp.abs(u), jnp.abs(v))
    return margin(value, jnp.maximum(u_error, v_error))


def _agreement(instance: Matching) -> Margin:
    f, g = instance.f, instance.g
    return _same_sign(f.limit, g.limit, f.limit_error, g.limit_error)


def _matching_conclusion(instance: Matching) -> Margin:
    f, g = instance.f, instance.g
    return _same_sign(f.output, g.output, f.error, g.error)


STATEMENTS = (
    Statement(
        id="lazy.movement",
        kind="deterministic",
        title="no pre-activation moves further than T|a_i|κ(z)",
        says="|h_i(z; T) − h_i(z; 0)| ≤ T|a_i|κ(z) for every neuron i and point z, with "
        "κ(z) = (1/n) Σ_k |⟨x_k, z⟩ + 1|, for any loss with 0 ≤ ℓ' ≤ 1. Equality is attained on "
        "parallel data and is undecided. Margin: 1 − the largest ratio over neurons and 8 queries.",
        source=SOURCE,
        sample=lambda key, config: _movement(key, config, queries=8),
        conclusion=_movement_conclusion,
        config=MovementSetting(),
        draws={"quick": 100, "full": 2000},
        data=True,
    ),
    Statement(
        id="lazy.activation-stability",
        kind="probabilistic",
        title="few neurons change their activation at z",
        says="The share of neurons whose sign at z changes before T is at most "
        "(2/π) arctan r + √(ln(1/δ)/(2m)) with probability ≥ 1 − δ, r = Tκ(z)/(σ(z)√m), for z "
        "independent of the initialization.",
        source=f"ours, explicit form of {SOURCE}",
        sample=_stability,
        conclusion=lambda i: exceeds(i.bound, i.changed, i.in_doubt + rounding_error(8, i.bound)),
        failure_probability=lambda i: i.delta,
        config=StabilitySetting(),
        draws={"quick": 100, "full": 2000},
        data=True,
    ),
    Statement(
        id="lazy.dynamics",
        kind="probabilistic",
        title="f(z; T) is within B(z) of its infinite-width limit T(f̂ + β)",
        says="|f(z; T) − T(f̂(z) + β(z))| ≤ B(z) with probability ≥ 1 − 4e^{−s} − (n + 1)e^{−s'}, "
        "under the identity loss, for one fixed z. B(z) is the sum of a bound on the initial "
        "output, on the kernel's fluctuation and on neurons that change their activation.",
        source=f"ours, explicit form of {SOURCE}",
        sample=_dynamics,
        conclusion=lambda i: exceeds(i.bound, i.deviation, i.error + rounding_error(64, i.bound)),
        failure_probability=lambda i: i.delta,
        config=DynamicsSetting(),
        draws={"quick": 100, "full": 2000},
        data=True,
    ),
    Statement(
        id="lazy.prediction-matching",
        kind="probabilistic",
        title="a network trained on perturbations alone predicts like the one they came from",
        says="T_f|k_f(z)| > B_f(z), T_g|k_g(z)| > B_g(z) and sgn k_f(z) = sgn k_g(z) imply "
        "sgn f(z; T_f) = sgn g(z; T_g), except with probability ≤ δ_f + δ_g that all hypotheses "
        "hold and the signs differ; k = f̂ + β of each network's own training set, identity loss. "
        "The hypotheses on g look at f's initialization, so failures are counted over all draws.",
        source=f"ours, explicit form of {SOURCE}",
        sample=_matching,
        hypotheses={
            "margin of f": Hypothesis(_signal_exceeds("f", "total"), "T_f|k_f(z)| > B_f(z)"),
            "margin of g": Hypothesis(
                _signal_exceeds("g", "total"), "T_g|k_g(z)| > B_g(z)", "init"
            ),
            "agreement": Hypothesis(_agreement, "sgn k_f(z) = sgn k_g(z)", "init"),
        },
        measured={
            "f against initial output": Hypothesis(
                _signal_exceeds("f", "initial"), "T_f|k_f| > first part of B_f"
            ),
            "f against kernel fluctuation": Hypothesis(
                _signal_exceeds("f", "kernel"), "T_f|k_f| > second part of B_f"
            ),
            "f against lazy error": Hypothesis(
                _signal_exceeds("f", "lazy"), "T_f|k_f| > third part of B_f, the width condition"
            ),
        },
        conclusion=_matching_conclusion,
        failure_probability=lambda i: i.delta,
        config=MatchingSetting(),
        draws={"quick": 50, "full": 1000},
        data=True,
        batch=10,
    ),
)
