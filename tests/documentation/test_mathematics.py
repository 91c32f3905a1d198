"""Formulas of the site are elements that browsers draw, or the build fails."""

import pathlib
import re
import xml.etree.ElementTree as ET

import pytest

from experiments.documentation.mathematics import mathml, on_page_content

DOCS = pathlib.Path(__file__).parent.parent.parent / "docs"
CODE = re.compile(r"```.*?```|`[^`]*`", re.DOTALL)
FORMULA = re.compile(r"\$\$(.+?)\$\$|\$([^$]+?)\$", re.DOTALL)


@pytest.mark.parametrize("page", sorted(DOCS.rglob("*.md")), ids=lambda page: page.stem)
def test_every_formula_is_converted(page):
    for found in FORMULA.finditer(CODE.sub("", page.read_text())):
        ET.fromstring(mathml(found[1] or found[2], display=found[1] is not None))


def test_a_page_is_converted_where_it_has_formulas():
    page = (
        "<p><code>\\(x\\)</code> "
        '<span class="arithmatex">\\(a &lt; \\bigl\\lvert b\\bigr\\rvert\\)</span></p>'
        '<div class="arithmatex">\\[\\frac12\\]</div>'
    )
    shown = on_page_content(page, page=None)
    assert shown.startswith("<p><code>\\(x\\)</code> <math")
    assert shown.count("<math") == 2
    assert 'display="block"' in shown.partition("</p>")[2]
    assert "arithmatex" not in shown
    assert "\\" not in shown.partition("</code>")[2]


def test_what_is_not_known_fails():
    with pytest.raises(ValueError, match=r"got \\nocommand"):
        mathml(r"x + \nocommand y", display=False)
