"""`assert_statement` passes only where something was tested, and its failure shows the instance."""

import pathlib
import traceback

import jax.numpy as jnp
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.errors import HypothesisException
from loose_parts import made_of
from soundness.planted import const, sharp, uniform

import theory
from theory import margin
from theory.testing.assertions import assert_statement

FLOATS = st.floats(0.0, 1.0).map(jnp.asarray)
FEW = settings(max_examples=20, deadline=None, derandomize=True, database=None)


def about(conclusion, **parts):
    return made_of(id="toy.x", sample=uniform, conclusion=conclusion, **parts)


def failure(statement, **options):
    """The exception by which `assert_statement` fails."""
    with pytest.raises((AssertionError, HypothesisException)) as caught:
        assert_statement(statement, instances=FLOATS, settings=FEW, **options)
    return caught.value


def test_true_statement_passes():
    assert_statement(about(lambda u, _: sharp(1 + u)), instances=FLOATS, settings=FEW)


@pytest.mark.parametrize(
    "conclusion",
    [
        lambda u, _: margin(u, 10.0),
        lambda u, _: margin(u, jnp.inf),
        lambda u, _: sharp(jnp.log(-1 - u)),
    ],
    ids=["large-error", "infinite-error", "not-a-number"],
)
def test_everything_undecided_is_no_pass(conclusion):
    assert failure(about(conclusion)) is not None


def test_premise_undecided_everywhere_is_no_pass():
    undecided = {"close": lambda u, _: margin(u, 10.0)}
    assert failure(about(lambda u, _: sharp(1 + u), hypotheses=undecided)) is not None


def test_premise_never_met_is_no_pass():
    never = {"large": lambda u, _: sharp(u - 2)}
    assert failure(about(lambda u, _: sharp(1 + u), hypotheses=never)) is not None


def test_failure_shows_the_instance():
    error = failure(about(lambda u, _: sharp(u - 0.25)))
    assert isinstance(error, AssertionError)
    message = str(error)
    assert "toy.x" in message
    assert "instance" in message
    assert "conclusion" in message


def test_failure_shows_no_frames_of_its_own():
    """pytest leaves out frames with `__tracebackhide__`."""
    error = failure(about(lambda u, _: sharp(u - 0.25)))
    package = str(pathlib.Path(theory.__file__).parent)
    shown = [
        frame.f_code.co_qualname if hasattr(frame.f_code, "co_qualname") else frame.f_code.co_name
        for frame, _ in traceback.walk_tb(error.__traceback__)
        if frame.f_code.co_filename.startswith(package)
        and not frame.f_locals.get("__tracebackhide__")
    ]
    assert not shown


@pytest.mark.parametrize("kind", ["probabilistic", "moment"])
def test_single_instances_refute_no_probability(kind):
    parts = {
        "probabilistic": {
            "conclusion": lambda u, _: sharp(u - 0.5),
            "failure_probability": const(0.5),
        },
        "moment": {"quantity": lambda u, _: u, "claims": const(theory.Claim(0.5, 0.1))},
    }[kind]
    statement = made_of(id="toy.x", kind=kind, sample=uniform, **parts)
    with pytest.raises(ValueError, match="deterministic"):
        assert_statement(statement, instances=FLOATS)


def test_inconclusive_over_draws_is_no_pass():
    with pytest.raises(AssertionError, match="inconclusive"):
        assert_statement(about(lambda u, _: margin(u, 10.0)), draws=50)


def test_false_over_draws_is_no_pass():
    with pytest.raises(AssertionError, match="refuted"):
        assert_statement(about(lambda u, _: sharp(u - 0.25)), draws=50)
