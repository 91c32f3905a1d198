"""The registry: every statement by its identifier, in the order in which reports list them."""

import difflib
from types import MappingProxyType

from theory.statements import lazy, ntk, orthogonal, separability
from theory.verification import Statement

_FAMILIES = (separability, orthogonal, lazy, ntk)

REGISTRY: MappingProxyType[str, Statement] = MappingProxyType(
    {statement.id: statement for family in _FAMILIES for statement in family.STATEMENTS}
)


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
