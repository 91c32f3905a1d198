"""What JSON must look like: a form is written as an example of it is, with types for its leaves."""

import math
from typing import Any, TypeAlias

from experiments.files.reading import Malformed
from experiments.files.strict_json import Json

# str, int, bool; float, any finite number; object, anything;
# {"name": form}, an object that has these names and perhaps more; {str: form}, of any names;
# [form], a list; (None, form), None or the form; a frozenset, one of these words;
# (form, …), one of several leaves.
Form: TypeAlias = Any
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
    wanted = dict.fromkeys(value, form[str]) if str in form else form
    if missing := [name for name in wanted if name not in value]:
        raise Malformed(f"{where or 'it'} lacks {', '.join(missing)}")
    for name, part in wanted.items():
        check(value[name], part, f"{where}.{name}" if where else name)


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
