"""Which statements a command runs, on which data, with which parameters."""

import dataclasses
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax

from experiments.datasets import sources
from experiments.settings.references import Named, find
from experiments.settings.text import configured, fields_by_name
from theory import Dataset, Statement
from theory._validation import check_choice, check_integer
from theory.keys import make_key

PRESETS = ("quick", "full")


@dataclasses.dataclass(frozen=True)
class Run:
    """One statement with its configuration, number of draws, and the case it is, if any.

    `until`: draws go on until it is decided, `draws` of them at most (`theory.verify_until`).
    `reference`: the file or module that holds the statement, "" for one of the registry.
    """

    statement: Statement
    config: Any
    draws: int
    case: str = ""
    until: bool = False
    reference: str = ""

    @property
    def title(self) -> str:
        """Identifier, and the case it is."""
        return f"{self.statement.id} ({self.case})" if self.case else self.statement.id


class Plan(NamedTuple):
    """What to run, and identifier → why of statements that cannot run on the data asked for."""

    runs: list[Run]
    left_out: dict[str, str]


def plan_runs(
    names: list[str],
    *,
    preset: str = "quick",
    data_name: str | None = None,
    settings: Mapping[str, str] | None = None,
    draws: int | None = None,
    until: bool = False,
) -> Plan:
    """The runs that a command asks for.

    Args:
      names: statement identifiers, families, and files and modules of the user's
        (`settings.references`); none means all of the registry.
      preset: "quick" or "full", which fixes the number of draws unless it is given.
      data_name: data for all of them, in place of each statement's own; those of a family that
        cannot run on it are left out. With no names, data or settings given, all statements run
        on their own data, and on those that they name in `on_data` too (for "quick" where these
        say so).
      settings: NAME → VALUE in text; a statement takes those it has. Without any, statements run in
        their cases as well, if they are named or the preset is "full".
      draws: number of draws.
      until: whether draws go on until a statement is decided, that many at most.

    Returns:
      The `Plan`.

    Raises:
      ValueError: for unknown names or data, a parameter that none of the statements has or whose
        value is wrong, or data on which a statement asked for by its identifier, or all of those
        asked for, cannot run.
    """
    settings = dict(settings or {})
    if draws is not None:
        check_integer("draws", draws)
    found = find(names)
    statements = [one.statement for one in found]
    source = None if data_name is None else sources.load(data_name)
    for name in settings:
        if name == "data":
            raise ValueError("data is chosen by --data NAME, not by --set data=…")
        if not any(name in fields_by_name(s.config) for s in statements):
            check_choice(
                "--set NAME",
                name,
                {f for s in statements for f in fields_by_name(s.config)} - {"data"},
            )

    def run(
        named: Named,
        source: str | Dataset | None,
        settings: Mapping[str, Any],
        case: str = "",
        data: str | None = None,
    ) -> Run:
        statement = named.statement
        config = configured(statement.configured(case, data), source, settings)
        count = statement.draws[preset] if draws is None else draws
        return Run(statement, config, count, case, until, named.reference)

    runs: list[Run] = []
    left_out: dict[str, str] = {}
    for named in found:
        statement = named.statement
        cases = statement.cases if not settings and (names or preset == "full") else ()
        for case in ("", *cases):
            planned = run(named, None, settings, case)
            if source is not None:
                title = planned.title
                try:
                    planned = run(named, source, settings, case, data_name)
                    _check_fits(planned)
                except ValueError as error:
                    if title in names:
                        raise ValueError(f"{title} cannot run on {data_name}: {error}") from error
                    left_out[title] = str(error)
                    continue
            runs.append(planned)
    if not runs:
        id, why = next(iter(left_out.items()))
        raise ValueError(f"no statement asked for can run on {data_name}; {id}: {why}")
    if not names and source is None and not settings:
        for named in found:
            for data, how in named.statement.on_data.items():
                if how.quick or preset == "full":
                    runs.append(run(named, sources.load(data), {}, data=data))
    return Plan(runs, left_out)


def _check_fits(run: Run) -> None:
    """ValueError if the statement cannot sample from its data at the sizes it is configured for."""
    jax.eval_shape(lambda key: run.statement.sample(key, run.config), make_key(0))
