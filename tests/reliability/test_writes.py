"""Files are whole or as they were; what cannot be written is told before the work or beside it."""

import errno
import json
import os
import pathlib
import subprocess

import pytest
from reliability.processes import started
from reliability.test_endings import TWO, ended, quick

from experiments.certificates import making
from experiments.command import common
from experiments.files import writing

pytestmark = pytest.mark.usefixtures("restore_precision")
VERIFY = ("verify", TWO[0], "--draws", "8", "--jobs", "1")
KINDS = {
    "a directory": lambda path: path.mkdir(),
    "a symbolic link": lambda path: path.symlink_to(path.parent / "elsewhere"),
    "a pipe": os.mkfifo,
}


def full(*_):
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("file", "command"),
    [
        ("verdicts.json", VERIFY),
        ("falsified.json", ("falsify", TWO[0], "--evaluations", "5")),
        ("errata.png", ("figure", "errata")),
        ("bench.json", ("bench", "throughput", "--quick")),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_no_file_is_refused_before_the_work(capsys, tmp_path, kind, file, command):
    KINDS[kind](tmp_path / file)
    status, out, said = ended(capsys, *command, "--out", str(tmp_path))
    assert (status, out) == (2, "")
    assert said.startswith("--out must be a directory that can be written")
    assert said.endswith(f"({file} is {kind})")
    assert [path.name for path in tmp_path.iterdir()] == [file]


@pytest.mark.parametrize(
    "place", ["file", "file/below", "pipe/below", "loop/below", "x" * 300, "/proc/none", "a\0b"]
)
@pytest.mark.parametrize(
    "command",
    [
        VERIFY,
        ("figure", "errata"),
        ("falsify", TWO[0]),
        ("sweep", TWO[0], "--grid", "n=4,8", "--memory", "1"),
        ("bench", "throughput", "--quick"),
    ],
    ids=lambda command: command[0],
)
def test_places_that_cannot_be_written(capsys, tmp_path, monkeypatch, place, command):
    (tmp_path / "file").touch()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to("loop")
    monkeypatch.chdir(tmp_path)
    status, out, said = ended(capsys, *command, "--out", place)
    assert (status, out) == (2, "")
    assert said.startswith("--out") or "null" in said


def test_a_full_disk_is_told_before_the_work(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr("experiments.verify.running.execute", lambda *_, **__: pytest.fail("began"))
    monkeypatch.setattr(writing, "_partial", full)
    status, out, said = ended(capsys, *VERIFY, "--out", str(tmp_path))
    assert (status, out) == (2, "")
    assert said.endswith("(No space left on device)")


@pytest.mark.parametrize("verb", ["verify", pytest.param("falsify", marks=pytest.mark.slow)])
def test_a_disk_that_fills_up_meanwhile_loses_no_table(capsys, tmp_path, monkeypatch, verb):
    options = ("--force", "--jobs", "1", "--draws") if verb == "verify" else ("--evaluations",)
    out = tmp_path / "out"
    out.mkdir()
    before = '{"statements": []}'
    (out / "verdicts.json").write_text(before)
    monkeypatch.setattr(os, "fsync", full)
    given = (verb, quick(tmp_path), *options, "8", "--out", str(out))
    status, printed, said = ended(capsys, *given)
    assert status == 2
    assert "mine.one" in printed
    assert said.endswith(".json cannot be written: No space left on device")
    assert (out / "verdicts.json").read_text() == before
    assert [path.name for path in out.iterdir()] == ["verdicts.json"]


def test_a_refutation_counts_more_than_a_file(capsys, tmp_path, monkeypatch):
    out = common.Output(str(tmp_path))
    assert (out.status(refuted=True), out.status(refuted=False)) == (1, 0)
    monkeypatch.setattr(os, "fsync", full)
    assert out.write_json("one.json", {}) is out.write_json("two.json", {}) is None
    assert (out.status(refuted=True), out.status(refuted=False)) == (1, 2)
    assert capsys.readouterr().err.count("\n") == 1


def test_a_directory_that_vanishes_meanwhile(capsys, tmp_path):
    out = common.Output(str(tmp_path / "out"))
    (tmp_path / "out").rmdir()
    assert out.write_json("one.json", {}) is None
    assert capsys.readouterr().err.endswith(
        "one.json cannot be written: No such file or directory\n"
    )
    assert out.status(refuted=False) == 2


@pytest.mark.parametrize("write", [writing.replace_json, lambda path, x: making.write(x, path)])
@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_written_through_what_is_no_file(tmp_path, write, kind):
    KINDS[kind](tmp_path / "result.json")
    with pytest.raises(FileExistsError, match=kind):
        write(tmp_path / "result.json", {})
    assert [path.name for path in tmp_path.iterdir()] == ["result.json"]


def test_a_link_in_the_place_of_a_file_in_making_is_not_followed(tmp_path, monkeypatch):
    """Whoever may write the directory could guess the name and have another file overwritten."""
    victim = tmp_path / "victim"
    victim.write_text("precious")
    monkeypatch.setattr(writing.secrets, "token_hex", lambda size: "00")
    (tmp_path / ".result.json.00.partial").symlink_to(victim)
    with pytest.raises(FileExistsError):
        writing.replace_json(tmp_path / "result.json", {})
    assert victim.read_text() == "precious"


def test_writers_at_once_leave_one_whole_file(tmp_path):
    """Each writes beside the place under a name of its own, so that none takes another's half."""
    path = tmp_path / "result.json"

    def interrupted_by_another(file):
        file.write(b"half of the first")
        writing.replace_json(path, "the second")
        assert json.loads(path.read_text()) == "the second"
        file.write(b" and its end")

    writing.replace(path, interrupted_by_another)
    assert path.read_text() == "half of the first and its end"
    assert [p.name for p in tmp_path.iterdir()] == ["result.json"]


def test_names_that_are_no_text_are_json(tmp_path):
    writing.replace_json(tmp_path / "result.json", {"file": "a\udcffb≥"})
    assert json.loads((tmp_path / "result.json").read_text("utf-8")) == {"file": "a\udcffb≥"}


@pytest.mark.slow
@pytest.mark.parametrize("size", ["8k", "24k", "64k", "512k"])
@pytest.mark.parametrize(
    "command",
    [
        ("verify", *TWO, "--draws", "16", "--jobs", "1"),
        ("figure", "separability-width", "--set", "draws=2"),
        ("sweep", TWO[0], "--grid", "n=4,8", "--draws", "16"),
    ],
    ids=lambda command: command[0],
)
def test_disks_that_are_full(tmp_path, command, size):
    """Real ones, from too small for anything to large enough."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "none", disk], capture_output=True
    )
    if mounted.returncode:
        pytest.skip("no file system can be mounted here")
    try:
        with started(*command, "--out", str(disk / "out"), "--json") as process:
            out, err = process.communicate(timeout=300)
        assert process.returncode in (0, 2), err
        said = [line for line in err.splitlines() if " done after " not in line]  # one a minute
        assert len(said) == (process.returncode == 2), err
        assert process.returncode == 2 or json.loads(out)
        for path in pathlib.Path(disk).rglob("*.json"):
            assert json.loads(path.read_text())
        assert not list(pathlib.Path(disk).rglob("*.partial"))
    finally:
        subprocess.run(["umount", disk], check=True)
