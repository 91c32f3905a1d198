"""Words for shells: a shell itself completes with them."""

import importlib.util
import shutil
import subprocess

import pytest

from experiments.command import completion, main

TRY = """
set -e
source "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$(($#-1)); COMPREPLY=()
_shtab_widetheory
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture(scope="module")
def script(tmp_path_factory):
    path = tmp_path_factory.mktemp("completion") / "widetheory.bash"
    path.write_text(completion.script("bash"))
    return path


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["veri"], ["verify"]),
        (["verify", "lazy.mov"], ["lazy.movement"]),
        (["verify", "lazy.movement", "ort"], "orthogonal.multiplier-range"),
        (["plot", "separability.variance-as"], ["separability.variance-as-printed"]),
        (["figure", "lazy-cos"], ["lazy-cosine"]),
        (["figure", "separability.v"], [""]),
        (["verify", "--preset", "f"], ["full"]),
        (["completion", "z"], ["zsh"]),
    ],
)
def test_bash_completes(script, words, found):
    command = ["bash", "-c", TRY, "bash", str(script), "widetheory", *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    answers = done.stdout[:-1].split("\n")
    assert found in answers if isinstance(found, str) else answers == found


@pytest.mark.parametrize("shell", completion.SHELLS)
def test_every_shell_has_a_script(capsys, shell):
    assert main.main(["completion", shell]) == 0
    out, err = capsys.readouterr()
    assert "separability.variance-as-printed" in out
    assert err == ""


def test_without_shtab_a_line_says_what_to_install(capsys, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert main.main(["completion", "bash"]) == 2
    assert "install widetheory[completion]" in capsys.readouterr().err
