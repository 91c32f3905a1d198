"""The figures by name, in the order in which they are listed."""

import functools
import importlib
import pkgutil
from collections.abc import Iterator, Sequence
from types import ModuleType

import experiments.figures
from experiments.figures.figure import Figure
from theory._validation import check_choice


@functools.cache
def figures() -> dict[str, Figure]:
    """Name → figure: NAME is drawn by a module that has one NAME_picture beside it."""
    found = [importlib.import_module(name).FIGURE for name in _modules(experiments.figures)]
    return {figure.name: figure for figure in found}


def _modules(package: ModuleType) -> Iterator[str]:
    """The modules of figures in this package and those in it."""
    below = list(pkgutil.walk_packages(package.__path__, f"{package.__name__}."))
    names = {module.name for module in below}
    yield from (name for name in sorted(names) if f"{name}_picture" in names)


def select(names: Sequence[str]) -> list[Figure]:
    """The figures of these names, all of them for "all"; ValueError for an unknown one."""
    known = figures()
    if "all" in names and len(names) > 1:
        raise ValueError("NAME must be figures, or all alone")
    if list(names) == ["all"]:
        return list(known.values())
    return [known[check_choice("NAME", name, known)] for name in dict.fromkeys(names)]
