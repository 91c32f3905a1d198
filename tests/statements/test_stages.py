"""The first stage of a statement holds the data: no initial weights are drawn in it."""

import pytest
from origins import INITIAL_WEIGHTS, equations_behind

from theory import REGISTRY
from theory.keys import make_key
from theory.verification.stages import seen_from

# Hypotheses about the first stage that look at initial weights.
OF_ANOTHER_NETWORK = {
    ("lazy.margin-g", "margin of g"): "g is trained on perturbations of f: given f, they are data, "
    "and δ is over the initialization of g",
}

HYPOTHESES = [
    (id, name)
    for id, statement in REGISTRY.items()
    for name, condition in statement.hypotheses.items()
    if condition.stage is not None and condition.stage == statement.first
]


def weights_behind(statement, name):
    """Where the initial weights are drawn that a hypothesis depends on, from the random key on.

    Behind a solver only what a hypothesis reads beside the solution is seen.
    """
    hypothesis = statement.hypotheses[name]

    def value(key):
        instance = seen_from(statement.sample(key, statement.config), hypothesis.stage)
        found = hypothesis.check(instance, statement.config)
        return found.value, found.error

    found = set()
    for primitive, frames in equations_behind(value, make_key(0)):
        if primitive == "random_bits":
            found |= INITIAL_WEIGHTS.intersection(frames)
    return found


@pytest.mark.parametrize(("id", "name"), HYPOTHESES)
def test_a_hypothesis_about_the_data_depends_on_no_weights(id, name):
    found = weights_behind(REGISTRY[id], name)
    assert bool(found) == ((id, name) in OF_ANOTHER_NETWORK), found


def test_weights_behind_a_hypothesis_are_found():
    """As those about the initialization have them."""
    statement = REGISTRY["lazy.margin-f-init"]
    assert statement.hypotheses["margin of f"].stage == "initialization"
    assert weights_behind(statement, "margin of f") == {("network.py", "init")}
