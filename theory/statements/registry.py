"""The registry: every statement by its identifier, in the order in which reports list them.

Statements are found, not listed. A module of this package, or of a package in it (a family), holds
statements as values of its names, alone or in tuples; other distributions name such modules as
entry points of the group `widetheory.statements`.
"""

import difflib
import importlib
import importlib.metadata
import pkgutil
import warnings
from collections.abc import Iterable, Iterator, Mapping
from types import ModuleType
from typing import Any

from theory.verification import shown
from theory.verification.statement import Statement

GROUP = "widetheory.statements"


def statements_in(module: ModuleType) -> dict[str, Statement]:
    """The statements that are values of a module's names, by identifier, in their order.

    Args:
      module: any module; what it imports counts as its own.

    Raises:
      ValueError: if two of them have one identifier.
    """
    return by_identifier(_statements(vars(module).values()))


def by_identifier(statements: Iterable[Statement]) -> dict[str, Statement]:
    """Identifier → statement; ValueError if two statements have one identifier."""
    found: dict[str, Statement] = {}
    for statement in statements:
        if found.setdefault(statement.id, statement) is not statement:
            raise ValueError(f"id must be that of one statement, got {statement.id!r} twice")
    return found


def _statements(values: Iterable[Any]) -> Iterator[Statement]:
    for value in list(values):
        if isinstance(value, Statement):
            yield value
        elif isinstance(value, tuple | list):
            yield from (one for one in value if isinstance(one, Statement))


def _modules(package: str) -> Iterator[ModuleType]:
    """The modules of this package and of the packages in it, but this one."""
    for found in pkgutil.iter_modules(importlib.import_module(package).__path__, f"{package}."):
        if found.ispkg:
            yield from _modules(found.name)
        elif found.name != __name__:
            yield importlib.import_module(found.name)


def _of_other_distributions(known: Mapping[str, Statement]) -> Iterator[Statement]:
    """Statements that entry points name; one that cannot be loaded is left out aloud."""
    for point in importlib.metadata.entry_points(group=GROUP):
        try:
            loaded = point.load()
            found = by_identifier(
                _statements(vars(loaded).values() if isinstance(loaded, ModuleType) else [loaded])
            )
            if both := known.keys() & found.keys():
                raise ValueError(f"id must be new, got {sorted(both)}")
        except Exception as error:  # whatever it is, the others can be checked
            warnings.warn(
                f"statements of the entry point {point.name} = {point.value!r} are left out: "
                f"{type(error).__name__}: {error}",
                RuntimeWarning,
                stacklevel=2,
            )
        else:
            yield from found.values()


class Registry(Mapping[str, Statement]):
    """Identifier → statement, read only; a notebook shows identifiers and titles."""

    def __init__(self, statements: Mapping[str, Statement]) -> None:
        self._statements = dict(statements)

    def __getitem__(self, id: str) -> Statement:
        return self._statements[id]

    def __iter__(self) -> Iterator[str]:
        return iter(self._statements)

    def __len__(self) -> int:
        return len(self._statements)

    def __repr__(self) -> str:
        return f"<Registry of {len(self)} statements>"

    def _repr_html_(self) -> str:
        return shown.as_html(f"{len(self)} statements", shown.registry_rows(self))

    def _repr_markdown_(self) -> str:
        return shown.as_markdown(f"{len(self)} statements", shown.registry_rows(self))


def _of_this_package() -> dict[str, Statement]:
    return by_identifier(
        statement
        for module in _modules("theory.statements")
        for statement in statements_in(module).values()
    )


def _registered() -> dict[str, Statement]:
    ours = _of_this_package()
    return ours | by_identifier(_of_other_distributions(ours))


_OURS = _of_this_package()
REGISTRY = Registry(_registered())


def is_ours(statement: Statement) -> bool:
    """Whether it is one of the registry that no other distribution has brought."""
    return _OURS.get(statement.id) is statement


def select(names: list[str] | tuple[str, ...] = ()) -> tuple[Statement, ...]:
    """Statements by identifier or by family ("lazy"), each once, in the registry's order.

    Args:
      names: identifiers and families; none means all.

    Raises:
      ValueError: for a name that is neither, with the closest ones there are.
    """
    chosen = set(REGISTRY) if not names else set()
    for name in names:
        matches = {i for i in REGISTRY if i == name or i.split(".")[0] == name}
        if not matches:
            families = sorted({i.split(".")[0] for i in REGISTRY})
            close = difflib.get_close_matches(name, (*REGISTRY, *families), n=3, cutoff=0.4)
            near = f", for example {', '.join(close)}" if close else ""
            raise ValueError(
                f"statement must be a family ({', '.join(families)}) or an identifier{near}; "
                f"got {name!r}"
            )
        chosen |= matches
    return tuple(statement for i, statement in REGISTRY.items() if i in chosen)
