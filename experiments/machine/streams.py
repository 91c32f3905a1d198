"""What a command says: results on stdout, one line at a time on stderr.

Neither stream ends the work: a reader may go, a terminal may know ASCII alone, a disk may be full.
"""

import codecs
import io
import os
import sys
from typing import Any

LONGEST = 1000  # characters of a line
# Where an encoding lacks a character, these stand for it; any other is written as its number.
ASCII = {
    "≥": ">=", "≤": "<=", "≠": "!=", "≈": "~", "−": "-", "–": "-", "×": "x", "·": "*", "±": "+/-",
    "→": "->", "…": "...", "∞": "inf", "’": "'", "“": '"', "”": '"',
}  # fmt: skip
IN_ASCII = "widetheory.ascii"  # name of the error handler that writes them


def in_ascii(error: UnicodeError) -> tuple[str, int]:
    """What stands for characters that an encoding lacks, and where to go on: a codec's handler."""
    assert isinstance(error, UnicodeEncodeError)
    characters = error.object[error.start : error.end]
    escaped = (ASCII.get(c) or c.encode("ascii", "backslashreplace").decode() for c in characters)
    return "".join(escaped), error.end


codecs.register_error(IN_ASCII, in_ascii)


class _Descriptor(io.FileIO):
    """A descriptor that takes everything once its reader has gone, and fails once at most."""

    def write(self, data: Any, /) -> int | None:
        try:
            return super().write(data)
        except OSError as error:
            silence(self.fileno())
            if isinstance(error, BrokenPipeError) or self.fileno() == 2:
                return memoryview(data).nbytes
            why = f"the results cannot be printed: {error.strerror}"
            raise OSError(error.errno, why) from None


def silence(*descriptors: int) -> None:
    """What is written to them from here on is lost."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for descriptor in descriptors:
        os.dup2(nowhere, descriptor)
    os.close(nowhere)


def opened(descriptor: int, encoding: str) -> io.TextIOWrapper:
    """A descriptor as a stream of text, which knows every character and whose reader may go."""
    raw = _Descriptor(descriptor, "wb", closefd=False)
    return io.TextIOWrapper(
        io.BufferedWriter(raw), encoding, IN_ASCII, line_buffering=raw.isatty() or descriptor == 2
    )


def prepare() -> None:
    """Opens both streams of this process so; to be called before any file is opened."""
    for descriptor in range(3):  # one that is closed would be given to the next file that is opened
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    for descriptor, name in ((1, "stdout"), (2, "stderr")):
        encoding = getattr(getattr(sys, name), "encoding", "utf-8")
        setattr(sys, name, opened(descriptor, encoding))


def knows(text: str) -> bool:
    """Whether stdout has all these characters."""
    try:
        text.encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        return False
    return True


def in_one_line(text: str) -> str:
    """A text without line breaks, nor the middle of what is longer than anybody reads."""
    text = " ".join(text.split())
    if len(text) <= LONGEST:
        return text
    return f"{text[: LONGEST // 2]} … {text[-LONGEST // 2 :]}"


def say(text: str) -> None:
    """One line on stderr."""
    words = in_one_line(text).encode(errors=IN_ASCII).decode()  # names of files may be no text
    print(f"widetheory: {words}", file=sys.stderr, flush=True)
