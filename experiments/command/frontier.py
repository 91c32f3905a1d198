"""`widetheory frontier`."""

import argparse
import itertools
import math
from typing import Any

from experiments.command import common
from experiments.command.verbs import NAME, add_json, add_verb
from experiments.datasets import sources
from experiments.machine import environment
from experiments.report.console import print_json, tell
from experiments.report.progress import saying
from experiments.report.search import frontier_json, frontier_text
from experiments.settings.references import find_one
from experiments.settings.text import configured, fields_by_name, read
from experiments.verify import running
from theory.parameters import number_names
from theory.verification.frontier import GOALS, frontier

STEPS = 5  # values of a further parameter in a map


def add(commands: Any) -> None:
    """The verb with its options."""
    sub = add_verb(commands, "frontier", _frontier)
    sub.add_argument("id", metavar=NAME, help="an identifier, or where the statement is")
    sub.add_argument(
        "--in", dest="places", action="append", required=True, metavar="NAME[=LOW:HIGH]",
        help="parameter, and between which values (the first: by factors of 2 from its own value)",
    )  # fmt: skip
    sub.add_argument(
        "--goal", choices=GOALS, default="held",
        help="held: all hypotheses hold in half of the draws; consistent: the verdict is (held)",
    )  # fmt: skip
    common.add_draws(sub, "draws at each value, for the goal consistent (the statement's own)")
    common.add_level(sub, "decisions")
    common.add_settings(sub)
    common.add_seed(sub)
    add_json(sub)


def _frontier(arguments: argparse.Namespace) -> int:
    environment.configure("float64")
    common.check_seed(arguments)
    common.check_level(arguments)
    common.check_draws(arguments)
    statement = find_one(arguments.id).statement
    settings = common.settings_of(arguments.settings)
    common.check_settings(statement, settings)
    source = None if arguments.data is None else sources.load(arguments.data)
    config = configured(statement.config, source, settings)
    (name, low, high), *others = [common.range_of("--in", text) for text in arguments.places]
    common.check_one_of("--in", name, number_names(config))
    for other, start, _ in others:
        common.check_one_of("--in", other, number_names(config))
        if start is None:
            raise ValueError(f"--in must give LOW:HIGH for all parameters but the first: {other}")
    found = []
    with saying() as say:
        for values in itertools.product(*(_values(*other) for other in others)):
            fields = fields_by_name(config)
            changes = {
                other: read(fields[other], _text(value, fields[other]))
                for (other, _, _), value in zip(others, values, strict=True)
            }
            at = configured(config, None, changes)
            found.append((changes, frontier(
                statement, name, goal=arguments.goal, low=low, high=high, config=at,
                draws=arguments.draws, key=running.run_key(statement, arguments.seed),
                level=arguments.level, say=say, memory=environment.known_memory(),
            )))  # fmt: skip
    if arguments.json:
        print_json({"frontiers": [changes | frontier_json(one) for changes, one in found]})
        return 0
    for changes, one in found:
        if changes:
            tell(", ".join(f"{n} = {v:g}" for n, v in changes.items()))
        tell(frontier_text(one))
    return 0


def _values(name: str, low: float | None, high: float | None) -> list[float]:
    """Values of a further parameter, spread evenly on a logarithmic scale if both are positive."""
    assert low is not None
    assert high is not None
    shares = [i / (STEPS - 1) for i in range(STEPS)]
    if low > 0:
        return [math.exp(math.log(low) + share * math.log(high / low)) for share in shares]
    return [low + share * (high - low) for share in shares]


def _text(value: float, field: Any) -> str:
    return str(round(value)) if field.metadata["type"] is int else repr(value)
