"""Statements named on the command line: in the registry, in a file, in a module."""

import json
import sys

import pytest

from experiments.command import main
from experiments.settings import references
from theory import REGISTRY

FILE = '''"""Bounds on a uniform number."""

import jax
from helper_beside_it import BOUND
from widetheory import Deterministic, Parameters, Statement, exceeds, parameter


class Setting(Parameters):
    """The bound."""

    bound: float = parameter(BOUND, "the bound", low=0)


def sample(key, config):
    return jax.random.uniform(key)


below = Statement(
    id="mine.below", sample=sample, config=Setting(),
    claim=Deterministic(lambda x, config: exceeds(config.bound, x)),
)
bare = Statement(
    id="mine.bare", sample=lambda key, config: jax.random.uniform(key),
    claim=Deterministic(lambda x, config: exceeds(BOUND, x)),
)
PAIR = (below, bare)
number = 3
'''

pytestmark = pytest.mark.usefixtures("restore_precision")


@pytest.fixture
def file(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", [*sys.path])
    (tmp_path / "helper_beside_it.py").write_text("BOUND = 2.0")
    path = tmp_path / "mine.py"
    path.write_text(FILE)
    before = set(sys.modules)
    yield str(path)
    for name in set(sys.modules) - before:
        if name.startswith(("widetheory_file", "helper_beside_it", "package_of_mine")):
            del sys.modules[name]


def ids(*names):
    return [found.statement.id for found in references.find(names)]


def test_a_file_holds_statements_of_its_own(file):
    assert ids(file) == ["mine.below", "mine.bare"]
    assert ids(f"{file}:bare") == ids(f"{file}:mine.bare") == ["mine.bare"]
    assert ids(f"{file}:PAIR") == ["mine.below", "mine.bare"]
    assert ids(file, "lazy.movement", f"{file}:bare") == [
        "lazy.movement",
        "mine.below",
        "mine.bare",
    ]
    assert references.find_one(f"{file}:below").reference == file
    assert references.find_one("lazy.movement") == (REGISTRY["lazy.movement"], "")


def test_so_does_a_module(file, tmp_path, monkeypatch):
    (tmp_path / "package_of_mine").mkdir()
    (tmp_path / "package_of_mine" / "theorems.py").write_text(FILE)
    monkeypatch.chdir(tmp_path)
    expected = ["mine.below", "mine.bare"]
    assert ids("package_of_mine.theorems") == ids("package_of_mine.theorems:PAIR") == expected
    assert ids("package_of_mine.theorems:bare") == ["mine.bare"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("{file}:nope", "must hold the statement 'nope'; it holds mine.below, mine.bare"),
        ("{file}:number", "must hold the statement 'number'"),
        ("{file}:", "must be followed by a name after the colon"),
        ("no/such/mine.py", "must be a Python file that holds statements, there is none"),
        ("no_such_module:tail", "cannot be imported: ModuleNotFoundError"),
        ("mine.bare", "must be a family"),
        ("", "must be a family"),
    ],
)
def test_what_is_none_is_refused(file, name, message):
    with pytest.raises(ValueError, match=message):
        references.find([name.format(file=file)])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "must hold statements; it holds none"),
        ("def (", "cannot be imported, line 1: SyntaxError"),
        ("x = 1\0", "cannot be imported: SyntaxError"),
        ("import nothing_of_this_name", "line 1: ModuleNotFoundError"),
        ("x = 1\n\n\n1 / 0", "line 4: ZeroDivisionError: division by zero"),
        ("raise SystemExit(0)", "line 1: SystemExit"),
        (FILE + "\nagain = Statement(id='mine.bare', sample=sample,"
         "claim=Deterministic(lambda x, _: exceeds(1.0, x)))", "got 'mine.bare' twice"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_used_is_refused_with_the_line(file, content, message):
    with open(file, "w") as out:
        out.write(content)
    with pytest.raises(ValueError, match=message):
        references.find([file])


def test_one_is_asked_for(file):
    with pytest.raises(
        ValueError, match=r"one statement, got all statements of .*: mine\.below, mine"
    ):
        references.find_one(file)
    with pytest.raises(ValueError, match="one statement, got the family 'ntk'"):
        references.find_one("ntk")


@pytest.mark.parametrize("jobs", ["1", pytest.param("2", marks=pytest.mark.slow)])
def test_commands_take_a_file(file, capsys, jobs):
    command = ["verify", file, "--draws", "20", "--set", "bound=0.5", "--json", "--jobs", jobs]
    assert main.main(command) == 1
    found = json.loads(capsys.readouterr().out)["statements"]
    assert [v["verdict"] for v in found] == ["refuted", "consistent"]
    assert main.main(["show", f"{file}:bare"]) == 0
    assert "mine.bare" in capsys.readouterr().out
    assert main.main(["list", file, "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["statements"]) == 2


def test_a_sweep_takes_a_file_and_its_code_counts(file, capsys, tmp_path):
    command = ["sweep", f"{file}:below", "--grid", "bound=1,2", "--draws", "5"]
    command += ["--out", str(tmp_path / "sweep")]
    assert main.main(command) == 0
    assert main.main([*command, "--resume"]) == 0
    with open(file, "a") as out:
        out.write("\nother = 4\n")
    sys.modules.pop(references.load(file).__name__)
    capsys.readouterr()
    assert main.main([*command, "--resume"]) == 2
    assert "code.sha256" in capsys.readouterr().err
