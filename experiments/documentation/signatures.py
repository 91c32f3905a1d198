"""Signatures as they are written in the source, with arrays by their shapes alone."""

import ast
import dataclasses
import inspect
import re
import textwrap
from collections.abc import Callable, Iterator

ARRAY = re.compile(r"\b(Float|Bool|Int|Integer|Shaped|Num|Real|Inexact)\[(?:AnyArray|Array), ")
LONGEST = 40  # characters of a default value


def signature(value: object) -> str:
    """ "(x: Float['n d'], slope: float = 0.0) -> Float['n']" of a function or class.

    Annotations are as written: what they evaluate to fills lines with the names of modules.
    """
    if inspect.isclass(value):
        return _of_class(value)
    node = _parsed(value)
    if not isinstance(node, ast.FunctionDef):
        return "()"
    returns = f" -> {_annotation(node.returns)}" if node.returns else ""
    return f"({_arguments(node.args)}){returns}"


def _parsed(value: object) -> ast.stmt:
    found = inspect.unwrap(value) if callable(value) else value
    return ast.parse(textwrap.dedent(inspect.getsource(found))).body[0]  # pyright: ignore[reportArgumentType]


def _annotation(node: ast.expr) -> str:
    """Without quotation marks around names, and with the shape alone of an array."""
    text = ast.unparse(node)
    if isinstance(node, ast.Constant):
        text = str(node.value)
    return ARRAY.sub(r"\1[", text).replace("[' ", "['")


def _arguments(arguments: ast.arguments) -> str:
    """All but `self` and `cls`."""
    plain = [*arguments.posonlyargs, *arguments.args]
    defaults = [None] * (len(plain) - len(arguments.defaults)) + [*arguments.defaults]
    parts = [_argument(*pair) for pair in zip(plain, defaults, strict=True)]
    if arguments.posonlyargs:
        parts.insert(len(arguments.posonlyargs), "/")
    if plain and plain[0].arg in ("self", "cls"):
        parts = parts[1:]
    if arguments.vararg:
        parts.append(f"*{_argument(arguments.vararg)}")
    elif arguments.kwonlyargs:
        parts.append("*")
    parts += map(_argument, arguments.kwonlyargs, arguments.kw_defaults)
    if arguments.kwarg:
        parts.append(f"**{_argument(arguments.kwarg)}")
    return ", ".join(parts)


def _argument(argument: ast.arg, default: ast.expr | None = None) -> str:
    return _with_default(argument.arg, argument.annotation, default)


def _with_default(name: str, annotation: ast.expr | None, default: ast.expr | None) -> str:
    shown = f"{name}: {_annotation(annotation)}" if annotation else name
    return f"{shown} = {_default(default)}" if default else shown


def _default(node: ast.expr) -> str:
    """The value; for `parameter(50, …)` of a configuration, its first argument."""
    if isinstance(node, ast.Call):
        if getattr(node.func, "id", "") == "parameter" and node.args:
            return _default(node.args[0])
        return "..."
    text = ast.unparse(node)
    return text if len(text) <= LONGEST else "..."


def _of_class(value: type) -> str:
    """The fields, if its constructor is made of them; else what `__init__` takes."""
    if dataclasses.is_dataclass(value) or hasattr(value, "_fields"):
        return f"({', '.join(_fields(value))})"
    own = vars(value).get("__init__")
    return f"({_arguments(_definition(own).args)})" if own else ""


def _definition(function: Callable[..., object]) -> ast.FunctionDef:
    node = _parsed(function)
    assert isinstance(node, ast.FunctionDef)
    return node


def _fields(value: type) -> Iterator[str]:
    written: dict[str, str] = {}
    for base in reversed(value.__mro__):
        if base.__module__.split(".")[0] in ("theory", "experiments"):
            node = _parsed(base)
            for line in node.body if isinstance(node, ast.ClassDef) else ():
                if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name):
                    name = line.target.id
                    written[name] = _with_default(name, line.annotation, line.value)
    parameters = list(inspect.signature(value).parameters.values())
    if any(given.kind is given.KEYWORD_ONLY for given in parameters):
        yield "*"
    for given in parameters:
        if given.name in written:
            yield written[given.name]
