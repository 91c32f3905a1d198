"""Grids: what the words for them mean, and one clear line for those that mean nothing."""

import time
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sweep_toys import Setting

from experiments.settings import grid, number_lists


def values(text: str):
    (axis,) = grid.parse([text], Setting())
    return axis.values


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("m=2**3:2**7:x4", (8, 32, 128)),
        ("m=8:100:x4", (8, 32)),
        ("m=64:192:+64", (64, 128, 192)),
        ("m=64:190:+64", (64, 128)),
        ("m=7:7:x2", (7,)),
        ("m=64,256, 1e3", (64, 256, 1000)),
        ("shift=0.1:10:x10", (0.1, 1.0, 10.0)),  # 0.1·10·10 is below 10 in floating point
        ("shift=-0.2:0.1:+0.1", (-0.2, -0.1, 0.0, 0.1)),
        ("shift=10**-3,2.5e-1", (0.001, 0.25)),
        ("shift=1:8:x1.5", (1.0, 1.5, 2.25, 3.375, 5.0625, 7.59375)),
        ("law=normal,uniform", ("normal", "uniform")),
        ("strict=true,false", (True, False)),
    ],
)
def test_values(text, expected):
    assert values(text) == expected
    assert [type(v) for v in values(text)] == [type(v) for v in expected]


@given(
    low=st.integers(1, 1000), factor=st.integers(2, 10), steps=st.integers(0, 12),
    above=st.integers(0, 10**6),
)  # fmt: skip
def test_geometric_ends_are_included_when_hit_and_passed_over_otherwise(low, factor, steps, above):
    high = low * factor**steps
    expected = tuple(low * factor**i for i in range(steps + 1))
    assert values(f"m={low}:{high}:x{factor}") == expected
    missed = high + above % (high * (factor - 1))
    assert values(f"m={low}:{missed}:x{factor}") == expected


@given(low=st.integers(1, 999), step=st.integers(1, 99), steps=st.integers(0, 50))
def test_arithmetic_ends_in_decimal_steps(low, step, steps):
    found = values(f"shift={low / 1000}:{(low + step * steps) / 1000}:+{step / 1000}")
    assert found == tuple((low + step * i) / 1000 for i in range(steps + 1))


def test_cells_run_through_the_last_axis_first_and_know_their_size():
    axes = grid.parse(["m=8,16", "law=normal,uniform", "strict=true"], Setting())
    assert (axes[0].unit, axes[0].says) == ("neurons", "normals")
    cells = list(grid.cells(axes))
    assert [tuple(cell.values()) for cell in cells] == [
        (8, "normal", True), (8, "uniform", True), (16, "normal", True), (16, "uniform", True),
    ]  # fmt: skip
    assert grid.size({"m": 8, "k": 3, "shift": 2.5, "strict": True}) == 24


def test_long_ranges_take_seconds_and_little_memory():
    """Each value once, found in one pass; no fraction with more digits than a float can tell."""
    start = time.process_time()
    whole = number_lists.once("m", number_lists.numbers("m", "1:99999:+1", int))
    assert whole == tuple(range(1, 100_000))
    found = list(number_lists.fractions("T", "1e-300:1e18:x1.01"))
    assert len(found) == 73_588  # 318 log 10 / log 1.01, and the start
    assert time.process_time() - start < 5
    assert max(value.denominator.bit_length() for value in found) <= number_lists.EXACT
    logs = np.log(np.array(found, float))
    np.testing.assert_allclose(np.diff(logs), np.log(1.01), rtol=0, atol=1e-12)


def test_rounded_ranges_end_where_exact_ones_do():
    """21 factors of a hundred digits, the last of them rounded; a factor that floats take for 1."""
    by = Fraction("1." + 60 * "0" + "1")
    found = tuple(number_lists.fractions("T", f"1:{by.numerator}e-61:x{by.numerator}e-61"))
    assert found == (1, by)
    factor = "1.5" + 80 * "7"
    high = Fraction(factor) ** 60
    steps = list(number_lists.fractions("T", f"1:{float(high):.15e}:x{factor}"))
    assert abs(len(steps) - 60.5) <= 0.5  # the end is rounded, down or up
    assert all(abs(step / Fraction(factor) ** i - 1) < 1e-300 for i, step in enumerate(steps))


BAD = [
    ([], "--grid must be given at least once"),
    (["m"], "--grid must be NAME=VALUES, got 'm'"),
    (["m="], "--grid must be NAME=VALUES, got 'm='"),
    (["=8"], "--grid must be NAME=VALUES, got '=8'"),
    (["n=8"], "one of the parameters k, law, m, shift, strict; got 'n'"),
    (["data=uniform"], "data is chosen by --data NAME"),
    (["m=8", "m=9"], "--grid must name a parameter once, got 'm' twice"),
    (["m=8,16,8"], "--grid m must name a value once, got 8 twice"),
    (["shift=1,1.0"], "--grid shift must name a value once, got 1.0 twice"),
    (["m=8,,16"], "numbers such as 64, 0.5 or 2**8, got ''"),
    (["m=8:16"], "--grid m must be LOW:HIGH:xFACTOR, LOW:HIGH:+STEP or VALUE,VALUE,…; got '8:16'"),
    (["m=8:16:2"], "got '8:16:2'"),
    (["m=8:16:32:x2"], "got '8:16:32:x2'"),
    (["m=8:16:x"], "numbers such as 64, 0.5 or 2**8, got ''"),
    (["m=8:16:x0"], "--grid m must have a factor > 1, got 'x0'"),
    (["m=8:16:x1"], "--grid m must have a factor > 1, got 'x1'"),
    (["m=8:16:x-2"], "--grid m must have a factor > 1, got 'x-2'"),
    (["m=8:16:+0"], "--grid m must have a step > 0, got '+0'"),
    (["m=8:16:+-8"], "--grid m must have a step > 0, got '+-8'"),
    (["m=16:8:x2"], "--grid m must have LOW ≤ HIGH, got '16:8:x2'"),
    (["shift=0:8:x2"], "--grid shift must start above 0 to be multiplied, got '0'"),
    (["m=eight"], "numbers such as 64, 0.5 or 2**8, got 'eight'"),
    (["m=2**0.5"], "numbers such as 64, 0.5 or 2**8, got '2**0.5'"),
    (["shift=nan"], "numbers such as 64, 0.5 or 2**8, got 'nan'"),
    (["shift=inf"], "numbers such as 64, 0.5 or 2**8, got 'inf'"),
    (["shift=0**-1"], "--grid shift must be a finite number, got '0**-1'"),
    (["m=2**64"], "m must be at most 9223372036854775807 in float64, got 18446744073709551616"),
    (["m=1e999"], "--grid m must be 0 or of a size between 2.3e-308 and 1.7e+308, got '1e999'"),
    (["m=1e9999999999"], "numbers such as 64, 0.5 or 2**8"),  # nothing is computed from it
    (["m=1.5"], "m must be an integer, got 1.5"),
    (["m=1:2:x1.5"], "m must be an integer, got 1.5"),
    (["m=0,8"], "m must be an integer ≥ 1, got 0"),
    (["shift=5,11"], "shift must be a finite number in [-10, 10], got 11.0"),
    (["law=normal,cauchy"], "law must be one of normal, uniform; got 'cauchy'"),
    (["law=normal:uniform:x2"], "law must be one of normal, uniform; got 'normal:uniform:x2'"),
    (["strict=yes"], "strict must be true or false, got 'yes'"),
    (["m=1:10**9:+1"], "--grid m must have at most 100,000 values, got more in '1:10**9:+1'"),
    (["shift=1:2:x1.0000001"], "--grid shift must have at most 100,000 values, got more in"),
    (["shift=1:2:x1." + 60 * "0" + "1"], "at most 100,000 values, got more in '1:2:x1.000"),
    (["m=" + 100_000 * "9"], "numbers such as 64, 0.5 or 2**8, got '9999"),
    (["m=1_000"], "numbers such as 64, 0.5 or 2**8, got '1_000'"),
    (["m=٣"], "numbers such as 64, 0.5 or 2**8, got '٣'"),
    (["m=0x10"], "numbers such as 64, 0.5 or 2**8, got '0x10'"),
    (["shift=1e308**2"], "--grid shift must be 0 or of a size between"),
    (["shift=1e-400"], "--grid shift must be 0 or of a size between"),
    (["m=1:1000:+1", "k=1:1000:+1"], "--grid must have at most 100,000 cells, got 1,000,000"),
]


@pytest.mark.parametrize(
    ("texts", "message"), BAD, ids=lambda v: " ".join(v) if isinstance(v, list) else ""
)
def test_bad_grids_are_one_clear_line(texts, message):
    with pytest.raises(ValueError) as error:  # noqa: PT011 – the message is compared below
        grid.parse(texts, Setting())
    assert message in str(error.value)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 200


def test_sizes_are_positive():
    """Times are divided by them."""
    assert grid.size({"m": 8, "d": 4, "T": 0.5, "strict": True, "law": "normal"}) == 32
    assert grid.size({"k": 0, "m": 8}) == grid.size({"k": -3, "m": 8}) == 8
    assert grid.size({"k": 0}) == 1
