"""What the margins of a draw are called where they are stored and drawn."""

from collections.abc import Mapping
from typing import Protocol, TypeVar

M = TypeVar("M")
M_co = TypeVar("M_co", covariant=True)


class HasMargins(Protocol[M_co]):
    """The evidence of draws, or what was kept of it."""

    @property
    def hypotheses(self) -> Mapping[str, M_co]:
        """Name → margin."""
        ...

    @property
    def measured(self) -> Mapping[str, M_co]:
        """Name → margin."""
        ...

    @property
    def conclusion(self) -> M_co | None:
        """Its margin, None of what has none."""
        ...


def margins_by_name(found: HasMargins[M], separator: str = ".") -> dict[str, M]:
    """hypothesis.NAME, measured.NAME and conclusion → margin, in this order."""
    margins = {f"hypothesis{separator}{name}": one for name, one in found.hypotheses.items()}
    margins |= {f"measured{separator}{name}": one for name, one in found.measured.items()}
    return margins if found.conclusion is None else margins | {"conclusion": found.conclusion}
