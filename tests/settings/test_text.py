"""Parameters from text: one value, and several in one word."""

import dataclasses

import pytest

from experiments.settings import grid, number_lists
from experiments.settings.text import configured, fields_by_name, read, written
from theory import Parameters, fields, parameter


class Setting(Parameters):
    m: int = fields.width(4)
    rate: float = parameter(0.5, "rate")
    label: str = parameter("", "any words, with, commas")
    widths: tuple[int, ...] = fields.axis((1, 2), "widths")
    rates: tuple[float, ...] = fields.axis((0.1,), "rates")
    laws: tuple[str, ...] = fields.axis(("a",), "laws", choices=("a", "b"))
    switches: tuple[bool, ...] = parameter((True,), "switches")


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("m", "10**6", 1_000_000),
        ("m", "1e3", 1000),
        ("m", "+5", 5),
        ("rate", "-0", 0.0),
        ("rate", "-2**-1", -0.5),
        ("rate", "1e308", 1e308),
        ("rate", "0.1", 0.1),
        ("widths", "16,32,64", (16, 32, 64)),
        ("widths", "2**3:2**7:x4", (8, 32, 128)),
        ("widths", "16", (16,)),
        ("rates", "0.1,2**2", (0.1, 4.0)),
        ("rates", "0.1:10:x10", (0.1, 1.0, 10.0)),
        ("laws", "b, a", ("b", "a")),
        ("switches", "true,false", (True, False)),
        ("label", "one, two", "one, two"),
    ],
)
def test_values_from_text(name, text, expected):
    found = getattr(configured(Setting(), None, {name: text}), name)
    assert found == expected
    if isinstance(expected, tuple):
        assert [type(entry) for entry in found] == [type(entry) for entry in expected]
        assert read(fields_by_name(Setting())[name], written(found)) == found


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("widths", "", r"widths must be numbers such as 64, 0\.5 or 2\*\*8, got ''"),
        ("widths", "16,", r"widths must be numbers such as 64, 0\.5 or 2\*\*8, got ''"),
        ("widths", "16,nan", r"widths must be numbers such as .*, got 'nan'"),
        ("widths", "16,0.5", r"widths must be an integer, got 0\.5"),
        ("widths", "16,0", r"widths\[1\] must be an integer ≥ 1, got 0"),
        ("widths", "16,16", "widths must name a value once, got 16 twice"),
        ("widths", "16:64", "widths must be LOW:HIGH:xFACTOR, .*; got '16:64'"),
        ("rates", "0.1,0", r"rates\[1\] must be a finite number in \(0, inf\), got 0\.0"),
        ("laws", "a,c", r"laws\[1\] must be one of a, b; got 'c'"),
        ("switches", "true,1", "switches must be true or false, got '1'"),
        ("m", "4,8", r"m must be an integer such as 64 or 2\*\*20, got '4,8'"),
        ("m", " 5", r"m must be an integer such as 64 or 2\*\*20, got ' 5'"),
        ("m", "1.5", "m must be an integer, got 1.5"),
    ],
)
def test_bad_text_is_named_with_what_was_expected(name, text, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        configured(Setting(), None, {name: text})


def test_a_parameter_of_several_values_is_no_axis_of_a_sweep():
    with pytest.raises(ValueError, match="--grid must name parameters of one value, got 'widths'"):
        grid.parse(["widths=1,2"], Setting())


def test_numbers_in_one_word():
    assert number_lists.numbers("m", "1:4:x2", int) == (1, 2, 4)
    assert number_lists.numbers("e", "0.1,2**2", float) == (0.1, 4.0)
    with pytest.raises(ValueError, match=r"^m must be an integer, got 0\.5$"):
        number_lists.numbers("m", "0.5", int)


def test_a_field_is_an_ordinary_parameter():
    """With words of its own where a configuration has something to say."""
    (width, *_) = dataclasses.fields(Setting)  # pyright: ignore[reportArgumentType]
    assert width.metadata["doc"] == "width"
    assert (width.metadata["low"], width.metadata["many"]) == (1, False)
    with pytest.raises(ValueError, match="m must be an integer ≥ 1, got 0"):
        Setting(m=0)
