"""Sweeps and figures in directories that something has happened to, opened and gone on with.

Each damage must be named in one line with status 2, by `--resume` and by `open_sweep`, or leave the
results what they were. What the system does not let us read must never be called damaged.
"""

import contextlib
import errno
import io
import json
import os
import pathlib
import shutil
import stat
import tempfile
from collections.abc import Iterator

import figure_toys
import numpy as np
import pytest
import sweep_toys
from one_line import line_of
from precision import restored

from experiments.command import main
from experiments.figures import registry
from experiments.files import reading, seals
from experiments.results import cell_files, dataset, store, tables

GRID = ("toy.tail", "--grid", "m=4,8", "--draws", "20")
CELL, OTHER, FAILED = "cells/m=4.npz", "cells/m=8.npz", "failed/m=8.json"


def command(*arguments: str) -> tuple[int, str]:
    """Status and what is said on stderr."""
    out, err = io.StringIO(), io.StringIO()
    with restored(), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = main.main(arguments)
    return status, err.getvalue()


@pytest.fixture(scope="module", autouse=True)
def toys():
    with pytest.MonkeyPatch.context() as patch:
        sweep_toys.install(patch.setattr)
        patch.setattr(registry, "figures", lambda: {"toy-mean": figure_toys.FIGURE})
        yield


@pytest.fixture(scope="module")
def original(tmp_path_factory) -> pathlib.Path:
    """A sweep of two cells, of which the second has failed and is not computed yet."""
    directory = tmp_path_factory.mktemp("original") / "sweep"
    assert command("sweep", *GRID, "--out", str(directory))[0] == 0
    place = store.open_store(directory)
    (directory / OTHER).unlink()
    place.write_failure("m=8", {"cell": {"m": 8}, "error": "MemoryError: once"})
    return directory


@pytest.fixture
def directory(original, tmp_path) -> pathlib.Path:
    return pathlib.Path(shutil.copytree(original, tmp_path / "sweep"))


# --- damages --------------------------------------------------------------------------------------


def _content(change):
    """What changes the bytes of a file."""
    return lambda path: path.write_bytes(change(path.read_bytes()))


def _half_zero(content: bytes) -> bytes:
    return content[: len(content) // 2] + bytes(len(content) - len(content) // 2)


def _one_bit(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 4]) + content[middle + 1 :]


def _replaced(make):
    def change(path: pathlib.Path) -> None:
        path.unlink()
        make(path)

    return change


ANY_FILE = {
    "empty": _content(lambda content: b""),
    "cut by its end": _content(lambda content: content[:-2]),
    "cut in two": _content(lambda content: content[: len(content) // 2]),
    "half zero": _content(_half_zero),
    "all zero": _content(lambda content: bytes(len(content))),
    "one bit": _content(_one_bit),
    "text": _content(lambda content: b"no such thing\n"),
    "UTF-16": _content(lambda content: content.decode("latin-1").encode("utf-16")),
    "backwards": _content(lambda content: content[::-1]),
    "a directory": _replaced(pathlib.Path.mkdir),
    "a pipe": _replaced(os.mkfifo),
    "a link to nothing": _replaced(lambda path: path.symlink_to("nothing")),
    "a link to itself": _replaced(lambda path: path.symlink_to(path.name)),
}
ANY_JSON = {
    "twice": json.dumps(seals.sealed({})).encode() * 2,
    "a list": b"[]",
    "a number": b"3",
    "null": b"null",
    "nested": b"[" * 100_000,
    "nested well": b'{"format": 2, "digest": ' + b"[" * 500 + b"]" * 500 + b"}",
    "NaN": b'{"format": 2, "draws": NaN}',
    "infinite": b'{"format": 2, "draws": 1e999}',
    "too long a number": b'{"format": 2, "draws": ' + b"9" * 5000 + b"}",
    "a name twice": b'{"format": 2, "format": 2}',
    "half of a pair": b'{"format": 2, "statement": "\\ud800"}',
    "no format": b"{}",
    "a later format": json.dumps(seals.sealed({}) | {"format": 99}).encode(),
    "a format of text": b'{"format": "2"}',
    "no digest": b'{"format": 2}',
    "nothing else": json.dumps(seals.sealed({})).encode(),
}


def _resealed(change):
    """What changes the object in a file of JSON, and seals it again as another version might."""

    def damage(path: pathlib.Path) -> None:
        content = json.loads(path.read_text())
        del content["digest"]
        change(content)
        path.write_text(json.dumps(seals.sealed(content)))

    return damage


def _without(name):
    return lambda content: content.pop(name)


def _with(name, value):
    return lambda content: content.update({name: value})


def _axis(**changes):
    return lambda content: content["grid"]["m"].update(changes)


FIELDS = ("statement", "kind", "erratum", "config", "grid", "draws", "seed", "level", "code")
MANIFESTS = {
    **{f"no {name}": _without(name) for name in FIELDS},
    **{f"{name} of another type": _with(name, [[1]]) for name in FIELDS},
    "an unknown kind": _with("kind", "plausible"),
    "an empty grid": _with("grid", {}),
    "an axis without values": _axis(values=[]),
    "an axis of lists": _axis(values=[[4], [8]]),
    "an axis of nothing": _axis(values=[None]),
    "a value twice": _axis(values=[4, 4]),
    "a path as a value": _axis(values=["../../m", 8]),
    "a name that is too long": _axis(values=["m" * 300, 8]),
    "too many cells": lambda content: content["grid"].update(
        {f"a{k}": {"values": list(range(100)), "unit": "1", "says": ""} for k in range(9)}
    ),
    "another seed": _with("seed", 7),
    "a figure": lambda content: content.update(figure="x", cells=[{"m": 4}]),
}


def _written_again(change):
    """What changes the record of a cell, and writes it again as another version might."""

    def damage(path: pathlib.Path) -> None:
        record, arrays = cell_files.read(path)
        change(record, arrays)
        with path.open("wb") as file:
            cell_files.write(file, arrays, record)

    return damage


def _verdict(**changes):
    return lambda record, arrays: record["verdict"].update(changes)


RECORDS = {
    **{
        f"no {name}": lambda record, arrays, name=name: record.pop(name)
        for name in ("sweep", "cell", "seconds", "verdict", "batch", "memory", "environment")
    },
    **{
        f"no {name} in its verdict": lambda record, arrays, name=name: record["verdict"].pop(name)
        for name in ("outcomes", "hypotheses", "failure_rate", "estimates", "reason", "draws")
    },
    "an unknown verdict": _verdict(verdict="perhaps"),
    "outcomes without one": _verdict(outcomes={"confirmed": 20}),
    "a rate of text": _verdict(failure_rate={"observed": "often"}),
    "an array of no condition": lambda record, arrays: arrays.update(
        {"hypothesis.more.value": np.zeros(20)}
    ),
    "fewer draws": lambda record, arrays: arrays.update({"allowed": np.zeros(19)}),
    "a number in place of draws": lambda record, arrays: arrays.update({"allowed": np.zeros(())}),
    "another cell": lambda record, arrays: record.update(cell={"m": 5}),
    "another sweep": lambda record, arrays: record.update(sweep="0" * 64),
}
OTHERS = {
    "a stray cell": lambda root: shutil.copy(root / CELL, root / "cells" / "m=5.npz"),
    "a stray failure": lambda root: shutil.copy(root / FAILED, root / "failed" / "m=5.json"),
    "a stray text": lambda root: (root / "cells" / "notes.txt").write_text("mine"),
    "another's cell": lambda root: shutil.copy(root / CELL, root / OTHER),
    "cells a file": lambda root: (shutil.rmtree(root / "cells"), (root / "cells").touch()),
    "failed a file": lambda root: (shutil.rmtree(root / "failed"), (root / "failed").touch()),
}
HARMLESS = {  # the results are what they were, or computed again
    "no cells": lambda root: shutil.rmtree(root / "cells"),
    "no failures": lambda root: shutil.rmtree(root / "failed"),
    "no claims": lambda root: shutil.rmtree(root / "claims"),
    "half a cell": lambda root: (root / "cells" / ".m=8.npz.partial").write_bytes(b"PK"),
    "half a manifest": lambda root: (root / ".sweep.json.partial").write_bytes(b"{"),
}


def _damages():
    for file in ("sweep.json", CELL, FAILED):
        for name, damage in ANY_FILE.items():
            if (file, name) != (FAILED, "a link to nothing"):  # which counts as none
                yield f"{file}: {name}", file, damage
    for file in ("sweep.json", FAILED):
        for name, content in ANY_JSON.items():
            yield f"{file}: {name}", file, _content(lambda _, content=content: content)
    for name, change in MANIFESTS.items():
        yield f"sweep.json: {name}", "sweep.json", _resealed(change)
    for name, change in RECORDS.items():
        yield f"{CELL}: {name}", CELL, _written_again(change)
    for name in ("sweep", "cell", "error"):
        yield f"{FAILED}: no {name}", FAILED, _resealed(_without(name))
    yield from ((name, "", damage) for name, damage in OTHERS.items())


DAMAGES = {name: (file, damage) for name, file, damage in _damages()}
FEW = list(DAMAGES)[::14]


def _quickly(names):
    """All of them, those that are not among the few as slow tests."""
    return [name if name in FEW else pytest.param(name, marks=pytest.mark.slow) for name in names]


@pytest.mark.parametrize("name", _quickly(DAMAGES))
def test_a_damaged_sweep_is_named_in_one_line(directory, name):
    file, damage = DAMAGES[name]
    damage(directory / file)
    before = _files(directory)
    assert str(directory) in line_of(lambda: dataset.open_sweep(directory))
    if "fail" not in name:  # of which tables say nothing
        assert str(directory) in line_of(lambda: tables.write(store.open_store(directory)))
    status, err = command("sweep", *GRID, "--out", str(directory), "--resume")
    assert status == 2
    assert err.startswith("widetheory: ")
    assert err.count("\n") == 1
    assert str(directory) in err
    assert _files(directory) == before  # nothing is mended behind the user's back


def test_there_are_more_than_a_hundred_of_them():
    assert len(DAMAGES) > 102
    assert len(FEW) < 12


@pytest.mark.parametrize("name", list(HARMLESS))
def test_what_harms_nothing_leaves_the_results_what_they_were(directory, original, name):
    HARMLESS[name](directory)
    dataset.open_sweep(directory)
    assert command("sweep", *GRID, "--out", str(directory), "--resume") == (0, "")
    again = store.open_store(directory).read("m=4").arrays
    for array, values in store.open_store(original).read("m=4").arrays.items():
        np.testing.assert_array_equal(again[array], values)


def _files(directory: pathlib.Path) -> dict[str, object]:
    """What a directory holds, but for locks."""
    found = {}
    for path in sorted(directory.rglob("*")):
        if stat.S_ISREG(path.lstat().st_mode) and path.suffix != ".lock":
            found[str(path)] = path.read_bytes()
    return found


def test_the_remedies_work(directory):
    """A damaged cell removed, a damaged manifest removed: the same command goes on."""
    (directory / CELL).unlink()
    (directory / "sweep.json").unlink()
    assert command("sweep", *GRID, "--out", str(directory), "--resume") == (0, "")
    assert (dataset.open_sweep(directory).status == "finished").all()


# --- unreadable is not damaged --------------------------------------------------------------------

ERRORS = (errno.EACCES, errno.EIO, errno.EMFILE, errno.ESTALE, errno.ENOENT)


class _Broken(io.BytesIO):
    """A file that can be opened, and then not be read."""

    def __init__(self, number: int, real) -> None:
        super().__init__()
        self.number, self.real = number, real

    def fileno(self):
        return self.real.fileno()

    def close(self):
        self.real.close()
        super().close()

    def read(self, *_):
        raise OSError(self.number, os.strerror(self.number))

    readinto = seek = read


@pytest.mark.parametrize("number", ERRORS, ids=[errno.errorcode[n] for n in ERRORS])
@pytest.mark.parametrize("file", ["sweep.json", CELL, FAILED])
@pytest.mark.parametrize("when", ["opened", "read"])
def test_unreadable_is_not_damaged(directory, monkeypatch, number, file, when):
    def broken(path, mode):
        real = open(path, mode)  # noqa: SIM115
        if pathlib.Path(path) != directory / file:
            return real
        if when == "read":
            return _Broken(number, real)
        real.close()
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(reading, "open", broken, raising=False)
    line = line_of(lambda: dataset.open_sweep(directory))
    assert line == f"{directory / file} cannot be read: {os.strerror(number)}"


def test_a_directory_that_cannot_be_listed_is_not_empty(directory, monkeypatch):
    def broken(path):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(reading.os, "listdir", broken)
    line = line_of(lambda: dataset.open_sweep(directory))
    assert line == f"{directory / 'cells'} cannot be read: Permission denied"


@pytest.fixture
def without_rights() -> Iterator[pathlib.Path]:
    """A directory for a user who is not root, whom no permission binds."""
    root = os.geteuid() == 0
    with tempfile.TemporaryDirectory() as name:
        pathlib.Path(name).chmod(0o755)
        yield pathlib.Path(name)
        if root:
            os.seteuid(0)


def test_a_cell_without_permission_is_unreadable_without_any_injection(directory, without_rights):
    copy = pathlib.Path(shutil.copytree(directory, without_rights / "sweep"))
    (copy / CELL).chmod(0)
    if os.geteuid() == 0:
        try:
            os.seteuid(65534)
        except OSError:
            pytest.skip("root cannot become another user here")
    line = line_of(lambda: dataset.open_sweep(copy))
    assert line == f"{copy / CELL} cannot be read: Permission denied"


# --- figures --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def figure(tmp_path_factory) -> pathlib.Path:
    directory = tmp_path_factory.mktemp("figure")
    assert command("figure", "toy-mean", "--out", str(directory)) == (0, "")
    return directory


@pytest.mark.parametrize("damage", ["one bit", "cut in two", "a directory"])
@pytest.mark.parametrize("file", ["sweep.json", "cells/K=4.npz"])
def test_figures_read_their_cells_by_the_same_reader(figure, tmp_path, file, damage):
    out = pathlib.Path(shutil.copytree(figure, tmp_path / "figure"))
    path = out / "toy-mean.cells" / file
    ANY_FILE[damage](path)
    status, err = command("figure", "toy-mean", "--out", str(out), "--resume")
    assert (status, err.count("\n")) == (2, 1)
    words = "cannot be read: Is a directory" if damage == "a directory" else "is damaged: "
    assert err.startswith(f"widetheory: {path} {words}")


def test_a_figure_is_no_sweep(figure):
    place = figure / "toy-mean.cells"
    line = line_of(lambda: dataset.open_sweep(place))
    assert line == f"{place} holds the cells of a figure, no sweep"
