"""Compiled programs kept from one run to the next, in the user's cache folder.

JAX's own cache writes an entry in place: another process may read it half written, and one that is
killed leaves it so for good. So each process gives JAX a folder of its own, in which the shared
entries are hard links, and hands on what is new there by linking it back, whole or not at all.

Nor does JAX notice every damage, and what it takes is run. So the shared name of an entry ends with
a digest of it, and one that has another is removed. It guards against accidents alone.
"""

import atexit
import contextlib
import dataclasses
import hashlib
import importlib.metadata
import os
import pathlib
import platform
import shutil
import tempfile
import warnings
from collections.abc import Iterator

import filelock
import jax
from jax.experimental.compilation_cache import compilation_cache

from experiments.files import reading
from experiments.machine import cache_folder

MOST_BYTES = 512 * 2**20
HELD = "held"  # locked in the folder of a process for as long as that lives
ENTRY = "*-cache"  # what JAX calls an entry
SHARED = f"{ENTRY}.*"  # with its digest
WHOLE = "program"  # of `kept_programs`


@dataclasses.dataclass(frozen=True)
class Folders:
    """Where this process finds programs and leaves them, and where all processes do."""

    own: pathlib.Path
    shared: pathlib.Path
    held: filelock.BaseFileLock


_used: list[Folders] = []  # none, or one


def use() -> None:
    """Makes JAX take programs from the cache, and keep new ones until they are handed on.

    Nothing changes where the user has given JAX a cache of its own, or there is no folder
    (`cache_folder`) that takes them. To be called before anything is compiled.
    """
    if _used or jax.config.jax_compilation_cache_dir is not None:  # pyright: ignore
        return
    if (root := cache_folder.find()) is None:
        return
    try:
        folders = _opened(root)
    except (OSError, NotImplementedError):  # full, without hard links or locks: compiled again
        return
    _used.append(folders)
    atexit.register(_end, folders)
    jax.config.update("jax_compilation_cache_dir", str(folders.own))
    # What cannot be read or kept is compiled again, and nobody needs two lines about each.
    warnings.filterwarnings("ignore", "Error (reading|writing) persistent compilation cache")
    # Its paths would be part of every entry's name.
    jax.config.update("jax_persistent_cache_enable_xla_caches", "none")
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)


def hand_on() -> None:
    """Gives what this process has compiled so far to those that come later."""
    for folders in _used:
        with contextlib.suppress(OSError):
            new = [entry for entry in folders.own.glob(ENTRY) if entry.stat().st_nlink == 1]
            largest = max((entry.stat().st_size for entry in new), default=0)
            if shutil.disk_usage(folders.own).free <= largest:  # a full disk cuts entries short
                continue
            known = {entry.stem for entry in folders.shared.glob(SHARED)}
            for entry in new:
                if entry.name not in known:
                    _link(entry, folders.shared / f"{entry.name}.{_digest(entry)}")
            if new:
                _limit(folders.shared)


def are_kept() -> bool:
    """Whether this process keeps programs at all."""
    return bool(_used)


def load(name: str) -> bytes | None:
    """What an earlier process has kept under a name; None if there is nothing, or it is damaged."""
    for folders in _used:
        for entry in folders.shared.glob(f"{name}-{WHOLE}.*"):
            with contextlib.suppress(ValueError):
                content = reading.content(entry, MOST_BYTES)
                if entry.suffix == f".{_digest_of(content)}":
                    return content
            entry.unlink(missing_ok=True)
    return None


def keep(name: str, content: bytes) -> None:
    """Gives something to later processes, whole or not at all."""
    for folders in _used:
        with contextlib.suppress(OSError):
            made = folders.own / f"{name}-{WHOLE}"
            made.write_bytes(content)
            _link(made, folders.shared / f"{made.name}.{_digest_of(content)}")
            made.unlink()
            _limit(folders.shared)


@contextlib.contextmanager
def from_scratch() -> Iterator[None]:
    """Inside, JAX compiles what its cache may have, too.

    XLA for CPUs writes down a program that it has itself read without its functions.
    """
    jax.config.update("jax_enable_compilation_cache", False)
    compilation_cache.reset_cache()  # looks at the switch once
    try:
        yield
    finally:
        jax.config.update("jax_enable_compilation_cache", True)
        compilation_cache.reset_cache()


def _end(folders: Folders) -> None:
    hand_on()
    folders.held.release()
    _remove_stale(folders.own.parent)


def _opened(root: pathlib.Path) -> Folders:
    """A new folder of this process, with all entries that suit this machine."""
    shared = root / _machine()
    shared.mkdir(mode=0o700, exist_ok=True)
    _remove_stale(root)
    own = pathlib.Path(tempfile.mkdtemp(prefix="run-", dir=root))
    held = _lock(own)
    held.acquire(blocking=False)
    for entry in shared.glob(SHARED):
        if entry.suffix == f".{_digest(entry)}":
            _link(entry, own / entry.stem)
        else:
            entry.unlink(missing_ok=True)
    return Folders(own, shared, held)


def _digest(entry: pathlib.Path) -> str:
    """Of a file; "" if it has gone meanwhile, or cannot be read."""
    try:
        return _digest_of(reading.content(entry, MOST_BYTES))
    except ValueError:
        return ""


def _digest_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


def _machine() -> str:
    """A name for what compiled programs depend on beyond what JAX itself looks at."""
    processor = platform.processor()
    with contextlib.suppress(OSError):
        lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
        kinds = ("model name", "flags", "Features")  # of every core the same, mostly
        processor = "\n".join(sorted({line for line in lines if line.startswith(kinds)}))
    versions = (importlib.metadata.version(package) for package in ("jax", "jaxlib"))
    text = " ".join((*versions, platform.machine(), processor))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _remove_stale(root: pathlib.Path) -> None:
    """Removes folders of processes that have ended, however they did."""
    for folder in root.glob("run-*"):
        lock = _lock(folder)
        with contextlib.suppress(OSError):  # it lives, or begins just now
            if (folder / HELD).exists():
                lock.acquire(blocking=False)
                shutil.rmtree(folder, ignore_errors=True)
                lock.release()


def _lock(folder: pathlib.Path) -> filelock.BaseFileLock:
    return filelock.FileLock(folder / HELD, fallback_to_soft=False)


def _link(entry: pathlib.Path, place: pathlib.Path) -> None:
    """A second name of a file, unless that name is taken or the file has gone meanwhile."""
    with contextlib.suppress(FileExistsError, FileNotFoundError):
        os.link(entry, place)


def _limit(shared: pathlib.Path) -> None:
    """Removes the oldest entries until those that are left take `MOST_BYTES` at most."""
    found = sorted((e.stat().st_mtime, e.stat().st_size, e) for e in shared.glob("*-*.*"))
    size = sum(bytes for _, bytes, _ in found)
    for _, bytes, entry in found:
        if size <= MOST_BYTES:
            break
        entry.unlink(missing_ok=True)
        size -= bytes
