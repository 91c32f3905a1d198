"""Certificates of what was found, ready to be written."""

import dataclasses
import importlib.metadata
import os
import pathlib
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

import flint
import jax
import numpy as np

from experiments.certificates import exact
from experiments.certificates.check import FORMAT, VERSION, check, digest
from experiments.certificates.program import Uncheckable
from experiments.certificates.tracing import Untraceable, names_of, written
from experiments.files import writing
from theory._validation import as_host_reals
from theory.certificates.ball import Ball, MissingPrimitive, decide
from theory.certificates.ball.enclosing import MOST_BITS, Enclosed
from theory.certificates.max_margin import Solved
from theory.certificates.separability import Separation
from theory.verification.kinds import ByOutcome
from theory.verification.stages import seen_from
from theory.verification.statement import Statement

PLACES = 60  # decimal digits of what stated limits are rounded from


def counterexample(
    statement: Statement,
    instance: Any,
    config: Any = None,
    *,
    reference: str = "",
    seed: int | None = None,
    draw: int | None = None,
) -> dict[str, Any]:
    """The certificate that an instance satisfies the hypotheses, and not the conclusion.

    Each condition is decided by `theory.certificates.ball.decide`, and written as a program that
    `check` evaluates on its own; where one cannot be, the certificate says what it lacks, and
    proves nothing.

    Args:
      statement: a deterministic or probabilistic one.
      instance: what its sampler gives, or its solver where there is one; taken as exact numbers.
      config: the configuration, the statement's default if None.
      reference: where the statement is, as `FILE.py:NAME`; "" for one of the registry.
      seed, draw: where the instance was drawn, if it was: `fold_in(make_key(seed), draw)`.

    Returns:
      The certificate; its entry `proved` says whether every condition is proved.

    Raises:
      ValueError: for a statement about a quantity, which no instance contradicts.
    """
    if not isinstance(statement.claim, ByOutcome):
        raise ValueError(f"statement must have a conclusion, got a {statement.kind} one")
    config = statement.config if config is None else config
    conditions = [
        _condition("hypothesis", name, h.check, seen_from(instance, h.stage), config)
        for name, h in statement.hypotheses.items()
    ]
    conclusion = statement.claim.conclusion
    conditions.append(_condition("conclusion", "conclusion", conclusion, instance, config))
    verdicts = [("fails" if c["role"] == "conclusion" else "holds") for c in conditions]
    proved = all(
        c["program"] is not None and c["verdict"] == verdict
        for c, verdict in zip(conditions, verdicts, strict=True)
    )
    drawn = None if seed is None or draw is None else {"seed": seed, "draw": draw}
    content = {
        "statement": {
            "id": statement.id,
            "reference": reference,
            "configuration": configuration(config),
            "draw": drawn,
        },
        "instance": _arrays(instance),
        "proved": proved,
        "conditions": conditions,
    }
    certificate = _complete("counterexample", content)
    if proved and (objection := _objection(certificate)):
        conditions[-1]["lacks"] = f"`check` does not follow: {objection}"
        certificate = _complete("counterexample", content | {"proved": False})
    return certificate


def _objection(certificate: Mapping[str, Any]) -> str:
    """Why `check` refuses a certificate; empty where it accepts it."""
    try:
        check(certificate)
    except (exact.Refused, Uncheckable, ValueError) as error:
        return str(error)
    return ""


def _condition(role: str, name: str, condition: Any, seen: Any, config: Any) -> dict[str, Any]:
    entry: dict[str, Any] = {"role": role, "name": name, "program": None, "lacks": ""}
    entry["beyond_rounding"] = False
    try:
        found = _decided(condition, seen, config)
        entry |= {"verdict": found.verdict, "value": _around(found.value)}
        entry["lacks"] = found.reason
        program = written(condition, seen, config)
    except (MissingPrimitive, Untraceable) as error:
        entry.setdefault("verdict", "undecided")
        entry.setdefault("value", None)
        return entry | {"lacks": str(error)}
    if found.proved and entry["value"] is not None:
        entry["program"] = program._asdict()
        entry["beyond_rounding"] = found.beyond_rounding
    return entry


def _decided(condition: Any, seen: Any, config: Any) -> Enclosed:
    """`decide`, with bits enough for a value as narrow as `check` wants it, if there are."""
    found = decide(condition, seen, config)
    while found.proved and not _narrow(found.value) and 2 * found.bits <= MOST_BITS:
        found = decide(condition, seen, config, bits=2 * found.bits)
    return found


def _narrow(value: Ball) -> bool:
    around = _around(value)
    if around is None:
        return True  # no width at all, or one that no bits make narrow
    low, high = map(float.fromhex, around)
    return high - low <= exact.TIGHT * max(abs(low), abs(high))


def _around(value: Ball) -> list[str] | None:
    """[low, high] in hexadecimal around a single finite number; with room where it is rounded."""
    low, high = float(value.low.reshape(-1)[0]), float(value.high.reshape(-1)[0])
    if value.balls.size != 1 or not (np.isfinite(low) and np.isfinite(high)):
        return None
    if float(value.radius.reshape(-1)[0]) == 0 and low == high:
        return [low.hex(), high.hex()]
    return [float(np.nextafter(low, -np.inf)).hex(), float(np.nextafter(high, np.inf)).hex()]


def configuration(config: Any) -> Any:
    """The fields of a configuration, as JSON knows them; what it does not know by its text."""
    if not dataclasses.is_dataclass(config):
        return None if config is None else repr(config)
    fields = {f.name: getattr(config, f.name) for f in dataclasses.fields(config)}
    plain = int | str | bool | type(None)
    return {
        name: {"float": value.hex()}
        if isinstance(value, float)
        else value
        if isinstance(value, plain)
        else {"text": repr(value)}
        for name, value in fields.items()
    }


def _arrays(instance: Any) -> list[dict[str, Any]]:
    found = []
    for name, leaf in zip(names_of(instance), jax.tree.leaves(instance), strict=True):
        array = np.asarray(leaf)
        kinds = {"f": "real", "i": "integer", "u": "integer", "b": "truth"}
        if array.dtype.kind not in kinds:
            raise ValueError(f"instance must hold numbers or booleans, got {array.dtype} in {name}")
        values = array.reshape(-1).tolist()
        kind = kinds[array.dtype.kind]
        if kind == "real":
            values = [float(v).hex() for v in values]
        entry = {"name": name, "shape": list(array.shape), "type": kind, "values": values}
        found.append(entry | {"dtype": str(array.dtype)})
    return found


def _complete(kind: str, content: Mapping[str, Any]) -> dict[str, Any]:
    """The content with its format, versions and digest."""
    packages = {name: importlib.metadata.version(name) for name in ("jax", "python-flint")}
    whole = {"format": FORMAT, "version": VERSION, "kind": kind, "made_with": packages, **content}
    return {**whole, "digest": digest(whole)}


def write(content: Mapping[str, Any], path: str | os.PathLike[str]) -> None:
    """Writes a certificate to a file, which is never there in part."""
    writing.replace_json(pathlib.Path(path), content, indent=None, separators=(",", ":"))


# --- other kinds ----------------------------------------------------------------------------------


def separation(x: Any, y: Any, found: Separation, *, affine: bool = False) -> dict[str, Any]:
    """The certificate of a `Separation` that is decided: a separator, or exact multipliers.

    Args:
      x, y: (n, d) points and (n,) labels, as `separate` was given them.
      found: what it returned.
      affine: as there.

    Raises:
      ValueError: if it is undecided.
    """
    x, y = as_host_reals("x", x), as_host_reals("y", y)
    content = {**_points(x, y), "affine": bool(affine)}
    if found.status == "inseparable":
        multipliers = [str(Fraction(m)) for m in found.exact_multipliers]
        return _complete("inseparable", {**content, "multipliers": multipliers})
    if found.status != "separable" or found.separator is None:
        raise ValueError(f"found must be decided, got status {found.status!r}: {found.reason}")
    points = np.hstack([x, np.ones((len(x), 1))]) if affine else x
    signed = [[Fraction(e) for e in row] for row in (points * y[:, None]).tolist()]
    v = [Fraction(e) for e in found.separator.tolist()]
    square = min(_cosine_squared(row, v) for row in signed)
    margin = _root_below(square)
    vector = [float(e).hex() for e in found.separator]
    return _complete("separator", {**content, "vector": vector, "margin": margin.hex()})


def _cosine_squared(x: Sequence[Fraction], v: Sequence[Fraction]) -> Fraction:
    def dot(a: Sequence[Fraction], b: Sequence[Fraction]) -> Fraction:
        return sum((p * q for p, q in zip(a, b, strict=True)), Fraction(0))

    return dot(x, v) ** 2 / (dot(x, x) * dot(v, v))


def _root_below(square: Fraction) -> float:
    root = float(square) ** 0.5
    while Fraction(root) ** 2 > square:
        root = float(np.nextafter(root, 0))
    return root


def _points(x: np.ndarray, y: np.ndarray) -> dict[str, Any]:
    points = [[float(e).hex() for e in row] for row in x]
    return {"points": points, "labels": [int(label) for label in y]}


def max_margin(solved: Solved, *, whole: bool = False) -> dict[str, Any]:
    """The certificate that the closed form is a KKT point, or the global maximum.

    Args:
      solved: points, labels and the closed form, of `theory.certificates.max_margin.solve`.
      whole: whether it is the unique global solution.

    Raises:
      exact.Refused: if it is not, or is one of unequal numbers of neurons of either sign, which the
        file does not state.
    """
    exact.require(float(solved.positive) == 0.5, "half of the neurons must have a_i > 0")
    x, y = as_host_reals("x", solved.x), as_host_reals("y", solved.y)
    limit = solved.limit
    content = {
        **_points(x, y),
        "slope": float(solved.slope).hex(),
        "active": [bool(a) for a in np.asarray(limit.active)],
        "global": whole,
    }
    margin, multipliers = exact.closed_form(content)
    stated = [float(m) for m in multipliers]
    error = max(abs(Fraction(s) - m) for s, m in zip(stated, multipliers, strict=True))
    content |= {
        "multipliers": [s.hex() for s in stated],
        "error": float(np.nextafter(float(error), np.inf)).hex(),
        "margin": _fraction_below(margin).hex(),
    }
    return _complete("kkt", content)


def _fraction_below(value: Fraction) -> float:
    number = float(value)
    return number if Fraction(number) <= value else float(np.nextafter(number, -np.inf))


def counts(
    failures: int,
    draws: int,
    *,
    confidence: float = 0.99,
    allowed: Any = None,
    level: float = 0.005,
    statement: str = "",
    seed: int | None = None,
) -> dict[str, Any]:
    """The certificate of a count: limits of the failure rate, and the test against what is allowed.

    Args:
      failures, draws: the count, and of how many.
      confidence: of the limits by Clopper and Pearson.
      allowed: failure probabilities that are allowed: None, a number, or (draws,).
      level: largest probability of so many failures that refutes.
      statement, seed: what was counted, for `replay`.
    """
    half = (1 - Fraction(confidence)) / 2
    content: dict[str, Any] = {
        "failures": int(failures),
        "draws": int(draws),
        "confidence": float(confidence).hex(),
        "limits": [limit.hex() for limit in _limits(failures, draws, half)],
        "allowed": None,
        "level": float(level).hex(),
        "tail": None,
        "refuted": False,
        "statement": {"id": statement, "seed": seed},
    }
    if allowed is not None:
        probabilities = np.atleast_1d(as_host_reals("allowed", allowed))
        content["allowed"] = [float(p).hex() for p in probabilities]
        tail = _tail(failures, [Fraction(float(p)) for p in probabilities], draws)
        content["tail"] = _around(tail)
        content["refuted"] = bool(failures > 1 and tail.balls[0] <= exact.ball(Fraction(level)))
    return _complete("counts", content)


def _tail(failures: int, probabilities: list[Fraction], draws: int) -> Ball:
    before, flint.ctx.prec = flint.ctx.prec, 1024
    try:
        return Ball(np.array([exact.tail(failures, probabilities, draws)], object))
    finally:
        flint.ctx.prec = before


def _limits(failures: int, draws: int, half: Fraction) -> tuple[float, float]:
    """The limits in floats, rounded outwards, by bisection of exact tails."""
    before, flint.ctx.prec = flint.ctx.prec, 256
    try:
        low = _bisected(failures, draws, half) if failures else 0.0
        high = 1 - _bisected(draws - failures, draws, half) if failures < draws else 1.0
    finally:
        flint.ctx.prec = before
    return low, min(1.0, float(np.nextafter(high, 2))) if failures < draws else 1.0


def _bisected(failures: int, draws: int, half: Fraction) -> float:
    """The largest q of a few more digits than needed with P(Bin(draws, q) ≥ failures) ≤ half."""
    low, high = Fraction(0), Fraction(1)
    while high - low > low / 2**50 or low == 0:
        middle = Fraction(float((low + high) / 2))
        if exact.tail(failures, [middle], draws) <= exact.ball(half):
            low = middle
        else:
            high = middle
    return float(low)
