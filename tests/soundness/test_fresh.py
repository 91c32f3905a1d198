"""In a process that sets no flag of JAX verdicts are those of float64; its flags stay."""

import functools

import pytest
from soundness import fresh
from soundness.processes import printed

without_flags = functools.cache(functools.partial(printed, "fresh"))


@pytest.mark.slow
@pytest.mark.parametrize("planted", fresh.PLANTED, ids=lambda planted: planted.name)
def test_without_flags(planted):
    assert without_flags()["words"][planted.name] in planted.allowed


def test_flags_are_left_alone():
    assert without_flags()["float"] == "float32"


@pytest.mark.slow
def test_same_words_with_flags():
    assert without_flags()["words"] == fresh.words()


@pytest.mark.slow
def test_float32_on_request():
    """Where float64 is needed, float32 says that it cannot tell."""
    found = fresh.words(precision="float32")
    assert found["slack-of-one-billionth"] == "inconclusive"
    assert found["slack-of-one-billionth-missing"] == "inconclusive"
