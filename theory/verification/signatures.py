"""Whether the functions that make up a statement can be called as they will be."""

import inspect


def described(value: object) -> str:
    """A value with its type, for messages."""
    return f"{type(value).__name__} {value!r}"


def check_condition(role: str, function: object) -> None:
    """ValueError unless it is a function of (instance, config)."""
    check_function(role, function, "instance", "config")


def check_function(role: str, function: object, *arguments: str) -> None:
    """ValueError unless it is a function of these arguments, as far as its signature is known.

    Args:
      role: what the function is in a statement, for the message.
      function: what was given.
      arguments: the names of what it is called with, for the message.
    """
    named = f"({', '.join(arguments)})"
    if not callable(function):
        raise ValueError(f"{role} must be a function of {named}, got {described(function)}")
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # of a built-in function nothing is known
        return
    try:
        signature.bind(*arguments)
    except TypeError as error:
        raise ValueError(f"{role} must take {named}, got {signature}: {error}") from None
