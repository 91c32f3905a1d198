"""What the tier of a hypothesis says, against what the hypothesis is computed from."""

import pytest
from origins import INITIAL_WEIGHTS, JAX_RANDOM, equations_behind

from theory import REGISTRY
from theory.keys import make_key
from theory.verification.stages import seen_from

# What statements draw themselves, by file and function, and is data all the same.
DRAWN_AS_DATA = {
    ("learning.py", "_sample"): "the noise samples, where the noises do not come from a network",
    ("loss_level.py", "_sample"): "the number of points",
    ("matching.py", "draw_relabelled"): "target labels",
    ("movement.py", "_sample_moved"): "the number of points",
}
# Hypotheses of the tier "data" that look at initial weights.
OF_ANOTHER_NETWORK = {
    ("lazy.margin-g", "margin of g"): "g is trained on perturbations of f: given f, they are data, "
    "and δ is over the initialization of g",
}

HYPOTHESES = [
    (id, name)
    for id, statement in REGISTRY.items()
    for name in statement.hypotheses
    if statement.tiers[name] == "data"
]


def no_data_behind(statement, name):
    """Whose random numbers a hypothesis depends on, from the random key on, if not the data's.

    Behind a solver only what a hypothesis reads beside the solution is seen.
    """
    hypothesis = statement.hypotheses[name]

    def value(key):
        instance = seen_from(statement.sample(key, statement.config), hypothesis.stage)
        found = hypothesis.check(instance, statement.config)
        return found.value, found.error

    for primitive, frames in equations_behind(value, make_key(0)):
        if primitive == "random_bits":
            data = any(f[0] == "sampling.py" or f in DRAWN_AS_DATA for f in frames)
            if not data or not INITIAL_WEIGHTS.isdisjoint(frames):
                yield " < ".join(function for file, function in frames if file != JAX_RANDOM)


@pytest.mark.parametrize(("id", "name"), HYPOTHESES)
def test_a_hypothesis_about_the_data_depends_on_no_weights(id, name):
    found = set(no_data_behind(REGISTRY[id], name))
    assert bool(found) == ((id, name) in OF_ANOTHER_NETWORK), found


def test_weights_behind_a_hypothesis_are_found():
    """As those of the tier "init" have them."""
    found = set(no_data_behind(REGISTRY["lazy.margin-f-init"], "margin of f"))
    assert any(frames.startswith("init < ") for frames in found)
