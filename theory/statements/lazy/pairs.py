"""Two networks, the second trained on perturbations of the first: settings and stages."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from theory import fields
from theory._types import PyTree, Real
from theory.data.sampling import data_parameter, draw
from theory.infinite_width import bounds, lazy
from theory.networks.descent import descent_for_time
from theory.networks.network import Params, frozen_readout, init, outputs
from theory.networks.training import Training, train
from theory.parameters import Parameters
from theory.perturbations.attacks import gradient_perturbations
from theory.statements.lazy.rounding import (
    bound_rounding,
    limit_rounding,
    output_rounding,
)
from theory.verification.stages import Staged


class MatchingSetting(Parameters):
    """f trained on clean data, g on f's perturbations, seen at one query point; identity loss."""

    data: Any = data_parameter("separated-gaussian", "law of x and z")
    n: int = fields.points(40)
    d: int = fields.dimension(10)
    m: int = fields.width(1000, "width of both networks")
    slope: float = fields.slope(0.5)
    T_f: float = fields.training_time(2.0, "training time of f")
    T_g: float = fields.training_time(2.0, "training time of g")
    steps: int = fields.steps(10, "gradient steps of each network")
    momentum: float = fields.momentum(0.0)
    epsilon: float = fields.perturbation_size(4.0)
    scenario: str = fields.scenario("a")
    separation: float = fields.separation(4.0)
    delta: float = fields.failure_probability(
        0.05, "failure probability δ of all networks together"
    )


class LogisticMatchingSetting(MatchingSetting):
    """The same under any loss."""

    m: int = fields.width(2000, "width of both networks")
    loss: str = fields.loss("logistic", ("identity", "logistic"))


class Relabelled(NamedTuple):
    """The training set of f, one query z, and random labels y' for g, independent of them."""

    x: Float[Array, "n d"]
    y: Float[Array, " n"]
    z: Float[Array, "1 d"]
    target: Float[Array, " n"]


class Output(NamedTuple):
    """f(z; T) of a trained network, and its rounding error."""

    value: Float[Array, ""]
    error: Float[Array, ""]


class Limit(NamedTuple):
    """What f(z; T) is compared with.

    centre: T·k(z), or with f(z; 0).  centre_error: its rounding error.
    bound: the parts of B(z) ≥ |f(z; T) − centre|.  bound_error: bound on the rounding of each.
    """

    centre: Float[Array, ""]
    centre_error: Float[Array, ""]
    bound: bounds.OutputBound
    bound_error: Float[Array, ""]


class Known(NamedTuple):
    """The training set of a network, the query, and what is known of the network from them."""

    x: Float[Array, "n d"]
    y: Float[Array, " n"]
    z: Float[Array, "1 d"]
    limit: Limit


class Posed(NamedTuple):
    """The data of both networks, and what is known of f from them."""

    task: Relabelled
    limit: Limit


class Drawn(NamedTuple):
    """Networks at initialization, and what is known of f from f(z; 0)."""

    f: Params
    g: Params | None
    limit: Limit


class Passed(NamedTuple):
    """f trained, and the training set of g that it makes, with what is known of g from that."""

    output: Output
    known: Known


class Certified(NamedTuple):
    """A trained network against what its trained weights α say.  x: the training set."""

    x: Float[Array, "n d"]
    params: Params
    output: Output
    limit: Limit


def _at_z(tree: PyTree) -> PyTree:
    """At the one query."""
    return jax.tree.map(lambda part: part[0], tree)


def _limit(
    x: Array, y: Array, z: Array, time: Real, delta: float, config: MatchingSetting
) -> Limit:
    """T·k(z) ± B(z), from the data alone; identity loss."""
    s = bounds.output_exponent(delta, parts=3)
    bound = bounds.output_bound(x, y, z, config.m, config.slope, time, s)
    centre = lazy.signal(x, y, z, config.slope, time)
    error = limit_rounding(x, z, time, config.steps)
    return _at_z(Limit(centre, error, bound, bound_rounding(bound.total, x, z, time)))


def _limit_from(
    start: Params,
    x: Array,
    y: Array,
    z: Array,
    time: Real,
    delta: float,
    config: MatchingSetting,
    weights: Array | None = None,
) -> Limit:
    """f(z; 0) + T·k(z) ± (kernel + lazy parts), from the drawn weights too; identity loss.

    With the weights α that training ended with, for any loss, f(z; 0) + k_α(z) ± the bound at them.
    """
    slope, m = config.slope, config.m
    if weights is None:
        s = bounds.output_exponent(delta, parts=2)
        bound = bounds.output_bound(x, y, z, m, slope, time, s)
    else:
        exponents = bounds.certified_exponents(delta, len(x))
        bound = bounds.certified_bound(x, y, z, m, slope, time, weights, *exponents)
    bound = bound._replace(initial=jnp.zeros_like(bound.initial))
    centre = lazy.signal(x, y, z, slope, time if weights is None else weights)
    error = limit_rounding(x, z, time, config.steps) + output_rounding(start, x, z, time, 0)
    return _at_z(
        Limit(
            centre + outputs(start, z, slope), error, bound, bound_rounding(bound.total, x, z, time)
        )
    )


def initial(key: Array, x: Array, config: MatchingSetting) -> Params:
    """A network for points like x."""
    return init(frozen_readout(config.slope), key, config.m, x.shape[1])


def train_from(
    start: Params, x: Array, y: Array, z: Array, time: Real, config: MatchingSetting
) -> tuple[Training, Output]:
    """What training ends with, and the output at z."""
    loss = getattr(config, "loss", "identity")
    descent = descent_for_time(time, config.steps, config.momentum, loss=loss)
    result = train(frozen_readout(config.slope), start, x, y, descent)
    error = output_rounding(result.params, x, z, time, config.steps)
    return result, _at_z(Output(outputs(result.params, z, config.slope), error))


def relabelled(key: Array, earlier: Staged, config: MatchingSetting) -> Relabelled:
    """The stage "data" of statements about f and g."""
    key_data, key_target = jax.random.split(key)
    x, y, z, _ = draw(key_data, config.data, config.n, config.d, separation=config.separation)
    return Relabelled(x, y, z, jax.random.rademacher(key_target, (config.n,), float))


def points_of_g(f: Params, task: Relabelled, config: MatchingSetting) -> Float[Array, "n d"]:
    """What g is trained on, with labels y': perturbations of f, or perturbed samples."""
    r = gradient_perturbations(f, task.x, task.target, config.epsilon, config.slope)
    return r if config.scenario == "a" else task.x + r


def known_of_f(key: Array, earlier: Staged, config: MatchingSetting) -> Known:
    """Points, labels and queries of f, and its limit there."""
    x, y, z, _ = draw(key, config.data, config.n, config.d, separation=config.separation)
    return Known(x, y, z, _limit(x, y, z, config.T_f, config.delta, config))


def known_of_g(key: Array, earlier: Staged, config: MatchingSetting) -> Known:
    """The data of g, which know nothing of g's initialization: f is drawn and trained for them."""
    key_data, key_f = jax.random.split(key)
    task = relabelled(key_data, earlier, config)
    x, y, z, target = task
    f, _ = train_from(initial(key_f, x, config), x, y, z, config.T_f, config)
    points = points_of_g(f.params, task, config)
    return Known(points, target, z, _limit(points, target, z, config.T_g, config.delta, config))


def training_of(network: str) -> Any:
    """The stage that trains one network on the data that are known of it."""

    def stage(key: Array, earlier: Staged, config: MatchingSetting) -> Output:
        x, y, z, _ = earlier.data
        start, time = initial(key, x, config), getattr(config, f"T_{network}")
        return train_from(start, x, y, z, time, config)[1]

    return stage


def posed(key: Array, earlier: Staged, config: MatchingSetting) -> Posed:
    """The task of both networks, and the limit of f for half of δ."""
    x, y, z, _ = task = relabelled(key, earlier, config)
    return Posed(task, _limit(x, y, z, config.T_f, config.delta / 2, config))


def trained_f(key: Array, earlier: Staged, config: MatchingSetting) -> Passed:
    """f trained from an initialization of its own, and what it passes on to g."""
    x, y, z, target = task = earlier.data.task
    f, output = train_from(initial(key, x, config), x, y, z, config.T_f, config)
    points = points_of_g(f.params, task, config)
    limit = _limit(points, target, z, config.T_g, config.delta / 2, config)
    return Passed(output, Known(points, target, z, limit))


def trained_g(key: Array, earlier: Staged, config: MatchingSetting) -> Output:
    """g trained from an initialization of its own, its outputs at the queries."""
    x, y, z, _ = earlier.f.known
    return train_from(initial(key, x, config), x, y, z, config.T_g, config)[1]


def drawn_f(key: Array, earlier: Staged, config: MatchingSetting) -> Drawn:
    """The initialization of f, and the limit from its outputs."""
    x, y, z, _ = earlier.data
    f = initial(key, x, config)
    return Drawn(f, None, _limit_from(f, x, y, z, config.T_f, config.delta, config))


def f_from_start(key: Array, earlier: Staged, config: MatchingSetting) -> Output:
    """f trained from the initialization that was drawn, its outputs at the queries."""
    x, y, z, _ = earlier.data
    return train_from(earlier.initialization.f, x, y, z, config.T_f, config)[1]


def drawn_both(key: Array, earlier: Staged, config: MatchingSetting) -> Drawn:
    """The initializations of both networks, and the limit of f from its outputs."""
    x, y, z, _ = earlier.data
    f, g = (initial(own, x, config) for own in jax.random.split(key))
    return Drawn(f, g, _limit_from(f, x, y, z, config.T_f, config.delta / 2, config))


def passed_from_start(key: Array, earlier: Staged, config: MatchingSetting) -> Passed:
    """f trained from the initialization that was drawn, and what it passes on to g."""
    x, y, z, target = task = earlier.data
    f, output = train_from(earlier.initialization.f, x, y, z, config.T_f, config)
    points, g = points_of_g(f.params, task, config), earlier.initialization.g
    limit = _limit_from(g, points, target, z, config.T_g, config.delta / 2, config)
    return Passed(output, Known(points, target, z, limit))


def g_from_start(key: Array, earlier: Staged, config: MatchingSetting) -> Output:
    """g trained from the initialization that was drawn, its outputs at the queries."""
    x, y, z, _ = earlier.f.known
    return train_from(earlier.initialization.g, x, y, z, config.T_g, config)[1]


def _certified(
    key: Array, x: Array, y: Array, z: Array, time: Real, config: MatchingSetting
) -> Certified:
    start = initial(key, x, config)
    result, output = train_from(start, x, y, z, time, config)
    limit = _limit_from(start, x, y, z, time, config.delta / 2, config, result.weights)
    return Certified(x, result.params, output, limit)


def certified_f(key: Array, earlier: Staged, config: MatchingSetting) -> Certified:
    """f trained under the logistic loss, with its bound on the distance to the limit."""
    x, y, z, _ = earlier.data
    return _certified(key, x, y, z, config.T_f, config)


def certified_g(key: Array, earlier: Staged, config: MatchingSetting) -> Certified:
    """The same of g, on the perturbations of f."""
    task: Relabelled = earlier.data
    points = points_of_g(earlier.f.params, task, config)
    return _certified(key, points, task.target, task.z, config.T_g, config)
