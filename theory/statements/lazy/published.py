"""Prediction matching as published: conditions that leave a constant open, and how it scales."""

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from theory import fields
from theory._types import Real
from theory.data.sampling import data_parameter, draw
from theory.infinite_width import lazy
from theory.infinite_width.kernels import derivative_kernel
from theory.infinite_width.lazy import g_hat, published_thresholds
from theory.margins import Margin, Measured, exceeds, measured, rounding_error
from theory.networks.descent import descent_for_time
from theory.networks.network import Params, frozen_readout, init, input_gradients, outputs
from theory.networks.training import train
from theory.parameters import Parameters, parameter
from theory.perturbations.attacks import gradient_perturbations
from theory.statements.lazy.movement import CAVEAT, SOURCE
from theory.statements.lazy.pairs import (
    MatchingSetting,
    Output,
    Relabelled,
    initial,
    points_of_g,
    relabelled,
    train_from,
)
from theory.statements.lazy.rounding import same_sign
from theory.verification.claims import Claim
from theory.verification.kinds import Probabilistic, Rate
from theory.verification.stages import Staged
from theory.verification.statement import Hypothesis, Statement

# Small dimensions and widths bend the line of a constant by 0.023 (docs); twice that is allowed.
BEND = 0.05


class PublishedSetting(MatchingSetting):
    """f and g as in the published theorem, with its open constant C."""

    d: int = fields.dimension(5)
    m: int = fields.width(500, "width of both networks")
    C: float = parameter(1.0, "constant of the conditions", low=0, open_low=True)
    separation: float = fields.separation(2.0)


class Limit(NamedTuple):
    """A published limit at z, its rounding error, and what C multiplies in its margin."""

    value: Float[Array, ""]
    error: Float[Array, ""]
    threshold: Real


class Posed(NamedTuple):
    """The data of both networks, and f̂.  width: what C multiplies in the condition on the width."""

    task: Relabelled
    limit: Limit
    width: Any


class Passed(NamedTuple):
    """f trained, its training set for g, and ĝ."""

    output: Output
    points: Float[Array, "n d"]
    limit: Limit


def _thresholds(d: int, config: PublishedSetting) -> Any:
    return published_thresholds(
        config.n, d, config.T_f, config.T_g, config.epsilon, config.scenario
    )


def _limit_error(task: Relabelled) -> Array:
    """Rounding error of f̂ and of ĝ."""
    n, d = task.x.shape
    return rounding_error(2 * n + d + 16, jnp.max(jnp.abs(task.x)) * jnp.sum(jnp.abs(task.z)))


def _posed(key: Array, earlier: Staged, config: PublishedSetting) -> Posed:
    task = relabelled(key, earlier, config)
    d = task.x.shape[1]
    f_hat = lazy.f_hat(task.x, task.y, task.z, config.slope)[0]
    limit = Limit(f_hat, _limit_error(task), _thresholds(d, config)[0])
    return Posed(task, limit, float(d**2 * (config.T_f + config.T_g) ** 2))


def _trained_f(key: Array, earlier: Staged, config: PublishedSetting) -> Passed:
    x, y, z, _ = task = earlier.data.task
    f, output = train_from(initial(key, x, config), x, y, z, config.T_f, config)
    points = points_of_g(f.params, task, config)
    g_limit = g_hat(x, y, points, z, config.slope)[0]
    limit = Limit(g_limit, _limit_error(task), _thresholds(x.shape[1], config)[1])
    return Passed(output, points, limit)


def _trained_g(key: Array, earlier: Staged, config: PublishedSetting) -> Output:
    points, task = earlier.f.points, earlier.data.task
    start = initial(key, points, config)
    return train_from(start, points, task.target, task.z, config.T_g, config)[1]


def _constant(i: Staged, config: PublishedSetting) -> Array:
    """The largest C with which both margins hold; 0 where sgn f̂ ≠ sgn ĝ or the width is too small.

    The width is held to the configured C: it is the same at every draw and would cap the constant.
    """
    f, g = i.data.limit, i.f.limit
    constant = jnp.minimum(jnp.abs(f.value) / f.threshold, jnp.abs(g.value) / g.threshold)
    agree = f.value * g.value > 0
    return jnp.where(agree & (config.m > config.C * i.data.width), constant, 0.0)


def _beyond(limit: Limit, config: PublishedSetting) -> Margin:
    return exceeds(jnp.abs(limit.value), config.C * limit.threshold, limit.error)


def _signs(i: Staged, _: object) -> Margin:
    f, g = i.f.output, i.g
    return same_sign(f.value, g.value, f.error, g.error)


def _agreement(i: Staged, _: object) -> Margin:
    f, g = i.data.limit, i.f.limit
    return same_sign(f.value, g.value, f.error, g.error)


def _wide(i: Staged, config: PublishedSetting) -> Margin:
    needed = config.C * i.data.width
    return exceeds(float(config.m), needed, rounding_error(8, needed))


class ScalingSetting(Parameters):
    """Networks whose training time, width and dimension grow together, m = c d²(T_f + T_g)²."""

    data: Any = data_parameter("shifted-gaussian", "law of x and z")
    grows: str = parameter("T", "what grows: T_f = T_g, or the dimension", choices=("T", "d"))
    n: int = fields.points(8)
    d: int = fields.dimension(4, "smallest dimension")
    T: float = fields.training_time(0.5, "shortest training time of f and g")
    width: float = parameter(0.5, "c = m/(d²(T_f + T_g)²)", low=0, open_low=True)
    slope: float = fields.slope(0.2)
    epsilon: float = fields.perturbation_size(1.0, "size ε, per √d")
    scenario: str = fields.scenario("a")
    steps: int = fields.steps(4, "gradient steps of each network")
    queries: int = fields.queries(8)
    sizes: int = parameter(5, "number of scales, each twice the one before", low=5)

    @property
    def scales(self) -> np.ndarray:
        """1, 2, 4, …: what T or d is multiplied with."""
        return 2.0 ** np.arange(self.sizes)


class _Drawn(NamedTuple):
    """What all scales share: data, labels that g learns, and networks of the largest size."""

    x: Array
    y: Array
    z: Array
    target: Array
    f: Params
    g: Params


def _drawn(key: Array, config: ScalingSetting) -> _Drawn:
    key_data, key_init, key_target = jax.random.split(key, 3)
    top = config.scales[-1]
    d = config.d * (int(top) if config.grows == "d" else 1)
    x, y, z, _ = draw(key_data, config.data, config.n, d, queries=config.queries)
    target = jax.random.rademacher(key_target, (config.n,), float)
    m = math.ceil(config.width * (config.d * 2 * config.T * top) ** 2)
    both = init(frozen_readout(config.slope), key_init, 2 * m, x.shape[1])
    f, g = (Params(*(part[i * m : (i + 1) * m] for part in both)) for i in (0, 1))
    return _Drawn(x, y, z, target, f, g)


class _Scale(NamedTuple):
    """One scale. dimension, time, width: d, T and m.  epsilon: ε.

    kept, used: (largest d,), (largest m,) the coordinates and neurons that the scale has.
    stretch: kernels divide by √d, the initial weights are N(0, 1/d): the factor between both d.
    """

    dimension: Array
    time: Array
    width: Array
    epsilon: Array
    kept: Array
    used: Array
    stretch: Array


def _scale(scale: Array, drawn: _Drawn, config: ScalingSetting) -> _Scale:
    d, m, dtype = drawn.x.shape[1], len(drawn.f.a), drawn.x.dtype
    dimension = config.d * (scale if config.grows == "d" else jnp.ones_like(scale))
    time = config.T * (scale if config.grows == "T" else jnp.ones_like(scale))
    width = jnp.ceil(config.width * (dimension * 2 * time) ** 2)
    kept = jnp.arange(d, dtype=dtype) < dimension
    used = jnp.arange(m, dtype=dtype) < width
    epsilon = config.epsilon * jnp.sqrt(dimension)
    return _Scale(dimension, time, width, epsilon, kept, used, jnp.sqrt(d / dimension))


def _trained_at(
    scale: _Scale, initial: Params, x: Array, y: Array, config: ScalingSetting
) -> Params:
    # 1/√(2m) is the scale at which both networks were drawn as one.
    a = jnp.where(scale.used, initial.a, 0.0) * jnp.sqrt(2 * len(initial.a) / scale.width)
    w = jnp.where(scale.kept[None, :], initial.w * scale.stretch, 0.0)
    descent = descent_for_time(scale.time, config.steps)
    return train(frozen_readout(config.slope), initial._replace(w=w, a=a), x, y, descent).params


def _constants(key: Array, config: ScalingSetting) -> Measured:
    """(2, scales) |f/T_f − f̂| and |g·ν/(T_gT_fε) − ĝ| over their thresholds, mean over z.

    The smallest constants with which the published margins fix the signs of f and g at a draw. ν is
    the mean of ‖∇f(x_k; T_f)‖, by which the perturbations were divided. All scales share the shapes
    of the largest: neurons and coordinates that a scale does not have are zero.
    """
    drawn = _drawn(key, config)
    values, errors = jax.lax.map(
        lambda scale: _constants_at(_scale(scale, drawn, config), drawn, config),
        jnp.asarray(config.scales, drawn.x.dtype),
    )
    return measured(values.T, errors.T)


def _constants_at(scale: _Scale, drawn: _Drawn, config: ScalingSetting) -> tuple[Array, Array]:
    """(2,) the constants at one scale, and bounds on their rounding errors."""
    slope, time, epsilon, y, target = config.slope, scale.time, scale.epsilon, drawn.y, drawn.target
    x, z = (jnp.where(scale.kept[None, :], points, 0.0) for points in (drawn.x, drawn.z))

    def kernel(points: Array, queries: Array) -> Array:
        return derivative_kernel(points * scale.stretch, queries * scale.stretch, slope)

    f = _trained_at(scale, drawn.f, x, y, config)
    norms = jnp.linalg.norm(input_gradients(f, x, slope), axis=1)
    r = gradient_perturbations(f, x, target, 1.0, slope) * epsilon
    points = r if config.scenario == "a" else x + r
    g = _trained_at(scale, drawn.g, points, target, config)
    learned = kernel(x, x).T @ (y[:, None] * x) / config.n
    hat_f = y @ (kernel(x, z) * (x @ z.T)) / config.n
    hat_g = jnp.mean(kernel(points, z) * (learned @ z.T), axis=0)
    thresholds = jnp.stack(
        published_thresholds(config.n, scale.dimension, time, time, epsilon, config.scenario)
    )
    scaled_g = outputs(g, z, slope) * jnp.mean(norms) / (time**2 * epsilon)
    off = jnp.abs(outputs(f, z, slope) / time - hat_f), jnp.abs(scaled_g - hat_g)

    def terms(params: Params, points: Array) -> Array:
        """The largest sum of absolute values behind an output, and behind its limit."""
        size = jnp.abs(points) @ jnp.abs(params.w).T + jnp.abs(params.b)[None, :]
        return jnp.max(size @ jnp.abs(params.a))

    # Every step sums over neurons, samples and coordinates; perturbations are gradients over
    # their length, and so carry their error relative to it.
    chain = (config.steps + 1) * (len(f.a) + 2 * config.n + 4 * x.shape[1] + 64)
    steep = jnp.linalg.norm(jnp.abs(f.a) @ jnp.abs(f.w)) / jnp.min(norms)
    products = jnp.max(jnp.mean(jnp.abs(x) @ jnp.abs(z).T, axis=0))
    gained = jnp.mean(norms) / (time**2 * epsilon) * (terms(g, z) + time)
    size_f = terms(f, z) / time + products
    size_g = gained + (1 + steep) * jnp.max(jnp.abs(scaled_g) + jnp.abs(hat_g) + products)
    error = rounding_error(chain, jnp.stack([size_f, size_g]) / thresholds)
    return jnp.stack([jnp.mean(part) for part in off]) / thresholds, error


STATEMENTS = (
    Statement[PublishedSetting, Staged](
        id="lazy.prediction-matching-published",
        title="prediction matching under the published conditions, with a constant C",
        says="|f̂(z)| > C(1 + 1/T_f), |ĝ(z)| > C(1/T_f + (√d/ε)(1/T_g + 1/√n)), d/√n for 1/√n in "
        "scenario b, sgn f̂(z) = sgn ĝ(z) and m ≥ C d²(T_f + T_g)² imply sgn f(z; T_f) = "
        "sgn g(z; T_g) with high probability, ĝ(z) = (1/n) Σ_k Φ(r_k, z)⟨q_k, z⟩, or "
        "Φ(x_k + r_k, z) in b. Orders as published, logarithms left out. The constant reported is "
        "that of the two margins, at a width that meets its condition with the configured C.",
        source=SOURCE,
        caveat=CAVEAT,
        stages={"data": _posed, "f": _trained_f, "g": _trained_g},
        hypotheses={
            "margin of f": Hypothesis(
                lambda i, c: _beyond(i.data.limit, c), "|f̂(z)| > C(1 + 1/T_f)", "data"
            ),
            "margin of g": Hypothesis(
                lambda i, c: _beyond(i.f.limit, c), "|ĝ(z)| > C(1/T_f + (√d/ε)(1/T_g + 1/√n))", "f"
            ),
            "agreement": Hypothesis(_agreement, "sgn f̂(z) = sgn ĝ(z)", "f"),
            "width": Hypothesis(_wide, "m > C d²(T_f + T_g)²", "data"),
        },
        claim=Probabilistic(
            conclusion=_signs,
            failure_probability=lambda _, config: config.delta,
        ),
        constant=_constant,
        config=PublishedSetting(),
        cases={"scenario b": {"scenario": "b", "separation": 3.0}},
        draws={"quick": 100, "full": 2000},
        data=True,
        batch=20,
    ),
    Statement(
        id="lazy.published-constant",
        title="the constant that the published conditions need stays bounded",
        says="|f/T_f − f̂|/(1 + 1/T_f) and |gν/(T_fT_gε) − ĝ|/(1/T_f + (√d/ε)(1/T_g + 1/√n)), the "
        "constants with which the published margins are enough at a draw, are O(1) as the training "
        "times (or the dimension) grow with the width, m = c d²(T_f + T_g)²: exponent at most 0. "
        "ν is the mean of ‖∇f(x_k; T_f)‖, by which perturbations are normalized.",
        source=SOURCE,
        caveat=CAVEAT,
        sample=_constants,
        claim=Rate(
            quantity=lambda values, _: values,
            claims=lambda config: (
                Claim(0.0, 0.3, side="at most", name="exponent for f", tolerance=BEND),
                Claim(0.0, 0.3, side="at most", name="exponent for g", tolerance=BEND),
            ),
            scales=lambda config: config.scales,
        ),
        config=ScalingSetting(),
        cases={"dimension": {"grows": "d", "d": 2, "width": 4.0}},
        draws={"quick": 480, "full": 1500},
        data=True,
        batch=20,
    ),
)
