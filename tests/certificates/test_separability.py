"""Linear separability: every answer is re-proven here in exact arithmetic, or by brute force."""

import itertools
import math
from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from theory.certificates import separability
from theory.certificates.separability import check_inseparability, check_separator, separate

exhaustive = settings(deadline=None, derandomize=True, max_examples=150)


def exact_products(x, y, v):
    """y_k⟨v, x_k⟩, ‖x_k‖² and ‖v‖² as Fractions."""
    rows = [[Fraction(float(entry)) for entry in row] for row in x]
    v = [Fraction(float(entry)) for entry in v]
    products = [
        int(label) * sum(a * b for a, b in zip(row, v, strict=True))
        for row, label in zip(rows, y, strict=True)
    ]
    return products, [sum(a * a for a in row) for row in rows], sum(b * b for b in v)


def assert_below_margin(low, x, y, v):
    """low ≤ y_k⟨v, x_k⟩/(‖v‖‖x_k‖) for all k, compared by signed squares, without rounding."""
    products, norms, norm = exact_products(x, y, v)
    low = Fraction(low)
    for product, squared in zip(products, norms, strict=True):
        assert low * abs(low) * squared * norm <= product * abs(product)


def assert_proven(result, x, y, *, affine=False):
    """Proves the answer from its fields alone, without the library's checkers."""
    x, y = np.asarray(x, float), np.asarray(y)
    if affine:
        x = np.hstack([x, np.ones((len(x), 1))])
    assert 0 <= result.margin <= result.residual
    assert result.multipliers.shape == y.shape
    assert (result.multipliers >= 0).all()
    assert result.multipliers.sum() == pytest.approx(1, abs=1e-12)
    if result.status == "separable":
        products, _, _ = exact_products(x, y, result.separator)
        assert min(products) > 0
        assert result.margin > 0
        assert_below_margin(result.margin, x, y, result.separator)
        assert result.exact_multipliers == ()
    elif result.status == "inseparable":
        exact = result.exact_multipliers
        assert len(exact) == len(y)
        assert min(exact) >= 0
        assert sum(exact) == 1
        for i in range(x.shape[1]):
            signed = [Fraction(float(a)) * int(b) for a, b in zip(x[:, i], y, strict=True)]
            assert sum(e * a for e, a in zip(exact, signed, strict=True)) == 0
        assert result.separator is None
        assert result.residual == result.margin == 0
        np.testing.assert_allclose(result.multipliers, np.array(exact, float), rtol=1e-15)
    else:
        assert result.separator is None
        assert result.margin == 0
        assert result.exact_multipliers == ()
    assert bool(result.reason) == (result.status == "undecided")


def labelled(entries, *, d=None):
    """Strategy for (x, y): an (n, d) matrix of the given entries, n ≤ 9, d ≤ 4, and n labels."""
    dimension = st.integers(1, 4) if d is None else st.just(d)
    return st.tuples(st.integers(1, 9), dimension).flatmap(
        lambda shape: st.tuples(
            hnp.arrays(np.float64, shape, elements=entries),
            hnp.arrays(np.int64, shape[0], elements=st.sampled_from([-1, 1])),
        )
    )


def gaussian(seed, n, d):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, d)), rng.choice([-1, 1], n)


def first_clockwise(signed):
    """The index from which all planar integer vectors lie at angles in [0, π), or None.

    They lie in an open half plane, i.e. are separable, exactly if it exists: integer arithmetic.
    """
    for i, (a, b) in enumerate(signed):
        others = [(a * q - b * p, a * p + b * q) for p, q in signed]
        if all(cross > 0 or (cross == 0 and dot > 0) for cross, dot in others):
            return i
    return None


# --- both answers, with proof ---------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("n", "d"), [(1, 1), (1, 7), (5, 5), (20, 30), (60, 60)])
def test_at_most_d_generic_points_are_separable(seed, n, d):
    x, y = gaussian(seed, n, d)
    result = separate(x, y)
    assert result.status == "separable"
    assert_proven(result, x, y)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("d", [12, 16, 24])
def test_four_d_random_points_are_inseparable(seed, d):
    # Cover (1965): separable with probability P(Bin(4d − 1, ½) < d) < 2.4e-4 at d = 12.
    x, y = gaussian(seed, 4 * d, d)
    result = separate(x, y)
    assert result.status == "inseparable"
    assert sum(1 for e in result.exact_multipliers if e) == d + 1
    assert_proven(result, x, y)


@pytest.mark.parametrize(("n", "d"), [(5, 1), (7, 2), (7, 3), (6, 5)])
def test_number_of_separable_labelings_is_covers(n, d):
    """Of the 2ⁿ labelings of generic points, 2 Σ_{i<d} C(n − 1, i) are separable (Cover 1965)."""
    x, _ = gaussian(0, n, d)
    labelings = np.array(list(itertools.product([-1, 1], repeat=n)))
    statuses = [separate(x, y).status for y in labelings]
    assert statuses.count("separable") == 2 * sum(math.comb(n - 1, i) for i in range(d))
    assert statuses.count("undecided") == 0


@exhaustive
@given(labelled(st.integers(-3, 3)), st.booleans())
def test_small_integers_are_always_decided(data, affine):
    x, y = data
    result = separate(x, y, affine=affine)
    assert result.status != "undecided"
    assert_proven(result, x, y, affine=affine)


@settings(exhaustive, max_examples=60)
@given(labelled(st.floats(allow_nan=False, allow_infinity=False)), st.booleans())
def test_any_finite_floats_get_a_proven_answer(data, affine):
    x, y = data
    assert_proven(separate(x, y, affine=affine), x, y, affine=affine)


planar = st.sampled_from([2, 30, 1000]).flatmap(
    lambda size: labelled(st.integers(-size, size), d=2)
)


@settings(exhaustive, max_examples=400)
@given(planar)
@example((np.array([[610.0, 377.0], [987.0, 610.0]]), np.array([1, -1])))  # at an angle of 1e-6
@example((np.array([[987.0, 610.0], [-610.0, -377.0], [0.0, 1.0]]), np.array([1, 1, 1])))
@example((np.array([[987.0, 610.0], [-610.0, -377.0], [0.0, -1.0]]), np.array([1, 1, 1])))
def test_plane_against_angles(data):
    x, y = data
    signed = [(int(a), int(b)) for a, b in x * y[:, None]]
    first = None if (0, 0) in signed else first_clockwise(signed)
    result = separate(x, y)
    assert result.status == ("inseparable" if first is None else "separable")
    if first is not None:
        a, b = signed[first]
        spread = max(math.atan2(a * q - b * p, a * p + b * q) for p, q in signed)
        largest = math.cos(spread / 2)  # the margin of the bisector
        assert result.margin <= largest * (1 + 1e-14)
        assert result.residual >= largest * (1 - 1e-14)


# --- invariances ----------------------------------------------------------------------------------


@settings(exhaustive, max_examples=60)
@given(st.integers(0, 10**6), st.integers(1, 12), st.integers(1, 5))
def test_invariances(seed, n, d):
    x, y = gaussian(seed, n, d)
    rng = np.random.default_rng(seed + 1)
    status = separate(x, y).status
    assert status != "undecided"
    order, flip = rng.permutation(n), rng.choice([-1, 1], n)
    rotation = np.linalg.qr(rng.normal(size=(d, d)))[0]
    assert separate(x[order], y[order]).status == status
    assert separate(x * flip[:, None], y * flip).status == status
    assert separate(x, -y).status == status
    assert separate(x @ rotation, y).status == status
    assert separate(x * 2.0 ** rng.integers(-40, 40, d), y).status == status


@exhaustive
@given(labelled(st.integers(-5, 5)), st.integers(0, 10**6))
def test_power_of_two_rescaling_of_points_changes_nothing(data, seed):
    x, y = data
    factors = np.random.default_rng(seed).integers(-400, 400, len(x))
    before, after = separate(x, y), separate(np.ldexp(x, factors[:, None]), y)
    assert after.status == before.status
    assert after.margin == before.margin
    assert after.residual == before.residual
    if before.status == "separable":
        np.testing.assert_array_equal(after.separator, before.separator)
    else:
        pairs = zip(after.exact_multipliers, factors.tolist(), strict=True)
        scaled_back = [multiplier * Fraction(2) ** factor for multiplier, factor in pairs]
        total = sum(scaled_back)
        assert tuple(e / total for e in scaled_back) == before.exact_multipliers


@exhaustive
@given(labelled(st.integers(-4, 4)))
def test_affine_appends_a_one(data):
    x, y = data
    extended = np.hstack([x, np.ones((len(x), 1))])
    with_intercept, appended = separate(x, y, affine=True), separate(extended, y)
    assert with_intercept.status == appended.status
    assert with_intercept.exact_multipliers == appended.exact_multipliers
    if with_intercept.status == "separable":
        v = with_intercept.separator
        assert v is not None
        assert v.shape == (x.shape[1] + 1,)
        assert check_separator(x, y, v, affine=True) == check_separator(extended, y, v) > 0
    else:
        assert check_inseparability(x, y, appended.exact_multipliers, affine=True)


# --- degenerate and extreme inputs ----------------------------------------------------------------

XOR = [[0, 0], [1, 1], [0, 1], [1, 0]]
DEGENERATE = {
    "one point": ([[3.0]], [-1], False, "separable"),
    "zero point": ([[0.0, 0.0]], [1], False, "inseparable"),
    "zero point among others": ([[1, 0], [0, 0], [0, 1]], [1, -1, 1], False, "inseparable"),
    "zero point among nearly inseparable": (
        [[0, 0], [1, 1 + 2.0**-50], [-1, -1 + 2.0**-50]],
        [1, 1, 1],
        False,
        "inseparable",
    ),
    "negative zero": ([[-0.0]], [-1], False, "inseparable"),
    "zero point, affine": ([[0.0, 0.0]], [1], True, "separable"),
    "duplicates": ([[1, 2]] * 3, [1, 1, 1], False, "separable"),
    "opposite duplicates": ([[1, 2], [1, 2], [0, 1]], [1, -1, 1], False, "inseparable"),
    "antipodes": ([[1, 2], [-1, -2]], [1, 1], False, "inseparable"),
    "antipodes, opposite labels": ([[1, 2], [-1, -2]], [1, -1], False, "separable"),
    "collinear": ([[1, 2], [2, 4], [-3, -6]], [1, 1, -1], False, "separable"),
    "zero column": ([[1, 0, 2], [2, 0, 1]], [1, -1], False, "separable"),
    "rank 1 in 5 dimensions": (np.outer([1, -2, 3], range(5)), [1, 1, 1], False, "inseparable"),
    "rank 2, origin on an edge": ([[1, 0], [-1, 0], [0, 1]], [1, 1, 1], False, "inseparable"),
    "a repeated square": ([[1, 0], [-1, 0], [0, 1], [0, -1]] * 2, [1] * 8, False, "inseparable"),
    "exclusive or, affine": (XOR, [1, 1, -1, -1], True, "inseparable"),
    "and, affine": (XOR, [-1, 1, -1, -1], True, "separable"),
    "between two, affine": ([[0.0], [1.0], [2.0]], [1, -1, 1], True, "inseparable"),
    "subnormal": ([[5e-324, 0], [0, 5e-324]], [1, -1], False, "separable"),
    "subnormal antipodes": ([[5e-324, 1e-323], [-5e-324, -1e-323]], [1, 1], False, "inseparable"),
    "largest": ([[1.7e308, 1.7e308], [-1.7e308, 1.7e308]], [1, 1], False, "separable"),
    "largest antipodes": ([[1.7e308], [-5e-324]], [1, 1], False, "inseparable"),
    "mixed sizes": ([[1e300, 1e300], [1e-300, 0], [-1, 2]], [1, 1, 1], False, "separable"),
    "small coordinate": ([[1, 1e-12], [-1, 1e-12]], [1, 1], False, "separable"),
    "tiny coordinate": ([[1, 1e-150], [-1, 1e-150]], [1, 1], False, "separable"),
    "small coordinate decides": ([[1, 1e-12], [-1, -1e-12]], [1, 1], False, "inseparable"),
}


@pytest.mark.parametrize("case", DEGENERATE.values(), ids=DEGENERATE.keys())
def test_degenerate_inputs(case):
    x, y, affine, status = case
    result = separate(x, y, affine=affine)
    assert result.status == status
    assert_proven(result, x, y, affine=affine)


@pytest.mark.parametrize("scale", [1e-308, 1e-160, 1e160, 1e300])
@pytest.mark.parametrize(("n", "status"), [(6, "separable"), (40, "inseparable")])
def test_huge_and_tiny_norms(scale, n, status):
    x, y = gaussian(2, n, 8)
    result = separate(x * scale, y)
    assert result.status == status
    assert_proven(result, x * scale, y)


def test_rows_of_very_different_norms():
    x, y = gaussian(3, 48, 8)
    x = x * 10.0 ** np.linspace(-290, 290, 48)[:, None]
    result = separate(x, y)
    assert result.status == "inseparable"
    assert_proven(result, x, y)


def test_known_multipliers():
    result = separate([[1, 0], [0, 1], [-1, -2]], [1, 1, 1])
    assert result.exact_multipliers == (Fraction(1, 4), Fraction(1, 2), Fraction(1, 4))
    np.testing.assert_array_equal(result.multipliers, [0.25, 0.5, 0.25])


def test_margin_of_known_separator():
    """For ±1-labelled unit vectors e_1, …, e_d the best v is y, of margin 1/√d."""
    y = np.array([1, -1, -1, 1])
    result = separate(3 * np.eye(4), y)
    assert result.margin == pytest.approx(0.5, rel=1e-14)
    assert result.margin <= 0.5 <= result.residual


@exhaustive
@given(st.floats(0.1, 10), st.floats(0.1, 10))
def test_margin_and_residual_enclose_the_largest_margin(a, b):
    """For (a, ±b) that is a/√(a² + b²), which both attain up to rounding."""
    result = separate([[a, b], [a, -b]], [1, 1])
    square = Fraction(a) ** 2 / (Fraction(a) ** 2 + Fraction(b) ** 2)
    assert Fraction(result.margin) ** 2 <= square <= Fraction(result.residual) ** 2
    assert result.residual - result.margin < 1e-14


@pytest.mark.parametrize("shape", [(6, 8), (40, 8)])
def test_residual_is_that_of_the_multipliers(shape):
    x, y = gaussian(5, *shape)
    x *= 2.0 ** np.linspace(-20, 20, len(x)).round()[:, None]
    result = separate(x, y, max_exact_bits=0)
    combination = np.linalg.norm((result.multipliers * y) @ x)
    scale = result.multipliers @ np.linalg.norm(x, axis=1)
    assert result.residual == pytest.approx(combination / scale, rel=1e-12, abs=1e-13)


@pytest.mark.parametrize("seed", range(5))
def test_margins_below_the_usual_solver_tolerance(seed):
    rng = np.random.default_rng(seed)
    direction = rng.normal(size=5)
    direction /= np.linalg.norm(direction)
    x = rng.normal(size=(40, 5))
    x += np.outer(1e-9 * rng.uniform(1, 3, 40) - x @ direction, direction)
    result = separate(x, np.ones(40))
    assert result.status == "separable"
    assert result.margin < 1e-8
    assert_proven(result, x, np.ones(40))


def test_other_dtypes_are_taken_exactly():
    x, y = gaussian(4, 30, 6)
    single = x.astype(np.float32)
    for given_x in (single, single.tolist()):
        result = separate(given_x, y.astype(np.int8))
        assert result.exact_multipliers == separate(single.astype(float), y).exact_multipliers
        assert result.status == "inseparable"


# --- when nothing is proven -----------------------------------------------------------------------


def test_undecided_beyond_the_size_limit():
    x, y = gaussian(0, 48, 12)
    result = separate(x, y, max_exact_bits=1000)
    assert result.status == "undecided"
    assert result.residual < 1e-12
    assert "13 points need" in result.reason
    assert "max_exact_bits" in result.reason
    assert_proven(result, x, y)


def test_size_limit_does_not_matter_to_separable_points():
    assert separate(*gaussian(0, 5, 5), max_exact_bits=0).status == "separable"


def test_undecided_within_rounding():
    """(−1, 1) separates with margin 2^(−50.5), too little for any proof in float64."""
    x, y = np.array([[1, 1 + 2.0**-50], [-1, -1 + 2.0**-50]]), np.ones(2)
    result = separate(x, y)
    assert result.status == "undecided"
    assert "no exact λ" in result.reason
    assert 2.0**-50.6 <= result.residual < 1e-14
    assert check_separator(x, y, [-1, 1]) < 0


def test_solver_failure_is_undecided(monkeypatch):
    monkeypatch.setattr("scipy.optimize.linprog", lambda *_, **__: SimpleNamespace(status=4))
    result = separate(np.eye(3), [1, -1, 1])
    assert result.status == "undecided"
    assert result.residual == pytest.approx(3**-0.5)
    assert_proven(result, np.eye(3), [1, -1, 1])


def test_a_zero_point_needs_no_solver(monkeypatch):
    monkeypatch.delattr("scipy.optimize.linprog")
    result = separate([[1, 2], [0, 0], [3, 4]], [1, -1, 1])
    assert result.exact_multipliers == (0, 1, 0)


@settings(exhaustive, max_examples=100)
@given(labelled(st.integers(-2, 2)), st.integers(0, 10**6))
def test_a_lying_solver_is_not_believed(data, seed):
    x, y = data
    rng = np.random.default_rng(seed)
    lie = rng.normal(size=x.shape[1]), rng.dirichlet(np.full(len(x), 0.5))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(separability, "_largest_margin", lambda _: lie)
        result = separate(x, y)
    assert_proven(result, x, y)
    assert result.status in ("undecided", separate(x, y).status)


@pytest.mark.parametrize("lie", [(1, 0, 0), (Fraction(1, 3),) * 3, (1, 1, -1)])
def test_lying_elimination_is_not_believed(monkeypatch, lie):
    exact = tuple(Fraction(e) for e in lie)
    monkeypatch.setattr(separability, "_exact_multipliers", lambda *_: (exact, ""))
    result = separate([[1, 0], [0, 1], [-1, -2]], [1, 1, 1])
    assert result.status == "undecided"
    assert result.exact_multipliers == ()


def test_multipliers_on_more_points_than_needed(monkeypatch):
    """Four points in the plane: the float multipliers settle the two degrees of freedom."""
    monkeypatch.setattr(
        separability, "_largest_margin", lambda _: (np.zeros(2), np.array([0.3, 0.3, 0.2, 0.2]))
    )
    result = separate([[1, 0], [-1, 0], [0, 1], [0, -1]], [1, 1, 1, 1])
    assert result.status == "inseparable"
    np.testing.assert_allclose(result.multipliers, [0.3, 0.3, 0.2, 0.2], rtol=1e-15)


def test_float_multipliers_need_only_the_right_support(monkeypatch):
    lie = np.zeros(2), np.array([0.5, 0.5, 1e-30])
    monkeypatch.setattr(separability, "_largest_margin", lambda _: lie)
    result = separate([[1, 0], [0, 1], [-1, -2]], [1, 1, 1])
    assert result.exact_multipliers == (Fraction(1, 4), Fraction(1, 2), Fraction(1, 4))


# --- the checkers ---------------------------------------------------------------------------------


@settings(exhaustive, max_examples=300)
@given(st.data(), labelled(st.floats(allow_nan=False, allow_infinity=False)))
def test_separator_bound_never_exceeds_the_exact_margin(data, labelled_points):
    x, y = labelled_points
    finite = st.floats(allow_nan=False, allow_infinity=False)
    v = data.draw(hnp.arrays(np.float64, x.shape[1], elements=finite))
    assert_below_margin(check_separator(x, y, v), x, y, v)


@settings(exhaustive, max_examples=100)
@given(st.integers(0, 10**6), st.integers(1, 40))
def test_separator_bound_is_within_rounding_of_the_margin(seed, d):
    x, y = gaussian(seed, 5, d)
    v = np.random.default_rng(seed + 1).normal(size=d)
    margin = (y * (x @ v) / np.linalg.norm(x, axis=1) / np.linalg.norm(v)).min()
    assert margin - 1e-13 < check_separator(x, y, v) < margin


@pytest.mark.parametrize("order", list(itertools.permutations(range(4)))[::3])
def test_a_product_that_rounds_to_the_wrong_sign_is_not_believed(order):
    x = np.array([1, -(2.0**-54), -1, 2.0**-55])[list(order)]  # exact sum −2⁻⁵⁵
    assert check_separator(x[None], [1], np.ones(4)) < 0


def test_a_product_that_underflows_to_the_wrong_sign_is_not_believed():
    x = np.array([5e-324, 5e-324, -1e-323, 0.5])  # exact sum −2⁻¹⁰⁷⁷, rounded +2⁻¹⁰⁷⁴
    assert check_separator(x[None], [1], [0.625, 0.625, 0.6875, 0]) < 0


@settings(exhaustive, max_examples=100)
@given(*[st.floats(-10, 10)] * 2)
def test_an_orthogonal_separator_is_rejected(a, b):
    assert check_separator([[a, b]], [1], [b, -a]) <= 0


def test_zero_separator_and_zero_point_are_rejected():
    assert check_separator([[1, 2]], [1], [0, 0]) <= 0
    assert check_separator([[1, 2], [0, 0]], [1, 1], [1, 1]) <= 0


def test_separator_is_checked_against_its_own_data():
    x, y = gaussian(0, 6, 8)
    v = separate(x, y).separator
    assert v is not None
    assert check_separator(x, y, v) > 0
    assert check_separator(x, y, 1e-200 * v) > 0
    assert check_separator(x, y, -v) < 0
    for k in range(len(y)):
        flipped = y.copy()
        flipped[k] *= -1
        assert check_separator(x, flipped, v) < 0


@pytest.fixture
def refuted():
    x, y = gaussian(0, 24, 5)
    result = separate(x, y)
    assert result.status == "inseparable"
    assert check_inseparability(x, y, result.exact_multipliers)
    return x, y, list(result.exact_multipliers)


@pytest.mark.parametrize("size", [Fraction(1, 10**60), Fraction(1, 7), 10])
def test_shifted_multipliers_are_rejected(refuted, size):
    x, y, exact = refuted
    j, k = [i for i, e in enumerate(exact) if e][:2]
    shifted = exact.copy()
    shifted[j] += size
    assert not check_inseparability(x, y, shifted)  # their sum is off
    shifted[k] -= size
    assert not check_inseparability(x, y, shifted)  # their combination is off


def test_multipliers_of_wrong_scale_order_or_sign_are_rejected(refuted):
    x, y, exact = refuted
    assert not check_inseparability(x, y, [2 * e for e in exact])
    assert not check_inseparability(x, y, [0 * e for e in exact])
    assert not check_inseparability(x, y, exact[::-1])
    # λ = (−1, 1, 1) on points 2, 1, 1 has sum 1 and combination 0, but proves nothing.
    assert not check_inseparability([[2.0], [1.0], [1.0]], [1, 1, 1], [-1, 1, 1])


def test_multipliers_prove_nothing_about_other_data(refuted):
    x, y, exact = refuted
    k = next(i for i, e in enumerate(exact) if e)
    for change in ("point", "label"):
        other_x, other_y = x.copy(), y.copy()
        if change == "point":
            other_x[k, 0] = np.nextafter(x[k, 0], 2.0)
        else:
            other_y[k] *= -1
        assert not check_inseparability(other_x, other_y, exact)


def test_affine_multipliers_also_balance_the_labels():
    x, y, exact = [[1.0], [3.0]], [1, -1], [Fraction(3, 4), Fraction(1, 4)]
    assert check_inseparability(x, y, exact)
    assert not check_inseparability(x, y, exact, affine=True)


# --- bad input ------------------------------------------------------------------------------------

GOOD_X, GOOD_Y = [[1.0, 2.0], [3.0, 4.0]], [1, -1]
BAD_POINTS_OR_LABELS = [
    ([1.0, 2.0], GOOD_Y, r"x must be a matrix .* got shape \(2,\)"),
    (np.zeros((0, 2)), [], r"x must be a matrix .* got shape \(0, 2\)"),
    (np.zeros((2, 0)), GOOD_Y, r"x must be a matrix .* got shape \(2, 0\)"),
    ([[1.0, np.nan], [0, 1]], GOOD_Y, "x must be finite, got 1 NaN or infinite of 4"),
    ([[1.0, np.inf], [-np.inf, 1]], GOOD_Y, "x must be finite, got 2 NaN or infinite of 4"),
    ([[1j, 2], [3, 4]], GOOD_Y, "x must hold real numbers, got dtype complex128"),
    ([[2**53 + 1, 2], [3, 4]], GOOD_Y, "x must be exact in float64, got int64 beyond 53 bits"),
    (GOOD_X, [1], r"y must have shape \(2,\), one label per point, got \(1,\)"),
    (GOOD_X, [[1], [-1]], r"y must have shape \(2,\), one label per point, got \(2, 1\)"),
    (GOOD_X, [0, 1], r"y must be −1 or \+1, got values \{0, 1\}; use 2\*y − 1"),
    (GOOD_X, [2, 1], r"y must be −1 or \+1, got values \{1, 2\}"),
    (GOOD_X, [np.nan, 1], r"y must be −1 or \+1, got values \{1, nan\}"),
]
CALLS = {
    "separate": separate,
    "check_separator": lambda x, y: check_separator(x, y, [1, 1]),
    "check_inseparability": lambda x, y: check_inseparability(x, y, [1, 0]),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS.keys())
@pytest.mark.parametrize(("x", "y", "message"), BAD_POINTS_OR_LABELS)
def test_bad_points_and_labels(call, x, y, message):
    with pytest.raises(ValueError, match=message):
        call(x, y)


@pytest.mark.skipif(np.finfo(np.longdouble).nmant < 60, reason="long double is float64 here")
def test_points_with_longer_mantissas_are_refused():
    x = np.array(GOOD_X, np.longdouble) + np.longdouble(2) ** -60
    with pytest.raises(ValueError, match=r"x must be exact in float64, got .* beyond 53 bits"):
        separate(x, GOOD_Y)
    with pytest.raises(ValueError, match=r"v must be exact in float64, got .* beyond 53 bits"):
        check_separator(GOOD_X, GOOD_Y, x[0])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: separate(GOOD_X, GOOD_Y, max_exact_bits=-1),
            "max_exact_bits must be an integer ≥ 0, got -1",
        ),
        (
            lambda: check_separator(GOOD_X, GOOD_Y, [1]),
            r"v must have shape \(2,\), one entry per dimension, got \(1,\)",
        ),
        (
            lambda: check_separator(GOOD_X, GOOD_Y, [1, 2], affine=True),
            r"v must have shape \(3,\), one entry per dimension, got \(2,\)",
        ),
        (lambda: check_separator(GOOD_X, GOOD_Y, [1, np.nan]), "v must be finite, got 1 NaN"),
        (
            lambda: check_inseparability(GOOD_X, GOOD_Y, [1]),
            "multipliers must be 2, one per point, got 1",
        ),
        (
            lambda: check_inseparability(GOOD_X, GOOD_Y, [0.5, 0.5]),  # pyright: ignore[reportArgumentType]
            "multipliers must be integers or Fractions, got 0.5",
        ),
    ],
)
def test_bad_certificates_and_limits(call, message):
    with pytest.raises(ValueError, match=message):
        call()
