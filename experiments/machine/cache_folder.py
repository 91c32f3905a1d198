"""The user's folder for what can be made again: compiled programs, and the list of statements.

What is read from there is trusted: it belongs to the user alone, and is not used where others can
write.
"""

import os
import pathlib
import stat

from experiments.machine import streams

VARIABLE = "WIDETHEORY_CACHE"  # "off", or a folder in place of the user's own


def find() -> pathlib.Path | None:
    """The folder, made if need be.

    Returns:
      `VARIABLE`, else widetheory in XDG_CACHE_HOME or ~/.cache; None where it is switched off,
      cannot be made, or can be written by others. Of a folder that was asked for, or that others
      can write, this is said on stderr.
    """
    asked = os.environ.get(VARIABLE, "")
    if asked == "off":
        return None
    try:
        root = pathlib.Path(asked) if asked else _of_user() / "widetheory"
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        private = _is_private(root)
    except (OSError, RuntimeError) as error:  # no home, read-only
        if asked:
            _refuse(asked, f"it cannot be made ({getattr(error, 'strerror', None) or error})")
        return None
    if not private:
        _refuse(root, "others can write it")
        return None
    return root


def _refuse(folder: object, why: str) -> None:
    streams.say(f"{folder} is not used as a cache: {why}")
    os.environ[VARIABLE] = "off"  # no second line, from here or from a worker


def _of_user() -> pathlib.Path:
    given = os.environ.get("XDG_CACHE_HOME", "")
    return pathlib.Path(given) if os.path.isabs(given) else pathlib.Path.home() / ".cache"


def _is_private(folder: pathlib.Path) -> bool:
    """Whether the folder is the user's, and nobody else can write it."""
    if os.name != "posix":
        return True
    found = folder.stat()
    return found.st_uid == os.getuid() and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
