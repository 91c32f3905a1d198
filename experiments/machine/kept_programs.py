"""Programs of registered statements from earlier processes, which need not be traced again either.

JAX's own cache has a program under a name that is made of what tracing and lowering give, and those
took most of the time of a statement whose program was there already. Here the name is made of what
determines all that: the text of `theory`, versions, settings of JAX, the statement and its
configuration, and the shapes of the arguments. What cannot be put into a name, such as a statement
of the user's own, whose code may be anywhere, is traced as ever.

A name is right as long as `theory` in this process is what its files say. So a process in which
other code than that of installed packages runs, which may have changed anything, keeps and takes
nothing, nor does one in which a file is younger than the process.
"""

import dataclasses
import functools
import hashlib
import math
import os
import pathlib
import pickle
import platform
import sys
import sysconfig
import zlib
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.extend.core
import numpy as np
from jax.experimental import serialize_executable

import experiments
import theory
from experiments.machine import compiled_programs, environment
from theory import REGISTRY, Statement
from theory.compilation import Compiled, Keeper, Kept, bytes_needed, bytes_of, largest_array
from theory.statements.registry import is_ours

Program = Callable[..., Any]
ROOT = pathlib.Path(theory.__file__).parent.parent
CLOCKS = 2.0  # seconds by which a file system's clock may be off


class NoNameError(Exception):
    """Raised for what two processes could not call by one name."""


class Entry(NamedTuple):
    """A program, of the arguments that are not static, and the bytes that it needs."""

    program: Program
    needed: int


def keeper(statement: Statement) -> Keeper | None:
    """Who keeps the programs of a statement.

    Returns:
      What `theory.compilation.kept_by` takes; None for statements that are not ours, in a process
      that may have changed them, and on other devices than CPUs, where it has not been tried.
    """
    possible = compiled_programs.are_kept() and jax.default_backend() == "cpu"
    if not (possible and is_ours(statement) and _as_written()):
        return None
    found: dict[str, Entry] = {}  # as long as the statement is at work
    return functools.partial(OfStatement, statement, found)


@dataclasses.dataclass(frozen=True)
class OfStatement(Kept):
    """One function of a statement, for which programs are looked for before it is traced.

    Attributes:
      statement: the statement.
      found: name → the programs of it that this process has.
      make: () → what `jax.jit` returns.
      function: the function's name and how it is compiled.
      static: numbers of its static arguments.
    """

    statement: Statement
    found: dict[str, Entry]
    make: Callable[[], Compiled]
    function: str
    static: tuple[int, ...]

    def __call__(self, *arguments: Any) -> Any:
        """What the function returns."""
        entry = self._entry(arguments, math.inf)
        if not isinstance(entry, Entry):
            return self.make()(*arguments)
        try:
            return jax.block_until_ready(entry.program(*self._traced(arguments)))
        except jax.errors.JaxRuntimeError as error:
            if "NOT_FOUND" not in str(error):  # by XLA: a part of what was read is missing
                raise
            return self.make()(*arguments)

    def bytes_needed(self, *arguments: Any, limit: float) -> int:
        """See `theory.compilation.bytes_needed`."""
        entry = self._entry(arguments, limit)
        if entry is None:
            return bytes_needed(self.make(), *arguments, limit=limit)
        return entry if isinstance(entry, int) else entry.needed

    def _traced(self, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(a for i, a in enumerate(arguments) if i not in self.static)

    def _entry(self, arguments: tuple[Any, ...], limit: float) -> Entry | int | None:
        """The program; bytes, if more than the limit; or None where there is no name for it."""
        try:
            name = self._name(arguments)
        except NoNameError:
            return None
        if name not in self.found:
            entry = _loaded(name)
            if entry is None:
                entry = _compiled(name, self.make(), arguments, limit)
            if isinstance(entry, int):
                return entry
            self.found[name] = entry
        return self.found[name]

    def _name(self, arguments: tuple[Any, ...]) -> str:
        given = (i for i in self.static if i < len(arguments))
        static = [f"{i} {_text(arguments[i], self.statement)}" for i in given]
        leaves, structure = jax.tree.flatten(self._traced(arguments))
        types = [repr(jax.typeof(leaf)) for leaf in leaves]
        parts = (_surroundings(), self.function, *static, *types, str(structure))
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:40]


def _compiled(
    name: str, function: Compiled, arguments: tuple[Any, ...], limit: float
) -> Entry | int:
    """The program, given to later processes; or bytes, if more than the limit."""
    traced = function.trace(*arguments)
    if (least := largest_array(traced.jaxpr.jaxpr)) > limit:
        return least
    with compiled_programs.from_scratch():
        program = traced.lower().compile()
    needed = bytes_of(program, traced)
    if _as_written() and not _calls_python(traced.jaxpr.jaxpr):
        text = pickle.dumps((needed, *serialize_executable.serialize(program)))
        compiled_programs.keep(name, zlib.compress(text, 1))
    return Entry(program, needed)


def _calls_python(jaxpr: jax.extend.core.Jaxpr) -> bool:
    """Whether a program holds the address of a function of this process."""
    return any(
        "callback" in equation.primitive.name
        or any(map(_calls_python, jax.extend.core.jaxprs_in_params(equation.params)))
        for equation in jaxpr.eqns
    )


def _loaded(name: str) -> Entry | None:
    data = compiled_programs.load(name)
    if data is None:
        return None
    needed, *parts = pickle.loads(zlib.decompress(data))
    _find_lapack()
    return Entry(serialize_executable.deserialize_and_load(*parts), needed)


@functools.cache
def _find_lapack() -> None:
    """Lets XLA know where LAPACK is, which JAX does when it lowers the first call of it."""
    jax.jit(jax.lax.linalg.cholesky).lower(jax.ShapeDtypeStruct((1, 1), np.float32))


def _text(value: object, statement: Statement) -> str:
    """A text that only equal values have. `NoNameError` for what there is none of."""
    if value is statement:
        return f"statement {statement.id}"
    if value is None or type(value) in (bool, int, str, float):
        return f"{type(value).__name__} {value!r}"
    if type(value) is tuple:
        return f"({', '.join(_text(entry, statement) for entry in value)})"
    if type(value) is np.ndarray and value.dtype.kind in "biuf":
        digest = hashlib.sha256(np.ascontiguousarray(value).tobytes()).hexdigest()
        return f"array {value.dtype.str} {value.shape} {digest}"
    if dataclasses.is_dataclass(value) and type(value).__module__.startswith("theory."):
        fields = {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
        inside = ", ".join(f"{name}={_text(part, statement)}" for name, part in fields.items())
        return f"{type(value).__module__}.{type(value).__qualname__}({inside})"
    raise NoNameError(type(value))


def _surroundings() -> str:
    """What any program depends on: code, versions, settings of JAX, this machine's processors."""
    settings = {
        name: value
        for name, value in jax.config.values.items()
        if "cache" not in name and "dump" not in name
    }
    return repr((_code(), sorted(settings.items(), key=str), os.environ.get("XLA_FLAGS", "")))


def _as_written() -> bool:
    """Whether `theory` in this process is what its files say."""
    only_ours = len(REGISTRY) == sum(map(is_ours, REGISTRY.values()))
    return only_ours and not _strangers() and not _edited()


def _strangers() -> set[str]:
    """Modules that are neither ours, Python's nor of an installed package, by their files."""
    files = {name: getattr(module, "__file__", None) for name, module in list(sys.modules.items())}
    return {name for name, file in files.items() if file and not _is_installed(file)}


@functools.cache
def _is_installed(file: str) -> bool:
    return os.path.realpath(file).startswith(_installed())


@functools.cache
def _installed() -> tuple[str, ...]:
    """Where such modules are."""
    paths = sysconfig.get_paths()
    known = [paths[name] for name in ("stdlib", "platstdlib", "purelib", "platlib", "scripts")]
    known += [str(ROOT / name) for name in ("theory", "experiments")]
    folders = (os.path.realpath(path) + os.sep for path in known)
    return (*folders, os.path.realpath(ROOT / "widetheory.py"))


def _edited() -> bool:
    """Whether a file of `theory` may be younger than its import; by its inode's time, too."""
    times = [max(s.st_mtime, s.st_ctime) for s in (file.stat() for file in _files())]
    return max(times) > experiments.BEGAN - CLOCKS


def _files() -> list[pathlib.Path]:
    return sorted((ROOT / "theory").rglob("*.py"))


@functools.cache
def _code() -> str:
    """A digest of the text of `theory` and the versions of what it calls."""
    digest = hashlib.sha256()
    for file in _files():
        digest.update(f"{file.relative_to(ROOT)}\0".encode() + file.read_bytes() + b"\0")
    versions = environment.describe()["versions"]
    processors = (
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    )
    return f"{digest.hexdigest()} {sorted(versions.items())} {platform.machine()} {processors}"
