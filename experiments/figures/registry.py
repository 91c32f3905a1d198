"""The figures by name, in the order in which they are listed."""

import functools
import importlib
import pkgutil
from collections.abc import Iterator, Sequence
from types import ModuleType

import experiments.figures
from experiments.figures.figure import Figure
from experiments.settings import references
from theory._validation import check_choice


@functools.cache
def figures() -> dict[str, Figure]:
    """Name → figure: the `FIGURE` of a module."""
    modules = map(importlib.import_module, _modules(experiments.figures))
    found = [module.FIGURE for module in modules if hasattr(module, "FIGURE")]
    return {figure.name: figure for figure in found}


def _modules(package: ModuleType) -> Iterator[str]:
    """The modules in this package and those in it that may hold a figure."""
    below = pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
    yield from sorted(module.name for module in below if not module.name.endswith("_picture"))


def held(reference: str, name: str) -> Figure:
    """The figure of a name in a file or module, the registry's for "" (see `references.held`)."""
    return figures()[name] if not reference else _in(references.load(reference))[name]


def references_of(names: Sequence[str]) -> dict[str, str]:
    """Name of a figure → the file or module that holds it, of figures that `select` took there."""
    places = [place for name in names if (place := references.place(name)) is not None]
    return {figure: file for file, inner in places for figure in _at(file, inner)}


def select(names: Sequence[str]) -> list[Figure]:
    """The figures of these names, all of them for "all".

    Args:
      names: of figures, FILE.py[:NAME] or package.module:NAME, where NAME is a variable or the name
        of a figure.

    Raises:
      ValueError: for an unknown one, or two of one name.
    """
    known = figures()
    if "all" in names and len(names) > 1:
        raise ValueError("NAME must be figures, or all alone")
    if list(names) == ["all"]:
        return list(known.values())
    found: dict[str, Figure] = {}
    for name in names:
        place = references.place(name)
        one = {name: known[check_choice("NAME", name, known)]} if place is None else _at(*place)
        for figure in one.values():
            if found.setdefault(figure.name, figure) is not figure:
                raise ValueError(f"NAME must be of one figure, got two of the name {figure.name!r}")
    return list(found.values())


def _at(reference: str, inner: str) -> dict[str, Figure]:
    """Name → figure of a file or module of the user's."""
    module = references.load(reference)
    own = _in(module)
    chosen = vars(module).get(inner, own.get(inner))
    found = {chosen.name: chosen} if isinstance(chosen, Figure) else {} if inner else own
    if not found:
        what = f"the figure {inner!r}" if inner else "figures"
        raise ValueError(f"{reference} must hold {what}; it holds {', '.join(own) or 'none'}")
    return found


def _in(module: ModuleType) -> dict[str, Figure]:
    return {value.name: value for value in vars(module).values() if isinstance(value, Figure)}
