"""Files that are there to harm are refused in one line, in little memory and time.

The slow tests read all of them, once more in a process that may not take another GiB.
"""

import contextlib
import io
import json
import os
import pathlib
import resource
import signal
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Iterator

import numpy as np
import pytest
import store_toys
from one_line import line_of
from reliability.hostile_files import FILES
from reliability.hostile_pickles import BATCH, COLOUR

from experiments.certificates import check
from experiments.command import main
from experiments.datasets import cifar, sources
from experiments.files.strict_json import LARGEST
from experiments.machine import environment
from experiments.results import records
from experiments.settings import references

MEMORY = 2**27  # bytes that refusing a file of data may take
SECONDS = 30


class TooLong(BaseException):
    """What no reader catches."""


@contextlib.contextmanager
def bounded(memory: int = MEMORY) -> Iterator[None]:
    """Fails what takes longer, or more memory, than anything here may."""

    def stop(*_):
        raise TooLong

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(SECONDS)
    tracemalloc.start()
    try:
        yield
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
    assert peak < memory


def few(names, step: int):
    """All names, those that are not among the few as slow tests."""
    quick = set(list(names)[::step])
    return [n if n in quick else pytest.param(n, marks=pytest.mark.slow) for n in names]


@pytest.mark.parametrize("name", few(FILES, 4))
def test_a_bad_file_is_one_line(tmp_path, name):
    data = FILES[name](tmp_path)
    with bounded():
        line = line_of(lambda: sources.load(data))
    assert line.startswith(f"data {data}: ")


def test_there_are_more_than_150_and_good_ones_are_read(tmp_path):
    assert len(FILES) > 150
    found, labels = cifar.parse_pickle(BATCH, "f")  # of which the bad pickles are made
    np.testing.assert_array_equal(found, COLOUR)
    assert len(labels) == 3
    x, y = np.eye(3), np.array([1, -1, 1], np.int8)
    for save in (np.savez, np.savez_compressed):
        save(tmp_path / "good.npz", x=x, y=y)
        loaded = sources.load_npz(f"{tmp_path / 'good.npz'}")
        np.testing.assert_array_equal(loaded.x, x)
        np.testing.assert_array_equal(loaded.y, y)


@pytest.mark.slow
def test_all_of_them_in_a_process_that_may_not_take_another_gib():
    root = pathlib.Path(__file__).parents[2]
    paths = os.pathsep.join((str(root), str(root / "tests")))
    done = subprocess.run(
        [sys.executable, __file__], env=os.environ | {"PYTHONPATH": paths},
        capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    assert json.loads(done.stdout) == {}


def _all_within(more: int) -> dict[str, str]:
    """Name → what came of every file that was not refused by a ValueError, within so much more."""
    sources.load("digits")  # libraries are loaded before
    pages = int(pathlib.Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + more
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    found = {}
    for name, write in FILES.items():
        with tempfile.TemporaryDirectory() as folder:
            start = time.monotonic()
            try:
                found[name] = repr(sources.load(write(pathlib.Path(folder))))[:100]
            except ValueError:
                if (took := time.monotonic() - start) > SECONDS:
                    found[name] = f"{took:.0f} seconds"
            except BaseException as error:
                found[name] = repr(error)[:100]
    return found


@pytest.mark.parametrize("name", ["npz: 12 GB of zeros", "pickle: keys that never end"])
@pytest.mark.usefixtures("restore_precision")
def test_the_command_says_so_with_status_2(tmp_path, capsys, name):
    data = FILES[name](tmp_path)
    assert main.main(["verify", "lazy.movement", "--data", data]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert f"widetheory: data {data}: " in err


@pytest.mark.parametrize("name", ["npz:{}/\0", "mnist:{}/\0", "mnist:{}/\ud800", "npz:{}/\ud800"])
def test_names_that_no_file_has(tmp_path, name):
    # Python 3.13 says that there is no such file, earlier ones that there cannot be.
    with pytest.raises(ValueError, match=r"^data (npz|mnist):[^\n]+: [^\n]+$"):
        sources.load(name.format(tmp_path))


def test_data_beyond_the_memory_that_there_is(tmp_path, monkeypatch):
    np.savez(tmp_path / "large.npz", x=np.ones((1000, 100)), y=np.tile([1, -1], 500))
    monkeypatch.setattr(environment, "host_memory", lambda: 3e6)
    with pytest.raises(ValueError, match=r"large.npz: 100,000 numbers take .* GiB are available"):
        sources.load(f"npz:{tmp_path / 'large.npz'}")
    monkeypatch.setattr(environment, "host_memory", lambda: 4e6)
    assert sources.load_npz(f"{tmp_path / 'large.npz'}").x.shape == (1000, 100)


# --- a user's own files of statements -------------------------------------------------------------

STATEMENTS = {
    "undecodable": (b"x = '\xff'", "cannot be imported.*: SyntaxError"),
    "UTF-16": ("x = 1".encode("utf-16"), "cannot be imported.*: SyntaxError"),
    "of an unknown encoding": (b"# coding: nonsense\n", "cannot be imported.*: SyntaxError"),
    "NUL": (b"x = 1\0", "cannot be imported.*: (SyntaxError|ValueError)"),
    "no Python": (b"def (", "cannot be imported, line 1: SyntaxError: invalid syntax"),
    "too deep": (b"(" * 10_000, "cannot be imported.*: (SyntaxError|MemoryError)"),
    "deep": (b"-" * 200_000 + b"1", "cannot be imported.*: (RecursionError|MemoryError)"),
    "exits": (b"import sys\nsys.exit()", "cannot be imported, line 2: SystemExit$"),
    "exits with 0": (b"raise SystemExit(0)", "cannot be imported, line 1: SystemExit: 0$"),
    "raises": (b"1 / 0", "cannot be imported, line 1: ZeroDivisionError: division by zero$"),
    "raises two lines": (b"raise OSError('a\\nb')", "line 1: OSError: a b$"),
    "raises a screen": (b"raise ValueError('\\x1b[2J' + 'x' * 9999)", r"ValueError: \\x1b\[2Jx+…$"),
    "raises what is no Exception": (b"raise GeneratorExit('x')", "line 1: GeneratorExit: x$"),
    "raises what says nothing": (
        b"class E(Exception):\n    def __str__(self):\n        raise self\nraise E",
        "cannot be imported, line 4: E$",
    ),
    "never returns": (b"def f():\n    f()\nf()", "cannot be imported, line 2: RecursionError"),
    "imports what there is not": (b"import no_such", "line 1: ModuleNotFoundError"),
    "empty": (b"", "must hold statements; it holds none$"),
}


@pytest.mark.parametrize("name", list(STATEMENTS))
def test_a_file_of_statements_that_is_none(tmp_path, name):
    content, message = STATEMENTS[name]
    path = tmp_path / "mine.py"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message) as error:
        references.find([str(path)])
    assert str(error.value).isprintable()
    assert str(error.value).startswith(str(path))


def test_a_file_of_statements_that_is_no_file(tmp_path):
    (tmp_path / "folder.py").mkdir()
    os.mkfifo(tmp_path / "pipe.py")
    (tmp_path / "link.py").symlink_to("link.py")
    for name, message in {
        "folder.py": "cannot be read: Is a directory",
        "pipe.py": "cannot be read: it is no regular file",
        "link.py": "cannot be read: Too many levels of symbolic links",
        "none.py": "must be a Python file that holds statements, there is none",
        f"{'x' * 5000}.py": "cannot be read: File name too long",
    }.items():
        assert line_of(lambda name=name: references.find([f"{tmp_path}/{name}"])).endswith(message)


def test_a_module_in_a_package_that_fails(tmp_path, monkeypatch):
    (tmp_path / "failing_package").mkdir()
    (tmp_path / "failing_package" / "__init__.py").write_text("raise SystemExit(3)")
    monkeypatch.syspath_prepend(tmp_path)
    line = line_of(lambda: references.find(["failing_package.theorems"]))
    assert line == "failing_package.theorems cannot be imported: SystemExit: 3"


@pytest.mark.usefixtures("restore_precision")
def test_an_exit_is_no_status_of_the_command(tmp_path, capsys):
    (tmp_path / "mine.py").write_text("raise SystemExit(1)")
    assert main.main(["verify", str(tmp_path / "mine.py")]) == 2
    assert capsys.readouterr().err.count("\n") == 1


# --- verdicts and certificates --------------------------------------------------------------------

TEXTS = {
    "nothing": b"",
    "no JSON": b"{",
    "a list": b"[]",
    "nested": b"[" * 10**6,
    "nested well": b"[" * 10**5 + b"]" * 10**5,
    "no UTF-8": b'{"statements": "\xff"}',
    "half of a pair": b'{"statements": [{"id": "\\udc00"}]}',
    "a name twice": b'{"statements": [], "statements": []}',
    "NaN": b'{"statements": NaN}',
    "an infinite number": b'{"statements": 1e999}',
    "a long number": b'{"statements": ' + b"9" * 10**5 + b"}",
    "no list": b'{"statements": {}}',
    "no object": b'{"statements": [3]}',
    "an empty object": b'{"statements": [{}]}',
    "a screen": b'{"statements": [{"\\u001b[2J": 1}]}',
}
VERDICTS = {
    "no name": {"id": None},
    "an unknown kind": {"kind": "plausible"},
    "an unknown verdict": {"verdict": "perhaps"},
    "counts of text": {"outcomes": {"confirmed": "two"}},
    "no counts": {"outcomes": {}},
    "conditions of nothing": {"hypotheses": {"wide": None}},
    "a ratio of text": {"hypotheses": {"wide": {"met": "all"}}},
    "draws of true": {"draws": True},
    "a rate of text": {"failure_rate": "half"},
    "estimates of nothing": {"estimates": [{}]},
    "notes of numbers": {"notes": [1]},
}


def _bad_verdicts() -> Iterator[tuple[str, bytes]]:
    yield from TEXTS.items()
    for name, changes in VERDICTS.items():
        content = store_toys.verified(store_toys.ENTRY | changes)
        yield name, json.dumps(content).encode()
    yield "of another verb", json.dumps(store_toys.verified(schema="widetheory/sweep/1")).encode()
    yield "changed by hand", json.dumps(store_toys.verified() | {"keys": {"a": "b"}}).encode()
    yield "large", b'{"statements": [' + b"1," * (LARGEST // 2) + b"[]]}"
    yield "many lists", b'{"statements": [' + b"[]," * 2**20 + b"[]]}"


BAD_VERDICTS = dict(_bad_verdicts())


@pytest.mark.parametrize("name", list(BAD_VERDICTS))
def test_verdicts_that_are_none(tmp_path, name):
    path = tmp_path / "verdicts.json"
    path.write_bytes(BAD_VERDICTS[name])
    with bounded():
        line = line_of(lambda: records.load_verdicts(path))
    assert line.startswith(f"{path} must be JSON of `widetheory verify`: ")


@pytest.mark.slow
@pytest.mark.parametrize("item", [b"[],", b"1.5,", b"999,", b'"ab",', b'"\\u1234",'])
def test_the_largest_verdicts_take_less_than_half_a_gib(tmp_path, item):
    path = tmp_path / "verdicts.json"
    count = min(2**20, LARGEST // len(item)) - 100
    path.write_bytes(b'{"format": 2, "statements": [' + item * count + b"0]}")
    with bounded(2**29):
        assert "its digest is not that of its content" in line_of(
            lambda: records.load_verdicts(path)
        )


def _certificate(**changes) -> bytes:
    content = {"format": check.FORMAT, "version": check.VERSION, "kind": "separator"} | changes
    return json.dumps(content | {"digest": check.digest(content)}).encode()


def _counterexample(steps: list, **changes) -> bytes:
    program = {"steps": steps, "value": 0, "error": 0, "strict": True}
    condition = {
        "name": "c", "role": "conclusion", "program": program, "verdict": "fails",
        "value": ["0x0p0", "0x0p0"], "beyond_rounding": False,
    }  # fmt: skip
    content = {"conditions": [condition], "instance": [], "proved": True, "statement": {"id": "x"}}
    return _certificate(kind="counterexample", **(content | changes))


NOTHING = {"op": "constant", "type": "real", "values": []}
INSEPARABLE = {"points": [["0x1p0"], ["0x1p0"]], "labels": [1, -1], "affine": False}
CERTIFICATES = {
    **TEXTS,
    "a shape of a list": _counterexample([], instance=[
        {"name": "x", "type": "real", "shape": [[0], 10**10], "values": []}]),
    "a multiplier that never ends": _certificate(
        kind="inseparable", **INSEPARABLE, multipliers=["1e9999999999", "1/2"]),
    "a matrix of nothing": _counterexample(
        [NOTHING, {"op": "dot", "of": [0, 0], "sizes": [1, 10**6, 10**6, 0]}]),
    "batches of nothing": _counterexample(
        [NOTHING, {"op": "dot", "of": [0, 0], "sizes": [10**18, 0, 0, 0]}]),
    "sizes of lists": _counterexample(
        [NOTHING, {"op": "dot", "of": [0, 0], "sizes": [1, [0], 10**10, 1]}]),
    "a root of nothing": _counterexample([NOTHING, {"op": "cholesky", "of": [0], "n": 10**6}]),
    "a triangle of nothing": _counterexample([NOTHING, {
        "op": "triangular", "of": [0, 0], "n": 10**18, "columns": 0, "lower": True, "unit": True}]),
    "sums of nothing": _counterexample(
        [NOTHING, {"op": "fold", "of": [0], "function": "sum", "group": 1, "count": 10**18}]),
    "joined a million times": _counterexample([
        {"op": "constant", "type": "truth", "values": [0] * 10**4},
        {"op": "take", "of": [0] * 10**5, "places": [0]}]),
}  # fmt: skip


@pytest.mark.parametrize("name", list(CERTIFICATES))
def test_certificates_that_are_none(tmp_path, name):
    path = tmp_path / "certificate.json"
    path.write_bytes(CERTIFICATES[name])
    err = io.StringIO()
    with bounded(), contextlib.redirect_stderr(err):
        status = check.main([str(path)])
    assert status in (1, 2)
    assert err.getvalue().startswith(f"{path}: ")
    assert err.getvalue().count("\n") == 1


if __name__ == "__main__":
    print(json.dumps(_all_within(2**30)))
