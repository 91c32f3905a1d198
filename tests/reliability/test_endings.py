"""Status 1 says that a statement is refuted: whatever else goes wrong is one line, and 2 or 70."""

import errno
import json
import re
import subprocess
import sys

import jax
import pytest
from reliability.processes import ROOT

from experiments.command import main
from experiments.machine import environment, faults, streams
from experiments.machine.workers import Lost
from experiments.verify import running

pytestmark = pytest.mark.usefixtures("restore_precision")
VERIFY = ("verify", "orthogonal.multiplier-range", "--draws", "8", "--jobs", "1")
TWO = ("orthogonal.multiplier-range", "orthogonal.multiplier-range-sharp")
HEAD = """
import jax
from theory import Deterministic
from theory.margins import exceeds
from theory.verification.statement import Statement
"""
THEIRS = f"""{HEAD}
def sample(key, config):
    {{sampler}}
    return jax.random.normal(key)

def conclusion(x, config):
    {{condition}}
    return exceeds(x, -100.0)

BAD = Statement(id="mine.bad", sample=sample, claim=Deterministic(conclusion=conclusion))
"""
QUICK = f"""{HEAD}
def claim(x, config):
    return exceeds(x, -100.0)

def sample(key, config):
    return jax.random.normal(key)

ONE, OTHER = (
    Statement(id=f"mine.{{name}}", sample=sample, claim=Deterministic(conclusion=claim))
    for name in ("one", "other")
)
"""


def ended(capsys, *arguments):
    """Status, what was printed, and the one line on stderr without its beginning."""
    status = main.main(list(arguments))
    out, err = capsys.readouterr()
    assert err.count("\n") == bool(err), err
    assert not err or err.startswith("widetheory: ")
    return status, out, err.removeprefix("widetheory: ").strip()


def quick(folder):
    """A file of two statements that compile in no time."""
    file = folder / "mine.py"
    file.write_text(QUICK)
    return str(file)


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (OSError(errno.EIO, "Input/output error", "/data/x"), "/data/x: Input/output error"),
        (OSError(errno.EMFILE, "Too many open files"), "Too many open files"),
        (PermissionError(errno.EACCES, "Permission denied", b"/\xff"), "/\\udcff: Permission"),
        (FileNotFoundError(2, "No such file or directory", "x" * 9), "xxxxxxxxx: No such file"),
        (BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable"), "Resource temporarily"),
        (TimeoutError(), "TimeoutError"),
        (MemoryError(), "not enough memory"),
        (jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: 8 bytes"), "not enough memory"),
        (ValueError("two\nlines"), "two lines"),
        (faults.Explained("in words", 2), "in words"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_known_errors_are_one_line_and_2(capsys, monkeypatch, error, says):
    def fails(*_, **__):
        raise error

    monkeypatch.setattr("experiments.report.catalogue.registered", fails)
    monkeypatch.setattr(faults, "is_a_users", lambda file: False)  # these tests are, otherwise
    status, out, said = ended(capsys, "list")
    assert (status, out) == (2, "")
    assert said.startswith(says)


@pytest.mark.parametrize("error", [KeyError("m"), RecursionError(), AssertionError()])
def test_errors_of_ours_say_where_the_traceback_is(capsys, monkeypatch, tmp_path, error):
    def fails(*_, **__):
        raise error

    monkeypatch.setattr("experiments.report.catalogue.registered", fails)
    monkeypatch.setattr(faults, "is_a_users", lambda file: False)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    status, out, said = ended(capsys, "list")
    (file,) = tmp_path.iterdir()
    assert (status, out) == (70, "")
    assert said.startswith(f"an error of widetheory itself, {type(error).__name__}")
    assert said.endswith(f"its traceback is in {file}")
    assert "in fails" in file.read_text()
    assert file.stat().st_mode & 0o777 == 0o600
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "gone"))
    assert ended(capsys, "list")[0] == 70


@pytest.mark.parametrize("place", ["sampler", "condition"])
@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("raise TypeError('what')", "TypeError: what"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("raise SystemExit(0)", "SystemExit: 0"),
        ("raise OSError(28, 'No space left')", "OSError: [Errno 28] No space left"),
        ("raise ValueError('one\\ntwo')", "ValueError: one two"),
        ("jax.numpy.zeros(2) @ jax.numpy.zeros(3)", "TypeError: dot_general requires"),
    ],
)
def test_an_error_in_the_users_code_names_file_line_and_statement(
    capsys, tmp_path, place, code, says
):
    file = tmp_path / "mine.py"
    lines = {"sampler": "pass", "condition": "pass"} | {place: code}
    file.write_text(THEIRS.format(**lines))
    line = next(n for n, text in enumerate(file.read_text().splitlines(), 1) if code in text)
    status, out, said = ended(capsys, "verify", str(file), "--draws", "8", "--jobs", "1")
    assert (status, out) == (2, "")
    where = "conclusion" if place == "condition" else "sample"
    assert said.startswith(f"mine.bad: {file}, line {line}, in {where}: {says}")


def test_an_error_in_a_callback_of_the_users_is_one_line(capfd, tmp_path):
    file = tmp_path / "mine.py"
    call = "jax.pure_callback(lambda: 1 / 0, jax.ShapeDtypeStruct((), 'float32'))"
    file.write_text(THEIRS.format(sampler=f"return {call}", condition="pass"))
    status, out, said = ended(capfd, "verify", str(file), "--draws", "8", "--jobs", "1")
    assert (status, out) == (2, "")
    assert re.fullmatch(rf"{file}, line [0-9]+, in <lambda>: ZeroDivisionError: .*", said)


@pytest.mark.slow
def test_an_interrupt_that_the_users_code_raises_is_an_error_of_that(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text("raise KeyboardInterrupt")
    status, out, err = shell(f"PROGRAM list {file}", WHOLE, **CPU)
    says = f"widetheory: {file}, line 1, in <module>: KeyboardInterrupt\n"
    assert (status, out, err.decode()) == (2, b"", says)


def test_a_platform_that_is_not_there(capsys, monkeypatch):
    def devices():
        from jax._src import xla_bridge

        return xla_bridge.get_backend("nowhere")

    monkeypatch.setattr("experiments.machine.devices.local", lambda count: devices())
    monkeypatch.setenv("JAX_PLATFORMS", "nowhere")
    monkeypatch.setattr(faults, "is_a_users", lambda file: False)
    status, out, said = ended(capsys, *VERIFY)
    assert (status, out) == (2, "")
    assert said.startswith("JAX finds no device of JAX_PLATFORMS=nowhere")


def test_a_lost_statement_is_told_and_the_others_are_printed(capsys, monkeypatch, tmp_path):
    executed = running.execute
    why = "its process was killed by SIGKILL"

    def one_is_lost(runs, **options):
        yield Lost(why)
        yield from executed(runs[1:], **options)

    monkeypatch.setattr(running, "execute", one_is_lost)
    status, out, said = ended(
        capsys, "verify", quick(tmp_path), "--draws", "8", "--json", "--out", str(tmp_path)
    )
    found = json.loads(out)
    assert status == 2
    assert said == f"left out: mine.one: {why}"
    assert found["left_out"] == {"mine.one": why}
    assert [entry["id"] for entry in found["statements"]] == ["mine.other"]
    assert json.loads((tmp_path / "verdicts.json").read_text()) == found


def test_one_process_does_all_where_no_other_can_be_started(capsys, monkeypatch, tmp_path):
    def fails(*_, **__):
        raise OSError(errno.EAGAIN, "Resource temporarily unavailable")

    monkeypatch.setattr("experiments.machine.workers.Pool._start", fails)
    status, out, said = ended(
        capsys, "verify", quick(tmp_path), "--draws", "8", "--jobs", "2", "--json"
    )
    assert status == 0
    assert len(json.loads(out)["statements"]) == 2
    assert said.startswith("one process does all: others cannot be started (Resource temporarily")


@pytest.mark.parametrize("name", environment.OWN)
def test_no_variable_for_debugging_reaches_a_command(monkeypatch, name):
    value = environment.OWN[name]
    other = True if value is False else {"allow": "raise", "standard": "strict"}.get(value, "raise")
    if name.startswith("jax_transfer_guard"):
        other = "disallow"
    monkeypatch.setenv(name.upper(), str(other))
    before = getattr(jax.config, name)
    try:
        jax.config.update(name, other)
        environment.configure("float64")
        assert getattr(jax.config, name) == value
    finally:
        jax.config.update(name, before)


def test_a_cache_that_everybody_may_write_is_refused(capsys, monkeypatch, tmp_path):
    tmp_path.chmod(0o777)
    jax.config.update("jax_compilation_cache_dir", str(tmp_path))
    try:
        status, _, said = ended(capsys, *VERIFY)
    finally:
        jax.config.update("jax_compilation_cache_dir", None)
    assert status == 2
    assert said.startswith("JAX_COMPILATION_CACHE_DIR must not be writable by everybody")


# Streams, in processes without JAX.

PRINTS = """
import sys
from experiments.machine import streams
streams.prepare()
for _ in range(int(sys.argv[1])):
    print("m ≥ 3 − é 数", "x" * 1000)
streams.say("said ≥ é")
try:
    sys.stdout.flush()
except OSError as error:
    streams.say(error.strerror)
    sys.exit(2)
"""


def shell(command: str, code: str = PRINTS, **environ: str) -> tuple[int, bytes, bytes]:
    run = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command.replace("PROGRAM", '"$PYTHON" -c "$CODE"')],
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), "CODE": code}
        | {"PYTHON": sys.executable, **environ},
        capture_output=True, timeout=300, cwd=ROOT,
    )  # fmt: skip
    return run.returncode, run.stdout, run.stderr


@pytest.mark.parametrize("lines", [1, 1000], ids=["at the end", "while printing"])
def test_a_reader_that_goes_ends_nothing(lines):
    said = "widetheory: said ≥ é\n".encode()
    assert shell(f"PROGRAM {lines} | true") == (0, b"", said)
    assert shell(f"PROGRAM {lines} 2>&1 | true") == (0, b"", b"")
    assert shell(f"PROGRAM {lines} >&-") == (0, b"", said)


def test_a_full_disk_for_results_is_told_once():
    status, out, err = shell("PROGRAM 1 > /dev/full")
    assert (status, out) == (2, b"")
    assert err.decode().splitlines()[-1:] == [
        "the results cannot be printed: No space left on device".join(("widetheory: ", ""))
    ]
    assert shell("PROGRAM 1 2> /dev/full")[0] == 0


@pytest.mark.parametrize(
    ("encoding", "printed", "said"),
    [
        ("utf-8", "m ≥ 3 − é 数", "said ≥ é"),
        ("ascii", r"m >= 3 - \xe9 \u6570", r"said >= \xe9"),
        ("cp1252", r"m >= 3 - é \u6570", "said >= é"),
        ("latin-1", r"m >= 3 - é \u6570", "said >= é"),
    ],
)
def test_a_terminal_that_lacks_characters_loses_no_results(encoding, printed, said):
    status, out, err = shell("PROGRAM 1", PYTHONIOENCODING=encoding)
    assert status == 0
    assert out.decode(encoding).partition(" x")[0] == printed
    assert err.decode(encoding) == f"widetheory: {said}\n"


def test_json_is_json_in_any_encoding(capsys, monkeypatch):
    _, out, _ = ended(capsys, "list", "orthogonal", "--json")
    monkeypatch.setattr(streams, "knows", lambda text: False)
    _, in_ascii, _ = ended(capsys, "list", "orthogonal", "--json")
    assert in_ascii.isascii()
    assert not out.isascii()
    assert json.loads(in_ascii) == json.loads(out)


@pytest.mark.parametrize("name", ["x" * 5000 + ".py", "x" * 300 + ".py", "\udcff.py", "/root\0.py"])
@pytest.mark.parametrize("verb", ["verify", "show", "figure", "falsify"])
def test_names_that_no_file_can_have(capsys, verb, name):
    status, _, said = ended(capsys, verb, name)
    assert status == 2
    assert said


# The command itself, in processes.

WHOLE = "from widetheory import entry; entry()"
CPU = {"JAX_PLATFORMS": "cpu"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "environ", "status", "says"),
    [
        ("verify {0} --draws 8 --jobs 1 | true", CPU, 0, ""),
        ("verify {0} {1} --draws 8 --jobs 2 2>&1 | true", CPU, 0, ""),
        ("list | head -1 > /dev/null", CPU, 0, ""),
        ("-h > /dev/full", CPU, 2, "the results cannot be printed: No space left on device"),
        ("verify {0} --draws 8 > /dev/full", CPU, 2, "the results cannot be printed: No space"),
        ("verify {0} --draws 8", {"JAX_PLATFORMS": "cuda"}, 2, "JAX finds no device"),
        ("verify {0} --draws 8", {"JAX_PLATFORMS": "banana"}, 2, "JAX finds no device"),
        ("train --n 4 --d 4 --m 4", {"JAX_PLATFORMS": "cuda"}, 2, "JAX finds no device"),
        ("verify {0} --draws 8 > /dev/null", CPU | {"PYTHONIOENCODING": "ascii"}, 0, ""),
        ("sweep {0} --grid load=0.1,0.2 --out /proc/none", CPU, 2, "--out /proc/none cannot be"),
    ],
)
def test_commands_as_processes(arguments, environ, status, says):
    found, _, err = shell(f"PROGRAM {arguments.format(*TWO)}", WHOLE, **environ)
    line = err.decode()
    assert found == status, line
    assert line.startswith(f"widetheory: {says}" if says else ""), line
    assert line.count("\n") == bool(says), line


@pytest.mark.slow
def test_no_variable_for_debugging_changes_a_number():
    command = f"PROGRAM verify {TWO[0]} separability.mean --draws 8 --jobs 1 --json"
    flags = {False: "1", "allow": "raise", "standard": "strict", "ignore": "raise"}
    every = {name.upper(): flags[value] for name, value in environment.OWN.items()}
    every |= {name: "disallow" for name in every if "TRANSFER_GUARD" in name}
    results = []
    for environ in ({}, every):
        status, out, err = shell(command, WHOLE, **CPU, **environ)
        assert (status, err) == (0, b"")
        found = json.loads(out)["statements"]
        results.append([{k: v for k, v in one.items() if k != "seconds"} for one in found])
    assert results[0] == results[1]


@pytest.mark.slow
def test_workers_need_no_shared_memory():
    """Where /dev/shm cannot be written, as in some containers, there are no semaphores."""
    verify = f"PROGRAM verify {' '.join(TWO)} --draws 8 --jobs 2 --json"
    inner = f"mount -t tmpfs -o ro none /dev/shm && {verify}"
    status, out, err = shell(f"unshare -m bash -c '{inner}'", WHOLE, **CPU)
    if b"unshare" in err or b"mount" in err:
        pytest.skip("no file system can be mounted here")
    assert (status, err) == (0, b"")
    assert len(json.loads(out)["statements"]) == 2
