"""How a command ends that cannot do what was asked: one line, and a status that tells whose fault.

Status 1 says that a theorem fails, so nothing that goes wrong may end with it.
"""

import os
import pathlib
import re
import sysconfig
import tempfile
import traceback
from collections.abc import Iterator
from types import FrameType, TracebackType
from typing import Any

REFUSED = 2  # bad usage, bad input, or a machine that lacks what is needed
OURS = 70  # an error of this program, as sysexits.h numbers it
HOME = str(pathlib.Path(__file__).parent.parent.parent)
PACKAGES = tuple(os.path.join(HOME, name, "") for name in ("theory", "experiments"))
# What is installed is not written by the user: the standard library, and other packages.
INSTALLED = tuple({sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib")})
SHOWN = 300  # characters of a message


class Explained(Exception):
    """An error in words, with the status that a command ends with."""

    def __init__(self, words: str, status: int):
        super().__init__(words, status)
        self.words, self.status = words, status


def explained(error: BaseException) -> Explained:
    """What went wrong, in words that take one line.

    Args:
      error: as it was caught: its traceback begins in the caller.

    Returns:
      Status `REFUSED` for what the user or the machine can mend: values that are wrong, files,
      memory, devices, and whatever code of the user's raises (with file, line and statement);
      `OURS` for anything else, with the name of the file that holds the traceback.
    """
    if isinstance(error, Explained):
        return error
    words = (
        _memory_error(error)
        or _callbacks_error(error)
        or _users_error(error)
        or _no_device(error)
        or _operating_system(error)
        or (_text(error) if isinstance(error, ValueError) else None)
    )
    return _our_error(error) if words is None else Explained(words, REFUSED)


def _text(error: BaseException) -> str:
    """The message in one line, whatever it is."""
    try:
        return " ".join(str(error).split())
    except Exception:  # of an exception's own __str__
        return "it has no message"


def in_words(error: BaseException) -> str:
    """The kind of an error and what it says, in one line."""
    return f"{type(error).__name__}: {_text(error)[:SHOWN]}".removesuffix(": ")


def _frames(error: BaseException) -> Iterator[tuple[FrameType, int]]:
    """Frames and their lines, from the catching one inwards."""
    frame: TracebackType | None = error.__traceback__
    while frame is not None:
        yield frame.tb_frame, frame.tb_lineno
        frame = frame.tb_next


def _memory_error(error: BaseException) -> str | None:
    text = _text(error)
    exhausted = type(error).__name__ in ("JaxRuntimeError", "XlaRuntimeError") and (
        "RESOURCE_EXHAUSTED" in text or "out of memory" in text.lower()
    )
    if not isinstance(error, MemoryError) and not exhausted:
        return None
    remedy = "take smaller sizes, fewer draws or a larger machine"
    return f"not enough memory; {remedy} ({text[:120] or 'MemoryError'})"


def _callbacks_error(error: BaseException) -> str | None:
    """Where XLA called code of the user's that raised; its traceback is text, in XLA's error."""
    text = str(error) if type(error).__name__ in ("JaxRuntimeError", "XlaRuntimeError") else ""
    _, called, inner = text.partition(os.path.join("jax", "_src", "callback.py"))
    frames = re.findall(r'File "(.+)", line ([0-9]+), in (.+)', inner)
    theirs = [frame for frame in frames if is_a_users(frame[0])]
    after = inner.rpartition('  File "')[2].splitlines()[1:]  # perhaps the code, and what it raised
    raised = next((line for line in after if line[:1].strip()), "")
    if not (called and theirs):
        return None
    file, line, name = theirs[-1]
    return f"{file}, line {line}, in {name}: {raised[:SHOWN]}"


def is_a_users(file: str) -> bool:
    """Whether a file of code is neither ours nor installed."""
    return not file.startswith((*PACKAGES, *INSTALLED, "<"))


def _users_error(error: BaseException) -> str | None:
    """Where in code of the user's it was raised; None if none of it was running."""
    where, id = None, None
    for frame, line in _frames(error):
        statement = frame.f_locals.get("statement")
        id = getattr(statement, "id", id)
        code = frame.f_code
        if is_a_users(code.co_filename) or _is_written_in(statement, code.co_filename):
            where = f"{code.co_filename}, line {line}, in {code.co_name}"
    if where is None:
        return None
    return f"{id + ': ' if isinstance(id, str) else ''}{where}: {in_words(error)}"


def _is_written_in(statement: Any, file: str) -> bool:
    """Whether a statement of an installed package is written in the file."""
    code = getattr(getattr(statement, "sample", None), "__code__", None)
    return code is not None and code.co_filename == file and not file.startswith(PACKAGES)


def _no_device(error: BaseException) -> str | None:
    """JAX's error, of whatever type, where the platform that it is told to use is not there."""
    *_, last = [frame.f_code.co_filename for frame, _ in _frames(error)] or [""]
    if not last.endswith("xla_bridge.py"):
        return None
    asked = os.environ.get("JAX_PLATFORMS")
    where = f"JAX_PLATFORMS={asked}" if asked else "this machine"
    return f"JAX finds no device of {where} ({in_words(error)}); JAX_PLATFORMS=cpu works everywhere"


def _operating_system(error: BaseException) -> str | None:
    if not isinstance(error, OSError):
        return None
    text = error.strerror or _text(error) or type(error).__name__
    return f"{os.fsdecode(error.filename)}: {text}" if error.filename else text


def _our_error(error: BaseException) -> Explained:
    words = f"an error of widetheory itself, {in_words(error)}"
    try:
        with tempfile.NamedTemporaryFile(
            "w", encoding="utf-8", errors="backslashreplace", prefix="widetheory-", suffix=".txt",
            delete=False,
        ) as file:  # fmt: skip
            traceback.print_exception(error, file=file)
    except OSError as problem:
        return Explained(f"{words}; its traceback cannot be written: {problem.strerror}", OURS)
    return Explained(f"{words}; its traceback is in {file.name}", OURS)
