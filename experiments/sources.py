"""The code that determines numbers: which modules, and their hash."""

import ast
import hashlib
import importlib.metadata
import importlib.util
import pathlib
from collections.abc import Iterable, Iterator

import theory

PACKAGES = ("jax", "jaxlib", "flax", "optax", "numpy", "scipy", "scikit-learn", "neural-tangents")


def code_version(modules: Iterable[str]) -> dict[str, str]:
    """Versions of what determines the numbers: our own code, by its content, and packages.

    Args:
      modules: names of those that matter besides all of `theory`.
    """
    files = {name: _file(name) for name in modules}
    (root,) = theory.__path__
    for path in pathlib.Path(root).rglob("*.py"):
        files[f"theory/{path.relative_to(root).as_posix()}"] = path
    digest = hashlib.sha256()
    for name, path in sorted(files.items()):
        digest.update(name.encode() + b"\0" + path.read_bytes() + b"\0")
    versions = {package: importlib.metadata.version(package) for package in PACKAGES}
    return {"sha256": digest.hexdigest()} | versions


def closure(module: str) -> set[str]:
    """A module of `experiments` and those of `experiments` that it imports, directly or not.

    Imports at the top of a module count, those inside functions do not.
    """
    found, pending = set(), [module]
    while pending:
        name = pending.pop()
        if name not in found:
            found.add(name)
            pending += _imported(name)
    return found


def _imported(module: str) -> Iterator[str]:
    for node in ast.parse(_file(module).read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        else:
            continue
        for name in names:
            if name.startswith("experiments.") and _is_module(name):
                yield name


def _is_module(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:  # its parent is no package
        return False


def _file(module: str) -> pathlib.Path:
    spec = importlib.util.find_spec(module)
    assert spec is not None
    assert spec.origin is not None
    return pathlib.Path(spec.origin)
