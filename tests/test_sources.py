"""The code that determines numbers: what counts, and that every change shows."""

import jax

from experiments import sources


def test_the_code_version_sees_every_file_that_determines_numbers(tmp_path, monkeypatch):
    monkeypatch.setattr(sources.theory, "__path__", [str(tmp_path)])
    (tmp_path / "inner").mkdir()
    (tmp_path / "a.py").write_text("x = 1")
    versions = [sources.code_version(["experiments.sweep"])]
    (tmp_path / "inner" / "b.py").write_text("")
    versions.append(sources.code_version(["experiments.sweep"]))
    (tmp_path / "a.py").write_text("x = 2")
    versions.append(sources.code_version(["experiments.sweep"]))
    (tmp_path / "notes.txt").write_text("not code")
    assert sources.code_version(["experiments.sweep"]) == versions[-1]
    assert len({version["sha256"] for version in versions}) == 3
    assert versions[0]["jax"] == jax.__version__


def test_imports_are_followed_and_functions_not_looked_into():
    assert sources.closure("experiments.grid") == {
        f"experiments.{name}"
        for name in (
            "grid", "runs", "data", "environment", "interrupts", "image_files", "idx", "cifar",
        )
    }  # fmt: skip
    # `store` imports `dataset` in a function, `work` imports a name of `store`
    assert "experiments.dataset" not in sources.closure("experiments.work")
    assert "experiments.store" in sources.closure("experiments.work")
