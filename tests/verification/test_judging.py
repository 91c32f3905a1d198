"""Verdicts about outcomes: every verdict from made evidence, and the specification's rules."""

import math
import re

import numpy as np
import pytest
from loose_parts import kind_of
from scipy import stats
from untyped import known

from theory.margins import Margin
from theory.verification.judging import judge
from theory.verification.outcomes import Outcome
from theory.verification.statistics.power import draws_for_power
from theory.verification.verdict import Evidence


def condition(holds=0, fails=0, undecided=0, ratio=np.nan):
    """A margin over draws: those that hold (+2), then those that fail (−2), then undecided."""
    value = np.repeat([2.0, -2.0, 0.5], [holds, fails, undecided])
    return Margin(value, np.ones_like(value), np.full_like(value, ratio), "m")


def judged(conclusion, allowed=None, stage: str | None = "data", level=0.01, **hypotheses):
    """The verdict on a conclusion; deterministic without δ, else probabilistic."""
    kind = "deterministic" if allowed is None else "probabilistic"
    if allowed is not None:
        allowed = np.broadcast_to(np.asarray(allowed, float), np.shape(conclusion.value))
    evidence = Evidence(hypotheses, {}, conclusion, allowed, None)
    looks_at = {"stages": dict.fromkeys(hypotheses, stage), "first": "data"}
    return judge("toy.statement", kind_of(kind), evidence, level=level, **looks_at)


# --- every verdict of every kind ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("verdict", "reason", "conclusion", "allowed", "hypothesis"),
    [
        ("consistent", "no counterexample in 29 draws", condition(29), None, None),
        ("consistent", "in 20 draws; a failure rate", condition(20, 6), None, condition(20, 6)),
        ("consistent", "in 20 draws", condition(20, 0, 6), None, condition(20, 6)),
        ("inconclusive", "about 14 draws would do", condition(13), None, None),
        ("inconclusive", "about 42 draws would do", condition(9), None, condition(3, 6)),
        ("refuted", "in 1 of 9 draws, first in draw 8", condition(8, 1), None, None),
        ("refuted", "in 2 of 5 draws, first in draw 3", condition(3, 6), None, condition(5, 4)),
        ("refuted", "in 3 of 9 draws", condition(5, 3, 1), None, None),
        ("vacuous", "wide fails in 9 of 9 draws", condition(9), None, condition(0, 9)),
        ("vacuous", "wide fails in 9 of 9 draws", condition(0, 9), None, condition(0, 9)),
        ("inconclusive", "within numerical error in 2 of 9 draws", condition(7, 0, 2), None, None),
        (
            "inconclusive",
            "within numerical error in 3 of 9 draws",
            condition(6, 3),
            None,
            condition(6, 0, 3),
        ),
        ("inconclusive", "hypotheses are within", condition(9), None, condition(0, 5, 4)),
        ("consistent", "40 of 500 draws failed, a rate of 0.1", condition(460, 40), 0.1, None),
        ("consistent", "0 of 500 draws failed", condition(500), 0.1, None),
        ("refuted", "100 of 500 draws failed", condition(400, 100), 0.1, None),
        ("vacuous", "δ ≥ 1 in 500 of 500 draws", condition(500), 1.0, None),
        ("vacuous", "δ ≥ 1 in 500 of 500 draws", condition(0, 500), 3.5, None),
        ("vacuous", "δ is no number in 500 of 500", condition(500), np.nan, None),
        ("vacuous", "wide fails in 500 of 500", condition(500), 0.1, condition(0, 500)),
        ("inconclusive", "4 draws cannot tell", condition(4), 0.1, None),
        ("inconclusive", "100 undecided draws could", condition(400, 0, 100), 0.1, None),
    ],
)
def test_verdicts_about_outcomes(verdict, reason, conclusion, allowed, hypothesis):
    result = judged(conclusion, allowed, **({} if hypothesis is None else {"wide": hypothesis}))
    assert result.verdict == verdict
    assert reason in result.reason
    assert str(result).startswith(f"toy.statement: {verdict} (")
    assert sum(result.outcomes.values()) == result.draws == len(conclusion.value)


def missing(count, of):
    """Margins of which the last ones are NaN."""
    value = np.where(np.arange(of) < of - count, 1.0, np.nan)
    return Margin(value, np.full(of, 1e-9), np.full(of, np.nan))


@pytest.mark.parametrize("allowed", [None, 0.1])
def test_a_margin_that_is_no_number_is_told(allowed):
    always = judged(missing(500, 500), allowed)
    assert always.verdict == "inconclusive"
    assert "the conclusion is NaN, no number, in every draw" in always.reason
    assert "NaN" in verdict_explained(always)
    sometimes = judged(missing(200, 500), allowed)
    assert "the conclusion is NaN, no number, in 200 of 500 draws" in sometimes.reason
    hypothesis = judged(condition(500), allowed, wide=missing(500, 500))
    assert "wide is NaN, no number, in every draw" in hypothesis.reason
    assert "NaN" not in judged(condition(400, 0, 100), allowed).reason


def verdict_explained(verdict):
    return str(verdict.explain())


def bounded(ratios):
    """The margins of "bound > observed" with an observed value of 1."""
    ratios = np.asarray(ratios, float)
    return Margin(ratios - 1, np.full_like(ratios, 1e-9), ratios)


def test_tightness_is_taken_at_the_quantile_that_the_bound_is_about():
    ratios = np.arange(1.5, 101.5)  # bound over observed in 100 draws
    assert judged(bounded(ratios)).tightness == 1.5  # the largest value observed
    assert judged(bounded(ratios), 0.1).tightness == ratios[9]  # a tenth may be larger
    some = judged(bounded(ratios), wide=condition(60, 40))
    assert some.tightness == 1.5
    assert judged(bounded(ratios[::-1]), wide=condition(60, 40)).tightness == ratios[40]
    assert judged(condition(100)).tightness is None  # no ratio
    assert judged(bounded(ratios), wide=condition(0, 100)).tightness is None


def test_the_smallest_constant_is_the_largest_that_a_draw_contradicts():
    """With C below its constant a draw satisfies the hypotheses; three draws fail."""
    conclusion = condition(5, 3)
    constants = np.array([9.0, 1.0, 2.0, 3.0, 4.0, 0.5, 2.5, 0.1])
    evidence = Evidence({}, {}, conclusion, None, None, constants)
    result = judge("a.b", kind_of("deterministic"), evidence)
    assert result.constant == (2.5, 9.0)
    evidence = Evidence({}, {}, condition(8), None, None, constants)
    assert judge("a.b", kind_of("deterministic"), evidence).constant == (0.0, 9.0)
    assert judged(conclusion).constant is None


# --- what a verdict is made of --------------------------------------------------------------------


def test_outcomes_are_counted_draw_by_draw():
    hypothesis = condition(3, 3, 3)
    value = np.tile([2.0, -2.0, 0.5], 3)  # holds, fails, undecided for each state of the hypothesis
    conclusion = Margin(value, np.ones(9), np.full(9, np.nan), "m")
    result = judged(conclusion, wide=hypothesis)
    # Undecided: conclusion undecided (3), hypothesis undecided and conclusion not (2).
    expected = {"confirmed": 1, "miss": 1, "beyond": 1, "vacuous": 1, "undecided": 5}
    assert result.outcomes == expected
    assert set(result.outcomes) == {o.name.lower() for o in Outcome}
    assert "draws: 1 confirmed, 1 miss" in str(result)


def test_draws_whose_bound_says_nothing_are_no_confirmations():
    """δ ≥ 1 in the first half: what holds there holds beyond the statement."""
    allowed = np.repeat([1.0, 0.1], 100)
    conclusion = Margin(np.resize([2.0, -2.0, 2.0, 2.0], 200), np.ones(200), np.full(200, np.nan))
    result = judged(conclusion, allowed)
    assert result.outcomes == {
        "confirmed": 75,
        "miss": 25,
        "beyond": 75,
        "vacuous": 25,
        "undecided": 0,
    }
    assert (known(result.failure_rate).failures, known(result.failure_rate).trials) == (25, 100)
    assert known(result.failure_rate).allowed == pytest.approx(0.1)
    assert result.verdict == "refuted"  # P(Bin(100, 0.1) ≥ 25) = 1e-5


def test_conditions_are_summarized():
    margin = Margin(
        np.array([3.0, -1.0, 0.1]), np.full(3, 0.5), np.array([4.0, 0.5, 1.1]), "neurons"
    )
    evidence = Evidence({"wide": margin}, {"seen": condition(2, 1)}, condition(3), None, None)
    result = judge("a.b", kind_of("deterministic"), evidence, stages={"wide": "data", "seen": None})
    assert result.hypotheses["wide"]._asdict() == {
        "met": 1,
        "failed": 1,
        "tightest_margin": -1.0,
        "ratio": (0.5, 1.1, 4.0),
        "stage": "data",
        "unit": "neurons",
    }
    assert result.measured["seen"]._asdict() == {
        "met": 2,
        "failed": 1,
        "tightest_margin": -2.0,
        "ratio": None,
        "stage": None,
        "unit": "m",
    }
    assert set(result.hypotheses) == {"wide"}


def test_tightest_margins_are_those_that_are_known():
    partly = Margin(np.array([np.nan, 3.0, 2.0]), np.ones(3), np.full(3, np.nan))
    unknown = Margin(np.full(3, np.nan), np.full(3, np.inf), np.full(3, np.nan))
    result = judged(partly, wide=unknown)
    assert result.tightest_margin == 2.0
    assert result.hypotheses["wide"].tightest_margin is None
    assert result.hypotheses["wide"].met == result.hypotheses["wide"].failed == 0
    assert judged(unknown).tightest_margin is None


def test_measured_conditions_decide_nothing():
    evidence = Evidence({}, {"seen": condition(0, 20)}, condition(20), None, None)
    result = judge("a.b", kind_of("deterministic"), evidence)
    assert result.verdict == "consistent"
    assert known(result.failure_rate).trials == 20


@pytest.mark.parametrize(
    ("hypothesis", "tightest"),
    [(condition(4, 1), 2.0), (condition(3, 2), 2.0), (condition(5), -7.0), (condition(0, 5), -7.0)],
)
def test_tightest_margin_is_among_draws_that_satisfy_the_hypotheses(hypothesis, tightest):
    values = np.array([3.0, 2.0, 4.0, 5.0, -7.0])
    conclusion = Margin(values, np.ones(5), np.full(5, np.nan), "m")
    result = judged(conclusion, wide=hypothesis)
    assert (result.tightest_margin, result.unit) == (tightest, "m")


@pytest.mark.parametrize(
    ("ratio", "factor"), [(0.25, "by a factor of 4"), (0.0, "by a factor of ∞"), (np.nan, None)]
)
def test_vacuous_names_the_hypothesis_and_by_what_factor_it_fails(ratio, factor):
    result = judged(condition(8), wide=condition(0, 8, ratio=ratio), long=condition(8, ratio=9.0))
    assert result.verdict == "vacuous"
    assert result.reason.startswith("wide fails in 8 of 8 draws")
    assert "long" not in result.reason
    assert factor in result.reason if factor else "factor" not in result.reason


def test_vacuous_names_every_reason():
    """wide fails in some draws, long in others, and the bound says nothing in the rest."""
    wide = Margin(np.array([-2.0, 2.0, 2.0]), np.ones(3), np.full(3, np.nan))
    long = Margin(np.array([2.0, -2.0, 2.0]), np.ones(3), np.full(3, np.nan))
    result = judged(condition(3), np.array([0.1, 0.1, 1.5]), wide=wide, long=long)
    assert result.verdict == "vacuous"
    for reason in ("wide fails in 1 of 3", "long fails in 1 of 3", "δ ≥ 1 in 1 of 3"):
        assert reason in result.reason


# --- the specification's rules --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stage", "trials", "verdict"),
    [
        ("data", 160, "refuted"),
        ("initialization", 400, "consistent"),
        (None, 400, "consistent"),
    ],
)
def test_the_stage_of_the_hypotheses_decides_the_denominator(stage, trials, verdict):
    """32 misses among the 160 of 400 draws that satisfy H, δ = 0.1.

    P(Bin(160, 0.1) ≥ 32) = 1e-4 refutes P(¬C | H) ≤ δ; 32 of 400 is no evidence against
    P(H ∧ ¬C) ≤ δ, though the 160 that satisfy H left room for it.
    """
    conclusion = Margin(np.repeat([-2.0, 2.0], [32, 368]), np.ones(400), np.full(400, np.nan))
    result = judged(conclusion, 0.1, stage, wide=condition(160, 240))
    assert (known(result.failure_rate).failures, known(result.failure_rate).trials) == (32, trials)
    assert known(result.failure_rate).observed == 32 / trials
    assert result.verdict == verdict
    low = stats.beta.ppf(0.005, 32, trials - 31)  # Clopper–Pearson at 1 − level
    assert known(result.failure_rate).low == pytest.approx(low, rel=1e-9)


def test_one_hypothesis_about_a_later_stage_makes_all_draws_count():
    hypotheses = {"wide": condition(40, 160), "agree": condition(200)}
    evidence = Evidence(hypotheses, {}, condition(200), np.full(200, 0.1), None)
    stages = {"wide": "data", "agree": "initialization"}
    result = judge("a.b", kind_of("probabilistic"), evidence, stages=stages, first="data")
    assert known(result.failure_rate).trials == 200


def test_differing_probabilities_are_compared_with_the_poisson_binomial_law():
    """24 misses; 20 draws allow 0.9 and 20 allow 0.

    At most 20 can fail: refuted. A binomial with the mean, 0.45, has P(Bin(40, 0.45) ≥ 24) = 4 %.
    """
    allowed = np.repeat([0.9, 0.0], 20)
    assert stats.binom.sf(23, 40, 0.45) > 0.03
    assert judged(condition(16, 24), allowed).verdict == "refuted"
    assert judged(condition(16, 24), 0.45).verdict != "refuted"


def test_misses_count_where_they_were_not_allowed_only_through_their_number():
    """The law of the count: 18 of 40 failures, whichever they are, are what 0.9 and 0 allow."""
    assert judged(condition(22, 18), np.repeat([0.9, 0.0], 20)).verdict != "refuted"


@pytest.mark.parametrize("where", ["conclusion", "hypothesis"])
def test_undecided_draws_are_successes_against_refuted_and_failures_against_consistent(where):
    """100 of 500 undecided, δ = 0.1: refuted if they were failures, consistent if successes."""
    undecided, misses = condition(400, 0, 100), condition(400, 100)
    results = {
        "conclusion": judged(undecided, 0.1),
        "hypothesis": judged(misses, 0.1, wide=undecided),
    }
    assert results[where].verdict == "inconclusive"
    assert "100 undecided draws" in results[where].reason
    assert known(results[where].failure_rate).failures == 0
    assert judged(misses, 0.1).verdict == "refuted"
    assert judged(condition(500), 0.1).verdict == "consistent"
    few = condition(490, 0, 10)  # within what δ allows even if all failed
    assert judged(few, 0.1).verdict == "consistent"


@pytest.mark.parametrize("allowed", [0.0, 1e-9, 1e-3])
def test_a_single_miss_refutes_no_probabilistic_statement(allowed):
    result = judged(condition(499, 1), allowed)
    assert result.verdict != "refuted"
    assert judged(condition(498, 2), min(allowed, 1e-9)).verdict == "refuted"
    assert judged(condition(499, 1)).verdict == "refuted"  # deterministic


def test_a_single_miss_where_none_was_expected_is_no_consistency_either():
    result = judged(condition(499, 1), 1e-9)
    assert result.verdict == "inconclusive"
    assert "single miss" in result.reason


@pytest.mark.parametrize("level", [0.01, 0.3])
@pytest.mark.parametrize("allowed", [0.02, 0.15, 0.5])
def test_a_true_statement_is_refuted_with_probability_at_most_half_the_level(allowed, level):
    """Summed over all counts of 60 draws; half, because the test has one side of the level.

    And no more cautious than it must be: one miss less would exceed the level (or be single).
    """
    draws = 60
    refuted = [
        k
        for k in range(draws + 1)
        if judged(condition(draws - k, k), allowed, level=level).verdict == "refuted"
    ]
    assert refuted == list(range(refuted[0], draws + 1))
    assert stats.binom.sf(refuted[0] - 1, draws, allowed) <= level / 2
    assert refuted[0] == 2 or stats.binom.sf(refuted[0] - 2, draws, allowed) > level / 2


# --- how many draws would do ----------------------------------------------------------------------


@pytest.mark.parametrize("allowed", [0.0, 0.3])
@pytest.mark.parametrize(("stage", "share"), [("data", 1.0), ("data", 0.5), (None, 0.5)])
def test_draws_needed_suffice_and_are_needed(allowed, stage, share):
    """Re-judged with that many draws, hypotheses met at the same rate, the answer is consistent."""

    def with_draws(draws):
        met = math.ceil(share * draws)
        return judged(condition(draws), allowed, stage, wide=condition(met, draws - met))

    few = with_draws(4)
    assert few.verdict == "inconclusive"
    assert f"about {few.draws_needed} draws would do" in few.reason
    assert with_draws(few.draws_needed).verdict == "consistent"
    assert with_draws(few.draws_needed).draws_needed is None
    assert (
        with_draws(known(few.draws_needed) - 2).verdict == "inconclusive"
    )  # 2: the share is rounded


def test_no_number_of_draws_is_named_where_none_would_do():
    """Hypotheses hold in 5 % of the draws: P(H ∧ ¬C) can never exceed δ = 0.1."""
    result = judged(condition(100), 0.1, None, wide=condition(5, 95))
    assert result.verdict == "inconclusive"
    assert result.draws_needed is None


def brute_force_power(draws, allowed, alternative, tail):
    """P(the test refutes) when failures have probability `alternative`, summed term by term."""

    def mass(p):
        return [math.comb(draws, k) * p**k * (1 - p) ** (draws - k) for k in range(draws + 1)]

    null, truth = mass(allowed), mass(alternative)
    rejected = [k for k in range(2, draws + 1) if math.fsum(null[k:]) <= tail]
    return math.fsum(truth[k] for k in rejected)


@pytest.mark.parametrize(
    ("allowed", "hit_rate", "tail"),
    [(0.0, 1.0, 0.005), (0.05, 1.0, 0.005), (0.5, 1.0, 0.025), (0.1, 0.6, 0.1), (0.0, 0.1, 0.005)],
)
def test_draws_for_power_have_the_power_and_hardly_fewer_do(allowed, hit_rate, tail):
    draws = draws_for_power(allowed, hit_rate, tail)
    powers = [
        brute_force_power(n, allowed, (allowed + hit_rate) / 2, tail)
        for n in range(1, known(draws) + 1)
    ]
    assert powers[-1] >= 0.95
    assert powers[-2] < 0.95
    # The power is a saw-tooth in n (the threshold jumps): an earlier tooth may reach 95 % too.
    first = next(n for n, power in enumerate(powers, 1) if power >= 0.95)
    assert first >= 0.85 * known(draws)


@pytest.mark.parametrize(("allowed", "hit_rate"), [(0.1, 0.1), (0.1, 0.05), (0.2, 0.2001)])
def test_draws_for_power_may_not_exist(allowed, hit_rate):
    assert draws_for_power(allowed, hit_rate, 0.005) is None


def test_reasons_with_counts_read_as_one_line():
    result = judged(condition(460, 40), np.linspace(0.1, 0.2, 500))
    assert result.verdict == "consistent"
    assert re.fullmatch(r"40 of 500 draws failed, rates of 0\.1 to 0\.2 allowed; .*", result.reason)
