"""Checks certificates by computing again: rationals, balls, and the standard library, no more.

`python -m experiments.certificates.check FILE` needs python-flint, and of this project this module
with `bundles`, `exact`, `program` and `functions` beside it: neither JAX, NumPy nor `theory`. Of a
bundle it checks every certificate, and that its files are what they were. What a file claims is
refused unless it follows from the numbers in it. The digest guards against damage alone: whoever
changes a number can make a new one, and is refused because the claim does not follow.

What is proved is what the file writes down. Whether the program in it is the condition of the
statement that it names is what `widetheory replay` compares.
"""

import hashlib
import json
import math
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import flint

from experiments.certificates import bundles, exact, program
from experiments.certificates.exact import BITS, TIGHT, Refused, ball, numbers, require

FORMAT, VERSION = "widetheory certificate", 1
LARGEST = 2**26  # bytes of a file


# --- reading --------------------------------------------------------------------------------------


def digest(content: Mapping[str, Any]) -> str:
    """SHA-256 of everything in a certificate but the digest itself."""
    rest = {name: value for name, value in content.items() if name != "digest"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()


def _once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name stands twice")
    return found


def _no_number(text: str) -> Any:
    raise ValueError(f"{text} is no number of JSON")


def read(path: str) -> dict[str, Any]:
    """The content of a file; ValueError where it cannot be read, and as `parse`."""
    try:
        if not bundles.is_regular(path):
            raise ValueError(f"{path}: cannot be read (it is no regular file)")
        with open(path, "rb") as file:
            data = file.read(LARGEST + 1)
    except OSError as error:
        raise ValueError(f"{path}: cannot be read ({error.strerror})") from None
    return parse(data, path)


def parse(data: bytes, path: str) -> dict[str, Any]:
    """The content of a file's bytes.

    Raises:
      ValueError: in one line, for what is no certificate of this format.
    """
    if len(data) > LARGEST:
        raise ValueError(f"{path}: a certificate must have at most {LARGEST} bytes")
    try:
        content = json.loads(data, object_pairs_hook=_once, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: not the JSON of a certificate ({str(error)[:80]})") from None
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise ValueError(f"{path}: format must be {FORMAT!r}")
    if type(content.get("version")) is not int or content["version"] != VERSION:
        got = str(content.get("version"))[:20]
        raise ValueError(
            f"{path}: version must be {VERSION}, got {got}; a later widetheory reads it"
        )
    if not isinstance(content.get("kind"), str) or content["kind"] not in KINDS:
        raise ValueError(f"{path}: kind must be one of {', '.join(KINDS)}")
    return content


def check(content: Mapping[str, Any]) -> list[str]:
    """What is certain, in lines, if all that a certificate claims follows.

    Raises:
      Refused: if a claim does not follow; it says which.
      program.Uncheckable: if a claim needs what `program` does not have.
      ValueError: if an entry is missing, or of a wrong form.
    """
    if content.get("digest") != digest(content):
        raise Refused("the digest is not that of the content: the file is damaged")
    before = flint.ctx.prec
    try:
        return KINDS[content["kind"]](content)
    except (KeyError, TypeError, AttributeError, IndexError, OverflowError, ZeroDivisionError) as e:
        raise ValueError(f"an entry is missing or malformed ({type(e).__name__}: {e})") from None
    except (RecursionError, MemoryError) as e:
        raise program.Uncheckable(f"it takes more than there is ({type(e).__name__})") from None
    finally:
        flint.ctx.prec = before


# --- counterexamples ------------------------------------------------------------------------------


def _inputs(content: Mapping[str, Any]) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for part in content["instance"]:
        values = part["values"]
        if not all(type(size) is int and 0 <= size <= LARGEST for size in part["shape"]):
            raise ValueError("a shape must be whole numbers")  # of lists the product is a list
        if math.prod(part["shape"]) != len(values) or part["name"] in found:
            raise ValueError(f"array {part['name']!r} must have the entries of its shape, once")
        if part["type"] == "real":
            found[part["name"]] = [ball(number) for number in numbers(values)]
        elif part["type"] in ("integer", "truth"):
            found[part["name"]] = [bool(v) if part["type"] == "truth" else int(v) for v in values]
        else:
            raise ValueError("type must be real, integer or truth")
    return found


def _sign(value: Any, slack: Any, strict: bool) -> bool | None:
    """Whether value ± slack is > 0, or ≥ 0; None if that is open."""
    if not (value.is_finite() and slack.is_finite()) or slack.upper() < 0:
        return None
    low, high = value - slack.upper(), value + slack.upper()
    if strict:
        return True if low > 0 else False if high <= 0 else None
    return True if low >= 0 else False if high < 0 else None


def _condition(condition: Mapping[str, Any], inputs: Mapping[str, Any]) -> str:
    name, written = condition["name"], condition["program"]
    if written is None:
        raise program.Uncheckable(f"{name}: {condition['lacks']}")
    expected = {"hypothesis": "holds", "conclusion": "fails"}[condition["role"]]
    require(condition["verdict"] == expected, f"{name}: a counterexample needs that it {expected}")
    low, high = numbers(condition["value"])
    require(high - low <= TIGHT * max(abs(low), abs(high)), f"{name}: its value is too wide")
    for flint.ctx.prec in BITS:
        values = program.evaluate(written["steps"], inputs)
        value, slack = (values[written[part]] for part in ("value", "error"))
        if len(value) != 1 or len(slack) != 1:
            raise ValueError(f"{name}: the program must end in one number and its error")
        found = _sign(value[0], slack[0], written["strict"])
        inside = value[0] >= ball(low) and value[0] <= ball(high)
        outside = value[0] < ball(low) or value[0] > ball(high)
        if found is not None and (inside or outside):
            said = "holds" if found else "fails"
            require(said == expected, f"{name}: it {said}")
            require(inside, f"{name}: the margin is {value[0].str(12)}, not the stated one")
            beyond = condition["beyond_rounding"]
            if beyond:
                values = program.evaluate(written["steps"], inputs, rounding=True)
                value, slack = (values[written[part]] for part in ("value", "error"))
                same = _sign(value[0], slack[0], written["strict"]) == found
                require(same, f"{name}: it is not beyond the rounding that it states")
            more = ", beyond the rounding that it states" if beyond else ""
            return f"{name} {said}{more}: margin {value[0].str(12)}"
    raise Refused(f"{name}: undecided at {BITS[-1]} bits")


def _counterexample(content: Mapping[str, Any]) -> list[str]:
    roles = [condition["role"] for condition in content["conditions"]]
    require(roles.count("conclusion") == 1, "a counterexample needs one conclusion")
    inputs = _inputs(content)
    lines = [_condition(condition, inputs) for condition in content["conditions"]]
    require(content["proved"] is True, "it does not claim a proof")
    count = len(roles) - 1
    hypotheses = f"{count} {'hypothesis' if count == 1 else 'hypotheses'}"
    return [
        *lines,
        f"a counterexample of what its program states, with {hypotheses}; that this is "
        f"{content['statement']['id']} is for `widetheory replay` to say",
    ]


KINDS: Mapping[str, Callable[[Mapping[str, Any]], list[str]]] = {
    "counterexample": _counterexample,
    "separator": exact.separator,
    "inseparable": exact.inseparable,
    "kkt": exact.max_margin,
    "counts": exact.counts,
}


def main(paths: Sequence[str]) -> int:
    """Checks files: 0 if all hold, 1 if one does not, else 2: one cannot be read or checked."""
    statuses = [status for path in paths for status in _checked(path)]
    return 1 if 1 in statuses else max(statuses, default=0)


def _checked(path: str) -> Iterator[int]:
    """The status of a file; of a bundle its own, and that of each certificate in it."""
    if not bundles.is_bundle(path):
        yield _told(path, lambda: check(read(path)))
        return
    inside: list[tuple[str, bytes]] = []

    def unpacked() -> list[str]:
        found = bundles.read(path)
        inside.extend(found.certificates)
        held = "" if inside else ", none of them a certificate"
        return [f"all files are as {bundles.CHECKSUMS} says, {found.files}{held}"]

    yield _told(path, unpacked)
    for name, data in inside:
        place = f"{path}: {bundles.printable(name)}"
        yield _told(place, lambda data=data, place=place: check(parse(data, place)))


def _told(place: str, call: Callable[[], Sequence[str]]) -> int:
    """The status of one check, whose lines are printed."""
    try:
        for line in call():
            print(f"{place}: {_one_line(line)}")
    except Refused as error:
        print(f"{place}: does not hold: {_one_line(error)}", file=sys.stderr)
        return 1
    except program.Uncheckable as error:
        print(f"{place}: cannot be checked here: {_one_line(error)}", file=sys.stderr)
        return 2
    except ValueError as error:
        text = str(error)
        text = text if text.startswith(place) else f"{place}: {text}"
        print(_one_line(text), file=sys.stderr)
        return 2
    return 0


def _one_line(text: object) -> str:
    """Names of statements and conditions are a stranger's: they forge no line, move no cursor."""
    return bundles.printable(" ".join(str(text).split()), longest=2000)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
