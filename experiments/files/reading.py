"""Opening a file for reading, and what can be wrong with it, in one line."""

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from typing import BinaryIO

LONGEST_REASON = 160  # characters
FREELY_UNPACKED = 2**28  # bytes, whatever they were packed to
MOST_PACKED = 200  # times; images and weights are packed to a half or a tenth

Path = str | os.PathLike[str]


class Unreadable(ValueError):
    """A file that the system, or this version, does not read; nothing says that it is damaged."""


class Malformed(ValueError):
    """What a file holds is not what it should be. The text says why, without naming the file."""

    def __init__(self, text: str) -> None:
        super().__init__(_printable(text))


def named(error: BaseException) -> str:
    """The kind of an error and what it says, in one line that is not long."""
    try:
        text = " ".join(str(error).split())
    except Exception:  # the user's own kind of error may fail to say what it is
        text = ""
    whole = _printable(f"{type(error).__name__}: {text}".removesuffix(": "))
    return whole if len(whole) <= LONGEST_REASON else f"{whole[: LONGEST_REASON - 1]}…"


def _printable(text: str) -> str:
    """Text of a file's may hold what moves a terminal's cursor."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def reason(error: BaseException) -> str:
    """The same, without the kind where that is ValueError and says nothing."""
    kind = f"{type(error).__name__}: " if type(error) in (ValueError, Malformed) else ""
    return named(error).removeprefix(kind)


@contextlib.contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """A regular file, open for reading; whatever is raised while it is becomes one of two errors.

    Raises:
      Unreadable: in the system's own words, where it does not give the file or a part of it.
      Malformed: for everything else, whichever library raised it.
    """
    try:
        with _open(path) as stream:
            yield stream
    except (Unreadable, MemoryError):
        raise
    except Exception as error:
        if (cause := _of_the_system(error)) is not None:
            raise unreadable(path, cause) from error
        if isinstance(error, Malformed):
            raise
        raise Malformed(reason(error)) from error


def _of_the_system(error: BaseException | None) -> OSError | None:
    """The system's error behind one of a library, which `zipfile` takes for a fault of the file."""
    while error is not None:
        # A damaged directory of an archive asks for places before the file's beginning: EINVAL.
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
            return error
        error = error.__cause__ or error.__context__
    return None


def unreadable(path: Path, error: OSError) -> Unreadable:
    """The error about a file, or a directory, in the words of the system's."""
    return Unreadable(f"{path} cannot be read: {error.strerror or reason(error)}")


def _open(path: Path) -> BinaryIO:
    kind = _status(path).st_mode
    if not (stat.S_ISREG(kind) or stat.S_ISDIR(kind)):  # opening a pipe would wait for ever
        raise Unreadable(f"{path} cannot be read: it is no regular file")
    return open(path, "rb")


def _status(path: Path) -> os.stat_result:
    try:
        return os.stat(path)
    except ValueError as error:  # a NUL character, or what the system's encoding does not have
        raise Unreadable(f"{str(path)!r} cannot be read: {reason(error)}") from error


def content(path: Path, most: int) -> bytes:
    """All of a file. Unreadable as above; Malformed if it has more than `most` bytes."""
    with opened(path) as stream:
        size = os.fstat(stream.fileno()).st_size
        if size > most:
            raise Malformed(f"must have at most {most:,} bytes, has {size:,}")
        return stream.read(size)


def size(path: Path) -> int:
    """Bytes of a file. Unreadable where the system does not tell."""
    try:
        return _status(path).st_size
    except OSError as error:
        raise unreadable(path, error) from error


def exists(path: Path) -> bool:
    """Whether there is a file of this name. Unreadable where the system does not tell."""
    try:
        _status(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise unreadable(path, error) from error
    return True


def names(directory: Path) -> list[str]:
    """Names in a directory, sorted, without hidden ones; none if it does not exist.

    Unreadable where it cannot be listed, which is not to be taken for empty.
    """
    try:
        return sorted(name for name in os.listdir(directory) if name[0] != ".")
    except FileNotFoundError:
        return []
    except OSError as error:
        raise unreadable(directory, error) from error


def check_packing(unpacked: int, packed: int) -> None:
    """Malformed for many bytes in a file that is far too small for them: it is there to harm."""
    if unpacked > max(FREELY_UNPACKED, MOST_PACKED * packed):
        raise Malformed(
            f"unpacks to {unpacked:,} bytes, {unpacked // max(packed, 1):,} times what it takes; "
            "if that is meant, store it unpacked"
        )
