"""How a call is refused: in one line, by ValueError, or by nothing at all."""

from collections.abc import Callable

from experiments.files.reading import Malformed


def line_of(call: Callable[[], object]) -> str:
    """The line with which a call is refused, "" if it is not; any other error leaves it."""
    try:
        call()
        return ""
    except ValueError as error:
        refused = error
    # Unicode's errors are of ours only by name, and what is malformed must say of which file.
    assert not isinstance(refused, UnicodeError | Malformed), refused
    line = str(refused)
    assert line
    assert line.isprintable()
    return line
