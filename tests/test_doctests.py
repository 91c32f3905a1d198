"""The examples in docstrings run and print what they say."""

import doctest
import importlib
import pkgutil

import jax
import pytest

import theory


def examples():
    """Every docstring of `theory` with an example."""
    finder = doctest.DocTestFinder(exclude_empty=True)
    for found in pkgutil.walk_packages(theory.__path__, "theory."):
        module = importlib.import_module(found.name)
        names = vars(theory) | vars(module) | {"jax": jax}
        yield from (test for test in finder.find(module, globs=names) if test.examples)


EXAMPLES = list(examples())


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda test: test.name)
def test_examples_of_docstrings(example):
    result = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE).run(example)
    assert result.attempted
    assert not result.failed


def test_there_are_some():
    assert len(EXAMPLES) >= 4
