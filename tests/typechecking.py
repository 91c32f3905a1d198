"""The type checker that conftest.py puts around `theory`."""

from typing import Any

import beartype

# An int is a float to a caller of a numerical function, as PEP 484 says.
_beartype = beartype.beartype(conf=beartype.BeartypeConf(is_pep484_tower=True))


def checked(thing: Any) -> Any:
    """Beartype, but not around what looks at shapes for every public function.

    It picks the entries of a sequence that it checks with the module `random`, which nothing may
    use while Hypothesis draws, and strategies may call public functions.
    """
    return thing if thing.__module__ == "theory._shapes" else _beartype(thing)
