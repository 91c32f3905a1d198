"""JSON of files: every name once, every number finite, nested no deeper than anything needs."""

import json
import math
from collections.abc import Sequence
from typing import Any, TypeAlias

from experiments.files.reading import Malformed, Path, content, reason

# What JSON holds, as `json` reads it: objects, lists, text, numbers, None.
Json: TypeAlias = Any
Record: TypeAlias = dict[str, Json]  # one object

DEEPEST = 64  # lists and objects within one another
LARGEST = 2**24  # bytes of a file
MOST = 2**20  # lists and objects, which take most of the memory and of the time


def load(path: Path, most: int = LARGEST) -> Json:
    """The content of a file. Raises as `reading.content` and `parse`."""
    return parse(content(path, most))


def parse(data: bytes) -> Json:
    """What a text says. Malformed for what is no JSON as described above, in UTF-8."""
    if data.count(b"[") + data.count(b"{") > MOST:  # those within texts too
        raise Malformed(f"it has more than {MOST:,} lists and objects")
    try:
        found = json.loads(
            data.decode(),
            object_pairs_hook=_once,
            parse_constant=_no_number,
            parse_float=_finite,
        )
    except RecursionError as error:
        raise Malformed(_too_deep()) from error
    except ValueError as error:
        raise Malformed(f"it is no JSON: {reason(error)}") from error
    _check(found, DEEPEST)
    return found


def _once(pairs: Sequence[tuple[str, Json]]) -> Record:
    found = dict(pairs)
    if len(found) < len(pairs):
        name = next(n for k, (n, _) in enumerate(pairs) if n in dict(pairs[:k]))
        raise ValueError(f"the name {name!r} stands twice")
    return found


def _no_number(text: str) -> Json:
    raise ValueError(f"{text} is no number of JSON")


def _finite(text: str) -> float:
    if not math.isfinite(value := float(text)):
        raise ValueError(f"{text[:20]} is too large a number")
    return value


def _too_deep() -> str:
    return f"it is nested deeper than {DEEPEST} lists and objects"


def _check(value: Json, left: int) -> None:
    if isinstance(value, str):
        _check_text(value)
    elif isinstance(value, dict | list):
        if not left:
            raise Malformed(_too_deep())
        for item in (*value, *value.values()) if isinstance(value, dict) else value:
            if isinstance(item, str | dict | list):
                _check(item, left - 1)


def _check_text(text: str) -> None:
    try:
        if not text.isascii():
            text.encode()
    except UnicodeEncodeError as error:  # half of a pair, which no stream prints
        raise Malformed(f"it holds text that is no Unicode: {text[:20]!r}") from error
