"""Statements as they are named on the command line: by identifier, by family, or by where they are.

A file or module of the user's is imported by this process and, before they do anything else, by its
workers: statements hold functions, which cannot be sent to them.
"""

import importlib
import importlib.util
import os
import pathlib
import re
import sys
import traceback
import zlib
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import NamedTuple

from experiments.files import reading
from theory import REGISTRY, Statement, select
from theory.statements.registry import by_identifier, statements_in


class Named(NamedTuple):
    """A statement, and the file or module that holds it; "" for one of the registry."""

    statement: Statement
    reference: str = ""


def find(names: Sequence[str]) -> tuple[Named, ...]:
    """The statements of names, each once: those of the registry in its order, then the others.

    Args:
      names: identifiers, families, FILE.py[:NAME] or package.module[:NAME], where NAME is a
        variable or an identifier; without it all statements there. None means all of the registry.

    Raises:
      ValueError: for a name that is none of these, a file or module that cannot be imported or
        holds no such statement, or two statements of one identifier.
    """
    registered = [name for name in names if _place(name) is None]
    found = [Named(s) for s in select(registered)] if registered or not names else []
    for name in names:
        if (where := _place(name)) is not None:
            found += _at(*where)
    by_identifier(one.statement for one in found)
    return tuple({one.statement.id: one for one in found}.values())


def find_one(name: str) -> Named:
    """The statement of a name; ValueError as for `find`, or if it stands for several."""
    found = find([name])
    if len(found) > 1:
        several = "the family" if _place(name) is None else "all statements of"
        ids = ", ".join(one.statement.id for one in found)
        raise ValueError(f"ID must be one statement, got {several} {name!r}: {ids}")
    return next(iter(found))


def held(reference: str, id: str) -> Statement:
    """The statement of an identifier in a file or module, in the registry for ""; KeyError."""
    return (statements_in(load(reference)) if reference else REGISTRY)[id]


def can_be_found(statement: Statement, reference: str) -> bool:
    """Whether another process finds the statement by these, of which it cannot be sent a copy."""
    try:
        return held(reference, statement.id) is statement
    except KeyError:
        return False


def load(reference: str) -> ModuleType:
    """The module of a reference, imported once.

    Raises:
      ValueError: if there is none, or it fails when it is imported.
    """
    if not reference.endswith(".py"):
        return _imported(reference, lambda: _import_module(reference))
    if not reading.exists(reference):
        raise ValueError(f"{reference} must be a Python file that holds statements, there is none")
    with reading.opened(reference):  # now, and not by a loader that calls it an ImportError
        path = pathlib.Path(reference).resolve()
    name = f"widetheory_file_{zlib.crc32(str(path).encode()):08x}_{path.stem}"
    if name in sys.modules:
        return sys.modules[name]
    return _imported(reference, lambda: _execute(name, path))


def place(name: str) -> tuple[str, str] | None:
    """The parts of FILE.py, FILE.py:NAME or package.module:NAME, NAME "" if there is none.

    Returns:
      File or module, and NAME; None for what is neither.

    Raises:
      ValueError: if nothing follows the colon.
    """
    file = re.fullmatch(r"(.+\.py)(?::(.*))?", name)
    if file is None and ":" not in name:
        return None
    reference, inner = file.groups() if file is not None else name.split(":", 1)
    if inner == "":
        raise ValueError(f"{reference} must be followed by a name after the colon, got {name!r}")
    return reference, inner or ""


def _place(name: str) -> tuple[str, str] | None:
    """The same for statements, for which a module is named without a colon, too."""
    if (found := place(name)) is not None:
        return found
    families = {id.split(".")[0] for id in REGISTRY}
    registered = name in REGISTRY or name in families
    return (name, "") if not registered and _is_module(name) else None


def _is_module(name: str) -> bool:
    """Whether a dotted name can be imported; a bare one has to be followed by ":"."""
    if "." not in name or not all(part.isidentifier() for part in name.split(".")):
        return False
    _look_where_the_user_is()
    try:
        return importlib.util.find_spec(name) is not None
    except KeyboardInterrupt:
        raise
    except (ImportError, AttributeError, ValueError):
        return False
    except BaseException:  # of the package around it: importing the module tells which
        return True


def _at(reference: str, inner: str) -> list[Named]:
    module = load(reference)
    try:
        known = statements_in(module)
    except ValueError as error:
        raise ValueError(f"{reference}: {error}") from error
    if inner:
        value = vars(module).get(inner, known.get(inner))
        if isinstance(value, Statement):
            known = {value.id: value}
        elif isinstance(value, tuple | list) and value:
            known = by_identifier(one for one in value if isinstance(one, Statement))
        else:
            known = {}
    if not known:
        what = f"the statement {inner!r}" if inner else "statements"
        held = ", ".join(statements_in(module)) or "none"
        raise ValueError(f"{reference} must hold {what}; it holds {held}")
    return [Named(statement, reference) for statement in known.values()]


def _imported(reference: str, get: Callable[[], ModuleType]) -> ModuleType:
    try:
        return get()
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        frames = traceback.extract_tb(error.__traceback__)
        where = next(
            (f", line {f.lineno}" for f in reversed(frames) if f.filename.endswith(reference)), ""
        )
        at = getattr(error, "lineno", None)  # of a SyntaxError, unless the bytes are no text
        line = where if at is None else f", line {at}"
        raise ValueError(f"{reference} cannot be imported{line}: {reading.named(error)}") from error


def _import_module(name: str) -> ModuleType:
    _look_where_the_user_is()
    return importlib.import_module(name)


def _execute(name: str, path: pathlib.Path) -> ModuleType:
    """The file as a module, which may import the files beside it."""
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    if str(path.parent) not in sys.path:
        sys.path.append(str(path.parent))
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # before: configurations are sent to workers by this name
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _look_where_the_user_is() -> None:
    """A command does not look into the working directory for modules, as `python -m` does."""
    if os.getcwd() not in sys.path and "" not in sys.path:
        sys.path.append(os.getcwd())
