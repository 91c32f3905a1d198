"""Formulas of the site are elements that browsers draw, or the build fails."""

import pathlib
import re
import xml.etree.ElementTree as ET

import pytest

from experiments.documentation.mathematics import block, inline, mathml

DOCS = pathlib.Path(__file__).parent.parent.parent / "docs"
CODE = re.compile(r"```.*?```|`[^`]*`", re.DOTALL)
FORMULA = re.compile(r"\$\$(.+?)\$\$|\$([^$]+?)\$", re.DOTALL)


@pytest.mark.parametrize("page", sorted(DOCS.rglob("*.md")), ids=lambda page: page.stem)
def test_every_formula_is_converted(page):
    """And none needs an alphabet that browsers do not draw."""
    for found in FORMULA.finditer(CODE.sub("", page.read_text())):
        drawn = block(found[1]) if found[1] else mathml(found[2], display=False)
        ET.fromstring(drawn)
        assert set(re.findall(r'mathvariant="(.*?)"', drawn)) <= {"normal"}


def test_what_is_not_known_fails():
    with pytest.raises(ValueError, match=r"got \\nocommand"):
        mathml(r"x + \nocommand y", display=False)


def test_a_size_before_a_delimiter_is_kept():
    shown = mathml(r"a < \bigl\lvert b\bigr\rvert", display=False)
    assert re.findall(r"<mo [^>]*minsize[^>]*>(.)</mo>", shown) == ["|", "|"]
    assert "\\" not in shown


def elements(formula, *, display=False):
    """Tag, text and what says how it is spaced, of each leaf."""
    root = ET.fromstring(mathml(formula, display=display))
    kept = ("form", "lspace", "rspace", "stretchy")
    return [
        (node.tag, node.text, {name: node.get(name) for name in kept if node.get(name)})
        for node in root.iter()
        if not len(node)
    ]


@pytest.mark.parametrize(
    ("formula", "text"),
    [
        (r"\mathbf x", "𝐱"),
        (r"\mathbf 1", "𝟏"),
        (r"\mathbb R", "ℝ"),
        (r"\mathbb E", "𝔼"),
        (r"\mathcal N", "𝒩"),
        (r"\boldsymbol\lambda", "𝝀"),
        (r"\mathbf ∘", "∘"),
    ],
)
def test_alphabets_are_letters_of_their_own(formula, text):
    assert elements(formula)[0][1] == text


def test_signs_belong_to_what_follows_unless_something_stands_before():
    forms = [form for _, text, form in elements(r"-a = -b - c(-d) - e") if text == "−"]
    assert forms == [{"form": "prefix"}] * 2 + [{}, {"form": "prefix"}, {}]


def test_relations_are_no_letters_and_infinity_is_no_relation():
    for formula in (r"a \sim b", r"a \pm b", r"a \perp b", r"a \in b"):
        assert [tag for tag, *_ in elements(formula)] == ["mi", "mo", "mi"]
    assert [tag for tag, *_ in elements(r"\nabla f \to \infty")] == ["mi", "mi", "mo", "mi"]


def test_names_of_functions_stand_apart():
    thin, none = "0.167em", "0em"
    for formula in (r"2\log n", r"2\mathrm{Var} n", r"2\max n"):
        assert elements(formula)[1][2] == {"lspace": thin, "rspace": thin}
    assert elements(r"\log(n)")[0][2] == {"lspace": none, "rspace": none}
    assert elements(r"\mathrm{Var} S")[0][:2] == ("mo", "Var")


def test_bars_are_as_high_as_they_are_written():
    bar = ("mo", "|", {"stretchy": "false", "lspace": "0em", "rspace": "0em"})
    assert elements(r"\lvert x_k\rvert")[0] == bar == elements(r"\lvert x_k\rvert")[-1]


def test_limits_stand_below_where_there_is_room():
    assert "<munder>" in mathml(r"\min_W x", display=True)
    assert "<munder>" not in mathml(r"\min_W x", display=False)


def test_a_number_stands_beside_its_formula():
    shown = block(r"x = 1 \tag{3}")
    assert shown.endswith('</math><span class="number">(3)</span></div>\n')
    assert "number" not in block("x = 1")


def test_long_formulas_among_words_are_marked():
    assert inline("x^2").startswith("<math")
    assert inline("+".join("abcdefghijklmnop")).startswith('<span class="long"><math')
