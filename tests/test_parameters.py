"""Configurations and argument checks: tables of bad inputs with the message they get."""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from untyped import compilations

from theory import REGISTRY, explain, falsify
from theory._validation import (
    check_choice,
    check_integer,
    check_labels,
    check_points,
    check_real,
    check_slope,
)
from theory.falsification.settings import check_ranges
from theory.keys import make_key
from theory.parameters import Parameters, largest_integer, parameter
from theory.verification.evaluation import evaluate

NAN, INF = float("nan"), float("inf")


class Own:
    """Stands for a user's own data, accepted beside the names."""


class Setting(Parameters):
    n: int = parameter(8, "points", low=1)
    seed: int = parameter(0, "no limits given")
    width: int = parameter(20, "an even number with limits", low=2, high=100, even=True)
    slope: float = parameter(0.5, "half open", low=0, high=1, open_high=True)
    rate: float = parameter(1.0, "positive", unit="1/s", low=0, open_low=True)
    shift: float = parameter(0.0, "any number")
    share: float = parameter(0.5, "closed", low=0, high=1)
    biased: bool = parameter(False, "a switch")
    loss: str = parameter("logistic", "a choice", choices=("logistic", "identity"))
    label: str = parameter("", "any string")
    data: Any = parameter("gaussian", "a name or one's own", choices=("gaussian",), accepts=(Own,))


class Several(Parameters):
    widths: tuple[int, ...] = parameter((1, 2, 4), "some widths", low=1, high=100)
    rates: tuple[float, ...] = parameter((0.5,), "some rates", low=0, open_low=True)
    laws: tuple[str, ...] = parameter(("a", "b"), "some laws", choices=("a", "b", "c"))
    axis: tuple[float, ...] = parameter((0.0, 1.0), "each value once", distinct=True)


class Narrower(Setting):
    """Adds a parameter and changes a default, as the statements' settings do."""

    n: int = parameter(2, "fewer points", low=2)
    depth: int = parameter(1, "layers", low=1)


# --- configurations -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("n", 0, "n must be an integer ≥ 1, got 0"),
        ("n", -3, "n must be an integer ≥ 1, got -3"),
        ("n", 2.0, r"n must be an integer ≥ 1, got 2\.0"),
        ("n", NAN, "n must be an integer ≥ 1, got nan"),
        ("n", True, "n must be an integer ≥ 1, got True"),
        ("n", "8", "n must be an integer ≥ 1, got '8'"),
        ("n", None, "n must be an integer ≥ 1, got None"),
        ("seed", -1, "seed must be an integer ≥ 0, got -1"),
        ("width", 21, r"width must be an even integer in \[2, 100\], got 21"),
        ("width", 0, r"width must be an even integer in \[2, 100\], got 0"),
        ("width", 102, r"width must be an even integer in \[2, 100\], got 102"),
        ("slope", 1.0, r"slope must be a finite number in \[0, 1\), got 1\.0"),
        ("slope", 1, r"slope must be a finite number in \[0, 1\), got 1"),
        ("slope", -1e-9, r"slope must be a finite number in \[0, 1\), got -1e-09"),
        ("slope", NAN, r"slope must be a finite number in \[0, 1\), got nan"),
        ("slope", "0.5", r"slope must be a finite number in \[0, 1\), got '0\.5'"),
        ("slope", False, r"slope must be a finite number in \[0, 1\), got False"),
        ("slope", None, r"slope must be a finite number in \[0, 1\), got None"),
        ("slope", [0.5], r"slope must be a finite number in \[0, 1\), got \[0\.5\]"),
        ("slope", 0.5j, r"slope must be a finite number in \[0, 1\), got 0\.5j"),
        ("rate", 0.0, r"rate must be a finite number in \(0, inf\), got 0\.0"),
        ("rate", INF, r"rate must be a finite number in \(0, inf\), got inf"),
        ("shift", INF, r"shift must be a finite number in \(-inf, inf\), got inf"),
        ("shift", NAN, r"shift must be a finite number in \(-inf, inf\), got nan"),
        ("share", 1.0001, r"share must be a finite number in \[0, 1\], got 1\.0001"),
        ("biased", 1, "biased must be True or False, got 1"),
        ("biased", "yes", "biased must be True or False, got 'yes'"),
        ("biased", None, "biased must be True or False, got None"),
        ("loss", "hinge", "loss must be one of identity, logistic; got 'hinge'"),
        ("loss", 1, "loss must be a string, got 1"),
        ("label", 1, "label must be a string, got 1"),
        ("data", "mnist", "data must be one of gaussian; got 'mnist'"),
        ("data", object, "data must be a string, got <class 'object'>"),
    ],
)
def test_bad_values_are_named_with_what_was_expected(name, value, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        Setting(**{name: value})
    with pytest.raises(ValueError, match=f"^{message}$"):
        dataclasses.replace(Setting(), **{name: value})


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("widths", (), r"widths must be a tuple of integers, one at least, got \(\)"),
        ("widths", 16, "widths must be a tuple of integers, one at least, got 16"),
        ("widths", "16,32", "widths must be a tuple of integers, one at least, got '16,32'"),
        ("widths", None, "widths must be a tuple of integers, one at least, got None"),
        ("widths", (16, 0), r"widths\[1\] must be an integer in \[1, 100\], got 0"),
        ("widths", (101,), r"widths\[0\] must be an integer in \[1, 100\], got 101"),
        ("widths", (1.5,), r"widths\[0\] must be an integer in \[1, 100\], got 1\.5"),
        ("widths", (True,), r"widths\[0\] must be an integer in \[1, 100\], got True"),
        ("widths", ((1, 2),), r"widths\[0\] must be an integer in \[1, 100\], got \(1, 2\)"),
        ("rates", (0.1, NAN), r"rates\[1\] must be a finite number in \(0, inf\), got nan"),
        ("rates", (INF,), r"rates\[0\] must be a finite number in \(0, inf\), got inf"),
        ("rates", (0.0,), r"rates\[0\] must be a finite number in \(0, inf\), got 0\.0"),
        ("rates", ("0.1",), r"rates\[0\] must be a finite number in \(0, inf\), got '0\.1'"),
        ("laws", (), r"laws must be a tuple of strings, one at least, got \(\)"),
        ("laws", ("a", "d"), r"laws\[1\] must be one of a, b, c; got 'd'"),
        ("axis", (1.0, 2.0, 1), r"axis must name a value once, got 1\.0 twice"),
    ],
)
def test_bad_tuples_are_named_with_what_was_expected(name, value, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        Several(**{name: value})


def test_tuples_are_values_like_others():
    """Of their own types, also where they come as a list, as JSON has them; and hashable."""
    given: Any = {"widths": [64, np.int32(64)], "rates": (1, np.float32(0.25))}
    setting = Several(**given)
    assert setting.widths == (64, 64)
    assert setting.rates == (1.0, 0.25)
    assert [type(entry) for entry in (*setting.widths, *setting.rates)] == [int] * 2 + [float] * 2
    assert hash(setting) == hash(Several(widths=(64, 64), rates=(1.0, 0.25)))
    assert not jax.tree.leaves(setting)  # static under jit


@pytest.mark.parametrize("default", [(), (1, 2.0), (1, True)])
def test_a_default_tuple_is_of_one_type(default):
    with pytest.raises(ValueError, match="default must be a tuple of values of one type, got"):
        parameter(default, "mixed")


@pytest.mark.parametrize(
    ("name", "value", "kept"),
    [
        ("n", 1, 1),
        ("n", np.int32(5), 5),
        ("seed", 0, 0),
        ("width", 2, 2),
        ("width", 100, 100),
        ("slope", 0, 0.0),
        ("slope", 0.0, 0.0),
        ("slope", np.nextafter(1, 0), float(np.nextafter(1, 0))),
        ("slope", np.float32(0.25), 0.25),
        ("slope", np.array(0.25), 0.25),
        ("rate", 5e-324, 5e-324),
        ("share", 0, 0.0),
        ("share", 1, 1.0),
        ("shift", -1e300, -1e300),
        ("biased", True, True),
        ("loss", "identity", "identity"),
        ("label", "anything", "anything"),
    ],
)
def test_good_values_are_kept_in_the_type_of_the_default(name, value, kept):
    found = getattr(Setting(**{name: value}), name)
    assert found == kept
    assert type(found) is type(kept)


def test_instances_of_accepted_types_are_kept_as_they_are():
    own = Own()
    assert Setting(data=own).data is own
    assert Setting(data=own) == Setting(data=own) != Setting(data=Own())


@given(st.floats(), st.integers(-5, 105), st.floats(0, 1, exclude_max=True))
def test_ranges_are_exactly_those_declared(share, width, slope):
    assert Setting(slope=slope).slope == slope
    for name, value, allowed in [
        ("share", share, 0 <= share <= 1),
        ("rate", share, 0 < share < INF),
        ("shift", share, -INF < share < INF),
        ("width", width, 2 <= width <= 100 and width % 2 == 0),
    ]:
        try:
            made = getattr(Setting(**{name: value}), name)
        except ValueError:
            assert not allowed
        else:
            assert allowed
            assert made == value


def test_settings_are_immutable_values():
    setting = Setting(n=3, slope=0)
    same = Setting(n=np.int64(3), slope=0.0)  # pyright: ignore[reportArgumentType]
    assert setting == same
    assert hash(setting) == hash(same)
    assert len({setting, same, Setting(n=4), Setting()}) == 3
    with pytest.raises(dataclasses.FrozenInstanceError):
        setting.n = 4  # pyright: ignore[reportAttributeAccessIssue]
    with pytest.raises(TypeError):
        Setting(3)  # pyright: ignore[reportCallIssue]: positions carry no meaning
    with pytest.raises(TypeError, match="unexpected keyword argument 'm'"):
        Setting(m=3)  # pyright: ignore[reportCallIssue]


def test_settings_are_static_under_jit():
    traces = []

    @functools.partial(jax.jit, static_argnums=0)
    def scaled(setting, x):
        traces.append(setting)
        return setting.slope * x

    assert float(scaled(Setting(slope=0.25), jnp.float64(8.0))) == 2.0
    narrow = Setting(slope=np.float32(0.25))  # pyright: ignore[reportArgumentType]
    assert float(scaled(narrow, jnp.float64(4.0))) == 1.0
    assert len(traces) == 1  # equal settings are compiled once


class Run(Parameters):
    n: int = parameter(8, "a shape", low=1)
    steps: int = parameter(3, "a number that is no shape", low=1, traced=True)
    rate: float = parameter(0.5, "a value", low=0, open_low=True)
    loss: str = parameter("logistic", "a choice")


def test_values_are_arguments_of_compiled_functions():
    """Floats and what is declared traced are leaves; all else is static, so compiled anew."""

    @jax.jit
    def total(run):
        assert (run.n, run.loss) == (int(run.n), str(run.loss))  # known when compiled
        return dataclasses.replace(run, n=run.n + 1).n * run.rate**run.steps

    choices: tuple[dict[str, Any], ...] = (
        {}, {"steps": 7}, {"rate": 0.25}, {"steps": 2, "rate": 1e-3},
    )  # fmt: skip
    for changes in choices:
        run = Run(**changes)
        assert float(total(run)) == pytest.approx(9 * run.rate**run.steps, rel=1e-12)
    assert compilations(total) == 1
    total(Run(n=9))
    total(Run(loss="identity"))
    assert compilations(total) == 3
    paths, _ = jax.tree_util.tree_flatten_with_path(Run())
    assert {jax.tree_util.keystr(path): leaf for path, leaf in paths} == {".steps": 3, ".rate": 0.5}


def test_configurations_come_back_from_their_leaves():
    for run in (Run(), Setting(data=Own()), Narrower(n=7, slope=0.25)):
        leaves, structure = jax.tree.flatten(run)
        assert jax.tree.unflatten(structure, leaves) == run
        # What is no number yet is put in as it is: compiled functions are made with placeholders.
        assert jax.tree.leaves(jax.tree.unflatten(structure, ["?"] * len(leaves))) == (
            ["?"] * len(leaves)
        )
        with pytest.raises(ValueError, match="must be"):
            dataclasses.replace(jax.tree.unflatten(structure, [-1] * len(leaves)))


def test_subclasses_inherit_and_check():
    assert (Narrower().n, Narrower().slope, Narrower().depth) == (2, 0.5, 1)
    assert Narrower(n=8) != Setting(n=8)
    with pytest.raises(ValueError, match="n must be an integer ≥ 2, got 1"):
        Narrower(n=1)
    with pytest.raises(ValueError, match="depth must be an integer ≥ 1, got 0"):
        Narrower(depth=0)
    with pytest.raises(ValueError, match="slope"):
        Narrower(slope=2.0)


def test_fields_know_their_meaning_unit_and_range():
    rules = {field.name: field.metadata for field in dataclasses.fields(Setting)}
    assert (rules["rate"]["doc"], rules["rate"]["unit"]) == ("positive", "1/s")
    assert (rules["rate"]["low"], rules["rate"]["open_low"], rules["rate"]["high"]) == (
        0,
        True,
        None,
    )
    assert rules["slope"]["unit"] == "1"
    assert rules["loss"]["choices"] == ("logistic", "identity")
    assert rules["biased"]["type"] is bool


# --- arguments ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("check", "message"),
    [
        (lambda: check_integer("k", 0), "k must be an integer ≥ 1, got 0"),
        (lambda: check_integer("k", 3, even=True), "k must be an even integer ≥ 1, got 3"),
        (lambda: check_integer("k", 9, high=8), r"k must be an integer in \[1, 8\], got 9"),
        (lambda: check_real("t", 0, low=0, open_low=True), r"t must .* in \(0, inf\), got 0"),
        (lambda: check_real("t", np.ones(1)), r"t must be a finite number .* got array\(\[1\.\]\)"),
        (lambda: check_choice("c", "x", ("b", "a")), "c must be one of a, b; got 'x'"),
        (lambda: check_slope(1.0), r"slope must be a finite number in \[0, 1\), got 1\.0"),
        (lambda: check_slope(-0.1), r"slope must be a finite number in \[0, 1\), got -0\.1"),
        (
            lambda: check_slope(0, open_low=True),
            r"slope must be a finite number in \(0, 1\), got 0",
        ),
    ],
)
def test_bad_arguments_are_named_with_what_was_expected(check, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        check()


@pytest.mark.parametrize("value", [3, np.int8(3), np.uint64(3)])
def test_checked_integers_come_back_as_int(value):
    assert check_integer("k", value, low=3, high=3) == 3
    assert type(check_integer("k", value)) is int


@pytest.mark.parametrize(
    ("x", "message"),
    [
        ([], r"z must be a matrix \(points, dimensions\) ≥ 1 × 1, got shape \(0,\)"),
        ([1.0, 2.0], r"z must be a matrix .* got shape \(2,\)"),
        (np.ones((2, 2, 2)), r"z must be a matrix .* got shape \(2, 2, 2\)"),
        (np.ones((0, 3)), r"z must be a matrix .* got shape \(0, 3\)"),
        (np.ones((3, 0)), r"z must be a matrix .* got shape \(3, 0\)"),
        (1.0, r"z must be a matrix .* got shape \(\)"),
        (np.ones((2, 3)), r"z must have 4 columns, got shape \(2, 3\)"),
        (np.array([[1, 2, NAN, INF]]), "z must be finite, got 2 NaN or infinite of 4 entries"),
        (jnp.full((2, 4), NAN), "z must be finite, got 8 NaN or infinite of 8 entries"),
        ([["a", "b", "c", "d"]], "z must hold real numbers, got dtype <U1"),
        (np.ones((1, 4)) * 1j, "z must hold real numbers, got dtype complex128"),
        ([[None] * 4], "z must hold real numbers, got dtype object"),
    ],
)
def test_bad_points_are_named_with_what_was_expected(x, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        check_points("z", x, d=4)


@pytest.mark.parametrize(
    "x",
    [
        [[1, 2]],
        np.ones((3, 2), np.float16),
        np.ones((3, 2), bool),
        jnp.ones((1, 2), jnp.bfloat16),
        jnp.ones((1, 2)),
    ],
)
def test_good_points_pass(x):
    check_points("x", x)
    check_points("x", x, d=2)


REMEDY = "; use 2[*]y − 1"


@pytest.mark.parametrize(
    ("y", "both", "message"),
    [
        ([0, 1, 1], False, r"y must be −1 or \+1, got values \{0, 1\}" + REMEDY),
        ([0.0, 0.0, 0.0], False, r"y must be −1 or \+1, got values \{0\}" + REMEDY),
        ([False, True, True], False, r"y must be −1 or \+1, got values \{0, 1\}" + REMEDY),
        (jnp.array([0.0, 1.0, 1.0]), False, r"y must be −1 or \+1, got values \{0, 1\}" + REMEDY),
        ([1, 2, 3], False, r"y must be −1 or \+1, got values \{1, 2, 3\}"),
        ([-1, 0, 1], False, r"y must be −1 or \+1, got values \{-1, 0, 1\}"),
        ([1.0, -1.0, NAN], False, r"y must be −1 or \+1, got values \{-1, 1, nan\}"),
        (["a", "b", "a"], False, "y must hold real numbers, got dtype <U1"),
        ([1j, -1.0, 1.0], False, "y must hold real numbers, got dtype complex128"),
        ([1.0, -1.0], False, r"y must have shape \(3,\), one label per point, got \(2,\)"),
        ([[1.0], [1.0], [-1.0]], False, r"y must have shape \(3,\), .* got \(3, 1\)"),
        ([1, 1, 1], True, r"y must contain both classes −1 and \+1, got only \+1"),
        ([-1.0, -1.0, -1.0], True, r"y must contain both classes −1 and \+1, got only -1"),
    ],
)
def test_bad_labels_are_named_with_what_was_expected(y, both, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        check_labels("y", y, 3, both=both)


def test_many_wrong_labels_are_cut_short():
    with pytest.raises(ValueError, match=r"got values \{0, 1, 2, 3, 4, …\}$"):
        check_labels("y", np.arange(10), 10)


@pytest.mark.parametrize("y", [[1, -1, 1], np.array([1, -1, -1], np.int8), jnp.array([1.0, -1, 1])])
def test_good_labels_pass(y):
    check_labels("y", y, 3, both=True)
    check_labels("y", np.ones(3), 3)


def test_traced_values_pass_but_traced_shapes_are_checked():
    def checked(x, y, slope):
        check_points("x", x)
        check_labels("y", y, 2)
        check_real("slope", slope, low=0, high=1)
        return x.sum()

    jax.eval_shape(checked, jnp.full((2, 3), NAN), jnp.zeros(2), jnp.float64(7.0))
    with pytest.raises(ValueError, match=r"y must have shape \(2,\)"):
        jax.eval_shape(checked, jnp.ones((2, 3)), jnp.ones(3), 0.5)
    with pytest.raises(ValueError, match="x must be a matrix"):
        jax.eval_shape(checked, jnp.ones(3), jnp.ones(2), 0.5)


@pytest.mark.parametrize("config", [3, "m=8", REGISTRY["separability.mean"].config])
def test_a_configuration_of_another_statement_is_refused(config):
    statement = REGISTRY["lazy.movement"]
    with pytest.raises(ValueError, match="config must be a MovementSetting, got "):
        evaluate(statement, make_key(0), 2, config)
    for function in (explain, falsify):
        with pytest.raises(ValueError, match="config must be a MovementSetting, got "):
            function(statement, config=config)


def test_a_dimension_that_is_no_size_of_an_array_is_varied_beyond_those():
    """d = 10¹¹ stands in coordinates of the points' span."""
    config = REGISTRY["orthogonal.benign-overfitting-explicit"].config
    assert largest_integer(config, "d") == 2**53
    assert largest_integer(config, "n") == 2**31 - 1
    checked = check_ranges(config, {"d": (1e10, 1e12)})
    assert checked == {"d": (1e10, 1e12)}
    with pytest.raises(ValueError, match="over n must be at most 2147483647 for an integer"):
        check_ranges(config, {"n": (10, 1e12)})
