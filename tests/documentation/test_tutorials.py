"""Tutorials run as they are printed: their file, their commands, their test."""

import importlib
import re
import shlex
import sys

import pytest

from experiments.command import main
from experiments.command.verbs import parser
from experiments.documentation import statements
from theory import REGISTRY

PAGE = (statements.DOCS / "tutorials" / "my-lemma.md").read_text()
COMMANDS = [
    line
    for block in re.findall(r"```sh\n(.*?)```", PAGE, re.S)
    for line in block.splitlines()
    if line
]


def blocks(title):
    return "\n".join(re.findall(rf'```python title="{title}"\n(.*?)```', PAGE, re.S))


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A directory with the tutorial's file, which stays for all its commands."""
    directory = tmp_path_factory.mktemp("tutorial")
    (directory / "lemma.py").write_text(blocks("lemma.py"))
    return directory


LONG = ("verify", "frontier", "falsify lemma.py:mended", "falsify lemma.py:hanson")


def marked(line):
    slow = any(line.startswith(f"widetheory {long}") for long in LONG)
    return pytest.param(line, marks=[pytest.mark.slow] if slow else [])


@pytest.mark.usefixtures("restore_precision")
@pytest.mark.parametrize(
    "line", [*map(marked, COMMANDS)], ids=lambda line: line.split("--")[0].strip()
)
def test_its_commands_end_as_it_says(line, place, monkeypatch, capsys):
    monkeypatch.chdir(place)
    command, _, status = line.partition("#")
    program, *arguments = shlex.split(command)
    assert program == "widetheory"
    assert main.main(arguments) == int(status or 0), capsys.readouterr()


def test_its_test_passes(place, monkeypatch):
    monkeypatch.syspath_prepend(place)
    names: dict = {}
    exec(compile(blocks("test_lemma.py"), "test_lemma.py", "exec"), names)
    names["test_my_lemma"]()
    del sys.modules["lemma"]
    importlib.invalidate_caches()


def test_all_commands_are_run():
    assert len(COMMANDS) >= 9
    assert sum("# 1" in re.sub(r"\s+", " ", line) for line in COMMANDS) == 2


PAGES = sorted((statements.DOCS / "tutorials").glob("*.md"))
LINES = [
    (page.stem, line.partition("  #")[0])
    for page in PAGES
    for block in re.findall(r"```sh\n(.*?)```", page.read_text(), re.S)
    for line in block.replace("\\\n", " ").splitlines()
    if line.startswith("widetheory ")
]


@pytest.mark.parametrize(("page", "line"), LINES)
def test_commands_of_all_tutorials_are_ones_that_there_are(page, line):
    """What they print was printed once, by hand: running them all takes minutes."""
    verb, *arguments = shlex.split(line)[1:]
    given = parser(verb).parse_args([verb, *arguments])
    named = vars(given).get("names") or [vars(given).get("id")]
    families = {id.split(".")[0] for id in REGISTRY}
    if verb not in ("plot", "report"):  # which take directories
        assert {name for name in named if name and "lemma.py" not in name} <= {*REGISTRY, *families}


def test_they_have_commands():
    notebooks = {page.stem for page in PAGES if page.read_text().startswith("---\njupytext:")}
    assert notebooks
    assert {page.stem for page in PAGES} - notebooks == {page for page, _ in LINES}
    assert len(LINES) >= 25
