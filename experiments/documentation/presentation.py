"""What browsers need to set MathML as TeX does, and the converter leaves out.

MathML Core has no alphabets but Unicode's, and spaces an operator by its place among its siblings,
where TeX goes by what it is.
"""

import re
import unicodedata
import xml.etree.ElementTree as ET

THIN = "0.167em"
NONE = "0em"
LIMITS = {"min", "max", "sup", "inf", "lim"}
SIGNS = set("+-−±∓")
CLOSING = set(")]}⟩|‖!⌋⌉⊤*∗′.")
ORDINARY = set("∞∂∇")  # the only letters among the signs of mathematics
SAME = {"~": "∼"}  # an accent, and the relation
SCRIPTS = {"msub", "msup", "msubsup", "munder", "mover", "munderover"}


def presented(element: str, *, display: bool) -> str:
    """An element of MathML as it was converted, with alphabets and spaces as in TeX."""
    root = ET.fromstring(re.sub(r' xmlns="[^"]*"', "", element))
    for node in root.iter():
        if style := node.get("mathvariant"):
            _set_letters(node, style)
    for row in root.iter():
        _join_names(row)
    for row in root.iter():
        if row.tag not in SCRIPTS:
            _space(row)
    if display:
        for node in root.iter():
            _put_limits_below(node)
    return ET.tostring(root, encoding="unicode")


def _set_letters(node: ET.Element, style: str) -> None:
    """𝐱 for <mi mathvariant="bold">x</mi>; upright letters have no other form."""
    if style != "normal":
        del node.attrib["mathvariant"]
        node.text = "".join(_letter(letter, style) for letter in node.text or "")


def _letter(letter: str, style: str) -> str:
    words = unicodedata.name(letter, "").replace(" LETTER", "").split(" ")
    name = " ".join(
        [style.replace("d-i", "d i").upper(), *(words if words[0] == "DIGIT" else words[1:])]
    )
    for begun in ("MATHEMATICAL ", ""):  # ℝ was there before the others
        try:
            return unicodedata.lookup(begun + name)
        except KeyError:
            continue
    return letter


def _join_names(row: ET.Element) -> None:
    """<mi>Var</mi> for a row of three upright letters, which would be set as three variables."""
    letters = list(row)
    upright = all(node.tag == "mi" and node.get("mathvariant") == "normal" for node in letters)
    if row.tag == "mrow" and len(letters) > 1 and upright:
        row.tag, row.text = "mi", "".join(node.text or "" for node in letters)
        for node in letters:
            row.remove(node)


def _core(node: ET.Element) -> ET.Element:
    """What carries the scripts, which decides about spaces."""
    while node.tag in SCRIPTS and len(node):
        node = node[0]
    return node


def _space(row: ET.Element) -> None:
    cores = [_core(node) for node in row]
    for before, node, after in zip([None, *cores], cores, [*cores[1:], None], strict=False):
        text = node.text = SAME.get(node.text or "", node.text or "")
        if text in ORDINARY:
            node.tag = "mi"
        elif node.tag == "mi" and _is_sign(text):
            node.tag = "mo"
        if text in ("|", "‖", "⟨", "⟩"):
            node.attrib |= {"stretchy": "false", "lspace": NONE, "rspace": NONE}
        elif text == "/" or node.get("minsize"):  # \bigl( as well
            node.attrib |= {"lspace": NONE, "rspace": NONE}
        elif text in SIGNS and _is_operator(before):
            node.set("form", "prefix")
        elif node.tag in ("mi", "mo") and re.fullmatch(r"[A-Za-z]{2,}", text):
            _space_name(node, before, after)


def _is_sign(text: str) -> bool:
    """Also what the converter takes for a letter: ±, ∼ and angles."""
    return len(text) == 1 and unicodedata.category(text) in ("Sm", "Ps", "Pe")


def _is_operator(node: ET.Element | None) -> bool:
    """Whether a sign after this one belongs to what follows."""
    return node is None or (node.tag == "mo" and (node.text or "") not in CLOSING)


def _space_name(node: ET.Element, before: ET.Element | None, after: ET.Element | None) -> None:
    """Of log and its like: a thin space to each side, but none to a parenthesis or the rim."""
    node.tag = "mo"
    node.attrib.pop("mathvariant", None)
    free = after is None or after.tag == "mo"
    close = before is None or before.tag == "mo"
    node.attrib |= {"lspace": NONE if close else THIN, "rspace": NONE if free else THIN}


def _put_limits_below(node: ET.Element) -> None:
    if node.tag == "msub" and node[0].text in LIMITS:
        node.tag = "munder"
