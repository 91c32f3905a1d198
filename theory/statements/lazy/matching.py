"""Signs of networks trained on clean data and on perturbations alone, from margins."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp

from theory.margins import Margin, exceeds
from theory.statements.lazy import pairs
from theory.statements.lazy.movement import CAVEAT, SOURCE
from theory.statements.lazy.pairs import Limit, LogisticMatchingSetting, MatchingSetting
from theory.statements.lazy.rounding import (
    same_sign,
)
from theory.verification.kinds import Probabilistic
from theory.verification.stages import Staged
from theory.verification.statement import Hypothesis, OnData, Statement

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
        stages={"data": pairs.known_of_f, "f": pairs.training_of("f")},
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
        stages={"data": pairs.known_of_g, "g": pairs.training_of("g")},
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
        stages={"data": pairs.relabelled, "initialization": pairs.drawn_f, "f": pairs.f_from_start},
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
        stages={"data": pairs.posed, "f": pairs.trained_f, "g": pairs.trained_g},
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
            "data": pairs.relabelled,
            "initialization": pairs.drawn_both,
            "f": pairs.passed_from_start,
            "g": pairs.g_from_start,
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
        stages={"data": pairs.relabelled, "f": pairs.certified_f, "g": pairs.certified_g},
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
