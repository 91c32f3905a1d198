"""Pickles of arrays of bytes, read by an interpreter that can do nothing else.

A pickle is a program for a small machine. Python's own runs whatever it names, makes room for any
number that it mentions, and follows objects that hold themselves many times over. This one knows
the instructions that arrays, dictionaries, lists, numbers and texts are written with, in protocols
2 to 5, and keeps of an array what is said about it; not even NumPy's own code sees that. Time and
memory are bounded by the length of the pickle.
"""

import math
import pickletools
from collections.abc import Callable
from typing import Any

import numpy as np

from experiments.files.reading import Malformed

MOST_INSTRUCTIONS = 2**19  # a published batch, of 10,000 images, has 50,000


class Array:
    """Stands for a NumPy array, and only keeps what is said about it."""

    state: Any = None

    def __init__(self, *made_with: object) -> None:
        pass

    def build(self, state: object) -> None:
        """What the pickle says of its shape, type and bytes."""
        self.state = state

    def bytes(self, file: str) -> np.ndarray:
        """The array, if it is one of unsigned bytes; ValueError otherwise."""
        match self.state:
            case (_, tuple(shape), Dtype(code="u1" | b"u1"), by_column, bytes() | bytearray()):
                raw = self.state[-1]
                known = all(type(size) is int and size >= 0 for size in shape)
                possible = known and math.prod(size or 1 for size in shape[:5]) < 2**62
                if possible and len(shape) <= 4 and math.prod(shape) == len(raw):
                    order = "F" if by_column else "C"
                    return np.frombuffer(raw, np.uint8).reshape(shape, order=order)
        raise ValueError(f"{file}: data must be an array of unsigned bytes")


class FromBuffer(Array):
    """The same, as protocol 5 writes it."""

    def __init__(self, raw: object, dtype: object, shape: object, order: object) -> None:
        self.state = (1, shape, dtype, order == "F", raw)


class Dtype:
    """Stands for a NumPy dtype, and only keeps its code."""

    def __init__(self, code: object, *options: object) -> None:
        self.code = code

    def build(self, state: object) -> None:
        """Byte order and alignment, which bytes do not have."""


ALLOWED = {
    "numpy ndarray": Array,
    "numpy dtype": Dtype,
    "numpy.core.multiarray _reconstruct": Array,
    "numpy._core.multiarray _reconstruct": Array,  # since NumPy 2
    "numpy.core.numeric _frombuffer": FromBuffer,
    "numpy._core.numeric _frombuffer": FromBuffer,
}


def load(content: bytes) -> object:
    """What a pickle holds. ValueError if it is cut off, damaged, or asks for anything else."""
    machine = _Machine()
    try:
        for count, (code, argument, _) in enumerate(pickletools.genops(content)):
            if count == MOST_INSTRUCTIONS:
                raise Malformed(f"it has more than {MOST_INSTRUCTIONS:,} instructions")
            if code.name not in INSTRUCTIONS:
                raise Malformed(f"its instruction {code.name} is not allowed")
            INSTRUCTIONS[code.name](machine, argument)
        return machine.stack[-1]
    except (IndexError, KeyError, TypeError) as error:
        raise Malformed("it is damaged: an instruction lacks what it works on") from error


class _Machine:
    """The stack, where lists begin in it, and values that were put aside by number."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: dict[int, Any] = {}

    def since_mark(self) -> list[Any]:
        """What lies above the last mark, taken off."""
        mark = self.marks.pop()
        above = self.stack[mark:]
        del self.stack[mark:]
        return above

    def take(self, count: int) -> tuple[Any, ...]:
        """The uppermost values, taken off."""
        if len(self.stack) < count:
            raise IndexError
        above = tuple(self.stack[len(self.stack) - count :])
        del self.stack[len(self.stack) - count :]
        return above

    def set_items(self, items: list[Any]) -> None:
        """Puts key, value, key, value, … into the dictionary on top."""
        keys, values = items[::2], items[1::2]
        if not isinstance(self.stack[-1], dict) or len(keys) != len(values):
            raise TypeError
        if not all(isinstance(key, str | bytes | int) for key in keys):  # whose hashes are quick
            raise Malformed("a key of a dictionary must be text or a number")
        self.stack[-1].update(zip(keys, values, strict=True))

    def append(self, items: list[Any]) -> None:
        """Puts values into the list on top."""
        if not isinstance(self.stack[-1], list):
            raise TypeError
        self.stack[-1].extend(items)

    def call(self) -> None:
        """Makes an array or a dtype, with a tuple of arguments."""
        kind, arguments = self.take(2)
        if kind not in (Array, FromBuffer, Dtype) or not isinstance(arguments, tuple):
            raise TypeError
        self.stack.append(kind(*arguments))

    def build(self) -> None:
        """Tells an array or a dtype what there is to know of it."""
        (state,) = self.take(1)
        if not isinstance(self.stack[-1], Array | Dtype):
            raise TypeError
        self.stack[-1].build(state)

    def name(self, name: str) -> None:
        """One of the few names that a pickle may use."""
        if name not in ALLOWED:
            raise Malformed(f"it asks for {name.replace(' ', '.'):.80}, which is not allowed")
        self.stack.append(ALLOWED[name])


def _push(make: Callable[[Any], Any]) -> Callable[[_Machine, Any], object]:
    return lambda machine, argument: machine.stack.append(make(argument))


def _keep(machine: _Machine, argument: Any) -> None:
    machine.memo[len(machine.memo) if argument is None else argument] = machine.stack[-1]


def _tuple(count: int) -> Callable[[_Machine, Any], object]:
    return lambda machine, _: machine.stack.append(machine.take(count))


def _small(number: int) -> int:
    if abs(number) >= 2**63:
        raise Malformed("a number has more than 64 bits")
    return number


INSTRUCTIONS: dict[str, Callable[[_Machine, Any], object]] = {
    **dict.fromkeys(("PROTO", "FRAME", "STOP"), lambda machine, _: None),
    "MARK": lambda machine, _: machine.marks.append(len(machine.stack)),
    "NONE": _push(lambda _: None),
    "NEWTRUE": _push(lambda _: True),
    "NEWFALSE": _push(lambda _: False),
    **dict.fromkeys(("BININT", "BININT1", "BININT2", "BINFLOAT"), _push(lambda n: n)),
    "LONG1": _push(_small),
    # what Python 2 called text: pickletools gives its bytes as Latin-1
    **dict.fromkeys(("BINSTRING", "SHORT_BINSTRING"), _push(lambda text: text.encode("latin-1"))),
    **dict.fromkeys(("BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"), _push(lambda text: text)),
    **dict.fromkeys(("BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"), _push(lambda b: b)),
    "EMPTY_DICT": _push(lambda _: {}),
    "EMPTY_LIST": _push(lambda _: []),
    "EMPTY_TUPLE": _push(lambda _: ()),
    "TUPLE1": _tuple(1),
    "TUPLE2": _tuple(2),
    "TUPLE3": _tuple(3),
    "TUPLE": lambda machine, _: machine.stack.append(tuple(machine.since_mark())),
    "APPEND": lambda machine, _: machine.append(list(machine.take(1))),
    "APPENDS": lambda machine, _: machine.append(machine.since_mark()),
    "SETITEM": lambda machine, _: machine.set_items(list(machine.take(2))),
    "SETITEMS": lambda machine, _: machine.set_items(machine.since_mark()),
    **dict.fromkeys(("BINPUT", "LONG_BINPUT", "MEMOIZE"), _keep),
    **dict.fromkeys(
        ("BINGET", "LONG_BINGET"), lambda machine, n: machine.stack.append(machine.memo[n])
    ),
    "GLOBAL": lambda machine, name: machine.name(name),
    "STACK_GLOBAL": lambda machine, _: machine.name(" ".join(machine.take(2))),
    "REDUCE": lambda machine, _: machine.call(),
    "BUILD": lambda machine, _: machine.build(),
}
