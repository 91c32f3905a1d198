"""The list of statements, kept from the last time that they were imported."""

import json
import os
import pathlib
import subprocess
import sys

import pytest

from experiments.machine import cache_folder
from experiments.report import catalogue
from experiments.report.statements import statement_json
from theory import REGISTRY

ROOT = pathlib.Path(__file__).parent.parent.parent


@pytest.fixture
def cache(tmp_path, monkeypatch):
    folder = tmp_path / "cache"
    monkeypatch.setenv(cache_folder.VARIABLE, str(folder))
    return folder


def plain(entries):
    return json.loads(json.dumps(entries))


def test_it_is_the_registry(cache):
    expected = plain([statement_json(statement) for statement in REGISTRY.values()])
    assert plain(catalogue.registered()) == expected  # imported
    assert list(cache.iterdir())
    assert catalogue.registered() == expected  # read
    lazy = [entry for entry in expected if entry["id"].startswith("lazy.")]
    assert catalogue.registered(["lazy"]) == lazy
    assert catalogue.registered(["lazy.movement", "lazy"]) == lazy
    assert catalogue.registered(["lazy.mov"]) is None


@pytest.mark.parametrize("text", ["", "damaged", "[]", "{}", '[{"id": 1}]', "[" * 10**5, None])
def test_damage_is_noticed_and_mended(cache, text):
    expected = plain(catalogue.registered())
    (kept,) = cache.iterdir()
    whole = kept.read_bytes()
    if text is None:  # which nobody writes to: not to be waited for
        kept.unlink()
        os.mkfifo(kept)
    else:
        kept.write_text(text)
    assert plain(catalogue.registered()) == expected
    assert kept.read_bytes() == whole
    kept.write_bytes(whole.replace(b"lazy.movement", b"lazy.mOvement"))
    assert plain(catalogue.registered()) == expected


def test_other_code_has_another_list_and_the_old_one_goes(cache, tmp_path, monkeypatch):
    catalogue.registered()
    (first,) = cache.iterdir()
    (tmp_path / "theory").mkdir()
    (tmp_path / "theory" / "new.py").touch()
    monkeypatch.setattr(catalogue, "HOME", tmp_path)
    catalogue.registered()
    (second,) = cache.iterdir()
    assert first.name != second.name


def test_it_is_read_without_jax(cache):
    catalogue.registered()
    code = "import sys; from experiments.command.main import main; main(['list']); "
    found = subprocess.run(
        [sys.executable, "-c", f"import widetheory; {code} print('jax' in sys.modules)"],
        cwd=ROOT, env=os.environ, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert found.stdout.endswith("False\n")
    assert all(id in found.stdout for id in REGISTRY)
