"""Mathematics in plain text, as statements are described in: found, and set as MathML or LaTeX.

"‖x_k‖² ≤ d for every k" is a formula, words, and a formula. Nothing is left out or added but for
the brackets that make a group of "m^(−1/2)". Between dollar signs it is LaTeX already.
"""

import html
import itertools
import re
import unicodedata
from collections.abc import Sequence
from typing import NamedTuple

FUNCTIONS = (
    "sgn", "cos", "sin", "arccos", "arcsin", "arctan", "log", "ln", "exp", "max", "min", "sup",
    "inf", "Var", "Cov", "tanh",
)  # fmt: skip
SUPERSCRIPTS = dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ᵀⁿ", "0123456789+−⊤n", strict=True))
SUBSCRIPTS = dict(zip("₀₁₂₃₄₅₆₇₈₉₊₋", "0123456789+−", strict=True))
OPERATORS = "+−±·×/=≠<>≤≥≪≫≈∼→⇒⇔∈∉∩∪⊥∇∂∞∑Σ√‖⟨⟩|∘∝⊤≡"
ARTICLES = ("a", "A", "I")  # words of one letter
TOKEN = re.compile(
    r"\d+(?:[.,]\d+)*|[^\W\d_]\u0302?\u0304?[\u0300-\u036f]*|\s+|.", re.DOTALL | re.UNICODE
)
NEUTRAL = re.compile(r"(?=.*\d)[\d.()\[\]{}]+,?")
CODE = re.compile(r"\b[A-Z]\d+[a-z]?\b|\b\d{3,}[a-z]\b|'s\b|\.[a-z]{2}")
POWER_OF_TEN = re.compile(r"(?<=\d)e([+−-])(\d+)\b")  # 3.3e−15
DOLLARS = re.compile(r"\$([^$\n]+)\$")


class Node(NamedTuple):
    """A part of a formula.

    kind: "i" identifier, "n" number, "o" operator, "t" words, "space"; "sub", "sup" and "sqrt" hold
      other nodes, the base first.
    """

    kind: str
    text: str = ""
    parts: tuple["Node", ...] = ()
    script: tuple["Node", ...] = ()


class Piece(NamedTuple):
    """Words, or a formula (`nodes`, or `latex` as somebody wrote it)."""

    text: str
    nodes: tuple[Node, ...] = ()
    latex: str = ""


def pieces(text: str) -> list[Piece]:
    """Words and formulas of a text, in order."""
    found = []
    for number, part in enumerate(DOLLARS.split(text)):
        if number % 2:
            found.append(Piece(f"${part}$", latex=part))
        elif part:
            found += _of_words(part)
    return found


def _of_words(text: str) -> list[Piece]:
    """Neighbouring words that are mathematical are one formula."""
    found: list[Piece] = []
    for word, formula in _runs(re.findall(r"\S+|\s+", text)):
        core = word.rstrip(".,;: \n") if formula else word
        if formula and core:
            found.append(Piece(core, tuple(_parsed(core))))
            word = word[len(core) :]
        if word:
            found.append(Piece(word))
    return found


def _runs(words: Sequence[str]) -> list[tuple[str, bool]]:
    """Words and spaces, joined where they are of one kind."""
    formulas = [_is_formula(word) for word in words]
    for place, word in enumerate(words):  # numbers and brackets go with what is beside them
        if NEUTRAL.fullmatch(word):
            beside = [*words[max(place - 2, 0) : place], *words[place + 1 : place + 3]]
            joined = any(set(one) <= set(OPERATORS) for one in beside) or any(
                c in "()[]{}" for c in word
            )
            formulas[place] = joined and any(formulas[max(place - 2, 0) : place + 3])
    runs: list[tuple[str, bool]] = []
    for place, word in enumerate(words):
        formula = formulas[place]
        if word.isspace() and 0 < place < len(words) - 1:
            formula = formulas[place - 1] and formulas[place + 1] and words[place - 1][-1] != "."
        if runs and runs[-1][1] == formula:
            runs[-1] = (runs[-1][0] + word, formula)
        else:
            runs.append((word, formula))
    return runs


def _is_formula(word: str) -> bool:
    if CODE.search(word):
        return False
    letters = re.findall(r"[^\W\d_]+", unicodedata.normalize("NFC", word))
    greek = any("α" <= c <= "ω" or "Α" <= c <= "Ω" for c in word)
    if any(len(run) > 3 and run not in FUNCTIONS and run.isascii() for run in letters):
        return False
    if greek or any(c in OPERATORS or c in "_^" or c in SUPERSCRIPTS for c in word):
        return True
    core = word.strip(".,;:()[]")
    return core not in ARTICLES and len(letters) > 0 and all(len(run) == 1 for run in letters)


def _in_tens(found: re.Match[str]) -> str:
    return f"×10^({'' if found[1] == '+' else '−'}{int(found[2])})"


class _Reader:
    """Tokens of a formula, read from the left."""

    def __init__(self, text: str) -> None:
        self.tokens = TOKEN.findall(text)
        self.at = 0

    def peek(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def after(self) -> str:
        return self.tokens[self.at + 1] if self.at + 1 < len(self.tokens) else ""

    def take(self) -> str:
        token = self.peek()
        self.at += 1
        return token


def _parsed(text: str) -> list[Node]:
    reader = _Reader(POWER_OF_TEN.sub(_in_tens, text))
    found: list[Node] = []
    while reader.peek():
        found.append(_scripted(_one(reader), reader))
    return found


def _one(reader: _Reader, *, script: bool = False) -> Node:
    """The next node; in a script the letter before another script belongs to that, as in T_fk_f."""
    token = reader.take()
    if token.isspace():
        return Node("space", token)
    if token[0].isdigit() and token[0] not in SUPERSCRIPTS and token[0] not in SUBSCRIPTS:
        return Node("n", token)
    if token == "√":
        return Node("sqrt", "√", tuple(_group(reader)))
    if token[0].isalpha() and token[0] not in SUPERSCRIPTS:
        word = token
        while token.isascii() and reader.peek().isascii() and reader.peek().isalpha():
            if word[-1].islower() and reader.peek().isupper():  # T_fT_g
                break
            if script and reader.after() in ("_", "^"):
                break
            word += reader.take()
        return Node("i", word) if len(word) == len(token) or word in FUNCTIONS else Node("t", word)
    return Node("o", token)


def _scripted(base: Node, reader: _Reader) -> Node:
    """The node with the scripts that follow it."""
    while True:
        following = reader.peek()
        if following in ("_", "^") and following and base.kind != "space":
            reader.take()
            kind, script = ("sub" if following == "_" else "sup"), _group(reader)
        elif following and following in SUPERSCRIPTS:
            kind, script = "sup", _unicode(reader, SUPERSCRIPTS)
        elif following and following in SUBSCRIPTS:
            kind, script = "sub", _unicode(reader, SUBSCRIPTS)
        else:
            return base
        base = Node(kind, "", (base,), tuple(script))


def _unicode(reader: _Reader, table: dict[str, str]) -> list[Node]:
    text = ""
    while reader.peek() and reader.peek() in table:
        text += table[reader.take()]
    return [Node("o" if c in "+−⊤" else "n" if c.isdigit() else "i", c) for c in text]


def _group(reader: _Reader) -> list[Node]:
    """What is in the brackets that follow, without them, or one node."""
    closing = {"(": ")", "{": "}"}.get(reader.peek())
    rest = reader.tokens[reader.at + 1 :]
    if closing is None or closing not in rest:
        found = [_one(reader, script=True)] if reader.peek() else []
        if found and found[0].text in ("−", "+") and reader.peek():
            found.append(_one(reader, script=True))
        return found
    opening, depth, found = reader.take(), 1, []
    while reader.peek():
        depth += (reader.peek() == opening) - (reader.peek() == closing)
        if depth == 0:
            reader.take()
            break
        found.append(_scripted(_one(reader), reader))
    return found


def mathml(piece: Piece) -> str:
    """A formula as an element of MathML; words, escaped."""
    if piece.latex:
        return _converted(piece.latex) or html.escape(piece.text)
    if not piece.nodes:
        return html.escape(piece.text)
    # At its spaces a line may be broken, which browsers do not do within an element.
    parts = [list(part) for space, part in itertools.groupby(piece.nodes, _is_space) if not space]
    return " ".join(f"<math>{''.join(map(_element, part))}</math>" for part in parts)


def _is_space(node: Node) -> bool:
    return node.kind == "space"


def _converted(latex: str) -> str:
    """LaTeX as MathML, "" for what the converter does not know or would write down as it is."""
    from latex2mathml import converter

    try:
        element = converter.convert(latex)
    except Exception:  # its errors have no common base
        return ""
    if re.search(r"\\[A-Za-z]+", re.sub(r"<[^>]*>", "", element)) or _is_unsafe(element):
        return ""
    return element


def _is_unsafe(element: str) -> bool:
    """Whether it holds more than MathML: LaTeX has commands that name addresses and scripts."""
    tags = re.findall(r"</?([A-Za-z0-9]+)([^<>]*)>", element)
    others = re.sub(r"</?[A-Za-z0-9]+[^<>]*>", "", element)
    known = ("math", "semantics", "annotation")
    odd = any(
        not (tag in known or re.fullmatch(r"m[a-z]+", tag))
        or re.search(r"href|src|\bon|style", more)
        for tag, more in tags
    )
    return odd or "<" in others or ">" in others


def _element(node: Node) -> str:
    if node.kind in ("sub", "sup"):
        tag, base = f"m{node.kind}", _element(node.parts[0])
        return f"<{tag}>{base}{_row(node.script)}</{tag}>"
    if node.kind == "sqrt":
        return f"<msqrt>{_row(node.parts)}</msqrt>"
    if node.kind == "space":
        return '<mspace width="0.25em"/>'
    tag = {"i": "mi", "n": "mn", "o": "mo", "t": "mtext"}[node.kind]
    stretched = ' stretchy="false"' if node.text in "()[]{}|‖⟨⟩" else ""
    return f"<{tag}{stretched if tag == 'mo' else ''}>{html.escape(node.text)}</{tag}>"


def _row(nodes: Sequence[Node]) -> str:
    return f"<mrow>{''.join(map(_element, nodes))}</mrow>"
