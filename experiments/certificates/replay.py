"""Certificates compared with what this project says today: the draw, the program, the numbers."""

import dataclasses
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import numpy as np

from experiments.certificates.check import digest
from experiments.certificates.making import configuration
from experiments.certificates.tracing import Untraceable, names_of, written
from experiments.settings.references import find_one
from theory.certificates.max_margin import kkt_certificate, solve
from theory.certificates.separability import check_inseparability, check_separator
from theory.keys import make_key
from theory.verification.evaluation import evaluate_instance
from theory.verification.kinds import ByOutcome
from theory.verification.programs import arithmetic
from theory.verification.stages import seen_from
from theory.verification.statement import Statement
from theory.verification.verify import verify


class Replayed(NamedTuple):
    """What came of a replay.

    lines: what was compared, and the numbers.
    agrees: whether everything is as the certificate says.
    """

    lines: list[str]
    agrees: bool


def replay(content: Mapping[str, Any], statement: str = "") -> Replayed:
    """Draws a certificate's instance again, or takes the saved one, and shows its numbers.

    For a counterexample the conditions are traced anew, and must be the programs of the
    certificate; counts are made again. What holds no statement goes through `theory`'s own checks.

    Args:
      content: a certificate, as `check.read` or `making` give it.
      statement: which one it is about, as on the command line; "" for what the certificate names in
        the registry. Code in a file is run only if it is named here.

    Returns:
      The `Replayed`.

    Raises:
      ValueError: for a statement that is not found, or a certificate that cannot be of it.
    """
    if content.get("digest") != digest(content):
        raise ValueError("the digest is not that of the content: the file is damaged")
    try:
        return _REPLAYS[content["kind"]](content, statement)
    except (KeyError, TypeError, AttributeError, IndexError) as error:
        name = type(error).__name__
        raise ValueError(f"an entry is missing or malformed ({name}: {error})") from None


class _Notes:
    """Lines, and whether all comparisons agreed."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.agrees = True

    def compare(self, what: str, same: bool, otherwise: str = "differs") -> None:
        self.lines.append(f"{what}: {'the same' if same else otherwise}")
        self.agrees = self.agrees and same

    def result(self) -> Replayed:
        return Replayed(self.lines, self.agrees)


def _statement(content: Mapping[str, Any], named: str) -> Statement:
    about = content["statement"]
    if not named and about.get("reference"):
        raise ValueError(
            f"statement must be named, as it is in {about['reference']!r}: a certificate does not "
            "choose which code is run"
        )
    found = find_one(named or about["id"]).statement
    if found.id != about["id"]:
        raise ValueError(f"statement must be {about['id']!r}, got {found.id!r}")
    return found


def _configured(statement: Statement, fields: Any) -> Any:
    """The configuration of the certificate."""
    config: Any = statement.config
    if not isinstance(fields, Mapping):
        if configuration(config) != fields:
            raise ValueError(f"configuration must be {configuration(config)!r}, got {fields!r}")
        return config
    own, changes = configuration(config), {}
    if set(own) != set(fields):
        raise ValueError(f"configuration must have the fields {', '.join(own)}")
    for name, value in fields.items():
        if value == own[name]:
            continue
        if isinstance(value, Mapping) and "float" not in value:
            raise ValueError(f"configuration: {name} cannot be made of {value.get('text')!r}")
        changes[name] = float.fromhex(value["float"]) if isinstance(value, Mapping) else value
    return dataclasses.replace(config, **changes)


def draw(statement: Statement, config: Any, seed: int, number: int) -> Any:
    """One draw of a statement, solved where it has a solver: that of `verify` with this seed."""
    with arithmetic("float64"), jax.threefry_partitionable(True):
        key = jax.random.fold_in(make_key(seed), number)
        instance = jax.device_get(jax.jit(lambda k: statement.sample(k, config))(key))
    return statement.solved(instance) if statement.solve else instance


def _counterexample(content: Mapping[str, Any], named: str) -> Replayed:
    notes, statement = _Notes(), _statement(content, named)
    about = content["statement"]
    config = _configured(statement, about["configuration"])
    place = about["draw"] or {"seed": 0, "draw": 0}
    drawn = draw(statement, config, place["seed"], place["draw"])
    instance = _saved(drawn, content["instance"])
    if about["draw"] is not None:
        pairs = zip(jax.tree.leaves(drawn), jax.tree.leaves(instance), strict=True)
        off = max((_difference(a, b) for a, b in pairs), default=0.0)
        words = f"differs by {off:.3g} relative, as on another machine or version"
        notes.lines.append(
            f"draw {place['draw']} of seed {place['seed']}: {words if off else 'the same'}"
        )
        notes.agrees = off <= 1e-6
    assert isinstance(statement.claim, ByOutcome)
    conditions = {name: (h.check, h.stage) for name, h in statement.hypotheses.items()}
    conditions["conclusion"] = (statement.claim.conclusion, None)
    names = [condition["name"] for condition in content["conditions"]]
    notes.compare("conditions of the statement", names == list(conditions), f"now {conditions}")
    evidence = evaluate_instance(statement, instance, config)
    margins = {**evidence.hypotheses, "conclusion": evidence.conclusion}
    for condition in content["conditions"]:
        if (name := condition["name"]) not in conditions:
            continue
        check, stage = conditions[name]
        margin = margins[name]
        assert margin is not None
        numbers = f"margin {float(margin.value[0]):.9g} ± {float(margin.error[0]):.2g} in float64"
        try:
            program = written(check, seen_from(instance, stage), config)._asdict()
        except Untraceable:
            program = None
        if condition["program"] is None:
            notes.lines.append(f"{name}: {numbers}; without a program: {condition['lacks']}")
        else:
            same = program == condition["program"]
            notes.compare(f"{name}: {numbers}; program", same, "not that of the statement today")
    return notes.result()


def _saved(like: Any, arrays: list[Mapping[str, Any]]) -> Any:
    """The instance of a certificate, in the structure of a draw."""
    names = names_of(like)
    if [entry["name"] for entry in arrays] != names:
        raise ValueError(f"instance must have the arrays {', '.join(names)}")
    leaves = []
    for entry, leaf in zip(arrays, jax.tree.leaves(like), strict=True):
        values = entry["values"]
        if entry["type"] == "real":
            values = [float.fromhex(text) for text in values]
        array = np.array(values, np.asarray(leaf).dtype).reshape(entry["shape"])
        leaves.append(array)
    return jax.tree.unflatten(jax.tree.structure(like), leaves)


def _difference(a: Any, b: Any) -> float:
    """The largest difference, relative to the largest entry; ∞ for another shape."""
    a, b = np.asarray(a, float), np.asarray(b, float)
    if a.shape != b.shape:
        return np.inf
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    if same.all():
        return 0.0
    size = max(np.max(np.abs(a)), np.max(np.abs(b)))
    return float(np.max(np.where(same, 0, np.abs(a - b))) / size)


def _points(content: Mapping[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    points = [[float.fromhex(entry) for entry in row] for row in content["points"]]
    return np.array(points), np.array(content["labels"], float)


def _separator(content: Mapping[str, Any], _: str) -> Replayed:
    notes, (x, y) = _Notes(), _points(content)
    v = np.array([float.fromhex(entry) for entry in content["vector"]])
    margin = check_separator(x, y, v, affine=content["affine"])
    notes.compare(f"separates with a margin of at least {margin:.9g}", margin > 0, "not in float64")
    return notes.result()


def _inseparable(content: Mapping[str, Any], _: str) -> Replayed:
    from fractions import Fraction

    notes, (x, y) = _Notes(), _points(content)
    multipliers = [Fraction(text) for text in content["multipliers"]]
    proven = check_inseparability(x, y, multipliers, affine=content["affine"])
    notes.compare("multipliers prove that no separator exists", proven, "they do not")
    return notes.result()


def _kkt(content: Mapping[str, Any], _: str) -> Replayed:
    notes, (x, y) = _Notes(), _points(content)
    with arithmetic("float64"):
        found = solve(
            jax.numpy.asarray(x),
            jax.numpy.asarray(y),
            float.fromhex(content["slope"]),
            jax.numpy.asarray(content["active"]),
        )
        margin = kkt_certificate(found)
    size = f"{float(margin.value):.9g} ± {float(margin.error):.2g}"
    notes.compare(f"KKT margin {size}, over R_max²", bool(margin.holds), "not positive in float64")
    return notes.result()


def _counts(content: Mapping[str, Any], named: str) -> Replayed:
    about = content["statement"]
    if not about["id"] or about["seed"] is None:
        return Replayed(["it names no statement and seed: there is nothing to draw again"], True)
    notes, statement = _Notes(), _statement({"statement": about | {"reference": ""}}, named)
    verdict = verify(statement, key=make_key(about["seed"]), draws=content["draws"])
    found = verdict.failure_rate and (verdict.failure_rate.failures, verdict.failure_rate.trials)
    stated = (content["failures"], content["draws"])
    notes.compare(f"failures {stated[0]} of {stated[1]}", found == stated, f"now {found}")
    notes.lines.append(str(verdict))
    return notes.result()


_REPLAYS = {
    "counterexample": _counterexample,
    "separator": _separator,
    "inseparable": _inseparable,
    "kkt": _kkt,
    "counts": _counts,
}
