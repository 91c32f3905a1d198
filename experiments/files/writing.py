"""Files that are written as a whole or not at all, in places that are tried beforehand."""

import contextlib
import errno
import json
import os
import pathlib
import secrets
import stat
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

KINDS = {
    stat.S_IFDIR: "a directory", stat.S_IFLNK: "a symbolic link", stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device",
}  # fmt: skip


def directory(option: str, name: str, *files: str) -> pathlib.Path:
    """A directory that results can be written to, made if need be.

    Better to fail before the work than after it: a small file is written there.

    Args:
      option: which names it.
      name: of the directory.
      files: that will be written in it.

    Raises:
      ValueError: if it cannot be made or written, or holds something else under these names.
    """
    if not name:
        raise ValueError(f"{option} must be a directory that can be written, got ''")
    path = pathlib.Path(name)
    try:
        path.mkdir(parents=True, exist_ok=True)
        for file in files:
            _check_place(path / file)
        with _partial(path / "trial") as (_, file):
            file.write(bytes(4096))
    except OSError as error:
        raise ValueError(
            f"{option} must be a directory that can be written, got {name!r} ({why(error)})"
        ) from error
    return path


def why(error: OSError) -> str:
    """An error of the operating system in words."""
    return error.strerror or str(error)


def replace(
    path: pathlib.Path, write: Callable[[BinaryIO], object], *, alone: bool = False
) -> None:
    """Writes a file as a whole or not at all. Of several writers the last wins.

    Args:
      path: the file; where something else than a file is, nothing is written.
      write: what writes its content into an open file.
      alone: whether a lock keeps others from writing it; then what one of them may have left when
        it was killed is cleared away.

    Raises:
      OSError: if it cannot be written; the file is then what it was.
    """
    _check_place(path)
    with _partial(path, alone=alone) as (partial, file):
        write(file)
        file.flush()
        os.fsync(file.fileno())
        os.replace(partial, path)
    if os.name == "posix":  # the name itself must reach the disk too
        descriptor = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def replace_json(
    path: pathlib.Path,
    content: Any,
    *,
    indent: int | None = 2,
    separators: tuple[str, str] | None = None,
    alone: bool = False,
) -> None:
    """Writes JSON so; OSError if it cannot be written, ValueError for NaN or infinity."""
    text = json.dumps(
        content, indent=indent, separators=separators, ensure_ascii=False, allow_nan=False
    )
    # Names of files may hold bytes that are no text: as JSON escapes them.
    content = f"{text}\n".encode(errors="backslashreplace")
    replace(path, lambda file: file.write(content), alone=alone)


@contextlib.contextmanager
def _partial(path: pathlib.Path, *, alone: bool = False) -> Iterator[tuple[pathlib.Path, BinaryIO]]:
    """A new file beside the path, which nobody else has opened, and which does not stay."""
    own = "" if alone else f".{secrets.token_hex(4)}"
    partial = path.with_name(f".{path.name}{own}.partial")
    if alone:
        partial.unlink(missing_ok=True)
    with partial.open("xb") as file:
        try:
            yield partial, file
        finally:
            with contextlib.suppress(OSError):
                partial.unlink(missing_ok=True)


def _check_place(path: pathlib.Path) -> None:
    """FileExistsError if something that is no plain file has this name."""
    try:
        kind = stat.S_IFMT(path.lstat().st_mode)
    except FileNotFoundError:
        return
    if kind != stat.S_IFREG:
        what = f"{path.name} is {KINDS.get(kind, 'no file')}"
        raise FileExistsError(errno.EEXIST, what, str(path))
