"""Numbers of certificates at their limits: exact zeros, near-equalities, roundings, sizes."""

from fractions import Fraction

import flint
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.certificates import check, exact, making
from experiments.certificates.functions import FUNCTIONS
from theory import Deterministic, Statement
from theory.certificates.ball.functions import power
from theory.margins import exceeds

REPEATED = np.array([[0.5, -1.0], [0.5, -1.0], [2.0, 0.0]])
DISTINCT = Statement(
    id="lemmas.distinct",
    sample=lambda key, _: {"x": jax.random.normal(key, (3, 2))},
    claim=Deterministic(
        lambda i, _: exceeds(jnp.min(jnp.sum((i["x"][:1] - i["x"][1:]) ** 2, axis=-1)), 1e-6)
    ),
)
# √d‖x‖₂ ≥ ‖x‖₁ less a share of 10⁻⁷, which equal entries do not leave.
NEAR_EQUALITY = Statement(
    id="lemmas.near-equality",
    sample=lambda key, _: {"x": jax.random.normal(key, (5,))},
    claim=Deterministic(
        lambda i, _: exceeds(
            (1 - 1e-7) * jnp.sqrt(5 * jnp.sum(i["x"] ** 2)), jnp.sum(jnp.abs(i["x"]))
        )
    ),
)


@pytest.mark.parametrize(
    ("statement", "x"), [(DISTINCT, REPEATED), (NEAR_EQUALITY, np.full(5, 0.3))]
)
def test_what_is_proved_is_accepted_where_numbers_cancel(statement, x):
    """An even power of exactly 0; a margin of a millionth of what it is the difference of."""
    found = making.counterexample(statement, {"x": x}, reference="lemmas.py")
    assert found["proved"]
    assert check.check(found)


def test_a_certificate_that_is_not_accepted_proves_nothing(monkeypatch):
    monkeypatch.setattr(making, "check", lambda _: exact.require(False, "no"))
    found = making.counterexample(DISTINCT, {"x": REPEATED}, reference="lemmas.py")
    assert not found["proved"]
    assert found["conditions"][-1]["lacks"] == "`check` does not follow: no"


@pytest.mark.parametrize(
    "text",
    ["0x1p-2000", "-0x1.00000000000000000001p+1", "-2", "2", "0x1p+1024", " 0x1.0p+0", "1e3"],
)
def test_numbers_that_would_be_rounded_or_read_otherwise_are_refused(text):
    with pytest.raises(ValueError, match="must be a float in hexadecimal"):
        exact.number(text)


def test_a_power_too_large_for_an_integer_is_none():
    """As an integer the exponent would take 2⁵⁰ bits: the process was killed."""
    two, exponent = flint.arb(2), flint.arb(2) ** 2**50
    assert not FUNCTIONS["pow"](two, exponent).is_finite()
    assert not power(two, exponent).is_finite()
    assert FUNCTIONS["pow"](-two, flint.arb(3)) == -8
    assert power(-two, flint.arb(3)) == -8


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_float_is_read_as_python_writes_it(value):
    assert exact.number(value.hex()) == Fraction(value)


def test_fewer_digits_are_the_same_number():
    assert exact.number("0x1.8p+1") == 3
    assert exact.number("-0x1p-3") == Fraction(-1, 8)
