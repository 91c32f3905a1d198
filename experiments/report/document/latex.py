"""Text and formulas in LaTeX that pdflatex reads: every character beyond ASCII as a command."""

import re
import unicodedata
from collections.abc import Sequence

from experiments.report.document.mathematics import FUNCTIONS, Node, Piece

SPECIAL = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#",
    "%": r"\%", "_": r"\_", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", '"': "''",
    "`": r"\textasciigrave{}",
}  # fmt: skip
WORDS = {
    "–": "--", "—": "---", "“": "``", "”": "''", "‘": "`", "’": "'", "…": r"\ldots{}",
    "·": "$\\cdot$", "×": "$\\times$", "\u200b": "", "\u2060": "{}", "\xa0": "~",
}  # fmt: skip
GREEK = (
    "alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa", "lambda",
    "mu", "nu", "xi", "omicron", "pi", "rho", "varsigma", "sigma", "tau", "upsilon", "varphi",
    "chi", "psi", "omega",
)  # fmt: skip
SYMBOLS = {
    "≤": r"\le", "≥": r"\ge", "≠": r"\ne", "≪": r"\ll", "≫": r"\gg", "≈": r"\approx", "∼": r"\sim",
    "→": r"\to", "⇒": r"\Rightarrow", "⇔": r"\Leftrightarrow", "∈": r"\in", "∉": r"\notin",
    "∩": r"\cap", "∪": r"\cup", "⊥": r"\perp", "⊤": r"\top", "∇": r"\nabla", "∂": r"\partial",
    "∞": r"\infty", "∑": r"\sum", "Σ": r"\Sigma", "√": r"\surd", "‖": r"\Vert", "⟨": r"\langle",
    "⟩": r"\rangle", "∘": r"\circ", "∝": r"\propto", "±": r"\pm", "−": "-", "×": r"\times",
    "·": r"\cdot", "…": r"\ldots", "ℓ": r"\ell", "ϵ": r"\epsilon", "φ": r"\varphi", "∫": r"\int",
    "½": r"\tfrac12", "¼": r"\tfrac14", "¾": r"\tfrac34", "⅓": r"\tfrac13", "⅔": r"\tfrac23",
    "⅛": r"\tfrac18", "≡": r"\equiv", "|": r"\vert", "–": "-",
    "Γ": r"\Gamma", "Δ": r"\Delta", "Θ": r"\Theta", "Λ": r"\Lambda", "Ξ": r"\Xi", "Π": r"\Pi",
    "Φ": r"\Phi", "Ψ": r"\Psi", "Ω": r"\Omega", "ℝ": r"\mathbb{R}", "ℙ": r"\mathbb{P}",
    "∀": r"\forall", "∃": r"\exists", "¬": r"\neg", "∧": r"\wedge", "∨": r"\vee",
    "⌊": r"\lfloor", "⌋": r"\rfloor",
    "⌈": r"\lceil", "⌉": r"\rceil", "°": r"^\circ", "′": "'", "″": "''", "∗": r"\ast",
    "⊂": r"\subset", "⊆": r"\subseteq", "⊃": r"\supset", "⊇": r"\supseteq", "∅": r"\emptyset",
    "⊙": r"\odot", "⊗": r"\otimes", "⊕": r"\oplus", "∏": r"\prod", "∥": r"\parallel",
    "≲": r"\lesssim", "≳": r"\gtrsim", "≺": r"\prec", "≻": r"\succ", "⪯": r"\preceq",
    "⪰": r"\succeq", "≃": r"\simeq", "≅": r"\cong", "←": r"\leftarrow", "↔": r"\leftrightarrow",
    "↦": r"\mapsto", "∖": r"\setminus", "⋯": r"\cdots", "†": r"\dagger", "ℕ": r"\mathbb{N}",
    "ℤ": r"\mathbb{Z}", "ℚ": r"\mathbb{Q}", "ℂ": r"\mathbb{C}", "𝔼": r"\mathbb{E}",
    **{chr(ord("α") + k): rf"\{name}" for k, name in enumerate(GREEK) if name != "omicron"},
}  # fmt: skip
ACCENTS = {
    "\u0302": r"\hat", "\u0304": r"\bar", "\u0303": r"\tilde", "\u0307": r"\dot",
    "\u0308": r"\ddot",
}  # fmt: skip
TEXT_ACCENTS = {
    "\u0300": r"\`", "\u0301": r"\'", "\u0302": r"\^", "\u0303": r"\~", "\u0304": r"\=",
    "\u0307": r"\.", "\u0308": r"\"", "\u030a": r"\r", "\u030b": r"\H", "\u030c": r"\v",
    "\u0327": r"\c", "\u0328": r"\k",
}  # fmt: skip
DIGEST = re.compile(r"\b[0-9a-f]{24,}\b")
LETTERS = {"ß": r"\ss{}", "ø": r"\o{}", "Ø": r"\O{}", "ł": r"\l{}", "Ł": r"\L{}", "æ": r"\ae{}"}


def escaped(text: str) -> str:
    """Words, as they are to be read; what has no command is named by its number."""
    apart = re.sub("-(?=-)", "-\u2060", text)  # two hyphens of an option are no dash
    words = "".join(map(_character, unicodedata.normalize("NFC", apart)))
    words = DIGEST.sub(lambda found: r"\allowbreak{}".join(re.findall(".{1,8}", found[0])), words)
    return re.sub(r"(?<=\w)(\\_|[./(])(?=[^\W\d])", r"\1\\allowbreak{}", words)


def _character(character: str) -> str:
    for table in (SPECIAL, WORDS, LETTERS):
        if character in table:
            return table[character]
    if character.isascii():
        return character if character.isprintable() else " "
    if character in SYMBOLS:
        return f"$\\mathstrut{SYMBOLS[character]}$"
    base, *accents = unicodedata.normalize("NFKD", character)
    if not base.isascii():
        base = f"${SYMBOLS[base]}$" if base in SYMBOLS else ""
    if base and not accents:
        return _character(base) if base.isascii() else base
    if base.isascii() and base.isalpha() and len(accents) == 1 and accents[0] in TEXT_ACCENTS:
        return f"{TEXT_ACCENTS[accents[0]]}{{{base}}}"
    return rf"[U+{ord(character):04X}]"


def formula(piece: Piece) -> str:
    """A formula between dollars, or words escaped."""
    if piece.nodes:
        return f"${_row(piece.nodes)}$"
    return escaped(piece.text)  # LaTeX of others is shown, not run: it may read files


def _row(nodes: Sequence[Node]) -> str:
    """The nodes; a space only where it stands between two that are no operators."""
    parts = []
    for place, node in enumerate(nodes):
        beside = [*nodes[max(place - 1, 0) : place], *nodes[place + 1 : place + 2]]
        free = node.kind == "space" and any(one.kind == "o" for one in beside)
        parts.append(" " if free else _node(node))
    return "".join(parts)


def _node(node: Node) -> str:
    if node.kind in ("sub", "sup"):
        mark = "_" if node.kind == "sub" else "^"
        return f"{{{_node(node.parts[0])}}}{mark}{{{_row(node.script)}}}"
    if node.kind == "sqrt":
        return rf"\sqrt{{{_row(node.parts)}}}"
    if node.kind == "space":
        return r"\ "
    if node.kind == "i" and node.text in FUNCTIONS:
        return rf"\operatorname{{{node.text}}}"
    if node.kind == "t":
        return rf"\text{{{escaped(node.text)}}}"
    base, *accents = unicodedata.normalize("NFD", node.text)
    if accents and all(accent in ACCENTS for accent in accents):
        found = _symbol(base)
        for accent in accents:
            found = f"{ACCENTS[accent]}{{{found}}}"
        return found
    return "".join(map(_symbol, node.text))


def _symbol(character: str) -> str:
    if character in SYMBOLS:
        return f"{SYMBOLS[character]} "
    if character in "{}#$%&_":
        return f"\\{character}"
    if character.isascii() and (character.isalnum() or character in "+-*/=<>()[].,;:!?'@"):
        return character
    return rf"\text{{{escaped(character)}}}"
