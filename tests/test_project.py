"""The house: one arrow, purity, and a README that tells the truth."""

import ast
import contextlib
import io
import pathlib
import re

import jax
import pytest
from untyped import known

from theory import REGISTRY

ROOT = pathlib.Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
THEORY = sorted((ROOT / "theory").rglob("*.py"))


def imported(path: pathlib.Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.split(".")[0])
    return names


@pytest.mark.parametrize("path", THEORY, ids=lambda p: p.name)
def test_theory_is_pure(path):
    forbidden = {"experiments", "matplotlib", "rich", "sklearn", "argparse", "pathlib", "os"}
    assert not imported(path) & forbidden
    calls = {
        node.func.id
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    assert not calls & {"print", "open", "input"}


def test_only_the_adapter_imports_neural_tangents():
    others = [p for p in THEORY if p.name != "_neural_tangents.py"]
    assert not [p.name for p in others if "neural_tangents" in imported(p)]


def test_the_example_of_the_readme_runs_and_prints_what_it_says():
    example, printed = known(
        re.search(r"```python\n(.*?)```\n\n```text\n(.*?)```", README, re.S)
    ).groups()
    out = io.StringIO()
    # A user's script runs in JAX's default precision.
    with contextlib.redirect_stdout(out), jax.enable_x64(False):
        exec(compile(example, "README.md", "exec"), {})
    assert " ".join(out.getvalue().split()) == " ".join(printed.split())


def test_the_gate_runs_the_test_command_of_the_readme():
    (command,) = re.findall(r"^python3 .*pytest$", README, re.M)
    assert command in (ROOT / ".ci" / "run").read_text().splitlines()


def test_links_in_the_documentation_resolve():
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))):
        for target in re.findall(r"\]\(([^)#\s]+)?(?:#[^)]*)?\)", page.read_text()):
            if target and not target.startswith("http"):
                assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_errata_have_their_anchor():
    text = (ROOT / "docs" / "errata.md").read_text()
    anchors = {
        re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-")
        for heading in re.findall(r"^#+ (.*)$", text, re.M)
    }
    wanted = {s.erratum for s in REGISTRY.values() if s.erratum}
    assert wanted <= anchors
