"""The reference of Python's names: every public one, with its signature and docstring.

A page of docs/reference/api says `<!-- public names of theory.networks -->` where they come while
the site is built; a name without a docstring fails that.
"""

import functools
import importlib
import inspect
import itertools
import pkgutil
import re
import types
from collections.abc import Iterator

import theory
from experiments.documentation import docstrings
from experiments.documentation.signatures import signature

MARKER = re.compile(r"<!-- public names of ([\w.]+) -->")
DOOR = "widetheory"
# No rooms, but scripts of one's own need names of them.
MODULES = ("theory.fields", "theory.keys", "theory.parallel")
FENCE = "`" * 6  # what is inside has fences of its own


def rooms() -> list[str]:
    """The packages of `theory`."""
    found = pkgutil.iter_modules(theory.__path__, "theory.")
    return [module.name for module in found if module.ispkg]


def documented() -> list[str]:
    """All that has a page: the door, the rooms, and some modules."""
    return [DOOR, *rooms(), *MODULES]


@functools.cache
def public(module: str) -> dict[str, object]:
    """Name → what it is, of all that a room passes on, or that a module defines.

    Args:
      module: as "theory.networks"; "widetheory" has what `theory` has, and what reads files.
    """
    found = importlib.import_module(module)
    is_room = hasattr(found, "__path__") or module == DOOR
    values = {name: getattr(found, name) for name in dir(found) if not name.startswith("_")}
    return {
        name: value
        for name, value in values.items()
        if not isinstance(value, types.ModuleType)
        and (is_room or (callable(value) and home(value) == module))
    }


def home(value: object) -> str:
    """The module of a function or class; of other values, that of their class."""
    return getattr(value, "__module__", type(value).__module__)


def with_names(text: str) -> str:
    """A page with the names that it asks for.

    Raises:
      ValueError: for a public name without a docstring.
    """
    return MARKER.sub(lambda found: "\n\n".join(_room(found[1])), text)


def _room(module: str) -> Iterator[str]:
    names = public(module)
    if module != DOOR:
        yield docstrings.markdown(documentation(importlib.import_module(module), module))
        at_door = {id(value) for value in public(DOOR).values()}
        elsewhere = [name for name, value in names.items() if id(value) in at_door]
        if elsewhere:
            links = ", ".join(_link(name, DOOR) for name in elsewhere)
            yield f"Described [with the names of `import widetheory`](widetheory.md): {links}."
        names = {name: value for name, value in names.items() if name not in elsewhere}
    yield f"{FENCE}{{py:module}} {module}\n{FENCE}"
    code = functools.partial(_code, module)
    ordered = sorted(names.items(), key=lambda item: (*_of(item[1]), _line(item[1])))
    for (_, place), group in itertools.groupby(ordered, key=lambda item: _of(item[1])):
        if place != module:
            yield f"## `{place}`"
        for name, value in group:
            yield _entry(module, name, value, code)


def _of(value: object) -> tuple[bool, str]:
    """The module that it is listed under; those of `theory` come first."""
    place = home(value)
    return not place.startswith("theory."), place


def documentation(value: object, name: str) -> str:
    """The docstring of a public name.

    Raises:
      ValueError: if it has none.
    """
    if not (found := inspect.getdoc(value)):
        raise ValueError(f"every public name must have a docstring, got none of {name}")
    return found


def _line(value: object) -> int:
    """Where it stands in its file."""
    found = inspect.unwrap(value) if callable(value) else type(value)
    return inspect.getsourcelines(found)[1]  # pyright: ignore[reportArgumentType]


def _entry(module: str, name: str, value: object, code: docstrings.Code) -> str:
    text = docstrings.markdown(documentation(value, f"{module}.{name}"), code)
    if not callable(value):
        return _directive("data", name, text)
    if not inspect.isclass(value):
        return _directive("function", name + signature(value), text)
    members = [
        member
        for own, found in vars(value).items()
        if not own.startswith("_") and (member := _member(f"{module}.{name}", own, found, code))
    ]
    return _directive("class", name + signature(value), "\n\n".join([text, *members]))


def _member(owner: str, name: str, found: object, code: docstrings.Code) -> str | None:
    """A method or property; None for other values of a class."""
    if isinstance(found, property | functools.cached_property):
        text = docstrings.markdown(documentation(found, f"{owner}.{name}"), code)
        return _directive("property", name, text, fence=FENCE[1:])
    function = getattr(found, "__func__", found)  # of a class method
    if not inspect.isfunction(function):
        return None
    text = docstrings.markdown(documentation(function, f"{owner}.{name}"), code)
    return _directive("method", name + signature(function), text, fence=FENCE[1:])


def _directive(kind: str, shown: str, text: str, fence: str = FENCE) -> str:
    return f"{fence}{{py:{kind}}} {shown}\n{text}\n{fence}"


def _code(module: str, text: str) -> str:
    """What stands between backticks, as a link where it is a public name."""
    for place in (module, DOOR, *documented()):
        if text in public(place):
            is_door = id(public(place)[text]) in {id(v) for v in public(DOOR).values()}
            return _link(text, DOOR if is_door else place)
    return f"`{text}`"


def _link(name: str, module: str) -> str:
    return f"{{py:obj}}`{name} <{module}.{name}>`"
