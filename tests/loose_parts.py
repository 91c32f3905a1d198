"""Statements and kinds put together from loose parts, for tests that vary them one by one."""

import dataclasses
from typing import Any

from theory import Statement
from theory.verification.kinds import KINDS, ByOutcome, Kind

BY_NAME = {kind.name: kind for kind in KINDS}


def made_of(kind: str = "deterministic", **parts: Any) -> Statement:
    """The statement of a kind by its name, from the fields of both."""
    chosen = BY_NAME[kind]
    own = {f.name: parts.pop(f.name) for f in dataclasses.fields(chosen) if f.name in parts}
    return Statement(claim=chosen(**own), **parts)


def changed(statement: Statement, **changes: Any) -> Statement:
    """The statement with other fields of its claim."""
    return dataclasses.replace(statement, claim=dataclasses.replace(statement.claim, **changes))


def kind_of(name: str, claims: Any = None, scales: Any = None) -> Kind:
    """A kind that judges made evidence against these claims at these scales."""

    def unasked(instance: Any, config: Any) -> Any:
        raise AssertionError("the evidence is made: no instance is asked")

    chosen = BY_NAME[name]
    values = {"claims": lambda config: claims, "scales": lambda config: scales}
    fields = {f.name: values.get(f.name, unasked) for f in dataclasses.fields(chosen)}
    return chosen(**fields)


def by_outcome(statement: Statement) -> bool:
    """Whether every draw of the statement has an outcome."""
    return isinstance(statement.claim, ByOutcome)
