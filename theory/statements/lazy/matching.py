"""Signs of networks trained on clean data and on perturbations alone, from margins."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from theory import fields
from theory._types import PyTree, Real
from theory.data.sampling import data_parameter, draw
from theory.infinite_width import bounds, lazy
from theory.margins import Margin, exceeds
from theory.networks.descent import descent_for_time
from theory.networks.network import Params, frozen_readout, init, outputs
from theory.networks.training import Training, train
from theory.parameters import Parameters
from theory.perturbations.attacks import gradient_perturbations
from theory.statements.lazy.movement import CAVEAT, SOURCE
from theory.statements.lazy.rounding import (
    bound_rounding,
    limit_rounding,
    output_rounding,
    same_sign,
)
from theory.verification.kinds import Probabilistic
from theory.verification.stages import Staged
from theory.verification.statement import Hypothesis, OnData, Statement


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


def _known_of_f(key: Array, earlier: Staged, config: MatchingSetting) -> Known:
    x, y, z, _ = draw(key, config.data, config.n, config.d, separation=config.separation)
    return Known(x, y, z, _limit(x, y, z, config.T_f, config.delta, config))


def _known_of_g(key: Array, earlier: Staged, config: MatchingSetting) -> Known:
    """The data of g, which know nothing of g's initialization: f is drawn and trained for them."""
    key_data, key_f = jax.random.split(key)
    task = relabelled(key_data, earlier, config)
    x, y, z, target = task
    f, _ = train_from(initial(key_f, x, config), x, y, z, config.T_f, config)
    points = points_of_g(f.params, task, config)
    return Known(points, target, z, _limit(points, target, z, config.T_g, config.delta, config))


def _trained(network: str) -> Any:
    """The stage that trains one network on the data that are known of it."""

    def stage(key: Array, earlier: Staged, config: MatchingSetting) -> Output:
        x, y, z, _ = earlier.data
        start, time = initial(key, x, config), getattr(config, f"T_{network}")
        return train_from(start, x, y, z, time, config)[1]

    return stage


def _posed(key: Array, earlier: Staged, config: MatchingSetting) -> Posed:
    x, y, z, _ = task = relabelled(key, earlier, config)
    return Posed(task, _limit(x, y, z, config.T_f, config.delta / 2, config))


def _trained_f(key: Array, earlier: Staged, config: MatchingSetting) -> Passed:
    x, y, z, target = task = earlier.data.task
    f, output = train_from(initial(key, x, config), x, y, z, config.T_f, config)
    points = points_of_g(f.params, task, config)
    limit = _limit(points, target, z, config.T_g, config.delta / 2, config)
    return Passed(output, Known(points, target, z, limit))


def _trained_g(key: Array, earlier: Staged, config: MatchingSetting) -> Output:
    x, y, z, _ = earlier.f.known
    return train_from(initial(key, x, config), x, y, z, config.T_g, config)[1]


def _drawn_f(key: Array, earlier: Staged, config: MatchingSetting) -> Drawn:
    x, y, z, _ = earlier.data
    f = initial(key, x, config)
    return Drawn(f, None, _limit_from(f, x, y, z, config.T_f, config.delta, config))


def _f_from_start(key: Array, earlier: Staged, config: MatchingSetting) -> Output:
    x, y, z, _ = earlier.data
    return train_from(earlier.initialization.f, x, y, z, config.T_f, config)[1]


def _drawn_both(key: Array, earlier: Staged, config: MatchingSetting) -> Drawn:
    x, y, z, _ = earlier.data
    f, g = (initial(own, x, config) for own in jax.random.split(key))
    return Drawn(f, g, _limit_from(f, x, y, z, config.T_f, config.delta / 2, config))


def _passed_from_start(key: Array, earlier: Staged, config: MatchingSetting) -> Passed:
    x, y, z, target = task = earlier.data
    f, output = train_from(earlier.initialization.f, x, y, z, config.T_f, config)
    points, g = points_of_g(f.params, task, config), earlier.initialization.g
    limit = _limit_from(g, points, target, z, config.T_g, config.delta / 2, config)
    return Passed(output, Known(points, target, z, limit))


def _g_from_start(key: Array, earlier: Staged, config: MatchingSetting) -> Output:
    x, y, z, _ = earlier.f.known
    return train_from(earlier.initialization.g, x, y, z, config.T_g, config)[1]


def _certified(
    key: Array, x: Array, y: Array, z: Array, time: Real, config: MatchingSetting
) -> Certified:
    start = initial(key, x, config)
    result, output = train_from(start, x, y, z, time, config)
    limit = _limit_from(start, x, y, z, time, config.delta / 2, config, result.weights)
    return Certified(x, result.params, output, limit)


def _certified_f(key: Array, earlier: Staged, config: MatchingSetting) -> Certified:
    x, y, z, _ = earlier.data
    return _certified(key, x, y, z, config.T_f, config)


def _certified_g(key: Array, earlier: Staged, config: MatchingSetting) -> Certified:
    task: Relabelled = earlier.data
    points = points_of_g(earlier.f.params, task, config)
    return _certified(key, points, task.target, task.z, config.T_g, config)


Part = Callable[[Staged], Any]


def _exceeds_bound(limit: Part, part: str = "total") -> Any:
    """|centre| > the named part of B(z)."""

    def check(instance: Staged, _: object) -> Margin:
        known: Limit = limit(instance)
        error = known.centre_error + known.bound_error
        return exceeds(jnp.abs(known.centre), getattr(known.bound, part), error)

    return check


def _own_sign(output: Part, limit: Part) -> Any:
    """sgn f(z; T) = sgn centre."""

    def check(instance: Staged, _: object) -> Margin:
        found, known = output(instance), limit(instance)
        return same_sign(found.value, known.centre, found.error, known.centre_error)

    return check


def _agreement(limit_f: Part, limit_g: Part) -> Any:
    """The centres of f and g have the same sign."""

    def check(instance: Staged, _: object) -> Margin:
        f, g = limit_f(instance), limit_g(instance)
        return same_sign(f.centre, g.centre, f.centre_error, g.centre_error)

    return check


def _signs_match(output_f: Part, output_g: Part) -> Any:
    """sgn f(z; T_f) = sgn g(z; T_g)."""

    def check(instance: Staged, _: object) -> Margin:
        f, g = output_f(instance), output_g(instance)
        return same_sign(f.value, g.value, f.error, g.error)

    return check


def _parts(which: str, limit: Part, stage: str) -> dict[str, Hypothesis]:
    """The centre against each part of B alone: which of them is the obstacle."""
    names = {"initial": "initial output", "kernel": "kernel fluctuation", "lazy": "lazy error"}
    return {
        f"{which} against {name}": Hypothesis(
            _exceeds_bound(limit, part), f"T_{which}|k_{which}| > {part} part of B_{which}", stage
        )
        for part, name in names.items()
    }


def _matching_hypotheses(
    f: tuple[Part, str], g: tuple[Part, str], centre: str, bound: str
) -> dict[str, Hypothesis]:
    """Margins of f and g, and agreement; of either network the limit, and the stage that has it."""
    (limit_f, stage_f), (limit_g, stage_g) = f, g
    return {
        "margin of f": Hypothesis(
            _exceeds_bound(limit_f), f"|{centre.format('f')}| > {bound.format('f')}", stage_f
        ),
        "margin of g": Hypothesis(
            _exceeds_bound(limit_g), f"|{centre.format('g')}| > {bound.format('g')}", stage_g
        ),
        "agreement": Hypothesis(
            _agreement(limit_f, limit_g),
            f"sgn {centre.format('f')} = sgn {centre.format('g')}",
            stage_g,
        ),
    }


def _probably(conclusion: Any) -> Probabilistic[MatchingSetting, Staged]:
    """The conclusion, except with the probability δ of the configuration."""
    return Probabilistic(conclusion, failure_probability=lambda _, config: config.delta)


_COMMON: dict[str, Any] = {
    "source": f"ours, explicit form of {SOURCE}",
    "caveat": CAVEAT,
    "config": MatchingSetting(),
    "draws": {"quick": 50, "full": 1000},
    "data": True,
    "batch": 10,
}
ON_DIGITS = OnData({"T_f": 10.0, "T_g": 10.0, "epsilon": 4.0, "slope": 0.8}, quick=True)
_SCENARIO_B = {"scenario b": {"scenario": "b"}}


def _of_data(instance: Staged) -> Limit:
    return instance.data.limit


def _of_start(instance: Staged) -> Limit:
    return instance.initialization.limit


def _of_g(instance: Staged) -> Limit:
    return instance.f.known.limit


STATEMENTS = (
    Statement[MatchingSetting, Staged](
        id="lazy.margin-f",
        title="beyond its margin f(z; T) has the sign of its infinite-width limit",
        says="T_f|k_f(z)| > B_f(z) implies sgn f(z; T_f) = sgn k_f(z) with probability ≥ 1 − δ, "
        "k = f̂ + β, identity loss, one fixed z; B of lazy.dynamics.",
        stages={"data": _known_of_f, "f": _trained("f")},
        hypotheses={
            "margin of f": Hypothesis(_exceeds_bound(_of_data), "T_f|k_f(z)| > B_f(z)", "data")
        },
        measured=_parts("f", _of_data, "data"),
        claim=_probably(_own_sign(lambda i: i.f, _of_data)),
        **_COMMON,
    ),
    Statement[MatchingSetting, Staged](
        id="lazy.margin-g",
        title="beyond its margin g(z; T), trained on perturbations, has the sign of its limit",
        says="T_g|k_g(z)| > B_g(z) implies sgn g(z; T_g) = sgn k_g(z) with probability ≥ 1 − δ, "
        "k_g = f̂ + β of g's own training set: f's perturbations (scenario a) or perturbed samples "
        "(b). That set is data to g, whose initialization is independent of it.",
        stages={"data": _known_of_g, "g": _trained("g")},
        hypotheses={
            "margin of g": Hypothesis(_exceeds_bound(_of_data), "T_g|k_g(z)| > B_g(z)", "data")
        },
        measured=_parts("g", _of_data, "data"),
        claim=_probably(_own_sign(lambda i: i.g, _of_data)),
        cases=_SCENARIO_B,
        **_COMMON,
    ),
    Statement[MatchingSetting, Staged](
        id="lazy.margin-f-init",
        title="the same from the drawn f(z; 0), which costs no margin then",
        says="|f(z; 0) + T_f k_f(z)| > kernel + lazy parts of B_f(z) implies sgn f(z; T_f) = "
        "sgn(f(z; 0) + T_f k_f(z)), except with probability ≤ δ that the first holds and the "
        "second fails; identity loss, one fixed z.",
        stages={"data": relabelled, "initialization": _drawn_f, "f": _f_from_start},
        hypotheses={
            "margin of f": Hypothesis(
                _exceeds_bound(_of_start),
                "|f(z; 0) + T_f k_f(z)| > kernel + lazy parts",
                "initialization",
            )
        },
        claim=_probably(_own_sign(lambda i: i.f, _of_start)),
        **_COMMON,
    ),
    Statement[MatchingSetting, Staged](
        id="lazy.prediction-matching",
        title="a network trained on perturbations alone predicts like the one they came from",
        says="T_f|k_f(z)| > B_f(z), T_g|k_g(z)| > B_g(z) and sgn k_f(z) = sgn k_g(z) imply "
        "sgn f(z; T_f) = sgn g(z; T_g), except with probability ≤ δ_f + δ_g that all hypotheses "
        "hold and the signs differ; k = f̂ + β of each network's own training set, identity loss. "
        "The hypotheses on g look at f's initialization, so failures are counted over all draws.",
        stages={"data": _posed, "f": _trained_f, "g": _trained_g},
        hypotheses=_matching_hypotheses(
            (_of_data, "data"), (_of_g, "f"), "T_{0}k_{0}(z)", "B_{0}(z)"
        ),
        measured=_parts("f", _of_data, "data"),
        claim=_probably(_signs_match(lambda i: i.f.output, lambda i: i.g)),
        cases=_SCENARIO_B,
        on_data={"digits": ON_DIGITS},
        **_COMMON,
    ),
    Statement[MatchingSetting, Staged](
        id="lazy.prediction-matching-init",
        title="prediction matching from the drawn initial outputs",
        says="|f(z; 0) + T_f k_f(z)| > kernel + lazy parts of B_f(z), the same for g, and equal "
        "signs of the left sides imply sgn f(z; T_f) = sgn g(z; T_g), except with probability "
        "≤ δ_f + δ_g; identity loss.",
        stages={
            "data": relabelled,
            "initialization": _drawn_both,
            "f": _passed_from_start,
            "g": _g_from_start,
        },
        hypotheses=_matching_hypotheses(
            (_of_start, "initialization"),
            (_of_g, "f"),
            "{0}(z; 0) + T_{0}k_{0}(z)",
            "trained parts",
        ),
        claim=_probably(_signs_match(lambda i: i.f.output, lambda i: i.g)),
        **_COMMON,
    ),
    Statement[MatchingSetting, Staged](
        id="lazy.prediction-matching-logistic",
        title="prediction matching under the logistic loss, from the trained weights",
        says="|f(z; 0) + k_α(z)| > kernel + lazy parts at the weights α that training ended with, "
        "the same for g, and equal signs of the left sides imply sgn f(z; T_f) = sgn g(z; T_g), "
        "except with probability ≤ δ_f + δ_g; any loss with 0 ≤ ℓ' ≤ 1.",
        stages={"data": relabelled, "f": _certified_f, "g": _certified_g},
        hypotheses=_matching_hypotheses(
            (lambda i: i.f.limit, "f"),
            (lambda i: i.g.limit, "g"),
            "{0}(z; 0) + k_α,{0}(z)",
            "certified parts",
        ),
        claim=_probably(_signs_match(lambda i: i.f.output, lambda i: i.g.output)),
        **{**_COMMON, "config": LogisticMatchingSetting()},
    ),
)
