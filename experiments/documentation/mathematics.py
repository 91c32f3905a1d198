"""Formulas of the documentation site as MathML, which browsers draw without scripts."""

import re

from latex2mathml import converter

from experiments.documentation.presentation import presented

LONG = 25  # letters and signs
TAG = re.compile(r"\\tag\{(.*?)\}\s*$")
# The converter knows these only where no size stands before them.
SIZED = re.compile(r"(\\[bB]igg?[lrm]?)\\(langle|rangle|lvert|rvert|vert|lbrace|rbrace|Vert)\b ?")
PLAIN = {
    "langle": "⟨", "rangle": "⟩", "lvert": "|", "rvert": "|", "vert": "|", "Vert": "‖",
    "lbrace": r"\{", "rbrace": r"\}",
}  # fmt: skip


def mathml(formula: str, *, display: bool) -> str:
    """A formula in LaTeX as a MathML element.

    Raises:
      ValueError: for what the converter does not know and would write down as it stands.
    """
    plain = SIZED.sub(lambda found: found[1] + PLAIN[found[2]], formula)
    element = converter.convert(plain, display="block" if display else "inline")
    if left := re.findall(r"\\[A-Za-z]+", re.sub(r"<[^>]*>", "", element)):
        raise ValueError(f"formula must be LaTeX that can be shown, got {left[0]} in {formula!r}")
    return presented(element, display=display)


def inline(formula: str) -> str:
    """A formula among words; a long one is marked, as a phone has no room for it."""
    element = mathml(formula, display=False)
    long = len(re.sub(r"<[^>]*>", "", element)) > LONG
    return f'<span class="long">{element}</span>' if long else element


def block(formula: str) -> str:
    r"""A formula of its own lines, with the number that \tag gives it at the right edge."""
    bare, *numbers = TAG.split(formula)
    number = f'<span class="number">({numbers[0]})</span>' if numbers else ""
    return f'<div class="formula">{mathml(bare, display=True)}{number}</div>\n'
