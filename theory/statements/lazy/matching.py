"""Signs of networks trained on clean data and on perturbations alone, from margins."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from theory._types import Real
from theory.data.sampling import Sample, data_parameter, draw
from theory.infinite_width import bounds, lazy
from theory.margins import Margin, exceeds
from theory.networks.descent import descent_for_time
from theory.networks.network import Params, frozen_readout, init, outputs
from theory.networks.training import train
from theory.parameters import Parameters, parameter
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
from theory.verification.statement import Hypothesis, Statement


class MatchingSetting(Parameters):
    """f trained on clean data, g on f's perturbations, seen at one query point; identity loss."""

    data: Any = data_parameter("separated-gaussian", "law of x and z")
    n: int = parameter(40, "training points", low=1)
    d: int = parameter(10, "dimension", low=1)
    m: int = parameter(1000, "width of both networks", low=1)
    slope: float = parameter(0.5, "slope γ", low=0, high=1, open_high=True)
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
        0.05, "failure probability δ of all networks together", low=0, high=1,
        open_low=True, open_high=True,
    )  # fmt: skip


class LogisticMatchingSetting(MatchingSetting):
    """The same under any loss."""

    m: int = parameter(2000, "width of both networks", low=1)
    loss: str = parameter("logistic", "training loss", choices=("identity", "logistic"))


class Prediction(NamedTuple):
    """One network at z.

    output: f(z; T).  error: its rounding error.
    centre: what f(z; T) is compared with: k_α(z), or f(z; 0) + k_α(z).  centre_error: the same.
    bound: the parts of B(z) ≥ |f(z; T) − centre|.  bound_error: bound on the rounding of each.
    """

    output: Float[Array, ""]
    error: Float[Array, ""]
    centre: Float[Array, ""]
    centre_error: Float[Array, ""]
    bound: bounds.OutputBound
    bound_error: Float[Array, ""]


class Matching(NamedTuple):
    """The networks at z."""

    f: Any
    g: Any


class Limit(NamedTuple):
    """What is known of one network at z from its training set; see `Prediction`."""

    centre: Float[Array, "*q"]
    centre_error: Float[Array, "*q"]
    bound: bounds.OutputBound
    bound_error: Float[Array, "*q"]


class Known(NamedTuple):
    """The data of f, and what is known of f from them."""

    sample: Sample
    limit: Limit


def _limit(
    x: Array, y: Array, z: Array, time: Real, delta: float, config: MatchingSetting
) -> Limit:
    """T·k(z) ± B(z)."""
    s = bounds.output_exponent(delta, parts=3)
    bound = bounds.output_bound(x, y, z, config.m, config.slope, time, s)
    return Limit(
        lazy.signal(x, y, z, config.slope, time),
        limit_rounding(x, z, time, config.steps),
        bound,
        bound_rounding(bound.total, x, z, time),
    )


def _fit(
    key: Array,
    x: Array,
    y: Array,
    z: Array,
    time: Real,
    delta: float,
    config: MatchingSetting,
    tier: str,
) -> tuple[Params, Prediction]:
    """Trains one network, and predicts it from what the tier may look at.

    data: T·k(z) ± B(z).  init: f(z; 0) + T·k(z) ± (kernel + lazy parts).  certificate: f(z; 0) +
    k_α(z) ± the bound at the weights α that training ended with; the first two: identity loss.
    """
    slope, m = config.slope, config.m
    start = init(frozen_readout(slope), key, m, x.shape[1])
    loss = getattr(config, "loss", "identity")
    descent = descent_for_time(time, config.steps, config.momentum, loss=loss)
    result = train(frozen_readout(slope), start, x, y, descent)
    error = output_rounding(result.params, x, z, time, config.steps)
    output = outputs(result.params, z, slope)
    if tier == "data":
        prediction = Prediction(output, error, *_limit(x, y, z, time, delta, config))
        return result.params, jax.tree.map(lambda part: part[0], prediction)
    if tier == "certificate":
        weights = result.weights
        exponents = bounds.certified_exponents(delta, len(x))
        bound = bounds.certified_bound(x, y, z, m, slope, time, weights, *exponents)
    else:
        weights = time
        s = bounds.output_exponent(delta, parts=2)
        bound = bounds.output_bound(x, y, z, m, slope, time, s)
    bound = bound._replace(initial=jnp.zeros_like(bound.initial))
    centre = lazy.signal(x, y, z, slope, weights) + outputs(start, z, slope)
    centre_error = limit_rounding(x, z, time, config.steps)
    centre_error = centre_error + output_rounding(start, x, z, time, 0)
    bound_error = bound_rounding(bound.total, x, z, time)
    prediction = Prediction(output, error, centre, centre_error, bound, bound_error)
    return result.params, jax.tree.map(lambda part: part[0], prediction)


def draw_relabelled(key: Array, config: Any) -> tuple[Sample, Array, Array, Array]:
    """Data and query, random labels y' independent of them, and a key for each network."""
    key_data, key_f, key_g, key_target = jax.random.split(key, 4)
    sample = draw(key_data, config.data, config.n, config.d, separation=config.separation)
    target = jax.random.rademacher(key_target, (config.n,), float)
    return sample, target, key_f, key_g


def _known_of_f(key: Array, earlier: Staged, config: MatchingSetting) -> Known:
    x, y, z, _ = sample = draw(key, config.data, config.n, config.d, separation=config.separation)
    limit = _limit(x, y, z, config.T_f, config.delta, config)
    return Known(sample, jax.tree.map(lambda part: part[0], limit))


def _trained_f(key: Array, earlier: Staged, config: MatchingSetting) -> Prediction:
    x, y, z, _ = earlier.data.sample
    return _fit(key, x, y, z, config.T_f, config.delta, config, "data")[1]


def _sampler(tier: str, networks: str = "fg") -> Any:
    """(key, config) → `Matching`, judged on f alone ("f"), g alone ("g") or both ("fg")."""

    def sample(key: Array, config: MatchingSetting) -> Matching:
        (x, y, z, _), target, key_f, key_g = draw_relabelled(key, config)
        delta = config.delta / len(networks)
        params_f, f = _fit(key_f, x, y, z, config.T_f, delta, config, tier)
        g = None
        if "g" in networks:
            r = gradient_perturbations(params_f, x, target, config.epsilon, config.slope)
            points = r if config.scenario == "a" else x + r
            _, g = _fit(key_g, points, target, z, config.T_g, delta, config, tier)
        return Matching(f if "f" in networks else None, g)

    return sample


def _exceeds_bound(which: str, part: str = "total") -> Any:
    """|centre| > the named part of B(z), of network f or g."""

    def check(instance: Matching | Staged, _: Any) -> Margin:
        return _beyond(getattr(instance, which), part)

    return check


def _beyond(known: Any, part: str = "total") -> Margin:
    """The same of a `Limit` or a `Prediction`."""
    error = known.centre_error + known.bound_error
    return exceeds(jnp.abs(known.centre), getattr(known.bound, part), error)


def _own_sign(which: str) -> Any:
    """sgn f(z; T) = sgn centre."""

    def check(instance: Matching | Staged, _: Any) -> Margin:
        p: Prediction = getattr(instance, which)
        return same_sign(p.output, p.centre, p.error, p.centre_error)

    return check


def _agreement(instance: Matching, _: Any) -> Margin:
    f, g = instance.f, instance.g
    return same_sign(f.centre, g.centre, f.centre_error, g.centre_error)


def _signs_match(instance: Matching, _: Any) -> Margin:
    f, g = instance.f, instance.g
    return same_sign(f.output, g.output, f.error, g.error)


def _parts(which: str) -> dict[str, Hypothesis]:
    """The centre against each part of B alone: which of them is the obstacle."""
    names = {"initial": "initial output", "kernel": "kernel fluctuation", "lazy": "lazy error"}
    return {
        f"{which} against {name}": Hypothesis(
            _exceeds_bound(which, part), f"T_{which}|k_{which}| > {part} part of B_{which}"
        )
        for part, name in names.items()
    }


def _matching_hypotheses(tier: str, centre: str, bound: str) -> dict[str, Hypothesis]:
    """Margins of f and g, and agreement. g's look at f's initialization at the least."""
    later = "init" if tier == "data" else tier
    return {
        "margin of f": Hypothesis(
            _exceeds_bound("f"), f"|{centre.format('f')}| > {bound.format('f')}", tier
        ),
        "margin of g": Hypothesis(
            _exceeds_bound("g"), f"|{centre.format('g')}| > {bound.format('g')}", later
        ),
        "agreement": Hypothesis(
            _agreement, f"sgn {centre.format('f')} = sgn {centre.format('g')}", later
        ),
    }


def _probably(conclusion: Any) -> Probabilistic[MatchingSetting, Any]:
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
_SCENARIO_B = {"scenario b": {"scenario": "b"}}

STATEMENTS = (
    Statement(
        id="lazy.margin-f",
        title="beyond its margin f(z; T) has the sign of its infinite-width limit",
        says="T_f|k_f(z)| > B_f(z) implies sgn f(z; T_f) = sgn k_f(z) with probability ≥ 1 − δ, "
        "k = f̂ + β, identity loss, one fixed z; B of lazy.dynamics.",
        stages={"data": _known_of_f, "f": _trained_f},
        hypotheses={
            "margin of f": Hypothesis(
                lambda i, _: _beyond(i.data.limit), "T_f|k_f(z)| > B_f(z)", stage="data"
            )
        },
        measured=_parts("f"),
        claim=_probably(_own_sign("f")),
        **_COMMON,
    ),
    Statement(
        id="lazy.margin-g",
        title="beyond its margin g(z; T), trained on perturbations, has the sign of its limit",
        says="T_g|k_g(z)| > B_g(z) implies sgn g(z; T_g) = sgn k_g(z) with probability ≥ 1 − δ, "
        "k_g = f̂ + β of g's own training set: f's perturbations (scenario a) or perturbed samples "
        "(b). That set is data to g, whose initialization is independent of it.",
        sample=_sampler("data", "g"),
        hypotheses={  # of the training set of g, which knows nothing of g's initialization
            "margin of g": Hypothesis(_exceeds_bound("g"), "T_g|k_g(z)| > B_g(z)", tier="data")
        },
        measured=_parts("g"),
        claim=_probably(_own_sign("g")),
        cases=_SCENARIO_B,
        **_COMMON,
    ),
    Statement(
        id="lazy.margin-f-init",
        title="the same from the drawn f(z; 0), which costs no margin then",
        says="|f(z; 0) + T_f k_f(z)| > kernel + lazy parts of B_f(z) implies sgn f(z; T_f) = "
        "sgn(f(z; 0) + T_f k_f(z)), except with probability ≤ δ that the first holds and the "
        "second fails; identity loss, one fixed z.",
        sample=_sampler("init", "f"),
        hypotheses={
            "margin of f": Hypothesis(
                _exceeds_bound("f"), "|f(z; 0) + T_f k_f(z)| > kernel + lazy parts", "init"
            )
        },
        claim=_probably(_own_sign("f")),
        **_COMMON,
    ),
    Statement(
        id="lazy.prediction-matching",
        title="a network trained on perturbations alone predicts like the one they came from",
        says="T_f|k_f(z)| > B_f(z), T_g|k_g(z)| > B_g(z) and sgn k_f(z) = sgn k_g(z) imply "
        "sgn f(z; T_f) = sgn g(z; T_g), except with probability ≤ δ_f + δ_g that all hypotheses "
        "hold and the signs differ; k = f̂ + β of each network's own training set, identity loss. "
        "The hypotheses on g look at f's initialization, so failures are counted over all draws.",
        sample=_sampler("data"),
        hypotheses=_matching_hypotheses("data", "T_{0}k_{0}(z)", "B_{0}(z)"),
        measured=_parts("f"),
        claim=_probably(_signs_match),
        cases=_SCENARIO_B,
        **_COMMON,
    ),
    Statement(
        id="lazy.prediction-matching-init",
        title="prediction matching from the drawn initial outputs",
        says="|f(z; 0) + T_f k_f(z)| > kernel + lazy parts of B_f(z), the same for g, and equal "
        "signs of the left sides imply sgn f(z; T_f) = sgn g(z; T_g), except with probability "
        "≤ δ_f + δ_g; identity loss.",
        sample=_sampler("init"),
        hypotheses=_matching_hypotheses("init", "{0}(z; 0) + T_{0}k_{0}(z)", "trained parts"),
        claim=_probably(_signs_match),
        **_COMMON,
    ),
    Statement(
        id="lazy.prediction-matching-logistic",
        title="prediction matching under the logistic loss, from the trained weights",
        says="|f(z; 0) + k_α(z)| > kernel + lazy parts at the weights α that training ended with, "
        "the same for g, and equal signs of the left sides imply sgn f(z; T_f) = sgn g(z; T_g), "
        "except with probability ≤ δ_f + δ_g; any loss with 0 ≤ ℓ' ≤ 1.",
        sample=_sampler("certificate"),
        hypotheses=_matching_hypotheses("certificate", "{0}(z; 0) + k_α,{0}(z)", "certified parts"),
        claim=_probably(_signs_match),
        **{**_COMMON, "config": LogisticMatchingSetting()},
    ),
)
