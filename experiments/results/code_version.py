"""The code that determines numbers: which modules it is, and their hash."""

import ast
import functools
import hashlib
import importlib.metadata
import importlib.util
import pathlib
import sys
from collections.abc import Iterable, Iterator
from typing import Any

from theory import Statement

PACKAGES = ("jax", "jaxlib", "flax", "optax", "numpy", "scipy", "scikit-learn", "neural-tangents")
OURS = ("theory", "experiments")


def code_version(modules: Iterable[str]) -> dict[str, str]:
    """Versions of what determines the numbers: the code of modules, by its content, and packages.

    What counts is `closure`. Comments, docstrings and layout do not count, so that they may change
    while a sweep is going on.

    Args:
      modules: names of those that compute.
    """
    digest = hashlib.sha256()
    found = {_lasting_name(name): name for name in set().union(*map(closure, modules))}
    for name, module in sorted(found.items()):
        digest.update(f"{name}\0{essence(_source(module))}\0".encode())
    versions = {package: importlib.metadata.version(package) for package in PACKAGES}
    return {"sha256": digest.hexdigest()} | versions


def modules_of(statement: Statement) -> set[str]:
    """The modules in which the functions of a statement and its configuration are written.

    Functions that others were made of count as well: those in closures and partial functions.
    """
    parts = [*vars(statement).values(), *vars(statement.claim).values()]
    parts += (statement.stages or {}).values()
    conditions = (*statement.hypotheses.values(), *statement.measured.values())
    parts += [type(statement.config), *(condition.check for condition in conditions)]
    names = {getattr(one, "__module__", None) for part in parts for one in _made_of(part)}
    return {name for name in names if name and (_is_ours(name) or _is_a_users(name))}


def closure(module: str) -> set[str]:
    """A module and those of `theory` and `experiments` that it imports, directly or not.

    A name that a package passes on counts as the module that defines it. In `experiments` imports
    inside functions do not count: what is imported there computes nothing.
    """
    found: set[str] = set()
    pending = [module]
    while pending:
        name = pending.pop()
        if name not in found:
            found.add(name)
            pending += _imported(name)
    return found


@functools.lru_cache(maxsize=1024)
def essence(source: str) -> str:
    """Python code without comments, docstrings and layout."""
    tree = ast.parse(source)  # not the one of `_parsed`: it is changed
    for node in ast.walk(tree):
        if isinstance(
            node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
        ) and (ast.get_docstring(node, clean=False) is not None):
            node.body = node.body[1:] or [ast.Pass()]
    return ast.unparse(tree)


def _lasting_name(module: str) -> str:
    """The module's own, of a user's file that of the file: it may be imported under several."""
    return module if _is_ours(module) else pathlib.Path(sys.modules[module].__file__ or "").name


def _made_of(part: Any) -> list[Any]:
    """A function, and those in its closure or, of a partial one, in its arguments, and so on."""
    found: dict[int, Any] = {}  # a closure may hold the function itself
    pending = [part]
    while pending:
        one = pending.pop()
        if not callable(one) or id(one) in found:
            continue
        found[id(one)] = one
        if isinstance(one, functools.partial):
            pending += [one.func, *one.args, *one.keywords.values()]
        for cell in getattr(one, "__closure__", None) or ():
            pending += _content(cell)
    return [one for one in found.values() if not isinstance(one, functools.partial)]


def _content(cell: Any) -> list[Any]:
    try:
        return [cell.cell_contents]
    except ValueError:  # empty so far
        return []


def _is_ours(module: str) -> bool:
    return module.split(".")[0] in OURS


def _is_a_users(module: str) -> bool:
    """Whether it is no module of an installed package, but a file of the user's."""
    file = getattr(sys.modules.get(module), "__file__", None)
    return file is not None and "site-packages" not in file and not file.startswith(sys.base_prefix)


def _imported(module: str) -> Iterator[str]:
    tree = _tree(module)
    for node in tree.body if module.startswith("experiments.") else ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if _is_ours(alias.name))
        elif isinstance(node, ast.ImportFrom) and node.module and _is_ours(node.module):
            for alias in node.names:
                yield _defining(node.module, alias.name)


@functools.cache
def _defining(module: str, name: str) -> str:
    """The module that defines what `from module import name` imports."""
    if _is_module(f"{module}.{name}"):
        return f"{module}.{name}"
    for node in _tree(module).body:
        if isinstance(node, ast.ImportFrom) and node.module and _is_ours(node.module):
            for alias in node.names:
                if (alias.asname or alias.name) == name:
                    return _defining(node.module, alias.name)
    return module


def _is_module(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:  # its parent is no package
        return False


def _tree(module: str) -> ast.Module:
    return _parsed(_source(module))


@functools.lru_cache(maxsize=1024)
def _parsed(source: str) -> ast.Module:
    return ast.parse(source)


def _source(module: str) -> str:
    known = getattr(sys.modules.get(module), "__file__", None)
    if known is None:
        spec = importlib.util.find_spec(module)
        assert spec is not None
        known = spec.origin
    assert known is not None
    return pathlib.Path(known).read_text(encoding="utf-8")
