"""What JSON must look like: a form is written as an example of it is, with types for its leaves."""

import math
from typing import Any, TypeAlias

from experiments.files.reading import Malformed
from experiments.files.strict_json import Json, Record

# str, int, bool; float, any finite number; object, anything;
# {"name": form}, an object that has these names and perhaps more; {str: form}, of any names;
# "name?", a name that may be missing;
# [form], a list; (None, form), None or the form; a frozenset, one of these words;
# (form, …), one of several leaves.
Form: TypeAlias = Any
SCHEMAS = {str: "string", int: "integer", float: "number", bool: "boolean"}
SCALAR = (str, bool, int, float)  # leaves of a cell


def check(value: Json, form: Form, where: str = "") -> None:
    """Malformed unless a value is of a form; it names the place, and what is missing or wrong."""
    if form is object or (isinstance(form, tuple) and value is None and None in form):
        return
    if isinstance(form, dict):
        _check_object(value, form, where)
    elif isinstance(form, list):
        if not isinstance(value, list):
            raise _wrong(value, "a list", where)
        for place, item in enumerate(value):
            check(item, form[0], f"{where}[{place}]")
    elif isinstance(form, frozenset):
        if not isinstance(value, str) or value not in form:
            raise _wrong(value, f"one of {', '.join(sorted(form))}", where)
    elif isinstance(form, tuple) and form[0] is None:
        check(value, form[1], where)
    elif not any(_is(value, leaf) for leaf in (form if isinstance(form, tuple) else (form,))):
        raise _wrong(value, _words(form), where)


def _check_object(value: Json, form: Form, where: str) -> None:
    if not isinstance(value, dict):
        raise _wrong(value, "an object", where)
    if str in form:
        wanted = dict.fromkeys(value, form[str])
    else:
        wanted = {n.removesuffix("?"): f for n, f in form.items() if _needed(n, value)}
    if missing := [name for name in wanted if name not in value]:
        raise Malformed(f"{where or 'it'} lacks {', '.join(missing)}")
    for name, part in wanted.items():
        check(value[name], part, f"{where}.{name}" if where else name)


def _needed(name: str, value: Record) -> bool:
    return not name.endswith("?") or name.removesuffix("?") in value


def as_schema(form: Form) -> Record:
    """The form as a JSON Schema, which a value satisfies exactly where `check` accepts it."""
    if form is object:
        return {}
    if isinstance(form, dict):
        if str in form:
            return {"type": "object", "additionalProperties": as_schema(form[str])}
        parts = {name.removesuffix("?"): as_schema(part) for name, part in form.items()}
        required = [name for name in form if not name.endswith("?")]
        return {"type": "object", "properties": parts, "required": required}
    if isinstance(form, list):
        return {"type": "array", "items": as_schema(form[0])}
    if isinstance(form, frozenset):
        return {"enum": sorted(form)}
    if isinstance(form, tuple) and form[0] is None:
        return {"anyOf": [{"type": "null"}, as_schema(form[1])]}
    leaves = form if isinstance(form, tuple) else (form,)
    found = [SCHEMAS[leaf] for leaf in leaves]
    return {"type": found[0]} if len(found) == 1 else {"type": found}


def _is(value: Json, leaf: type) -> bool:
    if isinstance(value, bool) or leaf is bool:
        return isinstance(value, bool) and leaf is bool
    if leaf is float:
        return isinstance(value, int) or (isinstance(value, float) and math.isfinite(value))
    return isinstance(value, leaf)


def _words(form: Form) -> str:
    names = {str: "text", int: "an integer", float: "a number", bool: "true or false"}
    return " or ".join(names[leaf] for leaf in (form if isinstance(form, tuple) else (form,)))


def _wrong(value: Json, expected: str, where: str) -> Malformed:
    shown = repr(value)[:40] if isinstance(value, str | int | float | None) else (
        "a list" if isinstance(value, list) else "an object"
    )  # fmt: skip
    return Malformed(f"{where or 'it'} must be {expected}, got {shown}")
