"""Every bad input gets one line that names the field, what was expected and what came."""

import functools
import operator

import pytest
from soundness import messages
from soundness.processes import printed


@functools.cache
def raised_by_name():
    return printed("messages")


@pytest.mark.parametrize("bad", messages.BAD, ids=operator.attrgetter("name"))
def test_message(bad):
    raised = raised_by_name()[bad.name]
    assert raised, f"nothing is raised; expected a word of each of {bad.says}"
    kind, message = raised
    assert kind == "ValueError", f"{kind}: {message}"
    assert "\n" not in message
    assert len(message) <= 250, message
    missing = [words for words in bad.says if not any(word in message for word in words.split("|"))]
    assert not missing, f"no word of {missing} in {message!r}"


def test_names_are_unique():
    names = [bad.name for bad in messages.BAD]
    assert len(names) == len(set(names))
