"""The code that determines numbers: what counts, and that every change shows."""

import dataclasses
import sys

import jax

from experiments.results import code_version
from experiments.settings import references
from theory import REGISTRY

FILE = '''"""A statement."""
import jax
from theory import Deterministic, Statement, exceeds

BOUND = {bound}  # {comment}

def sample(key, config):
    """{docstring}"""
    return jax.random.normal(key)

statement = Statement(
    id="mine.tail", sample=sample, claim=Deterministic(lambda x, _: exceeds(BOUND, x))
)
'''


def version_of(path, **words):
    """Of a statement in a file, as a new process would read it."""
    path.write_text(FILE.format(**({"bound": 9, "comment": "σ", "docstring": "N(0, 1)"} | words)))
    module = references.load(str(path))
    try:
        return code_version.code_version(code_version.modules_of(module.statement))
    finally:
        del sys.modules[module.__name__]


def test_code_counts_and_comments_docstrings_and_layout_do_not(tmp_path):
    before = version_of(tmp_path / "mine.py")
    assert before["jax"] == jax.__version__
    for words in ({"comment": "standard deviations"}, {"docstring": "One."}, {"bound": "(\n9)"}):
        assert version_of(tmp_path / "mine.py", **words) == before
    assert version_of(tmp_path / "mine.py", bound=8)["sha256"] != before["sha256"]


def test_imports_are_followed_and_functions_of_experiments_not_looked_into():
    ours = {
        name
        for name in code_version.closure("experiments.settings.text")
        if name.startswith("experiments.")
    }
    assert ours == {
        "experiments.settings.text",
        "experiments.settings.number_lists",
        "experiments.settings.numbers",
        "experiments.machine.environment",
    }
    # `tables` imports `dataset` in a function, `cells` imports a name of `store`
    assert "experiments.results.dataset" not in code_version.closure("experiments.results.cells")
    assert "experiments.results.store" in code_version.closure("experiments.results.cells")


def test_a_name_that_a_package_passes_on_is_followed_to_where_it_is_defined():
    assert "theory.verification.verify" in code_version.closure("experiments.verify.running")
    # A statement counts with what it is written in, and not with the other families.
    found = code_version.modules_of(REGISTRY["lazy.activation-stability"])
    assert found == {"theory.statements.lazy.movement"}
    closure = set().union(*map(code_version.closure, found))
    assert "theory.infinite_width.lazy" in closure
    assert not [name for name in closure if name.startswith("theory.statements.ntk")]


def test_functions_that_a_function_was_made_of_count():
    """`rates` in one module makes the sampler from what another one measures."""

    def sample(key, config):
        return sample, made  # itself, and a function of another module

    made = REGISTRY["ntk.linearization"].sample
    statement = dataclasses.replace(REGISTRY["lazy.activation-stability"], sample=sample)
    found = code_version.modules_of(statement)
    assert {"theory.statements.ntk.widths", "theory.statements.ntk.linearization"} <= found


def test_all_that_a_statement_is_made_of_counts():
    other = dataclasses.replace(
        REGISTRY["lazy.activation-stability"], sample=REGISTRY["ntk.linearization"].sample
    )
    assert "theory.statements.ntk.linearization" in code_version.modules_of(other)
