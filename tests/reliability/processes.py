"""Commands as processes of their own, what they start, and what is left of them."""

import contextlib
import os
import pathlib
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

ROOT = pathlib.Path(__file__).parent.parent.parent
STATUS = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}
# Whoever runs the tests may have signals ignored, as `nohup` does, which children inherit.
HEEDED = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGTERM, signal.SIG_DFL)
signal.signal(signal.SIGHUP, signal.SIG_DFL)
"""
COMMAND = "from widetheory import entry; entry()"


def begin(*arguments: str, code: str = COMMAND, **environ: str) -> subprocess.Popen:
    """A command in a session of its own; or any code, with arguments."""
    always = {"PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}", "JAX_PLATFORMS": "cpu"}
    return subprocess.Popen(
        [sys.executable, "-c", HEEDED + code, *arguments],
        env=os.environ | always | environ,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT, start_new_session=True,
    )  # fmt: skip


@contextlib.contextmanager
def started(*arguments: str, code: str = COMMAND, **environ: str) -> Iterator[subprocess.Popen]:
    """The same, and nothing of it is left afterwards."""
    process = begin(*arguments, code=code, **environ)
    try:
        yield process
    finally:
        for pid in group(process.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.communicate()


def group(leader: int) -> dict[int, str]:
    """Living processes of a session → their command lines, zombies left out."""
    found = {}
    for folder in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            state, _, _, session = (
                (folder / "stat").read_text().rpartition(")")[2].split()[:4]
            )  # state, parent, process group, session
            words = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except (FileNotFoundError, ProcessLookupError):  # ended meanwhile
            continue
        if int(session) == leader and state not in "ZX":
            found[int(folder.name)] = words
    return found


def workers(leader: int) -> list[int]:
    """Those among them that share the work."""
    return [pid for pid, words in group(leader).items() if "spawn_main" in words]


def processor_seconds(pid: int) -> float:
    """Processor time that a process has used."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def wait_until(true: Callable[[], object], seconds: float, what: str) -> None:
    """Fails if it does not come true in time."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, f"not within {seconds} s: {what}"
        time.sleep(0.02)
