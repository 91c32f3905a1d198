"""Failure probabilities: δ too bold, δ that is none, premises that select, draws without a say."""

import jax
import jax.numpy as jnp
from scipy import stats
from soundness.planted import (
    CONSISTENT,
    INCONCLUSIVE,
    NOT_CONSISTENT,
    NOT_REFUTED,
    UNTOLD,
    VACUOUS,
    const,
    false,
    integers,
    sharp,
    true,
    uniforms,
)

from theory import Hypothesis, margin

TAIL = float(stats.norm.sf(2.0))  # P(x > 2) for a standard normal


def fails_at(rate):
    """A conclusion about two uniforms that fails with this probability, whatever the first."""
    return lambda u, _: sharp(u[1] - rate)


def about(stage, check):
    return {stage: Hypothesis(check, stage=stage)}


def uniform(key, earlier, config):
    return jax.random.uniform(key)


PAIR = {"kind": "probabilistic", "sample": uniforms(2)}
STAGED = {
    "kind": "probabilistic",
    "stages": {"data": uniform, "initialization": uniform, "training": uniform},
}
NORMAL = {"kind": "probabilistic", "conclusion": lambda x, _: sharp(2.0 - x)}

PLANTED = (
    false(
        "delta-ten-times-too-bold",
        "about 45 failures where 4.6 are allowed",
        **NORMAL,
        failure_probability=const(TAIL / 10),
        draws=2000,
    ),
    false(
        "delta-half-of-the-rate",
        "100 failures where 50 are allowed: seven standard deviations",
        **PAIR,
        conclusion=fails_at(0.1),
        failure_probability=const(0.05),
        draws=1000,
    ),
    false(
        "delta-zero",
        "about eleven failures where none is allowed",
        **NORMAL,
        failure_probability=const(0.0),
        draws=500,
    ),
    false(
        "delta-barely-too-bold-few-draws",
        "δ .25 for .5 and 12 draws: too few to call it consistent",
        **PAIR,
        conclusion=fails_at(0.5),
        failure_probability=const(0.25),
        draws=12,
        allowed=NOT_CONSISTENT,
    ),
    false(
        "delta-with-one-draw",
        "a single draw tests no probability",
        **PAIR,
        conclusion=fails_at(0.9),
        failure_probability=const(0.05),
        draws=1,
        allowed=NOT_CONSISTENT,
    ),
    false(
        "failures-only-where-the-premise-holds",
        "half of the draws with u < .1 fail: .05 of all draws, but .5 of those that count",
        **STAGED,
        hypotheses=about("data", lambda i, _: sharp(0.1 - i.data)),
        conclusion=lambda i, _: sharp(jnp.maximum(i.data - 0.1, i.training - 0.5)),
        failure_probability=const(0.1),
        draws=2000,
    ),
    false(
        "failures-beside-an-initial-premise",
        "P(premise and failure) = .25 where .1 is allowed",
        **STAGED,
        hypotheses=about("initialization", lambda i, _: sharp(0.5 - i.initialization)),
        conclusion=lambda i, _: sharp(i.training - 0.5),
        failure_probability=const(0.1),
        draws=1000,
    ),
    false(
        "delta-of-the-draw-too-bold",
        "a draw fails with probability u/2 and may with u/10",
        **PAIR,
        conclusion=lambda u, _: sharp(u[1] - u[0] / 2),
        failure_probability=lambda u, _: u[0] / 10,
        draws=500,
    ),
    false(
        "delta-hopeless-in-half-of-the-draws",
        "where δ < 1, half of the draws fail",
        **PAIR,
        conclusion=fails_at(0.5),
        failure_probability=lambda u, _: jnp.where(u[0] < 0.5, 2.0, 0.01),
        draws=400,
    ),
    false(
        "delta-above-one",
        "δ = 1.5 says nothing about any draw",
        **PAIR,
        conclusion=fails_at(0.9),
        failure_probability=const(1.5),
        allowed=VACUOUS,
    ),
    false(
        "delta-exactly-one",
        "δ = 1 says nothing either",
        **PAIR,
        conclusion=fails_at(0.9),
        failure_probability=const(1.0),
        allowed=VACUOUS,
    ),
    false(
        "delta-infinite",
        "a bound that overflowed says nothing",
        **PAIR,
        conclusion=fails_at(0.9),
        failure_probability=lambda u, _: jnp.exp(1000 + u[0]),
        allowed=VACUOUS | UNTOLD,
    ),
    false(
        "delta-not-a-number",
        "NaN allows nothing and forbids nothing",
        **PAIR,
        conclusion=fails_at(0.9),
        failure_probability=lambda u, _: jnp.log(-u[0]),
        allowed=VACUOUS | UNTOLD,
    ),
    false(
        "delta-negative",
        "no probability is negative: half of the draws fail, none may",
        **PAIR,
        conclusion=fails_at(0.5),
        failure_probability=const(-0.1),
        allowed=NOT_CONSISTENT | UNTOLD,
    ),
    false(
        "failures-hidden-by-their-errors",
        "half of the draws fail, all inside a stated error of 10",
        **PAIR,
        conclusion=lambda u, _: margin(u[1] - 0.5, 10.0),
        failure_probability=const(0.05),
        draws=500,
        allowed=INCONCLUSIVE,
    ),
    false(
        "failures-that-are-not-numbers",
        "where it fails, the margin is the logarithm of a negative number",
        **PAIR,
        conclusion=lambda u, _: sharp(jnp.sqrt(u[1] - 0.3) + 1),
        failure_probability=const(0.01),
        draws=500,
        allowed=INCONCLUSIVE,
    ),
    false(
        "premise-not-a-number",
        "no draw is known to satisfy the premise",
        **PAIR,
        hypotheses={"log": lambda u, _: sharp(jnp.log(-u[0]))},
        conclusion=fails_at(0.9),
        failure_probability=const(0.05),
        allowed=INCONCLUSIVE,
    ),
    false(
        "premise-undecided-where-it-fails",
        "the premise is known only where the conclusion holds",
        **PAIR,
        hypotheses={"small": lambda u, _: margin(jnp.where(u[1] < 0.4, 1.0, 3.0), 2.0)},
        conclusion=fails_at(0.4),
        failure_probability=const(0.05),
        draws=500,
        allowed=INCONCLUSIVE,
    ),
    false(
        "die-shows-six-too-often",
        "1/6 where .05 is allowed; discrete draws repeat and are draws all the same",
        kind="probabilistic",
        sample=integers(1, 7),
        conclusion=lambda n, _: margin(6 - n[0]),
        failure_probability=const(0.05),
        draws=600,
    ),
    true(
        "delta-exact",
        "fails at exactly the rate allowed",
        **NORMAL,
        failure_probability=const(TAIL),
        draws=2000,
    ),
    true(
        "delta-generous",
        "a tenth of the failures allowed",
        **PAIR,
        conclusion=fails_at(0.01),
        failure_probability=const(0.1),
        draws=300,
    ),
    true(
        "delta-of-the-draw-exact",
        "every draw fails with its own δ",
        **PAIR,
        conclusion=lambda u, _: sharp(u[1] - u[0] / 4),
        failure_probability=lambda u, _: u[0] / 4,
        draws=800,
    ),
    true(
        "delta-tiny-single-miss",
        "one failure in a thousand: a single miss refutes nothing",
        **PAIR,
        conclusion=fails_at(1e-3),
        failure_probability=const(1e-3),
        draws=1000,
        allowed=NOT_REFUTED,
    ),
    true(
        "delta-zero-and-no-failure",
        "never fails and never may",
        **PAIR,
        conclusion=lambda u, _: sharp(1 + u[1]),
        failure_probability=const(0.0),
    ),
    true(
        "initial-premise-with-many-failures",
        "P(premise and failure) = .05 as allowed, though half of the draws with the premise fail",
        **STAGED,
        hypotheses=about("initialization", lambda i, _: sharp(0.1 - i.initialization)),
        conclusion=lambda i, _: sharp(i.training - 0.5),
        failure_probability=const(0.05),
        draws=1000,
        allowed=NOT_REFUTED,  # the premise at rate .1 leaves δ = .05 little room
    ),
    true(
        "certificate-that-knows-the-outcome",
        "the premise looks at the solution, and half of what it selects fails: .05 of all draws",
        **PAIR,
        hypotheses={"certificate": lambda u, _: sharp(0.2 - u[1])},
        conclusion=lambda u, _: sharp(jnp.where(u[0] < 0.5, -1.0, 1.0) * (0.1 - u[1])),
        failure_probability=const(0.1),
        draws=1000,
        allowed=NOT_REFUTED,
    ),
    true(
        "data-premise-without-influence",
        "the premise selects by u, the failure depends on v",
        **PAIR,
        hypotheses={"small": lambda u, _: sharp(0.3 - u[0])},
        conclusion=fails_at(0.05),
        failure_probability=const(0.05),
        draws=1500,
    ),
    true(
        "failures-where-the-premise-is-undecided",
        "the premise is false wherever the conclusion fails, but only just",
        **PAIR,
        hypotheses={"large": lambda u, _: margin(u[1] - 0.2, 0.3)},
        conclusion=fails_at(0.2),
        failure_probability=const(0.01),
        draws=400,
        allowed=INCONCLUSIVE,
    ),
    true(
        "failures-where-delta-is-hopeless",
        "δ = 1 exactly where draws fail",
        **PAIR,
        conclusion=fails_at(0.3),
        failure_probability=lambda u, _: jnp.where(u[1] < 0.4, 1.0, 0.01),
        draws=500,
        allowed=CONSISTENT | INCONCLUSIVE,  # such a δ looks at the outcome: no theorem's does
    ),
    true(
        "die-shows-six",
        "exactly 1/6; six different instances in 600 draws are no reason to count only six",
        kind="probabilistic",
        sample=integers(1, 7),
        conclusion=lambda n, _: margin(6 - n[0]),
        failure_probability=const(1 / 6),
        draws=600,
    ),
    true(
        "premise-never-met",
        "nothing was tested",
        **PAIR,
        hypotheses={"large": lambda u, _: sharp(u[0] - 2.0)},
        conclusion=fails_at(0.01),
        failure_probability=const(0.05),
        allowed=VACUOUS,
    ),
)
