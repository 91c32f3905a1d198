"""Mathematics found in words, and the report in Markdown and LaTeX."""

import re
import shutil
import subprocess

import pytest
from latex2mathml import converter
from report.document import stored

from experiments.report.document import gathering, latex, mathematics, texts
from theory import REGISTRY

SAID = [
    ("‖x_k‖² ≤ d for every k", ["‖x_k‖² ≤ d", "k"]),
    ("a network of width m", ["m"]),
    ("falls like m^(−1/2), as in K24b", ["m^(−1/2)"]),
    ("within 8 draws of 20", []),
    ("cos(r_k, q_k) = T‖q_k‖/√(T²‖q_k‖² + (1 + γ²)/2)",) * 2,
    ("f's margin (see lazy.dynamics)", []),
    ("costs $5 and $10", ["$5 and $"]),  # as dollars in LaTeX are
]


def formulas(text):
    return [p.text for p in mathematics.pieces(text) if p.nodes or p.latex]


@pytest.mark.parametrize(("text", "found"), SAID)
def test_formulas_are_told_from_words(text, found):
    assert formulas(text) == ([found] if isinstance(found, str) else found)


def test_no_word_of_any_statement_is_lost():
    for statement in REGISTRY.values():
        for text in (statement.title, statement.says):
            pieces = mathematics.pieces(text)
            assert "".join(piece.text for piece in pieces) == text
            shown = re.sub(r"<mspace[^>]*>", " ", "".join(map(mathematics.mathml, pieces)))
            shown = re.sub(r"<[^>]*>", "", shown).replace("&lt;", "<").replace("&gt;", ">")
            # Marks of scripts and roots, and brackets of groups, are what becomes of structure.
            marks = r"[\s_^√(){}⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ᵀⁿ₀₁₂₃₄₅₆₇₈₉₊₋0-9+−⊤n]|&#x27;|&quot;|['\"]"
            assert re.sub(marks, "", shown) == re.sub(marks, "", text)


@pytest.mark.parametrize(
    ("text", "element"),
    [
        ("x_k²", "<msup><msub><mi>x</mi><mrow><mi>k</mi></mrow></msub><mrow><mn>2</mn></mrow>"
         "</msup>"),
        ("√m ≥ 2", "<msqrt><mrow><mi>m</mi></mrow></msqrt></math> <math><mo>≥</mo></math> <math>"
         "<mn>2</mn>"),
        ("T_fk_f", "<msub><mi>T</mi><mrow><mi>f</mi></mrow></msub><msub><mi>k</mi><mrow><mi>f</mi>"
         "</mrow></msub>"),
        ("λ_min < 1", "<msub><mi>λ</mi><mrow><mi>min</mi></mrow></msub></math> <math><mo>&lt;</mo>"
         "</math> <math><mn>1</mn>"),
    ],
)  # fmt: skip
def test_elements_of_mathml(text, element):
    (piece,) = mathematics.pieces(text)
    assert mathematics.mathml(piece) == f"<math>{element}</math>"


@pytest.mark.parametrize(
    "latex",
    [r"\href{javascript:alert(1)}{x}", r"\style{color:red}{x}", r"\unknown{x}", "\\class{a}{x}",
     "x_{", r"\text{<script>}", r"\includegraphics{http://a.b/c.png}"],
)  # fmt: skip
def test_latex_of_others_makes_nothing_but_mathml(latex):
    (piece,) = mathematics.pieces(f"${latex}$")
    shown = mathematics.mathml(piece)
    assert "<script" not in shown
    assert not re.search(r"<[^>]*(href|src|style|\bon\w+)=", shown)
    assert "<math" in mathematics.mathml(mathematics.pieces(r"$\frac{x}{2}$")[0])


def test_formulas_in_latex_are_read_by_a_converter():
    """Of every statement: nothing of them is left as a command that it does not know."""
    for statement in REGISTRY.values():
        for piece in mathematics.pieces(f"{statement.title} {statement.says}"):
            written = latex.formula(piece)
            assert written.isascii(), piece.text
            if piece.nodes:
                element = converter.convert(written[1:-1])
                assert not re.search(r"\\[A-Za-z]", re.sub(r"<[^>]*>", "", element)), written


def test_words_in_latex():
    assert latex.escaped("50 % of {x}_i & ~#$^\\<é ü ≤ ß") == (
        r"50 \% of \{x\}\_i \& \textasciitilde{}\#\$\textasciicircum{}"
        r"\textbackslash{}\textless{}\'{e} \"{u} $\mathstrut\le$ \ss{}"
    )
    assert latex.escaped("a_b/c.d 0.5") == r"a\_\allowbreak{}b/\allowbreak{}c.\allowbreak{}d 0.5"
    assert latex.escaped("中\x07") == r"[U+4E2D] "


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    place = tmp_path_factory.mktemp("results")
    directories = [stored.hostile(place / "verified"), stored.searched(place / "searched")]
    return gathering.gather([str(one) for one in directories], stored.HOSTILE)


def test_options_stay_options_and_digests_can_be_broken():
    """TeX makes a dash of two hyphens."""
    assert latex.escaped("--draws 4 - 5 ---x") == "-{}-draws 4 - 5 -{}-{}-x"
    digest = "0123456789abcdef" * 4
    assert latex.escaped(digest).split(r"\allowbreak{}") == ["01234567", "89abcdef"] * 4


def test_powers_of_ten():
    (piece,) = mathematics.pieces("3.3e−15")
    assert mathematics.mathml(piece) == (
        "<math><mn>3.3</mn><mo>×</mo><msup><mn>10</mn><mrow><mo>−</mo><mn>15</mn></mrow></msup>"
        "</math>"
    )
    (piece,) = mathematics.pieces("≤ 2e+5")
    assert r"2\times {10}^{5}" in latex.formula(piece)


def test_latex_knows_every_character_of_the_registry():
    for statement in REGISTRY.values():
        for text in (statement.title, statement.says, statement.source, statement.caveat):
            assert "[U+" not in "".join(map(latex.formula, mathematics.pieces(text))), text


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="there is no pdflatex")
def test_latex_is_compiled(report, tmp_path):
    (tmp_path / "report.tex").write_text(texts.latex(report))
    (tmp_path / "main.tex").write_text(
        r"\documentclass{article}\usepackage{amsmath,amssymb,longtable}"
        "\n\\begin{document}\n\\input{report}\n\\end{document}\n"
    )
    run = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "main.tex"]
    done = subprocess.run(run, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:]
    assert "Missing character" not in done.stdout
    assert (tmp_path / "main.pdf").stat().st_size > 10_000


def test_latex_holds_no_command_of_others(report):
    text = texts.latex(report)
    assert text.isascii()
    assert "\\input" not in text
    assert "\\href" not in text
    commands = set(re.findall(r"\\([A-Za-z]+)", text))
    assert commands >= {"section", "subsection", "begin", "textbf", "item"}
    begun, ended = (re.findall(rf"\\{word}{{(\w+)}}", text) for word in ("begin", "end"))
    assert sorted(begun) == sorted(ended)
    plain = re.sub(r"\\[^A-Za-z]", "", text)
    assert plain.count("{") == plain.count("}")
    assert plain.count("$") % 2 == 0
    assert not re.findall(r"(?<!\\)[%#]", text)
    (table,) = re.findall(r"\\endhead\n(.*?)\\end{longtable}", text, re.S)[:1]
    assert [row.count("&") - row.count("\\&") for row in table.splitlines()] == [5] * 7


def test_markdown_shows_what_people_wrote(report):
    text = texts.markdown(report)
    lines = text.splitlines()
    outside = re.sub(r"(?ms)^(`{3,})sh$.*?^\1$", "", text)
    assert not re.search(r"(?<!\\)[<]", outside)
    rows = [line for line in lines if line.startswith("| ")]
    assert all(len(re.findall(r"(?<!\\)\|", row)) == 7 for row in rows[:8])
    assert "| toy.wrong | known erratum |" in text
    assert "**Error bars and what varies.**" in text
    assert "toy.vacuous" in text
    assert lines[0].startswith("# \\<script\\>")
    assert text.count("```sh") == 2
