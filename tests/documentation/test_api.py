"""The reference of Python's names is complete, and readable."""

import ast
import re

import pytest

import theory
from experiments.documentation import api, docstrings
from experiments.documentation.signatures import signature
from experiments.documentation.statements import DOCS
from theory.networks import Descent, Network, train

PAGES = DOCS / "reference" / "api"


def test_every_room_has_a_page_which_asks_for_its_names():
    pages = {page.stem: page.read_text() for page in PAGES.glob("*.md")}
    assert set(pages) == {module.removeprefix("theory.") for module in api.documented()}
    assert len(pages) >= 13
    for module in api.documented():
        assert api.MARKER.findall(pages[module.removeprefix("theory.")]) == [module]


@pytest.mark.parametrize("module", api.documented())
def test_every_public_name_is_there_with_a_signature_and_a_docstring(module):
    text = api.with_names(f"<!-- public names of {module} -->")
    described = re.findall(r"^`{6}\{py:(\w+)\} (\w+)(\(.*)?$", text, re.M)
    linked = re.findall(r"`(\w+) <widetheory\.\w+>`", text) if module != api.DOOR else []
    names = {name for kind, name, _ in described if kind != "module"}
    assert set(api.public(module)) <= names | set(linked)
    for kind, name, shown in described:
        if kind == "function":
            ast.parse(f"def {name}{shown}: ...")
            assert "AnyArray" not in shown


def test_names_of_theory_are_those_of_the_door():
    for name in vars(theory):
        value = getattr(theory, name)
        if not name.startswith("_") and getattr(value, "__module__", "").startswith("theory."):
            assert name in api.public(api.DOOR)


def test_a_name_without_a_docstring_is_an_error():
    def silent():
        pass

    with pytest.raises(ValueError, match=r"must have a docstring, got none of theory\.silent"):
        api._entry("theory", "silent", silent, "`{}`".format)


def test_signatures_have_shapes_defaults_and_no_modules():
    shown = signature(train)
    assert "x: Float['n d'], y: Float['n'], descent: Descent" in shown
    assert "products: Float['n n'] | None=None" in shown.replace(" = ", "=")
    assert shown.endswith(" -> Training")
    assert signature(Descent).startswith("(learning_rate: Real, steps: Integer")
    assert "self" not in signature(Network)


DOCSTRING = """|x|·a*b of `train` and x_.

    Where

      f(x) = |x|,

    it holds.

    Args:
      x, y: (n, d) points,
        on two lines.
      **rest: `other`.

    Returns:
      A number.

    Example:
      >>> 1
      1
    """


def test_docstrings_are_no_markup():
    assert docstrings.markdown(DOCSTRING, lambda text: f"<{text}>") == "\n\n".join(
        [
            r"\|x\|·a\*b of <train> and x\_.",
            "Where",
            "```text\nf(x) = |x|,\n```",
            "it holds.",
            "**Args**",
            "- `x`, `y`: (n, d) points, on two lines.\n- `**rest`: <other>.",
            "**Returns**",
            "A number.",
            "**Example**",
            "```pycon\n>>> 1\n1\n```",
        ]
    )
