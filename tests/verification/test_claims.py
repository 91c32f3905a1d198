"""Claims about means, rates and decays: what is refused, and every verdict from made evidence."""

import math

import numpy as np
import pytest
from loose_parts import kind_of
from untyped import known

from theory.margins import Margin
from theory.verification.claims import Claim, checked_claims
from theory.verification.judging import judge
from theory.verification.verdict import Evidence

SCALES = 2.0 ** np.arange(4, 10)


def condition(holds=0, fails=0, undecided=0, ratio=np.nan):
    """A margin over draws: those that hold (+2), then those that fail (−2), then undecided."""
    value = np.repeat([2.0, -2.0, 0.5], [holds, fails, undecided])
    return Margin(value, np.ones_like(value), np.full_like(value, ratio), "m")


def quantified(quantity, claim, scales=None, level=0.01, kind=None, **hypotheses):
    evidence = Evidence(hypotheses, {}, None, None, quantity)
    kind = kind or ("moment" if scales is None else "rate")
    return judge("toy.quantity", kind_of(kind, claim, scales), evidence, level=level)


def plus_minus(mean, deviation, draws):
    """Draws with exactly this mean and population deviation."""
    return mean + deviation * np.resize([1.0, -1.0], draws)


def power_law(exponent, noise, draws=100):
    noise = noise * np.random.default_rng(0).normal(size=(draws, len(SCALES)))
    return SCALES**exponent * np.exp(noise)


EQUAL = Claim(2.0, 0.1)  # resolution 0.1·2
RATE = Claim(-0.5, 0.1)
AT_MOST = Claim(-0.5, 0.1, side="at most")


@pytest.mark.parametrize(
    ("verdict", "claim", "quantity", "scales"),
    [
        # Student's quantile at 1 % and 99 degrees of freedom is 2.63: half-width 0.26·deviation.
        ("consistent", EQUAL, plus_minus(2.01, 0.1, 100), None),
        ("refuted", EQUAL, plus_minus(2.1, 0.1, 100), None),
        ("refuted", EQUAL, plus_minus(1.9, 0.1, 100), None),
        ("inconclusive", EQUAL, plus_minus(2.1, 1.0, 100), None),
        ("inconclusive", EQUAL, np.array([2.0]), None),
        ("consistent", Claim(2.0, 0.1, side="at most"), plus_minus(1.9, 0.1, 100), None),
        ("refuted", Claim(2.0, 0.1, side="at most"), plus_minus(2.1, 0.1, 100), None),
        ("consistent", Claim(-2.0, 0.1), plus_minus(-2.01, 0.1, 100), None),
        ("consistent", Claim(0.0, 0.1), plus_minus(0.01, 0.1, 100), None),  # absolute resolution
        ("inconclusive", Claim(0.0, 0.1), plus_minus(0.01, 1.0, 100), None),
        ("refuted", Claim(0.0, 0.1), plus_minus(0.1, 0.1, 100), None),
        # Standard error of the slope: noise/√100/‖centred log scales‖ = noise·0.034.
        ("consistent", RATE, power_law(-0.5, 0.2), SCALES),
        ("refuted", RATE, power_law(-0.6, 0.2), SCALES),
        ("refuted", RATE, power_law(-0.4, 0.2), SCALES),
        ("consistent", AT_MOST, power_law(-0.6, 0.2), SCALES),
        ("refuted", AT_MOST, power_law(-0.4, 0.2), SCALES),
        ("consistent", Claim(-0.5, 0.1, tolerance=0.15), power_law(-0.6, 0.2), SCALES),
        ("consistent", Claim(-0.5, 0.1, tolerance=0.15), power_law(-0.4, 0.2), SCALES),
        ("refuted", Claim(-0.5, 0.1, tolerance=0.05), power_law(-0.6, 0.2), SCALES),
        ("refuted", Claim(-0.5, 0.1, tolerance=0.05), power_law(-0.4, 0.2), SCALES),
        ("consistent", Claim(2.0, 0.1, tolerance=0.1), plus_minus(2.1, 0.1, 100), None),
        ("refuted", Claim(2.0, 0.1, tolerance=0.05), plus_minus(1.9, 0.1, 100), None),
        ("inconclusive", RATE, power_law(-0.5, 2.0), SCALES),
        ("inconclusive", RATE, power_law(-0.5, 0.2, draws=1), SCALES),
    ],
)
def test_verdicts_about_quantities(verdict, claim, quantity, scales):
    result = quantified(quantity, claim, scales)
    assert result.verdict == verdict
    (estimate,) = result.estimates
    assert (estimate.claimed, estimate.tolerance) == (claim.value, claim.tolerance)
    assert estimate.low <= estimate.observed <= estimate.high
    assert set(result.outcomes.values()) == {0}


AT_LEAST_ONE = Claim(1.0, 0.5, side="at least")


@pytest.mark.parametrize(
    ("verdict", "claim", "mean"),
    [
        # Half-width 0.026 at a deviation of 0.1.
        ("consistent", AT_LEAST_ONE, 1.1),
        ("inconclusive", AT_LEAST_ONE, 1.01),
        ("inconclusive", AT_LEAST_ONE, 0.99),
        ("refuted", AT_LEAST_ONE, 0.9),
        ("consistent", Claim(1.0, 0.5, side="at most"), 0.9),
        ("inconclusive", Claim(1.0, 0.5, side="at most"), 0.99),
        ("refuted", Claim(1.0, 0.5, side="at most"), 1.1),
        ("consistent", Claim(1.0, 0.5), 1.01),
        ("refuted", Claim(1.0, 0.5), 1.1),
        ("inconclusive", Claim(1.0, 0.01, side="at least"), 1.1),
    ],
)
def test_what_an_experiment_showed_must_show_again(verdict, claim, mean):
    """An interval that reaches across the claimed value shows nothing, unlike for a theorem."""
    values = plus_minus(mean, 0.1, 100)
    assert quantified(values, claim, kind="empirical").verdict == verdict
    if verdict == "inconclusive" and claim.side != "equal" and claim.resolution > 0.1:
        assert quantified(values, claim).verdict == "consistent"  # of kind "moment"
        few = quantified(values, claim, kind="empirical")
        more = plus_minus(mean, 0.1, known(few.draws_needed) + 20)
        settled = quantified(more, claim, kind="empirical").verdict
        right = (mean > 1) == (claim.side == "at least")
        assert settled == ("consistent" if right else "refuted")


def decaying(rate, draws=2000, seed=1):
    """0/1 failures at scales 2…8 with probability e^{−rate·scale}."""
    scales = np.arange(2.0, 9.0)
    uniform = np.random.default_rng(seed).random((draws, len(scales)))
    return (uniform < np.exp(-rate * scales)).astype(float), scales


@pytest.mark.parametrize(
    ("verdict", "claim", "draws"),
    [
        ("consistent", Claim(0.7, 0.15), 2000),
        ("refuted", Claim(0.4, 0.15), 2000),
        ("refuted", Claim(1.0, 0.15), 2000),
        ("consistent", Claim(0.4, 0.15, side="at least"), 2000),
        ("refuted", Claim(1.0, 0.15, side="at least"), 2000),
        ("consistent", Claim(1.0, 0.15, tolerance=0.3), 2000),
        ("inconclusive", Claim(0.7, 0.15), 50),
        ("inconclusive", Claim(0.7, 0.15), 2),
    ],
)
def test_verdicts_about_decays(verdict, claim, draws):
    """True rate 0.7, where most of the large scales have no failure; false-alarm rate 1 % each."""
    failures, scales = decaying(0.7, draws)
    assert quantified(failures, claim, scales, kind="decay").verdict == verdict


def test_several_claims_share_the_level_and_must_all_be_met():
    good, bad, wide = (plus_minus(m, s, 100) for m, s in ((2.0, 0.1), (2.1, 0.1), (2.0, 1.0)))
    names = [Claim(2.0, 0.1, name=name) for name in ("first", "second")]
    result = quantified(np.stack([good, good], axis=1), tuple(names))
    assert result.verdict == "consistent"
    assert [e.name for e in result.estimates] == ["first", "second"]
    alone = quantified(good, names[0], level=0.005)  # 0.01 over two
    assert result.estimates[0].low == pytest.approx(alone.estimates[0].low, rel=1e-12)
    result = quantified(np.stack([good, bad], axis=1), tuple(names))
    assert result.verdict == "refuted"
    assert "second" in result.reason
    assert "first" not in result.reason
    assert [e.verdict for e in result.estimates] == ["consistent", "refuted"]
    assert quantified(np.stack([good, wide], axis=1), tuple(names)).verdict == "inconclusive"
    assert quantified(np.stack([wide, bad], axis=1), tuple(names)).verdict == "refuted"
    with pytest.raises(ValueError, match="one row per claim, 2, got 3"):
        quantified(np.zeros((10, 3)), tuple(names))


def test_several_rates_have_a_row_each():
    values = np.stack([power_law(-0.5, 0.2), power_law(-1.0, 0.2)], axis=1)
    claims = (RATE, Claim(-1.0, 0.1, name="second"))
    assert quantified(values, claims, SCALES).verdict == "consistent"
    assert quantified(values[:, ::-1], claims, SCALES).verdict == "refuted"


def test_quantities_count_only_where_the_hypotheses_hold():
    values = np.concatenate([plus_minus(2.0, 0.1, 100), np.full(50, np.nan)])
    result = quantified(values, EQUAL, trained=condition(100, 50))
    assert result.verdict == "consistent"
    assert result.hypotheses["trained"].met == 100
    result = quantified(values, EQUAL, trained=condition(0, 150, ratio=0.5))
    assert result.verdict == "vacuous"
    assert "trained fails in 150 of 150 draws by a factor of 2" in result.reason


def test_quantities_must_be_finite():
    with pytest.raises(ValueError, match=r"quantity of toy\.quantity must be finite, got 2 NaN"):
        quantified(np.array([1.0, np.nan, np.inf]), EQUAL)


def test_resolution_is_relative_for_means_and_absolute_for_exponents():
    wide = plus_minus(20.0, 2.0, 100)  # half-width 0.53: below 0.1·20, above 0.1
    assert quantified(wide, Claim(20.0, 0.1)).verdict == "consistent"
    assert quantified(wide, Claim(20.0, 0.02)).verdict == "inconclusive"
    steep = power_law(-4.0, 0.5, 300)  # half-width 0.026
    assert quantified(steep, Claim(-4.0, 0.1), SCALES).verdict == "consistent"
    assert quantified(steep, Claim(-4.0, 0.02), SCALES).verdict == "inconclusive"


def test_draws_needed_for_quantities_suffice():
    """Deviation and slopes repeat exactly, so the interval shrinks like 1/√draws, or faster."""
    few = quantified(plus_minus(2.0, 1.0, 100), EQUAL)
    assert few.verdict == "inconclusive"
    assert quantified(plus_minus(2.0, 1.0, few.draws_needed), EQUAL).verdict == "consistent"
    assert (
        quantified(plus_minus(2.0, 1.0, known(few.draws_needed) - 9), EQUAL).verdict
        == "inconclusive"
    )
    draws = 40
    values = power_law(-0.5, 1.0, draws)
    few = quantified(values, RATE, SCALES)
    assert few.verdict == "inconclusive"
    # Noise is repeated, not redrawn; the bootstrap (1000 resamples) is off by 2.2 %: 5 % more.
    times = math.ceil(1.1 * known(few.draws_needed) / draws)
    assert quantified(np.tile(values, (times, 1)), RATE, SCALES).verdict == "consistent"


@pytest.mark.parametrize("size", [1e-310, 1e-300, 1e-200, 1e200, 1e300, 1e307])
@pytest.mark.parametrize("bounded", [False, True])
def test_verdicts_do_not_depend_on_the_unit_of_the_quantity(size, bounded):
    values = (1 + np.random.default_rng(7).random(400)) * size  # half-width 0.04 of it at most
    bounds = (0.0, 2 * size) if bounded else None
    for claimed, verdict in ((1.5, "consistent"), (1.7, "refuted"), (1.3, "refuted")):
        found = quantified(values, Claim(claimed * size, 0.1, bounds=bounds))
        assert found.verdict == verdict
    assert quantified(values, Claim(1.5 * size, 1e-3)).verdict == "inconclusive"


@pytest.mark.parametrize("anytime", [False, True])
@pytest.mark.parametrize("end", [1e160, 1e300, 8e307])
def test_bounds_of_any_size_are_judged(end, anytime):
    """An interval of 10^160 and more is no number of draws away from a resolution of 0.1."""
    evidence = Evidence({}, {}, None, None, plus_minus(0.0, 1.0, 200))

    def judged(claim):
        kind = kind_of("moment", claim)
        return judge("toy.quantity", kind, evidence, anytime=anytime)

    found = judged(Claim(0.0, 0.1, bounds=(-end, end)))
    assert (found.verdict, found.draws_needed) == ("inconclusive", None)
    far = judged(Claim(0.9 * end, 0.1, bounds=(-end, end)))
    assert far.verdict == "refuted"


# --- claims that make no sense --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"value": math.nan}, "value of the claim 'v' must be a finite number"),
        ({"value": math.inf}, "value of the claim 'v' must be a finite number"),
        ({"resolution": 0.0}, r"resolution of the claim 'v' must be a finite number in \(0, inf\)"),
        ({"resolution": math.nan}, "resolution of the claim 'v' must be"),
        ({"resolution": -0.1}, "resolution of the claim 'v' must be"),
        ({"tolerance": math.nan}, "tolerance of the claim 'v' must be"),
        ({"tolerance": -1.0}, "tolerance of the claim 'v' must be"),
        ({"side": "above"}, "side must be one of at least, at most, equal; got 'above'"),
        ({"bounds": (1.0, 0.0)}, "with low < high"),
        ({"bounds": (0.0, 0.0)}, "with low < high"),
        ({"bounds": (0.0, math.inf)}, "bounds of the claim 'v' must be a finite number"),
        ({"bounds": (0.0, math.nan)}, "bounds of the claim 'v' must be a finite number"),
        ({"bounds": (-1.7e308, 1.7e308)}, "bounds of the claim 'v' must have a finite difference"),
        ({"value": 10**400}, "value of the claim 'v' must be a finite number"),
    ],
)
def test_claims_are_checked_when_made(fields, message):
    with pytest.raises(ValueError, match=message):
        Claim(**{"value": 1.0, "resolution": 0.1, "name": "v"} | fields)


@pytest.mark.parametrize(
    ("quantity", "claim", "scales", "message"),
    [
        (np.zeros((10, 3)), EQUAL, None, r"a number per draw, got shape \(3,\) in every draw"),
        (np.zeros(10), (EQUAL, EQUAL), None, r"axes \(draws, claims\), got shape \(\)"),
        (np.ones((10, 5)), RATE, SCALES, "one value per scale, 6, got 5"),
        (np.ones(10), RATE, SCALES, r"axes \(draws, scales\), got shape \(\)"),
        (-np.ones((10, 6)), RATE, SCALES, "toy.quantity, claim 'value': values must be positive"),
        (np.full(50, 2.0), Claim(0.5, 0.1, bounds=(0.0, 1.0)), None, r"declared bounds \[0, 1\]"),
        (None, EQUAL, None, "quantity of toy.quantity must be given"),
    ],
)
def test_quantities_of_another_form_get_one_line_that_names_them(quantity, claim, scales, message):
    with pytest.raises(ValueError, match=message):
        quantified(quantity, claim, scales)


@pytest.mark.parametrize(
    ("claim", "got"),
    [
        ([EQUAL, EQUAL], "list"),
        (2.0, "float"),
        ((EQUAL, 2.0), "tuple of Claim, float"),
        ((), r"\(\)"),
    ],
)
def test_what_is_no_claim_is_named(claim, got):
    with pytest.raises(
        ValueError, match=f"a.b must be a Claim or a tuple of at least one, got {got}$"
    ):
        checked_claims("a.b", claim)


@pytest.mark.parametrize(
    ("scales", "message"),
    [
        (SCALES[::-1], "strictly increasing"),
        (np.full(6, 8.0), "strictly increasing"),
        (8.0 + 1e-7 * np.arange(6), "strictly increasing"),
        (np.array([0.0, 1, 2, 3, 4, 5]), "positive, finite"),
        (np.array([1, 2, 3, 4, 5, np.nan]), "positive, finite"),
        (SCALES[:4], "at least five"),
    ],
)
def test_scales_that_fit_no_power_law_are_refused(scales, message):
    with pytest.raises(ValueError, match=message):
        quantified(np.ones((30, len(scales))), RATE, scales)


# --- what nobody can know -------------------------------------------------------------------------


@pytest.mark.parametrize("value", [0.0, 0.1, 1.0])
@pytest.mark.parametrize("claimed", [0.1, 0.01, 1.0])
def test_a_quantity_that_is_the_same_in_every_draw_decides_nothing(value, claimed):
    """A sample without the rare event excludes no rare event; equal draws confirm nothing."""
    result = quantified(np.full(200, value), Claim(claimed, 0.5))
    assert result.verdict == "inconclusive"
    assert "the same in all 200 draws" in result.reason
    assert ("bounds=(0, 1)" in result.reason) == (value in (0.0, 1.0))


def test_a_noiseless_power_law_decides_nothing_and_is_not_refuted_by_a_rounding():
    values = SCALES**-0.5 * np.ones((100, 1))
    result = quantified(values, RATE, SCALES)
    assert result.verdict == "inconclusive"
    (estimate,) = result.estimates
    assert estimate.low < -0.5 < estimate.high


def test_skewed_quantities_wait_for_more_draws():
    values = np.exp(2 * np.random.default_rng(0).normal(size=200))
    result = quantified(values, Claim(1.0, 10.0))
    assert result.verdict == "inconclusive"
    assert "skewness" in result.reason
    assert known(result.draws_needed) > 200


@pytest.mark.parametrize(
    ("verdict", "claimed", "ones"),
    [("consistent", 0.1, 20), ("refuted", 0.3, 20), ("refuted", 0.5, 0), ("consistent", 0.01, 0)],
)
def test_probabilities_are_judged_exactly_with_declared_bounds(verdict, claimed, ones):
    values = np.repeat([1.0, 0.0], [ones, 200 - ones])
    result = quantified(values, Claim(claimed, 5.0, bounds=(0, 1)))
    assert result.verdict == verdict
    assert result.estimates[0].method == "Clopper–Pearson"


def test_bounded_quantities_are_judged_by_betting():
    values = np.random.default_rng(1).uniform(size=400)
    assert quantified(values, Claim(0.5, 0.3, bounds=(0, 1))).verdict == "consistent"
    result = quantified(values, Claim(0.7, 0.3, bounds=(0, 1)))
    assert (result.verdict, result.estimates[0].method) == ("refuted", "betting")


def test_an_exact_interval_refutes_however_wide_it_is():
    """All of 10 draws fail where one in a hundred may: no resolution is needed for that."""
    result = quantified(np.ones(10), Claim(0.01, 0.1, bounds=(0, 1)))
    assert result.verdict == "refuted"
    assert quantified(np.ones(10), Claim(0.9, 0.1, bounds=(0, 1))).verdict == "inconclusive"


def with_error(quantity, error, claim, scales=None):
    evidence = Evidence({}, {}, None, None, quantity, quantity_error=error)
    kind = "moment" if scales is None else "rate"
    return judge("toy.quantity", kind_of(kind, claim, scales), evidence)


@pytest.mark.parametrize(
    ("error", "verdict"),
    [(0.0, "refuted"), (0.01, "refuted"), (0.09, "consistent"), (np.nan, "inconclusive")],
)
def test_errors_of_the_quantity_widen_its_interval(error, verdict):
    """Mean 2.1 ± 0.026 against 2.0: the error of every draw may be an error of the mean."""
    assert with_error(plus_minus(2.1, 0.1, 100), error, EQUAL).verdict == verdict
    assert with_error(plus_minus(2.1, 0.1, 100), np.full(100, error), EQUAL).verdict == verdict


def test_errors_of_the_quantity_widen_its_rate():
    """10 % at every scale may tilt the line: Σ|w_j|·0.105 = 0.055 on either side."""
    values, claim = power_law(-0.56, 0.1), Claim(-0.5, 0.2)
    assert with_error(values, None, claim, SCALES).verdict == "refuted"
    assert with_error(values, 0.1 * values, claim, SCALES).verdict == "consistent"
    assert with_error(values, values, claim, SCALES).verdict == "inconclusive"


@pytest.mark.parametrize(
    ("error", "message"), [(-0.1, "must not be negative"), (np.zeros(7), r"shape \(100,\)")]
)
def test_errors_that_are_none_are_refused(error, message):
    with pytest.raises(ValueError, match=f"quantity_error of toy.quantity .*{message}"):
        with_error(plus_minus(2.1, 0.1, 100), error, EQUAL)


# --- undecided premises ---------------------------------------------------------------------------


def test_draws_whose_premise_is_undecided_are_not_taken_as_met():
    """100 draws with mean 2 satisfy the hypothesis, 100 with mean 5 may or may not."""
    values = np.concatenate([plus_minus(2.0, 0.1, 100), plus_minus(5.0, 0.1, 100)])
    for claim in (EQUAL, Claim(3.5, 0.5), Claim(5.0, 0.1)):
        result = quantified(values, claim, wide=condition(100, 0, 100))
        assert result.verdict == "inconclusive"
        assert "undecided in 100 draws" in result.reason
    assert quantified(values, EQUAL, wide=condition(100, 100)).verdict == "consistent"
    result = quantified(values, EQUAL, wide=condition(0, 100, 100))
    assert (result.verdict, result.draws_needed) == ("inconclusive", None)
    assert "no draw certainly satisfies" in result.reason


@pytest.mark.parametrize("intermediate", [0.0, 1e-3])
def test_bounded_quantities_count_undecided_draws_in_every_way(intermediate):
    """200 draws with mean ½ count, 20 ones may or may not: the mean is ½ to 120/220 = 0.545."""
    values = np.concatenate([np.resize([0.0, 1.0], 200), np.ones(20)])
    values[0] = intermediate
    wide = condition(200, 0, 20)
    low, high = {0.0: (0.38, 0.65), 1e-3: (0.3, 0.7)}[intermediate]
    (found,) = quantified(values, Claim(0.5, 1.0, bounds=(0, 1)), wide=wide).estimates
    for counting in (condition(200, 20), condition(220)):
        (one,) = quantified(values, Claim(0.5, 1.0, bounds=(0, 1)), wide=counting).estimates
        # Betting chooses its bets by all draws it may see: equal up to a few per cent.
        slack = 0.0 if intermediate == 0 else 0.005
        assert found.low <= one.low + slack
        assert found.high >= one.high - slack
    assert low < found.low < 0.5
    assert 0.545 < found.high < high


def test_the_reason_of_consistency_names_interval_and_resolution():
    result = quantified(plus_minus(2.01, 0.1, 100), EQUAL)
    assert "no wider than ±0.2" in result.reason
    (estimate,) = result.estimates
    assert (estimate.resolution, estimate.method) == (pytest.approx(0.2), "Hall")


@pytest.mark.parametrize("level", [1e-17, 1e-300])
def test_a_level_below_rounding_ends_inconclusive_and_ends(level):
    failures, scales = decaying(0.7)
    claim = Claim(0.2, 0.15)
    assert quantified(failures, claim, scales, level, kind="decay").verdict == "inconclusive"
    assert quantified(power_law(-1.0, 0.1), RATE, SCALES, level).verdict == "inconclusive"
    assert quantified(plus_minus(9.0, 0.1, 100), EQUAL, level=level).verdict == "inconclusive"
    bounded = Claim(0.5, 0.1, bounds=(0, 1))
    assert quantified(np.ones(100), bounded, level=level).verdict == "inconclusive"
